//! The mails about inactive sources and tenants.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::monitoring::health::Incident;
use domain::monitoring::issue::Issue;

use super::context::MailContext;
use super::draft::{Draft, Page, SEE_LINK};
use super::words::{at, name, on};

/// What the mail says after its points.
pub(super) fn paragraph(issues: &BTreeSet<Issue>) -> &'static str {
    match issues.iter().all(is_tenant) {
        true => "Messages for other tenants arrive as usual.",
        false => "The other sources are not affected.",
    }
}

fn is_tenant(issue: &Issue) -> bool {
    matches!(issue, Issue::InactiveTenant { .. })
}

/// The first sentences.
pub(super) fn opening(partner: &str, issues: &BTreeSet<Issue>) -> String {
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
        facts: vec![],
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
