//! The guard against mass closing.

use super::*;

/// How many of how many open tickets of one tenant would close. The first ones are resolved.
fn closing(resolved: u64, of: u64) -> (Vec<Record>, Vec<Sent>) {
    let records = many("contoso", "a", of, true);
    let there: Vec<String> = (resolved..of)
        .map(|n| format!("a{n}"))
        .chain(["x".into()])
        .collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    (records, vec![sent("s", NOW, &there)])
}

#[test]
fn more_than_twenty_and_three_in_ten_trip_the_guard() {
    for (resolved, of, held) in [
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
        let (records, list) = closing(resolved, of);
        let resolution_plan = resolution_plan(&records, &list, &[]);
        let counts = (u32::try_from(resolved).unwrap(), u32::try_from(of).unwrap());
        let expected = match held {
            true => BTreeMap::from([(tenant_id("contoso"), counts)]),
            false => BTreeMap::new(),
        };
        assert_eq!(self::held(&resolution_plan), expected, "{resolved} of {of}");
        let proposed = if held { 0 } else { resolved };
        assert_eq!(
            resolution_plan.proposals.len() as u64,
            proposed,
            "{resolved} of {of}"
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

/// One source of several that lists nothing any more: few of the tenant's alerts, and all of its
/// own.
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

/// Earlier alerts, raised at `LAST`, that a snapshot resolved at this minute.
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
    // Of a hundred alerts some were closed before, and some are resolved now.
    for (before, resolved, held) in [
        (0, 20, false),
        (20, 10, false),
        (20, 11, true),
        (29, 1, false),
        (30, 1, true),
        (40, 0, false),
        (60, 1, true),
    ] {
        let (records, list) = closing(resolved, 100 - before);
        let earlier = ended("e", before, NOW - 10);
        let none = BTreeMap::new();
        let resolution_plan = departures_after(&records, &list, &earlier, &none);
        assert_eq!(
            resolution_plan.held.len(),
            usize::from(held),
            "{before} {resolved}"
        );
        let proposed = if held { 0 } else { resolved };
        assert_eq!(
            resolution_plan.proposals.len() as u64,
            proposed,
            "{before} {resolved}"
        );
    }
    // A command that was carried out while the run read the index is not counted twice.
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
    let plan = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&plan)[&tenant_id("contoso")], (20, 60));
}

/// A tenant with few alerts at any time, but many over the day.
#[test]
fn alerts_that_come_and_go_do_not_trip_the_guard() {
    let (records, list) = closing(10, 25);
    // Each was active for five minutes, the last one until the present ones came.
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
    for (what, resolved, approvals, expected) in [
        ("not approved", 10, BTreeMap::new(), (1, 0)),
        ("all are resolved", 10, approved(40, at, false), (0, 0)),
        (
            "all are resolved, and too many more",
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
            "after they were resolved",
            10,
            approved(40, NOW - 1, false),
            (0, 0),
        ),
        ("a day ago", 10, approved(40, NOW - 24 * 60, false), (1, 0)),
    ] {
        let (records, list) = closing(resolved, 60);
        let resolution_plan = departures_after(&records, &list, &before, &approvals);
        let seen = (resolution_plan.held.len(), resolution_plan.approved.len());
        assert_eq!(seen, expected, "{what}");
        let proposed = if expected.0 == 0 { resolved } else { 0 };
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
    // Fewer of the approved ones are still covered.
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

/// If they were resolved, they would never get a ticket.
#[test]
fn alerts_without_a_ticket_count_too() {
    let mut records = many("contoso", "a", 25, false);
    let list = [sent("s", NOW, &["x"])];
    let contoso = tenant_id("contoso");
    let plan = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&plan)[&contoso], (25, 25));
    // Tickets that wait for a technician do not change that.
    let noted = many("contoso", "n", 80, true).into_iter().map(resolved);
    records.extend(noted);
    let plan = resolution_plan(&records, &list, &[]);
    assert_eq!(held(&plan)[&contoso], (25, 25));
    let plan = resolution_plan(&records, &list, &[("contoso", 25)]);
    assert_eq!((plan.proposals.len(), plan.approved.len()), (25, 1));
    // Alerts without a ticket do not change it either.
    let (mut records, mut lists) = closing(21, 60);
    let waiting = many("contoso", "w", 100, false);
    lists[0].lists.extend((0..100).map(|n| format!("w{n}")));
    records.extend(waiting);
    let plan = resolution_plan(&records, &lists, &[]);
    assert_eq!(held(&plan)[&contoso], (21, 60));
    // But open tickets count, whether their alerts are active or not.
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
    let plan = resolution_plan(&records, &[], &[]);
    assert_eq!(held(&plan)[&tenant_id("contoso")], (30, 30));
    assert_eq!((plan.proposals.len(), plan.next), (0, None));
}
