//! Why an alert is blocked, as its source is notified of it: without what ConnectWise answered and
//! without the names of the partner's records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Blocked;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// The partner has not finished its set-up, or its operator suspended it.
    NotSetUp,
    /// The tenant is not mapped to a ConnectWise company.
    Unmapped,
    /// The partner switched tickets off for the tenant.
    TenantDisabled,
    /// The partner switched tickets off for the kind of alert.
    KindDisabled,
    /// ConnectWise refuses the partner's keys.
    ConnectionBroken,
    /// ConnectWise is unavailable.
    ConnectionUnavailable,
    /// ConnectWise asked for a pause.
    Throttled,
    /// The alert is tried again later.
    Deferred,
    /// The partner's keys lack a right in ConnectWise.
    MissingRight,
    /// A board, status, type, priority, company, team or owner of the ticket cannot be used.
    TargetMissing,
    /// ConnectWise refused the ticket.
    Rejected,
    /// The alert was raised before the partner's set-up, so a person decides about it.
    OlderThanBackfill,
    /// A maintenance window applies.
    Maintenance,
    /// The alert came and went too often. Its ticket stays open until it is calm.
    Flapping,
    /// It is part of a storm of many alerts, which has one ticket.
    Storm,
    /// A technician said that it is not to be fixed.
    WontFix,
}

impl BlockReason {
    pub const ALL: [Self; 16] = [
        Self::NotSetUp,
        Self::Unmapped,
        Self::TenantDisabled,
        Self::KindDisabled,
        Self::ConnectionBroken,
        Self::ConnectionUnavailable,
        Self::Throttled,
        Self::Deferred,
        Self::MissingRight,
        Self::TargetMissing,
        Self::Rejected,
        Self::OlderThanBackfill,
        Self::Maintenance,
        Self::Flapping,
        Self::Storm,
        Self::WontFix,
    ];

    /// The reason in JSON and in queries.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotSetUp => "not_set_up",
            Self::Unmapped => "unmapped",
            Self::TenantDisabled => "tenant_disabled",
            Self::KindDisabled => "kind_disabled",
            Self::ConnectionBroken => "connection_broken",
            Self::ConnectionUnavailable => "connection_unavailable",
            Self::Throttled => "throttled",
            Self::Deferred => "deferred",
            Self::MissingRight => "missing_right",
            Self::TargetMissing => "target_missing",
            Self::Rejected => "rejected",
            Self::OlderThanBackfill => "older_than_backfill",
            Self::Maintenance => "maintenance",
            Self::Flapping => "flapping",
            Self::Storm => "storm",
            Self::WontFix => "wont_fix",
        }
    }

    /// Whether a person chose that the alert has no ticket, or no ticket of its own, for now.
    #[must_use]
    pub fn is_chosen(self) -> bool {
        match self {
            Self::TenantDisabled
            | Self::KindDisabled
            | Self::Maintenance
            | Self::Flapping
            | Self::Storm
            | Self::WontFix => true,
            Self::NotSetUp
            | Self::Unmapped
            | Self::ConnectionBroken
            | Self::ConnectionUnavailable
            | Self::Throttled
            | Self::Deferred
            | Self::MissingRight
            | Self::TargetMissing
            | Self::Rejected
            | Self::OlderThanBackfill => false,
        }
    }

    #[must_use]
    pub fn of(blocked: &Blocked) -> Self {
        match blocked {
            Blocked::NotSetUp => Self::NotSetUp,
            Blocked::Unmapped => Self::Unmapped,
            Blocked::TenantDisabled => Self::TenantDisabled,
            Blocked::KindDisabled => Self::KindDisabled,
            Blocked::ConnectionBroken => Self::ConnectionBroken,
            Blocked::ConnectionUnavailable => Self::ConnectionUnavailable,
            Blocked::Throttled => Self::Throttled,
            Blocked::Deferred => Self::Deferred,
            Blocked::MissingRight(_) => Self::MissingRight,
            Blocked::TargetMissing(_) => Self::TargetMissing,
            Blocked::Rejected(_) => Self::Rejected,
            Blocked::OlderThanBackfill => Self::OlderThanBackfill,
            Blocked::Maintenance(_) => Self::Maintenance,
            Blocked::Flapping(_) => Self::Flapping,
            Blocked::Storm(_) => Self::Storm,
            Blocked::WontFix(_) => Self::WontFix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_reason_in_json() {
        for reason in BlockReason::ALL {
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.code());
        }
    }
}
