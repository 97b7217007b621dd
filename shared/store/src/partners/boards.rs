//! The dedicated boards that a partner requested: `P#<partner>` with `boards`. Creating them takes
//! several requests, so the item records whether they are finished, and carries a lease: two people
//! on the page, or one person with two windows, must not both create the same board.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lease::{self, Lease};
use crate::table::{Table, partner_key, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

const BOARDS: &str = "boards";

/// The two dedicated boards as the partner requested them. Which of their parts exist is not stored:
/// ConnectWise lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedicatedBoards {
    pub operations: DedicatedBoard,
    pub cyber_alerts: DedicatedBoard,
    /// The epoch of the connection that they were requested for. In another ConnectWise the ids name
    /// something else.
    pub epoch: u32,
    /// Whether the work on them has ended: both exist and are in the settings, or a person stopped it.
    pub finished: bool,
}

/// What the partner chose for one board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedicatedBoard {
    pub name: String,
    pub location: RecordId,
    pub department: RecordId,
    /// The member who leads the board's team.
    pub team_lead: RecordId,
}

#[derive(Debug, Clone)]
pub struct BoardRequestStore {
    table: Table,
}

impl BoardRequestStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the boards that were requested last, consistently.
    pub async fn get(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<DedicatedBoards>>, Error> {
        versions::get(&self.table, item(&partner_pk(partner))).await
    }

    /// Saves the requested boards, changed from this version. If the process dies right after, the
    /// page offers to continue.
    pub async fn save(
        &self,
        partner: &PartnerId,
        desired: &DedicatedBoards,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), desired, version).await
    }

    /// Leases the work on the requested boards. Returns `None` if it is leased elsewhere or there are
    /// none. `id` names the request. The boards themselves do not change. If the process dies right
    /// after, the next request waits until the lease expires.
    ///
    /// # Errors
    /// When DynamoDB fails. If the lease was taken nevertheless, it expires at its end.
    pub async fn lease(
        &self,
        partner: &PartnerId,
        id: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, Error> {
        let lease = Lease::new(id, until);
        let call = lease
            .bind_take(self.update(partner), now)
            .update_expression(format!("SET {}", lease::SET))
            .condition_expression(format!("attribute_exists(pk) AND {}", lease::IS_FREE));
        Ok(conditional::update(call).await?.then_some(lease))
    }

    /// Releases the lease. If it expired and was taken by another request, nothing changes. If the
    /// process dies before, the lease expires.
    pub async fn release(&self, partner: &PartnerId, lease: &Lease) -> Result<(), Error> {
        let call = lease
            .bind(self.update(partner))
            .update_expression(format!("REMOVE {}", lease::REMOVE))
            .condition_expression(lease::IS_HELD);
        conditional::update(call).await.map(drop)
    }

    fn update(&self, partner: &PartnerId) -> UpdateItemFluentBuilder {
        self.table.update_item(partner_key(partner, BOARDS))
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: BOARDS,
        optional: &[],
    }
}
