//! The mail about held closings.

use std::collections::BTreeMap;

use aws::mail::Mail;
use domain::TenantId;
use store::HeldClosings;

use super::context::MailContext;
use super::draft::{Draft, Page, Point, SEE_LINK};
use super::words::{MAX_NAMED, at, name, tenant_name};

/// Too many tickets were due to close at once. One mail names all tenants that were held since the
/// last run: a broken source may concern every tenant.
pub(crate) fn held(context: MailContext<'_>, held: &BTreeMap<TenantId, HeldClosings>) -> Mail {
    let partner = name(context.partner_name);
    let point = |(tenant, held): (&TenantId, &HeldClosings)| Point {
        what: format!(
            "{} of {} alerts of {} would have counted as resolved at once, on {}.",
            held.closings,
            held.open,
            tenant_name(tenant, &context),
            at(held.since)
        ),
        to_do: "Check whether these alerts are really resolved. If they are, approve the closings on the page. If not, contact the sender of the alerts.",
        page: None,
    };
    let points: Vec<_> = held.iter().take(MAX_NAMED).map(point).collect();
    let rest = held.len().saturating_sub(MAX_NAMED);
    let draft = Draft {
        subject: format!("Ticketbridge: tickets were not closed, please check ({partner})"),
        opening: format!(
            "For {partner} an unusually large number of tickets was due to close at once, so none was closed."
        ),
        facts: vec![],
        points,
        more: (rest > 0).then(|| format!("And {rest} more. The page shows all of them.")),
        paragraphs: vec![],
        link: SEE_LINK,
        page: Page::Overview,
        closing: "Nothing is closed until you approve it, or until fewer tickets are due to close.",
    };
    draft.mail(context)
}
