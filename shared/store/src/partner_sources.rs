//! What a partner has of the sources that post for it: `P#<partner>` with `source#<id>`. It is beside the connection, so that
//! the one call that reads that for a decision has it too.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::kind::KindInfo;
use domain::time::sortable;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::access::AccessTable;
use crate::table::{partner_item, partner_pk};

const PREFIX: &str = "source#";

/// A source that posts for a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerSource {
    /// When it began to post, or began again: alerts that were raised much earlier wait for a person.
    pub since: Timestamp,
    /// Its kinds beside the built-in ones.
    #[serde(default)]
    pub kinds: Vec<KindInfo>,
}

impl AccessTable {
    /// All sources of a partner, read consistently. An item that is unreadable is logged and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn partner_sources(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<SourceId, PartnerSource>, Error> {
        let mut sources = BTreeMap::new();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
            let id = sk.and_then(|sk| SourceId::parse(sk.strip_prefix(PREFIX)?).ok());
            match id.zip(from_item(item).ok()) {
                Some((id, source)) => drop(sources.insert(id, source)),
                None => tracing::error!(%partner, "failed to parse a source of a partner"),
            }
        }
        Ok(sources)
    }

    /// Stores what the partner has of a source. Storing it again changes nothing. If the process dies right after, the source may not post
    /// yet: repeating the change of the source stores it again.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_partner_source(
        &self,
        partner: &PartnerId,
        id: &SourceId,
        source: &PartnerSource,
    ) -> Result<(), Error> {
        let mut item = partner_item(partner, &source_sk(id), source)?;
        item.insert(
            "since".to_owned(),
            AttributeValue::S(sortable(source.since)),
        );
        let call = self.table.put_item(item);
        let sent = call.send().await;
        sent.map_err(|err| Error::call("PutItem", &err))?;
        Ok(())
    }

    /// Removes what a partner has of a source that posts for it no more. Removing it again changes nothing.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn remove_partner_source(
        &self,
        partner: &PartnerId,
        id: &SourceId,
    ) -> Result<(), Error> {
        let call = self.table.delete_item(&partner_pk(partner), &source_sk(id));
        let sent = call.send().await;
        sent.map_err(|err| Error::call("DeleteItem", &err))?;
        Ok(())
    }
}

pub(crate) fn source_sk(source: &SourceId) -> String {
    format!("{PREFIX}{source}")
}
