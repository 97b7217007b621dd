use super::*;
use crate::maintenance::recurrence::Recurrence;
use crate::maintenance::scope::MaintenanceScope;
use crate::maintenance::window::WindowDefinition;

fn window(starts: &str, minutes: u32, repeats: Recurrence) -> WindowDefinition {
    WindowDefinition {
        name: "Patch night".to_owned(),
        zone: "UTC".to_owned(),
        starts: starts.parse().unwrap(),
        minutes: Some(minutes),
        repeats,
        scope: MaintenanceScope::default(),
        ended_at: None,
    }
}

fn windows(all: impl IntoIterator<Item = WindowDefinition>) -> MaintenanceWindows {
    let mut windows = MaintenanceWindows::default();
    for (n, definition) in all.into_iter().enumerate() {
        let id = WindowId::parse(format!("w{n}")).unwrap();
        windows = windows.with(id, definition.try_into().unwrap()).unwrap();
    }
    windows
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hold(windows: &MaintenanceWindows, since: &str, now: &str) -> Option<Timestamp> {
    let disk = Kind::parse("disk").unwrap();
    windows.hold(&disk, Some("srv-1"), time(since), time(now))
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    let all = windows([
        window("2026-12-01T22:00", 120, Recurrence::Once),
        window("2026-12-01T23:00", 120, Recurrence::Once),
        window("2026-12-02T01:00", 60, Recurrence::Once),
        window("2026-12-02T02:01", 60, Recurrence::Once),
    ]);
    let now = "2026-12-01T22:30:00Z";
    assert_eq!(hold(&all, now, now), Some(time("2026-12-02T02:00:00Z")));
    let between = "2026-12-02T02:00:30Z";
    assert_eq!(hold(&all, between, between), None);
}

#[test]
fn an_alert_is_held_for_thirty_days_at_most() {
    let always = windows([window("2026-01-01T00:00", 24 * 60, Recurrence::Daily)]);
    let since = "2026-12-01T00:00:00Z";
    let end = time("2026-12-31T00:00:00Z");
    assert_eq!(hold(&always, since, since), Some(end));
    assert_eq!(hold(&always, since, "2026-12-30T23:59:59Z"), Some(end));
    assert_eq!(hold(&always, since, "2026-12-31T00:00:00Z"), None);
}

#[test]
fn a_window_holds_what_it_covers() {
    let mut only = window("2026-12-01T22:00", 60, Recurrence::Once);
    only.scope.devices = ["srv-*".to_owned()].into();
    only.scope.tenants = [TenantId::parse("acme").unwrap()].into();
    let all = windows([only]);
    let now = time("2026-12-01T22:00:00Z");
    let disk = Kind::parse("disk").unwrap();
    let of = |tenant: &str, device: Option<&str>| {
        let tenant = TenantId::parse(tenant).unwrap();
        let windows = all.clone().of_tenant(&tenant);
        windows.hold(&disk, device, now, now).is_some()
    };
    assert!(of("acme", Some("SRV-1")));
    assert!(!of("acme", Some("wks-1")));
    assert!(!of("acme", None));
    assert!(!of("other", Some("SRV-1")));
}

#[test]
fn the_next_end_is_that_of_the_first_window_to_end() {
    let all = windows([
        window("2026-12-01T22:00", 120, Recurrence::Daily),
        window("2026-12-01T12:00", 30, Recurrence::Daily),
    ]);
    for (now, expected) in [
        ("2026-12-01T00:00:00Z", "2026-12-01T12:30:00Z"),
        ("2026-12-01T12:30:00Z", "2026-12-02T00:00:00Z"),
        ("2026-12-02T00:00:00Z", "2026-12-02T12:30:00Z"),
    ] {
        assert_eq!(all.next_end(time(now)), Some(time(expected)), "{now}");
    }
    assert_eq!(
        MaintenanceWindows::default().next_end(time("2026-12-01T00:00:00Z")),
        None
    );
}

#[test]
fn a_partner_has_a_limited_number_of_windows() {
    let one = || window("2026-12-01T22:00", 60, Recurrence::Once);
    let full = windows((0..MAX_WINDOWS).map(|_| one()));
    let add = |id: &str, definition: WindowDefinition| {
        let id = WindowId::parse(id).unwrap();
        full.clone()
            .with(id, definition.try_into().unwrap())
            .map(drop)
    };
    assert_eq!(add("more", one()), Err(TooManyWindows::Windows));
    assert_eq!(add("w0", one()), Ok(()), "it replaces one");
    let mut large = one();
    let device = |n| format!("srv-{n}");
    large.scope.devices = (0..=MAX_SCOPE_ENTRIES).map(device).collect();
    assert_eq!(add("w0", large), Err(TooManyWindows::ScopeEntries));
}
