//! Searches for tickets of Ticketbridge, by their reference in `externalXRef`. Closed tickets are
//! found too. A failed search is an error, never an empty result.

use connections::{found_ticket, reference_prefix, ticket_type};
use connectwise::{Client, Error, ExternalXref, InvalidXref, MySecurity};
use domain::alert::record::{Claim, Op, Record};
use domain::setup::rights::{self, ListedRights, RightStatus};
use domain::setup::settings::{Settings, TicketType};
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::lookup::Search;
use domain::ticketing::note_mark::is_note_of;
use domain::ticketing::ticket_index::Sentinel;
use domain::ticketing::write_effect::ObservedTicket;
use domain::{RecordId, TicketRef};
use tokio::time::Instant;

use crate::ticket_error::TicketError;

/// Searches for the tickets that carry this reference. The same search must return one of the
/// sentinels.
pub(crate) async fn find_tickets(
    client: &Client,
    ticket_ref: &TicketRef,
    sentinels: &[Sentinel],
    settings: Option<&Settings>,
    deadline: Instant,
) -> Result<Search, TicketError> {
    let mut ticket_refs = vec![xref(ticket_ref)?];
    let others = sentinels.iter().map(|sentinel| &sentinel.ticket_ref);
    for other in others.filter(|other| *other != ticket_ref) {
        ticket_refs.push(xref(other)?);
    }
    let ticket_refs: Vec<&ExternalXref> = ticket_refs.iter().collect();
    let tickets = client
        .tickets_by_external_xref(&ticket_refs, deadline)
        .await
        .map_err(TicketError::Read)?;
    let matching: Vec<FoundTicket> = tickets
        .iter()
        .map(|ticket| found_ticket(ticket, settings))
        .filter(|ticket| ticket.ticket_ref.as_ref() == Some(ticket_ref))
        .collect();
    if !matching.is_empty() {
        return Ok(Search::Found(matching));
    }
    let has_sentinels = ticket_refs.len() > 1;
    if has_sentinels && tickets.is_empty() {
        return Ok(Search::Blind);
    }
    Ok(Search::None)
}

/// Searches for the tickets of all occurrences of the alert.
pub(crate) async fn find_tickets_of_alert(
    client: &Client,
    record: &Record,
    settings: Option<&Settings>,
    deadline: Instant,
) -> Result<Vec<FoundTicket>, TicketError> {
    let prefix = ExternalXref::parse(format!("{}{}-", TicketRef::PREFIX, record.key.item_key()));
    let prefix = prefix.map_err(malformed)?;
    let tickets = client
        .tickets_by_external_xref_prefix(&prefix, deadline)
        .await
        .map_err(TicketError::Read)?;
    let found = tickets.iter().map(|ticket| found_ticket(ticket, settings));
    Ok(found.collect())
}

/// Whether ConnectWise has any ticket of Ticketbridge.
pub(crate) async fn has_any_ticket(
    client: &Client,
    deadline: Instant,
) -> Result<bool, TicketError> {
    let prefix = reference_prefix().map_err(TicketError::Read)?;
    let any = client.any_ticket_by_external_xref_prefix(&prefix, deadline);
    any.await.map_err(TicketError::Read)
}

/// Reads the ticket of a write whose outcome is unknown, with what shows whether the write took
/// effect.
pub(crate) async fn observe_ticket(
    client: &Client,
    claim: &Claim,
    ticket_id: RecordId,
    settings: &Settings,
    deadline: Instant,
) -> Result<ObservedTicket, TicketError> {
    let ticket = match client.ticket(ticket_id, deadline).await {
        Ok(ticket) => ticket,
        Err(Error::NotFound { .. }) => {
            return Ok(ObservedTicket {
                ticket: None,
                is_noted: false,
                priority: None,
                ticket_type: None,
            });
        }
        Err(err) => return Err(TicketError::Read(err)),
    };
    let mut is_noted = false;
    if let Op::Note(kind) = claim.op {
        let notes = client
            .ticket_notes(ticket_id, deadline)
            .await
            .map_err(TicketError::Read)?;
        is_noted = notes.iter().any(|note| is_note_of(&note.text, kind, claim));
    }
    let actual = ticket.priority.as_ref().map(|priority| priority.id);
    let priority = settings.priorities.get(&claim.severity).copied();
    let priority = priority.filter(|priority| actual == Some(*priority));
    let ticket_type = ticket_type(&ticket).filter(|actual| is_type_of(claim, *actual, settings));
    Ok(ObservedTicket {
        is_noted,
        priority,
        ticket_type,
        ticket: Some(found_ticket(&ticket, Some(settings))),
    })
}

/// Whether this is the type of the claim's kind, on a board of Ticketbridge.
fn is_type_of(claim: &Claim, actual: TicketType, settings: &Settings) -> bool {
    let boards = [&settings.operations, &settings.cyber_alerts];
    let kind = claim.kind.as_ref();
    kind.is_some_and(|kind| {
        boards
            .iter()
            .any(|target| target.ticket_type(kind) == Some(actual))
    })
}

/// Returns the sentinels that no longer exist. A sentinel that is not found counts only if the
/// security role shows its board and all tickets: otherwise it may be hidden.
pub(crate) async fn missing_sentinels(
    client: &Client,
    sentinels: &[Sentinel],
    deadline: Instant,
) -> Result<Vec<RecordId>, TicketError> {
    let (mut missing, mut not_found) = (vec![], vec![]);
    for sentinel in sentinels {
        match client.ticket(sentinel.ticket_id, deadline).await {
            Ok(ticket)
                if found_ticket(&ticket, None).ticket_ref.as_ref()
                    == Some(&sentinel.ticket_ref) => {}
            // The ticket carries another reference now.
            Ok(_) => missing.push(sentinel.ticket_id),
            Err(Error::NotFound { .. }) => not_found.push(sentinel),
            Err(err) => return Err(TicketError::Read(err)),
        }
    }
    if not_found.is_empty() || !shows_all_tickets(client, deadline).await? {
        return Ok(missing);
    }
    let boards = client
        .board_infos(deadline)
        .await
        .map_err(TicketError::Read)?;
    let is_board_shown = |sentinel: &&Sentinel| {
        let board = sentinel.board_id;
        board.is_some_and(|id| boards.iter().any(|board| board.id == id))
    };
    let not_found = not_found.into_iter().filter(is_board_shown);
    missing.extend(not_found.map(|sentinel| sentinel.ticket_id));
    Ok(missing)
}

async fn shows_all_tickets(client: &Client, deadline: Instant) -> Result<bool, TicketError> {
    let security = client
        .my_security(deadline)
        .await
        .map_err(TicketError::Read)?;
    let listed: Vec<ListedRights<'_>> = security.iter().map(MySecurity::listed).collect();
    Ok(rights::right_status(rights::TICKETS_INQUIRE, &listed) == RightStatus::Granted)
}

pub(crate) fn xref(ticket_ref: &TicketRef) -> Result<ExternalXref, TicketError> {
    ExternalXref::parse(ticket_ref.as_str()).map_err(malformed)
}

/// A ticket reference has only letters, digits and hyphens. A malformed one must never become a
/// search without a condition.
fn malformed(_: InvalidXref) -> TicketError {
    TicketError::Read(Error::Rejected {
        words: InvalidXref.to_string(),
    })
}
