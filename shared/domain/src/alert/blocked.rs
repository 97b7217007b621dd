//! Why an alert is blocked.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::record::Op;

/// Why an alert cannot go on now, in any state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", content = "of", rename_all = "snake_case")]
pub enum Blocked {
    /// The partner has no confirmed connection yet.
    NotSetUp,
    /// The tenant has no ConnectWise company.
    Unmapped,
    /// The tenant is switched off.
    TenantDisabled,
    /// The kind is switched off.
    KindDisabled,
    /// ConnectWise refuses the connection: keys, clientId or company id.
    ConnectionBroken,
    /// ConnectWise has been out of reach for longer than the back-off.
    ConnectionUnavailable,
    /// ConnectWise asked for a pause that is too long to wait for in the queue.
    Throttled,
    /// Its message came back too often, for whatever reason: it is tried again after a while.
    Deferred,
    /// The API member lacks this right.
    MissingRight(String),
    /// What new tickets point at is gone.
    TargetGone(Target),
    /// ConnectWise refused the ticket, in its own words.
    Rejected(String),
    /// It stood longer than the back-fill reaches when it was released.
    OlderThanBackfill,
}

impl Blocked {
    /// Whether set-up holds the alert, so that a switch of set-up lets it go on.
    pub(crate) fn waits_for_set_up(&self) -> bool {
        match self {
            Self::NotSetUp
            | Self::Unmapped
            | Self::TenantDisabled
            | Self::KindDisabled
            | Self::OlderThanBackfill => true,
            Self::ConnectionBroken
            | Self::ConnectionUnavailable
            | Self::Throttled
            | Self::Deferred
            | Self::MissingRight(_)
            | Self::TargetGone(_)
            | Self::Rejected(_) => false,
        }
    }
}

/// What a ticket points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The service board.
    Board,
    /// The start or closing status.
    Status,
    /// The ticket type of the kind.
    Type,
    /// The priority of the severity.
    Priority,
    /// The tenant's company.
    Company,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Board => "board",
            Self::Status => "status",
            Self::Type => "type",
            Self::Priority => "priority",
            Self::Company => "company",
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
            Self::TargetGone(target) => write!(f, "target_gone({target})"),
            Self::Rejected(words) => write!(f, "rejected({words})"),
            Self::OlderThanBackfill => f.write_str("older_than_backfill"),
        }
    }
}

/// Why and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedSince {
    /// Why the alert cannot go on.
    #[serde(flatten)]
    pub reason: Blocked,
    /// Since when. Of a refusal: when ConnectWise last refused it, since each retry takes the claim first.
    pub since: Timestamp,
    /// What ConnectWise refused, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// A call that ConnectWise refused for the sake of this one alert: the connection works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The write; none where looking something up was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// ConnectWise's own words, on one line.
    pub words: String,
}

impl BlockedSince {
    /// Blocked because ConnectWise refused a call for the sake of this alert.
    #[must_use]
    pub fn refused(reason: Blocked, refusal: Refusal, since: Timestamp) -> Self {
        Self {
            reason,
            since,
            refusal: Some(refusal),
        }
    }

    /// Whether ConnectWise refused a call for the sake of this alert. Then it is retried only when reconcile or a person asks for it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.reason {
            Blocked::TargetGone(_) | Blocked::Rejected(_) => true,
            Blocked::NotSetUp
            | Blocked::Unmapped
            | Blocked::TenantDisabled
            | Blocked::KindDisabled
            | Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::Deferred
            | Blocked::MissingRight(_)
            | Blocked::OlderThanBackfill => false,
        }
    }

    /// Whether ConnectWise refused this write, or something that must come before it.
    #[must_use]
    pub fn refuses(&self, op: Op) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none_or(|refused| refused == op)
    }

    /// Whether ConnectWise refused to look something up.
    #[must_use]
    pub fn refuses_look(&self) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none()
    }

    /// ConnectWise's own words; empty where it said none.
    #[must_use]
    pub fn words(&self) -> &str {
        match (&self.refusal, &self.reason) {
            (Some(refusal), _) => &refusal.words,
            (None, Blocked::Rejected(words)) => words,
            (None, _) => "",
        }
    }
}
