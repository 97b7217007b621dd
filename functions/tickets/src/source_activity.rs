//! Records when sources last sent a message, and what else `ingest` reports about them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::source::activity::{SourceActivity, SourceReport};
use domain::wire::message::{Message, QuarantineEntry};
use domain::{PartnerId, SourceId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::ConfigTable;
use tokio::sync::Mutex as AsyncMutex;

/// One execution environment records the messages of one source at most once in this time.
const PERIOD: SignedDuration = SignedDuration::from_mins(1);
/// The sources whose last record is in memory.
const MAX_SOURCES: usize = 10_000;

/// A source of a partner.
pub(crate) type PartnerSource = (PartnerId, SourceId);

/// When the last message of each source was received.
pub(crate) type LastMessages = HashMap<PartnerSource, Timestamp>;

#[derive(Debug, Default)]
pub(crate) struct ActivityRecorder {
    /// The messages that this execution environment recorded last.
    recorded: Mutex<LastMessages>,
    /// Changes of one item conflict, so this execution environment makes one at a time.
    change: AsyncMutex<()>,
}

impl ActivityRecorder {
    /// Records when the sources of a batch sent their last message. A failure is only logged: the
    /// next message of the source records it.
    pub(crate) async fn record_messages(&self, table: &ConfigTable, last: LastMessages) {
        let due = last.into_iter().filter(|(key, at)| self.is_due(key, *at));
        let records = due.map(async |((partner, source), at)| {
            let store = &table.source_activity;
            match store.record_message(&partner, &source, at).await {
                Ok(()) => self.set_recorded((partner, source), at),
                Err(err) => tracing::warn!(
                    %partner,
                    %source,
                    error = %err,
                    "failed to record the last message of a source"
                ),
            }
        });
        join_all(records).await;
    }

    /// Records a report.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is delivered again.
    pub(crate) async fn record_report(
        &self,
        table: &ConfigTable,
        report: &SourceReport,
    ) -> Result<(), store::Error> {
        let change = |activity: SourceActivity| activity.with_report(report);
        self.change(table, (&report.partner, &report.source), change)
            .await
    }

    /// Counts a quarantined message.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is delivered again.
    pub(crate) async fn count_quarantined(
        &self,
        table: &ConfigTable,
        entry: &QuarantineEntry,
    ) -> Result<(), store::Error> {
        let id = entry.id();
        // Without indexes it is the whole body.
        let alerts = u32::try_from(entry.indexes.len().max(1)).unwrap_or(u32::MAX);
        let change =
            |activity: SourceActivity| activity.with_quarantined(&id, alerts, entry.received_at);
        self.change(table, (&entry.partner, &entry.source), change)
            .await
    }

    async fn change(
        &self,
        table: &ConfigTable,
        (partner, source): (&PartnerId, &SourceId),
        change: impl Fn(SourceActivity) -> SourceActivity,
    ) -> Result<(), store::Error> {
        let _one_at_a_time = self.change.lock().await;
        let stored = table.source_activity.change(partner, source, change);
        if !stored.await? {
            // The counts are for people. An alert must not wait for them.
            tracing::warn!(%partner, %source, "not counted: the source's activity changes too fast");
        }
        Ok(())
    }

    fn is_due(&self, key: &PartnerSource, at: Timestamp) -> bool {
        let recorded = self.recorded.lock();
        let recorded = recorded.unwrap_or_else(PoisonError::into_inner);
        let last = recorded.get(key);
        last.is_none_or(|last| at.duration_since(*last) >= PERIOD)
    }

    fn set_recorded(&self, key: PartnerSource, at: Timestamp) {
        let recorded = self.recorded.lock();
        let mut recorded = recorded.unwrap_or_else(PoisonError::into_inner);
        if recorded.len() >= MAX_SOURCES {
            recorded.clear();
        }
        recorded.insert(key, at);
    }
}

/// The source of a message that a source sent, and when it was received.
pub(crate) fn received_from(message: &Message) -> Option<(PartnerSource, Timestamp)> {
    let (partner, source, at) = match message {
        Message::Event(event) => (&event.key.partner, &event.key.source, event.receipt.at),
        Message::Snapshot(part) => (&part.partner, &part.source, part.received_at),
        Message::Rejected(rejected) => (&rejected.partner, &rejected.source, rejected.received_at),
        Message::Tenants(list) => (&list.partner, &list.source, list.received_at),
        // These two record it themselves.
        Message::Quarantine(_) | Message::SourceReport(_) => return None,
        // These are no messages of a source.
        Message::Reconsider(_) | Message::Release(_) | Message::Command(_) => return None,
    };
    let is_test = source.is_for_test_alerts();
    (!is_test).then(|| ((partner.clone(), source.clone()), at))
}
