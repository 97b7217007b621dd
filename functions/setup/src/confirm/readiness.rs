//! Whether ConnectWise is ready: the keys work, and the chosen statuses and types can be used.

use aws::invocation::Invocation;
use connectwise::{Client, Error};
use domain::alert::kind::Category;
use domain::setup::choices::find_target_issues;
use domain::setup::settings::Settings;

use crate::boards::lists::board_parts;
use crate::http::problem::Problem;
use crate::tickets::issues;

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
            let words = issues::describe(&which, why);
            return Err(Problem::refused(format!(
                "{words} Choose another on \"Tickets\"."
            )));
        }
    }
    Ok(())
}
