//! Held closings on the overview.

use std::collections::{BTreeMap, HashMap};

use domain::TenantId;
use domain::setup::mapping::Mapping;
use jiff::Timestamp;
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;
use store::HeldClosings;

use crate::page;
use crate::paths;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HeldClosingsView {
    tenant: TenantId,
    name: Option<String>,
    closings: u32,
    /// The tenant's alerts with an open ticket.
    open: u32,
    /// Identifies the set of alerts.
    digest: String,
    since: Timestamp,
    /// The closings were approved and follow soon.
    approved: bool,
}

pub(crate) fn views(
    held: BTreeMap<TenantId, HeldClosings>,
    mappings: &HashMap<TenantId, Mapping>,
) -> Vec<HeldClosingsView> {
    let view = |(tenant, held): (TenantId, HeldClosings)| HeldClosingsView {
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

pub(crate) fn render(held: &[HeldClosingsView]) -> Markup {
    html! {
        @for of in held {
            @let name = of.name.as_deref().unwrap_or(of.tenant.as_str());
            @if of.approved {
                p class="note" { "You approved " (of.closings) " closings of " (name) ". The tickets are closed within a few minutes." }
            } @else {
                section aria-label={ "Held closings of " (name) } {
                    p class="problem" { b { (of.closings) " of " (of.open) " tickets of " (name) " would have been closed at once. None was closed." } }
                    p {
                        "Their alerts would have counted as resolved since " (page::time(of.since)) ". That can be right, for example after a clean-up. It can also be a mistake, for example if the \
                         source was set up again or no longer sees its devices. Check in the source whether the alerts of " (name) " are really resolved."
                    }
                    p { "If they are, close these tickets. If not, do nothing: the tickets stay open, and this message disappears once the source lists the alerts again." }
                    form method="post" action=(paths::APPROVE_CLOSINGS) {
                        input type="hidden" name="tenant" value=(of.tenant);
                        input type="hidden" name="digest" value=(of.digest);
                        input type="hidden" name="since" value=(of.since);
                        button { "Close these " (of.closings) " tickets of " (name) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_closings_ask_for_approval() {
        let held = |approved| HeldClosingsView {
            tenant: TenantId::parse("acme").unwrap(),
            name: Some("Acme Dental".to_owned()),
            closings: 24,
            open: 30,
            digest: "d1".to_owned(),
            since: "2026-11-02T07:05:00Z".parse().unwrap(),
            approved,
        };
        let page = render(&[held(false), held(true)]);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
