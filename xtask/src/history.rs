//! What the operator's commands did, in the history of the partner that it concerns.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::PartnerId;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use store::{AccessTable, Actor, AuditEntry};

use crate::place::Place;

/// The histories of a stack's partners.
pub(crate) struct History(AccessTable);

impl History {
    /// Those of this stack. Commands open them before they change anything, so that a missing table is known in time.
    pub(crate) fn of(place: &Place) -> Result<Self> {
        let table = place.access_table()?.to_owned();
        Ok(Self(AccessTable::new(&place.aws, table)))
    }

    /// Adds an entry for what was done. If that fails, the command says so and goes on: it was done all the same.
    pub(crate) async fn add(&self, partner: &PartnerId, what: &str, detail: &[(&str, String)]) {
        let detail = detail.iter();
        let detail = detail.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: Actor::Operator,
            what: what.to_owned(),
            detail: detail.collect::<BTreeMap<_, _>>(),
        };
        let n = ring::rand::generate::<[u8; 8]>(&SystemRandom::new());
        let n = n
            .map(|n| u64::from_be_bytes(n.expose()))
            .unwrap_or_default();
        if let Err(err) = self.0.audit.add(partner, &entry, n).await {
            println!("{partner}: `{what}` is not in the history: {err}");
        }
    }
}
