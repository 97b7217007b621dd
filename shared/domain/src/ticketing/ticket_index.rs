//! Whether the table knows every ticket of a connection, and sentinels: tickets that every search
//! must return.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{RecordId, TicketRef};

/// The number of sentinels per board.
const SENTINELS: usize = 3;

/// The newest sentinel of a board is replaced after this time.
const NEWEST_FOR: SignedDuration = SignedDuration::from_mins(10);

/// What the table knows of the tickets of one epoch of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketIndex {
    /// The connection's epoch. Another ConnectWise has another index.
    pub epoch: u32,
    /// Whether each ticket has its record.
    pub state: TicketIndexState,
    /// While rebuilding: the last imported ticket of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_to: Option<RecordId>,
    /// While rebuilding: the number of imported tickets.
    #[serde(default)]
    pub imported: u64,
    /// When an operator last restarted the import. Imports that started before stop.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::time::as_sortable_optional"
    )]
    pub begun_at: Option<Timestamp>,
    /// The newest tickets of each board (`"0"`: the default board), newest first.
    #[serde(default)]
    pub sentinels: BTreeMap<String, Sentinels>,
}

/// Whether each Ticketbridge ticket has its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketIndexState {
    /// It has. An alert without a record never had a ticket.
    Complete,
    /// The table was lost or restored. Before the first ticket of an alert, ConnectWise is searched
    /// for tickets of its earlier occurrences.
    Rebuilding,
}

/// A ticket that a search must return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentinel {
    pub ticket_id: RecordId,
    pub ticket_ref: TicketRef,
    /// Its board, if ConnectWise said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
}

/// The sentinels of one board. The result of a search that returns none of them is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sentinels {
    pub tickets: Vec<Sentinel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
}

impl TicketIndex {
    /// The index of a new epoch. `is_empty` says that ConnectWise has no Ticketbridge ticket.
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

    /// Tickets of which a search on this board must return at least one.
    #[must_use]
    pub fn sentinels(&self, board: Option<RecordId>) -> &[Sentinel] {
        let sentinels = self.sentinels.get(&board_name(board));
        sentinels.map_or(&[], |sentinels| &sentinels.tickets)
    }

    /// The sentinels of a board after a ticket was created there. `None` if they are recent enough
    /// to stay.
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

    /// The sentinels of a board without those that are no longer Ticketbridge tickets. The next
    /// ticket on the board takes their place.
    #[must_use]
    pub fn without_sentinels(
        &self,
        board: Option<RecordId>,
        removed: &[RecordId],
    ) -> (String, Sentinels) {
        let mut tickets = self.sentinels(board).to_vec();
        tickets.retain(|ticket| !removed.contains(&ticket.ticket_id));
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
    fn a_board_has_three_sentinels_ten_minutes_apart() {
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

        // The next ticket replaces missing ones.
        let without = ticket_index.without_sentinels(Some(22), &[5, 3]);
        ticket_index.sentinels.extend([without]);
        assert_eq!(ticket_index.sentinels(Some(22)), [sentinel(4, "d")]);
        let next = ticket_index.with_sentinel(Some(22), &sentinel(6, "f"), at(31));
        ticket_index.sentinels.extend(next);
        let kept = [sentinel(6, "f"), sentinel(4, "d")];
        assert_eq!(ticket_index.sentinels(Some(22)), kept);
    }
}
