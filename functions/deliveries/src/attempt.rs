//! A call to a receiver, and how an attempt of one or more calls ends.

use domain::outgoing::retry::AttemptOutcome;
use domain::text::chain;
use jiff::{SignedDuration, Timestamp};
use public_http::AddressRefused;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};

pub(crate) const NO_ANSWER: &str = "the receiver did not answer in time";

/// An attempt that the receiver confirmed.
#[derive(Debug)]
pub(crate) struct ConfirmedAttempt {
    /// `None` if no call was necessary.
    pub(crate) status: Option<u16>,
    /// What was not done nevertheless, for the log of deliveries.
    pub(crate) problem: Option<String>,
    /// The body of the answer to an action. Empty for any other event: its answer is not
    /// Ticketbridge's to store.
    pub(crate) answer: Vec<u8>,
}

/// An attempt that the receiver did not confirm.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) status: Option<u16>,
    pub(crate) problem: String,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadBody {
    TooLong,
    CutOff,
}

impl FailedAttempt {
    pub(crate) fn refused(problem: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Refused,
            status: None,
            problem: problem.into(),
        }
    }

    pub(crate) fn unavailable(problem: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Unavailable { retry_after: None },
            status: None,
            problem: problem.into(),
        }
    }
}

/// Makes a call. An answer other than 2xx is a failed attempt.
pub(crate) async fn send(
    call: RequestBuilder,
    now: Timestamp,
    ends: Instant,
) -> Result<Response, FailedAttempt> {
    let response = match timeout_at(ends, call.send()).await {
        Err(_) => return Err(FailedAttempt::unavailable(NO_ANSWER)),
        Ok(Err(err)) if is_refused_address(&err) => {
            let problem = "the receiver's name leads to an address that is not public";
            return Err(FailedAttempt::refused(problem));
        }
        Ok(Err(err)) => return Err(FailedAttempt::unavailable(chain(&err.without_url()))),
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    let retry_after = pause_asked_for(response.headers(), now);
    match AttemptOutcome::of_status(status, retry_after) {
        AttemptOutcome::Delivered => Ok(response),
        outcome @ (AttemptOutcome::Gone
        | AttemptOutcome::Refused
        | AttemptOutcome::Unavailable { .. }) => Err(FailedAttempt {
            outcome,
            status: Some(status),
            problem: format!("the receiver answered {status}"),
        }),
    }
}

/// Reads a body of at most this many bytes.
pub(crate) async fn read_body(
    response: &mut Response,
    longest: usize,
) -> Result<Vec<u8>, UnreadBody> {
    let mut body = vec![];
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= longest => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(body),
            Ok(Some(_)) => return Err(UnreadBody::TooLong),
            Err(_) => return Err(UnreadBody::CutOff),
        }
    }
}

fn is_refused_address(err: &reqwest::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(err) = source {
        if err.is::<AddressRefused>() {
            return true;
        }
        source = err.source();
    }
    false
}

/// How long the receiver asks to be left alone: in seconds, or until a time.
fn pause_asked_for(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match value.parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(seconds.into()),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(value).ok()?;
            until.timestamp().duration_since(now)
        }
    };
    asked.is_positive().then_some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_time() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            ("Sun, 22 Nov 2026 07:31:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 07:29:00 GMT", None),
            ("0", None),
            ("-5", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let asked = pause_asked_for(&headers, now).map(|asked| asked.as_secs());
            assert_eq!(asked, seconds, "{value}");
        }
        assert_eq!(pause_asked_for(&HeaderMap::new(), now), None);
    }
}
