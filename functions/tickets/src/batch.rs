//! From the queue's records to alerts and back: which messages are done, which come back and when.

use std::collections::HashMap;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::AlertKey;
use domain::event::SnapshotPart;
use domain::message::{Message, RejectedEvents};
use futures_util::future::join_all;
use tracing::Instrument as _;

use crate::alert::Request;
use crate::outcome::Outcome;
use crate::{App, Invocation, unfinished};

/// The first back-off, doubled with each receipt.
const BACK_OFF: Duration = Duration::from_secs(15);
/// What comes back at a given time comes up to a quarter later, and never more than this.
const LONGEST_SPREAD: Duration = Duration::from_secs(10);
/// The longest back-off.
const LONGEST: Duration = Duration::from_mins(4);
/// A message that was received so often waits no longer in the queue, whatever for: its alert waits in the table.
const MOST_RECEIPTS: u32 = 30;
/// Where not even the table takes it, it comes back so seldom that SQS never has reason to call it a dead letter: a thousand
/// receipts take longer than SQS keeps a message.
const SELDOM: Duration = Duration::from_mins(30);

/// Works off one batch: alerts side by side, the messages of one alert in order, each task to its end.
pub(crate) async fn work(app: &App, event: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
    let mut alerts: HashMap<AlertKey, Vec<(SqsMessage, Request)>> = HashMap::new();
    let mut others = vec![];
    let sent = unfinished::sent(&event.records);
    for record in event.records {
        match Message::from_json(record.body.as_deref().unwrap_or_default()) {
            Ok(Message::Event(event)) => alerts
                .entry(event.key.clone())
                .or_default()
                .push((record, Request::Event(Box::new(event)))),
            Ok(Message::Reconsider(key)) => {
                alerts
                    .entry(key)
                    .or_default()
                    .push((record, Request::Reconsider));
            }
            Ok(Message::Release(key)) => {
                alerts
                    .entry(key)
                    .or_default()
                    .push((record, Request::Release));
            }
            Ok(Message::Command(command)) => {
                alerts
                    .entry(command.key.clone())
                    .or_default()
                    .push((record, Request::Command(Box::new(command))));
            }
            Ok(Message::Snapshot(part)) => others.push((record, Ok(Other::Snapshot(part)))),
            Ok(Message::Rejected(rejected)) => {
                others.push((record, Ok(Other::Rejected(rejected))));
            }
            Err(err) => others.push((record, Err(err.to_string()))),
        }
    }
    let alerts = alerts
        .into_iter()
        .map(|(key, messages)| one_alert(app, invocation, key, messages));
    let others = others.into_iter().map(|(record, content)| async move {
        let outcome = match content {
            Ok(other) => match store(app, &other, invocation).await {
                Ok(()) => Outcome::Done,
                Err(err) => {
                    tracing::error!(error = %err, "failed to process a message");
                    Outcome::Later(None)
                }
            },
            Err(reason) => Outcome::DeadLetter(reason),
        };
        settled(app, &record, outcome).await
    });
    let (alerts, others) = tokio::join!(join_all(alerts), join_all(others));
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = alerts
        .into_iter()
        .flatten()
        .chain(others.into_iter().flatten())
        .collect();
    app.tell_of_unfinished(&sent, &response.batch_item_failures, invocation)
        .await;
    response
}

/// A message that is about no single alert.
enum Other {
    Snapshot(SnapshotPart),
    Rejected(RejectedEvents),
}

async fn store(app: &App, other: &Other, invocation: &Invocation) -> Result<(), store::Error> {
    match other {
        Other::Snapshot(part) => snapshot(app, part, invocation).await,
        Other::Rejected(rejected) => app.connections.table.count_rejected(rejected).await,
    }
}

/// Stores a part of a snapshot, and has it looked at with the others. Whoever dies in between does both again.
async fn snapshot(
    app: &App,
    part: &SnapshotPart,
    invocation: &Invocation,
) -> Result<(), store::Error> {
    app.alerts.put_snapshot_part(part, invocation.now()).await?;
    // The time after it is stored: whoever looked before that has not seen it.
    let came = app
        .connections
        .schedule
        .reconcile_snapshot(&part.partner, invocation.now());
    came.await
}

async fn one_alert(
    app: &App,
    invocation: &Invocation,
    key: AlertKey,
    mut messages: Vec<(SqsMessage, Request)>,
) -> Vec<BatchItemFailure> {
    messages.sort_by_key(|(_, request)| request.order());
    let mut failures = vec![];
    for (record, request) in messages {
        let span = tracing::info_span!(
            "alert",
            alert.key = %key,
            partner = %key.partner,
            message.id = record.message_id,
            attempt = received(&record),
        );
        let outcome = async {
            // On the heap: the future of all that can happen to an alert is larger than a thread's stack likes.
            match Box::pin(app.process(&key, &request, invocation)).await {
                Outcome::Later(_) if received(&record) >= MOST_RECEIPTS => {
                    app.defer(&key, &request, invocation).await
                }
                outcome @ (Outcome::Done | Outcome::Later(_) | Outcome::DeadLetter(_)) => outcome,
            }
        };
        let outcome = outcome.instrument(span.clone()).await;
        failures.extend(settled(app, &record, outcome).instrument(span).await);
    }
    failures
}

/// Carries out what became of a message; a failure is named to SQS, which then shows the message again.
async fn settled(app: &App, record: &SqsMessage, outcome: Outcome) -> Option<BatchItemFailure> {
    let message_id = record.message_id.clone().unwrap_or_default();
    let after = match outcome {
        Outcome::Done => return None,
        Outcome::Later(after) => after,
        Outcome::DeadLetter(reason) => {
            let body = record
                .body
                .as_deref()
                .filter(|body| !body.is_empty())
                .unwrap_or("(empty)");
            match app
                .dead_letters
                .send_to_dlq(body, &message_id, &reason)
                .await
            {
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
    // If this fails the message comes back when its visibility ends: later, and not lost.
    if let Err(err) = app.consumer.delay(receipt, delay).await {
        tracing::warn!(message.id = message_id, error = %err, "failed to delay a message");
    }
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    Some(failure)
}

fn received(record: &SqsMessage) -> u32 {
    record
        .attributes
        .get("ApproximateReceiveCount")
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

/// How long a message stays hidden that comes back after this time or the usual back-off.
fn delay(after: Option<Duration>, received: u32, message_id: &str) -> Duration {
    let delay = match after {
        Some(after) => after + spread(after, message_id).min(LONGEST_SPREAD),
        None => back_off(received, message_id),
    };
    match received < MOST_RECEIPTS {
        true => delay,
        false => delay.max(SELDOM),
    }
}

/// Doubling with each receipt, and spread by up to a quarter.
fn back_off(received: u32, message_id: &str) -> Duration {
    let doubled = BACK_OFF
        .saturating_mul(1 << received.saturating_sub(1).min(10))
        .min(LONGEST);
    doubled - spread(doubled, message_id)
}

/// Up to a quarter of a delay, by the message's id, so that a crowd does not come back at once.
fn spread(delay: Duration, message_id: &str) -> Duration {
    let share = message_id.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    }) % 256;
    delay * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_four_minutes() {
        for (received, longest) in [(1, 15), (2, 30), (4, 120), (7, 240), (1000, 240)] {
            let longest = Duration::from_secs(longest);
            for id in ["6f1b", "c0de", ""] {
                let delay = back_off(received, id);
                assert!(
                    delay <= longest && delay >= longest * 3 / 4,
                    "{received} {id}: {delay:?}"
                );
            }
        }
        assert_ne!(back_off(1, "a"), back_off(1, "b"));
    }

    /// A number that the template gives to the queue.
    fn of_queue(name: &str) -> u64 {
        let template = include_str!("../../../infra/template.yaml");
        let (_, line) = template.split_once(&format!("{name}: ")).unwrap();
        let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    #[test]
    fn no_message_is_received_so_often_that_sqs_calls_it_a_dead_letter() {
        let receipts = u32::try_from(of_queue("maxReceiveCount")).unwrap();
        let kept = Duration::from_secs(of_queue("MessageRetentionPeriod"));
        for after in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
            let delays = (1..receipts).map(|received| delay(after, received, "m"));
            assert!(delays.sum::<Duration>() > kept, "{after:?}");
        }
        assert!(receipts > MOST_RECEIPTS);
    }
}
