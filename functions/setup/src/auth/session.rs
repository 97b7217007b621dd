//! Sessions: a link is exchanged for a cookie, and every change must come from this site's pages.

use std::sync::Arc;

use aws::invocation::Invocation;
use axum::Extension;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::setup::access::{Invitation, TokenHash};
use domain::time::sortable;
use domain::{PartnerId, Secret};
use jiff::SignedDuration;
use serde::Deserialize;
use store::Actor;

use crate::context::{AppState, Setup};
use crate::http::input::{BodyFormat, Input};
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::step::SetupStep;
use crate::{audit, paths, random};

/// With this prefix a browser accepts the cookie only over HTTPS (or from this machine), for this
/// host only and for all of its paths.
const COOKIE: &str = "__Host-session";
/// A working day.
const SESSION: SignedDuration = SignedDuration::from_hours(8);

/// A valid session. The partner is the session's, never the request's.
#[derive(Debug, Clone)]
pub(crate) struct PartnerSession {
    pub(crate) partner: PartnerId,
    /// The partner's display name.
    pub(crate) name: String,
    /// Whether the operator lets the partner create and change its own sources.
    pub(crate) manages_sources: bool,
    hash: TokenHash,
}

impl PartnerSession {
    /// The address that a form of this session posts to. It names the partner that the form belongs
    /// to. A browser has one session: if a link of another partner is opened in a second tab, the
    /// forms of the first tab would otherwise change that partner.
    pub(crate) fn action(&self, path: &str) -> String {
        format!("{path}?partner={}", self.partner)
    }

    /// Rejects a change that names another partner than the session's, or none.
    fn check_partner(&self, uri: &Uri) -> Result<(), Problem> {
        let Ok(Query(PartnerQuery { partner })) = Query::try_from_uri(uri) else {
            return Err(Problem::partner_not_named(&self.partner));
        };
        if partner == self.partner {
            Ok(())
        } else {
            Err(Problem::other_partner(&partner, &self.name))
        }
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            partner: PartnerId::parse("northwind").unwrap(),
            name: "Northwind IT".to_owned(),
            manages_sources: true,
            hash: TokenHash::new(&Secret::new("token")),
        }
    }
}

#[derive(Deserialize)]
struct PartnerQuery {
    partner: PartnerId,
}

/// Middleware that passes requests with a valid session only, and of changes only those for the
/// session's partner. The handlers behind it may take a [`PartnerSession`].
pub(crate) async fn require_session(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = match find_session(&setup, request.headers(), &invocation).await {
        Ok(session) => session,
        Err(problem) => return problem.into_response(),
    };
    if !is_read(request.method())
        && let Err(problem) = session.check_partner(request.uri())
    {
        tracing::warn!(partner = %session.partner, problem = problem.title, "rejected a change");
        return problem.into_response();
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

/// Middleware that passes changes from this site's pages only. A browser sends the origin of the
/// form or script, and no page can forge it. The cookie's `SameSite` protects independently. A body
/// that is neither a form nor JSON is rejected even if no handler reads it.
pub(crate) async fn require_same_origin(setup: AppState, request: Request, next: Next) -> Response {
    if is_read(request.method()) {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN);
    let page_origin = setup.config.page_origin.as_bytes();
    if origin.is_none_or(|origin| origin.as_bytes() != page_origin) {
        tracing::warn!(origin = ?origin, "rejected a cross-origin request");
        return Problem::cross_origin().into_response();
    }
    if headers.contains_key(header::CONTENT_TYPE) && BodyFormat::of(headers).is_none() {
        return Problem::media_type().into_response();
    }
    next.run(request).await
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

async fn find_session(
    setup: &Setup,
    headers: &HeaderMap,
    invocation: &Invocation,
) -> Result<PartnerSession, Problem> {
    let token = cookie(headers).ok_or_else(Problem::no_session)?;
    let hash = TokenHash::new(&token);
    let session = setup.access().sessions.get(&hash, invocation.now()).await?;
    let (session, partner) = session.ok_or_else(Problem::no_session)?;
    Ok(PartnerSession {
        partner: session.partner,
        name: partner.name,
        manages_sources: partner.manages_sources,
        hash,
    })
}

impl FromRequestParts<Arc<Setup>> for PartnerSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Setup>) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Self>();
        session.cloned().ok_or_else(Problem::no_session)
    }
}

#[derive(Deserialize)]
pub(crate) struct SessionForm {
    token: Secret,
}

/// Exchanges a link's token for a session. The link is consumed first. If the process dies right
/// after, there is no session, and the person requests another link.
pub(crate) async fn open(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    Input(SessionForm { token }): Input<SessionForm>,
) -> Result<Response, Problem> {
    let (access, now) = (setup.access(), invocation.now());
    let link = access
        .sessions
        .consume_link(&TokenHash::new(&token), now)
        .await?;
    let link = link.ok_or_else(Problem::no_session)?;
    let token = random::token()?;
    let expires_at = now.saturating_add(SESSION).unwrap_or(link.expires_at);
    let session = link.session(expires_at);
    access
        .sessions
        .put(&TokenHash::new(&token), &session)
        .await?;
    let action = (Actor::Partner, "session_began");
    let detail = [("until", sortable(expires_at))];
    audit::record(&setup, &session.partner, action, &detail, &invocation).await;
    let cookie = set_cookie(token.expose(), SESSION.as_secs())?;
    // Every change must name the partner; a program learns it here.
    let response =
        ChangeResponse::next(SetupStep::Overview.path()).with("partner", session.partner);
    Ok(([(header::SET_COOKIE, cookie)], response).into_response())
}

/// Ends the session in the table and in the browser.
pub(crate) async fn end(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<Response, Problem> {
    setup.access().sessions.end(&session.hash).await?;
    let action = (Actor::Partner, "signed_out");
    audit::record(&setup, &session.partner, action, &[], &invocation).await;
    let cookie = set_cookie("", 0)?;
    let response = ChangeResponse::next(format!("{}?done=signed_out", paths::LINK));
    Ok(([(header::SET_COOKIE, cookie)], response).into_response())
}

/// Stores a new link to the partner's page, and returns its address. The token is behind `#`, which
/// browsers do not send, so it reaches no server's log.
pub(crate) async fn new_link(
    setup: &Setup,
    partner: &PartnerId,
    lifetime: SignedDuration,
    invocation: &Invocation,
) -> Result<(String, Invitation), Problem> {
    let token = random::token()?;
    let made_at = invocation.now();
    let link = Invitation {
        partner: partner.clone(),
        made_at,
        expires_at: made_at.saturating_add(lifetime).unwrap_or(made_at),
    };
    setup
        .access()
        .sessions
        .put_link(&TokenHash::new(&token), &link)
        .await?;
    let origin = &setup.config.page_origin;
    let url = format!("{origin}{}#{}", paths::OPEN, token.expose());
    Ok((url, link))
}

fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE && !value.is_empty()).then(|| Secret::new(value))
    })
}

fn set_cookie(value: &str, max_age: i64) -> Result<HeaderValue, Problem> {
    let cookie =
        format!("{COOKIE}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(cookie).map_err(|_| Problem::no_session())
}
