//! Lists a partner's tenants ahead of their first alert.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::wire::tenant_list::{self, TenantList};
use domain::wire::webhook::{InvalidField, TenantEntry};
use domain::{PartnerId, SourceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Actor, ListedTenants};

use crate::audit;
use crate::context::AppState;
use crate::http::input::{LargeInput, PathParam, parse_id, sentence};
use crate::http::problem::Problem;
use crate::http::response::json_response;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantsRequest {
    /// The source whose tenants they are.
    #[schemars(with = "SourceId")]
    source: String,
    #[schemars(with = "Vec<TenantEntry>", length(max = 1000))]
    tenants: Vec<Value>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TenantsResponse {
    listed: usize,
    renamed: usize,
    unchanged: usize,
    /// Tenants beyond the most that a source may have unmapped.
    not_listed: usize,
    rejected: Vec<RejectedEntry>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RejectedEntry {
    field: String,
    problem: String,
}

impl From<InvalidField> for RejectedEntry {
    fn from(invalid: InvalidField) -> Self {
        let InvalidField { field, problem } = invalid;
        Self { field, problem }
    }
}

/// Lists tenants as a list of the source itself does. If the process dies in between, a repeated
/// request lists the rest.
pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    LargeInput(request): LargeInput<TenantsRequest>,
) -> Result<Response, Problem> {
    let partner: PartnerId = parse_id("partner", partner)?;
    if setup.access().partners.get(&partner).await?.value.is_none() {
        let detail = format!("There is no partner {partner}.");
        return Err(Problem::not_found(detail));
    }
    let source: SourceId = parse_id("source", request.source)?;
    let registered = setup.access().sources.get(&source).await?.value;
    let is_of_partner = registered.is_some_and(|registered| {
        let partners = &registered.partners;
        registered.partner.as_ref() == Some(&partner) || partners.contains(&partner)
    });
    if !is_of_partner {
        return Err(Problem::invalid(
            "source",
            "It is no source of this partner.",
        ));
    }
    let invalid = |err: &InvalidField| Problem::invalid(&*err.field, sentence(&err.problem));
    let parsed = tenant_list::parse("tenants", &request.tenants).map_err(|err| invalid(&err))?;
    if let (true, Some(first)) = (parsed.tenants.is_empty(), parsed.rejected.first()) {
        return Err(invalid(first));
    }
    let list = TenantList {
        partner: partner.clone(),
        source,
        received_at: invocation.now(),
        tenants: parsed.tenants,
    };
    let outcome = setup.table().tenants.list_all(&list).await?;
    let ListedTenants {
        listed,
        renamed,
        unchanged,
        not_listed,
    } = outcome;
    if listed + renamed > 0 {
        let action = (Actor::Operator, "tenants_listed");
        let detail = [
            ("source", list.source.to_string()),
            ("listed", listed.to_string()),
            ("renamed", renamed.to_string()),
        ];
        audit::record(&setup, &partner, action, &detail, &invocation).await;
    }
    let response = TenantsResponse {
        listed,
        renamed,
        unchanged,
        not_listed,
        rejected: parsed.rejected.into_iter().map(Into::into).collect(),
    };
    Ok(json_response(StatusCode::OK, &response))
}
