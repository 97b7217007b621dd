//! The settings of a source: its name, whether it may post, and when it counts as quiet.

use domain::monitoring::source_alert::TENANT_NAME;
use maud::{Markup, html};

use crate::paths;
use crate::sources::inactivity::{DAYS, HOURS};
use crate::sources::view::source_model::SourceView;
use crate::step::SetupStep;

pub(super) fn settings(view: &SourceView) -> Markup {
    let (of, rules) = (&view.listed, view.inactivity);
    html! {
        h2 { "Settings" }
        form method="post" action=(paths::SOURCE) {
            input type="hidden" name="source" value=(of.id);
            input type="hidden" name="version" value=(view.version);
            label for="name" { "Name" }
            input id="name" name="name" required maxlength="100" value=(of.name) autocomplete="off";
            label class="choice" {
                input type="checkbox" name="enabled" value="true" checked[of.enabled];
                span { "Accept its messages" }
            }
            fieldset {
                legend { "When it sends nothing" }
                p { "The contacts that receive \"Broken connection\" are notified when nothing has arrived for this long." }
                label for="hours" { "Hours without any message" }
                input id="hours" name=(HOURS) type="number" min="1" max="8760" value=[rules.inactive_after_hours] aria-describedby="hours-note";
                small id="hours-note" { "Empty: Ticketbridge learns within four weeks how long the source is usually silent, and waits longer than that, and at least a day." }
                label for="days" { "Days without a message for a tenant that it used to send for" }
                input id="days" name=(DAYS) type="number" min="1" max="365" value=[rules.tenant_inactive_after_days] aria-describedby="days-note";
                small id="days-note" { "Empty: single tenants are not watched. Only mapped tenants that are switched on count." }
                label class="choice" {
                    input type="checkbox" name="inactive_ticket" value="true" checked[rules.inactive_ticket] aria-describedby="ticket-note";
                    span { "Also create a ticket while the source sends nothing at all" }
                }
                small id="ticket-note" {
                    "It belongs to the tenant \"" (TENANT_NAME) "\": map it to your own company under "
                    a href=(SetupStep::Tenants.path()) { "Tenants" } ". The alert is resolved with the next message of the source."
                }
            }
            button { "Save" }
        }
    }
}
