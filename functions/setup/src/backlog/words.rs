//! Why an alert is blocked, in words.

use domain::Blocked;
use domain::outgoing::block_reason::BlockReason;
use domain::setup::rights;

/// Why an alert is blocked, without the time at which the block ends.
pub(crate) fn describe(reason: &Blocked) -> String {
    if let Blocked::MissingRight(right) = reason {
        let title = rights::title(right);
        format!("the API member lacks the right \"{title}\"")
    } else if let Blocked::TargetMissing(target) = reason {
        format!("ConnectWise does not accept the {target} of its ticket")
    } else {
        reason_words(BlockReason::of(reason)).to_owned()
    }
}

/// Why alerts are blocked, in words that can follow "because".
pub(crate) fn reason_words(reason: BlockReason) -> &'static str {
    match reason {
        BlockReason::NotSetUp => "the set-up is not confirmed",
        BlockReason::Unmapped => "the tenant is not mapped",
        BlockReason::TenantDisabled => "the tenant is switched off",
        BlockReason::KindDisabled => "the kind of alert is switched off",
        BlockReason::ConnectionBroken => "ConnectWise refuses the connection",
        BlockReason::ConnectionUnavailable => "ConnectWise does not answer",
        BlockReason::Throttled => "ConnectWise limits the rate of calls",
        BlockReason::Deferred => {
            "several attempts failed; the next attempt follows in some minutes"
        }
        BlockReason::MissingRight => "the API member lacks a right",
        BlockReason::TargetMissing => {
            "ConnectWise does not accept a board, status, type, company, team or owner"
        }
        BlockReason::Rejected => "ConnectWise rejected the ticket",
        BlockReason::OlderThanBackfill => "the alert was raised too long ago",
        BlockReason::Maintenance => "a maintenance window applies",
        BlockReason::Flapping => {
            "the alert is raised and resolved again and again, so its ticket stays open"
        }
        BlockReason::Storm => "the alert is part of a storm, which has one ticket",
        BlockReason::WontFix => "a technician said that the alert is not to be fixed",
    }
}
