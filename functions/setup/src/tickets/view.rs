//! The page "Tickets".

use domain::RecordId;
use domain::alert::event::Severity;
use domain::alert::flapping::{FlapRule, MAX_MINUTES, MAX_RAISES};
use domain::alert::storm::{MAX_ALERTS, MAX_STORM_MINUTES, StormRule};
use domain::setup::settings::OnResolve;
use domain::setup::status_action::ActionKind;
use maud::{Markup, html};

use crate::step::SetupStep;
use crate::tickets::assignees::AssigneeOption;
use crate::tickets::assignment_view::assignment_fields;
use crate::tickets::custom_fields_view::custom_fields;
use crate::tickets::form::{
    MAX_NOTE_MINUTES, MAX_RENEW_AFTER_HOURS, MAX_REOPEN_DAYS, MAX_WONT_FIX_DAYS,
};
use crate::tickets::issues::action_name;
use crate::tickets::links::link_fields;
use crate::tickets::view_model::{
    ChildOption, ChoiceOption, TicketBoardView, TicketChoices, TicketsView,
};

pub(super) fn render(view: &TicketsView) -> Markup {
    html! {
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @match &view.chosen {
            None => p { "Choose where tickets go first: " a href=(SetupStep::Boards.path()) { "Boards" } "." },
            Some(chosen) => (form(view.version, chosen)),
        }
    }
}

fn flapping_fields(rule: Option<FlapRule>) -> Markup {
    let raises = rule.map_or(0, |rule| rule.raises);
    let minutes = rule.map_or(60, |rule| rule.minutes);
    html! {
        fieldset {
            legend { "Flapping alerts" }
            p { "An alert that is raised and resolved again and again is flapping. Its ticket stays open until it stops flapping, and gets one note for several raises." }
            label for="flap_raises" { "It is flapping after this many raises (0 for never)" }
            input id="flap_raises" name="flap_raises" type="number" min="0" max=(MAX_RAISES) required value=(raises);
            label for="flap_minutes" { "within this many minutes" }
            input id="flap_minutes" name="flap_minutes" type="number" min="1" max=(MAX_MINUTES) required value=(minutes);
        }
    }
}

fn storm_fields(rule: Option<StormRule>) -> Markup {
    let alerts = rule.map_or(0, |rule| rule.alerts);
    let minutes = rule.map_or(5, |rule| rule.minutes);
    html! {
        fieldset {
            legend { "Alert storms" }
            p { "When many alerts of one tenant are raised at once, the further ones share one ticket, which lists them. The ticket is closed once all of them are resolved." }
            label for="storm_alerts" { "It is a storm after this many new alerts of a tenant (0 for never)" }
            input id="storm_alerts" name="storm_alerts" type="number" min="0" max=(MAX_ALERTS) required value=(alerts);
            label for="storm_minutes" { "within this many minutes" }
            input id="storm_minutes" name="storm_minutes" type="number" min="1" max=(MAX_STORM_MINUTES) required value=(minutes);
        }
    }
}

fn form(version: u64, chosen: &TicketChoices) -> Markup {
    html! {
        form method="post" action=(SetupStep::Tickets.path()) {
            input type="hidden" name="version" value=(version);
            (board_fields("operations", "Operations alerts", &chosen.operations, &chosen.owners))
            (board_fields("cyber_alerts", "Cyber alerts", &chosen.cyber_alerts, &chosen.owners))
            fieldset {
                legend { "Priorities" }
                @for (severity, picked) in chosen.priorities.iter().rev() {
                    (select(&format!("priorities[{severity}]"), severity_name(*severity), *picked, &chosen.priorities_offered))
                }
                label class="choice" {
                    input type="checkbox" name="lowers_priority" value="true" checked[chosen.lowers_priority];
                    span { "Lower the priority when an alert becomes less severe, unless a person worked on the ticket" }
                }
            }
            @if !chosen.sources.is_empty() {
                fieldset {
                    legend { "Source" }
                    (select("source", "Source of new tickets", chosen.source, &chosen.sources))
                }
            }
            (link_fields(chosen.links))
            (flapping_fields(chosen.flapping))
            (storm_fields(chosen.storm))
            fieldset {
                legend { "Won't fix" }
                label for="wont_fix_days" { "After \"Won't fix\", the alert gets no new ticket for this many days" }
                input id="wont_fix_days" name="wont_fix_days" type="number" min="1" max=(MAX_WONT_FIX_DAYS) required value=(chosen.wont_fix_days);
            }
            fieldset {
                legend { "Notes" }
                label for="note_interval_minutes" { "Minimum number of minutes between two notes about repeats of an alert" }
                input id="note_interval_minutes" name="note_interval_minutes" type="number" min="1" max=(MAX_NOTE_MINUTES) required value=(chosen.note_interval_minutes);
                label class="choice" {
                    input type="checkbox" name="notes_for_customers" value="true" checked[chosen.notes_for_customers];
                    span { "Customers can read the notes" }
                }
            }
            button { "Save" }
        }
    }
}

fn board_fields(
    field: &str,
    legend: &str,
    board: &TicketBoardView,
    owners: &[AssigneeOption],
) -> Markup {
    let name = |member: &str| format!("{field}[{member}]");
    html! {
        fieldset {
            legend { (legend) ": " (board_name(board)) }
            @if board.board.is_some() {
                (select(&name("start_status"), "Status of a new ticket", board.start_status, &board.start_statuses))
                (select(&name("closing_status"), "Status that closes a ticket", board.closing_status, &board.closing_statuses))
                (action_fields(field, board))
            } @else {
                p { "ConnectWise chooses board, status and types; the start status cannot be chosen." }
            }
            (kinds(field, board))
            (assignment_fields(field, board, owners))
            (custom_fields(field, &board.custom_fields))
            fieldset {
                legend { "When the alert is resolved" }
                small { "An alert is resolved when its source says so, no longer lists it, or when it expires without a repeat." }
                @for (value, words) in [
                    (OnResolve::Close, "The ticket is closed"),
                    (OnResolve::CloseUntouched, "The ticket is closed, unless a person worked on it. Then it gets a note (suggested if technicians work in these tickets)"),
                    (OnResolve::Note, "The ticket gets a note, and a person closes it"),
                ] {
                    label class="choice" {
                        input type="radio" name=(name("on_resolve")) value=(on_resolve_code(value)) checked[board.on_resolve == value];
                        span { (words) }
                    }
                }
            }
            label for=(name("reopen_days")) { "If the alert is raised again within this number of days, the closed ticket is reopened (0: always a new ticket)" }
            input id=(name("reopen_days")) name=(name("reopen_days")) type="number" min="0" max=(MAX_REOPEN_DAYS) required value=(board.reopen_days);
            label for=(name("renew_after_hours")) { "If a person closes the ticket and the source repeats the alert this number of hours later, a new ticket is created (0: only after the alert was resolved and raised again)" }
            input id=(name("renew_after_hours")) name=(name("renew_after_hours")) type="number" min="0" max=(MAX_RENEW_AFTER_HOURS) required value=(board.renew_after_hours);
        }
    }
}

fn action_fields(field: &str, board: &TicketBoardView) -> Markup {
    html! {
        fieldset {
            legend { "When a technician moves a ticket to a status" }
            small { "The source is notified if the operator of Ticketbridge allows that for this source, and its answer becomes a note. This also applies to tickets that have the status already when you choose it here." }
            @for (action, picked) in &board.actions {
                @let name = format!("{field}[actions][{}]", action.as_str());
                label for=(name) { (action_name(*action)) ": " (action_effect(*action)) }
                (options(&name, None, "no status", *picked, &board.action_statuses))
            }
        }
    }
}

fn action_effect(action: ActionKind) -> &'static str {
    match action {
        ActionKind::Acknowledge => "the source learns that a technician works on it",
        ActionKind::WontFix => "the alert gets no new ticket for some days",
        ActionKind::Act => {
            "the source is requested to act on the alert; what it does depends on the product"
        }
    }
}

fn kinds(field: &str, board: &TicketBoardView) -> Markup {
    let has_subtypes = !board.subtypes.is_empty();
    let has_items = !board.items.is_empty();
    html! {
        table class="cards" {
            caption { "Kinds of alert" }
            thead {
                tr {
                    th scope="col" { "Kind" } th scope="col" { "Becomes a ticket" } th scope="col" { "Ticket type" }
                    @if has_subtypes { th scope="col" { "Subtype" } }
                    @if has_items { th scope="col" { "Item" } }
                }
            }
            tbody {
                @for kind in &board.kinds {
                    tr data-types[has_subtypes] {
                        th scope="row" { (kind.name) }
                        td { label data-label="Becomes a ticket" { input type="checkbox" name="on[]" value=(kind.kind) checked[kind.on] aria-label={ (kind.name) " becomes a ticket" }; } }
                        td data-label="Ticket type" {
                            @if board.board.is_some() {
                                (options(&format!("{field}[types][{}]", kind.kind), Some(&format!("Ticket type of {}", kind.name)), BY_CONNECTWISE, kind.type_, &board.types))
                            } @else { "chosen by ConnectWise" }
                        }
                        @if has_subtypes {
                            td data-label="Subtype" {
                                (child_select(&format!("{field}[subtypes][{}]", kind.kind), &format!("Subtype of {}", kind.name), kind.subtype, &board.subtypes))
                            }
                        }
                        @if has_items {
                            td data-label="Item" {
                                (child_select(&format!("{field}[items][{}]", kind.kind), &format!("Item of {}", kind.name), kind.item, &board.items))
                            }
                        }
                    }
                }
            }
        }
        @if has_subtypes {
            small { "A subtype belongs to types, and an item to types and subtypes. If your board demands them, choose one for each kind." }
        }
    }
}

/// A list of subtypes or items. The script hides those that do not belong to what is chosen above.
fn child_select(
    name: &str,
    label: &str,
    picked: Option<RecordId>,
    offers: &[ChildOption],
) -> Markup {
    let unlisted = picked.filter(|id| !offers.iter().any(|offer| offer.id == *id));
    html! {
        select id=(name) name=(name) aria-label=(label) {
            option value="" selected[picked.is_none()] { "none" }
            @if let Some(id) = unlisted { option value=(id) selected { "number " (id) ", not listed" } }
            @for offer in offers {
                option value=(offer.id) selected[picked == Some(offer.id)] data-below=(offer.below.join(" ")) { (offer.name) }
            }
        }
    }
}

fn on_resolve_code(value: OnResolve) -> &'static str {
    match value {
        OnResolve::Close => "close",
        OnResolve::CloseUntouched => "close_untouched",
        OnResolve::Note => "note",
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Informational => "Informational",
    }
}

fn board_name(board: &TicketBoardView) -> String {
    match (&board.name, board.board) {
        (Some(name), _) => format!("board {name}"),
        (None, Some(id)) => format!("board number {id}"),
        (None, None) => "no board".to_owned(),
    }
}

fn select(name: &str, label: &str, picked: Option<RecordId>, offers: &[ChoiceOption]) -> Markup {
    html! {
        label for=(name) { (label) }
        (options(name, None, BY_CONNECTWISE, picked, offers))
    }
}

/// What a choice says that is left to ConnectWise.
const BY_CONNECTWISE: &str = "chosen by ConnectWise";

/// A list of options; `none` is the first. An option that cannot be chosen is shown with the reason. A chosen option
/// that is not listed stays until another is chosen.
fn options(
    name: &str,
    label: Option<&str>,
    none: &str,
    picked: Option<RecordId>,
    offers: &[ChoiceOption],
) -> Markup {
    let unlisted = picked.filter(|id| !offers.iter().any(|offer| offer.id == *id));
    html! {
        select id=(name) name=(name) aria-label=[label] {
            option value="" selected[picked.is_none()] { (none) }
            @if let Some(id) = unlisted { option value=(id) selected { "number " (id) ", not listed" } }
            @for offer in offers {
                option value=(offer.id) selected[picked == Some(offer.id)] disabled[offer.unfit.is_some()] {
                    (offer.name)
                    @if let Some(why) = offer.unfit { " (" (why) ")" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use domain::setup::assignment::FoundMember;
    use domain::setup::choices::{TargetIssue, check_start_status};
    use domain::setup::found_board::{FoundStatus, FoundTeam};
    use domain::setup::ticket_links::TicketLinks;

    use super::*;
    use crate::tickets::assignees::{owner_options, team_options};
    use crate::tickets::view_model::KindView;

    fn board(board: Option<RecordId>) -> TicketBoardView {
        TicketBoardView {
            board,
            name: board.map(|_| "Operations".to_owned()),
            start_status: board,
            closing_status: None,
            actions: [(ActionKind::WontFix, None)].into(),
            kinds: vec![KindView {
                kind: Kind::parse("disk").unwrap(),
                name: "Disk".to_owned(),
                on: true,
                type_: Some(99),
                subtype: Some(12),
                item: None,
                team: Some(42),
                owner: None,
            }],
            on_resolve: OnResolve::Close,
            reopen_days: 7,
            renew_after_hours: 0,
            start_statuses: vec![ChoiceOption {
                id: 7,
                name: "Completed".to_owned(),
                unfit: Some(closed_as_start()),
            }],
            closing_statuses: vec![],
            action_statuses: vec![ChoiceOption {
                id: 8,
                name: "Won't fix".to_owned(),
                unfit: None,
            }],
            types: vec![],
            subtypes: vec![ChildOption {
                id: 12,
                name: "Storage".to_owned(),
                below: vec!["7".to_owned(), "8".to_owned()],
            }],
            items: vec![ChildOption {
                id: 21,
                name: "Volume".to_owned(),
                below: vec!["7/12".to_owned()],
            }],
            team: None,
            owner: Some(151),
            teams: board
                .map(|_| team_options(&[team(41, "Service Team")]))
                .unwrap_or_default(),
            custom_fields: vec![],
        }
    }

    fn team(id: RecordId, name: &str) -> FoundTeam {
        FoundTeam {
            id,
            name: name.to_owned(),
            is_default: false,
        }
    }

    fn member(id: RecordId, name: &str) -> FoundMember {
        FoundMember {
            id,
            name: name.to_owned(),
            inactive: false,
            is_program: false,
        }
    }

    /// Why a closed status cannot be the start status.
    fn closed_as_start() -> TargetIssue {
        let status = serde_json::json!({ "id": 7, "name": "Completed", "closedStatus": true });
        let status: connectwise::BoardStatus = serde_json::from_value(status).unwrap();
        check_start_status(&FoundStatus::from(status)).unwrap_err()
    }

    #[test]
    fn tickets_shows_choices_and_unusable_options() {
        let view = TicketsView {
            version: 4,
            chosen: Some(TicketChoices {
                operations: board(Some(7)),
                cyber_alerts: board(None),
                priorities: [(Severity::High, Some(5))].into(),
                priorities_offered: vec![],
                source: None,
                sources: vec![ChoiceOption {
                    id: 6,
                    name: "Monitoring".to_owned(),
                    unfit: None,
                }],
                note_interval_minutes: 60,
                notes_for_customers: false,
                lowers_priority: false,
                links: TicketLinks {
                    configuration: true,
                    contact: false,
                },
                owners: owner_options(&[member(151, "Tara Smith")]),
                flapping: None,
                storm: None,
                wont_fix_days: 30,
            }),
            off: vec!["Priorities cannot be read.".to_owned()],
        };
        let page = render(&view);
        // The reason's words are tested in `domain`.
        let page = crate::page::lines(&page).replace(&closed_as_start().to_string(), "[reason]");
        insta::assert_snapshot!(page);
    }
}
