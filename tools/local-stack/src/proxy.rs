//! One plain address for the HTTP API. The emulator distinguishes its APIs by host names that not
//! every client can resolve, or by a path that sources and browsers should not need to know. The
//! proxy forwards `/v1/…` and `/setup…` to that path and changes neither body nor headers, so a
//! webhook's signature stays valid. An operator's signature covers host and path too, so operators
//! use the emulator's own address.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The routes of the HTTP API. The proxy answers 404 to anything else.
const ROUTES: [&str; 3] = ["/v1/{*rest}", "/setup", "/setup/{*rest}"];

/// A listening proxy. Dropping it closes it.
#[derive(Debug)]
pub struct Proxy {
    origin: String,
    api_id: Arc<OnceLock<String>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Upstream {
    endpoint: String,
    api_id: Arc<OnceLock<String>>,
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    /// Starts a proxy for an emulator. It answers 503 until the API is set, because the template
    /// needs the proxy's address before there is an API.
    pub async fn start(endpoint: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the proxy cannot listen on 127.0.0.1")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let api_id = Arc::new(OnceLock::new());
        let upstream = Upstream {
            endpoint: endpoint.to_owned(),
            api_id: Arc::clone(&api_id),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let router = ROUTES
            .into_iter()
            .fold(Router::new(), |router, route| {
                router.route(route, any(forward))
            })
            .with_state(upstream);
        let server = tokio::spawn(async move {
            // It serves until it is aborted, and retries after an accept error.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            origin,
            api_id,
            server,
        })
    }

    /// Sets the API to forward to. Later calls have no effect.
    pub fn set_api(&self, api_id: &str) {
        self.api_id.get_or_init(|| api_id.to_owned());
    }

    /// The address, such as `http://127.0.0.1:40123`.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |path| path.as_str());
    let Some(api_id) = upstream.api_id.get() else {
        let text = "nothing is deployed yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let endpoint = &upstream.endpoint;
    match format!("{endpoint}/_aws/execute-api/{api_id}/$default{path}").parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
    match upstream.client.request(request).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            let text = format!("the emulator does not answer: {error}\n");
            (StatusCode::BAD_GATEWAY, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::http_client;

    async fn echo(request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let mut head = format!("{} {}\n", parts.method, parts.uri);
        for name in [
            "host",
            "content-type",
            "webhook-signature",
            "accept",
            "user-agent",
        ] {
            let values: Vec<_> = parts
                .headers
                .get_all(name)
                .iter()
                .map(|v| v.to_str().unwrap())
                .collect();
            head = format!("{head}{name}: {}\n", values.join(" | "));
        }
        let mut answer = [head.as_bytes(), &body].concat().into_response();
        *answer.status_mut() = StatusCode::ACCEPTED;
        answer
    }

    #[tokio::test]
    async fn body_and_headers_are_forwarded_unchanged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let emulator = format!("http://{}", listener.local_addr().unwrap());
        let server =
            tokio::spawn(async { axum::serve(listener, Router::new().fallback(echo)).await });
        let proxy = Proxy::start(&emulator).await.unwrap();
        let http = http_client().unwrap();
        let page = format!("{}/setup", proxy.origin());
        let early = http.get(&page).send().await.unwrap();
        assert_eq!(early.status(), 503);
        proxy.set_api("abcd1234");

        let answer = http
            .post(format!("{}/v1/events/src_1?a=%20b", proxy.origin()))
            .header("host", "as.it.came")
            .header("content-type", "application/cloudevents+json")
            .header("webhook-signature", "v1,one v1,two")
            .body(b"{\"not\":  \xff json}".to_vec())
            .send()
            .await
            .unwrap();

        assert_eq!(answer.status(), 202);
        let echoed = answer.bytes().await.unwrap();
        let expected: &[u8] = b"POST /_aws/execute-api/abcd1234/$default/v1/events/src_1?a=%20b\n\
            host: as.it.came\ncontent-type: application/cloudevents+json\n\
            webhook-signature: v1,one v1,two\naccept: */*\n\
            user-agent: \n{\"not\":  \xff json}";
        assert_eq!(
            String::from_utf8_lossy(&echoed),
            String::from_utf8_lossy(expected)
        );

        for path in ["/setup", "/setup/open?a=b"] {
            let url = format!("{}{path}", proxy.origin());
            let echoed = http.get(url).send().await.unwrap().text().await.unwrap();
            let expected = format!("GET /_aws/execute-api/abcd1234/$default{path}\n");
            assert!(echoed.starts_with(&expected), "{echoed}");
        }

        let other = http
            .get(format!("{}/_ministack/health", proxy.origin()))
            .send()
            .await
            .unwrap();
        assert_eq!(other.status(), 404);
        server.abort();
    }
}
