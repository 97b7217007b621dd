//! Partners and sources, as the operator lists them: `OPERATOR` with `partner#<id>` or `source#<id>`.
//!
//! All of them share one key, so that a `Query` lists them without an index, whose pages would be a moment late and cost a second write
//! each. One key takes 1000 writes and 3000 consistent reads a second: only people at pages read here, never the way of an alert.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::setup::access::Partner;
use domain::time::sortable;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::access::AccessTable;
use crate::conditional;
use crate::pages::{Entry, Order, Page, PageStart, Part};
use crate::versions::{Place, Saved, Versioned};

/// A source for the operator's list. The door does not read it: what holds there is the source's document in Secrets Manager, with its
/// signing secrets. This is the lock over it: whoever changes the document has taken this first. If the process dies between, the
/// document is behind until a change is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The name for people.
    pub name: String,
    /// The partner that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// Or those that each event may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerId>,
    /// Whether it may post.
    pub enabled: bool,
    /// When the operator made it.
    pub made_at: Timestamp,
    /// Until then somebody is changing the document, unless it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_until: Option<Timestamp>,
}

const OPERATOR: &str = "OPERATOR";
const PARTNERS: &str = "partner#";
const SOURCES: &str = "source#";
const PARTNER: &[&str] = &["sessions_from"];
const SOURCE: &[&str] = &["partner", "partners", "busy_until"];

impl AccessTable {
    /// The partner, read consistently, also to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn partner(&self, id: &PartnerId) -> Result<Versioned<Option<Partner>>, Error> {
        self.table.read_versioned(OPERATOR, &partner_sk(id)).await
    }

    /// Saves a partner that was changed from this version; from 0 it is made, unless it is there. One conditional write, which with
    /// [`Partner::switched`] also ends all links and sessions: if the process dies right after, all of that holds.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again says so by a conflict.
    pub async fn save_partner(
        &self,
        id: &PartnerId,
        partner: &Partner,
        version: u64,
    ) -> Result<Saved, Error> {
        let place = Place {
            pk: OPERATOR,
            sk: &partner_sk(id),
            optional: PARTNER,
        };
        self.table.save(place, partner, version).await
    }

    /// Ends all links and sessions of the partner that were made until now. One conditional write that raises the version, so that no
    /// save undoes it; the time only grows. If the process dies right after, all of them have ended. Making it again changes nothing,
    /// and nothing is made of a partner that is not there: none of its sessions counts.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened.
    pub async fn end_sessions(&self, id: &PartnerId, now: Timestamp) -> Result<(), Error> {
        let call = self.table.update_item(OPERATOR, &partner_sk(id))
            .update_expression("SET sessions_from = :now, #version = #version + :one")
            .condition_expression(
                "attribute_exists(#version) AND (attribute_not_exists(sessions_from) OR sessions_from < :now)",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        conditional::update(call).await?;
        Ok(())
    }

    /// A page of all partners, by their ids, `limit` at most; read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn partners(
        &self,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<Page<Entry<PartnerId, Partner>>, Error> {
        self.table.page(part(PARTNERS, from, limit)).await
    }

    /// The source, read consistently, also to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn source(&self, id: &SourceId) -> Result<Versioned<Option<Source>>, Error> {
        self.table.read_versioned(OPERATOR, &source_sk(id)).await
    }

    /// Saves a source that was changed from this version; from 0 it is made, unless it is there. One conditional write.
    ///
    /// # Errors
    /// As for [`Self::save_partner`].
    pub async fn save_source(
        &self,
        id: &SourceId,
        source: &Source,
        version: u64,
    ) -> Result<Saved, Error> {
        let place = Place {
            pk: OPERATOR,
            sk: &source_sk(id),
            optional: SOURCE,
        };
        self.table.save(place, source, version).await
    }

    /// A page of all sources, by their ids, `limit` at most; read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn sources(
        &self,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<Page<Entry<SourceId, Source>>, Error> {
        self.table.page(part(SOURCES, from, limit)).await
    }
}

fn partner_sk(id: &PartnerId) -> String {
    format!("{PARTNERS}{id}")
}

fn source_sk(id: &SourceId) -> String {
    format!("{SOURCES}{id}")
}

fn part<'a>(prefix: &'static str, from: Option<&'a PageStart>, limit: u16) -> Part<'a> {
    Part {
        pk: OPERATOR,
        prefix,
        order: Order::Ascending,
        from,
        limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn every_member_that_may_be_absent_is_removed_when_it_is() {
        let northwind = PartnerId::parse("northwind").unwrap();
        let bare = Partner {
            name: "Northwind".into(),
            enabled: true,
            made_at: Timestamp::UNIX_EPOCH,
            sessions_from: None,
        };
        let full = Partner {
            sessions_from: Some(Timestamp::UNIX_EPOCH),
            ..bare.clone()
        };
        assert_optional(&full, &bare, PARTNER);
        let bare = Source {
            name: "Scanner".into(),
            partner: None,
            partners: vec![],
            enabled: true,
            made_at: Timestamp::UNIX_EPOCH,
            busy_until: None,
        };
        let full = Source {
            partner: Some(northwind.clone()),
            partners: vec![northwind],
            busy_until: Some(Timestamp::UNIX_EPOCH),
            ..bare.clone()
        };
        assert_optional(&full, &bare, SOURCE);
    }
}
