//! Makes confirmed changes of many tenants, some parts a request.

use std::collections::HashMap;
use std::time::Duration;

use aws::invocation::Invocation;
use connectwise::CompanyRecord;
use domain::monitoring::issue::CompanyIssue;
use domain::setup::mapping::ChosenCompany;
use domain::setup::tenant_changes::{ChangeOutcome, TenantChange, TenantChanges};
use domain::{PartnerId, RecordId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use store::{SaveOutcome, Versioned};
use tokio::time::Instant;

use crate::connection::client::{Connected, require_connected};
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::tenants::companies::company_statuses;

/// How long one request works before it shows the progress.
const WORK_TIME: Duration = Duration::from_secs(5);
/// Tenants that are saved concurrently.
const MAX_CALLS: usize = 16;

/// Makes further changes until the time is over. If the process dies, the next request makes the
/// part again: a change that was made already counts as made. Another request that works on the same
/// changes makes the same ones.
pub(super) async fn make_some(
    setup: &Setup,
    partner: &PartnerId,
    Versioned { value, version }: Versioned<TenantChanges>,
    invocation: &Invocation,
) -> Result<TenantChanges, Problem> {
    let (store, mut changes, mut version) = (&setup.table().tenant_changes, value, version);
    let connected = require_connected(setup, partner).await?;
    if connected.connection.epoch != changes.epoch {
        return Err(Problem::outdated(
            "ConnectWise was connected anew since these changes were prepared. Stop them, and prepare them again.",
        ));
    }
    let begun = Instant::now();
    while changes.is_running() && begun.elapsed() < WORK_TIME {
        if changes.next < changes.parts {
            let outcomes = make_part(setup, partner, &connected, &changes, invocation).await?;
            changes.applied += outcomes.applied;
            changes.refused += outcomes.refused;
            changes.next += 1;
        }
        if changes.next >= changes.parts {
            changes.finished_at = Some(invocation.now());
        }
        version = match store.save(partner, &changes, version).await? {
            SaveOutcome::Saved { version } => version,
            // Another request works on the same changes, or a person stopped them.
            SaveOutcome::Conflict => break,
        };
    }
    Ok(changes)
}

#[derive(Default)]
struct PartOutcomes {
    applied: usize,
    refused: usize,
}

async fn make_part(
    setup: &Setup,
    partner: &PartnerId,
    connected: &Connected,
    changes: &TenantChanges,
    invocation: &Invocation,
) -> Result<PartOutcomes, Problem> {
    let (store, prepared_at, n) = (
        &setup.table().tenant_changes,
        changes.prepared_at,
        changes.next,
    );
    let part = store.get_part(partner, prepared_at, n).await?;
    let part = part.ok_or_else(|| {
        Problem::outdated(
            "Other changes were prepared meanwhile. Stop these, and prepare them again.",
        )
    })?;
    let companies = usable_companies(connected, &part, invocation).await?;
    let made = stream::iter(TenantChanges::places(n).zip(part))
        .map(async |(place, change)| {
            if changes.left_out.contains(&place) {
                return Ok(change);
            }
            let epoch = changes.epoch;
            make_one(setup, partner, &companies, change, epoch, invocation).await
        })
        .buffered(MAX_CALLS)
        .try_collect::<Vec<_>>()
        .await?;
    store.put_part(partner, prepared_at, n, &made).await?;
    let outcomes: Vec<_> = made.iter().filter_map(|change| change.outcome).collect();
    let is_applied = |outcome: &&ChangeOutcome| **outcome == ChangeOutcome::Applied;
    let applied = outcomes.iter().filter(is_applied).count();
    Ok(PartOutcomes {
        applied,
        refused: outcomes.len() - applied,
    })
}

/// The companies of a part as ConnectWise has them now, or why they cannot be used.
async fn usable_companies(
    Connected { client, .. }: &Connected,
    part: &[TenantChange],
    invocation: &Invocation,
) -> Result<HashMap<RecordId, Result<CompanyRecord, CompanyIssue>>, Problem> {
    let mut ids: Vec<_> = part.iter().map(|change| change.company).collect();
    ids.sort_unstable();
    ids.dedup();
    let (found, statuses) = tokio::join!(
        client.companies_with(&ids, invocation.call_ends()),
        company_statuses(client, invocation),
    );
    let statuses = statuses?;
    let found = found?.into_iter().map(|company| {
        let usable = match company.unfit(&statuses) {
            Some(issue) => Err(issue),
            None => Ok(company.clone()),
        };
        (company.id, usable)
    });
    let mut companies: HashMap<_, _> = found.collect();
    for id in ids {
        companies.entry(id).or_insert(Err(CompanyIssue::Missing));
    }
    Ok(companies)
}

/// Makes one change, unless its tenant was changed since the preview.
async fn make_one(
    setup: &Setup,
    partner: &PartnerId,
    companies: &HashMap<RecordId, Result<CompanyRecord, CompanyIssue>>,
    change: TenantChange,
    epoch: u32,
    invocation: &Invocation,
) -> Result<TenantChange, Problem> {
    let tenants = &setup.table().tenants;
    let before = tenants.get(partner, &change.tenant).await?;
    let mapping = before.value.unwrap_or_default();
    if change.is_made(&mapping, epoch) {
        return Ok(with_outcome(change, ChangeOutcome::Applied));
    }
    if before.version != change.version {
        return Ok(with_outcome(change, ChangeOutcome::Conflict));
    }
    let name = match companies.get(&change.company) {
        Some(Ok(company)) => company.name.clone(),
        // A tenant can be switched off whatever the state of its company.
        Some(Err(_)) | None if mapping.company == Some(change.company) && !change.enabled => {
            change.company_name.clone()
        }
        Some(Err(issue)) => return Ok(with_outcome(change, ChangeOutcome::Unusable(*issue))),
        None => {
            return Ok(with_outcome(
                change,
                ChangeOutcome::Unusable(CompanyIssue::Missing),
            ));
        }
    };
    let company = ChosenCompany {
        id: change.company,
        name,
        epoch,
    };
    let desired = mapping.with_choice(Some(company), change.enabled, invocation.now());
    let saved = tenants.save(partner, &change.tenant, &desired, change.version);
    let outcome = match saved.await? {
        SaveOutcome::Saved { .. } => ChangeOutcome::Applied,
        SaveOutcome::Conflict => {
            // Another request may have made the same change.
            let now = tenants.get(partner, &change.tenant).await?.value;
            match now.is_some_and(|mapping| change.is_made(&mapping, epoch)) {
                true => ChangeOutcome::Applied,
                false => ChangeOutcome::Conflict,
            }
        }
    };
    Ok(with_outcome(change, outcome))
}

fn with_outcome(change: TenantChange, outcome: ChangeOutcome) -> TenantChange {
    TenantChange {
        outcome: Some(outcome),
        ..change
    }
}
