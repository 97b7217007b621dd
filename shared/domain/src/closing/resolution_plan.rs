//! x

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::TenantId;
use crate::alert::key::ItemKey;
use crate::alert::resolution::Resolution;
use crate::closing::alert_set::AlertSet;
use crate::closing::census_entry::Scope;
use crate::closing::proposal::Proposal;
use crate::closing::snapshot::{SnapshotMatches as InSnapshots, Snapshots};

/// What the snapshots of one scope show, as far as it concerns active alerts.
#[derive(Debug, Default)]
pub struct ScopeSnapshots {
    /// The snapshots that count.
    pub snapshots: Snapshots,
    /// Which active alerts they list.
    pub found: InSnapshots,
}

/// What snapshots and expiry show to be gone, before the guard against mass closing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolvedAlerts {
    pub(super) resolved: HashMap<ItemKey, Resolution>,
    /// By the numbers of their scopes.
    pub(super) similar: BTreeMap<u32, usize>,
    pub(super) next: Option<Timestamp>,
}

/// The closings of one tenant that are too many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// How many alerts would count as resolved.
    pub closings: u32,
    /// Of how many.
    pub open: u32,
    /// Which ones an approval lets go.
    pub alerts: AlertSet,
}

/// What is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolutionPlan {
    /// Alerts that may be taken for gone.
    pub proposals: Vec<Proposal>,
    /// Tenants that would lose too many alerts: none of theirs is among the proposals.
    pub held: BTreeMap<TenantId, Hold>,
    /// Tenants of which too many are, and a person let them through.
    pub approved: BTreeSet<TenantId>,
    /// How many alerts of each scope are left as they are because a snapshot lists a similar id and not theirs.
    pub similar: BTreeMap<Scope, usize>,
    /// When the next alert ends by itself.
    pub next: Option<Timestamp>,
}
