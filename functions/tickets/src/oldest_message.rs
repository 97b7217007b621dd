//! Measures the oldest message that returns to the queue. SQS's own metric leaves out messages that
//! were received three times.
//!
//! It does not see messages that were never received: SQS's metrics show those. Nor does it see
//! alerts whose message was lost: reconcile finds those by the index `by_look`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::metrics::{Metric, measure};
use aws_lambda_events::sqs::{BatchItemFailure, SqsMessage};
use jiff::{SignedDuration, Timestamp};
use store::ConfigTable;

/// Only an older message is recorded for monitoring.
const MIN_AGE: SignedDuration = SignedDuration::from_mins(10);
/// One execution environment records at most one message in this time.
const PERIOD: SignedDuration = SignedDuration::from_mins(1);

/// When this execution environment last recorded a message.
#[derive(Debug, Default)]
pub(crate) struct OldestMessage(Mutex<Option<Timestamp>>);

impl OldestMessage {
    /// Measures the oldest message that returns, and records it for monitoring if it is old. If the
    /// write fails, the message returns again.
    pub(crate) async fn report(
        &self,
        table: &ConfigTable,
        sent: &HashMap<String, Timestamp>,
        failures: &[BatchItemFailure],
        now: Timestamp,
    ) {
        let returning = failures
            .iter()
            .filter_map(|failure| sent.get(&failure.item_identifier));
        let Some(oldest) = returning.min() else {
            return;
        };
        let age = now.duration_since(*oldest);
        measure(
            Metric::UnfinishedAge,
            Duration::try_from(age).unwrap_or_default(),
        );
        if age < MIN_AGE || !self.is_due(now) {
            return;
        }
        if let Err(err) = table.monitoring.record_unfinished(*oldest, now).await {
            tracing::warn!(error = %err, "failed to record unfinished messages");
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= PERIOD);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// When each message was sent, by its id.
pub(crate) fn sent_times(records: &[SqsMessage]) -> HashMap<String, Timestamp> {
    let sent = |record: &SqsMessage| Some((record.message_id.clone()?, sent_at(record)?));
    records.iter().filter_map(sent).collect()
}

/// When the message was sent.
pub(crate) fn sent_at(record: &SqsMessage) -> Option<Timestamp> {
    let at = record.attributes.get("SentTimestamp")?.parse().ok()?;
    Timestamp::from_millisecond(at).ok()
}
