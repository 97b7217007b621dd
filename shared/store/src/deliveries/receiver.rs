//! The receivers: their failures in a row, and when each is due.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::SourceId;
use domain::outgoing::retry::ReceiverFailures;
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::Deliveries;
use crate::lease::{self, Lease};
use crate::table::{Item, key, number, string, time};
use crate::{Error, conditional};

const RECEIVER: &str = "receiver";
const DUE_OF: &str = "receivers";

/// A receiver as the deliveries so far found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Receiver {
    #[serde(flatten)]
    pub failures: ReceiverFailures,
    /// When the next tick tries it.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// The right to deliver what is due for a receiver.
#[derive(Debug, Clone)]
pub struct ReceiverLease {
    pub source: SourceId,
    pub failures: ReceiverFailures,
    lease: Lease,
}

impl Deliveries {
    /// Reads a receiver consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn receiver(&self, source: &SourceId) -> Result<Receiver, Error> {
        let item = self.table.item(receiver_key(source)).await?;
        parse(source, item.unwrap_or_default())
    }

    /// Makes a queue due now, and its receiver after it. A receiver that is down stays due when it
    /// is probed next.
    ///
    /// # Errors
    /// When DynamoDB fails. A repetition changes nothing.
    pub async fn schedule(
        &self,
        source: &SourceId,
        queue: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.bring_queue_forward(source, queue, now).await?;
        self.bring_receiver_forward(source, now).await
    }

    /// Makes a receiver due at this time, unless it is due earlier. One that is down stays due when
    /// it is probed next.
    ///
    /// # Errors
    /// When DynamoDB fails. A repetition changes nothing.
    pub async fn bring_receiver_forward(
        &self,
        source: &SourceId,
        at: Timestamp,
    ) -> Result<(), Error> {
        let is_down = self.receiver(source).await?.failures.is_down();
        let earlier = match is_down {
            true => "",
            false => " OR due_at > :at",
        };
        let call = self
            .update_receiver(source)
            .update_expression("SET due_of = :due_of, due_at = :at")
            .condition_expression(format!(
                "attribute_not_exists(due_at) OR due_at = lease_until{earlier}"
            ))
            .expression_attribute_values(":due_of", string(DUE_OF))
            .expression_attribute_values(":at", time(at));
        conditional::update(call).await.map(drop)
    }

    /// Records the failures of a receiver. While it is left alone, it is due at `retry_at`, whatever
    /// else is pending.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn record_failures(
        &self,
        source: &SourceId,
        failures: ReceiverFailures,
        retry_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let call = self
            .update_receiver(source)
            .expression_attribute_values(":unavailable", number(failures.unavailable))
            .expression_attribute_values(":refused", number(failures.refused));
        let failures = "SET unavailable = :unavailable, refused = :refused";
        let call = match retry_at {
            None => call.update_expression(failures),
            Some(at) => call
                .update_expression(format!("{failures}, due_of = :due_of, due_at = :at"))
                .expression_attribute_values(":due_of", string(DUE_OF))
                .expression_attribute_values(":at", time(at)),
        };
        conditional::update(call).await.map(drop)
    }

    /// Lists the receivers that are due, the longest overdue first.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn due_receivers(&self, now: Timestamp, limit: u16) -> Result<Vec<SourceId>, Error> {
        let items = self.due(DUE_OF, now, limit).await?;
        let source = |(pk, _): (String, Timestamp)| SourceId::parse(pk.strip_prefix("R#")?).ok();
        Ok(items.into_iter().filter_map(source).collect())
    }

    /// Takes the lease of a receiver that is due. `None` if it is not, or if another worker holds
    /// it. If the process dies right after, the receiver is due when the lease expires.
    ///
    /// # Errors
    /// When DynamoDB fails. If the lease was taken nevertheless, the receiver is due when it
    /// expires.
    pub async fn lease_receiver(
        &self,
        source: &SourceId,
        worker: &str,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<Option<ReceiverLease>, Error> {
        let lease = Lease::new(worker, until);
        let call = lease
            .bind_take(self.update_receiver(source), now)
            .update_expression(format!("SET {}, due_at = :lease_until", lease::SET))
            .condition_expression(format!("due_at <= :now AND {}", lease::IS_FREE))
            .return_values(ReturnValue::AllNew);
        let Some(answer) = conditional::update_and_return(call).await? else {
            return Ok(None);
        };
        let receiver = parse(source, answer.attributes.unwrap_or_default())?;
        Ok(Some(ReceiverLease {
            source: source.clone(),
            failures: receiver.failures,
            lease,
        }))
    }

    /// Releases a receiver. It is due again at `next`, or when another worker made it due meanwhile.
    ///
    /// # Errors
    /// When DynamoDB fails. Then the lease expires.
    pub async fn finish_receiver(
        &self,
        lease: &ReceiverLease,
        next: Option<Timestamp>,
    ) -> Result<(), Error> {
        let condition = format!("{} AND due_at = :lease_until", lease::IS_HELD);
        let update = || lease.lease.bind(self.update_receiver(&lease.source));
        let planned = match next {
            Some(next) => update()
                .update_expression(format!("SET due_at = :next REMOVE {}", lease::REMOVE))
                .expression_attribute_values(":next", time(next)),
            None => update().update_expression(format!("REMOVE due_of, due_at, {}", lease::REMOVE)),
        };
        if conditional::update(planned.condition_expression(condition)).await? {
            return Ok(());
        }
        let release = update()
            .update_expression(format!("REMOVE {}", lease::REMOVE))
            .condition_expression(lease::IS_HELD);
        conditional::update(release).await.map(drop)
    }

    fn update_receiver(&self, source: &SourceId) -> UpdateItemFluentBuilder {
        self.table.update_item(receiver_key(source))
    }
}

fn parse(source: &SourceId, item: Item) -> Result<Receiver, Error> {
    from_item(item).map_err(|err| Error::malformed(source.as_str(), &err))
}

fn receiver_key(source: &SourceId) -> Item {
    key(&receiver_pk(source), RECEIVER)
}

pub(crate) fn receiver_pk(source: &SourceId) -> String {
    format!("R#{source}")
}
