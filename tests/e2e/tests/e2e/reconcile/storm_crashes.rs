//! A worker or a run of reconcile may die at any of its calls: a storm still has one ticket, which
//! lists each of its alerts once and is closed when all are resolved.

use domain::Blocked;
use domain::alert::storm::{StormRule, TenantStorms};
use serde_json::Value;

use crate::environment::{TENANT, partner, settings, tenant};
use crate::proxy::{Stop, When};
use crate::reconcile::dying_runs::DyingRuns;
use crate::tickets::crash_scenario::EventKind;

/// Alerts that get tickets of their own.
const SINGLE: u32 = 2;

/// Runs with a rule for storms. A storm lasts for an hour.
async fn runs_with_storms() -> DyingRuns {
    let runs = DyingRuns::new().await;
    let mut own = settings();
    own.storm = Some(StormRule {
        alerts: SINGLE,
        minutes: 60,
    });
    runs.table.settings.put(&partner(), &own).await.unwrap();
    runs
}

/// Forgets the alerts and storms so far.
async fn reset(runs: &DyingRuns) {
    let (partner, tenant) = (partner(), tenant(TENANT));
    let stores = &runs.table.storms;
    let stored = stores.get(&partner, &tenant).await.unwrap();
    let fresh = TenantStorms::default();
    let saved = stores.save(&partner, &tenant, &fresh, stored.version);
    assert!(saved.await.unwrap().is_saved());
    runs.lane.env.connectwise.reset().await;
}

async fn storms(runs: &DyingRuns) -> TenantStorms {
    let stored = runs.table.storms.get(&partner(), &tenant(TENANT)).await;
    stored.unwrap().value
}

/// The tickets of storms.
async fn storm_tickets(runs: &DyingRuns) -> Vec<Value> {
    let mut tickets = runs.lane.env.connectwise.tickets().await;
    tickets.retain(|ticket| {
        let summary = ticket["summary"].as_str().unwrap_or_default();
        summary.starts_with("Alert storm")
    });
    tickets
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_makes_an_alert_part_of_one_storm() {
    let mut runs = runs_with_storms().await;
    for when in [When::Before, When::Lost] {
        for at in 1.. {
            reset(&runs).await;
            let name = |n: u32| format!("{when:?}-{at}-{n}").to_lowercase();
            for n in 0..SINGLE {
                runs.send(&name(n), EventKind::Raised, None).await;
            }
            let stop = Stop { at, when };
            let alert = name(SINGLE);
            let has_died = runs.send(&alert, EventKind::Raised, Some(stop)).await;
            let record = runs.lane.env.record(&alert).await.unwrap();
            let reason = record.blocked.map(|blocked| blocked.reason);
            assert!(
                matches!(reason, Some(Blocked::Storm(_))),
                "{when:?} {at}: {reason:?}"
            );
            assert_eq!(storms(&runs).await.storms().len(), 1, "{when:?} {at}");
            let tickets = runs.lane.env.connectwise.tickets().await;
            assert_eq!(tickets.len(), 2, "{when:?} {at}");
            if !has_died {
                assert!(at > 4, "{at} calls are no run");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_dies_at_any_call_lists_each_alert_once_and_ends_the_storm() {
    let mut runs = runs_with_storms().await;
    // A death before a call equals one after the effect of the call before.
    for when in [When::Lost] {
        for at in 1.. {
            reset(&runs).await;
            let stop = Some(Stop { at, when });
            let name = |n: u32| format!("run-{when:?}-{at}-{n}").to_lowercase();
            for n in 0..SINGLE + 2 {
                runs.send(&name(n), EventKind::Raised, None).await;
            }
            let mut has_died = runs.reconcile(stop).await;
            runs.send(&name(SINGLE + 2), EventKind::Raised, None).await;
            has_died |= runs.reconcile(stop).await;
            for n in 0..SINGLE + 3 {
                runs.send(&name(n), EventKind::Resolved, None).await;
            }
            for _ in 0..4 {
                has_died |= runs.reconcile(stop).await;
            }
            let tickets = storm_tickets(&runs).await;
            let [ticket] = &tickets[..] else {
                panic!("{when:?} {at}: {} tickets", tickets.len());
            };
            assert_eq!(ticket["closedFlag"], true, "{when:?} {at}");
            let notes = runs.lane.env.connectwise.notes(ticket).await;
            let lines = notes
                .iter()
                .filter_map(|note| note["text"].as_str())
                .flat_map(str::lines)
                .filter(|line| line.starts_with("- "));
            assert_eq!(lines.count(), 3, "{when:?} {at}: {notes:#?}");
            assert_eq!(storms(&runs).await.storms(), [], "{when:?} {at}");
            if !has_died {
                assert!(at > 8, "{at} calls are no run");
                break;
            }
        }
    }
}
