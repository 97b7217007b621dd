//! Messages that the mapping of their source could not read, for the operator.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::PartnerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Actor, PageStart, QuarantinedMessage};

use crate::audit;
use crate::context::AppState;
use crate::http::input::{Input, PathParam, QueryParams, parse_id};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::quarantine::{self, QuarantineText, Replay};

/// Messages of one page, unless another number is requested.
const DEFAULT_LIMIT: u16 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuarantineQuery {
    from: Option<String>,
    /// One message, with its text.
    id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct QuarantineResponse {
    messages: Vec<QuarantineView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct QuarantineView {
    id: String,
    #[serde(flatten)]
    message: QuarantinedMessage,
}

/// One message, or a page of them.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ListResponse {
    Message(QuarantineText),
    Page(QuarantineResponse),
}

/// What became of a message. A discarded one has no members.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum HandleResponse {
    Replayed(Replay),
    Discarded {},
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandleRequest {
    id: String,
    action: QuarantineAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum QuarantineAction {
    Replay,
    Discard,
}

pub(super) async fn list(
    setup: AppState,
    PathParam(partner): PathParam,
    QueryParams(query): QueryParams<QuarantineQuery>,
) -> Result<Response, Problem> {
    let partner: PartnerId = parse_id("partner", partner)?;
    if let Some(id) = query.id {
        let text = quarantine::read(&setup, &partner, &id).await?;
        return Ok(json_response(StatusCode::OK, &ListResponse::Message(text)));
    }
    let from = query.from.map(PageStart::try_from).transpose();
    let from = from.map_err(|problem| Problem::invalid("from", problem))?;
    let stored = &setup.table().quarantine;
    let page = stored.page(&partner, from.as_ref(), DEFAULT_LIMIT).await?;
    let messages = page.entries.into_iter().map(|entry| QuarantineView {
        id: entry.id,
        message: entry.value,
    });
    let response = ListResponse::Page(QuarantineResponse {
        messages: messages.collect(),
        next: page.next.map(String::from),
    });
    Ok(json_response(StatusCode::OK, &response))
}

/// Replays a message with the source's present mapping, or discards it.
pub(super) async fn handle(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    Input(request): Input<HandleRequest>,
) -> Result<Response, Problem> {
    let partner: PartnerId = parse_id("partner", partner)?;
    let detail = [("message", request.id.clone())];
    let (response, what) = match request.action {
        QuarantineAction::Replay => {
            let replay = quarantine::replay(&setup, &partner, &request.id, &invocation).await?;
            (HandleResponse::Replayed(replay), "message_replayed")
        }
        QuarantineAction::Discard => {
            quarantine::discard(&setup, &partner, &request.id, &invocation).await?;
            (HandleResponse::Discarded {}, "message_discarded")
        }
    };
    audit::record(
        &setup,
        &partner,
        (Actor::Operator, what),
        &detail,
        &invocation,
    )
    .await;
    Ok(json_response(StatusCode::OK, &response))
}
