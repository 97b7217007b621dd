//! Shows and saves where tickets go.

use aws::invocation::Invocation;
use axum::Extension;
use axum::response::{IntoResponse, Response};
use domain::PartnerId;
use domain::alert::kind::{Category, with_added};
use domain::setup::settings::Settings;
use store::{Actor, DedicatedBoards};

use crate::audit;
use crate::audit::NONE;
use crate::auth::session::PartnerSession;
use crate::boards::existing::chosen_boards;
use crate::boards::form::{DedicatedBoardsForm, ExistingBoardsForm, ProgressForm};
use crate::boards::lists::board_lists;
use crate::boards::progress::{self, progress_response};
use crate::boards::provision::{BoardPair, plan};
use crate::boards::reader::read;
use crate::boards::review::{self, PlannedBoard, ReviewView, ReviewedForm, board_name};
use crate::boards::view::render;
use crate::boards::work_time::WorkTime;
use crate::connection::client::{Connected, problem_of, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::paths;
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

/// Sends tickets to boards that exist, after a person has seen what will change. One conditional
/// write: if the process dies right after, the choice is saved.
pub(crate) async fn choose_existing(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ExistingBoardsForm>,
) -> Result<Response, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let connected = require_connected(&setup, partner).await?;
    let chosen = chosen_boards(&setup, partner, &connected, &form, &invocation).await?;
    if !form.reviewed {
        let kinds = with_added(&setup.added_kinds(partner).await?);
        let view = ReviewView::of_existing(connected.connection.confirmed, &chosen, &kinds);
        let form = ReviewedForm {
            action: paths::EXISTING_BOARDS,
            fields: form.fields(),
            button: "Use these boards",
        };
        return Ok(review_page(&session, &view, &form));
    }
    saved_version(
        table
            .settings
            .save(partner, &chosen.after, form.version)
            .await?,
    )?;
    let action = (Actor::Partner, "boards_chosen");
    let detail = [Category::Operations, Category::CyberAlerts].map(|category| {
        let name = |settings: &Settings| board_name(settings.board(category).board, &chosen.boards);
        let before = chosen.before.as_ref().map_or_else(|| NONE.to_owned(), name);
        let label = match category {
            Category::Operations => "operations",
            Category::CyberAlerts => "cyber_alerts",
        };
        (label, audit::changed(&before, &name(&chosen.after)))
    });
    audit::record(&setup, partner, action, &detail, &invocation).await;
    stop_provisioning(&setup, partner).await?;
    let now = invocation.now();
    setup.schedule().reconcile_and_probe(partner, now).await?;
    Ok(ChangeResponse::next(format!("{PATH}?done=saved")).into_response())
}

fn review_page(session: &PartnerSession, view: &ReviewView, form: &ReviewedForm) -> Response {
    let content = review::render(view, form);
    let nothing_done = FlashQuery::default();
    page::step(session, SetupStep::Boards, &nothing_done, view, &content).into_response()
}

/// Ends the work on dedicated boards. What was created stays in ConnectWise.
pub(crate) async fn stop(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    if stop_provisioning(&setup, partner).await? {
        let action = (Actor::Partner, "boards_stopped");
        audit::record(&setup, partner, action, &[], &invocation).await;
    }
    Ok(ChangeResponse::next(PATH))
}

/// Stops creating dedicated boards; `false` if none are unfinished. If the process dies before this,
/// the page continues to create them, and the person stops them or chooses other boards again.
async fn stop_provisioning(setup: &Setup, partner: &PartnerId) -> Result<bool, Problem> {
    let boards = &setup.table().boards;
    // A conflict means that others were requested or finished meanwhile.
    for _ in 0..3 {
        let desired = boards.get(partner).await?;
        let Some(unfinished) = desired.value.filter(|desired| !desired.finished) else {
            return Ok(false);
        };
        let finished = DedicatedBoards {
            finished: true,
            ..unfinished
        };
        let saved = boards.save(partner, &finished, desired.version).await?;
        if saved.is_saved() {
            return Ok(true);
        }
    }
    Err(Problem::conflict())
}

/// Requests two dedicated boards, after a person has seen what will be created. One conditional
/// write: if the process dies right after, the page goes on to create them.
pub(crate) async fn choose_dedicated(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<DedicatedBoardsForm>,
) -> Result<Response, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let names = form.names()?;
    let lists = board_lists(&client, invocation.call_ends()).await;
    form.check(&lists.map_err(|err| problem_of(&err))?)?;
    let desired = form.boards(&names, connection.epoch);
    if !form.reviewed {
        let boards = BoardPair::new(&desired, &setup.added_kinds(partner).await?)?;
        let (existing, plans) = plan(&client, &boards, invocation.calls_end()).await?;
        let before = table.settings.get(partner).await?.value;
        let before = before.filter(|before| before.belongs_to(connection.epoch));
        let planned = |category, name, plan| PlannedBoard {
            category,
            name,
            plan,
        };
        let planned = [
            planned(Category::Operations, names[0].as_str(), &plans[0]),
            planned(Category::CyberAlerts, names[1].as_str(), &plans[1]),
        ];
        let live = connection.confirmed;
        let view = ReviewView::of_dedicated(live, before.as_ref(), &existing, planned);
        let form = ReviewedForm {
            action: paths::DEDICATED_BOARDS,
            fields: form.fields(&names),
            button: view.button(),
        };
        return Ok(review_page(&session, &view, &form));
    }
    let saved = table.boards.save(partner, &desired, form.version).await?;
    saved_version(saved)?;
    let action = (Actor::Partner, "boards_asked_for");
    let detail = [
        ("operations", desired.operations.name),
        ("cyber_alerts", desired.cyber_alerts.name),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    Ok(ChangeResponse::next(PATH).into_response())
}

/// Continues to create the requested boards for as long as the request may take. If the process
/// dies after any of its calls, the next request lists what exists and goes on. Only one request
/// works at a time, because two would create the same things twice.
pub(crate) async fn progress(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ProgressForm>,
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
        return Ok(progress::waiting_response());
    };
    let time = WorkTime::new(form.seconds, &invocation);
    let work = (&desired, &boards, time);
    let progress = progress::create_boards(&setup, partner, &client, work, &invocation).await;
    // Released after a failure too, so that the next request can start.
    table.boards.release(partner, &lease).await?;
    progress.map(|progress| progress_response(&progress))
}
