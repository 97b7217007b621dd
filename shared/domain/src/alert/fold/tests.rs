use super::*;
use crate::alert::event::{EventDigest, Receipt, Severity};
use crate::alert::record::{Claim, ClosedBy, Op, OpenTicket};
use crate::fixtures::{self, at, key, new_claim};
use crate::{EventId, TicketRef};

/// An event with its stated time and its receipt.
fn event(id: &str, change: AlertChange, stated: i64, received: i64) -> Event {
    Event {
        digest: EventDigest::new(&[id]),
        occurred_at: at(stated.min(received)),
        receipt: Receipt {
            at: at(received),
            index: 0,
            bounds_time: stated > received,
        },
        ..Event::immediate(key(), EventId::parse(id).unwrap(), at(received), change)
    }
}

fn says(severity: Severity, expires: Option<i64>) -> Particulars {
    Particulars {
        severity,
        expires_at: expires.map(at),
        ..fixtures::particulars()
    }
}

fn raise(id: &str, stated: i64, received: i64) -> Event {
    let change = AlertChange::Raised(says(Severity::Medium, None));
    event(id, change, stated, received)
}

fn until(id: &str, end: i64, stated: i64, received: i64) -> Event {
    let change = AlertChange::Raised(says(Severity::Medium, Some(end)));
    event(id, change, stated, received)
}

fn update(id: &str, severity: Severity, stated: i64, received: i64) -> Event {
    event(
        id,
        AlertChange::Updated(says(severity, None)),
        stated,
        received,
    )
}

fn resolve(id: &str, stated: i64, received: i64) -> Event {
    event(id, AlertChange::Resolved, stated, received)
}

fn folded(events: &[Event]) -> Record {
    events.iter().fold(Record::new(key()), fold)
}

fn is_active(events: &[Event]) -> bool {
    folded(events).desired.active
}

fn severity(events: &[Event]) -> Severity {
    folded(events).desired.details.unwrap().severity
}

fn end(record: &Record) -> Option<i64> {
    let end = record.desired.details.as_ref().unwrap().expires_at;
    end.map(|end| end.as_second() - at(0).as_second())
}

fn claim() -> Claim {
    new_claim(Op::Create, TicketRef::new(&key(), 1), at(1))
}

fn open() -> OpenTicket {
    OpenTicket::new(7, None, &claim(), at(2))
}

/// The same event, received at another time. Without a stated time it seems to have happened then.
fn retried(event: &Event, received: i64) -> Event {
    let mut retry = event.clone();
    retry.receipt.at = at(received);
    retry.occurred_at = at(received);
    retry
}

fn every_order(events: &[Event]) -> Vec<Vec<Event>> {
    let Some((first, rest)) = events.split_first() else {
        return vec![vec![]];
    };
    let mut orders = vec![];
    for rest in every_order(rest) {
        for place in 0..=rest.len() {
            let mut order = rest.clone();
            order.insert(place, first.clone());
            orders.push(order);
        }
    }
    orders
}

#[test]
fn a_retry_has_one_effect_whenever_it_is_received() {
    let first = raise("r", 0, 0);
    let last = resolve("c", 10, 10);
    let after = folded(&[first.clone(), last.clone()]);
    for received in [5, 15, 400, 100_000] {
        for retry in [retried(&first, received), retried(&last, received)] {
            assert_eq!(fold(after.clone(), &retry), after, "received at {received}");
        }
    }
    // Raised again: a retry of the resolve does not end it.
    let anew = fold(after, &raise("r2", 20, 20));
    assert_eq!(fold(anew.clone(), &retried(&last, 30)), anew);
}

#[test]
fn an_outdated_event_has_no_effect_later() {
    let late = resolve("c", 10, 30);
    let record = folded(&[raise("r", 0, 0), raise("r2", 20, 20), late.clone()]);
    assert!(record.desired.active);
    assert_eq!(fold(record.clone(), &retried(&late, 40)), record);
}

#[test]
fn a_retry_of_a_raise_has_no_effect_after_many_heartbeats() {
    let first = raise("r", 0, 0);
    let beats = (1..=1000).map(|minute| raise(&format!("h{minute}"), 60 * minute, 60 * minute));
    let mut record = beats.fold(folded(std::slice::from_ref(&first)), |record, heartbeat| {
        fold(record, &heartbeat)
    });
    record = fold(record, &resolve("c", 60_001, 60_001));
    assert_eq!(fold(record.clone(), &retried(&first, 60_002)), record);
    let two_hours_ago = retried(&raise("h880", 0, 0), 60_002);
    assert_eq!(fold(record.clone(), &two_hours_ago), record);
}

#[test]
fn a_retry_of_a_resolve_has_no_effect_after_many_heartbeats() {
    let last = resolve("c", 10, 10);
    let record = folded(&[raise("r", 0, 0), last.clone(), raise("r2", 20, 20)]);
    let beats = (1..=200).map(|minute| raise(&format!("h{minute}"), 60 * minute, 60 * minute));
    let record = beats.fold(record, |record, heartbeat| fold(record, &heartbeat));
    assert_eq!(fold(record.clone(), &retried(&last, 12_001)), record);
}

#[test]
fn a_time_ahead_of_the_receipt_has_no_second_effect() {
    for fast in [1, 240, 3600, 1_000_000] {
        let first = raise("r", fast, 0);
        let again = Event {
            receipt: Receipt {
                at: at(2),
                ..first.receipt
            },
            occurred_at: at(fast.min(2)),
            ..first.clone()
        };
        let last = resolve("c", 1, 3);
        for events in every_order(&[first.clone(), again, last]) {
            assert!(!is_active(&events), "{fast}: {events:?}");
        }
        // It was resolved while the raise was under way.
        for events in every_order(&[first, resolve("c", -1, 3)]) {
            assert!(!is_active(&events), "{fast}: {events:?}");
        }
    }
}

#[test]
fn a_repeat_with_a_fast_clock_does_not_outlive_its_resolve() {
    let events = [
        raise("r", 300, 0),
        raise("r2", 360, 60),
        resolve("c", 59, 62),
    ];
    assert!(!is_active(&events));
    // A resolve with a fast clock does not hide the raise that follows it.
    let events = [raise("r", 0, 0), resolve("c", 400, 60), raise("r2", 59, 62)];
    assert!(is_active(&events));
}

#[test]
fn a_resolve_with_a_slow_clock_ends_the_only_raise() {
    let raise = raise("r", 0, 2);
    for (stated, received, is_over) in [
        (-1, 60, true),
        (-300, 60, true),
        (-301, 60, false),
        (-1, 1, false),
    ] {
        let events = [raise.clone(), resolve("c", stated, received)];
        for events in every_order(&events) {
            assert_eq!(!is_active(&events), is_over, "{stated}: {events:?}");
        }
    }
    // It does not hide the next raise.
    let events = [raise, resolve("c", -100, 60), self::raise("r2", 70, 72)];
    assert!(is_active(&events));
}

#[test]
fn a_slow_clock_counts_if_the_occurrence_before_ended_long_ago() {
    for (ended, is_over) in [(-900, true), (-301, true), (-300, false)] {
        let events = [
            raise("r0", -1000, -1000),
            resolve("c0", ended, ended),
            raise("r", 0, 2),
            resolve("c", -1, 60),
        ];
        assert_eq!(!is_active(&events), is_over, "{ended}");
    }
}

/// The sender had to repeat the raise, and its resolve was accepted at once.
#[test]
fn a_raise_received_after_its_resolve_stays_resolved() {
    for received in [4, 60, 1000] {
        for events in every_order(&[raise("r", 0, received), resolve("c", 5, 6)]) {
            assert!(!is_active(&events), "{events:?}");
        }
    }
}

#[test]
fn a_resolve_that_overtakes_its_raise_leaves_the_same_record() {
    for events in every_order(&[raise("r", 0, 4), resolve("c", 5, 6)]) {
        let record = folded(&events);
        let details = record.desired.details.as_ref().unwrap();
        assert_eq!(details.raised_at, at(0), "{events:?}");
        assert!(record.summary.is_some() && record.listed_at().is_some());
    }
}

#[test]
fn an_old_resolve_does_not_end_a_newer_raise_or_repeat() {
    let late = resolve("c", 10, 80);
    for before in [
        // The raise that it resolved is known.
        vec![raise("r", 0, 0), raise("r2", 60, 62)],
        // The earlier occurrence ended at that moment.
        vec![raise("r", 0, 0), resolve("c1", 9, 9), raise("r2", 60, 62)],
        vec![raise("r2", 60, 62), raise("h", 70, 72)],
    ] {
        let record = folded(&before);
        let after = fold(record.clone(), &late);
        assert_eq!(after.desired, record.desired);
    }
}

#[test]
fn at_one_time_the_receipt_decides() {
    // A source that puts the alert's creation time into every event.
    let life = [raise("1", 0, 1), resolve("2", 0, 10), raise("3", 0, 20)];
    for events in every_order(&life) {
        assert!(is_active(&events), "{events:?}");
    }
    let mut life = life.to_vec();
    life.push(resolve("4", 0, 30));
    for events in every_order(&life) {
        assert!(!is_active(&events), "{events:?}");
    }
}

#[test]
fn a_later_occurrence_with_the_same_time_is_a_new_one() {
    let first = raise("1", 0, 1);
    let mut record = folded(&[first.clone(), resolve("2", 0, 10)]);
    record = record.with_closed(77, 1, ClosedBy::Us, at(11));
    assert_eq!(fold(record.clone(), &retried(&first, 15)), record);
    let next = fold(record, &raise("3", 0, 20));
    assert_eq!((next.occurrence, next.desired.active), (2, true));
}

#[test]
fn a_tie_never_loses_an_alert() {
    let mut last = resolve("a", 0, 1);
    let mut anew = raise("b", 0, 1);
    // In one batch, in this order.
    anew.receipt.index = 1;
    for events in every_order(&[last.clone(), anew.clone()]) {
        assert!(is_active(&events));
    }
    (last.receipt.index, anew.receipt.index) = (1, 0);
    for events in every_order(&[last.clone(), anew.clone()]) {
        assert!(
            !is_active(&events),
            "the resolve is the second of the batch"
        );
    }
    // Two requests at the same moment.
    last.receipt.index = 0;
    for events in every_order(&[last, anew]) {
        assert!(is_active(&events));
    }
}

#[test]
fn of_equal_times_the_worse_severity_counts() {
    for (one, other) in [
        (Severity::Critical, Severity::Low),
        (Severity::Low, Severity::Critical),
    ] {
        let events = [
            raise("r", 0, 0),
            update("9", one, 5, 5),
            update("10", other, 5, 6),
        ];
        for events in every_order(&events) {
            if events[0].id.as_str() == "r" {
                assert_eq!(severity(&events), Severity::Critical, "{events:?}");
            }
        }
        let better = [
            raise("r", 0, 0),
            update("9", Severity::Critical, 5, 5),
            update("10", Severity::Low, 6, 6),
        ];
        for events in every_order(&better) {
            assert_eq!(severity(&events), Severity::Low, "a later word counts");
        }
    }
    let next = [
        update("1", Severity::Critical, 0, 0),
        resolve("2", 0, 1),
        raise("3", 0, 2),
    ];
    assert_eq!(severity(&next), Severity::Medium, "of another occurrence");
}

#[test]
fn a_repeat_prolongs_whatever_its_time() {
    let first = until("r", 100, 0, 0);
    for (what, repeats, expected) in [
        ("a newer one", vec![until("2", 160, 60, 60)], 160),
        ("the raise's own time", vec![until("2", 160, 0, 60)], 160),
        (
            "an update with a later time came between",
            vec![
                event(
                    "u",
                    AlertChange::Updated(says(Severity::Medium, Some(120))),
                    20,
                    20,
                ),
                until("2", 160, 0, 60),
            ],
            160,
        ),
        ("a newer one says sooner", vec![until("2", 90, 60, 60)], 90),
        (
            "a newer one says sooner, and overtook",
            vec![until("3", 90, 60, 60), until("2", 160, 30, 30)],
            90,
        ),
        (
            "of one time, a sooner one",
            vec![until("2", 90, 0, 60)],
            100,
        ),
        (
            "one of before the raise",
            vec![until("2", 160, -1, 60)],
            100,
        ),
        ("the same event again", vec![until("r", 160, 0, 60)], 160),
        (
            "the same event again, sooner",
            vec![until("r", 90, 0, 60)],
            100,
        ),
        (
            "the same event again after a newer one",
            vec![until("2", 90, 60, 60), until("r", 160, 0, 120)],
            90,
        ),
        (
            "the same event again, without an end",
            vec![raise("r", 0, 60)],
            100,
        ),
    ] {
        let events: Vec<Event> = std::iter::once(first.clone()).chain(repeats).collect();
        let record = folded(&events);
        assert_eq!(end(&record), Some(expected), "{what}");
    }
    let resolved = folded(&[first.clone(), resolve("c", 10, 10), until("r", 160, 0, 60)]);
    assert!(!resolved.desired.active, "a retry after the resolve");
    assert_eq!(end(&resolved), Some(100));
    let without_end = folded(&[first, raise("2", 0, 60)]);
    assert_eq!(end(&without_end), None, "of one time, the longer counts");
}

#[test]
fn a_repeat_with_an_old_time_still_counts_as_received() {
    let record = folded(&[
        raise("r", 0, 0),
        update("u", Severity::Medium, 20, 20),
        raise("h", 0, 60),
    ]);
    assert_eq!(record.desired.last_received_at, Some(at(60)));
    assert_eq!(record.desired.last.unwrap().occurred_at, at(20));
}

#[test]
fn a_repeated_resolve_with_a_future_time_ends_one_occurrence() {
    let mut record = folded(&[raise("r", 0, 0), resolve("c", 500, 10)]);
    record = fold(record, &raise("r2", 20, 20));
    let twice = resolve("c", 500, 30);
    assert!(fold(record, &twice).desired.active);
}

#[test]
fn a_raise_keeps_its_text_while_the_ticket_may_be_closed() {
    let claim = claim();
    let first = folded(&[raise("r", 0, 0)]);
    let open = first.clone().with_open(open());
    for record in [first.with_claim(claim), open] {
        assert_eq!(record.payload, None);
        let anew = fold(fold(record, &resolve("c", 10, 10)), &raise("r2", 20, 20));
        assert!(anew.clone().with_nothing_to_do(None).payload.is_some());
        let over = fold(anew, &resolve("c2", 30, 30));
        if over.claim.is_none() {
            assert_eq!(over.with_nothing_to_do(None).payload, None);
        }
    }
}

#[test]
fn a_raise_that_overtakes_its_resolve_gets_a_ticket() {
    let closed = |at_second| {
        let record = folded(&[raise("r", 0, 0)]);
        record.with_closed(77, 1, ClosedBy::Technician, at(at_second))
    };
    let anew = |record| fold(fold(record, &raise("r2", 30, 30)), &resolve("c", 20, 20));
    let next = anew(closed(10));
    assert_eq!((next.occurrence, next.desired.active), (2, true));
    assert!(next.payload.is_some());
    assert_eq!(
        anew(closed(31)).occurrence,
        1,
        "a person ended it after that"
    );
    let before = fold(closed(10), &raise("r2", 30, 30));
    assert_eq!(
        fold(before, &resolve("c", -1, 0)).occurrence,
        1,
        "of before the raise"
    );
}

#[test]
fn a_retry_of_an_early_update_does_not_survive_a_resolve() {
    let early = update("u", Severity::Critical, 15, 15);
    let record = folded(&[
        raise("r", 0, 0),
        resolve("c", 10, 10),
        early.clone(),
        raise("r2", 14, 14),
    ]);
    let retry = fold(record, &retried(&early, 40));
    assert!(!fold(retry, &resolve("c2", 30, 30)).desired.active);
}

#[test]
fn a_late_resolve_does_not_end_a_repeat_with_the_raises_time() {
    let events = [raise("r", 0, 2), raise("h", 0, 30), resolve("c", -1, 60)];
    assert!(is_active(&events), "of an occurrence before");
}

#[test]
fn the_newest_place_never_moves_back() {
    let record = folded(&[raise("r", 0, 2), resolve("c", -100, 60)]);
    // Older than the raise that the resolve ended: it was overtaken.
    assert!(!fold(record, &raise("r0", -50, 70)).desired.active);
}

#[test]
fn a_repeat_after_an_unnoticed_expiry_keeps_the_ticket() {
    let mut record = folded(&[until("r", 100, 0, 0)]);
    record = record.with_open(open());
    let repeated = fold(record, &raise("h", 150, 150));
    let details = repeated.desired.details.unwrap();
    assert_eq!(
        (repeated.occurrence, details.raised_at, details.repeats),
        (1, at(0), 1)
    );
}

#[test]
fn an_active_alert_with_a_closed_ticket_stays_indexed() {
    let state = |record: &Record| record.index("0f").map(|(state, _)| state);
    let ended = folded(&[raise("r", 0, 0)]).with_open(open());
    let ended = ended.with_closed(7, 1, ClosedBy::Technician, at(10));
    assert_eq!(state(&ended), Some("acme#open#2".into()));
    let over = fold(ended, &resolve("c", 20, 20));
    assert_eq!(state(&over), Some("acme#closed#2".into()));
}
