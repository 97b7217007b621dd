//! `/service/tickets/{id}/notes`.

use serde_json::{Map, Value, json};

use super::read::visible;
use super::{Note, Stamp};
use crate::answer::{Answer, Outcome, Problem, Refusal};
use crate::faults::Newlines;
use crate::schema::Schema;
use crate::setup_tables::narrow;
use crate::world::{Call, World};
use crate::{clock, listing, operations};

pub(crate) fn list(world: &World, call: &Call, ticket: i64) -> Outcome {
    visible(world, &call.caller, ticket)?;
    let notes = world
        .tickets
        .notes(ticket)
        .iter()
        .map(|note| record(world, ticket, note));
    listing::list(call, Schema::named("ServiceNote"), &world.base_url, notes)
}

pub(crate) fn count(world: &World, call: &Call, ticket: i64) -> Outcome {
    visible(world, &call.caller, ticket)?;
    let notes = world
        .tickets
        .notes(ticket)
        .iter()
        .map(|note| record(world, ticket, note));
    listing::count(call, Schema::named("ServiceNote"), notes)
}

pub(crate) fn get(world: &World, call: &Call, ticket: i64, id: i64) -> Outcome {
    let note = find(world, call, ticket, id)?;
    listing::one(
        call,
        Schema::named("ServiceNote"),
        &record(world, ticket, note),
    )
}

pub(crate) fn create(world: &mut World, call: &Call, id: i64) -> Outcome {
    let mut ticket = visible(world, &call.caller, id)?.clone();
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
        return Err(Refusal::invalid_object("serviceNote", &problems));
    }
    let created = Stamp {
        at: call.now,
        by: call.caller.identifier.clone(),
    };
    let note = Note {
        id: 0,
        text: world.note_text(text),
        detail_description: flag("detailDescriptionFlag"),
        internal_analysis: flag("internalAnalysisFlag"),
        resolution: flag("resolutionFlag"),
        created: created.clone(),
    };
    let note = world.tickets.add_note(id, note);
    ticket.updated = created;
    world.tickets.put(ticket);
    Ok(Answer::created(record(world, id, &note)))
}

/// The members of a note that a PATCH or a PUT may set.
fn change(
    world: &mut World,
    call: &Call,
    ticket: i64,
    id: i64,
    members: &Map<String, Value>,
    usual: &Note,
) -> Outcome {
    let flag = |name: &str, usual| {
        members
            .get(name)
            .map_or(usual, |value| *value == json!(true))
    };
    let text = members.get("text").map(|text| text.as_str().unwrap_or(""));
    let note = Note {
        text: text.map_or_else(|| usual.text.clone(), |text| world.note_text(text)),
        detail_description: flag("detailDescriptionFlag", usual.detail_description),
        internal_analysis: flag("internalAnalysisFlag", usual.internal_analysis),
        resolution: flag("resolutionFlag", usual.resolution),
        ..usual.clone()
    };
    let mut problems = Vec::new();
    if note.text.trim().is_empty() {
        problems.push(Problem::missing("text", "text"));
    }
    if !(note.detail_description || note.internal_analysis || note.resolution) {
        problems.push(no_place());
    }
    if !problems.is_empty() {
        return Err(Refusal::invalid_object("serviceNote", &problems));
    }
    for slot in world.tickets.notes_mut(ticket) {
        if slot.id == id {
            *slot = note.clone();
        }
    }
    touch(world, call, ticket)?;
    Ok(Answer::patched(record(world, ticket, &note), true))
}

pub(crate) fn patch(world: &mut World, call: &Call, ticket: i64, id: i64) -> Outcome {
    let before = find(world, call, ticket, id)?.clone();
    let sub_paths = world.faults.variants.patch_status_id;
    let changes = operations::changes(Schema::named("ServiceNote"), &call.body, sub_paths)?;
    change(world, call, ticket, id, &changes, &before)
}

pub(crate) fn replace(world: &mut World, call: &Call, ticket: i64, id: i64) -> Outcome {
    let before = find(world, call, ticket, id)?;
    let usual = Note {
        text: String::new(),
        detail_description: false,
        internal_analysis: false,
        resolution: false,
        ..before.clone()
    };
    let body = Schema::named("ServiceNote").read(&call.body)?;
    change(world, call, ticket, id, &body, &usual)
}

pub(crate) fn delete(world: &mut World, call: &Call, ticket: i64, id: i64) -> Outcome {
    find(world, call, ticket, id)?;
    world.tickets.notes_mut(ticket).retain(|note| note.id != id);
    touch(world, call, ticket)?;
    Ok(Answer::deleted())
}

/// `/allNotes`: here only notes, because this site keeps no time entries and no meetings.
pub(crate) fn all(world: &World, call: &Call, id: i64) -> Outcome {
    let ticket = visible(world, &call.caller, id)?;
    let notes = world.tickets.notes(id).iter().map(|note| {
        let mut row = narrow(&record(world, id, note), Schema::named("ServiceTicketNote"));
        row["noteType"] = json!("TicketNote");
        row["ticket"] = json!({ "id": id, "summary": ticket.summary });
        row["isMarkdownFlag"] = json!(false);
        row["bundledFlag"] = json!(false);
        row["mergedFlag"] = json!(false);
        row["originalAuthor"] = json!(note.created.by);
        row
    });
    let schema = Schema::named("ServiceTicketNote");
    listing::list(call, schema, &world.base_url, notes)
}

fn find<'w>(world: &'w World, call: &Call, ticket: i64, id: i64) -> Result<&'w Note, Refusal> {
    visible(world, &call.caller, ticket)?;
    let mut notes = world.tickets.notes(ticket).iter();
    notes
        .find(|note| note.id == id)
        .ok_or_else(|| Refusal::record_not_found("ServiceNote", id))
}

/// A change of its notes is a change of the ticket.
fn touch(world: &mut World, call: &Call, ticket: i64) -> Result<(), Refusal> {
    let mut ticket = visible(world, &call.caller, ticket)?.clone();
    ticket.updated = Stamp {
        at: call.now,
        by: call.caller.identifier.clone(),
    };
    world.tickets.put(ticket);
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

impl World {
    /// A note's text as this site keeps it: some flatten line breaks to a space.
    pub(super) fn note_text(&self, text: &str) -> String {
        match self.faults.variants.newlines {
            Newlines::Kept => text.to_owned(),
            Newlines::Flattened => text.replace("\r\n", " ").replace(['\r', '\n'], " "),
        }
    }
}

fn record(world: &World, ticket: i64, note: &Note) -> Value {
    let member = world
        .site
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
    if let (Some(member), Some(record)) = (member, record.as_object_mut()) {
        record.insert("member".to_owned(), world.member_reference(member));
    }
    record
}
