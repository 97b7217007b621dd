//! The sentences of the mails.

use domain::alert::kind::{BUILT_IN, Category};
use domain::alert::record::Op;
use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, Issue, Outage};
use domain::setup::choices::TargetIssue;
use domain::setup::rights;
use domain::text::{cut_to_chars, one_line};
use domain::ticketing::refused_writes::{
    RefusalCause, RefusalGroupId, RefusedTarget, refused_action, refused_effect,
};
use domain::{Kind, SourceId, TenantId};
use jiff::Timestamp;
use jiff::civil::Date;

use super::context::MailContext;
use crate::blocked_counts::BlockedCount;

/// Tenants and issues that one mail names.
pub(crate) const MAX_NAMED: usize = 10;
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
        Issue::Writes { op, target, words } => {
            refused_write((*op, target), words, context, blocked)
        }
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
            "The priority for tickets of {severity} severity was deleted."
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

/// What ConnectWise refuses because of a record, with its own words, and what that means for tickets.
fn refused_write(
    (op, target): (Option<Op>, &RefusedTarget),
    words: &str,
    context: &MailContext<'_>,
    blocked: &BlockedCount,
) -> String {
    let because = match target {
        RefusedTarget::Company(tenant) => {
            format!("for the company of {}", tenant_name(tenant, context))
        }
        RefusedTarget::Board(category) => format!("on the board for {}", alerts_of(*category)),
        RefusedTarget::Status(category) => {
            format!("with the status that is set for {}", alerts_of(*category))
        }
        RefusedTarget::Type(kind) => {
            format!("with the type that is set for \"{}\"", kind_name(kind))
        }
        RefusedTarget::Priority(severity) => {
            format!("with the priority that is set for {severity} severity")
        }
        RefusedTarget::Team(id) => format!("for the team with the number {id}"),
        RefusedTarget::Owner(id) => format!("with the owner whose member number is {id}"),
    };
    let said = cut_to_chars(&one_line(words), LONGEST_QUOTE);
    let said = if said.is_empty() {
        "It reports success, but the tickets do not change.".to_owned()
    } else {
        format!("It says: \"{said}\".")
    };
    let group = RefusalGroupId {
        op,
        cause: RefusalCause::Target(target.clone()),
    };
    let count = blocked.refused.get(&group).copied().unwrap_or_default();
    let least = if blocked.more { "at least " } else { "" };
    let (one, several) = refused_effect(op);
    let means = match count {
        0 => String::new(),
        1 => format!(" For this reason {least}1 {one}."),
        count => format!(" For this reason {least}{count} {several}."),
    };
    let action = refused_action(op);
    format!("ConnectWise refuses to {action} {because}. {said}{means}")
}

/// What a person can do about an issue.
pub(super) fn to_do(issue: &Issue) -> &'static str {
    match issue {
        Issue::Refused(ConnectionRefusal::Keys) => {
            "check that the API member is active. If it is, create new keys for it (System › Members › API Members › API Keys) and enter them on the page, under Connect."
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
        Issue::Writes { op, target, .. } => match (target, op) {
            (RefusedTarget::Company(_), _) => {
                "check in ConnectWise whether the company's status allows new tickets, or choose another company on the page, under Tenants. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusedTarget::Board(_), _) => {
                "check this board in ConnectWise, or choose another one on the page, under Boards. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusedTarget::Team(_), _) => {
                "check in ConnectWise whether the team still exists and belongs to the board, or choose another team on the page, under Tickets, or for its tenants under Tenants. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusedTarget::Owner(_), _) => {
                "check in ConnectWise whether the member is still active, or choose another owner on the page, under Tickets, or for its tenants under Tenants. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            (RefusedTarget::Status(_), Some(Op::Close | Op::Repair)) => {
                "check in ConnectWise which workflow rule keeps these tickets open, or choose another closing status on the page, under Tickets. One of them is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
            _ => {
                "check in ConnectWise which rule forbids it, or choose another one on the page, under Tickets. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it."
            }
        },
        Issue::InactiveSource { .. } => {
            "check at the vendor that it is switched on and still has the address and secret of this source. If it is quiet on purpose, switch the source off on the page, under Sources, or allow more time there. If you cannot change it there, ask the operator of this service."
        }
        Issue::InactiveTenant { .. } => {
            "check at the vendor that this customer is still connected. If it is quiet on purpose, allow more time on the page of the source, or switch the tenant off under Tenants if you no longer look after it."
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
        TargetIssue::Taken => "another choice uses it",
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
