//! What was read last for each of a few partners, in the memory of this process.

use std::sync::{Arc, Mutex, PoisonError};

use domain::setup::company_index::CompanyIndex;
use domain::setup::mapping::Mapping;
use domain::{PartnerId, TenantId};
use store::ListEntry;

/// Partners whose values are kept: some megabytes each.
const MAX_CACHED: usize = 4;

/// The companies that were read last, by the version of their scan. A scan that has ended is not
/// changed any more, so a list with its version is exact.
pub(crate) type CompanyListCache = PartnerCache<u64, CompanyIndex>;

/// The tenants with their mappings and versions, in the order of their ids.
pub(crate) type TenantList = Vec<ListEntry<TenantId, Mapping>>;

/// The tenants that were read last.
pub(crate) type TenantListCache = PartnerCache<ListVersion, TenantList>;

/// What a list is exact for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListVersion {
    pub(super) changes: u64,
    /// The period in which it was read. A list of an earlier period is read again.
    pub(super) period: i64,
}

/// The last value of some partners, each with the version `V` that it was read at.
#[derive(Debug)]
pub(crate) struct PartnerCache<V, T>(Mutex<Vec<CachedValue<V, T>>>);

#[derive(Debug)]
struct CachedValue<V, T> {
    partner: PartnerId,
    version: V,
    value: Arc<T>,
}

impl<V, T> Default for PartnerCache<V, T> {
    fn default() -> Self {
        Self(Mutex::new(vec![]))
    }
}

impl<V: PartialEq, T> PartnerCache<V, T> {
    /// The value, if it was read at this version.
    pub(super) fn get(&self, partner: &PartnerId, version: &V) -> Option<Arc<T>> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = values.iter();
        let found = values.find(|of| of.partner == *partner && of.version == *version);
        found.map(|of| Arc::clone(&of.value))
    }

    pub(super) fn put(&self, partner: &PartnerId, version: V, value: &Arc<T>) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|of| of.partner != *partner);
        values.truncate(MAX_CACHED - 1);
        let cached = CachedValue {
            partner: partner.clone(),
            version,
            value: Arc::clone(value),
        };
        values.insert(0, cached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_last_partners_stay_in_memory() {
        let cache = PartnerCache::default();
        let partner = |n: u64| PartnerId::parse(format!("partner-{n}")).unwrap();
        for n in 0..6 {
            cache.put(&partner(n), n, &Arc::new(n));
        }
        cache.put(&partner(5), 7, &Arc::new(7));
        let kept: Vec<_> = (0..6)
            .filter(|n| cache.get(&partner(*n), n).is_some())
            .collect();
        assert_eq!(kept, [2, 3, 4]);
        assert_eq!(cache.get(&partner(5), &7), Some(Arc::new(7)));
    }
}
