//! The calls of one step to ConnectWise, and how each can end. Nothing is recorded here.

use connectwise::{Client, Error, ExternalXref, NewNote, NewTicket, NoteDisplay, Ticket};
use domain::adopt::Found;
use domain::decide::{Create, Step};
use domain::event::Payload;
use domain::record::{Claim, ClosedBy, Record};
use domain::settings::Settings;
use domain::ticket::{description, gone_note, mark, repeat_note, summary};
use domain::{Blocked, Reaction, RecordId, Target};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::Invocation;
use crate::connections::NoClient;

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
pub(crate) enum Done {
    Created(Box<Ticket>),
    Noted,
    Patched,
    Ended(ClosedBy),
    /// Nothing, since what was claimed is not wanted any more.
    Dropped,
}

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
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
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::NoClient(fault) => fault.reaction(),
            Self::Look(fault) | Self::Write(fault) => fault.reaction(),
            Self::NotClosed => Reaction::Block {
                reason: Blocked::TargetGone(Target::Status),
            },
        }
    }

    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Write(fault) => fault.may_have_been_done(),
            Self::NoClient(_) | Self::Look(_) | Self::NotClosed => false,
        }
    }

    pub(crate) fn call(&self) -> Option<&Error> {
        match self {
            Self::Look(fault) | Self::Write(fault) => Some(fault),
            Self::NoClient(_) | Self::NotClosed => None,
        }
    }
}

/// The calls of one claimed step.
pub(crate) struct Calls<'a> {
    pub(crate) client: Client,
    pub(crate) record: &'a Record,
    pub(crate) claim: &'a Claim,
    pub(crate) work: Work<'a>,
}

impl Calls<'_> {
    /// Makes the step's calls.
    pub(crate) async fn make(&self) -> Result<Done, Failed> {
        let done = match self.work.step {
            Step::Create(create) => return self.create(create).await,
            Step::NoteRepeats {
                ticket_id, untold, ..
            } => self.note_repeats(*ticket_id, *untold).await,
            Step::NoteGone { ticket_id } => {
                let note = gone_note(
                    false,
                    gone_at(self.record, self.work.invocation.now()),
                    &self.claim.marker,
                );
                self.note(*ticket_id, note).await
            }
            Step::Patch {
                ticket_id,
                priority,
                ..
            } => self.patch(*ticket_id, *priority).await,
            Step::Close { ticket_id } => self.close(*ticket_id).await,
        };
        match done {
            // Deleted by a technician: recorded, not fought.
            Err(fault) if matches!(fault.call(), Some(Error::NotFound { .. })) => {
                Ok(Done::Ended(ClosedBy::Deleted))
            }
            done => done,
        }
    }

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
            let note = gone_note(
                true,
                gone_at(self.record, self.work.invocation.now()),
                &self.claim.marker,
            );
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

/// All tickets that carry the claim's token; a failed search is an error, never "none".
pub(crate) async fn find(
    client: &Client,
    claim: &Claim,
    deadline: Instant,
) -> Result<Vec<Found>, Failed> {
    let token = xref(claim).map_err(Failed::Look)?;
    let tickets = client.tickets_by_external_xref(&[&token], deadline).await;
    let found = |ticket: Ticket| Found {
        ticket_id: ticket.id,
        board_id: ticket.board.map(|board| board.id),
        entered_at: ticket.info.date_entered,
        closed: ticket.closed_flag,
    };
    let tickets = tickets.map_err(Failed::Look)?;
    Ok(tickets.into_iter().map(found).collect())
}

fn xref(claim: &Claim) -> Result<ExternalXref, Error> {
    // A token has only letters, digits and hyphens; a malformed one must never become an unconditional search.
    ExternalXref::parse(claim.token.as_str()).map_err(|fault| Error::Rejected {
        words: fault.to_string(),
    })
}

fn gone_at(record: &Record, now: Timestamp) -> Timestamp {
    let last = record.wanted.last.as_ref();
    last.map_or(now, |last| last.occurred_at)
}
