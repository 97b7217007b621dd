//! Creates the dedicated boards over several requests, then sends tickets to them.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use connectwise::Client;
use domain::alert::event::Severity;
use domain::alert::kind::Category;
use domain::setup::board_targets::choose_boards;
use domain::setup::settings::Settings;
use domain::{PartnerId, RecordId};
use store::{Actor, DedicatedBoards, SaveOutcome};

use crate::audit;
use crate::boards::existing::former_parts;
use crate::boards::lists::{offered_boards, usual_priorities};
use crate::boards::provision::{BoardPair, BoardTargets, BoardsProgress, provision};
use crate::boards::review::board_name;
use crate::boards::work_time::WorkTime;
use crate::context::Setup;
use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::paths;
use crate::step::SetupStep;

/// Creates boards until the time is over. Once all parts exist, tickets go to them.
pub(super) async fn create_boards(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    (desired, boards, time): (&DedicatedBoards, &BoardPair, WorkTime),
    invocation: &Invocation,
) -> Result<BoardsProgress, Problem> {
    let progress = provision(client, boards, time).await?;
    let Some(targets) = &progress.targets else {
        return Ok(progress);
    };
    let now = setup.table().boards.get(partner).await?;
    if now.value.as_ref() != Some(desired) {
        // Other boards were requested meanwhile: the next request creates those.
        return Ok(BoardsProgress {
            targets: None,
            ..progress
        });
    }
    let usual = usual_priorities(client, invocation.call_ends()).await?;
    let before = setup.table().settings.get(partner).await?.value;
    save_targets(
        setup,
        partner,
        client,
        targets,
        (&usual, desired.epoch),
        invocation,
    )
    .await?;
    mark_finished(setup, partner, desired, now.version).await?;
    let action = (Actor::Partner, "boards_ready");
    let before = before.filter(|before| before.belongs_to(desired.epoch));
    // For the history alone, so only once everything is saved.
    let [operations, cyber_alerts] = board_names(before.as_ref(), client, invocation).await;
    let detail = [
        (
            "operations",
            audit::changed(&operations, &desired.operations.name),
        ),
        (
            "cyber_alerts",
            audit::changed(&cyber_alerts, &desired.cyber_alerts.name),
        ),
    ];
    audit::record(setup, partner, action, &detail, invocation).await;
    setup
        .schedule()
        .reconcile_and_probe(partner, invocation.now())
        .await?;
    Ok(progress)
}

/// The names of the boards in these settings. A board whose name cannot be read has its number.
async fn board_names(
    settings: Option<&Settings>,
    client: &Client,
    invocation: &Invocation,
) -> [String; 2] {
    let Some(settings) = settings else {
        return [audit::NONE, audit::NONE].map(str::to_owned);
    };
    let offered = offered_boards(client, invocation.call_ends()).await.ok();
    let boards = offered.map(|offered| offered.boards).unwrap_or_default();
    let categories = [Category::Operations, Category::CyberAlerts];
    categories.map(|category| board_name(settings.board(category).board, &boards))
}

/// Sends tickets to the boards. Other settings that were saved meanwhile are kept. If the
/// process dies right after, the next request finds all parts and saves the same again.
async fn save_targets(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    targets: &BoardTargets,
    (usual, epoch): (&BTreeMap<Severity, RecordId>, u32),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let table = setup.table();
    for _ in 0..3 {
        let before = table.settings.get(partner).await?;
        let same = before.value.as_ref();
        let same = same.filter(|before| before.belongs_to(epoch));
        let ends = invocation.call_ends();
        let mut parts = former_parts(client, same, &targets.parts, ends).await?;
        parts.extend(targets.parts.iter().cloned());
        let settings = choose_boards(
            before.value,
            targets.operations.clone(),
            targets.cyber_alerts.clone(),
            usual.clone(),
            epoch,
            &parts,
        );
        let saved = table.settings.save(partner, &settings, before.version);
        if saved.await? != SaveOutcome::Conflict {
            return Ok(());
        }
    }
    Err(Problem::conflict())
}

/// If the process dies before this write, the next request finds all parts and marks the boards. A
/// conflict means that other boards were requested meanwhile; the next request creates those.
async fn mark_finished(
    setup: &Setup,
    partner: &PartnerId,
    desired: &DedicatedBoards,
    version: u64,
) -> Result<(), Problem> {
    let finished = DedicatedBoards {
        finished: true,
        ..desired.clone()
    };
    let boards = &setup.table().boards;
    let _saved_or_conflict = boards.save(partner, &finished, version).await?;
    Ok(())
}

pub(super) fn progress_response(progress: &BoardsProgress) -> ChangeResponse {
    if progress.targets.is_some() {
        return ready_response(progress.total);
    }
    let response = ChangeResponse::next(paths::BOARDS_PROGRESS)
        .with("done", progress.done)
        .with("total", progress.total)
        .with("doing", sentence(&progress.doing));
    if progress.wait {
        response.with("wait", true)
    } else {
        response
    }
}

/// Another request works on the boards. It ends within seconds, and its progress is not known here.
pub(super) fn waiting_response() -> ChangeResponse {
    ChangeResponse::next(paths::BOARDS_PROGRESS)
        .with(
            "doing",
            "Another request creates the boards. It ends within seconds.",
        )
        .with("wait", true)
}

pub(super) fn ready_response(total: usize) -> ChangeResponse {
    ChangeResponse::next(format!("{}?done=boards_ready", SetupStep::Boards.path()))
        .with("done", total)
        .with("total", total)
        .with("doing", "Both boards are ready.")
}
