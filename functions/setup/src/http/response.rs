//! What a handler returns: one value that becomes either a page or JSON (see `present`).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::Markup;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::problem::Problem;

/// A view: its page and the same data as JSON.
#[derive(Debug, Clone)]
pub(crate) struct PageResponse {
    pub(super) json: Value,
    pub(super) page: Markup,
    /// Why what was asked for cannot be shown. The page has what was typed.
    pub(super) problem: Option<Problem>,
}

/// A completed change, and the page that follows.
#[derive(Debug, Clone)]
pub(crate) struct ChangeResponse {
    /// A path on this site.
    pub(super) next: String,
    pub(super) json: Value,
}

/// What `present` turns into a response.
#[derive(Debug, Clone)]
pub(super) enum ResponseContent {
    Problem(Problem),
    Page(PageResponse),
    Change(ChangeResponse),
}

impl PageResponse {
    pub(crate) fn new(view: &impl Serialize, page: Markup) -> Self {
        Self {
            json: json!(view),
            page,
            problem: None,
        }
    }

    /// A page that shows what was typed, and why it cannot be used.
    pub(crate) fn with_problem(mut self, problem: Option<Problem>) -> Self {
        self.problem = problem;
        self
    }
}

impl ChangeResponse {
    /// A change after which the browser shows this path.
    pub(crate) fn next(path: impl Into<String>) -> Self {
        Self {
            next: path.into(),
            json: json!({}),
        }
    }

    /// Adds a member to the JSON form.
    pub(crate) fn with(mut self, member: &str, value: impl Serialize) -> Self {
        self.json[member] = json!(value);
        self
    }
}

impl From<ResponseContent> for Response {
    fn from(content: ResponseContent) -> Self {
        let status = match &content {
            ResponseContent::Problem(problem) => problem.status,
            ResponseContent::Page(page) => match &page.problem {
                Some(problem) => problem.status,
                None => StatusCode::OK,
            },
            ResponseContent::Change(_) => StatusCode::OK,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(content);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        ResponseContent::Problem(self).into()
    }
}

impl IntoResponse for PageResponse {
    fn into_response(self) -> Response {
        ResponseContent::Page(self).into()
    }
}

impl IntoResponse for ChangeResponse {
    fn into_response(self) -> Response {
        ResponseContent::Change(self).into()
    }
}

/// A JSON response with its own status, for programs only.
pub(crate) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    json_body(status, "application/json", &json!(body))
}

pub(super) fn json_body(status: StatusCode, media_type: &'static str, body: &Value) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    (
        status,
        [(header::CONTENT_TYPE, media_type)],
        body.to_string(),
    )
        .into_response()
}
