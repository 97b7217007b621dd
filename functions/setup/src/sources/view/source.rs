//! The page of one source.

use maud::{Markup, html};

use super::credentials::{new_secret, secret_form};
use super::settings::settings;
use super::source_model::SourceView;
use super::{
    FormatName, authentication_path, last_message, mapping_path, one_path, product, state,
};
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::sources::authentication::words::describe;
use crate::sources::inactivity_view::{render_source, render_tenants};
use crate::sources::messages::view::reason;
use crate::step::SetupStep;

pub(crate) fn render_one(view: &SourceView) -> Result<Markup, Problem> {
    let of = &view.listed;
    Ok(html! {
        h2 { (of.name) }
        @if let Some(secret) = &view.secret { (new_secret(secret)) }
        dl {
            dt { "Product" } dd { (product(of)) }
            dt { "State" } dd { (state(of)) }
            dt { "Authentication" } dd {
                (describe(&view.authentication)) ". "
                @if view.can_manage {
                    a href=(authentication_path(&of.id)?) {
                        @if view.has_preset { "Change networks or response" } @else { "Change authentication, networks or response" }
                    }
                }
            }
            dt { "Last message" } dd { (last_message(of)) }
        }
        @if let Some(inactive) = &view.inactive { (render_source(inactive)) }
        @if let Some(inactive) = &view.inactive_tenants { (render_tenants(inactive)) }
        // Without a secret every request is refused, and the page asks for one.
        @if let Some(refused) = view.last_refused.filter(|_| !of.needs_secret) {
            p class="warn" { "A request was refused on " (page::time(refused.at)) ": " (refused.reason.describe()) "." }
        }
        @for unknown in &view.unknown_kinds {
            p class="warn" {
                (counted(unknown.alerts.into(), "alert")) " of the last seven days had \"" (unknown.kind)
                "\", which is no known kind. The mapping's other kind was used."
            }
        }
        @if !of.shared {
            h3 id="address" { "Address" }
            pre data-copy="the address" tabindex="0" role="region" aria-labelledby="address" { (view.vendor.address) }
        }
        @if of.shared {
            p class="note" { "This source posts for several partners. The operator of your Ticketbridge changes it." }
        }
        @if !view.missing_types.is_empty() {
            p class="note" {
                "Your boards have no ticket type for: " (view.missing_types.join(", ")) ". Their tickets get ConnectWise's default type. "
                "To create the types, save " a href=(SetupStep::Boards.path()) { "Boards" } " again, or choose other types under " a href=(SetupStep::Tickets.path()) { "Tickets" } "."
            }
        }
        @if view.can_manage { (secret_form(view)) }
        @if !of.shared { (view.vendor.render()) }
        @if let (true, Some(version)) = (view.can_manage, view.newer_preset) {
            h2 { "Newer version" }
            p { "There is version " (version) " of this product's mapping. " a href=(mapping_path(&of.id)?) { "Look at what it changes" } }
        }
        @if of.format != FormatName::CloudEvents {
            (messages(view)?)
            @if view.can_manage { (mapping(view)?) }
        }
        @if view.can_manage { (settings(view)) }
        p { a href=(SetupStep::Sources.path()) { "All sources" } }
    })
}

fn messages(view: &SourceView) -> Result<Markup, Problem> {
    let of = &view.listed;
    let here = one_path(&of.id)?;
    let all = with_query(paths::QUARANTINE, &[("source", of.id.as_str())])?;
    let mut rows = vec![];
    for message in &view.messages {
        let path = with_query(paths::QUARANTINED, &[("id", &message.id)])?;
        rows.push((message, path));
    }
    Ok(html! {
        section id="messages" data-refresh aria-labelledby="messages-title" {
            h2 id="messages-title" { "Messages without a ticket so far" }
            @if rows.is_empty() {
                p { "No message waits. " a href=(here) { "Look again" } }
            } @else {
                ul {
                    @for (message, path) in &rows {
                        li {
                            a href=(path) { (page::time(message.received_at)) } ": "
                            (reason(&message.field, &message.problem))
                            @if view.can_manage {
                                form method="post" action=(paths::SOURCE_SAMPLE) {
                                    input type="hidden" name="source" value=(of.id);
                                    input type="hidden" name="message" value=(message.id);
                                    button class="plain" aria-label={ "Use the message of " (message.received_at) " for the mapping" } { "Use it for the mapping" }
                                }
                            }
                        }
                    }
                }
                p { a href=(here) { "Look again" } " · " a href=(all) { "Show all, and replay them" } }
            }
        }
    })
}

fn mapping(view: &SourceView) -> Result<Markup, Problem> {
    let of = &view.listed;
    Ok(html! {
        h2 { "Mapping" }
        @if of.format == FormatName::Unmapped {
            p { "Ticketbridge does not know yet where this product writes what. Use a message from above, or paste one here." }
            form method="post" action=(paths::SOURCE_SAMPLE) {
                input type="hidden" name="source" value=(of.id);
                label for="sample" { "A message of this product, as JSON or XML" }
                textarea id="sample" name="sample" rows="6" required spellcheck="false" {}
                p { button { "Make the mapping" } }
            }
        } @else {
            p { a href=(mapping_path(&of.id)?) { "Look at the mapping, and try it on messages" } }
        }
    })
}

#[cfg(test)]
mod tests {
    use domain::source::activity::{RefusalReason, RefusedRequest, UnknownKind};
    use domain::source::authentication::Authentication;
    use domain::source::presets;

    use super::*;
    use crate::sources::inactivity_view::InactiveSourceView;
    use crate::sources::view::{MessageRow, SourceRow, example};

    fn one(row: SourceRow, secret: Option<&str>, preset: Option<&str>) -> SourceView {
        let preset = preset.and_then(presets::latest);
        let authentication = match &preset {
            Some(preset) => preset.authentication.clone(),
            None => Authentication::Bearer,
        };
        let address = "https://alerts.example/v1/events/src_a";
        let secret = secret.map(str::to_owned);
        let mut view = SourceView::new(row, address, authentication, preset.as_ref(), secret);
        view.can_manage = true;
        view.version = 3;
        view
    }

    #[test]
    fn a_source_shows_its_new_secret_and_its_messages() {
        let mut view = one(example(FormatName::Unmapped), Some("the new secret"), None);
        view.messages.push(MessageRow {
            id: "2026-11-22T07:30:00.000Z#0123".to_owned(),
            source: view.listed.id.clone(),
            received_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            field: "mapping".to_owned(),
            problem: "the source had no mapping when it arrived".to_owned(),
        });
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_preset_asks_for_the_secret_of_the_vendor() {
        let listed = SourceRow {
            needs_secret: true,
            ..example(FormatName::Mapped)
        };
        let mut view = one(listed, None, Some("huntress"));
        view.newer_preset = Some(2);
        let at = "2026-11-22T07:30:00Z".parse().unwrap();
        let reason = RefusalReason::Mismatch;
        view.last_refused = Some(RefusedRequest { at, reason });
        view.unknown_kinds.push(UnknownKind {
            kind: "quota".to_owned(),
            alerts: 2,
            last_at: at,
        });
        view.missing_types.push("Security Incident".to_owned());
        view.inactivity.tenant_inactive_after_days = Some(7);
        view.inactivity.inactive_ticket = true;
        view.inactive = Some(InactiveSourceView {
            source: view.listed.id.clone(),
            name: view.listed.name.clone(),
            since: "2026-11-20T07:05:00Z".parse().unwrap(),
        });
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_source_that_is_only_shown_has_no_form() {
        let mut view = one(example(FormatName::Mapped), None, Some("generic"));
        view.can_manage = false;
        let page = render_one(&view).unwrap();
        assert!(!page.0.contains("<form"), "{}", page.0);
    }
}
