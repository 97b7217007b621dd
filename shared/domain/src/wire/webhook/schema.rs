//! The data of events, as the JSON Schema for sources describes it.

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::alert::event::Severity;
use crate::{AlertId, Kind, PartnerId, SnapshotId, TenantId};

/// The data of `alert.raised` and `alert.updated`.
#[derive(Debug, JsonSchema)]
pub struct AlertData {
    /// The partner. Needed only if the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The customer's name for people.
    pub tenant_name: Option<String>,
    /// The alert, as the source identifies it. The same in every event about it.
    #[schemars(with = "String")]
    pub alert_id: AlertId,
    /// The kind of alert: `cpu`, `ransomware_encryption`, and so on.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// The severity.
    pub severity: Severity,
    /// The ticket's summary.
    pub title: String,
    /// The ticket's description.
    pub description: String,
    /// The affected machine.
    pub device: Option<String>,
    /// The affected user.
    pub user: Option<String>,
    /// A link to the alert at the source: an http or https address.
    pub link: Option<String>,
    /// When the alert expires unless it is repeated, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}

/// The data of `alert.resolved`. Other members of `alert.raised` are allowed and ignored.
#[derive(Debug, JsonSchema)]
pub struct ResolvedData {
    /// The partner. Needed only if the source serves several.
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
    /// The partner. Needed only if the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// The customer, as the source identifies it.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The id of the snapshot. The same in all its parts.
    #[schemars(with = "String")]
    pub snapshot_id: SnapshotId,
    /// When the snapshot was taken, RFC 3339.
    #[schemars(with = "String")]
    pub taken_at: Timestamp,
    /// The kinds that the snapshot covers. All kinds if absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub kinds: Option<Vec<Kind>>,
    /// The active alerts.
    #[schemars(with = "Vec<String>")]
    pub active: Vec<AlertId>,
    /// The number of this part, from 1.
    pub part: u32,
    /// How many parts the snapshot has.
    pub parts: u32,
    /// How many alerts the whole snapshot lists, over all its parts. A snapshot that lists another
    /// number is ignored. An empty snapshot with a total of 0 counts at once; without a total, only
    /// if several empty ones follow each other over half an hour.
    #[serde(default)]
    pub total: Option<u32>,
}

/// The data of `tenants.snapshot`: customers, ahead of their first alert. A list adds and renames
/// tenants, and never removes one.
#[derive(Debug, JsonSchema)]
pub struct TenantsData {
    /// The partner. Needed only if the source serves several.
    #[schemars(with = "Option<String>")]
    pub partner: Option<PartnerId>,
    /// At most 1000 tenants.
    pub tenants: Vec<TenantEntry>,
}

#[derive(Debug, JsonSchema)]
pub struct TenantEntry {
    /// The customer, as the source identifies it in its alerts.
    #[schemars(with = "String")]
    pub id: TenantId,
    /// The customer's name for people.
    pub name: Option<String>,
}

/// Returns the JSON Schema of the webhook's events, for those who build a source.
#[must_use]
pub fn schema() -> serde_json::Value {
    // Inlined, since a reference would be resolved from the root of the whole schema.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut types = settings.into_generator();
    let alert = types.root_schema_for::<AlertData>();
    let resolved = types.root_schema_for::<ResolvedData>();
    let snapshot = types.root_schema_for::<SnapshotData>();
    let tenants = types.root_schema_for::<TenantsData>();
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
            event(&["tenants.snapshot"], tenants),
        ],
    })
}
