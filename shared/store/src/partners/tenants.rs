//! A partner's tenants with their mappings: `P#<partner>` with `T#<tenant>`.
//!
//! `unmapped#<source>` counts the unmapped tenants of a source, so that a source that invents
//! tenants cannot fill the table and the page.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use domain::setup::mapping::Mapping;
use domain::{PartnerId, SourceId, TenantId};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::pages::{self, ListEntry, ListPage, PageQuery, PageStart};
use crate::table::{
    Table, number, partner_item, partner_key, partner_pk, sk_after, string, tenant_sk,
};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

/// Most unmapped tenants of one source that are listed. An alert of a further tenant is blocked as
/// well, and it is on the page of blocked alerts.
pub const MAX_UNMAPPED: u32 = 5000;

const PREFIX: &str = "T#";
const COUNTER: &str = "unmapped#";
const OPTIONAL: &[&str] = &["company", "company_name", "epoch", "name", "enabled_at"];

#[derive(Debug, Clone)]
pub struct TenantStore {
    table: Table,
}

impl TenantStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads a tenant's mapping consistently: a disabled tenant gets no further ticket.
    pub async fn get(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<Option<Mapping>>, Error> {
        let (pk, sk) = (partner_pk(partner), tenant_sk(tenant));
        versions::get(&self.table, item(&pk, &sk)).await
    }

    /// Reads the mappings of all of the partner's tenants consistently.
    pub async fn get_all(&self, partner: &PartnerId) -> Result<HashMap<TenantId, Mapping>, Error> {
        let mut mappings = HashMap::new();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let tenant = sk_after(&item, PREFIX).and_then(|id| TenantId::parse(id).ok());
            let Some(tenant) = tenant else {
                tracing::error!(partner = %partner, item = ?item.get("sk"), "item has no tenant id");
                continue;
            };
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}{tenant}"), &err);
            let mapping = from_item(item).map_err(malformed)?;
            mappings.insert(tenant, mapping);
        }
        Ok(mappings)
    }

    /// Reads a page of the partner's tenants with their mappings consistently, in the order of their
    /// ids.
    pub async fn page(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<ListEntry<TenantId, Mapping>>, Error> {
        let pk = partner_pk(partner);
        let query = PageQuery::ascending(&pk, PREFIX, from, limit);
        pages::read(&self.table, query).await
    }

    /// Saves a mapping that was changed from this version, as [`Mapping::chosen`] makes it. The
    /// version is 0 for a tenant without an item. If the process dies right after, the mapping is
    /// saved, and blocked alerts continue when the partner is next due.
    pub async fn save(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), tenant_sk(tenant));
        versions::save(&self.table, item(&pk, &sk), mapping, version).await
    }

    /// Stores a mapping whatever the item contains. For seeding only: a person's change is saved
    /// with its version.
    pub async fn put(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
    ) -> Result<(), Error> {
        let (pk, sk) = (partner_pk(partner), tenant_sk(tenant));
        versions::put(&self.table, item(&pk, &sk), mapping).await
    }

    /// Lists a new tenant as unmapped, so that a person can map it. A tenant that is listed already
    /// stays as it is. Returns whether the tenant is listed: a source may have [`MAX_UNMAPPED`]
    /// unmapped tenants.
    ///
    /// The tenant is counted before it is written. If the process dies in between, the count is one
    /// too high until reconcile recounts.
    pub async fn list_new(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
        name: Option<&str>,
    ) -> Result<bool, Error> {
        if !self.count_in(partner, source).await? {
            return Ok(false);
        }
        let unmapped = Mapping {
            name: name.map(str::to_owned),
            ..Mapping::default()
        };
        let mut item = partner_item(partner, &tenant_sk(tenant), &unmapped)?;
        // A person who maps the tenant without having seen it in the list gets a conflict.
        item.insert("version".to_owned(), number(1));
        item.insert("seen_from".to_owned(), string(source.to_string()));
        let call = self.table.put_item(item);
        let call = call.condition_expression("attribute_not_exists(pk)");
        if !conditional::put(call).await? {
            self.count_out(partner, source).await?;
        }
        Ok(true)
    }

    /// Adds one to the count of a source's unmapped tenants. Returns whether it was below the limit.
    async fn count_in(&self, partner: &PartnerId, source: &SourceId) -> Result<bool, Error> {
        let call = self
            .counter(partner, source)
            .update_expression("ADD tenants :one")
            .condition_expression("attribute_not_exists(tenants) OR tenants < :max")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(MAX_UNMAPPED));
        conditional::update(call).await
    }

    async fn count_out(&self, partner: &PartnerId, source: &SourceId) -> Result<(), Error> {
        let call = self
            .counter(partner, source)
            .update_expression("ADD tenants :minus_one")
            .expression_attribute_values(":minus_one", number(-1));
        conditional::update(call).await.map(drop)
    }

    /// The sources of which no further tenant is listed.
    pub async fn sources_at_the_limit(&self, partner: &PartnerId) -> Result<Vec<SourceId>, Error> {
        let items = self.table.items_with_prefix(partner, COUNTER).await?;
        let sources = items.into_iter().filter_map(|item| {
            let tenants: u32 = item.get("tenants")?.as_n().ok()?.parse().ok()?;
            let source = SourceId::parse(sk_after(&item, COUNTER)?).ok()?;
            (tenants >= MAX_UNMAPPED).then_some(source)
        });
        Ok(sources.collect())
    }

    /// Recounts the unmapped tenants of each source at the limit: a person may have mapped some. If
    /// the process dies, the next run of reconcile recounts.
    pub async fn recount_unmapped(&self, partner: &PartnerId) -> Result<(), Error> {
        for source in self.sources_at_the_limit(partner).await? {
            let mut pages = self
                .table
                .query()
                .select(Select::Count)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .filter_expression("seen_from = :source AND attribute_not_exists(company)")
                .expression_attribute_values(":pk", string(partner_pk(partner)))
                .expression_attribute_values(":prefix", string(PREFIX))
                .expression_attribute_values(":source", string(source.to_string()))
                .into_paginator()
                .send();
            let mut tenants: i64 = 0;
            while let Some(page) = pages.next().await {
                let page = page.map_err(|err| Error::call("Query", &err))?;
                tenants += i64::from(page.count);
            }
            let call = self
                .counter(partner, &source)
                .update_expression("SET tenants = :tenants")
                .expression_attribute_values(":tenants", number(tenants));
            conditional::update(call).await?;
        }
        Ok(())
    }

    fn counter(&self, partner: &PartnerId, source: &SourceId) -> UpdateItemFluentBuilder {
        let key = partner_key(partner, &format!("{COUNTER}{source}"));
        self.table.update_item(key)
    }
}

fn item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let full = Mapping {
            company: Some(1),
            company_name: Some("Acme Dental Inc.".into()),
            epoch: Some(1),
            enabled: false,
            name: Some("Acme Dental".into()),
            enabled_at: Some(Timestamp::UNIX_EPOCH),
        };
        assert_optional(&full, &Mapping::default(), OPTIONAL);
    }
}
