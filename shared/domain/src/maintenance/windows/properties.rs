//! Random windows and alerts against a model that goes through the minutes.

use jiff::ToSpan as _;
use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;
use crate::maintenance::recurrence::{Recurrence, Weekday};
use crate::maintenance::scope::MaintenanceScope;
use crate::maintenance::window::WindowDefinition;
use crate::maintenance::zone::ZoneName;

/// The minutes that the model goes through before and after an alert. A window is at most a day long.
const BEFORE: i64 = 3 * 24 * 60;
const AFTER: i64 = 3 * 24 * 60;

/// Zones and days on which their clocks change, in both directions.
const CHANGES: [(&str, &str); 10] = [
    ("Europe/Berlin", "2026-03-29T00:00:00Z"),
    ("Europe/Berlin", "2026-10-25T00:00:00Z"),
    ("America/New_York", "2026-03-08T06:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("UTC", "2026-06-01T00:00:00Z"),
    ("Asia/Kathmandu", "2028-02-29T00:00:00Z"),
];

#[derive(Debug, Clone)]
struct Case {
    windows: Vec<WindowDefinition>,
    now: Timestamp,
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    let days = prop::collection::btree_set(prop::sample::select(Weekday::ALL.to_vec()), 1..4);
    prop_oneof![
        Just(Recurrence::Once),
        Just(Recurrence::Daily),
        days.prop_map(|days| Recurrence::Weekly { days }),
        (1..=31u8).prop_map(|day| Recurrence::Monthly { day }),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let window = |zone: &'static str, change: Timestamp| {
        (recurrence(), -6000..3000i64, 1..=1440u32, 0..3usize).prop_map(
            move |(repeats, offset, minutes, ended)| {
                let local = ZoneName::parse(zone).unwrap().local(change);
                // On the minute, near the change of the clocks.
                let starts = local
                    .checked_add(offset.minutes())
                    .unwrap()
                    .with()
                    .second(0)
                    .build()
                    .unwrap();
                WindowDefinition {
                    name: "Window".to_owned(),
                    zone: zone.to_owned(),
                    starts,
                    minutes: Some(minutes),
                    repeats,
                    scope: MaintenanceScope::default(),
                    ended_at: (ended == 0)
                        .then(|| later(change, SignedDuration::from_mins(offset + 700))),
                }
            },
        )
    };
    (prop::sample::select(CHANGES.to_vec()), -1500..1500i64).prop_flat_map(
        move |((zone, change), offset)| {
            let change: Timestamp = change.parse().unwrap();
            let now = later(change, SignedDuration::from_mins(offset));
            let windows = prop::collection::vec(window(zone, change), 1..4);
            windows.prop_map(move |windows| Case { windows, now })
        },
    )
}

/// Which minutes a window covers, counted from `first`: minute by minute, the clock of the zone is
/// read. An occurrence begins at the first minute that reads its start or later, and ends after the
/// last minute that reads earlier than its end.
fn covered(definition: &WindowDefinition, first: Timestamp, clocks: &[DateTime]) -> Vec<bool> {
    let minute = |n| later(first, SignedDuration::from_mins(n));
    let mut covered = vec![false; clocks.len()];
    let mut day = clocks[0].date();
    while day <= clocks[clocks.len() - 1].date() {
        let begins = day >= definition.starts.date()
            && match &definition.repeats {
                Recurrence::Once => day == definition.starts.date(),
                Recurrence::Daily => true,
                Recurrence::Weekly { days } => days
                    .iter()
                    .any(|of| of.name() == day.strftime("%A").to_string().to_lowercase()),
                Recurrence::Monthly { day: of_month } => {
                    let is_last = day.tomorrow().unwrap().day() == 1;
                    let of_month = i8::try_from(*of_month).unwrap();
                    day.day() == of_month || (is_last && day.day() < of_month)
                }
            };
        let start = day.to_datetime(definition.starts.time());
        let end = start + i64::from(definition.minutes.unwrap()).minutes();
        let from = clocks.iter().position(|clock| *clock >= start);
        let last = clocks.iter().rposition(|clock| *clock < end);
        if let (true, Some(from), Some(last)) = (begins, from, last) {
            let is_ended = |n: usize| {
                let minute = |n: usize| minute(i64::try_from(n).unwrap());
                let ended = definition.ended_at;
                ended.is_some_and(|ended| minute(from) <= ended && ended <= minute(n))
            };
            for (n, is_covered) in covered.iter_mut().enumerate().take(last + 1).skip(from) {
                *is_covered |= !is_ended(n);
            }
        }
        day = day.tomorrow().unwrap();
    }
    covered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_alert_is_held_for_the_minutes_that_a_window_covers(case in cases()) {
        let first = later(case.now, SignedDuration::from_mins(-BEFORE));
        let zone = ZoneName::parse(&case.windows[0].zone).unwrap();
        let minute = |n| later(first, SignedDuration::from_mins(n));
        let clocks: Vec<_> = (0..BEFORE + AFTER).map(|n| zone.local(minute(n))).collect();
        let mut model = vec![false; clocks.len()];
        let mut windows = MaintenanceWindows::default();
        for (n, definition) in case.windows.iter().enumerate() {
            for (minute, is_covered) in covered(definition, first, &clocks).iter().enumerate() {
                model[minute] |= is_covered;
            }
            let id = WindowId::parse(format!("w{n}")).unwrap();
            windows = windows.with(id, definition.clone().try_into().unwrap()).unwrap();
        }
        let disk = Kind::parse("disk").unwrap();
        let after = &model[usize::try_from(BEFORE).unwrap()..];
        let hold = windows.hold(&disk, None, case.now, case.now);
        let after_minutes = |n: usize| {
            later(case.now, SignedDuration::from_mins(i64::try_from(n).unwrap()))
        };
        match after.iter().position(|is_covered| !is_covered) {
            Some(held) => prop_assert_eq!(hold, (held > 0).then(|| after_minutes(held))),
            // The model ends before the hold does.
            None => prop_assert!(hold >= Some(after_minutes(after.len()))),
        }
    }
}
