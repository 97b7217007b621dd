//! The `config` table: what partners set up. All of a partner's items share the key `P#<partner>`.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_types::SdkConfig;
use domain::breaker::Breaker;
use domain::settings::{Mapping, Settings};
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::breaker::BREAKER;
use crate::conditional;
use crate::partner_sources::{PartnerSource, source_sk};
use crate::{Error, Item};

/// A partner's connection, without its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `scheme://host[:port]` of its ConnectWise.
    pub origin: String,
    /// The login company.
    pub company_id: String,
    /// Raised whenever the origin or the company id changes, not when keys rotate.
    pub epoch: u32,
    /// Whether the partner confirmed the set-up: before that, alerts wait.
    pub confirmed: bool,
    /// When that was: alerts that were raised much earlier wait for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The operator switched the partner off: its alerts wait as before it confirmed, and go on when it is switched on again.
    #[serde(default)]
    pub suspended: bool,
}

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

/// The `config` table.
#[derive(Debug, Clone)]
pub struct ConfigTable {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl ConfigTable {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(config),
            table,
        }
    }

    /// The partner's connection.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn connection(&self, partner: &PartnerId) -> Result<Option<Connection>, Error> {
        self.get(partner, "connection").await
    }

    /// The partner's settings.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn settings(&self, partner: &PartnerId) -> Result<Option<Settings>, Error> {
        self.get(partner, "settings").await
    }

    /// The tenant's mapping, read consistently: a tenant switched off makes no further ticket.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn mapping(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Option<Mapping>, Error> {
        self.get(partner, &tenant_sk(tenant)).await
    }

    /// All that a decision about the tenant's alert needs, read consistently in one call: a tenant that was switched off makes no
    /// further ticket, and a pause holds for every worker at once.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable, the breaker's excepted.
    pub async fn read(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
    ) -> Result<PartnerItems, Error> {
        let (mapping, source) = (tenant_sk(tenant), source_sk(source));
        let mut keys = KeysAndAttributes::builder().consistent_read(true);
        for sk in ["connection", "settings", BREAKER, &mapping, &source] {
            keys = keys.keys(HashMap::from([
                ("pk".to_owned(), AttributeValue::S(partner_pk(partner))),
                ("sk".to_owned(), AttributeValue::S(sk.to_owned())),
            ]));
        }
        let mut items = crate::batch_get(&self.client, &self.table, keys).await?;
        let mut of = |sk: &str| {
            let is = |item: &Item| {
                item.get("sk")
                    .and_then(|sk| sk.as_s().ok())
                    .is_some_and(|is| is == sk)
            };
            items.iter().position(is).map(|at| items.swap_remove(at))
        };
        let (connection, settings) = (of("connection"), of("settings"));
        let (breaker, mapping, source) = (of(BREAKER), of(&mapping), of(&source));
        let breaker = breaker.map_or_else(|| Ok(Breaker::default()), from_item);
        if let Err(fault) = &breaker {
            tracing::error!(partner = %partner, fault = %fault, "the breaker is unreadable");
        }
        let malformed = |fault| Error::malformed(format!("of {partner}"), &fault);
        Ok(PartnerItems {
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

    /// Remembers a tenant that was seen for the first time, so that a person can map it; one that is there already stays as it
    /// is.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn tenant_seen(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        name: Option<&str>,
    ) -> Result<(), Error> {
        let unmapped = Mapping {
            name: name.map(str::to_owned),
            ..Mapping::default()
        };
        let mut item = item(partner, &tenant_sk(tenant), &unmapped)?;
        // Who maps it without having seen it here learns of it.
        item.insert("version".to_owned(), AttributeValue::N("1".to_owned()));
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item));
        conditional::put(call.condition_expression("attribute_not_exists(pk)")).await?;
        Ok(())
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        partner: &PartnerId,
        sk: &str,
    ) -> Result<Option<T>, Error> {
        let item = self.item(&partner_pk(partner), sk).await?;
        let read = |item| {
            from_item(item).map_err(|fault| Error::malformed(format!("{partner} {sk}"), &fault))
        };
        item.map(read).transpose()
    }

    /// An item as it is, read consistently.
    /// All items of a partner whose sort key begins with the prefix, in the order of their sort keys, read consistently.
    pub(crate) async fn items_with_prefix(
        &self,
        partner: &PartnerId,
        prefix: &str,
    ) -> Result<Vec<Item>, Error> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(partner_pk(partner)))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
        let items: Result<Vec<Item>, _> = query.into_paginator().items().send().collect().await;
        items.map_err(|fault| Error::call("Query", &fault))
    }

    pub(crate) async fn item(&self, pk: &str, sk: &str) -> Result<Option<Item>, Error> {
        let call = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true);
        let call = call
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()));
        let answer = call
            .send()
            .await
            .map_err(|fault| Error::call("GetItem", &fault))?;
        Ok(answer.item)
    }
}

pub(crate) fn partner_pk(partner: &PartnerId) -> String {
    format!("P#{partner}")
}

pub(crate) fn tenant_sk(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

fn item<T: Serialize>(partner: &PartnerId, sk: &str, value: &T) -> Result<Item, Error> {
    let malformed = |fault| Error::malformed(format!("{partner} {sk}"), &fault);
    let mut item: Item = to_item(value).map_err(malformed)?;
    item.insert("pk".to_owned(), AttributeValue::S(partner_pk(partner)));
    item.insert("sk".to_owned(), AttributeValue::S(sk.to_owned()));
    Ok(item)
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use domain::event::Severity;
    use domain::settings::BoardTarget;

    use super::*;

    #[test]
    fn settings_come_back_as_they_were_stored() {
        let partner = PartnerId::parse("acme").unwrap();
        let board = BoardTarget {
            board: Some(2),
            types: [(Kind::parse("disk").unwrap(), 7)].into(),
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: board.clone(),
            cyber_alerts: board,
            kinds_off: [Kind::parse("cpu").unwrap()].into(),
            priorities: [(Severity::Critical, 1)].into(),
            epoch: Some(3),
            ..Settings::default()
        };
        let item = item(&partner, "settings", &settings).unwrap();
        assert_eq!(from_item::<Settings>(item).unwrap(), settings);
    }
}
