//! The sentences of the mails.

use domain::alert::event::Severity;
use domain::alert::kind::{BUILT_IN, Category};
use domain::alert::record::Op;
use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, Issue, Outage};
use domain::setup::choices::TargetIssue;
use domain::setup::rights;
use domain::text::{cut_to_chars, one_line};
use domain::ticketing::refused_writes::{RefusalCause, RefusalGroupId, RefusedTarget};
use domain::{Kind, SourceId, TenantId};
use jiff::Timestamp;
use jiff::civil::Date;

use super::MAX_NAMED;
use super::draft::MailContext;
use crate::blocked_counts::BlockedCount;

/// Longer names are cut.
const LONGEST_NAME: usize = 80;
/// Longer messages of ConnectWise are cut.
const LONGEST_QUOTE: usize = 200;

/// The number of blocked alerts, with the names of their tenants.
pub(super) fn blocked_paragraph(blocked: &BlockedCount, context: &MailContext<'_>) -> String {
    let sum = blocked.sum();
    if sum == 0 {
        return "No alert is blocked yet. Alerts that arrive now are kept, and become tickets once it works.".to_owned();
    }
    let mut tenants: Vec<_> = blocked.tenants.iter().collect();
    tenants.sort_by_key(|(tenant, count)| (std::cmp::Reverse(**count), (*tenant).clone()));
    let rest = tenants.len().saturating_sub(MAX_NAMED);
    let named =
        |(tenant, count): (&TenantId, &u64)| format!("{} ({count})", tenant_name(tenant, context));
    let mut named: Vec<_> = tenants.into_iter().take(MAX_NAMED).map(named).collect();
    if rest > 0 {
        named.push(format!("and {} more", counted(rest, "tenant", "tenants")));
    }
    format!(
        "{} by it: {}. No alert is lost: they continue automatically once it works.",
        blocked_alerts(blocked),
        named.join(", ")
    )
}

/// "1 alert is blocked", "At least 3 alerts are blocked".
pub(super) fn blocked_alerts(blocked: &BlockedCount) -> String {
    let least = if blocked.more { "At least " } else { "" };
    match blocked.sum() {
        1 => format!("{least}1 alert is blocked"),
        sum => format!("{least}{sum} alerts are blocked"),
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}

/// Describes an issue in a sentence.
pub(super) fn what(issue: &Issue, context: &MailContext<'_>, blocked: &BlockedCount) -> String {
    match issue {
        Issue::Writes { group, words } => refused_write_issues(group, words, context, blocked),
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
            "Something other than ConnectWise answered at your site several times in a row: a redirect, a web page, or a message that your company is unknown."
                .to_owned()
        }
        Issue::Outage(Outage::Unreachable) => {
            "ConnectWise could not be reached several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Slow) => {
            "ConnectWise did not answer in time, several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Failing) => {
            "ConnectWise answered with server errors several times in a row.".to_owned()
        }
        Issue::Outage(Outage::Throttling) => {
            "ConnectWise limits the rate of calls: for minutes it refused every call as too many."
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
            format!("The board for {} cannot be used: {}.", alerts_of(*category), target_issue(*why))
        }
        Issue::StartStatus { category, why } => format!(
            "The status of new tickets for {} cannot be used: {}.",
            alerts_of(*category),
            target_issue(*why)
        ),
        Issue::ClosingStatus { category, why } => format!(
            "The status that closes tickets of {} cannot be used: {}.",
            alerts_of(*category),
            target_issue(*why)
        ),
        Issue::Type { category, kind, why } => format!(
            "The ticket type of \"{}\" for {} cannot be used: {}.",
            kind_name(kind),
            alerts_of(*category),
            target_issue(*why)
        ),
        Issue::Priority(severity) => format!(
            "The priority for tickets of {} severity was deleted.",
            severity_name(*severity)
        ),
        Issue::InactiveSource { source, since } => format!(
            "No message from {} has arrived since {}.",
            source_name(source, context),
            at(*since)
        ),
        Issue::InactiveTenant {
            source,
            tenant,
            since,
        } => format!(
            "{} has sent nothing for {} since {}.",
            source_name(source, context),
            tenant_name(tenant, context),
            on(*since)
        ),
        Issue::QuarantinedMessages {
            source,
            messages,
            more,
            since,
            field,
            problem,
        } => quarantined(
            &source_name(source, context),
            (*messages, *more),
            *since,
            (field, problem),
        ),
        Issue::Company { tenant, why } => {
            let why = match why {
                CompanyIssue::Missing => "no longer exists, or your API member cannot see it",
                CompanyIssue::Deleted => "is deleted",
                CompanyIssue::Inactive => "is inactive",
                CompanyIssue::Disallowed => "has a status that does not allow new tickets",
            };
            format!(
                "The ConnectWise company of {} {why}.",
                tenant_name(tenant, context)
            )
        }
    }
}

/// How many messages of a source wait, since when, and why the newest could not be read.
fn quarantined(
    source: &str,
    (messages, more): (u32, bool),
    since: Timestamp,
    (field, problem): (&str, &str),
) -> String {
    let least = if more { "At least " } else { "" };
    let (wait, first) = match messages {
        1 => ("1 message of".to_owned(), "received on"),
        messages => (format!("{messages} messages of"), "the first of"),
    };
    let problem = cut_to_chars(&one_line(problem), LONGEST_QUOTE);
    format!(
        "{least}{wait} {source} could not be read, {first} {}. The reason of the newest: {}: {problem}.",
        at(since),
        name(field)
    )
}

/// What ConnectWise refuses, with its own words, and what that means for tickets.
fn refused_write_issues(
    group: &RefusalGroupId,
    words: &str,
    context: &MailContext<'_>,
    blocked: &BlockedCount,
) -> String {
    let refuses = match &group.cause {
        RefusalCause::Target(RefusedTarget::Company(tenant)) => {
            let tenant = tenant_name(tenant, context);
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
    let said = if said.is_empty() {
        "It reports success, but the tickets do not change.".to_owned()
    } else {
        format!("It says: \"{said}\".")
    };
    let count = blocked.refused.get(group).copied().unwrap_or_default();
    let least = if blocked.more { "at least " } else { "" };
    let (one, several) = match group.op {
        Some(Op::Create) => ("alert has no ticket", "alerts have no ticket"),
        Some(Op::Close | Op::Repair) => (
            "ticket that should be closed stays open",
            "tickets that should be closed stay open",
        ),
        Some(Op::Note(_)) => ("ticket lacks a note", "tickets lack a note"),
        Some(Op::Patch) => (
            "ticket keeps its old priority",
            "tickets keep their old priority",
        ),
        Some(Op::Reopen) => (
            "ticket stays closed although its alert is active again",
            "tickets stay closed although their alerts are active again",
        ),
        None => ("alert is blocked by it", "alerts are blocked by it"),
    };
    let means = match count {
        0 => String::new(),
        1 => format!(" For this reason {least}1 {one}."),
        count => format!(" For this reason {least}{count} {several}."),
    };
    format!("{refuses} {said}{means}")
}

/// What a person can do about an issue.
pub(super) fn to_do(issue: &Issue) -> &'static str {
    match issue {
        Issue::Refused(ConnectionRefusal::Keys) => {
            "check that the API member is active. If it is, create new keys for it (System > Members > API Members > API Keys) and enter them on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::NoKeys) => {
            "enter site, company id and keys again on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::OwnClientId) => {
            "check it at developer.connectwise.com and enter the right one on the page, under Connect. Or leave it empty to use the clientId of this service."
        }
        Issue::Refused(ConnectionRefusal::ClientId) => {
            "inform the operator of this service: only they can correct it. Until then you can enter your own clientId on the page, under Connect."
        }
        Issue::Refused(ConnectionRefusal::Site) => {
            "check on the page, under Connect, that the site and company id are the ones with which you sign in to ConnectWise."
        }
        Issue::Outage(Outage::Misrouted) => {
            "nothing if ConnectWise is under maintenance: it is tried again each minute, and your settings are kept. If you can sign in to it, check whether a firewall or proxy answers instead of it or blocks this service."
        }
        Issue::Outage(Outage::Unreachable | Outage::Slow | Outage::Failing) => {
            "nothing if ConnectWise is down: it is tried again each minute. If you can sign in to it, check that no firewall blocks this service."
        }
        Issue::Outage(Outage::Throttling) => {
            "nothing at first: it is tried again as soon as ConnectWise allows it. If it lasts, check which other integrations use the API, or ask ConnectWise."
        }
        Issue::Right(_) => {
            "give the right to the API member's security role, with the level All. This is detected automatically."
        }
        Issue::Board { .. } => {
            "restore it in ConnectWise, or choose or create other boards on the page, under Boards."
        }
        Issue::StartStatus { .. } | Issue::ClosingStatus { .. } => {
            "restore it in ConnectWise, or choose another one on the page, under Tickets."
        }
        Issue::Type { .. } | Issue::Priority(_) => {
            "choose another one on the page, under Tickets, or restore it in ConnectWise."
        }
        Issue::Writes { group, .. } => match (&group.cause, group.op) {
            (RefusalCause::Target(RefusedTarget::Company(_)), _) => {
                "check in ConnectWise whether the company's status allows new tickets, or choose another company on the page, under Tenants. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(RefusedTarget::Board(_)), _) => {
                "check this board in ConnectWise, or choose another one on the page, under Boards. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(RefusedTarget::Status(_)), Some(Op::Close | Op::Repair)) => {
                "check in ConnectWise which workflow rule keeps these tickets open, or choose another closing status on the page, under Tickets. One of them is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Target(_), _) => {
                "check in ConnectWise which rule forbids it, or choose another one on the page, under Tickets. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusalCause::Words(_) | RefusalCause::Other, _) => {
                "change what ConnectWise reports, for example a field that became required. If the message is not from ConnectWise, a firewall may have refused the text. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
        },
        Issue::InactiveSource { .. } => {
            "check at the vendor that it is switched on and still has the address and secret of this source. If it is quiet on purpose, switch the source off on the page, under Sources, or allow more time there. If you cannot change it there, ask the operator of this service."
        }
        Issue::InactiveTenant { .. } => {
            "check at the vendor that this customer is still connected. If it is quiet on purpose, allow more time on the page of the source, or switch the tenant off under Tenants if you no longer look after it."
        }
        Issue::QuarantinedMessages { .. } => {
            "look at the messages on the page, under Sources. If they are alerts, correct the mapping of the source, and replay them. If they are not, discard them. If you cannot change the source there, ask the operator of this service."
        }
        Issue::Company { .. } => {
            "choose another company on the page, under Tenants, or switch the tenant off there. The other tenants are not affected."
        }
    }
}

fn target_issue(why: TargetIssue) -> &'static str {
    match why {
        TargetIssue::Missing => "it no longer exists, or your API member cannot see it",
        TargetIssue::Inactive => "it is inactive",
        TargetIssue::Closes => "it is a closed status now",
        TargetIssue::LeavesOpen => "it is no longer a closed status",
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

pub(super) fn tenant_name(tenant: &TenantId, context: &MailContext<'_>) -> String {
    let named = context.tenants.get(tenant).map(|of| name(of));
    let named = named.filter(|named| !named.is_empty());
    named.unwrap_or_else(|| name(tenant.as_str()))
}

pub(super) fn source_name(source: &SourceId, context: &MailContext<'_>) -> String {
    let named = context.sources.get(source).map(|of| name(of));
    let named = named.filter(|named| !named.is_empty());
    named.unwrap_or_else(|| source.to_string())
}

/// A name as one short line.
pub(super) fn name(text: &str) -> String {
    cut_to_chars(&one_line(text), LONGEST_NAME)
}

pub(super) fn on(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

pub(super) fn at(time: Timestamp) -> String {
    time.strftime("%-d %B %Y at %H:%M UTC").to_string()
}
