//! Keeps what was typed when a form is sent without a script and cannot be used.
//!
//! The page of the form is built again, and shows the form as it was sent. With a script, the
//! browser keeps the page and shows the problem in it.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use tower::ServiceExt as _;

use crate::http::input::BodyFormat;
use crate::http::present::wants_json;
use crate::http::problem::Problem;
use crate::page::refill::{SentForm, refill};
use crate::paths;

/// The parameter with the page of a form that is shown again: its own address is then that of the
/// change.
const FORM_OF: &str = "form_of";
/// The parameter with what happened before the page was shown.
const DONE: &str = "done";

/// Middleware around all pages, which are passed as a router of their own.
pub(crate) async fn keep_typed(
    State(pages): State<Router>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let Some(page) = page_of_form(&request) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    // It is in memory already, and the handler limits it.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let sent = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let response = next.run(sent).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    // What another site sent is in no form of this one.
    if problem.status == StatusCode::FORBIDDEN {
        return response;
    }
    match show_again(pages, parts, &page, &body, &problem).await {
        Some(shown) => shown,
        None => response,
    }
}

/// The page that has the form of a request; `None` if it is not sent by a browser without a script.
/// It belongs to the same partner.
fn page_of_form(request: &Request) -> Option<String> {
    let headers = request.headers();
    let is_form = BodyFormat::of(headers) == Some(BodyFormat::Form);
    let mode = headers.get("sec-fetch-mode");
    let is_navigation = mode.is_none_or(|mode| mode == "navigate");
    if request.method() != Method::POST || !is_form || wants_json(headers) || !is_navigation {
        return None;
    }
    let query = request.uri().query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == FORM_OF);
    let page = match named {
        Some((_, page)) => page.into_owned(),
        None => referrer(headers)?,
    };
    let (path, query) = page.split_once('?').unwrap_or((&page, ""));
    let before = |path: &str| paths::split(path).map(|(before, _)| before.to_owned());
    let sent_to = request.uri().path();
    let is_own = match before(sent_to) {
        Some(partner) => before(path) == Some(partner),
        None => path == sent_to,
    };
    let query = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != DONE);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let page = match query.as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    is_own.then_some(page)
}

/// The path and the query of the page that a browser names.
fn referrer(headers: &HeaderMap) -> Option<String> {
    let uri: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    uri.path_and_query().map(ToString::to_string)
}

async fn show_again(
    pages: Router,
    mut parts: Parts,
    page: &str,
    body: &Bytes,
    problem: &Problem,
) -> Option<Response> {
    let sent_to = parts.uri.clone();
    parts.method = Method::GET;
    parts.uri = page.parse().ok()?;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let request = Request::from_parts(parts, Body::empty());
    // A router's error type has no values.
    let response = pages
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    if response.status() != StatusCode::OK {
        return None;
    }
    let (mut parts, html) = response.into_parts();
    let html = String::from_utf8(to_bytes(html, usize::MAX).await.ok()?.into()).ok()?;
    let fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    let action = action(&sent_to);
    let separator = if action.contains('?') { '&' } else { '?' };
    let form_of = form_urlencoded::Serializer::new(String::new())
        .append_pair(FORM_OF, page)
        .finish();
    let sent = SentForm {
        action: &action,
        fields: &fields,
        page,
        next_action: &format!("{action}{separator}{form_of}"),
    };
    let shown = refill(&html, &sent, problem)?;
    parts.status = problem.status;
    parts.headers.remove(header::CONTENT_LENGTH);
    Some(Response::from_parts(parts, Body::from(shown)))
}

/// The address of a form as its page has it.
fn action(sent_to: &Uri) -> String {
    let path = sent_to.path();
    let own = paths::split(path).map_or(path, |(_, own)| own);
    let query = sent_to.query().unwrap_or_default();
    let query: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with(&format!("{FORM_OF}=")))
        .collect();
    match query.join("&").as_str() {
        "" => own.to_owned(),
        query => format!("{own}?{query}"),
    }
}
