//! A partner's circuit breaker: `P#<partner>` with `breaker`. Each change is one conditional write,
//! so workers need no coordination.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::alert::blocked::BlockedSince;
use domain::connection::breaker::Breaker;
use domain::{Blocked, PartnerId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use crate::table::{Table, number, partner_key, string};
use crate::{Error, conditional};

pub(crate) const BREAKER: &str = "breaker";

#[derive(Debug, Clone)]
pub struct BreakerStore {
    table: Table,
}

impl BreakerStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the breaker consistently. A breaker without an item is closed.
    pub async fn get(&self, partner: &PartnerId) -> Result<Breaker, Error> {
        Ok(self.table.get(partner, BREAKER).await?.unwrap_or_default())
    }

    /// Pauses all calls to this ConnectWise until a time. A pause is never shortened.
    pub async fn pause(&self, partner: &PartnerId, until: Timestamp) -> Result<(), Error> {
        // Texts of whole seconds have equal length, so they sort as the times do.
        let until = Timestamp::from_second(until.as_second().saturating_add(1)).unwrap_or(until);
        let call = self
            .update(partner)
            .update_expression("SET paused_until = :until")
            .condition_expression("attribute_not_exists(paused_until) OR paused_until < :until")
            .expression_attribute_values(":until", string(until.to_string()));
        conditional::update(call).await.map(drop)
    }

    /// Records that a call failed without an answer that explains it. Returns the breaker as
    /// written.
    pub async fn record_failure(
        &self,
        partner: &PartnerId,
        now: Timestamp,
    ) -> Result<Breaker, Error> {
        let call = self
            .update(partner)
            .update_expression("SET failing_since = if_not_exists(failing_since, :now)")
            .expression_attribute_values(":now", string(now.to_string()))
            .return_values(ReturnValue::AllNew);
        let answer = conditional::update_and_return(call).await?;
        let item = answer.and_then(|answer| answer.attributes);
        from_item(item.unwrap_or_default()).map_err(malformed(partner))
    }

    /// Records that ConnectWise answered, so that it no longer counts as failing.
    pub async fn record_success(&self, partner: &PartnerId) -> Result<(), Error> {
        let call = self.update(partner);
        let call = call.update_expression("REMOVE failing_since");
        conditional::update(call).await.map(drop)
    }

    /// Opens the breaker unless it is open. With `failed_keys`, opens it only if these are the keys
    /// that set-up stored last: older keys have been replaced. Returns whether this call opened it.
    pub async fn open(
        &self,
        partner: &PartnerId,
        reason: Blocked,
        failed_keys: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let open = BlockedSince {
            reason,
            since: now,
            refusal: None,
        };
        let open = to_attribute_value(open).map_err(malformed(partner))?;
        let call = self
            .update(partner)
            .update_expression(
                "SET #open = :open, generation = if_not_exists(generation, :zero) + :one",
            )
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", open)
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1));
        let call = match failed_keys {
            None => call.condition_expression("attribute_not_exists(#open)"),
            Some(version) => call
                .condition_expression(
                    "attribute_not_exists(#open) \
                     AND (attribute_not_exists(key_version) OR key_version = :version)",
                )
                .expression_attribute_values(":version", string(version)),
        };
        conditional::update(call).await
    }

    /// Closes the breaker if it is still in the generation that a probe saw. Returns whether it did:
    /// another failure opens another generation.
    pub async fn close(&self, partner: &PartnerId, generation: u64) -> Result<bool, Error> {
        let call = self
            .update(partner)
            .update_expression("REMOVE #open, failing_since")
            .condition_expression("attribute_exists(#open) AND generation = :generation")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":generation", number(generation));
        conditional::update(call).await
    }

    /// Records the version in Secrets Manager of the keys that were stored last, and resets the
    /// breaker for them: it is closed, a probe with older keys no longer closes or opens it, and no
    /// right counts as missing, because another API member may have another security role.
    ///
    /// Call it after the keys are stored. If the process dies in between, a refusal of the new keys
    /// does not open the breaker until reconcile makes this write. A repetition does no harm.
    pub async fn keys_stored(&self, partner: &PartnerId, version: &str) -> Result<(), Error> {
        let call = self.reset_for_keys(partner, version);
        conditional::update(call).await.map(drop)
    }

    /// Does the same as [`Self::keys_stored`] for newer keys that were found in Secrets Manager, but
    /// only if the breaker still knows the version `before`. Returns whether it was written.
    ///
    /// # Errors
    /// As for [`Self::keys_stored`].
    pub async fn keys_found(
        &self,
        partner: &PartnerId,
        before: &str,
        version: &str,
    ) -> Result<bool, Error> {
        let call = self
            .reset_for_keys(partner, version)
            .condition_expression("key_version = :before")
            .expression_attribute_values(":before", string(before));
        conditional::update(call).await
    }

    fn reset_for_keys(&self, partner: &PartnerId, version: &str) -> UpdateItemFluentBuilder {
        self.update(partner)
            .update_expression(
                "SET key_version = :version, generation = if_not_exists(generation, :zero) + :one \
                 REMOVE #open, failing_since, missing_rights",
            )
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":version", string(version))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
    }

    /// Records that ConnectWise refused a call because the API member lacks this right.
    pub async fn add_missing_right(&self, partner: &PartnerId, right: &str) -> Result<(), Error> {
        let right = string(right);
        let call = self
            .update(partner)
            .update_expression(
                "SET missing_rights = list_append(if_not_exists(missing_rights, :none), :rights)",
            )
            .condition_expression("NOT contains(missing_rights, :right)")
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":rights", AttributeValue::L(vec![right.clone()]))
            .expression_attribute_values(":right", right);
        conditional::update(call).await.map(drop)
    }

    /// Replaces the missing rights, if neither they nor the keys have changed since `before` was
    /// read. Returns whether it did.
    pub async fn replace_missing_rights(
        &self,
        partner: &PartnerId,
        before: &Breaker,
        missing: &BTreeSet<String>,
    ) -> Result<bool, Error> {
        let missing = to_attribute_value(missing).map_err(malformed(partner))?;
        // Rights are only added one by one, so an equal number is the same list.
        let are_same_rights = "size(missing_rights) = :before";
        let call = self
            .update(partner)
            .update_expression("SET missing_rights = :missing")
            .expression_attribute_values(":missing", missing)
            .expression_attribute_values(":before", number(before.missing_rights.len()));
        let call = match &before.key_version {
            None => call.condition_expression(format!(
                "{are_same_rights} AND attribute_not_exists(key_version)"
            )),
            Some(version) => call
                .condition_expression(format!("{are_same_rights} AND key_version = :version"))
                .expression_attribute_values(":version", string(version)),
        };
        conditional::update(call).await
    }

    fn update(&self, partner: &PartnerId) -> UpdateItemFluentBuilder {
        self.table.update_item(partner_key(partner, BREAKER))
    }
}

fn malformed(partner: &PartnerId) -> impl Fn(serde_dynamo::Error) -> Error {
    move |err| Error::malformed(format!("{partner} {BREAKER}"), &err)
}
