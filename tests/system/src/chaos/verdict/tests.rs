//! Each fault of a run is named: a doubled ticket, a lost alert, a wrong figure of a page.

use domain::alert::event::Severity;
use domain::alert::figures::DayCounts;
use domain::alert::record::{ClosedBy, OpenTicket};
use domain::alert::state::AlertState;
use domain::{AlertId, SourceId, TenantId, TicketRef};
use jiff::tz::TimeZone;

use super::super::page_check::{ObservedDelay, TicketCounts};
use super::*;

fn alert(id: &str, expected: Expected) -> ChaosAlert {
    let key = AlertKey {
        partner: PartnerId::parse("northwind").unwrap(),
        tenant: TenantId::parse("acme-dental").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse(id).unwrap(),
    };
    ChaosAlert {
        key,
        partner: 0,
        expected,
    }
}

fn ticket(alert: &ChaosAlert, id: u64, closed: bool) -> ReferencedTicket {
    ReferencedTicket {
        id,
        ticket_ref: TicketRef::new(&alert.key, 1).to_string(),
        company: 1,
        closed,
        closed_by: closed.then(|| INTEGRATION.to_owned()),
    }
}

fn opened(alert: &ChaosAlert, ticket_id: u64) -> Record {
    let open = OpenTicket {
        ticket_id,
        board_id: None,
        company_id: 1,
        epoch: 1,
        opened_at: Timestamp::UNIX_EPOCH,
        severity: Severity::High,
        kind: None,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: false,
        title_note_at: None,
        ticket_ref: None,
        made: None,
        manual_change: None,
        action: None,
        link_at: None,
    };
    let mut record = Record::new(alert.key.clone()).with_open(open);
    counts_of(&mut record).created = 1;
    record
}

/// The counts of the first day.
fn counts_of(record: &mut Record) -> &mut DayCounts {
    let day = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).date();
    record.figures.days.entry(day).or_default()
}

/// What the page shows of these records, and these rows.
fn page(records: &BTreeMap<String, Record>, activity: Vec<ActivityRow>) -> PageContent {
    let mut sum = FiguresSum::default();
    records.values().for_each(|record| sum.add(&record.figures));
    PageContent {
        counted_at: Timestamp::UNIX_EPOCH,
        figures: sum.finish(Timestamp::UNIX_EPOCH).quarter,
        activity,
    }
}

fn row(alert: &ChaosAlert, state: AlertState, ticket: Option<u64>) -> ActivityRow {
    let item = alert.key.item_key();
    ActivityRow {
        item,
        state,
        ticket,
    }
}

fn blocked(alert: &ChaosAlert, reason: Blocked) -> Record {
    Record::new(alert.key.clone()).with_blocked(reason, None, Timestamp::UNIX_EPOCH)
}

/// A good end: one alert is active, one was closed, one was resolved before it had a ticket,
/// the text of one is refused, and a technician closed the ticket of one.
fn good() -> (Vec<ChaosAlert>, Evidence) {
    let alerts = vec![
        alert("active", Expected::Open),
        alert("closed", Expected::Resolved),
        alert("never", Expected::Resolved),
        alert("refused", Expected::Refused),
        alert("taken", Expected::ByTechnician),
    ];
    let closed = |alert, ticket, by| {
        let record = opened(alert, ticket);
        let mut closed = record.with_closed(ticket, 1, by, Timestamp::UNIX_EPOCH);
        counts_of(&mut closed).closed = 1;
        closed
    };
    let mut records = [
        opened(&alerts[0], 11),
        closed(&alerts[1], 12, ClosedBy::Us),
        Record::new(alerts[2].key.clone()),
        blocked(&alerts[3], Blocked::Rejected("page".to_owned())),
        closed(&alerts[4], 15, ClosedBy::Technician),
    ];
    for raised in [0, 1, 3, 4] {
        counts_of(&mut records[raised]).raised = 1;
    }
    let mut taken = ticket(&alerts[4], 15, true);
    taken.closed_by = Some("TSmith".to_owned());
    let records = records.map(|record| (record.key.item_key(), record)).into();
    let rows = vec![
        row(&alerts[0], AlertState::Open, Some(11)),
        row(&alerts[1], AlertState::Closed, Some(12)),
        row(&alerts[3], AlertState::Failed, None),
        row(&alerts[4], AlertState::Closed, Some(15)),
    ];
    let evidence = Evidence {
        observed: BTreeMap::new(),
        pages: [(alerts[0].key.partner.clone(), page(&records, rows))].into(),
        records,
        tickets: vec![
            ticket(&alerts[0], 11, false),
            ticket(&alerts[1], 12, true),
            taken,
        ],
        dead_letters: 0,
    };
    (alerts, evidence)
}

/// The violations after a change.
fn found(change: impl Fn(&[ChaosAlert], &mut Evidence)) -> Vec<(String, Violation)> {
    let (alerts, mut evidence) = good();
    change(&alerts, &mut evidence);
    let verdict = verdict(&alerts, &evidence);
    assert_ne!(verdict, ChaosVerdict::default());
    let named = |(key, violation): (AlertKey, Violation)| (key.alert_id.to_string(), violation);
    verdict.alerts.into_iter().map(named).collect()
}

fn one(id: &str, violation: Violation) -> Vec<(String, Violation)> {
    vec![(id.to_owned(), violation)]
}

#[test]
fn a_good_end_has_no_violation() {
    let (alerts, evidence) = good();
    assert_eq!(verdict(&alerts, &evidence), ChaosVerdict::default());
}

#[test]
fn a_duplicate_is_found_with_any_reference() {
    let violations = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[0], 13, true)));
    assert_eq!(
        violations,
        one("active", Violation::Duplicates(vec![11, 13]))
    );
    let violations = found(|alerts, evidence| {
        let ticket_ref = TicketRef::new(&alerts[1].key, 2).to_string();
        evidence.tickets.push(ReferencedTicket {
            id: 13,
            ticket_ref,
            company: 1,
            closed: true,
            closed_by: None,
        });
    });
    assert_eq!(
        violations,
        one("closed", Violation::Duplicates(vec![12, 13]))
    );
}

#[test]
fn a_lost_ticket_or_record_is_found() {
    let violations = found(|_, evidence| drop(evidence.tickets.remove(0)));
    assert_eq!(violations, one("active", Violation::NoTicket));
    let violations = found(|alerts, evidence| {
        evidence.tickets.remove(0);
        evidence.records.remove(&alerts[0].key.item_key());
    });
    assert_eq!(violations, one("active", Violation::NoRecord));
    let violations =
        found(|alerts, evidence| drop(evidence.records.remove(&alerts[2].key.item_key())));
    assert_eq!(violations, one("never", Violation::NoRecord));
}

#[test]
fn a_ticket_in_the_wrong_state_is_found() {
    let violations = found(|_, evidence| evidence.tickets[1].closed = false);
    assert_eq!(violations, one("closed", Violation::OpenThoughResolved(12)));
    let violations = found(|_, evidence| evidence.tickets[0].closed = true);
    assert_eq!(violations, one("active", Violation::ClosedThoughActive(11)));
    let violations = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, false)));
    assert_eq!(violations, one("never", Violation::OpenThoughResolved(13)));
}

#[test]
fn figures_that_miss_a_ticket_or_its_end_are_found() {
    let counts = |created, closed| TicketCounts { created, closed };
    for (change, counted) in [
        (
            (|of: &mut DayCounts| of.created = 0) as fn(&mut DayCounts),
            counts(0, 1),
        ),
        (|of| of.created = 2, counts(2, 1)),
        (|of| of.closed = 0, counts(1, 0)),
        (|of| of.closed_by_person = 1, counts(1, 2)),
        (|of| of.reopened = 1, counts(1, 0)),
        (|of| of.reopened = 2, counts(1, u32::MAX)),
    ] {
        for (number, id) in [(1, "closed"), (4, "taken")] {
            let violations = found(|alerts, evidence| {
                let record = evidence.records.get_mut(&alerts[number].key.item_key());
                change(counts_of(record.unwrap()));
            });
            let found = counts(1, 1);
            let mismatch = PageMismatch::Tickets { counted, found };
            assert_eq!(violations, one(id, Violation::Page(mismatch)));
        }
    }
}

#[test]
fn other_raises_than_one_are_found() {
    for times in [0, 2] {
        let violations = found(|alerts, evidence| {
            let record = evidence.records.get_mut(&alerts[3].key.item_key());
            counts_of(record.unwrap()).raised = times;
        });
        let mismatch = PageMismatch::Raised(times);
        assert_eq!(violations, one("refused", Violation::Page(mismatch)));
    }
    let violations = found(|alerts, evidence| {
        let record = evidence.records.get_mut(&alerts[2].key.item_key());
        counts_of(record.unwrap()).raised = 2;
    });
    let mismatch = PageMismatch::Raised(2);
    assert_eq!(violations, one("never", Violation::Page(mismatch)));
}

/// The violations with these counts and this observation of the active alert.
fn observed(observation: Observation, change: fn(&mut DayCounts)) -> Vec<(AlertKey, Violation)> {
    let (alerts, mut evidence) = good();
    let item = alerts[0].key.item_key();
    let record = evidence.records.get_mut(&item).unwrap();
    change(counts_of(record));
    evidence.observed.insert(item, observation);
    verdict(&alerts, &evidence).alerts
}

#[test]
fn notes_that_are_not_counted_once_are_found() {
    let written = |notes, late_notes| Observation {
        notes,
        late_notes,
        ..Observation::default()
    };
    assert_eq!(observed(written(2, 0), |of| of.noted = 2), []);
    assert_eq!(observed(written(2, 1), |of| of.noted = 1), []);
    assert_eq!(observed(written(2, 1), |of| of.noted = 2), []);
    for (notes, late_notes, change, counted) in [
        (2, 0, (|of| of.noted = 1) as fn(&mut DayCounts), 1),
        (2, 0, |of| of.noted = 3, 3),
        (2, 1, |of| of.noted = 0, 0),
        (0, 0, |of| of.noted = 1, 1),
    ] {
        let violations = observed(written(notes, late_notes), change);
        let mismatch = PageMismatch::Notes {
            counted,
            written: notes,
        };
        assert_eq!(violations[0].1, Violation::Page(mismatch));
    }
}

#[test]
fn a_note_without_an_answer_is_missed_only_on_a_technicians_ticket() {
    for (number, is_missed) in [(0, true), (4, false)] {
        let (alerts, mut evidence) = good();
        let observation = Observation {
            notes: 1,
            lost_notes: 1,
            ..Observation::default()
        };
        let item = alerts[number].key.item_key();
        evidence.observed.insert(item, observation);
        let verdict = verdict(&alerts, &evidence);
        assert_eq!(verdict.alerts.len(), usize::from(is_missed));
    }
}

#[test]
fn a_delay_that_the_ticket_did_not_take_is_found() {
    let took = |least, most| Observation {
        delay: Some(ObservedDelay { least, most }),
        ..Observation::default()
    };
    // Of a healthy ConnectWise each active alert has its delay.
    assert_eq!(observed(took(8, Some(9)), |of| of.delays = vec![10]), []);
    for change in [
        (|of| of.delays = vec![]) as fn(&mut DayCounts),
        |of| of.delays = vec![2],
        |of| of.delays = vec![15],
        |of| of.delays = vec![8, 8],
    ] {
        let violations = observed(took(8, Some(9)), change);
        assert!(
            matches!(
                violations[0].1,
                Violation::Page(PageMismatch::Delays { .. })
            ),
            "{violations:?}"
        );
    }
    // With faults the ticket may be found later, or it waited for a person.
    assert_eq!(observed(took(8, None), |of| of.delays = vec![300]), []);
    assert_eq!(observed(took(8, None), |of| of.delays = vec![]), []);
    let violations = observed(took(8, None), |of| of.delays = vec![2]);
    assert!(matches!(
        violations[0].1,
        Violation::Page(PageMismatch::Delays { .. })
    ));
}

#[test]
fn a_ticket_that_is_late_without_an_outage_is_found() {
    let healthy = || Observation {
        delay: Some(ObservedDelay {
            least: 1,
            most: Some(1),
        }),
        ..Observation::default()
    };
    let violations = observed(healthy(), |of| (of.late, of.delays) = (1, vec![1]));
    let late = Violation::Page(PageMismatch::Late(1));
    assert_eq!(violations[0].1, late);
    let violations = observed(Observation::default(), |of| of.late = 2);
    assert_eq!(violations[0].1, Violation::Page(PageMismatch::Late(2)));
}

#[test]
fn a_row_of_activity_that_is_not_so_is_found() {
    type Change = fn(&mut Vec<ActivityRow>);
    for (change, id) in [
        ((|rows| drop(rows.remove(0))) as Change, "active"),
        (|rows| rows.push(rows[0].clone()), "active"),
        (|rows| rows[0].ticket = Some(12), "active"),
        (|rows| rows[0].state = AlertState::Closed, "active"),
        (|rows| rows[1].state = AlertState::Open, "closed"),
        (|rows| rows[2].state = AlertState::Waiting, "refused"),
        (|rows| rows[3].state = AlertState::Open, "taken"),
    ] {
        let violations = found(|alerts, evidence| {
            let page = evidence.pages.get_mut(&alerts[0].key.partner).unwrap();
            change(&mut page.activity);
        });
        assert_eq!(violations[0].0, id, "{violations:?}");
        assert!(
            matches!(
                violations[0].1,
                Violation::Page(PageMismatch::Activity { .. })
            ),
            "{violations:?}"
        );
    }
}

#[test]
fn a_page_that_shows_other_figures_is_found() {
    let (alerts, mut evidence) = good();
    for page in evidence.pages.values_mut() {
        page.figures.created += 1;
    }
    let wrong = verdict(&alerts, &evidence).wrong_pages;
    assert_eq!(wrong, [alerts[0].key.partner.clone()]);
}

#[test]
fn a_ticket_without_a_record_is_found() {
    let violations = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, true)));
    let other = Violation::OtherTicket {
        recorded: None,
        found: Some(13),
    };
    assert_eq!(violations, one("never", other));
    let (alerts, mut evidence) = good();
    evidence
        .tickets
        .push(ticket(&alert("unknown", Expected::Open), 13, false));
    assert_eq!(verdict(&alerts, &evidence).foreign_tickets.len(), 1);
}

#[test]
fn a_ticket_for_another_company_is_found() {
    let violations = found(|_, evidence| evidence.tickets[1].company = 2);
    assert_eq!(violations, one("closed", Violation::OtherCompany(12)));
}

#[test]
fn blocked_alerts_and_dead_letters_are_found() {
    let violations = found(|alerts, evidence| {
        evidence.tickets.remove(0);
        let blocked = blocked(&alerts[0], Blocked::ConnectionBroken);
        evidence.records.insert(alerts[0].key.item_key(), blocked);
    });
    assert_eq!(
        violations,
        one(
            "active",
            Violation::Blocked(Blocked::ConnectionBroken.to_string())
        )
    );
    assert_eq!(found(|_, evidence| evidence.dead_letters = 1), []);
}

#[test]
fn a_refused_text_blocks_the_alert_not_the_connection() {
    for reason in [
        Blocked::ConnectionBroken,
        Blocked::ConnectionUnavailable,
        Blocked::Throttled,
        Blocked::MissingRight("service_tickets.add".to_owned()),
    ] {
        let violations = found(|alerts, evidence| {
            let blocked = blocked(&alerts[3], reason.clone());
            evidence.records.insert(alerts[3].key.item_key(), blocked);
        });
        assert_eq!(
            violations,
            one("refused", Violation::Blocked(reason.to_string()))
        );
    }
    let violations = found(|alerts, evidence| {
        let record = Record::new(alerts[3].key.clone());
        evidence.records.insert(alerts[3].key.item_key(), record);
    });
    assert_eq!(violations, one("refused", Violation::Unfinished));
    let violations = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[3], 14, false)));
    assert_eq!(
        violations,
        one("refused", Violation::TicketThoughRefused(14))
    );
}

#[test]
fn a_rule_may_reopen_a_technicians_ticket_after_a_late_note() {
    let (alerts, mut evidence) = good();
    evidence.tickets[2].closed = false;
    evidence.tickets[2].closed_by = None;
    assert_ne!(verdict(&alerts, &evidence), ChaosVerdict::default());
    let late = Observation {
        notes: 1,
        late_notes: 1,
        ..Observation::default()
    };
    evidence.observed.insert(alerts[4].key.item_key(), late);
    assert_eq!(verdict(&alerts, &evidence), ChaosVerdict::default());
    evidence.tickets[2].closed = true;
    evidence.tickets[2].closed_by = Some(INTEGRATION.to_owned());
    assert_ne!(verdict(&alerts, &evidence), ChaosVerdict::default());
}

#[test]
fn a_ticket_closed_by_a_technician_stays_closed() {
    let violations = found(|_, evidence| {
        evidence.tickets[2].closed = false;
        evidence.tickets[2].closed_by = None;
    });
    assert_eq!(violations, one("taken", Violation::NotByTechnician(15)));
    let violations =
        found(|_, evidence| evidence.tickets[2].closed_by = Some(INTEGRATION.to_owned()));
    assert_eq!(violations, one("taken", Violation::NotByTechnician(15)));
    let violations = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[4], 16, false)));
    assert_eq!(
        violations,
        one("taken", Violation::Duplicates(vec![15, 16]))
    );
    let violations = found(|_, evidence| drop(evidence.tickets.remove(2)));
    assert_eq!(violations, one("taken", Violation::NoTicket));
}
