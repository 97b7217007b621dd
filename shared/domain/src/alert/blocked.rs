//! Why an alert is blocked.

use std::fmt;
use std::mem::discriminant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::op::Op;
use crate::{AlertId, RecordId};

/// Why an alert is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", content = "of", rename_all = "snake_case")]
pub enum Blocked {
    NotSetUp,
    /// The tenant is not mapped to a ConnectWise company.
    Unmapped,
    TenantDisabled,
    KindDisabled,
    /// ConnectWise refuses the keys, the clientId or the company id.
    ConnectionBroken,
    /// ConnectWise has been unavailable for longer than the back-off.
    ConnectionUnavailable,
    /// ConnectWise asked for a pause that is too long for a message in the queue.
    Throttled,
    /// Its message was received too often. The alert is retried after a while.
    Deferred,
    MissingRight(String),
    /// A board, status, type, priority, company, team or owner of the ticket cannot be used.
    TargetMissing(TicketTarget),
    /// ConnectWise refused the ticket, with this message.
    Rejected(String),
    /// It was raised before the back-fill period began.
    OlderThanBackfill,
    /// A maintenance window applies.
    Maintenance(MaintenanceHold),
    /// It was resolved, but it is flapping, so its ticket stays open until this time.
    Flapping(Timestamp),
    /// It is part of a storm, whose ticket lists it.
    Storm(AlertId),
    /// A technician said that it is not to be fixed, so it gets no ticket until this time.
    WontFix(Timestamp),
}

/// A block by maintenance windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceHold {
    /// The end of the windows, as they were when the alert was decided last. A window that is
    /// changed later moves it.
    pub until: Timestamp,
    /// The alert's device, which windows select by pattern: the list of blocked alerts has it here
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// What an alert waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockClass {
    /// A choice in the set-up. A change of it can release the alert.
    SetUp,
    /// A person, because it is older than the back-fill. A change of the set-up can release it too.
    Age,
    /// ConnectWise, which cannot be used. The block ends without a person at the partner.
    Outage,
    /// A right of the API member.
    Right,
    /// A person, because ConnectWise refused a call because of this alert. Such a call is retried
    /// only at the request of reconcile or a person.
    Refusal,
    /// The end of a rule or a decision of a person, such as maintenance or a storm.
    Hold,
}

impl Blocked {
    #[must_use]
    pub fn class(&self) -> BlockClass {
        match self {
            Self::NotSetUp | Self::Unmapped | Self::TenantDisabled | Self::KindDisabled => {
                BlockClass::SetUp
            }
            Self::OlderThanBackfill => BlockClass::Age,
            Self::ConnectionBroken
            | Self::ConnectionUnavailable
            | Self::Throttled
            | Self::Deferred => BlockClass::Outage,
            Self::MissingRight(_) => BlockClass::Right,
            Self::TargetMissing(_) | Self::Rejected(_) => BlockClass::Refusal,
            Self::Maintenance(_) | Self::Flapping(_) | Self::Storm(_) | Self::WontFix(_) => {
                BlockClass::Hold
            }
        }
    }

    /// When the block ends, if it has an end that can move.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::Flapping(until) | Self::WontFix(until) => Some(*until),
            Self::Maintenance(hold) => Some(hold.until),
            Self::NotSetUp
            | Self::Unmapped
            | Self::TenantDisabled
            | Self::KindDisabled
            | Self::ConnectionBroken
            | Self::ConnectionUnavailable
            | Self::Throttled
            | Self::Deferred
            | Self::MissingRight(_)
            | Self::TargetMissing(_)
            | Self::Rejected(_)
            | Self::OlderThanBackfill
            | Self::Storm(_) => None,
        }
    }

    /// Whether both are the same reason, at whatever end.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let both_end = self.ends_at().is_some() && other.ends_at().is_some();
        self == other || both_end && discriminant(self) == discriminant(other)
    }
}

/// A ConnectWise record that a ticket refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketTarget {
    Board,
    Status,
    Type,
    Priority,
    Company,
    Team,
    Owner,
}

impl fmt::Display for TicketTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Board => "board",
            Self::Status => "status",
            Self::Type => "type",
            Self::Priority => "priority",
            Self::Company => "company",
            Self::Team => "team",
            Self::Owner => "owner",
        })
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSetUp => f.write_str("not_set_up"),
            Self::Unmapped => f.write_str("unmapped"),
            Self::TenantDisabled => f.write_str("tenant_disabled"),
            Self::KindDisabled => f.write_str("kind_disabled"),
            Self::ConnectionBroken => f.write_str("connection_broken"),
            Self::ConnectionUnavailable => f.write_str("connection_unavailable"),
            Self::Throttled => f.write_str("throttled"),
            Self::Deferred => f.write_str("deferred"),
            Self::MissingRight(right) => write!(f, "missing_right({right})"),
            Self::TargetMissing(target) => write!(f, "target_missing({target})"),
            Self::Rejected(words) => write!(f, "rejected({words})"),
            Self::OlderThanBackfill => f.write_str("older_than_backfill"),
            Self::Flapping(until) => write!(f, "flapping(until {until})"),
            Self::Storm(id) => write!(f, "storm({id})"),
            Self::WontFix(until) => write!(f, "wont_fix(until {until})"),
            Self::Maintenance(hold) => write!(f, "maintenance(until {})", hold.until),
        }
    }
}

/// The reason of a block and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedSince {
    #[serde(flatten)]
    pub reason: Blocked,
    /// Since when. For a refusal: when ConnectWise last refused the call. Each retry takes the
    /// claim first, which clears the block.
    pub since: Timestamp,
    /// The refused call, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<CallRefusal>,
}

/// A call that ConnectWise refused because of this one alert, while the connection works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRefusal {
    /// The write. `None` if ConnectWise refused a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// ConnectWise's message, on one line.
    pub words: String,
    /// The team or owner that it refused. A partner can choose many of them, and only the id tells
    /// the alerts of one apart from those of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
}

impl BlockedSince {
    #[must_use]
    pub fn refused(reason: Blocked, refusal: CallRefusal, since: Timestamp) -> Self {
        Self {
            reason,
            since,
            refusal: Some(refusal),
        }
    }

    /// Whether a person may release the alert: it is older than the back-fill, maintenance holds it,
    /// it is part of a storm or not to be fixed, or ConnectWise refused a call because of it.
    #[must_use]
    pub fn can_be_released(&self) -> bool {
        match self.reason.class() {
            BlockClass::Age | BlockClass::Refusal => true,
            // An alert that is flapping has its ticket.
            BlockClass::Hold => !matches!(self.reason, Blocked::Flapping(_)),
            BlockClass::SetUp | BlockClass::Outage | BlockClass::Right => false,
        }
    }

    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.reason.class() == BlockClass::Refusal
    }

    /// Whether ConnectWise refused this write, or a search that must precede it.
    #[must_use]
    pub fn refuses(&self, op: Op) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none_or(|refused| refused == op)
    }

    /// Whether ConnectWise refused a search.
    #[must_use]
    pub fn refuses_look(&self) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none()
    }

    /// Returns ConnectWise's message, or an empty string.
    #[must_use]
    pub fn words(&self) -> &str {
        match (&self.refusal, &self.reason) {
            (Some(refusal), _) => &refusal.words,
            (None, Blocked::Rejected(words)) => words,
            (None, _) => "",
        }
    }
}
