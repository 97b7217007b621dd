//! The calls to ConnectWise: each under a claim, each outcome recorded before the message may go.

use connectwise::{Client, Error, ExternalXref, NewNote, NewTicket, NoteDisplay, Ticket};
use domain::adopt::{Found, adopt};
use domain::decide::{Create, Step};
use domain::event::Payload;
use domain::record::{Actual, Claim, ClosedBy, Open, Record};
use domain::settings::Settings;
use domain::ticket::{description, gone_note, mark, repeat_note, summary};
use domain::{Blocked, Reaction, RecordId, Target};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::alert::{Outcome, Stepped, react};
use crate::connections::NoClient;
use crate::{App, Invocation};

/// A claimed step and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) step: &'a Step,
    /// What a ticket or note is made of.
    pub(crate) text: Option<&'a Payload>,
    /// The claim that was taken over: its write may have been made.
    pub(crate) takeover: Option<&'a Claim>,
    pub(crate) settings: &'a Settings,
    pub(crate) invocation: &'a Invocation,
}

/// What a performed step did.
#[derive(Debug)]
enum Done {
    Created(Box<Ticket>),
    Noted,
    Patched,
    Ended(ClosedBy),
    /// Nothing, since what was claimed is not wanted any more.
    Dropped,
}

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// Looking before the write failed: nothing was written.
    #[error("looking failed: {0}")]
    Look(Error),
    #[error("writing failed: {0}")]
    Write(Error),
    /// ConnectWise answered 200 and the ticket is not closed.
    #[error("the closing status does not close the ticket")]
    NotClosed,
}

impl Failed {
    fn reaction(&self) -> Reaction {
        match self {
            Self::NoClient(fault) => fault.reaction(),
            Self::Look(fault) | Self::Write(fault) => fault.reaction(),
            Self::NotClosed => Reaction::Block {
                reason: Blocked::TargetGone(Target::Status),
            },
        }
    }

    fn may_have_been_done(&self) -> bool {
        match self {
            Self::Write(fault) => fault.may_have_been_done(),
            Self::NoClient(_) | Self::Look(_) | Self::NotClosed => false,
        }
    }

    fn call(&self) -> Option<&Error> {
        match self {
            Self::Look(fault) | Self::Write(fault) => Some(fault),
            Self::NoClient(_) | Self::NotClosed => None,
        }
    }
}

impl App {
    /// Makes the claimed write and records what came of it. `record` is as written, with our claim.
    pub(crate) async fn perform(
        &self,
        record: Record,
        work: Work<'_>,
    ) -> Result<Stepped, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(Stepped::Reread);
        };
        let partner = &record.key.partner;
        let calls = self.connections.calls(partner).await?;
        let turn = calls.acquire().await;
        let mut done = self.attempt(&record, &claim, work).await;
        let refused = matches!(&done, Err(fault) if fault.call() == Some(&Error::KeysRefused));
        // Keys may have been rotated: they are read afresh once.
        if refused && self.connections.keys_refused(partner) {
            done = self.attempt(&record, &claim, work).await;
        }
        drop(turn);
        let now = Timestamp::now();
        match done {
            Ok(Done::Created(ticket)) => self.created(record, &claim, &ticket, now).await,
            Ok(done) => {
                tracing::info!(done = ?done, op = ?claim.op, "done");
                let done = |record, ours| match ours {
                    true => after(record, work.step, &done, now),
                    false => record,
                };
                self.change(record, &claim, done).await
            }
            Err(fault) if fault.may_have_been_done() => {
                tracing::warn!(fault = %fault, op = ?claim.op, "uncertain");
                let uncertain = |record: Record, ours| match ours {
                    true => record.with_uncertain(work.text, now),
                    false => record,
                };
                self.change(record, &claim, uncertain).await
            }
            Err(fault) => self.not_done(record, &claim, work, &fault, now).await,
        }
    }

    /// Records that nothing was written. A claim that was taken over comes back: its own write may still have been made.
    async fn not_done(
        &self,
        record: Record,
        claim: &Claim,
        work: Work<'_>,
        fault: &Failed,
        now: Timestamp,
    ) -> Result<Stepped, store::Error> {
        let reaction = fault.reaction();
        tracing::warn!(fault = %fault, reaction = ?reaction, op = ?claim.op, "not done");
        let undone = |mut record: Record, ours: bool| {
            if !ours {
                return record;
            }
            record.claim = work.takeover.cloned();
            match &reaction {
                Reaction::Block { reason } => record.with_blocked(reason.clone(), work.text, now),
                Reaction::Retry { .. } | Reaction::DeadLetter { .. } => record,
            }
        };
        Ok(match self.change(record, claim, undone).await? {
            Stepped::On(_) => Stepped::End(react(reaction)),
            other @ (Stepped::Reread | Stepped::End(_)) => other,
        })
    }

    /// Records a ticket that was made. Whoever's claim runs by now: a ticket that stands is recorded, and ends the claim.
    async fn created(
        &self,
        record: Record,
        claim: &Claim,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<Stepped, store::Error> {
        tracing::info!(ticket.id = ticket.id, "ticket made");
        let board = ticket.board.as_ref().map(|board| board.id);
        let open = Open::new(ticket.id, board, claim, now);
        let made = |record: Record, ours: bool| {
            let other = match &record.actual {
                Some(Actual::Open(other)) => Some(other.ticket_id),
                // Another worker found it by its token and closed; the ticket of the life before does not count.
                Some(Actual::Closed(other)) if !ours => Some(other.ticket_id),
                Some(Actual::Closed(_)) | None => None,
            };
            let Some(other) = other else {
                return record.with_open(open.clone());
            };
            if other != open.ticket_id {
                let made = open.ticket_id;
                tracing::error!(ticket.id = made, ticket.other = other, "two tickets");
            }
            record
        };
        self.change(record, claim, made).await
    }

    /// Looks for the ticket of an uncertain create.
    pub(crate) async fn search(
        &self,
        before: &Record,
        record: Record,
        invocation: &Invocation,
    ) -> Result<Stepped, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(Stepped::Reread);
        };
        let calls = self.connections.calls(&record.key.partner).await?;
        let turn = calls.acquire().await;
        let began = Timestamp::now();
        let found = self.find(&record, &claim, invocation).await;
        drop(turn);
        let now = Timestamp::now();
        match found {
            Ok(found) => {
                tracing::info!(found = found.len(), visits = claim.visits + 1, "searched");
                let held = if found.is_empty() {
                    record.with_empty_visit(self.settle, began)
                } else {
                    adopt(record, &claim, &found, now)
                };
                Ok(match self.alerts.write(&held).await? {
                    store::Written::Yes(record) => Stepped::On(record),
                    store::Written::Conflict => Stepped::Reread,
                })
            }
            // Unknown is not none: the claim stays, and the search is made again.
            Err(fault) => {
                tracing::warn!(fault = %fault, "search failed");
                let after = match fault.reaction() {
                    Reaction::Retry { after } => after,
                    Reaction::Block { .. } | Reaction::DeadLetter { .. } => None,
                };
                self.end(before, record, Outcome::Later(after)).await
            }
        }
    }

    async fn find(
        &self,
        record: &Record,
        claim: &Claim,
        invocation: &Invocation,
    ) -> Result<Vec<Found>, Failed> {
        let client = self.connections.client(&record.key.partner).await?;
        let token = xref(claim).map_err(Failed::Look)?;
        let tickets = client
            .tickets_by_external_xref(&[&token], invocation.calls_end())
            .await
            .map_err(Failed::Look)?;
        let found = |ticket: Ticket| Found {
            ticket_id: ticket.id,
            board_id: ticket.board.map(|board| board.id),
            entered_at: ticket.info.date_entered,
            closed: ticket.closed_flag,
        };
        Ok(tickets.into_iter().map(found).collect())
    }

    async fn attempt(
        &self,
        record: &Record,
        claim: &Claim,
        work: Work<'_>,
    ) -> Result<Done, Failed> {
        let client = self.connections.client(&record.key.partner).await?;
        let calls = Calls {
            client,
            record,
            claim,
            work,
        };
        let done = match work.step {
            Step::Create(create) => return calls.create(create).await,
            Step::NoteRepeats {
                ticket_id, untold, ..
            } => calls.note_repeats(*ticket_id, *untold).await,
            Step::NoteGone { ticket_id } => {
                let note = gone_note(false, gone_at(record), &claim.marker);
                calls.note(*ticket_id, note).await
            }
            Step::Patch {
                ticket_id,
                priority,
                ..
            } => calls.patch(*ticket_id, *priority).await,
            Step::Close { ticket_id, .. } => calls.close(*ticket_id).await,
        };
        match done {
            // Deleted by a technician: recorded, not fought.
            Err(fault) if matches!(fault.call(), Some(Error::NotFound { .. })) => {
                Ok(Done::Ended(ClosedBy::Deleted))
            }
            done => done,
        }
    }
}

/// The calls of one claimed step.
struct Calls<'a> {
    client: Client,
    record: &'a Record,
    claim: &'a Claim,
    work: Work<'a>,
}

impl Calls<'_> {
    async fn create(&self, create: &Create) -> Result<Done, Failed> {
        let (Some(about), Some(text)) = (&self.record.wanted.about, self.work.text) else {
            return Ok(Done::Dropped);
        };
        let new = NewTicket {
            summary: summary(text),
            company: create.company,
            board: create.board,
            status: create.status,
            type_: create.kind_type,
            priority: create.priority,
            estimated_start_date: create.raised_at,
            initial_description: description(&self.record.key, about, text, create.previous),
            external_xref: xref(self.claim).map_err(Failed::Look)?,
        };
        let writer = self.client.ticket_writer();
        let ticket = writer.create(&new, self.deadline()).await;
        Ok(Done::Created(Box::new(ticket.map_err(Failed::Write)?)))
    }

    async fn note_repeats(&self, ticket_id: RecordId, untold: u32) -> Result<Done, Failed> {
        let Some(about) = &self.record.wanted.about else {
            return Ok(Done::Dropped);
        };
        let note = repeat_note(untold, about, self.work.text, &self.claim.marker);
        self.note(ticket_id, note).await
    }

    /// A note on a ticket that is still ours and open. A takeover looks first whether the note was made.
    async fn note(&self, ticket_id: RecordId, text: String) -> Result<Done, Failed> {
        if let Some(ended) = self.ended(&self.ticket(ticket_id).await?) {
            return Ok(Done::Ended(ended));
        }
        if !self.is_noted(ticket_id).await? {
            let noted = self.add_note(ticket_id, text, NoteDisplay::Discussion);
            noted.await.map_err(Failed::Write)?;
        }
        Ok(Done::Noted)
    }

    async fn patch(&self, ticket_id: RecordId, priority: RecordId) -> Result<Done, Failed> {
        let writer = self.client.ticket_writer();
        let patched = writer
            .set_priority(ticket_id, priority, self.deadline())
            .await;
        match patched.map_err(Failed::Write)?.closed_flag {
            true => Ok(Done::Ended(ClosedBy::Technician)),
            false => Ok(Done::Patched),
        }
    }

    /// GET, PATCH, look at the answer, say why.
    async fn close(&self, ticket_id: RecordId) -> Result<Done, Failed> {
        let ticket = self.ticket(ticket_id).await?;
        match self.ended(&ticket) {
            // A vanished worker, or a lost answer, closed it: that was us.
            Some(ClosedBy::Technician) if self.work.takeover.is_some() => {}
            Some(ended) => return Ok(Done::Ended(ended)),
            // Raised again before the close was made.
            None if self.record.wanted.standing => return Ok(Done::Dropped),
            None => {
                let status = self.closing_status(&ticket).await?;
                let writer = self.client.ticket_writer();
                let closed = writer.close(ticket_id, status, self.deadline()).await;
                if !closed.map_err(Failed::Write)?.closed_flag {
                    return Err(Failed::NotClosed);
                }
            }
        }
        if !self.is_noted(ticket_id).await? {
            let note = gone_note(true, gone_at(self.record), &self.claim.marker);
            match self
                .add_note(ticket_id, note, NoteDisplay::Resolution)
                .await
            {
                Ok(()) => {}
                Err(fault) if fault.may_have_been_done() => return Err(Failed::Write(fault)),
                // The ticket is closed; a note that ConnectWise refuses does not undo that.
                Err(fault) => tracing::warn!(fault = %fault, "closed without a note"),
            }
        }
        Ok(Done::Ended(ClosedBy::Us))
    }

    fn deadline(&self) -> Instant {
        self.work.invocation.calls_end()
    }

    async fn ticket(&self, ticket_id: RecordId) -> Result<Ticket, Failed> {
        let ticket = self.client.ticket(ticket_id, self.deadline()).await;
        ticket.map_err(Failed::Look)
    }

    /// Whether a person ended the ticket, or gave it to other use: it must carry our token and the recorded company.
    fn ended(&self, ticket: &Ticket) -> Option<ClosedBy> {
        let token = ticket.external_xref.as_deref() == Some(self.record.token().as_str());
        let company = ticket.company.as_ref().map(|company| company.id);
        let ours = token && company == Some(self.claim.company_id);
        match (ours, ticket.closed_flag) {
            (false, _) => Some(ClosedBy::Moved),
            (true, true) => Some(ClosedBy::Technician),
            (true, false) => None,
        }
    }

    /// The closing status of the ticket's current board: as set up, or else the board's first that closes.
    async fn closing_status(&self, ticket: &Ticket) -> Result<RecordId, Failed> {
        let board = ticket.board.as_ref().ok_or(Failed::NotClosed)?.id;
        let target = self.work.settings.board_with_id(board);
        if let Some(status) = target.and_then(|target| target.closing_status) {
            return Ok(status);
        }
        let statuses = self.client.board_statuses(board, self.deadline()).await;
        let statuses = statuses.map_err(Failed::Look)?;
        let closing = statuses
            .iter()
            .filter(|status| status.closed_status && !status.inactive);
        let first = closing.min_by_key(|status| (status.sort_order, status.id));
        first.map(|status| status.id).ok_or(Failed::NotClosed)
    }

    /// Whether the worker that this step was taken over from made the note.
    async fn is_noted(&self, ticket_id: RecordId) -> Result<bool, Failed> {
        if self.work.takeover.is_none() {
            return Ok(false);
        }
        let mark = mark(&self.claim.marker);
        let notes = self.client.ticket_notes(ticket_id, self.deadline()).await;
        let notes = notes.map_err(Failed::Look)?;
        Ok(notes.iter().any(|note| note.text.contains(&mark)))
    }

    /// Notes are internal unless the partner says otherwise.
    async fn add_note(
        &self,
        ticket_id: RecordId,
        text: String,
        for_customers: NoteDisplay,
    ) -> Result<(), Error> {
        let display = match self.work.settings.notes_for_customers {
            true => for_customers,
            false => NoteDisplay::Internal,
        };
        let note = NewNote { text, display };
        let writer = self.client.ticket_writer();
        writer.add_note(ticket_id, &note, self.deadline()).await?;
        Ok(())
    }
}

/// The record after a step that is done and was ours.
fn after(record: Record, step: &Step, done: &Done, now: Timestamp) -> Record {
    let Some(open) = record.open().cloned() else {
        return record.without_claim();
    };
    let open = match (done, step) {
        (Done::Ended(by), _) => {
            return record.with_closed(open.ticket_id, open.epoch, *by, now);
        }
        (Done::Noted, Step::NoteRepeats { repeats, .. }) => Open {
            last_note_at: Some(now),
            noted_repeats: *repeats,
            ..open
        },
        (Done::Noted, Step::NoteGone { .. }) => Open {
            last_note_at: Some(now),
            noted_gone: true,
            ..open
        },
        (Done::Patched, Step::Patch { severity, .. }) => Open {
            severity: *severity,
            ..open
        },
        (Done::Noted | Done::Patched | Done::Dropped | Done::Created(_), _) => {
            return record.without_claim();
        }
    };
    record.with_open(open)
}

fn xref(claim: &Claim) -> Result<ExternalXref, Error> {
    // A token has only letters, digits and hyphens; a malformed one must never become an unconditional search.
    ExternalXref::parse(claim.token.as_str()).map_err(|fault| Error::Rejected {
        words: fault.to_string(),
    })
}

fn gone_at(record: &Record) -> Timestamp {
    let last = record.wanted.last.as_ref();
    last.map_or_else(Timestamp::now, |last| last.occurred_at)
}
