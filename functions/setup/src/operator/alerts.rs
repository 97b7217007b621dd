//! Finds alerts, and shows the timeline of one, for the operator. It only reads.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::alert::event::Severity;
use domain::{AlertId, Kind, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use store::TimeCursor;

use crate::activity::alert_page::AlertPageView;
use crate::activity::filter::ActivityFilter;
use crate::activity::reader::{self, FoundAlert};
use crate::activity::state::StateView;
use crate::activity::view::ticket_address;
use crate::context::AppState;
use crate::http::input::{PathParam, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::partners::existing;
use crate::partner_names::PartnerNames;

#[derive(Serialize, JsonSchema)]
pub(super) struct AlertsResponse {
    /// The newest first.
    alerts: Vec<AlertResponse>,
    /// Where the next page starts. A page may have fewer alerts than there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    next: Option<TimeCursor>,
    /// How far back this page searched, if it is not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_back_to: Option<Timestamp>,
}

/// An alert in a list.
#[derive(Serialize, JsonSchema)]
struct AlertResponse {
    /// Identifies the alert in this API.
    id: String,
    partner: PartnerId,
    tenant: TenantId,
    tenant_name: String,
    source: SourceId,
    /// The alert's id as the source sends it.
    alert_id: AlertId,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// When the last raise was received. The list is in this order.
    received_at: Timestamp,
    #[serde(flatten)]
    state: StateView,
    /// The ticket's address in ConnectWise.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_address: Option<String>,
}

/// One alert with its timeline.
#[derive(Serialize, JsonSchema)]
pub(super) struct AlertTimelineResponse {
    partner: PartnerId,
    #[serde(flatten)]
    alert: AlertPageView,
}

impl AlertResponse {
    fn new(found: FoundAlert, names: &PartnerNames) -> Self {
        let FoundAlert { listed, record } = found;
        let state = StateView::of(&record);
        let details = record.desired.details.as_ref();
        Self {
            id: listed.pk,
            partner: record.key.partner,
            tenant_name: names.tenant(&record.key.tenant),
            tenant: record.key.tenant,
            source: record.key.source,
            alert_id: record.key.alert_id,
            title: listed.summary.title,
            device: listed.summary.device,
            kind: listed.summary.kind,
            severity: details.map(|details| details.severity),
            received_at: listed.listed_at,
            ticket_address: ticket_address(&state, names),
            state,
        }
    }
}

pub(super) async fn list(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    QueryParams(filter): QueryParams<ActivityFilter>,
) -> Result<Response, Problem> {
    let (partner, ..) = existing(&setup, partner).await?;
    let names = reader::names(&setup, &partner, invocation.now()).await?;
    let found = reader::find(&setup, &partner, &filter, filter.tenant_id()?.as_ref()).await?;
    let alerts = found.alerts.into_iter();
    let response = AlertsResponse {
        alerts: alerts
            .map(|alert| AlertResponse::new(alert, &names))
            .collect(),
        next: found.next,
        looked_back_to: found.looked_back_to,
    };
    Ok(json_response(StatusCode::OK, &response))
}

pub(super) async fn get(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(alert): PathParam,
) -> Result<Response, Problem> {
    let record = reader::any_record(&setup, &alert).await?;
    let view = reader::view_of(&setup, &alert, &record, invocation.now()).await?;
    let response = AlertTimelineResponse {
        partner: record.key.partner,
        alert: view,
    };
    Ok(json_response(StatusCode::OK, &response))
}
