//! The trail of an alert: the steps of its record, for people who ask why there is a ticket or
//! none. A state that is stored twice is one step.

mod follow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::event::Severity;
use crate::alert::op::Op;
use crate::alert::resolution::Resolution;
use crate::alert::ticket_end::ClosedBy;
use crate::setup::status_action::StatusAction;
use crate::{Blocked, RecordId};

/// The most steps of a trail. Those after the first few are dropped: how it began and what happened
/// last say most.
const MAX_STEPS: usize = 40;
const FIRST_STEPS: usize = 4;

/// The first and the last steps of an alert, in the order in which they were stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trail {
    steps: Vec<TrailStep>,
    /// The time of the newest step that was dropped. An older state is not new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped_until: Option<Timestamp>,
    /// The ticket of the newest step about one, which may be dropped already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<RecordId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailStep {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: StepKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepKind {
    /// An event raised the alert.
    Raised { severity: Severity },
    /// Events repeated it since.
    Repeated { count: u32, severity: Severity },
    /// An event resolved it.
    Resolved,
    /// It counts as resolved without an event.
    Ended { shown: Resolution },
    /// It waits.
    Blocked {
        blocked: Blocked,
        /// What ConnectWise answered to a refused call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
        /// How often in a row.
        times: u32,
    },
    /// A worker began a write to ConnectWise. The step is dropped when the outcome is a step.
    Started { op: Op, reason: String },
    /// The outcome of the write is unknown. It is looked up.
    Unclear { op: Op },
    /// It has this ticket.
    Opened { ticket: RecordId },
    /// It has this ticket of an earlier occurrence again.
    Reopened { ticket: RecordId },
    /// A note was written on the ticket.
    Noted {
        ticket: RecordId,
        /// Why, if the write was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A technician moved the ticket to a status that asks for an action.
    ActionRequested {
        ticket: RecordId,
        #[serde(flatten)]
        action: StatusAction,
    },
    /// The ticket ended.
    Closed { ticket: RecordId, by: ClosedBy },
    /// A person asked for a ticket again.
    AskedAgain,
    /// A person released it: its block ended.
    Released,
    /// A second ticket was found, which is closed.
    Duplicate { ticket: RecordId },
}

impl Trail {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps in the order of their times.
    #[must_use]
    pub fn steps(&self) -> Vec<&TrailStep> {
        let mut steps: Vec<_> = self.steps.iter().collect();
        steps.sort_by_key(|step| step.at);
        steps
    }

    /// Whether steps were dropped.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.dropped_until.is_some()
    }

    /// Adds the request of a person for a ticket again, which no state of the record shows.
    pub(crate) fn add_request(&mut self, at: Timestamp) {
        let what = StepKind::AskedAgain;
        self.push(TrailStep { at, what });
    }

    /// Adds the release by a person, which no state of the record shows.
    pub(crate) fn add_release(&mut self, at: Timestamp) {
        let what = StepKind::Released;
        self.push(TrailStep { at, what });
    }

    /// Whether the step is known, or was dropped. A ticket begins once, whenever it is found.
    fn has(&self, step: &TrailStep) -> bool {
        if let StepKind::Opened { ticket } = step.what {
            return self.ticket == Some(ticket);
        }
        if let StepKind::Reopened { ticket } = step.what
            && self.is_out_of_reach(ticket)
        {
            return true;
        }
        let is_old = self.dropped_until.is_some_and(|until| step.at <= until);
        is_old || self.steps.iter().any(|known| known.is_same(step))
    }

    /// Whether this ticket was in a ConnectWise that the connection no longer pointed at. It is
    /// never reopened then, only found again.
    fn is_out_of_reach(&self, ticket: RecordId) -> bool {
        let end = self.steps.iter().rev().find_map(|step| {
            let StepKind::Closed { ticket, by } = step.what else {
                return None;
            };
            Some((ticket, by))
        });
        end == Some((ticket, ClosedBy::OutOfReach))
    }

    fn push(&mut self, mut step: TrailStep) {
        if let StepKind::Opened { ticket } | StepKind::Reopened { ticket } = step.what {
            self.ticket = Some(ticket);
        }
        if step.what.is_outcome() {
            // A new priority or type leaves no other step.
            let is_start = |step: &TrailStep| matches!(step.what, StepKind::Started { op, .. } if !matches!(op, Op::Patch | Op::SetType));
            while let Some(start) = self.steps.pop_if(|step| is_start(step)) {
                if let (StepKind::Noted { reason, .. }, StepKind::Started { reason: why, .. }) =
                    (&mut step.what, start.what)
                {
                    *reason = Some(why);
                }
            }
        }
        // What only goes on is one step.
        let is_end = |what: &StepKind| matches!(what, StepKind::Resolved);
        if is_end(&step.what) && self.steps.last().is_some_and(|last| is_end(&last.what)) {
            return;
        }
        match (self.steps.last().map(|last| &last.what), &mut step.what) {
            (Some(StepKind::Repeated { .. }), StepKind::Repeated { .. }) => {
                self.steps.pop();
            }
            (
                Some(StepKind::Blocked {
                    blocked: before,
                    times: count,
                    ..
                }),
                StepKind::Blocked { blocked, times, .. },
            ) if before == blocked => {
                *times = count.saturating_add(1);
                self.steps.pop();
            }
            _ => {}
        }
        self.steps.push(step);
        if self.steps.len() > MAX_STEPS {
            let dropped = self.steps.remove(FIRST_STEPS);
            self.dropped_until = self.dropped_until.max(Some(dropped.at));
        }
    }
}

impl TrailStep {
    /// Whether both are about the same state. Its details can change later.
    fn is_same(&self, other: &Self) -> bool {
        let same_kind = std::mem::discriminant(&self.what) == std::mem::discriminant(&other.what);
        same_kind && self.at == other.at
    }
}

impl StepKind {
    /// Whether a write to ConnectWise led to it.
    fn is_outcome(&self) -> bool {
        match self {
            Self::Blocked { .. }
            | Self::Opened { .. }
            | Self::Reopened { .. }
            | Self::Noted { .. }
            | Self::Closed { .. } => true,
            Self::Raised { .. }
            | Self::Repeated { .. }
            | Self::Resolved
            | Self::Ended { .. }
            | Self::Started { .. }
            | Self::Unclear { .. }
            | Self::ActionRequested { .. }
            | Self::AskedAgain
            | Self::Released
            | Self::Duplicate { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
