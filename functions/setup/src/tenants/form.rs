//! The queries and the form of the tenants' pages.

use connectwise::RecordCursor;
use domain::{SourceId, TenantId};
use serde::Deserialize;

use crate::http::input::OptionalId;
use crate::tenants::place::{ListPlace, from_query};

/// The list of tenants. One of its rows can be open, to choose a company.
#[derive(Deserialize)]
pub(crate) struct TenantsQuery {
    #[serde(flatten)]
    pub(super) place: ListPlace,
    /// The tenant of the open row.
    pub(super) choose: Option<TenantId>,
    /// The companies that are searched for in the open row.
    pub(super) company: Option<String>,
    pub(super) done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct TenantQuery {
    pub(super) tenant: TenantId,
    pub(super) search: Option<String>,
    pub(super) after: Option<RecordCursor>,
    /// The place of the list that leads here.
    #[serde(default, deserialize_with = "from_query")]
    pub(super) list: ListPlace,
}

#[derive(Deserialize)]
pub(crate) struct TenantForm {
    pub(super) tenant: TenantId,
    #[serde(default)]
    pub(super) company: OptionalId,
    #[serde(default)]
    pub(super) enabled: bool,
    pub(super) version: u64,
    /// The place of the list to return to.
    #[serde(default, deserialize_with = "from_query")]
    pub(super) list: ListPlace,
}

/// A tenant that a person adds ahead of its first alert.
#[derive(Deserialize)]
pub(crate) struct NewTenantForm {
    pub(super) tenant: String,
    pub(super) name: Option<String>,
    pub(super) source: SourceId,
}
