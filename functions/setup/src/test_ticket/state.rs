//! The state of a test, derived from its record.

use domain::Blocked;
use domain::alert::record::{Actual, Record};
use domain::setup::rights;
use serde::Serialize;
use store::TestTicket;

use crate::activity::state::closed_words;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum TestState {
    /// Not processed yet.
    Waiting,
    Blocked {
        reason: String,
        why: String,
    },
    /// The ticket was created.
    Open,
    /// The test was resolved, and its ticket is still open.
    Closing,
    Closed {
        how: &'static str,
    },
    /// The test was resolved before a ticket was created.
    Withdrawn,
}

impl TestState {
    pub(super) fn of(test: &TestTicket, record: Option<&Record>) -> Self {
        let Some(record) = record else {
            return if test.close_requested {
                Self::Withdrawn
            } else {
                Self::Waiting
            };
        };
        if let Some(blocked) = &record.blocked {
            return Self::Blocked {
                reason: blocked.reason.to_string(),
                why: explain(&blocked.reason),
            };
        }
        match &record.actual {
            Some(Actual::Open(_)) if test.close_requested => Self::Closing,
            Some(Actual::Open(_)) => Self::Open,
            Some(Actual::Closed(closed)) => Self::Closed {
                how: closed_words(closed.by),
            },
            // A ticket whose creation was not confirmed is searched for.
            None if record.desired.active || record.claim.is_some() => Self::Waiting,
            None => Self::Withdrawn,
        }
    }

    /// Whether the test has ended, so another one may start.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Closed { .. } | Self::Withdrawn => true,
            Self::Waiting | Self::Blocked { .. } | Self::Open | Self::Closing => false,
        }
    }
}

/// Why a test is blocked, and what to do.
fn explain(blocked: &Blocked) -> String {
    match blocked {
        Blocked::NotSetUp => {
            "The boards are not chosen for this connection, or your account is switched off."
                .to_owned()
        }
        Blocked::Unmapped => {
            "The tenant has no company in ConnectWise. Choose one under Tenants.".to_owned()
        }
        Blocked::TenantDisabled => "The tenant is switched off.".to_owned(),
        Blocked::KindDisabled => {
            "Alerts of this kind are switched off. Switch them on under Tickets.".to_owned()
        }
        Blocked::ConnectionBroken => {
            "ConnectWise refuses the connection. Check connection says what is wrong.".to_owned()
        }
        Blocked::ConnectionUnavailable => {
            "ConnectWise has not answered for a while. The test continues once it answers."
                .to_owned()
        }
        Blocked::Throttled => {
            "ConnectWise limits the rate of calls. The test continues once it accepts calls again."
                .to_owned()
        }
        Blocked::Deferred => {
            "Several attempts failed. The next attempt follows in some minutes.".to_owned()
        }
        Blocked::MissingRight(right) => format!(
            "The API member lacks the right \"{}\". Check connection says where to grant it; the test continues then.",
            rights::title(right)
        ),
        Blocked::TargetMissing(target) => format!(
            "ConnectWise does not accept the {target} that is chosen. Choose another, and the test continues."
        ),
        Blocked::Rejected(words) => format!("ConnectWise rejected the ticket. It says: {words}"),
        Blocked::OlderThanBackfill => {
            "It waited for more than two days. Close it, and create a new one.".to_owned()
        }
        // A test alert is raised once, and no maintenance window holds it.
        Blocked::Flapping(_) => "It is flapping.".to_owned(),
        // No test alert is part of one.
        Blocked::Storm(_) => "It is part of a storm.".to_owned(),
        Blocked::WontFix(_) => "A technician said that it is not to be fixed.".to_owned(),
        Blocked::Maintenance(_) => "A maintenance window applies.".to_owned(),
    }
}
