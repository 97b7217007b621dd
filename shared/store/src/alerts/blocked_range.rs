//! Positions and ranges in the list of a partner's blocked records. The list has several shards; each
//! is sorted by tenant and then by time.

use domain::TenantId;
use domain::alert::key::SHARDS;
use serde::{Deserialize, Serialize};

/// A position after one record of the list. The record need not be in the list any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedCursor {
    pub(super) shard: u8,
    pub(super) tenant_since: String,
    /// Many records may have the same tenant and time.
    pub(super) pk: String,
}

/// A range of the list: a whole shard, or the part of a shard on one side of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedRange {
    pub(super) shard: u8,
    pub(super) extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    After(BlockedCursor),
    /// Up to this `tenant_since`, included.
    UpTo(String),
    /// The records of a tenant, and of any other whose id continues after a `#`.
    Tenant(TenantId),
}

impl BlockedRange {
    /// The ranges of the whole list, starting after a position and ending at it. Records with the
    /// tenant and time of the position may be in two ranges.
    #[must_use]
    pub fn all_from(start: Option<&BlockedCursor>) -> Vec<Self> {
        let whole = |shard| Self {
            shard,
            extent: Extent::Whole,
        };
        let Some(start) = start else {
            return (0..SHARDS).map(whole).collect();
        };
        let shard = start.shard;
        let first = Self {
            shard,
            extent: Extent::After(start.clone()),
        };
        let last = Self {
            shard,
            extent: Extent::UpTo(start.tenant_since.clone()),
        };
        let between = (1..SHARDS).map(|step| whole((shard + step) % SHARDS));
        [first].into_iter().chain(between).chain([last]).collect()
    }

    /// The ranges with the records of a tenant. Compare the tenant of what they list: the id of
    /// another one may continue after a `#`.
    #[must_use]
    pub fn of_tenant(tenant: &TenantId) -> Vec<Self> {
        let range = |shard| Self {
            shard,
            extent: Extent::Tenant(tenant.clone()),
        };
        (0..SHARDS).map(range).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(start: Option<&BlockedCursor>) -> Vec<(u8, Extent)> {
        let ranges = BlockedRange::all_from(start).into_iter();
        ranges.map(|range| (range.shard, range.extent)).collect()
    }

    #[test]
    fn the_ranges_cover_the_list_and_end_where_they_start() {
        let whole = [0, 1, 2, 3].map(|shard| (shard, Extent::Whole));
        assert_eq!(extents(None), whole);
        let tenant_since = "contoso#2026-11-22T07:30:00.000Z".to_owned();
        let start = BlockedCursor {
            shard: 2,
            tenant_since: tenant_since.clone(),
            pk: "0-1".to_owned(),
        };
        assert_eq!(
            extents(Some(&start)),
            [
                (2, Extent::After(start.clone())),
                (3, Extent::Whole),
                (0, Extent::Whole),
                (1, Extent::Whole),
                (2, Extent::UpTo(tenant_since)),
            ]
        );
    }
}
