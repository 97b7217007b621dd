//! Whether ConnectWise is ready: the keys work, and the chosen statuses and types can be used.

use aws::invocation::Invocation;
use connectwise::{Client, Error};
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::choices::find_target_issues;
use domain::setup::custom_fields::resolve_all;
use domain::setup::settings::{BoardTarget, Settings};
use domain::setup::type_hierarchy::find_hierarchy_issues;

use crate::boards::lists::board_parts;
use crate::http::problem::Problem;
use crate::tickets::custom_fields;
use crate::tickets::issues;
use crate::tickets::lists::{board_hierarchy, ticket_fields};

/// # Errors
/// When ConnectWise refuses the keys, or a new ticket would get a status or type that cannot be
/// used.
pub(super) async fn check(
    client: &Client,
    settings: &Settings,
    invocation: &Invocation,
) -> Result<(), Problem> {
    match client.my_member(invocation.call_ends()).await {
        // ConnectWise checks rights after keys, so a missing right proves the keys.
        Ok(_) | Err(Error::MissingRight { .. }) => {}
        Err(err) => return Err(err.into()),
    }
    for category in [Category::Operations, Category::CyberAlerts] {
        let target = settings.board(category);
        let Some(board) = target.board else {
            // ConnectWise chooses board and status.
            continue;
        };
        // Without the right to read them, nothing was chosen.
        let Some(parts) = board_parts(client, board, invocation.call_ends()).await? else {
            continue;
        };
        if target.start_status.is_none() {
            return Err(Problem::refused(
                "Still missing: the start status of new tickets, on \"Tickets\".",
            ));
        }
        let unfit = find_target_issues(target, &parts.statuses, &parts.types);
        if let Some((which, why)) = unfit.into_iter().next() {
            return Err(choose_another(&issues::describe(&which, why)));
        }
        check_hierarchy(client, target, board, invocation).await?;
    }
    check_custom_fields(client, settings, invocation).await
}

/// Checks custom fields, if any are chosen. Without the right to read them, ConnectWise decides.
async fn check_custom_fields(
    client: &Client,
    settings: &Settings,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let chosen = [&settings.operations, &settings.cyber_alerts].map(|of| &of.custom_fields);
    if chosen.iter().all(|fields| fields.is_empty()) {
        return Ok(());
    }
    let Ok(found) = ticket_fields(client, invocation.call_ends()).await else {
        return Ok(());
    };
    for fields in chosen {
        resolve_all(fields.clone(), &found).map_err(|(_, caption, issue)| {
            choose_another(&custom_fields::describe(&caption, issue))
        })?;
    }
    Ok(())
}

/// Checks subtypes and items, if any are chosen.
async fn check_hierarchy(
    client: &Client,
    target: &BoardTarget,
    board: RecordId,
    invocation: &Invocation,
) -> Result<(), Problem> {
    if target.subtypes.is_empty() && target.items.is_empty() {
        return Ok(());
    }
    let hierarchy = board_hierarchy(client, board, invocation.call_ends()).await?;
    let issues = hierarchy.map(|hierarchy| find_hierarchy_issues(target, &hierarchy));
    match issues.into_iter().flatten().next() {
        Some((which, why)) => Err(choose_another(&issues::describe_hierarchy(&which, why))),
        None => Ok(()),
    }
}

fn choose_another(words: &str) -> Problem {
    Problem::refused(format!("{words} Choose another on \"Tickets\"."))
}
