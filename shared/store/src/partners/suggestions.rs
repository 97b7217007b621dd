//! Companies that have the name of a tenant: `P#<partner>` with `suggestions`, the progress of the
//! scan of all companies, and `suggested#<tenant>`, its results. Each request scans a part.

use std::collections::BTreeMap;

use domain::{PartnerId, RecordId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::table::{Table, partner_pk, query_all, sk_after, string};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

/// A scan of all companies for those that have the name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CompanyScan {
    /// The epoch of the connection that is scanned. In another ConnectWise a company id names
    /// another company.
    pub epoch: u32,
    /// The company after which the scan continues; `None` before it began and after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RecordId>,
    /// The number of companies that were read.
    pub read: u64,
    /// The number of companies when the scan began.
    pub total: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The companies that have the name of one tenant. Each tenant has its own item, because one item has
/// room for only some thousand tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenantSuggestions {
    /// The epoch of the connection that was scanned.
    pub epoch: u32,
    /// Only some of them if there are many.
    pub companies: Vec<SuggestedCompany>,
}

/// A company that a tenant may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedCompany {
    pub company: RecordId,
    pub name: String,
}

const SCAN: &str = "suggestions";
const SCAN_OPTIONAL: &[&str] = &["next", "finished_at"];
const PREFIX: &str = "suggested#";

#[derive(Debug, Clone)]
pub struct SuggestionStore {
    table: Table,
}

impl SuggestionStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the progress of the scan consistently.
    pub async fn get_scan(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<CompanyScan>>, Error> {
        versions::get(&self.table, scan_item(&partner_pk(partner))).await
    }

    /// Saves the progress of the scan from this version. If the process dies right after, the next
    /// request continues from there.
    pub async fn save_scan(
        &self,
        partner: &PartnerId,
        scan: &CompanyScan,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, scan_item(&partner_pk(partner)), scan, version).await
    }

    /// Reads the suggestions for one tenant consistently.
    pub async fn get(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<TenantSuggestions>, Error> {
        let (pk, sk) = (partner_pk(partner), suggestions_sk(tenant));
        let read = versions::get(&self.table, item(&pk, &sk)).await?;
        Ok(read.or_default())
    }

    /// Reads the suggestions for all tenants from `first` to `last`, both included. An unreadable
    /// item is logged and left out.
    pub async fn get_range(
        &self,
        partner: &PartnerId,
        first: &TenantId,
        last: &TenantId,
    ) -> Result<BTreeMap<TenantId, TenantSuggestions>, Error> {
        let query = self
            .table
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", string(partner_pk(partner)))
            .expression_attribute_values(":first", string(suggestions_sk(first)))
            .expression_attribute_values(":last", string(suggestions_sk(last)));
        let mut all = BTreeMap::new();
        for item in query_all(query).await? {
            let tenant = sk_after(&item, PREFIX).and_then(|id| TenantId::parse(id).ok());
            let Some((tenant, suggestions)) = tenant.zip(from_item(item).ok()) else {
                tracing::error!(%partner, "failed to parse a suggestions item");
                continue;
            };
            all.insert(tenant, suggestions);
        }
        Ok(all)
    }

    /// Saves the suggestions for one tenant from this version. A repetition after a crash saves the
    /// same.
    ///
    /// # Errors
    /// As for [`Self::save_scan`].
    pub async fn save(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        suggestions: &TenantSuggestions,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), suggestions_sk(tenant));
        versions::save(&self.table, item(&pk, &sk), suggestions, version).await
    }
}

fn suggestions_sk(tenant: &TenantId) -> String {
    format!("{PREFIX}{tenant}")
}

fn scan_item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: SCAN,
        optional: SCAN_OPTIONAL,
    }
}

fn item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let full = CompanyScan {
            next: Some(7),
            finished_at: Some(Timestamp::UNIX_EPOCH),
            ..CompanyScan::default()
        };
        assert_optional(&full, &CompanyScan::default(), SCAN_OPTIONAL);
    }
}
