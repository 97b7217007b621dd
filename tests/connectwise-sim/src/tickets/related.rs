//! Related tickets: merged into another one, or attached to one as its children.

use serde_json::{Value, json};

use super::Ticket;
use super::read::visible;
use crate::references::Key;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::site::{Call, Site};

/// `POST /service/tickets/{id}/merge`: merges other tickets into this one, with a status of their
/// own boards.
pub(crate) fn merge(site: &mut Site, call: &Call, id: i64) -> Outcome {
    let schema = Schema::named("TicketMerge");
    let body = schema.read(&call.body)?;
    let mut problems = schema.problems(&body, true);
    let parent = visible(site, &call.caller, id)?.clone();
    let mut children = relatives(site, call, id, body.get("mergeTicketIds"), &mut problems);
    let key = body.get("status").and_then(Key::of);
    for child in &mut children {
        let board = site.setup.board(child.board);
        let mut statuses = board.into_iter().flat_map(|board| &board.statuses);
        let status = key.as_ref().and_then(|key| {
            let status = statuses.find(|row| key.fits(row.id, "", &row.name));
            status
                .ok_or_else(|| key.missing_on("Service Status", "status", child.board))
                .map_err(|problem| problems.push(problem))
                .ok()
        });
        if let Some(status) = status {
            child.status = status.id;
            child.closed = status.closed_status.then(|| call.stamp());
        }
        let reference = json!({ "id": id, "summary": parent.summary });
        let member = "mergedParentTicket".to_owned();
        child.other.insert(member, reference);
    }
    reject("ticketMerge", &problems)?;
    Ok(save(
        site,
        call,
        (parent, "hasMergedChildTicketFlag"),
        children,
    ))
}

/// `POST /service/tickets/{id}/attachChildren`
pub(crate) fn attach(site: &mut Site, call: &Call, id: i64) -> Outcome {
    let body = Schema::named("TicketBundle").read(&call.body)?;
    let mut problems = Vec::new();
    let parent = visible(site, &call.caller, id)?.clone();
    let mut children = relatives(site, call, id, body.get("childTicketIds"), &mut problems);
    for child in &mut children {
        child.other.insert("parentTicketId".to_owned(), json!(id));
    }
    reject("ticketBundle", &problems)?;
    Ok(save(site, call, (parent, "hasChildTicket"), children))
}

fn relatives(
    site: &Site,
    call: &Call,
    parent: i64,
    ids: Option<&Value>,
    problems: &mut Vec<Problem>,
) -> Vec<Ticket> {
    let mut found = Vec::new();
    for id in ids.and_then(Value::as_array).into_iter().flatten() {
        let ticket = id.as_i64().filter(|id| *id != parent);
        let ticket = ticket.and_then(|id| visible(site, &call.caller, id).ok());
        match ticket {
            Some(ticket) => found.push(ticket.clone()),
            None => {
                let message = format!("Ticket {id} not found");
                problems.push(Problem::not_found(message, "ticketIds".to_owned()));
            }
        }
    }
    found
}

fn reject(resource: &str, problems: &[Problem]) -> Result<(), ApiError> {
    match problems {
        [] => Ok(()),
        problems => Err(ApiError::invalid_object(resource, problems)),
    }
}

/// Saves the parent, with a flag that it has children, and the children.
fn save(
    site: &mut Site,
    call: &Call,
    (mut parent, flag): (Ticket, &str),
    children: Vec<Ticket>,
) -> ApiResponse {
    parent.other.insert(flag.to_owned(), json!(true));
    for mut ticket in children.into_iter().chain([parent]) {
        ticket.updated = call.stamp();
        site.tickets.put(ticket);
    }
    ApiResponse::patched(json!({ "success": true, "message": "" }), true)
}
