//! A worker: the steps that `domain` names, call by call. Between two calls anything can happen.

use std::sync::Arc;

use domain::alert::blocked::CallRefusal;
use domain::alert::event::{Payload, Severity};
use domain::alert::record::{ClosedBy, OpenTicket, Record, TicketEnd};
use domain::connection::breaker::Breaker;
use domain::connection::view::{ConnectionView, LiveConnection};
use domain::maintenance::windows::MaintenanceWindows;
use domain::setup::mapping::Mapping;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};
use domain::ticketing::claimed_write::{ClaimedOutcome, apply_outcome};
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::lookup::{Search, apply_inspection, apply_recheck_search, apply_search};
use domain::ticketing::ticket_index::TicketIndexState;
use domain::ticketing::ticket_write::{NoteContent, TicketWrite};
use domain::ticketing::worker_step::{WorkerContext, WorkerStep, next_step};
use domain::ticketing::write_effect::{ObservedTicket, WriteEffect, apply_observation};
use domain::{Blocked, ClaimId, Reaction, TicketRef};

use crate::state::{
    Change, Claimed, Disturbances, NextCall, Note, PendingWrite, State, Then, Ticket, Worker, at,
};
use crate::transition::AlertModel;
use crate::{BEHIND, BOARD, COMPANY, MARGIN, RETENTION, SETTLE, VERY_LATE};

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    /// Done, but the answer is lost.
    Lost,
    /// Not done, and the answer does not say so.
    Empty,
    /// The answer is lost, and it takes effect later.
    Late,
    /// The same, but after ConnectWise should have settled.
    TooLate,
    /// A search that misses even the sentinels.
    Blind,
    /// A search or read that fails.
    Failed,
    /// A search that does not show the youngest tickets.
    Stale,
}

impl Answer {
    pub(crate) fn possible(call: &NextCall, left: Disturbances) -> impl Iterator<Item = Self> {
        let answers = match call {
            NextCall::Read
            | NextCall::Save { .. }
            | NextCall::ReadTicket(_)
            | NextCall::Record { .. } => vec![],
            NextCall::LookUp { .. } => vec![
                (Self::Blind, left.bad_searches),
                (Self::Failed, left.bad_searches),
                (Self::Stale, left.stale_searches),
            ],
            NextCall::Write(_) => vec![
                (Self::Lost, left.lost_answers),
                (Self::Empty, left.empty_answers),
                (Self::Late, left.late_writes),
                (Self::TooLate, left.too_late_writes),
            ],
        };
        let bad = answers.into_iter().filter(|(_, left)| *left > 0);
        std::iter::once(Self::Good).chain(bad.map(|(answer, _)| answer))
    }

    fn spend(self, left: &mut Disturbances) {
        match self {
            Self::Good => {}
            Self::Lost => left.lost_answers -= 1,
            Self::Empty => left.empty_answers -= 1,
            Self::Late => left.late_writes -= 1,
            Self::TooLate => left.too_late_writes -= 1,
            Self::Blind | Self::Failed => left.bad_searches -= 1,
            Self::Stale => left.stale_searches -= 1,
        }
    }
}

pub(crate) fn context(model: &AlertModel, state: &State) -> WorkerContext<'static> {
    WorkerContext {
        view: match model.reopens {
            true => &REOPENING,
            false => &CREATING,
        },
        settle: SETTLE,
        retention: RETENTION,
        has_time: true,
        now: at(state.now),
    }
}

static REOPENING: std::sync::LazyLock<ConnectionView> = std::sync::LazyLock::new(|| view(7));
static CREATING: std::sync::LazyLock<ConnectionView> = std::sync::LazyLock::new(|| view(0));

fn view(reopen_days: u32) -> ConnectionView {
    let target = BoardTarget {
        on_resolve: OnResolve::Close,
        reopen_days,
        ..BoardTarget::default()
    };
    let settings = Settings {
        operations: target.clone(),
        cyber_alerts: target,
        ..Settings::default()
    };
    ConnectionView {
        connection: Some(LiveConnection {
            epoch: 1,
            confirmed_at: None,
            settings,
        }),
        mapping: Some(Mapping {
            company: Some(COMPANY),
            enabled: true,
            ..Mapping::default()
        }),
        breaker: Breaker::default(),
        ticket_index: Some(TicketIndexState::Complete),
        source_since: None,
        maintenance: MaintenanceWindows::default(),
        admission: None,
    }
}

impl Worker {
    /// Makes the next call. Returns the worker after it, or `None` if it is done with its message.
    pub(crate) fn call(
        self,
        model: &AlertModel,
        state: &mut State,
        answer: Answer,
    ) -> Option<Option<Self>> {
        answer.spend(&mut state.left);
        Some(match self.next.clone() {
            NextCall::Read => {
                let stored = state.record();
                self.decide(model, state, stored)
            }
            NextCall::LookUp { stored, step } => self.look_up(model, state, &stored, &step, answer),
            NextCall::Save { record, then } => self.save(model, state, &record, then),
            NextCall::ReadTicket(claimed) => match end_before_write(state, &claimed) {
                Some(effect) => Some(self.record(&claimed, ClaimedOutcome::Effect(effect))),
                None => Some(self.next(NextCall::Write(claimed))),
            },
            NextCall::Write(claimed) => Some(self.write(state, &claimed, answer)),
            NextCall::Record {
                known,
                claimed,
                outcome,
                then,
            } => self.save_outcome(model, state, &known, claimed, outcome, then),
        })
    }

    fn next(self, next: NextCall) -> Self {
        Self { next, ..self }
    }

    /// Asks `domain` for the next step.
    fn decide(self, model: &AlertModel, state: &mut State, stored: Arc<Record>) -> Option<Self> {
        let step = next_step(&self.request, &stored, &context(model, state));
        let save = |record: Record, then| NextCall::Save {
            record: Arc::new(record),
            then,
        };
        match step {
            WorkerStep::Finish {
                record, rewrites, ..
            } => match record == *stored && !rewrites {
                true => self.delete(state),
                false => Some(self.next(save(record, Then::Delete))),
            },
            WorkerStep::Wait { record, .. } if record == *stored => None,
            WorkerStep::Wait { record, .. } => Some(self.next(save(record, Then::Return))),
            WorkerStep::Block { record, reason } => {
                let blocked = self.request.block(record, reason, at(state.now));
                match blocked == *stored {
                    true => self.delete(state),
                    false => Some(self.next(save(blocked, Then::Delete))),
                }
            }
            WorkerStep::AwaitText | WorkerStep::OutOfTime => None,
            WorkerStep::Inspect { .. }
            | WorkerStep::Search { .. }
            | WorkerStep::Verify { .. }
            | WorkerStep::Recheck { .. } => {
                let step = Arc::new(step);
                Some(self.next(NextCall::LookUp { stored, step }))
            }
            // The partner chose no rule for alert storms.
            WorkerStep::FindPriorTickets { .. }
            | WorkerStep::DetectExistingTickets { .. }
            | WorkerStep::AdmitNewAlert { .. } => {
                state.violation = Some("it looks for tickets although the table knows all");
                None
            }
            WorkerStep::Write {
                record,
                write,
                text,
            } => {
                let (record, claimed) = self.claim(state, record, write, text)?;
                Some(self.next(save(record, Then::Write(claimed))))
            }
        }
    }

    /// Claims a write.
    fn claim(
        &self,
        state: &mut State,
        record: Record,
        write: TicketWrite,
        text: Option<Payload>,
    ) -> Option<(Record, Arc<Claimed>)> {
        state.claims += 1;
        let id = ClaimId::parse(format!("c{}", state.claims)).unwrap();
        let (now, until) = (at(state.now), at(self.ends + MARGIN));
        let Some(claim) = write.claim(&record, id, 1, now, until) else {
            state.violation = Some("the record does not fit the step that it asks for");
            return None;
        };
        if matches!(write, TicketWrite::Close { .. }) && record.desired.active {
            state.violation = Some("it closes the ticket of an active alert");
        }
        let record = record.with_claim(claim.clone());
        let claimed = Arc::new(Claimed {
            record: record.clone(),
            claim,
            write,
            text,
        });
        Some((record, claimed))
    }

    fn delete(self, state: &mut State) -> Option<Self> {
        let message = &self.message;
        state.queue.retain(|waits| waits.request != *message);
        None
    }

    /// Writes the record, if no other worker wrote it since.
    fn save(
        mut self,
        model: &AlertModel,
        state: &mut State,
        record: &Record,
        then: Then,
    ) -> Option<Self> {
        if state.record().rev != record.rev {
            return Some(self.next(NextCall::Read));
        }
        let stored = Arc::new(record.to_stored());
        state.stored = Some(stored.clone());
        self.request = Arc::new(self.request.once_stored().clone());
        match then {
            Then::Decide => self.decide(model, state, stored),
            Then::Delete => self.delete(state),
            Then::Return => None,
            Then::Write(claimed) => {
                let claimed = Arc::new(Claimed {
                    record: (*stored).clone(),
                    ..(*claimed).clone()
                });
                Some(self.next(match claimed.write {
                    TicketWrite::Create(_) => NextCall::Write(claimed),
                    TicketWrite::Note { .. }
                    | TicketWrite::Patch { .. }
                    | TicketWrite::SetType { .. }
                    | TicketWrite::Link { .. }
                    | TicketWrite::Close { .. }
                    | TicketWrite::Reopen(_)
                    | TicketWrite::Repair(_) => NextCall::ReadTicket(claimed),
                }))
            }
        }
    }

    fn look_up(
        mut self,
        model: &AlertModel,
        state: &mut State,
        stored: &Arc<Record>,
        step: &WorkerStep,
        answer: Answer,
    ) -> Option<Self> {
        let now = at(state.now);
        let record = match step {
            WorkerStep::Search { record, claim } => {
                let Some(search) = search(state, &claim.ticket_ref, answer) else {
                    return self.end_failed(stored, record);
                };
                apply_search(record.clone(), claim, &search, SETTLE, now, now)
            }
            WorkerStep::Recheck { record, recheck } => {
                let search = search(state, &recheck.ticket_ref, answer);
                apply_recheck_search(record.clone(), recheck, search.as_ref(), now)
            }
            WorkerStep::Verify {
                record,
                claim,
                ticket_id,
            } => {
                if matches!(answer, Answer::Blind | Answer::Failed) {
                    return self.end_failed(stored, record);
                }
                let ticket = usize::try_from(*ticket_id).unwrap();
                let notes = &state.tickets[ticket - 1].notes;
                let seen = ObservedTicket {
                    ticket: state.found(ticket),
                    is_noted: notes.iter().any(|note| note.claim == claim.id),
                    priority: None,
                    ticket_type: None,
                };
                apply_observation(record.clone(), claim, &seen, SETTLE, now, now)
            }
            WorkerStep::Inspect { record, open } => {
                self.request = Arc::new(self.request.once_stored().clone());
                if matches!(answer, Answer::Blind | Answer::Failed) {
                    return self.decide(model, state, stored.clone());
                }
                let ticket = state.found(usize::try_from(open.ticket_id).unwrap());
                let seen = apply_inspection(record.clone(), open, ticket.as_ref(), now);
                if seen == *record {
                    return self.decide(model, state, stored.clone());
                }
                seen
            }
            WorkerStep::Finish { .. }
            | WorkerStep::Wait { .. }
            | WorkerStep::Block { .. }
            | WorkerStep::OutOfTime
            | WorkerStep::AwaitText
            | WorkerStep::FindPriorTickets { .. }
            | WorkerStep::DetectExistingTickets { .. }
            | WorkerStep::AdmitNewAlert { .. }
            | WorkerStep::Write { .. } => return None,
        };
        let record = Arc::new(record);
        let then = Then::Decide;
        Some(self.next(NextCall::Save { record, then }))
    }

    /// A lookup failed. The message is received again.
    fn end_failed(self, stored: &Record, record: &Record) -> Option<Self> {
        if record == stored {
            return None;
        }
        let (record, then) = (Arc::new(record.clone()), Then::Return);
        Some(self.next(NextCall::Save { record, then }))
    }

    fn write(self, state: &mut State, claimed: &Arc<Claimed>, answer: Answer) -> Self {
        let holds = |record: &Record| {
            let held = record.claim.as_ref();
            held.is_some_and(|held| held.id == claimed.claim.id)
        };
        if !state.stored.as_deref().is_some_and(holds) {
            state.violation = Some("a write without a claim");
        }
        let change = change(claimed);
        let now = state.now;
        let (change, outcome) = match answer {
            Answer::Good => {
                let effect = effect(state, claimed);
                (Some(change), effect)
            }
            Answer::Lost => (Some(change), ClaimedOutcome::Unknown { suspected: None }),
            Answer::Late | Answer::TooLate => {
                let settled = now + SETTLE.as_secs();
                let too_late = answer == Answer::TooLate;
                let (from, to) = match too_late {
                    true => (settled + 1, now + VERY_LATE),
                    false => (now, settled),
                };
                state.pending.push(PendingWrite {
                    change,
                    from,
                    to,
                    too_late,
                });
                (None, ClaimedOutcome::Unknown { suspected: None })
            }
            Answer::Empty | Answer::Blind | Answer::Failed | Answer::Stale => {
                let words = "An error occurred".to_owned();
                let reason = Blocked::Rejected(words.clone());
                let op = Some(claimed.claim.op);
                let suspected = Some((
                    reason,
                    CallRefusal {
                        op,
                        words,
                        record: None,
                    },
                ));
                let is_again = claimed.record.was_given_up_before(&claimed.claim);
                let suspected = suspected.filter(|_| is_again);
                (None, ClaimedOutcome::Unknown { suspected })
            }
        };
        if let Some(change) = change {
            change.take_effect(state, false);
        }
        self.record(claimed, outcome)
    }

    fn record(self, claimed: &Arc<Claimed>, outcome: ClaimedOutcome) -> Self {
        let then = match &outcome {
            ClaimedOutcome::NotMade { .. } => Then::Return,
            ClaimedOutcome::Created(_)
            | ClaimedOutcome::Effect(_)
            | ClaimedOutcome::Unknown { .. } => Then::Decide,
        };
        self.next(NextCall::Record {
            known: Arc::new(claimed.record.clone()),
            claimed: claimed.clone(),
            outcome: Arc::new(outcome),
            then,
        })
    }

    /// Records the outcome of a claimed write. If another worker wrote the record meanwhile, the
    /// outcome is applied to what it is then.
    fn save_outcome(
        self,
        model: &AlertModel,
        state: &mut State,
        known: &Arc<Record>,
        claimed: Arc<Claimed>,
        outcome: Arc<ClaimedOutcome>,
        then: Then,
    ) -> Option<Self> {
        let (claim, text, now) = (&claimed.claim, claimed.text.as_ref(), at(state.now));
        let changed = apply_outcome((**known).clone(), claim, &outcome, text, now);
        if changed == **known {
            return match then {
                Then::Return => None,
                Then::Decide | Then::Delete | Then::Write(_) => {
                    self.decide(model, state, known.clone())
                }
            };
        }
        if state.record().rev == known.rev {
            let is_unchanged = known.rev == claimed.record.rev;
            if is_unchanged
                && matches!(*outcome, ClaimedOutcome::Effect(_))
                && let WorkerStep::Write {
                    record,
                    write,
                    text,
                } = next_step(&self.request, &changed, &context(model, state))
            {
                // The outcome and the claim of the next write are one write of the table.
                let (record, claimed) = self.claim(state, record, write, text)?;
                return self.save(model, state, &record, Then::Write(claimed));
            }
            return self.save(model, state, &changed, then);
        }
        Some(self.next(NextCall::Record {
            known: state.record(),
            claimed,
            outcome,
            then,
        }))
    }
}

fn search(state: &State, ticket_ref: &TicketRef, answer: Answer) -> Option<Search> {
    let shown_until = match answer {
        Answer::Failed => return None,
        Answer::Blind => return Some(Search::Blind),
        Answer::Stale => state.now - BEHIND,
        Answer::Good | Answer::Lost | Answer::Empty | Answer::Late | Answer::TooLate => state.now,
    };
    let is_shown = |ticket: &usize| {
        let there = &state.tickets[ticket - 1];
        there.ticket_ref == *ticket_ref && there.entered <= shown_until
    };
    let shown = (1..=state.tickets.len()).filter(is_shown);
    let shown: Vec<FoundTicket> = shown.filter_map(|ticket| state.found(ticket)).collect();
    Some(match shown.is_empty() {
        true => Search::None,
        false => Search::Found(shown),
    })
}

/// The effect of a step whose ticket a person ended before the write.
fn end_before_write(state: &State, claimed: &Claimed) -> Option<WriteEffect> {
    let ended = ended(state, claimed);
    match claimed.write {
        TicketWrite::Reopen(_) => match ended {
            None => Some(WriteEffect::Reopened {
                board_id: Some(BOARD),
            }),
            Some(ended) if ended.by == ClosedBy::Technician => None,
            Some(ended) => Some(WriteEffect::Ended(ended)),
        },
        TicketWrite::Create(_)
        | TicketWrite::Note { .. }
        | TicketWrite::Patch { .. }
        | TicketWrite::SetType { .. }
        | TicketWrite::Link { .. }
        | TicketWrite::Close { .. }
        | TicketWrite::Repair(_) => ended.map(WriteEffect::Ended),
    }
}

fn ended(state: &State, claimed: &Claimed) -> Option<TicketEnd> {
    let ticket = state.found(ticket_of(claimed));
    match ticket {
        Some(found) => found.ended(&claimed.claim.ticket_ref, COMPANY),
        None => Some(TicketEnd::from(ClosedBy::Deleted)),
    }
}

fn ticket_of(claimed: &Claimed) -> usize {
    usize::try_from(claimed.claim.ticket_id.unwrap_or_default()).unwrap()
}

/// What ConnectWise does for a write.
fn change(claimed: &Claimed) -> Change {
    let claim = &claimed.claim;
    let ticket = ticket_of(claimed);
    match &claimed.write {
        TicketWrite::Create(create) => Change::Create(Box::new(Ticket {
            ticket_ref: claim.ticket_ref.clone(),
            raised_at: create.raised_at,
            entered: 0,
            closed: None,
            deleted: false,
            touched: false,
            ended: None,
            too_late: false,
            notes: vec![],
        })),
        TicketWrite::Note { note, .. } => {
            let last = claimed.record.desired.last.as_ref();
            let about = match note {
                NoteContent::Repeats { .. } | NoteContent::Reopened => claim.raise_received_at,
                NoteContent::Resolved { .. } | NoteContent::Closing { .. } => {
                    last.map(|last| last.receipt.at)
                }
                NoteContent::Duplicate { .. }
                | NoteContent::Kept { .. }
                | NoteContent::Answer { .. } => None,
            };
            let note = Note {
                claim: claim.id.clone(),
                kind: note.kind(),
                about,
                repeats: claim.repeats,
                too_late: false,
            };
            Change::Note { ticket, note }
        }
        TicketWrite::Reopen(_) => Change::Status {
            ticket,
            is_open: true,
        },
        TicketWrite::Close { .. }
        | TicketWrite::Repair(_)
        | TicketWrite::Patch { .. }
        | TicketWrite::SetType { .. }
        | TicketWrite::Link { .. } => Change::Status {
            ticket,
            is_open: false,
        },
    }
}

/// The outcome of a write that is answered. A technician may have deleted the ticket since it was
/// read.
fn effect(state: &State, claimed: &Claimed) -> ClaimedOutcome {
    let is_deleted = state.found(ticket_of(claimed)).is_none();
    let effect = match &claimed.write {
        TicketWrite::Create(_) => {
            let ticket = state.tickets.len() as u64 + 1;
            let open = OpenTicket::new(ticket, Some(BOARD), &claimed.claim, at(state.now));
            return ClaimedOutcome::Created(open);
        }
        _ if is_deleted => WriteEffect::Ended(TicketEnd::from(ClosedBy::Deleted)),
        TicketWrite::Note { .. } => WriteEffect::Noted,
        TicketWrite::Reopen(_) => WriteEffect::Reopened {
            board_id: Some(BOARD),
        },
        TicketWrite::Repair(_) => WriteEffect::Repaired,
        TicketWrite::Close { .. } => WriteEffect::Ended(TicketEnd {
            by: ClosedBy::Us,
            at: None,
            action: None,
        }),
        // All alerts of the model have one severity and one kind, and no device.
        TicketWrite::Patch { .. } | TicketWrite::SetType { .. } | TicketWrite::Link { .. } => {
            debug_assert_eq!(claimed.claim.severity, Severity::Medium);
            return ClaimedOutcome::NotMade {
                reaction: Reaction::Retry { after: None },
                refusal: None,
            };
        }
    };
    ClaimedOutcome::Effect(effect)
}
