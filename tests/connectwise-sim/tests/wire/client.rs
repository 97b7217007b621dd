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
use serde_json::Value;

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
    pub(crate) async fn send(
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

    pub(crate) async fn try_as(
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
        self.send(method, &format!("{API}{path}"), &headers, body)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.try_as(&self.integration, "GET", path, "")
            .await
            .expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.try_as(&self.integration, "POST", path, &body.to_string())
            .await
            .expect("an answer")
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.try_as(&self.integration, "PATCH", path, &body.to_string())
            .await
            .expect("an answer")
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.try_as(&self.integration, "DELETE", path, "")
            .await
            .expect("an answer")
    }

    /// Sets faults that must be accepted.
    pub(crate) async fn faults(&self, change: Value) -> Value {
        let reply = self
            .send("PUT", "/_sim/faults", &[], &change.to_string())
            .await
            .expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    pub(crate) async fn journal(&self, after: usize) -> Vec<Value> {
        let reply = self
            .send("GET", &format!("/_sim/journal?after={after}"), &[], "")
            .await
            .expect("an answer");
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
