//! Closings of a tenant that were too many at once to be believed: `P#<partner>` with `stopped#<tenant>`. They wait until a person lets
//! them through, or until there are fewer.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::plan::{AlertSet, Approval, Stop};
use domain::time::sortable;
use domain::{PartnerId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

const PREFIX: &str = "stopped#";

/// Closings of one tenant that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stopped {
    /// How many alerts were taken for gone, at the last look.
    pub closings: u32,
    /// Of how many that had an open ticket.
    pub open: u32,
    /// Since when.
    pub since: Timestamp,
    /// Names the set of alerts that would be closed: a person approves what has this digest.
    pub digest: String,
    /// How many there were when a person let them through; others than those are stopped again.
    #[serde(default)]
    pub approved: Option<u32>,
    /// When the person let them through.
    #[serde(default)]
    pub let_through_at: Option<Timestamp>,
    /// When the partner was told.
    #[serde(default)]
    pub notified_at: Option<Timestamp>,
}

/// What was stopped of a partner's tenants, and what of it a person approved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stops {
    /// What is stopped, or approved and on its way.
    pub stopped: BTreeMap<TenantId, Stopped>,
    /// The last approval of each tenant.
    pub approvals: BTreeMap<TenantId, Approval>,
}

#[derive(Deserialize)]
struct Approved {
    #[serde(default)]
    approved: Option<u32>,
    #[serde(default)]
    let_through_at: Option<Timestamp>,
}

impl ConfigTable {
    /// What was stopped of a partner's tenants, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn stopped(&self, partner: &PartnerId) -> Result<BTreeMap<TenantId, Stopped>, Error> {
        Ok(self.stops(partner).await?.stopped)
    }

    /// What was stopped of a partner's tenants, and what a person approved, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn stops(&self, partner: &PartnerId) -> Result<Stops, Error> {
        let mut stops = Stops::default();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
            let Some(tenant) = sk.and_then(|sk| TenantId::parse(sk.strip_prefix(PREFIX)?).ok())
            else {
                tracing::error!(partner = %partner, item = ?item.get("sk"), "item has no tenant id");
                continue;
            };
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}{tenant}"), &err);
            // What is over leaves what was approved behind.
            let is_in_progress = item.contains_key("since");
            let approved: Approved = from_item(item.clone()).map_err(malformed)?;
            if let (Some(closings), Some(at)) = (approved.approved, approved.let_through_at) {
                let set = item.get("alerts").and_then(|alerts| alerts.as_b().ok());
                let set = set.map(|set| AlertSet::from_bytes(set.as_ref()));
                let approval = Approval {
                    closings,
                    at,
                    in_progress: is_in_progress.then(|| set.unwrap_or_default()),
                };
                stops.approvals.insert(tenant.clone(), approval);
            }
            if is_in_progress {
                let item = from_item(item).map_err(malformed)?;
                stops.stopped.insert(tenant, item);
            }
        }
        Ok(stops)
    }

    /// Stops a tenant's closings, or counts anew what is stopped already. Tells whether they were not stopped before. If the process
    /// dies right after, the next run finds them stopped.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run stops them.
    pub async fn stop(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        stop: &Stop,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let alerts = Blob::new(stop.alerts.to_bytes());
        let counts = |call: UpdateItemFluentBuilder| {
            let (closings, open) = (stop.closings.to_string(), stop.open.to_string());
            call.expression_attribute_values(":closings", AttributeValue::N(closings))
                .expression_attribute_values(":open", AttributeValue::N(open))
                .expression_attribute_values(":digest", AttributeValue::S(stop.alerts.digest()))
                .expression_attribute_values(":alerts", AttributeValue::B(alerts.clone()))
        };
        // What was let through were others: somebody has to look again, and is notified again.
        let first = counts(self.stopped_item(partner, tenant))
            .update_expression(
                "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts, since = :now REMOVE let_through, let_through_at, told_at",
            )
            .condition_expression("attribute_not_exists(since) OR attribute_exists(let_through)")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        if conditional::update(first).await?.is_some() {
            return Ok(true);
        }
        let again = counts(self.stopped_item(partner, tenant))
            .update_expression(
                "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts",
            )
            .expression_attribute_names("#open", "open");
        conditional::update(again).await?;
        Ok(false)
    }

    /// Ends what was stopped: nothing is too much any more. What a person approved stays, since the closings still count for a day.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run ends it.
    pub async fn end_stopped(&self, partner: &PartnerId, tenant: &TenantId) -> Result<(), Error> {
        let call = self
            .stopped_item(partner, tenant)
            .update_expression("REMOVE closings, #open, digest, alerts, since, told_at")
            .condition_expression("attribute_exists(since)")
            .expression_attribute_names("#open", "open");
        conditional::update(call).await.map(drop)
    }

    /// A person lets through the closings that it saw: exactly the set of alerts with this digest, of the same stop. Tells whether that is
    /// still what is stopped; if not, the person has to look again.
    ///
    /// # Errors
    /// When DynamoDB fails. Letting them through again changes nothing.
    pub async fn approved(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        (digest, since): (&str, Timestamp),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .stopped_item(partner, tenant)
            .update_expression("SET let_through = closings, let_through_at = :now")
            .condition_expression("since = :since AND digest = :digest")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":since", AttributeValue::S(sortable(since)))
            .expression_attribute_values(":digest", AttributeValue::S(digest.to_owned()));
        Ok(conditional::update(call).await?.is_some())
    }

    /// Notes that the partner was told of what was stopped at this time.
    ///
    /// # Errors
    /// When DynamoDB fails; the partner is told again.
    pub async fn told_of_stopped(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .stopped_item(partner, tenant)
            .update_expression("SET told_at = :now")
            .condition_expression("since = :since")
            .expression_attribute_values(":since", AttributeValue::S(sortable(since)))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        conditional::update(call).await.map(drop)
    }

    fn stopped_item(&self, partner: &PartnerId, tenant: &TenantId) -> UpdateItemFluentBuilder {
        self.table
            .update_item(&partner_pk(partner), &format!("{PREFIX}{tenant}"))
    }
}
