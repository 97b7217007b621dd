//! The alerts that wait, by tenant and reason, and the two sorts of them that only a person lets go on.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use axum::Extension;
use domain::message::Message;
use domain::{Blocked, TenantId};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, BlockedRange};

use crate::State;
use crate::answer::{ChangeResponse, PageResponse, Problem};
use crate::input::{Input, QueryParams};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::confirm::counted;
use crate::steps::query;
use crate::steps::tenants::ONE;
use crate::waiting::{As, Counts, Waiting};

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
    /// Of one tenant; of all where absent.
    tenant: Option<TenantId>,
    reason: Reason,
}

#[derive(Deserialize)]
pub(crate) struct Listed {
    /// The tenant behind which the page begins.
    from: Option<TenantId>,
    done: Option<String>,
}

/// Tenants on one page.
const PAGE: usize = 100;

#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    waiting: Waiting,
    /// All tenants together, also those of other pages.
    sum: Counts,
    next: Option<TenantId>,
}

/// What waits, and why.
pub(crate) async fn show(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(listed): QueryParams<Listed>,
) -> Result<PageResponse, Problem> {
    let mut waiting = setup
        .waiting(&session.partner, As::Is, invocation.now())
        .await?;
    let sum = waiting.sum();
    let (from, done) = (listed.from, listed.done);
    let from = from.and_then(|from| on_a_page(&waiting.tenants, from));
    waiting
        .tenants
        .retain(|tenant, _| from.as_ref().is_none_or(|from| tenant > from));
    let second = waiting.tenants.keys().nth(PAGE).cloned();
    let behind = second.map(|second| waiting.tenants.split_off(&second));
    let last = waiting.tenants.keys().next_back().cloned();
    let view = View {
        next: last.filter(|_| behind.is_some()),
        waiting,
        sum,
    };
    let html = render(&view, &session)?;
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Waiting, done.as_deref(), &html),
    ))
}

/// Behind which tenant a page begins, so that it shows something: behind the last one, the last page is shown.
fn on_a_page(tenants: &BTreeMap<TenantId, Counts>, from: TenantId) -> Option<TenantId> {
    match tenants.keys().next_back() {
        Some(last) if *last <= from => tenants.keys().rev().nth(PAGE).cloned(),
        Some(_) | None => Some(from),
    }
}

/// Lets alerts of one tenant, or of all, go on that wait for a person. Doing it again does no harm: each is decided from what it is then.
pub(crate) async fn release(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(released): Input<Released>,
) -> Result<ChangeResponse, Problem> {
    let mut messages = Vec::new();
    let mut left = 0_u64;
    for stretch in BlockedRange::all_from(None) {
        let mut listing = setup.alerts.lists.blocked_in(&session.partner, &stretch);
        while let Some(listed) = listing.next().await? {
            let tenant = released.tenant.as_ref();
            if tenant.is_some_and(|tenant| *tenant != listed.key.tenant)
                || !released.reason.is(&listed.blocked.reason)
            {
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
        (
            "tenant",
            released
                .tenant
                .map_or_else(|| "all".to_owned(), |tenant| tenant.to_string()),
        ),
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
    setup.queue.send_all(&messages).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue messages");
        Problem::unavailable("Not all of them could be released. Press again in a moment.")
    })?;
    let next = match left {
        0 => "/setup/waiting?done=released",
        _ => "/setup/waiting?done=released_some",
    };
    Ok(ChangeResponse::next(next)
        .with("released", messages.len())
        .with("left", left))
}

fn render(view: &View, session: &Session) -> Result<Markup, Problem> {
    let View { waiting, sum, next } = view;
    let next = next
        .as_ref()
        .map(|next| query(Step::Waiting.path(), &[("from", next.as_str())]))
        .transpose()?;
    let name = |tenant: &TenantId| {
        let name = waiting.names.get(tenant);
        name.cloned().unwrap_or_else(|| tenant.to_string())
    };
    let mut rows = Vec::new();
    for (tenant, of) in &waiting.tenants {
        let map = match of.others.contains_key("unmapped") {
            true => Some(query(ONE, &[("tenant", tenant.as_str())])?),
            false => None,
        };
        rows.push((tenant, of, map));
    }
    Ok(html! {
        @if sum.all == 0 { p class="good" { "No alert waits." } }
        @else {
            p { "These alerts stand and have no ticket yet. What waits for something goes on by itself as soon as that is mended." }
            @if sum.older > 0 { (older(sum, session)) }
            div class="wide" {
                table class="cards" {
                    caption { "Alerts that wait" }
                    thead { tr {
                        th scope="col" { "Tenant" }
                        th scope="col" { "On their way" }
                        th scope="col" { "Waiting for something" }
                        th scope="col" { "Waiting for you" }
                    } }
                    tbody {
                        @for (tenant, of, map) in &rows {
                            tr {
                                th scope="row" { (name(tenant)) }
                                td data-label="On their way" { (of.tickets) }
                                td data-label="Waiting for something" {
                                    @for (code, count) in of.others.iter().filter(|(code, _)| *code != "rejected") {
                                        div { (count) ": " (waiting.words.get(code).unwrap_or(code)) }
                                    }
                                    @if let Some(map) = map { a href=(map) { "Map " (name(tenant)) } }
                                }
                                td data-label="Waiting for you" {
                                    @if of.older > 0 {
                                        (release_form(session, Some(tenant), "older", &format!("Release {} that are older than 48 hours", of.older)))
                                        small { (kinds(of)) }
                                    }
                                    @if let Some(count) = of.others.get("rejected") {
                                        (release_form(session, Some(tenant), "rejected", &format!("Try {count} again that ConnectWise refused")))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(next) = next { p { a href=(next) { "More tenants" } } }
            @if waiting.more { p class="note" { "There are more than were counted." } }
        }
    })
}

/// The alerts that only a person lets go on because of their age, before that person decides.
fn older(sum: &Counts, session: &Session) -> Markup {
    html! {
        section aria-label="Alerts older than 48 hours" {
            p class="note" {
                (counted(sum.older, "alert")) " had been raised more than 48 hours before the connection, the tenant, the kind of alert or the source was \
                 switched on. No ticket is made of them unless you release them. " (kinds(sum))
            }
            (release_form(session, None, "older", &format!("Release all {}", sum.older)))
        }
    }
}

/// "disk 3, cpu 1; the oldest was raised 2026-11-01 07:30:00 UTC."
fn kinds(of: &Counts) -> Markup {
    let kinds = of.older_kinds.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    html! {
        (kinds.join(", "))
        @if let Some(oldest) = of.oldest { "; the oldest was raised " (page::time(oldest)) "." }
    }
}

fn release_form(session: &Session, tenant: Option<&TenantId>, reason: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(session.action(RELEASE)) {
            @if let Some(tenant) = tenant { input type="hidden" name="tenant" value=(tenant); }
            input type="hidden" name="reason" value=(reason);
            button class="plain" { (label) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_behind_the_last_tenant_is_the_last_page() {
        let tenant = |n: usize| TenantId::parse(format!("t{n:04}")).unwrap();
        let tenants = |count: usize| -> BTreeMap<_, _> {
            (0..count).map(|n| (tenant(n), Counts::default())).collect()
        };
        for (count, from, begins) in [
            (250, 10, Some(10)),
            (250, 248, Some(248)),
            (250, 249, Some(149)),
            (250, 9999, Some(149)),
            (101, 500, Some(0)),
            (100, 500, None),
            (3, 500, None),
            (0, 5, Some(5)),
        ] {
            let found = on_a_page(&tenants(count), tenant(from));
            assert_eq!(found, begins.map(tenant), "{count} {from}");
        }
    }
}
