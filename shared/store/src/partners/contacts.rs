//! A partner's contacts: `P#<partner>` with `contacts`.

use domain::PartnerId;
use domain::setup::contacts::Contacts;

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

    /// Reads the contacts consistently.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Contacts>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.or_default())
    }

    /// Saves contacts that were changed from this version. If the process dies right after, they are
    /// saved.
    pub async fn save(
        &self,
        partner: &PartnerId,
        contacts: &Contacts,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), contacts, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "contacts",
        optional: &[],
    }
}
