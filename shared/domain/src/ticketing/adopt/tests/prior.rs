//! Tickets of earlier occurrences.

use super::*;

fn of_life(ticket_id: u64, occurrence: u32, closed_at: Option<i64>) -> FoundTicket {
    let (record, _) = claimed();
    FoundTicket {
        ticket_ref: Some(TicketRef::new(&record.key, occurrence)),
        closed: closed_at.is_some(),
        closed_at: closed_at.map(at),
        ..ticket(ticket_id, 0, false)
    }
}

fn raised_at(second: i64) -> Record {
    let (record, _) = claimed();
    let mut record = record.without_claim();
    record.desired.active = true;
    record.desired.details = Some(crate::alert::record::AlertDetails {
        kind: crate::Kind::parse("disk").unwrap(),
        category: crate::alert::kind::Category::Operations,
        severity: Severity::High,
        raised_at: at(second),
        raise_received_at: at(second),
        previous_event_at: None,
        repeats: 0,
        expires_at: None,
    });
    record
}

#[test]
fn a_lost_open_ticket_is_adopted() {
    let found = [
        of_life(7, 1, Some(50)),
        of_life(8, 3, None),
        of_life(9, 3, None),
        FoundTicket {
            ticket_ref: None,
            ..of_life(99, 9, None)
        },
    ];
    let record = adopt_prior_tickets(raised_at(100), &found, None, 1, at(200));
    assert_eq!(
        (record.occurrence, record.open().unwrap().ticket_id),
        (3, 8)
    );
    let own_ref = &record.open().unwrap().ticket_ref;
    assert_eq!(*own_ref, None, "it is that of the occurrence");
    assert_eq!(too_many(&record), [9]);
}

#[test]
fn a_known_raise_of_the_same_second_stays_the_newest_event() {
    let known = set_last_event(raised_at(100), at(100));
    let closed = FoundTicket {
        raised_at: Some(at(100)),
        ..of_life(7, 1, Some(150))
    };
    let record = adopt_prior_tickets(known.clone(), &[closed], None, 1, at(200));
    assert_eq!(record.desired.last, known.desired.last);
}

#[test]
fn a_lost_closed_ticket_ends_its_occurrence() {
    let found = [of_life(7, 2, Some(150))];
    let record = adopt_prior_tickets(raised_at(100), &found, None, 1, at(200));
    assert_eq!(record.occurrence, 2);
    assert!(matches!(&record.actual, Some(Actual::Closed(closed)) if closed.occurrence == 2));
    let record = adopt_prior_tickets(raised_at(160), &found, None, 1, at(200));
    assert_eq!(
        record.occurrence, 3,
        "it was raised after that one was closed"
    );
    let desired = raised_at(160).desired;
    assert_eq!(record.desired, desired, "and that one says nothing of it");
    assert_eq!(
        adopt_prior_tickets(raised_at(1), &[], None, 1, at(200)),
        raised_at(1)
    );
}

#[test]
fn a_ticket_reveals_a_raise_that_the_record_missed() {
    let found = FoundTicket {
        raised_at: Some(at(50)),
        ..of_life(8, 2, None)
    };
    let mut old = raised_at(1).with_closed(7, 1, ClosedBy::Us, at(9));
    old.desired.active = false;
    old.occurrence = 1;
    old = set_last_event(old, at(8));
    let record = adopt_prior_tickets(old.clone(), std::slice::from_ref(&found), None, 1, at(100));
    assert_eq!(
        (record.open().unwrap().ticket_id, record.occurrence),
        (8, 2)
    );
    assert!(record.desired.active, "it must not be closed");
    assert_eq!(record.desired.last.unwrap().occurred_at, at(50));

    old.desired.last.as_mut().unwrap().occurred_at = at(60);
    let record = adopt_prior_tickets(old.clone(), &[found], None, 1, at(100));
    assert!(
        !record.desired.active,
        "its resolve is newer than that raise"
    );

    let found = FoundTicket {
        raised_at: Some(at(80)),
        ..of_life(8, 2, Some(90))
    };
    let closed = adopt_prior_tickets(old, &[found], None, 1, at(100));
    let last = closed.desired.last.unwrap();
    assert!(
        last.occurred_at > at(80) && last.occurred_at < at(81),
        "that raise is old"
    );
}

#[test]
fn an_event_after_the_raise_of_a_closed_ticket_stays_newest() {
    let found = FoundTicket {
        raised_at: Some(at(80)),
        ..of_life(8, 2, Some(90))
    };
    for last in [81, 85] {
        let record = set_last_event(raised_at(1), at(last));
        let closed = adopt_prior_tickets(record, std::slice::from_ref(&found), None, 1, at(100));
        assert_eq!(closed.desired.last.unwrap().occurred_at, at(last));
    }
}

/// A ticket that stays open too long is better than one that is closed too early.
#[test]
fn an_unstated_raise_was_before_the_ticket_was_entered() {
    let entered_at_zero = [of_life(8, 2, None)];
    let active = adopt_prior_tickets(raised_at(-10), &entered_at_zero, None, 1, at(100));
    assert_eq!(active.desired, raised_at(-10).desired, "nothing new");
    for (resolved_at, is_active) in [(-5, true), (5, false)] {
        let mut ended = set_last_event(raised_at(-10), at(resolved_at));
        ended.desired.active = false;
        let with_prior = adopt_prior_tickets(ended, &entered_at_zero, None, 1, at(100));
        assert_eq!(with_prior.desired.active, is_active, "{resolved_at}");
    }
}

#[test]
fn a_ticket_in_reach_again_changes_no_events() {
    let out_of_reach = raised_at(1).with_closed(7, 1, ClosedBy::OutOfReach, at(9));
    let found = FoundTicket {
        raised_at: Some(at(1)),
        ..of_life(7, 1, Some(50))
    };
    let record = adopt_prior_tickets(out_of_reach.clone(), &[found], None, 2, at(100));
    assert!(
        matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Technician)
    );
    assert_eq!(record.desired, out_of_reach.desired);
}

#[test]
fn a_ticket_in_reach_again_is_matched_by_reference() {
    let mut out_of_reach = raised_at(1);
    out_of_reach.occurrence = 2;
    let out_of_reach = out_of_reach.with_closed(7, 1, ClosedBy::OutOfReach, at(9));
    for (ticket_id, life, adopted) in [(7, 2, true), (8, 2, true), (7, 1, false)] {
        let found = [of_life(ticket_id, life, None)];
        let record = adopt_prior_tickets(out_of_reach.clone(), &found, None, 2, at(100));
        let open = record.open().map(|open| open.ticket_id);
        assert_eq!(open, adopted.then_some(ticket_id), "{ticket_id} of {life}");
    }
}

#[test]
fn a_lost_ticket_of_another_company_is_left_alone() {
    let moved = FoundTicket {
        company_id: Some(20),
        ..of_life(8, 1, None)
    };
    let record = adopt_prior_tickets(raised_at(1), &[moved], Some(19), 1, at(100));
    let Some(Actual::Closed(closed)) = record.actual else {
        panic!("{:?}", record.actual)
    };
    assert_eq!((closed.ticket_id, closed.by), (8, ClosedBy::Moved));
}

#[test]
fn a_ticket_closes_after_its_raise_whatever_the_clock() {
    let closed = FoundTicket {
        raised_at: Some(at(100)),
        entered_at: Some(at(100)),
        ..of_life(8, 1, Some(50))
    };
    let (record, _) = claimed();
    let ended = closed.ended(&record.occurrence_ref(), 19).unwrap();
    assert_eq!(ended.at, Some(end_of_second(at(100))));
}

#[test]
fn a_known_ticket_is_not_adopted_again() {
    let (_, claim) = claimed();
    let open = raised_at(1).with_open(OpenTicket::new(7, None, &claim, at(5)));
    assert_eq!(
        adopt_prior_tickets(open.clone(), &[of_life(7, 1, None)], None, 1, at(9)),
        open
    );
    let mut closed = open.with_closed(7, 1, ClosedBy::Us, at(9));
    assert_eq!(closed.occurrence, 2, "a raise had come meanwhile");
    assert_eq!(
        adopt_prior_tickets(closed.clone(), &[of_life(7, 1, Some(9))], None, 1, at(10)),
        closed
    );
    closed = adopt_prior_tickets(closed, &[of_life(8, 2, None)], None, 1, at(10));
    assert_eq!(
        closed.open().unwrap().ticket_id,
        8,
        "of a restored table's future"
    );
}
