//! From the status, headers and body of a refusal to the [`Error`] that names its situation. Pure.
//!
//! The bodies come from ConnectWise's developer guide and from reports of live answers; where reports conflict, every variant
//! is understood.

use std::time::Duration;

use domain::TicketTarget;
use domain::text::{cut_to_chars, one_line};
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::Error;
use crate::records::or_default;

/// Live 429s ask for 30 seconds in their text even where the header is missing.
const WAIT_UNTOLD: Duration = Duration::from_secs(30);
const WAIT_LEAST: Duration = Duration::from_secs(1);
const WAIT_MOST: Duration = Duration::from_secs(60 * 60);

/// Longest quotation of ConnectWise in an error, in characters.
const MAX_WORDS: usize = 500;

/// What is known of the call and of its refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    /// The path below the API's base.
    pub(crate) path: &'a str,
    /// The right that the call needs.
    pub(crate) right: &'static str,
    pub(crate) status: u16,
    /// The `Retry-After` header.
    pub(crate) retry_after: Option<&'a str>,
    /// The body; `None` if it could not be read whole.
    pub(crate) body: Option<&'a [u8]>,
}

/// ConnectWise's `ErrorResponseMessage`. Its 429 has `error` instead of `code`, and some refusals are one `ValidationError`.
#[derive(Debug, Default, Deserialize)]
struct Complaint {
    #[serde(default, deserialize_with = "or_default")]
    code: String,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
    #[serde(default, deserialize_with = "or_default")]
    field: String,
    #[serde(default, deserialize_with = "or_default")]
    errors: Vec<Complaint>,
}

/// What the body turned out to be.
enum Body {
    /// ConnectWise's own error object.
    Complaint(Complaint),
    /// A web page: a proxy, a firewall or another site answered.
    Page,
    /// Anything else, perhaps nothing.
    Text(String),
}

/// Names the situation of an answer whose status is not 2xx.
pub(crate) fn classify(refusal: Refusal<'_>, now: Timestamp) -> Error {
    let Refusal { status, .. } = refusal;
    let body = refusal.body.map(read);
    let words = body.as_ref().map(words).unwrap_or_default();
    match status {
        429 => {
            return Error::Throttled {
                retry_after: retry_after(refusal.retry_after, now),
            };
        }
        300..=399 => return Error::RedirectRefused { status },
        400..=499 => {}
        _ => return Error::ServerError { status, words },
    }
    // 408 is a proxy's "the request did not arrive whole in time", which proves nothing about the part that did.
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
        403 => forbidden(&body, refusal, words),
        404 => not_found(body, refusal, words),
        405 | 409 | 415 if matches!(body, Body::Page) => Error::NotRouted { status, words },
        405 | 415 => endpoint_missing(refusal),
        409 => Error::Conflict { words },
        _ => invalid(body, status, words),
    }
}

/// How long a 429 asks to wait: seconds or an HTTP date; absent or unreadable is 30 s, and an hour is the most.
pub(crate) fn retry_after(header: Option<&str>, now: Timestamp) -> Duration {
    let Some(text) = header.map(str::trim).filter(|text| !text.is_empty()) else {
        return WAIT_UNTOLD;
    };
    let asked = if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(WAIT_MOST, Duration::from_secs)
    } else {
        match jiff::fmt::rfc2822::parse(text) {
            Ok(date) => {
                Duration::try_from(date.timestamp().duration_since(now)).unwrap_or_default()
            }
            Err(_) => WAIT_UNTOLD,
        }
    };
    asked.clamp(WAIT_LEAST, WAIT_MOST)
}

fn read(body: &[u8]) -> Body {
    if let Ok(complaint) = serde_json::from_slice(body) {
        return Body::Complaint(complaint);
    }
    let text = String::from_utf8_lossy(body);
    if text
        .trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t'])
        .starts_with('<')
    {
        return Body::Page;
    }
    Body::Text(one_line(&text))
}

/// ConnectWise's own words: of the single complaints if there are any, else of the whole.
fn words(body: &Body) -> String {
    let text = match body {
        Body::Complaint(complaint) => {
            let single: Vec<&str> = complaint
                .errors
                .iter()
                .map(|error| error.message.as_str())
                .filter(|message| !message.is_empty())
                .collect();
            if single.is_empty() {
                complaint.message.clone()
            } else {
                single.join("; ")
            }
        }
        Body::Page => "a web page".to_owned(),
        Body::Text(text) => text.clone(),
    };
    cut_to_chars(&one_line(&text), MAX_WORDS)
}

/// Reports disagree whether a bad `clientId` is a 400, 401 or 403; all name it. A complaint about another field may quote a
/// ticket's title, so there only the field's name counts.
fn names_client_id(body: &Body) -> bool {
    let named = |text: &str| text.to_ascii_lowercase().contains("clientid");
    match body {
        Body::Complaint(complaint) => {
            let one = |error: &Complaint| {
                if error.field.is_empty() {
                    named(&error.message)
                } else {
                    named(&error.field)
                }
            };
            one(complaint) || complaint.errors.iter().any(one)
        }
        Body::Page => false,
        Body::Text(text) => named(text),
    }
}

/// Only ConnectWise's own words speak of a right. A firewall's page or a bare "Forbidden" does not, and a cloud's browser host
/// answers every call with "SSL is required.".
fn forbidden(body: &Body, refusal: Refusal<'_>, words: String) -> Error {
    let Refusal { status, right, .. } = refusal;
    match body {
        Body::Page => Error::NotRouted { status, words },
        Body::Complaint(complaint) if complaint.message.contains("SSL is required") => {
            Error::NotRouted { status, words }
        }
        Body::Complaint(complaint) if speaks_of_rights(complaint) => Error::MissingRight { right },
        Body::Complaint(_) | Body::Text(_) => Error::Forbidden { right, words },
    }
}

/// `{"code":"Security","message":"You do not have security permission to perform this action."}`, as seen live.
fn speaks_of_rights(complaint: &Complaint) -> bool {
    let message = complaint.message.to_ascii_lowercase();
    complaint.code.eq_ignore_ascii_case("Security") || message.contains("security permission")
}

/// Only ConnectWise's own `NotFound` speaks of a record. Wrong company ids and sites are 404s too, says its guide.
fn not_found(body: Body, refusal: Refusal<'_>, words: String) -> Error {
    let complaint = match body {
        Body::Complaint(complaint) => complaint,
        Body::Page | Body::Text(_) => {
            return Error::NotRouted {
                status: refusal.status,
                words,
            };
        }
    };
    if complaint.code == "NotFound" {
        // A new ticket's own references are the only records that a call to the collection can miss.
        return match target_in_words(&complaint.message) {
            Some(target) if refusal.path == "/service/tickets" => {
                Error::TargetGone { target, words }
            }
            Some(_) | None => Error::NotFound { what: words },
        };
    }
    if complaint.message.contains("endpoint does not exist") {
        return endpoint_missing(refusal);
    }
    if names_something(&complaint) {
        return invalid(Body::Complaint(complaint), refusal.status, words);
    }
    Error::NotRouted {
        status: refusal.status,
        words,
    }
}

fn endpoint_missing(refusal: Refusal<'_>) -> Error {
    Error::EndpointMissing {
        path: refusal.path.to_owned(),
    }
}

/// A 400, or a kin of it: about what a ticket points at, about another of our fields, or about nothing that we sent.
fn invalid(body: Body, status: u16, words: String) -> Error {
    let complaint = match body {
        Body::Complaint(complaint) => complaint,
        Body::Page | Body::Text(_) => return Error::NotRouted { status, words },
    };
    // A board that is gone makes its statuses and types gone too: the widest target is the one to mend.
    let target = std::iter::once(&complaint)
        .chain(&complaint.errors)
        .filter_map(target)
        .min_by_key(|target| match target {
            TicketTarget::Company => 0,
            TicketTarget::Board => 1,
            TicketTarget::Status => 2,
            TicketTarget::Type => 3,
            TicketTarget::Priority => 4,
        });
    match target {
        Some(target) => Error::TargetGone { target, words },
        None if names_something(&complaint) => Error::Rejected { words },
        None => Error::NotRouted { status, words },
    }
}

/// Whether a complaint is about what was sent, not about where it was sent.
fn names_something(complaint: &Complaint) -> bool {
    /// Codes that were seen live with, and in variants without, single complaints.
    const ABOUT_US: &[&str] = &[
        "ApiFindCondition",
        "InvalidObject",
        "MaxLengthField",
        "MissingRequiredField",
        "ObjectExists",
    ];
    !complaint.errors.is_empty()
        || !complaint.field.is_empty()
        || ABOUT_US.contains(&complaint.code.as_str())
        || complaint.message.contains("Could not find member")
}

/// Which of a ticket's references one complaint is about: by its field (`status/id`, `board`), else by its words.
fn target(complaint: &Complaint) -> Option<TicketTarget> {
    if complaint.field.is_empty() {
        return (complaint.code == "NotFound").then(|| target_in_words(&complaint.message))?;
    }
    let first = complaint.field.split(['/', '.']).next().unwrap_or_default();
    match first.to_ascii_lowercase().as_str() {
        "board" | "boardid" => Some(TicketTarget::Board),
        "status" | "statusid" => Some(TicketTarget::Status),
        "type" | "typeid" => Some(TicketTarget::Type),
        "priority" | "priorityid" => Some(TicketTarget::Priority),
        "company" | "companyid" => Some(TicketTarget::Company),
        _ => None,
    }
}

/// "Service Status 17 not found for Service Board 21" is about the status: what comes first is missing.
fn target_in_words(message: &str) -> Option<TicketTarget> {
    let lower = message.to_ascii_lowercase();
    let noun = lower.strip_prefix("service ").unwrap_or(&lower);
    [
        ("board", TicketTarget::Board),
        ("status", TicketTarget::Status),
        ("type", TicketTarget::Type),
        ("priority", TicketTarget::Priority),
        ("company", TicketTarget::Company),
    ]
    .into_iter()
    .find_map(|(word, target)| noun.starts_with(word).then_some(target))
}

#[cfg(test)]
mod tests;
