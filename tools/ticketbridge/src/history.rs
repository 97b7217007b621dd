//! Records the commands in the history of the partner that they concern.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::PartnerId;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use store::{AccessTable, Actor, AuditEntry, AuditLog};

use crate::target::TargetStack;

/// Writes to the histories of a stack's partners.
pub(crate) struct HistoryWriter(AuditLog);

impl HistoryWriter {
    /// Commands create it before they change anything, so that a missing table name is noticed in
    /// time.
    pub(crate) fn new(target: &TargetStack) -> Result<Self> {
        let table = target.access_table()?.to_owned();
        let audit = AccessTable::new(&target.aws, table).audit;
        Ok(Self(match target.history_retention()? {
            Some(retention) => audit.with_retention(retention),
            None => audit,
        }))
    }

    /// Adds an entry for an action that was done. A failure is only printed, because the action is
    /// done already.
    pub(crate) async fn add(&self, partner: &PartnerId, what: &str, detail: &[(&str, String)]) {
        let detail = detail.iter();
        let detail = detail.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: Actor::Operator,
            session: None,
            identity: None,
            address: None,
            what: what.to_owned(),
            detail: detail.collect::<BTreeMap<_, _>>(),
        };
        let n = ring::rand::generate::<[u8; 8]>(&SystemRandom::new());
        let n = n
            .map(|n| u64::from_be_bytes(n.expose()))
            .unwrap_or_default();
        if let Err(err) = self.0.add(partner, &entry, n).await {
            eprintln!("{partner}: cannot add `{what}` to the history: {err}");
        }
    }
}
