//! How old the oldest message is that comes back to the queue: the queue's own figure leaves out what was received three times.
//!
//! What this does not see: messages that were never received (the queue's own figures tell of those), and alerts whose message is lost
//! (reconcile finds those by the index `by_look`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::metrics::{Metric, measure};
use aws_lambda_events::sqs::{BatchItemFailure, SqsMessage};
use jiff::{SignedDuration, Timestamp};

use crate::{App, Invocation};

/// Younger ones are on their ordinary way.
const WORTH_A_SIGN: SignedDuration = SignedDuration::from_mins(10);
/// One environment leaves a sign so often.
const SIGN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// When this environment last left a sign.
#[derive(Debug, Default)]
pub(crate) struct LastSignal(Mutex<Option<Timestamp>>);

impl LastSignal {
    fn is_due(&self, now: Timestamp) -> bool {
        let mut last_signal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            last_signal.is_none_or(|last_signal| now.duration_since(last_signal) >= SIGN_EVERY);
        if is_due {
            *last_signal = Some(now);
        }
        is_due
    }
}

/// When each message was sent, by its id.
pub(crate) fn sent(records: &[SqsMessage]) -> HashMap<String, Timestamp> {
    let sent = |record: &SqsMessage| {
        let at = record.attributes.get("SentTimestamp")?.parse().ok()?;
        let at = Timestamp::from_millisecond(at).ok()?;
        Some((record.message_id.clone()?, at))
    };
    records.iter().filter_map(sent).collect()
}

impl App {
    /// Measures the oldest message of a batch that comes back, and leaves a sign of it for `health` where it is old. Should that fail,
    /// the message comes back again.
    pub(crate) async fn tell_of_unfinished(
        &self,
        sent: &HashMap<String, Timestamp>,
        failures: &[BatchItemFailure],
        invocation: &Invocation,
    ) {
        let back = failures
            .iter()
            .filter_map(|failure| sent.get(&failure.item_identifier));
        let Some(oldest) = back.min() else {
            return;
        };
        let now = invocation.now();
        let age = now.duration_since(*oldest);
        measure(
            Metric::UnfinishedAge,
            Duration::try_from(age).unwrap_or_default(),
        );
        if age < WORTH_A_SIGN || !self.last_signal.is_due(now) {
            return;
        }
        let table = &self.connections.table;
        if let Err(err) = table.unfinished_seen(*oldest, now).await {
            tracing::warn!(error = %err, "failed to record unfinished messages");
        }
    }
}
