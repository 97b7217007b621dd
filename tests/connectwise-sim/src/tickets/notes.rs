//! `/service/tickets/{id}/notes`.

use serde_json::{Value, json};

use super::read::visible;
use super::{Note, Stamp};
use crate::answer::{Answer, Outcome, Problem, Refusal};
use crate::faults::Newlines;
use crate::schema::Schema;
use crate::world::{Call, World};
use crate::{clock, listing};

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
    visible(world, &call.caller, ticket)?;
    let note = world
        .tickets
        .notes(ticket)
        .iter()
        .find(|note| note.id == id);
    let note = note.ok_or_else(|| Refusal::record_not_found("ServiceNote", id))?;
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
        problems.push(Problem {
            code: "MissingRequiredField",
            message: "Please choose where to display the notes in order to save this record."
                .to_owned(),
            field: "detailDescriptionFlag".to_owned(),
        });
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
