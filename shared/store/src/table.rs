//! A DynamoDB table, and the keys and values of its items.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_types::SdkConfig;
use domain::time::sortable;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::Error;

/// The attributes of an item, or of its key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// One table. A clone shares the client's connections.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(crate) fn new(config: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Reads an item consistently.
    pub(crate) async fn item(&self, key: Item) -> Result<Option<Item>, Error> {
        send_get(self.get_item(key)).await
    }

    /// Reads the content of a partner's item consistently.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        partner: &PartnerId,
        sk: &str,
    ) -> Result<Option<T>, Error> {
        let item = self.item(key(&partner_pk(partner), sk)).await?;
        let malformed = |err| Error::malformed(format!("{partner} {sk}"), &err);
        item.map(from_item).transpose().map_err(malformed)
    }

    /// Reads all items of a partition consistently, in the order of their sort keys.
    pub(crate) async fn partition(&self, pk: String) -> Result<Vec<Item>, Error> {
        let query = self
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(pk));
        query_all(query).await
    }

    /// Reads all items of a partner whose sort key begins with the prefix, consistently and in the
    /// order of their sort keys.
    pub(crate) async fn items_with_prefix(
        &self,
        partner: &PartnerId,
        prefix: &str,
    ) -> Result<Vec<Item>, Error> {
        let query = self
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", string(partner_pk(partner)))
            .expression_attribute_values(":prefix", string(prefix));
        query_all(query).await
    }

    /// Reads a partner's items of all sources, whose sort keys are the prefix and the source's id. An
    /// unreadable item is logged and left out.
    pub(crate) async fn items_by_source<T: DeserializeOwned>(
        &self,
        partner: &PartnerId,
        prefix: &str,
    ) -> Result<BTreeMap<SourceId, T>, Error> {
        let mut found = BTreeMap::new();
        for item in self.items_with_prefix(partner, prefix).await? {
            let id = sk_after(&item, prefix).and_then(|id| SourceId::parse(id).ok());
            match id.zip(from_item(item).ok()) {
                Some((id, value)) => drop(found.insert(id, value)),
                None => {
                    tracing::error!(%partner, list = prefix, "failed to parse an item of a source");
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn get_item(&self, key: Item) -> GetItemFluentBuilder {
        let call = self.client.get_item().table_name(&self.name);
        call.consistent_read(true).set_key(Some(key))
    }

    pub(crate) fn query(&self) -> QueryFluentBuilder {
        self.client.query().table_name(&self.name)
    }

    pub(crate) fn scan(&self) -> ScanFluentBuilder {
        self.client
            .scan()
            .table_name(&self.name)
            .consistent_read(true)
    }

    pub(crate) fn put_item(&self, item: Item) -> PutItemFluentBuilder {
        let call = self.client.put_item().table_name(&self.name);
        call.set_item(Some(item))
    }

    pub(crate) fn update_item(&self, key: Item) -> UpdateItemFluentBuilder {
        let call = self.client.update_item().table_name(&self.name);
        call.set_key(Some(key))
    }

    pub(crate) fn delete_item(&self, key: Item) -> DeleteItemFluentBuilder {
        let call = self.client.delete_item().table_name(&self.name);
        call.set_key(Some(key))
    }
}

/// Sends a `GetItem` request.
pub(crate) async fn send_get(call: GetItemFluentBuilder) -> Result<Option<Item>, Error> {
    let answer = call.send().await;
    Ok(answer.map_err(|err| Error::call("GetItem", &err))?.item)
}

/// Reads all pages of a query.
pub(crate) async fn query_all(query: QueryFluentBuilder) -> Result<Vec<Item>, Error> {
    let items: Result<Vec<Item>, _> = query.into_paginator().items().send().collect().await;
    items.map_err(|err| Error::call("Query", &err))
}

/// The most keys of one [`batch_get`].
pub(crate) const MAX_KEYS: usize = 100;

/// Reads items of one or two tables consistently in one request. Returns one list of items for each
/// table, in the order of `requests`; either all items were read, or it is an error.
pub(crate) async fn batch_get<const N: usize>(
    requests: [(&Table, Vec<Item>); N],
) -> Result<[Vec<Item>; N], Error> {
    let names = requests.each_ref().map(|(table, _)| table.name.clone());
    let Some((first, _)) = requests.first() else {
        return Ok(names.map(|_| Vec::new()));
    };
    let mut call = first.client.batch_get_item();
    for (table, keys) in requests {
        let keys = KeysAndAttributes::builder()
            .consistent_read(true)
            .set_keys(Some(keys));
        // Building fails only without keys.
        let keys = keys.build().map_err(|err| Error::Call {
            operation: "BatchGetItem",
            cause: err.to_string(),
        })?;
        call = call.request_items(&table.name, keys);
    }
    let answer = call
        .send()
        .await
        .map_err(|err| Error::call("BatchGetItem", &err))?;
    if answer
        .unprocessed_keys()
        .is_some_and(|keys| !keys.is_empty())
    {
        return Err(Error::Call {
            operation: "BatchGetItem",
            cause: "throttled: not all items were read".to_owned(),
        });
    }
    let mut tables = answer.responses.unwrap_or_default();
    Ok(names.map(|name| tables.remove(&name).unwrap_or_default()))
}

pub(crate) fn alert_key(pk: &str) -> Item {
    Item::from([("pk".to_owned(), string(pk))])
}

/// The key of an item in the `config` or `access` table.
pub(crate) fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
}

pub(crate) fn partner_key(partner: &PartnerId, sk: &str) -> Item {
    key(&partner_pk(partner), sk)
}

pub(crate) fn partner_pk(partner: &PartnerId) -> String {
    format!("P#{partner}")
}

/// A partner's tenants have a partition of their own: there may be thousands, and reading them all
/// does not use the throughput of the items that the functions read with each message.
pub(crate) fn tenants_pk(partner: &PartnerId) -> String {
    format!("{}#tenants", partner_pk(partner))
}

pub(crate) fn tenant_sk(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

pub(crate) fn tenant_key(partner: &PartnerId, tenant: &TenantId) -> Item {
    key(&tenants_pk(partner), &tenant_sk(tenant))
}

/// What follows the prefix in the item's sort key.
pub(crate) fn sk_after<'a>(item: &'a Item, prefix: &str) -> Option<&'a str> {
    item.get("sk")?.as_s().ok()?.strip_prefix(prefix)
}

/// A partner's item with this content.
pub(crate) fn partner_item<T: Serialize>(
    partner: &PartnerId,
    sk: &str,
    value: &T,
) -> Result<Item, Error> {
    let malformed = |err| Error::malformed(format!("{partner} {sk}"), &err);
    let mut item: Item = to_item(value).map_err(malformed)?;
    item.extend(partner_key(partner, sk));
    Ok(item)
}

pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn number(number: impl ToString + Copy) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A time as text that sorts as the times do, by the millisecond.
pub(crate) fn time(at: Timestamp) -> AttributeValue {
    AttributeValue::S(sortable(at))
}
