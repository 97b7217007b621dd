//! One worker with one message, as `tickets` works.

use domain::alert::blocked::CallRefusal;
use domain::alert::command::CommandAction;
use domain::alert::event::{AlertChange, Event};
use domain::alert::fold::fold;
use domain::alert::record::{Claim, ClosedBy, OpenTicket, Record, TicketEnd};
use domain::connection::view::ConnectionView;
use domain::setup::settings::OnResolve;
use domain::ticketing::adopt::{adopt, apply_recheck};
use domain::ticketing::decide::{can_look_up, decide};
use domain::ticketing::decision::Decision;
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::manual_change::ManualChange;
use domain::ticketing::prior_tickets::adopt_prior_tickets;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::ticketing::ticket_text::unreachable_ticket_text;
use domain::ticketing::ticket_write::{NoteContent, TicketWrite};
use domain::ticketing::write_effect::{
    ObservedTicket, WriteEffect, apply_effect, apply_observation,
};
use domain::{Blocked, ClaimId, TicketRef};
use jiff::Timestamp;

use crate::model::{Died, Effect, Message, Model, ModelNote, PendingEffect, Ticket, at, key};
use crate::{BEHIND, BOARD, CLAIM, COMPANY, Delivery, Fate, PRIORITY, SETTLE, Searches};

/// One worker with one message, as `tickets` works.
pub(crate) struct Worker<'a> {
    pub(crate) view: ConnectionView,
    pub(crate) model: &'a mut Model,
    pub(crate) message: &'a Message,
    pub(crate) event: Option<&'a Event>,
    pub(crate) delivery: &'a Delivery,
    pub(crate) touches: usize,
    pub(crate) writes: usize,
}

type WorkerResult<T> = Result<T, Died>;
/// How a write ends.
enum WriteOutcome {
    Made(u64),
    Done(WriteEffect),
    Uncertain,
    /// The answer does not say whether anything was done.
    Unclear,
    Refused,
    Throttled,
    /// The status was set, but is another one now.
    Unchanged,
}

impl WriteOutcome {
    fn ended(end: TicketEnd) -> Self {
        Self::Done(WriteEffect::Ended(end))
    }
}

/// Why a write ends early.
enum Stop {
    Died,
    Outcome(WriteOutcome),
}

impl From<Died> for Stop {
    fn from(Died: Died) -> Self {
        Self::Died
    }
}

enum SearchResult {
    Shown(Vec<FoundTicket>),
    Blind,
    Failed,
    Refused,
}

impl Worker<'_> {
    /// Returns whether the message may be deleted, unless the worker dies.
    pub(crate) fn run(&mut self) -> Result<WorkerResult<bool>, String> {
        // A command is applied once.
        let mut is_applied = false;
        for _ in 0..30 {
            if self.touch().is_err() {
                return Ok(Err(Died));
            }
            let stored = self.model.stored.clone();
            let stored = stored.unwrap_or_else(|| Record::new(key()));
            let record = match self.message {
                Message::Event(event) => self.fold(&stored, event),
                Message::Command(command) if !is_applied => {
                    command.apply(stored.clone(), at(self.model.now))
                }
                Message::Command(_) | Message::Reconsider => stored.clone(),
                Message::Release => stored.clone().released(),
            };
            let now = at(self.model.now);
            let record = record.in_epoch(self.model.epoch(), SETTLE, now);
            if let Some(open) = self.to_look_at(&record).filter(|_| !is_applied) {
                if self.look_at(&stored, record, &open).is_err() {
                    return Ok(Err(Died));
                }
                is_applied = true;
                continue;
            }
            let outcome = match decide(&record, &self.view, SETTLE, now) {
                Decision::Nothing(_) => {
                    return Ok(self
                        .save(&stored, &record.with_nothing_to_do(self.event))
                        .map(|()| true));
                }
                Decision::Wait { .. } => return Ok(self.save(&stored, &record).map(|()| false)),
                Decision::Block(reason) => {
                    return Ok(self.block(&stored, record, reason).map(|()| true));
                }
                Decision::Search => self.search(&stored, record),
                Decision::Verify(ticket) => self.verify(&stored, record, ticket),
                Decision::Recheck(recheck) => {
                    self.look(Some(&recheck.ticket_ref)).and_then(|looked| {
                        let looked = match looked {
                            SearchResult::Shown(found) => {
                                apply_recheck(record, &recheck, &found, now)
                            }
                            SearchResult::Blind | SearchResult::Failed | SearchResult::Refused => {
                                record.with_recheck_delayed(&recheck, now)
                            }
                        };
                        self.save(&stored, &looked).map(|()| None)
                    })
                }
                Decision::FindPriorTickets => self.find_prior_tickets(&stored, record),
                Decision::DetectExistingTickets => self.detect_existing_tickets(&stored, record),
                Decision::Write(step) => {
                    let has_text = record.text(self.event).is_some()
                        || unreachable_ticket_text(&record).is_some();
                    if matches!(step, TicketWrite::Create(_)) && !has_text {
                        // The message of the raise is still in the queue and has the text.
                        return Ok(Ok(false));
                    }
                    self.may_write(&step)?;
                    if matches!(step, TicketWrite::Close { .. }) {
                        self.model.may_close(&record)?;
                    }
                    self.write(&step, record)
                }
            };
            match outcome {
                Ok(None) => is_applied |= self.model.stored.as_ref() != Some(&stored),
                Ok(Some(goes)) => return Ok(Ok(goes)),
                Err(Died) => return Ok(Err(Died)),
            }
        }
        Err(format!("it does not terminate: {:?}", self.model.stored))
    }

    fn fold(&mut self, stored: &Record, event: &Event) -> Record {
        let folded = fold(stored.clone(), event);
        let raise = |record: &Record| {
            let details = record.desired.details.as_ref();
            details.map(|details| details.raise_received_at)
        };
        let is_resolve = matches!(event.change, AlertChange::Resolved);
        self.model.is_overtaken |= is_resolve && raise(stored) != raise(&folded);
        folded
    }

    /// The ticket that is to be looked at, if it is still recorded and the call is allowed.
    fn to_look_at(&self, record: &Record) -> Option<OpenTicket> {
        let Message::Command(command) = self.message else {
            return None;
        };
        let here = |open: &&OpenTicket| open.epoch == self.model.epoch();
        let open = record.open().filter(here)?;
        let looks = command.action == CommandAction::Look
            && command.applies_to(record)
            && record.claim.is_none();
        let may = can_look_up(&self.view, at(self.model.now));
        (looks && may).then(|| open.clone())
    }

    /// Looks at a ticket, and records a person's changes.
    fn look_at(&mut self, stored: &Record, record: Record, open: &OpenTicket) -> WorkerResult<()> {
        let ended = match self.read(open.ticket_id, &record.ticket_ref()) {
            Ok(ended) => ended,
            Err(Stop::Outcome(_)) => return Ok(()),
            Err(Stop::Died) => return Err(Died),
        };
        let board = self.model.ticket(open.ticket_id).board;
        let now = at(self.model.now);
        let seen = match ended {
            Some(ended) => record.with_closed(open.ticket_id, open.epoch, ended, now),
            None => record.with_board(Some(board)),
        };
        self.save(stored, &seen)
    }

    /// Counts a call to the table or ConnectWise. The worker may die just before.
    fn touch(&mut self) -> WorkerResult<()> {
        if self.delivery.dies_at == Some(self.touches) {
            return Err(Died);
        }
        self.touches += 1;
        Ok(())
    }

    fn save(&mut self, before: &Record, record: &Record) -> WorkerResult<()> {
        if before != record {
            self.touch()?;
            self.model.stored = Some(record.to_stored());
        }
        Ok(())
    }

    fn block(&mut self, stored: &Record, record: Record, reason: Blocked) -> WorkerResult<()> {
        let text = record.text(self.event).cloned();
        let text = text.filter(|_| record.desired.active);
        let blocked = record.with_blocked(reason, text.as_ref(), at(self.model.now));
        self.save(stored, &blocked)
    }

    /// No write is made that was not allowed when the worker started.
    /// Whether maintenance holds the alert. A person may release it nevertheless.
    fn is_held(&self) -> bool {
        self.model.is_in_maintenance() && !matches!(self.message, Message::Release)
    }

    fn may_write(&self, step: &TicketWrite) -> Result<(), String> {
        let model = &*self.model;
        let breaker = &self.view.breaker;
        hold!(breaker.open.is_none(), "a call while the breaker is open");
        hold!(breaker.pause(at(model.now)).is_none(), "a call in a pause");
        let ticket = match step {
            TicketWrite::Create(_) => {
                let mapping = model.view.mapping.as_ref().unwrap();
                let may = mapping.company == Some(COMPANY) && mapping.enabled;
                hold!(may, "a ticket for a tenant that has none");
                hold!(!self.is_held(), "a ticket in maintenance");
                return Ok(());
            }
            TicketWrite::Note { ticket_id, .. }
            | TicketWrite::Patch { ticket_id, .. }
            | TicketWrite::SetType { ticket_id, .. }
            | TicketWrite::Close { ticket_id, .. } => *ticket_id,
            TicketWrite::Reopen(reopen) => reopen.ticket_id,
            TicketWrite::Repair(duplicate) => duplicate.ticket_id,
        };
        if matches!(step, TicketWrite::Reopen(_)) {
            hold!(!self.is_held(), "a ticket is reopened in maintenance");
        }
        let site = model.ticket(ticket).site;
        hold!(
            site == model.site,
            "a ticket of another ConnectWise: {step:?}"
        );
        Ok(())
    }

    /// Searches for tickets with a reference, or for any.
    fn look(&mut self, ticket_ref: Option<&TicketRef>) -> WorkerResult<SearchResult> {
        self.touch()?;
        let model = &mut *self.model;
        if model.broken {
            model.refuse();
            return Ok(SearchResult::Refused);
        }
        let shown_until = match self.delivery.searches {
            Searches::Fail => return Ok(SearchResult::Failed),
            Searches::Blind if ticket_ref.is_some() => return Ok(SearchResult::Blind),
            Searches::See | Searches::Blind => model.now,
            Searches::Stale => model.now - BEHIND,
        };
        let there = (1..).zip(&model.tickets).filter(|(_, ticket)| {
            let asked = ticket_ref.is_none_or(|ticket_ref| *ticket_ref == ticket.ticket_ref);
            asked && !ticket.deleted && ticket.site == model.site && ticket.entered <= shown_until
        });
        let there = there.map(|(number, _)| model.found(number));
        Ok(SearchResult::Shown(there.collect()))
    }

    fn search(&mut self, stored: &Record, record: Record) -> WorkerResult<Option<bool>> {
        let claim = record.claim.clone().unwrap();
        let now = at(self.model.now);
        let record = match self.look(Some(&claim.ticket_ref))? {
            SearchResult::Failed => return self.save(stored, &record).map(|()| Some(false)),
            SearchResult::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                return blocked.map(|()| Some(true));
            }
            SearchResult::Blind => record.with_blind_visit(now),
            SearchResult::Shown(found) if found.is_empty() => record.with_empty_visit(SETTLE, now),
            SearchResult::Shown(found) => adopt(record, &claim, &found, now),
        };
        self.save(stored, &record)?;
        Ok(None)
    }

    fn find_prior_tickets(
        &mut self,
        stored: &Record,
        record: Record,
    ) -> WorkerResult<Option<bool>> {
        let now = at(self.model.now);
        match self.look(None)? {
            SearchResult::Failed | SearchResult::Blind => {
                self.save(stored, &record).map(|()| Some(false))
            }
            SearchResult::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            SearchResult::Shown(found) => {
                let with_prior = adopt_prior_tickets(
                    record.clone(),
                    &found,
                    Some(COMPANY),
                    self.model.epoch(),
                    now,
                );
                if with_prior == record {
                    self.view.ticket_index = Some(TicketIndexState::Complete);
                    return Ok(None);
                }
                self.save(stored, &with_prior).map(|()| None)
            }
        }
    }

    fn detect_existing_tickets(
        &mut self,
        stored: &Record,
        record: Record,
    ) -> WorkerResult<Option<bool>> {
        match self.look(None)? {
            SearchResult::Failed | SearchResult::Blind => {
                self.save(stored, &record).map(|()| Some(false))
            }
            SearchResult::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            SearchResult::Shown(found) => {
                self.touch()?;
                let ticket_index = match found.is_empty() {
                    true => TicketIndexState::Complete,
                    false => TicketIndexState::Rebuilding,
                };
                self.model.view.ticket_index = Some(ticket_index);
                self.view.ticket_index = Some(ticket_index);
                Ok(None)
            }
        }
    }

    /// Looks at the ticket of a write of unknown outcome.
    fn verify(
        &mut self,
        stored: &Record,
        record: Record,
        ticket: u64,
    ) -> WorkerResult<Option<bool>> {
        let claim = record.claim.clone().unwrap();
        let began = at(self.model.now);
        self.touch()?;
        if self.model.broken {
            self.model.refuse();
            let blocked = self.block(stored, record, Blocked::ConnectionBroken);
            return blocked.map(|()| Some(true));
        }
        if self.delivery.searches == Searches::Fail {
            return self.save(stored, &record).map(|()| Some(false));
        }
        let there = self.model.ticket(ticket);
        let seen = ObservedTicket {
            ticket: (!there.deleted).then(|| self.model.found(ticket)),
            is_noted: there
                .notes
                .iter()
                .any(|note| note.claim == claim.id && note.op == claim.op),
            priority: (there.severity == claim.severity).then_some(PRIORITY),
            ticket_type: None,
        };
        let verified = apply_observation(record, &claim, &seen, SETTLE, began, began);
        self.save(stored, &verified)?;
        Ok(None)
    }

    /// Claims, calls and records. Returns whether the message may be deleted, if known.
    fn write(&mut self, step: &TicketWrite, record: Record) -> WorkerResult<Option<bool>> {
        let text = record.text(self.event).cloned();
        self.model.claims += 1;
        let id = ClaimId::parse(format!("c{}", self.model.claims)).unwrap();
        let (now, until) = (at(self.model.now), at(self.model.now + CLAIM));
        let epoch = self.model.epoch();
        let claim = step.claim(&record, id, epoch, now, until).unwrap();
        let before = record.clone();
        let record = record.with_claim(claim.clone());
        self.save(&before, &record)?;
        let record = self.model.stored.clone().unwrap_or(record);
        let now = at(self.model.now);
        let written = match step {
            TicketWrite::Create(create) => self.create(&claim, create.raised_at),
            TicketWrite::Note { ticket_id, note } => self.note(*ticket_id, note, &claim, &record),
            TicketWrite::Patch {
                ticket_id,
                only_untouched,
                ..
            } => self.patch(*ticket_id, *only_untouched, &claim),
            TicketWrite::SetType { ticket_type, .. } => {
                self.model.violation = Some("sets a type, although no kind has one");
                Ok(WriteOutcome::Done(WriteEffect::TypeSet(*ticket_type)))
            }
            TicketWrite::Close {
                ticket_id,
                only_untouched,
            } => self.close(*ticket_id, *only_untouched, &claim),
            TicketWrite::Reopen(reopen) => self.reopen(reopen.ticket_id, &claim),
            TicketWrite::Repair(duplicate) => self.repair(duplicate.ticket_id, &claim),
        };
        let outcome = match written {
            Ok(outcome) | Err(Stop::Outcome(outcome)) => outcome,
            Err(Stop::Died) => return Err(Died),
        };
        let undone = || Record {
            claim: None,
            ..record.clone()
        };
        let recorded = match &outcome {
            WriteOutcome::Made(ticket) => {
                let open = OpenTicket::new(*ticket, Some(BOARD), &claim, now);
                record.clone().with_created(open, &claim)
            }
            WriteOutcome::Done(done) => apply_effect(record.clone(), &claim, done, now),
            WriteOutcome::Uncertain => record.clone().with_unknown_outcome(text.as_ref(), now),
            WriteOutcome::Unclear => {
                let uncertain = record.clone().with_unknown_outcome(text.as_ref(), now);
                match record.was_given_up_before(&claim) {
                    true => {
                        let words = String::from("An error occurred");
                        let (op, reason) = (Some(claim.op), Blocked::Rejected(words.clone()));
                        uncertain.with_suspected_refusal(reason, CallRefusal { op, words }, now)
                    }
                    false => uncertain,
                }
            }
            WriteOutcome::Throttled | WriteOutcome::Unchanged => undone(),
            WriteOutcome::Refused => {
                undone().with_blocked(Blocked::ConnectionBroken, text.as_ref(), now)
            }
        };
        self.save(&record, &recorded)?;
        Ok(match outcome {
            WriteOutcome::Made(_)
            | WriteOutcome::Done(_)
            | WriteOutcome::Uncertain
            | WriteOutcome::Unclear => None,
            WriteOutcome::Refused => Some(true),
            WriteOutcome::Throttled | WriteOutcome::Unchanged => Some(false),
        })
    }

    /// A write reaches ConnectWise. Decides its answer, and when it takes effect, if ever.
    fn call(&mut self, effect: Effect) -> Result<(), Stop> {
        self.touch()?;
        self.model.calls += 1;
        let fate = self.delivery.fates.get(self.writes).copied();
        self.writes += 1;
        let now = self.model.now;
        if self.model.broken {
            self.model.refuse();
            return Err(Stop::Outcome(WriteOutcome::Refused));
        }
        let (failure, due) = match fate.unwrap_or(Fate::Answered) {
            Fate::Answered => (None, Some(now)),
            Fate::Lost => (Some(WriteOutcome::Uncertain), Some(now)),
            Fate::False500 => (Some(WriteOutcome::Unclear), None),
            Fate::Late(seconds) => (Some(WriteOutcome::Unclear), Some(now + seconds)),
            Fate::Throttled => {
                self.model.view.breaker.paused_until = Some(at(now + 30));
                (Some(WriteOutcome::Throttled), None)
            }
        };
        if let Some(due) = due {
            let is_late = due - now > SETTLE.as_secs();
            self.model.pending.push(PendingEffect {
                due,
                is_late,
                effect,
            });
            self.model.pass(0);
        }
        failure.map_or(Ok(()), |failure| Err(Stop::Outcome(failure)))
    }

    fn create(&mut self, claim: &Claim, raised_at: Timestamp) -> Result<WriteOutcome, Stop> {
        let ticket = Ticket {
            ticket_ref: claim.ticket_ref.clone(),
            site: self.model.site,
            open: true,
            raised_at,
            repeats: repeats(claim),
            entered: 0,
            too_late: false,
            closed_at: None,
            touched: false,
            worked: false,
            left_open: false,
            reopened: 0,
            company: COMPANY,
            board: BOARD,
            severity: claim.severity,
            deleted: false,
            merged: false,
            ended_at: None,
            notes: vec![],
        };
        self.call(Effect::Ticket(Box::new(ticket)))?;
        Ok(WriteOutcome::Made(self.model.tickets.len() as u64))
    }

    /// Reads a ticket, to see whether a person closed or moved it.
    fn read(&mut self, ticket: u64, ticket_ref: &TicketRef) -> Result<Option<TicketEnd>, Stop> {
        self.touch()?;
        if self.model.broken {
            self.model.refuse();
            return Err(Stop::Outcome(WriteOutcome::Refused));
        }
        Ok(match self.model.ticket(ticket).deleted {
            true => Some(TicketEnd::from(ClosedBy::Deleted)),
            false => self.model.found(ticket).ended(ticket_ref, COMPANY),
        })
    }

    /// Reads a ticket before a write to it. Stops if a person has ended it.
    fn read_open(&mut self, ticket: u64, claim: &Claim) -> Result<(), Stop> {
        match self.read(ticket, &claim.ticket_ref)? {
            Some(ended) => Err(Stop::Outcome(WriteOutcome::ended(ended))),
            None => Ok(()),
        }
    }

    /// Stops before a write to a ticket that a person works on.
    fn leave_worked(&self, ticket: u64, only_untouched: bool) -> Result<(), Stop> {
        match only_untouched && self.model.ticket(ticket).worked {
            true => Err(Stop::Outcome(WriteOutcome::Done(WriteEffect::LeftOpen(
                ManualChange::Owner,
            )))),
            false => Ok(()),
        }
    }

    /// Sets a ticket's status, and reads the ticket again.
    fn set_open(
        &mut self,
        ticket: u64,
        open: bool,
        claim: &Claim,
    ) -> Result<Option<TicketEnd>, Stop> {
        self.call(Effect::Status { ticket, open })?;
        self.read(ticket, &claim.ticket_ref)
    }

    fn close(
        &mut self,
        ticket: u64,
        only_untouched: bool,
        claim: &Claim,
    ) -> Result<WriteOutcome, Stop> {
        self.read_open(ticket, claim)?;
        self.leave_worked(ticket, only_untouched)?;
        let is_worked = self.model.ticket(ticket).worked;
        if is_worked && self.model.on_resolve() == OnResolve::CloseUntouched {
            self.model.violation = Some("closes a ticket on which a person works");
        }
        Ok(match self.set_open(ticket, false, claim)? {
            None => WriteOutcome::Unchanged,
            Some(ended) if ended.by == ClosedBy::Technician => {
                let by = ClosedBy::Us;
                WriteOutcome::ended(TicketEnd { by, ..ended })
            }
            Some(ended) => WriteOutcome::ended(ended),
        })
    }

    fn reopen(&mut self, ticket: u64, claim: &Claim) -> Result<WriteOutcome, Stop> {
        let board_id = Some(self.model.ticket(ticket).board);
        match self.read(ticket, &claim.ticket_ref)? {
            None => return Ok(WriteOutcome::Done(WriteEffect::Reopened { board_id })),
            Some(ended) if ended.by == ClosedBy::Technician => {}
            Some(ended) => return Ok(WriteOutcome::ended(ended)),
        }
        Ok(match self.set_open(ticket, true, claim)? {
            None => WriteOutcome::Done(WriteEffect::Reopened { board_id }),
            Some(_) => WriteOutcome::Unchanged,
        })
    }

    fn repair(&mut self, ticket: u64, claim: &Claim) -> Result<WriteOutcome, Stop> {
        self.read_open(ticket, claim)?;
        Ok(match self.set_open(ticket, false, claim)? {
            None => WriteOutcome::Unchanged,
            Some(_) => WriteOutcome::Done(WriteEffect::Repaired),
        })
    }

    fn patch(
        &mut self,
        ticket: u64,
        only_untouched: bool,
        claim: &Claim,
    ) -> Result<WriteOutcome, Stop> {
        self.read_open(ticket, claim)?;
        self.leave_worked(ticket, only_untouched)?;
        let there = self.model.ticket(ticket);
        // The priority of a reopened ticket is set again, and that of a ticket that a lost table
        // did not know.
        let is_set_again = there.reopened > 0 || self.model.is_set_back;
        if there.worked && !is_set_again && claim.severity < there.severity {
            self.model.violation = Some("lowers the priority of a ticket on which a person works");
        }
        let severity = claim.severity;
        self.call(Effect::Severity { ticket, severity })?;
        Ok(WriteOutcome::Done(WriteEffect::Patched {
            priority: PRIORITY,
        }))
    }

    fn note(
        &mut self,
        ticket: u64,
        note: &NoteContent,
        claim: &Claim,
        record: &Record,
    ) -> Result<WriteOutcome, Stop> {
        self.read_open(ticket, claim)?;
        let closes = matches!(
            note,
            NoteContent::Closing {
                only_untouched: true
            }
        );
        self.leave_worked(ticket, closes)?;
        let desired = &record.desired;
        let says = match note {
            NoteContent::Repeats { .. } => repeats(claim),
            NoteContent::Resolved { .. } | NoteContent::Closing { .. } => {
                format!("resolved {:?}", desired.last)
            }
            NoteContent::Reopened => {
                let reopened = self.model.ticket(ticket).reopened;
                let raised = claim.raise_received_at;
                format!("raised again {raised:?}, reopened {reopened}")
            }
            NoteContent::Duplicate { .. } => "a duplicate".to_owned(),
            NoteContent::Kept { duplicate } => format!("has the duplicate {duplicate}"),
        };
        let note = ModelNote {
            claim: claim.id.clone(),
            op: claim.op,
            says,
            epoch: self.model.epoch(),
            is_late: false,
        };
        self.call(Effect::Note { ticket, note })?;
        Ok(WriteOutcome::Done(WriteEffect::Noted))
    }
}

/// The repeats that a ticket or note reports.
fn repeats(claim: &Claim) -> String {
    format!("{} since {:?}", claim.repeats, claim.raise_received_at)
}
