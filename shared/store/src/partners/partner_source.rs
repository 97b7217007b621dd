//! The sources of a partner: `P#<partner>` with `source#<id>`. The items are in the table
//! of the connection, so that a decision reads both in one request.

use std::collections::BTreeMap;

use domain::alert::kind::KindInfo;
use domain::monitoring::inactive_source::{InactivityRules, WatchedSource};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_item, partner_key, time};

pub(crate) const PREFIX: &str = "source#";

/// A source that posts for a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerSource {
    /// When the source began to post, or began again. Alerts that were raised much earlier are
    /// blocked until a person releases them.
    pub since: Timestamp,
    /// Its kinds besides the built-in ones.
    #[serde(default)]
    pub kinds: Vec<KindInfo>,
    #[serde(default = "is_enabled")]
    pub enabled: bool,
    #[serde(flatten)]
    pub inactivity: InactivityRules,
}

fn is_enabled() -> bool {
    true
}

impl PartnerSource {
    /// What decides whether the source or a tenant of it is inactive.
    #[must_use]
    pub fn watched(&self) -> WatchedSource {
        WatchedSource {
            enabled: self.enabled,
            since: self.since,
            rules: self.inactivity,
        }
    }
}

#[derive(Debug, Clone)]
pub struct PartnerSourceStore {
    table: Table,
}

impl PartnerSourceStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads all sources of a partner consistently. An unreadable item is logged and left out.
    pub async fn get_all(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<SourceId, PartnerSource>, Error> {
        self.table.items_by_source(partner, PREFIX).await
    }

    /// Stores a partner's source. Storing it again changes nothing. If the process dies right after,
    /// the source may not post yet: a repeated change of the source stores it again.
    pub async fn put(
        &self,
        partner: &PartnerId,
        id: &SourceId,
        source: &PartnerSource,
    ) -> Result<(), Error> {
        let mut item = partner_item(partner, &source_sk(id), source)?;
        item.insert("since".to_owned(), time(source.since));
        let sent = self.table.put_item(item).send().await;
        sent.map_err(|err| Error::call("PutItem", &err))?;
        Ok(())
    }

    /// Removes a source that no longer posts for the partner. Removing it again changes nothing.
    pub async fn remove(&self, partner: &PartnerId, id: &SourceId) -> Result<(), Error> {
        let key = partner_key(partner, &source_sk(id));
        let sent = self.table.delete_item(key).send().await;
        sent.map_err(|err| Error::call("DeleteItem", &err))?;
        Ok(())
    }
}

pub(super) fn source_sk(source: &SourceId) -> String {
    format!("{PREFIX}{source}")
}
