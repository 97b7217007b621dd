//! The page "Overview".

use domain::monitoring::waiting::WaitingPoint;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;

use crate::backlog::reasons::{self, ReasonRow};
use crate::checklist::counted;
use crate::held;
use crate::held::view::HeldClosingsView;
use crate::http::input::capitalized;
use crate::http::problem::Problem;
use crate::overview::figures::FiguresView;
use crate::overview::incidents::{self, IncidentView};
use crate::page;
use crate::sources::inactivity_view::{
    InactiveSourceView, InactiveTenantsView, render_source, render_tenants,
};
use crate::sources::messages::view::reason;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct OverviewView {
    pub(super) partner: PartnerId,
    pub(super) name: Option<String>,
    /// `None` before the set-up is confirmed.
    pub(super) live: Option<LiveView>,
    pub(super) rejected: Vec<UnreadableAlertsView>,
    pub(super) quarantined: Vec<QuarantinedMessagesView>,
    /// How long each of these messages is stored.
    pub(super) retention_days: u64,
    pub(super) held: Vec<HeldClosingsView>,
    pub(super) sources: Vec<SourceRow>,
    pub(super) steps: Vec<StepRow>,
}

/// What is known about a partner whose alerts become tickets.
#[derive(Serialize)]
pub(super) struct LiveView {
    /// Whether the state of the connection, or what the last checks found, could not be read.
    pub(super) connection_is_unknown: bool,
    /// The open incidents of connection and configuration, the connection's first.
    pub(super) incidents: Vec<IncidentView>,
    /// Since when Ticketbridge itself has a problem that delays tickets.
    pub(super) pipeline_issue_since: Option<Timestamp>,
    pub(super) waiting: WaitingView,
    /// All blocked alerts by reason.
    pub(super) blocked: Vec<ReasonRow>,
    /// Sources that have been quiet for too long.
    pub(super) inactive: Vec<InactiveSourceView>,
    /// Tenants for which a source has sent nothing for too long.
    pub(super) inactive_tenants: Vec<InactiveTenantsView>,
    /// When ConnectWise last accepted the keys.
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) figures: FiguresView,
}

/// In words that can stand in a sentence.
pub(super) const CONNECTION_IS_UNKNOWN: &str =
    "what the last checks of ConnectWise found cannot be read now";

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IssueView {
    pub(crate) words: String,
    /// Since when, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
}

impl IssueView {
    /// The issue as a sentence.
    pub(crate) fn sentence(&self) -> Markup {
        html! { (capitalized(&self.words)) @if let Some(since) = self.since { ", since " (page::time(since)) } ". " }
    }
}

/// Alerts that become tickets only after a person acts.
#[derive(Serialize)]
pub(crate) struct WaitingView {
    /// The worst first.
    pub(crate) points: Vec<WaitingPointView>,
    /// How many more causes there are.
    pub(crate) unlisted: usize,
    /// Whether all blocked alerts were read.
    pub(crate) is_complete: bool,
}

#[derive(Serialize)]
pub(crate) struct WaitingPointView {
    /// The whole text.
    pub(crate) what: String,
    /// The parts of the text, for the page.
    #[serde(skip)]
    pub(crate) point: WaitingPoint,
    pub(crate) to_do: String,
    /// The page where a person acts.
    pub(crate) path: &'static str,
}

/// When a source last sent something.
#[derive(Serialize)]
pub(super) struct SourceRow {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) last_message_at: Option<Timestamp>,
}

/// Alerts of one source that could not be read in the last days.
#[derive(Serialize)]
pub(super) struct UnreadableAlertsView {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) alerts: u32,
    pub(super) since: Timestamp,
    pub(super) field: String,
    pub(super) problem: String,
}

/// Messages of one source that its mapping could not read, and that wait for a person.
#[derive(Serialize)]
pub(super) struct QuarantinedMessagesView {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) messages: u32,
    /// There may be more of them.
    pub(super) more: bool,
    /// When the oldest was received.
    pub(super) since: Timestamp,
    /// Of the newest message.
    pub(super) field: String,
    pub(super) problem: String,
    /// The page of the messages.
    pub(super) path: String,
}

#[derive(Serialize)]
pub(super) struct StepRow {
    path: &'static str,
    title: &'static str,
    done: bool,
    words: String,
}

impl StepRow {
    pub(super) fn new(step: SetupStep, done: bool, words: String) -> Self {
        Self {
            path: step.path(),
            title: step.title(),
            done,
            words,
        }
    }
}

impl LiveView {
    /// Whether no alert becomes a ticket now.
    pub(super) fn is_broken(&self) -> bool {
        let mut incidents = self.incidents.iter();
        incidents.any(|incident| incident.stops_all_tickets)
    }
}

impl OverviewView {
    /// Whether the partner is live, but no alert becomes a ticket now.
    fn is_broken(&self) -> bool {
        self.live.as_ref().is_some_and(LiveView::is_broken)
    }

    /// Whether every alert becomes a ticket, as far as is known.
    fn is_good(&self) -> bool {
        let is_quiet =
            self.rejected.is_empty() && self.quarantined.is_empty() && self.held.is_empty();
        let is_live = |live: &LiveView| {
            !live.connection_is_unknown
                && live.incidents.is_empty()
                && live.pipeline_issue_since.is_none()
                && live.waiting.points.is_empty()
                && live.blocked.iter().all(|row| row.reason.is_chosen())
                && live.inactive.is_empty()
                && live.inactive_tenants.is_empty()
        };
        is_quiet && self.live.as_ref().is_some_and(is_live)
    }
}

pub(super) fn render(view: &OverviewView) -> Result<Markup, Problem> {
    let next = match view.is_broken() {
        true => Some((SetupStep::Check.path(), SetupStep::Check.title())),
        false => {
            let next = view.steps.iter().find(|step| !step.done);
            next.map(|step| (step.path, step.title))
        }
    };
    Ok(html! {
        @if let Some(live) = &view.live { (headline(view, live)) (waiting(&live.waiting)) (reasons::render(&live.blocked, live.waiting.is_complete)) }
        @if let Some(live) = &view.live {
            @for inactive in &live.inactive { (render_source(inactive)) }
            @for inactive in &live.inactive_tenants { (render_tenants(inactive)) }
        }
        (unreadable(view))
        (held::view::render(&view.held))
        @if let Some(live) = &view.live { (facts(view, live)) (live.figures.render()?) h2 { "Set-up" } }
        div class="wide" {
            table class="cards" {
                caption { "The steps" }
                thead { tr { th scope="col" { "Step" } th scope="col" { "Done" } th scope="col" { "State" } } }
                tbody {
                    @for step in &view.steps {
                        tr {
                            th scope="row" { a href=(step.path) { (step.title) } }
                            td data-label="Done" { @if step.done { span class="good" { "yes" } } @else { span class="warn" { "no" } } }
                            td data-label="State" { (step.words) }
                        }
                    }
                }
            }
        }
        @if let Some((path, title)) = next { p { a href=(path) { "Next: " (title) } } }
    })
}

fn headline(view: &OverviewView, live: &LiveView) -> Markup {
    html! {
        @if view.is_good() {
            p class="good" { "Live: alerts become tickets." }
        } @else if !view.is_broken() {
            p class="note" { "Live: alerts become tickets, but something needs attention:" }
        }
        @if live.connection_is_unknown {
            p class="note" { (capitalized(CONNECTION_IS_UNKNOWN)) ", so this page may lack a problem. Ask the operator of Ticketbridge if this stays." }
        }
        (incidents::render(&live.incidents))
        @if let Some(since) = live.pipeline_issue_since {
            p class="note" { "Ticketbridge itself has had a problem since " (page::time(since)) ", so tickets may come late. No alert is lost. Its operator was notified." }
        }
    }
}

fn waiting(waiting: &WaitingView) -> Markup {
    html! {
        @for point in &waiting.points {
            @let of = &point.point;
            p class="note" {
                (of.what) " " (of.oldest_words) " " (page::time(of.oldest)) ". " (of.effect) br;
                (point.to_do) " " a href=(point.path) { (SetupStep::of_page(point.path).title()) }
            }
        }
        @if waiting.unlisted > 0 || !waiting.is_complete {
            p class="note" { "More alerts wait than are named here. " a href=(SetupStep::Waiting.path()) { "Waiting alerts" } " lists them." }
        }
    }
}

/// What could not be read.
fn unreadable(view: &OverviewView) -> Markup {
    html! {
        @for rejected in &view.rejected {
            p class="problem" {
                (counted(u64::from(rejected.alerts), "alert")) " of " b { (rejected.name) }
                " could not be read since " (page::time(rejected.since)) " and got no ticket. Last reason: " code { (rejected.field) } ": " (rejected.problem)
                ". Ask the vendor of " (rejected.name) " to correct this."
            }
        }
        @for of in &view.quarantined {
            p class="problem" {
                (counted(of.messages.into(), "message")) @if of.more { " or more" } " of " b { (of.name) }
                " could not be read since " (page::time(of.since)) ", so no tickets were created. No alert is lost if this is corrected soon: a message is stored for " (counted(view.retention_days, "day")) ". Last reason: "
                (reason(&of.field, &of.problem))
                ". " a href=(of.path) { "Look at the messages of " (of.name) }
            }
        }
    }
}

/// When something was last received and sent.
fn facts(view: &OverviewView, live: &LiveView) -> Markup {
    html! {
        dl {
            @for source in &view.sources {
                dt { "Last message of " a href=(source.path) { (source.name) } }
                dd { @match source.last_message_at { Some(at) => (page::time(at)), None => "none yet" } }
            }
            dt { "ConnectWise last accepted the keys" }
            dd { @match live.accepted_at { Some(at) => (page::time(at)), None => "not checked yet" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::TenantId;
    use domain::alert::figures::{AlertFigures, DayCounts};
    use domain::monitoring::figures::FiguresSum;
    use domain::monitoring::waiting::{BlockedAlerts, WaitingPage};
    use domain::outgoing::block_reason::BlockReason;

    use super::*;
    use crate::overview::figures::Period;
    use crate::sources::inactivity_view::InactiveTenantRow;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-02T{time}:00Z").parse().unwrap()
    }

    fn source() -> SourceId {
        SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap()
    }

    fn view() -> OverviewView {
        OverviewView {
            partner: PartnerId::parse("northwind").unwrap(),
            name: Some("Northwind IT".to_owned()),
            live: None,
            rejected: vec![],
            quarantined: vec![],
            retention_days: 14,
            held: vec![],
            sources: vec![],
            steps: vec![
                StepRow::new(
                    SetupStep::Connection,
                    true,
                    "to na.myconnectwise.net".to_owned(),
                ),
                StepRow::new(SetupStep::Boards, false, "not chosen yet".to_owned()),
            ],
        }
    }

    fn live() -> LiveView {
        let counts = DayCounts {
            raised: 4,
            created: 3,
            late: 1,
            noted: 2,
            closed: 1,
            closed_by_person: 1,
            delays: vec![2, 3, 125],
            ..DayCounts::default()
        };
        let mut sum = FiguresSum::default();
        sum.add(&AlertFigures {
            days: [("2026-11-01".parse().unwrap(), counts)].into(),
        });
        LiveView {
            connection_is_unknown: false,
            incidents: vec![],
            pipeline_issue_since: None,
            waiting: WaitingView {
                points: vec![],
                unlisted: 0,
                is_complete: true,
            },
            blocked: vec![],
            inactive: vec![],
            inactive_tenants: vec![],
            accepted_at: Some(at("07:00")),
            figures: FiguresView::new(&sum.finish(at("07:04")), Period::Week, at("07:05")),
        }
    }

    /// The page without its pictures, which have a test of their own.
    fn lines(view: &OverviewView) -> String {
        let page = render(view).unwrap().into_string();
        let pictures = page
            .split("<svg")
            .map(|part| match part.split_once("</svg>") {
                Some((_, after)) => after,
                None => part,
            });
        crate::page::lines(&maud::PreEscaped(pictures.collect()))
    }

    #[test]
    fn overview_leads_to_the_next_step() {
        insta::assert_snapshot!(lines(&view()));
    }

    #[test]
    fn overview_is_green_while_all_alerts_become_tickets() {
        let source = SourceRow {
            source: source(),
            name: "Scanner".to_owned(),
            path: "source?source=src_abcdefghijklmnopqrstuvwxyz".to_owned(),
            last_message_at: Some(at("07:03")),
        };
        let view = OverviewView {
            live: Some(live()),
            sources: vec![source],
            ..view()
        };
        assert!(view.is_good());
        insta::assert_snapshot!(lines(&view));
    }

    #[test]
    fn overview_is_not_green_if_anything_is_wrong() {
        let with = |change: &dyn Fn(&mut LiveView)| {
            let mut live = live();
            change(&mut live);
            let live = Some(live);
            OverviewView { live, ..view() }.is_good()
        };
        assert!(!view().is_good(), "not live");
        assert!(!with(&|live| live.connection_is_unknown = true));
        assert!(!with(&|live| {
            live.incidents.push(incident(false));
        }));
        assert!(!with(&|live| live.pipeline_issue_since = Some(at("07:00"))));
        assert!(!with(&|live| {
            live.waiting.points.push(waiting_point());
        }));
        for reason in BlockReason::ALL {
            let is_good = with(&|live| live.blocked = blocked(&[reason]));
            assert_eq!(is_good, reason.is_chosen(), "{reason:?}");
        }
        assert!(!with(&|live| live.inactive.push(inactive_source())));
        assert!(!with(&|live| live
            .inactive_tenants
            .push(inactive_tenants())));
        let quarantined = OverviewView {
            live: Some(live()),
            quarantined: vec![quarantined()],
            ..view()
        };
        assert!(!quarantined.is_good());
        let rejected = OverviewView {
            live: Some(live()),
            rejected: vec![rejected()],
            ..view()
        };
        assert!(!rejected.is_good());
    }

    fn waiting_point() -> WaitingPointView {
        let what =
            "2 tenants sent alerts and are not mapped: Acme Dental (1 critical), Grove & Sons.";
        let point = WaitingPoint {
            what: what.to_owned(),
            oldest_words: "The oldest was raised on",
            oldest: at("06:58"),
            effect: "No tickets are created for these alerts until the tenants are mapped."
                .to_owned(),
            to_do: "choose the ConnectWise company of each tenant.",
            page: WaitingPage::Tenants,
        };
        WaitingPointView {
            what: point.text(),
            to_do: "Choose the ConnectWise company of each tenant.".to_owned(),
            path: "tenants",
            point,
        }
    }

    fn blocked(reasons: &[BlockReason]) -> Vec<ReasonRow> {
        let (count, oldest) = (2, at("06:00"));
        let alerts = BlockedAlerts { count, oldest };
        let blocked = reasons.iter().map(|reason| (*reason, alerts));
        ReasonRow::all(&blocked.collect()).unwrap()
    }

    fn incident(stops_all_tickets: bool) -> IncidentView {
        let words = match stops_all_tickets {
            true => "ConnectWise refuses the keys",
            false => "The company of Acme cannot be used: no tickets are created for Acme",
        };
        IncidentView {
            since: at("07:05"),
            stops_all_tickets,
            issues: vec![words.to_owned()],
            unlisted: 0,
        }
    }

    #[test]
    fn an_incident_of_one_customer_does_not_say_that_nothing_works() {
        let live = LiveView {
            incidents: vec![incident(false)],
            ..live()
        };
        let view = OverviewView {
            live: Some(live),
            ..view()
        };
        let page = lines(&view);
        assert!(page.contains("Live: alerts become tickets, but"), "{page}");
        assert!(!page.contains("No tickets are created"), "{page}");
    }

    fn rejected() -> UnreadableAlertsView {
        UnreadableAlertsView {
            source: source(),
            name: "Scanner".to_owned(),
            alerts: 1,
            since: at("07:05"),
            field: "data.kind".to_owned(),
            problem: "unknown kind".to_owned(),
        }
    }

    fn inactive_source() -> InactiveSourceView {
        InactiveSourceView {
            source: source(),
            name: "Scanner".to_owned(),
            since: at("07:05"),
        }
    }

    fn inactive_tenants() -> InactiveTenantsView {
        InactiveTenantsView {
            source: source(),
            name: "Backup".to_owned(),
            tenants: ["Acme Dental", "Grove & Sons"]
                .map(|name| InactiveTenantRow {
                    tenant: TenantId::parse("acme").unwrap(),
                    name: name.to_owned(),
                    since: "2026-11-02".to_owned(),
                })
                .into(),
            more: 3,
            path: "source?source=src_abcdefghijklmnopqrstuvwxyz".to_owned(),
        }
    }

    fn quarantined() -> QuarantinedMessagesView {
        QuarantinedMessagesView {
            source: source(),
            name: "Alertmanager".to_owned(),
            messages: 3,
            more: false,
            since: at("07:05"),
            field: "tenant".to_owned(),
            problem: "the message has none".to_owned(),
            path: "source-messages?source=src_abcdefghijklmnopqrstuvwxyz".to_owned(),
        }
    }

    #[test]
    fn overview_shows_issues_and_unreadable_alerts() {
        let live = LiveView {
            incidents: vec![incident(true), incident(false)],
            blocked: blocked(&[BlockReason::Maintenance, BlockReason::Rejected]),
            pipeline_issue_since: Some(at("07:01")),
            waiting: WaitingView {
                points: vec![waiting_point()],
                unlisted: 1,
                is_complete: true,
            },
            inactive: vec![inactive_source()],
            inactive_tenants: vec![inactive_tenants()],
            ..live()
        };
        let view = OverviewView {
            live: Some(live),
            rejected: vec![rejected()],
            quarantined: vec![quarantined()],
            ..view()
        };
        insta::assert_snapshot!(lines(&view));
    }
}
