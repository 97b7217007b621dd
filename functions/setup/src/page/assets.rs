//! The page's files, compiled in, and the headers that keep it from being anybody else's.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/page.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Nothing but this site's own files, forms and calls; nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

pub(crate) async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

/// Named in each page: a browser that knows of none asks for `/favicon.ico`, where the gateway has no route.
pub(crate) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}

/// Gives every answer the headers of `guard`, refusals included.
pub(crate) async fn guarded(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    guard(answer.headers_mut());
    answer
}

/// Whoever answers for the page says so in these.
pub(crate) fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        // Not "no-referrer": a browser that tells no referrer tells no origin of a form either, and ours is checked.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}
