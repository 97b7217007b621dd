//! The operator's list of sources: `OPERATOR` with `source#<id>`.

use domain::monitoring::inactive_source::InactivityRules;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::OPERATOR;
use crate::Error;
use crate::lease::Lease;
use crate::pages::{self, ListEntry, ListPage, PageQuery, PageStart};
use crate::table::Table;
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const PREFIX: &str = "source#";
const OPTIONAL: &[&str] = &[
    "partner",
    "partners",
    "inactive_after_hours",
    "tenant_inactive_after_days",
    "inactive_ticket",
];

/// A source in the operator's list. The webhook endpoint does not read it: it reads the source's
/// document in Secrets Manager, which also has the signing secrets. A change of that document takes
/// the lease of this item first. If the process dies in between, the document is out of date until
/// the change is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredSource {
    pub name: String,
    /// The only partner that the source posts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// The partners that each event may name instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerId>,
    /// Whether the source may post.
    pub enabled: bool,
    pub made_at: Timestamp,
    #[serde(flatten)]
    pub inactivity: InactivityRules,
}

#[derive(Debug, Clone)]
pub struct SourceStore {
    table: Table,
}

impl SourceStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads a source consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(&self, id: &SourceId) -> Result<Versioned<Option<RegisteredSource>>, Error> {
        versions::get(&self.table, item(&source_sk(id))).await
    }

    /// Saves a source that was changed from this version. From version 0 it is created, unless it
    /// exists.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again is a conflict.
    pub async fn save(
        &self,
        id: &SourceId,
        source: &RegisteredSource,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&source_sk(id)), source, version).await
    }

    /// Saves a source like [`Self::save`], and takes its lease for a change of its document. A lease
    /// that another worker holds is a conflict. `worker` names this one.
    ///
    /// # Errors
    /// When DynamoDB fails. The lease may then be taken until its end.
    pub async fn begin_change(
        &self,
        id: &SourceId,
        source: &RegisteredSource,
        version: u64,
        (worker, until, now): (&str, Timestamp, Timestamp),
    ) -> Result<(SaveOutcome, Lease), Error> {
        let lease = Lease::new(worker, until);
        let sk = source_sk(id);
        let taken = (&lease, now);
        let saved = versions::save_and_take(&self.table, item(&sk), source, version, taken).await?;
        Ok((saved, lease))
    }

    /// Saves a source after a change of its document, and releases its lease. If another worker has
    /// taken the lease since, that is a conflict.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened.
    pub async fn end_change(
        &self,
        id: &SourceId,
        source: &RegisteredSource,
        version: u64,
        lease: &Lease,
    ) -> Result<SaveOutcome, Error> {
        let sk = source_sk(id);
        versions::save_and_release(&self.table, item(&sk), source, version, lease).await
    }

    /// Reads a page of all sources consistently, in the order of their ids.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn page(
        &self,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<ListEntry<SourceId, RegisteredSource>>, Error> {
        let query = PageQuery::ascending(OPERATOR, PREFIX, from, limit);
        pages::read(&self.table, query).await
    }
}

pub(crate) fn source_sk(id: &SourceId) -> String {
    format!("{PREFIX}{id}")
}

fn item(sk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk: OPERATOR,
        sk,
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let northwind = PartnerId::parse("northwind").unwrap();
        let bare = RegisteredSource {
            name: "Scanner".into(),
            partner: None,
            partners: vec![],
            enabled: true,
            made_at: Timestamp::UNIX_EPOCH,
            inactivity: InactivityRules::default(),
        };
        let full = RegisteredSource {
            partner: Some(northwind.clone()),
            partners: vec![northwind],
            inactivity: InactivityRules {
                inactive_after_hours: Some(48),
                tenant_inactive_after_days: Some(7),
                inactive_ticket: true,
            },
            ..bare.clone()
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
