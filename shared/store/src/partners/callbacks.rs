//! A partner's callbacks in ConnectWise: `P#<partner>` with `callbacks`.

use domain::PartnerId;
use domain::connection::callbacks::Callbacks;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

#[derive(Debug, Clone)]
pub struct CallbackStore {
    table: Table,
}

impl CallbackStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads what is known about the callbacks, consistently. `None` before the first check.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Option<Callbacks>>, Error> {
        versions::get(&self.table, item(&partner_pk(partner))).await
    }

    /// Saves what is known from this version.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened.
    pub async fn save(
        &self,
        partner: &PartnerId,
        callbacks: &Callbacks,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), callbacks, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "callbacks",
        optional: &["checked_at", "problem"],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::connection::callbacks::CallbackProblem;
    use serde_json::json;

    use super::*;

    /// A field that may be absent and is not listed would keep its old value.
    #[test]
    fn each_optional_field_is_removed_when_it_is_absent() {
        let full = Callbacks {
            epoch: 1,
            token: "t".to_owned(),
            boards: BTreeSet::from([21]),
            checked_at: Some("2026-11-22T07:30:00Z".parse().unwrap()),
            problem: Some(CallbackProblem::Refused),
        };
        let bare = Callbacks {
            boards: BTreeSet::new(),
            checked_at: None,
            problem: None,
            ..full.clone()
        };
        let names = |callbacks: &Callbacks| -> BTreeSet<String> {
            let value = json!(callbacks);
            value.as_object().unwrap().keys().cloned().collect()
        };
        let (full, bare) = (names(&full), names(&bare));
        let dropped: Vec<_> = full.difference(&bare).collect();
        assert_eq!(dropped, item("P#acme").optional);
    }
}
