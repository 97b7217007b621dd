//! The delivery of a response: whole, truncated, or not at all. `server` closes the connection of a
//! response that is marked here.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Bytes, Frame};

use crate::fault_rules::Interim;
use crate::response::{ApiResponse, Body};

/// The newest version of the API, as a cloud site's responses name it.
const VERSION: &str = "2025.1";

/// How long a call without a response stays open. Clients time out earlier.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);

/// A response and its delivery.
pub(crate) enum Delivery {
    Whole(ApiResponse),
    /// The whole response after a wait.
    Slow(ApiResponse, Duration),
    /// The whole response after interim ones, which `interim` writes.
    AfterInterim(ApiResponse, Interim),
    /// The first half with the full `Content-Length`, then the connection ends.
    Cut(ApiResponse),
    /// The connection ends before the first byte.
    Dropped,
    /// No response, and the connection stays open.
    Never,
}

/// Marks a response that `server` must not send. It closes the connection instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropConnection;

impl Delivery {
    pub(crate) async fn respond(self, request_id: &str) -> Response {
        match self {
            Self::Whole(answer) => response(&answer, request_id),
            Self::Slow(answer, wait) => {
                tokio::time::sleep(wait).await;
                response(&answer, request_id)
            }
            Self::AfterInterim(answer, interim) => {
                let mut response = response(&answer, request_id);
                response.extensions_mut().insert(interim);
                response
            }
            Self::Cut(answer) => cut(&answer, request_id),
            Self::Dropped => dropped(),
            Self::Never => {
                tokio::time::sleep(LONGEST_SILENCE).await;
                dropped()
            }
        }
    }
}

fn dropped() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(DropConnection);
    response
}

/// The whole response with the headers that were observed live.
pub(crate) fn response(answer: &ApiResponse, request_id: &str) -> Response {
    let (bytes, content_type) = encoded(&answer.body);
    let mut response = Response::new(HttpBody::from(bytes));
    set_headers(&mut response, answer, content_type, request_id);
    response
}

fn cut(answer: &ApiResponse, request_id: &str) -> Response {
    let (bytes, content_type) = encoded(&answer.body);
    let length = bytes.len();
    let half = Bytes::from(bytes).slice(..length / 2);
    let mut response = Response::new(HttpBody::new(TruncatedBody {
        half: Some(half),
        flushed: false,
    }));
    set_headers(&mut response, answer, content_type, request_id);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn encoded(body: &Body) -> (Vec<u8>, Option<&str>) {
    match body {
        Body::Json(value) => (
            value.to_string().into_bytes(),
            Some("application/json; charset=utf-8"),
        ),
        Body::Text(text) => (text.as_bytes().to_vec(), Some("text/plain; charset=utf-8")),
        Body::Foreign { text, content_type } => {
            let content_type = Some(content_type.as_str()).filter(|text| !text.is_empty());
            (text.as_bytes().to_vec(), content_type)
        }
        Body::Empty => (Vec::new(), None),
    }
}

fn set_headers(
    response: &mut Response,
    answer: &ApiResponse,
    content_type: Option<&str>,
    request_id: &str,
) {
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if let Some(content_type) = content_type.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if !matches!(answer.body, Body::Foreign { .. }) {
        set_api_headers(headers, request_id);
    }
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

fn set_api_headers(headers: &mut HeaderMap, request_id: &str) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        HeaderName::from_static("api-current-version"),
        HeaderValue::from_static(VERSION),
    );
    headers.insert(
        HeaderName::from_static("x-server-name"),
        HeaderValue::from_static("connectwise-sim"),
    );
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-cw-request-id"), request_id);
    }
}

/// A truncated body: one chunk, a pause in which the server writes it, then an error.
struct TruncatedBody {
    half: Option<Bytes>,
    flushed: bool,
}

impl hyper::body::Body for TruncatedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other(
            "the answer is cut here on purpose",
        ))))
    }
}
