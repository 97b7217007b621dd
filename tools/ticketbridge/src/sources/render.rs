//! Sources as tables and lines.

use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::output::{details, one_line, table, time, yes_no};

#[derive(Deserialize)]
struct ListedSource {
    id: String,
    name: String,
    partner: Option<String>,
    #[serde(default)]
    partners: Vec<String>,
    enabled: bool,
    made_at: Timestamp,
    inactive_after_hours: Option<u32>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(flatten)]
    listed: ListedSource,
    webhook_url: String,
    preset: Option<Preset>,
    #[serde(default)]
    kinds_added: Vec<AddedKind>,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    secrets_until: Vec<Option<Timestamp>>,
    complete: bool,
    #[serde(default)]
    activity: Vec<Activity>,
    #[serde(default)]
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Preset {
    name: String,
    version: u32,
}

#[derive(Deserialize)]
struct AddedKind {
    kind: String,
}

#[derive(Deserialize)]
struct Activity {
    partner: String,
    last_message_at: Option<Timestamp>,
    last_ping_at: Option<Timestamp>,
    last_refused: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    at: Timestamp,
    description: String,
}

#[derive(Deserialize)]
struct Rejected {
    partner: String,
    events: u32,
    last_at: Timestamp,
    field: String,
    problem: String,
}

#[derive(Deserialize)]
struct NewSecret {
    secret: Option<String>,
    old_until: Option<Timestamp>,
    /// Secrets that were valid until now.
    #[serde(default)]
    ended_now: u32,
}

pub(super) fn list(sources: &[Value]) -> Result<String> {
    if sources.is_empty() {
        return Ok("no sources".to_owned());
    }
    let mut rows = vec![];
    for source in sources {
        let of = ListedSource::deserialize(source)?;
        let partners = partners(&of);
        rows.push([of.id, of.name, partners, yes_no(of.enabled)]);
    }
    Ok(table(["ID", "NAME", "PARTNER", "ENABLED"], rows))
}

pub(super) fn one(source: &Value) -> Result<String> {
    let of = Source::deserialize(source)?;
    let kinds: Vec<_> = of.kinds_added.iter().map(|of| of.kind.as_str()).collect();
    let preset = of.preset.as_ref();
    let until = of.secrets_until.iter().map(|until| match until {
        Some(until) => format!("until {}", time(*until)),
        None => "no end".to_owned(),
    });
    let until: Vec<_> = until.collect();
    let mut parts = vec![details([
        ("Id", Some(of.listed.id.clone())),
        ("Name", Some(of.listed.name.clone())),
        ("Partner", Some(partners(&of.listed))),
        ("Enabled", Some(yes_no(of.listed.enabled))),
        ("Webhook", Some(of.webhook_url)),
        (
            "Preset",
            preset.map(|of| format!("{} version {}", of.name, of.version)),
        ),
        ("Kinds added", (!kinds.is_empty()).then(|| kinds.join(", "))),
        (
            "Inactive after",
            of.listed
                .inactive_after_hours
                .map(|of| format!("{of} hours")),
        ),
        ("Secrets", (!until.is_empty()).then(|| until.join(", "))),
        ("Created", Some(time(of.listed.made_at))),
    ])];
    if !of.complete {
        parts.push("A change of this source was interrupted: repeat it.".to_owned());
    }
    let rows = of.activity.into_iter().map(|of| {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), time);
        let refused = of.last_refused.map_or_else(
            || "-".to_owned(),
            |refused| format!("{}: {}", time(refused.at), refused.description),
        );
        [
            of.partner,
            at(of.last_message_at),
            at(of.last_ping_at),
            refused,
        ]
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let headings = [
            "PARTNER",
            "LAST MESSAGE",
            "LAST TEST",
            "LAST REFUSED REQUEST",
        ];
        parts.push(table(headings, rows));
    }
    let rejected = of.rejected.into_iter().map(|of| {
        [
            of.partner,
            of.events.to_string(),
            time(of.last_at),
            format!("{}: {}", of.field, of.problem),
        ]
    });
    let rejected: Vec<_> = rejected.collect();
    if !rejected.is_empty() {
        let headings = ["PARTNER", "REJECTED EVENTS", "LAST", "WHY"];
        parts.push(table(headings, rejected));
    }
    Ok(parts.join("\n\n"))
}

/// A new source with its secret, which no later command shows.
pub(super) fn created(source: &Value) -> Result<String> {
    let of = Source::deserialize(source)?;
    let NewSecret { secret, .. } = NewSecret::deserialize(source)?;
    let mut text = details([
        ("Id", Some(of.listed.id)),
        ("Webhook", Some(of.webhook_url)),
        ("Secret", secret.clone()),
    ]);
    if secret.is_some() {
        text = format!("{text}\n\nStore the secret now: it is not shown again.");
    }
    if !of.steps.is_empty() {
        let steps = of.steps.iter().enumerate();
        let steps = steps.map(|(n, step)| format!("{}. {}", n + 1, one_line(step)));
        let steps = steps.collect::<Vec<_>>().join("\n");
        text = format!("{text}\n\nWhat to do at the vendor:\n{steps}");
    }
    Ok(text)
}

pub(super) fn rotated(source: &Value) -> Result<String> {
    let of = NewSecret::deserialize(source)?;
    let mut text = details([
        ("Secret", of.secret),
        ("Old secret valid until", of.old_until.map(time)),
    ]);
    if of.ended_now > 0 {
        text = format!("{text}\nThe oldest secret was ended now.");
    }
    Ok(format!(
        "{text}\n\nStore the secret now: it is not shown again."
    ))
}

fn partners(of: &ListedSource) -> String {
    match &of.partner {
        Some(partner) => partner.clone(),
        None => of.partners.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> Value {
        json!({
            "id": "src_0123456789abcdefghijklmnop", "name": "Scanner", "partner": "northwind",
            "enabled": true, "made_at": "2026-11-01T08:00:00Z", "inactive_ticket": false,
            "version": 1, "webhook_url": "https://tb.example/v1/events/src_0123456789abcdefghijklmnop",
            "kinds_added": [], "authentication": {}, "networks": [], "format": "cloud_events",
            "response": {}, "secrets_until": [null], "complete": true,
        })
    }

    #[test]
    fn a_list_names_the_partners_of_each_source() {
        let mut shared = source();
        shared["partner"] = Value::Null;
        shared["partners"] = json!(["contoso", "northwind"]);
        shared["enabled"] = json!(false);
        insta::assert_snapshot!(list(&[source(), shared]).unwrap());
    }

    #[test]
    fn a_source_is_shown_with_activity_and_rejections() {
        let mut source = source();
        source["preset"] = json!({ "name": "ninjaone", "version": 1 });
        source["kinds_added"] = json!([
            { "kind": "backup_failed", "category": "operations", "type_name": "Backup" },
        ]);
        source["inactive_after_hours"] = json!(48);
        source["secrets_until"] = json!([null, "2026-11-27T08:00:00Z"]);
        source["complete"] = json!(false);
        source["activity"] = json!([{
            "partner": "northwind", "last_message_at": "2026-11-26T20:00:00Z",
            "last_refused": { "at": "2026-11-26T19:00:00Z", "reason": "signature",
                "description": "The signature does not match." },
            "unknown_kinds": [], "quarantined": [],
        }]);
        source["rejected"] = json!([{
            "partner": "northwind", "events": 3, "since": "2026-11-26T10:00:00Z",
            "last_at": "2026-11-26T18:00:00Z", "field": "data.tenant", "problem": "is missing",
        }]);
        insta::assert_snapshot!(one(&source).unwrap());
    }

    #[test]
    fn a_secret_is_shown_once() {
        let mut source = source();
        source["secret"] = json!("whsec_c2VjcmV0");
        source["steps"] = json!(["Open the settings.", "Paste the address."]);
        insta::assert_snapshot!(created(&source).unwrap());
        source["old_until"] = json!("2026-11-27T08:00:00Z");
        source["ended_now"] = json!(1);
        insta::assert_snapshot!(rotated(&source).unwrap());
    }
}
