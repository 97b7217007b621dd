use super::*;
use crate::maintenance::recurrence::Weekday;

pub(in crate::maintenance) fn definition(
    zone: &str,
    starts: &str,
    minutes: u32,
    repeats: Recurrence,
) -> WindowDefinition {
    WindowDefinition {
        name: "Patch night".to_owned(),
        zone: zone.to_owned(),
        starts: starts.parse().unwrap(),
        minutes: Some(minutes),
        repeats,
        scope: MaintenanceScope::default(),
        ended_at: None,
    }
}

fn window(zone: &str, starts: &str, minutes: u32, repeats: Recurrence) -> MaintenanceWindow {
    definition(zone, starts, minutes, repeats)
        .try_into()
        .unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The following occurrences in UTC.
fn following(window: &MaintenanceWindow, from: &str, most: usize) -> Vec<String> {
    let occurrences = window.next_occurrences(time(from), most);
    let show = |of: &Occurrence| format!("{} to {}", of.starts_at, of.ends_at);
    occurrences.iter().map(show).collect()
}

#[test]
fn a_window_that_happens_once_is_running_from_its_start_to_before_its_end() {
    let once = window("Europe/Berlin", "2026-12-01T22:00", 480, Recurrence::Once);
    for (at, expected) in [
        ("2026-12-01T20:59:59Z", false),
        ("2026-12-01T21:00:00Z", true),
        ("2026-12-02T04:59:59Z", true),
        ("2026-12-02T05:00:00Z", false),
        ("2026-12-02T22:00:00Z", false),
    ] {
        assert_eq!(once.occurrence_at(time(at)).is_some(), expected, "{at}");
    }
}

#[test]
fn a_window_without_an_end_ends_after_thirty_days() {
    let mut open = definition("UTC", "2026-12-01T22:00", 1, Recurrence::Once);
    open.minutes = None;
    let open = MaintenanceWindow::try_from(open).unwrap();
    assert_eq!(
        following(&open, "2026-12-20T00:00:00Z", 3),
        ["2026-12-01T22:00:00Z to 2026-12-31T22:00:00Z"]
    );
    assert_eq!(open.occurrence_at(time("2026-12-31T22:00:00Z")), None);
    // Also where the clocks go back meanwhile.
    let mut autumn = definition("Europe/Berlin", "2026-10-10T00:00", 1, Recurrence::Once);
    autumn.minutes = None;
    let autumn = MaintenanceWindow::try_from(autumn).unwrap();
    let occurrence = autumn.occurrence_at(time("2026-10-20T00:00:00Z")).unwrap();
    let length = occurrence.ends_at.duration_since(occurrence.starts_at);
    assert_eq!(length, SignedDuration::from_hours(30 * 24));
}

#[test]
fn windows_recur_on_their_days() {
    let daily = window("UTC", "2026-12-01T22:00", 60, Recurrence::Daily);
    assert_eq!(
        following(&daily, "2026-11-01T00:00:00Z", 2),
        [
            "2026-12-01T22:00:00Z to 2026-12-01T23:00:00Z",
            "2026-12-02T22:00:00Z to 2026-12-02T23:00:00Z"
        ],
        "not before its first day"
    );
    let days = [Weekday::Tuesday, Weekday::Saturday].into();
    let weekly = window("UTC", "2026-12-01T22:00", 600, Recurrence::Weekly { days });
    assert_eq!(
        following(&weekly, "2026-12-02T07:00:00Z", 3),
        [
            "2026-12-01T22:00:00Z to 2026-12-02T08:00:00Z",
            "2026-12-05T22:00:00Z to 2026-12-06T08:00:00Z",
            "2026-12-08T22:00:00Z to 2026-12-09T08:00:00Z"
        ]
    );
    let monthly = window(
        "UTC",
        "2026-12-01T22:00",
        60,
        Recurrence::Monthly { day: 31 },
    );
    assert_eq!(
        following(&monthly, "2027-01-01T00:00:00Z", 3),
        [
            "2027-01-31T22:00:00Z to 2027-01-31T23:00:00Z",
            "2027-02-28T22:00:00Z to 2027-02-28T23:00:00Z",
            "2027-03-31T22:00:00Z to 2027-03-31T23:00:00Z"
        ],
        "on the last day of a shorter month"
    );
}

#[test]
fn ending_a_window_leaves_its_later_occurrences() {
    let daily = window("UTC", "2026-12-01T22:00", 480, Recurrence::Daily);
    let ended = daily.ended(time("2026-12-03T01:00:00Z"));
    assert_eq!(ended.occurrence_at(time("2026-12-03T01:00:00Z")), None);
    assert_eq!(
        following(&ended, "2026-12-03T02:00:00Z", 1),
        ["2026-12-03T22:00:00Z to 2026-12-04T06:00:00Z"]
    );
}

/// The clocks change in the night of each of these days: the hours of a window from 22:00 to 06:00
/// in UTC, and the length of one from 01:30 to 03:30 (from 23:30 to 01:30 in São Paulo).
#[test]
fn a_window_follows_the_clocks_of_its_zone() {
    let cases = [
        // Forward at 02:00, back at 03:00.
        (
            "Europe/Berlin",
            "2026-03-28",
            "2026-03-28T21:00:00Z to 2026-03-29T04:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-24",
            "2026-10-24T20:00:00Z to 2026-10-25T05:00:00Z",
        ),
        // Forward at 02:00, back at 02:00.
        (
            "America/New_York",
            "2026-03-07",
            "2026-03-08T03:00:00Z to 2026-03-08T10:00:00Z",
        ),
        (
            "America/New_York",
            "2026-10-31",
            "2026-11-01T02:00:00Z to 2026-11-01T11:00:00Z",
        ),
        // By half an hour.
        (
            "Australia/Lord_Howe",
            "2026-10-03",
            "2026-10-03T11:30:00Z to 2026-10-03T19:00:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04",
            "2026-04-04T11:00:00Z to 2026-04-04T19:30:00Z",
        ),
        // At midnight, until 2019.
        (
            "America/Sao_Paulo",
            "2018-11-03",
            "2018-11-04T01:00:00Z to 2018-11-04T08:00:00Z",
        ),
        (
            "America/Sao_Paulo",
            "2018-02-17",
            "2018-02-18T00:00:00Z to 2018-02-18T09:00:00Z",
        ),
    ];
    for (zone, day, expected) in cases {
        let starts = format!("{day}T22:00");
        let night = window(zone, &starts, 480, Recurrence::Daily);
        let from = expected.split(' ').next().unwrap();
        assert_eq!(following(&night, from, 1), [expected], "{zone} {day}");
    }
}

#[test]
fn a_time_that_the_clocks_skip_is_the_moment_of_the_change() {
    // Berlin skips 02:00 to 03:00.
    for (starts, minutes, expected) in [
        (
            "2026-03-29T02:30",
            60,
            Some("2026-03-29T01:00:00Z to 2026-03-29T01:30:00Z"),
        ),
        (
            "2026-03-29T01:30",
            60,
            Some("2026-03-29T00:30:00Z to 2026-03-29T01:00:00Z"),
        ),
        ("2026-03-29T02:00", 60, None),
        ("2026-03-29T02:10", 30, None),
    ] {
        let once = window("Europe/Berlin", starts, minutes, Recurrence::Once);
        let found = following(&once, "2026-03-28T00:00:00Z", 1);
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{starts}");
    }
    // São Paulo skips 00:00 to 01:00.
    let midnight = window(
        "America/Sao_Paulo",
        "2018-11-04T00:00",
        120,
        Recurrence::Once,
    );
    assert_eq!(
        following(&midnight, "2018-11-04T00:00:00Z", 1),
        ["2018-11-04T03:00:00Z to 2018-11-04T04:00:00Z"]
    );
}

#[test]
fn a_time_that_the_clocks_show_twice_begins_early_and_ends_late() {
    // Berlin shows 02:00 to 03:00 twice. It goes back to 02:00, so a window up to then ends before.
    for (starts, minutes, expected) in [
        (
            "2026-10-25T02:15",
            30,
            "2026-10-25T00:15:00Z to 2026-10-25T01:45:00Z",
        ),
        (
            "2026-10-25T01:00",
            60,
            "2026-10-24T23:00:00Z to 2026-10-25T00:00:00Z",
        ),
        (
            "2026-10-25T01:00",
            61,
            "2026-10-24T23:00:00Z to 2026-10-25T01:01:00Z",
        ),
        (
            "2026-10-25T02:00",
            60,
            "2026-10-25T00:00:00Z to 2026-10-25T02:00:00Z",
        ),
    ] {
        let once = window("Europe/Berlin", starts, minutes, Recurrence::Once);
        let found = following(&once, "2026-10-24T00:00:00Z", 1);
        assert_eq!(found, [expected], "{starts}, {minutes} minutes");
    }
}

#[test]
fn a_definition_that_makes_no_sense_is_refused() {
    let of = |change: fn(&mut WindowDefinition)| {
        let mut definition = definition("UTC", "2026-12-01T22:00", 60, Recurrence::Daily);
        change(&mut definition);
        MaintenanceWindow::try_from(definition)
            .unwrap_err()
            .to_string()
    };
    let errors = [
        of(|of| of.name = " ".to_owned()),
        of(|of| of.name = "a\nb".to_owned()),
        of(|of| of.name = "x".repeat(101)),
        of(|of| of.zone = "Mars/Olympus".to_owned()),
        of(|of| of.minutes = Some(0)),
        of(|of| of.minutes = Some(1441)),
        of(|of| of.minutes = None),
        of(|of| of.repeats = Recurrence::Weekly { days: [].into() }),
        of(|of| of.repeats = Recurrence::Monthly { day: 32 }),
        of(|of| of.starts = "1999-12-31T23:59".parse().unwrap()),
        of(|of| of.scope.devices = ["".to_owned()].into()),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    name: must not be empty
    name: must be one line
    name: has at most 100 bytes
    zone: "Mars/Olympus" is not the name of a time zone, such as Europe/Berlin or America/New_York
    minutes: must be at least 1
    minutes: is at most 1440 for a window that recurs like this
    minutes: is required for a window that recurs
    repeats.days: has at least one day
    repeats.day: is from 1 to 31
    starts: is in a year from 2000 to 2200
    scope.devices: must not be empty
    "#);
}

#[test]
fn a_definition_is_plain_json() {
    let text = r#"{
      "name": "Patch night", "zone": "europe/berlin", "starts": "2026-12-01T22:00",
      "minutes": 480, "repeats": { "kind": "weekly", "days": ["tuesday"] },
      "scope": { "devices": ["SRV-*"] }
    }"#;
    let window: MaintenanceWindow = serde_json::from_str(text).unwrap();
    assert_eq!(window.zone().as_str(), "Europe/Berlin");
    let again = serde_json::to_string(&window).unwrap();
    assert_eq!(
        serde_json::from_str::<MaintenanceWindow>(&again).unwrap(),
        window
    );
    let unknown = text.replace("\"minutes\"", "\"hours\"");
    assert!(serde_json::from_str::<MaintenanceWindow>(&unknown).is_err());
}

#[test]
fn a_window_that_begins_in_years_is_not_over() {
    for repeats in [
        Recurrence::Once,
        Recurrence::Daily,
        Recurrence::Weekly {
            days: [Weekday::Saturday].into(),
        },
        Recurrence::Monthly { day: 30 },
    ] {
        let window = window("UTC", "2030-03-30T22:00", 60, repeats);
        assert_eq!(
            following(&window, "2026-12-20T00:00:00Z", 1),
            ["2030-03-30T22:00:00Z to 2030-03-30T23:00:00Z"]
        );
        assert_eq!(window.occurrence_at(time("2026-12-20T00:00:00Z")), None);
    }
}
