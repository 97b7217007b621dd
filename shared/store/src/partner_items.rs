//! What a decision about an alert needs of its partner: of both tables, in one call.

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::connection::breaker::Breaker;
use domain::setup::mapping::Mapping;
use domain::setup::settings::Settings;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::access::{AccessTable, CONNECTION, Connection};
use crate::breaker::BREAKER;
use crate::config::ConfigTable;
use crate::partner_sources::{PartnerSource, source_sk};
use crate::table::{partner_key, tenant_sk};
use crate::{Error, Item, batch_get};

/// All that a decision about a tenant's alert needs of what its partner set up.
#[derive(Debug, Clone, PartialEq)]
pub struct PartnerItems {
    /// The connection, if there is one.
    pub connection: Option<Connection>,
    /// The settings, if there are any.
    pub settings: Option<Settings>,
    /// The tenant's mapping; none for a tenant that nobody has seen before.
    pub mapping: Option<Mapping>,
    /// The breaker; none where its item cannot be read.
    pub breaker: Option<Breaker>,
    /// When the alert's source began to post for the partner, where that is recorded.
    pub source_since: Option<Timestamp>,
}

impl PartnerItems {
    /// Reads them consistently in one call: a partner or tenant that was switched off makes no further ticket, and a pause holds for every
    /// worker at once.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable, the breaker's excepted.
    pub async fn read(
        config: &ConfigTable,
        access: &AccessTable,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
    ) -> Result<Self, Error> {
        let (mapping, source) = (tenant_sk(tenant), source_sk(source));
        let keys = |sks: &[&str]| {
            let keys = sks.iter().map(|sk| partner_key(partner, sk)).collect();
            let builder = KeysAndAttributes::builder().consistent_read(true);
            builder.set_keys(Some(keys))
        };
        let requests = [
            (&config.table.name, keys(&["settings", BREAKER, &mapping])),
            (&access.table.name, keys(&[CONNECTION, &source])),
        ];
        let mut tables = batch_get(&config.table.client, requests).await?;
        let mut set_up = tables.remove(&config.table.name).unwrap_or_default();
        let mut rights = tables.remove(&access.table.name).unwrap_or_default();
        let (connection, source) = (take(&mut rights, CONNECTION), take(&mut rights, &source));
        let breaker = take(&mut set_up, BREAKER);
        let breaker = breaker.map_or_else(|| Ok(Breaker::default()), from_item);
        if let Err(err) = &breaker {
            tracing::error!(partner = %partner, error = %err, "failed to read the breaker");
        }
        let (settings, mapping) = (take(&mut set_up, "settings"), take(&mut set_up, &mapping));
        let malformed = |err| Error::malformed(format!("of {partner}"), &err);
        Ok(Self {
            connection: connection.map(from_item).transpose().map_err(malformed)?,
            settings: settings.map(from_item).transpose().map_err(malformed)?,
            mapping: mapping.map(from_item).transpose().map_err(malformed)?,
            breaker: breaker.ok(),
            source_since: source
                .map(from_item::<PartnerSource>)
                .transpose()
                .map_err(malformed)?
                .map(|source| source.since),
        })
    }
}

/// The item with this sort key, taken out of those that were read.
fn take(items: &mut Vec<Item>, sk: &str) -> Option<Item> {
    let is = |item: &Item| {
        let is = item.get("sk").and_then(|is| is.as_s().ok());
        is.is_some_and(|is| is == sk)
    };
    items.iter().position(is).map(|at| items.swap_remove(at))
}
