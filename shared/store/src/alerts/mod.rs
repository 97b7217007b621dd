//! The `alerts` table: one item for each alert, and beside them snapshots and the ticket indexes of
//! partners. A ticket index is in this table so that it is lost and restored together with the
//! records.

mod blocked_range;
mod by_time;
mod item_stream;
mod lists;
mod schema;
mod snapshots;
#[cfg(test)]
mod tests;
mod ticket_index;

pub use blocked_range::{BlockedCursor, BlockedRange};
pub use by_time::{AlertsByTime, ListedAlert, TimeCursor, TimeRange};
pub use item_stream::ItemStream;
pub use lists::{AlertLists, BlockedAlert, DueAlerts, IndexedAlert};
pub use snapshots::SnapshotStore;
pub use ticket_index::TicketIndexStore;
pub(crate) use ticket_index::pk as ticket_index_pk;

use std::collections::BTreeSet;

use aws_types::SdkConfig;
use domain::AlertKey;
use domain::alert::key::shard;
use domain::alert::record::Record;
use domain::ticketing::ticket_index::TicketIndex;
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::aws_sdk_dynamodb_1::{
    from_attribute_value, from_item, to_attribute_value, to_item,
};

use self::schema::{ATTRIBUTES, INDEX_ATTRIBUTES, SCHEMA};
use crate::item_update::ItemUpdate;
use crate::table::{Item, MAX_KEYS, Table, alert_key, batch_get, number, string, time};
use crate::{Error, conditional};

/// The template's default of `TimelineDays`.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What the table has about an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertItems {
    pub record: Option<Record>,
    /// The state of the partner's ticket index, in whatever epoch; `None` before the first search.
    pub ticket_index: Option<TicketIndex>,
}

/// The outcome of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordWrite {
    /// The record as it is stored now.
    Stored(Box<Record>),
    /// Another worker wrote first: read again and decide again.
    Conflict,
}

/// The `alerts` table. Its own operations are those of records.
///
/// ```no_run
/// use domain::alert::fold::fold;
/// use domain::alert::{event::Event, record::Record};
/// use store::{Alerts, Error, RecordWrite};
///
/// /// Stores what an event changes in its alert.
/// async fn store_event(alerts: &Alerts, event: &Event) -> Result<Record, Error> {
///     loop {
///         let known = alerts.get(&event.key).await?;
///         let record = fold(known.unwrap_or_else(|| Record::new(event.key.clone())), event);
///         match alerts.write(&record).await? {
///             RecordWrite::Stored(record) => return Ok(*record),
///             // Another worker wrote first: fold the event into what is there now.
///             RecordWrite::Conflict => {}
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Alerts {
    pub lists: AlertLists,
    pub by_time: AlertsByTime,
    pub snapshots: SnapshotStore,
    pub ticket_index: TicketIndexStore,
    table: Table,
    /// How long a record is kept whole after its ticket was closed.
    retention: SignedDuration,
}

impl Alerts {
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let table = Table::new(config, table);
        Self {
            lists: AlertLists::new(&table),
            by_time: AlertsByTime::new(&table),
            snapshots: SnapshotStore::new(&table),
            ticket_index: TicketIndexStore::new(&table),
            table,
            retention: RETENTION,
        }
    }

    /// With another retention than 90 days. Only a writer of records needs it.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// How long a record is kept whole after its ticket was closed.
    #[must_use]
    pub fn retention(&self) -> SignedDuration {
        self.retention
    }

    /// Reads the alert's record consistently.
    pub async fn get(&self, key: &AlertKey) -> Result<Option<Record>, Error> {
        let item = self.table.item(alert_key(&key.item_key())).await?;
        item.map(|item| parse(item, key)).transpose()
    }

    /// Reads the alert's record and its partner's ticket index consistently in one request.
    pub async fn get_with_ticket_index(&self, key: &AlertKey) -> Result<AlertItems, Error> {
        let index_pk = ticket_index::pk(&key.partner);
        let keys = vec![alert_key(&key.item_key()), alert_key(&index_pk)];
        let [items] = batch_get([(&self.table, keys)]).await?;
        let mut found = AlertItems {
            record: None,
            ticket_index: None,
        };
        for item in items {
            if item.get("pk").and_then(|pk| pk.as_s().ok()) == Some(&index_pk) {
                found.ticket_index = Some(ticket_index::parse(item, &key.partner)?);
            } else {
                found.record = Some(parse(item, key)?);
            }
        }
        Ok(found)
    }

    /// Writes a record that was read with `record.rev` (0 if there was none), and raises `rev` by
    /// one. If the process dies right after, the next worker finds the record as written and decides
    /// from it.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: decide again from a new read.
    pub async fn write(&self, record: &Record) -> Result<RecordWrite, Error> {
        self.write_item(&record.key.item_key(), record, true).await
    }

    /// Writes the record of an alert that is known only from its ticket in ConnectWise, without the
    /// alert's id. The item gets its `key` from the first event about the alert.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn import(&self, item_key: &str, record: &Record) -> Result<RecordWrite, Error> {
        self.write_item(item_key, record, false).await
    }

    /// Reads the item of an alert that is known only from its ticket. If the item has no key, the
    /// record gets `key`.
    pub async fn get_imported(
        &self,
        item_key: &str,
        key: &AlertKey,
    ) -> Result<Option<Record>, Error> {
        let Some(mut item) = self.table.item(alert_key(item_key)).await? else {
            return Ok(None);
        };
        let stored = item.remove("key").map(from_attribute_value).transpose();
        let stored = stored.map_err(|err| Error::malformed(item_key, &err))?;
        parse(item, stored.as_ref().unwrap_or(key)).map(Some)
    }

    /// Reads the record of an item that a list named, consistently. Returns `None` if there is no
    /// item or it has no key yet.
    pub async fn get_listed(&self, item_key: &str) -> Result<Option<Record>, Error> {
        let item = self.table.item(alert_key(item_key)).await?;
        let item = item.filter(|item| item.contains_key("key"));
        let malformed = |err| Error::malformed(item_key, &err);
        item.map(from_item).transpose().map_err(malformed)
    }

    /// Reads the records of items that a list named, consistently and in no order. An item that is
    /// unreadable or absent, or has no key yet, is left out.
    pub async fn get_all_listed(&self, item_keys: &[String]) -> Result<Vec<Record>, Error> {
        let distinct: BTreeSet<&String> = item_keys.iter().collect();
        let keys: Vec<_> = distinct.into_iter().map(|pk| alert_key(pk)).collect();
        let mut records = vec![];
        for some in keys.chunks(MAX_KEYS) {
            let [items] = batch_get([(&self.table, some.to_vec())]).await?;
            let items = items.into_iter().filter(|item| item.contains_key("key"));
            for item in items {
                match from_item::<Record>(item) {
                    Ok(record) => records.push(record),
                    Err(err) => tracing::error!(error = %err, "failed to parse a record of a list"),
                }
            }
        }
        Ok(records)
    }

    /// Postpones a record that is due (see [`AlertLists::due`]). Returns whether it was still due.
    pub async fn postpone(
        &self,
        key: &AlertKey,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .table
            .update_item(alert_key(&key.item_key()))
            .update_expression("SET look_at = :until")
            .condition_expression("look_at <= :now")
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":now", time(now));
        conditional::update(call).await
    }

    async fn write_item(
        &self,
        item_key: &str,
        record: &Record,
        has_key: bool,
    ) -> Result<RecordWrite, Error> {
        let before = record.rev;
        let after = record.to_stored();
        let update = update_of(item_key, &after, self.retention, has_key)?;
        let call = update.apply(self.table.update_item(alert_key(item_key)));
        let call = if before == 0 {
            call.condition_expression("attribute_not_exists(pk)")
        } else {
            call.condition_expression("#rev = :before")
                .expression_attribute_values(":before", number(before))
        };
        Ok(match conditional::update_or_stored(call).await? {
            Ok(()) => RecordWrite::Stored(Box::new(after)),
            // The SDK repeats a write whose answer was lost. The repetition then finds what the
            // first attempt wrote. The claim's id makes it unlike any other worker's write.
            Err(stored) if update.is_stored_in(&stored) => RecordWrite::Stored(Box::new(after)),
            Err(_) => RecordWrite::Conflict,
        })
    }
}

/// Parses a record's item. If the item has no key because it was imported, the record gets `key`.
fn parse(mut item: Item, key: &AlertKey) -> Result<Record, Error> {
    let malformed = |err| Error::malformed(key.item_key(), &err);
    if !item.contains_key("key") {
        item.insert(
            "key".to_owned(),
            to_attribute_value(key).map_err(malformed)?,
        );
    }
    from_item(item).map_err(malformed)
}

fn update_of(
    item_key: &str,
    record: &Record,
    retention: SignedDuration,
    has_key: bool,
) -> Result<ItemUpdate, Error> {
    let malformed = |err| Error::malformed(item_key, &err);
    let mut item: Item = to_item(record).map_err(malformed)?;
    item.insert("schema".to_owned(), number(SCHEMA));
    if let Some((state_of, tenant_since)) = record.index(item_key) {
        item.insert("state_of".to_owned(), string(state_of));
        item.insert("tenant_since".to_owned(), string(tenant_since));
    }
    if let Some(at) = record.next_check_at(retention) {
        let look_of = lists::look_of(&record.key.partner, shard(item_key));
        item.insert("look_of".to_owned(), string(look_of));
        item.insert("look_at".to_owned(), time(at));
    }
    if let Some(at) = record.listed_at() {
        item.insert("list_of".to_owned(), string(record.key.partner.as_str()));
        item.insert("listed_at".to_owned(), time(at));
    }
    let mut optional: Vec<_> = ATTRIBUTES.into_iter().chain(INDEX_ATTRIBUTES).collect();
    if !has_key {
        item.remove("key");
        item.remove("list_of");
        item.remove("listed_at");
        optional.retain(|name| *name != "key");
    }
    Ok(ItemUpdate::new(item, optional))
}
