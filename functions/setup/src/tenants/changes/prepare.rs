//! Prepares changes of many tenants. Nothing is changed until a person has confirmed them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws::invocation::Invocation;
use domain::PartnerId;
use domain::setup::company_index::CompanyIndex;
use domain::setup::tenant_changes::{
    ChangeOrigin, LineError, MAX_LINE_ERRORS, TenantChange, TenantChanges,
};

use crate::context::Setup;
use crate::http::problem::{Problem, saved_version};
use crate::tenants::company_list::read_companies;
use crate::tenants::csv_file;
use crate::tenants::row::StoredTenant;
use crate::tenants::tenant_list::read_tenant_list;

/// The partner's tenants, and the companies that they can be mapped to.
pub(super) struct Tenants {
    epoch: u32,
    companies: Arc<CompanyIndex>,
    stored: Vec<StoredTenant>,
}

/// # Errors
/// Also when the companies were not read yet.
pub(super) async fn read_tenants(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<Tenants, Problem> {
    let (entries, connection, companies) = tokio::join!(
        read_tenant_list(setup, partner, invocation.now()),
        setup.access().connections.get(partner),
        read_companies(setup, partner),
    );
    let connection = connection?
        .value
        .ok_or_else(|| Problem::refused("Nothing is connected yet: connect ConnectWise first."))?;
    let epoch = connection.epoch;
    let companies = companies?.of_epoch(Some(epoch));
    let companies = companies.index.ok_or_else(|| {
        Problem::refused(
            "Read the companies first: press \"Suggest companies by name\" on \"Tenants\".",
        )
    })?;
    let entries = entries?;
    let stored = entries.iter().map(|of| StoredTenant::of(of, Some(epoch)));
    Ok(Tenants {
        epoch,
        companies,
        stored: stored.collect(),
    })
}

/// Prepares to map each unmapped tenant whose name is that of exactly one usable company.
pub(super) async fn exact_matches(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let tenants = read_tenants(setup, partner, invocation).await?;
    let unmapped = tenants
        .stored
        .iter()
        .filter(|of| of.mapping.company.is_none());
    let changes = unmapped.filter_map(|of| {
        let company = tenants.companies.exact(of.mapping.title(&of.id))?;
        Some(TenantChange {
            tenant: of.id.clone(),
            name: of.mapping.name.clone(),
            version: of.version,
            company: company.id,
            company_name: company.name.clone(),
            enabled: of.on_after_choice,
            outcome: None,
        })
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return Err(Problem::refused(
            "No tenant that is not mapped has the name of exactly one active company.",
        ));
    }
    let prepared = Prepared {
        origin: ChangeOrigin::ExactMatches,
        epoch: tenants.epoch,
        changes,
        unchanged: 0,
        errors: vec![],
    };
    save(setup, partner, prepared, invocation).await
}

/// Prepares the changes that a CSV file asks for.
pub(super) async fn of_file(
    setup: &Setup,
    partner: &PartnerId,
    file: &[u8],
    invocation: &Invocation,
) -> Result<(), Problem> {
    let tenants = read_tenants(setup, partner, invocation).await?;
    let stored: HashMap<_, _> = tenants
        .stored
        .into_iter()
        .map(|of| (of.id.clone(), of))
        .collect();
    let read = csv_file::read(file, &stored, &tenants.companies);
    let read = read.map_err(|err| Problem::invalid("file", err.to_string()))?;
    let prepared = Prepared {
        origin: ChangeOrigin::Csv,
        epoch: tenants.epoch,
        changes: read.changes,
        unchanged: read.unchanged,
        errors: read.errors,
    };
    save(setup, partner, prepared, invocation).await
}

struct Prepared {
    origin: ChangeOrigin,
    epoch: u32,
    changes: Vec<TenantChange>,
    unchanged: usize,
    errors: Vec<LineError>,
}

/// Stores the changes in the place of earlier ones. If the process dies in between, the earlier ones
/// may be unreadable; they are then prepared again.
async fn save(
    setup: &Setup,
    partner: &PartnerId,
    mut prepared: Prepared,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let (store, now) = (&setup.table().tenant_changes, invocation.now());
    let earlier = store.get(partner).await?;
    if earlier.value.is_some_and(|of| of.is_running()) {
        return Err(Problem::refused(
            "Earlier changes of tenants are not finished. Continue or stop them first.",
        ));
    }
    prepared
        .changes
        .sort_by_cached_key(|of| (of.title().to_lowercase(), of.tenant.clone()));
    let parts = store.put_all(partner, now, &prepared.changes).await?;
    let changes = TenantChanges {
        origin: prepared.origin,
        prepared_at: now,
        epoch: prepared.epoch,
        parts,
        changes: prepared.changes.len(),
        unchanged: prepared.unchanged,
        invalid: prepared.errors.len(),
        errors: prepared.errors.into_iter().take(MAX_LINE_ERRORS).collect(),
        left_out: BTreeSet::new(),
        confirmed_at: None,
        next: 0,
        applied: 0,
        refused: 0,
        finished_at: None,
    };
    let saved = store.save(partner, &changes, earlier.version).await?;
    saved_version(saved).map(drop)
}
