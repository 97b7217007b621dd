//! Held bulk closings of one tenant: the first page shows them, and a person approves them.

use std::collections::{BTreeMap, HashMap};

use aws::invocation::Invocation;
use axum::Extension;
use domain::TenantId;
use domain::settings::Mapping;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, HeldClosings};

use crate::State;
use crate::answer::{ChangeResponse, Problem};
use crate::input::Input;
use crate::page;
use crate::session::Session;

/// Where they are let through.
pub(crate) const APPROVE: &str = "/setup/held";

/// What was stopped of one tenant.
#[derive(Debug, Serialize)]
pub(crate) struct HeldView {
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
    held: BTreeMap<TenantId, HeldClosings>,
    mappings: &HashMap<TenantId, Mapping>,
) -> Vec<HeldView> {
    let view = |(tenant, held): (TenantId, HeldClosings)| HeldView {
        name: mappings
            .get(&tenant)
            .and_then(|mapping| mapping.name.clone()),
        approved: held.approved.is_some(),
        digest: held.digest,
        closings: held.closings,
        open: held.open,
        since: held.since,
        tenant,
    };
    held.into_iter().map(view).collect()
}

/// Lets through what the person saw: exactly that set of alerts, of the same stop. Another set of the same number is refused. Doing it again
/// does no harm. If the process dies right after the write, they are let through, and closed at reconcile's own time.
pub(crate) async fn approved(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(seen): Input<Seen>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let held = table
        .closing_holds
        .get_held(partner)
        .await?
        .remove(&seen.tenant);
    // Stopped anew are other closings, however few.
    let held = held.filter(|held| held.since == seen.since);
    let held = held.ok_or_else(|| {
        Problem::different(
            "These closings are no longer the ones that you saw. Nothing was approved. Open the overview again.",
        )
    })?;
    let done = || ChangeResponse::next("/setup?done=closings_approved");
    let is_same = held.digest == seen.digest;
    if held.approved.is_some() && is_same {
        return Ok(done());
    }
    let (tenant, closings) = (&seen.tenant, held.closings);
    let (shown, now) = ((seen.digest.as_str(), seen.since), invocation.now());
    if !is_same
        || !table
            .closing_holds
            .approve(partner, tenant, shown, now)
            .await?
    {
        return Err(Problem::different(
            "The alerts that would count as resolved are no longer the ones that you saw. Nothing was approved. Open the overview again.",
        ));
    }
    let detail = [
        ("tenant", tenant.to_string()),
        ("closings", closings.to_string()),
        ("open", held.open.to_string()),
    ];
    let (by, what) = (Actor::Partner, "closings_approved");
    setup.done(partner, by, what, &detail, &invocation).await;
    setup
        .connections
        .reconcile(partner, invocation.now())
        .await?;
    Ok(done())
}

/// Each tenant with what to look at, and the button.
pub(crate) fn render(held: &[HeldView], session: &Session) -> Markup {
    html! {
        @for of in held {
            @let name = of.name.as_deref().unwrap_or(of.tenant.as_str());
            @if of.approved {
                p class="note" { "You let " (of.closings) " closings of " (name) " through. The tickets are closed within a few minutes." }
            } @else {
                section aria-label={ "Stopped closings of " (name) } {
                    p class="problem" { b { (of.closings) " of " (of.open) " alerts of " (name) " would have counted as resolved at once. Nothing was closed." } }
                    p {
                        "They would have counted as resolved since " (page::time(of.since)) ". That can be true, as after a clean-up. It can also be a mistake, as when the \
                         source was set up anew or has lost sight of its devices. Look in the source whether the alerts of " (name) " are really over."
                    }
                    p { "If they are, let the closings through. If not, leave this as it is: the tickets stay open, and this ends by itself as soon as the alerts are there again." }
                    form method="post" action=(session.action(APPROVE)) {
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
