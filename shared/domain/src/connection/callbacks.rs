//! The callbacks by which a partner's ConnectWise reports that a ticket changed. They only bring
//! forward what reconcile does anyway, so nothing depends on one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::setup::settings::Settings;
use crate::time::later;
use crate::{PartnerId, RecordId};

/// ConnectWise switches a callback off after failures, and a person can delete it.
const CHECKED_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Boards with a callback. Technicians can move tickets to any number of boards.
const MAX_BOARDS: usize = 20;

/// What is stored about a partner's callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callbacks {
    /// The epoch of the connection that the callbacks belong to.
    pub epoch: u32,
    /// The last part of their address. Who knows it can bring a comparison forward, and no more.
    pub token: String,
    /// The boards with a callback.
    #[serde(default)]
    pub boards: BTreeSet<RecordId>,
    /// When they were last compared with those in ConnectWise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// Why the last check failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<CallbackProblem>,
}

/// Why callbacks cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackProblem {
    /// The API member lacks this right.
    MissingRight(String),
    /// ConnectWise refuses the callback, or does not answer as expected.
    Refused,
}

impl Callbacks {
    /// Whether the callbacks in ConnectWise must be compared with these boards now.
    #[must_use]
    pub fn must_check(&self, epoch: u32, boards: &BTreeSet<RecordId>, now: Timestamp) -> bool {
        let is_old = |at| now >= later(at, CHECKED_EVERY);
        if self.epoch != epoch || self.checked_at.is_none_or(is_old) {
            return true;
        }
        // After a problem, a new board changes nothing.
        self.problem.is_none() && !boards.is_subset(&self.boards)
    }
}

/// The boards whose changes are reported: those of new tickets, and then those of recorded ones as
/// far as there is room.
#[must_use]
pub fn callback_boards(settings: &Settings, recorded: &BTreeSet<RecordId>) -> BTreeSet<RecordId> {
    let chosen = [settings.operations.board, settings.cyber_alerts.board];
    let mut boards: BTreeSet<RecordId> = chosen.into_iter().flatten().collect();
    for board in recorded {
        if boards.len() < MAX_BOARDS {
            boards.insert(*board);
        }
    }
    boards
}

/// Where ConnectWise posts the callbacks of a partner. It appends the ticket's number.
#[must_use]
pub fn callback_address(origin: &str, partner: &PartnerId, token: &str) -> String {
    format!("{}{token}?recordId=", addresses_of(origin, partner))
}

/// What all addresses of a partner's callbacks begin with.
fn addresses_of(origin: &str, partner: &PartnerId) -> String {
    format!("{origin}/v1/callbacks/{partner}/")
}

/// A callback for tickets in ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCallback {
    pub id: RecordId,
    pub address: String,
    /// The board whose tickets it reports. `None` for all other levels.
    pub board: Option<RecordId>,
    pub is_active: bool,
}

/// How the callbacks in ConnectWise become those that are needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallbackChanges {
    /// Boards that need a callback.
    pub create: Vec<RecordId>,
    /// Callbacks of this partner that are not needed: inactive ones, a second one for the same
    /// board, and those with an older address.
    pub delete: Vec<RecordId>,
}

impl CallbackChanges {
    /// Compares what ConnectWise lists with the boards. Callbacks of others are left alone.
    #[must_use]
    pub fn between(
        found: &[FoundCallback],
        boards: &BTreeSet<RecordId>,
        (origin, partner, token): (&str, &PartnerId, &str),
    ) -> Self {
        let address = callback_address(origin, partner, token);
        let own = addresses_of(origin, partner);
        let mut missing = boards.clone();
        let mut changes = Self::default();
        for callback in found.iter().filter(|of| of.address.starts_with(&own)) {
            let is_usable = callback.is_active && callback.address == address;
            let is_needed = callback.board.is_some_and(|board| missing.contains(&board));
            match callback.board {
                Some(board) if is_usable && is_needed => {
                    missing.remove(&board);
                }
                Some(_) | None => changes.delete.push(callback.id),
            }
        }
        changes.create = missing.into_iter().collect();
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://tickets.example";

    fn at(hour: i64) -> Timestamp {
        "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour)
    }

    fn acme() -> PartnerId {
        PartnerId::parse("acme").unwrap()
    }

    fn found(id: RecordId, board: RecordId) -> FoundCallback {
        FoundCallback {
            id,
            address: callback_address(ORIGIN, &acme(), "t"),
            board: Some(board),
            is_active: true,
        }
    }

    fn changes(found: &[FoundCallback], boards: &[RecordId]) -> (Vec<RecordId>, Vec<RecordId>) {
        let boards = boards.iter().copied().collect();
        let changes = CallbackChanges::between(found, &boards, (ORIGIN, &acme(), "t"));
        (changes.create, changes.delete)
    }

    #[test]
    fn the_address_ends_where_connectwise_appends_the_number() {
        assert_eq!(
            callback_address(ORIGIN, &acme(), "t"),
            "https://tickets.example/v1/callbacks/acme/t?recordId="
        );
    }

    #[test]
    fn the_boards_of_new_tickets_come_before_those_of_recorded_ones() {
        let mut settings = Settings::default();
        assert_eq!(
            callback_boards(&settings, &BTreeSet::new()),
            BTreeSet::new()
        );
        settings.operations.board = Some(90);
        settings.cyber_alerts.board = Some(91);
        let few = callback_boards(&settings, &BTreeSet::from([21, 90]));
        assert_eq!(few, BTreeSet::from([21, 90, 91]));
        let many = callback_boards(&settings, &(1..=50).collect());
        assert_eq!(many.len(), 20);
        assert!(many.contains(&90) && many.contains(&91), "{many:?}");
        let with_own = callback_boards(&settings, &(72..=91).collect());
        assert_eq!(with_own, (72..=91).collect());
    }

    #[test]
    fn each_board_gets_one_callback() {
        assert_eq!(changes(&[], &[21, 22]), (vec![21, 22], vec![]));
        assert_eq!(changes(&[found(1, 21)], &[21, 22]), (vec![22], vec![]));
        assert_eq!(changes(&[found(1, 21)], &[]), (vec![], vec![1]));
        let doubled = [found(1, 21), found(2, 21)];
        assert_eq!(changes(&doubled, &[21]), (vec![], vec![2]));
    }

    #[test]
    fn a_callback_that_cannot_work_is_replaced() {
        let inactive = FoundCallback {
            is_active: false,
            ..found(1, 21)
        };
        let older = FoundCallback {
            address: callback_address(ORIGIN, &acme(), "older"),
            ..found(2, 21)
        };
        let all_tickets = FoundCallback {
            board: None,
            ..found(3, 21)
        };
        for unusable in [inactive, older, all_tickets] {
            let id = unusable.id;
            assert_eq!(changes(&[unusable], &[21]), (vec![21], vec![id]));
        }
    }

    #[test]
    fn callbacks_of_others_are_left_alone() {
        for address in [
            "https://other.example/v1/callbacks/acme/t?recordId=",
            "https://tickets.example/v1/callbacks/acme-dental/t?recordId=",
            "",
        ] {
            let other = FoundCallback {
                address: address.to_owned(),
                ..found(1, 21)
            };
            assert_eq!(changes(&[other], &[21]), (vec![21], vec![]), "{address}");
        }
    }

    #[test]
    fn they_are_checked_daily_and_when_a_board_or_the_connection_changes() {
        let checked = Callbacks {
            epoch: 1,
            token: "t".to_owned(),
            boards: BTreeSet::from([21]),
            checked_at: Some(at(0)),
            problem: None,
        };
        let refused = Callbacks {
            boards: BTreeSet::new(),
            problem: Some(CallbackProblem::Refused),
            ..checked.clone()
        };
        let unchecked = Callbacks {
            checked_at: None,
            ..checked.clone()
        };
        for (callbacks, epoch, board, hour, expected) in [
            (&checked, 1, 21, 23, false),
            (&checked, 1, 21, 24, true),
            (&checked, 1, 22, 1, true),
            (&checked, 2, 21, 1, true),
            (&refused, 1, 21, 23, false),
            (&refused, 1, 21, 24, true),
            (&unchecked, 1, 21, 0, true),
        ] {
            let must = callbacks.must_check(epoch, &BTreeSet::from([board]), at(hour));
            assert_eq!(must, expected, "{callbacks:?} {epoch} {board} {hour}");
        }
    }
}
