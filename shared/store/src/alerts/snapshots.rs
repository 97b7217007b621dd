//! Snapshots: one item for each part.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::closing::snapshot::SnapshotPartHead;
use domain::closing::snapshot_part::SnapshotPart;
use domain::time::later;
use domain::{AlertId, PartnerId, SourceId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::item_stream::ItemStream;
use super::schema::SCHEMA;
use crate::table::{Item, Table, alert_key, number, send_get, string};
use crate::{Error, conditional};

/// How long a part is stored. Two consecutive snapshots decide, and a stale one decides nothing.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Parts that are read in one request. Mostly the newest two or three are enough.
const PAGE: i32 = 20;

#[derive(Debug, Clone)]
pub struct SnapshotStore {
    table: Table,
}

#[derive(Deserialize)]
struct PartContent {
    active: Vec<AlertId>,
    #[serde(default)]
    conflicting: bool,
}

impl SnapshotStore {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Stores a part of a snapshot, and lists it in the index under the partner's snapshots. A
    /// repetition changes nothing, not even when the part was received. If a part is received again
    /// with other content, neither can be trusted, and the part is marked as conflicting. If the
    /// process dies before that mark, the message of the part is delivered again.
    pub async fn put_part(&self, part: &SnapshotPart, now: Timestamp) -> Result<(), Error> {
        let pk = part.item_key();
        let digest = string(part.content_digest());
        let (state_of, tenant_since) = part.index();
        let expires = later(now, RETENTION);
        let mut item: Item = to_item(part).map_err(|err| Error::malformed(pk.clone(), &err))?;
        item.extend(alert_key(&pk));
        for (name, value) in [
            ("state_of", string(state_of)),
            ("tenant_since", string(tenant_since)),
            ("schema", number(SCHEMA)),
            ("ttl", number(expires.as_second())),
            ("listed", number(part.active.len())),
            ("digest", digest.clone()),
        ] {
            item.insert(name.to_owned(), value);
        }
        let call = self.table.put_item(item);
        let call = call.condition_expression("attribute_not_exists(pk)");
        if conditional::put(call).await? {
            return Ok(());
        }
        let call = self
            .table
            .update_item(alert_key(&pk))
            .update_expression("SET conflicting = :true")
            .condition_expression("digest <> :digest")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":digest", digest);
        if conditional::update(call).await? {
            tracing::warn!(
                partner = %part.partner, tenant = %part.tenant, source = %part.source, part = part.part,
                "snapshot part was received again with other content; the snapshot is ignored"
            );
        }
        Ok(())
    }

    /// Lists the parts of a source's snapshots of one tenant, the newest first, without the alerts
    /// that they list.
    #[must_use]
    pub fn parts(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
    ) -> ItemStream<SnapshotPartHead> {
        let query = self
            .table
            .query()
            .index_name("by_state")
            .scan_index_forward(false)
            .key_condition_expression("state_of = :state_of AND begins_with(tenant_since, :tenant)")
            // Another source, or a tenant whose id continues after a `#`, may share the key.
            .filter_expression("#source = :source AND tenant = :name")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(
                ":state_of",
                string(SnapshotPart::index_key(partner, tenant, source)),
            )
            .expression_attribute_values(":tenant", string(format!("{tenant}#")))
            .expression_attribute_values(":source", string(source.to_string()))
            .expression_attribute_values(":name", string(tenant.to_string()))
            .limit(PAGE);
        ItemStream::send(query)
    }

    /// Reads the alerts that a part of a snapshot lists. Returns `None` if the part was deleted, or
    /// was received again with other content.
    ///
    /// # Errors
    /// When DynamoDB fails or the part is unreadable.
    pub async fn active_alerts(&self, item_key: &str) -> Result<Option<Vec<AlertId>>, Error> {
        let call = self.table.get_item(alert_key(item_key));
        let call = call.projection_expression("active, conflicting");
        let Some(item) = send_get(call).await? else {
            return Ok(None);
        };
        let part: PartContent = from_item(item).map_err(|err| Error::malformed(item_key, &err))?;
        Ok((!part.conflicting).then_some(part.active))
    }
}
