//! A worker or a run of reconcile may die at any of its calls: an alert that maintenance held has
//! one ticket afterwards if it is still active, and otherwise none.

use domain::Blocked;

use crate::environment::after;
use crate::proxy::{Stop, When};
use crate::reconcile::dying_runs::DyingRuns;
use crate::reconcile::maintenance::{save, window};
use crate::tickets::crash_scenario::EventKind;

/// Opens a window that is long enough for every death of a worker.
async fn open_window(runs: &DyingRuns) {
    let patch = window(after(runs.now, -60), Some(24 * 60));
    save(&runs.table, &[("patch", patch)]).await;
}

async fn is_held(runs: &DyingRuns, alert: &str) -> bool {
    let reason = runs.lane.env.reason(alert).await;
    matches!(reason, Some(Blocked::Maintenance(_)))
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_leaves_an_alert_to_the_end_of_maintenance() {
    let mut runs = DyingRuns::new().await;
    for when in [When::Before, When::Lost] {
        for at in 1.. {
            runs.lane.env.connectwise.reset().await;
            open_window(&runs).await;
            let alert = format!("held-{when:?}-{at}").to_lowercase();
            let stop = Some(Stop { at, when });
            let has_died = runs.send(&alert, EventKind::Raised, stop).await;
            assert!(is_held(&runs, &alert).await, "{when:?} {at}");
            let tickets = runs.lane.env.connectwise.tickets().await;
            assert_eq!(tickets.len(), 0, "{when:?} {at}");
            save(&runs.table, &[]).await;
            runs.reconcile(None).await;
            let tickets = runs.lane.env.connectwise.tickets().await;
            assert_eq!(tickets.len(), 1, "{when:?} {at}");
            if !has_died {
                assert!(at > 2, "{at} calls are no run");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_dies_at_any_call_releases_each_alert_after_maintenance_once() {
    let mut runs = DyingRuns::new().await;
    // A death before a call equals one after the effect of the call before.
    let when = When::Lost;
    for at in 1.. {
        runs.lane.env.connectwise.reset().await;
        open_window(&runs).await;
        let name = |what: &str| format!("{what}-{at}");
        let (active, resolved) = (name("active"), name("resolved"));
        for alert in [&active, &resolved] {
            runs.send(alert, EventKind::Raised, None).await;
            assert!(is_held(&runs, alert).await, "{at}");
        }
        runs.send(&resolved, EventKind::Resolved, None).await;
        save(&runs.table, &[]).await;
        let mut has_died = false;
        for _ in 0..3 {
            has_died |= runs.reconcile(Some(Stop { at, when })).await;
        }
        let tickets = runs.lane.env.connectwise.tickets().await;
        assert_eq!(tickets.len(), 1, "{at}");
        let record = |alert| runs.lane.env.record(alert);
        let (active, resolved) = (record(&active).await, record(&resolved).await);
        assert!(active.unwrap().open().is_some(), "{at}");
        assert!(resolved.unwrap().open().is_none(), "{at}");
        if !has_died {
            assert!(at > 4, "{at} calls are no run");
            break;
        }
    }
}
