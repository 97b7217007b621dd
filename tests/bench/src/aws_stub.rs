//! Secrets Manager and SQS as far as `ingest` uses them, over HTTP or TLS. It stores nothing, and
//! counts calls: an emulator would take longer than the function.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::tls::{Authority, TlsListener};

/// A listening stub. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct AwsStub {
    pub(crate) endpoint: String,
    state: Arc<StubState>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct StubState {
    /// The text of each secret, by its name.
    secrets: BTreeMap<String, String>,
    /// Calls by operation.
    calls: Mutex<BTreeMap<String, usize>>,
    /// The secret after whose read the connection is closed. In AWS the queue has another host, so
    /// its first call opens another connection.
    last_secret: Option<String>,
}

impl AwsStub {
    pub(crate) async fn start(secrets: BTreeMap<String, String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        Ok(Self::serve(listener, endpoint, secrets, None))
    }

    /// Starts with a certificate of this authority. It closes the connection after it has sent the
    /// secret `last_secret`.
    pub(crate) async fn start_tls(
        secrets: BTreeMap<String, String>,
        authority: &Authority,
        last_secret: String,
    ) -> Result<Self> {
        let listener = TlsListener::bind(authority).await?;
        let endpoint = format!("https://{}", listener.address()?);
        Ok(Self::serve(listener, endpoint, secrets, Some(last_secret)))
    }

    fn serve<L>(
        listener: L,
        endpoint: String,
        secrets: BTreeMap<String, String>,
        last_secret: Option<String>,
    ) -> Self
    where
        L: Listener,
        L::Addr: Debug,
    {
        let state = Arc::new(StubState {
            secrets,
            calls: Mutex::default(),
            last_secret,
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            endpoint,
            state,
            server,
        }
    }

    /// The calls since the start, by operation.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let calls = self.state.calls.lock();
        calls.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for AwsStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(state): State<Arc<StubState>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers.get("x-amz-target");
    let operation = operation.and_then(|target| target.to_str().ok());
    let operation = operation.unwrap_or_default().to_owned();
    let parameters: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut calls = state.calls.lock().unwrap_or_else(PoisonError::into_inner);
    *calls.entry(operation.clone()).or_default() += 1;
    drop(calls);
    match operation.as_str() {
        "secretsmanager.GetSecretValue" => secret(&state, &parameters),
        "AmazonSQS.SendMessageBatch" => accepted(&parameters),
        _ => failure("UnknownOperationException"),
    }
}

fn secret(state: &StubState, parameters: &Value) -> Response {
    let name = parameters["SecretId"].as_str().unwrap_or_default();
    let Some(text) = state.secrets.get(name) else {
        return failure("ResourceNotFoundException");
    };
    let body = json!({ "Name": name, "SecretString": text, "VersionId": "1" });
    let response = json_response(StatusCode::OK, &body);
    if state.last_secret.as_deref() == Some(name) {
        return ([(header::CONNECTION, "close")], response).into_response();
    }
    response
}

fn accepted(parameters: &Value) -> Response {
    let entries = parameters["Entries"].as_array().into_iter().flatten();
    let accepted: Vec<_> = entries
        .map(|entry| json!({ "Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": "0" }))
        .collect();
    let body = json!({ "Successful": accepted, "Failed": [] });
    json_response(StatusCode::OK, &body)
}

fn failure(code: &str) -> Response {
    json_response(StatusCode::BAD_REQUEST, &json!({ "__type": code }))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    (status, headers, body.to_string()).into_response()
}
