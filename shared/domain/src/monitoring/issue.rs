//! x

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::setup::choices::TargetIssue;
use crate::ticketing::refused_writes::{RefusalCause, RefusalGroupId, RefusedTarget};
use crate::{Blocked, Kind, TenantId};

/// What is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentScope {
    /// The connection as a whole: without it nothing works.
    Connection,
    /// What was set up over it: only what needs it stops.
    PartnerConfig,
}

impl IncidentScope {
    /// The part whose trouble holds up an alert that is blocked for this reason; none for what is somebody's choice.
    #[must_use]
    pub fn for_reason(reason: &Blocked) -> Option<Self> {
        match reason {
            Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::Deferred => Some(Self::Connection),
            Blocked::MissingRight(_) | Blocked::TargetGone(_) | Blocked::Rejected(_) => {
                Some(Self::PartnerConfig)
            }
            Blocked::NotSetUp
            | Blocked::Unmapped
            | Blocked::TenantDisabled
            | Blocked::KindDisabled
            | Blocked::OlderThanBackfill => None,
        }
    }
}

/// Why ConnectWise takes no call at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionRefusal {
    /// It refuses the keys.
    Keys,
    /// There are no keys that fit the connection.
    NoKeys,
    /// It refuses the partner's own `clientId`.
    OwnClientId,
    /// It refuses the operator's `clientId`.
    ClientId,
    /// The site does not answer as this company's ConnectWise, or may not be spoken to.
    Site,
}

/// How ConnectWise fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// It cannot be reached.
    Unreachable,
    /// It does not answer in time.
    Slow,
    /// It answers that it is in trouble.
    Failing,
    /// It answers that it is called too often.
    Throttling,
    /// Something else answers: a redirect, a web page, or a server that does not know this company.
    Misrouted,
}

/// Why a company can get no tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompanyIssue {
    /// It is not there, or the API member does not see it.
    Missing,
    /// It is in the recycle bin.
    Deleted,
    /// Its status says so.
    Inactive,
    /// Its status allows no tickets.
    Disallowed,
}

impl CompanyIssue {
    /// Why no ticket can be made for a company that ConnectWise lists. The flags decide; the names of statuses are the partner's own.
    #[must_use]
    pub fn by_flags(is_deleted: bool, disallows_saving: bool, is_inactive: bool) -> Option<Self> {
        match (is_deleted, disallows_saving, is_inactive) {
            (true, _, _) => Some(Self::Deleted),
            (false, true, _) => Some(Self::Disallowed),
            (false, false, true) => Some(Self::Inactive),
            (false, false, false) => None,
        }
    }
}

/// Something that is wrong. Names are looked up when somebody is told: they may change while it lasts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "trouble", content = "of", rename_all = "snake_case")]
pub enum Issue {
    /// ConnectWise takes no call.
    Refused(ConnectionRefusal),
    /// It did not answer well for several probes in a row.
    Outage(Outage),
    /// The API member lacks a right, by its name in [`rights`].
    Right(String),
    /// The board of a category cannot be used.
    Board {
        /// Which.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The status of new tickets cannot be used.
    StartStatus {
        /// Of which board.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The status that closes tickets cannot be used.
    ClosingStatus {
        /// Of which board.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The ticket type of a kind cannot be used.
    Type {
        /// On which board.
        category: Category,
        /// Of which alerts.
        kind: Kind,
        /// Why.
        why: TargetIssue,
    },
    /// The priority of a severity is gone.
    Priority(Severity),
    /// The company of a tenant cannot be used.
    Company {
        /// Whose.
        tenant: TenantId,
        /// Why.
        why: CompanyIssue,
    },
    /// ConnectWise takes the keys, and refuses what Ticketbridge writes for some alerts.
    Writes {
        /// Which ones.
        group: RefusalGroupId,
        /// ConnectWise's own words about the first of them.
        words: String,
    },
}

/// What is looked at in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeArea {
    /// The connection itself.
    Connection,
    /// What the API member may do.
    Rights,
    /// The boards, whether they are there.
    Boards,
    /// The statuses of a category's board.
    Statuses(Category),
    /// The types of a category's board.
    Types(Category),
    /// The priorities.
    Priorities,
    /// A tenant's company.
    Company(TenantId),
    /// What ConnectWise refused, as reconcile found it.
    Writes,
}

impl Issue {
    /// Where a look at it tells whether it is still so.
    #[must_use]
    pub fn area(&self) -> ProbeArea {
        match self {
            Self::Refused(_) | Self::Outage(_) => ProbeArea::Connection,
            Self::Right(_) => ProbeArea::Rights,
            Self::Board { .. } => ProbeArea::Boards,
            Self::StartStatus { category, .. } | Self::ClosingStatus { category, .. } => {
                ProbeArea::Statuses(*category)
            }
            Self::Type { category, .. } => ProbeArea::Types(*category),
            Self::Priority(_) => ProbeArea::Priorities,
            Self::Company { tenant, .. } => ProbeArea::Company(tenant.clone()),
            Self::Writes { .. } => ProbeArea::Writes,
        }
    }

    /// Whether whoever was told of the one need not be told of the other: an outage has many faces.
    pub(crate) fn is_told_by(&self, notified: &Self) -> bool {
        match (self, notified) {
            (Self::Outage(_), Self::Outage(_)) => true,
            // The words may name another ticket by now.
            (Self::Writes { group: one, .. }, Self::Writes { group: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }
}

/// What is wrong, in a few words behind which a sentence may end. A tenant is called what `name` says.
#[must_use]
pub fn summarize(issues: &BTreeSet<Issue>, name: impl Fn(&TenantId) -> String) -> String {
    let words = |issue: &Issue| match issue {
        Issue::Refused(ConnectionRefusal::Keys) => "ConnectWise refuses the keys".to_owned(),
        Issue::Refused(ConnectionRefusal::NoKeys) => "the keys are missing".to_owned(),
        Issue::Refused(ConnectionRefusal::OwnClientId) => {
            "ConnectWise refuses your own clientId".to_owned()
        }
        Issue::Refused(ConnectionRefusal::ClientId) => {
            "ConnectWise refuses this service's clientId".to_owned()
        }
        Issue::Refused(ConnectionRefusal::Site) => {
            "ConnectWise is not found at your site".to_owned()
        }
        Issue::Outage(Outage::Unreachable) => "ConnectWise cannot be reached".to_owned(),
        Issue::Outage(Outage::Slow) => "ConnectWise does not answer in time".to_owned(),
        Issue::Outage(Outage::Failing) => "ConnectWise is in trouble".to_owned(),
        Issue::Outage(Outage::Throttling) => "ConnectWise limits the rate of calls".to_owned(),
        Issue::Outage(Outage::Misrouted) => "something else answers for ConnectWise".to_owned(),
        Issue::Right(_) => "a right is missing in ConnectWise".to_owned(),
        Issue::Board { .. } => "a board cannot be used".to_owned(),
        Issue::StartStatus { .. } | Issue::ClosingStatus { .. } => {
            "a status cannot be used".to_owned()
        }
        Issue::Type { .. } => "a ticket type cannot be used".to_owned(),
        Issue::Priority(_) => "a priority was deleted".to_owned(),
        Issue::Company { tenant, .. } => {
            format!("the company of {} cannot be used", name(tenant))
        }
        Issue::Writes { group, .. } => match &group.cause {
            RefusalCause::Target(RefusedTarget::Company(tenant)) => {
                format!(
                    "ConnectWise refuses tickets for the company of {}",
                    name(tenant)
                )
            }
            RefusalCause::Target(_) | RefusalCause::Words(_) | RefusalCause::Other => {
                format!("ConnectWise refuses to {}", group.in_short())
            }
        },
    };
    match issues.first() {
        Some(only) if issues.len() == 1 => words(only),
        Some(_) | None => format!("{} things in ConnectWise stop tickets", issues.len()),
    }
}
