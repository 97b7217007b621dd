//! Whether the table knows of every ticket of a connection, and tickets by which a search is known to see.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{RecordId, Token};

/// Witnesses kept of a board.
const WITNESSES: usize = 3;
/// The newest witness of a board is replaced after so long.
const NEWEST_FOR: SignedDuration = SignedDuration::from_mins(10);

/// What the table knows of a connection's tickets, one epoch long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The connection's epoch: another ConnectWise is another memory.
    pub epoch: u32,
    /// Whether each ticket there has its record.
    pub state: MemoryState,
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
    pub witnesses: BTreeMap<String, Witnesses>,
}

/// Whether each ticket that carries a token of ours has its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryState {
    /// Yes: an alert without a record never had a ticket.
    Complete,
    /// The table was lost or restored: before an alert's first ticket, ConnectWise is searched for tickets of its earlier lives.
    Rebuilding,
}

/// Tickets of one board that a search must find; if it finds none of them it is blind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Witnesses {
    /// Their tokens, newest first.
    pub tokens: Vec<Token>,
    /// When the newest was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
}

impl Memory {
    /// The memory of an epoch that begins; `is_empty` says that ConnectWise has no ticket of ours.
    #[must_use]
    pub fn new(epoch: u32, is_empty: bool) -> Self {
        let state = if is_empty {
            MemoryState::Complete
        } else {
            MemoryState::Rebuilding
        };
        Self {
            epoch,
            state,
            imported_to: None,
            imported: 0,
            begun_at: None,
            witnesses: BTreeMap::new(),
        }
    }

    /// Tokens that a search for a ticket of this board must also find, unless they were deleted.
    #[must_use]
    pub fn witnesses(&self, board: Option<RecordId>) -> &[Token] {
        let witnesses = self.witnesses.get(&board_name(board));
        witnesses.map_or(&[], |witnesses| &witnesses.tokens)
    }

    /// The board's witnesses after a ticket was made there; none where they are young enough to stay.
    #[must_use]
    pub fn with_witness(
        &self,
        board: Option<RecordId>,
        token: &Token,
        now: Timestamp,
    ) -> Option<(String, Witnesses)> {
        let name = board_name(board);
        let mut witnesses = self.witnesses.get(&name).cloned().unwrap_or_default();
        let young = witnesses
            .newest_at
            .is_some_and(|at| now.duration_since(at) < NEWEST_FOR);
        if young || witnesses.tokens.contains(token) {
            return None;
        }
        witnesses.tokens.insert(0, token.clone());
        witnesses.tokens.truncate(WITNESSES);
        witnesses.newest_at = Some(now);
        Some((name, witnesses))
    }
}

fn board_name(board: Option<RecordId>) -> String {
    board.unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlertId, AlertKey, PartnerId, SourceId, TenantId};

    fn token(alert: &str) -> Token {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("contoso").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(alert).unwrap(),
        };
        Token::new(&key, 1)
    }

    #[test]
    fn the_three_newest_witnesses_of_a_board_are_kept_ten_minutes_apart() {
        let at = |minute: i64| Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap();
        let mut memory = Memory::new(1, true);
        assert!(memory.witnesses(Some(22)).is_empty());
        for (alert, minute, taken) in [
            ("a", 0, true),
            ("b", 9, false),
            ("c", 10, true),
            ("d", 20, true),
            ("e", 30, true),
        ] {
            let next = memory.with_witness(Some(22), &token(alert), at(minute));
            assert_eq!(next.is_some(), taken, "{alert}");
            memory.witnesses.extend(next);
        }
        let tokens = [token("e"), token("d"), token("c")];
        assert_eq!(memory.witnesses(Some(22)), tokens);
        assert!(memory.witnesses(None).is_empty());
    }
}
