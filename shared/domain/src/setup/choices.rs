//! Which parts of a board a partner may choose for its tickets. The page shows the choices, and the
//! API rejects others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::event::Severity;
use crate::setup::found_board::{FoundStatus, FoundType};
use crate::setup::settings::BoardTarget;
use crate::setup::status_action::ActionKind;
use crate::{Kind, RecordId};

/// Why a part of a board cannot be used for a purpose.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum TargetIssue {
    /// It does not exist (any more).
    #[error("the board no longer has it")]
    Missing,
    #[error("it is inactive in ConnectWise")]
    Inactive,
    /// New tickets with this status would be closed.
    #[error("it counts as closed, and ConnectWise does not accept a new ticket that is closed")]
    Closes,
    /// A ticket with this status would stay open.
    #[error("it does not count as closed in ConnectWise")]
    LeavesOpen,
    /// The status of an action has no other purpose.
    #[error("another choice uses it")]
    Taken,
}

/// A choice of the target that has an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardChoice {
    StartStatus,
    ClosingStatus,
    Action(ActionKind),
    /// The ticket type of this kind.
    Type(Kind),
}

/// Checks a status for new tickets.
///
/// # Errors
/// Returns why it cannot be used.
pub fn check_start_status(status: &FoundStatus) -> Result<(), TargetIssue> {
    match (status.inactive, status.closes) {
        (true, _) => Err(TargetIssue::Inactive),
        (false, true) => Err(TargetIssue::Closes),
        (false, false) => Ok(()),
    }
}

/// Checks a status that is to close tickets.
///
/// # Errors
/// Returns why it cannot be used.
pub fn check_closing_status(status: &FoundStatus) -> Result<(), TargetIssue> {
    match (status.inactive, status.closes) {
        (true, _) => Err(TargetIssue::Inactive),
        (false, false) => Err(TargetIssue::LeavesOpen),
        (false, true) => Ok(()),
    }
}

/// Checks a status by which a technician asks for an action.
///
/// # Errors
/// Returns why it cannot be used.
pub fn check_action_status(status: &FoundStatus) -> Result<(), TargetIssue> {
    match status.inactive {
        true => Err(TargetIssue::Inactive),
        false => Ok(()),
    }
}

/// Checks a ticket type.
///
/// # Errors
/// Returns why it cannot be used.
pub fn check_type(found: &FoundType) -> Result<(), TargetIssue> {
    match found.inactive {
        true => Err(TargetIssue::Inactive),
        false => Ok(()),
    }
}

/// Finds all choices of a target that its board, with these statuses and types, does not support. A
/// choice that is left to ConnectWise has no issue.
#[must_use]
pub fn find_target_issues(
    target: &BoardTarget,
    statuses: &[FoundStatus],
    types: &[FoundType],
) -> Vec<(BoardChoice, TargetIssue)> {
    let status = |id: Option<RecordId>, fits: fn(&FoundStatus) -> Result<(), TargetIssue>| {
        let found = statuses.iter().find(|status| Some(status.id) == id);
        id.and_then(|_| found.map_or(Err(TargetIssue::Missing), fits).err())
    };
    let of_type = |(kind, id): (&Kind, &RecordId)| {
        let found = types.iter().find(|found| found.id == *id);
        let why = found.map_or(Err(TargetIssue::Missing), check_type).err()?;
        Some((BoardChoice::Type(kind.clone()), why))
    };
    let start =
        status(target.start_status, check_start_status).map(|why| (BoardChoice::StartStatus, why));
    let closing = status(target.closing_status, check_closing_status)
        .map(|why| (BoardChoice::ClosingStatus, why));
    let of_action = |(action, id): (&ActionKind, &RecordId)| {
        let why = match uses_of_status(target, *id) {
            1 => status(Some(*id), check_action_status)?,
            _ => TargetIssue::Taken,
        };
        Some((BoardChoice::Action(*action), why))
    };
    let actions = target.actions.iter().filter_map(of_action);
    let types = target.types.iter().filter_map(of_type);
    let statuses = start.into_iter().chain(closing).chain(actions);
    statuses.chain(types).collect()
}

/// For how many purposes the status is chosen.
fn uses_of_status(target: &BoardTarget, id: RecordId) -> usize {
    let chosen = [target.start_status, target.closing_status];
    let actions = target.actions.values().copied();
    let chosen = chosen.into_iter().flatten().chain(actions);
    chosen.filter(|chosen| *chosen == id).count()
}

/// Merges the chosen records into the earlier ones. What was not part of the request stays, such as
/// the types of other kinds.
#[must_use]
pub fn merge_choices<K: Ord + Clone>(
    before: &BTreeMap<K, RecordId>,
    asked: impl Iterator<Item = (K, Option<RecordId>)>,
) -> BTreeMap<K, RecordId> {
    let mut choices = before.clone();
    for (key, chosen) in asked {
        match chosen {
            Some(id) => choices.insert(key, id),
            None => choices.remove(&key),
        };
    }
    choices
}

/// Guesses the priority of each severity from ConnectWise's own names, "Priority 1" to "Priority 4"
/// with any suffix. If a partner has other names, nothing is guessed, and ConnectWise's default is
/// used until the partner chooses.
#[must_use]
pub fn default_priorities(listed: &[(RecordId, &str)]) -> BTreeMap<Severity, RecordId> {
    let of = |severity, number: char| {
        let (id, _) = listed.iter().find(|(_, name)| {
            let rest = name.trim().strip_prefix("Priority ");
            let rest = rest.and_then(|rest| rest.strip_prefix(number));
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        })?;
        Some((severity, *id))
    };
    let usual = [
        of(Severity::Critical, '1'),
        of(Severity::High, '2'),
        of(Severity::Medium, '3'),
        of(Severity::Low, '4'),
        of(Severity::Informational, '4'),
    ];
    usual.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Kind {
        Kind::parse(name).unwrap()
    }

    #[test]
    fn the_status_of_an_action_has_no_other_purpose() {
        let status = |id, inactive| FoundStatus {
            id,
            name: format!("Status {id}"),
            inactive,
            closes: false,
            is_default: false,
        };
        let statuses = [status(1, false), status(2, false), status(3, true)];
        let issue = |action: RecordId, other: Option<RecordId>| {
            let actions = [
                (ActionKind::WontFix, Some(action)),
                (ActionKind::Act, other),
            ];
            let actions = actions
                .into_iter()
                .filter_map(|(kind, id)| Some((kind, id?)));
            let target = BoardTarget {
                start_status: Some(1),
                actions: actions.collect(),
                ..BoardTarget::default()
            };
            let issues = find_target_issues(&target, &statuses, &[]);
            issues.into_iter().next().map(|(_, why)| why)
        };
        assert_eq!(issue(2, None), None);
        assert_eq!(issue(1, None), Some(TargetIssue::Taken), "the start status");
        assert_eq!(issue(2, Some(2)), Some(TargetIssue::Taken), "two actions");
        assert_eq!(issue(3, None), Some(TargetIssue::Inactive));
        assert_eq!(issue(9, None), Some(TargetIssue::Missing));
    }

    #[test]
    fn inactive_and_wrong_statuses_are_issues() {
        let status = |id, inactive, closes| FoundStatus {
            id,
            name: String::new(),
            inactive,
            closes,
            is_default: false,
        };
        let statuses = [
            status(1, false, false),
            status(2, false, true),
            status(3, true, false),
            status(4, true, true),
        ];
        for (id, as_start, as_closing) in [
            (None, None, None),
            (Some(1), None, Some(TargetIssue::LeavesOpen)),
            (Some(2), Some(TargetIssue::Closes), None),
            (
                Some(3),
                Some(TargetIssue::Inactive),
                Some(TargetIssue::Inactive),
            ),
            (
                Some(4),
                Some(TargetIssue::Inactive),
                Some(TargetIssue::Inactive),
            ),
            (
                Some(5),
                Some(TargetIssue::Missing),
                Some(TargetIssue::Missing),
            ),
        ] {
            let target = BoardTarget {
                start_status: id,
                closing_status: id,
                ..BoardTarget::default()
            };
            let start = as_start.map(|why| (BoardChoice::StartStatus, why));
            let closing = as_closing.map(|why| (BoardChoice::ClosingStatus, why));
            let expected: Vec<_> = start.into_iter().chain(closing).collect();
            assert_eq!(
                find_target_issues(&target, &statuses, &[]),
                expected,
                "{id:?}"
            );
        }
    }

    #[test]
    fn a_type_must_be_an_active_one_of_the_board() {
        let found = |id, inactive| FoundType {
            id,
            name: String::new(),
            inactive,
        };
        let target = BoardTarget {
            types: [(kind("cpu"), 1), (kind("disk"), 2), (kind("memory"), 3)].into(),
            ..BoardTarget::default()
        };
        assert_eq!(
            find_target_issues(&target, &[], &[found(1, false), found(2, true)]),
            [
                (BoardChoice::Type(kind("disk")), TargetIssue::Inactive),
                (BoardChoice::Type(kind("memory")), TargetIssue::Missing),
            ]
        );
    }

    #[test]
    fn types_of_other_kinds_stay() {
        let before = [(kind("cpu"), 1), (kind("disk"), 2), (kind("own"), 3)].into();
        let asked = [
            (kind("cpu"), Some(9)),
            (kind("disk"), None),
            (kind("memory"), None),
        ];
        let after = merge_choices(&before, asked.into_iter());
        assert_eq!(after, [(kind("cpu"), 9), (kind("own"), 3)].into());
    }

    #[test]
    fn only_connectwises_own_priority_names_are_guessed() {
        let own = [
            (9, "Do Not Respond"),
            (31, "Priority 1 - Emergency Response"),
            (32, "Priority 2"),
            (33, "Priority 3 - Normal Response"),
            (39, "Priority 42"),
            (34, "Priority 4 - Scheduled Maintenance"),
        ];
        let expected = BTreeMap::from([
            (Severity::Critical, 31),
            (Severity::High, 32),
            (Severity::Medium, 33),
            (Severity::Low, 34),
            (Severity::Informational, 34),
        ]);
        assert_eq!(default_priorities(&own), expected);
        let others = [(1, "P1"), (2, "Urgent"), (3, "Low Priority 3")];
        assert_eq!(default_priorities(&others), BTreeMap::new());
    }
}
