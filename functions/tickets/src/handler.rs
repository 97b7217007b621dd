//! Processes a batch of SQS messages, and returns those that SQS must show again.

use std::collections::HashMap;

use aws::metrics::{Metric, count};
use aws::queue::{DeadLetters, QueueConsumer, QueueSender};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_types::SdkConfig;
use connections::{BuildError, Connections};
use domain::AlertKey;
use domain::closing::snapshot_part::SnapshotPart;
use domain::source::activity::SourceReport;
use domain::ticketing::alert_request::AlertRequest;
use domain::wire::message::{Message, QuarantineEntry, RejectedEvents, UnreadableMessage};
use domain::wire::tenant_list::TenantList;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::{Alerts, ReconcileInput};
use tracing::Instrument as _;

use crate::backoff::{MAX_RECEIPTS, delay};
use crate::company_records::CompanyRecords;
use crate::oldest_message::{OldestMessage, sent_at, sent_times};
use crate::outcome::MessageOutcome;
use crate::outgoing::{OutgoingReporter, PendingReport};
use crate::source_activity::{ActivityRecorder, LastMessages};
use crate::worker::AlertWorker;
use crate::{BatchInvocation, Config};

/// How long a message of a newer release stays in the queue.
const MAX_NEWER_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The Lambda function, with its clients.
#[derive(Debug)]
pub struct TicketsHandler {
    worker: AlertWorker,
    consumer: QueueConsumer,
    dead_letters: DeadLetters,
    oldest_message: OldestMessage,
    activity: ActivityRecorder,
}

/// A message that concerns no single alert.
enum PartnerMessage {
    Snapshot(SnapshotPart),
    Rejected(RejectedEvents),
    Quarantine(QuarantineEntry),
    SourceReport(SourceReport),
    Tenants(TenantList),
}

/// The messages of a batch.
#[derive(Default)]
struct Batch {
    alerts: HashMap<AlertKey, Vec<(SqsMessage, AlertRequest)>>,
    others: Vec<(SqsMessage, PartnerMessage)>,
    /// When each source sent its last message, and for which tenants.
    last_messages: LastMessages,
    /// Messages that cannot be read.
    unreadable: Vec<(SqsMessage, UnreadableMessage)>,
}

impl TicketsHandler {
    /// Creates the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be built.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let mut connections = Connections::build(&config.connections, aws)?;
        let quarantine = connections.table.quarantine;
        connections.table.quarantine = quarantine.with_retention(config.quarantine_retention);
        let alerts = Alerts::new(aws, config.alerts_table.clone());
        Ok(Self {
            worker: AlertWorker {
                alerts: alerts.with_retention(config.timeline_retention),
                connections,
                company_records: CompanyRecords::default(),
                settle: config.settle,
                reporter: OutgoingReporter::new(QueueSender::new(
                    aws,
                    config.delivery_queue_url.clone(),
                )),
            },
            consumer: QueueConsumer::new(aws, config.queue_url.clone()),
            dead_letters: DeadLetters::new(aws, config.dead_letter_queue_url.clone()),
            oldest_message: OldestMessage::default(),
            activity: ActivityRecorder::default(),
        })
    }

    /// Processes a batch: different alerts concurrently, the messages of one alert in order. The
    /// response names the messages that SQS shows again.
    pub async fn handle(&self, event: SqsEvent, invocation: &BatchInvocation) -> SqsBatchResponse {
        let sent = sent_times(&event.records);
        let batch = Batch::parse(event);
        let alerts = batch
            .alerts
            .into_iter()
            .map(|(key, messages)| self.process_alert(key, messages, invocation));
        let others = batch.others.into_iter().map(async |(record, message)| {
            let outcome = match self.process_other(&message, invocation).await {
                Ok(()) => MessageOutcome::Done,
                Err(err) => {
                    tracing::error!(error = %err, "failed to process a message");
                    MessageOutcome::Later(None)
                }
            };
            self.settle(&record, outcome).await
        });
        let now = invocation.now();
        let unreadable = batch.unreadable.into_iter().map(async |(record, err)| {
            let outcome = outcome_of_unreadable(&err, sent_at(&record), now);
            self.settle(&record, outcome).await
        });
        let (alerts, others, unreadable) =
            tokio::join!(join_all(alerts), join_all(others), join_all(unreadable));
        let failures: Vec<BatchItemFailure> = alerts
            .into_iter()
            .flatten()
            .chain(others.into_iter().flatten())
            .chain(unreadable.into_iter().flatten())
            .collect();
        let table = &self.worker.connections.table;
        self.activity
            .record_messages(table, batch.last_messages)
            .await;
        self.oldest_message
            .report(table, &sent, &failures, invocation.now())
            .await;
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures;
        response
    }

    async fn process_alert(
        &self,
        key: AlertKey,
        mut messages: Vec<(SqsMessage, AlertRequest)>,
        invocation: &BatchInvocation,
    ) -> Vec<BatchItemFailure> {
        messages.sort_by_key(|(_, request)| request.order());
        let mut failures = vec![];
        for (record, request) in messages {
            let received = received(&record);
            let span = tracing::info_span!(
                "alert",
                alert.key = %key,
                partner = %key.partner,
                message.id = record.message_id,
                attempt = received,
            );
            let processed = async {
                // On the heap, because the future is too large for a thread's stack.
                let mut report = PendingReport::new(received > 1);
                let process = self.worker.process(&key, &request, invocation, &mut report);
                let outcome = match Box::pin(process).await {
                    MessageOutcome::Later(_) if received >= MAX_RECEIPTS => {
                        self.worker
                            .defer(&key, &request, invocation, &mut report)
                            .await
                    }
                    outcome @ (MessageOutcome::Done
                    | MessageOutcome::Later(_)
                    | MessageOutcome::DeadLetter(_)) => outcome,
                };
                self.worker.report(&key, report, outcome).await
            };
            let outcome = processed.instrument(span.clone()).await;
            failures.extend(self.settle(&record, outcome).instrument(span).await);
        }
        failures
    }

    async fn process_other(
        &self,
        message: &PartnerMessage,
        invocation: &BatchInvocation,
    ) -> Result<(), store::Error> {
        let table = &self.worker.connections.table;
        match message {
            PartnerMessage::Snapshot(part) => self.keep_snapshot(part, invocation).await,
            PartnerMessage::Rejected(rejected) => table.rejected.count(rejected).await,
            // If the process dies in between, the message is received again. Neither has a second
            // effect.
            PartnerMessage::Quarantine(entry) => {
                table.quarantine.add(entry).await?;
                self.activity.count_quarantined(table, entry).await
            }
            PartnerMessage::SourceReport(report) => {
                self.activity.record_report(table, report).await
            }
            PartnerMessage::Tenants(list) => self.list_tenants(list).await,
        }
    }

    /// Lists the tenants that a source named. If the process dies in between, the message is
    /// received again, and lists the rest.
    async fn list_tenants(&self, list: &TenantList) -> Result<(), store::Error> {
        let table = &self.worker.connections.table;
        let outcome = table.tenants.list_all(list).await?;
        tracing::info!(
            partner = %list.partner,
            source = %list.source,
            listed = outcome.listed,
            renamed = outcome.renamed,
            "listed the tenants that a source named"
        );
        if outcome.not_listed > 0 {
            tracing::error!(
                partner = %list.partner,
                source = %list.source,
                tenants = outcome.not_listed,
                "tenants not listed: their source has too many unmapped tenants"
            );
            count(Metric::TenantsNotListed, outcome.not_listed);
        }
        Ok(())
    }

    /// Stores a part of a snapshot, and schedules reconcile. If the process dies in between, the
    /// message is received again and both are done again.
    async fn keep_snapshot(
        &self,
        part: &SnapshotPart,
        invocation: &BatchInvocation,
    ) -> Result<(), store::Error> {
        let AlertWorker {
            alerts,
            connections,
            ..
        } = &self.worker;
        alerts.snapshots.put_part(part, invocation.now()).await?;
        // A time after the part is stored: a run before that has not read it.
        connections
            .schedule
            .reconcile_input(&part.partner, ReconcileInput::Snapshots, invocation.now())
            .await
    }

    /// Carries out the outcome of a message. Returns a failure if SQS must show it again.
    async fn settle(
        &self,
        record: &SqsMessage,
        outcome: MessageOutcome,
    ) -> Option<BatchItemFailure> {
        let message_id = record.message_id.clone().unwrap_or_default();
        let after = match outcome {
            MessageOutcome::Done => return None,
            MessageOutcome::Later(after) => after,
            MessageOutcome::DeadLetter(reason) => {
                let body = record.body.as_deref().unwrap_or_default();
                // SQS takes no empty message.
                let body = if body.is_empty() { "(empty)" } else { body };
                let sent = self
                    .dead_letters
                    .send_to_dlq(body, &message_id, &reason)
                    .await;
                match sent {
                    Ok(()) => {
                        tracing::error!(
                            message.id = message_id,
                            reason,
                            "sent a message to the dead-letter queue"
                        );
                        return None;
                    }
                    Err(err) => {
                        tracing::error!(message.id = message_id, error = %err, "failed to send a message to the dead-letter queue");
                        None
                    }
                }
            }
        };
        let delay = delay(after, received(record), &message_id);
        let receipt = record.receipt_handle.as_deref().unwrap_or_default();
        // If this fails, SQS shows the message when its visibility timeout ends.
        if let Err(err) = self.consumer.delay(receipt, delay).await {
            tracing::warn!(message.id = message_id, error = %err, "failed to delay a message");
        }
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        Some(failure)
    }
}

impl Batch {
    fn parse(event: SqsEvent) -> Self {
        let mut batch = Self::default();
        for record in event.records {
            match Message::from_json(record.body.as_deref().unwrap_or_default()) {
                Ok(message) => batch.sort(record, message),
                Err(err) => batch.unreadable.push((record, err)),
            }
        }
        batch
    }

    fn sort(&mut self, record: SqsMessage, message: Message) {
        self.last_messages.add(&message);
        let other = match message {
            Message::Event(event) => {
                let key = event.key.clone();
                return self.add(key, record, AlertRequest::Event(Box::new(event)));
            }
            Message::Reconsider(key) => return self.add(key, record, AlertRequest::Reconsider),
            Message::Release(key) => return self.add(key, record, AlertRequest::Release),
            Message::Command(command) => {
                let key = command.key.clone();
                return self.add(key, record, AlertRequest::Command(Box::new(command)));
            }
            Message::Answer(answer) => {
                let key = answer.key.clone();
                return self.add(key, record, AlertRequest::Answer(Box::new(answer)));
            }
            Message::Snapshot(part) => PartnerMessage::Snapshot(part),
            Message::Rejected(rejected) => PartnerMessage::Rejected(rejected),
            Message::Quarantine(entry) => PartnerMessage::Quarantine(entry),
            Message::SourceReport(report) => PartnerMessage::SourceReport(report),
            Message::Tenants(list) => PartnerMessage::Tenants(list),
        };
        self.others.push((record, other));
    }

    fn add(&mut self, key: AlertKey, record: SqsMessage, request: AlertRequest) {
        self.alerts.entry(key).or_default().push((record, request));
    }
}

/// A message of a newer release is received again until that release is deployed. After some days
/// it becomes a dead letter, since SQS would delete it after 14 days without a trace.
fn outcome_of_unreadable(
    err: &UnreadableMessage,
    sent_at: Option<Timestamp>,
    now: Timestamp,
) -> MessageOutcome {
    let is_recent = sent_at.is_none_or(|sent_at| now.duration_since(sent_at) < MAX_NEWER_AGE);
    match err {
        UnreadableMessage::Newer(newer) if is_recent => {
            tracing::error!(
                reason = %newer,
                "a message was written by a newer release and stays in the queue until that release is deployed"
            );
            MessageOutcome::Later(None)
        }
        UnreadableMessage::Newer(_) | UnreadableMessage::Invalid(_) => {
            MessageOutcome::DeadLetter(err.to_string())
        }
    }
}

/// How often SQS has shown the message.
fn received(record: &SqsMessage) -> u32 {
    record
        .attributes
        .get("ApproximateReceiveCount")
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_newer_release_becomes_a_dead_letter_only_after_a_week() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let outcome_of = |text: &str, age: SignedDuration| {
            let err = Message::from_json(text).unwrap_err();
            outcome_of_unreadable(&err, Some(now - age), now)
        };
        let week = SignedDuration::from_hours(7 * 24);
        let almost = week - SignedDuration::from_secs(1);
        for newer in [r#"{"v":2}"#, r#"{"v":1,"type":"window","body":{}}"#] {
            assert_eq!(outcome_of(newer, almost), MessageOutcome::Later(None));
            let late = outcome_of(newer, week);
            assert!(
                matches!(&late, MessageOutcome::DeadLetter(reason) if reason.starts_with("written by a newer release: ")),
                "{late:?}"
            );
        }
        let invalid = outcome_of("?", SignedDuration::ZERO);
        assert!(matches!(invalid, MessageOutcome::DeadLetter(_)));
        let err = Message::from_json(r#"{"v":2}"#).unwrap_err();
        let no_time = outcome_of_unreadable(&err, None, now);
        assert_eq!(no_time, MessageOutcome::Later(None));
    }
}
