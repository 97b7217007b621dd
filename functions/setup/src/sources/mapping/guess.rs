//! A first mapping of a sample, from the names of its members. A person corrects it.

use std::collections::BTreeMap;

use domain::alert::kind::KindInfo;
use serde_json::Value;

use super::form::{FieldRule, MappingForm, TableRow, WHOLE_BODY};
use super::tree::{Place, lists, places};

/// Names of members for each field, the best first, in lower case and without separators.
const NAMES: [(&str, &[&str]); 10] = [
    (
        "alert_id",
        &[
            "alertid",
            "alertuid",
            "fingerprint",
            "incidentid",
            "findingid",
            "eventid",
            "dedupkey",
            "uuid",
            "uid",
            "id",
            "key",
        ],
    ),
    (
        "tenant",
        &[
            "customer",
            "customername",
            "customerid",
            "tenant",
            "tenantname",
            "tenantid",
            "organization",
            "organizationname",
            "organizationid",
            "orgname",
            "orgid",
            "client",
            "clientname",
            "company",
            "companyname",
            "site",
            "sitename",
            "account",
            "accountname",
        ],
    ),
    (
        "severity",
        &["severity", "priority", "level", "criticality", "urgency"],
    ),
    (
        "title",
        &[
            "title",
            "subject",
            "summary",
            "alertname",
            "headline",
            "message",
            "name",
        ],
    ),
    (
        "description",
        &[
            "description",
            "details",
            "detail",
            "body",
            "message",
            "text",
        ],
    ),
    (
        "device",
        &[
            "device",
            "devicename",
            "hostname",
            "host",
            "computer",
            "computername",
            "machine",
            "endpoint",
            "instance",
            "displayname",
        ],
    ),
    ("user", &["user", "username", "userprincipalname", "email"]),
    ("link", &["link", "url", "href", "alerturl", "permalink"]),
    (
        "time",
        &[
            "time",
            "timestamp",
            "occurredat",
            "createdat",
            "created",
            "startsat",
            "starttime",
            "eventtime",
            "datetime",
            "date",
        ],
    ),
    (
        "change",
        &["status", "state", "action", "event", "eventtype"],
    ),
];
/// Names of lists of alerts. Other lists describe one alert, such as its tags.
const LISTS: [&str; 8] = [
    "alerts",
    "events",
    "incidents",
    "findings",
    "detections",
    "records",
    "items",
    "data",
];
const RESOLVED: [&str; 7] = [
    "resolved",
    "closed",
    "ok",
    "cleared",
    "recovered",
    "inactive",
    "up",
];
const RAISED: [&str; 10] = [
    "raised",
    "firing",
    "active",
    "open",
    "opened",
    "triggered",
    "new",
    "created",
    "problem",
    "down",
];
/// The kind of a source without one, if it has that kind.
const KIND: &str = "monitoring";

pub(super) fn guess(sample: &Value, kinds: &[KindInfo]) -> MappingForm {
    let mut form = MappingForm {
        change_otherwise: "raised".to_owned(),
        ..MappingForm::default()
    };
    let mut alert = sample;
    if let Value::Array(entries) = sample {
        form.each = WHOLE_BODY.to_owned();
        alert = entries.first().unwrap_or(sample);
    } else if let Some(list) = lists(sample)
        .iter()
        .find(|list| LISTS.iter().any(|name| *list == &format!("/{name}")))
    {
        let first = sample.pointer(list).and_then(|list| list.get(0));
        form.each.clone_from(list);
        alert = first.unwrap_or(sample);
    }
    let places = places(alert);
    let mut used: Vec<&str> = vec![];
    for (field, names) in NAMES {
        let Some(place) = find(&places, names, &used) else {
            continue;
        };
        if field == "change" {
            form.change = changes(&place.value);
            if !form.change.is_empty() {
                form.change_at.clone_from(&place.pointer);
            }
            continue;
        }
        used.push(&place.pointer);
        set(&mut form.fields, field, "at", &place.pointer);
    }
    let kind = kinds.iter().find(|info| info.kind.as_str() == KIND);
    let kind = kind.or_else(|| kinds.first());
    let kind = kind.map_or("", |info| info.kind.as_str());
    set(&mut form.fields, "kind", "is", kind);
    for (field, otherwise) in [("tenant", "(no customer)"), ("severity", "medium")] {
        let rule = form.fields.entry(field.to_owned()).or_default();
        if rule.from.is_empty() {
            "is".clone_into(&mut rule.from);
            otherwise.clone_into(&mut rule.value);
        } else {
            otherwise.clone_into(&mut rule.otherwise);
        }
    }
    form
}

fn set(fields: &mut BTreeMap<String, FieldRule>, field: &str, from: &str, value: &str) {
    let rule = FieldRule {
        from: from.to_owned(),
        value: value.to_owned(),
        otherwise: String::new(),
    };
    fields.insert(field.to_owned(), rule);
}

/// The place of the best name. Of equal names, the least nested counts.
fn find<'a>(places: &'a [Place], names: &[&str], used: &[&str]) -> Option<&'a Place> {
    names.iter().find_map(|name| {
        let named = places.iter().filter(|place| {
            let mut steps = place.pointer.rsplit('/');
            let last = plain(steps.next().unwrap_or_default());
            // `{"device": {"name": "SRV-01"}}` is a device name.
            let both = plain(steps.next().unwrap_or_default()) + &last;
            (last == *name || both == *name) && !used.contains(&place.pointer.as_str())
        });
        named.min_by_key(|place| place.pointer.matches('/').count())
    })
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

/// A table of changes, if the value is a known word.
fn changes(value: &str) -> Vec<TableRow> {
    let row = |from: &str, to: &str| TableRow {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let word = value.to_ascii_lowercase();
    if RESOLVED.contains(&word.as_str()) {
        return vec![row(value, "resolved")];
    }
    if !RAISED.contains(&word.as_str()) {
        return vec![];
    }
    let resolved = match word.as_str() {
        "open" | "opened" => "closed",
        "active" => "inactive",
        "down" => "up",
        "problem" => "ok",
        _ => "resolved",
    };
    vec![row(value, "raised"), row(resolved, "resolved")]
}

#[cfg(test)]
mod tests {
    use domain::source::presets;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_alert_needs_no_correction() {
        let kinds = presets::latest("generic").unwrap().kinds_added;
        let sample = json!({
            "event": { "id": 17, "status": "OPEN", "severity": "warning" },
            "customer": { "name": "Fabrikam" },
            "organization_name": "Fabrikam",
            "title": "Disk is full",
            "host": "SRV-01",
            "created_at": "2026-11-22T07:30:00Z",
        });
        let form = guess(&sample, &kinds);
        insta::assert_snapshot!(serde_json::to_string_pretty(&form.value().unwrap()).unwrap());
    }

    #[test]
    fn a_list_of_alerts_is_found() {
        for (sample, each) in [
            (json!({ "alerts": [{ "id": 1 }] }), "/alerts"),
            (json!([{ "id": 1 }]), WHOLE_BODY),
            (json!({ "id": 1, "tags": [{ "id": 2 }] }), ""),
        ] {
            let form = guess(&sample, &[]);
            assert_eq!(form.each, each, "{sample}");
            assert_eq!(form.fields["alert_id"].value, "/id", "{sample}");
        }
    }
}
