//! Sessions: a link is exchanged for a cookie, and every change must come from this site's pages.
//!
//! A browser has a session for each partner that it is signed in at. The address of a page names
//! its partner, so two partners' pages work side by side, and no form reaches another partner than
//! the one that it was made for.

use std::sync::Arc;

use aws::invocation::{Caller, Invocation};
use axum::Extension;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{AppendHeaders, IntoResponse, Response};
use domain::setup::access::{Invitation, TokenHash};
use domain::time::sortable;
use domain::{PartnerId, Secret};
use jiff::SignedDuration;
use serde::Deserialize;
use store::Actor;

use crate::context::{AppState, Setup};
use crate::http::input::{BodyFormat, Input, PathParam, is_multipart};
use crate::http::panics::catch_panics;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;
use crate::step::SetupStep;
use crate::{audit, paths, random};

/// The name of a session's cookie, before the partner's id. With `__Host-` a browser accepts a
/// cookie only over HTTPS (or from this machine), for this host only and for all of its paths.
const COOKIE: &str = "__Host-session-";
/// The most partners that a browser is signed in at. The gateway accepts 10 KB of headers.
const MAX_SESSIONS: usize = 20;
/// A working day.
const SESSION: SignedDuration = SignedDuration::from_hours(8);

/// A valid session, of the partner that the address names.
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
    /// Names the session in the history. It opens nothing.
    fn short_id(&self) -> String {
        short_id(&self.hash)
    }

    /// The session that a cookie's token opens.
    pub(super) async fn find(
        setup: &Setup,
        token: &Secret,
        invocation: &Invocation,
    ) -> Result<Option<Self>, Problem> {
        let hash = TokenHash::new(token);
        let session = setup.access().sessions.get(&hash, invocation.now()).await?;
        Ok(session.map(|(session, partner)| Self {
            partner: session.partner,
            name: partner.name,
            manages_sources: partner.manages_sources,
            hash,
        }))
    }

    /// The session of a partner, if the request has its cookie.
    async fn of_partner(
        setup: &Setup,
        partner: &PartnerId,
        headers: &HeaderMap,
        invocation: &Invocation,
    ) -> Result<Option<Self>, Problem> {
        let mut cookies = session_cookies(headers);
        let Some((_, token)) = cookies.find(|(name, _)| *name == partner.as_str()) else {
            return Ok(None);
        };
        let session = Self::find(setup, &token, invocation).await?;
        // A browser can be made to send one partner's token under another's name.
        Ok(session.filter(|session| session.partner == *partner))
    }
}

/// Middleware that passes requests with a valid session of the partner that the address names. The
/// handlers behind it may take a [`PartnerSession`].
pub(crate) async fn require_session(
    setup: AppState,
    PathParam(partner): PathParam,
    Extension(invocation): Extension<Invocation>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    match find_session(&setup, partner, (&method, &headers), &invocation).await {
        Ok(session) => {
            let caller = Caller {
                session: Some(session.short_id()),
                ..invocation.caller().clone()
            };
            let invocation = invocation.with_caller(caller);
            request.extensions_mut().insert(invocation);
            request.extensions_mut().insert(session.clone());
            // A panic is caught here too: its page keeps the partner's head.
            let mut response = catch_panics(request, next).await;
            response.extensions_mut().insert(session);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// The answer for an address that is no page.
pub(crate) async fn no_such_page(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let mut response = Problem::not_found("There is no such page.").into_response();
    // The menu's links are relative: they lead to the partner's pages from its own level only.
    let split = paths::split(uri.path()).filter(|(_, own)| !own.contains('/'));
    let partner = split.and_then(|_| paths::partner_of(uri.path()));
    if let Some(partner) = partner
        && let Ok(Some(session)) =
            PartnerSession::of_partner(&setup, &partner, &headers, &invocation).await
    {
        response.extensions_mut().insert(session);
    }
    response
}

/// # Errors
/// When the browser is not signed in at the partner. A change from a browser that has signed in at
/// another one since is a conflict: the person is not signed out, but on the wrong page.
async fn find_session(
    setup: &Setup,
    partner: String,
    (method, headers): (&Method, &HeaderMap),
    invocation: &Invocation,
) -> Result<PartnerSession, Problem> {
    let partner = PartnerId::try_from(partner).map_err(|_| Problem::no_session())?;
    let own = PartnerSession::of_partner(setup, &partner, headers, invocation).await?;
    if let Some(session) = own {
        return Ok(session);
    }
    if !is_read(method)
        && let Some(other) = find_all(setup, headers, invocation).await?.pop()
    {
        tracing::warn!(%partner, signed_in_at = %other.partner, "rejected a change");
        return Err(Problem::other_partner(&partner, &other.name));
    }
    Err(Problem::no_session())
}

/// The sessions of a browser, the newest last: a browser sends its oldest cookie first (RFC 6265,
/// section 5.4).
pub(crate) async fn find_all(
    setup: &Setup,
    headers: &HeaderMap,
    invocation: &Invocation,
) -> Result<Vec<PartnerSession>, Problem> {
    let mut sessions = vec![];
    for (partner, token) in session_cookies(headers).take(MAX_SESSIONS) {
        let session = PartnerSession::find(setup, &token, invocation).await?;
        sessions.extend(session.filter(|session| session.partner.as_str() == partner));
    }
    Ok(sessions)
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
    let takes_file = request.uri().path().ends_with(paths::IMPORT_TENANTS);
    let is_file = takes_file && is_multipart(headers);
    if headers.contains_key(header::CONTENT_TYPE) && BodyFormat::of(headers).is_none() && !is_file {
        return Problem::media_type().into_response();
    }
    next.run(request).await
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
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
    headers: HeaderMap,
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
    let hash = TokenHash::new(&token);
    access.sessions.put(&hash, &session).await?;
    let action = (Actor::Partner, "session_began");
    let detail = [
        ("until", sortable(expires_at)),
        ("link_made_at", sortable(link.made_at)),
    ];
    let caller = Caller {
        session: Some(short_id(&hash)),
        ..invocation.caller().clone()
    };
    let invocation = invocation.with_caller(caller);
    audit::record(&setup, &session.partner, action, &detail, &invocation).await;
    let partner = session.partner.as_str();
    let mut cookies = vec![set_cookie(partner, token.expose(), SESSION.as_secs())?];
    let others = session_cookies(&headers).filter(|(other, _)| *other != partner);
    let others: Vec<_> = others.collect();
    // The oldest sessions end in this browser, before its cookies exceed what the gateway accepts.
    for (other, _) in others.iter().rev().skip(MAX_SESSIONS - 1) {
        cookies.push(set_cookie(other, "", 0)?);
    }
    let next = paths::of_partner(&session.partner, SetupStep::Overview.path());
    let response = ChangeResponse::next(next).with("partner", &session.partner);
    let cookies = cookies.into_iter();
    let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((cookies, response).into_response())
}

fn short_id(hash: &TokenHash) -> String {
    hash.as_str().chars().take(6).collect()
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
    let cookie = set_cookie(session.partner.as_str(), "", 0)?;
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

/// The session cookies of a request, as pairs of a partner's id and a token.
fn session_cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, Secret)> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let partner = name.strip_prefix(COOKIE)?;
        (!value.is_empty()).then(|| (partner, Secret::new(value)))
    })
}

fn set_cookie(partner: &str, value: &str, max_age: i64) -> Result<HeaderValue, Problem> {
    let cookie = format!(
        "{COOKIE}{partner}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict"
    );
    HeaderValue::try_from(cookie).map_err(|_| Problem::no_session())
}
