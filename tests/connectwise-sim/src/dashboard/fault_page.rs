//! The page `/faults`: the usual faults as switches.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use crate::dashboard::switches::{Control, GROUPS, Switch, change, fields_of, right_field};
use crate::faults::Faults;
use crate::security::{FUNCTIONS, LEVELS};
use crate::shared::Shared;
use crate::site::Site;

const PATH: &str = "/faults";
/// The id of the text that says which fault is wrong.
const PROBLEM: &str = "problem";

type Fields = BTreeMap<String, String>;

/// `GET /faults`
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let site = shared.lock();
    render(StatusCode::OK, &site, &fields_of(&site.faults), None)
}

/// `POST /faults`: sets what the form contains. Faults that the form does not have stay.
pub(crate) async fn set(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    if let Some(refusal) = refuse_other_sites(&headers) {
        return refusal;
    }
    let mut site = shared.lock();
    match change(&fields).and_then(|change| site.faults.merged(&change)) {
        Ok(faults) => {
            site.set_faults(faults);
            Redirect::to(PATH).into_response()
        }
        Err(problem) => render(StatusCode::BAD_REQUEST, &site, &fields, Some(&problem)),
    }
}

/// `POST /faults/end`: ends all faults.
pub(crate) async fn end(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refuse_other_sites(&headers) {
        return refusal;
    }
    shared.lock().set_faults(Faults::default());
    Redirect::to(PATH).into_response()
}

/// A page of another site may not send these forms.
fn refuse_other_sites(headers: &HeaderMap) -> Option<Response> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN)?;
    let own = format!("http://{}", text(header::HOST).unwrap_or_default());
    (origin != own).then(|| {
        let words = "only the simulator's own page sends this form";
        (StatusCode::FORBIDDEN, words).into_response()
    })
}

fn render(status: StatusCode, site: &Site, fields: &Fields, problem: Option<&str>) -> Response {
    let wrong = problem.and_then(wrong_switch);
    let problem = match (wrong, problem.and_then(|problem| problem.split_once(": "))) {
        (Some(switch), Some((_, words))) => Some(format!("{}: {words}", switch.label)),
        (Some(_) | None, _) => problem.map(str::to_owned),
    };
    let content = html! {
        p { a href="/" { "Boards and tickets" } }
        @if let Some(problem) = problem { p class="problem" id=(PROBLEM) role="alert" { (problem) } }
        form method="post" action=(PATH) {
            @for group in &GROUPS {
                fieldset {
                    legend { (group.title) }
                    @for switch in group.switches { (field(switch, fields, wrong)) }
                }
            }
            (rights(fields))
            button type="submit" { "Set" }
        }
        form method="post" action="/faults/end" { p { button type="submit" { "End all faults" } } }
        (rules(site))
    };
    super::page(
        status,
        "Faults of the simulated ConnectWise",
        false,
        &content,
    )
}

/// The switch that a problem begins with, by its name in the control API or on the page.
fn wrong_switch(problem: &str) -> Option<&'static Switch> {
    let (name, _) = problem.split_once(": ")?;
    let mut switches = GROUPS.iter().flat_map(|group| group.switches);
    switches.find(|switch| [switch.path, switch.label].contains(&name))
}

fn field(switch: &Switch, fields: &Fields, wrong: Option<&Switch>) -> Markup {
    let (path, value) = (switch.path, fields.get(switch.path));
    let is_wrong = wrong.is_some_and(|wrong| wrong.path == path);
    let invalid = is_wrong.then_some("true");
    let help = match is_wrong {
        true => format!("{PROBLEM} {path}-help"),
        false => format!("{path}-help"),
    };
    html! {
        div class="switch" {
            label for=(path) { (switch.label) }
            @match switch.control {
                Control::Flag | Control::Choice { .. } => {
                    input type="checkbox" id=(path) name=(path) aria-describedby=(help) checked[value.is_some()];
                }
                Control::Rate => {
                    input type="number" id=(path) name=(path) aria-describedby=(help) aria-invalid=[invalid] autofocus[is_wrong] min="0" max="1" step="any" value=[value];
                }
                Control::Seconds => {
                    input type="number" id=(path) name=(path) aria-describedby=(help) aria-invalid=[invalid] autofocus[is_wrong] min="0" step="any" value=[value];
                }
                Control::Count => {
                    input type="number" id=(path) name=(path) aria-describedby=(help) aria-invalid=[invalid] autofocus[is_wrong] min="0" step="1" value=[value];
                }
            }
            small id={ (path) "-help" } { (switch.effect) }
        }
    }
}

fn rights(fields: &Fields) -> Markup {
    let is_missing =
        |function: &str, level: &str| fields.contains_key(&right_field(function, level));
    let is_open = FUNCTIONS
        .iter()
        .any(|function| LEVELS.iter().any(|level| is_missing(function.key, level)));
    html! {
        details open[is_open] {
            summary { "Rights that the integration lacks" }
            table class="rights" {
                @for function in &FUNCTIONS {
                    tr {
                        th scope="row" { (function.name) }
                        @for level in LEVELS {
                            td {
                                label {
                                    input type="checkbox" name=(right_field(function.key, level)) checked[is_missing(function.key, level)];
                                    " " (level)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the form does not have.
fn rules(site: &Site) -> Markup {
    let rules = serde_json::to_string_pretty(&site.faults.rules).unwrap_or_default();
    html! {
        @if !site.faults.rules.is_empty() {
            h2 { "Rules" }
            p { "They are set by " code { "PUT /_sim/faults" } ". The first one that matches a call counts." }
            pre tabindex="0" { (rules) }
        }
    }
}
