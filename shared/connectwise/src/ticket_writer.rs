//! The writes of tickets: create, set status and priority, add a note.
//!
//! ConnectWise has no idempotency key. Each write is sent once and never repeated here. The caller
//! holds a claim, and when a write fails it first asks whether the write may have taken effect
//! ([`crate::WriteOutcome`]).

use domain::RecordId;
use domain::setup::assignment::Assignee;
use domain::setup::custom_fields::FilledField;
use domain::setup::rights;
use domain::setup::settings::TicketType;
use jiff::Timestamp;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use crate::call::ApiCall;
use crate::client::Client;
use crate::conditions::ExternalXref;
use crate::error::Error;
use crate::records::{Ticket, TicketNote};
use crate::request_body::{RecordRef, ReplaceOp};

/// Writes tickets over one connection.
#[derive(Debug, Clone)]
pub struct TicketWriter(Client);

/// A ticket to create. ConnectWise fills what is left out with its own defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    /// The title, at most 100 characters.
    pub summary: String,
    pub company: RecordId,
    /// The API member's default board if left out.
    pub board: Option<RecordId>,
    /// One of the board's statuses.
    pub status: Option<RecordId>,
    /// One of the board's types.
    pub type_: Option<RecordId>,
    /// One of the type's subtypes.
    pub sub_type: Option<RecordId>,
    /// One of the subtype's items.
    pub item: Option<RecordId>,
    pub priority: Option<RecordId>,
    /// Where the ticket came from.
    pub source: Option<RecordId>,
    /// One of the company's contacts.
    pub contact: Option<RecordId>,
    /// The team, which must be one of the board's, and the owner.
    pub assignee: Assignee,
    pub custom_fields: Vec<FilledField>,
    /// When the alert was raised. ConnectWise receives whole seconds.
    pub estimated_start_date: Timestamp,
    /// The first note. ConnectWise takes it at creation only, and never returns it.
    pub initial_description: String,
    /// The reference by which the ticket is found again.
    pub external_xref: ExternalXref,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    pub text: String,
    pub display: NoteDisplay,
}

/// Where a note is shown. ConnectWise refuses a note that is shown nowhere, so there is no such
/// value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteDisplay {
    /// To technicians only.
    Internal,
    /// In the discussion, which customers see.
    Discussion,
    /// As the resolution, which customers see.
    Resolution,
    InternalAndResolution,
    DiscussionAndResolution,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TicketBody<'a> {
    summary: &'a str,
    record_type: &'static str,
    company: RecordRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<RecordRef>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<RecordRef>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    custom_fields: &'a [FilledField],
    estimated_start_date: String,
    initial_description: &'a str,
    #[serde(rename = "externalXRef")]
    external_xref: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoteBody<'a> {
    text: &'a str,
    detail_description_flag: bool,
    internal_analysis_flag: bool,
    resolution_flag: bool,
}

impl Client {
    /// Returns the writes of tickets. Only `functions/tickets` may call this, and a lint enforces
    /// it: that function alone holds the claims that make a write safe.
    #[must_use]
    pub fn ticket_writer(&self) -> TicketWriter {
        TicketWriter(self.clone())
    }
}

impl TicketWriter {
    /// Creates a ticket. If the process dies right after, the ticket may exist: it must be searched
    /// for by its reference before another one is created.
    ///
    /// # Errors
    /// See [`Error`]. A company, board, status, type, priority, team or owner that does not exist is
    /// [`Error::TargetMissing`]. Any other member is [`Error::Rejected`].
    pub async fn create(&self, new: &NewTicket, deadline: Instant) -> Result<Ticket, Error> {
        let call = ApiCall::write(Method::POST, "/service/tickets", rights::TICKETS_ADD);
        let body = TicketBody::from(new);
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Sets a ticket's status and returns the ticket as answered. ConnectWise can answer 200 and
    /// change nothing, so the caller checks `status` and `closed_flag`. If the process dies right
    /// after, the write can be repeated safely.
    ///
    /// # Errors
    /// See [`Error`]. A status that is not one of the ticket's current board is
    /// [`Error::TargetMissing`].
    pub async fn set_status(
        &self,
        id: RecordId,
        status: RecordId,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        self.replace(id, "status", status, rights::TICKETS_EDIT, deadline)
            .await
    }

    /// [`Self::set_status`] to a closed status. The call is the same, but needs the right to close
    /// besides the right to edit. A refusal does not say which of the two is missing, and the error
    /// names the right to close.
    ///
    /// # Errors
    /// As for [`Self::set_status`].
    pub async fn close(
        &self,
        id: RecordId,
        closed_status: RecordId,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        self.replace(id, "status", closed_status, rights::TICKETS_CLOSE, deadline)
            .await
    }

    /// Sets a ticket's priority. If the process dies right after, the write can be repeated safely.
    pub async fn set_priority(
        &self,
        id: RecordId,
        priority: RecordId,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        self.replace(id, "priority", priority, rights::TICKETS_EDIT, deadline)
            .await
    }

    /// Sets a ticket's type, subtype and item. What the ticket has beyond them is removed, since it
    /// belongs to another type. If the process dies right after, the write can be repeated safely.
    pub async fn set_type(
        &self,
        ticket: &Ticket,
        chosen: TicketType,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        let path = format!("/service/tickets/{}", ticket.id);
        let call = ApiCall::write(Method::PATCH, path, rights::TICKETS_EDIT);
        let fields = [
            ("type", Some(chosen.kind_type), ticket.type_.is_some()),
            ("subType", chosen.subtype, ticket.sub_type.is_some()),
            ("item", chosen.item, ticket.item.is_some()),
        ];
        let changed = fields
            .into_iter()
            .filter(|(_, value, has_one)| value.is_some() || *has_one);
        let body: Vec<_> = changed
            .map(|(path, value, _)| ReplaceOp::new(path, value.map(|id| RecordRef { id })))
            .collect();
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a note. If the process dies right after, the note may exist: it must be looked for by
    /// its marker in [`Client::ticket_notes`].
    pub async fn add_note(
        &self,
        id: RecordId,
        note: &NewNote,
        deadline: Instant,
    ) -> Result<TicketNote, Error> {
        let path = format!("/service/tickets/{id}/notes");
        let call = ApiCall::write(Method::POST, path, rights::TICKETS_ADD);
        let body = NoteBody::from(note);
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Links a ticket to a configuration. If the process dies right after, the ticket may be linked:
    /// linking it again adds no second link.
    pub async fn link_configuration(
        &self,
        id: RecordId,
        configuration: RecordId,
        deadline: Instant,
    ) -> Result<(), Error> {
        let path = format!("/service/tickets/{id}/configurations");
        let call = ApiCall::write(Method::POST, path, rights::TICKETS_EDIT);
        let body = RecordRef { id: configuration };
        self.0.send_json(&call, &body, deadline).await.map(drop)
    }

    async fn replace(
        &self,
        id: RecordId,
        path: &'static str,
        value: RecordId,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        let call = ApiCall::write(Method::PATCH, format!("/service/tickets/{id}"), right);
        let body = [ReplaceOp::new(path, RecordRef { id: value })];
        self.0.send_json(&call, &body, deadline).await?.parse()
    }
}

impl<'a> From<&'a NewTicket> for TicketBody<'a> {
    fn from(new: &'a NewTicket) -> Self {
        let reference = |id| RecordRef { id };
        Self {
            summary: &new.summary,
            record_type: "ServiceTicket",
            company: reference(new.company),
            board: new.board.map(reference),
            status: new.status.map(reference),
            type_: new.type_.map(reference),
            sub_type: new.sub_type.map(reference),
            item: new.item.map(reference),
            priority: new.priority.map(reference),
            source: new.source.map(reference),
            contact: new.contact.map(reference),
            team: new.assignee.team.map(reference),
            owner: new.assignee.owner.map(reference),
            custom_fields: &new.custom_fields,
            // All of ConnectWise's samples have this form: UTC, whole seconds.
            estimated_start_date: new
                .estimated_start_date
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            initial_description: &new.initial_description,
            external_xref: new.external_xref.as_str(),
        }
    }
}

impl<'a> From<&'a NewNote> for NoteBody<'a> {
    fn from(note: &'a NewNote) -> Self {
        let (discussion, internal, resolution) = match note.display {
            NoteDisplay::Internal => (false, true, false),
            NoteDisplay::Discussion => (true, false, false),
            NoteDisplay::Resolution => (false, false, true),
            NoteDisplay::InternalAndResolution => (false, true, true),
            NoteDisplay::DiscussionAndResolution => (true, false, true),
        };
        Self {
            text: &note.text,
            detail_description_flag: discussion,
            internal_analysis_flag: internal,
            resolution_flag: resolution,
        }
    }
}
