//! Applies a mapping to a body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::alert_text::Alert;
use super::rule::Rule;
use super::{Change, ChangeOtherwise, EventMapping, time, unwrap};
use crate::alert::event::{AlertChange, Event, EventDigest, Particulars, Severity};
use crate::alert::kind::category_of;
use crate::digest::digest;
use crate::text::{cut_to_bytes, identity, one_line};
use crate::time::{is_plausible, later};
use crate::wire::invalid_field::InvalidField;
use crate::wire::particulars::{AlertTexts, known_kind, web_address};
use crate::wire::webhook::{DroppedFields, MAX_EVENTS, RequestTimes, SourcePolicy};
use crate::{AlertId, AlertKey, EventId, Kind, TenantId};

/// The longest id that is used as it is, in bytes. A longer one is replaced by its digest.
const MAX_ID: usize = 256;

/// Makes a change of what is known about an alert.
type BuildChange = fn(Particulars) -> AlertChange;

/// What a body became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappedBody {
    pub events: Vec<Event>,
    /// What did not map. A person decides about it.
    pub unmapped: Vec<Unmapped>,
    /// The number of messages that the mapping ignores.
    pub ignored: usize,
    /// Whether the body was a test message.
    pub is_ping: bool,
    /// Texts that are no known kind, each with the number of alerts that have it. They got the
    /// mapping's other kind.
    pub unknown_kinds: BTreeMap<String, usize>,
    /// Members that could not be read and that no ticket needs.
    pub dropped: DroppedFields,
}

/// A part of a body that did not map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// Its index in the list of alerts. `None` means the whole body.
    pub index: Option<u32>,
    /// The member of the mapping that yields nothing, and why.
    pub error: InvalidField,
}

/// Maps a body of an authenticated request. It never fails: what does not map is returned as
/// [`MappedBody::unmapped`].
#[must_use]
pub fn map(
    body: &[u8],
    mapping: &EventMapping,
    policy: &SourcePolicy,
    times: RequestTimes,
) -> MappedBody {
    let mut mapped = MappedBody::default();
    let value = match unwrap::read(mapping.unwrap, body) {
        Ok(value) => value,
        Err(err) => return MappedBody::unmapped(err),
    };
    let all = Alert {
        alert: &value,
        body: &value,
    };
    if mapping.ping.iter().any(|ping| ping.applies(all)) {
        mapped.is_ping = true;
        return mapped;
    }
    let alerts = match alerts_of(&value, mapping) {
        Ok(alerts) => alerts,
        Err(err) => return MappedBody::unmapped(err),
    };
    let is_list = mapping.each.is_some();
    for (alert, position) in alerts.into_iter().zip(0_u32..) {
        let within = Alert {
            alert,
            body: &value,
        };
        match mapped.event(within, mapping, policy, (times, position)) {
            Ok(Some(event)) => mapped.events.push(event),
            Ok(None) => mapped.ignored += 1,
            Err(error) => mapped.unmapped.push(Unmapped {
                index: is_list.then_some(position),
                error,
            }),
        }
    }
    mapped
}

fn alerts_of<'a>(value: &'a Value, mapping: &EventMapping) -> Result<Vec<&'a Value>, InvalidField> {
    let Some(each) = &mapping.each else {
        return Ok(vec![value]);
    };
    match each.find(value) {
        Some(Value::Array(alerts)) if alerts.len() > MAX_EVENTS => Err(InvalidField::new(
            "each",
            format!(
                "the list has {} alerts, and at most {MAX_EVENTS} are read",
                alerts.len()
            ),
        )),
        Some(Value::Array(alerts)) => Ok(alerts.iter().collect()),
        Some(alert @ Value::Object(_)) => Ok(vec![alert]),
        Some(_) | None => Err(InvalidField::new(
            "each",
            format!("there is no list of alerts at `{each}`"),
        )),
    }
}

impl MappedBody {
    /// The result of a body that cannot be read as a whole.
    #[must_use]
    pub fn unmapped(error: InvalidField) -> Self {
        Self {
            unmapped: vec![Unmapped { index: None, error }],
            ..Self::default()
        }
    }

    /// Maps one alert. `None` if the mapping ignores it.
    fn event(
        &mut self,
        within: Alert<'_>,
        mapping: &EventMapping,
        policy: &SourcePolicy,
        (times, position): (RequestTimes, u32),
    ) -> Result<Option<Event>, InvalidField> {
        let (word, build): (&str, Option<BuildChange>) = match change_of(within, mapping)? {
            Change::Ignored => return Ok(None),
            Change::Resolved => ("resolved", None),
            Change::Updated => ("updated", Some(AlertChange::Updated)),
            Change::Raised => ("raised", Some(AlertChange::Raised)),
        };
        let partner = policy.only_partner().cloned().ok_or_else(|| {
            InvalidField::new("partner", "a source with a mapping posts for one partner")
        })?;
        let alert_id = required("alert_id", &mapping.alert_id, within)?;
        let alert_id = AlertId::parse(bounded_id(alert_id))
            .map_err(|err| InvalidField::new("alert_id", err.to_string()))?;
        let tenant = required("tenant", &mapping.tenant, within)?;
        let tenant = TenantId::parse(tenant.into_owned())
            .map_err(|err| InvalidField::new("tenant", err.to_string()))?;
        let stated = self.time(within, mapping, build.is_none());
        let (occurred_at, receipt) = times.place_event(stated, position);
        let particulars = match build {
            Some(_) => Some(self.particulars(within, mapping, policy, &alert_id, times)?),
            None => None,
        };
        // A message without a time is an event of its own each time it is received: the source
        // repeats it for the next occurrence of the alert.
        let moment = stated.unwrap_or(times.received_at).to_string();
        let position = match stated {
            Some(_) => String::new(),
            None => position.to_string(),
        };
        let (severity, title) = match &particulars {
            Some(now) => (now.severity.to_string(), now.payload.title.as_str()),
            None => (String::new(), ""),
        };
        let identity = [
            "mapped",
            alert_id.as_str(),
            word,
            &moment,
            &position,
            &severity,
            title,
        ];
        let id = EventId::parse(digest(&identity, 24))
            .map_err(|err| InvalidField::new("alert_id", err.to_string()))?;
        let digest = EventDigest::new(&identity);
        let change = match (build, particulars) {
            (Some(build), Some(particulars)) => build(particulars),
            (Some(_) | None, _) => AlertChange::Resolved,
        };
        Ok(Some(Event {
            key: AlertKey {
                partner,
                tenant,
                source: policy.source.clone(),
                alert_id,
            },
            id,
            digest,
            occurred_at,
            receipt,
            change,
            webhook: policy.webhook,
        }))
    }

    fn particulars(
        &mut self,
        within: Alert<'_>,
        mapping: &EventMapping,
        policy: &SourcePolicy,
        alert_id: &AlertId,
        times: RequestTimes,
    ) -> Result<Particulars, InvalidField> {
        let accept = |text: &str| {
            let kind = known_kind(text)?;
            let category = category_of(&kind, &policy.kinds_added)?;
            Some((kind, category))
        };
        let (found, unknown) = mapping.kind.read(within, &accept);
        if let Some(unknown) = unknown {
            *self.unknown_kinds.entry(one_line(&unknown)).or_default() += 1;
        }
        let (kind, category) =
            found.ok_or_else(|| InvalidField::new("kind", "the mapping yields no known kind"))?;
        let (severity, unknown) = mapping.severity.read(within, &severity);
        if unknown.is_some() {
            self.dropped.count("severity");
        }
        let severity = severity
            .ok_or_else(|| InvalidField::new("severity", "the mapping yields no severity"))?;
        let text = |rule: &Option<Rule>| {
            let text = rule.as_ref().and_then(|rule| rule.text(within));
            text.map(Cow::into_owned)
        };
        let link = text(&mapping.link);
        let web = link.as_deref().and_then(web_address).flatten();
        if link.is_some() && web.is_none() {
            self.dropped.count("link");
        }
        let texts = AlertTexts {
            title: mapping.title.text(within).map(Cow::into_owned),
            description: text(&mapping.description).unwrap_or_default(),
            tenant_name: text(&mapping.tenant_name),
            device: text(&mapping.device),
            user: text(&mapping.user),
            link: web,
        };
        let expires_at = mapping.expires_after_hours.map(|hours| {
            later(
                times.received_at,
                jiff::SignedDuration::from_hours(hours.into()),
            )
        });
        let (payload, has_title) = texts.payload(&kind, alert_id);
        if !has_title {
            self.dropped.count("title");
        }
        Ok(Particulars {
            kind,
            category,
            severity,
            expires_at,
            payload,
        })
    }

    fn time(
        &mut self,
        within: Alert<'_>,
        mapping: &EventMapping,
        is_resolve: bool,
    ) -> Option<jiff::Timestamp> {
        let resolved = mapping.resolved_time.as_ref().filter(|_| is_resolve);
        let rule = resolved.or(mapping.time.as_ref())?;
        let text = rule.text(within)?;
        let Some(at) = time::read(&text, &mapping.zone) else {
            self.dropped.count("time");
            return None;
        };
        is_plausible(at).then_some(at)
    }
}

fn change_of(within: Alert<'_>, mapping: &EventMapping) -> Result<Change, InvalidField> {
    let rule = mapping.change.iter().find(|rule| rule.when.applies(within));
    match (rule, mapping.change_otherwise) {
        (Some(rule), _) => Ok(rule.then),
        (None, ChangeOtherwise::Raised) => Ok(Change::Raised),
        (None, ChangeOtherwise::Quarantine) => Err(InvalidField::new(
            "change",
            "no rule says what the message reports",
        )),
    }
}

fn required<'a>(
    field: &str,
    rule: &'a Rule,
    within: Alert<'a>,
) -> Result<Cow<'a, str>, InvalidField> {
    let text = rule.text(within);
    text.ok_or_else(|| InvalidField::new(field, "the message has none"))
}

/// An id of bounded length. It is normalized before, so that two spellings have one digest.
fn bounded_id(text: Cow<'_, str>) -> String {
    let text = identity(text.into_owned());
    if text.len() <= MAX_ID {
        return text;
    }
    let start = cut_to_bytes(&text, 40);
    format!("{}:{start}", digest(&[&text], 40))
}

/// Severities as products write them.
#[must_use]
pub fn severity(word: &str) -> Option<Severity> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "emergency" | "disaster" => Severity::Critical,
        "high" | "error" | "major" | "severe" => Severity::High,
        "medium" | "warning" | "warn" | "moderate" | "average" => Severity::Medium,
        "low" | "minor" | "notice" => Severity::Low,
        "informational" | "info" | "information" | "none" | "ok" => Severity::Informational,
        _ => return None,
    })
}

/// Reads a kind that a mapping names.
#[must_use]
pub fn kind(text: &str) -> Option<Kind> {
    known_kind(text)
}
