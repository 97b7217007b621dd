//! Which alerts snapshots and expiry resolve, before and after the guard against mass closing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::TenantId;
use crate::alert::key::ItemKey;
use crate::alert::resolution::Resolution;
use crate::closing::alert_set::AlertSet;
use crate::closing::census_entry::Scope;
use crate::closing::proposal::Proposal;
use crate::closing::snapshot::{SnapshotMatches as InSnapshots, Snapshots};

/// The snapshots of one scope and the active alerts that they list.
#[derive(Debug, Default)]
pub struct ScopeSnapshots {
    pub snapshots: Snapshots,
    pub found: InSnapshots,
}

/// The alerts that snapshots and expiry resolve, before the guard against mass closing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolvedAlerts {
    pub(super) resolved: HashMap<ItemKey, Resolution>,
    /// How many alerts of each scope stay active because only a similar id is listed.
    pub(super) similar: BTreeMap<u32, usize>,
    pub(super) next: Option<Timestamp>,
}

/// The closings of one tenant that the guard holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// How many alerts would be resolved.
    pub closings: u32,
    /// How many are open.
    pub open: u32,
    /// The alerts that an approval covers.
    pub alerts: AlertSet,
}

/// The resolved alerts, after the guard.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolutionPlan {
    /// The alerts to resolve.
    pub proposals: Vec<Proposal>,
    /// Tenants that would lose too many alerts. None of their alerts is in `proposals`.
    pub held: BTreeMap<TenantId, Hold>,
    /// Tenants whose mass closing a person approved.
    pub approved: BTreeSet<TenantId>,
    /// How many alerts of each scope stay active because a snapshot lists a similar id but not
    /// theirs.
    pub similar: BTreeMap<Scope, usize>,
    /// When the next alert expires.
    pub next: Option<Timestamp>,
}
