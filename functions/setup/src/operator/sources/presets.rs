//! The presets, for the operator.

use axum::http::StatusCode;
use axum::response::Response;
use domain::source::presets;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::response::json_response;

#[derive(Serialize, JsonSchema)]
pub(crate) struct PresetsResponse {
    presets: Vec<PresetSummary>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PresetSummary {
    name: String,
    version: u32,
    title: String,
    /// Whether the vendor issues the secret.
    has_vendor_secret: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

pub(crate) async fn list() -> Response {
    let presets = presets::all().map(|preset| PresetSummary {
        name: preset.name,
        version: preset.version,
        title: preset.title,
        has_vendor_secret: preset.has_vendor_secret,
        remarks: preset.remarks,
    });
    let presets = presets.collect();
    json_response(StatusCode::OK, &PresetsResponse { presets })
}

/// The newest version of a preset.
pub(crate) async fn get(PathParam(name): PathParam) -> Result<Response, Problem> {
    let preset = presets::latest(&name);
    let missing = || Problem::not_found(format!("There is no preset {name}."));
    Ok(json_response(StatusCode::OK, &preset.ok_or_else(missing)?))
}
