//! What a deletion covers.

use domain::{AlertKey, SourceId, TenantId};

/// What is deleted of a partner's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionScope {
    /// All of it.
    Partner,
    /// What concerns one of its sources.
    Source(SourceId),
    /// What concerns one of its tenants.
    Tenant(TenantId),
    /// One alert.
    Alert(AlertKey),
}
