//! Middleware that gives each response its form: JSON if the client accepts it, else a page.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::Markup;
use serde_json::json;

use crate::http::problem::Problem;
use crate::http::response::{ResponseContent, json_body};
use crate::page;

/// For the partner's page. Headers that the handler set are kept.
pub(crate) async fn present(request: Request, next: Next) -> Response {
    let wants_json = wants_json(request.headers());
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(content) = response.extensions_mut().remove::<ResponseContent>() else {
        return response;
    };
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    let mut presented = if wants_json {
        as_json(content)
    } else {
        as_page(content, &path)
    };
    presented.headers_mut().extend(headers);
    presented
}

/// For the operator's API, which has no pages.
pub(crate) async fn present_json(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<ResponseContent>() {
        Some(content) => as_json(content),
        None => response,
    }
}

fn as_json(content: ResponseContent) -> Response {
    match content {
        ResponseContent::Problem(problem) => problem_json(&problem),
        ResponseContent::Page(view) => match &view.problem {
            Some(problem) => problem_json(problem),
            None => json_body(StatusCode::OK, "application/json", &view.json),
        },
        ResponseContent::Change(change) => {
            let mut body = change.json;
            body["next"] = json!(change.next);
            json_body(StatusCode::OK, "application/json", &body)
        }
    }
}

fn as_page(content: ResponseContent, path: &str) -> Response {
    match content {
        ResponseContent::Problem(problem) => html(problem.status, page::problem(&problem, path)),
        ResponseContent::Page(view) => {
            let status = view.problem.as_ref().map(|problem| problem.status);
            html(status.unwrap_or(StatusCode::OK), view.page)
        }
        ResponseContent::Change(change) => see_other(&change.next),
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    accepts
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("application/json"))
}

fn problem_json(problem: &Problem) -> Response {
    let mut body = json!({
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status.as_u16(),
        "detail": problem.detail,
    });
    if let Some(field) = &problem.field {
        body["field"] = json!(field);
    }
    json_body(problem.status, "application/problem+json", &body)
}

fn html(status: StatusCode, page: Markup) -> Response {
    let media_type = HeaderValue::from_static("text/html; charset=utf-8");
    (
        status,
        [(header::CONTENT_TYPE, media_type)],
        page.into_string(),
    )
        .into_response()
}

/// The browser fetches the next page. Reloading that page repeats no change.
fn see_other(next: &str) -> Response {
    match HeaderValue::from_str(next) {
        Ok(next) => (StatusCode::SEE_OTHER, [(header::LOCATION, next)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
