//! Bulk closings of a tenant that are held: `P#<partner>` with `held#<tenant>`. They are held until a
//! person approves them, or until there are fewer.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::closing::alert_set::AlertSet;
use domain::closing::guard::Approval;
use domain::closing::resolution_plan::Hold;
use domain::{PartnerId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::table::{Table, number, partner_key, sk_after, string, time};
use crate::{Error, conditional};

pub(crate) const PREFIX: &str = "held#";

/// Held closings of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldClosings {
    /// The number of alerts that counted as resolved in the last run.
    pub closings: u32,
    /// The number of alerts that had an open ticket.
    pub open: u32,
    pub since: Timestamp,
    /// The digest of the set of alerts to close. A person approves the set with this digest.
    pub digest: String,
    /// The number of closings that a person approved. Other closings are held again.
    #[serde(default)]
    pub approved: Option<u32>,
    #[serde(default)]
    pub approved_at: Option<Timestamp>,
    /// When the partner was notified.
    #[serde(default)]
    pub notified_at: Option<Timestamp>,
}

/// The held closings and the approvals of a partner's tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClosingHolds {
    /// Held, or approved and in progress.
    pub held: BTreeMap<TenantId, HeldClosings>,
    /// The last approval of each tenant.
    pub approvals: BTreeMap<TenantId, Approval>,
}

#[derive(Deserialize)]
struct ApprovalItem {
    #[serde(default)]
    approved: Option<u32>,
    #[serde(default)]
    approved_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct ClosingHoldStore {
    table: Table,
}

impl ClosingHoldStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the held closings of a partner's tenants consistently.
    pub async fn get_held(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<TenantId, HeldClosings>, Error> {
        Ok(self.get(partner).await?.held)
    }

    /// Reads the held closings and the approvals of a partner's tenants consistently.
    pub async fn get(&self, partner: &PartnerId) -> Result<ClosingHolds, Error> {
        let mut holds = ClosingHolds::default();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let tenant = sk_after(&item, PREFIX).and_then(|id| TenantId::parse(id).ok());
            let Some(tenant) = tenant else {
                tracing::error!(partner = %partner, item = ?item.get("sk"), "item has no tenant id");
                continue;
            };
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}{tenant}"), &err);
            // A hold that ended leaves its approval in the item.
            let is_in_progress = item.contains_key("since");
            let approval: ApprovalItem = from_item(item.clone()).map_err(malformed)?;
            if let (Some(closings), Some(at)) = (approval.approved, approval.approved_at) {
                let set = item.get("alerts").and_then(|alerts| alerts.as_b().ok());
                let set = set.map(|set| AlertSet::from_bytes(set.as_ref()));
                let approval = Approval {
                    closings,
                    at,
                    in_progress: is_in_progress.then(|| set.unwrap_or_default()),
                };
                holds.approvals.insert(tenant.clone(), approval);
            }
            if is_in_progress {
                let held = from_item(item).map_err(malformed)?;
                holds.held.insert(tenant, held);
            }
        }
        Ok(holds)
    }

    /// Holds a tenant's closings, or updates closings that are held already. Returns whether they
    /// were not held before. If the process dies right after, the next run finds them held.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run holds them.
    pub async fn hold(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        hold: &Hold,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let alerts = Blob::new(hold.alerts.to_bytes());
        let update = || {
            self.update(partner, tenant)
                .expression_attribute_names("#open", "open")
                .expression_attribute_values(":closings", number(hold.closings))
                .expression_attribute_values(":open", number(hold.open))
                .expression_attribute_values(":digest", string(hold.alerts.digest()))
                .expression_attribute_values(":alerts", AttributeValue::B(alerts.clone()))
        };
        // An approval was for other closings: a person has to look again, and is notified again.
        let first = update()
            .update_expression(
                "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts, \
                 since = :now REMOVE approved, approved_at, notified_at",
            )
            .condition_expression("attribute_not_exists(since) OR attribute_exists(approved)")
            .expression_attribute_values(":now", time(now));
        if conditional::update(first).await? {
            return Ok(true);
        }
        let again = update().update_expression(
            "SET closings = :closings, #open = :open, digest = :digest, alerts = :alerts",
        );
        conditional::update(again).await?;
        Ok(false)
    }

    /// Ends a hold because there are few closings again. The approval stays, since approved closings
    /// count for a day.
    ///
    /// # Errors
    /// When DynamoDB fails; the next run ends it.
    pub async fn end(&self, partner: &PartnerId, tenant: &TenantId) -> Result<(), Error> {
        let call = self
            .update(partner, tenant)
            .update_expression("REMOVE closings, #open, digest, alerts, since, notified_at")
            .condition_expression("attribute_exists(since)")
            .expression_attribute_names("#open", "open");
        conditional::update(call).await.map(drop)
    }

    /// Approves the closings that a person saw: exactly the set of alerts with this digest, of the
    /// hold that began at `since`. Returns whether these are still the held closings; if not, the
    /// person has to look again.
    ///
    /// # Errors
    /// When DynamoDB fails. A repetition changes nothing.
    pub async fn approve(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        (digest, since): (&str, Timestamp),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .update(partner, tenant)
            .update_expression("SET approved = closings, approved_at = :now")
            .condition_expression("since = :since AND digest = :digest")
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":since", time(since))
            .expression_attribute_values(":digest", string(digest));
        conditional::update(call).await
    }

    /// Records that the partner was notified of the hold that began at `since`.
    ///
    /// # Errors
    /// When DynamoDB fails; the partner is notified again.
    pub async fn mark_notified(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .update(partner, tenant)
            .update_expression("SET notified_at = :now")
            .condition_expression("since = :since")
            .expression_attribute_values(":since", time(since))
            .expression_attribute_values(":now", time(now));
        conditional::update(call).await.map(drop)
    }

    fn update(&self, partner: &PartnerId, tenant: &TenantId) -> UpdateItemFluentBuilder {
        let key = partner_key(partner, &format!("{PREFIX}{tenant}"));
        self.table.update_item(key)
    }
}
