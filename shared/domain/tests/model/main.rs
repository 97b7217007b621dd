//! Every interleaving of workers, deaths, late writes and a technician, within bounds: a model
//! checker runs the functions of `domain` as they are.
//!
//! A state is a record, a queue, a small ConnectWise and what each worker does next. Between any two
//! calls of a worker, everything else can happen. What is disturbed is counted, so that the states
//! are finite. Time passes only to moments at which a decision can change.
//!
//! A failure prints the shortest list of actions that leads to it.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod canonical;
mod properties;
mod state;
mod transition;
mod worker;

use std::time::Instant;

use jiff::SignedDuration;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::state::Disturbances;
use crate::transition::AlertModel;

const SETTLE: SignedDuration = SignedDuration::from_mins(10);
/// How long a record is kept whole after its ticket was closed.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// All calls of an invocation end after this many seconds.
const INVOCATION: i64 = 60;
/// A claim ends this many seconds after its invocation.
const MARGIN: i64 = 5;
/// A search may not show tickets that are younger than this.
const BEHIND: i64 = 29;
/// The latest second after its call at which a write takes effect.
const VERY_LATE: i64 = 9000;
/// Reconcile expects a ticket of this age in ConnectWise's list.
const LISTED: i64 = 3600;
const COMPANY: u64 = 19;
const BOARD: u64 = 2;
const THREADS: usize = 2;

/// Checks every state of a model. A failure prints the shortest way to it.
#[expect(
    clippy::disallowed_methods,
    reason = "the report says how long it took"
)]
#[expect(clippy::panic, reason = "a failed check fails the test")]
fn check(name: &str, model: &AlertModel) {
    let begun = Instant::now();
    let found = |threads| {
        let checker = model.clone().checker().threads(threads);
        // A later failure of the same property would take the place of the first.
        checker.finish_when(HasDiscoveries::Any).spawn_bfs().join()
    };
    let checker = found(THREADS);
    println!(
        "{name}: {} states, {} of them different, {} actions deep, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64(),
    );
    if checker.discoveries().is_empty() {
        return;
    }
    // Of several threads the first to find a failure may not have the shortest.
    let discoveries = found(1).discoveries();
    let shortest = discoveries
        .into_iter()
        .map(|(property, path)| (property, path.into_vec()))
        .min_by_key(|(_, path)| path.len());
    let (property, path) = shortest.unwrap();
    let actions: Vec<String> = path
        .iter()
        .filter_map(|(_, action)| action.as_ref())
        .map(|action| format!("  {action:?}\n"))
        .collect();
    let last = path.last().map(|(state, _)| state);
    panic!(
        "{name}: not so: {property}, after {} actions\n{}{last:?}",
        actions.len(),
        actions.concat()
    );
}

const NONE: Disturbances = Disturbances {
    doubles: 0,
    deaths: 0,
    lost_answers: 0,
    empty_answers: 0,
    late_writes: 0,
    too_late_writes: 0,
    bad_searches: 0,
    stale_searches: 0,
    delays: 0,
    touches: 0,
};

const RAISED: bool = true;
const RESOLVED: bool = false;

/// Two workers, and a new ticket for each occurrence.
fn model(events: &[bool], disturbances: Disturbances) -> AlertModel {
    AlertModel {
        workers: 2,
        events: events.to_vec(),
        disturbances,
        reopens: false,
    }
}

#[test]
fn a_raise_makes_one_ticket() {
    let disturbances = Disturbances {
        doubles: 1,
        deaths: 1,
        lost_answers: 1,
        empty_answers: 1,
        late_writes: 1,
        ..NONE
    };
    check("a raise", &model(&[RAISED], disturbances));
}

#[test]
fn a_search_that_shows_nothing_makes_no_second_ticket() {
    let disturbances = Disturbances {
        lost_answers: 1,
        empty_answers: 1,
        late_writes: 1,
        bad_searches: 1,
        stale_searches: 1,
        delays: 1,
        ..NONE
    };
    check("searches", &model(&[RAISED], disturbances));
}

#[test]
fn a_ticket_that_appears_too_late_is_repaired() {
    let disturbances = Disturbances {
        too_late_writes: 1,
        ..NONE
    };
    check("too late", &model(&[RAISED], disturbances));
}

#[test]
fn a_resolve_closes_the_ticket() {
    let disturbances = Disturbances {
        deaths: 1,
        lost_answers: 1,
        ..NONE
    };
    check("a resolve", &model(&[RAISED, RESOLVED], disturbances));
}

#[test]
fn an_alert_that_is_raised_again_gets_the_next_ticket() {
    let events = [RAISED, RESOLVED, RAISED];
    check("raised again", &model(&events, NONE));
}

#[test]
fn an_alert_that_is_raised_again_gets_its_ticket_again() {
    let model = AlertModel {
        reopens: true,
        ..model(&[RAISED, RESOLVED, RAISED], NONE)
    };
    check("reopened", &model);
}

#[test]
fn a_technician_is_left_alone() {
    let disturbances = Disturbances {
        touches: 1,
        lost_answers: 1,
        ..NONE
    };
    check("technician", &model(&[RAISED, RESOLVED], disturbances));
}

#[test]
#[ignore = "minutes: part of the long run"]
fn long_a_ticket_that_appears_too_late_is_repaired() {
    let disturbances = Disturbances {
        too_late_writes: 1,
        lost_answers: 1,
        ..NONE
    };
    check("too late, more", &model(&[RAISED], disturbances));
}

#[test]
#[ignore = "minutes: part of the long run"]
fn long_a_resolve_closes_the_ticket() {
    let disturbances = Disturbances {
        doubles: 1,
        deaths: 1,
        lost_answers: 1,
        ..NONE
    };
    check("a resolve, more", &model(&[RAISED, RESOLVED], disturbances));
}

#[test]
#[ignore = "minutes: part of the long run"]
fn long_an_alert_that_is_raised_again_gets_the_next_ticket() {
    let disturbances = Disturbances {
        lost_answers: 1,
        ..NONE
    };
    let events = [RAISED, RESOLVED, RAISED];
    check("raised again, more", &model(&events, disturbances));
}
