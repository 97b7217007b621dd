//! A proxy between a function and AWS: it forwards every call unchanged, and counts it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The operations that change a table.
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
];
/// Larger than the body of any AWS call.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Calls by operation, such as `DynamoDB_20120810.PutItem`, and table, which may be empty.
pub type CallCounts = BTreeMap<(String, String), usize>;

/// A listening proxy. Dropping it closes it.
#[derive(Debug)]
pub struct CallCounter {
    origin: String,
    calls: Arc<CountedCalls>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct CountedCalls {
    endpoint: String,
    client: Client<HttpConnector, Body>,
    counts: Mutex<CallCounts>,
}

impl CallCounter {
    /// Starts a proxy for an emulator.
    pub async fn start(endpoint: &str) -> Result<Self> {
        let calls = Arc::new(CountedCalls {
            endpoint: endpoint.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            counts: Mutex::default(),
        });
        let router = Router::new()
            .fallback(forward)
            .with_state(Arc::clone(&calls));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            origin,
            calls,
            server,
        })
    }

    /// Its address, to use as AWS's endpoint.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Calls that send one or more messages.
    pub fn messages(&self) -> usize {
        self.count(|operation, _| operation.starts_with("AmazonSQS.Send"))
    }

    /// Calls that write to a table. A call that names several tables counts for each.
    pub fn writes_to(&self, table: &str) -> usize {
        self.count(|operation, of| {
            let writes = WRITES
                .iter()
                .any(|write| operation.ends_with(&format!(".{write}")));
            writes && (of == table || of.is_empty())
        })
    }

    /// All calls since the start.
    pub fn counts(&self) -> CallCounts {
        let counts = self.calls.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, matches: impl Fn(&str, &str) -> bool) -> usize {
        let counts = self.calls.counts.lock();
        let counts = counts.unwrap_or_else(PoisonError::into_inner);
        let matching = counts
            .iter()
            .filter(|((operation, table), _)| matches(operation, table));
        matching.map(|(_, count)| count).sum()
    }
}

impl Drop for CallCounter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(calls): State<Arc<CountedCalls>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let operation = parts.headers.get("x-amz-target");
    let operation = operation.and_then(|target| target.to_str().ok());
    if let Some(operation) = operation {
        let parameters: Value = serde_json::from_slice(&body).unwrap_or_default();
        let table = parameters["TableName"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut counts = calls.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((operation.to_owned(), table)).or_default() += 1;
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    match format!("{}{path}", calls.endpoint).parse::<Uri>() {
        Ok(uri) => parts.uri = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
    match calls
        .client
        .request(Request::from_parts(parts, Body::from(body)))
        .await
    {
        Ok(answer) => answer.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
