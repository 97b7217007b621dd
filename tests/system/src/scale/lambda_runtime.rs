//! Lambda's runtime API for one process, which receives one input at a time with a deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How much longer than the function's time-out an answer may take.
const MARGIN: Duration = Duration::from_secs(30);

/// A listening runtime API. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: String,
    inputs: mpsc::Sender<InvocationInput>,
    answers: Mutex<mpsc::Receiver<InvocationAnswer>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct InvocationInput {
    body: String,
    deadline: i64,
}

#[derive(Debug)]
enum InvocationAnswer {
    Done(Bytes),
    Failed(Bytes),
}

#[derive(Debug)]
struct RuntimeChannels {
    inputs: Mutex<mpsc::Receiver<InvocationInput>>,
    answers: mpsc::Sender<InvocationAnswer>,
    requests: AtomicU64,
}

impl RuntimeApi {
    /// Starts on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let (inputs, from_inputs) = mpsc::channel(1);
        let (to_answers, answers) = mpsc::channel(1);
        let shared = Arc::new(RuntimeChannels {
            inputs: Mutex::new(from_inputs),
            answers: to_answers,
            requests: AtomicU64::new(0),
        });
        let api = "/2018-06-01/runtime";
        let router = Router::new()
            .route(&format!("{api}/invocation/next"), get(next))
            .route(&format!("{api}/invocation/{{id}}/response"), post(done))
            .route(&format!("{api}/invocation/{{id}}/error"), post(failed))
            .route(&format!("{api}/init/error"), post(failed))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            inputs,
            answers: Mutex::new(answers),
            server,
        })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Passes an input to the function and waits for its answer.
    ///
    /// # Errors
    /// When the function fails, or does not answer in time.
    pub(crate) async fn invoke(&self, input: &Value, time: Duration) -> Result<Value> {
        let deadline = Timestamp::now() + SignedDuration::try_from(time)?;
        let input = InvocationInput {
            body: input.to_string(),
            deadline: deadline.as_millisecond(),
        };
        self.inputs.send(input).await?;
        let mut answers = self.answers.lock().await;
        let answer = timeout(time + MARGIN, answers.recv()).await;
        let answer = answer.context("the function did not answer in time")?;
        match answer.context("the runtime API is closed")? {
            InvocationAnswer::Done(body) => Ok(serde_json::from_slice(&body)?),
            InvocationAnswer::Failed(body) => {
                bail!("the function failed: {}", String::from_utf8_lossy(&body))
            }
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<RuntimeChannels>>) -> Response {
    let Some(InvocationInput { body, deadline }) = shared.inputs.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let n = shared.requests.fetch_add(1, Ordering::Relaxed);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", format!("scale-{n}")),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:reconcile".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-0-0".to_owned()),
    ];
    (headers, body).into_response()
}

async fn done(State(shared): State<Arc<RuntimeChannels>>, body: Bytes) -> StatusCode {
    send(&shared, InvocationAnswer::Done(body)).await
}

async fn failed(State(shared): State<Arc<RuntimeChannels>>, body: Bytes) -> StatusCode {
    send(&shared, InvocationAnswer::Failed(body)).await
}

async fn send(shared: &RuntimeChannels, answer: InvocationAnswer) -> StatusCode {
    match shared.answers.send(answer).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
