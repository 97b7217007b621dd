//! The mails about an incident: when it begins, grows, lasts and ends.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::TenantId;
use domain::monitoring::health::Incident;
use domain::monitoring::issue::{IncidentScope, Issue, summarize};

use super::context::MailContext;
use super::draft::{Draft, Page, Point, SEE_LINK};
use super::sources;
use super::words::{
    MAX_NAMED, at, blocked_alerts, blocked_paragraph, name, source_name, tenant_name, to_do, what,
};
use crate::blocked_counts::BlockedCount;

const HOW_OFTEN: &str = "You get one mail when something breaks, one a day while it lasts, and one when it works again.";
const FIX_LINK: &str = "Fix it on the set-up page";

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
