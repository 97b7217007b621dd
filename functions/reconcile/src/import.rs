//! After the table was lost or restored: each ticket of ours in ConnectWise gets its record back.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use connections::{View, found};
use connectwise::{Client, Cursor, Error, ExternalXref, TicketFilter};
use domain::adopt::{FoundTicket, adopt_prior_tickets};
use domain::breaker::CallOutcome;
use domain::message::Message;
use domain::record::Record;
use domain::ticket_index::{TicketIndex, TicketIndexState};
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use futures_util::future::join_all;
use store::Written;
use tokio::time::Instant;

use crate::App;
use crate::partner::ReconcileError;

/// A page is begun only with so much time left: a thousand tickets are to be read and recorded.
const PAGE: Duration = Duration::from_secs(20);
/// Records that are written side by side.
const AT_A_TIME: usize = 16;
/// More tries than other workers take to get out of the way of one record.
const TRIES: usize = 8;

impl App {
    /// Goes on importing, page by page, as long as there is time. Tells whether something is left to import. If the process dies in
    /// the middle, the next run reads the page again, and what is known already stays as it is.
    pub(crate) async fn imported(
        &self,
        partner: &PartnerId,
        view: &View,
        invocation: &Invocation,
    ) -> Result<bool, ReconcileError> {
        let (Some(live), Some(site)) = (&view.view.connection, &view.site) else {
            return Ok(false);
        };
        let ticket_index = self.alerts.ticket_index(partner).await?;
        let of_epoch = |ticket_index: &TicketIndex| ticket_index.epoch == live.epoch;
        let Some(ticket_index) = ticket_index.filter(of_epoch) else {
            return Ok(false);
        };
        if ticket_index.state == TicketIndexState::Complete {
            return Ok(false);
        }
        let client = match self.connections.client(partner, site).await {
            Ok(client) => client,
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client for the import");
                self.record_outcome(partner, err.call_outcome(), view, invocation)
                    .await?;
                return Ok(true);
            }
        };
        let mut cursor = Cursor::after(ticket_index.imported_to.unwrap_or_default());
        let mut imported = ticket_index.imported;
        while Instant::now() + PAGE < invocation.calls_end() {
            let page = match page(&client, cursor, invocation.call_ends()).await {
                Ok(page) => page,
                Err(err) => {
                    tracing::warn!(error = %err, "failed to read a page of the import");
                    self.record_outcome(partner, err.call_outcome(), view, invocation)
                        .await?;
                    return Ok(true);
                }
            };
            let tickets = page.items.len();
            count(Metric::PagesRead, 1);
            count(Metric::TicketsCompared, tickets);
            let mut alerts: BTreeMap<String, Vec<FoundTicket>> = BTreeMap::new();
            for ticket in page.items.iter().map(found) {
                if let Some(ticket_ref) = &ticket.ticket_ref {
                    alerts
                        .entry(ticket_ref.item_key().to_owned())
                        .or_default()
                        .push(ticket);
                }
            }
            let alerts: Vec<_> = alerts.into_iter().collect();
            for some in alerts.chunks(AT_A_TIME) {
                let import = some.iter().map(|(item_key, tickets)| {
                    self.import(partner, item_key, tickets, live.epoch, invocation)
                });
                for written in join_all(import).await {
                    written?;
                }
            }
            imported += u64::try_from(tickets).unwrap_or_default();
            tracing::info!(imported, "tickets imported");
            let Some(next) = page.next else {
                let complete = self
                    .alerts
                    .complete_memory(partner, &ticket_index, imported);
                let complete = complete.await?;
                if complete {
                    tracing::info!(imported, "import of earlier tickets finished");
                }
                // If not, it was begun anew: the next run sees to that.
                return Ok(!complete);
            };
            cursor = next;
            let kept = self
                .alerts
                .put_imported(partner, &ticket_index, cursor.id(), imported);
            if !kept.await? {
                tracing::info!("import of earlier tickets restarted");
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Records what the tickets of one alert tell. Where an event is known that they may not fit, it is decided again.
    async fn import(
        &self,
        partner: &PartnerId,
        item_key: &str,
        tickets: &[FoundTicket],
        epoch: u32,
        invocation: &Invocation,
    ) -> Result<(), ReconcileError> {
        let unknown = unknown(partner)?;
        for _ in 0..TRIES {
            let known = self.alerts.imported(item_key, &unknown).await?;
            let before = known.unwrap_or_else(|| Record::new(unknown.clone()));
            // The tenant behind a token is not known, nor its company.
            let company = None;
            let record =
                adopt_prior_tickets(before.clone(), tickets, company, epoch, invocation.now());
            if record == before {
                return Ok(());
            }
            match self.alerts.import(item_key, &record).await? {
                Written::Conflict => {}
                Written::Yes(record) if record.desired.last.is_none() => return Ok(()),
                Written::Yes(record) => {
                    let again = Message::Reconsider(record.key);
                    self.queue.send_all(&[again]).await?;
                    return Ok(());
                }
            }
        }
        Err(ReconcileError::Busy(item_key.to_owned()))
    }

    pub(crate) async fn record_outcome(
        &self,
        partner: &PartnerId,
        outcome: CallOutcome,
        view: &View,
        invocation: &Invocation,
    ) -> Result<(), ReconcileError> {
        let breaker = &view.view.breaker;
        self.connections
            .record_outcome(partner, outcome, breaker, invocation.now())
            .await?;
        Ok(())
    }
}

async fn page(
    client: &Client,
    from: Cursor,
    deadline: Instant,
) -> Result<connectwise::Page<connectwise::Ticket>, Error> {
    let ours = ExternalXref::parse("tb1-").map_err(|err| Error::Rejected {
        words: err.to_string(),
    })?;
    let ours = TicketFilter::beginning(ours);
    client.ticket_page(&ours, from, deadline).await
}

/// What stands for the key of an alert of which only the hashes on its ticket are known; it is never stored.
fn unknown(partner: &PartnerId) -> Result<AlertKey, ReconcileError> {
    Ok(AlertKey {
        partner: partner.clone(),
        tenant: TenantId::parse("unknown")?,
        source: SourceId::parse("src_00000000000000000000000000")?,
        alert_id: AlertId::parse("unknown")?,
    })
}
