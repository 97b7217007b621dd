//! Whether the table knows of every ticket of a connection, and tickets by which a search is known to see.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{RecordId, TicketRef};

/// Sentinels kept of a board.
const SENTINELS: usize = 3;

/// The newest sentinel of a board is replaced after so long.
const NEWEST_FOR: SignedDuration = SignedDuration::from_mins(10);

/// What the table knows of a connection's tickets, one epoch long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketIndex {
    /// The connection's epoch: another ConnectWise is another memory.
    pub epoch: u32,
    /// Whether each ticket there has its record.
    pub state: TicketIndexState,
    /// While rebuilding: the ticket up to which the listing was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_to: Option<RecordId>,
    /// While rebuilding: how many tickets were imported.
    #[serde(default)]
    pub imported: u64,
    /// When an operator last had the import begin anew: what began before imports into this no more.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::time::as_sortable_optional"
    )]
    pub begun_at: Option<Timestamp>,
    /// The newest tickets made on each board (`"0"`: the default board), newest first.
    #[serde(default)]
    pub sentinels: BTreeMap<String, Sentinels>,
}

/// Whether each ticket that carries a token of ours has its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketIndexState {
    /// Yes: an alert without a record never had a ticket.
    Complete,
    /// The table was lost or restored: before an alert's first ticket, ConnectWise is searched for tickets of its earlier lives.
    Rebuilding,
}

/// A ticket of ours that a search must return too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentinel {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries.
    pub ticket_ref: TicketRef,
    /// Where it was made; none where ConnectWise did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
}

/// The sentinels of one board. A search that returns none of them is blind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sentinels {
    /// Newest first.
    pub tickets: Vec<Sentinel>,
    /// When the newest was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
}

impl TicketIndex {
    /// The memory of an epoch that begins; `is_empty` says that ConnectWise has no ticket of ours.
    #[must_use]
    pub fn new(epoch: u32, is_empty: bool) -> Self {
        let state = if is_empty {
            TicketIndexState::Complete
        } else {
            TicketIndexState::Rebuilding
        };
        Self {
            epoch,
            state,
            imported_to: None,
            imported: 0,
            begun_at: None,
            sentinels: BTreeMap::new(),
        }
    }

    /// Tickets of which a search for a ticket of this board must return one.
    #[must_use]
    pub fn sentinels(&self, board: Option<RecordId>) -> &[Sentinel] {
        let sentinels = self.sentinels.get(&board_name(board));
        sentinels.map_or(&[], |sentinels| &sentinels.tickets)
    }

    /// The board's sentinels after a ticket was made there; none where they are young enough to stay.
    #[must_use]
    pub fn with_sentinel(
        &self,
        board: Option<RecordId>,
        ticket: &Sentinel,
        now: Timestamp,
    ) -> Option<(String, Sentinels)> {
        let name = board_name(board);
        let mut sentinels = self.sentinels.get(&name).cloned().unwrap_or_default();
        let is_young = |at: Timestamp| now.duration_since(at) < NEWEST_FOR;
        if sentinels.newest_at.is_some_and(is_young) || sentinels.tickets.contains(ticket) {
            return None;
        }
        sentinels.tickets.insert(0, ticket.clone());
        sentinels.tickets.truncate(SENTINELS);
        sentinels.newest_at = Some(now);
        Some((name, sentinels))
    }

    /// The board's sentinels without those that are no longer tickets of ours; the next ticket on the board takes their place.
    #[must_use]
    pub fn without_sentinels(
        &self,
        board: Option<RecordId>,
        gone: &[RecordId],
    ) -> (String, Sentinels) {
        let mut tickets = self.sentinels(board).to_vec();
        tickets.retain(|ticket| !gone.contains(&ticket.ticket_id));
        let newest_at = None;
        (board_name(board), Sentinels { tickets, newest_at })
    }
}

fn board_name(board: Option<RecordId>) -> String {
    board.unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlertId, AlertKey, PartnerId, SourceId, TenantId};

    fn ticket_ref(alert: &str) -> TicketRef {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("contoso").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(alert).unwrap(),
        };
        TicketRef::new(&key, 1)
    }

    #[test]
    fn the_three_newest_sentinels_of_a_board_are_kept_ten_minutes_apart() {
        let at = |minute: i64| Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap();
        let sentinel = |ticket_id: RecordId, alert: &str| Sentinel {
            ticket_id,
            ticket_ref: ticket_ref(alert),
            board_id: Some(22),
        };
        let mut ticket_index = TicketIndex::new(1, true);
        assert!(ticket_index.sentinels(Some(22)).is_empty());
        for (ticket_id, alert, minute, taken) in [
            (1, "a", 0, true),
            (2, "b", 9, false),
            (3, "c", 10, true),
            (4, "d", 20, true),
            (5, "e", 30, true),
        ] {
            let next =
                ticket_index.with_sentinel(Some(22), &sentinel(ticket_id, alert), at(minute));
            assert_eq!(next.is_some(), taken, "{alert}");
            ticket_index.sentinels.extend(next);
        }
        let kept = [sentinel(5, "e"), sentinel(4, "d"), sentinel(3, "c")];
        assert_eq!(ticket_index.sentinels(Some(22)), kept);
        assert!(ticket_index.sentinels(None).is_empty());

        // Those that are gone are replaced by the next ticket at once.
        let without = ticket_index.without_sentinels(Some(22), &[5, 3]);
        ticket_index.sentinels.extend([without]);
        assert_eq!(ticket_index.sentinels(Some(22)), [sentinel(4, "d")]);
        let next = ticket_index.with_sentinel(Some(22), &sentinel(6, "f"), at(31));
        ticket_index.sentinels.extend(next);
        let kept = [sentinel(6, "f"), sentinel(4, "d")];
        assert_eq!(ticket_index.sentinels(Some(22)), kept);
    }
}
