//! Changes of many mappings: `P#<partner>` with `tenant_changes`, their progress, and
//! `tenant_changes#<n>`, a part of them with its outcomes. New changes replace the earlier ones.

use domain::PartnerId;
use domain::setup::tenant_changes::{CHANGES_OF_PART, TenantChange, TenantChanges};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const CHANGES: &str = "tenant_changes";
const OPTIONAL: &[&str] = &["confirmed_at", "finished_at"];
/// Parts that are written concurrently.
const MAX_CALLS: usize = 16;

#[derive(Serialize, Deserialize)]
struct ChangesPart {
    prepared_at: Timestamp,
    /// As JSON.
    changes: String,
}

#[derive(Debug, Clone)]
pub struct TenantChangeStore {
    table: Table,
}

impl TenantChangeStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the progress consistently.
    pub async fn get(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<TenantChanges>>, Error> {
        versions::get(&self.table, head(&partner_pk(partner))).await
    }

    /// Saves the progress from this version. A repetition after a crash saves the same.
    pub async fn save(
        &self,
        partner: &PartnerId,
        changes: &TenantChanges,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, head(&partner_pk(partner)), changes, version).await
    }

    /// Stores the changes before their progress is saved. If the process dies in between, the parts
    /// of earlier changes are overwritten in part; [`Self::get_part`] then finds none.
    pub async fn put_all(
        &self,
        partner: &PartnerId,
        prepared_at: Timestamp,
        changes: &[TenantChange],
    ) -> Result<u32, Error> {
        let parts: Vec<_> = (0..).zip(changes.chunks(CHANGES_OF_PART)).collect();
        for some in parts.chunks(MAX_CALLS) {
            let puts = some
                .iter()
                .map(|(n, part)| self.put_part(partner, prepared_at, *n, part));
            try_join_all(puts).await?;
        }
        Ok(u32::try_from(parts.len()).unwrap_or(u32::MAX))
    }

    /// Stores one part whatever the item contains.
    pub async fn put_part(
        &self,
        partner: &PartnerId,
        prepared_at: Timestamp,
        n: u32,
        changes: &[TenantChange],
    ) -> Result<(), Error> {
        let (pk, sk) = (partner_pk(partner), part_sk(n));
        let malformed = |err| Error::malformed(format!("{pk} {sk}"), &err);
        let part = ChangesPart {
            prepared_at,
            changes: serde_json::to_string(changes).map_err(malformed)?,
        };
        versions::put(&self.table, part_item(&pk, &sk), &part).await
    }

    /// Reads one part consistently. `None` if it belongs to other changes than those that were
    /// prepared at this time.
    pub async fn get_part(
        &self,
        partner: &PartnerId,
        prepared_at: Timestamp,
        n: u32,
    ) -> Result<Option<Vec<TenantChange>>, Error> {
        let (pk, sk) = (partner_pk(partner), part_sk(n));
        let read = versions::get::<ChangesPart>(&self.table, part_item(&pk, &sk)).await?;
        let part = read.value.filter(|part| part.prepared_at == prepared_at);
        let malformed = |err| Error::malformed(format!("{pk} {sk}"), &err);
        part.map(|part| serde_json::from_str(&part.changes).map_err(malformed))
            .transpose()
    }
}

fn part_sk(n: u32) -> String {
    format!("{CHANGES}#{n:05}")
}

fn head(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: CHANGES,
        optional: OPTIONAL,
    }
}

fn part_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::setup::tenant_changes::ChangeOrigin;

    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let bare = TenantChanges {
            origin: ChangeOrigin::Csv,
            prepared_at: Timestamp::UNIX_EPOCH,
            epoch: 1,
            parts: 0,
            changes: 0,
            unchanged: 0,
            invalid: 0,
            errors: vec![],
            left_out: BTreeSet::new(),
            confirmed_at: None,
            next: 0,
            applied: 0,
            refused: 0,
            finished_at: None,
        };
        let full = TenantChanges {
            confirmed_at: Some(Timestamp::UNIX_EPOCH),
            finished_at: Some(Timestamp::UNIX_EPOCH),
            ..bare.clone()
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
