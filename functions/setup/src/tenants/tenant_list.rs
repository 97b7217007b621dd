//! All tenants of a partner. A page needs them all: to sort them by name, to search and to count.

use std::sync::Arc;

use domain::PartnerId;
use jiff::Timestamp;

use crate::context::Setup;
use crate::tenants::cache::{ListVersion, TenantList};

/// How long a list is used at most, in seconds: a process may die between a change and its count.
const MAX_AGE: i64 = 300;

/// The partner's tenants as they are stored now. The query that reads 5,000 takes some tenths of a
/// second, so a list is used again until a tenant has changed.
pub(super) async fn read_tenant_list(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<Arc<TenantList>, store::Error> {
    let (tenants, cache) = (&setup.table().tenants, &setup.tenant_lists);
    let period = now.as_second().div_euclid(MAX_AGE);
    let changes = tenants.list_version(partner).await?;
    let version = ListVersion { changes, period };
    if let Some(list) = cache.get(partner, &version) {
        return Ok(list);
    }
    let list = Arc::new(tenants.list(partner).await?);
    // Otherwise a tenant has changed meanwhile, and the list may lack that change.
    if tenants.list_version(partner).await? == changes {
        cache.put(partner, version, &list);
    }
    Ok(list)
}
