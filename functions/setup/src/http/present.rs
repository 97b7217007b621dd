//! Middleware that gives each response its form: JSON if the client accepts it, else a page.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::wire::problem::{PROBLEM_JSON, ProblemDetails};
use maud::Markup;
use serde_json::json;

use crate::auth::session::PartnerSession;
use crate::http::problem::Problem;
use crate::http::response::{ResponseContent, json_body};
use crate::page::{self, Requested};
use crate::paths;

/// For the partner's page. Headers that the handler set are kept.
pub(crate) async fn present(request: Request, next: Next) -> Response {
    let wants_json = wants_json(request.headers());
    let path = request.uri().path().to_owned();
    let is_page = request.method() == Method::GET;
    let mut response = next.run(request).await;
    let session = response.extensions_mut().remove::<PartnerSession>();
    let form = |content| match wants_json {
        true => as_json(content),
        false => as_page(
            content,
            &Requested {
                path: &path,
                is_page,
            },
            session.as_ref(),
        ),
    };
    with_form(response, form)
}

/// For the operator's API, which has no pages.
pub(crate) async fn present_json(request: Request, next: Next) -> Response {
    with_form(next.run(request).await, as_json)
}

/// The response to a request that no router can read. `headers` are those of the request.
pub(crate) fn unread(problem: Problem, is_for_page: bool, headers: &HeaderMap) -> Response {
    let content = ResponseContent::Problem(problem);
    if is_for_page && !wants_json(headers) {
        let request = Requested {
            path: paths::START,
            is_page: false,
        };
        as_page(content, &request, None)
    } else {
        as_json(content)
    }
}

/// Replaces the content of a response by its form, and keeps the headers.
fn with_form(mut response: Response, form: impl FnOnce(ResponseContent) -> Response) -> Response {
    let Some(content) = response.extensions_mut().remove::<ResponseContent>() else {
        return response;
    };
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    let mut presented = form(content);
    presented.headers_mut().extend(headers);
    presented
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

fn as_page(
    content: ResponseContent,
    request: &Requested<'_>,
    session: Option<&PartnerSession>,
) -> Response {
    match content {
        ResponseContent::Problem(problem) => {
            let page = page::problem(&problem, request, session);
            let mut response = html(problem.status, page);
            // A form that was sent without a script is shown again with it.
            response.extensions_mut().insert(problem);
            response
        }
        ResponseContent::Page(view) => {
            let status = view.problem.as_ref().map(|problem| problem.status);
            html(status.unwrap_or(StatusCode::OK), view.page)
        }
        ResponseContent::Change(change) => see_other(&change.next, request, session),
    }
}

pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    accepts
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("application/json"))
}

fn problem_json(problem: &Problem) -> Response {
    let body = json!(ProblemDetails::from(problem));
    json_body(problem.status, PROBLEM_JSON, &body)
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
fn see_other(next: &str, request: &Requested<'_>, session: Option<&PartnerSession>) -> Response {
    match HeaderValue::from_str(next) {
        Ok(next) => (StatusCode::SEE_OTHER, [(header::LOCATION, next)]).into_response(),
        Err(_) => as_page(
            ResponseContent::Problem(Problem::failed()),
            request,
            session,
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::panics::catch_panics;
    use crate::http::response::ChangeResponse;

    async fn panics() -> Response {
        panic!("a secret")
    }

    fn routes() -> Router {
        Router::new()
            .route("/panic", get(panics))
            .route("/next", get(async || ChangeResponse::next("/a\nb")))
            .method_not_allowed_fallback(async || Problem::method_not_allowed())
            .layer(from_fn(catch_panics))
    }

    /// Status, media type, allowed methods and body.
    async fn call(router: Router, method: &str, path: &str) -> (u16, String, String, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let header = |name| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (media_type, allowed) = (header(header::CONTENT_TYPE), header(header::ALLOW));
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (status, media_type, allowed, body)
    }

    #[tokio::test]
    async fn a_panic_becomes_a_problem_without_its_text() {
        let forms = [
            (
                routes().layer(from_fn(present_json)),
                "application/problem+json",
            ),
            (routes().layer(from_fn(present)), "text/html; charset=utf-8"),
        ];
        for (router, expected) in forms {
            let (status, media_type, _, body) = call(router, "GET", "/panic").await;
            assert_eq!((status, media_type.as_str()), (500, expected));
            assert!(body.contains("defect of Ticketbridge"), "{body}");
            assert!(!body.contains("secret"), "{body}");
        }
    }

    #[tokio::test]
    async fn a_wrong_method_is_answered_with_the_right_ones() {
        for (router, expected) in [
            (
                routes().layer(from_fn(present_json)),
                "application/problem+json",
            ),
            (routes().layer(from_fn(present)), "text/html; charset=utf-8"),
        ] {
            let (status, media_type, allowed, _) = call(router, "POST", "/panic").await;
            assert_eq!((status, media_type.as_str()), (405, expected));
            assert_eq!(allowed, "GET,HEAD");
        }
    }

    #[tokio::test]
    async fn a_next_page_that_is_no_header_becomes_a_problem() {
        let router = routes().layer(from_fn(present));
        let (status, media_type, _, body) = call(router, "GET", "/next").await;
        assert_eq!(
            (status, media_type.as_str()),
            (500, "text/html; charset=utf-8")
        );
        assert!(body.contains("The request failed"), "{body}");
    }

    #[tokio::test]
    async fn an_unread_request_gets_a_problem_in_its_own_form() {
        let json =
            HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        for (is_for_page, headers, expected) in [
            (false, HeaderMap::new(), "application/problem+json"),
            (true, json, "application/problem+json"),
            (true, HeaderMap::new(), "text/html; charset=utf-8"),
        ] {
            let response = unread(Problem::not_found("No."), is_for_page, &headers);
            assert_eq!(response.status(), 404);
            assert_eq!(response.headers()[header::CONTENT_TYPE], expected);
        }
    }
}
