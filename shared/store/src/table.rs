//! A table with the keys `pk` and `sk`: what `config` and `access` have in common.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use domain::{PartnerId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::{Error, Item};

/// The table of this name.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Table {
    pub(crate) fn new(config: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// An item as it is, read consistently.
    pub(crate) async fn item(&self, pk: &str, sk: &str) -> Result<Option<Item>, Error> {
        let call = self
            .client
            .get_item()
            .table_name(&self.name)
            .consistent_read(true)
            .key("pk", text(pk))
            .key("sk", text(sk));
        let answer = call.send().await;
        let answer = answer.map_err(|err| Error::call("GetItem", &err))?;
        Ok(answer.item)
    }

    /// The content of a partner's item, read consistently.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        partner: &PartnerId,
        sk: &str,
    ) -> Result<Option<T>, Error> {
        let item = self.item(&partner_pk(partner), sk).await?;
        let read =
            |item| from_item(item).map_err(|err| Error::malformed(format!("{partner} {sk}"), &err));
        item.map(read).transpose()
    }

    /// All items of a partner whose sort key begins with the prefix, in the order of their sort keys, read consistently.
    pub(crate) async fn items_with_prefix(
        &self,
        partner: &PartnerId,
        prefix: &str,
    ) -> Result<Vec<Item>, Error> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&partner_pk(partner)))
            .expression_attribute_values(":prefix", text(prefix));
        let items: Result<Vec<Item>, _> = query.into_paginator().items().send().collect().await;
        items.map_err(|err| Error::call("Query", &err))
    }

    pub(crate) fn put_item(&self, item: Item) -> PutItemFluentBuilder {
        let call = self.client.put_item().table_name(&self.name);
        call.set_item(Some(item))
    }

    pub(crate) fn update_item(&self, pk: &str, sk: &str) -> UpdateItemFluentBuilder {
        let call = self.client.update_item().table_name(&self.name);
        call.key("pk", text(pk)).key("sk", text(sk))
    }

    pub(crate) fn delete_item(&self, pk: &str, sk: &str) -> DeleteItemFluentBuilder {
        let call = self.client.delete_item().table_name(&self.name);
        call.key("pk", text(pk)).key("sk", text(sk))
    }
}

pub(crate) fn partner_pk(partner: &PartnerId) -> String {
    format!("P#{partner}")
}

pub(crate) fn tenant_sk(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

/// The key of a partner's item.
pub(crate) fn partner_key(partner: &PartnerId, sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), text(&partner_pk(partner))),
        ("sk".to_owned(), text(sk)),
    ])
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

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
