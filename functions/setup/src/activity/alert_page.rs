//! The page of one alert: what is known about it, and each step that led there.

use std::collections::BTreeMap;

use domain::alert::blocked::BlockedSince;
use domain::alert::event::Severity;
use domain::alert::op::Op;
use domain::alert::record::Record;
use domain::alert::resolution::Resolution;
use domain::alert::trail::{StepKind, TrailStep};
use domain::{AlertId, Blocked, Kind, SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;

use crate::activity::next_step::NextStep;
use crate::activity::state::{StateView, closed_words, title};
use crate::activity::view::{ticket_address, ticket_link};
use crate::backlog::words::describe;
use crate::held;
use crate::held::view::HeldClosingsView;
use crate::http::input::sentence;
use crate::page;
use crate::partner_names::PartnerNames;
use crate::paths;
use crate::step::SetupStep;
use crate::tickets::issues::action_name;

#[derive(Serialize, JsonSchema)]
pub(crate) struct AlertPageView {
    id: String,
    alert_id: AlertId,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    tenant: TenantId,
    tenant_name: String,
    source: SourceId,
    source_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip)]
    kind_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raised_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(flatten)]
    state: StateView,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_address: Option<String>,
    /// What happens next without a person.
    next: String,
    /// When, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Timestamp>,
    /// What the time is, for people.
    #[serde(skip)]
    next_at_words: &'static str,
    /// The page where a person can act.
    #[serde(skip)]
    next_step: Option<SetupStep>,
    /// Whether ConnectWise refused the last request for it.
    #[serde(skip)]
    is_refused: bool,
    /// The oldest first.
    steps: Vec<StepView>,
    /// Whether steps in between were dropped.
    is_cut: bool,
    /// Whether a person may release it.
    can_release: bool,
    /// Whether a person may ask for a ticket again.
    can_open_again: bool,
    /// Closings of its tenant that are held, and that a person may approve.
    held: Vec<HeldClosingsView>,
}

/// What the document of the API says of a step. New kinds of steps may have other members.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct StepSchema {
    step: String,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize, JsonSchema)]
struct StepView {
    at: Timestamp,
    words: String,
    /// When a block ends, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<Timestamp>,
    /// The step's name, and members of its own.
    #[serde(flatten)]
    #[schemars(with = "StepSchema")]
    step: StepKind,
}

impl AlertPageView {
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn new(
        id: &str,
        record: &Record,
        names: &PartnerNames,
        (next, held): (NextStep, Vec<HeldClosingsView>),
    ) -> Self {
        let state = StateView::of(record);
        let (key, details) = (&record.key, record.desired.details.as_ref());
        let summary = record.summary.as_ref();
        Self {
            id: id.to_owned(),
            alert_id: key.alert_id.clone(),
            title: summary.map_or_else(|| "Alert".to_owned(), |of| of.title.clone()),
            device: summary.and_then(|of| of.device.clone()),
            tenant_name: names.tenant(&key.tenant),
            tenant: key.tenant.clone(),
            source_name: names.source(&key.source),
            source: key.source.clone(),
            kind: details.map(|details| details.kind.clone()),
            kind_name: details.map(|details| names.kind(&details.kind)),
            severity: details.map(|details| details.severity),
            raised_at: details.map(|details| details.raised_at),
            expires_at: details.and_then(|details| details.expires_at),
            ticket_address: ticket_address(&state, names),
            state,
            next: next.words,
            next_at: next.at,
            next_at_words: next.at_words,
            next_step: next.step,
            is_refused: record
                .blocked
                .as_ref()
                .is_some_and(BlockedSince::is_refusal),
            steps: record
                .trail
                .steps()
                .into_iter()
                .map(StepView::new)
                .collect(),
            is_cut: record.trail.is_cut(),
            can_release: record
                .blocked
                .as_ref()
                .is_some_and(BlockedSince::can_be_released),
            can_open_again: record.can_open_again(),
            held: match record.open() {
                Some(_) => held,
                None => vec![],
            },
        }
    }
}

impl StepView {
    fn new(step: &TrailStep) -> Self {
        Self {
            at: step.at,
            words: words(&step.what),
            waits_until: match &step.what {
                StepKind::Blocked { blocked, .. } => blocked.ends_at(),
                StepKind::Raised { .. }
                | StepKind::Repeated { .. }
                | StepKind::Resolved
                | StepKind::Ended { .. }
                | StepKind::Started { .. }
                | StepKind::Unclear { .. }
                | StepKind::Opened { .. }
                | StepKind::Reopened { .. }
                | StepKind::Noted { .. }
                | StepKind::ActionRequested { .. }
                | StepKind::Closed { .. }
                | StepKind::AskedAgain
                | StepKind::Released
                | StepKind::Duplicate { .. } => None,
            },
            step: step.what.clone(),
        }
    }
}

fn words(step: &StepKind) -> String {
    match step {
        StepKind::Raised { severity } => {
            format!("The source raised the alert, severity {severity}.")
        }
        StepKind::Repeated { count: 1, severity } => {
            format!("The source repeated it once, severity {severity}.")
        }
        StepKind::Repeated { count, severity } => {
            format!("The source repeated it, {count} times by now, severity {severity}.")
        }
        StepKind::Resolved => "The source resolved it.".to_owned(),
        StepKind::Ended { shown } => match shown {
            Resolution::Absent { .. } => {
                "The source's list of active alerts did not contain it, so it counts as resolved."
                    .to_owned()
            }
            Resolution::Expired { .. } => {
                "It was not repeated before its expiry, so it counts as resolved.".to_owned()
            }
        },
        StepKind::Blocked {
            blocked,
            answer,
            times,
        } => {
            let mut text = format!("It waits: {}.", describe(blocked));
            let answer = if let Blocked::Rejected(answer) = blocked {
                Some(answer)
            } else {
                answer.as_ref()
            };
            if let Some(answer) = answer {
                text = format!("{text} ConnectWise answered: {answer}");
            }
            match times {
                1 => text,
                times => format!("{text} This was attempt {times}."),
            }
        }
        StepKind::Started { op, reason } => {
            format!("{} Reason: {reason}.", sentence(op_words(*op)))
        }
        StepKind::Unclear { op } => format!(
            "ConnectWise did not say whether it worked: {}. Its effect is looked up before anything is tried again.",
            op_words(*op)
        ),
        StepKind::Opened { ticket } => format!("It has ticket #{ticket}."),
        StepKind::Reopened { ticket } => format!("Its earlier ticket #{ticket} is open again."),
        StepKind::Noted {
            ticket,
            reason: Some(reason),
        } => format!("A note was written on ticket #{ticket}. Reason: {reason}."),
        StepKind::Noted {
            ticket,
            reason: None,
        } => format!("A note was written on ticket #{ticket}."),
        StepKind::Closed { ticket, by } => format!("Ticket #{ticket} ended. {}", closed_words(*by)),
        StepKind::ActionRequested { ticket, action } => {
            format!(
                "A technician moved ticket #{ticket} to the status for \"{}\".",
                action_name(action.kind())
            )
        }
        StepKind::AskedAgain => "A person asked for a ticket again.".to_owned(),
        StepKind::Released => "A person released it.".to_owned(),
        StepKind::Duplicate { ticket } => {
            format!("A second ticket #{ticket} of it was found. It is closed, with a note.")
        }
    }
}

fn op_words(op: Op) -> &'static str {
    match op {
        Op::Create => "a ticket is created",
        Op::Note(_) => "a note is written",
        Op::Patch => "the priority is set",
        Op::SetType => "the type is set",
        Op::Link => "the ticket is linked to the device's configuration",
        Op::Close => "the ticket is closed",
        Op::Reopen => "the ticket is reopened",
        Op::Repair => "a duplicate is closed",
    }
}

pub(super) fn render(view: &AlertPageView) -> Markup {
    html! {
        p { a href=(SetupStep::Activity.path()) { "All alerts" } }
        dl {
            dt { "State" } dd { b { (title(view.state.state)) } ". " (view.state.words) (page::until(view.state.waits_until)) }
            dt { "Ticket" } dd { (ticket_link(view.state.ticket, view.ticket_address.as_deref())) }
            dt { "What is next" }
            dd {
                (view.next) @if let Some(at) = view.next_at { " " (view.next_at_words) " " (page::time(at)) "." }
                @if let Some(step) = view.next_step { " " a href=(step.path()) { (step.title()) } }
            }
            dt { "Tenant" } dd { (view.tenant_name) }
            @if let Some(device) = &view.device { dt { "Device" } dd { (device) } }
            @if let Some(kind) = &view.kind_name { dt { "Kind" } dd { (kind) } }
            @if let Some(severity) = view.severity { dt { "Severity" } dd { (severity) } }
            dt { "Source" } dd { (view.source_name) }
            dt { "Alert id" } dd { code { (view.alert_id) } }
            @if let Some(at) = view.raised_at { dt { "Raised" } dd { (page::time(at)) } }
            @if let Some(at) = view.expires_at { dt { "Expires" } dd { (page::time(at)) } }
        }
        @if view.can_release {
            form method="post" action=(paths::RELEASE_ALERT) {
                input type="hidden" name="id" value=(view.id);
                button { @if view.is_refused { "Retry now" } @else { "Release it" } }
            }
        }
        @if view.can_open_again {
            form method="post" action=(paths::OPEN_AGAIN) {
                input type="hidden" name="id" value=(view.id);
                button { "Open a ticket again" }
                p { small { "The alert is still active, but its ticket was ended. A ticket is opened again, or a new one is created, as the board's settings say." } }
            }
        }
        (held::view::render(&view.held))
        h2 { "What happened" }
        @if view.is_cut { p class="note" { "Some steps in between are no longer stored." } }
        @if view.steps.is_empty() { p { "No step is stored." } }
        ol class="steps" {
            @for step in &view.steps { li { (page::time(step.at)) " " (step.words) (page::until(step.waits_until)) } }
        }
    }
}
