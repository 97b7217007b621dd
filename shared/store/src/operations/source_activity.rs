//! What is known about the messages of each source: `P#<partner>` with `source_activity#<source>`.

use std::collections::BTreeMap;

use domain::source::activity::SourceActivity;
use domain::{PartnerId, SourceId};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::table::{Table, batch_get, partner_key, partner_pk, sk_after};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const PREFIX: &str = "source_activity#";
const OPTIONAL: &[&str] = &["last_message_at", "last_ping_at", "last_refused"];
/// Attempts of a change that conflicts with others.
const MAX_ATTEMPTS: usize = 8;

#[derive(Debug, Clone)]
pub struct SourceActivityStore {
    table: Table,
}

impl SourceActivityStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the activity of all of the partner's sources consistently. An unreadable item is logged
    /// and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn get_all(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<SourceId, SourceActivity>, Error> {
        let mut activities = BTreeMap::new();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let id = sk_after(&item, PREFIX).and_then(|id| SourceId::parse(id).ok());
            match id.zip(from_item(item).ok()) {
                Some((id, activity)) => drop(activities.insert(id, activity)),
                None => tracing::error!(%partner, "failed to parse the activity of a source"),
            }
        }
        Ok(activities)
    }

    /// Applies a change to the activity of a source. A change without an effect writes nothing.
    /// `change` must have no second effect, since the message that it records may be delivered
    /// again. Returns whether the change is stored: not if too many others were stored meanwhile.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn change(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        change: impl Fn(SourceActivity) -> SourceActivity,
    ) -> Result<bool, Error> {
        let (pk, sk) = (partner_pk(partner), format!("{PREFIX}{source}"));
        let key = VersionedItem {
            pk: &pk,
            sk: &sk,
            optional: OPTIONAL,
        };
        for _ in 0..MAX_ATTEMPTS {
            let Versioned { value, version } = self.get(partner, &sk).await?;
            let changed = change(value.clone());
            if changed == value {
                return Ok(true);
            }
            match versions::save(&self.table, key, &changed, version).await? {
                SaveOutcome::Saved { .. } => return Ok(true),
                SaveOutcome::Conflict => {}
            }
        }
        Ok(false)
    }

    /// Reads an item by `BatchGetItem`, since `tickets` has no right to other reads of this table.
    async fn get(&self, partner: &PartnerId, sk: &str) -> Result<Versioned<SourceActivity>, Error> {
        let keys = vec![partner_key(partner, sk)];
        let [items] = batch_get([(&self.table, keys)]).await?;
        let item = items.into_iter().next();
        let read = item.map(|item| versions::parse(item, &format!("{partner} {sk}")));
        Ok(read.transpose()?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use domain::source::activity::{RefusalReason, SourceObservation, SourceReport};
    use jiff::Timestamp;
    use serde_dynamo::aws_sdk_dynamodb_1::to_item;

    use super::*;
    use crate::table::Item;
    use crate::versions::assert_optional;

    #[test]
    fn an_activity_round_trips_through_its_item() {
        let at: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let report = |observation| SourceReport {
            partner: PartnerId::parse("acme").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            at,
            observation,
        };
        let reason = RefusalReason::Address;
        let kinds = BTreeMap::from([("quota".to_owned(), 2)]);
        let full = SourceActivity::default()
            .with_report(&report(SourceObservation::Ping))
            .with_report(&report(SourceObservation::Refused { reason }))
            .with_report(&report(SourceObservation::UnknownKinds { kinds }))
            .with_quarantined("q1", 2, at);
        let item: Item = to_item(&full).unwrap();
        assert_eq!(from_item::<SourceActivity>(item).unwrap(), full);
        assert_optional(&full, &SourceActivity::default(), OPTIONAL);
    }
}
