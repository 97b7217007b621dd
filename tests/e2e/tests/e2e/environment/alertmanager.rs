//! A small Alertmanager: the calls of its API v2 that the webhook format `alertmanager` uses, with
//! the answers and errors of version 0.25. A proxy before it checks the authorization.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Default)]
struct ServerState {
    alerts: Vec<Value>,
    silences: Vec<Value>,
    authorization: Option<String>,
    /// The answer to each request.
    always: Option<(u16, String)>,
    /// Whether the next silence is made and its answer lost.
    loses_answer: bool,
    calls: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Alertmanager {
    pub(crate) origin: String,
    state: Arc<Mutex<ServerState>>,
}

impl Alertmanager {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(ServerState::default()));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { origin, state }
    }

    /// Adds an alert that fires.
    pub(crate) fn fire(&self, fingerprint: &str, labels: &Value) {
        let now = Timestamp::now();
        self.state.lock().unwrap().alerts.push(json!({
            "annotations": { "summary": "Disk full" }, "endsAt": now, "startsAt": now, "updatedAt": now,
            "fingerprint": fingerprint, "labels": labels, "receivers": [{ "name": "ticketbridge" }],
            "status": { "inhibitedBy": [], "silencedBy": [], "state": "active" },
        }));
    }

    /// Forgets all alerts, as after they were resolved.
    pub(crate) fn forget_alerts(&self) {
        self.state.lock().unwrap().alerts.clear();
    }

    /// Demands this header from now on.
    pub(crate) fn demand(&self, authorization: &str) {
        self.state.lock().unwrap().authorization = Some(authorization.to_owned());
    }

    /// Answers like this from now on. `None` is as usual.
    pub(crate) fn answer_always(&self, answer: Option<(u16, String)>) {
        self.state.lock().unwrap().always = answer;
    }

    /// Makes the next silence, and answers as a proxy that got no answer.
    pub(crate) fn lose_answer(&self) {
        self.state.lock().unwrap().loses_answer = true;
    }

    /// A person ends all silences.
    pub(crate) fn expire_silences(&self) {
        for silence in &mut self.state.lock().unwrap().silences {
            silence["status"]["state"] = json!("expired");
        }
    }

    pub(crate) fn silences(&self) -> Vec<Value> {
        self.state.lock().unwrap().silences.clone()
    }

    /// The calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }
}

/// Whether a silence silences an alert with these labels.
pub(crate) fn is_silenced_by(silence: &Value, labels: &Value) -> bool {
    let mut matchers = silence["matchers"].as_array().unwrap().iter();
    matchers.all(|matcher| {
        let name = matcher["name"].as_str().unwrap();
        matcher["isRegex"] == false && labels[name] == matcher["value"]
    })
}

async fn answer(
    State(state): State<Arc<Mutex<ServerState>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().unwrap();
    state.calls.push(format!("{method} {}", uri.path()));
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.map(|value| value.to_str().unwrap());
    if state.authorization.as_deref() != sent {
        return (StatusCode::UNAUTHORIZED, "Unauthorized\n").into_response();
    }
    if let Some((status, body)) = &state.always {
        let status = StatusCode::from_u16(*status).unwrap();
        return (status, body.clone()).into_response();
    }
    let (status, answer) = match (method.as_str(), uri.path()) {
        ("GET", "/api/v2/status") => (200, status()),
        ("GET", "/api/v2/alerts") => (200, json!(state.alerts)),
        ("GET", "/api/v2/silences") => (200, json!(state.silences)),
        ("POST", "/api/v2/silences") => create_silence(&mut state.silences, &body),
        (_, path) => {
            let message = format!("path {path} was not found");
            (404, json!({ "code": 404, "message": message }))
        }
    };
    if method == Method::POST && std::mem::take(&mut state.loses_answer) {
        return (StatusCode::BAD_GATEWAY, "Bad Gateway\n").into_response();
    }
    let status = StatusCode::from_u16(status).unwrap();
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (status, media_type, answer.to_string()).into_response()
}

fn status() -> Value {
    json!({
        "cluster": { "peers": [], "status": "disabled" }, "config": { "original": "route: {}" },
        "uptime": "2026-11-27T18:27:20.643Z",
        "versionInfo": {
            "branch": "HEAD", "buildDate": "20230409", "buildUser": "a", "goVersion": "go1.19.8",
            "revision": "1", "version": "0.25.0",
        },
    })
}

/// The checks of Alertmanager, in its order.
fn create_silence(silences: &mut Vec<Value>, body: &[u8]) -> (u16, Value) {
    let mut silence: Value = match serde_json::from_slice(body) {
        Ok(silence) => silence,
        Err(err) => return (400, json!({ "code": 400, "message": err.to_string() })),
    };
    let invalid = |message: String| (422, json!({ "code": 602, "message": message }));
    for member in ["matchers", "startsAt", "endsAt", "createdBy", "comment"] {
        if silence[member].is_null() {
            return invalid(format!("{member} in body is required"));
        }
    }
    let matchers = silence["matchers"].as_array().unwrap();
    if matchers.is_empty() {
        return invalid("matchers in body should have at least 1 items".to_owned());
    }
    let is_complete = |matcher: &Value| {
        matcher["name"].is_string()
            && matcher["value"].is_string()
            && matcher["isRegex"].is_boolean()
    };
    if !matchers.iter().all(is_complete) {
        return invalid("matchers is incomplete".to_owned());
    }
    let time = |member: &str| -> Timestamp { silence[member].as_str().unwrap().parse().unwrap() };
    let failed = |why: &str| (400, json!(format!("Failed to create silence: {why}")));
    if time("startsAt") >= time("endsAt") {
        return failed("start time must be before end time");
    }
    if time("endsAt") < Timestamp::now() {
        return failed("end time can't be in the past");
    }
    let names: BTreeMap<_, _> = matchers
        .iter()
        .map(|m| (m["name"].to_string(), ()))
        .collect();
    assert_eq!(names.len(), matchers.len(), "a label has two matchers");
    let id = format!("d206835a-52e0-4f0b-a1f8-{:012}", silences.len());
    silence["id"] = json!(id);
    silence["status"] = json!({ "state": "active" });
    silence["updatedAt"] = json!(Timestamp::now());
    silences.push(silence);
    (200, json!({ "silenceID": id }))
}
