//! The board targets of the settings: for a board that the partner already has, and for
//! ConnectWise's defaults.

use std::collections::BTreeMap;

use crate::RecordId;
use crate::alert::event::Severity;
use crate::alert::kind::{Category, KindInfo};
use crate::setup::board_issue::{type_issue, usable};
use crate::setup::found_board::{BoardParts, FoundStatus, named};
use crate::setup::settings::{BoardTarget, OnResolve, Settings};

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
/// decisions stay, but ids of another ConnectWise do not. `usual` are the priorities if the partner
/// has chosen none yet.
#[must_use]
pub fn choose_boards(
    before: Option<Settings>,
    operations: BoardTarget,
    cyber_alerts: BoardTarget,
    default_priorities: BTreeMap<Severity, RecordId>,
    epoch: u32,
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
    let as_before = |target: BoardTarget, before: &BoardTarget| BoardTarget {
        on_resolve: before.on_resolve,
        reopen_days: before.reopen_days,
        renew_after_hours: before.renew_after_hours,
        ..target
    };
    Settings {
        operations: as_before(operations, &before.operations),
        cyber_alerts: as_before(cyber_alerts, &before.cyber_alerts),
        priorities: match before.belongs_to(epoch) {
            true => before.priorities,
            false => default_priorities,
        },
        epoch: Some(epoch),
        ..before
    }
}

pub(crate) fn default_on_resolve(category: Category) -> OnResolve {
    match category {
        Category::Operations => OnResolve::Close,
        Category::CyberAlerts => OnResolve::Note,
    }
}
