//! A mail's content, and how it is rendered.

use aws::mail::Mail;
use maud::{DOCTYPE, Markup, html};

use super::context::MailContext;
use super::words::name;

/// The text of a link to a page on which there is nothing to repair.
pub(super) const SEE_LINK: &str = "See the set-up page";

/// The page that a mail leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Overview,
    Tenants,
    /// Alerts that have no ticket.
    WaitingAlerts,
    /// Messages that could not be read.
    UnreadableMessages,
    Contacts,
}

impl Page {
    fn path(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Tenants => "tenants",
            Self::WaitingAlerts => "waiting",
            Self::UnreadableMessages => "source-messages",
            Self::Contacts => "contacts",
        }
    }

    /// The name that it has there.
    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Tenants => "Tenants",
            Self::WaitingAlerts => "Waiting alerts",
            Self::UnreadableMessages => "Messages that could not be read",
            Self::Contacts => "Contacts",
        }
    }
}

fn address_of(context: &MailContext<'_>, page: Page) -> String {
    let (origin, partner) = (context.origin, context.partner);
    format!("{origin}/setup/partners/{partner}/{}", page.path())
}

/// One point of a mail.
pub(super) struct Point {
    /// What is wrong.
    pub(super) what: String,
    pub(super) to_do: &'static str,
    /// The page for it, if the mail leads to several.
    pub(super) page: Option<Page>,
}

/// The content of a mail.
pub(super) struct Draft {
    pub(super) subject: String,
    pub(super) opening: String,
    /// A list of short facts.
    pub(super) facts: Vec<String>,
    pub(super) points: Vec<Point>,
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
        let page = address_of(&context, self.page);
        let fresh = format!("{}/setup/link", context.origin);
        // A contact that cannot request a link is not asked to.
        let signed_out = "If you are signed out, request a new link:";
        let signed_out = context.kind.asks_for_action().then_some(signed_out);
        let contacts = address_of(&context, Page::Contacts);
        let why = format!(
            "You get this mail because {} is a contact of {} that receives mails of the kind \"{}\". Change that on the page",
            context.to.as_str(),
            name(context.partner_name),
            context.kind.title(),
        );
        let mut parts = vec![self.opening.clone()];
        if !self.facts.is_empty() {
            parts.push(format!("- {}", self.facts.join("\n- ")));
        }
        for Point { what, to_do, page } in &self.points {
            let mut point = format!("- {what}\n  What to do: {to_do}");
            if let Some(page) = page {
                point = format!("{point}\n  {}", address_of(&context, *page));
            }
            parts.push(point);
        }
        parts.extend(self.more.iter().chain(&self.paragraphs).cloned());
        let link = format!("{}: {page}", self.link);
        parts.push(match signed_out {
            Some(signed_out) => format!("{link}\n{signed_out} {fresh}"),
            None => link,
        });
        let page_of_contacts = Page::Contacts.title();
        parts.push(format!(
            "{}\n{why} {page_of_contacts}: {contacts}\n",
            self.closing
        ));
        let text = parts.join("\n\n");
        let body = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Ticketbridge" } }
                body {
                    p { (self.opening) }
                    @if !self.facts.is_empty() {
                        ul { @for fact in &self.facts { li { (fact) } } }
                    }
                    @if !self.points.is_empty() {
                        ul {
                            @for point in &self.points { (render_point(point, &context)) }
                        }
                    }
                    @for paragraph in self.more.iter().chain(&self.paragraphs) { p { (paragraph) } }
                    p { a href=(page) { (self.link) } }
                    @if let Some(signed_out) = signed_out {
                        p { (signed_out) " " a href=(fresh) { (fresh) } }
                    }
                    p { (self.closing) }
                    p { small { (why) " " a href=(contacts) { (page_of_contacts) } "." } }
                }
            }
        };
        Mail {
            to: context.to,
            subject: self.subject,
            text,
            html: body.into_string(),
        }
    }
}

fn render_point(point: &Point, context: &MailContext<'_>) -> Markup {
    html! {
        li {
            p {
                (point.what) br;
                b { "What to do: " } (point.to_do)
                @if let Some(page) = point.page {
                    br; a href=(address_of(context, page)) { "Open the page " (page.title()) }
                }
            }
        }
    }
}
