//! When an alert is blocked, and which calls are made meanwhile.

use super::*;
use crate::alert::blocked::MaintenanceHold;
use crate::alert::storm::StormRule;
use crate::maintenance::recurrence::Recurrence;
use crate::maintenance::scope::MaintenanceScope;
use crate::maintenance::window::WindowDefinition;
use crate::{AlertId, SourceId, WindowId};

#[test]
fn each_block_has_its_reason() {
    let record = folded(&[raised(1)]);
    let mapping = |company, enabled| {
        Some(Mapping {
            company,
            enabled,
            ..Mapping::default()
        })
    };
    let cases = [
        (
            ConnectionView {
                connection: None,
                ..view()
            },
            Blocked::NotSetUp,
        ),
        (
            ConnectionView {
                mapping: None,
                ..view()
            },
            Blocked::Unmapped,
        ),
        (
            ConnectionView {
                mapping: mapping(None, true),
                ..view()
            },
            Blocked::Unmapped,
        ),
        (
            ConnectionView {
                mapping: mapping(Some(19), false),
                ..view()
            },
            Blocked::TenantDisabled,
        ),
    ];
    for (view, reason) in cases {
        assert_eq!(next_in(&record, &view, 2), Decision::Block(reason));
    }
    let mut off = view();
    off.connection
        .as_mut()
        .unwrap()
        .settings
        .kinds_off
        .insert(Kind::parse("disk").unwrap());
    assert_eq!(
        next_in(&record, &off, 2),
        Decision::Block(Blocked::KindDisabled)
    );
}

#[test]
fn a_refused_call_is_repeated_only_by_a_retry() {
    let reason = Blocked::Rejected("no".into());
    let refused = |record: &Record, op| {
        let refusal = CallRefusal {
            op,
            words: "no".into(),
            record: None,
        };
        record
            .clone()
            .with_refusal(reason.clone(), refusal, None, at(20))
    };
    let create = folded(&[raised(1)]);
    let repeat = fold(create.clone().with_open(open()), &raised(12));
    let closing = fold(create.clone().with_open(open()), &resolved(12));
    let close = closing.clone().with_open(noted());
    for (record, op, other) in [
        (&create, Op::Create, Op::Close),
        (&repeat, Op::Note(NoteKind::Repeats), Op::Close),
        (&closing, Op::Note(NoteKind::Closing), Op::Close),
        (&close, Op::Close, Op::Create),
    ] {
        let decided = next(record, 21);
        assert!(matches!(&decided, Decision::Write(step) if step.op() == op));
        let blocked = refused(record, Some(op));
        assert_eq!(
            next(&blocked, 21),
            Decision::Block(reason.clone()),
            "{op:?}"
        );
        // A worker that folds another event finds the same.
        let folded = fold(blocked.clone(), &raised(1));
        assert_eq!(next(&folded, 21), Decision::Block(reason.clone()));
        // Another write was not refused.
        assert_eq!(next(&refused(record, Some(other)), 21), decided, "{op:?}");
        // The search that must precede it was refused, so nothing is written.
        assert_eq!(
            next(&refused(record, None), 21),
            Decision::Block(reason.clone())
        );
        assert_eq!(next(&blocked.released(), 21), decided, "{op:?}");
    }
    let uncertain = create
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    assert_eq!(next(&uncertain, 1000), Decision::Search);
    let unsearched = refused(&uncertain, None);
    assert_eq!(next(&unsearched, 1000), Decision::Block(reason.clone()));
    assert_eq!(
        next(&refused(&uncertain, Some(Op::Create)), 1000),
        Decision::Search
    );
    let unknown = Claim {
        ticket_id: Some(7),
        ..claim(Op::Note(NoteKind::Repeats))
    };
    let unknown = repeat.with_claim(unknown).with_unknown_outcome(None, at(2));
    assert_eq!(next(&unknown, 1000), Decision::Verify(7));
    let unseen = refused(&unknown, None);
    assert_eq!(next(&unseen, 1000), Decision::Block(reason.clone()));
    assert_eq!(
        next(&refused(&unknown, Some(Op::Note(NoteKind::Repeats))), 1000),
        Decision::Verify(7)
    );
}

#[test]
fn a_refused_ticket_waits_for_a_person() {
    let mut record = folded(&[raised(1)]);
    let reason = Blocked::Rejected("no".into());
    record.blocked = Some(BlockedSince {
        reason: reason.clone(),
        since: at(1),
        refusal: None,
    });
    assert_eq!(next(&record, 2), Decision::Block(reason));
    assert_eq!(
        next(&fold(record, &resolved(3)), 4),
        Decision::Nothing(Idle::Cleared)
    );
}

#[test]
fn an_open_breaker_blocks_only_calls() {
    let view = ConnectionView {
        breaker: broken(),
        ..view()
    };
    let uncertain = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    for (record, decision) in [
        (
            folded(&[raised(1)]),
            Decision::Block(Blocked::ConnectionBroken),
        ),
        (uncertain, Decision::Block(Blocked::ConnectionBroken)),
        (
            fold(folded(&[raised(1)]).with_open(open()), &resolved(12)),
            Decision::Block(Blocked::ConnectionBroken),
        ),
        (
            folded(&[raised(1), resolved(2)]),
            Decision::Nothing(Idle::Cleared),
        ),
        (
            folded(&[raised(1)]).with_open(open()),
            Decision::Nothing(Idle::UpToDate),
        ),
    ] {
        assert_eq!(next_in(&record, &view, 20), decision);
    }
}

#[test]
fn a_missing_right_blocks_only_what_needs_it() {
    let mut view = view();
    view.breaker.missing_rights = ["service_tickets.add".to_owned()].into();
    let missing = Decision::Block(Blocked::MissingRight("service_tickets.add".into()));
    assert_eq!(next_in(&folded(&[raised(1)]), &view, 2), missing);
    let ended = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    assert_eq!(
        next_in(&ended, &view, 13),
        Decision::Write(TicketWrite::Close {
            ticket_id: 77,
            only_untouched: false
        })
    );
}

#[test]
fn a_pause_is_waited_for() {
    let mut view = view();
    view.breaker.paused_until = Some(at(30));
    let record = folded(&[raised(1)]);
    assert_eq!(next_in(&record, &view, 2), Decision::Wait { until: at(30) });
    assert!(matches!(next_in(&record, &view, 30), Decision::Write(_)));
}

#[test]
fn a_long_pause_is_spent_in_the_table() {
    let mut view = view();
    let uncertain = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    let close = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    for (pause, expected) in [
        (150, Decision::Wait { until: at(1150) }),
        (151, Decision::Block(Blocked::Throttled)),
        (3600, Decision::Block(Blocked::Throttled)),
    ] {
        view.breaker.paused_until = Some(at(1000 + pause));
        for record in [&folded(&[raised(1)]), &uncertain, &close] {
            let decision = next_in(record, &view, 1000);
            assert_eq!(decision, expected, "{pause}");
        }
    }
}

#[test]
fn an_alert_older_than_the_backfill_waits_for_a_person() {
    let two_days = 48 * 3600;
    let waiting = |reason| folded(&[raised(1)]).with_blocked(reason, None, at(2));
    let mut view = view();
    for reason in [
        Blocked::NotSetUp,
        Blocked::Unmapped,
        Blocked::TenantDisabled,
    ] {
        let record = waiting(reason);
        view.mapping.as_mut().unwrap().enabled_at = Some(at(two_days));
        assert!(
            matches!(
                next_in(&record, &view, 9 * two_days),
                Decision::Write(TicketWrite::Create(_))
            ),
            "what counts is when it was switched on"
        );
        view.mapping.as_mut().unwrap().enabled_at = Some(at(two_days + 2));
        assert_eq!(
            next_in(&record, &view, two_days + 3),
            Decision::Block(Blocked::OlderThanBackfill)
        );
    }
    let mended = waiting(Blocked::ConnectionBroken);
    assert!(matches!(
        next_in(&mended, &view, 9 * two_days),
        Decision::Write(TicketWrite::Create(_))
    ));
    let old = waiting(Blocked::OlderThanBackfill);
    let again = fold(fold(old, &resolved(9)), &raised(9 * two_days));
    assert!(
        matches!(next_in(&again, &view, 9 * two_days), Decision::Write(_)),
        "a new life is young"
    );
}

/// The 48 hours count from the last switch.
#[test]
fn each_switch_holds_alerts_older_than_48_hours() {
    type Switch<'a> = &'a dyn Fn(&mut ConnectionView, Timestamp);
    let two_days = 48 * 3600;
    let disk = Kind::parse("disk").unwrap();
    let connection: fn(&mut ConnectionView, Timestamp) =
        |view, at| view.connection.as_mut().unwrap().confirmed_at = Some(at);
    let tenant: fn(&mut ConnectionView, Timestamp) =
        |view, at| view.mapping.as_mut().unwrap().enabled_at = Some(at);
    let source: fn(&mut ConnectionView, Timestamp) = |view, at| view.source_since = Some(at);
    let kind = |view: &mut ConnectionView, at| {
        let connection = view.connection.as_mut().unwrap();
        let off = connection
            .settings
            .clone()
            .with_kinds_off([disk.clone()].into(), at);
        connection.settings = off.with_kinds_off([].into(), at);
    };
    let switches: [(&str, Switch<'_>); 4] = [
        ("connection", &connection),
        ("tenant", &tenant),
        ("kind", &kind),
        ("source", &source),
    ];
    let new = folded(&[raised(1)]);
    let waiting = |reason| new.clone().with_blocked(reason, None, at(2));
    let records = [
        waiting(Blocked::NotSetUp),
        waiting(Blocked::Unmapped),
        waiting(Blocked::TenantDisabled),
        waiting(Blocked::KindDisabled),
    ];
    let later = at(9 * two_days);
    for (name, switch) in switches {
        // A disabled source posts nothing, so no alert of it was blocked before.
        let new = (name == "source").then_some(&new);
        for record in records.iter().chain(new) {
            let at_switch = |second| {
                let mut view = view();
                // All other switches were on long before.
                for (_, other) in switches {
                    other(&mut view, at(0));
                }
                switch(&mut view, at(second));
                view
            };
            let recent = decide(record, &at_switch(two_days + 1), SETTLE, later);
            assert!(
                matches!(recent, Decision::Write(TicketWrite::Create(_))),
                "{name} {recent:?}"
            );
            let old = at_switch(two_days + 2);
            assert_eq!(
                decide(record, &old, SETTLE, later),
                Decision::Block(Blocked::OlderThanBackfill),
                "{name}"
            );
            // Then only a person releases it.
            let held = record
                .clone()
                .with_blocked(Blocked::OlderThanBackfill, None, later);
            assert_eq!(
                decide(&held, &old, SETTLE, later),
                Decision::Block(Blocked::OlderThanBackfill)
            );
            let released = decide(&held.released(), &old.released(), SETTLE, later);
            assert!(
                matches!(released, Decision::Write(TicketWrite::Create(_))),
                "{name} {released:?}"
            );
        }
    }
}

#[test]
fn nothing_is_looked_up_over_an_open_breaker() {
    let mut view = view();
    assert!(can_look_up(&view, at(10)));
    view.breaker.paused_until = Some(at(30));
    assert!(!can_look_up(&view, at(29)));
    assert!(can_look_up(&view, at(30)));
    view.breaker.missing_rights = [rights::TICKETS_INQUIRE.to_owned()].into();
    assert!(!can_look_up(&view, at(30)));
}

/// A view in which a window applies until this many seconds after the epoch of the fixtures.
fn in_maintenance(seconds: i64) -> ConnectionView {
    with_window(view(), "patch-night", 0, seconds)
}

/// The view with one more window, from and until these seconds after the epoch of the fixtures.
fn with_window(view: ConnectionView, id: &str, from: i64, until: i64) -> ConnectionView {
    let window = WindowDefinition {
        name: "Patch night".to_owned(),
        zone: "UTC".to_owned(),
        starts: at(from).to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        minutes: Some(u32::try_from((until - from) / 60).unwrap()),
        repeats: Recurrence::Once,
        scope: MaintenanceScope::default(),
        ended_at: None,
    };
    let id = WindowId::parse(id).unwrap();
    ConnectionView {
        maintenance: view
            .maintenance
            .with(id, window.try_into().unwrap())
            .unwrap(),
        ..view
    }
}

fn held_until(seconds: i64) -> Decision {
    Decision::Block(Blocked::Maintenance(MaintenanceHold {
        until: at(seconds),
        device: None,
    }))
}

#[test]
fn maintenance_holds_an_alert_until_its_end() {
    let record = folded(&[raised(1)]);
    let view = in_maintenance(600);
    assert_eq!(next_in(&record, &view, 2), held_until(600));
    assert_eq!(next_in(&record, &view, 599), held_until(600));
    assert!(matches!(
        next_in(&record, &view, 600),
        Decision::Write(TicketWrite::Create(_))
    ));
    // A reason that a person must remove comes first.
    let unmapped = ConnectionView {
        mapping: None,
        ..view.clone()
    };
    assert_eq!(
        next_in(&record, &unmapped, 2),
        Decision::Block(Blocked::Unmapped)
    );
    let released = view.clone().released();
    assert!(matches!(
        next_in(&record, &released, 2),
        Decision::Write(TicketWrite::Create(_))
    ));
    let absent = folded(&[raised(1), resolved(2)]);
    assert_eq!(next_in(&absent, &view, 3), Decision::Nothing(Idle::Cleared));
}

#[test]
fn a_window_that_is_longer_moves_the_end_and_not_the_start_of_the_hold() {
    let record = folded(&[raised(1)]);
    let hold = |record: Record, seconds, now| {
        let decision = next_in(&record, &in_maintenance(seconds), now);
        let Decision::Block(reason) = decision else {
            panic!("{decision:?}");
        };
        record.with_blocked(reason, None, at(now))
    };
    let held = hold(hold(record, 600, 2), 1200, 300);
    let blocked = held.blocked.unwrap();
    assert_eq!(blocked.since, at(2));
    assert_eq!(
        blocked.reason.to_string(),
        format!("maintenance(until {})", at(1200))
    );
}

#[test]
fn maintenance_does_not_touch_a_ticket_that_exists() {
    let mut record = folded(&[raised(1), worse(2)]);
    record.actual = Some(Actual::Open(open()));
    let view = in_maintenance(6000);
    assert!(matches!(
        next_in(&record, &view, 20),
        Decision::Write(TicketWrite::Patch { .. })
    ));
    let record = fold(record, &resolved(30));
    assert_eq!(
        next_in(&record, &view, 31),
        Decision::Write(note(NoteContent::Closing {
            only_untouched: false
        }))
    );
}

#[test]
fn the_longest_hold_counts_from_the_first_block_by_maintenance() {
    const DAY: i64 = 24 * 3600;
    let view = in_maintenance(30 * DAY);
    let view = with_window(view, "patch-month", 20 * DAY, 50 * DAY);
    let blocked = |reason| folded(&[raised(1)]).with_blocked(reason, None, at(2));
    let hold = MaintenanceHold {
        until: at(30 * DAY),
        device: None,
    };
    let held = blocked(Blocked::Maintenance(hold));
    assert_eq!(next_in(&held, &view, 25 * DAY), held_until(2 + 30 * DAY));
    let throttled = blocked(Blocked::Throttled);
    assert_eq!(next_in(&throttled, &view, 25 * DAY), held_until(50 * DAY));
}

#[test]
fn a_new_alert_is_admitted_first_where_storms_share_a_ticket() {
    let rule = StormRule {
        alerts: 5,
        minutes: 10,
    };
    let next = |record: &Record, storm, admission| {
        let mut view = view();
        view.connection.as_mut().unwrap().settings.storm = storm;
        view.admission = admission;
        next_in(record, &view, 2)
    };
    let creates = |decision| matches!(decision, Decision::Write(TicketWrite::Create(_)));
    let new = folded(&[raised(1)]);
    assert_eq!(next(&new, Some(rule), None), Decision::AdmitNewAlert);
    assert!(creates(next(&new, None, None)));
    let own = Some(Admission::OwnTicket);
    assert!(creates(next(&new, Some(rule), own)));
    let id = AlertId::for_storm(at(1));
    let storm = Blocked::Storm(id.clone());
    let admission = Some(Admission::Storm(id));
    let shared = next(&new, Some(rule), admission);
    assert_eq!(shared, Decision::Block(storm.clone()));
    // An alert of a storm is asked about even if the partner chose no rule any more.
    let part = new.clone().with_blocked(storm, None, at(2));
    assert_eq!(next(&part, None, None), Decision::AdmitNewAlert);
    // The alert of the storm itself has a ticket of its own.
    let mut own = new;
    own.key.source = SourceId::for_storms();
    assert!(creates(next(&own, Some(rule), None)));
}
