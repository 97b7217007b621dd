//! Messages that the mapping of their source cannot read: `P#<partner>` with
//! `quarantine#<time>#<digest>`. A person corrects the mapping and replays them, or discards them.

use std::collections::BTreeMap;

use domain::wire::message::QuarantineEntry;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::pages::{self, ListEntry, ListPage, PageQuery, PageStart, SortOrder};
use crate::table::{Table, number, partner_item, partner_key, partner_pk, sk_after, string, time};
use crate::{Error, conditional};

pub(crate) const PREFIX: &str = "quarantine#";
/// Most pages that are read for a list of waiting messages, of one megabyte each.
const MAX_PAGES: usize = 4;
/// The template's default of `QuarantineDays`.
const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A stored message, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantinedMessage {
    pub source: SourceId,
    pub received_at: Timestamp,
    /// The indexes of the alerts of its list that could not be read. Empty means the whole body.
    #[serde(default)]
    pub indexes: Vec<u32>,
    /// The member of the mapping that yielded nothing for the first of them, and why.
    pub field: String,
    pub problem: String,
    /// How a person handled it. Absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<QuarantineOutcome>,
}

/// The messages of a partner that wait for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingMessages {
    /// The newest first.
    pub entries: Vec<ListEntry<String, QuarantinedMessage>>,
    /// Where older messages begin, if there may be more.
    pub next: Option<PageStart>,
}

/// The messages of one source that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingOfSource {
    pub messages: u32,
    /// When the oldest of them was received.
    pub since: Timestamp,
    /// Why the newest of them could not be read.
    pub field: String,
    pub problem: String,
}

impl WaitingMessages {
    #[must_use]
    pub fn by_source(self) -> BTreeMap<SourceId, WaitingOfSource> {
        let mut sources = BTreeMap::<SourceId, WaitingOfSource>::new();
        for entry in self.entries {
            let message = entry.value;
            let received_at = message.received_at;
            // The newest are first.
            let of = sources.entry(message.source).or_insert(WaitingOfSource {
                messages: 0,
                since: received_at,
                field: message.field,
                problem: message.problem,
            });
            of.messages += 1;
            of.since = of.since.min(received_at);
        }
        sources
    }
}

/// How a person handled a quarantined message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineOutcome {
    /// It was mapped again, and its events are on the queue.
    Replayed,
    Discarded,
}

impl QuarantineOutcome {
    fn word(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

#[derive(Serialize)]
struct StoredEntry<'a> {
    #[serde(flatten)]
    entry: &'a QuarantineEntry,
    ttl: i64,
}

#[derive(Debug, Clone)]
pub struct QuarantineStore {
    table: Table,
    /// How long a message is stored, and how it was handled.
    retention: SignedDuration,
}

impl QuarantineStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
            retention: RETENTION,
        }
    }

    /// With another retention than 14 days. Only a writer needs it.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// How many days a message is stored.
    #[must_use]
    pub fn retention_days(&self) -> u64 {
        self.retention.as_hours().unsigned_abs() / 24
    }

    /// Stores a message. A repetition changes nothing, also after a person handled it.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is delivered again.
    pub async fn add(&self, entry: &QuarantineEntry) -> Result<(), Error> {
        let ends = entry.received_at.saturating_add(self.retention);
        let stored = StoredEntry {
            entry,
            ttl: ends.unwrap_or(entry.received_at).as_second(),
        };
        let item = partner_item(&entry.partner, &sk(&entry.id()), &stored)?;
        let call = self.table.put_item(item);
        let call = call.condition_expression("attribute_not_exists(pk)");
        conditional::put(call).await.map(drop)
    }

    /// Reads a page of the partner's messages consistently, the newest first.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn page(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<ListEntry<String, QuarantinedMessage>>, Error> {
        let query = PageQuery {
            pk: &partner_pk(partner),
            prefix: PREFIX,
            order: SortOrder::Descending,
            from,
            limit,
        };
        pages::read(&self.table, query).await
    }

    /// Reads the partner's messages that wait for a person, without their texts, the newest first:
    /// as many as can be read in a moment, from this start on.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn waiting(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
    ) -> Result<WaitingMessages, Error> {
        let mut waiting = WaitingMessages::default();
        let mut start = from.map(|from| partner_key(partner, &sk(&String::from(from.clone()))));
        for _ in 0..MAX_PAGES {
            let answer = self
                .table
                .query()
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .filter_expression("attribute_not_exists(#outcome)")
                .projection_expression("sk, #source, received_at, #indexes, #field, #problem")
                .expression_attribute_names("#source", "source")
                .expression_attribute_names("#indexes", "indexes")
                .expression_attribute_names("#field", "field")
                .expression_attribute_names("#problem", "problem")
                .expression_attribute_names("#outcome", "outcome")
                .expression_attribute_values(":pk", string(partner_pk(partner)))
                .expression_attribute_values(":prefix", string(PREFIX))
                .scan_index_forward(false)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|err| Error::call("Query", &err))?;
            for item in answer.items.unwrap_or_default() {
                let id = sk_after(&item, PREFIX).map(str::to_owned);
                let value = from_item(item);
                let Some((id, value)) = id.zip(value.ok()) else {
                    tracing::error!(%partner, "failed to parse a quarantined message");
                    continue;
                };
                let version = 0;
                waiting.entries.push(ListEntry { id, value, version });
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(waiting);
            }
        }
        let last = start.as_ref().and_then(|key| sk_after(key, PREFIX));
        waiting.next = last.and_then(|id| PageStart::try_from(id.to_owned()).ok());
        Ok(waiting)
    }

    /// Reads a message with its text. `None` if there is none, or if a person handled it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(
        &self,
        partner: &PartnerId,
        id: &str,
    ) -> Result<Option<QuarantineEntry>, Error> {
        let item = self.table.item(partner_key(partner, &sk(id))).await?;
        let item = item.filter(|item| !item.contains_key("outcome"));
        let malformed = |err| Error::malformed(format!("{partner} {PREFIX}{id}"), &err);
        item.map(from_item).transpose().map_err(malformed)
    }

    /// Records how a person handled a message, and removes its text, so that handled messages cost
    /// little to read. Returns whether it still waited.
    ///
    /// # Errors
    /// When DynamoDB fails. The outcome may then be recorded.
    pub async fn record_outcome(
        &self,
        partner: &PartnerId,
        id: &str,
        outcome: QuarantineOutcome,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .table
            .update_item(partner_key(partner, &sk(id)))
            .update_expression(
                "SET outcome = :outcome, handled_at = :now, #ttl = :ttl REMOVE #body",
            )
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(outcome)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#body", "body")
            .expression_attribute_values(":outcome", string(outcome.word()))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(
                ":ttl",
                number(
                    now.saturating_add(self.retention)
                        .unwrap_or(now)
                        .as_second(),
                ),
            );
        conditional::update(call).await
    }
}

fn sk(id: &str) -> String {
    format!("{PREFIX}{id}")
}
