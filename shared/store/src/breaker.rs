//! The breaker's item: `P#<partner>`, `breaker`. Each change is one conditional write, so workers need not agree beforehand.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::alert::blocked::BlockedSince;
use domain::connection::breaker::Breaker;
use domain::{Blocked, PartnerId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

/// The breaker's sort key.
pub(crate) const BREAKER: &str = "breaker";

impl ConfigTable {
    /// The partner's breaker, read consistently; one that was never in trouble is closed.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn breaker(&self, partner: &PartnerId) -> Result<Breaker, Error> {
        Ok(self.table.get(partner, BREAKER).await?.unwrap_or_default())
    }

    /// Nobody calls this ConnectWise until then. A pause only grows.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn pause(&self, partner: &PartnerId, until: Timestamp) -> Result<(), Error> {
        // Whole seconds: texts of equal length sort as the times do.
        let until = Timestamp::from_second(until.as_second().saturating_add(1)).unwrap_or(until);
        let call = self
            .update(partner)
            .update_expression("SET paused_until = :until")
            .condition_expression("attribute_not_exists(paused_until) OR paused_until < :until")
            .expression_attribute_values(":until", AttributeValue::S(until.to_string()));
        conditional::update(call).await?;
        Ok(())
    }

    /// Notes that a call failed without a verdict, and returns the breaker as it is then.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn failing(&self, partner: &PartnerId, now: Timestamp) -> Result<Breaker, Error> {
        let call = self
            .update(partner)
            .update_expression("SET failing_since = if_not_exists(failing_since, :now)")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
            .return_values(ReturnValue::AllNew);
        let answer = call.send().await;
        let answer = answer.map_err(|err| Error::call("UpdateItem", &err))?;
        let malformed = |err| Error::malformed(format!("{partner} {BREAKER}"), &err);
        from_item(answer.attributes.unwrap_or_default()).map_err(malformed)
    }

    /// Notes that ConnectWise answered: it is not failing any more.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn works(&self, partner: &PartnerId) -> Result<(), Error> {
        conditional::update(
            self.update(partner)
                .update_expression("REMOVE failing_since"),
        )
        .await?;
        Ok(())
    }

    /// Opens the breaker, unless it is open. With `failed_keys`, only if these are the keys that set-up stored last: older ones
    /// were replaced meanwhile. Tells whether it was this call that opened it.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn open_breaker(
        &self,
        partner: &PartnerId,
        reason: Blocked,
        failed_keys: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let malformed = |err| Error::malformed(format!("{partner} {BREAKER}"), &err);
        let open = BlockedSince {
            reason,
            since: now,
            refusal: None,
        };
        let mut call = self
            .update(partner)
            .update_expression(
                "SET #open = :open, generation = if_not_exists(generation, :zero) + :one",
            )
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", to_attribute_value(open).map_err(malformed)?)
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        call = match failed_keys {
            None => call.condition_expression("attribute_not_exists(#open)"),
            Some(version) => call
                .condition_expression(
                    "attribute_not_exists(#open) AND (attribute_not_exists(key_version) OR key_version = :version)",
                )
                .expression_attribute_values(":version", AttributeValue::S(version.to_owned())),
        };
        Ok(conditional::update(call).await?.is_some())
    }

    /// Closes the breaker of the generation that a probe saw. Tells whether it did: another trouble opens another generation.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn close_breaker(&self, partner: &PartnerId, generation: u64) -> Result<bool, Error> {
        let call = self
            .update(partner)
            .update_expression("REMOVE #open, failing_since")
            .condition_expression("attribute_exists(#open) AND generation = :generation")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":generation", AttributeValue::N(generation.to_string()));
        Ok(conditional::update(call).await?.is_some())
    }

    /// Notes which keys were stored last, by their version in Secrets Manager, and lets them try: the breaker is closed, a probe of
    /// older keys closes or opens nothing any more, and no right is taken for missing, since another API member may have another role.
    /// One write, made after the keys are stored. If the process dies before it, a refusal of the new keys opens nothing until
    /// `reconcile` makes it; making it again does no harm.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened.
    pub async fn keys_stored(&self, partner: &PartnerId, version: &str) -> Result<(), Error> {
        conditional::update(self.new_keys(partner, version)).await?;
        Ok(())
    }

    /// As [`Self::keys_stored`], for who finds that newer keys are stored than the breaker knows; nothing where it knows others than
    /// `before` by now. Tells whether it was written.
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
            .new_keys(partner, version)
            .condition_expression("key_version = :before")
            .expression_attribute_values(":before", AttributeValue::S(before.to_owned()));
        Ok(conditional::update(call).await?.is_some())
    }

    fn new_keys(&self, partner: &PartnerId, version: &str) -> UpdateItemFluentBuilder {
        self.update(partner)
            .update_expression(
                "SET key_version = :version, generation = if_not_exists(generation, :zero) + :one \
                 REMOVE #open, failing_since, missing_rights",
            )
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":version", AttributeValue::S(version.to_owned()))
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
    }

    /// Remembers that ConnectWise refused a call for want of this right.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn right_missing(&self, partner: &PartnerId, right: &str) -> Result<(), Error> {
        let right = AttributeValue::S(right.to_owned());
        let call = self
            .update(partner)
            .update_expression(
                "SET missing_rights = list_append(if_not_exists(missing_rights, :none), :rights)",
            )
            .condition_expression("NOT contains(missing_rights, :right)")
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":rights", AttributeValue::L(vec![right.clone()]))
            .expression_attribute_values(":right", right);
        conditional::update(call).await?;
        Ok(())
    }

    /// Replaces the missing rights that a look at the role began from. Tells whether they were still those, and the keys too.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn rights_seen(
        &self,
        partner: &PartnerId,
        before: &Breaker,
        missing: &BTreeSet<String>,
    ) -> Result<bool, Error> {
        let malformed = |err| Error::malformed(format!("{partner} {BREAKER}"), &err);
        // Each right stands there once, in the order of their discovery.
        let same_rights = "size(missing_rights) = :before";
        let mut call = self
            .update(partner)
            .update_expression("SET missing_rights = :missing")
            .expression_attribute_values(
                ":missing",
                to_attribute_value(missing).map_err(malformed)?,
            )
            .expression_attribute_values(
                ":before",
                AttributeValue::N(before.missing_rights.len().to_string()),
            );
        call = match &before.key_version {
            None => call.condition_expression(format!(
                "{same_rights} AND attribute_not_exists(key_version)"
            )),
            Some(version) => call
                .condition_expression(format!("{same_rights} AND key_version = :version"))
                .expression_attribute_values(":version", AttributeValue::S(version.clone())),
        };
        Ok(conditional::update(call).await?.is_some())
    }

    fn update(&self, partner: &PartnerId) -> UpdateItemFluentBuilder {
        self.table.update_item(&partner_pk(partner), BREAKER)
    }
}
