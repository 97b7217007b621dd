//! The test alert that a partner requested last: `P#<partner>` with `test`. Its outcome is in its
//! record, as for any alert.

use domain::alert::kind::Category;
use domain::{AlertId, Kind, PartnerId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

/// A test alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTicket {
    /// The tenant whose company the ticket is for.
    pub tenant: TenantId,
    pub alert_id: AlertId,
    pub kind: Kind,
    /// The board that the ticket goes to.
    pub category: Category,
    pub asked_at: Timestamp,
    /// Whether a person said that the ticket may be closed.
    pub resolved: bool,
}

#[derive(Debug, Clone)]
pub struct TestTicketStore {
    table: Table,
}

impl TestTicketStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the test alert that was requested last, consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Option<TestTicket>>, Error> {
        versions::get(&self.table, item(&partner_pk(partner))).await
    }

    /// Saves the requested test alert from this version, before the alert is sent. If the process
    /// dies right after, the page shows the test as pending, and requesting it again sends it.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again is a conflict.
    pub async fn save(
        &self,
        partner: &PartnerId,
        test: &TestTicket,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), test, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "test",
        optional: &[],
    }
}
