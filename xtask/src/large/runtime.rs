//! Lambda's runtime API for one process: it asks for work, gets one input at a time with a deadline, and answers.

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

/// Longer than the function's own time: it ends by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listening runtime API; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Runtime {
    address: String,
    inputs: mpsc::Sender<Input>,
    answers: Mutex<mpsc::Receiver<Answer>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Input {
    body: String,
    deadline: i64,
}

#[derive(Debug)]
enum Answer {
    Done(Bytes),
    Failed(Bytes),
}

#[derive(Debug)]
struct Shared {
    inputs: Mutex<mpsc::Receiver<Input>>,
    answers: mpsc::Sender<Answer>,
    asked: AtomicU64,
}

impl Runtime {
    /// Opens one on a free port.
    pub(crate) async fn open() -> Result<Self> {
        let (inputs, from_inputs) = mpsc::channel(1);
        let (to_answers, answers) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            inputs: Mutex::new(from_inputs),
            answers: to_answers,
            asked: AtomicU64::new(0),
        });
        let of = "/2018-06-01/runtime";
        let router = Router::new()
            .route(&format!("{of}/invocation/next"), get(next))
            .route(&format!("{of}/invocation/{{id}}/response"), post(done))
            .route(&format!("{of}/invocation/{{id}}/error"), post(failed))
            .route(&format!("{of}/init/error"), post(failed))
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

    /// What a function finds it by.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Hands an input over, and waits for what comes of it.
    ///
    /// # Errors
    /// When the function fails, or does not end in its time.
    pub(crate) async fn invoke(&self, input: &Value, time: Duration) -> Result<Value> {
        let deadline = Timestamp::now() + SignedDuration::try_from(time)?;
        let input = Input {
            body: input.to_string(),
            deadline: deadline.as_millisecond(),
        };
        self.inputs.send(input).await?;
        let mut answers = self.answers.lock().await;
        let answer = timeout(time + PATIENCE, answers.recv()).await;
        let answer = answer.context("the function did not end in its time")?;
        match answer.context("the runtime API is closed")? {
            Answer::Done(body) => Ok(serde_json::from_slice(&body)?),
            Answer::Failed(body) => {
                bail!("the function failed: {}", String::from_utf8_lossy(&body))
            }
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Some(Input { body, deadline }) = shared.inputs.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let n = shared.asked.fetch_add(1, Ordering::Relaxed);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", format!("large-{n}")),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:reconcile".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-0-0".to_owned()),
    ];
    (headers, body).into_response()
}

async fn done(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    told(&shared, Answer::Done(body)).await
}

async fn failed(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    told(&shared, Answer::Failed(body)).await
}

async fn told(shared: &Shared, answer: Answer) -> StatusCode {
    match shared.answers.send(answer).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
