//! The rows of deliveries, and their log.

use domain::outgoing::cloud_event::{OutgoingCloudEvent, OutgoingType};
use domain::time::sortable;
use domain::{AlertKey, SourceId};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value, to_item};

use super::{DELIVERY_DAYS, Deliveries};
use crate::pages::{ListPage, PageStart};
use crate::table::{Item, key, number, query_all, string};
use crate::{Error, conditional};

const PREFIX: &str = "event#";

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be delivered.
    Pending,
    /// The receiver confirmed it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    pub at: Timestamp,
    /// The receiver's answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed, or what was not done although the receiver confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One outgoing event on its way to its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The id of the event, `<queue>-<order>`.
    pub id: String,
    pub source: SourceId,
    /// The alert. A test delivery has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<AlertKey>,
    #[serde(rename = "event_type")]
    pub kind: OutgoingType,
    /// The CloudEvent as JSON. Each attempt sends the same bytes.
    pub body: String,
    pub state: DeliveryState,
    pub stored_at: Timestamp,
    /// Since when it is tried: since it was stored, or replayed last.
    pub tried_since: Timestamp,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<Attempt>,
}

impl Delivery {
    /// A delivery that is to be made.
    #[must_use]
    pub fn new(
        source: &SourceId,
        key: Option<AlertKey>,
        event: &OutgoingCloudEvent,
        now: Timestamp,
    ) -> Self {
        Self {
            id: event.id.clone(),
            source: source.clone(),
            key,
            kind: event.kind,
            // A tree of strings and numbers with string keys always has a JSON form.
            body: serde_json::to_string(event).unwrap_or_default(),
            state: DeliveryState::Pending,
            stored_at: now,
            tried_since: now,
            attempts: 0,
            last_attempt: None,
        }
    }

    /// The queue in which it is delivered in order.
    #[must_use]
    pub fn queue(&self) -> &str {
        parts(&self.id).0
    }

    fn listed_at(&self) -> String {
        format!("{}#{}", sortable(self.stored_at), self.id)
    }
}

impl Deliveries {
    /// Stores a delivery. Returns whether it is new: a repetition changes nothing.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is received again.
    pub async fn add(&self, delivery: &Delivery) -> Result<bool, Error> {
        let malformed = |err| Error::malformed(&delivery.id, &err);
        let mut item: Item = to_item(delivery).map_err(malformed)?;
        item.extend(row_key(&delivery.id));
        item.insert(
            "list_of".to_owned(),
            list_of(&delivery.source, delivery.state),
        );
        item.insert("listed_at".to_owned(), string(delivery.listed_at()));
        item.insert("ttl".to_owned(), number(ttl(delivery.stored_at)));
        let call = self.table.put_item(item);
        conditional::put(call.condition_expression("attribute_not_exists(pk)")).await
    }

    /// Reads the pending deliveries of a queue consistently, in their order.
    ///
    /// # Errors
    /// When DynamoDB fails or a row is unreadable.
    pub async fn pending(&self, queue: &str) -> Result<Vec<Delivery>, Error> {
        let query = self
            .table
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .filter_expression("#state = :pending")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pk", string(queue_pk(queue)))
            .expression_attribute_values(":prefix", string(PREFIX))
            .expression_attribute_values(":pending", string(DeliveryState::Pending.name()));
        let items = query_all(query).await?;
        let malformed = |err| Error::malformed(queue, &err);
        items
            .into_iter()
            .map(|item| from_item(item).map_err(malformed))
            .collect()
    }

    /// Reads a delivery consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the row is unreadable.
    pub async fn get(&self, id: &str) -> Result<Option<Delivery>, Error> {
        let item = self.table.item(row_key(id)).await?;
        let malformed = |err| Error::malformed(id, &err);
        item.map(from_item).transpose().map_err(malformed)
    }

    /// Records an attempt of a pending delivery, or that it was given up without one. If another
    /// worker recorded its end meanwhile, nothing changes. If the process dies before, the delivery
    /// is tried again: its receiver knows it by its id.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn record(
        &self,
        delivery: &Delivery,
        state: DeliveryState,
        attempt: &Attempt,
    ) -> Result<(), Error> {
        let malformed = |err| Error::malformed(&delivery.id, &err);
        let attempt = to_attribute_value(attempt).map_err(malformed)?;
        let call = self
            .table
            .update_item(row_key(&delivery.id))
            .update_expression(
                "SET #state = :state, list_of = :list_of, attempts = :attempts, last_attempt = :attempt",
            )
            .condition_expression("#state = :pending")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", string(DeliveryState::Pending.name()))
            .expression_attribute_values(":state", string(state.name()))
            .expression_attribute_values(":list_of", list_of(&delivery.source, state))
            .expression_attribute_values(":attempts", number(delivery.attempts.saturating_add(1)))
            .expression_attribute_values(":attempt", attempt);
        conditional::update(call).await.map(drop)
    }

    /// Makes a delivery pending again, as if it were new. Returns whether it was not pending. The
    /// caller schedules its queue then; if the process dies in between, the operator repeats it.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn replay(&self, delivery: &Delivery, now: Timestamp) -> Result<bool, Error> {
        let pending = DeliveryState::Pending;
        let call = self
            .table
            .update_item(row_key(&delivery.id))
            .update_expression(
                "SET #state = :pending, list_of = :list_of, tried_since = :now, attempts = :zero, #ttl = :ttl",
            )
            .condition_expression("attribute_exists(pk) AND #state <> :pending")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":pending", string(pending.name()))
            .expression_attribute_values(":list_of", list_of(&delivery.source, pending))
            .expression_attribute_values(":now", string(now.to_string()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":ttl", number(ttl(now)));
        conditional::update(call).await
    }

    /// Reads a page of a source's deliveries in this state, the newest first. The index is a moment
    /// late.
    ///
    /// # Errors
    /// When DynamoDB fails or a row is unreadable.
    pub async fn page(
        &self,
        source: &SourceId,
        state: DeliveryState,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<Delivery>, Error> {
        let from = from.map(|from| String::from(from.clone()));
        let before = from.as_deref().unwrap_or("~");
        let range = ("listed_at < :bound", before);
        let (entries, has_more) = self.list(source, state, range, (limit, false)).await?;
        let last = entries.last().filter(|_| has_more);
        let next = last.and_then(|last| PageStart::try_from(last.listed_at()).ok());
        Ok(ListPage { entries, next })
    }

    /// Reads a source's deliveries in this state that were stored at or after a time, the oldest
    /// first, and whether there are more.
    ///
    /// # Errors
    /// As for [`Self::page`].
    pub async fn since(
        &self,
        source: &SourceId,
        state: DeliveryState,
        since: Timestamp,
        limit: u16,
    ) -> Result<(Vec<Delivery>, bool), Error> {
        let since = sortable(since);
        self.list(
            source,
            state,
            ("listed_at >= :bound", &since),
            (limit, true),
        )
        .await
    }

    /// Reads a source's pending deliveries that were stored before a time, the oldest first.
    ///
    /// # Errors
    /// As for [`Self::page`].
    pub async fn pending_before(
        &self,
        source: &SourceId,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Delivery>, Error> {
        let before = sortable(before);
        let range = ("listed_at < :bound", before.as_str());
        let pending = DeliveryState::Pending;
        let (entries, _) = self.list(source, pending, range, (limit, true)).await?;
        Ok(entries)
    }

    async fn list(
        &self,
        source: &SourceId,
        state: DeliveryState,
        (range, bound): (&str, &str),
        (limit, is_ascending): (u16, bool),
    ) -> Result<(Vec<Delivery>, bool), Error> {
        let answer = self
            .table
            .query()
            .index_name("by_state")
            .key_condition_expression(format!("list_of = :list_of AND {range}"))
            .expression_attribute_values(":list_of", list_of(source, state))
            .expression_attribute_values(":bound", string(bound))
            .scan_index_forward(is_ascending)
            .limit(i32::from(limit.max(1)))
            .send()
            .await
            .map_err(|err| Error::call("Query", &err))?;
        let malformed = |err| Error::malformed(source.as_str(), &err);
        let items = answer.items.unwrap_or_default().into_iter();
        let rows: Result<Vec<Delivery>, _> = items.map(from_item).collect();
        let has_more = answer.last_evaluated_key.is_some();
        Ok((rows.map_err(malformed)?, has_more))
    }
}

fn list_of(source: &SourceId, state: DeliveryState) -> aws_sdk_dynamodb::types::AttributeValue {
    string(format!("{source}#{}", state.name()))
}

pub(crate) fn queue_pk(queue: &str) -> String {
    format!("A#{queue}")
}

/// The queue whose partition this is.
pub(crate) fn queue_of(pk: &str) -> Option<&str> {
    pk.strip_prefix("A#")
}

/// The order sorts as a number does.
fn row_key(id: &str) -> Item {
    let (queue, order) = parts(id);
    key(&queue_pk(queue), &format!("{PREFIX}{order:0>13}"))
}

fn parts(id: &str) -> (&str, &str) {
    id.rsplit_once('-').unwrap_or((id, ""))
}

pub(super) fn ttl(from: Timestamp) -> i64 {
    let days = SignedDuration::from_hours(24 * DELIVERY_DAYS);
    domain::time::later(from, days).as_second()
}
