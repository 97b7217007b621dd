//! Executes a call on the site: the endpoint, the site's workflow rules, and delayed effects.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::fault_rules::{self, Operation};
use crate::faults::RightsChecked;
use crate::response::{ApiResponse, Body, Outcome};
use crate::routes::route;
use crate::shared::Shared;
use crate::site::{Call, Site};
use crate::tickets::actions;

/// The longest wait that a fault or a workflow rule may ask for: one day.
const MAX_WAIT_SECONDS: f64 = 86_400.0;

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, MAX_WAIT_SECONDS))
}

/// Executes the call after `wait`.
pub(crate) fn commit_later(
    shared: &Arc<Shared>,
    site: &Site,
    mut call: Call,
    n: usize,
    wait: Duration,
) {
    run_later(shared, site, wait, move |site, shared| {
        call.now = site.clock();
        if execute(site, shared, &call).is_ok_and(|answer| answer.committed) {
            site.journal.committed_late(n);
        }
    });
}

pub(crate) fn execute(site: &mut Site, shared: &Arc<Shared>, call: &Call) -> Outcome {
    let route = route(&call.method, &call.segments)?;
    let body_first =
        route.asks_itself && site.faults.variants.rights_checked == RightsChecked::AfterValidation;
    if let Some(right) = route.right.filter(|_| !body_first) {
        site.require(&call.caller, right)?;
    }
    let operation = fault_rules::operation(site, call);
    let answer = (route.run)(site, call)?;
    if answer.committed {
        start_workflows(site, shared, call, operation, &answer);
    }
    Ok(answer)
}

/// Runs the site's workflow rules after a call, now or later.
fn start_workflows(
    site: &mut Site,
    shared: &Arc<Shared>,
    call: &Call,
    operation: Operation,
    answer: &ApiResponse,
) {
    let ticket = match (operation, &answer.body) {
        (Operation::Create, Body::Json(record)) => record.get("id").and_then(Value::as_i64),
        _ => call.segments.get(2).and_then(|id| id.parse().ok()),
    };
    let Some(ticket) = ticket else {
        return;
    };
    for (wait, action) in actions::workflows_after(site, operation) {
        if wait > 0.0 {
            run_later(shared, site, seconds(wait), move |site, _| {
                let now = site.clock();
                actions::run_workflow(site, ticket, &action, now);
            });
        } else {
            actions::run_workflow(site, ticket, &action, call.now);
        }
    }
}

/// Runs `action` after a wait, unless the site was reset or stopped meanwhile.
fn run_later(
    shared: &Arc<Shared>,
    site: &Site,
    wait: Duration,
    action: impl FnOnce(&mut Site, &Arc<Shared>) + Send + 'static,
) {
    let generation = site.generation;
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut site = shared.lock();
        if site.generation == generation {
            action(&mut site, &shared);
        }
    });
}
