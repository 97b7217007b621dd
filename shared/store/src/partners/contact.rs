//! A partner's emergency contact: `P#<partner>` with `contact`.

use domain::PartnerId;
use domain::setup::contact::Contact;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

#[derive(Debug, Clone)]
pub struct ContactStore {
    table: Table,
}

impl ContactStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the contact consistently.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Contact>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.or_default())
    }

    /// Saves a contact that was changed from this version. If the process dies right after, it is
    /// saved.
    pub async fn save(
        &self,
        partner: &PartnerId,
        contact: &Contact,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), contact, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "contact",
        optional: &["address", "pending"],
    }
}
