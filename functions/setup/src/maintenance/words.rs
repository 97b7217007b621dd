//! Maintenance windows in words, for the page and the history.

use std::collections::HashMap;

use domain::TenantId;
use domain::alert::kind::KindInfo;
use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::window::MaintenanceWindow;
use domain::setup::mapping::Mapping;
use domain::time::duration;

use crate::kind_names::name_of;

/// As the page shows other times, without seconds.
const DAY_AND_TIME: &str = "%-d %b %Y, %H:%M";

/// When a window is, in words.
pub(super) fn when(window: &MaintenanceWindow) -> String {
    let definition = window.definition();
    let time = definition.starts.strftime("%H:%M");
    let zone = window.zone();
    let length = match definition.minutes {
        Some(minutes) => format!("for {}", duration(minutes.saturating_mul(60))),
        None => "until it is ended, 30 days at most".to_owned(),
    };
    match &definition.repeats {
        Recurrence::Once => {
            let begin = definition.starts.strftime(DAY_AND_TIME);
            let length = match definition.ended_at {
                Some(at) => format!("ended early on {}", zone.local(at).strftime(DAY_AND_TIME)),
                None => length,
            };
            format!("Once, {begin} ({zone}), {length}")
        }
        Recurrence::Daily => format!("Each day at {time} ({zone}), {length}"),
        Recurrence::Weekly { days } => {
            let days: Vec<_> = days.iter().map(|day| day.title()).collect();
            format!("Each {} at {time} ({zone}), {length}", days.join(", "))
        }
        Recurrence::Monthly { day } => {
            format!("On day {day} of each month at {time} ({zone}), {length}")
        }
    }
}

/// What a window covers, in words.
pub(super) fn covers(
    window: &MaintenanceWindow,
    mappings: &HashMap<TenantId, Mapping>,
    kinds: &[KindInfo],
) -> String {
    let tenant = |id: &TenantId| match mappings.get(id) {
        Some(mapping) => mapping.title(id).to_owned(),
        None => id.to_string(),
    };
    let scope = window.scope();
    let tenants: Vec<_> = scope.tenants.iter().map(tenant).collect();
    let kinds: Vec<_> = scope
        .kinds
        .iter()
        .map(|kind| name_of(kind, kinds))
        .collect();
    let devices: Vec<_> = scope.devices.iter().cloned().collect();
    let [tenants, kinds, devices] = [
        list(&tenants, "tenant"),
        list(&kinds, "kind"),
        list(&devices, "device"),
    ];
    format!("Covers {tenants}; {kinds}; {devices}")
}

fn list(all: &[String], what: &str) -> String {
    match all {
        [] => format!("all {what}s"),
        [one] => format!("the {what} {one}"),
        [_, _, ..] => format!("the {what}s {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::alert::kind::with_added;
    use domain::maintenance::scope::MaintenanceScope;
    use domain::maintenance::window::WindowDefinition;
    use jiff::Timestamp;

    use super::*;
    use domain::Kind;

    fn window(ended_at: Option<Timestamp>, scope: MaintenanceScope) -> MaintenanceWindow {
        let definition = WindowDefinition {
            name: "Patches".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            starts: "2026-11-28T22:00".parse().unwrap(),
            minutes: Some(120),
            repeats: Recurrence::Once,
            scope,
            ended_at,
        };
        MaintenanceWindow::try_from(definition).unwrap()
    }

    #[test]
    fn a_window_that_was_ended_says_when() {
        let ended = "2026-11-28T21:30:00Z".parse().unwrap();
        for (ended_at, length) in [
            (None, "for 2 h"),
            (Some(ended), "ended early on 28 Nov 2026, 22:30"),
        ] {
            let words = when(&window(ended_at, MaintenanceScope::default()));
            assert_eq!(
                words,
                format!("Once, 28 Nov 2026, 22:00 (Europe/Berlin), {length}")
            );
        }
    }

    #[test]
    fn a_window_names_what_it_covers() {
        let scope = MaintenanceScope {
            tenants: BTreeSet::from([TenantId::parse("acme").unwrap()]),
            kinds: ["disk", "dns_poisoning"]
                .map(|kind| Kind::parse(kind).unwrap())
                .into(),
            devices: BTreeSet::new(),
        };
        let words = covers(&window(None, scope), &HashMap::new(), &with_added(&[]));
        assert_eq!(
            words,
            "Covers the tenant acme; the kinds Disk, DNS Poisoning; all devices"
        );
    }
}
