//! One worker with one message: the steps that `domain` names, as `tickets` makes them.

use domain::alert::blocked::CallRefusal;
use domain::alert::event::{AlertChange, Payload};
use domain::alert::fold::fold;
use domain::alert::record::{Claim, ClosedBy, OpenTicket, Record, TicketEnd};
use domain::connection::view::ConnectionView;
use domain::setup::settings::OnResolve;
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::claimed_write::{ClaimedOutcome, apply_outcome};
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::lookup::{Search, apply_inspection, apply_recheck_search, apply_search};
use domain::ticketing::manual_change::ManualChange;
use domain::ticketing::prior_tickets::adopt_prior_tickets;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::ticketing::ticket_write::{NoteContent, TicketWrite};
use domain::ticketing::worker_step::{MAX_STEPS, WorkerContext, WorkerStep, next_step};
use domain::ticketing::write_effect::{ObservedTicket, WriteEffect, apply_observation};
use domain::{Blocked, ClaimId, Reaction, TicketRef};
use jiff::Timestamp;

use crate::model::{Died, Effect, Model, ModelNote, PendingEffect, Ticket, at, key};
use crate::{BEHIND, BOARD, CLAIM, COMPANY, Delivery, Fate, PRIORITY, RETENTION, SETTLE, Searches};

/// One worker with one message, as `tickets` works.
pub(crate) struct Worker<'a> {
    pub(crate) view: ConnectionView,
    pub(crate) model: &'a mut Model,
    pub(crate) message: &'a AlertRequest,
    pub(crate) delivery: &'a Delivery,
    pub(crate) touches: usize,
    pub(crate) writes: usize,
    /// The record with the outcome of a write that is not in the table yet.
    pub(crate) made: Option<Record>,
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

/// Why a lookup gave no result.
#[derive(Clone, Copy)]
enum NoSearch {
    Failed,
    Refused,
}

impl Worker<'_> {
    /// Returns whether the message may be deleted, unless the worker dies.
    pub(crate) fn run(&mut self) -> Result<WorkerResult<bool>, String> {
        let mut request = self.message;
        for _ in 0..2 * MAX_STEPS {
            if self.touch().is_err() {
                return Ok(Err(Died));
            }
            let made = self.made.take();
            let known = made.clone().or_else(|| self.model.stored.clone());
            let stored = known.unwrap_or_else(|| Record::new(key()));
            let context = WorkerContext {
                view: &self.view,
                settle: SETTLE,
                retention: RETENTION,
                has_time: true,
                now: at(self.model.now),
            };
            let step = next_step(request, &stored, &context);
            self.watch_overtaking(&stored, request);
            self.check(&step)?;
            // An outcome is stored with the claim of the next write, or alone.
            if let Some(made) = made
                && !matches!(step, WorkerStep::Write { .. })
            {
                let before = self.model.stored.clone();
                let before = before.unwrap_or_else(|| Record::new(key()));
                if self.save(&before, &made).is_err() {
                    return Ok(Err(Died));
                }
                continue;
            }
            let is_inspection = matches!(step, WorkerStep::Inspect { .. });
            match self.act(&stored, step) {
                Ok(None) => {
                    if is_inspection || self.model.stored.as_ref() != Some(&stored) {
                        request = request.once_stored();
                    }
                }
                Ok(Some(goes)) => return Ok(Ok(goes)),
                Err(Died) => return Ok(Err(Died)),
            }
        }
        Err(format!("it does not terminate: {:?}", self.model.stored))
    }

    /// Makes a step. Returns whether the message may be deleted, or `None` if there is more to do.
    fn act(&mut self, stored: &Record, step: WorkerStep) -> WorkerResult<Option<bool>> {
        let now = at(self.model.now);
        match step {
            WorkerStep::Finish { record, .. } => self.save(stored, &record).map(|()| Some(true)),
            WorkerStep::Wait { record, .. } => self.save(stored, &record).map(|()| Some(false)),
            WorkerStep::Block { record, reason } => self.block(stored, record, reason),
            WorkerStep::AwaitText | WorkerStep::OutOfTime => Ok(Some(false)),
            WorkerStep::Inspect { record, open } => {
                self.inspect(stored, record, &open).map(|()| None)
            }
            WorkerStep::Search { record, claim } => self.search(stored, record, &claim),
            WorkerStep::Verify {
                record,
                claim,
                ticket_id,
            } => self.verify(stored, record, &claim, ticket_id),
            WorkerStep::Recheck { record, recheck } => {
                let found = self.look(Some(&recheck.ticket_ref))?.ok();
                let looked = apply_recheck_search(record, &recheck, found.as_ref(), now);
                self.save(stored, &looked).map(|()| None)
            }
            WorkerStep::FindPriorTickets { record } => self.find_prior_tickets(stored, record),
            WorkerStep::DetectExistingTickets { record } => {
                self.detect_existing_tickets(stored, record)
            }
            WorkerStep::AdmitNewAlert { record } => {
                self.touch()?;
                let admission = self.model.admit(&record.key, record.storm());
                self.view.admission = Some(admission);
                Ok(None)
            }
            WorkerStep::Write {
                record,
                write,
                text,
            } => self.write(&write, record, text.as_ref()),
        }
    }

    /// Notes that a resolve moved the raise of the alert.
    fn watch_overtaking(&mut self, stored: &Record, request: &AlertRequest) {
        let AlertRequest::Event(event) = request else {
            return;
        };
        let raise = |record: &Record| {
            let details = record.desired.details.as_ref();
            details.map(|details| details.raise_received_at)
        };
        let is_resolve = matches!(event.change, AlertChange::Resolved);
        let folded = fold(stored.clone(), event);
        self.model.is_overtaken |= is_resolve && raise(stored) != raise(&folded);
    }

    /// Looks at a ticket, and records a person's changes.
    fn inspect(&mut self, stored: &Record, record: Record, open: &OpenTicket) -> WorkerResult<()> {
        match self.read(open.ticket_id, &record.ticket_ref()) {
            Ok(_) => {}
            Err(Stop::Outcome(_)) => return Ok(()),
            Err(Stop::Died) => return Err(Died),
        }
        let is_deleted = self.model.ticket(open.ticket_id).deleted;
        let found = (!is_deleted).then(|| self.model.found(open.ticket_id));
        let now = at(self.model.now);
        self.save(stored, &apply_inspection(record, open, found.as_ref(), now))
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

    fn block(
        &mut self,
        stored: &Record,
        record: Record,
        reason: Blocked,
    ) -> WorkerResult<Option<bool>> {
        let blocked = self.message.block(record, reason, at(self.model.now));
        self.save(stored, &blocked).map(|()| Some(true))
    }

    /// Whether maintenance holds the alert. A person may release it nevertheless.
    fn is_held(&self) -> bool {
        self.model.is_in_maintenance() && !matches!(self.message, AlertRequest::Release)
    }

    /// A step must be allowed.
    fn check(&self, step: &WorkerStep) -> Result<(), String> {
        let WorkerStep::Write { record, write, .. } = step else {
            return Ok(());
        };
        if matches!(write, TicketWrite::Close { .. }) {
            self.model.may_close(record)?;
        }
        self.may_write(write)
    }

    /// No write is made that was not allowed when the worker started.
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
            | TicketWrite::Link { ticket_id, .. }
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
    fn look(&mut self, ticket_ref: Option<&TicketRef>) -> WorkerResult<Result<Search, NoSearch>> {
        self.touch()?;
        let model = &mut *self.model;
        if model.broken {
            model.refuse();
            return Ok(Err(NoSearch::Refused));
        }
        let shown_until = match self.delivery.searches {
            Searches::Fail => return Ok(Err(NoSearch::Failed)),
            Searches::Blind if ticket_ref.is_some() => return Ok(Ok(Search::Blind)),
            Searches::See | Searches::Blind => model.now,
            Searches::Stale => model.now - BEHIND,
        };
        let there = (1..).zip(&model.tickets).filter(|(_, ticket)| {
            let asked = ticket_ref.is_none_or(|ticket_ref| *ticket_ref == ticket.ticket_ref);
            asked && !ticket.deleted && ticket.site == model.site && ticket.entered <= shown_until
        });
        let there: Vec<FoundTicket> = there.map(|(number, _)| model.found(number)).collect();
        Ok(Ok(match there.is_empty() {
            true => Search::None,
            false => Search::Found(there),
        }))
    }

    /// Ends a step whose lookup gave no result.
    fn fail(
        &mut self,
        stored: &Record,
        record: Record,
        why: NoSearch,
    ) -> WorkerResult<Option<bool>> {
        match why {
            NoSearch::Failed => self.save(stored, &record).map(|()| Some(false)),
            NoSearch::Refused => self.block(stored, record, Blocked::ConnectionBroken),
        }
    }

    fn search(
        &mut self,
        stored: &Record,
        record: Record,
        claim: &Claim,
    ) -> WorkerResult<Option<bool>> {
        let now = at(self.model.now);
        let found = match self.look(Some(&claim.ticket_ref))? {
            Ok(found) => found,
            Err(why) => return self.fail(stored, record, why),
        };
        let searched = apply_search(record, claim, &found, SETTLE, now, now);
        self.save(stored, &searched).map(|()| None)
    }

    fn find_prior_tickets(
        &mut self,
        stored: &Record,
        record: Record,
    ) -> WorkerResult<Option<bool>> {
        let found = match self.look(None)? {
            Ok(Search::Found(found)) => found,
            Ok(Search::None) => vec![],
            Ok(Search::Blind) => return self.fail(stored, record, NoSearch::Failed),
            Err(why) => return self.fail(stored, record, why),
        };
        let (epoch, now) = (self.model.epoch(), at(self.model.now));
        let with_prior = adopt_prior_tickets(record.clone(), &found, Some(COMPANY), epoch, now);
        if with_prior == record {
            self.view.ticket_index = Some(TicketIndexState::Complete);
            return Ok(None);
        }
        self.save(stored, &with_prior).map(|()| None)
    }

    fn detect_existing_tickets(
        &mut self,
        stored: &Record,
        record: Record,
    ) -> WorkerResult<Option<bool>> {
        let ticket_index = match self.look(None)? {
            Ok(Search::None) => TicketIndexState::Complete,
            Ok(Search::Found(_)) => TicketIndexState::Rebuilding,
            Ok(Search::Blind) => return self.fail(stored, record, NoSearch::Failed),
            Err(why) => return self.fail(stored, record, why),
        };
        self.touch()?;
        self.model.view.ticket_index = Some(ticket_index);
        self.view.ticket_index = Some(ticket_index);
        Ok(None)
    }

    /// Looks at the ticket of a write of unknown outcome.
    fn verify(
        &mut self,
        stored: &Record,
        record: Record,
        claim: &Claim,
        ticket: u64,
    ) -> WorkerResult<Option<bool>> {
        let began = at(self.model.now);
        self.touch()?;
        if self.model.broken {
            self.model.refuse();
            return self.fail(stored, record, NoSearch::Refused);
        }
        if self.delivery.searches == Searches::Fail {
            return self.fail(stored, record, NoSearch::Failed);
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
        let verified = apply_observation(record, claim, &seen, SETTLE, began, began);
        self.save(stored, &verified)?;
        Ok(None)
    }

    /// Claims and calls, and records the outcome unless the next step is to do so. Returns whether the message may be deleted, if known.
    fn write(
        &mut self,
        step: &TicketWrite,
        record: Record,
        text: Option<&Payload>,
    ) -> WorkerResult<Option<bool>> {
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
            TicketWrite::Link { .. } => self.link(),
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
        let made = claimed_outcome(&outcome, &claim, &record, now);
        let recorded = apply_outcome(record.clone(), &claim, &made, text, now);
        match made {
            ClaimedOutcome::Effect(_) => self.made = Some(recorded),
            ClaimedOutcome::Created(_)
            | ClaimedOutcome::Unknown { .. }
            | ClaimedOutcome::NotMade { .. } => self.save(&record, &recorded)?,
        }
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
            action: None,
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

    /// Links a ticket to a configuration. A failure of any kind postpones it.
    fn link(&mut self) -> Result<WriteOutcome, Stop> {
        let effect = match self.call(Effect::Link) {
            Ok(()) => WriteEffect::Linked,
            Err(Stop::Outcome(_)) => WriteEffect::LinkPostponed,
            Err(Stop::Died) => return Err(Stop::Died),
        };
        Ok(WriteOutcome::Done(effect))
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
            NoteContent::Answer { text } => format!("answered {text}"),
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

fn claimed_outcome(
    outcome: &WriteOutcome,
    claim: &Claim,
    record: &Record,
    now: Timestamp,
) -> ClaimedOutcome {
    let not_made = |reaction| ClaimedOutcome::NotMade {
        reaction,
        refusal: None,
    };
    match outcome {
        WriteOutcome::Made(ticket) => {
            ClaimedOutcome::Created(OpenTicket::new(*ticket, Some(BOARD), claim, now))
        }
        WriteOutcome::Done(done) => ClaimedOutcome::Effect(done.clone()),
        WriteOutcome::Uncertain => ClaimedOutcome::Unknown { suspected: None },
        WriteOutcome::Unclear => {
            let words = String::from("An error occurred");
            let (op, reason) = (Some(claim.op), Blocked::Rejected(words.clone()));
            let suspected = (
                reason,
                CallRefusal {
                    op,
                    words,
                    record: None,
                },
            );
            let suspected = Some(suspected).filter(|_| record.was_given_up_before(claim));
            ClaimedOutcome::Unknown { suspected }
        }
        WriteOutcome::Throttled | WriteOutcome::Unchanged => {
            not_made(Reaction::Retry { after: None })
        }
        WriteOutcome::Refused => not_made(Reaction::Block {
            reason: Blocked::ConnectionBroken,
        }),
    }
}

/// The repeats that a ticket or note reports.
fn repeats(claim: &Claim) -> String {
    format!("{} since {:?}", claim.repeats, claim.raise_received_at)
}
