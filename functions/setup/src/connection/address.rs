//! Whether a changed address leads to the ConnectWise that is already connected. This file reads
//! the evidence; `domain::setup::same_connectwise` compares it.

use aws::invocation::Invocation;
use aws::secrets::ConnectionSecret;
use connections::found_ticket;
use connectwise::Error;
use domain::PartnerId;
use domain::setup::same_connectwise::KnownConnectWise;
use store::Connection;

use crate::connection::prove::ProvenConnection;
use crate::context::Setup;
use crate::http::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressChange {
    /// Nothing was connected before.
    New,
    Unchanged,
    /// The site or company id changed, and leads to the same ConnectWise.
    SameConnectWise,
    OtherConnectWise,
}

impl AddressChange {
    /// The history's name of the change.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::New => "connected",
            Self::Unchanged => "keys_replaced",
            Self::SameConnectWise => "address_changed",
            Self::OtherConnectWise => "connection_moved",
        }
    }

    /// The connection to store. Boards, companies and tickets of another ConnectWise mean nothing
    /// in this one, so a new epoch begins and everything must be chosen again.
    pub(super) fn connection(
        self,
        before: Option<&Connection>,
        keys: &ConnectionSecret,
    ) -> Connection {
        let origin = keys.origin.clone();
        let company_id = keys.company_id.clone();
        match (self, before) {
            (Self::Unchanged | Self::SameConnectWise, Some(before)) => Connection {
                origin,
                company_id,
                ..before.clone()
            },
            (_, before) => Connection {
                origin,
                company_id,
                epoch: before.map_or(0, |before| before.epoch) + 1,
                confirmed: false,
                confirmed_at: None,
                suspended: before.is_some_and(|before| before.suspended),
            },
        }
    }
}

/// Compares the proven connection with the stored one.
///
/// # Errors
/// When DynamoDB or ConnectWise fails.
pub(super) async fn address_change(
    setup: &Setup,
    partner: &PartnerId,
    before: Option<&Connection>,
    proven: &ProvenConnection,
    invocation: &Invocation,
) -> Result<AddressChange, Problem> {
    let Some(before) = before else {
        return Ok(AddressChange::New);
    };
    let keys = &proven.keys;
    if before.origin == keys.origin && before.company_id == keys.company_id {
        return Ok(AddressChange::Unchanged);
    }
    let is_same = is_same_connectwise(setup, partner, before, proven, invocation).await?;
    Ok(if is_same {
        AddressChange::SameConnectWise
    } else {
        AddressChange::OtherConnectWise
    })
}

async fn is_same_connectwise(
    setup: &Setup,
    partner: &PartnerId,
    before: &Connection,
    proven: &ProvenConnection,
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let ProvenConnection { keys, client, .. } = proven;
    if !keys.company_id.eq_ignore_ascii_case(&before.company_id) {
        return Ok(false);
    }
    let known = known(setup, partner, before.epoch).await?;
    if !known.is_comparable() {
        return Ok(false);
    }
    let ids = known.company_ids();
    let companies = or_no_evidence(client.companies_with(&ids, invocation.call_ends()).await)?;
    let companies: Vec<_> = companies
        .iter()
        .map(|company| (company.id, company.name.as_str()))
        .collect();
    let ids = known.ticket_ids();
    let tickets = or_no_evidence(client.tickets_numbered(&ids, invocation.call_ends()).await)?;
    let tickets: Vec<_> = tickets
        .iter()
        .map(|ticket| found_ticket(ticket, None))
        .collect();
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

/// A role without the right to read companies or tickets yields no evidence. Any other failure is
/// worth a retry.
fn or_no_evidence<T: Default>(result: Result<T, Error>) -> Result<T, Problem> {
    if let Err(Error::Forbidden { .. } | Error::MissingRight { .. }) = result {
        return Ok(T::default());
    }
    result.map_err(|err| {
        tracing::warn!(error = %err, "failed to compare the new address with the stored connection");
        Problem::unavailable(
            "The keys work, but ConnectWise failed while it was compared with the stored connection. Nothing is saved: save again in a moment.",
        )
    })
}
