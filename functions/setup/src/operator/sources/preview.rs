//! Tries a mapping on samples. Nothing is stored, and nothing becomes a ticket.

use aws::invocation::Invocation;
use aws::secrets::SourceDocument;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::source::mapping::EventMapping;
use domain::source::mapping::preview::{SampleResult, preview, resolves_what_was_raised};
use domain::source::presets::SourceFormat;
use domain::wire::webhook::SourcePolicy;
use domain::{PartnerId, SourceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::sources::request::{KindRequest, parse_kinds};
use crate::sources::format::FormatRequest;
use crate::sources::samples::MAX_SAMPLE;

/// Most samples of a request.
const MAX_SAMPLES: usize = 5;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    preset: Option<String>,
    preset_version: Option<u32>,
    #[schemars(with = "Option<EventMapping>")]
    mapping: Option<Value>,
    kinds_added: Option<Vec<KindRequest>>,
    /// Bodies as the source posts them.
    #[schemars(length(min = 1, max = 5))]
    samples: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PreviewResponse {
    results: Vec<SampleResult>,
    /// Whether a resolve among the samples belongs to an alert that another sample raises.
    resolves_what_was_raised: bool,
}

pub(crate) async fn show(
    Extension(invocation): Extension<Invocation>,
    Input(request): Input<PreviewRequest>,
) -> Result<Response, Problem> {
    let samples = request.samples;
    if samples.is_empty() || samples.len() > MAX_SAMPLES {
        return Err(Problem::invalid("samples", "Send 1 to 5 samples."));
    }
    if let Some(n) = samples.iter().position(|sample| sample.len() > MAX_SAMPLE) {
        return Err(Problem::invalid(
            format!("samples[{n}]"),
            "A sample has at most 64 KiB.",
        ));
    }
    // Kinds and tenants of a sample are read for any partner.
    let partner = PartnerId::parse("preview").map_err(|err| Problem::refused(err.to_string()))?;
    let mut document = SourceDocument {
        partner: Some(partner.clone()),
        kinds_added: parse_kinds(request.kinds_added.unwrap_or_default())?,
        ..SourceDocument::default()
    };
    let format = FormatRequest {
        preset: request.preset,
        preset_version: request.preset_version,
        mapping: request.mapping,
        ..FormatRequest::default()
    };
    format.apply(&mut document)?;
    let SourceFormat::Mapped(mapping) = &document.format else {
        return Err(Problem::invalid(
            "mapping",
            "Send a mapping, or a preset that has one.",
        ));
    };
    let policy = SourcePolicy {
        source: SourceId::for_test_alerts(),
        partners: vec![partner],
        kinds_added: document.kinds_added.clone(),
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    };
    let now = invocation.now();
    let results = samples
        .iter()
        .map(|sample| preview(sample.as_bytes(), mapping, &policy, now));
    let results: Vec<_> = results.collect();
    let response = PreviewResponse {
        resolves_what_was_raised: resolves_what_was_raised(&results),
        results,
    };
    Ok(json_response(StatusCode::OK, &response))
}
