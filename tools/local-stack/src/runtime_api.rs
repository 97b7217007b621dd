//! Lambda's runtime API for one process, which receives one input at a time with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How much longer than the function's time-out an answer may take.
const MARGIN: Duration = Duration::from_secs(30);

/// A listening runtime API. Dropping it closes it.
#[derive(Debug)]
pub struct RuntimeApi {
    address: String,
    inputs: mpsc::Sender<InvocationInput>,
    answers: Mutex<mpsc::Receiver<InvocationAnswer>>,
    requests: watch::Receiver<InputRequests>,
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

/// How often the function has requested an input.
#[derive(Debug, Default, Clone, Copy)]
struct InputRequests {
    count: u64,
    first: Option<Instant>,
}

#[derive(Debug)]
struct RuntimeChannels {
    inputs: Mutex<mpsc::Receiver<InvocationInput>>,
    answers: mpsc::Sender<InvocationAnswer>,
    requests: watch::Sender<InputRequests>,
}

impl RuntimeApi {
    /// Starts on a free port.
    pub async fn start() -> Result<Self> {
        let (inputs, from_inputs) = mpsc::channel(1);
        let (to_answers, answers) = mpsc::channel(1);
        let (counter, requests) = watch::channel(InputRequests::default());
        let shared = Arc::new(RuntimeChannels {
            inputs: Mutex::new(from_inputs),
            answers: to_answers,
            requests: counter,
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
            requests,
            server,
        })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the function has started, and returns when it first requested an input.
    ///
    /// # Errors
    /// When it does not request one in time.
    pub async fn first_request(&self, time: Duration) -> Result<Instant> {
        let requests = self.requests_at_least(1, time).await?;
        requests.first.context("the first request has no time")
    }

    /// Waits until the function has ended this many invocations and requests the next input.
    ///
    /// # Errors
    /// When it does not request the next input in time.
    pub async fn idle_after(&self, invocations: u64, time: Duration) -> Result<()> {
        self.requests_at_least(invocations + 1, time).await?;
        Ok(())
    }

    async fn requests_at_least(&self, count: u64, time: Duration) -> Result<InputRequests> {
        let mut requests = self.requests.clone();
        let enough = requests.wait_for(|requests| requests.count >= count);
        let requests = timeout(time, enough).await;
        let requests = requests.context("the function requests no input")?;
        Ok(*requests.context("the runtime API is closed")?)
    }

    /// Passes an input to the function and waits for its answer.
    ///
    /// # Errors
    /// When the function fails, or does not answer in time.
    pub async fn invoke(&self, input: &Value, time: Duration) -> Result<Value> {
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
    let mut n = 0;
    shared.requests.send_modify(|requests| {
        requests.first.get_or_insert_with(Instant::now);
        requests.count += 1;
        n = requests.count;
    });
    let Some(InvocationInput { body, deadline }) = shared.inputs.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", format!("invocation-{n}")),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:local".to_owned(),
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
