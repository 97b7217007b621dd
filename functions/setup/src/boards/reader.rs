//! Reads where tickets go, and the options.

use aws::invocation::Invocation;
use connectwise::Client;
use domain::PartnerId;
use domain::setup::dedicated_board::BoardPlan;
use store::DedicatedBoards;
use tokio::join;

use crate::boards::lists::{board_lists, offered_boards};
use crate::boards::provision::{BoardPair, plan};
use crate::boards::view_model::BoardsView;
use crate::connection::client::{Connected, connected, missing_right};
use crate::context::Setup;
use crate::http::problem::Problem;

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<BoardsView, Problem> {
    let settings = setup.table().settings.get(partner).await?;
    let desired = setup.table().boards.get(partner).await?;
    let mut view = BoardsView::not_connected(settings.version, desired.version);
    let Some(Connected { connection, client }) = connected(setup, partner).await? else {
        return Ok(view);
    };
    let settings = settings.value;
    let settings = settings.filter(|settings| settings.belongs_to(connection.epoch));
    let desired = desired.value;
    let desired = desired.filter(|desired| desired.epoch == connection.epoch);
    if let Some(desired) = desired.as_ref().filter(|desired| !desired.finished) {
        read_progress(setup, partner, &client, (&mut view, desired), invocation).await?;
        return Ok(view);
    }
    let ends = invocation.call_ends();
    let (offered, lists) = join!(offered_boards(&client, ends), board_lists(&client, ends));
    let boards = match offered {
        Ok(offered) => {
            let missing = offered.missing_rights.iter();
            view.off.extend(missing.map(|right| missing_right(right)));
            view.set_offered(&offered);
            offered.boards
        }
        Err(problem) => {
            view.off.push(problem.detail);
            Vec::new()
        }
    };
    view.set_choice(settings.as_ref(), &boards);
    view.set_options(lists);
    view.set_requested(desired);
    view.off.dedup();
    Ok(view)
}

/// How much ConnectWise has already of the boards that are being created.
async fn read_progress(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    (view, desired): (&mut BoardsView, &DedicatedBoards),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let boards = BoardPair::new(desired, &setup.added_kinds(partner).await?)?;
    let done = match plan(client, &boards, invocation.call_ends()).await {
        Ok((_, plans)) => Some(plans.iter().map(BoardPlan::done).sum()),
        Err(problem) => {
            view.off.push(problem.detail);
            None
        }
    };
    view.set_making(desired, done, boards.total());
    Ok(())
}
