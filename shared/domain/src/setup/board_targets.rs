//! The board targets of the settings: for a board that the partner already has, and for
//! ConnectWise's defaults.

use std::collections::BTreeMap;

use crate::alert::event::Severity;
use crate::alert::kind::{Category, KindInfo};
use crate::setup::board_issue::{type_issue, usable};
use crate::setup::choices::{TargetIssue, check_closing_status, check_start_status, check_type};
use crate::setup::found_board::{BoardParts, FoundStatus, named};
use crate::setup::settings::{BoardTarget, OnResolve, Settings};
use crate::text::is_same_name;
use crate::{Kind, RecordId};

/// The target for a board that the partner already has, with its statuses in the board's own order.
/// New tickets get the board's default status, or its first open one if the default cannot be used.
/// Ticket types are those with the names of the types of `kinds`. Without `parts`, because the API
/// member may not read them, ConnectWise's defaults are used.
#[must_use]
pub fn existing_board_target(
    category: Category,
    board: RecordId,
    parts: Option<&BoardParts>,
    kinds: &[KindInfo],
) -> BoardTarget {
    let target = BoardTarget {
        board: Some(board),
        ..connectwise_defaults(category)
    };
    let Some(parts) = parts else {
        return target;
    };
    let opens = |status: &&FoundStatus| !status.inactive && !status.closes;
    let closes = |status: &&FoundStatus| !status.inactive && status.closes;
    let statuses = || parts.statuses.iter();
    let start = statuses().filter(opens).find(|status| status.is_default);
    let start = start.or_else(|| statuses().find(opens));
    let kinds = kinds.iter().filter(|info| info.category == category);
    let types = kinds.filter_map(|info| {
        let found = named(&parts.types, &info.type_name, |found| {
            (&found.name, found.id)
        });
        let found = usable(&found, type_issue).ok()??;
        Some((info.kind.clone(), found.id))
    });
    BoardTarget {
        start_status: start.map(|status| status.id),
        closing_status: statuses().find(closes).map(|status| status.id),
        types: types.collect(),
        ..target
    }
}

/// The target that leaves everything to ConnectWise.
#[must_use]
pub fn connectwise_defaults(category: Category) -> BoardTarget {
    BoardTarget {
        on_resolve: default_on_resolve(category),
        ..BoardTarget::default()
    }
}

/// Changes the boards of the settings, for a connection of this epoch. The partner's other
/// decisions stay, but ids of another ConnectWise do not. `default_priorities` apply if the partner
/// has chosen none yet. `parts` are those of the boards before and after, as far as they are known.
#[must_use]
pub fn choose_boards(
    before: Option<Settings>,
    operations: BoardTarget,
    cyber_alerts: BoardTarget,
    default_priorities: BTreeMap<Severity, RecordId>,
    epoch: u32,
    parts: &[BoardParts],
) -> Settings {
    let Some(before) = before else {
        return Settings {
            operations,
            cyber_alerts,
            priorities: default_priorities,
            epoch: Some(epoch),
            ..Settings::default()
        };
    };
    let is_same_connectwise = before.belongs_to(epoch);
    let as_before = |target: BoardTarget, before: &BoardTarget| {
        let target = if is_same_connectwise {
            keep_choices(target, before, parts)
        } else {
            target
        };
        BoardTarget {
            on_resolve: before.on_resolve,
            reopen_days: before.reopen_days,
            renew_after_hours: before.renew_after_hours,
            ..target
        }
    };
    Settings {
        operations: as_before(operations, &before.operations),
        cyber_alerts: as_before(cyber_alerts, &before.cyber_alerts),
        priorities: if is_same_connectwise {
            before.priorities
        } else {
            default_priorities
        },
        source: before.source.filter(|_| is_same_connectwise),
        epoch: Some(epoch),
        ..before
    }
}

/// Keeps what the partner chose, as far as it can be used: on the same board its statuses, types and
/// teams, on another board the types with the same names. Owners and custom fields have no board.
fn keep_choices(target: BoardTarget, before: &BoardTarget, parts: &[BoardParts]) -> BoardTarget {
    let is_same_board = before.board == target.board;
    let find = |board: Option<RecordId>| parts.iter().find(|parts| Some(parts.board) == board);
    let (Some(old), Some(new)) = (find(before.board), find(target.board)) else {
        // The parts cannot be read, so no names can be compared.
        return if is_same_board {
            before.clone()
        } else {
            BoardTarget {
                assignment: before.assignment.without_teams(),
                custom_fields: before.custom_fields.clone(),
                ..target
            }
        };
    };
    let status = |id: Option<RecordId>, check: fn(&FoundStatus) -> Result<(), TargetIssue>| {
        let mut statuses = new.statuses.iter();
        let chosen = statuses.find(|status| Some(status.id) == id && is_same_board)?;
        check(chosen).ok().map(|()| chosen.id)
    };
    let type_ = |id: RecordId| {
        let chosen = old.types.iter().find(|found| found.id == id)?;
        let mut same = new.types.iter().filter(|found| check_type(found).is_ok());
        let same = same.find(|found| is_same_name(&found.name, &chosen.name))?;
        Some(same.id)
    };
    let kept = before.types.iter();
    let kept = kept.filter_map(|(kind, id)| Some((kind.clone(), type_(*id)?)));
    let mut types = target.types;
    types.extend(kept);
    let of_same_board = |chosen: &BTreeMap<Kind, RecordId>| {
        if is_same_board {
            chosen.clone()
        } else {
            BTreeMap::new()
        }
    };
    BoardTarget {
        subtypes: of_same_board(&before.subtypes),
        items: of_same_board(&before.items),
        actions: match is_same_board {
            true => before.actions.clone(),
            false => BTreeMap::new(),
        },
        start_status: status(before.start_status, check_start_status).or(target.start_status),
        closing_status: status(before.closing_status, check_closing_status)
            .or(target.closing_status),
        types,
        assignment: if is_same_board {
            before.assignment.clone()
        } else {
            before.assignment.without_teams()
        },
        custom_fields: before.custom_fields.clone(),
        ..target
    }
}

pub(crate) fn default_on_resolve(category: Category) -> OnResolve {
    match category {
        Category::Operations => OnResolve::Close,
        Category::CyberAlerts => OnResolve::Note,
    }
}
