//! A proxy between one worker and everything that it calls. It numbers the calls and can stop the worker
//! at any of them.
//!
//! A stopped worker's calls are neither forwarded nor answered until it is resumed. A test that drops a
//! stopped worker simulates the death of its process; a test that resumes it simulates a pause.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, Response, header};
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The call at which a worker is stopped. Calls are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) at: usize,
    pub(crate) when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The call is not forwarded.
    Before,
    /// The call is forwarded and takes effect, but its answer is withheld.
    Lost,
    /// The call is answered, and no later call is forwarded.
    After,
}

/// A call that passed the proxy.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Such as `UpdateItem` or `POST /service/tickets`.
    pub(crate) what: String,
    /// Whether the call may change something. Only such calls of a dead worker have an effect.
    pub(crate) writes: bool,
    /// Whether the call reads configuration only, which does not change during a test.
    pub(crate) is_set_up: bool,
    /// The receipt and the visibility timeout that the call sets.
    pub(crate) visibility_change: Option<(String, Duration)>,
}

impl Call {
    pub(crate) fn writes_to_connectwise(&self) -> bool {
        self.writes && self.what.contains(" /service/")
    }
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) origin: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    aws: String,
    connectwise: String,
    http: reqwest::Client,
    calls: Mutex<Vec<Call>>,
    refused: Mutex<Option<Refused>>,
    state: watch::Sender<Run>,
}

/// Calls of this name that are answered with a throttling error, except the first few.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) what: &'static str,
    pub(crate) but_for: usize,
}

/// One count of calls.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    number: u64,
    stop: Option<Stop>,
    stopped: bool,
}

impl Proxy {
    pub(crate) async fn start(aws: String, connectwise: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            aws,
            connectwise,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
            calls: Mutex::default(),
            refused: Mutex::default(),
            state: watch::Sender::default(),
        });
        let router = Router::new().fallback(pass).with_state(shared.clone());
        // Nagle's algorithm would delay small answers.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let accepting = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            origin,
            shared,
            accepting,
        }
    }

    /// Starts a new count, which stops at `stop`. Returns the name that the counted workers must use: late
    /// calls of an earlier worker are never forwarded.
    pub(crate) fn count(&self, stop: Option<Stop>) -> String {
        let mut calls = self.shared.calls.lock().unwrap();
        calls.clear();
        self.shared.state.send_modify(|run| {
            *run = Run {
                number: run.number + 1,
                stop,
                stopped: false,
            };
        });
        self.shared.state.borrow().name()
    }

    /// Refuses such calls from now on, or none.
    pub(crate) fn refuse(&self, refused: Option<Refused>) {
        *self.shared.refused.lock().unwrap() = refused;
    }

    /// Resumes the stopped worker, and does not stop it again.
    pub(crate) fn go_on(&self) {
        self.shared.state.send_modify(|run| {
            run.stop = None;
            run.stopped = false;
        });
    }

    /// Waits until the worker has reached its stop.
    pub(crate) async fn stopped(&self) {
        let mut state = self.shared.state.subscribe();
        state.wait_for(|run| run.stopped).await.unwrap();
    }

    /// Whether a finished worker made the call of its stop. A worker that was to die after its last call
    /// counts as dead although it finished.
    pub(crate) fn is_past_stop(&self) -> bool {
        let stop = self.shared.state.borrow().stop;
        let past = |stop: Stop| stop.when == When::After && stop.at == self.calls().len();
        stop.is_some_and(past)
    }

    /// The calls of the current count.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Run {
    fn name(self) -> String {
        format!("run-{}-of-a-worker", self.number)
    }
}

impl Shared {
    /// Concurrent reads of a dead worker may arrive after its death.
    fn is_of_the_dead(&self, parts: &Parts) -> bool {
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.map_or("", |agent| agent.to_str().unwrap());
        agent.contains("aws-sdk") && !agent.contains(&self.state.borrow().name())
    }

    fn is_refused(&self, call: &Call) -> bool {
        let mut refused = self.refused.lock().unwrap();
        let Some(refused) = refused.as_mut().filter(|refused| refused.what == call.what) else {
            return false;
        };
        let refuses = refused.but_for == 0;
        refused.but_for = refused.but_for.saturating_sub(1);
        refuses
    }

    /// Adds a call to the current count and returns its number.
    fn number(&self, call: Call) -> (Run, usize) {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        (*self.state.borrow(), calls.len())
    }

    /// Waits until the worker is resumed. Never returns for a call of an earlier count.
    async fn hold(&self, run: Run, is_stopped: bool) {
        self.state.send_if_modified(|now| {
            let stops = is_stopped && now.number == run.number && now.stop.is_some();
            now.stopped |= stops;
            stops
        });
        let mut state = self.state.subscribe();
        let goes_on = |now: &Run| now.number == run.number && now.stop.is_none();
        state.wait_for(goes_on).await.unwrap();
    }
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if shared.is_of_the_dead(&parts) {
        return Response::builder().status(410).body(Body::empty()).unwrap();
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let call = call(&parts, &body);
    if shared.is_refused(&call) {
        let throttled = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
        return Response::builder()
            .status(400)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .body(Body::from(throttled))
            .unwrap();
    }
    let (run, number) = shared.number(call);
    let first_held = match run.stop {
        None => usize::MAX,
        Some(stop) => stop.at + usize::from(stop.when != When::Before),
    };
    if number >= first_held {
        // A lost answer stops the worker after the call took effect.
        let waits_for_effect = run.stop.is_some_and(|stop| stop.when == When::Lost);
        shared.hold(run, !waits_for_effect).await;
    }
    let answer = forward(&shared, &parts, body).await;
    let is_lost = |stop: Stop| stop.when == When::Lost && stop.at == number;
    if run.stop.is_some_and(is_lost) {
        shared.hold(run, true).await;
    }
    answer
}

fn call(parts: &Parts, body: &Bytes) -> Call {
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let Some(target) = parts.headers.get("x-amz-target") else {
        return Call {
            what: format!(
                "{method} {}",
                path.trim_start_matches("/v4_6_release/apis/3.0")
            ),
            writes: method != "GET",
            is_set_up: false,
            visibility_change: None,
        };
    };
    let target = target.to_str().unwrap();
    let what = target.rsplit('.').next().unwrap_or_default().to_owned();
    let content: Value = serde_json::from_slice(body).unwrap();
    let table = content["TableName"].as_str();
    let tables = content["RequestItems"].as_object();
    let mut tables = tables
        .into_iter()
        .flat_map(|items| items.keys())
        .map(String::as_str);
    let table = table.or_else(|| tables.next()).unwrap_or_default();
    let is_set_up =
        what == "GetSecretValue" || table.starts_with("config") || table.starts_with("access");
    let receipt = content["ReceiptHandle"].as_str().map(str::to_owned);
    let seconds = content["VisibilityTimeout"].as_u64();
    Call {
        writes: !what.contains("Get") && what != "Query" && !is_set_up,
        is_set_up,
        visibility_change: receipt.zip(seconds.map(Duration::from_secs)),
        what,
    }
}

async fn forward(shared: &Shared, parts: &Parts, body: Bytes) -> Response<Body> {
    let to_connectwise = ["/v4_6_release", "/login"]
        .iter()
        .any(|prefix| parts.uri.path().starts_with(prefix));
    let origin = match to_connectwise {
        true => &shared.connectwise,
        false => &shared.aws,
    };
    let mut headers = parts.headers.clone();
    headers.remove(header::HOST);
    let call = shared
        .http
        .request(parts.method.clone(), format!("{origin}{}", parts.uri))
        .headers(headers)
        .body(body);
    let answer = match call.send().await {
        // A gateway answers so when ConnectWise closes the connection.
        Err(_) if to_connectwise => {
            return Response::builder().status(502).body(Body::empty()).unwrap();
        }
        answer => answer.unwrap(),
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !is_of_the_connection(name) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap();
    response.body(Body::from(body)).unwrap()
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ]
    .contains(name)
}
