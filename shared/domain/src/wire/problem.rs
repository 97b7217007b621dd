//! The body of a response to a request that failed (RFC 9457).

use schemars::JsonSchema;
use serde::Serialize;

use crate::wire::webhook::EventRejection;

/// The media type of [`ProblemDetails`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request failed, for the person and the program that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProblemDetails {
    #[schemars(extend("const" = "about:blank"))]
    pub r#type: &'static str,
    /// The kind of problem. The same for each problem of its kind.
    pub title: String,
    /// The status of the response.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// The member of the body, or the parameter, that is wrong. Empty if it is the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub field: Option<String>,
    /// The events that were not accepted, if there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedEvent>,
}

/// An event that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RejectedEvent {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// The member that is wrong, such as `[3].data.kind`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl ProblemDetails {
    #[must_use]
    pub fn new(status: u16, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: title.into(),
            status,
            detail: detail.into(),
            field: None,
            rejected: vec![],
        }
    }
}

impl From<&EventRejection> for RejectedEvent {
    fn from(rejection: &EventRejection) -> Self {
        Self {
            index: rejection.index,
            field: rejection.error.field.clone(),
            detail: rejection.error.to_string(),
        }
    }
}
