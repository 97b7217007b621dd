//! Parsing of the webhook's body: from `CloudEvents` 1.0 in JSON to typed events. Each error names
//! its field.
//!
//! The signature is checked before. Unknown members are ignored, so that sources may send more than
//! is read here.
//!
//! A member that a ticket needs must be valid: the ids, the type, the kind, and everything in a
//! part of a snapshot, since a snapshot that was misread would close tickets. Any other invalid
//! member is dropped and counted: a sender does not retry after a 400, so rejecting the event would
//! lose the alert.

mod body;
mod error;
mod schema;

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

pub use crate::wire::invalid_field::InvalidField;
pub use error::{DroppedFields, EventRejection, MAX_EVENTS, UnreadableBody};
pub use schema::{AlertData, ResolvedData, SnapshotData, TenantEntry, TenantsData, schema};

use self::body::{JsonObject, UNREADABLE, read};
use crate::alert::event::{AlertChange, Event, EventDigest, Particulars, Receipt, Severity};
use crate::alert::kind::{BUILT_IN, KindInfo, category_of};
use crate::closing::snapshot_part::SnapshotPart;
use crate::outgoing::scope::WebhookScope;
use crate::text::{cut_to_bytes, one_line};
use crate::time::is_plausible;
use crate::wire::message::Message;
use crate::wire::particulars::{AlertTexts, kind_word, web_address};
use crate::wire::tenant_list::{self, TenantList};
use crate::{AlertKey, EventId, Kind, PartnerId, SourceId};

/// The severity of an alert if it is missing or unknown. An alert that proves to be harmless costs
/// a technician minutes; one that was filed as harmless can cost much more.
const DEFAULT_SEVERITY: Severity = Severity::High;

/// What a source may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePolicy {
    pub source: SourceId,
    /// The partners that it may name. If there is only one, events need not name it.
    pub partners: Vec<PartnerId>,
    /// Kinds in addition to the built-in ones.
    pub kinds_added: Vec<KindInfo>,
    /// What its own webhook gets.
    pub webhook: WebhookScope,
}

/// When the request was sent and received.
#[derive(Debug, Clone, Copy)]
pub struct RequestTimes {
    /// The webhook's own timestamp, which is the time of an event that has none.
    pub sent_at: Timestamp,
    /// By Ticketbridge's clock.
    pub received_at: Timestamp,
}

/// The events of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedBody {
    /// The messages for the queue, one for each accepted event.
    pub messages: Vec<Message>,
    /// The alerts of the accepted events.
    pub alerts: Vec<AcceptedAlert>,
    /// The events that were not accepted.
    pub rejected: Vec<EventRejection>,
    /// The members that were dropped from the accepted events.
    pub dropped: DroppedFields,
}

/// The alert of an accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcceptedAlert {
    /// The event's index in the batch, from 0.
    pub index: usize,
    /// Ticketbridge's key of the alert. All events of an alert have the same.
    pub alert_key: String,
}

/// Parses a body: one event, or a batch of events. An invalid event does not affect the others of
/// its batch.
///
/// # Errors
/// Fails if the body is neither, or has too many events.
pub fn parse(
    body: &[u8],
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<ParsedBody, UnreadableBody> {
    let text = body::text(body)?;
    let mut parsed = ParsedBody::default();
    if !text.trim_start().starts_with('[') {
        let event: &RawValue = read(&text, "")?;
        parsed.add(0, one(event.get(), policy, times, 0));
        return Ok(parsed);
    }
    let events: Vec<&RawValue> = read(&text, "")?;
    if events.is_empty() {
        return Err(InvalidField::new("body", "is an empty batch").into());
    }
    if events.len() > MAX_EVENTS {
        return Err(UnreadableBody::TooManyEvents(events.len()));
    }
    for ((index, event), position) in events.iter().enumerate().zip(0..) {
        let within = |err: InvalidField| {
            let field = match err.field.as_str() {
                "body" => format!("[{index}]"),
                field => format!("[{index}].{field}"),
            };
            InvalidField::new(field, err.problem)
        };
        let read = one(event.get(), policy, times, position);
        let read = read.map_err(|(err, partner)| (within(err), partner));
        let read = read.map(|mut event| {
            event.rejected = event.rejected.into_iter().map(within).collect();
            event
        });
        parsed.add(index, read);
    }
    Ok(parsed)
}

/// What one valid event became.
struct ParsedEvent {
    /// Absent for a list of tenants of which each is invalid.
    message: Option<Message>,
    dropped: DroppedFields,
    /// The invalid entries of its list.
    rejected: Vec<InvalidField>,
}

impl ParsedBody {
    fn add(&mut self, index: usize, event: Result<ParsedEvent, (InvalidField, Option<PartnerId>)>) {
        match event {
            Ok(event) => {
                if let Some(Message::Event(event)) = &event.message {
                    self.alerts.push(AcceptedAlert {
                        index,
                        alert_key: event.key.item_key(),
                    });
                }
                self.messages.extend(event.message);
                self.dropped.add(&event.dropped);
                let rejected = event.rejected.into_iter().map(|error| EventRejection {
                    index,
                    error,
                    // No alert is lost, so the page does not show it.
                    partner: None,
                });
                self.rejected.extend(rejected);
            }
            Err((err, partner)) => self.rejected.push(EventRejection {
                index,
                error: err,
                partner,
            }),
        }
    }
}

/// Returns a body as JSON text, with what cannot be read marked.
pub(crate) fn body_text(body: &[u8]) -> Result<String, InvalidField> {
    body::text(body)
}

/// Parses one event. For an invalid one, returns also the partner that it names, so that its page
/// can show it.
fn one(
    json: &str,
    policy: &SourcePolicy,
    times: RequestTimes,
    position: u32,
) -> Result<ParsedEvent, (InvalidField, Option<PartnerId>)> {
    let only = || policy.only_partner().cloned();
    let event = JsonObject::read(json, "").map_err(|err| (err, only()))?;
    let data = data_of(&event).map_err(|err| (err, only()))?;
    let data = JsonObject::read(&data, "data").map_err(|err| (err, only()))?;
    let partner = data.optional("partner");
    let partner = partner
        .and_then(|named| policy.partner(named))
        .map_err(|err| (err, only()))?;
    let mut dropped = DroppedFields::default();
    let mut rejected = vec![];
    let kind = event.optional::<String>("type").unwrap_or_default();
    let message = if kind.as_deref() == Some("tenants.snapshot") {
        tenants(&event, &data, partner.clone(), policy, times, &mut rejected)
    } else {
        let times = (times, position);
        message(&event, &data, partner.clone(), policy, times, &mut dropped).map(Some)
    };
    let message = message.map_err(|err| (err, Some(partner)))?;
    Ok(ParsedEvent {
        message,
        dropped,
        rejected,
    })
}

/// Reads a list of tenants. Returns no message if each of its entries is invalid.
fn tenants(
    event: &JsonObject<'_>,
    data: &JsonObject<'_>,
    partner: PartnerId,
    policy: &SourcePolicy,
    times: RequestTimes,
    rejected: &mut Vec<InvalidField>,
) -> Result<Option<Message>, InvalidField> {
    let _: EventId = event.required("id")?;
    let entries: Vec<serde_json::Value> = data.required("tenants")?;
    let parsed = tenant_list::parse("data.tenants", &entries)?;
    rejected.extend(parsed.rejected);
    if parsed.tenants.is_empty() && !rejected.is_empty() {
        return Ok(None);
    }
    Ok(Some(Message::Tenants(TenantList {
        partner,
        source: policy.source.clone(),
        received_at: times.received_at,
        tenants: parsed.tenants,
    })))
}

fn message(
    event: &JsonObject<'_>,
    data: &JsonObject<'_>,
    partner: PartnerId,
    policy: &SourcePolicy,
    (times, position): (RequestTimes, u32),
    dropped: &mut DroppedFields,
) -> Result<Message, InvalidField> {
    let version = event.lenient("specversion", dropped, Some::<String>);
    if version.is_some_and(|version| !version.starts_with("1.")) {
        return Err(InvalidField::new("specversion", "must be \"1.0\""));
    }
    let id: EventId = event.required("id")?;
    let kind: String = event.required("type")?;
    let time = event.lenient("time", dropped, |time: String| {
        crate::time::parse(&time).ok()
    });
    let (occurred_at, receipt) = times.place_event(time, position);
    // `source` is used only for the identity of the event; the URL of the request names the source.
    // `datacontenttype` is not read, since data that is not a JSON object is rejected anyway.
    let source: Option<String> = event.optional("source").unwrap_or_default();
    let time = time.map(|time| time.to_string()).unwrap_or_default();
    let digest = EventDigest::new(&[&source.unwrap_or_default(), id.as_str(), &kind, &time]);
    let change = match kind.as_str() {
        "alert.raised" => AlertChange::Raised(particulars(data, policy, occurred_at, dropped)?),
        "alert.updated" => AlertChange::Updated(particulars(data, policy, occurred_at, dropped)?),
        "alert.resolved" => AlertChange::Resolved,
        "alerts.snapshot" => return snapshot(data, partner, policy, times),
        other => {
            let problem = format!(
                "`{}` is not one of alert.raised, alert.updated, alert.resolved, alerts.snapshot, tenants.snapshot",
                cut_to_bytes(&one_line(other), 80)
            );
            return Err(InvalidField::new("type", problem));
        }
    };
    Ok(Message::Event(Event {
        key: AlertKey {
            partner,
            tenant: data.required("tenant")?,
            source: policy.source.clone(),
            alert_id: data.required("alert_id")?,
        },
        id,
        digest,
        occurred_at,
        receipt,
        change,
        webhook: policy.webhook,
    }))
}

/// Returns the data as JSON text, from `data` or `data_base64`.
fn data_of<'a>(event: &JsonObject<'a>) -> Result<Cow<'a, str>, InvalidField> {
    match (event.get("data")?, event.optional::<String>("data_base64")?) {
        (Some(data), None) => Ok(data.into()),
        (None, Some(encoded)) => {
            let bytes = BASE64
                .decode(encoded)
                .map_err(|_| InvalidField::new("data_base64", "is not base64"))?;
            Ok(body::text(&bytes)
                .map_err(|err| InvalidField::new("data_base64", err.problem))?
                .into())
        }
        (None, None) => Err(InvalidField::new("data", "is missing")),
        (Some(_), Some(_)) => Err(InvalidField::new(
            "data_base64",
            "only one of data and data_base64 is allowed",
        )),
    }
}

/// The standard alphabet. The padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl RequestTimes {
    /// Returns when an event occurred, and its receipt. No event happened after it was received: a
    /// later time comes from a wrong clock. For an implausible time, the webhook's own time is
    /// used.
    pub(crate) fn place_event(self, stated: Option<Timestamp>, index: u32) -> (Timestamp, Receipt) {
        let stated = stated.filter(|at| is_plausible(*at));
        let stated = stated.unwrap_or(self.sent_at);
        let receipt = Receipt {
            at: self.received_at,
            index,
            bounds_time: stated > self.received_at,
        };
        (stated.min(self.received_at), receipt)
    }
}

impl SourcePolicy {
    /// The partner of every event, if there is only one.
    #[must_use]
    pub fn only_partner(&self) -> Option<&PartnerId> {
        match self.partners.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn partner(&self, named: Option<PartnerId>) -> Result<PartnerId, InvalidField> {
        match (named, self.partners.as_slice()) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(InvalidField::new(
                "data.partner",
                "is missing: this source serves several partners",
            )),
            (Some(partner), allowed) if allowed.contains(&partner) => Ok(partner),
            (Some(_), _) => Err(InvalidField::new(
                "data.partner",
                "is not a partner of this source",
            )),
        }
    }
}

fn particulars(
    data: &JsonObject<'_>,
    policy: &SourcePolicy,
    occurred_at: Timestamp,
    dropped: &mut DroppedFields,
) -> Result<Particulars, InvalidField> {
    let kind = kind("data.kind", &data.required::<String>("kind")?)?;
    let category =
        category_of(&kind, &policy.kinds_added).ok_or_else(|| unknown_kind("data.kind", &kind))?;
    let mut text = |name| {
        let shown = data.lenient(name, dropped, Some::<String>)?;
        if !shown.contains(UNREADABLE) {
            return Some(shown);
        }
        dropped.count(name);
        Some(shown.replace(UNREADABLE, "\u{fffd}"))
    };
    let texts = AlertTexts {
        title: text("title"),
        description: text("description").unwrap_or_default(),
        tenant_name: text("tenant_name"),
        device: text("device"),
        user: text("user"),
        link: data
            .lenient("link", dropped, |text: String| web_address(&text))
            .flatten(),
    };
    let (payload, has_title) = texts.payload(&kind, &data.required("alert_id")?);
    if !has_title {
        dropped.count_once("title");
    }
    let severity = data.lenient("severity", dropped, |word: String| severity(&word));
    let severity = severity.unwrap_or_else(|| {
        dropped.count_once("severity");
        DEFAULT_SEVERITY
    });
    Ok(Particulars {
        kind,
        category,
        severity,
        // An expiry before the alert's own time is implausible.
        expires_at: data.lenient("expires_at", dropped, |time: String| {
            let end = crate::time::parse(&time).ok()?;
            (is_plausible(end) && end > occurred_at).then_some(end)
        }),
        payload,
    })
}

fn kind(field: &str, text: &str) -> Result<Kind, InvalidField> {
    Kind::parse(kind_word(text)).map_err(|err| InvalidField::new(field, err.to_string()))
}

fn severity(word: &str) -> Option<Severity> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" => Severity::High,
        "medium" => Severity::Medium,
        "low" => Severity::Low,
        "informational" | "info" => Severity::Informational,
        _ => return None,
    })
}

pub(crate) fn snapshot(
    data: &JsonObject<'_>,
    partner: PartnerId,
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<Message, InvalidField> {
    let (part, parts): (u32, u32) = (data.required("part")?, data.required("parts")?);
    if parts == 0 || parts > 10_000 {
        return Err(InvalidField::new("data.parts", "must be from 1 to 10000"));
    }
    if part == 0 || part > parts {
        return Err(InvalidField::new(
            "data.part",
            "must be from 1 to data.parts",
        ));
    }
    let kinds: Option<Vec<String>> = data.optional("kinds")?;
    let read_kind = |(index, text): (usize, String)| {
        let field = format!("data.kinds[{index}]");
        let kind = kind(&field, &text)?;
        category_of(&kind, &policy.kinds_added).ok_or_else(|| unknown_kind(&field, &kind))?;
        Ok(kind)
    };
    let kinds = kinds.map(|kinds| kinds.into_iter().enumerate().map(read_kind).collect());
    let taken_at: String = data.required("taken_at")?;
    let taken_at = crate::time::parse(&taken_at).map_err(|err| {
        let quoted = cut_to_bytes(&one_line(&taken_at), 80);
        InvalidField::new("data.taken_at", format!("`{quoted}` {err}"))
    })?;
    if !is_plausible(taken_at) {
        return Err(InvalidField::new(
            "data.taken_at",
            "is before 2000: it must be when the snapshot was taken",
        ));
    }
    Ok(Message::Snapshot(SnapshotPart {
        partner,
        tenant: data.required("tenant")?,
        source: policy.source.clone(),
        snapshot_id: data.required("snapshot_id")?,
        taken_at,
        received_at: times.received_at,
        kinds: kinds.transpose()?,
        active: data.required("active")?,
        part,
        parts,
        total: data.optional("total")?,
    }))
}

fn unknown_kind(field: &str, kind: &Kind) -> InvalidField {
    let known: Vec<_> = BUILT_IN.iter().map(|(name, ..)| *name).collect();
    InvalidField::new(
        field,
        format!("unknown kind `{kind}`; built in are {}", known.join(", ")),
    )
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;
