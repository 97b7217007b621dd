//! Shows and saves where tickets go.

use aws::invocation::Invocation;
use axum::Extension;
use connectwise::Error;
use domain::PartnerId;
use domain::alert::kind::{Category, with_added};
use domain::setup::board_targets::{choose_boards, connectwise_defaults, existing_board_target};
use store::{Actor, DedicatedBoards};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::boards::form::{DedicatedBoardsForm, DefaultBoardForm};
use crate::boards::lists::{board_lists, board_parts, default_board, usual_priorities};
use crate::boards::progress::{self, progress_response};
use crate::boards::provision::{BoardPair, BoardsProgress};
use crate::boards::reader::read;
use crate::boards::view::render;
use crate::connection::client::{Connected, problem_of, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::random;
use crate::step::SetupStep;

const PATH: &str = SetupStep::Boards.path();

/// Shows what is chosen, and the options.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(flash): QueryParams<FlashQuery>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let view = read(&setup, &session.partner, &invocation).await?;
    let content = render(&view);
    let page = page::step(&session, SetupStep::Boards, &flash, &view, &content);
    Ok(page)
}

/// Sends all tickets to the API member's default board. If it has none, everything is left to
/// ConnectWise. One conditional write: if the process dies right after, the choice is saved.
pub(crate) async fn choose_default(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(DefaultBoardForm { version }): Input<DefaultBoardForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let member = match client.my_member(invocation.call_ends()).await {
        Ok(member) => Some(member),
        // ConnectWise still uses its default board for a ticket that names none.
        Err(Error::MissingRight { .. }) => None,
        Err(err) => return Err(problem_of(&err)),
    };
    let board = member.as_ref().and_then(default_board);
    let parts = match &board {
        Some((board, _)) => board_parts(&client, *board, invocation.call_ends()).await?,
        None => None,
    };
    let kinds = with_added(&setup.added_kinds(partner).await?);
    let target = |category| match &board {
        Some((board, _)) => existing_board_target(category, *board, parts.as_ref(), &kinds),
        None => connectwise_defaults(category),
    };
    let before = table.settings.get(partner).await?;
    let settings = choose_boards(
        before.value,
        target(Category::Operations),
        target(Category::CyberAlerts),
        usual_priorities(&client, invocation.call_ends()).await?,
        connection.epoch,
    );
    saved_version(table.settings.save(partner, &settings, version).await?)?;
    let name = board.map_or_else(|| "none".to_owned(), |(_, name)| name);
    let action = (Actor::Partner, "default_board_chosen");
    let detail = [("board", name)];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    stop_provisioning(&setup, partner).await?;
    let now = invocation.now();
    setup.schedule().reconcile_and_probe(partner, now).await?;
    Ok(ChangeResponse::next(format!("{PATH}?done=saved")))
}

/// Stops creating dedicated boards that are not finished. If the process dies before this, the page
/// continues to create them, and the person chooses the default board again.
async fn stop_provisioning(setup: &Setup, partner: &PartnerId) -> Result<(), Problem> {
    let desired = setup.table().boards.get(partner).await?;
    if let Some(unfinished) = desired.value.filter(|desired| !desired.finished) {
        let finished = DedicatedBoards {
            finished: true,
            ..unfinished
        };
        setup
            .table()
            .boards
            .save(partner, &finished, desired.version)
            .await?;
    }
    Ok(())
}

/// Requests two dedicated boards. One conditional write: if the process dies right after, the page
/// goes on to create them.
pub(crate) async fn choose_dedicated(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<DedicatedBoardsForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let names = form.names()?;
    let lists = board_lists(&client, invocation.call_ends()).await;
    form.check(&lists.map_err(|err| problem_of(&err))?)?;
    let desired = form.boards(&names, connection.epoch);
    let saved = table.boards.save(partner, &desired, form.version).await?;
    saved_version(saved)?;
    let action = (Actor::Partner, "boards_asked_for");
    let detail = [
        ("operations", desired.operations.name),
        ("cyber_alerts", desired.cyber_alerts.name),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    Ok(ChangeResponse::next(PATH))
}

/// Continues to create the requested boards for as long as the request may take. If the process
/// dies after any of its calls, the next request lists what exists and goes on. Only one request
/// works at a time, because two would create the same things twice.
pub(crate) async fn progress(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let desired = table.boards.get(partner).await?.value;
    let desired = desired.filter(|desired| desired.epoch == connection.epoch);
    let Some(desired) = desired else {
        return Err(Problem::refused(
            "No boards were requested. Choose them first.",
        ));
    };
    let boards = BoardPair::new(&desired, &setup.added_kinds(partner).await?)?;
    if desired.finished {
        return Ok(progress::ready_response(boards.total()));
    }
    let id = format!("{:016x}", random::number()?);
    let (now, until) = (invocation.now(), invocation.holds_until());
    let lease = table.boards.lease(partner, &id, now, until).await?;
    let Some(lease) = lease else {
        return Ok(progress_response(&BoardsProgress {
            done: 0,
            total: boards.total(),
            doing: "another request creates the boards, perhaps in another window".to_owned(),
            wait: true,
            targets: None,
        }));
    };
    let progress =
        progress::create_boards(&setup, partner, &client, (&desired, &boards), &invocation).await;
    // Released after a failure too, so that the next request can start.
    table.boards.release(partner, &lease).await?;
    progress.map(|progress| progress_response(&progress))
}
