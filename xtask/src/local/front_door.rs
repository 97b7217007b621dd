//! One plain address for the HTTP API. The emulator tells its APIs apart by host names that not every client can resolve, or by a
//! path that no source should have to know; this passes `/v1/…` on to that path, bytes and headers untouched: a signature over
//! them stays good.

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
const ROUTES: [&str; 1] = ["/v1/{*rest}"];

/// A listening front door; dropping it closes it.
#[derive(Debug)]
pub(crate) struct FrontDoor {
    origin: String,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Behind {
    api: String,
    client: Client<HttpConnector, Body>,
}

impl FrontDoor {
    /// Opens the door before an API of the emulator.
    pub(crate) async fn open(endpoint: &str, api_id: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot open the front door")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let behind = Behind {
            api: format!("{endpoint}/_aws/execute-api/{api_id}/$default"),
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
        Ok(Self { origin, server })
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
    match format!("{}{path}", behind.api).parse::<Uri>() {
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
        let door = FrontDoor::open(&emulator, "abcd1234").await.unwrap();
        let http = crate::local::emulator::http_client().unwrap();

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

        let elsewhere = http
            .get(format!("{}/_ministack/health", door.origin()))
            .send()
            .await
            .unwrap();
        assert_eq!(elsewhere.status(), 404);
        server.abort();
    }
}
