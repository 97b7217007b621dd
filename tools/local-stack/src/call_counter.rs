//! A proxy between a function and AWS: it forwards every call, and counts it. It can also add up the
//! capacity units of DynamoDB.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::response::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::capacity::{Units, units_of, wider_query, with_report};

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
    busy: Mutex<BusyTime>,
    /// The units since the start, or the first problem, after which they are not complete. `None` if
    /// they are not added up.
    units: Option<Mutex<Result<Units>>>,
}

/// How long at least one call was in progress.
#[derive(Debug, Default)]
struct BusyTime {
    calls: usize,
    since: Option<Instant>,
    total: Duration,
}

const DYNAMODB: &str = "DynamoDB_20120810.";

impl CallCounter {
    /// Starts a proxy for an emulator. It changes nothing.
    pub async fn start(endpoint: &str) -> Result<Self> {
        Self::serve(endpoint, None).await
    }

    /// Starts a proxy that also adds up capacity units. It asks the emulator for them with each
    /// write, and reads some queries twice.
    pub async fn start_with_capacity(endpoint: &str) -> Result<Self> {
        Self::serve(endpoint, Some(Mutex::new(Ok(Units::default())))).await
    }

    async fn serve(endpoint: &str, units: Option<Mutex<Result<Units>>>) -> Result<Self> {
        let calls = Arc::new(CountedCalls {
            endpoint: endpoint.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            counts: Mutex::default(),
            busy: Mutex::default(),
            units,
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

    /// How long at least one call has been in progress since the start.
    pub fn busy_time(&self) -> Duration {
        let busy = self.calls.busy.lock();
        busy.unwrap_or_else(PoisonError::into_inner).total
    }

    /// The capacity units of all calls since the start.
    ///
    /// # Errors
    /// When they are not added up, or those of a call are not known.
    pub fn units(&self) -> Result<Units> {
        let units = self.calls.units.as_ref();
        let units = units.context("this proxy adds up no capacity units")?;
        let units = units.lock().unwrap_or_else(PoisonError::into_inner);
        units
            .as_ref()
            .map(Clone::clone)
            .map_err(|err| anyhow!("{err:#}"))
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
    let operation = operation.unwrap_or_default().to_owned();
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !operation.is_empty() {
        let table = call["TableName"].as_str().unwrap_or_default().to_owned();
        let mut counts = calls.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((operation.clone(), table)).or_default() += 1;
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    match format!("{}{path}", calls.endpoint).parse::<Uri>() {
        Ok(uri) => parts.uri = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
    let answer = match (&calls.units, operation.strip_prefix(DYNAMODB)) {
        (Some(units), Some(operation)) => {
            let headers = parts.headers;
            let call = with_report(operation, call);
            calls.measured(operation, &call, headers, units).await
        }
        _ => {
            let request = Request::from_parts(parts, Body::from(body));
            calls.send(request).await.map(response)
        }
    };
    answer.unwrap_or_else(|err| (StatusCode::BAD_GATEWAY, format!("{err:#}")).into_response())
}

impl CountedCalls {
    /// Sends a request and reads the whole answer.
    async fn send(&self, request: Request) -> Result<(Parts, Bytes)> {
        self.busy().begin(Instant::now());
        let answer = self.receive(request).await;
        self.busy().end(Instant::now());
        answer
    }

    async fn receive(&self, request: Request) -> Result<(Parts, Bytes)> {
        let (head, body) = self.client.request(request).await?.into_parts();
        Ok((head, to_bytes(Body::new(body), MAX_BODY).await?))
    }

    fn busy(&self) -> MutexGuard<'_, BusyTime> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call of DynamoDB and adds its units.
    async fn measured(
        &self,
        operation: &str,
        call: &Value,
        headers: HeaderMap,
        units: &Mutex<Result<Units>>,
    ) -> Result<Response> {
        let (head, body) = self.call(call, &headers).await?;
        let consumed = match wider_query(operation, call) {
            Some(wider) => match self.call(&wider, &headers).await {
                Ok((_, answer)) => parsed_units(operation, &wider, &answer),
                Err(err) => Err(err),
            },
            None => parsed_units(operation, call, &body),
        };
        let mut units = units.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *units, consumed) {
            (Ok(units), Ok(consumed)) => units.add(&consumed),
            (Ok(_), Err(err)) => *units = Err(err),
            (Err(_), _) => {}
        }
        Ok(response((head, body)))
    }

    /// Sends a body with the headers of another one. The emulator does not check signatures by the
    /// root's keys.
    async fn call(&self, call: &Value, headers: &HeaderMap) -> Result<(Parts, Bytes)> {
        let mut request = Request::post(&self.endpoint).body(Body::from(call.to_string()))?;
        *request.headers_mut() = headers.clone();
        request.headers_mut().remove(header::CONTENT_LENGTH);
        self.send(request).await
    }
}

/// An answer whose body is sent as a whole.
fn response((mut head, body): (Parts, Bytes)) -> Response {
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    Response::from_parts(head, Body::from(body))
}

impl BusyTime {
    fn begin(&mut self, now: Instant) {
        self.calls += 1;
        self.since.get_or_insert(now);
    }

    fn end(&mut self, now: Instant) {
        self.calls = self.calls.saturating_sub(1);
        if self.calls == 0
            && let Some(since) = self.since.take()
        {
            self.total += now.duration_since(since);
        }
    }
}

fn parsed_units(operation: &str, call: &Value, answer: &[u8]) -> Result<Units> {
    units_of(operation, call, &serde_json::from_slice(answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_the_same_time_count_once() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut busy = BusyTime::default();
        // From 0 to 30, and from 50 to 60.
        for (begins, time) in [
            (true, 0),
            (true, 10),
            (false, 20),
            (false, 30),
            (true, 50),
            (false, 60),
        ] {
            match begins {
                true => busy.begin(at(time)),
                false => busy.end(at(time)),
            }
        }
        assert_eq!(busy.total, Duration::from_millis(40));
    }
}
