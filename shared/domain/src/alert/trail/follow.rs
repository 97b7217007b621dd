//! The steps that a record shows.
//!
//! Each state of a record carries its own time. So the steps are read from the record whenever it is
//! stored, in the same write, and no decision has to report itself.

use super::{StepKind, Trail, TrailStep};
use crate::RecordId;
use crate::alert::figures::AlertFigures;
use crate::alert::op::Op;
use crate::alert::record::{Actual, Record};
use crate::setup::status_action::RequestedAction;
use crate::text::cut_to_bytes;

/// The longest quotation of ConnectWise's words, in bytes.
const MAX_WORDS: usize = 200;

impl Trail {
    /// Adds what the record shows now, and counts it. Following the same record twice changes
    /// nothing. An alert without a summary is in no list, so it has no trail.
    pub(crate) fn follow(&mut self, record: &Record, figures: &mut AlertFigures) {
        if record.summary.is_none() {
            return;
        }
        for step in states(record) {
            if !self.has(&step) {
                self.push(step.clone());
                figures.count(&step, &self.steps);
            }
        }
        // A duplicate carries no time of its own.
        let at = self.steps.last().map(|step| step.at);
        for duplicate in &record.duplicates {
            let ticket = duplicate.ticket_id;
            let what = StepKind::Duplicate { ticket };
            let is_known = self.steps.iter().any(|step| step.what == what);
            if let Some(at) = at.filter(|_| !is_known) {
                self.push(TrailStep { at, what });
            }
        }
    }
}

/// What the record shows, each with its time, the oldest first.
fn states(record: &Record) -> Vec<TrailStep> {
    let mut states = of_events(record);
    states.extend(of_ticket(record));
    // A link leaves no step: the alert's state does not depend on it.
    if let Some(claim) = record.claim.as_ref().filter(|claim| claim.op != Op::Link) {
        let reason = claim.reason.clone();
        let op = claim.op;
        let started = StepKind::Started { op, reason };
        states.push(TrailStep {
            at: claim.began_at,
            what: started,
        });
        states.extend(claim.uncertain_at.map(|at| TrailStep {
            at,
            what: StepKind::Unclear { op },
        }));
    }
    if let Some(blocked) = &record.blocked {
        let answer = blocked.refusal.as_ref();
        let answer = answer.map(|refusal| cut_to_bytes(&refusal.words, MAX_WORDS));
        states.push(TrailStep {
            at: blocked.since,
            what: StepKind::Blocked {
                blocked: blocked.reason.clone(),
                answer,
                times: 1,
            },
        });
    }
    states.sort_by_key(|state| state.at);
    states
}

fn of_events(record: &Record) -> Vec<TrailStep> {
    let desired = &record.desired;
    let mut states = vec![];
    let last = desired.last.as_ref().map(|last| last.receipt.at);
    if let Some(details) = &desired.details {
        let severity = details.severity;
        states.push(TrailStep {
            at: details.raise_received_at,
            what: StepKind::Raised { severity },
        });
        let repeated = last.filter(|_| details.repeats > 0 && desired.active);
        states.extend(repeated.map(|at| TrailStep {
            at,
            what: StepKind::Repeated {
                count: details.repeats,
                severity,
            },
        }));
    }
    match &desired.resolution {
        Some(shown) => states.push(TrailStep {
            at: shown.at(),
            what: StepKind::Ended {
                shown: shown.clone(),
            },
        }),
        None if desired.active => {}
        None => states.extend(last.map(|at| TrailStep {
            at,
            what: StepKind::Resolved,
        })),
    }
    states
}

fn of_ticket(record: &Record) -> Vec<TrailStep> {
    match &record.actual {
        Some(Actual::Open(open)) => {
            let ticket = open.ticket_id;
            let begun = match open.ticket_ref {
                Some(_) => StepKind::Reopened { ticket },
                None => StepKind::Opened { ticket },
            };
            let noted = open.last_note_at.filter(|at| *at != open.opened_at);
            let noted = noted.map(|at| TrailStep {
                at,
                what: StepKind::Noted {
                    ticket,
                    reason: None,
                },
            });
            let begun = TrailStep {
                at: open.opened_at,
                what: begun,
            };
            let asked = open.action.as_ref().map(|asked| asked_step(ticket, asked));
            [begun].into_iter().chain(noted).chain(asked).collect()
        }
        // A ticket can have ended before it was found.
        Some(Actual::Closed(closed)) => {
            let (ticket, by) = (closed.ticket_id, closed.by);
            let opened = TrailStep {
                at: closed.ended_at.min(closed.at),
                what: StepKind::Opened { ticket },
            };
            let asked = closed.action.as_ref();
            let asked = asked.map(|asked| asked_step(ticket, asked));
            let ended = TrailStep {
                at: closed.at,
                what: StepKind::Closed { ticket, by },
            };
            [opened].into_iter().chain(asked).chain([ended]).collect()
        }
        None => vec![],
    }
}

fn asked_step(ticket: RecordId, asked: &RequestedAction) -> TrailStep {
    TrailStep {
        at: asked.at,
        what: StepKind::ActionRequested {
            ticket,
            action: asked.action,
        },
    }
}
