//! `CloudEvents` 1.0 as the webhook takes them: from JSON to typed events, each error naming its field.
//!
//! The signature is checked before. Unknown members are ignored, so that sources may send more than is read here.
//!
//! A member that a ticket needs must be right: the ids, the type, the kind, and everything in a part of a snapshot, since a list
//! that was read wrongly would close tickets. Any other member is dropped and counted where it cannot be read: a sender does not
//! retry a 400, so refusing the event would lose the alert.

mod body;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::value::RawValue;

use body::{Members, UNREADABLE, read};

use crate::event::{
    Change, Event, EventDigest, Particulars, Payload, Receipt, Severity, SnapshotPart,
};
use crate::kind::{BUILT_IN, KindInfo, category_of};
use crate::message::Message;
use crate::text::{cut_to_bytes, lines, one_line, without_invisible};
use crate::time::is_plausible;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// Longest description kept, in bytes: with the rest of a record it stays far below the table's limit.
pub const MAX_DESCRIPTION: usize = 32 * 1024;
const MAX_LINE: usize = 512;
const MAX_LINK: usize = 2048;
/// The most events in one body.
pub const MAX_EVENTS: usize = 1000;
/// The severity of an alert whose own one is missing or unknown: an alert that turns out to be harmless costs a technician
/// minutes, one that was filed as harmless can cost much more.
const DEFAULT_SEVERITY: Severity = Severity::High;

/// What the door knows of the source that posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePolicy {
    /// Who posts.
    pub source: SourceId,
    /// The partners that it may name; one alone need not be named.
    pub partners: Vec<PartnerId>,
    /// Kinds beside the built-in ones.
    pub kinds_added: Vec<KindInfo>,
}

/// When the request was made and received.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The webhook's own timestamp: the time of an event that has none.
    pub sent_at: Timestamp,
    /// The receiver's clock.
    pub received_at: Timestamp,
}

/// What is wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The member, such as `data.kind` or `[3].time`.
    pub field: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl Invalid {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// What was read from a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The messages for the queue, one for each event that was accepted.
    pub messages: Vec<Message>,
    /// The events that were not.
    pub rejected: Vec<Rejected>,
    /// What was left out of the accepted events.
    pub dropped: Dropped,
}

/// An event that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What is wrong with it; the field carries the place in the batch only where the body is a batch.
    pub error: Invalid,
    /// The partner whose alert it would have been, where that is known.
    pub partner: Option<PartnerId>,
}

/// Members that were left out because they could not be read, by name: how many events each concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped(BTreeMap<&'static str, usize>);

impl Dropped {
    fn count(&mut self, member: &'static str) {
        *self.0.entry(member).or_default() += 1;
    }

    /// Counts an event's member once, also where it was unreadable and is then missing.
    fn count_once(&mut self, member: &'static str) {
        self.0.entry(member).or_insert(1);
    }

    fn add(&mut self, other: &Self) {
        for (member, events) in &other.0 {
            *self.0.entry(member).or_default() += events;
        }
    }

    /// How many members were left out.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// Names and numbers alone, such as `link 3, time 1`: fit for a log.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (member, events)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{member} {events}")?;
        }
        Ok(())
    }
}

/// Why nothing of a body can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not an event and not a batch of events.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It has more events than are taken at once.
    #[error("a batch has at most {MAX_EVENTS} events, and this one has {0}")]
    TooManyEvents(usize),
}

/// The data of `alert.raised` and `alert.updated`, as the schema describes it.
#[derive(Debug, JsonSchema)]
pub struct AlertData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The customer's name for people.
    pub tenant_name: Option<String>,
    /// The alert, as the source identifies it; the same in every message about it.
    #[schemars(with = "String")]
    pub alert_id: AlertId,
    /// What sort of alert: `cpu`, `ransomware_encryption`, and so on.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// The ticket's summary.
    pub title: String,
    /// The ticket's description.
    pub description: String,
    /// The machine that it happened on.
    pub device: Option<String>,
    /// The person that it happened to.
    pub user: Option<String>,
    /// Where the source shows the alert: an http or https address.
    pub link: Option<String>,
    /// When the alert is gone by itself unless it is repeated, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}

/// The data of `alert.resolved`: only which alert. What else `alert.raised` has may stand there and is not read.
#[derive(Debug, JsonSchema)]
pub struct ResolvedData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The alert, as the source identifies it.
    #[schemars(with = "String")]
    pub alert_id: AlertId,
}

/// The data of `alerts.snapshot`: one part of the complete list of active alerts of one tenant.
#[derive(Debug, JsonSchema)]
pub struct SnapshotData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The listing; the same in all its parts.
    #[schemars(with = "String")]
    pub snapshot_id: SnapshotId,
    /// When the listing was taken, RFC 3339.
    #[schemars(with = "String")]
    pub taken_at: Timestamp,
    /// The kinds that the listing speaks of; all, where absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub kinds: Option<Vec<Kind>>,
    /// The alerts that are active.
    #[schemars(with = "Vec<String>")]
    pub active: Vec<AlertId>,
    /// This part's number, from 1.
    pub part: u32,
    /// How many parts the listing has.
    pub parts: u32,
    /// How many alerts the whole listing names, over all its parts. A listing that names another number is not used. An empty
    /// listing with a total of 0 counts at once; without it, only if several empty ones follow each other over half an hour.
    #[serde(default)]
    pub total: Option<u32>,
}

/// Reads a body: one event, or a list of them. An event that is wrong costs none of its batch mates.
///
/// # Errors
/// When the body is neither, or has too many events.
pub fn parse(body: &[u8], policy: &SourcePolicy, times: Times) -> Result<Parsed, Unreadable> {
    let text = body::text(body)?;
    let mut parsed = Parsed::default();
    if !text.trim_start().starts_with('[') {
        let event: &RawValue = read(&text, "")?;
        parsed.add(0, one(event.get(), policy, times, 0));
        return Ok(parsed);
    }
    let events: Vec<&RawValue> = read(&text, "")?;
    if events.is_empty() {
        return Err(Invalid::new("body", "is a batch without an event").into());
    }
    if events.len() > MAX_EVENTS {
        return Err(Unreadable::TooManyEvents(events.len()));
    }
    for ((index, event), position) in events.iter().enumerate().zip(0..) {
        let within = |(err, partner): (Invalid, _)| {
            let field = match err.field.as_str() {
                "body" => format!("[{index}]"),
                field => format!("[{index}].{field}"),
            };
            (Invalid::new(field, err.problem), partner)
        };
        let read = one(event.get(), policy, times, position);
        parsed.add(index, read.map_err(within));
    }
    Ok(parsed)
}

impl Parsed {
    fn add(
        &mut self,
        index: usize,
        event: Result<(Message, Dropped), (Invalid, Option<PartnerId>)>,
    ) {
        match event {
            Ok((message, dropped)) => {
                self.messages.push(message);
                self.dropped.add(&dropped);
            }
            Err((err, partner)) => self.rejected.push(Rejected {
                index,
                error: err,
                partner,
            }),
        }
    }
}

/// The JSON Schema of the events that the webhook takes, for those who build a source.
#[must_use]
pub fn schema() -> serde_json::Value {
    // Inlined, since a reference within would be read from the root of the whole.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut types = settings.into_generator();
    let alert = types.root_schema_for::<AlertData>();
    let resolved = types.root_schema_for::<ResolvedData>();
    let snapshot = types.root_schema_for::<SnapshotData>();
    let event = |types: &[&str], data: schemars::Schema| {
        serde_json::json!({
            "type": "object",
            "required": ["specversion", "id", "source", "type", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "minLength": 1, "maxLength": 256 },
                "source": { "type": "string", "minLength": 1 },
                "type": { "enum": types },
                "time": { "type": "string", "format": "date-time" },
                "datacontenttype": { "type": "string" },
                "data": data,
            },
        })
    };
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of the Ticketbridge webhook (a CloudEvent in structured mode)",
        "oneOf": [
            event(&["alert.raised", "alert.updated"], alert),
            event(&["alert.resolved"], resolved),
            event(&["alerts.snapshot"], snapshot),
        ],
    })
}

/// Reads one event; of one that is wrong also the partner that it names, so that the partner can be told.
fn one(
    json: &str,
    policy: &SourcePolicy,
    times: Times,
    position: u32,
) -> Result<(Message, Dropped), (Invalid, Option<PartnerId>)> {
    let only = || policy.only_partner().cloned();
    let event = Members::read(json, "").map_err(|err| (err, only()))?;
    let data = data_of(&event).map_err(|err| (err, only()))?;
    let data = Members::read(&data, "data").map_err(|err| (err, only()))?;
    let partner = data.optional("partner");
    let partner = partner
        .and_then(|named| policy.partner(named))
        .map_err(|err| (err, only()))?;
    let mut dropped = Dropped::default();
    let times = (times, position);
    match message(&event, &data, partner.clone(), policy, times, &mut dropped) {
        Ok(message) => Ok((message, dropped)),
        Err(err) => Err((err, Some(partner))),
    }
}

fn message(
    event: &Members<'_>,
    data: &Members<'_>,
    partner: PartnerId,
    policy: &SourcePolicy,
    (times, position): (Times, u32),
    dropped: &mut Dropped,
) -> Result<Message, Invalid> {
    let version = event.ornament("specversion", dropped, Some::<String>);
    if version.is_some_and(|version| !version.starts_with("1.")) {
        return Err(Invalid::new("specversion", "must be \"1.0\""));
    }
    let id: EventId = event.required("id")?;
    let kind: String = event.required("type")?;
    let time = event.ornament("time", dropped, |time: String| {
        crate::time::parse(&time).ok()
    });
    let (occurred_at, receipt) = times.placed(time, position);
    // Of `source` only the identity of the event is made: the address that was posted to names the source. `datacontenttype` is not
    // read, since data that is no JSON object is refused whatever is said about it.
    let source: Option<String> = event.optional("source").unwrap_or_default();
    let time = time.map(|time| time.to_string()).unwrap_or_default();
    let digest = EventDigest::of(&[&source.unwrap_or_default(), id.as_str(), &kind, &time]);
    let change = match kind.as_str() {
        "alert.raised" => Change::Raised(particulars(data, policy, occurred_at, dropped)?),
        "alert.updated" => Change::Updated(particulars(data, policy, occurred_at, dropped)?),
        "alert.resolved" => Change::Resolved,
        "alerts.snapshot" => return snapshot(data, partner, policy, times),
        other => {
            let problem = format!(
                "`{}` is not one of alert.raised, alert.updated, alert.resolved, alerts.snapshot",
                cut_to_bytes(&one_line(other), 80)
            );
            return Err(Invalid::new("type", problem));
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
    }))
}

/// The data as JSON text, from `data` or `data_base64`.
fn data_of<'a>(event: &Members<'a>) -> Result<Cow<'a, str>, Invalid> {
    match (event.get("data")?, event.optional::<String>("data_base64")?) {
        (Some(data), None) => Ok(data.into()),
        (None, Some(encoded)) => {
            let bytes = BASE64
                .decode(encoded)
                .map_err(|_| Invalid::new("data_base64", "is not base64"))?;
            Ok(body::text(&bytes)
                .map_err(|err| Invalid::new("data_base64", err.problem))?
                .into())
        }
        (None, None) => Err(Invalid::new("data", "is missing")),
        (Some(_), Some(_)) => Err(Invalid::new(
            "data_base64",
            "stands beside data: only one of them is allowed",
        )),
    }
}

/// The standard alphabet; the padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Times {
    /// When an event occurred, and its receipt. No event happened after it was received: a time that is ahead is a wrong clock's. One
    /// that cannot be meant is none, and the webhook's own time stands for it.
    fn placed(self, stated: Option<Timestamp>, index: u32) -> (Timestamp, Receipt) {
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
    /// The partner of every event, where there is but one.
    #[must_use]
    pub fn only_partner(&self) -> Option<&PartnerId> {
        match self.partners.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn partner(&self, named: Option<PartnerId>) -> Result<PartnerId, Invalid> {
        match (named, self.partners.as_slice()) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(Invalid::new(
                "data.partner",
                "is missing: this source serves several partners",
            )),
            (Some(partner), allowed) if allowed.contains(&partner) => Ok(partner),
            (Some(_), _) => Err(Invalid::new(
                "data.partner",
                "is not a partner of this source",
            )),
        }
    }
}

fn particulars(
    data: &Members<'_>,
    policy: &SourcePolicy,
    occurred_at: Timestamp,
    dropped: &mut Dropped,
) -> Result<Particulars, Invalid> {
    let kind = kind("data.kind", &data.required::<String>("kind")?)?;
    let category =
        category_of(&kind, &policy.kinds_added).ok_or_else(|| unknown_kind("data.kind", &kind))?;
    let mut text = |name| {
        let shown = data.ornament(name, dropped, Some::<String>)?;
        if shown.contains(UNREADABLE) {
            dropped.count(name);
        }
        Some(shown.replace(UNREADABLE, "\u{fffd}"))
    };
    let line = |text: Option<String>| {
        text.map(|text| cut_to_bytes(&without_invisible(&one_line(&text)), MAX_LINE))
            .filter(|text| !text.trim().is_empty())
    };
    let title = line(text("title"));
    let description = text("description").unwrap_or_default();
    let tenant_name = line(text("tenant_name"));
    let device = line(text("device"));
    let user = line(text("user"));
    let title = match title {
        Some(title) => title,
        None => {
            dropped.count_once("title");
            let alert: AlertId = data.required("alert_id")?;
            cut_to_bytes(&format!("{kind}: {alert}"), MAX_LINE)
        }
    };
    let severity = data.ornament("severity", dropped, |word: String| severity(&word));
    let severity = severity.unwrap_or_else(|| {
        dropped.count_once("severity");
        DEFAULT_SEVERITY
    });
    let payload = Payload {
        title,
        description: cut_to_bytes(&without_invisible(&lines(&description)), MAX_DESCRIPTION),
        tenant_name,
        device,
        user,
        link: data
            .ornament("link", dropped, |text: String| link(&text))
            .flatten(),
    };
    Ok(Particulars {
        kind,
        category,
        severity,
        // An alert that ended before it began has no end that can be meant.
        expires_at: data.ornament("expires_at", dropped, |time: String| {
            let end = crate::time::parse(&time).ok()?;
            (is_plausible(end) && end > occurred_at).then_some(end)
        }),
        payload,
    })
}

/// A kind as sources write it: in any case, and with a space or hyphen in place of the underscore.
fn kind(field: &str, text: &str) -> Result<Kind, Invalid> {
    let text = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    Kind::parse(text).map_err(|err| Invalid::new(field, err.to_string()))
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

/// A web address, or nothing where the text is empty; none where it is something else.
fn link(text: &str) -> Option<Option<String>> {
    let link = text.trim();
    if link.is_empty() {
        return Some(None);
    }
    let (scheme, rest) = link.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let has_host = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    let is_plain = !link.contains(|c: char| {
        c.is_whitespace() || crate::text::is_unprintable(c) || crate::text::is_invisible(c)
    });
    (is_web && has_host && is_plain && link.len() <= MAX_LINK).then(|| Some(link.to_owned()))
}

fn snapshot(
    data: &Members<'_>,
    partner: PartnerId,
    policy: &SourcePolicy,
    times: Times,
) -> Result<Message, Invalid> {
    let (part, parts): (u32, u32) = (data.required("part")?, data.required("parts")?);
    if parts == 0 || parts > 10_000 {
        return Err(Invalid::new("data.parts", "must be from 1 to 10000"));
    }
    if part == 0 || part > parts {
        return Err(Invalid::new("data.part", "must be from 1 to data.parts"));
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
        Invalid::new("data.taken_at", format!("`{quoted}` {err}"))
    })?;
    if !is_plausible(taken_at) {
        return Err(Invalid::new(
            "data.taken_at",
            "is before 2000: it must be when the listing was taken",
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

fn unknown_kind(field: &str, kind: &Kind) -> Invalid {
    let known: Vec<_> = BUILT_IN.iter().map(|(name, ..)| *name).collect();
    Invalid::new(
        field,
        format!("unknown kind `{kind}`; built in are {}", known.join(", ")),
    )
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
