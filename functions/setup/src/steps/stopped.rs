//! Closings of one organisation that were too many at once to be believed: the first page says so, and a person lets them through.

use std::collections::{BTreeMap, HashMap};

use aws::invocation::Invocation;
use axum::Extension;
use domain::TenantId;
use domain::settings::Mapping;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, Stopped};

use crate::State;
use crate::answer::{Done, Problem};
use crate::input::Input;
use crate::page;
use crate::session::Session;

/// Where they are let through.
pub(crate) const LET_THROUGH: &str = "/setup/stopped";

/// What was stopped of one organisation.
#[derive(Debug, Serialize)]
pub(crate) struct StoppedView {
    tenant: TenantId,
    name: Option<String>,
    closings: u32,
    open: u32,
    /// Names the set of alerts.
    digest: String,
    since: Timestamp,
    /// They were let through, and are on their way.
    approved: bool,
}

/// What a person saw when it pressed the button.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    tenant: TenantId,
    /// Of the set of alerts that was shown.
    digest: String,
    since: Timestamp,
}

/// For the first page.
pub(crate) fn views(
    stopped: BTreeMap<TenantId, Stopped>,
    mappings: &HashMap<TenantId, Mapping>,
) -> Vec<StoppedView> {
    let view = |(tenant, stopped): (TenantId, Stopped)| StoppedView {
        name: mappings
            .get(&tenant)
            .and_then(|mapping| mapping.name.clone()),
        approved: stopped.approved.is_some(),
        digest: stopped.digest,
        closings: stopped.closings,
        open: stopped.open,
        since: stopped.since,
        tenant,
    };
    stopped.into_iter().map(view).collect()
}

/// Lets through what the person saw: exactly that set of alerts, of the same stop. Another set of the same number is refused. Doing it again
/// does no harm. If the process dies right after the write, they are let through, and closed at reconcile's own time.
pub(crate) async fn approved(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(seen): Input<Seen>,
) -> Result<Done, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let stopped = table.stopped(partner).await?.remove(&seen.tenant);
    // Stopped anew are other closings, however few.
    let stopped = stopped.filter(|stopped| stopped.since == seen.since);
    let stopped = stopped.ok_or_else(|| {
        Problem::different(
            "What you saw is not stopped any more. Nothing was let through. Look at the overview again.",
        )
    })?;
    let done = || Done::next("/setup?done=let_through");
    let is_same = stopped.digest == seen.digest;
    if stopped.approved.is_some() && is_same {
        return Ok(done());
    }
    let (tenant, closings) = (&seen.tenant, stopped.closings);
    let (shown, now) = ((seen.digest.as_str(), seen.since), invocation.now());
    if !is_same || !table.approved(partner, tenant, shown, now).await? {
        return Err(Problem::different(
            "The alerts that would be taken for over are not the ones that you saw any more. Nothing was let through. Look at the overview again.",
        ));
    }
    let detail = [
        ("tenant", tenant.to_string()),
        ("closings", closings.to_string()),
        ("open", stopped.open.to_string()),
    ];
    let (by, what) = (Actor::Partner, "closings_let_through");
    setup.done(partner, by, what, &detail, &invocation).await;
    setup
        .connections
        .reconcile(partner, invocation.now())
        .await?;
    Ok(done())
}

/// Each organisation with what to look at, and the button.
pub(crate) fn draw(stopped: &[StoppedView], session: &Session) -> Markup {
    html! {
        @for of in stopped {
            @let name = of.name.as_deref().unwrap_or(of.tenant.as_str());
            @if of.approved {
                p class="note" { "You let " (of.closings) " closings of " (name) " through. The tickets are closed within a few minutes." }
            } @else {
                section aria-label={ "Stopped closings of " (name) } {
                    p class="problem" { b { (of.closings) " of " (of.open) " alerts of " (name) " would have been taken for over at once. Nothing was closed." } }
                    p {
                        "They would have been taken for over since " (page::time(of.since)) ". That can be true, as after a clean-up. It can also be a mistake, as when the \
                         source was set up anew or has lost sight of its devices. Look in the source whether the alerts of " (name) " are really over."
                    }
                    p { "If they are, let the closings through. If not, leave this as it is: the tickets stay open, and this ends by itself as soon as the alerts are there again." }
                    form method="post" action=(session.action(LET_THROUGH)) {
                        input type="hidden" name="tenant" value=(of.tenant);
                        input type="hidden" name="digest" value=(of.digest);
                        input type="hidden" name="since" value=(of.since);
                        button { "Let the " (of.closings) " closings of " (name) " through" }
                    }
                }
            }
        }
    }
}
