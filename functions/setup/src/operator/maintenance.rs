//! The maintenance windows of a partner. An RMM can set them with the operator's keys.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::maintenance::window::{MaintenanceWindow, WindowDefinition};
use domain::{PartnerId, WindowId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use store::Actor;

use crate::context::{AppState, Setup};
use crate::http::input::{Input, PathParam, parse_id};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::maintenance::change::{WindowChange, change, new_id, not_found, parse};
use crate::operator::partners::existing;

/// Occurrences that a response names.
const NEXT: usize = 3;

#[derive(Serialize, JsonSchema)]
pub(super) struct WindowsResponse {
    windows: Vec<WindowResponse>,
    /// Windows that cannot be read. They hold no alerts: save them again, or delete them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<WindowId>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct WindowResponse {
    id: WindowId,
    definition: WindowDefinition,
    /// The occurrence that is running, and the following ones.
    next: Vec<OccurrenceResponse>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OccurrenceResponse {
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl WindowResponse {
    fn new(id: &WindowId, window: &MaintenanceWindow, now: Timestamp) -> Self {
        let next = window.next_occurrences(now, NEXT);
        let next = next.iter().map(|of| OccurrenceResponse {
            starts_at: of.starts_at,
            ends_at: of.ends_at,
        });
        Self {
            id: id.clone(),
            definition: window.definition().clone(),
            next: next.collect(),
        }
    }
}

pub(super) async fn list(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (partner, ..) = existing(&setup, partner).await?;
    let windows = setup.table().maintenance.get(&partner).await?.value;
    let now = invocation.now();
    let response = WindowsResponse {
        windows: windows
            .readable()
            .map(|(id, window)| WindowResponse::new(id, window, now))
            .collect(),
        unreadable: windows.unreadable().cloned().collect(),
    };
    Ok(json_response(StatusCode::OK, &response))
}

pub(super) async fn create(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    Input(definition): Input<WindowDefinition>,
) -> Result<Response, Problem> {
    let (partner, ..) = existing(&setup, partner).await?;
    let saved = (new_id()?, parse(definition)?);
    save(&setup, &partner, saved, StatusCode::CREATED, &invocation).await
}

pub(super) async fn get(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(path): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let (partner, id) = of_path(&setup, path).await?;
    let windows = setup.table().maintenance.get(&partner).await?.value;
    let window = windows.get(&id).ok_or_else(|| not_found(&id))?;
    let response = WindowResponse::new(&id, window, invocation.now());
    Ok(json_response(StatusCode::OK, &response))
}

pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(path): PathParam<(String, String)>,
    Input(definition): Input<WindowDefinition>,
) -> Result<Response, Problem> {
    let (partner, id) = of_path(&setup, path).await?;
    let saved = (id, parse(definition)?);
    save(&setup, &partner, saved, StatusCode::OK, &invocation).await
}

pub(super) async fn end(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(path): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let (partner, id) = of_path(&setup, path).await?;
    let ended = (&id, &WindowChange::End);
    change(&setup, &partner, Actor::Operator, ended, &invocation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn delete(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(path): PathParam<(String, String)>,
) -> Result<Response, Problem> {
    let (partner, id) = of_path(&setup, path).await?;
    let deleted = (&id, &WindowChange::Delete);
    change(&setup, &partner, Actor::Operator, deleted, &invocation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn of_path(
    setup: &Setup,
    (partner, window): (String, String),
) -> Result<(PartnerId, WindowId), Problem> {
    let id = parse_id("window", window)?;
    let (partner, ..) = existing(setup, partner).await?;
    Ok((partner, id))
}

async fn save(
    setup: &Setup,
    partner: &PartnerId,
    (id, window): (WindowId, MaintenanceWindow),
    status: StatusCode,
    invocation: &Invocation,
) -> Result<Response, Problem> {
    let response = WindowResponse::new(&id, &window, invocation.now());
    let saved = WindowChange::Save(Box::new(window));
    change(setup, partner, Actor::Operator, (&id, &saved), invocation).await?;
    Ok(json_response(status, &response))
}
