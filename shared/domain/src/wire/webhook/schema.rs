//! x

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::alert::event::Severity;
use crate::{AlertId, Kind, PartnerId, SnapshotId, TenantId};

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
