//! The permanent address of an alert. It leads a person who is signed in at the alert's partner to
//! the alert's page. It names no partner, so it fits into a field of another system.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::alert::key::ItemKey;
use maud::html;

use crate::auth::session::find_all;
use crate::context::{AppState, Setup};
use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::page;
use crate::paths::{self, with_query};

/// The path, with the key of the alert's item.
pub(crate) const ALERT_LINK: &str = "/setup/alerts/{key}";

/// The address for an alert.
pub(crate) fn alert_link(setup: &Setup, key: &str) -> String {
    let path = ALERT_LINK.replace("{key}", key);
    format!("{}{path}", setup.config.page_origin)
}

/// Leads to the alert's page. An alert that does not exist, and one of a partner at which the
/// browser is not signed in, get the same response.
pub(crate) async fn open(
    setup: AppState,
    PathParam(key): PathParam,
    Extension(invocation): Extension<Invocation>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sessions = find_all(&setup, &headers, &invocation).await?;
    let record = match ItemKey::parse(&key) {
        Some(_) => setup.alerts.get_listed(&key).await?,
        None => None,
    };
    let partner = record.map(|record| record.key.partner);
    let session = partner.and_then(|partner| {
        let mut sessions = sessions.iter();
        sessions.find(|session| session.partner == partner)
    });
    match session {
        Some(session) => {
            let page = paths::of_partner(&session.partner, paths::ALERT);
            let page = with_query(&page, &[("id", &key)])?;
            Ok(ChangeResponse::next(page).into_response())
        }
        None if is_from_another_site(&headers) => load_again(&key),
        None => Err(Problem::no_session()),
    }
}

/// Whether a link of another site led here. The browser then sends no session's cookie, since these
/// are `SameSite=Strict`.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// A page that loads the same address once more, now from this site, so that the browser sends the
/// cookies. It is the same whether there is such an alert or not.
fn load_again(key: &str) -> Result<Response, Problem> {
    // The characters of a path are checked before it is routed.
    let address = ALERT_LINK.replace("{key}", key);
    let content = html! { p { a href=(address) { "Open the alert" } } };
    let refresh = HeaderValue::try_from(format!("0; url={address}"));
    let refresh = refresh.map_err(|_| Problem::no_session())?;
    let page = page::public("Alert", &content);
    Ok((StatusCode::OK, [(header::REFRESH, refresh)], page).into_response())
}
