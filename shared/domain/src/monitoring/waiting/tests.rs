use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::alert::blocked::CallRefusal;
use crate::alert::kind::Category;
use crate::alert::op::Op;
use crate::alert::record::AlertDetails;
use crate::connection::breaker::Breaker;
use crate::connection::view::LiveConnection;
use crate::maintenance::windows::MaintenanceWindows;
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::{Kind, PartnerId, TicketTarget};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
}

fn key(tenant: &str, alert: &str) -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("northwind").unwrap(),
        tenant: TenantId::parse(tenant).unwrap(),
        source: source(),
        alert_id: crate::AlertId::parse(alert).unwrap(),
    }
}

fn source() -> SourceId {
    SourceId::parse("src_0123456789abcdefghijklmnop").unwrap()
}

fn desired(severity: Severity, raised: i64) -> Desired {
    Desired {
        active: true,
        details: Some(AlertDetails {
            kind: Kind::parse("disk").unwrap(),
            category: Category::Operations,
            severity,
            raised_at: at(raised),
            raise_received_at: at(raised),
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        }),
        ..Desired::default()
    }
}

fn view(mapping: Option<Mapping>) -> ConnectionView {
    ConnectionView {
        connection: Some(LiveConnection {
            epoch: 1,
            confirmed_at: Some(at(0)),
            settings: Settings::default(),
        }),
        mapping,
        breaker: Breaker::default(),
        ticket_index: None,
        source_since: None,
        maintenance: MaintenanceWindows::default(),
        admission: None,
    }
}

fn mapped(enabled: bool) -> ConnectionView {
    view(Some(Mapping {
        company: Some(7),
        enabled,
        ..Mapping::default()
    }))
}

fn kind_off(mut view: ConnectionView) -> ConnectionView {
    if let Some(connection) = &mut view.connection {
        let kinds_off = &mut connection.settings.kinds_off;
        kinds_off.insert(Kind::parse("disk").unwrap());
    }
    view
}

fn since(reason: Blocked) -> BlockedSince {
    BlockedSince {
        reason,
        since: at(0),
        refusal: None,
    }
}

fn refused(reason: Blocked, op: Op, words: &str) -> BlockedSince {
    let refusal = CallRefusal {
        op: Some(op),
        words: words.to_owned(),
        record: None,
    };
    BlockedSince::refused(reason, refusal, at(0))
}

fn rejected(words: &str) -> BlockedSince {
    refused(Blocked::Rejected(words.to_owned()), Op::Create, words)
}

/// The kind of a single blocked alert.
fn kind_of(blocked: &BlockedSince, view: &ConnectionView) -> Option<WaitingKind> {
    let mut survey = WaitingSurvey::default();
    let desired = desired(Severity::High, 0);
    survey.add_alert(&key("acme", "a1"), blocked, &desired, view);
    let items = survey.summary(true).items;
    items.first().map(|item| item.cause.kind())
}

#[test]
fn only_what_no_person_chose_waits_for_a_person() {
    let unmapped = since(Blocked::Unmapped);
    assert_eq!(kind_of(&unmapped, &view(None)), Some(WaitingKind::Unmapped));
    assert_eq!(kind_of(&unmapped, &kind_off(view(None))), None);
    assert_eq!(kind_of(&unmapped, &mapped(true)), None, "mapped meanwhile");
    let old = since(Blocked::OlderThanBackfill);
    assert_eq!(kind_of(&old, &mapped(true)), Some(WaitingKind::TooOld));
    assert_eq!(kind_of(&old, &view(None)), Some(WaitingKind::Unmapped));
    let required = rejected("Site ID is required");
    assert_eq!(
        kind_of(&required, &mapped(true)),
        Some(WaitingKind::Rejected)
    );
    let company = Blocked::TargetMissing(TicketTarget::Company);
    let company = refused(company, Op::Create, "Company is on hold");
    assert_eq!(kind_of(&company, &mapped(true)), None, "an issue of health");
    let down = since(Blocked::ConnectionUnavailable);
    assert_eq!(kind_of(&down, &mapped(true)), None);
    for blocked in [unmapped, old, required] {
        assert_eq!(kind_of(&blocked, &mapped(false)), None, "switched off");
        assert_eq!(kind_of(&blocked, &kind_off(mapped(true))), None);
    }
}

#[test]
fn a_resolved_alert_waits_only_if_its_ticket_is_refused() {
    let kinds = |blocked: &BlockedSince, view: &ConnectionView| {
        let mut survey = WaitingSurvey::default();
        let resolved = Desired {
            active: false,
            ..desired(Severity::High, 0)
        };
        survey.add_alert(&key("acme", "a1"), blocked, &resolved, view);
        survey.summary(true).items.len()
    };
    assert_eq!(kinds(&since(Blocked::Unmapped), &view(None)), 0);
    let close = Blocked::Rejected("Cause is required".to_owned());
    let close = refused(close, Op::Close, "Cause is required");
    assert_eq!(kinds(&close, &mapped(true)), 1);
}

/// Alerts of several tenants, and messages.
fn survey() -> WaitingSurvey {
    let mut survey = WaitingSurvey::default();
    let mut add = |tenant: &str, alert: &str, blocked: &BlockedSince, severity, raised, view| {
        let desired = desired(severity, raised);
        survey.add_alert(&key(tenant, alert), blocked, &desired, &view);
    };
    let unmapped = since(Blocked::Unmapped);
    add("grove", "a1", &unmapped, Severity::Low, -30, view(None));
    add("acme", "a1", &unmapped, Severity::Medium, -20, view(None));
    add("acme", "a2", &unmapped, Severity::Critical, -10, view(None));
    let old = since(Blocked::OlderThanBackfill);
    add("dunmore", "a1", &old, Severity::High, -3000, mapped(true));
    add("dunmore", "a2", &old, Severity::High, -4000, mapped(true));
    for (alert, words) in [("a1", "Site 12 is required"), ("a2", "Site 13 is required")] {
        let blocked = rejected(words);
        add("elm", alert, &blocked, Severity::High, -5, mapped(true));
    }
    survey.add_messages(UnreadableMessages {
        source: source(),
        messages: 3,
        oldest: at(-7),
        field: "tenant".to_owned(),
        problem: "the message has nothing at /client".to_owned(),
    });
    survey
}

fn names<R>(with: impl FnOnce(WaitingNames<'_>) -> R) -> R {
    with(WaitingNames {
        tenant: &|tenant| format!("<{tenant}>"),
        source: &|_| "Scanner".to_owned(),
    })
}

#[test]
fn the_points_say_what_waits_and_what_to_do() {
    let items = survey().summary(true).items;
    let points = names(|names| WaitingPoint::of_items(&items, names));
    let points = points
        .iter()
        .map(|point| format!("{}\n{}\n{:?}", point.text(), point.to_do, point.page));
    let headline = names(|names| WaitingPoint::headline(&items, names));
    let points: Vec<_> = points.collect();
    insta::assert_snapshot!(format!("{headline}\n\n{}", points.join("\n\n")));
}

#[test]
fn a_headline_names_the_worst_kind() {
    let all = survey().summary(true).items;
    let headline = |kind: WaitingKind| {
        let of_kind = all.iter().filter(|item| item.cause.kind() == kind);
        let items: Vec<_> = of_kind.cloned().collect();
        names(|names| WaitingPoint::headline(&items, names))
    };
    let one = names(|names| WaitingPoint::headline(&all[1..2], names));
    assert_eq!(
        one,
        "2 alerts are too old to become tickets automatically (2 high)"
    );
    for (kind, expected) in [
        (
            WaitingKind::Unmapped,
            "2 tenants sent alerts and are not mapped (1 critical)",
        ),
        (
            WaitingKind::Rejected,
            "ConnectWise refuses to create tickets (2 high)",
        ),
        (
            WaitingKind::TooOld,
            "2 alerts are too old to become tickets automatically (2 high)",
        ),
        (
            WaitingKind::Unreadable,
            "messages of Scanner could not be read",
        ),
    ] {
        assert_eq!(headline(kind), expected);
    }
}

#[test]
fn a_summary_is_bounded_and_keeps_the_worst() {
    let mut survey = WaitingSurvey::default();
    let (unmapped, view) = (since(Blocked::Unmapped), view(None));
    for n in 0..250 {
        let severity = if n == 249 {
            Severity::Critical
        } else {
            Severity::Low
        };
        let desired = desired(severity, n);
        survey.add_alert(&key(&format!("t{n}"), "a1"), &unmapped, &desired, &view);
    }
    for n in 0..60 {
        let words: String = format!("{} is required", "x".repeat(n + 1));
        let desired = desired(Severity::High, 0);
        survey.add_alert(
            &key("acme", &format!("a{n}")),
            &rejected(&words),
            &desired,
            &mapped(true),
        );
    }
    let summary = survey.summary(true);
    let of_kind = |kind| {
        let items = summary.items.iter();
        items.filter(|item| item.cause.kind() == kind).count()
    };
    assert_eq!(of_kind(WaitingKind::Unmapped), MAX_LISTED);
    assert_eq!(summary.unlisted, 50);
    assert_eq!(of_kind(WaitingKind::Rejected), MAX_REJECTIONS + 1);
    let tenant = TenantId::parse("t249").unwrap();
    let first = &summary.items[0].cause;
    assert_eq!(*first, WaitingCause::UnmappedTenant(tenant));
}

/// A summary of unmapped tenants with the severity of their alert.
fn waiting(tenants: &BTreeMap<u8, Severity>) -> WaitingSummary {
    let mut survey = WaitingSurvey::default();
    for (tenant, severity) in tenants {
        let key = key(&format!("t{tenant}"), "a1");
        let desired = desired(*severity, 0);
        survey.add_alert(&key, &since(Blocked::Unmapped), &desired, &view(None));
    }
    survey.summary(true)
}

/// The mails of a history, one step a quarter of an hour: their times, and what they named.
fn mails(history: &[BTreeMap<u8, Severity>]) -> Vec<(Timestamp, DueMail)> {
    let mut state = WaitingNotifications::default();
    let mut mails = vec![];
    for (step, tenants) in history.iter().enumerate() {
        let now = at(15 * i64::try_from(step).unwrap());
        if !state.is_read_due(now) {
            continue;
        }
        let waiting = waiting(tenants);
        state = state.observed(&waiting, now);
        if let Some(mail) = state.due(&waiting, now) {
            state = state.mailed(&mail, now);
            mails.push((now, mail));
        }
    }
    mails
}

/// How the tenants that wait change.
#[derive(Debug, Clone)]
enum Change {
    Wait(u8, Severity),
    Leave(u8),
    Nothing(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let severity = prop::sample::select(vec![Severity::Low, Severity::High, Severity::Critical]);
    let change = prop_oneof![
        4 => (0..6u8, severity).prop_map(|(tenant, severity)| Change::Wait(tenant, severity)),
        2 => (0..6u8).prop_map(Change::Leave),
        3 => (1..12usize).prop_map(Change::Nothing),
        1 => (90..800usize).prop_map(Change::Nothing),
    ];
    prop::collection::vec(change, 1..25)
}

fn history(changes: &[Change]) -> Vec<BTreeMap<u8, Severity>> {
    let mut now = BTreeMap::new();
    let mut history = vec![];
    for change in changes {
        let steps = match change {
            Change::Wait(tenant, severity) => {
                now.insert(*tenant, *severity);
                1
            }
            Change::Leave(tenant) => {
                now.remove(tenant);
                1
            }
            Change::Nothing(steps) => *steps,
        };
        history.extend(std::iter::repeat_n(now.clone(), steps));
    }
    history
}

fn names_tenant(mail: &DueMail, tenant: u8) -> Option<Severity> {
    let tenant = TenantId::parse(format!("t{tenant}")).unwrap();
    let cause = WaitingCause::UnmappedTenant(tenant);
    let item = mail.items.iter().find(|item| item.cause == cause);
    item.map(WaitingItem::severity)
}

proptest! {
    #[test]
    fn there_is_at_most_one_mail_an_hour(changes in changes()) {
        let mails = mails(&history(&changes));
        for pair in mails.windows(2) {
            prop_assert!(pair[1].0.duration_since(pair[0].0) >= SignedDuration::from_hours(1));
        }
    }

    #[test]
    fn what_is_new_is_mailed_within_an_hour_and_a_run(changes in changes()) {
        let history = history(&changes);
        let mails = mails(&history);
        let limit = SignedDuration::from_hours(1) + QUARTER;
        for tenant in 0..6 {
            let first = history.iter().position(|waits| waits.contains_key(&tenant));
            let Some(first) = first else { continue };
            let stays = history[first..].iter().take_while(|waits| waits.contains_key(&tenant));
            let steps = i64::try_from(stays.count()).unwrap();
            let begins = at(15 * i64::try_from(first).unwrap());
            let mailed = mails.iter().find(|(_, mail)| names_tenant(mail, tenant).is_some());
            match mailed {
                Some((mailed, _)) if steps > 5 => {
                    prop_assert!(mailed.duration_since(begins) <= limit);
                }
                None => prop_assert!(steps <= 5),
                Some(_) => {}
            }
        }
    }

    #[test]
    fn nothing_is_mailed_again_unless_it_changed_or_time_passed(changes in changes()) {
        let history = history(&changes);
        let mails = mails(&history);
        for tenant in 0..6 {
            let named = mails.iter().filter_map(|(at, mail)| {
                Some((*at, names_tenant(mail, tenant)?))
            });
            let named: Vec<_> = named.collect();
            for pair in named.windows(2) {
                let ((before, was), (after, is)) = (pair[0], pair[1]);
                let passed = after.duration_since(before);
                let step = |time: Timestamp| {
                    usize::try_from((time.as_second() - at(0).as_second()) / 900).unwrap()
                };
                let between = &history[step(before)..=step(after)];
                let left = between.iter().any(|waits| !waits.contains_key(&tenant));
                let day = SignedDuration::from_hours(24);
                let allowed = is > was || (left && passed >= day) || passed >= day * 7;
                prop_assert!(allowed, "{tenant} at {before} and {after}");
            }
        }
    }
}

#[test]
fn what_still_waits_is_mailed_again_after_a_week() {
    let waits = BTreeMap::from([(1, Severity::High)]);
    let week = 7 * 24 * 4;
    let mails = mails(&vec![waits; week + 5]);
    let at_and_reminder = |(at, mail): &(Timestamp, DueMail)| (*at, mail.is_reminder);
    let mails: Vec<_> = mails.iter().map(at_and_reminder).collect();
    assert_eq!(mails, [(at(0), false), (at(7 * 24 * 60), true)]);
}

#[test]
fn what_returns_within_a_day_is_not_new() {
    let waits = BTreeMap::from([(1, Severity::High)]);
    let often = (0..2 * 24 * 4).map(|step| match step % 4 {
        0 | 1 => waits.clone(),
        _ => BTreeMap::new(),
    });
    let history: Vec<_> = often.collect();
    let times: Vec<_> = mails(&history).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [at(0), at(24 * 60)]);
}

#[test]
fn a_mail_counts_what_earlier_mails_named() {
    let one = BTreeMap::from([(1, Severity::High)]);
    let two = BTreeMap::from([(1, Severity::High), (2, Severity::Low)]);
    let mut history = vec![one; 4];
    history.push(two);
    let mails = mails(&history);
    let (_, last) = &mails[1];
    assert_eq!((last.items.len(), last.known), (1, 1));
    assert!(!last.is_reminder);
}

#[test]
fn an_incomplete_summary_ends_nothing() {
    let waits = waiting(&BTreeMap::from([(1, Severity::High)]));
    let state = WaitingNotifications::default().observed(&waits, at(0));
    let mail = state.due(&waits, at(0)).unwrap();
    let state = state.mailed(&mail, at(0));
    let nothing = WaitingSurvey::default().summary(false);
    let two_days = at(2 * 24 * 60);
    let state = state.observed(&nothing, two_days);
    assert_eq!(state.due(&waits, two_days), None);
    let state = state.observed(&WaitingSurvey::default().summary(true), two_days);
    assert!(state.due(&waits, two_days).is_some());
}

#[test]
fn the_state_is_bounded() {
    let mut state = WaitingNotifications::default();
    for round in 0..30_u32 {
        let mut survey = WaitingSurvey::default();
        for n in 0..100 {
            let key = key(&format!("t{round}-{n}"), "a1");
            let desired = desired(Severity::Low, 0);
            survey.add_alert(&key, &since(Blocked::Unmapped), &desired, &view(None));
        }
        let (waits, now) = (survey.summary(true), at(60 * i64::from(round)));
        state = state.observed(&waits, now);
        let mail = state.due(&waits, now).unwrap();
        assert_eq!(mail.items.len(), 100, "the causes of this round are new");
        state = state.mailed(&mail, now);
    }
    let stored = serde_json::to_string(&state).unwrap();
    assert!(stored.len() < 200_000, "{}", stored.len());
    assert_eq!(
        serde_json::from_str::<WaitingNotifications>(&stored).unwrap(),
        state
    );
}
