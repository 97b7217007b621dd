//! The mails about sources: inactive ones, and those whose messages could not be read.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::monitoring::health::Incident;
use domain::monitoring::issue::Issue;

use super::draft::{Draft, MailContext, Page};
use super::words::{at, name, on};
use super::{HOW_OFTEN, SEE_LINK};

/// What a mail about sources says besides its points.
pub(super) struct SourcesFrame {
    pub(super) opening: String,
    pub(super) paragraph: &'static str,
    pub(super) link: &'static str,
    pub(super) page: Page,
    pub(super) closing: &'static str,
}

/// The frame of a mail that names these issues.
pub(super) fn frame(partner: &str, issues: &BTreeSet<Issue>) -> SourcesFrame {
    if issues.iter().all(Issue::is_quarantine) {
        return SourcesFrame {
            opening: format!(
                "Ticketbridge received messages for {partner} that it could not read, so there are no tickets for them yet. No alert is lost: each message is stored for 14 days."
            ),
            paragraph: "A replayed message is handled as if it had just arrived. Messages that can be read are not affected.",
            link: "Look at the messages",
            page: Page::Quarantine,
            closing: "You get at most one mail a day about such messages, and none once all are replayed or discarded.",
        };
    }
    SourcesFrame {
        opening: opening(partner, issues),
        paragraph: match issues.iter().all(is_tenant) {
            true => "Messages for other tenants arrive as usual.",
            false => "The other sources are not affected.",
        },
        link: SEE_LINK,
        page: Page::Overview,
        closing: HOW_OFTEN,
    }
}

fn is_tenant(issue: &Issue) -> bool {
    matches!(issue, Issue::InactiveTenant { .. })
}

/// The first sentences if a source or a tenant is inactive.
fn opening(partner: &str, issues: &BTreeSet<Issue>) -> String {
    if issues.iter().any(Issue::is_quarantine) {
        return format!(
            "Some sources of {partner} need attention: at least one is quiet for longer than it should be, and messages could not be read. No alert of a message that arrived is lost: each such message is stored for 14 days."
        );
    }
    if issues.iter().all(is_tenant) {
        return format!(
            "The sources of {partner} work, but for some tenants nothing has arrived for longer than expected. If their alerts no longer arrive, they become no tickets."
        );
    }
    format!(
        "A source of {partner} is quiet for longer than it should be. If its alerts no longer arrive, they become no tickets."
    )
}

/// The mail when no source and no tenant is inactive any more: they sent a message, or a person
/// switched them off.
pub(super) fn work_again(context: MailContext<'_>, incident: &Incident) -> Mail {
    let partner = name(context.partner_name);
    let (what, since) = quiet_since(incident);
    let draft = Draft {
        subject: format!("Ticketbridge: no {what} is inactive any more ({partner})"),
        opening: format!(
            "No {what} of {partner} is inactive any more. One had been quiet since {since}."
        ),
        points: vec![],
        more: None,
        paragraphs: vec![],
        link: SEE_LINK,
        page: Page::Overview,
        closing: "There is nothing to do.",
    };
    draft.mail(context)
}

/// What was inactive, and since when the first of it.
fn quiet_since(incident: &Incident) -> (&'static str, String) {
    let sources = incident.issues.iter().filter_map(|issue| {
        let Issue::InactiveSource { since, .. } = issue else {
            return None;
        };
        Some(*since)
    });
    let tenants = incident.issues.iter().filter_map(|issue| {
        let Issue::InactiveTenant { since, .. } = issue else {
            return None;
        };
        Some(*since)
    });
    match (sources.min(), tenants.min()) {
        (None, Some(since)) => ("tenant", on(since)),
        (since, _) => ("source", at(since.unwrap_or(incident.since))),
    }
}
