//! Bulk closings of a tenant that are held: `P#<partner>` with `held#<tenant>`. They wait until a person approves them, or until there
//! are fewer.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::closing::alert_set::AlertSet;
use domain::closing::guard::Approval;
use domain::closing::resolution_plan::Hold;
use domain::time::sortable;
use domain::{PartnerId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

const PREFIX: &str = "held#";

/// Closings of one tenant that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldClosings {
    /// How many alerts counted as resolved in the last run.
    pub closings: u32,
    /// How many alerts had an open ticket.
    pub open: u32,
    /// Since when.
    pub since: Timestamp,
    /// Names the set of alerts that would be closed: a person approves what has this digest.
    pub digest: String,
    /// How many there were when a person approved them. Other closings are held again.
    #[serde(default)]
    pub approved: Option<u32>,
    /// When the person approved them.
    #[serde(default)]
    pub approved_at: Option<Timestamp>,
    /// When the partner was notified.
    #[serde(default)]
    pub notified_at: Option<Timestamp>,
}

/// The held closings of a partner's tenants, and the approvals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClosingHolds {
    /// Held, or approved and in progress.
    pub held: BTreeMap<TenantId, HeldClosings>,
    /// The last approval of each tenant.
    pub approvals: BTreeMap<TenantId, Approval>,
}

#[derive(Deserialize)]
struct Approved {
    #[serde(default)]
    approved: Option<u32>,
    #[serde(default)]
    approved_at: Option<Timestamp>,
}

impl ConfigTable {
    /// The held closings of a partner's tenants, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn held_closings(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<TenantId, HeldClosings>, Error> {
        Ok(self.closing_holds(partner).await?.held)
    }

    /// The held closings and the approvals of a partner's tenants, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn closing_holds(&self, partner: &PartnerId) -> Result<ClosingHolds, Error> {
        let mut stops = ClosingHolds::default();
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
            if let (Some(closings), Some(at)) = (approved.approved, approved.approved_at) {
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
                stops.held.insert(tenant, item);
            }
        }
        Ok(stops)
    }

    /// Holds a tenant's closings, or updates the count of held ones. Returns whether they were not held before. If the process
    /// dies right after, the next run finds them held.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run stops them.
    pub async fn stop(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        stop: &Hold,
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
        let first = counts(self.held_item(partner, tenant))
            .update_expression(
                "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts, since = :now REMOVE approved, approved_at, notified_at",
            )
            .condition_expression("attribute_not_exists(since) OR attribute_exists(approved)")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        if conditional::update(first).await?.is_some() {
            return Ok(true);
        }
        let again = counts(self.held_item(partner, tenant))
            .update_expression(
                "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts",
            )
            .expression_attribute_names("#open", "open");
        conditional::update(again).await?;
        Ok(false)
    }

    /// Ends a hold: there are few closings again. The approval stays, since approved closings count for a day.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run ends it.
    pub async fn end_hold(&self, partner: &PartnerId, tenant: &TenantId) -> Result<(), Error> {
        let call = self
            .held_item(partner, tenant)
            .update_expression("REMOVE closings, #open, digest, alerts, since, notified_at")
            .condition_expression("attribute_exists(since)")
            .expression_attribute_names("#open", "open");
        conditional::update(call).await.map(drop)
    }

    /// A person lets through the closings that it saw: exactly the set of alerts with this digest, of the same stop. Tells whether that is
    /// still what is held; if not, the person has to look again.
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
            .held_item(partner, tenant)
            .update_expression("SET approved = closings, approved_at = :now")
            .condition_expression("since = :since AND digest = :digest")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":since", AttributeValue::S(sortable(since)))
            .expression_attribute_values(":digest", AttributeValue::S(digest.to_owned()));
        Ok(conditional::update(call).await?.is_some())
    }

    /// Records that the partner was notified of the held closings at this time.
    ///
    /// # Errors
    /// When DynamoDB fails; the partner is told again.
    pub async fn hold_notified(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .held_item(partner, tenant)
            .update_expression("SET notified_at = :now")
            .condition_expression("since = :since")
            .expression_attribute_values(":since", AttributeValue::S(sortable(since)))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        conditional::update(call).await.map(drop)
    }

    fn held_item(&self, partner: &PartnerId, tenant: &TenantId) -> UpdateItemFluentBuilder {
        self.table
            .update_item(&partner_pk(partner), &format!("{PREFIX}{tenant}"))
    }
}
