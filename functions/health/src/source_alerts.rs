//! Puts the events of alerts about inactive sources on the queue. `tickets` makes their tickets as it
//! makes all others, so here is no second way to ConnectWise.

use aws::queue::QueueSender;
use connections::Connections;
use domain::monitoring::health::Health;
use domain::monitoring::source_alert::all_sent;
use domain::wire::message::Message;
use domain::{PartnerId, SourceId};
use store::Versioned;

use crate::run_result::HealthError;

/// Sends events of alerts about inactive sources.
pub(crate) struct SourceAlertSender<'a> {
    pub(crate) connections: &'a Connections,
    pub(crate) queue: &'a QueueSender,
}

impl SourceAlertSender<'_> {
    /// Sends the events that are not sent yet, which are stored in this health, and then records that
    /// they are. If the process dies in between, or SQS fails, the next tick sends the same events
    /// again. `tickets` has folded them by then, or folds them now.
    pub(crate) async fn send(
        &self,
        partner: &PartnerId,
        kept: Versioned<Health>,
    ) -> Result<Versioned<Health>, HealthError> {
        let mut events = vec![];
        for (source, alert) in &kept.value.source_alerts {
            if !alert.sent {
                let name = self.name_of(source).await;
                events.extend(alert.event(partner, source, &name).map(Message::Event));
            }
        }
        if events.is_empty() {
            return Ok(kept);
        }
        if let Err(err) = self.queue.send_all(&events).await {
            tracing::error!(
                error = %err,
                "failed to queue an alert about an inactive source; the next tick retries it"
            );
            return Ok(kept);
        }
        tracing::info!(
            events = events.len(),
            "queued alerts about inactive sources"
        );
        let health = Health {
            source_alerts: all_sent(kept.value.source_alerts.clone()),
            ..kept.value.clone()
        };
        let table = &self.connections.table;
        let written = table.health.save(partner, &kept, health).await?;
        written.ok_or(HealthError::Conflict)
    }

    /// The source's name, or its id if the name cannot be read: the ticket is made anyway.
    async fn name_of(&self, source: &SourceId) -> String {
        let read = self.connections.access.sources.get(source).await.ok();
        let name = read.and_then(|read| read.value).map(|source| source.name);
        name.unwrap_or_else(|| source.to_string())
    }
}
