//! `/service/tickets/{id}/notes`.

use serde_json::{Map, Value, json};

use super::read::visible;
use super::{Note, NoteKind};
use crate::faults::Newlines;
use crate::render;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::setup_tables::narrow;
use crate::site::{Call, Site};
use crate::{clock, listing, patch_operations};

pub(crate) fn list(site: &Site, call: &Call, ticket: i64) -> Outcome {
    visible(site, &call.caller, ticket)?;
    let notes = own_notes(site, ticket).map(|note| record(site, ticket, note));
    listing::list(call, Schema::named("ServiceNote"), &site.base_url, notes)
}

pub(crate) fn count(site: &Site, call: &Call, ticket: i64) -> Outcome {
    visible(site, &call.caller, ticket)?;
    let notes = own_notes(site, ticket).map(|note| record(site, ticket, note));
    listing::count(call, Schema::named("ServiceNote"), notes)
}

pub(crate) fn get(site: &Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    let note = find(site, call, ticket, id)?;
    listing::one(
        call,
        Schema::named("ServiceNote"),
        &record(site, ticket, note),
    )
}

pub(crate) fn create(site: &mut Site, call: &Call, id: i64) -> Outcome {
    let mut ticket = visible(site, &call.caller, id)?.clone();
    let schema = Schema::named("ServiceNote");
    let body = schema.read(&call.body)?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or_default();
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    let mut problems = schema.problems(&body, true);
    if text.trim().is_empty() {
        problems.push(Problem::missing("text", "text"));
    }
    if !(flag("detailDescriptionFlag") || flag("internalAnalysisFlag") || flag("resolutionFlag")) {
        problems.push(no_place());
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("serviceNote", &problems));
    }
    let created = call.stamp();
    let note = Note {
        id: 0,
        text: note_text(site, text),
        detail_description: flag("detailDescriptionFlag"),
        internal_analysis: flag("internalAnalysisFlag"),
        resolution: flag("resolutionFlag"),
        created: created.clone(),
        kind: NoteKind::Note,
    };
    let note = site.tickets.add_note(id, note);
    ticket.updated = created;
    site.tickets.put(ticket);
    Ok(ApiResponse::created(record(site, id, &note)))
}

/// The members of a note that a PATCH or a PUT may set.
fn change(
    site: &mut Site,
    call: &Call,
    ticket: i64,
    id: i64,
    members: &Map<String, Value>,
    defaults: &Note,
) -> Outcome {
    let flag = |name: &str, defaults| {
        members
            .get(name)
            .map_or(defaults, |value| *value == json!(true))
    };
    let text = members.get("text").map(|text| text.as_str().unwrap_or(""));
    let note = Note {
        text: text.map_or_else(|| defaults.text.clone(), |text| note_text(site, text)),
        detail_description: flag("detailDescriptionFlag", defaults.detail_description),
        internal_analysis: flag("internalAnalysisFlag", defaults.internal_analysis),
        resolution: flag("resolutionFlag", defaults.resolution),
        ..defaults.clone()
    };
    let mut problems = Vec::new();
    if note.text.trim().is_empty() {
        problems.push(Problem::missing("text", "text"));
    }
    if !(note.detail_description || note.internal_analysis || note.resolution) {
        problems.push(no_place());
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("serviceNote", &problems));
    }
    for slot in site.tickets.notes_mut(ticket) {
        if slot.id == id {
            *slot = note.clone();
        }
    }
    touch(site, call, ticket)?;
    Ok(ApiResponse::patched(record(site, ticket, &note), true))
}

pub(crate) fn patch(site: &mut Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    let before = find(site, call, ticket, id)?.clone();
    let sub_paths = site.faults.variants.patch_status_id;
    let changes = patch_operations::changes(Schema::named("ServiceNote"), &call.body, sub_paths)?;
    change(site, call, ticket, id, &changes, &before)
}

pub(crate) fn replace(site: &mut Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    let before = find(site, call, ticket, id)?;
    let defaults = Note {
        text: String::new(),
        detail_description: false,
        internal_analysis: false,
        resolution: false,
        ..before.clone()
    };
    let body = Schema::named("ServiceNote").read(&call.body)?;
    change(site, call, ticket, id, &body, &defaults)
}

pub(crate) fn delete(site: &mut Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    find(site, call, ticket, id)?;
    site.tickets.notes_mut(ticket).retain(|note| note.id != id);
    touch(site, call, ticket)?;
    Ok(ApiResponse::deleted())
}

/// `/allNotes`: notes and the texts of time entries. This site has no meetings.
pub(crate) fn all(site: &Site, call: &Call, id: i64) -> Outcome {
    let ticket = visible(site, &call.caller, id)?;
    let notes = site.tickets.notes(id).iter().map(|note| {
        let mut row = narrow(&record(site, id, note), Schema::named("ServiceTicketNote"));
        row["noteType"] = json!(match note.kind {
            NoteKind::Note | NoteKind::Reply => "TicketNote",
            NoteKind::TimeEntry => "TimeEntryNote",
        });
        row["ticket"] = json!({ "id": id, "summary": ticket.summary });
        row["isMarkdownFlag"] = json!(false);
        row["bundledFlag"] = json!(false);
        row["mergedFlag"] = json!(false);
        row["originalAuthor"] = json!(note.created.by);
        row
    });
    let schema = Schema::named("ServiceTicketNote");
    listing::list(call, schema, &site.base_url, notes)
}

/// The notes without those of time entries.
fn own_notes(site: &Site, ticket: i64) -> impl Iterator<Item = &Note> {
    let notes = site.tickets.notes(ticket).iter();
    notes.filter(|note| note.kind != NoteKind::TimeEntry)
}

fn find<'w>(site: &'w Site, call: &Call, ticket: i64, id: i64) -> Result<&'w Note, ApiError> {
    visible(site, &call.caller, ticket)?;
    own_notes(site, ticket)
        .find(|note| note.id == id)
        .ok_or_else(|| ApiError::record_not_found("ServiceNote", id))
}

/// A change of a note also updates the ticket.
fn touch(site: &mut Site, call: &Call, ticket: i64) -> Result<(), ApiError> {
    let mut ticket = visible(site, &call.caller, ticket)?.clone();
    ticket.updated = call.stamp();
    site.tickets.put(ticket);
    Ok(())
}

fn no_place() -> Problem {
    Problem {
        code: "MissingRequiredField",
        message: "Please choose where to display the notes in order to save this record."
            .to_owned(),
        field: "detailDescriptionFlag".to_owned(),
    }
}

/// A note's text as this site stores it: some sites replace line breaks by spaces.
pub(super) fn note_text(site: &Site, text: &str) -> String {
    match site.faults.variants.newlines {
        Newlines::Kept => text.to_owned(),
        Newlines::Flattened => text.replace("\r\n", " ").replace(['\r', '\n'], " "),
    }
}

fn record(site: &Site, ticket: i64, note: &Note) -> Value {
    let member = site
        .setup
        .members
        .iter()
        .find(|member| member.identifier == note.created.by);
    let mut record = json!({
        "id": note.id,
        "ticketId": ticket,
        "text": note.text,
        "detailDescriptionFlag": note.detail_description,
        "internalAnalysisFlag": note.internal_analysis,
        "resolutionFlag": note.resolution,
        "issueFlag": false,
        "customerUpdatedFlag": false,
        "dateCreated": clock::format(note.created.at),
        "createdBy": note.created.by,
        "internalFlag": note.internal_analysis,
        "externalFlag": note.detail_description || note.resolution,
        "_info": { "lastUpdated": clock::format(note.created.at), "updatedBy": note.created.by },
    });
    if note.kind == NoteKind::Reply {
        record["contact"] = json!({ "id": 1, "name": "A customer" });
    } else if let (Some(member), Some(record)) = (member, record.as_object_mut()) {
        record.insert("member".to_owned(), render::member_reference(site, member));
    }
    record
}
