//! What a decision about an alert needs to know of its partner, read from both tables in one
//! request.

use domain::connection::breaker::Breaker;
use domain::maintenance::windows::MaintenanceWindows;
use domain::setup::mapping::Mapping;
use domain::setup::settings::Settings;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::connection::{CONNECTION, Connection};
use super::maintenance::{self, MAINTENANCE};
use super::partner_source::{PartnerSource, source_sk};
use super::settings::SETTINGS;
use crate::operations::BREAKER;
use crate::table::{Item, batch_get, partner_key, tenant_key, tenant_sk};
use crate::{AccessTable, ConfigTable, Error};

/// The partner's items that a decision about one tenant's alert needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PartnerItems {
    pub connection: Option<Connection>,
    pub settings: Option<Settings>,
    /// `None` for a tenant without an item.
    pub mapping: Option<Mapping>,
    /// `None` if the breaker's item is unreadable.
    pub breaker: Option<Breaker>,
    /// When the alert's source began to post for the partner, if that is recorded.
    pub source_since: Option<Timestamp>,
    /// Those that cover the tenant, or all if the items are not of one tenant.
    pub maintenance: MaintenanceWindows,
}

impl PartnerItems {
    /// Reads the items consistently in one request: a disabled partner or tenant gets no further
    /// ticket, and a pause holds for every worker at once.
    ///
    /// # Errors
    /// When DynamoDB fails or an item other than the breaker is unreadable.
    pub async fn read(
        config: &ConfigTable,
        access: &AccessTable,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
    ) -> Result<Self, Error> {
        let (tenant_sk, source_sk) = (tenant_sk(tenant), source_sk(source));
        let of_partner = [SETTINGS, BREAKER, MAINTENANCE].map(|sk| partner_key(partner, sk));
        let mut config_keys = vec![tenant_key(partner, tenant)];
        config_keys.extend(of_partner);
        let access_keys = [CONNECTION, &source_sk].map(|sk| partner_key(partner, sk));
        let [mut config, mut access] = batch_get([
            (&config.settings.table, config_keys),
            (&access.connections.table, access_keys.into()),
        ])
        .await?;
        let breaker = take(&mut config, BREAKER);
        let breaker = breaker.map_or_else(|| Ok(Breaker::default()), from_item);
        if let Err(err) = &breaker {
            tracing::error!(partner = %partner, error = %err, "failed to read the breaker");
        }
        let (settings, mapping) = (take(&mut config, SETTINGS), take(&mut config, &tenant_sk));
        let windows = take(&mut config, MAINTENANCE);
        let connection = take(&mut access, CONNECTION);
        let source = take(&mut access, &source_sk);
        let malformed = |err| Error::malformed(format!("of {partner}"), &err);
        let source: Option<PartnerSource> = source.map(from_item).transpose().map_err(malformed)?;
        Ok(Self {
            connection: connection.map(from_item).transpose().map_err(malformed)?,
            settings: settings.map(from_item).transpose().map_err(malformed)?,
            mapping: mapping.map(from_item).transpose().map_err(malformed)?,
            breaker: breaker.ok(),
            source_since: source.map(|source| source.since),
            maintenance: maintenance::parse(partner, windows).of_tenant(tenant),
        })
    }
}

/// Takes the item with this sort key out of `items`.
fn take(items: &mut Vec<Item>, sk: &str) -> Option<Item> {
    let position = items.iter().position(|item| {
        let item_sk = item.get("sk").and_then(|sk| sk.as_s().ok());
        item_sk.is_some_and(|item_sk| item_sk == sk)
    });
    position.map(|at| items.swap_remove(at))
}
