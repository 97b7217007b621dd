//! What the page "Tickets" shows: the present choices, and the options.

use std::collections::{BTreeMap, BTreeSet};

use connectwise::Board;
use domain::alert::event::Severity;
use domain::alert::flapping::FlapRule;
use domain::alert::kind::{Category, KindInfo};
use domain::alert::storm::StormRule;
use domain::setup::choices::{
    TargetIssue, check_action_status, check_closing_status, check_start_status, check_type,
};
use domain::setup::found_board::{FoundStatus, FoundType};
use domain::setup::settings::{OnResolve, Settings};
use domain::setup::status_action::ActionKind;
use domain::setup::ticket_links::TicketLinks;
use domain::setup::type_hierarchy::TypeHierarchy;
use domain::{Kind, RecordId};
use serde::Serialize;

use crate::tickets::assignees::{AssigneeOption, owner_options, team_options};
use crate::tickets::custom_fields_view::{CustomFieldView, custom_field_views};
use crate::tickets::lists::{TicketBoard, TicketLists};

const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Informational,
];

#[derive(Debug, Serialize)]
pub(super) struct TicketsView {
    pub(super) version: u64,
    #[serde(flatten)]
    pub(super) chosen: Option<TicketChoices>,
    /// Why something cannot be chosen.
    pub(super) off: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct TicketChoices {
    pub(super) operations: TicketBoardView,
    pub(super) cyber_alerts: TicketBoardView,
    /// The priority of each severity; `None` leaves it to ConnectWise.
    pub(super) priorities: BTreeMap<Severity, Option<RecordId>>,
    pub(super) priorities_offered: Vec<ChoiceOption>,
    /// The ConnectWise source of new tickets.
    pub(super) source: Option<RecordId>,
    pub(super) sources: Vec<ChoiceOption>,
    pub(super) note_interval_minutes: u32,
    pub(super) notes_for_customers: bool,
    pub(super) lowers_priority: bool,
    pub(super) links: TicketLinks,
    /// The members that can own tickets; empty without the right to read them.
    pub(super) owners: Vec<AssigneeOption>,
    pub(super) flapping: Option<FlapRule>,
    pub(super) storm: Option<StormRule>,
    pub(super) wont_fix_days: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct TicketBoardView {
    pub(super) board: Option<RecordId>,
    pub(super) name: Option<String>,
    pub(super) start_status: Option<RecordId>,
    pub(super) closing_status: Option<RecordId>,
    /// The status of each action, if one is chosen.
    pub(super) actions: BTreeMap<ActionKind, Option<RecordId>>,
    pub(super) kinds: Vec<KindView>,
    pub(super) on_resolve: OnResolve,
    pub(super) reopen_days: u32,
    pub(super) renew_after_hours: u32,
    /// The board's statuses and types; empty without a board or the right to read it.
    pub(super) start_statuses: Vec<ChoiceOption>,
    pub(super) closing_statuses: Vec<ChoiceOption>,
    pub(super) action_statuses: Vec<ChoiceOption>,
    pub(super) types: Vec<ChoiceOption>,
    /// Empty if the board has none.
    pub(super) subtypes: Vec<ChildOption>,
    pub(super) items: Vec<ChildOption>,
    pub(super) team: Option<RecordId>,
    pub(super) owner: Option<RecordId>,
    pub(super) teams: Vec<AssigneeOption>,
    /// Empty without the right to read them.
    pub(super) custom_fields: Vec<CustomFieldView>,
}

#[derive(Debug, Serialize)]
pub(super) struct KindView {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) on: bool,
    #[serde(rename = "type")]
    pub(super) type_: Option<RecordId>,
    pub(super) subtype: Option<RecordId>,
    pub(super) item: Option<RecordId>,
    /// `None` leaves it to the choice for the board.
    pub(super) team: Option<RecordId>,
    pub(super) owner: Option<RecordId>,
}

/// A subtype or an item.
#[derive(Debug, Serialize)]
pub(super) struct ChildOption {
    pub(super) id: RecordId,
    pub(super) name: String,
    /// What must be chosen above it: a type, or a type and a subtype as "7/12".
    pub(super) below: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ChoiceOption {
    pub(super) id: RecordId,
    pub(super) name: String,
    /// Why it cannot be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unfit: Option<TargetIssue>,
}

impl TicketChoices {
    pub(super) fn new(
        settings: &Settings,
        lists: &TicketLists,
        boards: &[Board],
        kinds: &[KindInfo],
    ) -> Self {
        let custom_fields = lists.custom_fields.as_deref().ok();
        let board = |category, board: Option<&TicketBoard>| {
            let chosen = &settings.board(category).custom_fields;
            let custom_fields = custom_fields.map(|found| custom_field_views(chosen, found));
            TicketBoardView {
                custom_fields: custom_fields.unwrap_or_default(),
                ..TicketBoardView::new(category, settings, board, boards, kinds)
            }
        };
        let priorities = lists.priorities.iter().flatten();
        let sources = lists.sources.iter().flatten();
        Self {
            operations: board(Category::Operations, lists.operations.as_ref()),
            cyber_alerts: board(Category::CyberAlerts, lists.cyber_alerts.as_ref()),
            priorities: SEVERITIES
                .map(|severity| (severity, settings.priorities.get(&severity).copied()))
                .into(),
            priorities_offered: priorities
                .map(|priority| ChoiceOption {
                    id: priority.id,
                    name: priority.name.clone(),
                    unfit: None,
                })
                .collect(),
            source: settings.source,
            sources: sources
                .map(|source| ChoiceOption {
                    id: source.id,
                    name: source.name.clone(),
                    unfit: None,
                })
                .collect(),
            note_interval_minutes: settings.note_interval_minutes,
            notes_for_customers: settings.notes_for_customers,
            lowers_priority: settings.lowers_priority,
            links: settings.links,
            owners: owner_options(lists.members.as_deref().unwrap_or_default()),
            flapping: settings.flapping,
            storm: settings.storm,
            wont_fix_days: settings.wont_fix_days,
        }
    }
}

impl TicketBoardView {
    fn new(
        category: Category,
        settings: &Settings,
        board: Option<&TicketBoard>,
        boards: &[Board],
        kinds: &[KindInfo],
    ) -> Self {
        let target = settings.board(category);
        let parts = board.map(|board| &board.parts);
        let hierarchy = board.map(|board| &board.hierarchy);
        let statuses = |check: fn(&FoundStatus) -> Result<(), TargetIssue>| {
            let statuses = parts.map_or(&[][..], |parts| &parts.statuses);
            let options = statuses.iter().map(|status| ChoiceOption {
                id: status.id,
                name: status.name.clone(),
                unfit: check(status).err(),
            });
            options.collect()
        };
        let types = parts.map_or(&[][..], |parts| &parts.types);
        let kinds = kinds.iter().filter(|info| info.category == category);
        let assignment = &target.assignment;
        let of_kind = |kind: &Kind| assignment.kinds.get(kind).copied().unwrap_or_default();
        Self {
            board: target.board,
            name: boards
                .iter()
                .find(|board| Some(board.id) == target.board)
                .map(|board| board.name.clone()),
            start_status: target.start_status,
            closing_status: target.closing_status,
            actions: ActionKind::ALL
                .map(|action| (action, target.actions.get(&action).copied()))
                .into(),
            kinds: kinds
                .map(|info| KindView {
                    kind: info.kind.clone(),
                    name: info.type_name.clone(),
                    on: !settings.kinds_off.contains(&info.kind),
                    type_: target.types.get(&info.kind).copied(),
                    subtype: target.subtypes.get(&info.kind).copied(),
                    item: target.items.get(&info.kind).copied(),
                    team: of_kind(&info.kind).team,
                    owner: of_kind(&info.kind).owner,
                })
                .collect(),
            on_resolve: target.on_resolve,
            reopen_days: target.reopen_days,
            renew_after_hours: target.renew_after_hours,
            start_statuses: statuses(check_start_status),
            closing_statuses: statuses(check_closing_status),
            action_statuses: statuses(check_action_status),
            types: types
                .iter()
                .map(|found| ChoiceOption {
                    id: found.id,
                    name: found.name.clone(),
                    unfit: check_type(found).err(),
                })
                .collect(),
            subtypes: hierarchy.map(subtype_options).unwrap_or_default(),
            items: hierarchy.map(item_options).unwrap_or_default(),
            team: assignment.all.team,
            owner: assignment.all.owner,
            teams: team_options(parts.map_or(&[][..], |parts| &parts.teams)),
            custom_fields: Vec::new(),
        }
    }
}

/// The active subtypes.
fn subtype_options(hierarchy: &TypeHierarchy) -> Vec<ChildOption> {
    let below = |id| hierarchy.types_of(id).map(|type_| type_.to_string());
    child_options(&hierarchy.subtypes, |id| below(id).collect())
}

/// The active items.
fn item_options(hierarchy: &TypeHierarchy) -> Vec<ChildOption> {
    let pairs = |id| hierarchy.pairs_of(id);
    let below = |id| pairs(id).map(|(type_, subtype)| format!("{type_}/{subtype}"));
    child_options(&hierarchy.items, |id| below(id).collect())
}

fn child_options(
    found: &[FoundType],
    below: impl Fn(RecordId) -> BTreeSet<String>,
) -> Vec<ChildOption> {
    let active = found.iter().filter(|found| !found.inactive);
    active
        .map(|found| ChildOption {
            id: found.id,
            name: found.name.clone(),
            below: below(found.id).into_iter().collect(),
        })
        .collect()
}
