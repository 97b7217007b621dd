//! A worker may die at any of its calls, the next one at any of its calls, and two may run concurrently:
//! the alert still gets one ticket.
//!
//! A proxy numbers all calls of a worker: to the tables, the secrets, the queue and ConnectWise. A
//! scenario says where workers die, or where two of them are paused. Afterwards the queue delivers the
//! messages again after their visibility timeout until they are done. Workers use the scenario's clock,
//! so hours pass without waiting.
//!
//! The tests were seen to fail for each of these defects: no claim in the table, a claim that is not
//! waited for, a POST without a search before it, a message acknowledged before its effect was recorded,
//! found tickets not adopted, a note's marker not searched for, a dead worker's close attributed to a
//! technician, and writes that do not check `rev`.
//!
//! A failure prints its scenario. Set `TICKETBRIDGE_TEST_CRASHES` to that line to replay only it, with
//! all its calls.

use std::fmt;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::proxy::{Call, Stop, When};
use crate::tickets::crash_run::{Lane, ScenarioResult, Violation, run_scenario};
use crate::tickets::crash_scenario::{BatchSharing, Scenario, WORKLOADS, Workload};

/// The number of scenarios that run concurrently, each in an environment of its own.
const LANES: usize = 8;

/// The number of failures after which the test stops.
const MAX_FAILURES: usize = 5;

/// Returns the scenarios that follow a scenario.
type Plan = fn(&Scenario, &ScenarioResult) -> Vec<Scenario>;

/// The one scenario to replay, as a failure printed it.
#[expect(clippy::disallowed_methods, reason = "how a failure is replayed")]
fn replayed_scenario() -> Option<String> {
    std::env::var("TICKETBRIDGE_TEST_CRASHES").ok()
}

/// Plays each workload undisturbed, and then the scenarios that the plan derives from each scenario. Or
/// replays the one scenario that the environment variable names, with all its calls.
async fn run_all(what: &str, plan: Plan) {
    if let Some(line) = replayed_scenario() {
        let scenario = Scenario::parse(&line);
        let result = run_scenario(&Lane::new().await, &scenario, 0).await;
        println!("{scenario}: {:?}\n{}", result.violation, result.report);
        return;
    }
    let progress = Arc::new(Mutex::new(Progress::default()));
    let mut lanes = JoinSet::new();
    let lane = Lane::new().await;
    for workload in WORKLOADS {
        let peace = Scenario::Deaths(workload, vec![]);
        let result = run_scenario(&lane, &peace, 0).await;
        let mut progress = progress.lock().unwrap();
        progress.points += result.calls.len();
        progress.note(&peace, &result, plan);
    }
    for _ in 0..LANES {
        let progress = progress.clone();
        lanes.spawn(async move {
            let lane = Lane::new().await;
            loop {
                let Some((number, scenario)) = progress.lock().unwrap().next() else {
                    return;
                };
                let result = run_scenario(&lane, &scenario, number).await;
                progress.lock().unwrap().note(&scenario, &result, plan);
            }
        });
    }
    lanes.join_all().await;
    let progress = progress.lock().unwrap();
    println!("{what}: {progress}");
    assert!(
        progress.violation.is_empty(),
        "{}",
        progress.violation.join("\n")
    );
    assert!(
        progress.not_reached * 10 <= progress.tried,
        "too few scenarios were run: {progress}"
    );
}

/// The scenarios that are done and still to do, and their violations.
#[derive(Debug, Default)]
struct Progress {
    open: Vec<Scenario>,
    tried: usize,
    points: usize,
    /// By the number of stops.
    stops: [usize; 4],
    not_reached: usize,
    doubled: usize,
    lost: usize,
    violation: Vec<String>,
}

impl Progress {
    /// The next scenario with its number. `None` once there are enough failures.
    fn next(&mut self) -> Option<(usize, Scenario)> {
        if self.violation.len() >= MAX_FAILURES {
            return None;
        }
        self.tried += 1;
        Some((self.tried, self.open.pop()?))
    }

    /// Counts a scenario, and plans the next ones if it was correct.
    fn note(&mut self, scenario: &Scenario, result: &ScenarioResult, plan: Plan) {
        let stops = match scenario {
            Scenario::Deaths(_, deaths) => deaths.len(),
            Scenario::Two { second, .. } => 1 + usize::from(second.is_some()),
        };
        self.stops[stops] += 1;
        let violation = match (&result.violation, result.is_whole) {
            (None, true) => {
                self.open.extend(plan(scenario, result));
                return;
            }
            // On a busy machine a recovery can need one call less than the recorded one, because its waits end
            // in whole milliseconds. It was correct, and without this stop it equals an earlier scenario.
            (None, false) => {
                self.not_reached += 1;
                return;
            }
            (Some(violation), _) => violation.clone(),
        };
        self.doubled += usize::from(violation.0 == Violation::Doubled);
        self.lost += usize::from(violation.0 == Violation::Lost);
        let (violation, why) = violation;
        self.violation.push(format!(
            "{scenario}\n  {violation:?}: {why}\n{}",
            result.report
        ));
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            points,
            stops: [_, one, two, three],
            not_reached,
            doubled,
            lost,
            ..
        } = self;
        write!(
            f,
            "{} workloads, {points} points, {one} with one stop, {two} with two, {three} with three, {not_reached} not reached, doubled = {doubled}, lost = {lost}",
            WORKLOADS.len()
        )
    }
}

/// Every call with every way to stop there.
fn stops(calls: &[Call], whens: &[When]) -> Vec<Stop> {
    let at = |at| whens.iter().map(move |&when| Stop { at, when });
    (1..=calls.len()).flat_map(at).collect()
}

#[tokio::test]
async fn workers_that_die_at_any_two_calls_leave_one_ticket() {
    let plan = |scenario: &Scenario, result: &ScenarioResult| {
        let Scenario::Deaths(workload, deaths) = scenario else {
            return vec![];
        };
        let whens: &[_] = match deaths.len() {
            0 => &[When::Before, When::Lost, When::After],
            1 => &[When::Before, When::Lost],
            _ => return vec![],
        };
        // A dead worker leaves only the effects of its writes. A death at a read or after an answer thus
        // equals a death before the next write: pairs of deaths are tried at writes only.
        let is_tried = |death: &Stop| deaths.is_empty() || result.calls[death.at - 1].writes;
        let is_after = deaths.iter().any(|death| death.when == When::After);
        if is_after || result.died_at.iter().any(|call| !call.writes) {
            return vec![];
        }
        let next = stops(&result.calls, whens).into_iter().filter(is_tried);
        next.map(|death| Scenario::Deaths(*workload, [deaths.as_slice(), &[death]].concat()))
            .collect()
    };
    run_all("deaths", plan).await;
}

#[tokio::test]
async fn two_workers_interleaved_at_any_calls_leave_one_ticket() {
    let plan = |scenario: &Scenario, result: &ScenarioResult| {
        // A pause after an effect equals one before the next call, except at the end. A read of the
        // configuration sees no change of another worker: a pause before it equals one before the next call.
        let mut points = stops(&result.calls, &[When::Before]);
        points.retain(|point| !result.calls[point.at - 1].is_set_up);
        points.extend(stops(&result.calls, &[When::Lost]).pop());
        match scenario {
            Scenario::Deaths(workload, _) => first_of_two(*workload, &result.calls, &points),
            Scenario::Two {
                workload,
                share,
                first,
                second: None,
                later,
            } => points
                .into_iter()
                .map(|second| Scenario::Two {
                    workload: *workload,
                    share: *share,
                    first: *first,
                    second: Some(second),
                    later: *later,
                })
                .collect(),
            Scenario::Two { .. } => vec![],
        }
    };
    run_all("two workers", plan).await;
}

/// Where the first of two workers is paused, and when the second starts.
fn first_of_two(workload: Workload, calls: &[Call], points: &[Stop]) -> Vec<Scenario> {
    let two = |share, later| {
        move |first: &Stop| Scenario::Two {
            workload,
            share,
            first: *first,
            second: None,
            later: SignedDuration::from_secs(later),
        }
    };
    let mut all: Vec<_> = points.iter().map(two(BatchSharing::Same, 0)).collect();
    if workload.batch().len() == 2 {
        // The second message starts with another read of the record.
        let writes = calls.iter().position(|call| call.writes).unwrap();
        let second = calls[writes..]
            .iter()
            .position(|call| call.what.ends_with("GetItem"));
        let of_first = points
            .iter()
            .filter(|first| first.at <= writes + second.unwrap());
        all.extend(of_first.map(two(BatchSharing::Apart, 0)));
    }
    // No call to ConnectWise outlives its claim, but its outcome may be recorded later: after the claim's
    // end, or after the settling time.
    let spoken = calls.iter().rposition(Call::writes_to_connectwise);
    let spoken = spoken.map_or(0, |last| last + 1);
    for later in [66, 700] {
        let silent = points.iter().filter(|first| first.at > spoken);
        all.extend(silent.map(two(BatchSharing::Same, later)));
    }
    all
}
