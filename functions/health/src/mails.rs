//! What mails say: what is wrong, since when, what waits, what to do, and where. Text and HTML say the same. A name in them is somebody's
//! choice: it is one short line, and escaped. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aws::mail::Mail;
use domain::choices::TargetIssue;
use domain::event::Severity;
use domain::health::{
    CompanyIssue, ConnectionRefusal, Incident, IncidentScope, Issue, Outage, summarize,
};
use domain::kind::{BUILT_IN, Category};
use domain::record::Op;
use domain::refusals::{RefusalCause, RefusalGroupId, RefusedTarget};
use domain::text::{cut_to_chars, one_line};
use domain::{EmailAddress, Kind, TenantId, rights};
use jiff::Timestamp;
use maud::{DOCTYPE, html};
use store::HeldClosings;

/// Longer names are cut: a mail is to be read.
const LONGEST_NAME: usize = 80;
/// Longer words of ConnectWise's are cut.
const LONGEST_QUOTE: usize = 200;
/// Tenants and troubles that one mail names.
const NAMED: usize = 10;

/// Whom a mail is for, and the names that it may use.
#[derive(Debug, Clone)]
pub(crate) struct MailContext<'a> {
    /// To whom.
    pub(crate) to: EmailAddress,
    /// What the partner is called.
    pub(crate) partner: &'a str,
    /// What its tenants are called.
    pub(crate) tenants: &'a BTreeMap<TenantId, String>,
    /// Where the page is.
    pub(crate) origin: &'a str,
}

/// Alerts that wait, by tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) tenants: BTreeMap<TenantId, u64>,
    /// Those of them that ConnectWise refused, by reason.
    pub(crate) refused: BTreeMap<RefusalGroupId, u64>,
    /// There are more than were counted.
    pub(crate) more: bool,
}

impl Waiting {
    /// All of them.
    pub(crate) fn sum(&self) -> u64 {
        self.tenants.values().sum()
    }
}

/// A mail, before it is text or HTML.
struct Draft {
    subject: String,
    opening: String,
    /// What is wrong, each with what to do.
    points: Vec<(String, &'static str)>,
    /// Behind the list, where it is longer than anybody reads.
    more: Option<String>,
    paragraphs: Vec<String>,
    /// What is behind the page's address.
    link: &'static str,
    closing: &'static str,
}

const HOW_OFTEN: &str = "You get one mail when something breaks, one a day while it lasts, and one when it works again.";
const FIX_LINK: &str = "Fix it on the set-up page";

/// Something broke.
pub(crate) fn broken(
    about: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    waiting: &Waiting,
) -> Mail {
    let draft = lasting(&about, scope, incident, &incident.issues, waiting);
    sent(about, draft)
}

/// Something came to what was broken already.
pub(crate) fn more(
    about: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    new: &BTreeSet<Issue>,
    waiting: &Waiting,
) -> Mail {
    let mut draft = lasting(&about, scope, incident, new, waiting);
    let known = match incident.issues.len().saturating_sub(new.len()) {
        0 => "This is new.".to_owned(),
        1 => "This is new. 1 earlier problem is still there.".to_owned(),
        others => format!("This is new. {others} earlier problems are still there."),
    };
    draft.paragraphs.insert(0, known);
    sent(about, draft)
}

/// What was told a day ago lasts.
pub(crate) fn reminder(
    about: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    waiting: &Waiting,
) -> Mail {
    let mut draft = lasting(&about, scope, incident, &incident.issues, waiting);
    draft.subject = draft
        .subject
        .replacen("Ticketbridge: ", "Ticketbridge: still, ", 1);
    sent(about, draft)
}

fn lasting(
    about: &MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    issues: &BTreeSet<Issue>,
    waiting: &Waiting,
) -> Draft {
    let partner = name(about.partner);
    let since = at(incident.since);
    let what = |issue: &Issue| (what(issue, about, waiting), to_do(issue));
    let points: Vec<_> = issues.iter().take(NAMED).map(what).collect();
    let rest = issues.len().saturating_sub(NAMED);
    let headline = summarize(issues, |tenant| tenant_name(tenant, about));
    let opening = match scope {
        IncidentScope::Connection => format!(
            "Since {since} no alert of {partner} has become a ticket and no ticket has been closed: ConnectWise is unavailable."
        ),
        IncidentScope::PartnerConfig if are_writes(&incident.issues) => format!(
            "Since {since} ConnectWise has refused some requests for {partner}. Everything else works."
        ),
        IncidentScope::PartnerConfig => format!(
            "Since {since} some settings of {partner} no longer match ConnectWise. Alerts that need them wait. Everything else works."
        ),
    };
    Draft {
        subject: format!("Ticketbridge: {headline} ({partner})"),
        opening,
        points,
        more: (rest > 0).then(|| format!("And {rest} more, which the page shows.")),
        paragraphs: vec![waits(waiting, about)],
        link: FIX_LINK,
        closing: HOW_OFTEN,
    }
}

/// Whether nothing is wrong but that ConnectWise refuses writes.
fn are_writes(issues: &BTreeSet<Issue>) -> bool {
    let mut issues = issues.iter();
    issues.all(|issue| matches!(issue, Issue::Writes { .. }))
}

/// It works again. `late` alerts that waited do not wait any more, and `waiting` still do.
pub(crate) fn works(
    about: MailContext<'_>,
    scope: IncidentScope,
    incident: &Incident,
    late: u64,
    waiting: &Waiting,
) -> Mail {
    let partner = name(about.partner);
    let since = at(incident.since);
    let opening = match scope {
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
        0 => "No alert waited because of it.".to_owned(),
        1 => "1 alert that had waited for it has gone on: its ticket was made late, or it was over by then and needed none.".to_owned(),
        late => format!(
            "{late} alerts that had waited for it have gone on: their tickets were made late, or they were over by then and needed none."
        ),
    };
    let mut paragraphs = vec![went_on];
    if waiting.sum() > 0 {
        paragraphs.push(format!(
            "{} still, and goes on by itself, at most 300 a minute.",
            alerts(waiting)
        ));
    }
    let draft = Draft {
        subject: format!("Ticketbridge: working again ({partner})"),
        opening,
        points: vec![],
        more: None,
        paragraphs,
        link: "See the set-up page",
        closing: "There is nothing to do.",
    };
    sent(about, draft)
}

/// Closings were too many at once to be believed. All that were stopped since the last look are in one mail: where a source breaks, it may
/// be every tenant's.
pub(crate) fn held(about: MailContext<'_>, held: &BTreeMap<TenantId, HeldClosings>) -> Mail {
    let partner = name(about.partner);
    let point = |(tenant, held): (&TenantId, &HeldClosings)| {
        let what = format!(
            "{} of {} alerts of {} would have counted as resolved at once, on {}.",
            held.closings,
            held.open,
            tenant_name(tenant, &about),
            at(held.since)
        );
        (
            what,
            "Check whether these alerts are really resolved. If they are, approve the closings on the page. If not, contact the sender of the alerts.",
        )
    };
    let points: Vec<_> = held.iter().take(NAMED).map(point).collect();
    let rest = held.len().saturating_sub(NAMED);
    let draft = Draft {
        subject: format!("Ticketbridge: tickets were not closed, please check ({partner})"),
        opening: format!(
            "For {partner} an unusually large number of tickets was due to close at once, so none was closed."
        ),
        points,
        more: (rest > 0).then(|| format!("And {rest} more, which the page shows.")),
        paragraphs: vec![],
        link: "Look on the set-up page",
        closing: "Nothing is closed until you approve it, or until fewer tickets are due to close.",
    };
    sent(about, draft)
}

fn sent(about: MailContext<'_>, draft: Draft) -> Mail {
    let Draft {
        subject,
        opening,
        points,
        more,
        paragraphs,
        link,
        closing,
    } = draft;
    let page = format!("{}/setup", about.origin);
    let fresh = format!("{}/setup/link", about.origin);
    let asked = "If your session there is over, ask for a fresh link, which comes to this address:";
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
        to: about.to,
        subject,
        text,
        html: body.into_string(),
    }
}

/// What waits, with the names of its tenants.
fn waits(waiting: &Waiting, about: &MailContext<'_>) -> String {
    let sum = waiting.sum();
    if sum == 0 {
        return "No alert is counted as waiting yet. Alerts that arrive now, or are being retried, are kept and become tickets once it works.".to_owned();
    }
    let mut tenants: Vec<_> = waiting.tenants.iter().collect();
    tenants.sort_by_key(|(tenant, count)| (std::cmp::Reverse(**count), (*tenant).clone()));
    let rest = tenants.len().saturating_sub(NAMED);
    let named =
        |(tenant, count): (&TenantId, &u64)| format!("{} ({count})", tenant_name(tenant, about));
    let mut named: Vec<_> = tenants.into_iter().take(NAMED).map(named).collect();
    if rest > 0 {
        named.push(format!("and {} more", counted(rest, "tenant", "tenants")));
    }
    format!(
        "{} for it: {}. None is lost: they go on by themselves once it works.",
        alerts(waiting),
        named.join(", ")
    )
}

/// "1 alert waits", "at least 3 alerts wait".
fn alerts(waiting: &Waiting) -> String {
    let least = if waiting.more { "At least " } else { "" };
    match waiting.sum() {
        1 => format!("{least}1 alert waits"),
        sum => format!("{least}{sum} alerts wait"),
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}

/// What is wrong, in a sentence.
fn what(issue: &Issue, about: &MailContext<'_>, waiting: &Waiting) -> String {
    match issue {
        Issue::Writes { group, words } => refused_write_issues(group, words, about, waiting),
        Issue::Refused(ConnectionRefusal::Keys) => {
            "ConnectWise refuses the API member's keys.".to_owned()
        }
        Issue::Refused(ConnectionRefusal::NoKeys) => {
            "There are no keys for this connection, or they belong to another site.".to_owned()
        }
        Issue::Refused(ConnectionRefusal::OwnClientId) => {
            "ConnectWise refuses the clientId that you entered. The keys are not the problem."
                .to_owned()
        }
        Issue::Refused(ConnectionRefusal::ClientId) => {
            "ConnectWise refuses the clientId of this service. The keys are not the problem."
                .to_owned()
        }
        Issue::Refused(ConnectionRefusal::Site) => {
            "The address of the site is not one that this service may call.".to_owned()
        }
        Issue::Outage(Outage::Misrouted) => {
            "Something other than ConnectWise answered at your site several times in a row: a redirect, a web page, or that it does not know your company."
                .to_owned()
        }
        Issue::Outage(Outage::Unreachable) => {
            "ConnectWise could not be reached several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Slow) => {
            "ConnectWise did not answer in time, several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Failing) => {
            "ConnectWise answered with errors of its own, several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Throttling) => {
            "ConnectWise limits the rate of calls: it refused every call for minutes, because it is called too often."
                .to_owned()
        }
        Issue::Right(right) => match rights::find(right) {
            Some(known) => format!(
                "The API member lacks a right that is needed for {}. In ConnectWise: {}.",
                known.needed_for,
                known.place()
            ),
            None => format!("The API member lacks the right {}.", name(right)),
        },
        Issue::Board { category, why } => {
            format!("The board for {} cannot be used: {}.", alerts_of(*category), is_unfit(*why))
        }
        Issue::StartStatus { category, why } => format!(
            "The status of new tickets for {} cannot be used: {}.",
            alerts_of(*category),
            is_unfit(*why)
        ),
        Issue::ClosingStatus { category, why } => format!(
            "The status that closes tickets of {} cannot be used: {}.",
            alerts_of(*category),
            is_unfit(*why)
        ),
        Issue::Type { category, kind, why } => format!(
            "The ticket type of \"{}\" for {} cannot be used: {}.",
            kind_name(kind),
            alerts_of(*category),
            is_unfit(*why)
        ),
        Issue::Priority(severity) => format!(
            "The priority for tickets of {} severity was deleted.",
            severity_name(*severity)
        ),
        Issue::Company { tenant, why } => {
            let why = match why {
                CompanyIssue::Missing => "is not there any more, or your API member does not see it",
                CompanyIssue::Deleted => "is deleted",
                CompanyIssue::Inactive => "is inactive",
                CompanyIssue::Disallowed => "has a status with which ConnectWise saves no tickets",
            };
            format!(
                "The ConnectWise company of {} {why}.",
                tenant_name(tenant, about)
            )
        }
    }
}

/// What ConnectWise refuses, in its own words, and what that means for tickets.
fn refused_write_issues(
    group: &RefusalGroupId,
    words: &str,
    about: &MailContext<'_>,
    waiting: &Waiting,
) -> String {
    let refuses = match &group.cause {
        RefusalCause::Target(RefusedTarget::Company(tenant)) => {
            let tenant = tenant_name(tenant, about);
            format!(
                "ConnectWise refuses to {} for the company of {tenant}.",
                group.refused_action()
            )
        }
        RefusalCause::Target(RefusedTarget::Board(category)) => format!(
            "ConnectWise refuses to {} on the board for {}.",
            group.refused_action(),
            alerts_of(*category)
        ),
        RefusalCause::Target(RefusedTarget::Status(category)) => format!(
            "ConnectWise refuses to {} with the status that is set for {}.",
            group.refused_action(),
            alerts_of(*category)
        ),
        RefusalCause::Target(RefusedTarget::Type(kind)) => format!(
            "ConnectWise refuses to {} with the type that is set for \"{}\".",
            group.refused_action(),
            kind_name(kind)
        ),
        RefusalCause::Target(RefusedTarget::Priority(severity)) => format!(
            "ConnectWise refuses to {} with the priority that is set for {} severity.",
            group.refused_action(),
            severity_name(*severity)
        ),
        RefusalCause::Words(_) | RefusalCause::Other => {
            format!("ConnectWise refuses to {}.", group.refused_action())
        }
    };
    let said = cut_to_chars(&one_line(words), LONGEST_QUOTE);
    let said = match said.is_empty() {
        true => "It reports success, but the tickets do not change.".to_owned(),
        false => format!("It says: \"{said}\"."),
    };
    let count = waiting.refused.get(group).copied().unwrap_or_default();
    let least = if waiting.more { "at least " } else { "" };
    let (one, several) = match group.op {
        Some(Op::Create) => ("alert has no ticket", "alerts have no ticket"),
        Some(Op::Close | Op::Repair) => (
            "ticket stays open that is to be closed",
            "tickets stay open that are to be closed",
        ),
        Some(Op::Note(_)) => ("ticket lacks a note", "tickets lack a note"),
        Some(Op::Patch) => (
            "ticket keeps its old priority",
            "tickets keep their old priority",
        ),
        Some(Op::Reopen) => (
            "ticket stays closed though its alert is back",
            "tickets stay closed though their alerts are back",
        ),
        None => ("alert waits for that search", "alerts wait for that search"),
    };
    let means = match count {
        0 => String::new(),
        1 => format!(" For this reason {least}1 {one}."),
        count => format!(" For this reason {least}{count} {several}."),
    };
    format!("{refuses} {said}{means}")
}

/// What a person does about it.
fn to_do(issue: &Issue) -> &'static str {
    match issue {
        Issue::Refused(ConnectionRefusal::Keys) => {
            "see that the API member is active. If it is, make new keys for it (System > Members > API Members > API Keys) and enter them on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::NoKeys) => {
            "enter site, company id and keys again on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::OwnClientId) => {
            "check it at developer.connectwise.com and enter the right one on the page, under Connect, or leave it empty to use this service's."
        }
        Issue::Refused(ConnectionRefusal::ClientId) => {
            "tell the operator of this service: only they can mend it. Until then you can enter a clientId of your own on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::Site) => {
            "check on the page, under Connect, that site and company id are those that you sign in to ConnectWise with."
        }
        Issue::Outage(Outage::Misrouted) => {
            "nothing, if ConnectWise is known to be under maintenance: it is tried each minute, and all that you set up stays. If your people can work in it, check whether a firewall or proxy answers in its place or blocks this service."
        }
        Issue::Outage(Outage::Unreachable | Outage::Slow | Outage::Failing) => {
            "nothing, if ConnectWise is known to be down: it is tried each minute. If your people can work in it, see that nothing keeps this service out, such as a firewall."
        }
        Issue::Outage(Outage::Throttling) => {
            "nothing at first: it is tried again as soon as ConnectWise allows. If it lasts, see which other programs use the API, or ask ConnectWise."
        }
        Issue::Right(_) => {
            "give the right to the API member's role, with the level All. It is seen by itself."
        }
        Issue::Board { .. } => {
            "put it back in ConnectWise, or choose or make other boards on the page, under Boards."
        }
        Issue::StartStatus { .. } | Issue::ClosingStatus { .. } => {
            "put it back in ConnectWise, or choose another one on the page, under Tickets."
        }
        Issue::Type { .. } | Issue::Priority(_) => {
            "choose another one on the page, under Tickets, or put it back in ConnectWise."
        }
        Issue::Writes { group, .. } => match (&group.cause, group.op) {
            (RefusalCause::Target(RefusedTarget::Company(_)), _) => {
                "look in ConnectWise whether the company's status allows new tickets, or choose another company on the page, under Tenants. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(RefusedTarget::Board(_)), _) => {
                "look at this board in ConnectWise, or choose another one on the page, under Boards. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(RefusedTarget::Status(_)), Some(Op::Close | Op::Repair)) => {
                "look in ConnectWise which workflow rule keeps these tickets open, or choose another closing status on the page, under Tickets. One of them is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(_), _) => {
                "look in ConnectWise which rule forbids it, or choose another one on the page, under Tickets. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Words(_) | RefusalCause::Other, _) => {
                "change in ConnectWise what it complains about, such as a field that became required. If the words are not ConnectWise's, a firewall before it may have refused the text. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
        },
        Issue::Company { .. } => {
            "choose another company on the page, under Tenants, or switch the tenant off there. All others go on."
        }
    }
}

fn is_unfit(why: TargetIssue) -> &'static str {
    match why {
        TargetIssue::Missing => "it is gone, or your API member does not see it",
        TargetIssue::Inactive => "it is inactive",
        TargetIssue::Closes => "it counts as closed by now",
        TargetIssue::LeavesOpen => "it does not count as closed any more",
    }
}

fn alerts_of(category: Category) -> &'static str {
    match category {
        Category::Operations => "operations alerts",
        Category::CyberAlerts => "cyber alerts",
    }
}

fn kind_name(kind: &Kind) -> String {
    let mut kinds = BUILT_IN.iter();
    let known = kinds.find(|(name, ..)| *name == kind.as_str());
    known.map_or_else(|| name(kind.as_str()), |(_, _, words)| (*words).to_owned())
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Informational => "informational",
    }
}

fn tenant_name(tenant: &TenantId, about: &MailContext<'_>) -> String {
    let named = about.tenants.get(tenant).map(|of| name(of));
    let named = named.filter(|named| !named.is_empty());
    named.unwrap_or_else(|| name(tenant.as_str()))
}

/// What somebody chose as a name, as it may stand in a line.
fn name(text: &str) -> String {
    cut_to_chars(&one_line(text), LONGEST_NAME)
}

fn at(time: Timestamp) -> String {
    time.strftime("%-d %B %Y at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
