//! The page without a partner's id: it leads to the partner that the browser is signed in at.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::html;

use crate::auth::session::find_all;
use crate::context::AppState;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::step::SetupStep;
use crate::{page, paths};

/// Redirects where there is only one place to go, and else lists the partners.
pub(crate) async fn show(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sessions = find_all(&setup, &headers, &invocation).await?;
    let overview = |partner| paths::of_partner(partner, SetupStep::Overview.path());
    let response = match sessions.as_slice() {
        [] => ChangeResponse::next(paths::LINK).into_response(),
        [only] => ChangeResponse::next(overview(&only.partner)).into_response(),
        several => {
            let content = html! {
                p { "This browser is signed in at several partners. Choose one." }
                ul {
                    @for session in several {
                        li { a href=(overview(&session.partner)) { (session.name) } " " small { "(" (session.partner) ")" } }
                    }
                }
            };
            page::public("Choose a partner", &content).into_response()
        }
    };
    Ok(response)
}
