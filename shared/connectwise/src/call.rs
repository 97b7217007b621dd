//! One call: where it goes, how long it may take, how much it may answer.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::address::AddressRefused;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::paging::{NextLink, next_of};
use crate::verdict::{Refusal, classify};

/// ConnectWise's guide: the tenant's own version is routed to from this one codebase.
pub(crate) const BASE: &str = "/v4_6_release/apis/3.0";

/// Longest that one call may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Shortest that is worth beginning: a write begun with less would only become uncertain.
const SHORTEST: Duration = Duration::from_millis(100);

/// A thousand full tickets of some 5 KB each, an estimate, and room to spare.
pub(crate) const LIST_LIMIT: usize = 8 * 1024 * 1024;
pub(crate) const SINGLE_LIMIT: usize = 1024 * 1024;

/// A fixed model version: the newest is the default, and models change; an old one lives for twelve months more.
const MODEL: &str = "application/vnd.connectwise.com+json; version=2025.1";

/// What a call is, apart from its keys and its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below [`BASE`], with no query; made of our own words and record numbers.
    pub(crate) path: String,
    /// Already escaped.
    pub(crate) query: String,
    /// What the API member must be allowed to do.
    pub(crate) right: &'static str,
    /// The most that a good answer may hold, in bytes.
    pub(crate) limit: usize,
    /// Asks for a list by cursor, not by page number.
    pub(crate) forward_only: bool,
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What its `Link` headers say of a next page.
    pub(crate) next: NextLink,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// A read of one thing.
    pub(crate) fn get(path: impl Into<String>, right: &'static str) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: String::new(),
            right,
            limit: SINGLE_LIMIT,
            forward_only: false,
        }
    }

    /// A write.
    pub(crate) fn write(method: Method, path: impl Into<String>, right: &'static str) -> Self {
        Self {
            method,
            ..Self::get(path, right)
        }
    }
}

/// When a call that begins now must end.
pub(crate) fn end_of_call(deadline: Instant) -> Result<Instant, Error> {
    let now = Instant::now();
    if deadline.saturating_duration_since(now) < SHORTEST {
        return Err(Error::DeadlineTooShort);
    }
    Ok(deadline.min(now + LONGEST))
}

/// A call signed with a connection's keys, which leave for that connection's own origin and no other.
pub(crate) fn signed(
    http: &Http,
    keys: &Credentials,
    call: &Call,
) -> Result<RequestBuilder, Error> {
    let refused = |cause: &str| Error::HostRefused {
        cause: cause.to_owned(),
    };
    http.hosts
        .check(&keys.origin)
        .map_err(|error| refused(&error.to_string()))?;
    let mut url = Url::parse(&format!("{}{BASE}{}", keys.origin, call.path))
        .map_err(|_| refused("the call's address cannot be made"))?;
    if url.origin().ascii_serialization() != keys.origin.as_str() {
        return Err(refused("the call's address is not the connection's"));
    }
    if !call.query.is_empty() {
        url.set_query(Some(&call.query));
    }
    // A clientId that cannot even stand in a header is refused here as ConnectWise would.
    let mut client_id =
        HeaderValue::from_str(keys.client_id.expose()).map_err(|_| Error::ClientIdRefused)?;
    client_id.set_sensitive(true);
    let user = format!("{}+{}", keys.company_id, keys.public_key);
    let request = http
        .client
        .request(call.method.clone(), url)
        .header(ACCEPT, MODEL)
        .header("clientId", client_id)
        .basic_auth(user, Some(keys.private_key.expose()));
    Ok(match call.forward_only {
        true => request.header("pagination-type", "forward-only"),
        false => request,
    })
}

/// Sends the request once and reads the whole answer, or says what became of it.
pub(crate) async fn send(
    request: RequestBuilder,
    call: &Call,
    end: Instant,
) -> Result<Answer, Error> {
    let begun = Instant::now();
    let outcome = exchange(request, call, begun, end).await;
    tracing::debug!(
        http.method = %call.method,
        http.path = call.path,
        http.status = outcome.as_ref().ok().map(|answer| answer.status),
        error = outcome.as_ref().err().map(tracing::field::display),
        elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "called ConnectWise"
    );
    outcome
}

async fn exchange(
    request: RequestBuilder,
    call: &Call,
    begun: Instant,
    end: Instant,
) -> Result<Answer, Error> {
    let late = || Error::TimedOut {
        after: begun.elapsed(),
    };
    let mut response = match timeout_at(end, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(unanswered(error, begun)),
        Err(_) => return Err(late()),
    };
    let status = response.status();
    let limit = match status.is_success() {
        true => call.limit,
        false => SINGLE_LIMIT,
    };
    let body = match timeout_at(end, read_body(&mut response, limit)).await {
        Ok(Ok(body)) => Some(body),
        // What became of a refusal's body does not matter as much as that it is one.
        Ok(Err(BodyError::TooLarge)) if status.is_success() => {
            return Err(Error::AnswerTooLarge { limit });
        }
        Ok(Err(BodyError::TooLarge | BodyError::CutOff)) => None,
        Err(_) if status.is_success() => return Err(late()),
        Err(_) => None,
    };
    judge(call, status, response.headers(), body, Timestamp::now())
}

/// What an answer means, once it is here; `None` is a body that could not be read whole. Pure.
pub(crate) fn judge(
    call: &Call,
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<Answer, Error> {
    if !status.is_success() {
        let refusal = Refusal {
            path: &call.path,
            right: call.right,
            status: status.as_u16(),
            retry_after: texts(headers, &RETRY_AFTER).next(),
            body: body.as_deref(),
        };
        return Err(classify(refusal, now));
    }
    match body {
        Some(body) => Ok(Answer {
            status: status.as_u16(),
            next: next_of(texts(headers, &LINK)),
            body,
        }),
        None => Err(Error::AnswerUnreadable {
            status: status.as_u16(),
            cause: "it is cut off".to_owned(),
        }),
    }
}

enum BodyError {
    TooLarge,
    CutOff,
}

/// Reads by chunks, so that a body without end costs no more memory than the limit.
async fn read_body(response: &mut Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => return Err(BodyError::TooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => return Err(BodyError::CutOff),
        }
    }
}

/// An error of the HTTP client before the head of an answer. Only its connecting phase proves that nothing was sent.
fn unanswered(error: reqwest::Error, begun: Instant) -> Error {
    let error = error.without_url();
    let cause = chain(&error);
    if find::<AddressRefused>(&error).is_some() {
        return Error::HostRefused { cause };
    }
    if error.is_connect() || error.is_builder() {
        return Error::NotSent { cause };
    }
    if error.is_timeout() {
        return Error::TimedOut {
            after: begun.elapsed(),
        };
    }
    Error::NoAnswer { cause }
}

/// An error and what lies below it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        below = cause.source();
    }
    line
}

fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The values of a header that are text.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok())
}

impl Answer {
    /// The body as what the endpoint is documented to give.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // serde_json's message may quote the body; its place does not.
        serde_json::from_slice(&self.body).map_err(|error| Error::AnswerUnreadable {
            status: self.status,
            cause: format!(
                "{:?} error in line {}, column {}",
                error.classify(),
                error.line(),
                error.column()
            ),
        })
    }
}
