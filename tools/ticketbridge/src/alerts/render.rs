//! Alerts as a table, and one alert with its timeline.

use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::output::{details, one_line, table, time};

/// The alerts that were found.
pub(super) struct FoundAlerts {
    pub(super) alerts: Vec<Value>,
    /// Whether there are no more than these.
    pub(super) is_complete: bool,
}

#[derive(Deserialize)]
struct ListedAlert {
    id: String,
    partner: String,
    tenant_name: String,
    title: String,
    severity: Option<String>,
    state: String,
    ticket: Option<u64>,
    received_at: Timestamp,
}

#[derive(Deserialize)]
struct Alert {
    id: String,
    partner: String,
    alert_id: String,
    title: String,
    device: Option<String>,
    tenant: String,
    tenant_name: String,
    source: String,
    source_name: String,
    kind: Option<String>,
    severity: Option<String>,
    raised_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    state: String,
    words: String,
    ticket: Option<u64>,
    ticket_address: Option<String>,
    next: String,
    steps: Vec<Step>,
    is_cut: bool,
}

#[derive(Deserialize)]
struct Step {
    at: Timestamp,
    words: String,
}

pub(super) fn list(found: &FoundAlerts) -> Result<String> {
    if found.alerts.is_empty() {
        return Ok("no alerts".to_owned());
    }
    let mut rows = vec![];
    for alert in &found.alerts {
        let of = ListedAlert::deserialize(alert)?;
        rows.push([
            time(of.received_at),
            of.partner,
            of.tenant_name,
            of.severity.unwrap_or_default(),
            state(&of.state, of.ticket),
            of.title,
            of.id,
        ]);
    }
    let headings = [
        "LAST RAISED",
        "PARTNER",
        "TENANT",
        "SEVERITY",
        "STATE",
        "TITLE",
        "ID",
    ];
    let mut text = table(headings, rows);
    if !found.is_complete {
        text = format!("{text}\n\nThere are more: give --limit, or narrow the search.");
    }
    Ok(text)
}

pub(super) fn one(alert: &Value) -> Result<String> {
    let of = Alert::deserialize(alert)?;
    let (kind, severity) = (of.kind.unwrap_or_default(), of.severity.unwrap_or_default());
    let head = details([
        ("Title", Some(of.title)),
        ("State", Some(state(&of.state, of.ticket))),
        ("", Some(of.words)),
        ("What is next", Some(of.next)),
        ("Ticket", of.ticket_address),
        ("Partner", Some(of.partner)),
        (
            "Tenant",
            Some(format!("{} ({})", of.tenant_name, of.tenant)),
        ),
        (
            "Source",
            Some(format!("{} ({})", of.source_name, of.source)),
        ),
        ("Alert id", Some(of.alert_id)),
        ("Device", of.device),
        (
            "Kind",
            (!kind.is_empty()).then(|| format!("{kind}, {severity}")),
        ),
        ("Raised", of.raised_at.map(time)),
        ("Expires", of.expires_at.map(time)),
        ("Id", Some(of.id)),
    ]);
    let steps = of.steps.iter();
    let mut lines: Vec<_> = steps
        .map(|step| format!("{}  {}", time(step.at), one_line(&step.words)))
        .collect();
    if of.is_cut {
        lines.insert(0, "Some steps in between are no longer stored.".to_owned());
    }
    if lines.is_empty() {
        lines.push("No step is stored.".to_owned());
    }
    Ok(format!("{head}\n\nTimeline\n{}", lines.join("\n")))
}

/// The state in few words, with the ticket's number.
fn state(code: &str, ticket: Option<u64>) -> String {
    let words = code.replace('_', " ");
    match ticket {
        Some(ticket) => format!("{words} #{ticket}"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed() -> Value {
        json!({
            "id": "0123456789abcdef-0123456789abcdef0123456789abcdef", "partner": "northwind",
            "tenant": "acme", "tenant_name": "Acme Dental", "source": "src_1", "alert_id": "disk-1",
            "title": "Disk C: is full", "kind": "disk", "severity": "high", "state": "open",
            "words": "The alert is active.", "ticket": 10002, "received_at": "2026-11-26T20:00:00.5Z",
        })
    }

    #[test]
    fn a_list_says_if_there_are_more() {
        let mut waiting = listed();
        waiting["state"] = json!("in_progress");
        waiting["ticket"] = Value::Null;
        let mut found = FoundAlerts {
            alerts: vec![listed(), waiting],
            is_complete: false,
        };
        insta::assert_snapshot!(list(&found).unwrap());
        found.is_complete = true;
        assert!(!list(&found).unwrap().contains("There are more"));
        found.alerts.clear();
        assert_eq!(list(&found).unwrap(), "no alerts");
    }

    #[test]
    fn an_alert_is_shown_with_its_timeline() {
        let mut alert = listed();
        for (member, value) in [
            ("source_name", json!("Scanner")),
            ("device", json!("srv-01")),
            ("raised_at", json!("2026-11-26T19:59:00Z")),
            ("ticket_address", json!("https://psa.example/ticket")),
            ("next", json!("A repeat becomes a note.")),
            ("is_cut", json!(true)),
            (
                "steps",
                json!([
                    { "at": "2026-11-26T20:00:00Z", "words": "The source raised the alert, severity high.", "step": "raised" },
                    { "at": "2026-11-26T20:00:01Z", "words": "It has ticket #10002.", "step": "opened" },
                ]),
            ),
        ] {
            alert[member] = value;
        }
        insta::assert_snapshot!(one(&alert).unwrap());
        alert["steps"] = json!([]);
        alert["is_cut"] = json!(false);
        assert!(
            one(&alert)
                .unwrap()
                .ends_with("Timeline\nNo step is stored.")
        );
    }
}
