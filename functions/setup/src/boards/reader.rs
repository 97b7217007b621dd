//! Reads where tickets go, and the options.

use aws::invocation::Invocation;
use domain::PartnerId;
use tokio::join;

use crate::boards::lists::{board_lists, default_board};
use crate::boards::provision::BoardPair;
use crate::boards::view::BoardsView;
use crate::connection::client::{Connected, connected, problem_of};
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
    let ends = invocation.call_ends();
    let (member, boards, lists) = join!(
        client.my_member(ends),
        client.board_infos(ends),
        board_lists(&client, ends)
    );
    let boards = boards.unwrap_or_else(|err| {
        view.off.push(problem_of(&err).detail);
        Vec::new()
    });
    view.set_choice(settings.as_ref(), desired.as_ref(), &boards);
    match member {
        Ok(member) => view.default_board = default_board(&member).map(|board| board.1),
        Err(err) => view.off.push(problem_of(&err).detail),
    }
    view.set_options(lists);
    view.off.dedup();
    if let Some(desired) = desired.filter(|desired| !desired.finished) {
        let added_kinds = setup.added_kinds(partner).await?;
        let total = BoardPair::new(&desired, &added_kinds)?.total();
        view.set_requested(desired, total);
    }
    Ok(view)
}
