//! The page "Boards".

use domain::alert::kind::Category;
use maud::{Markup, html};

use crate::boards::forms_view::{dedicated_form, existing_form};
use crate::boards::view_model::{BoardsMode, BoardsView, category_title};
use crate::paths;
use crate::step::SetupStep;

pub(super) fn render(view: &BoardsView) -> Markup {
    html! {
        @match view.mode {
            BoardsMode::NotConnected => {
                p { "Nothing is connected yet." }
                p { a href=(SetupStep::Connection.path()) { "Connect ConnectWise" } }
            }
            BoardsMode::NotChosen => p { "Choose where tickets go." },
            BoardsMode::Making => (being_created(view)),
            BoardsMode::TwoBoards => (two_boards(view)),
            BoardsMode::OneBoard => p { "All tickets go to the board " strong { (view.board_name(view.operations.as_ref())) } "." },
            BoardsMode::LeftToConnectwise => {
                p { "No board is chosen: ConnectWise chooses board, type and status. The start status cannot be chosen." }
            }
        }
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @if !view.off.is_empty() { p { a href=(SetupStep::Check.path()) { "Check connection" } } }
        @match view.mode {
            // Another choice would compete with the work.
            BoardsMode::NotConnected | BoardsMode::Making => {}
            BoardsMode::NotChosen | BoardsMode::TwoBoards | BoardsMode::OneBoard | BoardsMode::LeftToConnectwise => {
                @if let Some(existing) = &view.existing { (existing_form(view, existing)) }
                @if let Some(options) = &view.offers { (dedicated_form(view, options)) }
            }
        }
    }
}

fn being_created(view: &BoardsView) -> Markup {
    let action = paths::BOARDS_PROGRESS;
    html! {
        @if let Some(making) = &view.making {
            section aria-label="Creating the boards" data-progress=(action) data-request="{\"seconds\":2}" {
                p { "The boards \"" (making.operations) "\" and \"" (making.cyber_alerts) "\" are being created in ConnectWise. You may leave this page and come back: it continues where it stopped." }
                p { progress max=(making.total) value=[making.done] aria-label="Progress of the boards" {} }
                p data-doing role="status" { @if let Some(done) = making.done { (done) " of " (making.total) " parts exist." } }
                form method="post" action=(action) { button { "Continue" } }
            }
            form method="post" action=(paths::STOP_BOARDS) {
                p { "To choose other boards, stop first. What exists already stays in ConnectWise, and is used if you choose the same names again." }
                button class="plain" { "Stop creating boards" }
            }
        }
    }
}

fn two_boards(view: &BoardsView) -> Markup {
    html! {
        p { "Tickets go to these boards:" }
        dl {
            dt { (category_title(Category::Operations)) } dd { (view.board_name(view.operations.as_ref())) }
            dt { (category_title(Category::CyberAlerts)) } dd { (view.board_name(view.cyber_alerts.as_ref())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::RecordId;
    use store::{DedicatedBoard, DedicatedBoards};

    use super::*;
    use crate::boards::view_model::{
        BoardOptions, ChosenBoard, ExistingBoards, LocationOption, NamedOption,
    };

    fn option(id: RecordId, name: &str) -> NamedOption {
        NamedOption {
            id,
            name: name.to_owned(),
        }
    }

    fn existing(default: Option<NamedOption>) -> ExistingBoards {
        ExistingBoards {
            usable: vec![option(20, "Alerts"), option(21, "Service Desk")],
            default,
            has_no_default: false,
        }
    }

    fn options() -> BoardOptions {
        BoardOptions {
            locations: vec![LocationOption {
                id: 2,
                name: "Springfield".to_owned(),
                departments: vec![10],
            }],
            departments: vec![option(10, "Professional Services")],
            team_leads: vec![
                option(151, "Tom Smith (TSmith)"),
                option(152, "Ann Lee (ALee)"),
            ],
        }
    }

    fn requested() -> DedicatedBoards {
        let board = |name: &str, team_lead| DedicatedBoard {
            name: name.to_owned(),
            location: 2,
            department: 10,
            team_lead,
        };
        DedicatedBoards {
            operations: board("Watch", 152),
            // A member who has left.
            cyber_alerts: board("Security", 153),
            epoch: 1,
            finished: true,
        }
    }

    #[test]
    fn boards_offers_existing_and_dedicated_boards() {
        let view = BoardsView {
            mode: BoardsMode::NotChosen,
            existing: Some(existing(Some(option(21, "Service Desk")))),
            offers: Some(options()),
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn boards_shows_what_was_chosen_in_its_forms() {
        let chosen = |board, name: Option<&str>| ChosenBoard {
            board,
            name: name.map(str::to_owned),
        };
        let view = BoardsView {
            mode: BoardsMode::TwoBoards,
            operations: Some(chosen(20, Some("Alerts"))),
            cyber_alerts: Some(chosen(29, None)),
            existing: Some(ExistingBoards {
                has_no_default: true,
                ..existing(None)
            }),
            offers: Some(options()),
            requested: Some(requested()),
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn boards_says_nothing_of_a_connectwise_that_cannot_be_read() {
        let view = BoardsView {
            mode: BoardsMode::OneBoard,
            operations: Some(ChosenBoard {
                board: 21,
                name: None,
            }),
            off: vec!["ConnectWise is down.".to_owned()],
            ..BoardsView::not_connected(1, 2)
        };
        insta::assert_snapshot!(crate::page::lines(&render(&view)));
    }

    #[test]
    fn boards_does_not_call_a_default_board_missing_that_it_cannot_read() {
        let view = BoardsView {
            mode: BoardsMode::NotChosen,
            existing: Some(existing(None)),
            ..BoardsView::not_connected(1, 2)
        };
        let page = crate::page::lines(&render(&view));
        assert!(page.contains("Board for operations"), "{page}");
        assert!(!page.contains("no default service board"), "{page}");
    }

    #[test]
    fn boards_shows_the_progress_of_new_boards() {
        let mut view = BoardsView {
            off: vec!["ConnectWise is down.".to_owned()],
            ..BoardsView::not_connected(1, 2)
        };
        view.set_making(&requested(), Some(7), 22);
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
