//! Who is at the page: links that are exchanged for sessions, the cookie, and where a change must come from.

use std::sync::Arc;

use aws::invocation::Invocation;
use axum::Extension;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::{Link, TokenHash};
use domain::time::sortable;
use domain::{PartnerId, Secret};
use jiff::SignedDuration;
use serde::Deserialize;
use store::Actor;

use crate::answer::{ChangeResponse, Problem};
use crate::input::{Form, Input};
use crate::{Setup, State, is_read, random};

/// With this prefix a browser takes it only over https (or from this machine), for this host alone and all of its paths.
const COOKIE: &str = "__Host-session";
/// How long somebody may be at the page; a working day.
const SESSION: SignedDuration = SignedDuration::from_hours(8);

/// Somebody at a partner, with a session that counts. The partner is the session's, never the request's.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) partner: PartnerId,
    /// The partner's name for people.
    pub(crate) name: String,
    hash: TokenHash,
}

impl Session {
    /// The address to which a form of this session's pages posts. It names the partner that the form was drawn for: a browser has one
    /// session, so a link to another partner that is opened in a second tab changes what the first tab's forms would be saved to.
    pub(crate) fn action(&self, path: &str) -> String {
        format!("{path}?partner={}", self.partner)
    }

    /// Refuses a change that was made for another partner than the session's, or that does not say for which one.
    fn accept(&self, uri: &Uri) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct MadeFor {
            partner: PartnerId,
        }
        let Ok(Query(MadeFor { partner })) = Query::try_from_uri(uri) else {
            return Err(Problem::partner_not_named(&self.partner));
        };
        match partner == self.partner {
            true => Ok(()),
            false => Err(Problem::other_partner(&partner, &self.name)),
        }
    }
}

/// Lets through who has a session that counts, and of changes only those that were made for the session's partner; every handler behind
/// it may take a [`Session`].
pub(crate) async fn required(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = match session(&setup, request.headers(), &invocation).await {
        Ok(session) => session,
        Err(problem) => return problem.into_response(),
    };
    if !is_read(request.method())
        && let Err(problem) = session.accept(request.uri())
    {
        tracing::warn!(partner = %session.partner, problem = problem.title, "rejected a change");
        return problem.into_response();
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

async fn session(
    setup: &Setup,
    headers: &HeaderMap,
    invocation: &Invocation,
) -> Result<Session, Problem> {
    let token = cookie(headers).ok_or_else(Problem::no_session)?;
    let hash = TokenHash::of(&token);
    let session = setup.access().sessions.get(&hash, invocation.now()).await?;
    let (session, partner) = session.ok_or_else(Problem::no_session)?;
    Ok(Session {
        partner: session.partner,
        name: partner.name,
        hash,
    })
}

impl FromRequestParts<Arc<Setup>> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Setup>) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Self>();
        session.cloned().ok_or_else(Problem::no_session)
    }
}

#[derive(Deserialize)]
pub(crate) struct Opened {
    token: Secret,
}

/// Exchanges a link's token for a session. The link is used up first: if the process dies right after, nobody is in, and whoever has
/// the link asks for another.
pub(crate) async fn open(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    Input(Opened { token }): Input<Opened>,
) -> Result<Response, Problem> {
    let now = invocation.now();
    let link = setup
        .access()
        .sessions
        .consume_link(&TokenHash::of(&token), now)
        .await?;
    let link = link.ok_or_else(Problem::no_session)?;
    let token = random::token()?;
    let expires_at = now.saturating_add(SESSION).unwrap_or(link.expires_at);
    let session = link.session(expires_at);
    setup
        .access()
        .sessions
        .put(&TokenHash::of(&token), &session)
        .await?;
    let (by, what) = (Actor::Partner, "session_began");
    let detail = [("until", sortable(expires_at))];
    setup
        .done(&session.partner, by, what, &detail, &invocation)
        .await;
    let cookie = set_cookie(token.expose(), SESSION.as_secs())?;
    // Each change names the partner: a program learns here which one it is.
    let done = ChangeResponse::next("/setup").with("partner", session.partner);
    Ok(([(header::SET_COOKIE, cookie)], done).into_response())
}

/// Ends the session, here and in the browser.
pub(crate) async fn end(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<Response, Problem> {
    setup.access().sessions.end(&session.hash).await?;
    let (by, what) = (Actor::Partner, "signed_out");
    setup
        .done(&session.partner, by, what, &[], &invocation)
        .await;
    let cookie = set_cookie("", 0)?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        ChangeResponse::next("/setup/link?done=signed_out"),
    )
        .into_response())
}

/// Stores a fresh link to the partner's page, and returns its address. The token stands behind `#`, which no server and no log sees.
pub(crate) async fn new_link(
    setup: &Setup,
    partner: &PartnerId,
    lives: SignedDuration,
    invocation: &Invocation,
) -> Result<(String, Link), Problem> {
    let token = random::token()?;
    let made_at = invocation.now();
    let link = Link {
        partner: partner.clone(),
        made_at,
        expires_at: made_at.saturating_add(lives).unwrap_or(made_at),
    };
    setup
        .access()
        .sessions
        .put_link(&TokenHash::of(&token), &link)
        .await?;
    let origin = &setup.config.page_origin;
    Ok((format!("{origin}/setup/open#{}", token.expose()), link))
}

/// Lets changes through only from our own pages: a browser tells where a form or a script that sends them came from, and no page can
/// make it lie. The cookie's `SameSite` is the other lock. What is neither a form nor JSON is refused whether a handler reads it or not.
pub(crate) async fn from_our_page(setup: State, request: Request, next: Next) -> Response {
    if is_read(request.method()) {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN);
    let ours =
        origin.is_some_and(|origin| origin.as_bytes() == setup.config.page_origin.as_bytes());
    if !ours {
        tracing::warn!(origin = ?origin, "rejected a cross-origin request");
        return Problem::foreign().into_response();
    }
    if headers.contains_key(header::CONTENT_TYPE) && Form::of(headers).is_none() {
        return Problem::media_type().into_response();
    }
    next.run(request).await
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
