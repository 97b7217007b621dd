//! Maintenance windows in words, for the page and the history.

use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::window::MaintenanceWindow;
use domain::time::duration;
use domain::{Kind, TenantId};

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
            let day = definition.starts.strftime("%Y-%m-%d");
            format!("Once, {day} at {time} ({zone}), {length}")
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

/// What a window covers, in words. `title` returns a tenant's name.
pub(super) fn covers(window: &MaintenanceWindow, title: impl Fn(&TenantId) -> String) -> String {
    let scope = window.scope();
    let list = |all: Vec<String>, what: &str| match all.is_empty() {
        true => format!("all {what}"),
        false => format!("{what} {}", all.join(", ")),
    };
    let of_tenants = list(scope.tenants.iter().map(title).collect(), "tenants");
    let of_kinds = list(scope.kinds.iter().map(Kind::to_string).collect(), "kinds");
    let of_devices = list(scope.devices.iter().cloned().collect(), "devices");
    format!("Covers {of_tenants}; {of_kinds}; {of_devices}")
}
