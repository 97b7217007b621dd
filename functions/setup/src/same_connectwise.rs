//! Whether another address leads to the ConnectWise that is connected already: a server that moved, or another name of it. A different
//! ConnectWise must never pass: numbers of boards, companies and tickets mean something else there.

use aws::invocation::Invocation;
use connectwise::Error;
use domain::{PartnerId, RecordId, TicketRef};
use store::Connection;

use crate::Setup;
use crate::answer::Problem;
use crate::check::Proven;

/// One call reads so many companies by their numbers.
const COMPANIES: usize = 100;
/// A copy of the server, made for trying things out, lacks the tickets of after it was made.
const NEWEST_TICKETS: usize = 10;
/// Open tickets whose numbers are compared for the newest.
const TICKETS_READ: usize = 2_000;

/// Whether the proven keys lead to the ConnectWise of the stored connection. It takes the same company id, nine of ten mapped companies
/// with the number and the name that were mapped, and the newest open tickets with the numbers and references that were recorded.
/// Without a mapped company or an open ticket there is no evidence, and the answer is no.
///
/// # Errors
/// When DynamoDB fails, or ConnectWise while it is asked.
pub(crate) async fn is_same_connectwise(
    setup: &Setup,
    partner: &PartnerId,
    before: &Connection,
    proven: &Proven,
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let Proven { keys, client, .. } = proven;
    if !keys.company_id.eq_ignore_ascii_case(&before.company_id) {
        return Ok(false);
    }
    let mapped = mapped_companies(setup, partner, before.epoch).await?;
    let tickets = newest_tickets(setup, partner, before.epoch).await?;
    if mapped.is_empty() || tickets.is_empty() {
        return Ok(false);
    }
    let ids: Vec<_> = mapped.iter().map(|(id, _)| *id).collect();
    let companies = readable(client.companies_with(&ids, invocation.call_ends()).await)?;
    let as_mapped = mapped.iter().filter(|(id, name)| {
        let company = companies.iter().find(|company| company.id == *id);
        company.is_some_and(|company| company.name == *name)
    });
    if as_mapped.count() * 10 < mapped.len() * 9 {
        return Ok(false);
    }
    let ids: Vec<_> = tickets.iter().map(|(id, _)| *id).collect();
    let found = readable(client.tickets_numbered(&ids, invocation.call_ends()).await)?;
    Ok(tickets.iter().all(|(id, ticket_ref)| {
        let ticket = found.iter().find(|ticket| ticket.id == *id);
        let reference = ticket.and_then(|ticket| ticket.external_xref.as_deref());
        reference.and_then(TicketRef::parse).as_ref() == Some(ticket_ref)
    }))
}

async fn mapped_companies(
    setup: &Setup,
    partner: &PartnerId,
    epoch: u32,
) -> Result<Vec<(RecordId, String)>, Problem> {
    let mappings = setup.table().mappings(partner).await?;
    let in_epoch = mappings
        .into_values()
        .map(|mapping| mapping.in_epoch(epoch));
    let mut mapped: Vec<_> = in_epoch
        .filter_map(|mapping| Some((mapping.company?, mapping.company_name?)))
        .collect();
    mapped.sort_unstable();
    mapped.dedup();
    mapped.truncate(COMPANIES);
    Ok(mapped)
}

async fn newest_tickets(
    setup: &Setup,
    partner: &PartnerId,
    epoch: u32,
) -> Result<Vec<(RecordId, TicketRef)>, Problem> {
    let mut tickets = Vec::new();
    for mut shard in setup.alerts.followed(partner) {
        while let Some(followed) = shard.next().await? {
            let open = followed.open().filter(|open| open.epoch == epoch);
            tickets.extend(open.map(|open| (open.ticket_id, followed.ticket_ref(open))));
            if tickets.len() >= TICKETS_READ {
                break;
            }
        }
    }
    tickets.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    tickets.truncate(NEWEST_TICKETS);
    Ok(tickets)
}

/// A role that may not read companies or tickets gives no evidence; another failure is worth another try.
fn readable<T: Default>(answer: Result<T, Error>) -> Result<T, Problem> {
    if let Err(Error::Forbidden { .. } | Error::MissingRight { .. }) = answer {
        return Ok(T::default());
    }
    answer.map_err(|err| {
        tracing::warn!(error = %err, "failed to compare the new address with the stored connection");
        Problem::unavailable(
            "The keys work, but ConnectWise failed while it was compared with the one that is stored. Nothing is saved: save again in a moment.",
        )
    })
}
