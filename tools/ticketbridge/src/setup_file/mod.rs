//! A partner's set-up as a file, for another stage: its name, contacts, sources, how its tickets
//! look, and the company of each tenant. It has no secrets.

pub(crate) mod export;
pub(crate) mod import;
mod plan;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use domain::{PartnerId, WindowId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const FORMAT: &str = "ticketbridge-partner";
/// Raised with each change that an older program would misread.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetupFile {
    format: String,
    version: u32,
    partner: PartnerPart,
    contacts: Vec<ContactPart>,
    sources: Vec<SourcePart>,
    /// The ConnectWise that the ids of settings and tenants belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connectwise: Option<SitePart>,
    /// As the operator's API has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    tenants: Vec<TenantPart>,
    /// The definitions of maintenance windows by their ids, as the operator's API has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    maintenance_windows: BTreeMap<WindowId, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartnerPart {
    id: PartnerId,
    name: String,
    manages_sources: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactPart {
    address: String,
    mails: BTreeSet<String>,
}

/// A source that posts for this partner alone. The last members are as the operator's API has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcePart {
    name: String,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inactive_after_hours: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_inactive_after_days: Option<u32>,
    #[serde(default)]
    inactive_ticket: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preset: Option<PresetPart>,
    authentication: Value,
    networks: Value,
    format: Value,
    response: Value,
    kinds_added: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetPart {
    name: String,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SitePart {
    origin: String,
    company_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantPart {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company: Option<u64>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    enabled: bool,
    /// The team and the owner of its tickets, as the operator's API has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assignment: Option<Value>,
}

impl SetupFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is none of these files, or of a newer program.
    fn parse(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u32>,
        }
        let head: Head = serde_json::from_slice(text)
            .map_err(|err| anyhow::anyhow!("it is not the JSON of `ticketbridge export`: {err}"))?;
        ensure!(
            head.format.as_deref() == Some(FORMAT),
            "it is no file of `ticketbridge export`: its member `format` is not {FORMAT}"
        );
        let version = head.version.unwrap_or_default();
        ensure!(
            version == VERSION,
            "it has version {version}, and this program reads version {VERSION}: export it again \
             with a program of the same release"
        );
        serde_json::from_slice(text).map_err(|err| anyhow::anyhow!("it cannot be read: {err}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The set-up of a partner with a source and a mapped tenant.
    pub(super) fn file() -> SetupFile {
        SetupFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            partner: PartnerPart {
                id: PartnerId::parse("northwind").unwrap(),
                name: "Northwind IT".to_owned(),
                manages_sources: false,
            },
            contacts: vec![ContactPart {
                address: "admin@northwind.example".to_owned(),
                mails: ["broken_connection".to_owned()].into(),
            }],
            sources: vec![SourcePart {
                name: "Scanner".to_owned(),
                enabled: true,
                inactive_after_hours: Some(48),
                tenant_inactive_after_days: None,
                inactive_ticket: false,
                preset: None,
                authentication: json!({ "scheme": "standard_webhooks", "secret": "whsec" }),
                networks: json!([]),
                format: json!("cloud_events"),
                response: json!({ "status": 202, "body": "" }),
                kinds_added: json!([]),
            }],
            connectwise: Some(SitePart {
                origin: "https://na.myconnectwise.net".to_owned(),
                company_id: "northwind".to_owned(),
            }),
            settings: Some(
                json!({ "operations": { "board": 21 }, "cyber_alerts": { "board": 22 } }),
            ),
            tenants: vec![TenantPart {
                id: "acme".to_owned(),
                name: Some("Acme Dental".to_owned()),
                company: Some(301),
                company_name: Some("Acme Dental Ltd".to_owned()),
                enabled: true,
                assignment: Some(json!({ "owner": 151 })),
            }],
            maintenance_windows: BTreeMap::new(),
        }
    }

    #[test]
    fn a_file_can_be_read_again() {
        let text = serde_json::to_string_pretty(&file()).unwrap();
        insta::assert_snapshot!(text);
        assert_eq!(SetupFile::parse(text.as_bytes()).unwrap(), file());
    }

    #[test]
    fn another_file_is_refused_with_its_reason() {
        let mut newer = json!(file());
        newer["version"] = json!(2);
        let mut unknown = json!(file());
        unknown["secrets"] = json!([]);
        for (text, words) in [
            (
                "no JSON".to_owned(),
                "not the JSON of `ticketbridge export`",
            ),
            ("{}".to_owned(), "its member `format`"),
            (newer.to_string(), "it has version 2"),
            (unknown.to_string(), "unknown field `secrets`"),
        ] {
            let err = SetupFile::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(err.contains(words), "{err}");
        }
    }
}
