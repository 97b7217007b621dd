//! The calls of one step to ConnectWise, and how each can end. Nothing is recorded here.

use connections::{NoClient, found};
use connectwise::{
    BoardStatus, Client, Error, ExternalXref, NewNote, NewTicket, NoteDisplay, Suspicion, Ticket,
};
use domain::adopt::Found;
use domain::breaker::Told;
use domain::decide::{Create, Reopen, Step};
use domain::done::Done;
use domain::event::Payload;
use domain::record::{Claim, ClosedBy, Op, Record, Refusal};
use domain::settings::Settings;
use domain::ticket::{
    description, duplicate_note, gone_note, kept_note, mark, reopened_note, repeat_note, summary,
};
use domain::{Blocked, Reaction, RecordId, Target, Token};
use tokio::time::Instant;

use crate::Invocation;

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

/// What a performed step brought.
#[derive(Debug)]
pub(crate) enum Made {
    /// A new ticket.
    Ticket(Box<Ticket>),
    /// Anything else.
    Step(Done),
}

/// What a search for a token showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// These carry it.
    Found(Vec<Found>),
    /// None does.
    None,
    /// It did not even show the tickets that it must: it says nothing.
    Blind,
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
    /// A part of the step is written, and the rest is not: the takeover makes it.
    #[error("half done, then: {0}")]
    HalfDone(Error),
    /// ConnectWise answered 200, and the ticket is not closed, or not open.
    #[error("the status does not close the ticket, or not open it")]
    StatusWithoutEffect,
    /// ConnectWise answered 200, and the ticket has another priority.
    #[error("the ticket kept its priority")]
    PriorityWithoutEffect,
}

/// What ConnectWise says of a write that has no effect: it answers that all is well.
const NO_WORDS: &str = "";

impl Failed {
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::NoClient(fault) => fault.reaction(),
            Self::Look(fault) | Self::Write(fault) | Self::HalfDone(fault) => fault.reaction(),
            Self::StatusWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(Target::Status),
            },
            Self::PriorityWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(Target::Priority),
            },
        }
    }

    /// What ConnectWise refused for the sake of this alert alone, where that is why the alert is blocked for this reason.
    pub(crate) fn refusal(&self, op: Option<Op>, reason: &Blocked) -> Option<Refusal> {
        let words = match (reason, self) {
            (Blocked::TargetGone(_), Self::StatusWithoutEffect | Self::PriorityWithoutEffect) => {
                NO_WORDS
            }
            (
                Blocked::TargetGone(_),
                Self::Look(Error::TargetGone { words, .. })
                | Self::Write(Error::TargetGone { words, .. })
                | Self::HalfDone(Error::TargetGone { words, .. }),
            )
            | (Blocked::Rejected(words), _) => words,
            (_, _) => return None,
        };
        let words = words.to_owned();
        Some(Refusal { op, words })
    }

    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Write(fault) => fault.may_have_been_done(),
            Self::HalfDone(_) => true,
            Self::NoClient(_)
            | Self::Look(_)
            | Self::StatusWithoutEffect
            | Self::PriorityWithoutEffect => false,
        }
    }

    /// What is known of the connection without asking further: nothing, where the failure makes more doubtful than its call.
    pub(crate) fn told(&self) -> Told {
        match self {
            Self::NoClient(fault) => fault.told(),
            Self::Look(fault) | Self::Write(fault) | Self::HalfDone(fault) => {
                match fault.suspects() {
                    Some(_) => Told::Nothing,
                    None => fault.told(),
                }
            }
            Self::StatusWithoutEffect | Self::PriorityWithoutEffect => Told::Works,
        }
    }

    /// The call whose failure means that nothing is written.
    pub(crate) fn call(&self) -> Option<&Error> {
        match self {
            Self::Look(fault) | Self::Write(fault) => Some(fault),
            Self::NoClient(_)
            | Self::HalfDone(_)
            | Self::StatusWithoutEffect
            | Self::PriorityWithoutEffect => None,
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
    pub(crate) async fn make(&self) -> Result<Made, Failed> {
        let done = match self.work.step {
            Step::Create(create) => return self.create(create).await,
            Step::NoteRepeats {
                ticket_id, untold, ..
            } => self.note_repeats(*ticket_id, *untold).await,
            Step::NoteGone { ticket_id } => {
                let note = gone_note(false, &self.record.wanted, &self.claim.marker);
                self.note(*ticket_id, note).await
            }
            Step::Patch {
                ticket_id,
                priority,
                ..
            } => self.patch(*ticket_id, *priority).await,
            Step::Close { ticket_id } => self.close(*ticket_id).await,
            Step::Reopen(reopen) => self.reopen(reopen).await,
            Step::Repair { duplicate, kept } => self.repair(duplicate.ticket_id, *kept).await,
        };
        let deleted = |fault: &Failed| matches!(fault.call(), Some(Error::NotFound { .. }));
        // Deleted by a technician: recorded, not fought.
        match done {
            Err(fault) if deleted(&fault) => Ok(Made::Step(match self.work.step {
                Step::Repair { .. } => Done::Repaired,
                Step::Create(_)
                | Step::NoteRepeats { .. }
                | Step::NoteGone { .. }
                | Step::Patch { .. }
                | Step::Close { .. }
                | Step::Reopen(_) => Done::Ended(ClosedBy::Deleted),
            })),
            done => done.map(Made::Step),
        }
    }

    async fn create(&self, create: &Create) -> Result<Made, Failed> {
        let (Some(about), Some(text)) = (&self.record.wanted.about, self.work.text) else {
            return Ok(Made::Step(Done::Dropped));
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
            external_xref: xref(&self.claim.token)?,
        };
        let writer = self.client.ticket_writer();
        let ticket = writer.create(&new, self.deadline()).await;
        Ok(Made::Ticket(Box::new(ticket.map_err(Failed::Write)?)))
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
        let ticket = patched.map_err(Failed::Write)?;
        if ticket.closed_flag {
            return Ok(Done::Ended(ClosedBy::Technician));
        }
        // A workflow may keep the priority, or set its own. An answer that does not name it says nothing against it.
        match ticket.priority {
            Some(set) if set.id != priority => Err(Failed::PriorityWithoutEffect),
            Some(_) | None => Ok(Done::Patched),
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
                    return Err(Failed::StatusWithoutEffect);
                }
            }
        }
        if !self.is_noted(ticket_id).await? {
            let note = gone_note(true, &self.record.wanted, &self.claim.marker);
            let noted = self.add_note(ticket_id, note, NoteDisplay::Resolution);
            self.said(noted.await)?;
        }
        Ok(Done::Ended(ClosedBy::Us))
    }

    /// GET, PATCH, look at the answer, say why.
    async fn reopen(&self, reopen: &Reopen) -> Result<Done, Failed> {
        let ticket = self.ticket(reopen.ticket_id).await?;
        let board_id = ticket.board.as_ref().map(|board| board.id);
        match self.ended(&ticket) {
            // Ended for good: a new ticket is made instead.
            Some(ended @ (ClosedBy::Moved | ClosedBy::Deleted | ClosedBy::Us)) => {
                return Ok(Done::Ended(ended));
            }
            // Open already: by a technician, or by a worker that vanished.
            None => {}
            Some(ClosedBy::Technician) if !self.record.wanted.standing => {
                return Ok(Done::Dropped);
            }
            Some(ClosedBy::Technician) => {
                let status = self.opening_status(&ticket).await?;
                let writer = self.client.ticket_writer();
                let set = writer.set_status(reopen.ticket_id, status, self.deadline());
                if set.await.map_err(Failed::Write)?.closed_flag {
                    return Err(Failed::StatusWithoutEffect);
                }
            }
        }
        if let Some(about) = &self.record.wanted.about
            && !self.is_noted(reopen.ticket_id).await?
        {
            let note = reopened_note(about.raised_at, &self.claim.marker);
            let noted = self.add_note(reopen.ticket_id, note, NoteDisplay::Discussion);
            self.said(noted.await)?;
        }
        Ok(Done::Reopened { board_id })
    }

    /// Closes a ticket too many, and says so on it and on the one that stays.
    async fn repair(&self, ticket_id: RecordId, kept: Option<RecordId>) -> Result<Done, Failed> {
        let ticket = self.ticket(ticket_id).await?;
        match self.ended(&ticket) {
            // A vanished worker closed it, and may not have said so.
            Some(ClosedBy::Technician) if self.work.takeover.is_some() => {}
            // A person was faster.
            Some(_) => return Ok(Done::Repaired),
            None => {
                let status = self.closing_status(&ticket).await?;
                let writer = self.client.ticket_writer();
                let closed = writer.close(ticket_id, status, self.deadline()).await;
                if !closed.map_err(Failed::Write)?.closed_flag {
                    return Err(Failed::StatusWithoutEffect);
                }
            }
        }
        let marker = &self.claim.marker;
        let mut notes = vec![(ticket_id, duplicate_note(kept, marker))];
        notes.extend(kept.map(|kept| (kept, kept_note(ticket_id, marker))));
        for (ticket_id, text) in notes {
            if !self.is_noted(ticket_id).await? {
                let display = NoteDisplay::Internal;
                let note = NewNote { text, display };
                let writer = self.client.ticket_writer();
                let noted = writer.add_note(ticket_id, &note, self.deadline()).await;
                self.said(noted.map(|_| ()))?;
            }
        }
        tracing::warn!(
            duplicate_repaired = 1,
            ticket.id = ticket_id,
            ticket.kept = kept,
            "a ticket too many is closed"
        );
        Ok(Done::Repaired)
    }

    /// What becomes of a step whose deed is done and whose note is not, or may not be. A note that is refused, by ConnectWise or by
    /// something before it, does not undo the deed: the reads and the write just before it were taken. Any other is made by the
    /// takeover, and so is one for which the keys were refused, once: they may have been revoked in between.
    fn said(&self, noted: Result<(), Error>) -> Result<(), Failed> {
        let Err(fault) = noted else {
            return Ok(());
        };
        let is_refused = match fault.suspects() {
            Some(Suspicion::Keys) => self.claim.attempts > 1,
            Some(Suspicion::Route | Suspicion::Right { .. }) => true,
            None => fault.told() == Told::Works,
        };
        if !is_refused {
            return Err(Failed::HalfDone(fault));
        }
        tracing::warn!(fault = %fault, op = ?self.claim.op, "done without a note");
        Ok(())
    }

    fn deadline(&self) -> Instant {
        self.work.invocation.calls_end()
    }

    async fn ticket(&self, ticket_id: RecordId) -> Result<Ticket, Failed> {
        let ticket = self.client.ticket(ticket_id, self.deadline()).await;
        ticket.map_err(Failed::Look)
    }

    /// Whether a person ended the ticket, or gave it to other use.
    fn ended(&self, ticket: &Ticket) -> Option<ClosedBy> {
        found(ticket).ended(&self.claim.token, self.claim.company_id)
    }

    /// The closing status of the ticket's current board: as set up, or else the board's first that closes.
    async fn closing_status(&self, ticket: &Ticket) -> Result<RecordId, Failed> {
        let board = ticket.board.as_ref().ok_or(Failed::StatusWithoutEffect)?.id;
        let target = self.work.settings.board_with_id(board);
        if let Some(status) = target.and_then(|target| target.closing_status) {
            return Ok(status);
        }
        self.first_status(board, |status| status.closed_status)
            .await
    }

    /// The status that opens a ticket of its current board: as set up, or else the board's own for new tickets.
    async fn opening_status(&self, ticket: &Ticket) -> Result<RecordId, Failed> {
        let board = ticket.board.as_ref();
        let board = board.ok_or(Failed::StatusWithoutEffect)?.id;
        let target = self.work.settings.board_with_id(board);
        match target.and_then(|target| target.start_status) {
            Some(status) => Ok(status),
            None => {
                self.first_status(board, |status| !status.closed_status)
                    .await
            }
        }
    }

    async fn first_status(
        &self,
        board: RecordId,
        fits: impl Fn(&BoardStatus) -> bool,
    ) -> Result<RecordId, Failed> {
        let statuses = self.client.board_statuses(board, self.deadline()).await;
        let statuses = statuses.map_err(Failed::Look)?;
        let usable = statuses
            .iter()
            .filter(|status| fits(status) && !status.inactive);
        let first = usable.min_by_key(|status| (status.sort_order, status.id));
        let first = first.map(|status| status.id);
        first.ok_or(Failed::StatusWithoutEffect)
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

/// Looks for tickets that carry the token, closed ones included; a failed search is an error, never "none". `witnesses` are tickets
/// that a search must see, at least one of them.
pub(crate) async fn search(
    client: &Client,
    token: &Token,
    witnesses: &[Token],
    deadline: Instant,
) -> Result<Search, Failed> {
    let mut tokens = vec![xref(token)?];
    for witness in witnesses.iter().filter(|witness| *witness != token) {
        tokens.push(xref(witness)?);
    }
    let tokens: Vec<&ExternalXref> = tokens.iter().collect();
    let tickets = client.tickets_by_external_xref(&tokens, deadline).await;
    let tickets = tickets.map_err(Failed::Look)?;
    let carries = |ticket: &&Ticket| ticket.external_xref.as_deref() == Some(token.as_str());
    let ours: Vec<Found> = tickets.iter().filter(carries).map(found).collect();
    Ok(match ours.is_empty() {
        false => Search::Found(ours),
        true if tokens.len() > 1 && tickets.is_empty() => Search::Blind,
        true => Search::None,
    })
}

/// All tickets of any life of the alert, closed ones included.
pub(crate) async fn lives(
    client: &Client,
    record: &Record,
    deadline: Instant,
) -> Result<Vec<Found>, Failed> {
    let prefix = ExternalXref::parse(format!("tb1-{}-", record.key.item_key()));
    let prefix = prefix.map_err(malformed)?;
    let tickets = client
        .tickets_by_external_xref_prefix(&prefix, deadline)
        .await;
    Ok(tickets.map_err(Failed::Look)?.iter().map(found).collect())
}

/// Whether ConnectWise has any ticket of ours.
pub(crate) async fn any(client: &Client, deadline: Instant) -> Result<bool, Failed> {
    let prefix = ExternalXref::parse("tb1-").map_err(malformed)?;
    let any = client.any_ticket_by_external_xref_prefix(&prefix, deadline);
    any.await.map_err(Failed::Look)
}

fn xref(token: &Token) -> Result<ExternalXref, Failed> {
    ExternalXref::parse(token.as_str()).map_err(malformed)
}

/// A token has only letters, digits and hyphens; a malformed one must never become an unconditional search.
fn malformed(_: connectwise::InvalidXref) -> Failed {
    Failed::Look(Error::Rejected {
        words: connectwise::InvalidXref.to_string(),
    })
}
