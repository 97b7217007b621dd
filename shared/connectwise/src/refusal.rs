//! Turns the status, headers and body of an error response into an [`Error`]. Pure.
//!
//! The bodies are from ConnectWise's developer guide and from reports of live responses. Where
//! reports conflict, every variant is understood.

use std::time::Duration;

use domain::TicketTarget;
use domain::text::{cut_to_chars, one_line};
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::Error;
use crate::records::or_default;

/// Live 429s without the header ask for 30 seconds in their text.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

/// The longest quotation of ConnectWise in an error, in characters.
const MAX_WORDS: usize = 500;

/// An error response, and the call that it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorResponse<'a> {
    /// The path below the API's base.
    pub(crate) path: &'a str,
    /// The right that the call needs.
    pub(crate) right: &'static str,
    pub(crate) status: u16,
    /// The `Retry-After` header.
    pub(crate) retry_after: Option<&'a str>,
    /// `None` if the body could not be read whole.
    pub(crate) body: Option<&'a [u8]>,
}

/// ConnectWise's `ErrorResponseMessage`. Its 429 has `error` instead of `code`, and some refusals
/// are one `ValidationError`.
#[derive(Debug, Default, Deserialize)]
struct ErrorMessage {
    #[serde(default, deserialize_with = "or_default")]
    code: String,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
    #[serde(default, deserialize_with = "or_default")]
    field: String,
    #[serde(default, deserialize_with = "or_default")]
    errors: Vec<ErrorMessage>,
}

enum ErrorBody {
    /// ConnectWise's own error object.
    Message(ErrorMessage),
    /// A web page: a proxy, a firewall or another site answered.
    WebPage,
    /// Any other text, perhaps empty.
    Text(String),
}

/// Returns the error for a response whose status is not 2xx.
pub(crate) fn error_for(response: ErrorResponse<'_>, now: Timestamp) -> Error {
    let ErrorResponse { status, .. } = response;
    let body = response.body.map(read_body);
    let words = body.as_ref().map(words).unwrap_or_default();
    match status {
        429 => {
            return Error::Throttled {
                retry_after: retry_after(response.retry_after, now),
            };
        }
        300..=399 => return Error::RedirectRefused { status },
        400..=499 => {}
        _ => return Error::ServerError { status, words },
    }
    // 408 is a proxy's "the request did not arrive whole in time". It proves nothing about the part
    // that did arrive.
    if status == 408 {
        return Error::ServerError { status, words };
    }
    let Some(body) = body else {
        return match status {
            401 => Error::KeysRefused,
            _ => Error::AnswerUnreadable {
                status,
                cause: "the refusal is cut off".to_owned(),
            },
        };
    };
    if matches!(status, 400 | 401 | 403) && names_client_id(&body) {
        return Error::ClientIdRefused;
    }
    match status {
        401 => Error::KeysRefused,
        403 => forbidden(&body, response, words),
        404 => not_found(body, response, words),
        405 | 409 | 415 if matches!(body, ErrorBody::WebPage) => Error::NotRouted { status, words },
        405 | 415 => endpoint_missing(response),
        409 => Error::Conflict { words },
        _ => invalid(body, status, words),
    }
}

/// Reads how long a 429 asks to wait, as seconds or an HTTP date. The wait is 30 s if the header is
/// absent or unreadable, and at least a second and at most an hour.
pub(crate) fn retry_after(header: Option<&str>, now: Timestamp) -> Duration {
    let Some(text) = header.map(str::trim).filter(|text| !text.is_empty()) else {
        return DEFAULT_WAIT;
    };
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(MAX_WAIT, Duration::from_secs)
    } else {
        match jiff::fmt::rfc2822::parse(text) {
            Ok(date) => {
                Duration::try_from(date.timestamp().duration_since(now)).unwrap_or_default()
            }
            Err(_) => DEFAULT_WAIT,
        }
    };
    wait.clamp(MIN_WAIT, MAX_WAIT)
}

fn read_body(body: &[u8]) -> ErrorBody {
    if let Ok(error) = serde_json::from_slice(body) {
        return ErrorBody::Message(error);
    }
    let text = String::from_utf8_lossy(body);
    if text
        .trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t'])
        .starts_with('<')
    {
        return ErrorBody::WebPage;
    }
    ErrorBody::Text(one_line(&text))
}

/// ConnectWise's own words: those of the single errors if there are any, else of the whole message.
fn words(body: &ErrorBody) -> String {
    let text = match body {
        ErrorBody::Message(error) => {
            let single: Vec<&str> = error
                .errors
                .iter()
                .map(|error| error.message.as_str())
                .filter(|text| !text.is_empty())
                .collect();
            if single.is_empty() {
                error.message.clone()
            } else {
                single.join("; ")
            }
        }
        ErrorBody::WebPage => "a web page".to_owned(),
        ErrorBody::Text(text) => text.clone(),
    };
    cut_to_chars(&one_line(&text), MAX_WORDS)
}

/// Reports disagree whether a bad `clientId` is a 400, 401 or 403. All responses name it. An error
/// of another field may quote a ticket's title, so if a field is named, only its name counts.
fn names_client_id(body: &ErrorBody) -> bool {
    let named = |text: &str| text.to_ascii_lowercase().contains("clientid");
    match body {
        ErrorBody::Message(error) => {
            let one = |error: &ErrorMessage| {
                if error.field.is_empty() {
                    named(&error.message)
                } else {
                    named(&error.field)
                }
            };
            one(error) || error.errors.iter().any(one)
        }
        ErrorBody::WebPage => false,
        ErrorBody::Text(text) => named(text),
    }
}

/// Only ConnectWise's own message can prove that a right is missing. A firewall's page or a bare
/// "Forbidden" does not, and a cloud's browser host answers every call with "SSL is required.".
fn forbidden(body: &ErrorBody, response: ErrorResponse<'_>, words: String) -> Error {
    let ErrorResponse { status, right, .. } = response;
    match body {
        ErrorBody::WebPage => Error::NotRouted { status, words },
        ErrorBody::Message(error) if error.message.contains("SSL is required") => {
            Error::NotRouted { status, words }
        }
        ErrorBody::Message(error) if is_about_rights(error) => Error::MissingRight { right },
        ErrorBody::Message(_) | ErrorBody::Text(_) => Error::Forbidden { right, words },
    }
}

/// Observed live:
/// `{"code":"Security","message":"You do not have security permission to perform this action."}`.
fn is_about_rights(error: &ErrorMessage) -> bool {
    let text = error.message.to_ascii_lowercase();
    error.code.eq_ignore_ascii_case("Security") || text.contains("security permission")
}

/// Only ConnectWise's own `NotFound` is about a record. ConnectWise's guide: wrong company ids and
/// sites are 404s too.
fn not_found(body: ErrorBody, response: ErrorResponse<'_>, words: String) -> Error {
    let error = match body {
        ErrorBody::Message(error) => error,
        ErrorBody::WebPage | ErrorBody::Text(_) => {
            return Error::NotRouted {
                status: response.status,
                words,
            };
        }
    };
    if error.code == "NotFound" {
        // Only the references of a new ticket can be missing in a call to the collection.
        return match target_in_text(&error.message) {
            Some(target) if response.path == "/service/tickets" => {
                Error::TargetMissing { target, words }
            }
            Some(_) | None => Error::NotFound { what: words },
        };
    }
    if error.message.contains("endpoint does not exist") {
        return endpoint_missing(response);
    }
    if is_about_content(&error) {
        return invalid(ErrorBody::Message(error), response.status, words);
    }
    Error::NotRouted {
        status: response.status,
        words,
    }
}

fn endpoint_missing(response: ErrorResponse<'_>) -> Error {
    Error::EndpointMissing {
        path: response.path.to_owned(),
    }
}

/// A 400 or similar status: about a ticket's reference, about another field of the request, or
/// about nothing in the request.
fn invalid(body: ErrorBody, status: u16, words: String) -> Error {
    let error = match body {
        ErrorBody::Message(error) => error,
        ErrorBody::WebPage | ErrorBody::Text(_) => return Error::NotRouted { status, words },
    };
    // A missing board makes its statuses and types missing too, so the widest target is reported.
    let target = std::iter::once(&error)
        .chain(&error.errors)
        .filter_map(target_of)
        .min_by_key(|target| match target {
            TicketTarget::Company => 0,
            TicketTarget::Board => 1,
            TicketTarget::Status => 2,
            TicketTarget::Type => 3,
            TicketTarget::Priority => 4,
            TicketTarget::Team => 5,
            TicketTarget::Owner => 6,
        });
    match target {
        Some(target) => Error::TargetMissing { target, words },
        None if is_about_content(&error) => Error::Rejected { words },
        None => Error::NotRouted { status, words },
    }
}

/// Whether a message is about the request's content, and not about where it was sent.
fn is_about_content(error: &ErrorMessage) -> bool {
    /// Codes that were observed live with single errors, and in variants without.
    const CONTENT_CODES: &[&str] = &[
        "ApiFindCondition",
        "InvalidObject",
        "MaxLengthField",
        "MissingRequiredField",
        "ObjectExists",
    ];
    !error.errors.is_empty()
        || !error.field.is_empty()
        || CONTENT_CODES.contains(&error.code.as_str())
        || error.message.contains("Could not find member")
}

/// Which of a ticket's references an error is about: by its field (`status/id`, `board`), else by
/// its text.
fn target_of(error: &ErrorMessage) -> Option<TicketTarget> {
    if error.field.is_empty() {
        return (error.code == "NotFound").then(|| target_in_text(&error.message))?;
    }
    let first = error.field.split(['/', '.']).next().unwrap_or_default();
    match first.to_ascii_lowercase().as_str() {
        "board" | "boardid" => Some(TicketTarget::Board),
        "status" | "statusid" => Some(TicketTarget::Status),
        "type" | "typeid" => Some(TicketTarget::Type),
        "priority" | "priorityid" => Some(TicketTarget::Priority),
        "company" | "companyid" => Some(TicketTarget::Company),
        "team" | "teamid" => Some(TicketTarget::Team),
        "owner" | "ownerid" => Some(TicketTarget::Owner),
        _ => None,
    }
}

/// "Service Status 17 not found for Service Board 21" is about the status: the record named first
/// is missing.
fn target_in_text(message: &str) -> Option<TicketTarget> {
    let lower = message.to_ascii_lowercase();
    let noun = lower.strip_prefix("service ").unwrap_or(&lower);
    [
        ("board", TicketTarget::Board),
        ("status", TicketTarget::Status),
        ("type", TicketTarget::Type),
        ("priority", TicketTarget::Priority),
        ("company", TicketTarget::Company),
        ("team", TicketTarget::Team),
        ("member", TicketTarget::Owner),
    ]
    .into_iter()
    .find_map(|(word, target)| noun.starts_with(word).then_some(target))
}

#[cfg(test)]
mod tests;
