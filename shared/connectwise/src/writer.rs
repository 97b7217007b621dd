//! The writes of tickets: their making, their status and priority, their notes.
//!
//! ConnectWise has no idempotency key. Each write is sent once and never repeated here; the caller holds a claim, and asks
//! [`Error::may_have_been_done`] before anything else when one fails.

use domain::RecordId;
use jiff::Timestamp;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::conditions::ExternalXref;
use crate::error::Error;
use crate::records::{Note, Ticket};
use crate::rights;

/// Writes tickets to one connection; see [`Client::ticket_writer`] for who may.
#[derive(Debug, Clone)]
pub struct TicketWriter(Client);

/// A ticket to make. What is left out, ConnectWise fills with its own defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    /// The title, at most 100 characters.
    pub summary: String,
    /// Whose it is.
    pub company: RecordId,
    /// Where it goes; the API member's default board if left out.
    pub board: Option<RecordId>,
    /// Its first status, one of that board's.
    pub status: Option<RecordId>,
    /// Its type, one of that board's.
    pub type_: Option<RecordId>,
    /// Its priority.
    pub priority: Option<RecordId>,
    /// When the alert was raised; whole seconds reach ConnectWise.
    pub estimated_start_date: Timestamp,
    /// The first note. ConnectWise takes it at creation only and never gives it back.
    pub initial_description: String,
    /// The token by which the ticket is found again.
    pub external_xref: ExternalXref,
}

/// A note to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    /// What it says.
    pub text: String,
    /// Who sees it.
    pub display: NoteDisplay,
}

/// Where a note shows. ConnectWise refuses a note that shows nowhere, so there is no such value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteDisplay {
    /// To technicians only.
    Internal,
    /// In the discussion, which customers see.
    Discussion,
    /// As the resolution, which customers see.
    Resolution,
    /// To technicians, and as the resolution.
    InternalAndResolution,
    /// In the discussion, and as the resolution.
    DiscussionAndResolution,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TicketBody<'a> {
    summary: &'a str,
    record_type: &'static str,
    company: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Id>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Id>,
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

#[derive(Serialize)]
pub(crate) struct Id {
    pub(crate) id: RecordId,
}

/// ConnectWise's guide: the path is a bare name, and a reference is replaced whole; `status/id` may answer 200 and change
/// nothing.
#[derive(Serialize)]
pub(crate) struct Replace<V> {
    pub(crate) op: &'static str,
    pub(crate) path: &'static str,
    pub(crate) value: V,
}

impl TicketWriter {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Makes a ticket. If the process dies right after, the ticket may exist: it is searched for by its token, never made again
    /// unseen.
    ///
    /// # Errors
    /// See [`Error`]; a company, board, status, type or priority that is gone is [`Error::TargetGone`].
    pub async fn create(&self, new: &NewTicket, deadline: Instant) -> Result<Ticket, Error> {
        let call = Call::write(Method::POST, "/service/tickets", rights::TICKETS_ADD);
        let body = TicketBody::of(new);
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Gives a ticket another status, and returns it as answered: ConnectWise can answer 200 and change nothing, so the caller
    /// looks at `status` and `closed_flag`. If the process dies right after, setting it again changes nothing.
    ///
    /// # Errors
    /// See [`Error`]; a status that is not of the ticket's current board is [`Error::TargetGone`].
    pub async fn set_status(
        &self,
        id: RecordId,
        status: RecordId,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        self.replace(id, "status", status, rights::TICKETS_EDIT, deadline)
            .await
    }

    /// [`Self::set_status`] to a closed status: the same call, but it needs a right of its own besides the one to edit. A
    /// refusal does not say which of the two is missing; the error names the one to close.
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

    /// Gives a ticket another priority. If the process dies right after, setting it again changes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set_priority(
        &self,
        id: RecordId,
        priority: RecordId,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        self.replace(id, "priority", priority, rights::TICKETS_EDIT, deadline)
            .await
    }

    /// Adds a note. If the process dies right after, the note may exist: it is looked for by its mark in
    /// [`Client::ticket_notes`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn add_note(
        &self,
        id: RecordId,
        note: &NewNote,
        deadline: Instant,
    ) -> Result<Note, Error> {
        let path = format!("/service/tickets/{id}/notes");
        let call = Call::write(Method::POST, path, rights::TICKETS_ADD);
        let body = NoteBody::of(note);
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    async fn replace(
        &self,
        id: RecordId,
        path: &'static str,
        value: RecordId,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Ticket, Error> {
        let call = Call::write(Method::PATCH, format!("/service/tickets/{id}"), right);
        let body = [Replace {
            op: "replace",
            path,
            value: Id { id: value },
        }];
        self.0.send_json(&call, &body, deadline).await?.parse()
    }
}

impl<'a> TicketBody<'a> {
    fn of(new: &'a NewTicket) -> Self {
        let id = |id| Id { id };
        Self {
            summary: &new.summary,
            record_type: "ServiceTicket",
            company: id(new.company),
            board: new.board.map(id),
            status: new.status.map(id),
            type_: new.type_.map(id),
            priority: new.priority.map(id),
            // The only form in any sample of ConnectWise's: UTC, whole seconds.
            estimated_start_date: new
                .estimated_start_date
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            initial_description: &new.initial_description,
            external_xref: new.external_xref.as_str(),
        }
    }
}

impl<'a> NoteBody<'a> {
    fn of(note: &'a NewNote) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn new_ticket() -> NewTicket {
        NewTicket {
            summary: "Disk full".to_owned(),
            company: 250,
            board: None,
            status: None,
            type_: None,
            priority: None,
            estimated_start_date: "2026-04-01T08:00:00.987Z".parse().unwrap(),
            initial_description: "line\nline".to_owned(),
            external_xref: ExternalXref::parse("tb1-a-1").unwrap(),
        }
    }

    #[test]
    fn a_ticket_names_only_what_is_known() {
        let body = serde_json::to_value(TicketBody::of(&new_ticket())).unwrap();
        let expected = serde_json::json!({
            "summary": "Disk full", "recordType": "ServiceTicket", "company": {"id": 250},
            "estimatedStartDate": "2026-04-01T08:00:00Z", "initialDescription": "line\nline", "externalXRef": "tb1-a-1",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_ticket_points_at_whole_references() {
        let new = NewTicket {
            board: Some(21),
            status: Some(17),
            type_: Some(3),
            priority: Some(8),
            ..new_ticket()
        };
        let body = serde_json::to_value(TicketBody::of(&new)).unwrap();
        for (member, id) in [("board", 21), ("status", 17), ("type", 3), ("priority", 8)] {
            assert_eq!(body[member], serde_json::json!({ "id": id }), "{member}");
        }
    }

    #[test]
    fn every_note_shows_somewhere() {
        let table = [
            (NoteDisplay::Internal, [false, true, false]),
            (NoteDisplay::Discussion, [true, false, false]),
            (NoteDisplay::Resolution, [false, false, true]),
            (NoteDisplay::InternalAndResolution, [false, true, true]),
            (NoteDisplay::DiscussionAndResolution, [true, false, true]),
        ];
        for (display, [discussion, internal, resolution]) in table {
            let note = NewNote {
                text: "t".to_owned(),
                display,
            };
            let expected = serde_json::json!({
                "text": "t", "detailDescriptionFlag": discussion, "internalAnalysisFlag": internal, "resolutionFlag": resolution,
            });
            assert_eq!(serde_json::to_value(NoteBody::of(&note)).unwrap(), expected);
        }
    }
}
