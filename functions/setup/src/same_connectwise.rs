//! Reads what shows whether another address leads to the ConnectWise that is connected already. `domain` compares it.

use aws::invocation::Invocation;
use connections::found;
use connectwise::Error;
use domain::PartnerId;
use domain::same_connectwise::KnownConnectWise;
use store::Connection;

use crate::Setup;
use crate::answer::Problem;
use crate::check::Proven;

/// Whether the proven keys lead to the ConnectWise of the stored connection.
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
    let known = known(setup, partner, before.epoch).await?;
    if !known.is_comparable() {
        return Ok(false);
    }
    let ids = known.company_ids();
    let companies = readable(client.companies_with(&ids, invocation.call_ends()).await)?;
    let companies: Vec<_> = companies
        .iter()
        .map(|company| (company.id, company.name.as_str()))
        .collect();
    let ids = known.ticket_ids();
    let tickets = readable(client.tickets_numbered(&ids, invocation.call_ends()).await)?;
    let tickets: Vec<_> = tickets.iter().map(found).collect();
    Ok(known.is_same(&companies, &tickets))
}

async fn known(
    setup: &Setup,
    partner: &PartnerId,
    epoch: u32,
) -> Result<KnownConnectWise, Problem> {
    let mut known = KnownConnectWise::default();
    for mapping in setup.table().tenants.get_all(partner).await?.into_values() {
        let mapping = mapping.in_epoch(epoch);
        if let (Some(id), Some(name)) = (mapping.company, mapping.company_name) {
            known.add_company(id, name);
        }
    }
    for mut shard in setup.alerts.lists.open_and_blocked(partner) {
        while let Some(followed) = shard.next().await? {
            if let Some(open) = followed.open().filter(|open| open.epoch == epoch) {
                let ticket_ref = open.ticket_ref(&followed.key, followed.occurrence);
                known.add_ticket(open.ticket_id, ticket_ref);
            }
        }
    }
    Ok(known)
}

/// A role that may not read companies or tickets gives no evidence. Another failure is worth another attempt.
fn readable<T: Default>(answer: Result<T, Error>) -> Result<T, Problem> {
    if let Err(Error::Forbidden { .. } | Error::MissingRight { .. }) = answer {
        return Ok(T::default());
    }
    answer.map_err(|err| {
        tracing::warn!(error = %err, "failed to compare the new address with the stored connection");
        Problem::unavailable(
            "The keys work, but ConnectWise failed while it was compared with the stored connection. Nothing is saved: save again in a moment.",
        )
    })
}
