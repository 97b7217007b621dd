//! One plain address for the HTTP API. The emulator tells its APIs apart by host names that not every client can resolve, or by a
//! path that no source and no browser should have to know; this passes `/v1/…` and `/setup…` on to that path, bytes and headers
//! untouched: a webhook's signature over them stays good. The operator's is over host and path too, so operators use the emulator's
//! own address.

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

/// What belongs to the HTTP API; all else is answered 404 here.
const ROUTES: [&str; 3] = ["/v1/{*rest}", "/setup", "/setup/{*rest}"];

/// A listening front door; dropping it closes it.
#[derive(Debug)]
pub(crate) struct FrontDoor {
    origin: String,
    api_id: Arc<OnceLock<String>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Behind {
    endpoint: String,
    api_id: Arc<OnceLock<String>>,
    client: Client<HttpConnector, Body>,
}

impl FrontDoor {
    /// Opens the door of an emulator. It leads nowhere until it is told the API: the template must be told where the door is first.
    pub(crate) async fn open(endpoint: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot open the front door")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let api_id = Arc::new(OnceLock::new());
        let behind = Behind {
            endpoint: endpoint.to_owned(),
            api_id: Arc::clone(&api_id),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let router = ROUTES
            .into_iter()
            .fold(Router::new(), |router, route| {
                router.route(route, any(pass_on))
            })
            .with_state(behind);
        let server = tokio::spawn(async move {
            // It serves until it is aborted; an accept error is met by trying again.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            origin,
            api_id,
            server,
        })
    }

    /// Has it lead to this API, once and for all.
    pub(crate) fn lead_to(&self, api_id: &str) {
        self.api_id.get_or_init(|| api_id.to_owned());
    }

    /// The address, such as `http://127.0.0.1:40123`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass_on(State(behind): State<Behind>, mut request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |path| path.as_str());
    let Some(api_id) = behind.api_id.get() else {
        let words = "nothing is deployed yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let endpoint = &behind.endpoint;
    match format!("{endpoint}/_aws/execute-api/{api_id}/$default{path}").parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
    match behind.client.request(request).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            let words = format!("the emulator does not answer: {error}\n");
            (StatusCode::BAD_GATEWAY, words).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo(request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let mut told = format!("{} {}\n", parts.method, parts.uri);
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
            told = format!("{told}{name}: {}\n", values.join(" | "));
        }
        let mut answer = [told.as_bytes(), &body].concat().into_response();
        *answer.status_mut() = StatusCode::ACCEPTED;
        answer
    }

    #[tokio::test]
    async fn bytes_and_headers_pass_untouched_and_nothing_else_passes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let emulator = format!("http://{}", listener.local_addr().unwrap());
        let server =
            tokio::spawn(async { axum::serve(listener, Router::new().fallback(echo)).await });
        let door = FrontDoor::open(&emulator).await.unwrap();
        let http = crate::local::emulator::http_client().unwrap();
        let page = format!("{}/setup", door.origin());
        let early = http.get(&page).send().await.unwrap();
        assert_eq!(early.status(), 503);
        door.lead_to("abcd1234");

        let answer = http
            .post(format!("{}/v1/events/src_1?a=%20b", door.origin()))
            .header("host", "as.it.came")
            .header("content-type", "application/cloudevents+json")
            .header("webhook-signature", "v1,one v1,two")
            .body(b"{\"not\":  \xff json}".to_vec())
            .send()
            .await
            .unwrap();

        assert_eq!(answer.status(), 202);
        let told = answer.bytes().await.unwrap();
        let expected: &[u8] = b"POST /_aws/execute-api/abcd1234/$default/v1/events/src_1?a=%20b\n\
            host: as.it.came\ncontent-type: application/cloudevents+json\nwebhook-signature: v1,one v1,two\naccept: */*\n\
            user-agent: \n{\"not\":  \xff json}";
        assert_eq!(
            String::from_utf8_lossy(&told),
            String::from_utf8_lossy(expected)
        );

        for path in ["/setup", "/setup/open?a=b"] {
            let url = format!("{}{path}", door.origin());
            let told = http.get(url).send().await.unwrap().text().await.unwrap();
            let expected = format!("GET /_aws/execute-api/abcd1234/$default{path}\n");
            assert!(told.starts_with(&expected), "{told}");
        }

        let elsewhere = http
            .get(format!("{}/_ministack/health", door.origin()))
            .send()
            .await
            .unwrap();
        assert_eq!(elsewhere.status(), 404);
        server.abort();
    }
}
