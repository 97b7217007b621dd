//! Tenants that were seen for the first time: `P#<partner>` with `T#<tenant>`, and with `unmapped#<source>`, which counts them, so that a
//! source that invents tenants does not fill the table and the page.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use domain::setup::mapping::Mapping;
use domain::{PartnerId, SourceId, TenantId};

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::{partner_item, partner_pk, tenant_sk};

/// Unmapped tenants of one source that are listed. An alert of any further tenant waits as well, and is on the page of waiting alerts.
pub const MOST_UNMAPPED: u32 = 5000;

const COUNTER: &str = "unmapped#";

impl ConfigTable {
    /// Lists a tenant that was seen for the first time, so that a person can map it. One that is there already stays as it is. Tells
    /// whether it is listed: a source may have [`MOST_UNMAPPED`] unmapped tenants.
    ///
    /// It is counted before it is written: if the process dies in between, the count is one too high until it is corrected.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn tenant_seen(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
        name: Option<&str>,
    ) -> Result<bool, Error> {
        if !self.count_unmapped(partner, source, 1).await? {
            return Ok(false);
        }
        let unmapped = Mapping {
            name: name.map(str::to_owned),
            ..Mapping::default()
        };
        let mut item = partner_item(partner, &tenant_sk(tenant), &unmapped)?;
        // A person who maps it without having seen it here gets a conflict.
        item.insert("version".to_owned(), AttributeValue::N("1".to_owned()));
        item.insert(
            "seen_from".to_owned(),
            AttributeValue::S(source.to_string()),
        );
        let call = self.table.put_item(item);
        let call = call.condition_expression("attribute_not_exists(pk)");
        if !conditional::put(call).await? {
            self.count_unmapped(partner, source, -1).await?;
        }
        Ok(true)
    }

    /// Adds to the count of a source's unmapped tenants. Tells whether it was below the limit.
    async fn count_unmapped(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        change: i32,
    ) -> Result<bool, Error> {
        let call = self
            .table
            .update_item(&partner_pk(partner), &format!("{COUNTER}{source}"))
            .update_expression("ADD tenants :change")
            .expression_attribute_values(":change", AttributeValue::N(change.to_string()));
        let call = match change > 0 {
            true => call
                .condition_expression("attribute_not_exists(tenants) OR tenants < :most")
                .expression_attribute_values(":most", AttributeValue::N(MOST_UNMAPPED.to_string())),
            false => call,
        };
        Ok(conditional::update(call).await?.is_some())
    }

    /// The sources of which no further tenant is listed, because so many wait to be mapped.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn sources_at_the_limit(&self, partner: &PartnerId) -> Result<Vec<SourceId>, Error> {
        let items = self.table.items_with_prefix(partner, COUNTER).await?;
        let sources = items.into_iter().filter_map(|item| {
            let tenants: u32 = item.get("tenants")?.as_n().ok()?.parse().ok()?;
            let source = item.get("sk")?.as_s().ok()?.strip_prefix(COUNTER)?;
            let source = SourceId::parse(source).ok()?;
            (tenants >= MOST_UNMAPPED).then_some(source)
        });
        Ok(sources.collect())
    }

    /// Counts the unmapped tenants of each source at the limit anew: a person may have mapped some. If the process dies, the next run of
    /// `reconcile` counts them.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn recount_unmapped(&self, partner: &PartnerId) -> Result<(), Error> {
        for source in self.sources_at_the_limit(partner).await? {
            let mut pages = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .select(Select::Count)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .filter_expression("seen_from = :source AND attribute_not_exists(company)")
                .expression_attribute_values(":pk", AttributeValue::S(partner_pk(partner)))
                .expression_attribute_values(":prefix", AttributeValue::S("T#".to_owned()))
                .expression_attribute_values(":source", AttributeValue::S(source.to_string()))
                .into_paginator()
                .send();
            let mut tenants: i64 = 0;
            while let Some(page) = pages.next().await {
                let page = page.map_err(|err| Error::call("Query", &err))?;
                tenants += i64::from(page.count);
            }
            let call = self
                .table
                .update_item(&partner_pk(partner), &format!("{COUNTER}{source}"))
                .update_expression("SET tenants = :tenants")
                .expression_attribute_values(":tenants", AttributeValue::N(tenants.to_string()));
            conditional::update(call).await?;
        }
        Ok(())
    }
}
