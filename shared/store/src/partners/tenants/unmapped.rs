//! `unmapped#<source>` counts the unmapped tenants of a source, so that a source that invents
//! tenants cannot fill the table and the page.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use domain::{PartnerId, SourceId};

use super::TenantStore;
use crate::table::{Item, MAX_KEYS, batch_get, number, partner_key, sk_after, string, tenants_pk};
use crate::{Error, conditional};

/// Most unmapped tenants of one source that are listed. An alert of a further tenant is blocked as
/// well, and it is on the page of blocked alerts.
pub const MAX_UNMAPPED: u32 = 5000;

pub(crate) const COUNTER: &str = "unmapped#";

impl TenantStore {
    /// Adds to the count of a source's unmapped tenants. Returns whether they fit below the limit.
    pub(super) async fn count_in(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        count: u32,
    ) -> Result<bool, Error> {
        let call = self
            .counter(partner, source)
            .update_expression("ADD tenants :count")
            .condition_expression("attribute_not_exists(tenants) OR tenants <= :max")
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":max", number(MAX_UNMAPPED.saturating_sub(count)));
        conditional::update(call).await
    }

    pub(super) async fn count_out(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        count: usize,
    ) -> Result<(), Error> {
        let less = i64::try_from(count).unwrap_or_default();
        let call = self
            .counter(partner, source)
            .update_expression("ADD tenants :less")
            .expression_attribute_values(":less", number(-less));
        conditional::update(call).await.map(drop)
    }

    /// Those of these sources of which no further tenant is listed.
    pub async fn at_the_limit(
        &self,
        partner: &PartnerId,
        sources: &[SourceId],
    ) -> Result<Vec<SourceId>, Error> {
        let mut found = vec![];
        for some in sources.chunks(MAX_KEYS) {
            let keys = some
                .iter()
                .map(|source| partner_key(partner, &format!("{COUNTER}{source}")));
            let [items] = batch_get([(&self.table, keys.collect())]).await?;
            found.extend(items.iter().filter_map(source_at_the_limit));
        }
        found.sort();
        Ok(found)
    }

    /// The sources of which no further tenant is listed.
    pub async fn sources_at_the_limit(&self, partner: &PartnerId) -> Result<Vec<SourceId>, Error> {
        let items = self.table.items_with_prefix(partner, COUNTER).await?;
        Ok(items.iter().filter_map(source_at_the_limit).collect())
    }

    /// Recounts the unmapped tenants of each source at the limit: a person may have mapped some. If
    /// the process dies, the next run of reconcile recounts.
    pub async fn recount_unmapped(&self, partner: &PartnerId) -> Result<(), Error> {
        for source in self.sources_at_the_limit(partner).await? {
            let mut pages = self
                .table
                .query()
                .select(Select::Count)
                .key_condition_expression("pk = :pk")
                .filter_expression("seen_from = :source AND attribute_not_exists(company)")
                .expression_attribute_values(":pk", string(tenants_pk(partner)))
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

/// The source of a counter, if the counter is at the limit.
fn source_at_the_limit(item: &Item) -> Option<SourceId> {
    let tenants: u32 = item.get("tenants")?.as_n().ok()?.parse().ok()?;
    let source = SourceId::parse(sk_after(item, COUNTER)?).ok()?;
    (tenants >= MAX_UNMAPPED).then_some(source)
}
