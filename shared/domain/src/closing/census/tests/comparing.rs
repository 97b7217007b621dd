//! The comparison with ConnectWise's list of open tickets.

use super::*;
use crate::setup::status_action::StatusAction;
use crate::ticketing::lookup::apply_inspection;

#[test]
fn an_empty_comparison_is_known_to_be_empty() {
    let ticket = with_ticket(active("contoso", "a"), 7, LAST);
    assert!(census(&[active("contoso", "a")]).tickets(1).is_empty());
    assert!(census(std::slice::from_ref(&ticket)).tickets(2).is_empty());
    assert!(!census(&[ticket]).tickets(1).is_empty());
}

/// The ticket of alert `a`, as ConnectWise lists it without changes by a person.
fn listed(record: &Record) -> FoundTicket {
    let open = record.open().unwrap();
    FoundTicket {
        ticket_id: open.ticket_id,
        ticket_ref: Some(record.ticket_ref()),
        board_id: open.board_id,
        company_id: Some(open.company_id),
        entered_at: Some(open.opened_at),
        raised_at: None,
        closed: false,
        closed_at: None,
        merged: false,
        touched: false,
        action: None,
    }
}

fn look(ticket: RecordId) -> Vec<ProposedAction> {
    vec![ProposedAction::Look(ticket)]
}

fn for_duplicates(ticket: RecordId) -> Vec<ProposedAction> {
    vec![ProposedAction::LookForDuplicates(ticket)]
}

/// The result for the whole list: proposals and missing tickets.
fn compared(records: &[Record], list: &[FoundTicket]) -> (Vec<ProposedAction>, Vec<RecordId>) {
    let tickets = census(records).tickets(1);
    let comparison = tickets.compare(0, None, list, minute(NOW));
    let asks = comparison.proposals.into_iter();
    (
        asks.map(|proposal| proposal.action).collect(),
        comparison.missing,
    )
}

#[test]
fn a_ticket_that_differs_from_its_record_is_proposed() {
    let record = a();
    let other = TicketRef::new(&alert("contoso", "b"), 1);
    let as_listed = |change: fn(&mut FoundTicket)| {
        let mut found = listed(&record);
        change(&mut found);
        found
    };
    let with_reference = |ticket_ref: Option<TicketRef>| FoundTicket {
        ticket_ref,
        ..listed(&record)
    };
    let cases = [
        ("as it is", listed(&record), vec![]),
        ("touched", as_listed(|found| found.touched = true), vec![]),
        (
            "other company",
            as_listed(|found| found.company_id = Some(20)),
            look(7),
        ),
        (
            "no company",
            as_listed(|found| found.company_id = None),
            look(7),
        ),
        (
            "other board",
            as_listed(|found| found.board_id = Some(3)),
            look(7),
        ),
        (
            "no board",
            as_listed(|found| found.board_id = None),
            look(7),
        ),
        (
            "closed meanwhile",
            as_listed(|found| found.closed = true),
            look(7),
        ),
        ("merged", as_listed(|found| found.merged = true), look(7)),
        (
            "another alert's reference",
            with_reference(Some(other)),
            look(7),
        ),
        (
            "another occurrence's reference",
            with_reference(Some(TicketRef::new(&record.key, 2))),
            look(7),
        ),
        ("no reference", with_reference(None), look(7)),
    ];
    for (what, found, asks) in cases {
        assert_eq!(
            compared(std::slice::from_ref(&record), &[found]),
            (asks, vec![]),
            "{what}"
        );
    }
}

#[test]
fn a_ticket_that_is_not_listed_is_missing() {
    let records = [a(), with_ticket(active("contoso", "b"), 9, LAST)];
    let list = [listed(&records[1])];
    assert_eq!(compared(&records, &list), (vec![], vec![7]));
    assert_eq!(compared(&records, &[]), (vec![], vec![7, 9]));
    let resolved_alerts = [resolved(a())];
    assert_eq!(
        compared(&resolved_alerts, &[]),
        (vec![], vec![7]),
        "the alert is resolved, the ticket stays open"
    );
    assert_eq!(compared(&[active("contoso", "c")], &[]), (vec![], vec![]));
}

#[test]
fn a_ticket_recorded_within_a_minute_is_not_missing() {
    for (opened, missing) in [(NOW + 1, vec![]), (NOW, vec![]), (NOW - 1, vec![7])] {
        let record = with_ticket(active("contoso", "a"), 7, opened);
        assert_eq!(
            compared(&[record], &[]),
            (vec![], missing),
            "{}",
            opened - NOW
        );
    }
}

#[test]
fn a_page_is_compared_with_its_own_range_of_tickets() {
    let records: Vec<_> = [9, 5, 12, 7]
        .map(|id| with_ticket(active("contoso", &format!("a{id}")), id, LAST))
        .into();
    let tickets = census(&records).tickets(1);
    for (behind, to, missing) in [
        (0, None, vec![5, 7, 9, 12]),
        (0, Some(8), vec![5, 7]),
        (5, Some(9), vec![7, 9]),
        (7, Some(7), vec![]),
        (9, None, vec![12]),
        (12, None, vec![]),
    ] {
        let comparison = tickets.compare(behind, to, &[], minute(NOW));
        assert_eq!(comparison.missing, missing, "behind {behind} to {to:?}");
        assert_eq!(comparison.compared, missing.len());
    }
    let page = tickets.compare(5, Some(9), &[listed(&records[3])], minute(NOW));
    assert_eq!((page.missing, page.compared), (vec![9], 2));
}

#[test]
fn two_open_tickets_with_one_reference_are_duplicates() {
    let record = a();
    let twin = |ticket_id| FoundTicket {
        ticket_id,
        ..listed(&record)
    };
    let one = std::slice::from_ref(&record);
    let asks = compared(one, &[listed(&record), twin(9)]);
    assert_eq!(asks, (for_duplicates(7), vec![]));
    let asks = compared(one, &[twin(3), listed(&record)]);
    assert_eq!(asks, (for_duplicates(7), vec![]), "the older one");
    let tickets = census(one).tickets(1);
    let page = tickets.compare(8, None, &[twin(9)], minute(NOW));
    let asks: Vec<_> = page
        .proposals
        .into_iter()
        .map(|proposal| proposal.action)
        .collect();
    assert_eq!(asks, for_duplicates(7), "on another page");

    let other_occurrence = FoundTicket {
        ticket_ref: Some(TicketRef::new(&record.key, 2)),
        ..twin(9)
    };
    let unknown_alert = FoundTicket {
        ticket_ref: Some(TicketRef::new(&alert("contoso", "z"), 1)),
        ..twin(9)
    };
    let without_reference = FoundTicket {
        ticket_ref: None,
        ..twin(9)
    };
    let elsewhere = FoundTicket {
        company_id: Some(20),
        ..twin(9)
    };
    let merged = FoundTicket {
        merged: true,
        ..twin(9)
    };
    for other in [
        other_occurrence,
        unknown_alert,
        without_reference,
        elsewhere,
        merged,
    ] {
        let asks = compared(one, &[listed(&record), other.clone()]);
        assert_eq!(asks, (vec![], vec![]), "{other:?}");
    }
}

/// It has the reference of the occurrence for which it was created.
#[test]
fn a_reopened_ticket_matches_its_record() {
    let mut record = a();
    let first = record.occurrence_ref();
    record.occurrence = 3;
    if let Some(Actual::Open(open)) = &mut record.actual {
        open.ticket_ref = Some(first.clone());
    }
    let one = std::slice::from_ref(&record);
    assert_eq!(compared(one, &[listed(&record)]), (vec![], vec![]));
    let twin = |ticket_ref| FoundTicket {
        ticket_id: 9,
        ticket_ref: Some(ticket_ref),
        ..listed(&record)
    };
    let asks = compared(one, &[listed(&record), twin(first)]);
    assert_eq!(asks, (for_duplicates(7), vec![]));
    let asks = compared(one, &[listed(&record), twin(record.occurrence_ref())]);
    assert_eq!(asks, (vec![], vec![]), "of another occurrence");
}

#[test]
fn tickets_of_another_connectwise_are_not_compared() {
    let mut other = a();
    if let Some(Actual::Open(open)) = &mut other.actual {
        open.epoch = 2;
    }
    let one = std::slice::from_ref(&other);
    assert_eq!(compared(one, &[]), (vec![], vec![]));
    // Its id may belong to any ticket there, but its reference was never sent there.
    let twin = FoundTicket {
        ticket_id: 9,
        ..listed(&other)
    };
    assert_eq!(compared(one, &[twin]), (vec![], vec![]));
    let there = census(one).tickets(2).compare(0, None, &[], minute(NOW));
    assert_eq!((there.missing, there.compared), (vec![7], 1));
}

#[test]
fn a_missing_ticket_is_proposed_if_its_board_is_visible() {
    let mut records: Vec<_> = [5, 7, 9]
        .map(|id| with_ticket(active("contoso", &format!("a{id}")), id, LAST))
        .into();
    if let Some(Actual::Open(open)) = &mut records[2].actual {
        open.board_id = Some(3);
    }
    let tickets = census(&records).tickets(1);
    let action = |shown: &[RecordId], boards: &[RecordId]| {
        let shown = shown.iter().copied().collect();
        let boards = boards.iter().copied().collect();
        let missing = [5, 9, 11];
        let asks = tickets
            .explain_missing(&missing, &shown, &boards)
            .into_iter();
        asks.map(|proposal| match proposal.action {
            ProposedAction::Look(id) => {
                let of = &records
                    .iter()
                    .find(|record| record.open().unwrap().ticket_id == id);
                assert_eq!(item(&of.unwrap().key), proposal.key);
                id
            }
            other @ (ProposedAction::Resolve { .. } | ProposedAction::LookForDuplicates(_)) => {
                panic!("{other:?}")
            }
        })
        .collect::<Vec<_>>()
    };
    assert!(action(&[], &[]).is_empty(), "nothing is known");
    assert_eq!(action(&[9], &[]), [9], "closed, or given to another use");
    assert_eq!(action(&[], &[BOARD]), [5], "deleted");
    assert_eq!(action(&[], &[BOARD, 3]), [5, 9]);
    assert_eq!(
        action(&[5, 9, 11], &[BOARD, 3]),
        [5, 9],
        "11 is in no record"
    );
    let mut unknown = records[0].clone();
    if let Some(Actual::Open(open)) = &mut unknown.actual {
        open.board_id = None;
    }
    let on_no_board = census(&[unknown]).tickets(1);
    let asks = on_no_board.explain_missing(&[5], &BTreeSet::new(), &BTreeSet::new());
    assert_eq!(asks.len(), 1, "its board is not known to be hidden");
    assert_eq!(tickets.boards(&[5, 9, 11]), BTreeSet::from([BOARD, 3]));
    assert_eq!(tickets.boards(&[5, 7]), BTreeSet::from([BOARD]));
}

#[test]
fn a_move_to_a_status_that_asks_for_an_action_is_looked_at_once() {
    let record = a();
    let proposals = |record: &Record, found: &FoundTicket| {
        compared(std::slice::from_ref(record), std::slice::from_ref(found)).0
    };
    let number = record.open().unwrap().ticket_id;
    let act = FoundTicket {
        action: Some(StatusAction::WontFix { days: 30 }),
        ..listed(&record)
    };
    assert_eq!(proposals(&record, &act), look(number));
    let open = record.open().unwrap().clone();
    let known = apply_inspection(record, &open, Some(&act), minute(NOW));
    assert_eq!(proposals(&known, &act), []);
    // Another number of days is no other move.
    let days = FoundTicket {
        action: Some(StatusAction::WontFix { days: 7 }),
        ..act
    };
    assert_eq!(proposals(&known, &days), []);
    assert_eq!(proposals(&known, &listed(&known)), look(number));
}
