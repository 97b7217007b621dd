//! When queues are due, and which worker delivers them. Each operation is one conditional write, so
//! a crash leaves nothing to undo: a lease expires, and the next tick finds the queue due.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::SourceId;
use jiff::Timestamp;

use super::Deliveries;
use super::rows::{queue_of, queue_pk, ttl};
use crate::lease::{self, Lease};
use crate::table::{Item, key, number, string, time};
use crate::{Error, conditional};

const QUEUE: &str = "queue";

/// The right to deliver a queue alone.
#[derive(Debug, Clone)]
pub struct QueueLease {
    pub queue: String,
    lease: Lease,
}

impl Deliveries {
    /// Makes a queue due now, also while a worker delivers it: that worker may not have read what
    /// is new. Its receiver must be made due after it.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened, and a repetition changes nothing.
    pub async fn bring_queue_forward(
        &self,
        source: &SourceId,
        queue: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .table
            .update_item(queue_key(queue))
            .update_expression("SET due_of = :due_of, due_at = :now REMOVE #ttl")
            .condition_expression(
                "attribute_not_exists(due_at) OR due_at > :now OR due_at = lease_until",
            )
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":due_of", string(due_of(source)))
            .expression_attribute_values(":now", time(now));
        conditional::update(call).await.map(drop)
    }

    /// Takes the lease of a queue, due or not. `None` if another worker holds it. If the process
    /// dies right after, the queue is due when the lease expires.
    ///
    /// # Errors
    /// When DynamoDB fails. If the lease was taken nevertheless, the queue is due when it expires.
    pub async fn lease_queue(
        &self,
        source: &SourceId,
        queue: &str,
        worker: &str,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<Option<QueueLease>, Error> {
        let lease = Lease::new(worker, until);
        let call = lease
            .bind_take(self.table.update_item(queue_key(queue)), now)
            .update_expression(format!(
                "SET {}, due_of = :due_of, due_at = :lease_until REMOVE #ttl",
                lease::SET
            ))
            .condition_expression(lease::IS_FREE)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":due_of", string(due_of(source)));
        let is_taken = conditional::update(call).await?;
        let queue = queue.to_owned();
        Ok(is_taken.then_some(QueueLease { queue, lease }))
    }

    /// Releases a queue, which is due again at `next`, if anything of it is pending. Returns whether
    /// the queue is as the worker leaves it: if not, it was brought forward meanwhile and is due
    /// now, or another worker has it.
    ///
    /// # Errors
    /// When DynamoDB fails. Then the lease expires.
    pub async fn finish_queue(
        &self,
        lease: &QueueLease,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let condition = format!("{} AND due_at = :lease_until", lease::IS_HELD);
        let planned = match next {
            Some(next) => self
                .update_held(lease)
                .update_expression(format!("SET due_at = :next REMOVE {}", lease::REMOVE))
                .expression_attribute_values(":next", time(next)),
            None => self
                .update_held(lease)
                .update_expression(format!(
                    "SET #ttl = :ttl REMOVE due_of, due_at, {}",
                    lease::REMOVE
                ))
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":ttl", number(ttl(now))),
        };
        if conditional::update(planned.condition_expression(condition)).await? {
            return Ok(true);
        }
        let release = self
            .update_held(lease)
            .update_expression(format!("REMOVE {}", lease::REMOVE))
            .condition_expression(lease::IS_HELD);
        conditional::update(release).await?;
        Ok(false)
    }

    /// Lists the queues of a source that are due, the longest overdue first.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn due_queues(
        &self,
        source: &SourceId,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<String>, Error> {
        let items = self.due(&due_of(source), until, limit).await?;
        let queue = |(pk, _): (String, Timestamp)| queue_of(&pk).map(str::to_owned);
        Ok(items.into_iter().filter_map(queue).collect())
    }

    /// When the first queue of a source is due, if anything is pending.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn next_due(&self, source: &SourceId) -> Result<Option<Timestamp>, Error> {
        let items = self.due(&due_of(source), Timestamp::MAX, 1).await?;
        Ok(items.into_iter().next().map(|(_, at)| at))
    }

    /// The partition keys of what is due, with the time.
    pub(super) async fn due(
        &self,
        due_of: &str,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<(String, Timestamp)>, Error> {
        let answer = self
            .table
            .query()
            .index_name("due")
            .key_condition_expression("due_of = :due_of AND due_at <= :until")
            .expression_attribute_values(":due_of", string(due_of))
            .expression_attribute_values(":until", time(until))
            .limit(i32::from(limit.max(1)))
            .send()
            .await
            .map_err(|err| Error::call("Query", &err))?;
        let entry = |item: &Item| {
            let text = |name: &str| item.get(name)?.as_s().ok().cloned();
            Some((text("pk")?, text("due_at")?.parse().ok()?))
        };
        Ok(answer
            .items
            .unwrap_or_default()
            .iter()
            .filter_map(entry)
            .collect())
    }

    fn update_held(&self, lease: &QueueLease) -> UpdateItemFluentBuilder {
        let call = self.table.update_item(queue_key(&lease.queue));
        lease.lease.bind(call)
    }
}

fn due_of(source: &SourceId) -> String {
    format!("queues#{source}")
}

fn queue_key(queue: &str) -> Item {
    key(&queue_pk(queue), QUEUE)
}
