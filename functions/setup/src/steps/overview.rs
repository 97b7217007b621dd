//! Where a link leads, and the first page of somebody who is signed in.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use axum::Extension;
use connections::PartnerConfig;
use domain::health::in_short;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{AccessTable, Rejections};

use crate::State;
use crate::answer::{PageResponse, Problem};
use crate::input::QueryParams;
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::confirm::missing;
use crate::steps::held::{self, HeldView};
use crate::steps::tenants::in_epoch;
use crate::waiting::words;

/// What an address may say beside its path.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct After {
    /// The code of what was just done.
    pub(crate) done: Option<String>,
}

#[derive(Serialize)]
struct Overview {
    partner: PartnerId,
    name: Option<String>,
    live: bool,
    /// What is wrong with a connection that worked.
    issue: Option<IssueView>,
    /// Alerts that could not be read.
    rejected: Vec<RejectedView>,
    /// Closings that were too many at once.
    held: Vec<HeldView>,
    steps: Vec<Taken>,
}

#[derive(Serialize)]
struct IssueView {
    words: String,
    /// For people.
    since: String,
}

/// Alerts of one source that could not be read in the last days.
#[derive(Serialize)]
struct RejectedView {
    source: SourceId,
    name: String,
    alerts: u32,
    /// For people.
    since: String,
    field: String,
    problem: String,
}

/// A step, and how far it is.
#[derive(Serialize)]
struct Taken {
    path: &'static str,
    title: &'static str,
    done: bool,
    words: String,
}

/// The page behind a link. Its script finds the token in the address, and sends it only when a person presses the button: whatever
/// opens links of mails by itself uses none up.
pub(crate) async fn open() -> PageResponse {
    let middle = html! {
        p { "This link opens your set-up. It works once." }
        form id="open" data-path="/setup/session" { button { "Open the set-up" } }
        p role="alert" class="problem" hidden {}
        noscript { p class="problem" { "This page needs JavaScript to read the link. Please switch it on." } }
    };
    PageResponse::of(
        &serde_json::json!({}),
        page::alone("Open the set-up", &middle),
    )
}

/// The steps, and which is next.
pub(crate) async fn show(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(after): QueryParams<After>,
) -> Result<PageResponse, Problem> {
    let (table, access, partner) = (setup.table(), setup.access(), &session.partner);
    let (person, set_up, contact, health, held, rejected) = tokio::join!(
        access.partners.get(partner),
        setup.connections.set_up(partner),
        access.contacts.get(partner),
        table.health.get(partner),
        table.closing_holds.get_held(partner),
        table.rejected.get_all(partner, invocation.now()),
    );
    if let Err(err) = &health {
        tracing::error!(error = %err, "failed to read the partner's health");
    }
    let health = health.unwrap_or_default().value;
    let PartnerConfig {
        items, mappings, ..
    } = set_up?;
    let (connection, settings) = (items.connection, items.settings);
    let contact = contact?.value;
    let has_contact = contact.address.is_some();
    let missing = missing(connection.as_ref(), settings.as_ref(), has_contact);
    let lacks = |step: Step| missing.iter().any(|missing| missing.path == step.path());
    let epoch = connection.as_ref().map(|connection| connection.epoch);
    let held = held::views(held?, &mappings);
    let mappings = mappings.into_values();
    let mappings = mappings.map(|mapping| in_epoch(mapping, epoch));
    let (mapped, unmapped): (Vec<_>, Vec<_>) =
        mappings.partition(|mapping| mapping.company.is_some());
    let live = connection
        .as_ref()
        .is_some_and(|connection| connection.confirmed);
    let taken = |step: Step, done, words: String| Taken {
        path: step.path(),
        title: step.title(),
        done,
        words,
    };
    let or = |done: bool, yes: &str, no: &str| if done { yes.to_owned() } else { no.to_owned() };
    let site = connection
        .as_ref()
        .map(|connection| format!("to {} as {}", connection.origin, connection.company_id));
    let boards = !lacks(Step::Boards);
    let steps = vec![
        taken(
            Step::Connection,
            site.is_some(),
            site.unwrap_or_else(|| "not connected yet".to_owned()),
        ),
        taken(Step::Boards, boards, or(boards, "chosen", "not chosen yet")),
        taken(
            Step::Tickets,
            boards,
            or(
                boards,
                "statuses, kinds and priorities can be changed at any time",
                "after the boards",
            ),
        ),
        taken(
            Step::Tenants,
            !mapped.is_empty() && unmapped.is_empty(),
            format!("{} mapped, {} not yet", mapped.len(), unmapped.len()),
        ),
        taken(
            Step::Contact,
            has_contact,
            match (&contact.pending, has_contact) {
                (None, true) => "confirmed".to_owned(),
                (None, false) => "not set yet".to_owned(),
                (Some(_), true) => "confirmed; another address waits for confirmation".to_owned(),
                (Some(_), false) => {
                    "waits for confirmation by the mail that was sent there".to_owned()
                }
            },
        ),
        taken(Step::Confirm, live, or(live, "live", "not confirmed yet")),
    ];
    // What was found wrong, or else what keeps workers from calling: it may be a minute ahead.
    let open = items.breaker.and_then(|breaker| breaker.open);
    let open = open.map(|open| (words(&open.reason), open.since));
    let found = health.open_incident().map(|incident| {
        let words = in_short(&incident.issues, TenantId::to_string);
        (words, incident.since)
    });
    let issue = found.or(open);
    let view = Overview {
        partner: partner.clone(),
        name: person?.value.map(|person| person.name),
        live,
        issue: issue.filter(|_| live).map(|(words, since)| IssueView {
            words,
            since: readable(since),
        }),
        rejected: rejected_views(access, rejected?).await?,
        held,
        steps,
    };
    let html = render(&view, &session);
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Overview, after.done.as_deref(), &html),
    ))
}

async fn rejected_views(
    access: &AccessTable,
    rejected: BTreeMap<SourceId, Rejections>,
) -> Result<Vec<RejectedView>, Problem> {
    let mut views = vec![];
    for (source, rejections) in rejected {
        let named = access.sources.get(&source).await?.value;
        views.push(RejectedView {
            name: named.map_or_else(|| source.to_string(), |named| named.name),
            source,
            alerts: rejections.events,
            since: readable(rejections.since),
            field: rejections.field,
            problem: rejections.problem,
        });
    }
    Ok(views)
}

fn readable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn render(view: &Overview, session: &Session) -> Markup {
    let next = view.steps.iter().find(|step| !step.done);
    html! {
        @if let Some(issue) = &view.issue {
            p class="problem" { "Tickets wait: " (issue.words) ", since " (issue.since) ". " a href=(Step::Check.path()) { "Check connection" } " says what to mend." }
        } @else if view.live {
            p class="good" { "Live: alerts become tickets." }
        }
        @for rejected in &view.rejected {
            p class="problem" {
                (rejected.alerts) @if rejected.alerts == 1 { " alert" } @else { " alerts" } " of " b { (rejected.name) }
                " could not be read since " (rejected.since) " and have no ticket. Last reason: " code { (rejected.field) } ": " (rejected.problem)
                ". Ask the vendor of " (rejected.name) " to correct this."
            }
        }
        (held::render(&view.held, session))
        div class="wide" {
            table class="cards" {
                caption { "The steps" }
                thead { tr { th scope="col" { "Step" } th scope="col" { "Done" } th scope="col" { "State" } } }
                tbody {
                    @for step in &view.steps {
                        tr {
                            th scope="row" { a href=(step.path) { (step.title) } }
                            td data-label="Done" { @if step.done { span class="good" { "yes" } } @else { span class="warn" { "not yet" } } }
                            td data-label="State" { (step.words) }
                        }
                    }
                }
            }
        }
        @if let Some(next) = next { p { a href=(next.path) { "Next: " (next.title) } } }
    }
}
