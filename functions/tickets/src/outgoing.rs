//! Queues the outgoing events of an alert for the webhook of its source.
//!
//! An alert whose source has no webhook costs nothing here.

use aws::queue::QueueSender;
use connections::ticket_address;
use domain::AlertKey;
use domain::alert::record::Record;
use domain::outgoing::events::{OutgoingEvent, OutgoingEvents};
use domain::outgoing::request::{DeliveryRequest, ReportedEvent};
use store::{Alerts, Connection};

use crate::case::AlertCase;
use crate::outcome::MessageOutcome;

/// Sends outgoing events to the queue of `deliveries`.
#[derive(Debug)]
pub(crate) struct OutgoingReporter {
    queue: QueueSender,
}

/// What is known about the outgoing events while a message is processed.
#[derive(Debug)]
pub(crate) struct PendingReport {
    /// The number of the newest event before the message. `None` if the source has no webhook, as
    /// far as the record and the message say, or if the record was not read.
    since: Option<u32>,
    /// Whether the message was received before. That time the process may have died before it sent
    /// the events.
    is_repeated: bool,
    /// Where the tickets are.
    connection: Option<Connection>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Queue(#[from] aws::queue::Error),
}

impl PendingReport {
    pub(crate) fn new(is_repeated: bool) -> Self {
        Self {
            since: None,
            is_repeated,
            connection: None,
        }
    }

    /// Notes the state of the record before the message. A later call changes nothing.
    pub(crate) fn begin(&mut self, stored: &Record, case: &AlertCase<'_>) {
        if self.since.is_some() {
            return;
        }
        let outgoing = stored.outgoing.as_ref();
        let event = case.request.event();
        let is_on = event.is_some_and(|event| !event.webhook.is_nothing())
            || outgoing.is_some_and(OutgoingEvents::is_on);
        if is_on {
            self.since = Some(outgoing.map_or(0, OutgoingEvents::last_sequence));
            let site = case.site.as_ref();
            self.connection = site.map(|site| site.connection.clone());
        }
    }
}

impl OutgoingReporter {
    pub(crate) fn new(queue: QueueSender) -> Self {
        Self { queue }
    }

    /// Sends the events that the message led to, as one message. When a message that was received
    /// before is finished, all events that the record keeps are sent. A receiver gets none of them
    /// twice, since each has its number.
    ///
    /// # Errors
    /// When the record cannot be read or the queue does not accept the message. Then the incoming
    /// message must not be acknowledged.
    pub(crate) async fn send(
        &self,
        alerts: &Alerts,
        key: &AlertKey,
        report: &PendingReport,
        outcome: &MessageOutcome,
    ) -> Result<(), ReportError> {
        let Some(since) = report.since else {
            return Ok(());
        };
        let is_finished = !matches!(outcome, MessageOutcome::Later(_));
        let since = match report.is_repeated && is_finished {
            true => 0,
            false => since,
        };
        let Some(record) = alerts.get(key).await? else {
            return Ok(());
        };
        let outgoing = record.outgoing.as_ref();
        let events = outgoing.map_or(&[][..], |outgoing| outgoing.after(since));
        if events.is_empty() {
            return Ok(());
        }
        let connection = report.connection.as_ref();
        let request = DeliveryRequest {
            key: key.clone(),
            kind: record
                .desired
                .details
                .as_ref()
                .map(|details| details.kind.clone()),
            events: events
                .iter()
                .map(|event| reported(event, connection))
                .collect(),
        };
        self.queue
            .send_text(&key.partner, request.to_json())
            .await?;
        tracing::info!(events = events.len(), "queued outgoing events of an alert");
        Ok(())
    }
}

/// The event with the link to its ticket. Another ConnectWise than that of the ticket has another
/// ticket of that number.
fn reported(event: &OutgoingEvent, connection: Option<&Connection>) -> ReportedEvent {
    let ticket = event.what.ticket();
    let link = ticket.zip(connection).and_then(|(ticket, connection)| {
        let is_reached = ticket.epoch == connection.epoch;
        is_reached.then(|| ticket_address(connection, ticket.number))
    });
    ReportedEvent {
        event: event.clone(),
        link,
    }
}
