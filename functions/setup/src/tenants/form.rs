//! The queries and the form of the tenants' pages.

use connectwise::RecordCursor;
use domain::{SourceId, TenantId};
use serde::Deserialize;
use store::PageStart;

use crate::http::input::OptionalId;

#[derive(Deserialize)]
pub(crate) struct TenantsQuery {
    pub(super) from: Option<PageStart>,
    pub(super) done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct TenantQuery {
    pub(super) tenant: TenantId,
    pub(super) search: Option<String>,
    pub(super) after: Option<RecordCursor>,
}

#[derive(Deserialize)]
pub(crate) struct TenantForm {
    pub(super) tenant: TenantId,
    #[serde(default)]
    pub(super) company: OptionalId,
    #[serde(default)]
    pub(super) enabled: bool,
    pub(super) version: u64,
}

/// A tenant that a person adds ahead of its first alert.
#[derive(Deserialize)]
pub(crate) struct NewTenantForm {
    pub(super) tenant: String,
    pub(super) name: Option<String>,
    pub(super) source: SourceId,
}
