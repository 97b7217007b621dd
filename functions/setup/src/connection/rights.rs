//! Which rights the API member has.

use aws::invocation::Invocation;
use connectwise::{Client, Error, MySecurity};
use domain::setup::rights::{self, ListedRights, Right, RightStatus, right_status};
use tokio::join;

/// All rights of the domain's table, in its order.
pub(super) type RightStatuses = Vec<(&'static Right, RightStatus)>;

/// Reads ConnectWise's own list of the member's rights. For a right that is not listed, one row of
/// the list that it protects is read. That shows neither "All" versus "My" nor Add and Edit.
pub(super) async fn read_rights(client: &Client, invocation: &Invocation) -> RightStatuses {
    let listed = client.my_security(invocation.call_ends()).await;
    if let Err(err) = &listed {
        tracing::warn!(error = %err, "failed to read the API member's rights");
    }
    let mut rights = listed_rights(&listed);
    let read_row = async |right: &'static str| {
        let known = rights.iter().find(|(of, _)| of.right == right);
        match known.map(|(_, status)| status) {
            Some(RightStatus::NotKnown) => {
                status_of(client.can_inquire(right, invocation.call_ends()).await)
            }
            Some(RightStatus::Granted | RightStatus::Missing) | None => RightStatus::NotKnown,
        }
    };
    let (companies, tickets, tables, members, company, configurations, contacts) = join!(
        read_row(rights::COMPANIES_INQUIRE),
        read_row(rights::TICKETS_INQUIRE),
        read_row(rights::TABLES_INQUIRE),
        read_row(rights::MEMBERS_INQUIRE),
        read_row(rights::MY_COMPANY_INQUIRE),
        read_row(rights::CONFIGURATIONS_INQUIRE),
        read_row(rights::CONTACTS_INQUIRE),
    );
    for (right, read) in [
        (rights::COMPANIES_INQUIRE, companies),
        (rights::TICKETS_INQUIRE, tickets),
        (rights::TABLES_INQUIRE, tables),
        (rights::MEMBERS_INQUIRE, members),
        (rights::MY_COMPANY_INQUIRE, company),
        (rights::CONFIGURATIONS_INQUIRE, configurations),
        (rights::CONTACTS_INQUIRE, contacts),
    ] {
        if read != RightStatus::NotKnown
            && let Some((_, status)) = rights.iter_mut().find(|(of, _)| of.right == right)
        {
            *status = read;
        }
    }
    rights
}

fn listed_rights(listed: &Result<Vec<MySecurity>, Error>) -> RightStatuses {
    let rows: Vec<ListedRights<'_>> = match listed {
        Ok(rows) => rows.iter().map(MySecurity::listed).collect(),
        Err(_) => Vec::new(),
    };
    // The list itself requires this right, even if it does not contain it.
    let own = match listed {
        Err(Error::MissingRight { .. }) => Some(RightStatus::Missing),
        Ok(rows) if !rows.is_empty() => Some(RightStatus::Granted),
        Ok(_) | Err(_) => None,
    };
    let rights = rights::TABLE.iter();
    rights
        .map(|right| {
            let of = right_status(right.right, &rows);
            let is_own = right.right == rights::MY_ACCOUNT_INQUIRE && of == RightStatus::NotKnown;
            (right, own.filter(|_| is_own).unwrap_or(of))
        })
        .collect()
}

fn status_of(read: Result<Option<bool>, Error>) -> RightStatus {
    match read {
        Ok(Some(true)) => RightStatus::Granted,
        Ok(Some(false)) => RightStatus::Missing,
        Ok(None) => RightStatus::NotKnown,
        Err(err) => {
            tracing::warn!(error = %err, "failed to read a list from ConnectWise");
            RightStatus::NotKnown
        }
    }
}

#[cfg(test)]
mod tests;
