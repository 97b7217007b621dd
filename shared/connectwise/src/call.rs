//! One API call: its address, its time limit, and the size limit of its response.

use std::time::Duration;

use domain::text::chain;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::link_header::{NextPage, next_page};
use crate::refusal::{ErrorResponse, error_for};
use public_http::AddressRefused;

/// ConnectWise's guide: from this codebase, a call is routed to the tenant's own version.
pub(crate) const BASE: &str = "/v4_6_release/apis/3.0";

const MAX_CALL_DURATION: Duration = Duration::from_secs(10);
/// A write that begins with less time than this would only become uncertain.
const MIN_CALL_DURATION: Duration = Duration::from_millis(100);

/// Room for a thousand full tickets of some 5 KB each, which is an estimate, and more.
pub(crate) const LIST_LIMIT: usize = 8 * 1024 * 1024;
pub(crate) const SINGLE_LIMIT: usize = 1024 * 1024;

/// A call without its keys and its body.
#[derive(Debug, Clone)]
pub(crate) struct ApiCall {
    pub(crate) method: Method,
    /// The path below [`BASE`], without a query. It holds only constants and record numbers.
    pub(crate) path: String,
    /// The escaped query.
    pub(crate) query: String,
    /// The right that the API member needs.
    pub(crate) right: &'static str,
    /// The largest successful response, in bytes.
    pub(crate) limit: usize,
    /// Lists by cursor instead of by page number.
    pub(crate) forward_only: bool,
}

/// A successful response.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) next: NextPage,
    pub(crate) body: Vec<u8>,
}

impl ApiCall {
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

    pub(crate) fn write(method: Method, path: impl Into<String>, right: &'static str) -> Self {
        Self {
            method,
            ..Self::get(path, right)
        }
    }
}

impl ApiResponse {
    /// Parses the body as the type that the endpoint is documented to return.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // serde_json's message may quote the body. Its line and column do not.
        serde_json::from_slice(&self.body).map_err(|err| Error::AnswerUnreadable {
            status: self.status,
            cause: format!(
                "{:?} error in line {}, column {}",
                err.classify(),
                err.line(),
                err.column()
            ),
        })
    }
}

/// Returns when a call that begins now must end.
pub(crate) fn end_of_call(deadline: Instant) -> Result<Instant, Error> {
    let now = Instant::now();
    if deadline.saturating_duration_since(now) < MIN_CALL_DURATION {
        return Err(Error::DeadlineTooShort);
    }
    Ok(deadline.min(now + MAX_CALL_DURATION))
}

/// Signs a call with a connection's keys. The keys are sent to that connection's own origin only.
pub(crate) fn sign(
    http: &Http,
    keys: &Credentials,
    call: &ApiCall,
) -> Result<RequestBuilder, Error> {
    let refuse = |cause: &str| Error::HostRefused {
        cause: cause.to_owned(),
    };
    http.hosts
        .check(&keys.origin)
        .map_err(|err| refuse(&err.to_string()))?;
    let mut url = Url::parse(&format!("{}{BASE}{}", keys.origin, call.path))
        .map_err(|_| refuse("the call's address is invalid"))?;
    if url.origin().ascii_serialization() != keys.origin.as_str() {
        return Err(refuse(
            "the call's address is outside the connection's origin",
        ));
    }
    if !call.query.is_empty() {
        url.set_query(Some(&call.query));
    }
    // ConnectWise would refuse a clientId that cannot be a header value.
    let mut client_id =
        HeaderValue::from_str(keys.client_id.expose()).map_err(|_| Error::ClientIdRefused)?;
    client_id.set_sensitive(true);
    let user = format!("{}+{}", keys.company_id, keys.public_key);
    let mut request = http
        .client
        .request(call.method.clone(), url)
        .header(ACCEPT, http.model_version.0.clone())
        .header("clientId", client_id)
        .basic_auth(user, Some(keys.private_key.expose()));
    if call.forward_only {
        request = request.header("pagination-type", "forward-only");
    }
    Ok(request)
}

/// Sends a request once and reads the whole response.
pub(crate) async fn send(
    request: RequestBuilder,
    call: &ApiCall,
    end: Instant,
) -> Result<ApiResponse, Error> {
    let started = Instant::now();
    let outcome = exchange(request, call, started, end).await;
    tracing::debug!(
        http.method = %call.method,
        http.path = call.path,
        http.status = outcome.as_ref().ok().map(|response| response.status),
        error = outcome.as_ref().err().map(tracing::field::display),
        elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "called ConnectWise"
    );
    outcome
}

async fn exchange(
    request: RequestBuilder,
    call: &ApiCall,
    started: Instant,
    end: Instant,
) -> Result<ApiResponse, Error> {
    let timed_out = || Error::TimedOut {
        after: started.elapsed(),
    };
    let mut response = match timeout_at(end, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(err)) => return Err(transport_error(err, started)),
        Err(_) => return Err(timed_out()),
    };
    let status = response.status();
    let limit = if status.is_success() {
        call.limit
    } else {
        SINGLE_LIMIT
    };
    let body = match timeout_at(end, read_body(&mut response, limit)).await {
        Ok(Ok(body)) => Some(body),
        Ok(Err(BodyError::TooLarge)) if status.is_success() => {
            return Err(Error::AnswerTooLarge { limit });
        }
        // A refusal is classified by its status even if its body cannot be read.
        Ok(Err(BodyError::TooLarge | BodyError::CutOff)) => None,
        Err(_) if status.is_success() => return Err(timed_out()),
        Err(_) => None,
    };
    interpret(call, status, response.headers(), body, Timestamp::now())
}

/// Turns a received response into a result. `body` is `None` if it could not be read whole. Pure.
pub(crate) fn interpret(
    call: &ApiCall,
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<ApiResponse, Error> {
    if !status.is_success() {
        let response = ErrorResponse {
            path: &call.path,
            right: call.right,
            status: status.as_u16(),
            retry_after: header_texts(headers, &RETRY_AFTER).next(),
            body: body.as_deref(),
        };
        return Err(error_for(response, now));
    }
    match body {
        Some(body) => Ok(ApiResponse {
            status: status.as_u16(),
            next: next_page(header_texts(headers, &LINK)),
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

/// Reads by chunks, so that an endless body uses no more memory than the limit.
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

/// Classifies an error of the HTTP client that came before the response's head. Only an error of
/// the connecting phase proves that nothing was sent.
fn transport_error(err: reqwest::Error, started: Instant) -> Error {
    let err = err.without_url();
    let cause = chain(&err);
    if find::<AddressRefused>(&err).is_some() {
        return Error::HostRefused { cause };
    }
    if err.is_connect() || err.is_builder() {
        return Error::NotSent { cause };
    }
    if err.is_timeout() {
        return Error::TimedOut {
            after: started.elapsed(),
        };
    }
    Error::NoAnswer { cause }
}

fn find<'a, E: std::error::Error + 'static>(
    err: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(err);
    while let Some(err) = next {
        if let Some(found) = err.downcast_ref() {
            return Some(found);
        }
        next = err.source();
    }
    None
}

/// The values of a header that are text.
fn header_texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok())
}
