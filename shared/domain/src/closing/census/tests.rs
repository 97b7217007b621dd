mod comparing;
mod guarding;

use super::*;
use crate::alert::event::{AlertChange, Event, Particulars};
use crate::alert::fold::fold;
use crate::alert::record::{ClosedBy, Op, Record};
use crate::closing::snapshot::tests::{LAG, Sent, alert, item, kind, minute, read, sent};
use crate::ticketing::found_ticket::FoundTicket;
use crate::{EventId, RecordId, SnapshotId, SourceId, TicketRef, fixtures};

/// When the last event of most alerts was received, and the present, in minutes.
const LAST: i64 = 2000;

const NOW: i64 = LAST + 30;

const BOARD: RecordId = 2;

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

/// An alert of a kind, raised at `LAST`, which may expire.
fn of_kind(tenant: &str, id: &str, name: &str, expires: Option<i64>) -> Record {
    let record = Record::new(alert(tenant, id));
    fold(record.clone(), &raised(&record, LAST, &kind(name), expires))
}

fn active(tenant: &str, id: &str) -> Record {
    of_kind(tenant, id, "disk", None)
}

pub(super) fn with_ticket(record: Record, ticket_id: RecordId, opened: i64) -> Record {
    let claim = fixtures::new_claim(Op::Create, record.occurrence_ref(), minute(opened));
    let open = OpenTicket::new(ticket_id, Some(BOARD), &claim, minute(opened));
    record.with_open(open)
}

fn resolved(record: Record) -> Record {
    let event = event(&record, LAST + 1, AlertChange::Resolved);
    fold(record, &event)
}

/// Alerts `prefix0`, `prefix1`, …, with or without tickets.
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

/// The alerts that these snapshots resolve.
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

/// The plan for one snapshot per tenant, if a person approved a minute ago that the first records
/// of a tenant close.
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

/// The plan after others were closed within the last day.
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

/// How many closings of how many alerts are held.
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

/// The proposed records, by the alerts' names.
fn names<'a>(records: &'a [Record], resolution_plan: &ResolutionPlan) -> Vec<&'a str> {
    let proposed = resolution_plan.proposals.iter().filter_map(|proposal| {
        let record = records
            .iter()
            .find(|record| item(&record.key) == proposal.key);
        record.map(|record| record.key.alert_id.as_str())
    });
    proposed.collect()
}

fn a() -> Record {
    with_ticket(active("contoso", "a"), 7, LAST)
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
    let proposal = |record: &Record, shown| Proposal {
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
    let proposals = vec![
        proposal(&records[2], absent),
        proposal(&records[3], expired),
    ];
    let expected = ResolutionPlan {
        proposals,
        next: Some(minute(NOW + 1)),
        ..ResolutionPlan::default()
    };
    assert_eq!(resolution_plan, expected);
}

/// The same alert id from another source is another alert.
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
    let mut without_event = with_ticket(bare.clone(), 7, LAST);
    without_event.desired.active = true;
    let ended =
        |by| with_ticket(active("contoso", "a"), 7, LAST).with_closed(7, 1, by, minute(NOW));
    let cases = [
        ("untouched", bare, 0),
        ("only resolved", only_resolved, 0),
        ("active", active("contoso", "a"), 1),
        ("resolved", resolved(active("contoso", "a")), 0),
        (
            "resolved, with a ticket",
            resolved(with_ticket(active("contoso", "a"), 7, LAST)),
            1,
        ),
        ("found in ConnectWise, without an event", without_event, 1),
        (
            "closed by a technician, and still active",
            ended(ClosedBy::Technician),
            1,
        ),
        ("of the next occurrence", ended(ClosedBy::Us), 1),
    ];
    for (what, record, count) in cases {
        let one = census(std::slice::from_ref(&record));
        assert_eq!((one.len(), one.is_empty()), (count, count == 0), "{what}");
        let list = [sent("s", NOW, &["b"])];
        let plan = resolution_plan(std::slice::from_ref(&record), &list, &[]).proposals;
        let may_go = record.desired.active && record.desired.details.is_some() && count == 1;
        assert_eq!(plan.len(), usize::from(may_go), "{what}");
    }
}

/// They have no ticket that a wrong snapshot could close, so a hundred of them are no mass closing.
#[test]
fn alerts_with_closed_tickets_do_not_trip_the_guard() {
    let record = |n: usize| with_ticket(active("contoso", &format!("a{n}")), 7, LAST);
    let ended = |n| record(n).with_closed(7, 1, ClosedBy::Technician, minute(NOW));
    let list = [sent("s", NOW, &["b"])];
    let mut records: Vec<Record> = (0..100).map(ended).collect();
    let plan = resolution_plan(&records, &list, &[]);
    assert_eq!((plan.proposals.len(), plan.held.len()), (100, 0));
    // If the closings of others are held, these are held too.
    records.extend((100..121).map(record));
    let plan = resolution_plan(&records, &list, &[]);
    assert_eq!(plan.proposals.len(), 0);
    assert_eq!(held(&plan).into_values().collect::<Vec<_>>(), [(21, 21)]);
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
    let ends_it = |records: &[Record], snapshots: &[Sent]| {
        !resolution_plan(records, snapshots, &[])
            .proposals
            .is_empty()
    };
    assert!(ends_it(&ends(NOW), &[]));
    assert!(ends_it(&ends(LAST - 1), &[]));
    assert!(!ends_it(&ends(NOW + 1), &[]));
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
        assert_eq!(ends_it(&ends(NOW - 1), &[list]), expected, "{what}");
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

#[test]
fn an_alert_with_only_a_similar_id_listed_stays_active() {
    let records = [
        active("contoso", "Disk-1"),
        active("contoso", "Disk-2"),
        of_kind("contoso", "Disk-3", "disk", Some(NOW - 1)),
    ];
    let list = |taken| [sent("s", taken, &["DISK-1", "Disk-2", "disk-3"])];
    let plan = resolution_plan(&records, &list(NOW), &[]);
    assert!(plan.proposals.is_empty(), "{plan:?}");
    let counts: Vec<usize> = plan.similar.values().copied().collect();
    assert_eq!(counts, [2]);
    let plan = resolution_plan(&records, &list(LAST + 9), &[]);
    assert!(plan.similar.is_empty(), "it may lag, and shows nothing yet");
    assert_eq!(names(&records, &plan), ["Disk-3"], "it ended after that");
}
