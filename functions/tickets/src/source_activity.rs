//! Records when sources last sent a message, and what else `ingest` reports about them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use domain::monitoring::inactive_tenant::day;
use domain::source::activity::{SourceActivity, SourceReport};
use domain::wire::message::{Message, QuarantineEntry};
use domain::{PartnerId, SourceId, TenantId};
use futures_util::future::join_all;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use store::ConfigTable;
use tokio::sync::Mutex as AsyncMutex;

/// One execution environment records the messages of one source at most once in this time.
const PERIOD: SignedDuration = SignedDuration::from_mins(1);
/// The sources and tenants whose last record is in memory.
const MAX_IN_MEMORY: usize = 10_000;

/// A source of a partner.
pub(crate) type PartnerSource = (PartnerId, SourceId);

/// A tenant for which a source of the partner sent a message.
pub(crate) type SourceTenant = (PartnerId, SourceId, TenantId);

/// When the last messages of a batch were received.
#[derive(Debug, Default)]
pub(crate) struct LastMessages {
    sources: HashMap<PartnerSource, Timestamp>,
    tenants: HashMap<SourceTenant, Timestamp>,
}

impl LastMessages {
    pub(crate) fn add(&mut self, message: &Message) {
        if let Some((source, at)) = received_from(message) {
            let last = self.sources.entry(source).or_insert(at);
            *last = at.max(*last);
        }
        if let Some((tenant, at)) = sent_for(message) {
            let last = self.tenants.entry(tenant).or_insert(at);
            *last = at.max(*last);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct ActivityRecorder {
    /// The messages that this execution environment recorded last.
    recorded: Mutex<HashMap<PartnerSource, Timestamp>>,
    /// The last days of tenants that this execution environment recorded.
    recorded_days: Mutex<HashMap<SourceTenant, Date>>,
    /// Changes of one item conflict, so this execution environment makes one at a time.
    change: AsyncMutex<()>,
}

impl ActivityRecorder {
    /// Records when the sources of a batch sent their last message, and on which day for each
    /// tenant. A failure is only logged: the next message records it.
    pub(crate) async fn record_messages(&self, table: &ConfigTable, last: LastMessages) {
        let LastMessages { sources, tenants } = last;
        tokio::join!(
            self.record_sources(table, sources),
            self.record_tenants(table, tenants)
        );
    }

    async fn record_sources(&self, table: &ConfigTable, last: HashMap<PartnerSource, Timestamp>) {
        let due = last.into_iter().filter(|(key, at)| self.is_due(key, *at));
        let records = due.map(async |((partner, source), at)| {
            let store = &table.source_activity;
            match store.record_message(&partner, &source, at).await {
                Ok(()) => remember(&self.recorded, (partner, source), at),
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

    /// Writes the day of a tenant that this execution environment has not written yet. Most days
    /// another one wrote it before: then the condition of the write is not met.
    async fn record_tenants(&self, table: &ConfigTable, last: HashMap<SourceTenant, Timestamp>) {
        let days = last.into_iter().map(|(of, at)| (of, day(at)));
        let records = days
            .filter(|(of, day)| self.is_new_day(of, *day))
            .map(async |(of, day)| {
                let (partner, source, tenant) = &of;
                let stored = table.tenants.record_sent(partner, tenant, source, day);
                match stored.await {
                    Ok(()) => remember(&self.recorded_days, of, day),
                    Err(err) => tracing::warn!(
                        %partner,
                        %source,
                        error = %err,
                        "failed to record the last message for a tenant"
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

    fn is_new_day(&self, of: &SourceTenant, day: Date) -> bool {
        let recorded = self.recorded_days.lock();
        let recorded = recorded.unwrap_or_else(PoisonError::into_inner);
        recorded.get(of).is_none_or(|last| *last < day)
    }
}

fn remember<K: Eq + Hash, V>(recorded: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
    if recorded.len() >= MAX_IN_MEMORY {
        recorded.clear();
    }
    recorded.insert(key, value);
}

/// The source of a message that a source sent, and when it was received.
fn received_from(message: &Message) -> Option<(PartnerSource, Timestamp)> {
    let (partner, source, at) = match message {
        Message::Event(event) => (&event.key.partner, &event.key.source, event.receipt.at),
        Message::Snapshot(part) => (&part.partner, &part.source, part.received_at),
        Message::Rejected(rejected) => (&rejected.partner, &rejected.source, rejected.received_at),
        Message::Tenants(list) => (&list.partner, &list.source, list.received_at),
        // These two record it themselves.
        Message::Quarantine(_) | Message::SourceReport(_) => return None,
        // These are no messages of a source.
        Message::Reconsider(_) | Message::Release(_) | Message::Command(_) | Message::Answer(_) => {
            return None;
        }
    };
    (!source.is_reserved()).then(|| ((partner.clone(), source.clone()), at))
}

/// The tenant that a message is about, and when it was received.
fn sent_for(message: &Message) -> Option<(SourceTenant, Timestamp)> {
    let (partner, source, tenant, at) = match message {
        Message::Event(event) => {
            let key = &event.key;
            (&key.partner, &key.source, &key.tenant, event.receipt.at)
        }
        // A source that lists the active alerts of a tenant still sees it, also if the list is empty.
        Message::Snapshot(part) => (&part.partner, &part.source, &part.tenant, part.received_at),
        // A list of tenants says nothing about their alerts.
        Message::Tenants(_)
        | Message::Rejected(_)
        | Message::Quarantine(_)
        | Message::SourceReport(_)
        | Message::Reconsider(_)
        | Message::Release(_)
        | Message::Command(_)
        | Message::Answer(_) => return None,
    };
    (!source.is_reserved()).then(|| ((partner.clone(), source.clone(), tenant.clone()), at))
}
