//! `CloudEvents` 1.0 as the webhook takes them: from JSON to typed events, each error naming its field.
//!
//! The signature is checked before, by the door itself. Unknown members are ignored, so that sources may say more than we read.

mod body;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::value::RawValue;

use body::read;

use crate::event::{
    Change, Event, EventDigest, Particulars, Payload, Receipt, Severity, SnapshotPart,
};
use crate::kind::{BUILT_IN, KindInfo, role_of};
use crate::message::Message;
use crate::text::{cut_to_bytes, lines, one_line};
use crate::time::is_plausible;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// Longest description kept, in bytes: with the rest of a record it stays far below the table's limit.
pub const MAX_DESCRIPTION: usize = 32 * 1024;
const MAX_LINE: usize = 512;
const MAX_LINK: usize = 2048;
/// A snapshot's clock that is further ahead than this is wrong. Parts of one snapshot come in several requests and must state one time,
/// so a time that is only a little ahead stays as it is stated.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What the door knows of the source that posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
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

/// A structured-mode `CloudEvent`, its data still to be read by its type.
#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: EventId,
    source: String,
    r#type: String,
    #[serde(default, deserialize_with = "crate::time::optional")]
    time: Option<Timestamp>,
    #[serde(default)]
    datacontenttype: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// The data of `alert.raised` and `alert.updated`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AlertData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The customer's name for people.
    #[serde(default)]
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
    #[serde(default)]
    pub device: Option<String>,
    /// The person that it happened to.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the source shows the alert: an http or https address.
    #[serde(default)]
    pub link: Option<String>,
    /// When the alert is gone by itself unless it is repeated, RFC 3339.
    #[schemars(with = "Option<String>")]
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub expires_at: Option<Timestamp>,
}

/// The data of `alert.resolved`: only which alert. What else `alert.raised` has may stand there and is not read.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ResolvedData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The alert, as the source identifies it.
    #[schemars(with = "String")]
    pub alert_id: AlertId,
}

/// The data of `alerts.snapshot`: one part of the complete list of active alerts of one tenant.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SnapshotData {
    /// Which of the source's partners; needed only where the source serves several.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The listing; the same in all its parts.
    #[schemars(with = "String")]
    pub snapshot_id: SnapshotId,
    /// When the listing was taken, RFC 3339.
    #[schemars(with = "String")]
    #[serde(deserialize_with = "crate::time::required")]
    pub taken_at: Timestamp,
    /// The kinds that the listing speaks of; all, where absent.
    #[schemars(with = "Option<Vec<String>>")]
    #[serde(default)]
    pub kinds: Option<Vec<Kind>>,
    /// The alerts that are active.
    #[schemars(with = "Vec<String>")]
    pub active: Vec<AlertId>,
    /// This part's number, from 1.
    pub part: u32,
    /// How many parts the listing has.
    pub parts: u32,
}

/// Reads one structured-mode event.
///
/// # Errors
/// The first member that is wrong.
pub fn parse_event(body: &[u8], door: &Door, times: Times) -> Result<Message, Invalid> {
    one(read(body::text(body)?, "")?, door, times, 0)
}

/// Reads a batch; one bad event refuses the whole, so that the sender can mend and send it again.
///
/// # Errors
/// The first member that is wrong, with the event's index.
pub fn parse_batch(body: &[u8], door: &Door, times: Times) -> Result<Vec<Message>, Invalid> {
    let events: Vec<Box<RawValue>> = read(body::text(body)?, "")?;
    if events.is_empty() {
        return Err(Invalid::new("body", "is a batch without an event"));
    }
    let mut messages = Vec::with_capacity(events.len());
    for (index, event) in (0..).zip(&events) {
        let within = |fault: Invalid| match fault.field.as_str() {
            "body" => Invalid::new(format!("[{index}]"), fault.problem),
            field => Invalid::new(format!("[{index}].{field}"), fault.problem),
        };
        let event = read(event.get(), "").map_err(within)?;
        messages.push(one(event, door, times, index).map_err(within)?);
    }
    Ok(messages)
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

fn one(event: CloudEvent, door: &Door, times: Times, index: u32) -> Result<Message, Invalid> {
    if event.specversion != "1.0" {
        return Err(Invalid::new("specversion", "must be \"1.0\""));
    }
    if event.source.is_empty() {
        return Err(Invalid::new("source", "must not be empty"));
    }
    if let Some(content) = &event.datacontenttype {
        let media = content.split(';').next().unwrap_or_default().trim();
        if media != "application/json" && !media.ends_with("+json") {
            return Err(Invalid::new("datacontenttype", "must be application/json"));
        }
    }
    let digest = event.digest();
    let data = event
        .data
        .ok_or_else(|| Invalid::new("data", "is missing"))?;
    let data = data.get();
    let (occurred_at, receipt) = times.placed(event.time, index);
    let about = |partner: Option<PartnerId>, tenant, alert_id, change| {
        let key = AlertKey {
            partner: door.partner(partner)?,
            tenant,
            source: door.source.clone(),
            alert_id,
        };
        Ok(Message::Event(Event {
            key,
            id: event.id,
            digest,
            occurred_at,
            receipt,
            change,
        }))
    };
    match event.r#type.as_str() {
        "alert.raised" => {
            let data: AlertData = read(data, "data")?;
            let particulars = particulars(&data, door, occurred_at)?;
            about(
                data.partner,
                data.tenant,
                data.alert_id,
                Change::Raised(particulars),
            )
        }
        "alert.updated" => {
            let data: AlertData = read(data, "data")?;
            let particulars = particulars(&data, door, occurred_at)?;
            about(
                data.partner,
                data.tenant,
                data.alert_id,
                Change::Updated(particulars),
            )
        }
        "alert.resolved" => {
            let data: ResolvedData = read(data, "data")?;
            about(data.partner, data.tenant, data.alert_id, Change::Resolved)
        }
        "alerts.snapshot" => snapshot(read(data, "data")?, door, times),
        other => {
            let problem = format!(
                "`{}` is not one of alert.raised, alert.updated, alert.resolved, alerts.snapshot",
                cut_to_bytes(&one_line(other), 80)
            );
            Err(Invalid::new("type", problem))
        }
    }
}

impl CloudEvent {
    fn digest(&self) -> EventDigest {
        let time = self.time.map(|time| time.to_string());
        let time = time.unwrap_or_default();
        EventDigest::of(&[&self.source, self.id.as_str(), &self.r#type, &time])
    }
}

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

    fn not_ahead(self, at: Timestamp) -> Timestamp {
        let limit = self
            .received_at
            .saturating_add(AHEAD)
            .unwrap_or(Timestamp::MAX);
        if at > limit { self.received_at } else { at }
    }
}

impl Door {
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
    data: &AlertData,
    door: &Door,
    occurred_at: Timestamp,
) -> Result<Particulars, Invalid> {
    let role = role_of(&data.kind, &door.kinds_added)
        .ok_or_else(|| unknown_kind("data.kind", &data.kind))?;
    let title = cut_to_bytes(&one_line(&data.title), MAX_LINE);
    if title.is_empty() {
        return Err(Invalid::new("data.title", "must not be empty"));
    }
    if let Some(link) = &data.link {
        let web = link.starts_with("https://") || link.starts_with("http://");
        if !web
            || link.len() > MAX_LINK
            || link
                .chars()
                .any(|c| c.is_whitespace() || crate::text::is_unprintable(c))
        {
            return Err(Invalid::new(
                "data.link",
                "must be an http or https address of at most 2048 bytes",
            ));
        }
    }
    let line = |text: &Option<String>| {
        text.as_deref()
            .map(|text| cut_to_bytes(&one_line(text), MAX_LINE))
            .filter(|text| !text.is_empty())
    };
    let payload = Payload {
        title,
        description: cut_to_bytes(&lines(&data.description), MAX_DESCRIPTION),
        tenant_name: line(&data.tenant_name),
        device: line(&data.device),
        user: line(&data.user),
        link: data.link.clone(),
    };
    Ok(Particulars {
        kind: data.kind.clone(),
        role,
        severity: data.severity,
        // An alert that ended before it began has no end that can be meant.
        expires_at: data
            .expires_at
            .filter(|end| is_plausible(*end) && *end > occurred_at),
        payload,
    })
}

fn snapshot(data: SnapshotData, door: &Door, times: Times) -> Result<Message, Invalid> {
    if data.parts == 0 || data.parts > 10_000 {
        return Err(Invalid::new("data.parts", "must be from 1 to 10000"));
    }
    if data.part == 0 || data.part > data.parts {
        return Err(Invalid::new("data.part", "must be from 1 to data.parts"));
    }
    if !is_plausible(data.taken_at) {
        return Err(Invalid::new(
            "data.taken_at",
            "is before 2000: it must be when the listing was taken",
        ));
    }
    for (index, kind) in data.kinds.iter().flatten().enumerate() {
        let field = || format!("data.kinds[{index}]");
        role_of(kind, &door.kinds_added).ok_or_else(|| unknown_kind(&field(), kind))?;
    }
    Ok(Message::Snapshot(SnapshotPart {
        partner: door.partner(data.partner)?,
        tenant: data.tenant,
        source: door.source.clone(),
        snapshot_id: data.snapshot_id,
        taken_at: times.not_ahead(data.taken_at),
        kinds: data.kinds,
        active: data.active,
        part: data.part,
        parts: data.parts,
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
