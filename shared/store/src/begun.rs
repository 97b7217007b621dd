//! What somebody began on the page and has not seen the end of: `P#<partner>` with `boards`, `suggestions`, `suggested#<tenant>` and `test`. Each request does a
//! part of it and notes how far it came, under a version as everything that two people may change at once.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::kind::Category;
use domain::{AlertId, Kind, PartnerId, RecordId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::config::ConfigTable;
use crate::table::partner_pk;
use crate::versions::{Place, Saved, Versioned};
use crate::{Error, Item};

/// The two dedicated boards as the partner asked for them. What of them is there already is never noted: ConnectWise lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedicatedBoards {
    /// The one of operations tickets.
    pub operations: DedicatedBoard,
    /// The one of cyber alerts.
    pub cyber_alerts: DedicatedBoard,
    /// The epoch of the connection for which they were asked for: the numbers name something else in another ConnectWise.
    pub epoch: u32,
    /// Both were made and are in the settings.
    pub finished: bool,
}

/// What a person says of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedicatedBoard {
    /// What it is called.
    pub name: String,
    /// Where it belongs.
    pub location: RecordId,
    /// Its department.
    pub department: RecordId,
    /// The member who leads its team.
    pub team_lead: RecordId,
}

/// A reading of all companies, for those that are called as a tenant is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Suggestions {
    /// The epoch of the connection that is read: a company's number is another company's in another ConnectWise.
    pub epoch: u32,
    /// The company behind which the reading goes on; none before it began and after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RecordId>,
    /// Companies that were read.
    pub read: u64,
    /// Companies that there were when it began.
    pub total: u64,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The companies that are called as one tenant is. Each tenant has an item of its own: an item has room for some thousand tenants only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OfTenant {
    /// The epoch of the connection over which they were read.
    pub epoch: u32,
    /// Some of them, if there are many.
    pub companies: Vec<Suggested>,
}

/// A company that a tenant may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggested {
    /// Its number.
    pub company: RecordId,
    /// What it is called.
    pub name: String,
}

/// The test alert that was asked for last. What became of it stands in its record, as of any alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTicket {
    /// The tenant for whose company the ticket is.
    pub tenant: TenantId,
    /// Which alert it is.
    pub alert_id: AlertId,
    /// What sort of alert.
    pub kind: Kind,
    /// The board that it goes to.
    pub category: Category,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Whether somebody said that it may be closed.
    pub gone: bool,
}

const SUGGESTIONS: &[&str] = &["next", "finished_at"];
/// What begins the sort key of a tenant's suggestions.
const SUGGESTED: &str = "suggested#";

impl ConfigTable {
    /// The boards that the partner asked for last, read consistently, to change them.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn boards_wanted_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<DedicatedBoards>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), "boards")
            .await
    }

    /// Saves the boards that were asked for, changed from this version. One conditional write: if the process dies right after, the
    /// page offers to go on.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again says so by a conflict.
    pub async fn save_boards_wanted(
        &self,
        partner: &PartnerId,
        desired: &DedicatedBoards,
        version: u64,
    ) -> Result<Saved, Error> {
        let pk = partner_pk(partner);
        self.table
            .save(place(&pk, "boards", &[]), desired, version)
            .await
    }

    /// How far the partner's companies were read, and what was found; read consistently, to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn suggestions_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<Suggestions>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), "suggestions")
            .await
    }

    /// Saves how far the companies were read, from this version. One conditional write: if the process dies right after, the next
    /// request goes on from there.
    ///
    /// # Errors
    /// As for [`Self::save_boards_wanted`].
    pub async fn save_suggestions(
        &self,
        partner: &PartnerId,
        suggestions: &Suggestions,
        version: u64,
    ) -> Result<Saved, Error> {
        let pk = partner_pk(partner);
        let place = place(&pk, "suggestions", SUGGESTIONS);
        self.table.save(place, suggestions, version).await
    }

    /// What is suggested for one tenant, to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn suggested(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<OfTenant>, Error> {
        let sk = format!("{SUGGESTED}{tenant}");
        let read = self.table.read_versioned(&partner_pk(partner), &sk).await?;
        Ok(Versioned {
            value: read.value.unwrap_or_default(),
            version: read.version,
        })
    }

    /// What is suggested for the tenants from the first to the last of a page.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn suggested_between(
        &self,
        partner: &PartnerId,
        first: &TenantId,
        last: &TenantId,
    ) -> Result<BTreeMap<TenantId, OfTenant>, Error> {
        let text = |text: String| AttributeValue::S(text);
        let items = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(partner_pk(partner)))
            .expression_attribute_values(":first", text(format!("{SUGGESTED}{first}")))
            .expression_attribute_values(":last", text(format!("{SUGGESTED}{last}")))
            .into_paginator()
            .items()
            .send();
        let items: Result<Vec<Item>, _> = items.collect().await;
        let mut suggested = BTreeMap::new();
        for item in items.map_err(|err| Error::call("Query", &err))? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
            let tenant = sk.and_then(|sk| TenantId::parse(sk.strip_prefix(SUGGESTED)?).ok());
            let Some((tenant, of_tenant)) = tenant.zip(from_item(item).ok()) else {
                tracing::error!(%partner, "failed to parse a suggestions item");
                continue;
            };
            suggested.insert(tenant, of_tenant);
        }
        Ok(suggested)
    }

    /// Saves what is suggested for one tenant, from this version. One conditional write: made again after a crash, it is the same.
    ///
    /// # Errors
    /// As for [`Self::save_boards_wanted`].
    pub async fn save_suggested(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        suggested: &OfTenant,
        version: u64,
    ) -> Result<Saved, Error> {
        let (pk, sk) = (partner_pk(partner), format!("{SUGGESTED}{tenant}"));
        self.table
            .save(place(&pk, &sk, &[]), suggested, version)
            .await
    }

    /// The test alert that was asked for last, read consistently, to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn test_ticket_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<TestTicket>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), "test")
            .await
    }

    /// Saves the test alert that is asked for, from this version. One conditional write, made before the alert is sent: if the process
    /// dies right after, the page shows that it waits, and asking for it again sends it.
    ///
    /// # Errors
    /// As for [`Self::save_boards_wanted`].
    pub async fn save_test_ticket(
        &self,
        partner: &PartnerId,
        test: &TestTicket,
        version: u64,
    ) -> Result<Saved, Error> {
        let pk = partner_pk(partner);
        self.table
            .save(place(&pk, "test", &[]), test, version)
            .await
    }
}

fn place<'a>(pk: &'a str, sk: &'a str, optional: &'static [&'static str]) -> Place<'a> {
    Place { pk, sk, optional }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn every_member_that_may_be_absent_is_removed_when_it_is() {
        let full = Suggestions {
            next: Some(7),
            finished_at: Some(Timestamp::UNIX_EPOCH),
            ..Suggestions::default()
        };
        assert_optional(&full, &Suggestions::default(), SUGGESTIONS);
    }
}
