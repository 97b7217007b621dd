//! Compares ConnectWise's list of open tickets with the records.

use std::collections::BTreeSet;
use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use connections::{found_ticket, reference_prefix};
use connectwise::{Client, Error, RecordCursor, Ticket, TicketFilter};
use domain::closing::proposal::Proposal;
use domain::closing::ticket_comparison::RecordedTickets;
use domain::setup::settings::Settings;
use domain::ticketing::found_ticket::FoundTicket;
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use store::{RunProgress, TicketScan};
use tokio::time::Instant;

use crate::run_context::RunContext;

/// A page of the list is read only if this much time is left.
const PAGE_TIME: Duration = Duration::from_secs(20);
/// The progress is logged after this many pages.
const PAGES_PER_LOG: usize = 10;

/// Compares the open tickets of one partner.
pub(crate) struct TicketComparer<'a> {
    pub(crate) context: RunContext<'a>,
}

/// The result of a comparison.
pub(crate) enum Comparison {
    /// The whole list was read.
    Complete(Vec<Proposal>),
    /// A part of the list was read. The next run continues.
    Partial(Vec<Proposal>),
    /// The list could not be read, so nothing is known.
    Failed,
}

impl TicketComparer<'_> {
    /// Reads the list as far as there is time.
    pub(crate) async fn compare(
        &self,
        tickets: RecordedTickets,
        progress: &mut RunProgress,
        room: usize,
    ) -> Result<Comparison, store::Error> {
        let RunContext {
            connections,
            partner,
            view,
            invocation,
        } = self.context;
        let Some(site) = &view.site else {
            return Ok(Comparison::Failed);
        };
        let now = invocation.now();
        progress.compared_tickets = tickets.len();
        if tickets.is_empty() {
            progress.compared_at = Some(now);
            progress.comparing = None;
            return Ok(Comparison::Complete(vec![]));
        }
        let client = match connections.clients.get(partner, site).await {
            Ok(client) => client,
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client for the comparison");
                self.context.record_outcome(err.classify().outcome).await?;
                return Ok(Comparison::Failed);
            }
        };
        let comparing = progress.comparing.unwrap_or(TicketScan {
            began_at: now,
            behind: 0,
        });
        let mut reader = ListReader {
            partner,
            invocation,
            client,
            settings: view.view.connection.as_ref().map(|live| &live.settings),
            began: now,
            room,
            tickets,
            visible_boards: BTreeSet::new(),
            has_read_boards: false,
            proposals: vec![],
            pages: 0,
            compared: 0,
        };
        match reader.read_from(comparing.behind).await {
            Ok(None) => {
                reader.log();
                progress.compared_at = Some(comparing.began_at);
                progress.comparing = None;
                Ok(Comparison::Complete(reader.proposals))
            }
            Ok(Some(behind)) => {
                reader.log();
                progress.comparing = Some(TicketScan {
                    behind,
                    ..comparing
                });
                Ok(Comparison::Partial(reader.proposals))
            }
            Err(err) => {
                tracing::warn!(error = %err, pages = reader.pages, "failed to list open tickets");
                self.context.record_outcome(err.classify().outcome).await?;
                Ok(Comparison::Failed)
            }
        }
    }
}

/// Reads the list page by page.
struct ListReader<'a> {
    partner: &'a PartnerId,
    invocation: &'a Invocation,
    client: Client,
    settings: Option<&'a Settings>,
    began: Timestamp,
    /// Most proposals of this run.
    room: usize,
    tickets: RecordedTickets,
    /// Boards that the API member can see.
    visible_boards: BTreeSet<RecordId>,
    has_read_boards: bool,
    proposals: Vec<Proposal>,
    pages: usize,
    compared: usize,
}

impl ListReader<'_> {
    /// Reads the tickets behind this one. Returns the ticket behind which the next run continues,
    /// or `None` at the end of the list.
    async fn read_from(&mut self, behind: RecordId) -> Result<Option<RecordId>, Error> {
        let mut cursor = RecordCursor::after(behind);
        loop {
            let is_full = self.proposals.len() >= self.room;
            if is_full || Instant::now() + PAGE_TIME > self.invocation.calls_end() {
                return Ok(Some(cursor.id()));
            }
            let deadline = self.invocation.call_ends();
            let filter = open_tickets()?;
            let page = self.client.ticket_page(&filter, cursor, deadline).await?;
            let listed: Vec<FoundTicket> = found_tickets(&page.items, self.settings);
            drop(page.items);
            self.visible_boards
                .extend(listed.iter().filter_map(|ticket| ticket.board_id));
            let to = page.next.map(RecordCursor::id);
            let mut compared = self.tickets.compare(cursor.id(), to, &listed, self.began);
            self.pages += 1;
            self.compared += compared.compared;
            count(Metric::PagesRead, 1);
            count(Metric::TicketsCompared, compared.compared);
            self.proposals.append(&mut compared.proposals);
            let room = self.room.saturating_sub(self.proposals.len()).max(1);
            let is_cut = compared.missing.len() > room;
            compared.missing.truncate(room);
            self.explain_missing(&compared.missing).await?;
            if is_cut && let Some(last) = compared.missing.last() {
                return Ok(Some(*last));
            }
            if self.pages.is_multiple_of(PAGES_PER_LOG) {
                self.log();
            }
            match page.next {
                Some(next) => cursor = next,
                None => return Ok(None),
            }
        }
    }

    /// Reads the tickets that the list does not show: all in a few calls, never one call a ticket.
    async fn explain_missing(&mut self, missing: &[RecordId]) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let deadline = self.invocation.calls_end();
        let tickets = self.client.tickets_numbered(missing, deadline).await?;
        let boards = tickets.iter().filter_map(|ticket| ticket.board.as_ref());
        self.visible_boards.extend(boards.map(|board| board.id));
        let shown: BTreeSet<RecordId> = tickets.iter().map(|ticket| ticket.id).collect();
        let not_shown: Vec<RecordId> = missing
            .iter()
            .copied()
            .filter(|id| !shown.contains(id))
            .collect();
        if self.is_any_board_hidden(&not_shown) && !self.has_read_boards {
            self.has_read_boards = true;
            let boards = self.client.board_infos(deadline).await?;
            self.visible_boards
                .extend(boards.iter().map(|board| board.id));
        }
        if self.is_any_board_hidden(&not_shown) {
            tracing::warn!(
                tickets = not_shown.len(),
                "ignored tickets of hidden boards"
            );
        }
        let explained = self
            .tickets
            .explain_missing(missing, &shown, &self.visible_boards);
        self.proposals.extend(explained);
        Ok(())
    }

    fn is_any_board_hidden(&self, tickets: &[RecordId]) -> bool {
        let boards = self.tickets.boards(tickets);
        boards.difference(&self.visible_boards).next().is_some()
    }

    fn log(&self) {
        let left = self
            .invocation
            .calls_end()
            .saturating_duration_since(Instant::now());
        tracing::info!(
            partner = %self.partner,
            pages_read = self.pages,
            tickets_compared = self.compared,
            differing = self.proposals.len(),
            time_left_s = left.as_secs(),
            "compared with ConnectWise's open tickets"
        );
    }
}

fn found_tickets(tickets: &[Ticket], settings: Option<&Settings>) -> Vec<FoundTicket> {
    let found = tickets.iter().map(|ticket| found_ticket(ticket, settings));
    found.collect()
}

/// The open tickets of Ticketbridge.
fn open_tickets() -> Result<TicketFilter, Error> {
    Ok(TicketFilter::beginning(reference_prefix()?).open())
}
