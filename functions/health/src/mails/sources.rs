//! The mails about sources: inactive ones, and those whose messages could not be read.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::monitoring::health::Incident;
use domain::monitoring::issue::Issue;
use jiff::Timestamp;

use super::draft::{Draft, MailContext, Page};
use super::words::{at, name};
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
    let is_mixed = issues.iter().any(Issue::is_quarantine);
    SourcesFrame {
        opening: if is_mixed {
            format!(
                "Some sources of {partner} need attention: at least one is quiet for longer than it should be, and messages could not be read. No alert of a message that arrived is lost: each such message is stored for 14 days."
            )
        } else {
            format!(
                "A source of {partner} is quiet for longer than it should be. If its alerts no longer arrive, they become no tickets."
            )
        },
        paragraph: "The other sources are not affected.",
        link: SEE_LINK,
        page: Page::Overview,
        closing: HOW_OFTEN,
    }
}

/// All inactive sources sent a message, or were switched off.
pub(super) fn work_again(context: MailContext<'_>, incident: &Incident) -> Mail {
    let partner = name(context.partner);
    let since = at(quiet_since(incident));
    let draft = Draft {
        subject: format!("Ticketbridge: no source is inactive any more ({partner})"),
        opening: format!(
            "No source of {partner} is inactive any more. One had sent nothing since {since}."
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

/// Since when the first of the inactive sources was quiet.
fn quiet_since(incident: &Incident) -> Timestamp {
    let since = incident.issues.iter().filter_map(|issue| {
        let Issue::InactiveSource { since, .. } = issue else {
            return None;
        };
        Some(*since)
    });
    since.min().unwrap_or(incident.since)
}
