//! A partner's alert storms: `P#<partner>` with `storm#<tenant>`. What the ticket of a storm
//! lists already is in `storm_ticket#<tenant>#<storm>`, apart from what each new alert reads.

use domain::alert::storm::TenantStorms;
use domain::alert::storm_ticket::StormProgress;
use domain::{AlertId, PartnerId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::table::{Table, number, partner_key, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

const STORM: &str = "storm#";
const PROGRESS: &str = "storm_ticket#";

#[derive(Debug, Clone)]
pub struct StormStore {
    table: Table,
}

/// An item with its tenant, by which the deletion of a tenant finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OfTenant<T> {
    tenant: TenantId,
    #[serde(flatten)]
    value: T,
}

impl StormStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the storms of a tenant consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<TenantStorms>, Error> {
        let (pk, sk) = (partner_pk(partner), storm_sk(tenant));
        let stored: Versioned<Option<OfTenant<TenantStorms>>> =
            versions::get(&self.table, storm_item(&pk, &sk)).await?;
        Ok(Versioned {
            value: stored.value.map(|stored| stored.value).unwrap_or_default(),
            version: stored.version,
        })
    }

    /// Saves storms that were changed from this version. Saving them again is a conflict.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn save(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        storms: &TenantStorms,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), storm_sk(tenant));
        let value = OfTenant {
            tenant: tenant.clone(),
            value: storms,
        };
        versions::save(&self.table, storm_item(&pk, &sk), &value, version).await
    }

    /// Lists the storms of all of a partner's tenants with storms. An unreadable item is logged
    /// and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn list(&self, partner: &PartnerId) -> Result<Vec<(TenantId, TenantStorms)>, Error> {
        let items = self.table.items_with_prefix(partner, STORM).await?;
        let read = items.into_iter().filter_map(|item| {
            let read: Result<OfTenant<TenantStorms>, _> = from_item(item);
            let read = read.inspect_err(|err| {
                tracing::error!(%partner, error = %err, "failed to read the storms of a tenant");
            });
            let OfTenant { tenant, value } = read.ok()?;
            (!value.storms().is_empty()).then_some((tenant, value))
        });
        Ok(read.collect())
    }

    /// Reads what a storm's ticket lists already, consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn progress(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        storm: &AlertId,
    ) -> Result<Versioned<StormProgress>, Error> {
        let (pk, sk) = (partner_pk(partner), progress_sk(tenant, storm));
        let stored: Versioned<Option<OfTenant<StormProgress>>> =
            versions::get(&self.table, progress_item(&pk, &sk)).await?;
        Ok(Versioned {
            value: stored.value.map(|stored| stored.value).unwrap_or_default(),
            version: stored.version,
        })
    }

    /// Saves progress that was changed from this version.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn save_progress(
        &self,
        partner: &PartnerId,
        (tenant, storm): (&TenantId, &AlertId),
        progress: &StormProgress,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), progress_sk(tenant, storm));
        let value = OfTenant {
            tenant: tenant.clone(),
            value: progress,
        };
        versions::save(&self.table, progress_item(&pk, &sk), &value, version).await
    }

    /// Lets DynamoDB delete the progress of a storm that has ended.
    ///
    /// # Errors
    /// When DynamoDB fails. Repeating it changes nothing.
    pub async fn expire_progress(
        &self,
        partner: &PartnerId,
        (tenant, storm): (&TenantId, &AlertId),
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = partner_key(partner, &progress_sk(tenant, storm));
        let call = self
            .table
            .update_item(key)
            .update_expression("SET #ttl = :now REMOVE listed, newest")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.as_second()));
        conditional::update(call).await.map(drop)
    }
}

fn storm_sk(tenant: &TenantId) -> String {
    format!("{STORM}{tenant}")
}

fn progress_sk(tenant: &TenantId, storm: &AlertId) -> String {
    format!("{PROGRESS}{tenant}#{storm}")
}

fn storm_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &[],
    }
}

fn progress_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &["has_ended", "listed", "newest"],
    }
}
