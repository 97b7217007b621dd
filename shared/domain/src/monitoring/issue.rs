//! What can be wrong with a partner's connection, configuration or sources.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockClass;
use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::alert::record::Op;
use crate::setup::choices::TargetIssue;
use crate::ticketing::refused_writes::{
    RefusalCause, RefusalGroupId, RefusedTarget, refused_action,
};
use crate::{Blocked, Kind, SourceId, TenantId};

/// The scopes of incidents. They start, end and are fixed independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentScope {
    /// The connection as a whole. Without it nothing works.
    Connection,
    /// The configuration: rights, boards, companies and others. Only what depends on the broken
    /// part stops.
    PartnerConfig,
    /// The sources. Without their messages there are no tickets, but ConnectWise is not concerned.
    Sources,
}

impl IncidentScope {
    pub const ALL: [Self; 3] = [Self::Connection, Self::PartnerConfig, Self::Sources];

    /// The scope whose incident blocks an alert for this reason. `None` if a person's choice blocks
    /// it, or if it waits for a person without an incident (see [`super::waiting`]).
    #[must_use]
    pub fn for_reason(reason: &Blocked) -> Option<Self> {
        match reason.class() {
            BlockClass::Outage => Some(Self::Connection),
            BlockClass::Right => Some(Self::PartnerConfig),
            BlockClass::Refusal => {
                matches!(reason, Blocked::TargetMissing(_)).then_some(Self::PartnerConfig)
            }
            BlockClass::SetUp | BlockClass::Age | BlockClass::Hold => None,
        }
    }
}

/// Why ConnectWise refuses all calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionRefusal {
    Keys,
    /// There are no keys for the connection.
    NoKeys,
    /// It refuses the partner's own `clientId`.
    OwnClientId,
    /// It refuses the operator's `clientId`.
    ClientId,
    /// The site does not answer as this company's ConnectWise, or its host is not allowed.
    Site,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    Unreachable,
    Slow,
    /// It answers with a server error.
    Failing,
    /// It answers that the rate of calls is too high.
    Throttling,
    /// Another server answers: a redirect, a web page, or a server that does not know this company.
    Misrouted,
}

/// Why no ticket can be created for a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompanyIssue {
    /// It does not exist, or the API member cannot see it.
    Missing,
    Deleted,
    /// Its status is inactive.
    Inactive,
    Disallowed,
}

impl CompanyIssue {
    /// Why no ticket can be created for a company that ConnectWise lists. The flags decide, since
    /// partners name their own statuses.
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

/// An issue. It has ids only: names are read when a notification is sent, since they may change
/// meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "trouble", content = "of", rename_all = "snake_case")]
pub enum Issue {
    /// ConnectWise refuses all calls.
    Refused(ConnectionRefusal),
    /// Several probes in a row failed.
    Outage(Outage),
    /// The API member lacks a right, by its name in [`rights`](crate::setup::rights).
    Right(String),
    Board {
        category: Category,
        why: TargetIssue,
    },
    StartStatus {
        category: Category,
        why: TargetIssue,
    },
    ClosingStatus {
        category: Category,
        why: TargetIssue,
    },
    Type {
        category: Category,
        kind: Kind,
        why: TargetIssue,
    },
    /// The priority of a severity was deleted.
    Priority(Severity),
    Company {
        tenant: TenantId,
        why: CompanyIssue,
    },
    /// ConnectWise accepts the keys, but refuses a call for some alerts, because it does not accept
    /// a record that the settings name.
    Writes {
        /// `None` if it refuses a search.
        op: Option<Op>,
        target: RefusedTarget,
        /// ConnectWise's message for the first of them.
        words: String,
    },
    /// A source sends no messages.
    InactiveSource {
        source: SourceId,
        /// When its last message was received, or when it began to post.
        since: Timestamp,
    },
    /// A source sends nothing for one of its tenants.
    InactiveTenant {
        source: SourceId,
        tenant: TenantId,
        /// The day of the last message, or on which source or tenant were switched on.
        since: Date,
    },
}

/// What one part of a probe checks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeArea {
    Connection,
    /// The rights of the API member.
    Rights,
    /// The existence of the boards.
    Boards,
    Statuses(Category),
    Types(Category),
    Priorities,
    Company(TenantId),
    /// The refused writes, as reconcile found them.
    Writes,
    /// The messages of sources. No probe checks them.
    Sources,
}

impl Issue {
    /// The area whose check shows whether the issue persists.
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
            Self::InactiveSource { .. } | Self::InactiveTenant { .. } => ProbeArea::Sources,
        }
    }

    /// Whether a notification about the other issue covers this one. An outage can appear in
    /// several forms.
    pub(crate) fn is_covered_by(&self, notified: &Self) -> bool {
        match (self, notified) {
            (Self::Outage(_), Self::Outage(_)) => true,
            // The message may name another ticket by now.
            (Self::Writes { .. }, Self::Writes { .. }) => self.refusal() == notified.refusal(),
            (
                Self::InactiveSource { source: one, .. },
                Self::InactiveSource { source: other, .. },
            ) => one == other,
            (
                Self::InactiveTenant { source, tenant, .. },
                Self::InactiveTenant {
                    source: other,
                    tenant: of_other,
                    ..
                },
            ) => (source, tenant) == (other, of_other),
            (one, other) => one == other,
        }
    }

    /// The source that the issue is about.
    #[must_use]
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Self::InactiveSource { source, .. } | Self::InactiveTenant { source, .. } => {
                Some(source)
            }
            Self::Refused(_)
            | Self::Outage(_)
            | Self::Right(_)
            | Self::Board { .. }
            | Self::StartStatus { .. }
            | Self::ClosingStatus { .. }
            | Self::Type { .. }
            | Self::Priority(_)
            | Self::Company { .. }
            | Self::Writes { .. } => None,
        }
    }

    /// The group of the refused alerts that the issue is about.
    #[must_use]
    pub fn refusal(&self) -> Option<RefusalGroupId> {
        let Self::Writes { op, target, .. } = self else {
            return None;
        };
        Some(RefusalGroupId {
            op: *op,
            cause: RefusalCause::Target(target.clone()),
        })
    }
}

/// Summarizes issues in a few words that can end a sentence. `name` returns a tenant's name, and
/// `source_name` a source's.
#[must_use]
pub fn summarize(
    issues: &BTreeSet<Issue>,
    name: impl Fn(&TenantId) -> String,
    source_name: impl Fn(&SourceId) -> String,
) -> String {
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
        Issue::Outage(Outage::Failing) => "ConnectWise reports an error".to_owned(),
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
        Issue::Writes {
            target: RefusedTarget::Company(tenant),
            ..
        } => {
            format!(
                "ConnectWise refuses tickets for the company of {}",
                name(tenant)
            )
        }
        Issue::Writes { op, .. } => format!("ConnectWise refuses to {}", refused_action(*op)),
        Issue::InactiveSource { source, .. } => {
            format!("no messages from {}", source_name(source))
        }
        Issue::InactiveTenant { source, tenant, .. } => {
            format!(
                "no messages from {} for {}",
                source_name(source),
                name(tenant)
            )
        }
    };
    let is_inactive = |issue: &Issue| matches!(issue, Issue::InactiveSource { .. });
    let is_tenant = |issue: &Issue| matches!(issue, Issue::InactiveTenant { .. });
    let count = issues.len();
    match issues.first() {
        Some(only) if count == 1 => words(only),
        Some(_) if issues.iter().all(is_inactive) => format!("no messages from {count} sources"),
        Some(_) if issues.iter().all(is_tenant) => format!("no messages for {count} tenants"),
        Some(first) if first.area() == ProbeArea::Sources => {
            format!("{count} problems with sources")
        }
        Some(_) | None => format!("{} things in ConnectWise stop tickets", issues.len()),
    }
}
