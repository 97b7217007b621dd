//! What a handler answers, as a page for people or as JSON for programs: the same thing twice, never two handlers.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::PartnerId;
use maud::Markup;
use serde::Serialize;
use serde_json::{Value, json};
use store::SaveOutcome;

use crate::page;

/// What is wrong, in words for the person who is to mend it (RFC 9457).
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    /// The field of the form that it is about.
    pub(crate) field: Option<String>,
}

/// A view of something: its page's markup and the same as JSON.
#[derive(Debug, Clone)]
pub(crate) struct PageResponse {
    json: Value,
    page: Markup,
}

/// What was asked for is done; where it goes on.
#[derive(Debug, Clone)]
pub(crate) struct ChangeResponse {
    /// The page that comes next, on this site.
    next: String,
    json: Value,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            field: None,
        }
    }

    /// What was sent cannot be taken: this field of it is wrong.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "This cannot be used",
                detail,
            )
        }
    }

    /// What was asked for cannot be done as things are.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "This cannot be done now", detail)
    }

    /// Somebody else changed it meanwhile.
    pub(crate) fn conflict() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Somebody else changed this meanwhile",
            "Nothing was saved. Load the page again, look at what is there now, and make your change again.",
        )
    }

    /// As `conflict`, for a program.
    pub(crate) fn moved(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::conflict()
        }
    }

    /// What the person looked at is not what there is now.
    pub(crate) fn different(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "It is different by now", detail)
    }

    /// There is no session, or none any more.
    pub(crate) fn no_session() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "You are not signed in",
            "Open the link that you were given. It works once; if it has been used or is too old, ask for a fresh one.",
        )
    }

    /// The form was drawn for another partner than the one that the browser is signed in at.
    pub(crate) fn other_partner(made_for: &PartnerId, signed_in_at: &str) -> Self {
        let detail = format!(
            "This page was opened for the partner {made_for}. Since then this browser has signed in at {signed_in_at}, so nothing was saved. \
             To go on at {signed_in_at}, load the page again. To go on at {made_for}, open a fresh link of {made_for}; a private window keeps \
             both open side by side.",
        );
        Self::new(
            StatusCode::CONFLICT,
            "This page belongs to another partner",
            detail,
        )
    }

    /// A change that does not say for which partner it is made.
    pub(crate) fn partner_not_named(signed_in_at: &PartnerId) -> Self {
        let detail = format!(
            "A change names its partner in the address, as in ?partner={signed_in_at}. Nothing was saved. Load the page again and repeat it there.",
        );
        Self::new(StatusCode::BAD_REQUEST, "The partner is missing", detail)
    }

    /// The request does not come from our own page.
    pub(crate) fn foreign() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This did not come from this page",
            "Changes are taken only from this site's own pages. Load the page again and repeat it there.",
        )
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such thing", detail)
    }

    /// There is such a thing, and this cannot be done with it.
    pub(crate) fn method() -> Self {
        let detail = "What is at this address takes no request of this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail)
    }

    /// More than any form of ours has.
    pub(crate) fn too_large() -> Self {
        let detail = "A request is at most 65536 bytes.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too large", detail)
    }

    /// Neither a form nor JSON.
    pub(crate) fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The media type is not known here",
            "Send application/json or application/x-www-form-urlencoded.",
        )
    }

    /// ConnectWise, or something of ours, did not answer.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "Please try again in a moment", detail)
    }
}

/// The table cannot be read or written. The cause is logged; nobody at a page can mend it.
impl From<store::Error> for Problem {
    fn from(err: store::Error) -> Self {
        tracing::error!(error = %err, "DynamoDB call failed");
        Self::unavailable("Something here did not work. What you see may be old; nothing is lost.")
    }
}

/// The version that a change was saved as; a conflict is the person's to mend.
///
/// # Errors
/// When somebody else changed it meanwhile.
pub(crate) fn saved(saved: SaveOutcome) -> Result<u64, Problem> {
    match saved {
        SaveOutcome::Saved { version } => Ok(version),
        SaveOutcome::Conflict => Err(Problem::conflict()),
    }
}

impl PageResponse {
    /// A view that is drawn by `page` and told as its members.
    pub(crate) fn of(view: &impl Serialize, page: Markup) -> Self {
        Self {
            json: json!(view),
            page,
        }
    }
}

impl ChangeResponse {
    /// It goes on with this page of ours.
    pub(crate) fn next(path: impl Into<String>) -> Self {
        Self {
            next: path.into(),
            json: json!({}),
        }
    }

    /// With more for programs.
    pub(crate) fn with(mut self, member: &str, value: impl Serialize) -> Self {
        self.json[member] = json!(value);
        self
    }
}

/// What `present` makes an answer of.
#[derive(Debug, Clone)]
enum Content {
    Problem(Problem),
    PageResponse(PageResponse),
    ChangeResponse(ChangeResponse),
}

impl From<Content> for Response {
    fn from(content: Content) -> Self {
        let status = match &content {
            Content::Problem(problem) => problem.status,
            Content::PageResponse(_) | Content::ChangeResponse(_) => StatusCode::OK,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(content);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Content::Problem(self).into()
    }
}

impl IntoResponse for PageResponse {
    fn into_response(self) -> Response {
        Content::PageResponse(self).into()
    }
}

impl IntoResponse for ChangeResponse {
    fn into_response(self) -> Response {
        Content::ChangeResponse(self).into()
    }
}

/// Gives each answer of the page its form: JSON to who asks for it, else a page. Headers that the handler set stay.
pub(crate) async fn present(request: Request, next: Next) -> Response {
    let wants_json = wants_json(request.headers());
    let path = request.uri().path().to_owned();
    let mut answer = next.run(request).await;
    let Some(content) = answer.extensions_mut().remove::<Content>() else {
        return answer;
    };
    let headers = std::mem::take(answer.headers_mut());
    let mut presented = match (content, wants_json) {
        (Content::Problem(problem), true) => problem_json(&problem),
        (Content::Problem(problem), false) => html(problem.status, page::problem(&problem, &path)),
        (Content::PageResponse(shown), true) => {
            json_body(StatusCode::OK, "application/json", &shown.json)
        }
        (Content::PageResponse(shown), false) => html(StatusCode::OK, shown.page),
        (Content::ChangeResponse(done), true) => {
            let mut body = done.json;
            body["next"] = json!(done.next);
            json_body(StatusCode::OK, "application/json", &body)
        }
        (Content::ChangeResponse(done), false) => see_other(&done.next),
    };
    for (name, value) in headers {
        if let Some(name) = name.filter(|name| *name != header::CONTENT_LENGTH) {
            presented.headers_mut().append(name, value);
        }
    }
    presented
}

/// As `present`, for programs alone.
pub(crate) async fn present_json(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    match answer.extensions_mut().remove::<Content>() {
        Some(Content::Problem(problem)) => problem_json(&problem),
        Some(Content::PageResponse(shown)) => {
            json_body(StatusCode::OK, "application/json", &shown.json)
        }
        Some(Content::ChangeResponse(done)) => {
            json_body(StatusCode::OK, "application/json", &done.json)
        }
        None => answer,
    }
}

/// An answer to a program, with a status of its own.
pub(crate) fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    json_body(status, "application/json", &json!(body))
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

fn json_body(status: StatusCode, media_type: &'static str, body: &Value) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    (
        status,
        [(header::CONTENT_TYPE, media_type)],
        body.to_string(),
    )
        .into_response()
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

/// The browser fetches the next page; loading that again sends nothing twice.
fn see_other(next: &str) -> Response {
    match HeaderValue::from_str(next) {
        Ok(next) => (StatusCode::SEE_OTHER, [(header::LOCATION, next)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
