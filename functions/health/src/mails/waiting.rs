//! The mail about waiting alerts and messages.

use aws::mail::Mail;
use domain::monitoring::waiting::{DueMail, WaitingNames, WaitingPage, WaitingPoint};

use super::context::MailContext;
use super::draft::{Draft, Page, Point, SEE_LINK};
use super::words::{name, source_name, tenant_name};

impl From<WaitingPage> for Page {
    fn from(page: WaitingPage) -> Self {
        match page {
            WaitingPage::Tenants => Self::Tenants,
            WaitingPage::WaitingAlerts => Self::WaitingAlerts,
            WaitingPage::UnreadableMessages => Self::UnreadableMessages,
        }
    }
}

/// Names what is due, the worst first.
pub(crate) fn waiting(context: MailContext<'_>, due: &DueMail) -> Mail {
    let partner = name(context.partner_name);
    let tenant = |tenant: &_| tenant_name(tenant, &context);
    let source = |source: &_| source_name(source, &context);
    let names = WaitingNames {
        tenant: &tenant,
        source: &source,
    };
    let headline = WaitingPoint::headline(&due.items, names);
    let points = WaitingPoint::of_items(&due.items, names).into_iter();
    let points = points.map(|point| Point {
        what: point.text(),
        to_do: point.to_do,
        page: Some(point.page.into()),
    });
    let points = points.collect();
    let (still, opening) = match due.is_reminder {
        false => (
            "",
            format!(
                "New at {partner}: the following waits for a person. Nothing is lost, but it needs an action of yours."
            ),
        ),
        true => (
            "still, ",
            format!(
                "The following of {partner} still waits for a person, a week after the last mail about it. Nothing is lost, but it needs an action of yours."
            ),
        ),
    };
    let known = match due.known {
        0 => None,
        1 => Some(
            "1 more problem of an earlier mail still waits. The page shows all of them.".to_owned(),
        ),
        known => Some(format!(
            "{known} more problems of earlier mails still wait. The page shows all of them."
        )),
    };
    let draft = Draft {
        subject: format!("Ticketbridge: {still}{headline} ({partner})"),
        opening,
        facts: vec![],
        points,
        more: None,
        paragraphs: known.into_iter().collect(),
        link: SEE_LINK,
        page: Page::Overview,
        closing: "You get at most one mail an hour about waiting alerts and messages, and only if there are new ones. Those that still wait after a week are named again.",
    };
    draft.mail(context)
}
