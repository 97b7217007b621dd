//! Delivers a queue: the events of one alert, one after the other, under the queue's lease.

use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws::secrets::{self, OutgoingWebhook, Secrets};
use domain::SourceId;
use domain::outgoing::cloud_event::OutgoingType;
use domain::outgoing::retry::{AttemptOutcome, ReceiverFailures, gives_up_at, pause};
use domain::time::later;
use jiff::Timestamp;
use store::{Attempt, Deliveries, Delivery, DeliveryState};
use tokio::time::Instant;

use crate::answers::AnswerSender;
use crate::sender::{Posted, Sender};

/// An attempt begins only if this much time is left.
const MIN_TIME: Duration = Duration::from_secs(3);
/// How often a queue that was brought forward meanwhile is read again. Then the next tick has it.
const MAX_ROUNDS: usize = 5;

#[derive(Debug)]
pub(crate) struct Deliverer {
    pub(crate) deliveries: Deliveries,
    pub(crate) secrets: Secrets,
    pub(crate) source_secret_prefix: String,
    pub(crate) sender: Sender,
    pub(crate) answers: AnswerSender,
}

const NO_WEBHOOK: &str = "the source has no webhook any more";
const NO_ACTIONS: &str = "the source takes no actions any more";
const NO_EVENTS: &str = "the webhook gets only actions now";

/// What delivering a queue led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueOutcome {
    /// Nothing of it is pending.
    Empty,
    /// Its first delivery was refused, or time is over. It is due later.
    Later,
    /// The receiver is down. All that is pending waits for it.
    ReceiverDown,
}

/// Where the events of a source go.
enum Target {
    Webhook(Box<OutgoingWebhook>),
    /// Nowhere: the operator changed the webhook. The text says how.
    Removed(&'static str),
}

impl Deliverer {
    /// Delivers what is pending of a queue. If another worker has it, that worker or the next tick
    /// delivers it.
    pub(crate) async fn deliver(
        &self,
        source: &SourceId,
        queue: &str,
        invocation: &Invocation,
    ) -> Result<QueueOutcome, store::Error> {
        for _ in 0..MAX_ROUNDS {
            let now = invocation.now();
            let times = (now, invocation.holds_until());
            let worker = invocation.name();
            let lease = self.deliveries.lease_queue(source, queue, worker, times);
            let Some(lease) = lease.await? else {
                self.deliveries.schedule(source, queue, now).await?;
                return Ok(QueueOutcome::Later);
            };
            // If the process dies before the release, the queue is due when its lease expires. The
            // receiver is due then too: this is a tick that holds it, or its message comes again.
            let (outcome, next) = self.deliver_pending(source, queue, invocation).await?;
            let now = invocation.now();
            let is_done = self.deliveries.finish_queue(&lease, next, now).await?;
            if let Some(next) = next {
                self.deliveries.bring_receiver_forward(source, next).await?;
            }
            if is_done || outcome != QueueOutcome::Empty {
                return Ok(outcome);
            }
        }
        self.deliveries
            .schedule(source, queue, invocation.now())
            .await?;
        Ok(QueueOutcome::Later)
    }

    /// Posts the pending deliveries of a queue until one fails. Returns when the queue is due again.
    async fn deliver_pending(
        &self,
        source: &SourceId,
        queue: &str,
        invocation: &Invocation,
    ) -> Result<(QueueOutcome, Option<Timestamp>), store::Error> {
        let mut failures = self.deliveries.receiver(source).await?.failures;
        for delivery in self.deliveries.pending(queue).await? {
            let now = invocation.now();
            if Instant::now() + MIN_TIME > invocation.calls_end() {
                return Ok((QueueOutcome::Later, Some(now)));
            }
            if gives_up_at(delivery.tried_since) <= now {
                self.give_up(&delivery, now).await?;
                continue;
            }
            let webhook = match self.target(&delivery, now).await {
                Ok(Target::Webhook(webhook)) => webhook,
                Ok(Target::Removed(problem)) => {
                    self.drop_delivery(&delivery, problem, now).await?;
                    continue;
                }
                Err(err) => {
                    tracing::error!(error = %err, "failed to read the webhook of a source");
                    return Ok((QueueOutcome::Later, Some(later(now, pause(1)))));
                }
            };
            let ends = invocation.calls_end();
            let Posted {
                outcome,
                attempt,
                answer,
            } = self.sender.post(&webhook, &delivery, now, ends).await;
            if let Err(err) = self.answers.send(&delivery, &answer).await {
                tracing::error!(error = %err, "failed to queue the answer to an action");
                return Ok((QueueOutcome::Later, Some(later(now, pause(1)))));
            }
            self.record(&delivery, outcome, &attempt).await?;
            let paused;
            let before = failures;
            (failures, paused) = failures.after(outcome);
            let retry_at = paused.map(|paused| later(invocation.now(), paused));
            self.record_receiver(source, before, failures, retry_at)
                .await?;
            let now = invocation.now();
            match outcome {
                AttemptOutcome::Delivered | AttemptOutcome::Gone => {}
                // The secret or the address may be old.
                AttemptOutcome::Refused => {
                    self.invalidate(source, now);
                    let tried = pause(delivery.attempts.saturating_add(1));
                    let next = later(now, tried).min(gives_up_at(delivery.tried_since));
                    let outcome = match failures.is_down() {
                        true => QueueOutcome::ReceiverDown,
                        false => QueueOutcome::Later,
                    };
                    return Ok((outcome, Some(next)));
                }
                // The receiver's own pause holds it back.
                AttemptOutcome::Unavailable { .. } => {
                    self.invalidate(source, now);
                    return Ok((QueueOutcome::ReceiverDown, Some(now)));
                }
            }
        }
        Ok((QueueOutcome::Empty, None))
    }

    /// Marks a delivery as failed, because it was tried for too long.
    pub(crate) async fn give_up(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        tracing::error!(
            source = %delivery.source,
            delivery.id,
            attempts = delivery.attempts,
            "delivery failed: its receiver did not confirm it for three days"
        );
        count(Metric::DeliveriesFailed, 1);
        let last = delivery.last_attempt.as_ref();
        let attempt = Attempt {
            at: now,
            status: last.and_then(|last| last.status),
            problem: Some("the receiver did not confirm it for three days".to_owned()),
        };
        let failed = DeliveryState::Failed;
        self.deliveries.record(delivery, failed, &attempt).await
    }

    /// Marks a delivery as failed, because the operator changed the webhook.
    async fn drop_delivery(
        &self,
        delivery: &Delivery,
        problem: &str,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let attempt = Attempt {
            at: now,
            status: None,
            problem: Some(problem.to_owned()),
        };
        let failed = DeliveryState::Failed;
        self.deliveries.record(delivery, failed, &attempt).await
    }

    async fn record(
        &self,
        delivery: &Delivery,
        outcome: AttemptOutcome,
        attempt: &Attempt,
    ) -> Result<(), store::Error> {
        let state = match outcome {
            AttemptOutcome::Delivered => {
                tracing::info!(source = %delivery.source, delivery.id, "delivered an outgoing event");
                count(Metric::DeliveriesMade, 1);
                DeliveryState::Delivered
            }
            AttemptOutcome::Gone => {
                tracing::error!(source = %delivery.source, delivery.id, "delivery failed: the receiver answered 410");
                count(Metric::DeliveriesFailed, 1);
                DeliveryState::Failed
            }
            AttemptOutcome::Refused | AttemptOutcome::Unavailable { .. } => {
                let problem = attempt.problem.as_deref();
                tracing::warn!(source = %delivery.source, delivery.id, problem, "delivery attempt failed");
                DeliveryState::Pending
            }
        };
        self.deliveries.record(delivery, state, attempt).await
    }

    async fn record_receiver(
        &self,
        source: &SourceId,
        before: ReceiverFailures,
        after: ReceiverFailures,
        retry_at: Option<Timestamp>,
    ) -> Result<(), store::Error> {
        if before == after && retry_at.is_none() {
            return Ok(());
        }
        self.deliveries
            .record_failures(source, after, retry_at)
            .await
    }

    async fn target(&self, delivery: &Delivery, now: Timestamp) -> Result<Target, secrets::Error> {
        let document = self
            .secrets
            .source(&self.source_secret_prefix, &delivery.source, now)
            .await;
        let document = match document {
            Ok(document) => document,
            Err(secrets::Error::Unknown(_)) => return Ok(Target::Removed(NO_WEBHOOK)),
            Err(err) => return Err(err),
        };
        let scope = document.webhook_scope();
        let Some(webhook) = document.webhook else {
            return Ok(Target::Removed(NO_WEBHOOK));
        };
        Ok(match delivery.kind {
            OutgoingType::TicketAction if !scope.has_actions() => Target::Removed(NO_ACTIONS),
            OutgoingType::TicketAction | OutgoingType::Ping => Target::Webhook(Box::new(webhook)),
            OutgoingType::TicketCreated
            | OutgoingType::TicketReopened
            | OutgoingType::TicketNoted
            | OutgoingType::TicketClosed
            | OutgoingType::AlertBlocked
            | OutgoingType::AlertReleased => match scope.has_events() {
                true => Target::Webhook(Box::new(webhook)),
                false => Target::Removed(NO_EVENTS),
            },
        })
    }

    fn invalidate(&self, source: &SourceId, now: Timestamp) {
        let name = format!("{}{source}", self.source_secret_prefix);
        self.secrets.invalidate(&name, now);
    }
}
