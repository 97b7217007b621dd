//! A webhook of the source: the receiver as an HTTP server, and the function `deliveries`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::secrets::{OutgoingWebhook, SourceDocument, SourceSecret};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use deliveries::DeliveriesHandler;
use domain::outgoing::format::WebhookFormat;
use domain::{Secret, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Deliveries, Delivery, DeliveryState};
use webhook_signature::{SignatureHeaders, SignedRequest, SigningKey};

use super::fixtures::{SOURCE, source_document};
use super::queue::Queue;
use super::{TestEnvironment, minute};

/// What the receiver verifies with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An answer that the receiver gives instead of 204.
#[derive(Debug, Clone)]
pub(crate) struct ReceiverAnswer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'static str>,
    pub(crate) body: &'static str,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    headers: HeaderMap,
    body: Bytes,
    /// How it was answered.
    pub(crate) status: u16,
}

#[derive(Default)]
struct Receiving {
    received: Vec<Received>,
    /// The next answers.
    answers: VecDeque<ReceiverAnswer>,
    /// The answer when there is no next one.
    always: Option<ReceiverAnswer>,
    /// Alerts whose events are answered with 400.
    refused: Vec<String>,
    delay: Duration,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) origin: String,
    state: Arc<Mutex<Receiving>>,
}

impl Receiver {
    async fn start() -> Self {
        let state = Arc::new(Mutex::new(Receiving::default()));
        let app = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { origin, state }
    }

    /// Answers the next requests like this, one after the other.
    pub(crate) fn answer_next(&self, answers: &[ReceiverAnswer]) {
        let mut state = self.state.lock().unwrap();
        state.answers.extend(answers.iter().cloned());
    }

    /// Answers with this status from now on. `None` is 204.
    pub(crate) fn answer_always(&self, status: Option<u16>) {
        let answer = |status| ReceiverAnswer {
            status,
            retry_after: None,
            body: "",
        };
        self.state.lock().unwrap().always = status.map(answer);
    }

    /// Answers with this body to everything that it confirms from now on.
    pub(crate) fn confirm_with(&self, body: &'static str) {
        self.state.lock().unwrap().always = Some(ReceiverAnswer {
            status: 200,
            retry_after: None,
            body,
        });
    }

    /// Answers 400 to the events of this alert.
    pub(crate) fn refuse(&self, alert: &str) {
        self.state.lock().unwrap().refused.push(alert.to_owned());
    }

    pub(crate) fn accept_all(&self) {
        self.state.lock().unwrap().refused.clear();
    }

    /// Answers after this time.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// What it confirmed, a line an event: the alert and the type.
    pub(crate) fn confirmed(&self) -> Vec<String> {
        let received = self.received().into_iter();
        let confirmed = received.filter(|received| received.status < 300);
        confirmed.map(|received| received.line()).collect()
    }

    /// What it confirmed of one alert.
    pub(crate) fn confirmed_of(&self, alert: &str) -> Vec<String> {
        let prefix = format!("{alert} ");
        let lines = self.confirmed().into_iter();
        let of = lines.filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned));
        of.collect()
    }
}

impl Received {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn line(&self) -> String {
        let event = self.event();
        let subject = event["subject"].as_str().unwrap_or_default();
        format!("{subject} {}", event["type"].as_str().unwrap())
    }

    /// Whether it is signed with this secret.
    pub(crate) fn is_signed_with(&self, secret: &str, now: Timestamp) -> bool {
        let headers = SignatureHeaders {
            id: self.header("webhook-id"),
            timestamp: self.header("webhook-timestamp"),
            signature: self.header("webhook-signature"),
        };
        let signed = SignedRequest::read(headers, now).unwrap();
        signed.matches(&[SigningKey::parse(secret).unwrap()], &self.body)
    }
}

async fn receive(
    State(state): State<Arc<Mutex<Receiving>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (answer, delay) = {
        let mut state = state.lock().unwrap();
        let event: Value = serde_json::from_slice(&body).unwrap();
        let is_refused = |alert: &String| event["subject"] == **alert;
        let refused = ReceiverAnswer {
            status: 400,
            retry_after: None,
            body: "",
        };
        let answer = if state.refused.iter().any(is_refused) {
            Some(refused)
        } else {
            let next = state.answers.pop_front();
            next.or_else(|| state.always.clone())
        };
        let status = answer.as_ref().map_or(204, |answer| answer.status);
        state.received.push(Received {
            headers,
            body,
            status,
        });
        (answer, state.delay)
    };
    tokio::time::sleep(delay).await;
    let Some(answer) = answer else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let status = StatusCode::from_u16(answer.status).unwrap();
    match answer.retry_after {
        Some(value) => (status, [("retry-after", value)], answer.body).into_response(),
        None => (status, answer.body).into_response(),
    }
}

/// A source's webhook, and the function that delivers to it.
pub(crate) struct Webhook {
    pub(crate) receiver: Receiver,
    pub(crate) app: DeliveriesHandler,
    pub(crate) table: Deliveries,
    pub(crate) config: deliveries::Config,
    aws: aws_types::SdkConfig,
    queue: Queue,
}

impl TestEnvironment {
    /// Gives the source a webhook. Its document is not in the cache of `ingest` yet.
    pub(crate) async fn webhook(&self) -> Webhook {
        let receiver = Receiver::start().await;
        let url = format!("{}/hooks", receiver.origin);
        self.put_webhook(&url, &[(WEBHOOK_SECRET, None)]).await;
        let config = deliveries::Config {
            deliveries_table: "deliveries".into(),
            queue_url: self.queue.url.clone(),
            source_secret_prefix: "tb/source/".into(),
            webhook_origins: vec![receiver.origin.clone()],
        };
        Webhook {
            receiver,
            app: DeliveriesHandler::build(&config, &self.aws).unwrap(),
            table: Deliveries::new(&self.aws, "deliveries".into()),
            config,
            aws: self.aws.clone(),
            queue: self.delivery_queue.clone(),
        }
    }

    /// Stores the source's document with this webhook.
    pub(crate) async fn put_webhook(&self, url: &str, secrets: &[(&str, Option<Timestamp>)]) {
        self.put_webhook_with_actions(url, secrets, true).await;
    }

    /// As [`Self::put_webhook`], and says whether the source takes actions.
    pub(crate) async fn put_webhook_with_actions(
        &self,
        url: &str,
        secrets: &[(&str, Option<Timestamp>)],
        takes_actions: bool,
    ) {
        let secrets = secrets.iter().map(|(value, not_after)| SourceSecret {
            value: Secret::new(*value),
            not_after: *not_after,
        });
        self.put_outgoing_webhook(OutgoingWebhook {
            url: url.to_owned(),
            format: WebhookFormat::CloudEvents,
            authorization: None,
            secrets: secrets.collect(),
            takes_actions,
        })
        .await;
    }

    /// Stores the source's document with this webhook.
    pub(crate) async fn put_outgoing_webhook(&self, webhook: OutgoingWebhook) {
        let document = SourceDocument {
            webhook: Some(webhook),
            ..source_document()
        };
        let document = serde_json::to_string(&document).unwrap();
        let name = format!("tb/source/{SOURCE}");
        self.account.put_secret(&name, &document).await;
    }
}

impl Webhook {
    /// Another execution environment of the function.
    pub(crate) fn new_app(&self) -> DeliveriesHandler {
        DeliveriesHandler::build(&self.config, &self.aws).unwrap()
    }

    /// Processes the messages on the queue at this time.
    pub(crate) async fn work_at(&self, at: Timestamp) {
        loop {
            let (event, messages) = self.queue.receive().await;
            if messages.is_empty() {
                return;
            }
            let input = serde_json::to_value(event).unwrap();
            let answer = self.app.handle(input, &minute(at)).await.unwrap();
            assert_eq!(answer["batchItemFailures"], json!([]));
            self.queue.delete(&messages).await;
        }
    }

    pub(crate) async fn work(&self) {
        self.work_at(Timestamp::now()).await;
    }

    pub(crate) async fn tick_at(&self, at: Timestamp) -> Value {
        let tick = self.app.handle(json!({}), &minute(at)).await;
        tick.unwrap()
    }

    pub(crate) async fn log(&self, state: DeliveryState) -> Vec<Delivery> {
        let source = SourceId::parse(SOURCE).unwrap();
        let page = self.table.page(&source, state, None, 100).await.unwrap();
        page.entries
    }
}
