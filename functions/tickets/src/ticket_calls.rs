//! The calls of one claimed step: its one write, with the reads before and after it. Nothing is
//! recorded here.

use connections::{found_ticket, ticket_activity, ticket_entry, ticket_type};
use connectwise::{
    BoardStatus, Client, Error, NewNote, NewTicket, NoteDisplay, Suspicion, Ticket, TicketWriter,
};
use domain::RecordId;
use domain::alert::event::Payload;
use domain::alert::record::{Claim, ClosedBy, Record, TicketEnd};
use domain::connection::breaker::CallOutcome;
use domain::setup::custom_fields::fill;
use domain::setup::settings::{Settings, TicketType};
use domain::ticketing::manual_change::ManualChange;
use domain::ticketing::note_mark::{NoteAudience, note_mark};
use domain::ticketing::ticket_activity::{
    Finding, TicketEntry, find_manual_change, is_without_person,
};
use domain::ticketing::ticket_text::{
    answer_note, description, duplicate_note, kept_note, reopened_note, repeat_note, resolved_note,
    storm_note, summary,
};
use domain::ticketing::ticket_write::{NoteContent, TicketCreation, TicketReopening, TicketWrite};
use domain::ticketing::write_effect::WriteEffect;
use domain::time::later;
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::BatchInvocation;
use crate::searches::xref;
use crate::ticket_error::TicketError;

/// A ticket that is not older than this is linked without reading it before.
const JUST_CREATED: SignedDuration = SignedDuration::from_secs(60);

/// A claimed step, and what its write is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) step: &'a TicketWrite,
    /// The text of a ticket or note.
    pub(crate) text: Option<&'a Payload>,
    /// The contact of a new ticket, or the configuration that a ticket is linked to.
    pub(crate) linked: Option<RecordId>,
    pub(crate) settings: &'a Settings,
    pub(crate) invocation: &'a BatchInvocation,
}

/// The result of a write.
#[derive(Debug)]
pub(crate) enum WriteResult {
    /// A new ticket.
    Created(Box<Ticket>),
    /// A new ticket, whose contact ConnectWise refused.
    CreatedWithoutContact(Box<Ticket>),
    /// The effect on an existing ticket.
    Effect(WriteEffect),
}

/// The calls of one claimed step.
pub(crate) struct TicketCalls<'a> {
    pub(crate) client: Client,
    pub(crate) record: &'a Record,
    pub(crate) claim: &'a Claim,
    pub(crate) work: Work<'a>,
}

impl TicketCalls<'_> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this function holds the claim of each write"
    )]
    fn writer(&self) -> TicketWriter {
        self.client.ticket_writer()
    }

    /// Makes the step's one write.
    pub(crate) async fn write(&self) -> Result<WriteResult, TicketError> {
        let effect = match self.work.step {
            TicketWrite::Create(create) => return self.create(create).await,
            TicketWrite::Link { ticket_id, .. } => return self.link(*ticket_id).await,
            TicketWrite::Note { ticket_id, note } => self.note(*ticket_id, note).await,
            TicketWrite::Patch {
                ticket_id,
                priority,
                ..
            } => self.patch(*ticket_id, *priority).await,
            TicketWrite::SetType {
                ticket_id,
                ticket_type,
            } => self.set_type(*ticket_id, *ticket_type).await,
            TicketWrite::Close { ticket_id, .. } => self.close(*ticket_id).await,
            TicketWrite::Reopen(reopen) => self.reopen(reopen).await,
            TicketWrite::Repair(duplicate) => self.repair(duplicate.ticket_id).await,
        };
        match effect {
            // A technician deleted the ticket. That is recorded, and no new one is made.
            Err(err) if matches!(err.call(), Some(Error::NotFound { .. })) => {
                let deleted = TicketEnd::from(ClosedBy::Deleted);
                Ok(WriteResult::Effect(WriteEffect::Ended(deleted)))
            }
            effect => effect.map(WriteResult::Effect),
        }
    }

    async fn create(&self, create: &TicketCreation) -> Result<WriteResult, TicketError> {
        let (Some(details), Some(text)) = (&self.record.desired.details, self.work.text) else {
            return Err(TicketError::NoText);
        };
        let mut new = NewTicket {
            summary: summary(text),
            company: create.company,
            board: create.board,
            status: create.status,
            type_: create.ticket_type.map(|chosen| chosen.kind_type),
            sub_type: create.ticket_type.and_then(|chosen| chosen.subtype),
            item: create.ticket_type.and_then(|chosen| chosen.item),
            priority: create.priority,
            source: create.source,
            contact: self.work.linked,
            assignee: create.assignee,
            custom_fields: fill(&create.custom_fields, &self.record.key, details, text),
            estimated_start_date: create.raised_at,
            initial_description: description(&self.record.key, details, text, create.previous),
            external_xref: xref(&self.claim.ticket_ref)?,
        };
        let writer = self.writer();
        let ticket = match writer.create(&new, self.write_deadline()?).await {
            // It may have been deleted since it was looked up. The refused call made no ticket.
            Err(err) if new.contact.is_some() && is_about_content(&err) => {
                tracing::warn!(error = %err, "ConnectWise refused a ticket with a contact; creating it without");
                new.contact = None;
                let ticket = writer.create(&new, self.write_deadline()?).await;
                let ticket = ticket.map_err(TicketError::Write)?;
                return Ok(WriteResult::CreatedWithoutContact(Box::new(ticket)));
            }
            ticket => ticket.map_err(TicketError::Write)?,
        };
        Ok(WriteResult::Created(Box::new(ticket)))
    }

    /// POST. A ticket that was created just now is not read before.
    async fn link(&self, ticket_id: RecordId) -> Result<WriteResult, TicketError> {
        let opened_at = self.record.open().map(|open| open.opened_at);
        let is_new = opened_at.is_some_and(|at| later(at, JUST_CREATED) > self.claim.began_at);
        if !is_new && let Err(effect) = self.ticket_to_change(ticket_id).await? {
            return Ok(WriteResult::Effect(effect));
        }
        if let Some(configuration) = self.work.linked {
            let deadline = self.write_deadline()?;
            let writer = self.writer();
            let linked = writer.link_configuration(ticket_id, configuration, deadline);
            linked.await.map_err(TicketError::Write)?;
        }
        Ok(WriteResult::Effect(WriteEffect::Linked))
    }

    /// GET, POST. A ticket that a technician closed or moved gets no note. Nor does one that stays
    /// open the note that it is closed.
    async fn note(
        &self,
        ticket_id: RecordId,
        note: &NoteContent,
    ) -> Result<WriteEffect, TicketError> {
        if let Err(effect) = self.ticket_to_change(ticket_id).await? {
            return Ok(effect);
        }
        let new = self.new_note(note)?;
        let writer = self.writer();
        let noted = writer
            .add_note(ticket_id, &new, self.write_deadline()?)
            .await;
        match noted {
            Ok(_) => Ok(WriteEffect::Noted),
            Err(err) if is_optional(note) && is_refused_alone(&err) => {
                tracing::warn!(error = %err, op = ?self.claim.op, "skipped a note that ConnectWise refuses");
                Ok(WriteEffect::Noted)
            }
            Err(err) => Err(TicketError::Write(err)),
        }
    }

    /// The note's text, with a mark by which a later read finds it. Notes are internal unless the
    /// partner chose otherwise.
    fn new_note(&self, note: &NoteContent) -> Result<NewNote, TicketError> {
        let display = self.display(note);
        let audience = match display {
            NoteDisplay::Internal => NoteAudience::Technicians,
            NoteDisplay::Discussion
            | NoteDisplay::Resolution
            | NoteDisplay::InternalAndResolution
            | NoteDisplay::DiscussionAndResolution => NoteAudience::Customers,
        };
        let mark = note_mark(note.kind(), self.claim, audience);
        let desired = &self.record.desired;
        let details = desired.details.as_ref().ok_or(TicketError::NoText);
        let text = match note {
            NoteContent::Repeats { .. } if self.record.key.source.is_for_storms() => {
                storm_note(self.work.text, &mark)
            }
            NoteContent::Repeats { unreported, .. } => {
                let flaps = self.work.settings.flapping.and_then(|rule| {
                    let now = self.work.invocation.now();
                    Some((rule, rule.count(&self.record.raises, now)?))
                });
                repeat_note(*unreported, details?, self.work.text, flaps, &mark)
            }
            NoteContent::Resolved { change } => resolved_note(false, *change, desired, &mark),
            NoteContent::Closing { .. } => resolved_note(true, None, desired, &mark),
            NoteContent::Reopened => reopened_note(details?.raised_at, &mark),
            NoteContent::Duplicate { kept, .. } => duplicate_note(*kept, &mark),
            NoteContent::Kept { duplicate } => kept_note(*duplicate, &mark),
            NoteContent::Answer { text } => answer_note(text, &mark),
        };
        Ok(NewNote { text, display })
    }

    /// Where the note is shown. Customers see nothing about duplicates.
    fn display(&self, note: &NoteContent) -> NoteDisplay {
        if !self.work.settings.notes_for_customers {
            return NoteDisplay::Internal;
        }
        match note {
            NoteContent::Repeats { .. } | NoteContent::Resolved { .. } | NoteContent::Reopened => {
                NoteDisplay::Discussion
            }
            NoteContent::Closing { .. } => NoteDisplay::Resolution,
            // It was a technician who asked.
            NoteContent::Duplicate { .. }
            | NoteContent::Kept { .. }
            | NoteContent::Answer { .. } => NoteDisplay::Internal,
        }
    }

    /// GET, PATCH. A ticket that a technician closed or moved is left as it is.
    async fn patch(
        &self,
        ticket_id: RecordId,
        priority: RecordId,
    ) -> Result<WriteEffect, TicketError> {
        if let Err(effect) = self.ticket_to_change(ticket_id).await? {
            return Ok(effect);
        }
        let writer = self.writer();
        let patched = writer
            .set_priority(ticket_id, priority, self.write_deadline()?)
            .await;
        let ticket = patched.map_err(TicketError::Write)?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(WriteEffect::Ended(ended));
        }
        // A workflow may keep the priority, or set another. An answer without a priority is taken
        // for success.
        match ticket.priority {
            Some(actual) if actual.id != priority => Err(TicketError::PriorityWithoutEffect),
            Some(_) | None => Ok(WriteEffect::Patched { priority }),
        }
    }

    /// GET, GET, PATCH.
    async fn set_type(
        &self,
        ticket_id: RecordId,
        chosen: TicketType,
    ) -> Result<WriteEffect, TicketError> {
        let ticket = match self.ticket_to_change(ticket_id).await? {
            Ok(ticket) => ticket,
            Err(effect) => return Ok(effect),
        };
        let writer = self.writer();
        let deadline = self.write_deadline()?;
        let set = writer.set_type(&ticket, chosen, deadline).await;
        let ticket = set.map_err(TicketError::Write)?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(WriteEffect::Ended(ended));
        }
        match ticket_type(&ticket) {
            Some(actual) if actual.kind_type != chosen.kind_type => {
                Err(TicketError::TypeWithoutEffect)
            }
            Some(_) | None => Ok(WriteEffect::TypeSet(chosen)),
        }
    }

    async fn close(&self, ticket_id: RecordId) -> Result<WriteEffect, TicketError> {
        // It was looked at before the note, and a person may have begun since.
        let ticket = match self.ticket_to_change(ticket_id).await? {
            Ok(ticket) => ticket,
            Err(effect) => return Ok(effect),
        };
        let ended = self.set_closed(&ticket).await?;
        let by = match ended.by {
            ClosedBy::Technician => ClosedBy::Us,
            by @ (ClosedBy::Us | ClosedBy::Deleted | ClosedBy::Moved | ClosedBy::OutOfReach) => by,
        };
        Ok(WriteEffect::Ended(TicketEnd { by, ..ended }))
    }

    /// Reads the ticket before it is changed. `Err` is the effect of the step if it is not made: a
    /// person ended the ticket, or worked on it.
    async fn ticket_to_change(
        &self,
        ticket_id: RecordId,
    ) -> Result<Result<Ticket, WriteEffect>, TicketError> {
        let ticket = self.ticket(ticket_id).await?;
        if let Some(ended) = self.ended(&ticket) {
            return Ok(Err(WriteEffect::Ended(ended)));
        }
        let left = self.left_open(&ticket).await?;
        Ok(left.map_or(Ok(ticket), Err))
    }

    /// The effect of the step if it is not made because a person worked on the ticket.
    async fn left_open(&self, ticket: &Ticket) -> Result<Option<WriteEffect>, TicketError> {
        if !self.work.step.is_only_for_untouched() {
            return Ok(None);
        }
        let change = self.manual_change(ticket).await?;
        Ok(change.map(WriteEffect::LeftOpen))
    }

    /// What a person did with the ticket, if anything: one or two GETs. If ConnectWise does not show
    /// it, the ticket counts as changed by a person.
    async fn manual_change(&self, ticket: &Ticket) -> Result<Option<ManualChange>, TicketError> {
        let Some(open) = self.record.open() else {
            return Ok(None);
        };
        let activity = ticket_activity(ticket);
        let entries = self.client.ticket_entries(ticket.id, self.deadline()).await;
        let Some(entries) = unless_refused(entries)? else {
            return Ok(Some(ManualChange::Unknown));
        };
        let entries: Vec<TicketEntry> = entries.iter().map(ticket_entry).collect();
        let settings = self.work.settings;
        let target = settings.board_of_ticket(self.record.category(), open.board_id);
        let change = match find_manual_change(open, target, &activity, &entries) {
            Finding::Untouched => return Ok(None),
            Finding::Changed(change) => return Ok(Some(change)),
            Finding::Differs(change) => change,
        };
        let trail = self
            .client
            .ticket_audit_trail(ticket.id, self.deadline())
            .await;
        let trail = unless_refused(trail)?.unwrap_or_default();
        let authors = trail.iter().map(|entry| entry.entered_by.as_str());
        let is_by_rule = is_without_person(authors, &activity);
        Ok(Some(change).filter(|_| !is_by_rule))
    }

    /// PATCH, GET. The ticket counts as closed only if the second read shows it closed.
    async fn set_closed(&self, ticket: &Ticket) -> Result<TicketEnd, TicketError> {
        let status = self.closing_status(ticket).await?;
        let writer = self.writer();
        let deadline = self.write_deadline()?;
        let set = writer.close(ticket.id, status, deadline).await;
        let closed = self.read_again(ticket.id, set).await?;
        self.ended(&closed).ok_or(TicketError::StatusWithoutEffect)
    }

    /// GET, PATCH, GET.
    async fn reopen(&self, reopen: &TicketReopening) -> Result<WriteEffect, TicketError> {
        let ticket = self.ticket(reopen.ticket_id).await?;
        let board_id = ticket.board.as_ref().map(|board| board.id);
        match self.ended(&ticket) {
            // A technician reopened it.
            None => return Ok(WriteEffect::Reopened { board_id }),
            Some(ended) if ended.by == ClosedBy::Technician => {}
            // It cannot be reopened. A new ticket is created instead.
            Some(ended) => return Ok(WriteEffect::Ended(ended)),
        }
        let status = self.opening_status(&ticket).await?;
        let writer = self.writer();
        let deadline = self.write_deadline()?;
        let set = writer.set_status(reopen.ticket_id, status, deadline).await;
        let opened = self.read_again(reopen.ticket_id, set).await?;
        match self.ended(&opened) {
            None => Ok(WriteEffect::Reopened { board_id }),
            Some(ended) if ended.by == ClosedBy::Technician => {
                Err(TicketError::StatusWithoutEffect)
            }
            Some(ended) => Ok(WriteEffect::Ended(ended)),
        }
    }

    /// Closes a duplicate, unless a technician ended it or uses it otherwise.
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

    /// Reads the ticket after its status was set. The answer of the PATCH is not enough: a workflow
    /// may change the status back.
    async fn read_again(
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

    /// A write begins only if there is time for its answer. If it were cut off, its outcome would
    /// be unknown for minutes.
    fn write_deadline(&self) -> Result<Instant, TicketError> {
        if self.work.invocation.has_time_to_write() {
            Ok(self.deadline())
        } else {
            Err(TicketError::NoTime)
        }
    }

    async fn ticket(&self, ticket_id: RecordId) -> Result<Ticket, TicketError> {
        let ticket = self.client.ticket(ticket_id, self.deadline()).await;
        ticket.map_err(TicketError::Read)
    }

    /// Whether a technician ended the ticket, or uses it for something else.
    fn ended(&self, ticket: &Ticket) -> Option<TicketEnd> {
        found_ticket(ticket, Some(self.work.settings))
            .ended(&self.claim.ticket_ref, self.claim.company_id)
    }

    /// The closing status of the ticket's present board: the configured one, or the board's first
    /// closed status.
    async fn closing_status(&self, ticket: &Ticket) -> Result<RecordId, TicketError> {
        let board = board_of(ticket)?;
        let target = self.work.settings.board_with_id(board);
        match target.and_then(|target| target.closing_status) {
            Some(status) => Ok(status),
            None => {
                self.first_status(board, |status| status.closed_status)
                    .await
            }
        }
    }

    /// The status that opens a ticket of its present board: the configured start status, or the
    /// board's first open status.
    async fn opening_status(&self, ticket: &Ticket) -> Result<RecordId, TicketError> {
        let board = board_of(ticket)?;
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
        is_suitable: impl Fn(&BoardStatus) -> bool,
    ) -> Result<RecordId, TicketError> {
        let statuses = self.client.board_statuses(board, self.deadline()).await;
        let statuses = statuses.map_err(TicketError::Read)?;
        let first = statuses
            .iter()
            .filter(|status| is_suitable(status) && !status.inactive)
            .min_by_key(|status| (status.sort_order, status.id));
        let first = first.map(|status| status.id);
        first.ok_or(TicketError::StatusWithoutEffect)
    }
}

fn board_of(ticket: &Ticket) -> Result<RecordId, TicketError> {
    let board = ticket.board.as_ref();
    Ok(board.ok_or(TicketError::StatusWithoutEffect)?.id)
}

/// Whether ConnectWise refuses a member of a new ticket.
fn is_about_content(err: &Error) -> bool {
    matches!(err, Error::Rejected { .. } | Error::NotFound { .. })
}

/// Whether the note only explains another write. That write is made even if ConnectWise refuses the
/// note.
pub(crate) fn is_optional(note: &NoteContent) -> bool {
    match note {
        NoteContent::Closing { .. }
        | NoteContent::Reopened
        | NoteContent::Duplicate { .. }
        | NoteContent::Kept { .. }
        | NoteContent::Answer { .. } => true,
        NoteContent::Repeats { .. } | NoteContent::Resolved { .. } => false,
    }
}

/// The result of a read, or `None` if ConnectWise refuses this read and nothing else.
fn unless_refused<T>(read: Result<T, Error>) -> Result<Option<T>, TicketError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(err) if is_refused_alone(&err) || matches!(err, Error::NotFound { .. }) => {
            tracing::warn!(error = %err, "ConnectWise does not show what was done with a ticket");
            Ok(None)
        }
        Err(err) => Err(TicketError::Read(err)),
    }
}

/// Whether ConnectWise, or something before it, refuses this call and nothing else: the ticket was
/// read just before. Keys may have been revoked since, so a plain read decides about them.
fn is_refused_alone(err: &Error) -> bool {
    let is_missing = matches!(err, Error::NotFound { .. });
    let failure = err.classify();
    match failure.suspicion {
        Some(Suspicion::Route | Suspicion::Right { .. }) => true,
        Some(Suspicion::Keys) => false,
        None => failure.outcome == CallOutcome::Works && !is_missing && !failure.is_uncertain(),
    }
}
