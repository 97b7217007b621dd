//! Fault rules: effects on an integration's calls that match a pattern, such as a firewall that
//! refuses a text, a maintenance page for every call, a write that commits late, or a PATCH without
//! effect. Only data and matching; `pipeline` applies the effects.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::references::Key;
use crate::response::{ApiResponse, Body};
use crate::site::{Call, Site};

/// A rule applies to a call if everything in `when` matches. Only the first rule that applies
/// counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default)]
    pub(crate) when: When,
    pub(crate) then: Effect,
    /// The share of matching calls that the rule applies to.
    #[serde(default = "always")]
    pub(crate) rate: f64,
    /// How many more calls the rule applies to. `null` means no limit. Counts down.
    #[serde(default)]
    pub(crate) times: Option<u32>,
}

fn always() -> f64 {
    1.0
}

/// A pattern. An absent member matches every call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct When {
    pub(crate) method: Option<String>,
    /// The path after `/v4_6_release/apis/3.0`, or a whole path such as `/login/companyinfo/*`. `*`
    /// matches one segment, `**` at the end any number of them.
    pub(crate) path: Option<String>,
    /// Text in the request's body or in its decoded query.
    pub(crate) text: Option<String>,
    /// One of these operations; an empty list matches every call.
    pub(crate) operations: Vec<Operation>,
}

/// The operation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// A new ticket.
    Create,
    /// A new note.
    Note,
    /// A PATCH of the priority.
    Priority,
    /// A PATCH to a closed status.
    Close,
    /// A PATCH of a closed ticket to an open status.
    Reopen,
    /// A PATCH of an open ticket to another open status.
    Status,
    /// A GET or a search.
    Read,
    /// Any other write.
    Other,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Effect {
    /// Sends this response and does not execute the call.
    Answer(Reply),
    /// Responds now and executes the call later, over the record as it is then.
    Late(Late),
    /// Executes the call and closes the connection without a response.
    Lost,
    /// Executes the call and truncates the response.
    Cut,
    /// Executes the call at once and delays the response.
    Slow { seconds: f64 },
    /// A PATCH answers 200 and changes nothing.
    Ignored,
    /// Executes the call and sends interim responses before its own.
    Interim(Interim),
}

/// A response that a test defines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reply {
    /// From 200 to 599.
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) body: ReplyBody,
    /// Replaces the content type of the body.
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    /// Further headers, such as `location` or `retry-after`.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplyBody {
    /// An HTML page of a proxy in front of ConnectWise, such as a firewall.
    #[default]
    Page,
    /// An error object of ConnectWise.
    Json,
    /// A line of plain text.
    Text,
    Empty,
    /// A string as it is, any other value as JSON.
    Custom(Value),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Late {
    pub(crate) seconds: f64,
    /// Default: the response of `variants.late_commit_answer`.
    #[serde(default)]
    pub(crate) answer: Option<Reply>,
}

/// Interim responses, such as `100 Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interim {
    /// 100, 102 or 103.
    pub(crate) status: u16,
    /// How many. `null` means endless, so that the call's own response never comes.
    #[serde(default)]
    pub(crate) count: Option<u32>,
}

/// The part of a call that rules match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawCall<'c> {
    pub(crate) method: &'c Method,
    pub(crate) path: &'c str,
    pub(crate) query: &'c [(String, String)],
    pub(crate) body: &'c [u8],
}

/// The effect of the first rule that applies. Counts the rule down.
pub(crate) fn effect(site: &mut Site, call: RawCall<'_>) -> Option<Effect> {
    if site.faults.rules.is_empty() {
        return None;
    }
    let operation = Operation::of(site, call);
    let body = String::from_utf8_lossy(call.body);
    for rule in &mut site.faults.rules {
        let applies = rule.times != Some(0)
            && rule.when.matches(call, &body, operation)
            && site.rng.f64() < rule.rate;
        if applies {
            rule.times = rule.times.map(|times| times - 1);
            return Some(rule.then.clone());
        }
    }
    None
}

/// The operation of an authenticated call.
pub(crate) fn operation(site: &Site, call: &Call) -> Operation {
    let path = call.segments.join("/");
    let call = RawCall {
        method: &call.method,
        path: &path,
        query: &[],
        body: &call.body,
    };
    Operation::of(site, call)
}

impl Operation {
    fn of(site: &Site, call: RawCall<'_>) -> Self {
        let path: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
        match (call.method.as_str(), path.as_slice()) {
            ("GET" | "HEAD", _) | ("POST", [.., "search"]) => Self::Read,
            ("POST", ["service", "tickets"]) => Self::Create,
            ("POST", ["service", "tickets", _, "notes"]) => Self::Note,
            ("PATCH", ["service", "tickets", id]) => Self::of_patch(site, id, call.body),
            _ => Self::Other,
        }
    }

    fn of_patch(site: &Site, id: &str, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let changes = || body.as_array().into_iter().flatten();
        let changed = |member: &str| {
            changes().find(|change| {
                let path = change.get("path").and_then(Value::as_str);
                path.is_some_and(|path| path.split('/').next() == Some(member))
            })
        };
        let Some(status) = changed("status") else {
            let priority = changed("priority").is_some();
            return if priority {
                Self::Priority
            } else {
                Self::Other
            };
        };
        let ticket = id.parse().ok().and_then(|id| site.tickets.get(id));
        let Some(ticket) = ticket else {
            return Self::Status;
        };
        let value = status.get("value").cloned().unwrap_or_default();
        let value = match status.get("path").and_then(Value::as_str) {
            Some("status/id") => json!({ "id": value }),
            Some("status/name") => json!({ "name": value }),
            _ => value,
        };
        let board = site.setup.board(ticket.board);
        let mut statuses = board.into_iter().flat_map(|board| &board.statuses);
        let new_status = Key::of(&value)
            .and_then(|key| statuses.find(|status| key.fits(status.id, "", &status.name)));
        match (
            new_status.is_some_and(|status| status.closed_status),
            &ticket.closed,
        ) {
            (true, _) => Self::Close,
            (false, Some(_)) => Self::Reopen,
            (false, None) => Self::Status,
        }
    }
}

impl When {
    fn matches(&self, call: RawCall<'_>, body: &str, operation: Operation) -> bool {
        let method = self.method.as_deref();
        let path = self.path.as_deref();
        let text = self.text.as_deref();
        let is_in_query = |text: &str| call.query.iter().any(|(_, value)| value.contains(text));
        method.is_none_or(|method| method.eq_ignore_ascii_case(call.method.as_str()))
            && path.is_none_or(|pattern| path_matches(pattern, call.path))
            && text.is_none_or(|text| body.contains(text) || is_in_query(text))
            && (self.operations.is_empty() || self.operations.contains(&operation))
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut path = path.trim_matches('/').split('/');
    for part in pattern.trim_matches('/').split('/') {
        if part == "**" {
            return true;
        }
        match path.next() {
            Some(segment) if part == "*" || part == segment => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

impl Rule {
    /// Checks the rule. The error says what is invalid.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err("rate: a rate is from 0 to 1".to_owned());
        }
        match &self.then {
            Effect::Answer(reply) => reply.check(),
            Effect::Late(late) => {
                check_seconds(late.seconds)?;
                late.answer.as_ref().map_or(Ok(()), Reply::check)
            }
            Effect::Slow { seconds } => check_seconds(*seconds),
            Effect::Interim(interim) if ![100, 102, 103].contains(&interim.status) => {
                Err("status: 100, 102 or 103".to_owned())
            }
            Effect::Lost | Effect::Cut | Effect::Ignored | Effect::Interim(_) => Ok(()),
        }
    }
}

fn check_seconds(seconds: f64) -> Result<(), String> {
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(())
    } else {
        Err("seconds: from 0 to 86400".to_owned())
    }
}

impl Reply {
    fn check(&self) -> Result<(), String> {
        if !(200..600).contains(&self.status) {
            return Err("status: from 200 to 599".to_owned());
        }
        for (name, value) in &self.headers {
            let good = name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(value).is_ok();
            if !good {
                return Err(format!("headers: {name} is no header"));
            }
        }
        Ok(())
    }

    pub(crate) fn answer(&self) -> ApiResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::FORBIDDEN);
        let reason = status.canonical_reason().unwrap_or("Error");
        let foreign = |text: String, content_type: &str| Body::Foreign {
            text,
            content_type: self
                .content_type
                .clone()
                .unwrap_or_else(|| content_type.to_owned()),
        };
        let body = match &self.body {
            ReplyBody::Page => foreign(page(self.status, reason), "text/html; charset=utf-8"),
            ReplyBody::Text => foreign(reason.to_owned(), "text/plain; charset=utf-8"),
            ReplyBody::Empty => foreign(String::new(), ""),
            ReplyBody::Custom(Value::String(text)) => {
                foreign(text.clone(), "text/plain; charset=utf-8")
            }
            ReplyBody::Custom(value) => {
                foreign(value.to_string(), "application/json; charset=utf-8")
            }
            ReplyBody::Json => {
                let code = match self.status {
                    400 => "InvalidObject",
                    401 => "Unauthorized",
                    403 => "Security",
                    404 => "NotFound",
                    _ => "ConnectWiseApi",
                };
                Body::Json(json!({ "code": code, "message": reason, "errors": [] }))
            }
        };
        let mut answer = ApiResponse::new(status, body);
        for (name, value) in &self.headers {
            if let Ok(name) = name.parse() {
                answer = answer.with_header(name, value.clone());
            }
        }
        answer
    }
}

fn page(status: u16, reason: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>{status} {reason}</title></head>\n\
         <body><h1>{reason}</h1><p>The request was not forwarded. Reference 18.2f6d1f17</p></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_matches_a_segment_and_two_the_rest() {
        for (pattern, path, expected) in [
            ("/service/tickets", "/service/tickets", true),
            ("/service/tickets", "/service/tickets/7", false),
            ("/service/tickets/*", "/service/tickets/7", true),
            ("/service/tickets/*", "/service/tickets/7/notes", false),
            ("/service/tickets/*/notes", "/service/tickets/7/notes", true),
            ("/service/**", "/service/tickets/7/notes", true),
            ("/service/**", "/service", true),
            ("/**", "/system/info", true),
            ("/service/**", "/system/info", false),
        ] {
            assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
