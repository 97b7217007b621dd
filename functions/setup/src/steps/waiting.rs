//! The alerts that wait, by organisation and reason, and the two sorts of them that only a person lets go on.

use aws::invocation::Invocation;
use axum::Extension;
use domain::message::Message;
use domain::{Blocked, TenantId};
use maud::{Markup, html};
use serde::Deserialize;
use store::{Actor, Stretch};

use crate::State;
use crate::answer::{Done, Problem, Shown};
use crate::input::{Asked, Input};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::overview::After;
use crate::waiting::{As, Waiting};

/// As many at a time as ConnectWise is asked for in a minute: a press of the button is no storm.
const AT_ONCE: usize = 300;
/// Where they are let go.
pub(crate) const RELEASE: &str = "/setup/waiting/release";

/// What only a person lets go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// Raised before the back-fill began.
    Older,
    /// Refused by ConnectWise.
    Rejected,
}

impl Reason {
    fn is(self, blocked: &Blocked) -> bool {
        match self {
            Self::Older => *blocked == Blocked::OlderThanBackfill,
            Self::Rejected => matches!(blocked, Blocked::Rejected(_)),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Released {
    tenant: TenantId,
    reason: Reason,
}

/// What waits, and why.
pub(crate) async fn show(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Asked(after): Asked<After>,
) -> Result<Shown, Problem> {
    let waiting = setup
        .waiting(&session.partner, As::Is, invocation.now())
        .await?;
    let drawn = draw(&waiting, &session);
    Ok(Shown::of(
        &waiting,
        page::step(&session, Step::Waiting, after.done.as_deref(), &drawn),
    ))
}

/// Lets a tenant's alerts go on that wait for a person. Doing it again does no harm: each is decided from what it is then.
pub(crate) async fn release(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(released): Input<Released>,
) -> Result<Done, Problem> {
    let mut messages = Vec::new();
    let mut left = 0_u64;
    for stretch in Stretch::round(None) {
        let mut listing = setup.alerts.blocked_in(&session.partner, &stretch);
        while let Some(listed) = listing.next().await? {
            if listed.key.tenant != released.tenant || !released.reason.is(&listed.blocked.reason) {
                continue;
            }
            if messages.len() == AT_ONCE {
                left += 1;
            } else {
                messages.push(Message::Release(listed.key));
            }
        }
    }
    if messages.is_empty() {
        return Err(Problem::refused(
            "None of these waits for you just now. Look again in a minute.",
        ));
    }
    // Before they are sent: what was done twice is told twice, and nothing is done untold.
    let detail = [
        ("tenant", released.tenant.to_string()),
        ("alerts", messages.len().to_string()),
    ];
    setup
        .done(
            &session.partner,
            Actor::Partner,
            "released",
            &detail,
            &invocation,
        )
        .await;
    setup.outbox.send_all(&messages).await.map_err(|fault| {
        tracing::error!(fault = %fault, "not queued");
        Problem::unavailable("Not all of them could be released. Press again in a moment.")
    })?;
    Ok(Done::next("/setup/waiting?done=released")
        .with("released", messages.len())
        .with("left", left))
}

fn draw(waiting: &Waiting, session: &Session) -> Markup {
    html! {
        @if waiting.tenants.is_empty() { p class="good" { "No alert waits." } }
        @else {
            p { "These alerts stand and have no ticket yet. What waits for something goes on by itself as soon as that is mended." }
            div class="wide" {
                table class="cards" {
                    caption { "Alerts that wait" }
                    thead { tr {
                        th scope="col" { "Organisation" }
                        th scope="col" { "On their way" }
                        th scope="col" { "Waiting for something" }
                        th scope="col" { "Waiting for you" }
                    } }
                    tbody {
                        @for (tenant, of) in &waiting.tenants {
                            tr {
                                th scope="row" { (tenant) }
                                td data-label="On their way" { (of.tickets) }
                                td data-label="Waiting for something" {
                                    @for (code, count) in of.others.iter().filter(|(code, _)| *code != "rejected") {
                                        div { (count) ": " (waiting.words.get(code).unwrap_or(code)) }
                                    }
                                }
                                td data-label="Waiting for you" {
                                    @if of.older > 0 { (release_form(session, tenant, "older", &format!("Release {} that are older than 48 hours", of.older))) }
                                    @if let Some(count) = of.others.get("rejected") {
                                        (release_form(session, tenant, "rejected", &format!("Try {count} again that ConnectWise refused")))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if waiting.more { p class="note" { "There are more than were counted." } }
        }
    }
}

fn release_form(session: &Session, tenant: &TenantId, reason: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(session.action(RELEASE)) {
            input type="hidden" name="tenant" value=(tenant);
            input type="hidden" name="reason" value=(reason);
            button class="plain" { (label) }
        }
    }
}
