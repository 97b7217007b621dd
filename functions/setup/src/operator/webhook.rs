//! The outgoing webhook of a source, and the log of its deliveries.

use aws::invocation::Invocation;
use aws::secrets::OutgoingWebhook;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::SourceId;
use domain::outgoing::cloud_event::{OutgoingCloudEvent, OutgoingType};
use domain::outgoing::format::WebhookFormat;
use jiff::Timestamp;
use public_http::ReceiverUrl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Attempt, Delivery, DeliveryState, RegisteredSource, Versioned};

use crate::context::{AppState, Setup};
use crate::http::input::{Input, PathParam, QueryParams, parse_id};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::input::ListQuery;
use crate::sources::change::conflict;
use crate::sources::manage::{self, stored_document};
use crate::sources::webhook::{self, ChangedWebhook, WebhookEdit, missing};

/// Deliveries that one request replays.
const MAX_REPLAYED: u16 = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookRequest {
    /// The receiver's whole address, which begins with `https://`. That of an Alertmanager is without
    /// `/api/v2`.
    #[schemars(length(min = 1, max = 1000))]
    url: String,
    /// In which form the receiver gets events. Absent: as before, at first `cloud_events`.
    format: Option<WebhookFormat>,
    /// Whether the source gets the actions that technicians ask for by a ticket's status. Absent: as
    /// before, at first only if the format is `alertmanager`.
    takes_actions: Option<bool>,
    /// The value of the header `authorization` that an Alertmanager or its proxy expects, such as
    /// `Bearer TOKEN`. An empty text removes it. Absent: as before.
    #[schemars(length(max = 4096))]
    authorization: Option<String>,
    /// The source's version. Absent: any.
    version: Option<u64>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookSecretRequest {
    /// The source's version. A request that is repeated is a conflict then, and ends no secret.
    version: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct WebhookResponse {
    url: String,
    format: WebhookFormat,
    /// Whether the source gets the actions that technicians ask for by a ticket's status.
    takes_actions: bool,
    /// Whether requests have an authorization. It is never shown.
    has_authorization: bool,
    /// When each signing secret expires, newest first; `null` for one that does not expire. An
    /// Alertmanager has none.
    secrets_until: Vec<Option<Timestamp>>,
    /// The source's version.
    version: u64,
    /// The new signing secret. Only the response to the request that made it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// How long the secret before still signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_until: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PingResponse {
    /// The id of the test delivery, as the log shows it.
    delivery: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    state: DeliveryState,
    from: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DeliveriesResponse {
    deliveries: Vec<DeliveryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One delivery in the log.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeliveryView {
    id: String,
    #[serde(rename = "type")]
    kind: OutgoingType,
    state: DeliveryState,
    /// The alert's key. A test delivery has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_key: Option<String>,
    stored_at: Timestamp,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<Attempt>,
}

/// Either one delivery, or all failed ones since a time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// The id of a delivery that was delivered or has failed.
    delivery: Option<String>,
    /// Replays the failed deliveries of events since this time.
    failed_since: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ReplayResponse {
    replayed: usize,
    /// Whether there are more than one request replays. Then repeat it.
    has_more: bool,
}

pub(super) async fn get(
    setup: AppState,
    PathParam(source): PathParam,
) -> Result<Response, Problem> {
    let (id, found) = existing(&setup, source, None).await?;
    let document = stored_document(&setup, &id).await?;
    let webhook = document.and_then(|document| document.webhook);
    let webhook = webhook.ok_or_else(missing)?;
    let response = view(&webhook, found.version);
    Ok(json_response(StatusCode::OK, &response))
}

/// Sets address and format. Only the response that makes a secret has it.
pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(request): Input<WebhookRequest>,
) -> Result<Response, Problem> {
    let found = existing(&setup, source, request.version).await?;
    let url = ReceiverUrl::parse(&request.url, &setup.webhook_origins);
    let url = url.map_err(|err| Problem::invalid("url", format!("The address {err}.")))?;
    let edit = WebhookEdit {
        url,
        format: request.format,
        takes_actions: request.takes_actions,
        authorization: request.authorization,
    };
    changed_response(webhook::put(&setup, found, edit, &invocation).await?)
}

pub(super) async fn rotate(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(request): Input<WebhookSecretRequest>,
) -> Result<Response, Problem> {
    let found = existing(&setup, source, request.version).await?;
    changed_response(webhook::rotate(&setup, found, &invocation).await?)
}

pub(super) async fn delete(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
) -> Result<Response, Problem> {
    let found = existing(&setup, source, None).await?;
    webhook::remove(&setup, found, &invocation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Queues a test delivery. The next tick delivers it, within a minute. If the process dies in
/// between, the log has a delivery that is never made; a repetition makes another.
pub(super) async fn ping(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
) -> Result<Response, Problem> {
    let (id, found) = existing(&setup, source, None).await?;
    let document = stored_document(&setup, &id).await?;
    document
        .and_then(|document| document.webhook)
        .ok_or_else(missing)?;
    let now = invocation.now();
    let event = OutgoingCloudEvent::ping(&id, now);
    let delivery = Delivery::new(&id, None, &event, now);
    setup.deliveries.add(&delivery).await?;
    setup
        .deliveries
        .schedule(&id, delivery.queue(), now)
        .await?;
    let (of, tested) = ((&id, &found.value), ("delivery", delivery.id.clone()));
    webhook::record_action(&setup, of, "source_webhook_tested", tested, &invocation).await;
    let response = PingResponse {
        delivery: delivery.id,
    };
    Ok(json_response(StatusCode::ACCEPTED, &response))
}

pub(super) async fn list_deliveries(
    setup: AppState,
    PathParam(source): PathParam,
    QueryParams(query): QueryParams<DeliveriesQuery>,
) -> Result<Response, Problem> {
    let (id, _) = existing(&setup, source, None).await?;
    let DeliveriesQuery { state, from, limit } = query;
    let (from, limit) = ListQuery::new(from, limit).parse()?;
    let page = setup.deliveries.page(&id, state, from.as_ref(), limit);
    let page = page.await?;
    let response = DeliveriesResponse {
        deliveries: page.entries.into_iter().map(DeliveryView::from).collect(),
        next: page.next.map(String::from),
    };
    Ok(json_response(StatusCode::OK, &response))
}

/// Makes deliveries pending again. If the process dies in between, the rest is replayed by a
/// repetition.
pub(super) async fn replay(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(request): Input<ReplayRequest>,
) -> Result<Response, Problem> {
    let (id, found) = existing(&setup, source, None).await?;
    let now = invocation.now();
    let (deliveries, has_more) = match (request.delivery, request.failed_since) {
        (Some(delivery), None) => {
            let stored = setup.deliveries.get(&delivery).await?;
            let stored = stored.filter(|stored| stored.source == id);
            let missing = || Problem::not_found("The source has no such delivery.");
            (vec![stored.ok_or_else(missing)?], false)
        }
        (None, Some(since)) => {
            let failed = DeliveryState::Failed;
            setup
                .deliveries
                .since(&id, failed, since, MAX_REPLAYED)
                .await?
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::invalid(
                "delivery",
                "Send either a \"delivery\" or \"failed_since\".",
            ));
        }
    };
    let mut replayed = 0;
    for delivery in &deliveries {
        replayed += usize::from(setup.deliveries.replay(delivery, now).await?);
        // Also for one that is pending already: the process may have died after it.
        setup
            .deliveries
            .schedule(&id, delivery.queue(), now)
            .await?;
    }
    let (of, count) = ((&id, &found.value), ("deliveries", replayed.to_string()));
    webhook::record_action(&setup, of, "deliveries_replayed", count, &invocation).await;
    let response = ReplayResponse { replayed, has_more };
    Ok(json_response(StatusCode::OK, &response))
}

async fn existing(
    setup: &Setup,
    source: String,
    version: Option<u64>,
) -> Result<(SourceId, Versioned<RegisteredSource>), Problem> {
    let found = manage::existing(setup, parse_id("source", source)?).await?;
    match version {
        Some(expected) if expected != found.1.version => Err(conflict()),
        Some(_) | None => Ok(found),
    }
}

fn changed_response(changed: ChangedWebhook) -> Result<Response, Problem> {
    let ChangedWebhook {
        changed,
        secret,
        old_until,
    } = changed;
    let webhook = changed.document.webhook.as_ref().ok_or_else(missing)?;
    let response = WebhookResponse {
        secret: secret.map(|secret| secret.expose().to_owned()),
        old_until,
        ..view(webhook, changed.source.version)
    };
    Ok(json_response(StatusCode::OK, &response))
}

fn view(webhook: &OutgoingWebhook, version: u64) -> WebhookResponse {
    let secrets = webhook.secrets.iter();
    WebhookResponse {
        url: webhook.url.clone(),
        format: webhook.format,
        takes_actions: webhook.takes_actions,
        has_authorization: webhook.authorization.is_some(),
        secrets_until: secrets.map(|secret| secret.not_after).collect(),
        version,
        secret: None,
        old_until: None,
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            kind: delivery.kind,
            state: delivery.state,
            alert_key: delivery.key.map(|key| key.item_key()),
            stored_at: delivery.stored_at,
            attempts: delivery.attempts,
            last_attempt: delivery.last_attempt,
        }
    }
}
