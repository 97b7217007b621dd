//! The mails to the contacts: what is broken or waits, since when, which alerts are blocked, what to
//! do, and where. Text and HTML say the same. Names are chosen by people, so each is one short line,
//! and escaped. Pure.

mod draft;
mod sources;
mod waiting;
mod weekly;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use aws::mail::Mail;
use domain::TenantId;
use domain::monitoring::health::Incident;
use domain::monitoring::issue::{IncidentScope, Issue, summarize};
use store::HeldClosings;

use crate::blocked_counts::BlockedCount;
pub(crate) use draft::MailContext;
use draft::{Draft, Page, Point};
pub(crate) use waiting::waiting;
pub(crate) use weekly::{WeekFacts, weekly};
use words::{at, blocked_alerts, blocked_paragraph, name, source_name, tenant_name, to_do, what};

/// Tenants and issues that one mail names.
pub(crate) const MAX_NAMED: usize = 10;

const HOW_OFTEN: &str = "You get one mail when something breaks, one a day while it lasts, and one when it works again.";
const FIX_LINK: &str = "Fix it on the set-up page";
const SEE_LINK: &str = "See the set-up page";

/// The mail when an incident begins.
pub(crate) fn broken(
    context: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    blocked: &BlockedCount,
) -> Mail {
    let draft = lasting(&context, scope, incident, &incident.issues, blocked);
    draft.mail(context)
}

/// The mail when an open incident grows.
pub(crate) fn more(
    context: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    new: &BTreeSet<Issue>,
    blocked: &BlockedCount,
) -> Mail {
    let mut draft = lasting(&context, scope, incident, new, blocked);
    let known = match incident.issues.len().saturating_sub(new.len()) {
        0 => "This is new.".to_owned(),
        1 => "This is new. 1 earlier problem is still there.".to_owned(),
        others => format!("This is new. {others} earlier problems are still there."),
    };
    draft.paragraphs.insert(0, known);
    draft.mail(context)
}

/// The mail a day after the last one, while the incident is still open.
pub(crate) fn reminder(
    context: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    blocked: &BlockedCount,
) -> Mail {
    let mut draft = lasting(&context, scope, incident, &incident.issues, blocked);
    draft.subject = draft
        .subject
        .replacen("Ticketbridge: ", "Ticketbridge: still, ", 1);
    draft.mail(context)
}

fn lasting(
    context: &MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    issues: &BTreeSet<Issue>,
    blocked: &BlockedCount,
) -> Draft {
    let partner = name(context.partner_name);
    let since = at(incident.since);
    let point = |issue: &Issue| Point {
        what: what(issue, context, blocked),
        to_do: to_do(issue),
        page: None,
    };
    let points: Vec<_> = issues.iter().take(MAX_NAMED).map(point).collect();
    let rest = issues.len().saturating_sub(MAX_NAMED);
    let tenant = |tenant: &TenantId| tenant_name(tenant, context);
    let headline = summarize(issues, tenant, |source| source_name(source, context));
    let opening = match scope {
        IncidentScope::Connection => format!(
            "Since {since} no alert of {partner} has become a ticket and no ticket has been closed: ConnectWise is unavailable."
        ),
        IncidentScope::Sources => sources::opening(&partner, issues),
        IncidentScope::PartnerConfig if are_writes(&incident.issues) => format!(
            "Since {since} ConnectWise has refused some requests for {partner}. Everything else works."
        ),
        IncidentScope::PartnerConfig => format!(
            "Since {since} some settings of {partner} no longer match ConnectWise. Alerts that need them are blocked. Everything else works."
        ),
    };
    Draft {
        subject: format!("Ticketbridge: {headline} ({partner})"),
        opening,
        facts: vec![],
        points,
        more: (rest > 0).then(|| format!("And {rest} more. The page shows all of them.")),
        paragraphs: vec![match scope {
            IncidentScope::Connection | IncidentScope::PartnerConfig => {
                blocked_paragraph(blocked, context)
            }
            IncidentScope::Sources => sources::paragraph(issues).to_owned(),
        }],
        link: match scope {
            IncidentScope::Connection | IncidentScope::PartnerConfig => FIX_LINK,
            IncidentScope::Sources => SEE_LINK,
        },
        page: Page::Overview,
        closing: HOW_OFTEN,
    }
}

/// Whether refused writes are the only issues.
fn are_writes(issues: &BTreeSet<Issue>) -> bool {
    let mut issues = issues.iter();
    issues.all(|issue| matches!(issue, Issue::Writes { .. }))
}

/// The mail when an incident ends. `late` blocked alerts have continued. `blocked` ones have not
/// yet.
pub(crate) fn works(
    context: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    late: u64,
    blocked: &BlockedCount,
) -> Mail {
    let partner = name(context.partner_name);
    let since = at(incident.since);
    let opening = match scope {
        IncidentScope::Sources => return sources::work_again(context, incident),
        IncidentScope::Connection => format!(
            "The connection of {partner} to ConnectWise works again. It was broken since {since}."
        ),
        IncidentScope::PartnerConfig if are_writes(&incident.issues) => format!(
            "ConnectWise accepts all requests for {partner} again. It had refused some since {since}."
        ),
        IncidentScope::PartnerConfig => format!(
            "All settings of {partner} match ConnectWise again. Some did not since {since}."
        ),
    };
    let went_on = match late {
        0 => "No alert was blocked by it.".to_owned(),
        1 => "1 alert that was blocked by it has continued: its ticket was created late, or the alert was resolved by then and needed none.".to_owned(),
        late => format!(
            "{late} alerts that were blocked by it have continued: their tickets were created late, or the alerts were resolved by then and needed none."
        ),
    };
    let mut paragraphs = vec![went_on];
    if blocked.sum() > 0 {
        paragraphs.push(format!(
            "{}, and continues automatically, at most 300 a minute.",
            blocked_alerts(blocked)
        ));
    }
    let draft = Draft {
        subject: format!("Ticketbridge: working again ({partner})"),
        opening,
        facts: vec![],
        points: vec![],
        more: None,
        paragraphs,
        link: SEE_LINK,
        page: Page::Overview,
        closing: "There is nothing to do.",
    };
    draft.mail(context)
}

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

#[cfg(test)]
mod tests;
