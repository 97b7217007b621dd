//! Sends tickets to boards that exist in ConnectWise: what a person chose, as settings.

use aws::invocation::Invocation;
use connectwise::{Client, Error};
use domain::alert::kind::{Category, with_added};
use domain::setup::board_targets::{choose_boards, connectwise_defaults, existing_board_target};
use domain::setup::found_board::{BoardParts, FoundBoard};
use domain::setup::settings::{BoardTarget, Settings};
use domain::{PartnerId, RecordId};
use tokio::time::Instant;

use crate::boards::form::ExistingBoardsForm;
use crate::boards::lists::{board_parts, offered_boards, readable_parts, usual_priorities};
use crate::connection::client::{Connected, problem_of};
use crate::context::Setup;
use crate::http::problem::Problem;

/// The settings before and after a choice of boards, and the boards for people.
pub(super) struct ChosenBoards {
    pub(super) before: Option<Settings>,
    pub(super) after: Settings,
    /// The chosen boards and those before, as far as the API member may read them.
    pub(super) parts: Vec<BoardParts>,
    pub(super) boards: Vec<FoundBoard>,
}

/// # Errors
/// When ConnectWise has no such board, or it takes no service tickets.
pub(super) async fn chosen_boards(
    setup: &Setup,
    partner: &PartnerId,
    Connected { connection, client }: &Connected,
    form: &ExistingBoardsForm,
    invocation: &Invocation,
) -> Result<ChosenBoards, Problem> {
    let ends = invocation.call_ends();
    let boards = offered_boards(client, ends).await?.boards;
    form.check(&boards)?;
    let stored = setup.table().settings.get(partner).await?.value;
    let is_same = |before: &&Settings| before.belongs_to(connection.epoch);
    let before = stored.as_ref().filter(is_same).cloned();
    let mut parts = former_parts(client, before.as_ref(), &[], ends).await?;
    for board in [form.operations.0, form.cyber_alerts.0]
        .into_iter()
        .flatten()
    {
        if !parts.iter().any(|known| known.board == board) {
            parts.extend(board_parts(client, board, ends).await?);
        }
    }
    let kinds = with_added(&setup.added_kinds(partner).await?);
    let target = |category, board: Option<RecordId>| -> BoardTarget {
        let Some(board) = board else {
            return connectwise_defaults(category);
        };
        let parts = parts.iter().find(|parts| parts.board == board);
        existing_board_target(category, board, parts, &kinds)
    };
    let after = choose_boards(
        stored,
        target(Category::Operations, form.operations.0),
        target(Category::CyberAlerts, form.cyber_alerts.0),
        usual_priorities(client, ends).await?,
        connection.epoch,
        &parts,
    );
    Ok(ChosenBoards {
        before,
        after,
        parts,
        boards,
    })
}

/// The parts of the boards that tickets go to now, unless they are `known`. A board that was deleted
/// has none.
///
/// # Errors
/// When ConnectWise fails.
pub(super) async fn former_parts(
    client: &Client,
    before: Option<&Settings>,
    known: &[BoardParts],
    ends: Instant,
) -> Result<Vec<BoardParts>, Problem> {
    let mut parts: Vec<BoardParts> = Vec::new();
    let targets = before
        .into_iter()
        .flat_map(|before| [&before.operations, &before.cyber_alerts]);
    for board in targets.filter_map(|target| target.board) {
        if parts.iter().chain(known).any(|known| known.board == board) {
            continue;
        }
        match readable_parts(client, board, ends).await {
            Ok(found) => parts.extend(found),
            Err(Error::NotFound { .. }) => {}
            Err(err) => return Err(problem_of(&err)),
        }
    }
    Ok(parts)
}
