//! A mail's content, and how it is rendered.

use std::collections::BTreeMap;

use aws::mail::Mail;
use domain::{EmailAddress, PartnerId, SourceId, TenantId};
use maud::{DOCTYPE, html};

/// The recipient of a mail, and the names in it.
#[derive(Debug, Clone)]
pub(crate) struct MailContext<'a> {
    pub(crate) to: EmailAddress,
    pub(crate) partner: &'a PartnerId,
    pub(crate) partner_name: &'a str,
    /// The names of its tenants.
    pub(crate) tenants: &'a BTreeMap<TenantId, String>,
    /// The names of its sources, as far as the mail needs them.
    pub(crate) sources: &'a BTreeMap<SourceId, String>,
    /// The origin of the set-up page.
    pub(crate) origin: &'a str,
}

/// The page that a mail leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Overview,
    /// The messages that could not be read.
    Quarantine,
}

impl Page {
    fn path(self, partner: &PartnerId) -> String {
        let page = match self {
            Self::Overview => "overview",
            Self::Quarantine => "source-messages",
        };
        format!("/setup/partners/{partner}/{page}")
    }
}

/// The content of a mail.
pub(super) struct Draft {
    pub(super) subject: String,
    pub(super) opening: String,
    /// What is broken, each with what to do.
    pub(super) points: Vec<(String, &'static str)>,
    /// Follows a list that was cut.
    pub(super) more: Option<String>,
    pub(super) paragraphs: Vec<String>,
    /// The text of the link to the page.
    pub(super) link: &'static str,
    pub(super) page: Page,
    pub(super) closing: &'static str,
}

impl Draft {
    /// Renders the mail as text and HTML.
    pub(super) fn mail(self, context: MailContext<'_>) -> Mail {
        let Self {
            subject,
            opening,
            points,
            more,
            paragraphs,
            link,
            page,
            closing,
        } = self;
        let page = format!("{}{}", context.origin, page.path(context.partner));
        let fresh = format!("{}/setup/link", context.origin);
        let asked = "If you are signed out, request a new link. It is sent to this address:";
        let mut parts = vec![opening.clone()];
        let point = |(what, to_do): &(String, &str)| format!("- {what}\n  What to do: {to_do}");
        parts.extend(points.iter().map(point));
        parts.extend(more.iter().chain(&paragraphs).cloned());
        parts.push(format!("{link}: {page}\n{asked} {fresh}"));
        parts.push(format!("{closing}\n"));
        let text = parts.join("\n\n");
        let body = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Ticketbridge" } }
                body {
                    p { (opening) }
                    @if !points.is_empty() {
                        ul {
                            @for (what, to_do) in &points {
                                li { (what) br; b { "What to do: " } (to_do) }
                            }
                        }
                    }
                    @for paragraph in more.iter().chain(&paragraphs) { p { (paragraph) } }
                    p { a href=(page) { (link) } }
                    p { (asked) " " a href=(fresh) { (fresh) } }
                    p { (closing) }
                }
            }
        };
        Mail {
            to: context.to,
            subject,
            text,
            html: body.into_string(),
        }
    }
}
