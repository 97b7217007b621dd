//! `/system/audittrail?type=Ticket&id=`: who changed what.

use serde_json::{Value, json};

use super::read::visible;
use super::{Stamp, Ticket, Tickets};
use crate::clock;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::site::{Call, Site};

/// One change of a ticket.
#[derive(Clone, Debug)]
pub(super) struct AuditEntry {
    text: String,
    /// Such as `Resource`.
    kind: &'static str,
    by: Stamp,
}

impl Tickets {
    /// Records what differs between two states of a ticket. A save without a change is no entry.
    pub(super) fn audit_change(&mut self, before: Option<&Ticket>, after: &Ticket) {
        let mut entries = vec![];
        let mut add = |kind, text: String| {
            entries.push(AuditEntry {
                text,
                kind,
                by: after.updated.clone(),
            });
        };
        match before {
            None => add("Record", "Ticket was created".to_owned()),
            Some(before) => {
                let ids = [
                    ("Board", before.board, after.board),
                    ("Status", before.status, after.status),
                    ("Company", before.company, after.company),
                    ("Priority", before.priority, after.priority),
                    (
                        "Type",
                        before.kind.unwrap_or_default(),
                        after.kind.unwrap_or_default(),
                    ),
                ];
                for (kind, from, to) in ids {
                    if from != to {
                        add(kind, format!("{kind} was changed from {from} to {to}"));
                    }
                }
                if before.summary != after.summary {
                    add("Summary", "Summary was changed".to_owned());
                }
                let names = before.other.keys().chain(after.other.keys());
                let mut names: Vec<_> = names.collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    if before.other.get(name) != after.other.get(name) {
                        let kind = match name.as_str() {
                            "owner" | "resources" => "Resource",
                            _ => "Record",
                        };
                        add(kind, format!("{name} was changed"));
                    }
                }
            }
        }
        self.audit.entry(after.id).or_default().extend(entries);
    }
}

pub(crate) fn list(site: &Site, call: &Call) -> Outcome {
    let parameter = |name: &str| {
        let mut query = call.query.iter();
        query.find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let id = parameter("id").and_then(|(_, id)| id.parse().ok());
    let (Some(("type", kind)), Some(id)) = (
        parameter("type").map(|(key, value)| (key.as_str(), value)),
        id,
    ) else {
        return Err(ApiError::invalid_object(
            "auditTrail",
            &[Problem::missing("type", "type")],
        ));
    };
    if !kind.eq_ignore_ascii_case("Ticket") {
        return Ok(ApiResponse::read(json!([])));
    }
    visible(site, &call.caller, id)?;
    let entries = site.tickets.audit.get(&id);
    let rows: Vec<Value> = entries
        .into_iter()
        .flatten()
        .map(|entry| {
            json!({
                "text": entry.text,
                "enteredDate": clock::format(entry.by.at),
                "enteredBy": entry.by.by,
                "auditType": entry.kind,
                "auditSubType": "Updated",
                "auditSource": "Ticket",
            })
        })
        .collect();
    Ok(ApiResponse::read(Value::Array(rows)))
}
