//! The page "Maintenance".

use std::collections::BTreeSet;

use connections::PartnerConfig;
use domain::alert::kind::KindInfo;
use domain::maintenance::recurrence::Weekday;
use domain::maintenance::window::{MaintenanceWindow, Occurrence};
use domain::maintenance::windows::{MAX_WINDOWS, MaintenanceWindows};
use domain::maintenance::zone::ZoneName;
use domain::setup::mapping::Mapping;
use domain::text::is_same_name;
use domain::{TenantId, WindowId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use super::form::{FormRecurrence, WindowForm};
use super::reader::HeldAlerts;
use super::words::{covers, when};
use crate::checklist::counted;
use crate::kind_names::kind_name;
use crate::step::SetupStep;
use crate::tenants::search::{HELP, MAX_OPTIONS};
use crate::{page, paths};

/// Occurrences that the page names.
const NEXT: usize = 3;

#[derive(Serialize)]
pub(super) struct MaintenanceView {
    windows: Vec<WindowView>,
    unreadable: Vec<WindowId>,
    /// Whether the numbers of held alerts are exact.
    is_complete: bool,
    form: WindowForm,
    /// When the window of the form would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Vec<OccurrenceView>>,
    #[serde(skip)]
    tenants: Vec<(TenantId, String)>,
    #[serde(skip)]
    kinds: Vec<KindInfo>,
}

#[derive(Serialize)]
struct WindowView {
    id: WindowId,
    name: String,
    when: String,
    covers: String,
    is_running: bool,
    next: Vec<OccurrenceView>,
    held: usize,
}

#[derive(Serialize)]
struct OccurrenceView {
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl OccurrenceView {
    fn new(of: &Occurrence) -> Self {
        Self {
            starts_at: of.starts_at,
            ends_at: of.ends_at,
        }
    }
}

impl MaintenanceView {
    pub(super) fn new(
        windows: &MaintenanceWindows,
        held: &HeldAlerts,
        config: &PartnerConfig,
        form: WindowForm,
        now: Timestamp,
    ) -> Self {
        let title = |tenant: &TenantId, mapping: &Mapping| mapping.title(tenant).to_owned();
        let mappings = config.mappings.iter();
        let mut tenants: Vec<_> = mappings
            .map(|(tenant, mapping)| (tenant.clone(), title(tenant, mapping)))
            .collect();
        tenants.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
        let kinds = config.kinds();
        let view = |(id, window): (&WindowId, &MaintenanceWindow)| WindowView {
            id: id.clone(),
            name: window.definition().name.clone(),
            when: when(window),
            covers: covers(window, &config.mappings, &kinds),
            is_running: window.occurrence_at(now).is_some(),
            next: occurrences(window, now),
            held: held.by_window.get(id).copied().unwrap_or_default(),
        };
        Self {
            windows: windows.readable().map(view).collect(),
            unreadable: windows.unreadable().cloned().collect(),
            is_complete: held.is_complete,
            form,
            preview: None,
            tenants,
            kinds,
        }
    }

    pub(super) fn with_preview(mut self, window: &MaintenanceWindow, now: Timestamp) -> Self {
        self.preview = Some(occurrences(window, now));
        self
    }
}

fn occurrences(window: &MaintenanceWindow, now: Timestamp) -> Vec<OccurrenceView> {
    let next = window.next_occurrences(now, NEXT);
    next.iter().map(OccurrenceView::new).collect()
}

pub(super) fn render(view: &MaintenanceView) -> Markup {
    html! {
        p {
            "While a window applies, a new alert that it covers makes no ticket. An alert that is resolved meanwhile never makes one. "
            "An alert that is still active at the end becomes a ticket then. Tickets that exist are not affected."
        }
        @if view.windows.is_empty() && view.unreadable.is_empty() { p { "There is no maintenance window." } }
        @if !view.is_complete {
            p class="note" { "There are too many waiting alerts to count all of them: each number of held alerts is a minimum." }
        }
        @for (n, window) in view.windows.iter().enumerate() { (render_window(n, window)) }
        @for id in &view.unreadable {
            section class="card" {
                p class="note" { "The window " (id) " cannot be read. It holds no alert. Delete it, and create it again." }
                (button(paths::DELETE_MAINTENANCE, id, "Delete"))
            }
        }
        (render_form(view))
    }
}

fn render_window(n: usize, window: &WindowView) -> Markup {
    let id = format!("window-{n}");
    html! {
        section class="card" aria-labelledby=(id) {
            h2 id=(id) { (window.name) }
            p { (window.when) }
            p { (window.covers) "." }
            @if window.is_running {
                p class="note" {
                    "It applies now, and holds " (counted(window.held as u64, "alert"))
                    @if window.held > 0 { ": see " a href=(SetupStep::Waiting.path()) { "Waiting alerts" } }
                    "."
                }
            }
            (render_occurrences(&window.next, window.is_running))
            div class="actions" {
                a href={ (SetupStep::Maintenance.path()) "?window=" (window.id) "#form" } { "Change" }
                @if window.is_running { (button(paths::END_MAINTENANCE, &window.id, "End now")) }
                (button(paths::DELETE_MAINTENANCE, &window.id, "Delete"))
            }
        }
    }
}

fn render_occurrences(next: &[OccurrenceView], is_running: bool) -> Markup {
    html! {
        @if next.is_empty() { p { "It is over." } } @else {
            ul {
                @for (n, of) in next.iter().enumerate() {
                    li {
                        @if is_running && n == 0 { "Now: " }
                        (page::time(of.starts_at)) " to " (page::time(of.ends_at))
                    }
                }
            }
        }
    }
}

fn button(path: &str, id: &WindowId, words: &str) -> Markup {
    html! {
        form method="post" action=(path) {
            input type="hidden" name="window" value=(id);
            button class="plain" { (words) }
        }
    }
}

fn render_form(view: &MaintenanceView) -> Markup {
    let form = &view.form;
    let is_new = form.id.as_deref().is_none_or(str::is_empty);
    html! {
        h2 id="form" { @if is_new { "Add a window" } @else { "Change the window" } }
        @if is_new && view.windows.len() + view.unreadable.len() >= MAX_WINDOWS {
            p { "There are " (MAX_WINDOWS) " windows. Delete one to add another." }
        } @else {
            form method="post" action=(SetupStep::Maintenance.path()) {
                @if let Some(id) = &form.id { input type="hidden" name="id" value=(id); }
                label for="name" { "Name" }
                input id="name" name="name" required maxlength="100" value=(form.name);
                (render_time(form))
                (render_recurrence(form))
                (render_scope(view))
                @if let Some(preview) = &view.preview {
                    section id="result" aria-label="Preview" {
                        h3 { "Next times" }
                        (render_occurrences(preview, false))
                    }
                }
                div class="actions" {
                    button { "Save" }
                    button class="plain" formaction=(paths::PREVIEW_MAINTENANCE) data-render { "Show the next times" }
                }
            }
        }
    }
}

fn render_time(form: &WindowForm) -> Markup {
    html! {
        label for="starts" { "Begins" }
        input id="starts" name="starts" type="datetime-local" required value=(form.starts) aria-describedby="starts-help";
        small id="starts-help" { "In the time zone below. A window that recurs begins at this time from this day on." }
        label for="zone" { "Time zone" }
        input id="zone" name="zone" list="zones" required value=(form.zone) placeholder="Europe/Berlin" autocomplete="off";
        datalist id="zones" { @for zone in ZoneName::all() { option value=(zone) {} } }
        label for="hours" { "Length in hours" }
        input id="hours" name="hours" type="number" min="0" max="720" value=(form.hours) aria-describedby="length-help";
        label for="minutes" { "and minutes" }
        input id="minutes" name="minutes" type="number" min="0" max="59" value=(form.minutes) aria-describedby="length-help";
        small id="length-help" {
            "22:00 for 8 hours ends at 06:00, also when the clocks change. "
            "Leave both empty for a window that happens once and that you end yourself. It ends after 30 days at the latest."
        }
    }
}

fn render_recurrence(form: &WindowForm) -> Markup {
    html! {
        fieldset {
            legend { "Repeats" }
            @for of in FormRecurrence::ALL {
                label class="choice" {
                    input type="radio" name="repeats" value=(of.name()) checked[form.repeats == of];
                    span { (of.title()) }
                }
            }
        }
        // The page shows these two only for a window that repeats so. A browser never refuses the
        // form because of a field that it does not show, so the day has no limits here.
        fieldset class="only-weekly" {
            legend { "Days of the week" }
            @for day in Weekday::ALL {
                label class="choice" {
                    input type="checkbox" name="days[]" value=(day.name()) checked[form.days.contains(&day)];
                    span { (day.title()) }
                }
            }
        }
        div class="only-monthly" {
            label for="month_day" { "Day of the month" }
            input id="month_day" name="month_day" inputmode="numeric" value=(form.month_day) autocomplete="off" aria-describedby="month-help";
            small id="month-help" { "From 1 to 31. In a shorter month: its last day." }
        }
    }
}

/// The chosen tenants by their names, or by their ids where several have the name.
fn tenant_lines(view: &MaintenanceView) -> String {
    let chosen = &view.form.tenants;
    let line = |id: &TenantId| {
        let title = view.tenants.iter().find(|(tenant, _)| tenant == id);
        let title = title.map(|(_, title)| title);
        let is_unique = |title: &&String| {
            let mut same = view
                .tenants
                .iter()
                .filter(|(_, other)| is_same_name(other, title));
            same.nth(1).is_none()
        };
        title
            .filter(is_unique)
            .map_or_else(|| id.to_string(), String::clone)
    };
    let lines: Vec<_> = chosen.iter().map(line).collect();
    lines.join("\n")
}

fn render_scope(view: &MaintenanceView) -> Markup {
    let form = &view.form;
    let is_chosen = |set: &BTreeSet<TenantId>, id: &TenantId| set.contains(id);
    html! {
        fieldset {
            legend { "What it covers" }
            p id="scope-help" { "A list in which nothing is chosen or entered covers all: all tenants, all kinds of alerts, or all devices. To choose several, hold Ctrl (Command on a Mac)." }
            @if view.tenants.len() > MAX_OPTIONS {
                label for="tenant_lines" { "Tenants, one a line" }
                textarea id="tenant_lines" name="tenant_lines" rows="4" spellcheck="false" aria-describedby="scope-help tenants-help" { (tenant_lines(view)) }
                small id="tenants-help" { (HELP) }
            } @else {
                label for="tenants" { "Tenants" }
                select id="tenants" name="tenants[]" multiple size="6" aria-describedby="scope-help" {
                    @for (id, title) in &view.tenants {
                        option value=(id) selected[is_chosen(&form.tenants, id)] { (title) }
                    }
                }
            }
            label for="kinds" { "Kinds of alerts" }
            select id="kinds" name="kinds[]" multiple size="6" aria-describedby="scope-help kinds-help" {
                @for info in &view.kinds { option value=(info.kind) selected[form.kinds.contains(&info.kind)] { (kind_name(info, &view.kinds)) } }
            }
            small id="kinds-help" { "A window without kinds also holds security alerts: choose kinds if they must not wait." }
            label for="devices" { "Devices, one a line" }
            textarea id="devices" name="devices" rows="3" placeholder="SRV-*" aria-describedby="scope-help devices-help" { (form.devices) }
            small id="devices-help" { "In a device's name, * is any text and ? one character." }
        }
    }
}
