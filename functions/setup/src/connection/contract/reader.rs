//! Makes the calls of the comparison.

use aws::invocation::Invocation;
use connections::reference_prefix;
use connectwise::{
    Client, CompanyRecord, Error, ExternalXref, RecordCursor, Ticket, TicketFilter, company_info,
};
use domain::{PartnerId, RecordId};
use tokio::join;

use super::judge::{self, Reliance};
use super::view::{ContractCheck, ContractView};
use crate::connection::client::{Connected, require_connected};
use crate::context::Setup;
use crate::http::problem::Problem;

/// No ticket has this number: ConnectWise's numbers are 32-bit, and begin low.
const NO_TICKET: RecordId = 2_147_483_647;

/// Compares the partner's ConnectWise with what the code relies on.
pub(crate) async fn inspect(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<ContractView, Problem> {
    let Connected { connection, client } = require_connected(setup, partner).await?;
    let http = setup.connections.clients.http();
    let ends = || invocation.call_ends();
    let site = http.hosts().site(&connection.origin);
    let site = site.map_err(|err| Problem::refused(err.to_string()))?;
    let (info, member, security, boards, infos, priorities, missing, sources, callbacks) = join!(
        company_info(http, &site, &connection.company_id, ends()),
        client.my_member(ends()),
        client.my_security(ends()),
        client.boards(ends()),
        client.board_infos(ends()),
        client.priorities(ends()),
        client.ticket(NO_TICKET, ends()),
        client.ticket_sources(ends()),
        client.callbacks(ends()),
    );
    let board = boards.as_ref().ok().and_then(|boards| {
        let mut usable = boards.iter();
        usable.find(|board| !board.inactive_flag && !board.project_flag)
    });
    let (of_board, pages, tickets) = join!(
        board_checks(&client, board.map(|board| board.id), invocation),
        company_pages(&client, invocation),
        tickets(&client, invocation),
    );
    let mut checks = vec![
        judge::company_info(&info),
        judge::my_member(&member),
        judge::my_security(&security),
        judge::boards(&boards, &infos),
        judge::priorities(&priorities),
        judge::ticket_sources(&sources),
        judge::callbacks(&callbacks),
        pages,
        judge::missing_ticket(&missing),
    ];
    checks.extend(of_board);
    checks.extend(tickets);
    Ok(ContractView::new(checks))
}

/// The checks that need a board.
async fn board_checks(
    client: &Client,
    board: Option<RecordId>,
    invocation: &Invocation,
) -> Vec<ContractCheck> {
    let Some(board) = board else {
        let all: [Reliance; 3] = [
            judge::BOARD_STATUSES,
            judge::BOARD_TEAMS,
            judge::BOARD_TYPES,
        ];
        return all
            .map(|reliance| reliance.not_known("no board can be read"))
            .into();
    };
    let ends = || invocation.call_ends();
    let (statuses, teams, types, subtypes, associations) = join!(
        client.board_statuses(board, ends()),
        client.board_teams(board, ends()),
        client.board_types(board, ends()),
        client.board_subtypes(board, ends()),
        client.board_type_associations(board, ends()),
    );
    vec![
        judge::board_statuses(&statuses),
        judge::board_teams(&teams),
        judge::board_types(&types, &subtypes, &associations),
    ]
}

async fn company_pages(client: &Client, invocation: &Invocation) -> ContractCheck {
    let read = async |from: RecordCursor| -> Result<Vec<CompanyRecord>, Error> {
        let page = client.company_page(from, invocation.call_ends()).await?;
        Ok(page.items)
    };
    let first = read(RecordCursor::START).await;
    let id = first.as_ref().ok().and_then(|page| page.first());
    let Some(id) = id.map(|company| company.id) else {
        return match first {
            Ok(_) => judge::COMPANY_PAGES.not_known("there are no companies"),
            Err(_) => judge::company_pages(&first, &Ok(vec![])),
        };
    };
    let after = read(RecordCursor::after(id)).await;
    judge::company_pages(&first, &after)
}

/// The checks that need a ticket of Ticketbridge.
async fn tickets(client: &Client, invocation: &Invocation) -> Vec<ContractCheck> {
    let all: [Reliance; 6] = [
        judge::REFERENCE_SEARCH,
        judge::NUMBER_SEARCH,
        judge::TICKET_MEMBERS,
        judge::TICKET_NOTES,
        judge::ALL_NOTES,
        judge::AUDIT_TRAIL,
    ];
    let not_known = |why: &str| all.map(|reliance| reliance.not_known(why)).into();
    let (ticket, reference) = match one_ticket(client, invocation).await {
        Ok(Some(found)) => found,
        Ok(None) => return not_known("there is no ticket of Ticketbridge yet"),
        Err(err) => return not_known(&err.to_string()),
    };
    let ends = || invocation.call_ends();
    let references = [&reference];
    let numbers = [ticket.id];
    let (by_reference, by_number, read, notes, all_notes, audit_trail) = join!(
        client.tickets_by_external_xref(&references, ends()),
        client.tickets_numbered(&numbers, ends()),
        client.ticket(ticket.id, ends()),
        client.ticket_notes(ticket.id, ends()),
        client.ticket_entries(ticket.id, ends()),
        client.ticket_audit_trail(ticket.id, ends()),
    );
    vec![
        judge::reference_search(&ticket, &by_reference),
        judge::number_search(&ticket, &by_number),
        judge::ticket_members(&read),
        judge::ticket_notes(&notes),
        judge::all_notes(&notes, &all_notes),
        judge::audit_trail(&audit_trail),
    ]
}

/// A ticket of Ticketbridge with its reference.
async fn one_ticket(
    client: &Client,
    invocation: &Invocation,
) -> Result<Option<(Ticket, ExternalXref)>, Error> {
    let filter = TicketFilter::beginning(reference_prefix()?);
    let start = RecordCursor::START;
    let page = client
        .ticket_page(&filter, start, invocation.call_ends())
        .await?;
    let mut tickets = page.items.into_iter();
    Ok(tickets.find_map(|ticket| {
        let reference = ExternalXref::parse(ticket.external_xref.clone()?).ok()?;
        Some((ticket, reference))
    }))
}
