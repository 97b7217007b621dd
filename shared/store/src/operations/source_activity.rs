//! What is known about the messages of each source: `P#<partner>` with `source_activity#<source>`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::ReturnValue;
use domain::source::activity::{PRECISION, SourceActivity};
use domain::time::earlier;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;

use crate::table::{Table, batch_get, number, partner_key, partner_pk, string};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

pub(crate) const PREFIX: &str = "source_activity#";
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
        self.table.items_by_source(partner, PREFIX).await
    }

    /// Records when a source sent a message. Most messages cost one conditional write at most once a
    /// minute, without a read: only a longer gap than before in its week is written too. If the
    /// process dies in between, that gap is lost.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn record_message(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        at: Timestamp,
    ) -> Result<(), Error> {
        let sk = format!("{PREFIX}{source}");
        let call = self
            .table
            .update_item(partner_key(partner, &sk))
            .update_expression(
                "SET last_message_at = :at, #version = if_not_exists(#version, :zero) + :one",
            )
            .condition_expression(
                "attribute_not_exists(last_message_at) OR last_message_at <= :due",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":at", string(at.to_string()))
            .expression_attribute_values(":due", string(earlier(at, PRECISION).to_string()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllOld);
        let Some(stored) = conditional::update_and_return(call).await? else {
            return Ok(());
        };
        let key = format!("{partner} {sk}");
        let before = stored.attributes.map(|item| versions::parse(item, &key));
        let before: Versioned<SourceActivity> = before.transpose()?.unwrap_or_default();
        if before
            .value
            .clone()
            .with_message(at)
            .has_same_gaps(&before.value)
        {
            return Ok(());
        }
        let last = before.value.last_message_at;
        let change = |activity: SourceActivity| activity.with_gap(last, at);
        self.change(partner, source, change).await.map(drop)
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

    use serde_dynamo::aws_sdk_dynamodb_1::from_item;

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
