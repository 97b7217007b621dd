//! Creates the dedicated boards over several requests, then sends tickets to them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::invocation::Invocation;
use connectwise::Client;
use domain::alert::event::Severity;
use domain::setup::board_targets::choose_boards;
use domain::setup::settings::BoardTarget;
use domain::{PartnerId, RecordId};
use store::{Actor, DedicatedBoards, SaveOutcome};
use tokio::time::Instant;

use crate::audit;
use crate::boards::lists::usual_priorities;
use crate::boards::provision::{BoardPair, BoardTargets, BoardsProgress, provision};
use crate::context::Setup;
use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::paths;
use crate::step::SetupStep;

/// The time that is left for the last call at least, if the invocation is shorter than usual.
const LAST_CALL: Duration = Duration::from_secs(4);
/// How long one request works. The gateway's limit is 30 s, and the last call needs some of them.
const WORK_TIME: Duration = Duration::from_secs(20);

/// Creates boards until the time is over. Once all parts exist, tickets go to them.
pub(super) async fn create_boards(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    (desired, boards): (&DedicatedBoards, &BoardPair),
    invocation: &Invocation,
) -> Result<BoardsProgress, Problem> {
    let calls_end = invocation.calls_end();
    let latest = calls_end.checked_sub(LAST_CALL).unwrap_or(calls_end);
    let until = latest.min(Instant::now() + WORK_TIME);
    let progress = provision(client, boards, until, calls_end).await?;
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
    save_targets(setup, partner, targets, &usual, desired.epoch).await?;
    mark_finished(setup, partner, desired, now.version).await?;
    let board = |target: &BoardTarget| target.board.unwrap_or_default().to_string();
    let action = (Actor::Partner, "boards_ready");
    let detail = [
        ("operations", board(&targets.operations)),
        ("cyber_alerts", board(&targets.cyber_alerts)),
    ];
    audit::record(setup, partner, action, &detail, invocation).await;
    setup
        .schedule()
        .reconcile_and_probe(partner, invocation.now())
        .await?;
    Ok(progress)
}

/// Sends tickets to the boards. Other settings that were saved meanwhile are kept. If the
/// process dies right after, the next request finds all parts and saves the same again.
async fn save_targets(
    setup: &Setup,
    partner: &PartnerId,
    targets: &BoardTargets,
    usual: &BTreeMap<Severity, RecordId>,
    epoch: u32,
) -> Result<(), Problem> {
    let table = setup.table();
    for _ in 0..3 {
        let before = table.settings.get(partner).await?;
        let settings = choose_boards(
            before.value,
            targets.operations.clone(),
            targets.cyber_alerts.clone(),
            usual.clone(),
            epoch,
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
    setup
        .table()
        .boards
        .save(partner, &finished, version)
        .await?;
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

pub(super) fn ready_response(total: usize) -> ChangeResponse {
    ChangeResponse::next(format!("{}?done=boards_ready", SetupStep::Boards.path()))
        .with("done", total)
        .with("total", total)
        .with("doing", "Both boards are ready.")
}
