//! Reads what is chosen for tickets, and the options.

use aws::invocation::Invocation;
use domain::PartnerId;
use domain::alert::kind::with_added;
use domain::setup::rights;
use tokio::join;

use crate::connection::client::{Connected, connected, missing_right, problem_of};
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::tickets::lists::ticket_lists;
use crate::tickets::view_model::{TicketChoices, TicketsView};

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<TicketsView, Problem> {
    let stored = setup.table().settings.get(partner).await?;
    let mut view = TicketsView {
        version: stored.version,
        chosen: None,
        off: Vec::new(),
    };
    let Some(Connected { connection, client }) = connected(setup, partner).await? else {
        return Ok(view);
    };
    let settings = stored.value;
    let Some(settings) = settings.filter(|settings| settings.belongs_to(connection.epoch)) else {
        return Ok(view);
    };
    let ends = invocation.call_ends();
    let (lists, boards) = join!(
        ticket_lists(&client, &settings, ends),
        client.board_infos(ends)
    );
    let lists = lists?;
    if !lists.is_complete(&settings) {
        view.off.push(format!(
            "Statuses, ticket types and priorities cannot be chosen: present choices are kept, and ConnectWise chooses the rest. {}",
            missing_right(rights::TABLES_INQUIRE)
        ));
    }
    if lists.members.is_none() {
        view.off.push(format!(
            "The owner of a ticket cannot be chosen: a present choice is kept. {}",
            missing_right(rights::MEMBERS_INQUIRE)
        ));
    }
    if let Err(words) = &lists.custom_fields {
        view.off.push(format!(
            "Custom fields cannot be chosen: present choices are kept, and tickets can be set up without them. {words}"
        ));
    }
    let boards = boards.unwrap_or_else(|err| {
        view.off.push(problem_of(&err).detail);
        Vec::new()
    });
    let kinds = with_added(&setup.added_kinds(partner).await?);
    view.chosen = Some(TicketChoices::new(&settings, &lists, &boards, &kinds));
    Ok(view)
}
