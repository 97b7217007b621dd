//! Reads a partner's present set-up from the operator's API.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use domain::{PartnerId, WindowId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ContactPart, FORMAT, PartnerPart, SetupFile, SitePart, SourcePart, TenantPart, VERSION,
};
use crate::operator_api::{OperatorApi, is_not_found};

/// What a partner has on a stage.
#[derive(Debug)]
pub(super) struct PartnerState {
    pub(super) setup: SetupFile,
    /// The ids of its sources, by name. A name may occur twice.
    pub(super) source_ids: Vec<(String, String)>,
    /// The names of sources that post for other partners too: they are in no file.
    pub(super) shared_sources: Vec<String>,
}

#[derive(Deserialize)]
struct ApiPartner {
    id: PartnerId,
    name: String,
    manages_sources: bool,
}

#[derive(Deserialize)]
struct ApiContact {
    address: String,
    mails: std::collections::BTreeSet<String>,
    confirmed: bool,
}

#[derive(Deserialize)]
struct ApiConfiguration {
    connectwise: Option<SitePart>,
    settings: Option<Value>,
    tenants: Vec<TenantPart>,
}

#[derive(Deserialize)]
struct ApiWindow {
    id: WindowId,
    definition: Value,
}

impl PartnerState {
    /// Returns `None` if there is no such partner.
    pub(super) async fn read(api: &OperatorApi, partner: &PartnerId) -> Result<Option<Self>> {
        let path = format!("partners/{partner}");
        let described = match api.get(&path, &[]).await {
            Ok(described) => ApiPartner::deserialize(&described)?,
            Err(err) if is_not_found(&err) => return Ok(None),
            Err(err) => return Err(err),
        };
        let contacts = api.get(&format!("{path}/contacts"), &[]).await?;
        let contacts = Vec::<ApiContact>::deserialize(&contacts["contacts"])?;
        let confirmed = contacts.into_iter().filter(|contact| contact.confirmed);
        let mut contacts: Vec<_> = confirmed
            .map(|of| ContactPart {
                address: of.address,
                mails: of.mails,
            })
            .collect();
        contacts.sort();
        let configuration = api.get(&format!("{path}/configuration"), &[]).await?;
        let configuration = ApiConfiguration::deserialize(&configuration)?;
        let windows = api.get(&format!("{path}/maintenance-windows"), &[]).await?;
        let windows = Vec::<ApiWindow>::deserialize(&windows["windows"])?.into_iter();
        let (mut parts, mut source_ids, mut shared_sources) = (vec![], vec![], vec![]);
        for listed in api.sources_of(partner).await? {
            let (id, name) = (text(&listed, "id")?, text(&listed, "name")?);
            if listed["partner"].is_null() {
                shared_sources.push(name);
                continue;
            }
            let source = api.get(&format!("sources/{id}"), &[]).await?;
            parts.push(source_part(&source)?);
            source_ids.push((name, id));
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        let setup = SetupFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            partner: PartnerPart {
                id: described.id,
                name: described.name,
                manages_sources: described.manages_sources,
            },
            contacts,
            sources: parts,
            connectwise: configuration.connectwise,
            settings: configuration.settings,
            tenants: configuration.tenants,
            maintenance_windows: windows.map(|of| (of.id, of.definition)).collect(),
        };
        Ok(Some(Self {
            setup,
            source_ids,
            shared_sources,
        }))
    }
}

fn text(value: &Value, member: &str) -> Result<String> {
    let found = value[member].as_str();
    let found = found.with_context(|| format!("the answer has a source without {member}"))?;
    Ok(found.to_owned())
}

/// The members of a source that another stage can have too.
fn source_part(source: &Value) -> Result<SourcePart> {
    let members = [
        "name",
        "enabled",
        "inactive_after_hours",
        "tenant_inactive_after_days",
        "inactive_ticket",
        "preset",
        "authentication",
        "networks",
        "format",
        "response",
        "kinds_added",
    ];
    let present = members.into_iter().filter_map(|member| {
        let value = source.get(member)?;
        Some((member.to_owned(), value.clone()))
    });
    let part: BTreeMap<String, Value> = present.collect();
    let part = serde_json::to_value(part)?;
    serde_json::from_value(part).context("the answer has a source that cannot be exported")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_exported_without_what_belongs_to_its_stage() {
        let source = json!({
            "id": "src_0123456789abcdefghijklmnop", "name": "Scanner", "partner": "northwind",
            "enabled": true, "made_at": "2026-11-01T08:00:00Z", "version": 4,
            "webhook_url": "https://tb.example/v1/events/src_1", "secrets_until": [null],
            "authentication": { "scheme": "bearer" }, "networks": [], "format": "unmapped",
            "response": { "status": 200, "body": "ok" }, "kinds_added": [], "complete": true,
            "steps": [], "activity": [], "rejected": [], "secret": "never",
        });
        let part = serde_json::to_value(source_part(&source).unwrap()).unwrap();
        let expected = json!({
            "name": "Scanner", "enabled": true, "inactive_ticket": false,
            "authentication": { "scheme": "bearer" }, "networks": [], "format": "unmapped",
            "response": { "status": 200, "body": "ok" }, "kinds_added": [],
        });
        assert_eq!(part, expected);
    }
}
