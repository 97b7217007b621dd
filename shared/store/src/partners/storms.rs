//! A partner's alert storms: `P#<partner>` with `storm#<tenant>`. What the ticket of an incident
//! lists already is in `incident#<tenant>#<incident>`, apart from what each new alert reads.

use domain::alert::incident::IncidentProgress;
use domain::alert::storm::TenantStorms;
use domain::{AlertId, PartnerId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::table::{Table, number, partner_key, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

const STORM: &str = "storm#";
const INCIDENT: &str = "incident#";

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

    /// Lists the storms of all of a partner's tenants with incidents. An unreadable item is logged
    /// and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn with_incidents(
        &self,
        partner: &PartnerId,
    ) -> Result<Vec<(TenantId, TenantStorms)>, Error> {
        let items = self.table.items_with_prefix(partner, STORM).await?;
        let read = items.into_iter().filter_map(|item| {
            let read: Result<OfTenant<TenantStorms>, _> = from_item(item);
            let read = read.inspect_err(|err| {
                tracing::error!(%partner, error = %err, "failed to read the storms of a tenant");
            });
            let OfTenant { tenant, value } = read.ok()?;
            (!value.incidents().is_empty()).then_some((tenant, value))
        });
        Ok(read.collect())
    }

    /// Reads what an incident's ticket lists already, consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn progress(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        incident: &AlertId,
    ) -> Result<Versioned<IncidentProgress>, Error> {
        let (pk, sk) = (partner_pk(partner), incident_sk(tenant, incident));
        let stored: Versioned<Option<OfTenant<IncidentProgress>>> =
            versions::get(&self.table, incident_item(&pk, &sk)).await?;
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
        (tenant, incident): (&TenantId, &AlertId),
        progress: &IncidentProgress,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), incident_sk(tenant, incident));
        let value = OfTenant {
            tenant: tenant.clone(),
            value: progress,
        };
        versions::save(&self.table, incident_item(&pk, &sk), &value, version).await
    }

    /// Lets DynamoDB delete the progress of an incident that has ended.
    ///
    /// # Errors
    /// When DynamoDB fails. Repeating it changes nothing.
    pub async fn expire_progress(
        &self,
        partner: &PartnerId,
        (tenant, incident): (&TenantId, &AlertId),
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = partner_key(partner, &incident_sk(tenant, incident));
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

fn incident_sk(tenant: &TenantId, incident: &AlertId) -> String {
    format!("{INCIDENT}{tenant}#{incident}")
}

fn storm_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &[],
    }
}

fn incident_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &["has_ended", "listed", "newest"],
    }
}
