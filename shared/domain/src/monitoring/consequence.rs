//! What an issue with the connection or the configuration means for tickets.

use std::collections::BTreeSet;

use crate::TenantId;
use crate::alert::kind::Category;
use crate::alert::op::Op;
use crate::monitoring::issue::Issue;
use crate::setup::rights;
use crate::ticketing::refused_writes::RefusedTarget;

/// Whether these issues together stop all new tickets. Most issues of the configuration concern one
/// customer, one kind of alert or one kind of change, and all other tickets are created.
#[must_use]
pub fn stop_all_tickets(issues: &BTreeSet<Issue>) -> bool {
    let stops_board = |category: Category| {
        issues.iter().any(|issue| match issue {
            Issue::Board { category: of, .. } | Issue::StartStatus { category: of, .. } => {
                *of == category
            }
            Issue::Refused(_)
            | Issue::Outage(_)
            | Issue::Right(_)
            | Issue::ClosingStatus { .. }
            | Issue::Type { .. }
            | Issue::Priority(_)
            | Issue::Company { .. }
            | Issue::Writes { .. }
            | Issue::InactiveSource { .. }
            | Issue::InactiveTenant { .. } => false,
        })
    };
    issues.iter().any(stops_every_alert)
        || (stops_board(Category::Operations) && stops_board(Category::CyberAlerts))
}

fn stops_every_alert(issue: &Issue) -> bool {
    match issue {
        Issue::Refused(_) | Issue::Outage(_) => true,
        Issue::Right(right) => right == rights::TICKETS_ADD,
        Issue::Board { .. }
        | Issue::StartStatus { .. }
        | Issue::ClosingStatus { .. }
        | Issue::Type { .. }
        | Issue::Priority(_)
        | Issue::Company { .. }
        | Issue::Writes { .. }
        | Issue::InactiveSource { .. }
        | Issue::InactiveTenant { .. } => false,
    }
}

/// What an issue means for tickets, in words that can end a sentence. `name` returns a tenant's name.
#[must_use]
pub fn consequence(issue: &Issue, name: impl Fn(&TenantId) -> String) -> String {
    match issue {
        Issue::Refused(_) | Issue::Outage(_) => {
            "no tickets are created, changed or closed".to_owned()
        }
        Issue::Right(right) => without_right(right),
        Issue::Board { category, .. } | Issue::StartStatus { category, .. } => {
            format!("no tickets are created for {}", alerts_of(*category))
        }
        Issue::ClosingStatus { category, .. } => {
            format!("no tickets of {} are closed", alerts_of(*category))
        }
        Issue::Type { kind, .. } => format!("no tickets are created for alerts of kind {kind}"),
        Issue::Priority(severity) => {
            format!("no tickets are created for alerts of severity {severity}")
        }
        Issue::Company { tenant, .. } => format!("no tickets are created for {}", name(tenant)),
        Issue::Writes { op, target, .. } => refused(*op, target, name),
        Issue::InactiveSource { .. } | Issue::InactiveTenant { .. } => {
            "alerts that do not arrive get no tickets".to_owned()
        }
    }
}

fn without_right(right: &str) -> String {
    match right {
        rights::TICKETS_ADD => "no tickets and no notes are created".to_owned(),
        rights::TICKETS_INQUIRE => {
            "alerts wait whose earlier tickets have to be looked up".to_owned()
        }
        rights::TICKETS_EDIT => "priority and status of tickets are not changed".to_owned(),
        rights::TICKETS_CLOSE => "no tickets are closed".to_owned(),
        other => match rights::find(other) {
            Some(known) => format!("it is needed for {}", known.needed_for),
            None => "what needs it does not work".to_owned(),
        },
    }
}

fn refused(op: Option<Op>, target: &RefusedTarget, name: impl Fn(&TenantId) -> String) -> String {
    let of = match target {
        RefusedTarget::Company(tenant) => format!(" of {}", name(tenant)),
        RefusedTarget::Board(_)
        | RefusedTarget::Status(_)
        | RefusedTarget::Type(_)
        | RefusedTarget::Priority(_)
        | RefusedTarget::Team(_)
        | RefusedTarget::Owner(_) => String::new(),
    };
    match op {
        None | Some(Op::Create | Op::Reopen) => {
            format!("alerts{of} that need this have no ticket")
        }
        Some(Op::Close | Op::Repair) => format!("tickets{of} that should be closed stay open"),
        Some(Op::Note(_) | Op::Patch | Op::SetType | Op::Link) => {
            format!("tickets{of} are created, but not all are kept up to date")
        }
    }
}

fn alerts_of(category: Category) -> &'static str {
    match category {
        Category::Operations => "operations alerts",
        Category::CyberAlerts => "cyber alerts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::Severity;
    use crate::monitoring::issue::{CompanyIssue, ConnectionRefusal, Outage};
    use crate::setup::choices::TargetIssue;

    fn company() -> Issue {
        Issue::Company {
            tenant: TenantId::parse("acme").unwrap(),
            why: CompanyIssue::Inactive,
        }
    }

    fn board(category: Category) -> Issue {
        let why = TargetIssue::Missing;
        Issue::Board { category, why }
    }

    fn start_status(category: Category) -> Issue {
        let why = TargetIssue::Inactive;
        Issue::StartStatus { category, why }
    }

    #[test]
    fn only_what_concerns_every_alert_stops_all_tickets() {
        let both = vec![
            board(Category::Operations),
            start_status(Category::CyberAlerts),
        ];
        for (issues, expected) in [
            (vec![], false),
            (vec![company()], false),
            (vec![Issue::Right(rights::TICKETS_CLOSE.into())], false),
            (vec![Issue::Right(rights::TICKETS_EDIT.into())], false),
            (vec![Issue::Right(rights::TICKETS_ADD.into())], true),
            (vec![Issue::Refused(ConnectionRefusal::Keys)], true),
            (vec![company(), Issue::Outage(Outage::Slow)], true),
            (vec![board(Category::Operations), company()], false),
            (
                vec![
                    board(Category::Operations),
                    start_status(Category::Operations),
                ],
                false,
            ),
            (both, true),
        ] {
            let set: BTreeSet<_> = issues.iter().cloned().collect();
            assert_eq!(stop_all_tickets(&set), expected, "{issues:?}");
        }
    }

    #[test]
    fn a_consequence_names_whose_tickets_are_concerned() {
        let name = |_: &TenantId| "Acme Dental".to_owned();
        let writes = |op| Issue::Writes {
            op,
            target: RefusedTarget::Company(TenantId::parse("acme").unwrap()),
            words: String::new(),
        };
        for (issue, words) in [
            (company(), "no tickets are created for Acme Dental"),
            (
                board(Category::CyberAlerts),
                "no tickets are created for cyber alerts",
            ),
            (
                Issue::Right(rights::TICKETS_CLOSE.into()),
                "no tickets are closed",
            ),
            (
                Issue::Right(rights::TICKETS_ADD.into()),
                "no tickets and no notes are created",
            ),
            (
                Issue::Right(rights::COMPANIES_INQUIRE.into()),
                "it is needed for finding the company that a tenant's tickets belong to",
            ),
            (
                Issue::Priority(Severity::High),
                "no tickets are created for alerts of severity high",
            ),
            (
                writes(Some(Op::Create)),
                "alerts of Acme Dental that need this have no ticket",
            ),
            (
                writes(Some(Op::Close)),
                "tickets of Acme Dental that should be closed stay open",
            ),
        ] {
            assert_eq!(consequence(&issue, name), words);
        }
    }
}
