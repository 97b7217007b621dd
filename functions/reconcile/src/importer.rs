//! Imports tickets into a table that was lost or restored: each ticket of Ticketbridge in
//! ConnectWise gets its record back.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::metrics::{Metric, count};
use aws::queue::QueueSender;
use connections::{found_ticket, reference_prefix};
use connectwise::{Client, Error, RecordCursor, RecordPage, Ticket, TicketFilter};
use domain::alert::record::Record;
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::prior_tickets::adopt_prior_tickets;
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use domain::wire::message::Message;
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use futures_util::future::join_all;
use store::{Alerts, RecordWrite};
use tokio::time::Instant;

use crate::error::ReconcileError;
use crate::run_context::RunContext;

/// A page is read only if this much time is left: it has a thousand tickets to record.
const PAGE_TIME: Duration = Duration::from_secs(20);
/// Records that are written concurrently.
const CONCURRENT_WRITES: usize = 16;
/// Most attempts to write a record that other workers write too.
const MAX_WRITES: usize = 8;

/// Imports the tickets of one partner.
pub(crate) struct Importer<'a> {
    pub(crate) context: RunContext<'a>,
    pub(crate) alerts: &'a Alerts,
    pub(crate) queue: &'a QueueSender,
}

impl Importer<'_> {
    /// Imports page by page as long as there is time. Returns whether anything is left to import.
    /// If the process dies in the middle, the next run reads the page again, and leaves known
    /// tickets as they are.
    pub(crate) async fn import(&self) -> Result<bool, ReconcileError> {
        let Some((index, client)) = self.begin().await? else {
            return Ok(false);
        };
        let client = match client {
            Ok(client) => client,
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client for the import");
                self.context.record_outcome(err.classify().outcome).await?;
                return Ok(true);
            }
        };
        let mut cursor = RecordCursor::after(index.imported_to.unwrap_or_default());
        let mut imported = index.imported;
        while Instant::now() + PAGE_TIME < self.context.invocation.calls_end() {
            let page = match self.page(&client, cursor).await {
                Ok(page) => page,
                Err(err) => {
                    tracing::warn!(error = %err, "failed to read a page of the import");
                    self.context.record_outcome(err.classify().outcome).await?;
                    return Ok(true);
                }
            };
            imported += u64::try_from(page.items.len()).unwrap_or_default();
            self.import_page(&page.items, index.epoch).await?;
            tracing::info!(imported, "tickets imported");
            let Some(next) = page.next else {
                let complete = self.alerts.ticket_index.complete_import(
                    self.context.partner,
                    &index,
                    imported,
                );
                let is_complete = complete.await?;
                if is_complete {
                    tracing::info!(imported, "import of earlier tickets finished");
                }
                // If not, the import was restarted, and the next run continues it.
                return Ok(!is_complete);
            };
            cursor = next;
            let kept = self.alerts.ticket_index.record_import(
                self.context.partner,
                &index,
                cursor.id(),
                imported,
            );
            if !kept.await? {
                tracing::info!("import of earlier tickets restarted");
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// The index to complete and the client to read with, or `None` if there is nothing to import.
    async fn begin(
        &self,
    ) -> Result<Option<(TicketIndex, Result<Client, connections::ClientError>)>, store::Error> {
        let (Some(live), Some(site)) =
            (&self.context.view.view.connection, &self.context.view.site)
        else {
            return Ok(None);
        };
        let index = self.alerts.ticket_index.get(self.context.partner).await?;
        let is_incomplete = |index: &TicketIndex| {
            index.epoch == live.epoch && index.state != TicketIndexState::Complete
        };
        let Some(index) = index.filter(is_incomplete) else {
            return Ok(None);
        };
        let client = self
            .context
            .connections
            .clients
            .get(self.context.partner, site)
            .await;
        Ok(Some((index, client)))
    }

    async fn page(&self, client: &Client, from: RecordCursor) -> Result<RecordPage<Ticket>, Error> {
        let filter = TicketFilter::beginning(reference_prefix()?);
        let deadline = self.context.invocation.call_ends();
        client.ticket_page(&filter, from, deadline).await
    }

    async fn import_page(&self, tickets: &[Ticket], epoch: u32) -> Result<(), ReconcileError> {
        count(Metric::PagesRead, 1);
        count(Metric::TicketsCompared, tickets.len());
        let mut alerts: BTreeMap<String, Vec<FoundTicket>> = BTreeMap::new();
        let connection = self.context.view.view.connection.as_ref();
        let settings = connection.map(|live| &live.settings);
        for ticket in tickets.iter().map(|ticket| found_ticket(ticket, settings)) {
            if let Some(ticket_ref) = &ticket.ticket_ref {
                let item_key = ticket_ref.item_key().to_owned();
                alerts.entry(item_key).or_default().push(ticket);
            }
        }
        let alerts: Vec<_> = alerts.into_iter().collect();
        for some in alerts.chunks(CONCURRENT_WRITES) {
            let imports = some
                .iter()
                .map(|(item_key, tickets)| self.import_alert(item_key, tickets, epoch));
            for written in join_all(imports).await {
                written?;
            }
        }
        Ok(())
    }

    /// Records the tickets of one alert. An alert whose event may ask for something else is decided
    /// again.
    async fn import_alert(
        &self,
        item_key: &str,
        tickets: &[FoundTicket],
        epoch: u32,
    ) -> Result<(), ReconcileError> {
        let placeholder = placeholder_key(self.context.partner)?;
        for _ in 0..MAX_WRITES {
            let known = self.alerts.get_imported(item_key, &placeholder).await?;
            let before = known.unwrap_or_else(|| Record::new(placeholder.clone()));
            // A ticket reference does not say which tenant's it is, so its company is unknown.
            let company = None;
            let now = self.context.invocation.now();
            let record = adopt_prior_tickets(before.clone(), tickets, company, epoch, now);
            if record == before {
                return Ok(());
            }
            match self.alerts.import(item_key, &record).await? {
                RecordWrite::Conflict => {}
                RecordWrite::Stored(record) if record.desired.last.is_none() => return Ok(()),
                RecordWrite::Stored(record) => {
                    let again = Message::Reconsider(record.key);
                    self.queue.send_all(&[again]).await?;
                    return Ok(());
                }
            }
        }
        Err(ReconcileError::Busy(item_key.to_owned()))
    }
}

/// A placeholder for the key of an alert of which only the hashes in its ticket reference are
/// known. It is never stored.
fn placeholder_key(partner: &PartnerId) -> Result<AlertKey, domain::InvalidId> {
    Ok(AlertKey {
        partner: partner.clone(),
        tenant: TenantId::parse("unknown")?,
        source: SourceId::parse("src_00000000000000000000000000")?,
        alert_id: AlertId::parse("unknown")?,
    })
}
