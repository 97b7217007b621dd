//! Sentinels: tickets that a search of a board must return. A search that returns none of them
//! does not see the board.

use connectwise::{Client, Ticket};
use domain::alert::record::Claim;
use domain::ticketing::ticket_index::{Sentinel, Sentinels};
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use store::Alerts;
use tokio::time::Instant;

use crate::case::AlertCase;
use crate::searches::missing_sentinels;
use crate::ticket_error::TicketError;

/// Keeps the sentinels of a partner's boards. A failed write is logged: the next ticket or search
/// makes it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentinelStore<'a> {
    pub(crate) alerts: &'a Alerts,
}

impl SentinelStore<'_> {
    /// Keeps a created ticket as a sentinel.
    pub(crate) async fn keep(
        &self,
        partner: &PartnerId,
        claim: &Claim,
        ticket: &Ticket,
        case: &AlertCase<'_>,
        now: Timestamp,
    ) {
        let sentinel = Sentinel {
            ticket_id: ticket.id,
            ticket_ref: claim.ticket_ref.clone(),
            board_id: ticket.board.as_ref().map(|board| board.id),
        };
        let index = case.ticket_index.as_ref();
        let next = index.and_then(|index| index.with_sentinel(claim.board_id, &sentinel, now));
        if let Some((board, sentinels)) = next {
            self.put(partner, claim.epoch, &board, &sentinels).await;
        }
    }

    /// Drops the sentinels of a board that no longer exist, after a search did not return any.
    pub(crate) async fn drop_missing(
        &self,
        partner: &PartnerId,
        board: Option<RecordId>,
        client: &Client,
        case: &AlertCase<'_>,
        deadline: Instant,
    ) -> Result<(), TicketError> {
        let Some(index) = &case.ticket_index else {
            return Ok(());
        };
        let missing = missing_sentinels(client, index.sentinels(board), deadline).await?;
        if !missing.is_empty() {
            tracing::warn!(tickets = ?missing, "removed sentinel tickets that no longer exist");
            let (board, left) = index.without_sentinels(board, &missing);
            self.put(partner, index.epoch, &board, &left).await;
        }
        Ok(())
    }

    async fn put(&self, partner: &PartnerId, epoch: u32, board: &str, sentinels: &Sentinels) {
        let put = self
            .alerts
            .ticket_index
            .put_sentinels(partner, epoch, board, sentinels);
        if let Err(err) = put.await {
            tracing::warn!(error = %err, "failed to store the sentinels of a board");
        }
    }
}
