//! The calls of one step to ConnectWise, and how each can end. Nothing is recorded here.

use connections::{NoClient, found};
use connectwise::{
    BoardStatus, Client, Error, ExternalXref, MySecurity, NewNote, NewTicket, NoteDisplay,
    Suspicion, Ticket,
};
use domain::adopt::FoundTicket;
use domain::breaker::CallOutcome;
use domain::decide::{NoteContent, TicketCreation, TicketReopening, TicketWrite};
use domain::done::{ObservedTicket, WriteEffect};
use domain::event::Payload;
use domain::record::{CallRefusal, Claim, ClosedBy, Op, Record, TicketEnd};
use domain::rights::{self, ListedRights, RightStatus};
use domain::settings::Settings;
use domain::ticket::{
    description, duplicate_note, kept_note, reopened_note, repeat_note, resolved_note, summary,
};
use domain::ticket_index::Sentinel;
use domain::{Blocked, Reaction, RecordId, TicketRef, TicketTarget};
use std::time::Duration;

use tokio::time::Instant;

use crate::Invocation;

/// A claimed step and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) step: &'a TicketWrite,
    /// What a ticket or note is made of.
    pub(crate) text: Option<&'a Payload>,
    pub(crate) settings: &'a Settings,
    pub(crate) invocation: &'a Invocation,
}

/// What a performed step brought.
#[derive(Debug)]
pub(crate) enum Made {
    /// A new ticket.
    Ticket(Box<Ticket>),
    /// Anything else.
    Step(WriteEffect),
}

/// What a search for a token showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// These carry it.
    Found(Vec<FoundTicket>),
    /// None does.
    None,
    /// It did not even show the tickets that it must: it says nothing.
    Blind,
}

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// Looking before the write failed: nothing was written.
    #[error("looking failed: {0}")]
    Look(Error),
    #[error("writing failed: {0}")]
    Write(Error),
    /// The write was answered, and what came of it could not be read.
    #[error("reading the ticket after the write failed: {0}")]
    Unverified(Error),
    /// There is no time left for the answer of a write: nothing was written.
    #[error("too little time is left for a write")]
    NoTime,
    /// The record has no words for the ticket or note: nothing was written.
    #[error("no text")]
    NoText,
    /// ConnectWise answered 200, and the ticket is not closed, or not open.
    #[error("the status does not close the ticket, or not open it")]
    StatusWithoutEffect,
    /// ConnectWise answered 200, and the ticket has another priority.
    #[error("the ticket kept its priority")]
    PriorityWithoutEffect,
}

/// What ConnectWise says of a write that has no effect: it answers that all is well.
const NO_WORDS: &str = "";

impl TicketError {
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::NoClient(err) => err.reaction(),
            Self::Look(err) | Self::Write(err) | Self::Unverified(err) => err.reaction(),
            Self::NoTime => Reaction::Retry {
                after: Some(Duration::from_secs(1)),
            },
            Self::NoText => Reaction::Retry { after: None },
            Self::StatusWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(TicketTarget::Status),
            },
            Self::PriorityWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(TicketTarget::Priority),
            },
        }
    }

    /// What ConnectWise refused for the sake of this alert alone, where that is why the alert is blocked for this reason.
    pub(crate) fn refusal(&self, op: Option<Op>, reason: &Blocked) -> Option<CallRefusal> {
        let words = match (reason, self) {
            (Blocked::TargetGone(_), Self::StatusWithoutEffect | Self::PriorityWithoutEffect) => {
                NO_WORDS
            }
            (
                Blocked::TargetGone(_),
                Self::Look(Error::TargetGone { words, .. })
                | Self::Write(Error::TargetGone { words, .. })
                | Self::Unverified(Error::TargetGone { words, .. }),
            )
            | (Blocked::Rejected(words), _) => words,
            (_, _) => return None,
        };
        let words = words.to_owned();
        Some(CallRefusal { op, words })
    }

    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Write(err) => err.may_have_been_done(),
            Self::Unverified(_) => true,
            Self::NoClient(_)
            | Self::Look(_)
            | Self::NoTime
            | Self::NoText
            | Self::StatusWithoutEffect
            | Self::PriorityWithoutEffect => false,
        }
    }

    /// What is known of the connection without asking further: nothing, where the failure makes more doubtful than its call.
    pub(crate) fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::NoClient(err) => err.call_outcome(),
            Self::Look(err) | Self::Write(err) | Self::Unverified(err) => match err.suspects() {
                Some(_) => CallOutcome::Nothing,
                None => err.call_outcome(),
            },
            Self::NoTime | Self::NoText => CallOutcome::Nothing,
            Self::StatusWithoutEffect | Self::PriorityWithoutEffect => CallOutcome::Works,
        }
    }

    /// The call whose failure means that nothing is written.
    pub(crate) fn call(&self) -> Option<&Error> {
        match self {
            Self::Look(err) | Self::Write(err) => Some(err),
            Self::NoClient(_)
            | Self::Unverified(_)
            | Self::NoTime
            | Self::NoText
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
    /// Makes the step's one write, with the reads before and after it.
    pub(crate) async fn make(&self) -> Result<Made, TicketError> {
        let done = match self.work.step {
            TicketWrite::Create(create) => return self.create(create).await,
            TicketWrite::Note { ticket_id, note } => self.note(*ticket_id, note).await,
            TicketWrite::Patch {
                ticket_id,
                priority,
                ..
            } => self.patch(*ticket_id, *priority).await,
            TicketWrite::Close { ticket_id } => self.close(*ticket_id).await,
            TicketWrite::Reopen(reopen) => self.reopen(reopen).await,
            TicketWrite::Repair(duplicate) => self.repair(duplicate.ticket_id).await,
        };
        let deleted = |err: &TicketError| matches!(err.call(), Some(Error::NotFound { .. }));
        match done {
            // Deleted by a technician: recorded, not fought.
            Err(err) if deleted(&err) => {
                let deleted = TicketEnd::from(ClosedBy::Deleted);
                Ok(Made::Step(WriteEffect::Ended(deleted)))
            }
            done => done.map(Made::Step),
        }
    }

    async fn create(&self, create: &TicketCreation) -> Result<Made, TicketError> {
        let (Some(details), Some(text)) = (&self.record.desired.details, self.work.text) else {
            return Err(TicketError::NoText);
        };
        let new = NewTicket {
            summary: summary(text),
            company: create.company,
            board: create.board,
            status: create.status,
            type_: create.kind_type,
            priority: create.priority,
            estimated_start_date: create.raised_at,
            initial_description: description(&self.record.key, details, text, create.previous),
            external_xref: xref(&self.claim.ticket_ref)?,
        };
        let writer = self.client.ticket_writer();
        let ticket = writer.create(&new, self.write_deadline()?).await;
        Ok(Made::Ticket(Box::new(ticket.map_err(TicketError::Write)?)))
    }

    /// A note on a ticket that is still ours and open.
    async fn note(
        &self,
        ticket_id: RecordId,
        note: &NoteContent,
    ) -> Result<WriteEffect, TicketError> {
        if let Some(ended) = self.ended(&self.ticket(ticket_id).await?) {
            return Ok(WriteEffect::Ended(ended));
        }
        let (mark, desired) = (note.kind().mark(&self.claim.id), &self.record.desired);
        let details = desired.details.as_ref();
        let (text, for_customers) = match note {
            NoteContent::Repeats { unreported, .. } => {
                let details = details.ok_or(TicketError::NoText)?;
                let text = repeat_note(*unreported, details, self.work.text, &mark);
                (text, NoteDisplay::Discussion)
            }
            NoteContent::Resolved => (
                resolved_note(false, desired, &mark),
                NoteDisplay::Discussion,
            ),
            NoteContent::Closing => (resolved_note(true, desired, &mark), NoteDisplay::Resolution),
            NoteContent::Reopened => {
                let details = details.ok_or(TicketError::NoText)?;
                let text = reopened_note(details.raised_at, &mark);
                (text, NoteDisplay::Discussion)
            }
            NoteContent::Duplicate { kept, .. } => {
                (duplicate_note(*kept, &mark), NoteDisplay::Internal)
            }
            NoteContent::Kept { duplicate } => {
                (kept_note(*duplicate, &mark), NoteDisplay::Internal)
            }
        };
        // Notes are internal unless the partner says otherwise.
        let display = match self.work.settings.notes_for_customers {
            true => for_customers,
            false => NoteDisplay::Internal,
        };
        let new = NewNote { text, display };
        let writer = self.client.ticket_writer();
        let noted = writer
            .add_note(ticket_id, &new, self.write_deadline()?)
            .await;
        match noted {
            Ok(_) => Ok(WriteEffect::Noted),
            Err(err) if is_optional(note) && is_refused(&err) => {
                tracing::warn!(error = %err, op = ?self.claim.op, "skipped a note that ConnectWise refuses");
                Ok(WriteEffect::Noted)
            }
            Err(err) => Err(TicketError::Write(err)),
        }
    }

    /// GET, PATCH, look at the answer. What a person closed or moved stays as it is.
    async fn patch(
        &self,
        ticket_id: RecordId,
        priority: RecordId,
    ) -> Result<WriteEffect, TicketError> {
        if let Some(ended) = self.ended(&self.ticket(ticket_id).await?) {
            return Ok(WriteEffect::Ended(ended));
        }
        let writer = self.client.ticket_writer();
        let patched = writer
            .set_priority(ticket_id, priority, self.write_deadline()?)
            .await;
        let ticket = patched.map_err(TicketError::Write)?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(WriteEffect::Ended(ended));
        }
        // A workflow may keep the priority, or set its own. An answer that does not name it says nothing against it.
        match ticket.priority {
            Some(set) if set.id != priority => Err(TicketError::PriorityWithoutEffect),
            Some(_) | None => Ok(WriteEffect::Patched),
        }
    }

    async fn close(&self, ticket_id: RecordId) -> Result<WriteEffect, TicketError> {
        let ticket = self.ticket(ticket_id).await?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(WriteEffect::Ended(ended));
        }
        let ended = self.set_closed(&ticket).await?;
        let by = match ended.by {
            ClosedBy::Technician => ClosedBy::Us,
            by @ (ClosedBy::Us | ClosedBy::Deleted | ClosedBy::Moved | ClosedBy::OutOfReach) => by,
        };
        Ok(WriteEffect::Ended(TicketEnd { by, ..ended }))
    }

    /// PATCH, then GET again: the ticket counts as closed only if it stays closed.
    async fn set_closed(&self, ticket: &Ticket) -> Result<TicketEnd, TicketError> {
        let status = self.closing_status(ticket).await?;
        let writer = self.client.ticket_writer();
        let deadline = self.write_deadline()?;
        let set = writer.close(ticket.id, status, deadline).await;
        let closed = self.look_again(ticket.id, set).await?;
        self.ended(&closed).ok_or(TicketError::StatusWithoutEffect)
    }

    /// GET, PATCH, GET again.
    async fn reopen(&self, reopen: &TicketReopening) -> Result<WriteEffect, TicketError> {
        let ticket = self.ticket(reopen.ticket_id).await?;
        let board_id = ticket.board.as_ref().map(|board| board.id);
        match self.ended(&ticket) {
            // Open already: by a technician.
            None => return Ok(WriteEffect::Reopened { board_id }),
            Some(ended) if ended.by == ClosedBy::Technician => {}
            // Ended for good: a new ticket is made instead.
            Some(ended) => return Ok(WriteEffect::Ended(ended)),
        }
        let status = self.opening_status(&ticket).await?;
        let writer = self.client.ticket_writer();
        let deadline = self.write_deadline()?;
        let set = writer.set_status(reopen.ticket_id, status, deadline).await;
        let opened = self.look_again(reopen.ticket_id, set).await?;
        match self.ended(&opened) {
            None => Ok(WriteEffect::Reopened { board_id }),
            Some(ended) if ended.by == ClosedBy::Technician => {
                Err(TicketError::StatusWithoutEffect)
            }
            Some(ended) => Ok(WriteEffect::Ended(ended)),
        }
    }

    /// Closes a duplicate. What a person did with it meanwhile stays.
    async fn repair(&self, ticket_id: RecordId) -> Result<WriteEffect, TicketError> {
        let ticket = self.ticket(ticket_id).await?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(WriteEffect::Ended(ended));
        }
        self.set_closed(&ticket).await?;
        tracing::warn!(
            duplicate_repaired = 1,
            ticket.id = ticket_id,
            "closed a duplicate ticket"
        );
        Ok(WriteEffect::Repaired)
    }

    /// The ticket as it is after its status was set. The answer alone is not enough: a workflow may change the status back.
    async fn look_again(
        &self,
        ticket_id: RecordId,
        set: Result<Ticket, Error>,
    ) -> Result<Ticket, TicketError> {
        set.map_err(TicketError::Write)?;
        let again = self.client.ticket(ticket_id, self.deadline()).await;
        again.map_err(TicketError::Unverified)
    }

    fn deadline(&self) -> Instant {
        self.work.invocation.calls_end()
    }

    /// A write begins only where its answer can be waited for: one that is cut off would be uncertain for minutes.
    fn write_deadline(&self) -> Result<Instant, TicketError> {
        match self.work.invocation.has_time_to_write() {
            true => Ok(self.deadline()),
            false => Err(TicketError::NoTime),
        }
    }

    async fn ticket(&self, ticket_id: RecordId) -> Result<Ticket, TicketError> {
        let ticket = self.client.ticket(ticket_id, self.deadline()).await;
        ticket.map_err(TicketError::Look)
    }

    /// Whether a person ended the ticket, or gave it to other use.
    fn ended(&self, ticket: &Ticket) -> Option<TicketEnd> {
        found(ticket).ended(&self.claim.ticket_ref, self.claim.company_id)
    }

    /// The closing status of the ticket's current board: as set up, or else the board's first that closes.
    async fn closing_status(&self, ticket: &Ticket) -> Result<RecordId, TicketError> {
        let board = ticket
            .board
            .as_ref()
            .ok_or(TicketError::StatusWithoutEffect)?
            .id;
        let target = self.work.settings.board_with_id(board);
        if let Some(status) = target.and_then(|target| target.closing_status) {
            return Ok(status);
        }
        self.first_status(board, |status| status.closed_status)
            .await
    }

    /// The status that opens a ticket of its current board: as set up, or else the board's own for new tickets.
    async fn opening_status(&self, ticket: &Ticket) -> Result<RecordId, TicketError> {
        let board = ticket.board.as_ref();
        let board = board.ok_or(TicketError::StatusWithoutEffect)?.id;
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
    ) -> Result<RecordId, TicketError> {
        let statuses = self.client.board_statuses(board, self.deadline()).await;
        let statuses = statuses.map_err(TicketError::Look)?;
        let usable = statuses
            .iter()
            .filter(|status| fits(status) && !status.inactive);
        let first = usable.min_by_key(|status| (status.sort_order, status.id));
        let first = first.map(|status| status.id);
        first.ok_or(TicketError::StatusWithoutEffect)
    }
}

/// Notes that say why something is done: a note that ConnectWise refuses does not hold that up.
pub(crate) fn is_optional(note: &NoteContent) -> bool {
    match note {
        NoteContent::Closing
        | NoteContent::Reopened
        | NoteContent::Duplicate { .. }
        | NoteContent::Kept { .. } => true,
        NoteContent::Repeats { .. } | NoteContent::Resolved => false,
    }
}

/// Whether this note is refused, by ConnectWise or by something before it, and nothing else is: the ticket was read just before.
/// Keys may have been revoked since that read, so a plain read decides about them.
fn is_refused(err: &Error) -> bool {
    let is_missing = matches!(err, Error::NotFound { .. });
    match err.suspects() {
        Some(Suspicion::Route | Suspicion::Right { .. }) => true,
        Some(Suspicion::Keys) => false,
        None => {
            err.call_outcome() == CallOutcome::Works && !is_missing && !err.may_have_been_done()
        }
    }
}

/// The ticket of a write of unknown outcome, as far as it shows whether the write took effect.
pub(crate) async fn seen(
    client: &Client,
    claim: &Claim,
    ticket_id: RecordId,
    priority: Option<RecordId>,
    deadline: Instant,
) -> Result<ObservedTicket, TicketError> {
    let ticket = match client.ticket(ticket_id, deadline).await {
        Ok(ticket) => ticket,
        Err(Error::NotFound { .. }) => {
            return Ok(ObservedTicket {
                ticket: None,
                is_noted: false,
                is_prioritised: false,
            });
        }
        Err(err) => return Err(TicketError::Look(err)),
    };
    let mut is_noted = false;
    if let Op::Note(kind) = claim.op {
        let notes = client.ticket_notes(ticket_id, deadline).await;
        let notes = notes.map_err(TicketError::Look)?;
        let mark = kind.mark(&claim.id);
        is_noted = notes.iter().any(|note| note.text.contains(&mark));
    }
    let has = ticket.priority.as_ref().map(|priority| priority.id);
    Ok(ObservedTicket {
        is_noted,
        is_prioritised: priority.is_some() && has == priority,
        ticket: Some(found(&ticket)),
    })
}

/// Looks for tickets that carry the token, closed ones included; a failed search is an error, never "none". It must return one of
/// the sentinels.
pub(crate) async fn search(
    client: &Client,
    ticket_ref: &TicketRef,
    sentinels: &[Sentinel],
    deadline: Instant,
) -> Result<Search, TicketError> {
    let mut ticket_refs = vec![xref(ticket_ref)?];
    let others = sentinels.iter().map(|sentinel| &sentinel.ticket_ref);
    for other in others.filter(|other| *other != ticket_ref) {
        ticket_refs.push(xref(other)?);
    }
    let ticket_refs: Vec<&ExternalXref> = ticket_refs.iter().collect();
    let tickets = client
        .tickets_by_external_xref(&ticket_refs, deadline)
        .await;
    let tickets = tickets.map_err(TicketError::Look)?;
    let carries = |ticket: &FoundTicket| ticket.ticket_ref.as_ref() == Some(ticket_ref);
    let ours: Vec<FoundTicket> = tickets.iter().map(found).filter(carries).collect();
    Ok(match ours.is_empty() {
        false => Search::Found(ours),
        true if ticket_refs.len() > 1 && tickets.is_empty() => Search::Blind,
        true => Search::None,
    })
}

/// The numbers of sentinels that are no longer tickets of ours. One that is not found counts only where the role shows its board
/// and the tickets of everybody: else it may be hidden.
pub(crate) async fn gone(
    client: &Client,
    sentinels: &[Sentinel],
    deadline: Instant,
) -> Result<Vec<RecordId>, TicketError> {
    let (mut gone, mut missing) = (vec![], vec![]);
    for sentinel in sentinels {
        match client.ticket(sentinel.ticket_id, deadline).await {
            Ok(ticket) if found(&ticket).ticket_ref.as_ref() == Some(&sentinel.ticket_ref) => {}
            Ok(_) => gone.push(sentinel.ticket_id),
            Err(Error::NotFound { .. }) => missing.push(sentinel),
            Err(err) => return Err(TicketError::Look(err)),
        }
    }
    if missing.is_empty() {
        return Ok(gone);
    }
    let security = client
        .my_security(deadline)
        .await
        .map_err(TicketError::Look)?;
    let listed: Vec<ListedRights<'_>> = security.iter().map(MySecurity::listed).collect();
    if rights::right_status(rights::TICKETS_INQUIRE, &listed) != RightStatus::Granted {
        return Ok(gone);
    }
    let boards = client
        .board_infos(deadline)
        .await
        .map_err(TicketError::Look)?;
    let is_shown = |sentinel: &&Sentinel| {
        let board = sentinel.board_id;
        board.is_some_and(|id| boards.iter().any(|board| board.id == id))
    };
    let missing = missing.into_iter().filter(is_shown);
    gone.extend(missing.map(|sentinel| sentinel.ticket_id));
    Ok(gone)
}

/// All tickets of any life of the alert, closed ones included.
pub(crate) async fn lives(
    client: &Client,
    record: &Record,
    deadline: Instant,
) -> Result<Vec<FoundTicket>, TicketError> {
    let prefix = ExternalXref::parse(format!("tb1-{}-", record.key.item_key()));
    let prefix = prefix.map_err(malformed)?;
    let tickets = client
        .tickets_by_external_xref_prefix(&prefix, deadline)
        .await;
    Ok(tickets
        .map_err(TicketError::Look)?
        .iter()
        .map(found)
        .collect())
}

/// Whether ConnectWise has any ticket of ours.
pub(crate) async fn any(client: &Client, deadline: Instant) -> Result<bool, TicketError> {
    let prefix = ExternalXref::parse("tb1-").map_err(malformed)?;
    let any = client.any_ticket_by_external_xref_prefix(&prefix, deadline);
    any.await.map_err(TicketError::Look)
}

fn xref(ticket_ref: &TicketRef) -> Result<ExternalXref, TicketError> {
    ExternalXref::parse(ticket_ref.as_str()).map_err(malformed)
}

/// A token has only letters, digits and hyphens; a malformed one must never become an unconditional search.
fn malformed(_: connectwise::InvalidXref) -> TicketError {
    TicketError::Look(Error::Rejected {
        words: connectwise::InvalidXref.to_string(),
    })
}
