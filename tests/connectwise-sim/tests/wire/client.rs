//! A site on a free port and a plain HTTP client for it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectwise_sim::{Credentials, Seed, Simulator};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub(crate) const API: &str = "/v4_6_release/apis/3.0";

/// A call that takes longer fails its test.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    running: Simulator,
    http: Client<HttpConnector, Full<Bytes>>,
    pub(crate) integration: Credentials,
    pub(crate) technician: Credentials,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn id(&self) -> i64 {
        self.json()["id"].as_i64().expect("an id")
    }

    pub(crate) fn status_and_body(&self) -> (u16, Value) {
        (self.status, self.json())
    }

    /// Asserts the status, and that the body has these members.
    #[track_caller]
    pub(crate) fn assert_is(&self, status: u16, members: &Value) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_members(&self.json(), members);
    }

    /// Asserts an error with exactly this code and message.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, message: &str) {
        let body = json!({ "code": code, "message": message });
        assert_eq!(self.status_and_body(), (status, body));
    }

    /// Asserts an invalid record with these errors: code, message and field of each.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, resource: &str, errors: &[(&str, &str, &str)]) {
        assert_eq!(self.status_and_body(), invalid_object(resource, errors));
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        let rows = self.json();
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row["id"].as_i64().expect("an id")).collect()
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Seed::demo()).await
    }

    pub(crate) async fn with(seed: Seed) -> Self {
        let integration = seed.integration().expect("an API member");
        let technician = seed.technician().expect("a member with keys");
        Self {
            running: Simulator::start(seed, ([127, 0, 0, 1], 0).into())
                .await
                .expect("a free port"),
            http: Client::builder(TokioExecutor::new()).build_http(),
            integration,
            technician,
        }
    }

    pub(crate) fn origin(&self) -> String {
        self.running.base_url()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// Sends one request. The error is a closed connection.
    async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Reply, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::from(body.to_owned()))
            .expect("a request");
        let response = tokio::time::timeout(PATIENCE, self.http.request(request))
            .await
            .expect("an answer or an end within the patience of a test")
            .map_err(|error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| format!("{error:?}"))?
            .to_bytes();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("UTF-8"),
        })
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let reply = self.try_send(method, path, headers, body).await;
        reply.expect("an answer")
    }

    pub(crate) async fn without_keys(&self, method: &str, path: &str, body: &str) -> Reply {
        self.send(method, path, &[], body).await
    }

    async fn try_call(
        &self,
        who: &Credentials,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Reply, String> {
        let authorization = authorization(who);
        let headers = [
            ("authorization", authorization.as_str()),
            ("clientid", who.client_id.as_str()),
            ("content-type", "application/json"),
        ];
        self.try_send(method, &format!("{API}{path}"), &headers, body)
            .await
    }

    /// Creates a ticket over a connection that may end without a response.
    pub(crate) async fn try_create(&self, ticket: &Value) -> Result<Reply, String> {
        let body = ticket.to_string();
        self.try_call(&self.integration, "POST", "/service/tickets", &body)
            .await
    }

    /// Sends a create over a connection of its own. Its response is not read.
    pub(crate) async fn send_raw_create(&self, header: &str) -> TcpStream {
        let address = self.origin().trim_start_matches("http://").to_owned();
        let body = ticket().to_string();
        let request = format!(
            "POST {API}/service/tickets HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\n\
             clientid: {}\r\ncontent-type: application/json\r\n{header}content-length: {}\r\n\r\n\
             {body}",
            authorization(&self.integration),
            self.integration.client_id,
            body.len(),
        );
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }

    pub(crate) async fn call(
        &self,
        who: &Credentials,
        method: &str,
        path: &str,
        body: &str,
    ) -> Reply {
        let reply = self.try_call(who, method, path, body).await;
        reply.expect("an answer")
    }

    pub(crate) async fn as_technician(&self, method: &str, path: &str, body: &str) -> Reply {
        self.call(&self.technician, method, path, body).await
    }

    pub(crate) async fn as_integration(&self, method: &str, path: &str, body: &str) -> Reply {
        self.call(&self.integration, method, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.as_integration("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.as_integration("POST", path, &body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.as_integration("PATCH", path, &body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.as_integration("PUT", path, &body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.as_integration("DELETE", path, "").await
    }

    /// The number of records of a list.
    pub(crate) async fn count(&self, list: &str) -> Value {
        self.get(&format!("{list}/count")).await.json()["count"].clone()
    }

    /// Creates a ticket, and returns its path.
    pub(crate) async fn new_ticket(&self) -> String {
        let reply = self.post("/service/tickets", ticket()).await;
        format!("/service/tickets/{}", reply.id())
    }

    pub(crate) async fn company_info(&self, company: &str) -> Reply {
        let path = format!("/login/companyinfo/{company}");
        self.without_keys("GET", &path, "").await
    }

    pub(crate) async fn reset(&self) {
        let reply = self.without_keys("POST", "/_sim/reset", "").await;
        assert_eq!(reply.status, 204);
    }

    /// The present faults.
    pub(crate) async fn present_faults(&self) -> Value {
        self.without_keys("GET", "/_sim/faults", "").await.json()
    }

    /// A change of faults that may be refused.
    pub(crate) async fn try_faults(&self, change: &str) -> Reply {
        self.without_keys("PUT", "/_sim/faults", change).await
    }

    /// Sets one variant of the site.
    pub(crate) async fn variant(&self, name: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.faults(json!({ "variants": { name: value } })).await;
    }

    /// Takes rights from the integration, and gives back all others.
    pub(crate) async fn missing_rights(&self, rights: &[&str]) {
        self.faults(json!({ "missing_rights": rights })).await;
    }

    /// Sets faults that must be accepted.
    pub(crate) async fn faults(&self, change: Value) -> Value {
        let reply = self.try_faults(&change.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    pub(crate) async fn journal(&self, after: usize) -> Vec<Value> {
        let path = format!("/_sim/journal?after={after}");
        let reply = self.without_keys("GET", &path, "").await;
        reply.json().as_array().expect("a list").clone()
    }
}

pub(crate) fn authorization(who: &Credentials) -> String {
    let plain = format!("{}+{}:{}", who.company_id, who.public_key, who.private_key);
    format!("Basic {}", STANDARD.encode(plain))
}

/// Percent-encodes a query value.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The smallest valid ticket.
pub(crate) fn ticket() -> Value {
    json!({ "summary": "CPU", "company": { "id": 301 } })
}

/// A PATCH of one member.
pub(crate) fn replace(path: &str, value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    json!([{ "op": "replace", "path": path, "value": value }])
}

/// A PATCH that refers a member to another record.
pub(crate) fn replace_id(path: &str, id: i64) -> Value {
    replace(path, json!({ "id": id }))
}

/// Asserts that a value has these members, also inside nested objects. An omitted member counts as
/// `null`.
macro_rules! assert_has {
    ($value:expr, $members:tt) => {
        $crate::client::assert_members(&$value, &serde_json::json!($members))
    };
}
pub(crate) use assert_has;

#[track_caller]
pub(crate) fn assert_members(value: &Value, members: &Value) {
    match members.as_object() {
        Some(members) => {
            for (name, expected) in members {
                assert_members(&value[name], expected);
            }
        }
        None => assert_eq!(value, members),
    }
}

/// These members of each row.
pub(crate) fn columns<const N: usize>(rows: &Value, names: [&str; N]) -> Value {
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| Value::from(names.map(|name| row[name].clone()).to_vec()))
        .collect()
}

/// The status and body of a call whose right is missing.
pub(crate) fn forbidden() -> (u16, Value) {
    let message = "You do not have security permission to perform this action.";
    (403, json!({ "code": "Security", "message": message }))
}

/// The status and body of an invalid record, with code, message and field of each error.
pub(crate) fn invalid_object(resource: &str, errors: &[(&str, &str, &str)]) -> (u16, Value) {
    let errors = errors.iter().map(|(code, message, field)| {
        json!({ "code": code, "message": message, "resource": resource, "field": field })
    });
    let errors: Vec<Value> = errors.collect();
    let message = format!("{resource} object is invalid");
    let body = json!({ "code": "InvalidObject", "message": message, "errors": errors });
    (400, body)
}
