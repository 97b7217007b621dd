//! The pages "Sources", of a new source and of one source.

use domain::SourceId;
use domain::monitoring::inactive_source::InactivityRules;
use domain::source::activity::{RefusedRequest, UnknownKind};
use domain::source::authentication::Authentication;
use domain::source::presets::{Placeholders, Preset};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::{ListEntry, QuarantinedMessage};

use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::sources::inactivity_view::{
    InactiveSourceView, InactiveTenantsView, render_source, render_tenants,
};
use crate::sources::settings_view::settings;
use crate::step::SetupStep;

/// Stands for a secret that is not shown.
const HIDDEN: &str = "(the secret)";

#[derive(Serialize)]
pub(super) struct SourcesView {
    /// Whether the partner may create and change sources.
    pub(super) can_manage: bool,
    pub(super) sources: Vec<SourceRow>,
    /// Messages that could not be read and wait for a person.
    pub(super) waiting: usize,
    /// There are more of them.
    pub(super) more_waiting: bool,
}

#[derive(Clone, Serialize)]
pub(super) struct SourceRow {
    pub(super) id: SourceId,
    pub(super) name: String,
    pub(super) enabled: bool,
    /// Whether it posts for other partners too.
    pub(super) shared: bool,
    pub(super) format: FormatName,
    /// The preset's name for people.
    pub(super) preset: Option<String>,
    /// When the last authenticated message was received, to the minute.
    pub(super) last_message_at: Option<Timestamp>,
    /// Alerts of the last seven days that were refused.
    pub(super) rejected: u32,
    /// Alerts of the last seven days that could not be read and were stored.
    pub(super) quarantined: u32,
    pub(super) needs_secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    CloudEvents,
    Mapped,
    Unmapped,
}

#[derive(Serialize)]
pub(super) struct SourceView {
    #[serde(flatten)]
    pub(super) listed: SourceRow,
    pub(super) can_manage: bool,
    pub(super) version: u64,
    pub(super) address: String,
    authentication: Authentication,
    /// Whether the vendor issues the secret.
    has_vendor_secret: bool,
    reference: Option<String>,
    steps: Vec<String>,
    paste: Option<String>,
    remarks: Vec<String>,
    /// Only in the response that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    pub(super) messages: Vec<MessageRow>,
    /// A newer version of its preset.
    pub(super) newer_preset: Option<u32>,
    /// Ticket types of its kinds that the partner's boards lack.
    pub(super) missing_types: Vec<String>,
    pub(super) last_refused: Option<RefusedRequest>,
    pub(super) inactivity: InactivityRules,
    /// Whether it has been quiet for too long.
    pub(super) inactive: Option<InactiveSourceView>,
    /// The tenants for which it has been quiet for too long.
    pub(super) inactive_tenants: Option<InactiveTenantsView>,
    /// Texts of the last seven days that are no known kind.
    pub(super) unknown_kinds: Vec<UnknownKind>,
}

/// A message that could not be read.
#[derive(Serialize)]
pub(super) struct MessageRow {
    pub(super) id: String,
    pub(super) source: SourceId,
    pub(super) received_at: Timestamp,
    pub(super) field: String,
    pub(super) problem: String,
}

impl From<&ListEntry<String, QuarantinedMessage>> for MessageRow {
    fn from(entry: &ListEntry<String, QuarantinedMessage>) -> Self {
        Self {
            id: entry.id.clone(),
            source: entry.value.source.clone(),
            received_at: entry.value.received_at,
            field: entry.value.field.clone(),
            problem: entry.value.problem.clone(),
        }
    }
}

impl SourceView {
    pub(super) fn new(
        listed: SourceRow,
        address: &str,
        authentication: Authentication,
        preset: Option<&Preset>,
        secret: Option<String>,
    ) -> Self {
        let shown = secret.as_deref().unwrap_or(HIDDEN);
        // A vendor's page wants the whole address in one field.
        let url = match &authentication {
            Authentication::Query { parameter } if preset.is_none() => {
                format!("{address}?{parameter}={shown}")
            }
            Authentication::Query { .. }
            | Authentication::StandardWebhooks { .. }
            | Authentication::Hmac(_)
            | Authentication::Header { .. }
            | Authentication::Bearer
            | Authentication::Basic
            | Authentication::BodyMember { .. } => address.to_owned(),
        };
        let values = Placeholders {
            url: &url,
            secret: shown,
        };
        // The secret is shown once above the steps. Only an address contains it once more.
        let in_steps = match &authentication {
            Authentication::Query { .. } => values,
            Authentication::StandardWebhooks { .. }
            | Authentication::Hmac(_)
            | Authentication::Header { .. }
            | Authentication::Bearer
            | Authentication::Basic
            | Authentication::BodyMember { .. } => Placeholders {
                url: &url,
                secret: HIDDEN,
            },
        };
        let fill = |preset: &Preset| {
            let steps = preset.steps.iter().map(|step| preset.fill(step, in_steps));
            let paste = preset.paste.as_ref().map(|text| preset.fill(text, values));
            (steps.collect(), paste)
        };
        let (steps, paste) = match preset {
            Some(preset) => fill(preset),
            None => (plain_steps(&url, &authentication, HIDDEN), None),
        };
        Self {
            can_manage: false,
            version: 0,
            address: url,
            has_vendor_secret: preset.is_some_and(|preset| preset.has_vendor_secret),
            reference: preset.and_then(|preset| preset.reference.clone()),
            remarks: preset.map_or_else(Vec::new, |preset| preset.remarks.clone()),
            steps,
            paste,
            authentication,
            secret,
            messages: vec![],
            newer_preset: None,
            missing_types: vec![],
            last_refused: None,
            inactivity: InactivityRules::default(),
            inactive: None,
            inactive_tenants: None,
            unknown_kinds: vec![],
            listed,
        }
    }
}

/// The steps at a vendor that has no preset.
fn plain_steps(url: &str, authentication: &Authentication, secret: &str) -> Vec<String> {
    let prove = match authentication {
        Authentication::Bearer => Some(format!("Add the header `Authorization: Bearer {secret}`.")),
        Authentication::Header { header } => Some(format!(
            "Add the header `{header}` with the value {secret}."
        )),
        Authentication::Basic => Some(format!(
            "Enter user and password. They are the two parts of {secret}, before and after the colon."
        )),
        Authentication::Query { .. } => None,
        Authentication::StandardWebhooks { .. } => {
            Some(format!("Enter {secret} as the signing secret."))
        }
        Authentication::Hmac(scheme) => Some(format!(
            "Enter {secret} as the secret of the signature in the header `{}`.",
            scheme.header
        )),
        Authentication::BodyMember { at } => {
            Some(format!("Post {secret} as the member `{at}` of the body."))
        }
    };
    let mut steps = vec![format!("Create a webhook that posts JSON to {url}.")];
    steps.extend(prove);
    steps.push("Send a test message, or wait for the first alert. It appears below.".to_owned());
    steps
}

pub(super) fn one_path(source: &SourceId) -> Result<String, Problem> {
    with_query(paths::SOURCE, &[("source", source.as_str())])
}

fn mapping_path(source: &SourceId) -> Result<String, Problem> {
    with_query(paths::SOURCE_MAPPING, &[("source", source.as_str())])
}

pub(super) fn render_list(view: &SourcesView) -> Result<Markup, Problem> {
    let mut rows = vec![];
    for of in &view.sources {
        rows.push(row(of, &one_path(&of.id)?));
    }
    Ok(html! {
        p { "A source is a product that posts alerts here. Each has an address and a secret of its own." }
        @if !view.can_manage {
            p class="note" { "The operator of your Ticketbridge manages the sources. This page shows them." }
        }
        @if view.waiting > 0 {
            p class="problem" {
                (counted(view.waiting as u64, "message")) @if view.more_waiting { " or more" }
                " could not be read, so no tickets were created for them. "
                a href=(paths::QUARANTINE) { "Look at the messages" }
            }
        }
        @if rows.is_empty() { p { "There are no sources yet." } }
        @else {
            div class="wide" {
                table class="cards" {
                    caption { "Sources" }
                    thead { tr {
                        th scope="col" { "Source" }
                        th scope="col" { "Product" }
                        th scope="col" { "State" }
                        th scope="col" { "Last message" }
                        th scope="col" { "Not readable in seven days" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }
        }
        @if view.can_manage { p { a href=(paths::NEW_SOURCE) { "Add a source" } } }
    })
}

fn row(of: &SourceRow, path: &str) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(path) { (of.name) } }
            td data-label="Product" { (product(of)) }
            td data-label="State" { (state(of)) }
            td data-label="Last message" { (last_message(of)) }
            td data-label="Not readable in seven days" {
                @if of.rejected == 0 && of.quarantined == 0 { "none" }
                @if of.rejected > 0 { (counted(of.rejected.into(), "alert")) " refused" }
                @if of.rejected > 0 && of.quarantined > 0 { ", " }
                @if of.quarantined > 0 { (counted(of.quarantined.into(), "alert")) " stored" }
            }
        }
    }
}

fn last_message(of: &SourceRow) -> Markup {
    html! { @match of.last_message_at { Some(at) => (page::time(at)), None => "none yet" } }
}

fn product(of: &SourceRow) -> &str {
    match (&of.preset, of.format) {
        (Some(preset), _) => preset,
        (None, FormatName::CloudEvents) => "CloudEvents",
        (None, FormatName::Mapped | FormatName::Unmapped) => "Other",
    }
}

fn state(of: &SourceRow) -> Markup {
    html! {
        @if !of.enabled { span class="warn" { "switched off" } }
        @else if of.needs_secret { span class="warn" { "needs its secret" } }
        @else if of.format == FormatName::Unmapped { span class="warn" { "needs a mapping" } }
        @else { span class="good" { "ready" } }
    }
}

pub(super) fn render_one(view: &SourceView) -> Result<Markup, Problem> {
    let of = &view.listed;
    Ok(html! {
        h2 { (of.name) }
        @if let Some(secret) = &view.secret {
            div class="note" role="status" {
                p { "This is the secret. Copy it now: it is shown only this once." }
                pre data-copy="the secret" tabindex="0" role="region" aria-label="The secret" { (secret) }
            }
        }
        dl {
            dt { "Product" } dd { (product(of)) }
            dt { "State" } dd { (state(of)) }
            dt { "Last message" } dd { (last_message(of)) }
        }
        @if let Some(inactive) = &view.inactive { (render_source(inactive)) }
        @if let Some(inactive) = &view.inactive_tenants { (render_tenants(inactive)) }
        @if let Some(refused) = view.last_refused {
            p class="warn" { "A request was refused at " (page::time(refused.at)) ": " (refused.reason.describe()) "." }
        }
        @for unknown in &view.unknown_kinds {
            p class="warn" {
                (counted(unknown.alerts.into(), "alert")) " of the last seven days had \"" (unknown.kind)
                "\", which is no known kind. The mapping's other kind was used."
            }
        }
        @if !of.shared {
            h3 id="address" { "Address" }
            pre data-copy="the address" tabindex="0" role="region" aria-labelledby="address" { (view.address) }
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
        @if !of.shared { (vendor(view)) }
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

fn secret_form(view: &SourceView) -> Markup {
    let of = &view.listed;
    let action = paths::SOURCE_SECRET;
    let hidden = html! {
        input type="hidden" name="source" value=(of.id);
        input type="hidden" name="version" value=(view.version);
    };
    let vendor = html! {
        form method="post" action=(action) {
            (hidden)
            label for="secret" { "Secret that the vendor shows" }
            input id="secret" name="secret" type="password" required autocomplete="off" maxlength="512";
            p { button { "Save the secret" } }
        }
    };
    let own = |words: &str| {
        html! {
            form method="post" action=(action) data-render {
                (hidden)
                button { (words) }
            }
        }
    };
    html! {
        h2 { "Secret" }
        @if of.needs_secret {
            p class="warn" { "Until the source has its secret, each of its messages is refused." }
            @if view.has_vendor_secret {
                p { "The vendor makes the secret. Enter the address there first, then copy the secret to here." }
                (vendor)
            } @else {
                (own("Make the secret"))
            }
        } @else {
            details {
                summary { "Replace the secret" }
                p { "The secret before is accepted for 24 more hours." }
                @if view.has_vendor_secret { (vendor) } @else { (own("Make a new secret")) }
            }
        }
    }
}

/// A text whose parts between backticks are code. An address in it may be broken after a slash.
fn with_code(text: &str) -> Markup {
    let breakable = |part: &str| {
        html! {
            @for piece in part.split_inclusive('/') {
                (piece) @if piece.ends_with('/') { wbr; }
            }
        }
    };
    html! {
        @for (n, part) in text.split('`').enumerate() {
            @if n % 2 == 1 { code { (breakable(part)) } } @else { (breakable(part)) }
        }
    }
}

fn vendor(view: &SourceView) -> Markup {
    html! {
        h2 { "What to do at the vendor" }
        ol { @for step in &view.steps { li { (with_code(step)) } } }
        @if let Some(paste) = &view.paste { pre data-copy="the text" tabindex="0" role="region" aria-label="Text to paste" { (paste) } }
        @if !view.remarks.is_empty() { ul { @for remark in &view.remarks { li { (with_code(remark)) } } } }
        @if let Some(reference) = &view.reference {
            p { a href=(reference) rel="noreferrer" { "The vendor's description" } }
        }
    }
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
                p { "None waits. " a href=(here) { "Look again" } }
            } @else {
                ul {
                    @for (message, path) in &rows {
                        li {
                            a href=(path) { (page::time(message.received_at)) } ": "
                            code { (message.field) } ": " (message.problem)
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
                label for="sample" { "A message of this product, as JSON" }
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
    use domain::source::activity::RefusalReason;
    use domain::source::presets;

    use super::*;
    use crate::sources::new_view::render_new;

    fn row(format: FormatName) -> SourceRow {
        SourceRow {
            id: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
            name: "Backup & more".to_owned(),
            enabled: true,
            shared: false,
            format,
            preset: None,
            last_message_at: Some("2026-11-22T07:30:00Z".parse().unwrap()),
            rejected: 1,
            quarantined: 2,
            needs_secret: false,
        }
    }

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
    fn the_list_shows_what_each_source_needs() {
        let sources = vec![
            row(FormatName::Unmapped),
            SourceRow {
                enabled: false,
                shared: true,
                ..row(FormatName::CloudEvents)
            },
            SourceRow {
                preset: Some("NinjaOne".to_owned()),
                needs_secret: true,
                last_message_at: None,
                rejected: 0,
                quarantined: 0,
                ..row(FormatName::Mapped)
            },
        ];
        let view = SourcesView {
            can_manage: true,
            sources,
            waiting: 4,
            more_waiting: false,
        };
        insta::assert_snapshot!(page::lines(&render_list(&view).unwrap()));
    }

    #[test]
    fn a_new_source_has_a_product() {
        let page = render_new();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_source_shows_its_new_secret_and_its_messages() {
        let mut view = one(row(FormatName::Unmapped), Some("the new secret"), None);
        view.messages.push(MessageRow {
            id: "2026-11-22T07:30:00.000Z#0123".to_owned(),
            source: view.listed.id.clone(),
            received_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            field: "mapping".to_owned(),
            problem: "the source has no mapping yet".to_owned(),
        });
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_preset_asks_for_the_secret_of_the_vendor() {
        let listed = SourceRow {
            needs_secret: true,
            ..row(FormatName::Mapped)
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
            since: "2026-11-20 07:05 UTC".to_owned(),
        });
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_source_that_is_only_shown_has_no_form() {
        let mut view = one(row(FormatName::Mapped), None, Some("generic"));
        view.can_manage = false;
        let page = render_one(&view).unwrap();
        assert!(!page.0.contains("<form"), "{}", page.0);
    }
}
