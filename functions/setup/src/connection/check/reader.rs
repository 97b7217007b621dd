//! Calls ConnectWise with the stored connection, and judges the API member's rights.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use domain::PartnerId;
use domain::connection::breaker::Breaker;
use domain::setup::rights::{self, Right, RightNeed, RightStatus};
use store::Connection;

use crate::connection::check::view::{
    CheckError, CheckVerdict, CheckView, MemberView, RightRow, SiteView,
};
use crate::connection::client::stored_keys;
use crate::connection::error::ConnectionError;
use crate::connection::prove::{AcceptedConnection, prove_stored};
use crate::connection::rights::{RightStatuses, read_rights};
use crate::context::Setup;
use crate::http::problem::Problem;

/// The page before the check: which rights are needed, and whether there is a connection to check.
pub(super) async fn before_check(setup: &Setup, partner: &PartnerId) -> Result<CheckView, Problem> {
    let connection = setup.access().connections.get(partner).await?.value;
    Ok(CheckView::without_rights(match connection {
        Some(_) => CheckVerdict::NotChecked,
        None => CheckVerdict::NotConnected,
    }))
}

/// Tests the stored connection, and records the rights that are granted now.
pub(super) async fn check(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<CheckView, Problem> {
    let breaker = setup.table().breaker.get(partner).await;
    let (view, rights) = examine(setup, partner, invocation).await?;
    if let (Ok(breaker), Some(rights)) = (&breaker, &rights) {
        update_missing_rights(setup, partner, breaker, rights, invocation).await?;
    }
    Ok(view)
}

/// As [`check`], without recording anything.
pub(crate) async fn inspect(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<CheckView, Problem> {
    let (view, _) = examine(setup, partner, invocation).await?;
    Ok(view)
}

/// Tests the stored connection. The rights are `None` if they were not read.
async fn examine(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<(CheckView, Option<RightStatuses>), Problem> {
    let Some(connection) = setup.access().connections.get(partner).await?.value else {
        let view = CheckView::without_rights(CheckVerdict::NotConnected);
        return Ok((view, None));
    };
    let mut site = SiteView {
        origin: connection.origin.clone(),
        company_id: connection.company_id.clone(),
        company: None,
    };
    let accepted = match prove(setup, partner, &connection, invocation).await {
        Ok(accepted) => accepted,
        Err(err) => {
            let view = CheckView {
                error: Some(CheckError {
                    code: err.code(),
                    detail: err.to_string(),
                }),
                site: Some(site),
                ..CheckView::without_rights(CheckVerdict::Broken)
            };
            return Ok((view, None));
        }
    };
    let rights = read_rights(&accepted.client, invocation).await;
    site.company = accepted.company.filter(|name| !name.is_empty());
    let rows = rights.iter();
    let view = CheckView {
        verdict: verdict(&rights),
        error: None,
        site: Some(site),
        member: accepted.member.map(MemberView::from),
        off: consequences(&rights),
        rights: rows
            .map(|(right, status)| RightRow::new(right, Some(*status)))
            .collect(),
    };
    Ok((view, Some(rights)))
}

fn verdict(rights: &RightStatuses) -> CheckVerdict {
    if is_missing(rights, RightNeed::Required) {
        CheckVerdict::RightsMissing
    } else if consequences(rights).is_empty() {
        CheckVerdict::Good
    } else {
        CheckVerdict::Limited
    }
}

async fn prove(
    setup: &Setup,
    partner: &PartnerId,
    connection: &Connection,
    invocation: &Invocation,
) -> Result<AcceptedConnection, ConnectionError> {
    let keys = stored_keys(setup, partner, connection).await?;
    let keys = keys.ok_or(ConnectionError::NoKeys)?;
    prove_stored(&setup.connections, keys, invocation).await
}

/// Removes rights that are granted now from the breaker's missing rights. Alerts that were blocked
/// by one, or by a broken connection, are decided again. If the process dies between the two
/// writes, reconcile decides them at its next run.
async fn update_missing_rights(
    setup: &Setup,
    partner: &PartnerId,
    breaker: &Breaker,
    rights: &RightStatuses,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let still = still_missing(&breaker.missing_rights, rights);
    let mut changed = breaker.open.is_some();
    if still != breaker.missing_rights {
        changed |= setup
            .table()
            .breaker
            .replace_missing_rights(partner, breaker, &still)
            .await?;
    }
    if changed {
        let now = invocation.now();
        setup.schedule().reconcile_and_probe(partner, now).await?;
    }
    Ok(())
}

/// The missing rights that are not known to be granted now.
fn still_missing(missing: &BTreeSet<String>, rights: &RightStatuses) -> BTreeSet<String> {
    let is_granted = |missing: &String| {
        let mut rights = rights.iter();
        rights.any(|(right, status)| right.right == missing && *status == RightStatus::Granted)
    };
    let still = missing.iter().filter(|missing| !is_granted(missing));
    still.cloned().collect()
}

fn is_missing(rights: &RightStatuses, need: RightNeed) -> bool {
    let mut rights = rights.iter();
    rights.any(|(right, status)| right.need == need && *status == RightStatus::Missing)
}

/// What does not work besides creating and updating tickets, which the verdict says.
fn consequences(rights: &RightStatuses) -> Vec<&'static str> {
    let lacks = |name: &str| {
        let mut rights = rights.iter();
        rights.any(|(right, status)| right.right == name && *status == RightStatus::Missing)
    };
    let is_unknown = |(right, status): &(&Right, RightStatus)| {
        right.need != RightNeed::Optional && *status == RightStatus::NotKnown
    };
    let sentences = [
        (
            is_missing(rights, RightNeed::ForClosing),
            "Tickets cannot be closed when their alerts are resolved. They are closed once the right is granted.",
        ),
        (
            is_missing(rights, RightNeed::ForDedicatedBoards),
            "Boards cannot be created for you. Tickets can go to the API member's default board.",
        ),
        (
            lacks(rights::TABLES_INQUIRE),
            "Start status, ticket types and priorities cannot be chosen here: ConnectWise's own defaults are used.",
        ),
        (
            rights.iter().any(is_unknown),
            "Some rights are not known, because ConnectWise does not list them. Check them in the security role.",
        ),
    ];
    let sentences = sentences.into_iter().filter(|(is_off, _)| *is_off);
    sentences.map(|(_, sentence)| sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(missing: &[&str]) -> RightStatuses {
        let status = |right: &'static Right| {
            if missing.contains(&right.right) {
                (right, RightStatus::Missing)
            } else {
                (right, RightStatus::Granted)
            }
        };
        rights::TABLE.iter().map(status).collect()
    }

    #[test]
    fn each_missing_right_has_its_verdict_and_consequence() {
        use CheckVerdict::{Good, Limited, RightsMissing};
        for (missing, expected, words) in [
            (None, Good, None),
            (Some(rights::TICKETS_INQUIRE), RightsMissing, None),
            (Some(rights::COMPANIES_INQUIRE), RightsMissing, None),
            (
                Some(rights::TICKETS_CLOSE),
                Limited,
                Some("Tickets cannot be closed"),
            ),
            (
                Some(rights::TABLES_ADD),
                Limited,
                Some("Boards cannot be created for you"),
            ),
            (
                Some(rights::MEMBERS_INQUIRE),
                Limited,
                Some("Boards cannot be created for you"),
            ),
            (Some(rights::MY_ACCOUNT_INQUIRE), Good, None),
            (Some("resource_scheduling.add"), Good, None),
        ] {
            let statuses = without(missing.as_slice());
            let off = consequences(&statuses);
            assert_eq!(verdict(&statuses), expected, "{missing:?}");
            assert_eq!(
                off.len(),
                usize::from(words.is_some()),
                "{missing:?} {off:?}"
            );
            if let Some(words) = words {
                assert!(off[0].starts_with(words), "{missing:?} {off:?}");
            }
        }
        let tables = consequences(&without(&[rights::TABLES_INQUIRE]));
        assert_eq!(tables.len(), 2, "{tables:?}");
    }

    #[test]
    fn an_unknown_right_is_not_called_granted() {
        let mut statuses = without(&[]);
        for (right, status) in &mut statuses {
            if right.right == rights::TICKETS_ADD {
                *status = RightStatus::NotKnown;
            }
        }
        assert_eq!(verdict(&statuses), CheckVerdict::Limited);
        assert!(consequences(&statuses)[0].starts_with("Some rights are not known"));
    }

    #[test]
    fn only_a_granted_right_is_no_longer_missing() {
        let of = |rights: &[&str]| -> BTreeSet<String> {
            rights.iter().map(|right| (*right).to_owned()).collect()
        };
        let before = of(&[rights::TICKETS_ADD, rights::TABLES_ADD, "newer.right"]);
        let mut statuses = without(&[rights::TABLES_ADD]);
        assert_eq!(
            still_missing(&before, &statuses),
            of(&[rights::TABLES_ADD, "newer.right"])
        );
        for (_, status) in &mut statuses {
            *status = RightStatus::NotKnown;
        }
        assert_eq!(still_missing(&before, &statuses), before);
    }
}
