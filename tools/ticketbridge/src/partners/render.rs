//! Partners as tables and lines.

use anyhow::Result;
use serde::Deserialize as _;
use serde_json::Value;

use super::partner::{Contact, Partner, PartnerStatus, SourceOfPartner};
use crate::output::{counted, details, one_line, table, time, yes_no};

/// Partners with their status, as far as it was read.
pub(super) fn list(partners: &[Value]) -> Result<String> {
    let mut rows = vec![];
    for partner in partners {
        let of = Partner::deserialize(partner)?;
        let status = status_of(partner)?;
        let text = |of: fn(&PartnerStatus) -> String| status.as_ref().map(of).unwrap_or_default();
        rows.push([
            of.id.to_string(),
            of.name,
            status.as_ref().map_or_else(
                || yes_no(of.enabled),
                |status| words(&status.condition).to_owned(),
            ),
            text(|of| number(of.waiting.count, of.waiting.complete)),
            text(|of| number(of.open_tickets, of.open_tickets_complete)),
            text(|of| of.last_alert_at.map_or_else(|| "-".to_owned(), time)),
        ]);
    }
    if rows.is_empty() {
        return Ok("no partners".to_owned());
    }
    let is_brief = partners.iter().all(|partner| partner["status"].is_null());
    if is_brief {
        let rows = rows.into_iter();
        let rows = rows.map(|[id, name, enabled, ..]| [id, name, enabled]);
        return Ok(table(["ID", "NAME", "ENABLED"], rows.collect()));
    }
    let headings = ["ID", "NAME", "HEALTH", "WAITING", "OPEN", "LAST ALERT"];
    Ok(table(headings, rows))
}

pub(super) fn one(partner: &Value) -> Result<String> {
    let of = Partner::deserialize(partner)?;
    let mut parts = vec![details([
        ("Id", Some(of.id.to_string())),
        ("Name", Some(of.name)),
        ("Enabled", Some(yes_no(of.enabled))),
        ("Connected", Some(yes_no(of.connected))),
        ("Confirmed", Some(yes_no(of.confirmed))),
        ("Manages its sources", Some(yes_no(of.manages_sources))),
        ("Created", Some(time(of.made_at))),
    ])];
    if let Some(status) = status_of(partner)? {
        parts.push(status_lines(&status));
    }
    let contacts = Vec::<Contact>::deserialize(&partner["contacts"])?;
    let rows = contacts.into_iter().map(|contact| {
        let mails = contact.mails.join(", ").replace('_', " ");
        [contact.address, yes_no(contact.confirmed), mails]
    });
    parts.push(section(
        "contacts",
        ["ADDRESS", "CONFIRMED", "MAILS"],
        rows.collect(),
    ));
    let sources = Vec::<SourceOfPartner>::deserialize(&partner["sources"])?;
    let rows = sources
        .into_iter()
        .map(|source| [source.id, source.name, yes_no(source.enabled)]);
    parts.push(section(
        "sources",
        ["ID", "NAME", "ENABLED"],
        rows.collect(),
    ));
    Ok(parts.join("\n\n"))
}

/// The answer to a change.
pub(super) fn saved(partner: &Value) -> Result<String> {
    let of = Partner::deserialize(partner)?;
    let state = if of.enabled { "enabled" } else { "suspended" };
    let manages = if of.manages_sources {
        "it manages its sources"
    } else {
        "you manage its sources"
    };
    Ok(format!(
        "{}: {}, {state}, {manages}",
        of.id,
        one_line(&of.name)
    ))
}

fn status_of(partner: &Value) -> Result<Option<PartnerStatus>> {
    Ok(Option::<PartnerStatus>::deserialize(&partner["status"])?)
}

fn status_lines(status: &PartnerStatus) -> String {
    let waiting = number(status.waiting.count, status.waiting.complete);
    let open = number(status.open_tickets, status.open_tickets_complete);
    let issue = status.issue.as_ref();
    let mut lines = details([
        ("Health", Some(words(&status.condition).to_owned())),
        ("Issue", issue.map(|of| of.words.clone())),
        ("Issue since", issue.and_then(|of| of.since).map(time)),
        ("Keys last accepted", status.accepted_at.map(time)),
        ("Waiting for a person", Some(waiting)),
        ("Open tickets", Some(open)),
        ("Last alert", status.last_alert_at.map(time)),
    ]);
    for point in &status.waiting.points {
        let (what, to_do) = (one_line(&point.what), one_line(&point.to_do));
        lines = format!("{lines}\n- {what}\n  {to_do}");
    }
    lines
}

fn section<const N: usize>(title: &str, headings: [&str; N], rows: Vec<[String; N]>) -> String {
    match rows.len() {
        0 => format!("no {title}"),
        count => {
            let title = counted(count as u64, title.trim_end_matches('s'));
            format!("{title}\n{}", table(headings, rows))
        }
    }
}

fn words(condition: &str) -> &str {
    match condition {
        "good" => "ok",
        "issue" => "PROBLEM",
        "suspended" => "suspended",
        "not_connected" => "not connected",
        "not_confirmed" => "not confirmed",
        other => other,
    }
}

/// A count that may be a minimum.
fn number(count: u64, is_complete: bool) -> String {
    if is_complete {
        count.to_string()
    } else {
        format!("{count}+")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn partner(id: &str, condition: &str) -> Value {
        json!({
            "id": id, "name": "Northwind IT", "enabled": condition != "suspended",
            "manages_sources": false, "made_at": "2026-11-01T08:00:00Z", "version": 3,
            "connected": true, "confirmed": true,
            "status": {
                "id": id, "name": "Northwind IT", "condition": condition,
                "waiting": { "count": 0, "complete": true, "points": [] },
                "open_tickets": 7, "open_tickets_complete": true,
                "last_alert_at": "2026-11-26T20:01:02.345Z",
            },
        })
    }

    fn with_issue() -> Value {
        let mut partner = partner("contoso", "issue");
        partner["status"]["issue"] = json!({
            "words": "ConnectWise refuses the keys", "since": "2026-11-26T19:00:00Z",
        });
        partner["status"]["waiting"] = json!({
            "count": 4, "complete": false, "points": [{
                "what": "1 tenant sent alerts and is not mapped: Acme\u{1b}[31m.",
                "to_do": "Choose the ConnectWise company.",
            }],
        });
        partner
    }

    #[test]
    fn a_list_shows_health_and_counts() {
        let partners = [
            partner("northwind", "good"),
            with_issue(),
            partner("fabrikam", "suspended"),
        ];
        insta::assert_snapshot!(list(&partners).unwrap());
        insta::assert_snapshot!(list(&[]).unwrap(), @"no partners");
    }

    #[test]
    fn a_brief_list_has_no_status() {
        let mut brief = partner("northwind", "good");
        brief["status"] = Value::Null;
        insta::assert_snapshot!(list(&[brief]).unwrap());
    }

    #[test]
    fn one_partner_is_shown_with_contacts_and_sources() {
        let mut one_partner = with_issue();
        one_partner["contacts"] = json!([{
            "address": "admin@contoso.example", "confirmed": true,
            "mails": ["broken_connection", "weekly_report"],
        }]);
        one_partner["sources"] = json!([]);
        insta::assert_snapshot!(one(&one_partner).unwrap());
    }

    #[test]
    fn a_change_says_what_is_now() {
        let saved = saved(&partner("fabrikam", "suspended")).unwrap();
        assert_eq!(
            saved,
            "fabrikam: Northwind IT, suspended, you manage its sources"
        );
    }
}
