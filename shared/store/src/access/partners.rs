//! The operator's list of partners: `OPERATOR` with `partner#<id>`.

use domain::PartnerId;
use domain::setup::access::Partner;
use jiff::Timestamp;

use super::OPERATOR;
use crate::pages::{self, ListEntry, ListPage, PageQuery, PageStart};
use crate::table::{Table, key, number, time};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

const PREFIX: &str = "partner#";
const OPTIONAL: &[&str] = &["sessions_from"];

#[derive(Debug, Clone)]
pub struct PartnerStore {
    table: Table,
}

impl PartnerStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads a partner consistently.
    pub async fn get(&self, id: &PartnerId) -> Result<Versioned<Option<Partner>>, Error> {
        versions::get(&self.table, item(&partner_sk(id))).await
    }

    /// Saves a partner that was changed from this version. From version 0 it is created, unless it
    /// exists. With [`Partner::switched`] the same write also ends all links and sessions. If the
    /// process dies right after, the whole change is in effect.
    pub async fn save(
        &self,
        id: &PartnerId,
        partner: &Partner,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_sk(id)), partner, version).await
    }

    /// Ends all links and sessions of the partner that were created before `now`. The write raises
    /// the version, so that no save undoes it, and the stored time only grows. If the process dies
    /// right after, all of them have ended. A repetition changes nothing. A partner that does not
    /// exist is not created: its sessions are not accepted anyway.
    pub async fn end_sessions(&self, id: &PartnerId, now: Timestamp) -> Result<(), Error> {
        let call = self
            .table
            .update_item(key(OPERATOR, &partner_sk(id)))
            .update_expression("SET sessions_from = :now, #version = #version + :one")
            .condition_expression(
                "attribute_exists(#version) \
                 AND (attribute_not_exists(sessions_from) OR sessions_from < :now)",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":one", number(1));
        conditional::update(call).await.map(drop)
    }

    /// Reads a page of all partners consistently, in the order of their ids.
    pub async fn page(
        &self,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<ListEntry<PartnerId, Partner>>, Error> {
        let query = PageQuery::ascending(OPERATOR, PREFIX, from, limit);
        pages::read(&self.table, query).await
    }
}

pub(crate) fn partner_sk(id: &PartnerId) -> String {
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
        let bare = Partner {
            name: "Northwind".into(),
            enabled: true,
            made_at: Timestamp::UNIX_EPOCH,
            sessions_from: None,
            manages_sources: false,
        };
        let full = Partner {
            sessions_from: Some(Timestamp::UNIX_EPOCH),
            ..bare.clone()
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
