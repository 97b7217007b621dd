//! The two forms of "Boards": boards that exist, and boards that are created.

use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_name::BoardName;
use maud::{Markup, html};
use store::DedicatedBoard;

use crate::boards::view_model::{
    BoardOptions, BoardsView, ExistingBoards, NamedOption, category_title,
};
use crate::paths;

pub(super) fn existing_form(view: &BoardsView, existing: &ExistingBoards) -> Markup {
    html! {
        h2 { "Boards that exist" }
        p {
            "You can choose statuses and ticket types afterwards. "
            @if let Some(board) = &existing.default {
                "The API member's default board is " strong { (board.name) } "."
            } @else if existing.has_no_default {
                "The API member has no default service board. If you leave the choice to ConnectWise, it chooses board, type and status, and the start status cannot be chosen."
            }
        }
        form method="post" action=(paths::EXISTING_BOARDS) data-render {
            input type="hidden" name="version" value=(view.settings_version);
            @for (name, category) in [("operations", Category::Operations), ("cyber_alerts", Category::CyberAlerts)] {
                (board_select(name, category, view.prefilled(category), existing))
            }
            div { button { "Review the choice" } }
        }
    }
}

fn board_select(
    name: &str,
    category: Category,
    chosen: Option<RecordId>,
    existing: &ExistingBoards,
) -> Markup {
    let unlisted = chosen.filter(|id| !existing.usable.iter().any(|board| board.id == *id));
    html! {
        label for=(name) { "Board for " (category_title(category).to_lowercase()) }
        select id=(name) name=(name) {
            option value="" selected[chosen.is_none()] { "chosen by ConnectWise" }
            @if let Some(id) = unlisted { option value=(id) selected { "number " (id) ", not listed" } }
            @for board in &existing.usable {
                option value=(board.id) selected[chosen == Some(board.id)] { (board.name) }
            }
        }
    }
}

pub(super) fn dedicated_form(view: &BoardsView, options: &BoardOptions) -> Markup {
    let requested = view.requested.as_ref();
    html! {
        h2 { "Two new boards" }
        p { "Ticketbridge creates one board for operations alerts and one for cyber alerts, with their statuses and ticket types. If a board of the same name exists already, it is used and completed; nothing is created twice." }
        form method="post" action=(paths::DEDICATED_BOARDS) data-render {
            input type="hidden" name="version" value=(view.boards_version);
            (fields("operations", Category::Operations, options, requested.map(|boards| &boards.operations)))
            (fields("cyber_alerts", Category::CyberAlerts, options, requested.map(|boards| &boards.cyber_alerts)))
            button { "Review the new boards" }
        }
    }
}

/// The fields of one board, filled with what was requested last.
fn fields(
    of: &str,
    category: Category,
    offers: &BoardOptions,
    requested: Option<&DedicatedBoard>,
) -> Markup {
    let usual = BoardName::default_for(category);
    let board_name = requested.map_or(usual.as_str(), |board| &board.name);
    let id = |member: &str| format!("{of}-{member}");
    let name = |member: &str| format!("{of}[{member}]");
    let locations = offers.locations.iter();
    let locations: Vec<_> = locations
        .map(|location| (location.id, &location.name))
        .collect();
    let location = picked(requested.map(|board| board.location), &locations);
    let departments: Vec<_> = offers.departments.iter().map(pair).collect();
    let department = picked(requested.map(|board| board.department), &departments);
    let leads: Vec<_> = offers.team_leads.iter().map(pair).collect();
    let lead = picked(requested.map(|board| board.team_lead), &leads);
    html! {
        fieldset {
            legend { (usual.as_str()) }
            label for=(id("name")) { "Name" }
            input id=(id("name")) name=(name("name")) value=(board_name) maxlength="50" required;
            label for=(id("location")) { "Location" }
            select id=(id("location")) name=(name("location")) required {
                (unchosen_option(location))
                @for (id, name) in &locations { option value=(id) selected[location == Some(*id)] { (name) } }
            }
            label for=(id("department")) { "Department of that location" }
            select id=(id("department")) name=(name("department")) required {
                (unchosen_option(department))
                @for of in &offers.locations {
                    optgroup label=(of.name) {
                        @for option in offers.departments.iter().filter(|option| of.departments.contains(&option.id)) {
                            option value=(option.id) selected[location == Some(of.id) && department == Some(option.id)] { (option.name) }
                        }
                    }
                }
            }
            label for=(id("team_lead")) { "Team lead" }
            select id=(id("team_lead")) name=(name("team_lead")) required {
                (unchosen_option(lead))
                @for (id, name) in &leads { option value=(id) selected[lead == Some(*id)] { (name) } }
            }
        }
    }
}

fn pair(option: &NamedOption) -> (RecordId, &String) {
    (option.id, &option.name)
}

/// What was chosen before if it is still offered, or the only option. Otherwise a person chooses.
fn picked(before: Option<RecordId>, offered: &[(RecordId, &String)]) -> Option<RecordId> {
    let before = before.filter(|id| offered.iter().any(|(offer, _)| offer == id));
    match offered {
        [(only, _)] => Some(*only),
        _ => before,
    }
}

fn unchosen_option(picked: Option<RecordId>) -> Markup {
    html! { @if picked.is_none() { option value="" selected { "Choose" } } }
}
