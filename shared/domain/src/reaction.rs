//! What a failure asks for, and why an alert cannot go on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a failure asks of the worker that met it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Try again: after the time that was asked for, or with the caller's own back-off.
    Retry {
        /// What the other side asked for, already capped.
        after: Option<Duration>,
    },
    /// A retry mends nothing: the record says why, and waits until the reason is gone.
    Block {
        /// Why the alert cannot go on.
        reason: Blocked,
    },
    /// It can never work: a person looks at it.
    DeadLetter {
        /// What is wrong with it, for that person.
        reason: String,
    },
}

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
