//! What a choice of boards changes, shown before it is saved.

use domain::RecordId;
use domain::alert::kind::{Category, KindInfo};
use domain::setup::dedicated_board::{BoardPlan, BoardStep};
use domain::setup::found_board::{BoardParts, FoundBoard};
use domain::setup::settings::{BoardTarget, Settings};
use maud::{Markup, html};
use serde::Serialize;

use crate::boards::existing::ChosenBoards;
use crate::boards::view_model::category_title;
use crate::step::SetupStep;

#[derive(Debug, Serialize)]
pub(super) struct ReviewView {
    /// Alerts become tickets already.
    live: bool,
    boards: Vec<BoardReview>,
}

#[derive(Debug, Serialize)]
struct BoardReview {
    category: Category,
    /// The board that tickets go to now.
    before: Option<String>,
    after: String,
    changes: bool,
    #[serde(flatten)]
    result: BoardResult,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum BoardResult {
    /// The parts that are created in ConnectWise.
    Creates(Vec<String>),
    /// What new tickets get on the board.
    Uses(TicketDefaults),
}

#[derive(Debug, Serialize)]
struct TicketDefaults {
    start_status: Option<String>,
    closing_status: Option<String>,
    types: Vec<KindType>,
}

#[derive(Debug, Serialize)]
struct KindType {
    kind: String,
    #[serde(rename = "type")]
    type_: Option<String>,
}

/// The form that was sent, to be sent again once a person agrees.
pub(super) struct ReviewedForm {
    pub(super) action: &'static str,
    pub(super) fields: Vec<(String, String)>,
    pub(super) button: &'static str,
}

impl ReviewView {
    pub(super) fn of_existing(live: bool, chosen: &ChosenBoards, kinds: &[KindInfo]) -> Self {
        let review = |category| {
            let target = chosen.after.board(category);
            let parts = chosen
                .parts
                .iter()
                .find(|parts| Some(parts.board) == target.board);
            let before = chosen.before.as_ref().map(|before| before.board(category));
            BoardReview {
                category,
                before: before.map(|before| board_name(before.board, &chosen.boards)),
                after: board_name(target.board, &chosen.boards),
                changes: before.is_none_or(|before| before.board != target.board),
                result: BoardResult::Uses(ticket_defaults(category, target, parts, kinds)),
            }
        };
        Self {
            live,
            boards: vec![review(Category::Operations), review(Category::CyberAlerts)],
        }
    }

    pub(super) fn of_dedicated(
        live: bool,
        before: Option<&Settings>,
        boards: &[FoundBoard],
        planned: [PlannedBoard<'_>; 2],
    ) -> Self {
        let review = |planned: PlannedBoard<'_>| {
            let before = before.map(|before| before.board(planned.category).board);
            let present = match planned.plan {
                BoardPlan::New => None,
                BoardPlan::Look { board } | BoardPlan::Existing { board, .. } => Some(*board),
            };
            BoardReview {
                category: planned.category,
                before: before.map(|before| board_name(before, boards)),
                after: planned.name.to_owned(),
                changes: before.is_none_or(|before| before.is_none() || before != present),
                result: BoardResult::Creates(created_parts(planned.plan)),
            }
        };
        Self {
            live,
            boards: planned.map(review).into(),
        }
    }
}

/// A dedicated board, and what is created of it.
pub(super) struct PlannedBoard<'a> {
    pub(super) category: Category,
    pub(super) name: &'a str,
    pub(super) plan: &'a BoardPlan,
}

/// A board for people.
pub(super) fn board_name(board: Option<RecordId>, boards: &[FoundBoard]) -> String {
    match board {
        None => "chosen by ConnectWise".to_owned(),
        Some(id) => match boards.iter().find(|board| board.id == id) {
            Some(board) => board.name.clone(),
            None => format!("board number {id}"),
        },
    }
}

fn ticket_defaults(
    category: Category,
    target: &BoardTarget,
    parts: Option<&BoardParts>,
    kinds: &[KindInfo],
) -> TicketDefaults {
    let status = |id: Option<RecordId>| {
        let mut statuses = parts?.statuses.iter();
        let found = statuses.find(|status| Some(status.id) == id);
        found.map(|status| status.name.clone())
    };
    let type_name = |id: &RecordId| {
        let mut types = parts?.types.iter();
        let found = types.find(|found| found.id == *id);
        found.map(|found| found.name.clone())
    };
    let kinds = kinds.iter().filter(|info| info.category == category);
    TicketDefaults {
        start_status: status(target.start_status),
        closing_status: status(target.closing_status),
        types: kinds
            .map(|info| KindType {
                kind: info.type_name.clone(),
                type_: target.types.get(&info.kind).and_then(type_name),
            })
            .collect(),
    }
}

impl ReviewView {
    /// What the button of the review does.
    pub(super) fn button(&self) -> &'static str {
        let creates = |board: &BoardReview| match &board.result {
            BoardResult::Creates(parts) => !parts.is_empty(),
            BoardResult::Uses(_) => false,
        };
        match self.boards.iter().any(creates) {
            true => "Create these parts",
            false => "Use these boards",
        }
    }
}

/// The parts that are created, in words.
fn created_parts(plan: &BoardPlan) -> Vec<String> {
    match plan {
        BoardPlan::New => vec![
            "the board with its statuses \"New\" and \"Closed\", its team, and a ticket type for each kind of alert"
                .to_owned(),
        ],
        BoardPlan::Look { .. } => Vec::new(),
        BoardPlan::Existing { missing, .. } => missing.iter().map(part).collect(),
    }
}

fn part(step: &BoardStep) -> String {
    match step {
        BoardStep::MakeBoard { name, .. } => format!("the board \"{}\"", name.as_str()),
        BoardStep::MakeStatus { name, .. } => format!("the status \"{name}\""),
        BoardStep::MakeDefault { .. } => {
            "the status \"New\" becomes the board's default".to_owned()
        }
        BoardStep::MakeType { name, .. } => format!("the ticket type \"{name}\""),
        BoardStep::MakeTeam { name, .. } => format!("the team \"{name}\""),
    }
}

pub(super) fn render(view: &ReviewView, form: &ReviewedForm) -> Markup {
    html! {
        p { "Nothing is saved yet. Check what will change." }
        @for board in &view.boards { (board_review(board)) }
        @if view.live && view.boards.iter().any(|board| board.changes) {
            p class="note" role="note" {
                "Ticketbridge is live: new tickets go to the new board as soon as you save. Open tickets stay on their board, and are still updated and closed there."
            }
        }
        form method="post" action=(form.action) {
            @for (name, value) in &form.fields { input type="hidden" name=(name) value=(value); }
            input type="hidden" name="reviewed" value="true";
            button { (form.button) }
        }
        p { a href=(SetupStep::Boards.path()) { "Back to the choice" } }
    }
}

fn board_review(board: &BoardReview) -> Markup {
    html! {
        h2 { (category_title(board.category)) }
        p {
            @match &board.before {
                Some(before) if board.changes => { "Tickets go to " strong { (board.after) } " instead of " strong { (before) } "." }
                Some(_) => { "Tickets go to " strong { (board.after) } ", as before." }
                None => { "Tickets go to " strong { (board.after) } "." }
            }
        }
        @match &board.result {
            BoardResult::Creates(parts) if parts.is_empty() => p { "The board exists and has all parts. Nothing is created." },
            BoardResult::Creates(parts) => {
                p { "This will be created in ConnectWise:" }
                ul { @for part in parts { li { (part) } } }
            }
            BoardResult::Uses(defaults) => (defaults_table(defaults)),
        }
    }
}

fn defaults_table(defaults: &TicketDefaults) -> Markup {
    let row = |what: &str, name: Option<&String>| {
        html! { tr { th scope="row" { (what) } td { @match name { Some(name) => (name), None => "chosen by ConnectWise" } } } }
    };
    html! {
        table {
            caption { "What new tickets get" }
            tbody {
                (row("Status of a new ticket", defaults.start_status.as_ref()))
                (row("Status that closes a ticket", defaults.closing_status.as_ref()))
                @for kind in &defaults.types { (row(&format!("Type of {}", kind.kind), kind.type_.as_ref())) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ReviewedForm {
        ReviewedForm {
            action: "boards-existing",
            fields: vec![("operations".to_owned(), "21".to_owned())],
            button: "Use these boards",
        }
    }

    fn board(category: Category, before: Option<&str>, result: BoardResult) -> BoardReview {
        BoardReview {
            category,
            before: before.map(str::to_owned),
            after: "Service Desk".to_owned(),
            changes: before != Some("Service Desk"),
            result,
        }
    }

    #[test]
    fn a_review_shows_what_changes_for_a_live_partner() {
        let types = vec![KindType {
            kind: "Disk".to_owned(),
            type_: None,
        }];
        let defaults = TicketDefaults {
            start_status: Some("New".to_owned()),
            closing_status: None,
            types,
        };
        let view = ReviewView {
            live: true,
            boards: vec![
                board(
                    Category::Operations,
                    Some("Watch"),
                    BoardResult::Uses(defaults),
                ),
                board(
                    Category::CyberAlerts,
                    Some("Service Desk"),
                    BoardResult::Creates(vec![]),
                ),
            ],
        };
        insta::assert_snapshot!(crate::page::lines(&render(&view, &form())));
    }

    #[test]
    fn a_review_names_each_part_that_is_created() {
        let name = domain::setup::board_name::BoardName::parse("Watch").unwrap();
        let missing = [
            BoardStep::MakeBoard {
                name,
                location: 2,
                department: 10,
            },
            BoardStep::MakeTeam {
                board: 7,
                name: "Operations",
                lead: 151,
                is_default: true,
            },
        ];
        let parts: Vec<_> = missing.iter().map(part).collect();
        assert_eq!(parts, ["the board \"Watch\"", "the team \"Operations\""]);
        let view = ReviewView {
            live: false,
            boards: vec![board(
                Category::Operations,
                None,
                BoardResult::Creates(parts),
            )],
        };
        assert_eq!(view.button(), "Create these parts");
        let complete = ReviewView {
            live: false,
            boards: vec![board(
                Category::Operations,
                None,
                BoardResult::Creates(vec![]),
            )],
        };
        assert_eq!(complete.button(), "Use these boards");
        let page = render(&view, &form()).0;
        assert!(page.contains("the team &quot;Operations&quot;"), "{page}");
        assert!(!page.contains("Ticketbridge is live"), "{page}");
    }
}
