//! A partner's connection, without its API keys: `P#<partner>` with `connection`.

use domain::PartnerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

pub(crate) const CONNECTION: &str = "connection";
const OPTIONAL: &[&str] = &["confirmed_at"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `scheme://host[:port]` of its ConnectWise.
    pub origin: String,
    /// The login company.
    pub company_id: String,
    /// Raised whenever the origin or the company id changes, but not when keys are rotated.
    pub epoch: u32,
    /// Whether the partner confirmed the set-up. Until then its alerts are blocked.
    pub confirmed: bool,
    /// When the partner confirmed. Alerts that were raised much earlier are blocked until a person
    /// releases them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// Whether the operator suspended the partner. Its alerts are then blocked as before it
    /// confirmed, and continue when the suspension ends.
    #[serde(default)]
    pub suspended: bool,
}

#[derive(Debug, Clone)]
pub struct ConnectionStore {
    pub(super) table: Table,
}

impl ConnectionStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the connection consistently.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Option<Connection>>, Error> {
        versions::get(&self.table, item(&partner_pk(partner))).await
    }

    /// Saves a connection that was changed from this version. If the process dies right after, it is
    /// saved, and blocked alerts continue when the partner is next due.
    pub async fn save(
        &self,
        partner: &PartnerId,
        connection: &Connection,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), connection, version).await
    }

    /// Stores a connection whatever the item contains. For seeding only: a person's change is saved
    /// with its version.
    pub async fn put(&self, partner: &PartnerId, connection: &Connection) -> Result<(), Error> {
        versions::put(&self.table, item(&partner_pk(partner)), connection).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: CONNECTION,
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let bare = Connection {
            origin: "https://na.myconnectwise.net".into(),
            company_id: "acme".into(),
            epoch: 1,
            confirmed: false,
            confirmed_at: None,
            suspended: false,
        };
        let full = Connection {
            confirmed_at: Some(Timestamp::UNIX_EPOCH),
            ..bare.clone()
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
