use super::*;
use crate::alert::event::{AlertChange, Event, Particulars, Severity};
use crate::alert::fold::fold;
use crate::alert::record::{Claim, ClosedBy, Op, Record};
use crate::closing::snapshot::tests::{LAG, Sent, alert, item, kind, minute, read, sent};
use crate::ticketing::found_ticket::FoundTicket;
use crate::{ClaimId, EventId, RecordId, SnapshotId, SourceId, TicketRef, fixtures};

/// When most alerts were last heard of, in minutes, and when it is asked.
const LAST: i64 = 2000;
const NOW: i64 = LAST + 30;
const BOARD: RecordId = 2;
const COMPANY: RecordId = 19;

pub(super) fn event(record: &Record, at: i64, change: AlertChange) -> Event {
    Event::immediate(
        record.key.clone(),
        EventId::parse(format!("e{at}")).unwrap(),
        minute(at),
        change,
    )
}

pub(super) fn raised(record: &Record, at: i64, kind: &Kind, expires: Option<i64>) -> Event {
    let particulars = Particulars {
        kind: kind.clone(),
        expires_at: expires.map(minute),
        ..fixtures::particulars()
    };
    event(record, at, AlertChange::Raised(particulars))
}

/// An alert of a kind that stands since, and until, minutes.
fn of_kind(tenant: &str, id: &str, name: &str, expires: Option<i64>) -> Record {
    let record = Record::new(alert(tenant, id));
    fold(record.clone(), &raised(&record, LAST, &kind(name), expires))
}

fn active(tenant: &str, id: &str) -> Record {
    of_kind(tenant, id, "disk", None)
}

pub(super) fn with_ticket(record: Record, ticket_id: RecordId, opened: i64) -> Record {
    let id = ClaimId::parse("c").unwrap();
    let claim = Claim {
        id,
        op: Op::Create,
        reason: "test".into(),
        ticket_ref: record.occurrence_ref(),
        ticket_id: None,
        board_id: Some(BOARD),
        company_id: COMPANY,
        epoch: 1,
        severity: Severity::Medium,
        began_at: minute(opened),
        raise_received_at: None,
        repeats: 0,
        until: minute(opened + 1),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    };
    let open = OpenTicket::new(ticket_id, Some(BOARD), &claim, minute(opened));
    record.with_open(open)
}

fn resolved(record: Record) -> Record {
    let event = event(&record, LAST + 1, AlertChange::Resolved);
    fold(record, &event)
}

/// Alerts `prefix0`, `prefix1`, … with tickets, or without.
fn many(tenant: &str, prefix: &str, count: u64, tickets: bool) -> Vec<Record> {
    let alerts = (0..count).map(|n| {
        let record = active(tenant, &format!("{prefix}{n}"));
        match tickets {
            true => with_ticket(record, n + 1, LAST),
            false => record,
        }
    });
    alerts.collect()
}

fn census(records: &[Record]) -> Census {
    let mut census = Census::default();
    for record in records {
        let actual = record.actual.as_ref();
        census.add(&record.key, &record.desired, actual, record.occurrence);
    }
    census
}

/// What is going by these snapshots.
fn resolved_alerts(census: &Census, snapshots: &[Sent]) -> ResolvedAlerts {
    let of_scope = |number: u32, scope: &Scope| {
        let of = snapshots
            .iter()
            .filter(|sent| sent.heads[0].tenant == scope.tenant);
        let of = of.filter(|sent| sent.heads[0].source == scope.source);
        let of: Vec<Sent> = of.cloned().collect();
        let watched = census.watched(number);
        let (snapshots, found) = read(&of, &census.kinds_of(number), &watched, minute(NOW));
        ScopeSnapshots { snapshots, found }
    };
    let numbered = (0..).zip(&census.scopes);
    let seen = numbered.map(|(number, scope)| (number, of_scope(number, scope)));
    census.resolved_alerts(&seen.collect(), LAG, minute(NOW))
}

/// The alerts that one snapshot a tenant resolves, where a person approved a minute ago that the first records of a tenant close.
fn resolution_plan(
    records: &[Record],
    snapshots: &[Sent],
    approved: &[(&str, u32)],
) -> ResolutionPlan {
    let approval = |tenant: &TenantId, closings| {
        let of_tenant = records.iter().filter(|record| record.key.tenant == *tenant);
        let alerts = of_tenant
            .take(closings as usize)
            .map(|record| item(&record.key));
        Approval {
            closings,
            at: minute(NOW - 1),
            in_progress: Some(AlertSet::new(alerts)),
        }
    };
    let approvals = approved.iter().map(|(tenant, count)| {
        let tenant = tenant_id(tenant);
        let approval = approval(&tenant, *count);
        (tenant, approval)
    });
    departures_after(records, snapshots, &[], &approvals.collect())
}

/// What is gone after others went within the last day.
fn departures_after(
    records: &[Record],
    snapshots: &[Sent],
    ended: &[Record],
    approvals: &BTreeMap<TenantId, Approval>,
) -> ResolutionPlan {
    let census = census(records);
    let resolved_alerts = resolved_alerts(&census, snapshots);
    let ended = ended.iter().map(|record| {
        RecentClosing::new(&record.key, &record.desired, record.actual.as_ref()).unwrap()
    });
    let ended: Vec<RecentClosing> = ended.collect();
    census.resolution_plan(resolved_alerts, &ended, approvals, minute(NOW))
}

/// How many closings of how many are stopped.
fn held(resolution_plan: &ResolutionPlan) -> BTreeMap<TenantId, (u32, u32)> {
    let held = resolution_plan.held.iter();
    let held = held.map(|(tenant, stop)| (tenant.clone(), (stop.closings, stop.open)));
    held.collect()
}

fn tenant_id(tenant: &str) -> TenantId {
    TenantId::parse(tenant).unwrap()
}

fn of_tenant(tenant: &str, mut sent: Sent) -> Sent {
    for head in &mut sent.heads {
        head.tenant = tenant_id(tenant);
    }
    sent
}

/// Which of the records are proposed, by the alerts' names.
fn names<'a>(records: &'a [Record], resolution_plan: &ResolutionPlan) -> Vec<&'a str> {
    let proposed = resolution_plan.proposals.iter().filter_map(|proposal| {
        let record = records
            .iter()
            .find(|record| item(&record.key) == proposal.key);
        record.map(|record| record.key.alert_id.as_str())
    });
    proposed.collect()
}

#[test]
fn each_resolved_alert_has_its_reason() {
    let records = [
        of_kind("contoso", "listed", "disk", None),
        of_kind("contoso", "ends later", "disk", Some(NOW + 1)),
        of_kind("contoso", "absent", "disk", None),
        of_kind("contoso", "ended", "disk", Some(NOW)),
        of_kind("contoso", "of another kind", "cpu", None),
        resolved(of_kind("contoso", "resolved", "disk", Some(NOW))),
        of_kind("fabrikam", "of another tenant", "disk", None),
    ];
    let list = sent("s", NOW - 1, &["listed", "ends later"]).of(&["disk"]);
    let resolution_plan = resolution_plan(&records, &[list], &[]);
    let gone = |record: &Record, shown| Proposal {
        key: item(&record.key),
        action: ProposedAction::Resolve {
            last: minute(LAST),
            shown,
        },
    };
    let absent = Resolution::Absent {
        snapshot_id: SnapshotId::parse("s").unwrap(),
        taken_at: minute(NOW - 1),
    };
    let expired = Resolution::Expired { at: minute(NOW) };
    let proposals = vec![gone(&records[2], absent), gone(&records[3], expired)];
    let expected = ResolutionPlan {
        proposals,
        next: Some(minute(NOW + 1)),
        ..ResolutionPlan::default()
    };
    assert_eq!(resolution_plan, expected);
}

/// The same alert id, from another source: another alert.
#[test]
fn a_snapshot_covers_only_its_own_source() {
    let mut record = active("contoso", "a");
    record.key.source = SourceId::parse("src_zzzzzzzzzzzzzzzzzzzzzzzzzz").unwrap();
    let records = [record, active("contoso", "b")];
    let resolution_plan = resolution_plan(&records, &[sent("s", NOW, &["c"])], &[]);
    assert_eq!(names(&records, &resolution_plan), ["b"]);
}

#[test]
fn only_active_alerts_and_open_tickets_are_counted() {
    let bare = Record::new(alert("contoso", "a"));
    let only_resolved = fold(bare.clone(), &event(&bare, LAST, AlertChange::Resolved));
    let mut unheard = with_ticket(bare.clone(), 7, LAST);
    unheard.desired.active = true;
    let ended =
        |by| with_ticket(active("contoso", "a"), 7, LAST).with_closed(7, 1, by, minute(NOW));
    let cases = [
        ("untouched", bare, 0),
        ("only resolved", only_resolved, 0),
        ("standing", active("contoso", "a"), 1),
        ("gone", resolved(active("contoso", "a")), 0),
        (
            "gone, with a ticket",
            resolved(with_ticket(active("contoso", "a"), 7, LAST)),
            1,
        ),
        ("found in ConnectWise, and not heard of", unheard, 1),
        (
            "ended by a technician, and it goes on",
            ended(ClosedBy::Technician),
            1,
        ),
        ("of the next life", ended(ClosedBy::Us), 1),
    ];
    for (what, record, count) in cases {
        let one = census(std::slice::from_ref(&record));
        assert_eq!((one.len(), one.is_empty()), (count, count == 0), "{what}");
        let list = [sent("s", NOW, &["b"])];
        let gone = resolution_plan(std::slice::from_ref(&record), &list, &[]).proposals;
        let may_go = record.desired.active && record.desired.details.is_some() && count == 1;
        assert_eq!(gone.len(), usize::from(may_go), "{what}");
    }
}

/// They have no ticket that a wrong list could close: a hundred of them are no mass closing.
#[test]
fn alerts_with_closed_tickets_do_not_trip_the_guard() {
    let record = |n: usize| with_ticket(active("contoso", &format!("a{n}")), 7, LAST);
    let ended = |n| record(n).with_closed(7, 1, ClosedBy::Technician, minute(NOW));
    let list = [sent("s", NOW, &["b"])];
    let mut records: Vec<Record> = (0..100).map(ended).collect();
    let gone = resolution_plan(&records, &list, &[]);
    assert_eq!((gone.proposals.len(), gone.held.len()), (100, 0));
    // Where the list is not believed for others, it is not for these.
    records.extend((100..121).map(record));
    let gone = resolution_plan(&records, &list, &[]);
    assert_eq!(gone.proposals.len(), 0);
    assert_eq!(held(&gone).into_values().collect::<Vec<_>>(), [(21, 21)]);
}

#[test]
fn a_scope_has_the_kinds_of_its_active_alerts() {
    let records = [
        of_kind("contoso", "a", "disk", None),
        of_kind("fabrikam", "b", "memory", None),
        of_kind("contoso", "c", "cpu", None),
        with_ticket(resolved(of_kind("contoso", "d", "firewall", None)), 7, LAST),
        of_kind("contoso", "e", "disk", None),
    ];
    let census = census(&records);
    let tenants: Vec<_> = census
        .scopes
        .iter()
        .map(|scope| scope.tenant.as_str())
        .collect();
    assert_eq!(tenants, ["contoso", "fabrikam"]);
    assert_eq!(census.kinds_of(0), [kind("disk"), kind("cpu")]);
    assert_eq!(census.kinds_of(1), [kind("memory")]);
    assert_eq!(census.kinds_of(2), []);
}

#[test]
fn an_alert_expires_unless_a_later_snapshot_lists_it() {
    let ends = |at| [of_kind("contoso", "a", "disk", Some(at))];
    let gone = |records: &[Record], snapshots: &[Sent]| {
        !resolution_plan(records, snapshots, &[])
            .proposals
            .is_empty()
    };
    assert!(gone(&ends(NOW), &[]));
    assert!(gone(&ends(LAST - 1), &[]));
    assert!(!gone(&ends(NOW + 1), &[]));
    let torn = sent("s", NOW, &["a"]).in_parts(2).without(1);
    let cases = [
        ("taken then", sent("s", NOW - 1, &["a"]), false),
        ("taken since", sent("s", NOW, &["a"]), false),
        ("taken before", sent("s", NOW - 2, &["a"]), true),
        ("it is not in it", sent("s", NOW, &["b"]), true),
        ("torn", torn, true),
        ("of other kinds", sent("s", NOW, &["a"]).of(&["cpu"]), true),
    ];
    for (what, list, expected) in cases {
        assert_eq!(gone(&ends(NOW - 1), &[list]), expected, "{what}");
    }
}

#[test]
fn the_next_end_is_the_first_to_come() {
    let next = |ends: &[i64], snapshots: &[Sent]| {
        let records = ends
            .iter()
            .zip(0..)
            .map(|(at, n)| of_kind("contoso", &format!("a{n}"), "disk", Some(*at)));
        let records: Vec<_> = records.collect();
        resolution_plan(&records, snapshots, &[]).next
    };
    assert_eq!(next(&[], &[]), None);
    assert_eq!(
        next(&[NOW + 9, NOW + 3, NOW + 5], &[]),
        Some(minute(NOW + 3))
    );
    assert_eq!(next(&[NOW, NOW + 3], &[]), Some(minute(NOW + 3)));
    let all_but_first = [sent("s", NOW, &["a1"])];
    assert_eq!(
        next(&[NOW + 3, NOW + 5], &all_but_first),
        Some(minute(NOW + 5))
    );
    let listed = [sent("s", NOW, &["a0"])];
    assert_eq!(next(&[NOW - 1], &listed), None, "only a new list says more");
}

/// How many of how many open tickets of one tenant would close; the first are gone.
fn closing(gone: u64, of: u64) -> (Vec<Record>, Vec<Sent>) {
    let records = many("contoso", "a", of, true);
    let there: Vec<String> = (gone..of)
        .map(|n| format!("a{n}"))
        .chain(["x".into()])
        .collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    (records, vec![sent("s", NOW, &there)])
}

#[test]
fn more_than_twenty_and_three_in_ten_trip_the_guard() {
    for (gone, of, held) in [
        (20, 20, false),
        (20, 21, false),
        (21, 21, true),
        (21, 60, true),
        (21, 69, true),
        (21, 70, false),
        (21, 80, false),
        (300, 1000, false),
        (301, 1000, true),
    ] {
        let (records, list) = closing(gone, of);
        let resolution_plan = resolution_plan(&records, &list, &[]);
        let counts = (u32::try_from(gone).unwrap(), u32::try_from(of).unwrap());
        let expected = match held {
            true => BTreeMap::from([(tenant_id("contoso"), counts)]),
            false => BTreeMap::new(),
        };
        assert_eq!(self::held(&resolution_plan), expected, "{gone} of {of}");
        let proposed = if held { 0 } else { gone };
        assert_eq!(
            resolution_plan.proposals.len() as u64,
            proposed,
            "{gone} of {of}"
        );
        assert!(resolution_plan.approved.is_empty());
    }
}

#[test]
fn a_held_tenant_does_not_hold_others() {
    let (mut records, mut lists) = closing(21, 60);
    records.extend(many("fabrikam", "b", 3, true));
    lists.push(of_tenant("fabrikam", sent("t", NOW, &["b0"])));
    let resolution_plan = resolution_plan(&records, &lists, &[]);
    assert_eq!(names(&records, &resolution_plan), ["b1", "b2"]);
    assert_eq!(
        held(&resolution_plan),
        [(tenant_id("contoso"), (21, 60))].into()
    );
}

const OTHER_SOURCE: &str = "src_zzzzzzzzzzzzzzzzzzzzzzzzzz";

fn of_other_source(mut record: Record) -> Record {
    record.key.source = SourceId::parse(OTHER_SOURCE).unwrap();
    record
}

/// One source of several that lists nothing any more: few of the tenant's alerts, and all of its own.
#[test]
fn a_source_that_loses_too_many_alerts_holds_its_tenant() {
    let (mut records, list) = closing(25, 25);
    let others = many("contoso", "o", 600, true);
    records.extend(others.into_iter().map(of_other_source));
    let together = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&together), [(tenant_id("contoso"), (25, 25))].into());
    assert!(together.proposals.is_empty());
}

#[test]
fn several_sources_together_can_hold_their_tenant() {
    let (mut records, mut lists) = closing(15, 30);
    let others = many("contoso", "o", 20, true);
    records.extend(others.into_iter().map(of_other_source));
    let mut other = sent("t", NOW, &["o18", "o19"]);
    other.heads[0].source = SourceId::parse(OTHER_SOURCE).unwrap();
    lists.push(other);
    let together = resolution_plan(&records, &lists, &[]);
    assert_eq!(held(&together), [(tenant_id("contoso"), (33, 50))].into());
}

/// Alerts of before, raised at `LAST`, that a snapshot ended at this minute.
fn ended(prefix: &str, count: u64, at: i64) -> Vec<Record> {
    let records = many("contoso", prefix, count, true).into_iter();
    let ended = records.map(|mut record| {
        record.desired.active = false;
        record.desired.resolution = Some(Resolution::Absent {
            snapshot_id: SnapshotId::parse("before").unwrap(),
            taken_at: minute(at),
        });
        let id = record.open().unwrap().ticket_id;
        record.with_closed(id, 1, ClosedBy::Us, minute(at))
    });
    ended.collect()
}

#[test]
fn losses_over_several_snapshots_add_up() {
    // Of a hundred alerts some went before, and some go now.
    for (before, gone, held) in [
        (0, 20, false),
        (20, 10, false),
        (20, 11, true),
        (29, 1, false),
        (30, 1, true),
        (40, 0, false),
        (60, 1, true),
    ] {
        let (records, list) = closing(gone, 100 - before);
        let earlier = ended("e", before, NOW - 10);
        let none = BTreeMap::new();
        let resolution_plan = departures_after(&records, &list, &earlier, &none);
        assert_eq!(
            resolution_plan.held.len(),
            usize::from(held),
            "{before} {gone}"
        );
        let proposed = if held { 0 } else { gone };
        assert_eq!(
            resolution_plan.proposals.len() as u64,
            proposed,
            "{before} {gone}"
        );
    }
    // A command that was carried out while the run read its lists is not counted twice.
    let (records, list) = closing(20, 100);
    let carried_out = ended("a", 20, NOW);
    let resolution_plan = departures_after(&records, &list, &carried_out, &BTreeMap::new());
    assert_eq!(resolution_plan.proposals.len(), 20);
}

#[test]
fn resolved_alerts_with_open_tickets_count_over_the_day() {
    let (mut records, list) = closing(20, 60);
    let noted = many("contoso", "n", 40, true)
        .into_iter()
        .map(|mut record| {
            record.desired.active = false;
            record.desired.resolution = Some(Resolution::Expired {
                at: minute(NOW - 9),
            });
            record
        });
    assert!(resolution_plan(&records, &list, &[]).held.is_empty());
    records.extend(noted);
    let gone = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&gone)[&tenant_id("contoso")], (20, 60));
}

/// A tenant with a few alerts at any time, and many over the day.
#[test]
fn alerts_that_come_and_go_do_not_trip_the_guard() {
    let (records, list) = closing(10, 25);
    // Each lived for five minutes, the last until the present ones came.
    let earlier = (0..200).map(|n: i64| {
        let mut one = ended(&format!("e{n}-"), 1, LAST - 5 * (n / 25)).remove(0);
        one.desired.details.as_mut().unwrap().raised_at = minute(LAST - 5 * (n / 25) - 5);
        one
    });
    let earlier: Vec<Record> = earlier.collect();
    let resolution_plan = departures_after(&records, &list, &earlier, &BTreeMap::new());
    assert_eq!(resolution_plan.proposals.len(), 10);
}

#[test]
fn closings_older_than_a_day_do_not_count() {
    let (records, list) = closing(15, 60);
    for (at, held) in [(NOW - 24 * 60 + 1, true), (NOW - 24 * 60, false)] {
        let mut earlier = ended("e", 40, at);
        for record in &mut earlier {
            record.desired.details.as_mut().unwrap().raised_at = minute(0);
        }
        let mut records = records.clone();
        for record in &mut records {
            record.desired.details.as_mut().unwrap().raised_at = minute(0);
        }
        let resolution_plan = departures_after(&records, &list, &earlier, &BTreeMap::new());
        assert_eq!(!resolution_plan.held.is_empty(), held, "{at}");
    }
}

#[test]
fn approved_closings_do_not_count_again() {
    let approved = |closings: u32, at, is_in_progress: bool| {
        // Forty of them are closed.
        let rest = (0..closings - closings.min(40)).map(|n| format!("a{n}"));
        let rest = rest.map(|name| item(&active("contoso", &name).key));
        let rest = AlertSet::new(rest);
        let approval = Approval {
            closings,
            at: minute(at),
            in_progress: is_in_progress.then_some(rest),
        };
        BTreeMap::from([(tenant_id("contoso"), approval)])
    };
    let (before, at) = (ended("e", 40, NOW - 5), NOW - 10);
    for (what, gone, approvals, expected) in [
        ("nobody did", 10, BTreeMap::new(), (1, 0)),
        ("all have gone", 10, approved(40, at, false), (0, 0)),
        (
            "all have gone, and too many more",
            25,
            approved(40, at, false),
            (1, 0),
        ),
        ("fewer were approved", 10, approved(25, at, false), (1, 0)),
        ("these are the rest", 10, approved(50, at, true), (0, 1)),
        (
            "they are more than the rest",
            10,
            approved(49, at, true),
            (1, 0),
        ),
        (
            "after they had gone",
            10,
            approved(40, NOW - 1, false),
            (0, 0),
        ),
        ("a day ago", 10, approved(40, NOW - 24 * 60, false), (1, 0)),
    ] {
        let (records, list) = closing(gone, 60);
        let resolution_plan = departures_after(&records, &list, &before, &approvals);
        let seen = (resolution_plan.held.len(), resolution_plan.approved.len());
        assert_eq!(seen, expected, "{what}");
        let proposed = if expected.0 == 0 { gone } else { 0 };
        assert_eq!(resolution_plan.proposals.len() as u64, proposed, "{what}");
    }
}

#[test]
fn an_event_or_a_person_trips_no_guard() {
    let is_loss = |record: &Record| {
        RecentClosing::new(&record.key, &record.desired, record.actual.as_ref()).is_some()
    };
    let lost = ended("e", 1, NOW).remove(0);
    assert!(is_loss(&lost));
    let mut resolved = lost.clone();
    resolved.desired.resolution = None;
    assert!(!is_loss(&resolved));
    assert!(!is_loss(&active("contoso", "a")));
    assert!(!is_loss(&a()));
}

#[test]
fn an_alert_with_only_a_similar_id_listed_stays_active() {
    let records = [
        active("contoso", "Disk-1"),
        active("contoso", "Disk-2"),
        of_kind("contoso", "Disk-3", "disk", Some(NOW - 1)),
    ];
    let list = |taken| [sent("s", taken, &["DISK-1", "Disk-2", "disk-3"])];
    let gone = resolution_plan(&records, &list(NOW), &[]);
    assert!(gone.proposals.is_empty(), "{gone:?}");
    let counts: Vec<usize> = gone.similar.values().copied().collect();
    assert_eq!(counts, [2]);
    let gone = resolution_plan(&records, &list(LAST + 9), &[]);
    assert!(gone.similar.is_empty(), "it may lag, and shows nothing yet");
    assert_eq!(names(&records, &gone), ["Disk-3"], "it ended after that");
}

#[test]
fn an_empty_comparison_is_known_to_be_empty() {
    let ticket = with_ticket(active("contoso", "a"), 7, LAST);
    assert!(census(&[active("contoso", "a")]).tickets(1).is_empty());
    assert!(census(std::slice::from_ref(&ticket)).tickets(2).is_empty());
    assert!(!census(&[ticket]).tickets(1).is_empty());
}

#[test]
fn an_approval_covers_exactly_the_alerts_shown() {
    let (records, seen) = closing(25, 60);
    let stop = resolution_plan(&records, &seen, &[])
        .held
        .into_values()
        .next();
    let stop = stop.unwrap();
    let approval = Approval {
        closings: stop.closings,
        at: minute(NOW - 1),
        in_progress: Some(stop.alerts.clone()),
    };
    let approvals = BTreeMap::from([(tenant_id("contoso"), approval)]);
    let passes = |snapshots: &[Sent]| {
        let resolution_plan = departures_after(&records, snapshots, &[], &approvals);
        resolution_plan.proposals.len()
    };
    assert_eq!(passes(&seen), 25);
    // All but the first are listed by now, and another one is not.
    let list = |absent: &dyn Fn(u64) -> bool| {
        let there = (0..60).filter(|n| !absent(*n)).map(|n| format!("a{n}"));
        let there: Vec<String> = there.chain(["x".into()]).collect();
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        vec![sent("s", NOW, &there)]
    };
    let others = list(&|n| (1..26).contains(&n));
    let other = resolution_plan(&records, &others, &[])
        .held
        .into_values()
        .next();
    let other = other.unwrap();
    assert_eq!(other.closings, stop.closings);
    assert_ne!(other.alerts.digest(), stop.alerts.digest());
    assert_eq!(passes(&others), 0);
    // Fewer of those that were seen are no others.
    assert_eq!(passes(&list(&|n| n < 22)), 22);
}

#[test]
fn an_approval_covers_the_number_shown() {
    let (mut records, mut lists) = closing(25, 60);
    records.extend(many("fabrikam", "b", 30, true));
    let there: Vec<String> = (0..8).map(|n| format!("b{n}")).collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    lists.push(of_tenant("fabrikam", sent("t", NOW, &there)));
    for (approved, passes) in [(24, false), (25, true), (26, true)] {
        let resolution_plan = resolution_plan(&records, &lists, &[("contoso", approved)]);
        assert_eq!(resolution_plan.proposals.len(), if passes { 25 } else { 0 });
        let contoso = tenant_id("contoso");
        assert_eq!(resolution_plan.approved.contains(&contoso), passes);
        assert_eq!(resolution_plan.held.contains_key(&contoso), !passes);
        assert_eq!(
            held(&resolution_plan)[&tenant_id("fabrikam")],
            (22, 30),
            "not this one"
        );
    }
    let (records, list) = closing(20, 20);
    let resolution_plan = resolution_plan(&records, &list, &[("contoso", 99)]);
    assert!(resolution_plan.approved.is_empty(), "nothing was stopped");
}

/// Taken for gone, they would never get one.
#[test]
fn alerts_without_a_ticket_count_too() {
    let mut records = many("contoso", "a", 25, false);
    let list = [sent("s", NOW, &["x"])];
    let contoso = tenant_id("contoso");
    let gone = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&gone)[&contoso], (25, 25));
    // Tickets that only wait for a technician do not make it fewer.
    let noted = many("contoso", "n", 80, true).into_iter().map(resolved);
    records.extend(noted);
    let gone = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&gone)[&contoso], (25, 25));
    let gone = resolution_plan(&records, &list, &[("contoso", 25)]);
    assert_eq!((gone.proposals.len(), gone.approved.len()), (25, 1));
    // Nor do alerts without one make many tickets fewer.
    let (mut records, mut lists) = closing(21, 60);
    let waiting = many("contoso", "w", 100, false);
    lists[0].lists.extend((0..100).map(|n| format!("w{n}")));
    records.extend(waiting);
    let gone = resolution_plan(&records, &lists, &[]);
    assert_eq!(held(&gone)[&contoso], (21, 60));
    // But open tickets are, whether their alerts stand or not.
    records.extend(many("contoso", "n", 20, true).into_iter().map(resolved));
    assert_eq!(resolution_plan(&records, &lists, &[]).proposals.len(), 21);
}

#[test]
fn alerts_that_end_by_themselves_count_too() {
    let ended = (0..30).map(|n| {
        let record = of_kind("contoso", &format!("a{n}"), "disk", Some(NOW));
        with_ticket(record, n + 1, LAST)
    });
    let records: Vec<_> = ended.collect();
    let gone = resolution_plan(&records, &[], &[]);
    assert_eq!(held(&gone)[&tenant_id("contoso")], (30, 30));
    assert_eq!((gone.proposals.len(), gone.next), (0, None));
}

/// The ticket of alert `a`, as ConnectWise lists it where nobody did anything with it.
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
    }
}

fn a() -> Record {
    with_ticket(active("contoso", "a"), 7, LAST)
}

fn look(ticket: RecordId) -> Vec<ProposedAction> {
    vec![ProposedAction::Look(ticket)]
}

fn for_duplicates(ticket: RecordId) -> Vec<ProposedAction> {
    vec![ProposedAction::LookForDuplicates(ticket)]
}

/// What the whole list shows: what is to be asked, and which tickets are missing.
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
    let with_token = |ticket_ref: Option<TicketRef>| FoundTicket {
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
        ("another alert's token", with_token(Some(other)), look(7)),
        (
            "another life's token",
            with_token(Some(TicketRef::new(&record.key, 2))),
            look(7),
        ),
        ("no token", with_token(None), look(7)),
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
    let gone = [resolved(a())];
    assert_eq!(
        compared(&gone, &[]),
        (vec![], vec![7]),
        "its alert is gone, it stays open"
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

    let other_life = FoundTicket {
        ticket_ref: Some(TicketRef::new(&record.key, 2)),
        ..twin(9)
    };
    let nobodys = FoundTicket {
        ticket_ref: Some(TicketRef::new(&alert("contoso", "z"), 1)),
        ..twin(9)
    };
    let no_token = FoundTicket {
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
    for other in [other_life, nobodys, no_token, elsewhere, merged] {
        let asks = compared(one, &[listed(&record), other.clone()]);
        assert_eq!(asks, (vec![], vec![]), "{other:?}");
    }
}

/// It carries the token of the life that it was made for.
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
    assert_eq!(asks, (vec![], vec![]), "of another life");
}

#[test]
fn tickets_of_another_connectwise_are_not_compared() {
    let mut other = a();
    if let Some(Actual::Open(open)) = &mut other.actual {
        open.epoch = 2;
    }
    let one = std::slice::from_ref(&other);
    assert_eq!(compared(one, &[]), (vec![], vec![]));
    // Its number may be anything there, its token was never sent there.
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
    assert_eq!(action(&[5, 9, 11], &[BOARD, 3]), [5, 9], "11 is not ours");
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
