//! The `access` table: who may act for which partner, and whether a partner is switched on. A writer of this table can act for any partner, so
//! only set-up writes it. The other functions may only read it.
//!
//! A partner's items share the key `P#<partner>`. The others are those of the operator, and links and sessions.

use aws_types::SdkConfig;
use domain::PartnerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{Place, Saved, Versioned};

/// The connection's sort key.
pub(crate) const CONNECTION: &str = "connection";
const OPTIONAL: &[&str] = &["confirmed_at"];

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

/// The `access` table.
#[derive(Debug, Clone)]
pub struct AccessTable {
    pub(crate) table: Table,
}

impl AccessTable {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// The partner's connection.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn connection(&self, partner: &PartnerId) -> Result<Option<Connection>, Error> {
        self.table.get(partner, CONNECTION).await
    }

    /// The partner's connection, read consistently, to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn connection_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<Connection>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), CONNECTION)
            .await
    }

    /// Saves a connection that was changed from this version. One conditional write: if the process dies right after, it is saved, and
    /// what waits for it goes on when the partner is due.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again says so by a conflict.
    pub async fn save_connection(
        &self,
        partner: &PartnerId,
        connection: &Connection,
        version: u64,
    ) -> Result<Saved, Error> {
        let pk = partner_pk(partner);
        self.table
            .save(connection_at(&pk), connection, version)
            .await
    }

    /// Stores the partner's connection, whatever is there. For seeding; a person's change is saved with its version.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_connection(
        &self,
        partner: &PartnerId,
        connection: &Connection,
    ) -> Result<(), Error> {
        let pk = partner_pk(partner);
        self.table.put(connection_at(&pk), connection).await
    }
}

fn connection_at(pk: &str) -> Place<'_> {
    Place {
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
    fn every_member_that_may_be_absent_is_removed_when_it_is() {
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
