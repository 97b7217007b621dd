//! What is wrong with a request, in words for the person who sent it (RFC 9457).

use axum::http::StatusCode;
use domain::PartnerId;
use domain::wire::problem::ProblemDetails;
use store::SaveOutcome;

use crate::step::SetupStep;

#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    /// The field of the form that it is about.
    pub(crate) field: Option<String>,
    /// The page on which a person corrects it, if that is another page.
    pub(crate) correct_at: Option<SetupStep>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            field: None,
            correct_at: None,
        }
    }

    /// This field of the request has an invalid value.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self {
            field: Some(field.into()),
            ..Self::new(status, "This cannot be used", detail)
        }
    }

    /// The present state does not allow the request.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "This cannot be done now", detail)
    }

    /// As `refused`, until a person has corrected something on another page.
    pub(crate) fn refused_until(step: SetupStep, detail: impl Into<String>) -> Self {
        Self {
            correct_at: Some(step),
            ..Self::refused(detail)
        }
    }

    /// Another session saved a change since the page was loaded.
    pub(crate) fn conflict() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Another person changed this meanwhile",
            "Nothing was saved. Load the page again, look at what is there now, and make your change again.",
        )
    }

    /// As `conflict`, for a program.
    pub(crate) fn version_conflict(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::conflict()
        }
    }

    /// What the page showed has changed since.
    pub(crate) fn outdated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "This has changed meanwhile", detail)
    }

    /// There is no session, or it has ended.
    pub(crate) fn no_session() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "You are not signed in",
            "Open the link that you were given. It works once. If it has been used or is too old, request a new one.",
        )
    }

    /// The form belongs to a partner at which the browser is not signed in, but at another.
    pub(crate) fn other_partner(form_of: &PartnerId, signed_in_at: &str) -> Self {
        let detail = format!(
            "This page belongs to the partner with the id \"{form_of}\". This browser is signed in at {signed_in_at} now, so nothing was \
             saved. To continue, open a new link of that partner. Pages of several partners can be open side by side.",
        );
        Self::new(
            StatusCode::CONFLICT,
            "This page belongs to another partner",
            detail,
        )
    }

    /// The request comes from another site.
    pub(crate) fn cross_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This did not come from this page",
            "Changes are accepted only from this site's own pages. Load the page again and repeat it there.",
        )
    }

    /// The operator did not allow this to the partner.
    pub(crate) fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "This is not allowed", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "This address does not accept requests of this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("A request is at most {limit} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too large", detail)
    }

    /// The body is neither a form nor JSON.
    pub(crate) fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type",
            "Send application/json or application/x-www-form-urlencoded.",
        )
    }

    /// The handler of the request panicked, or its response cannot be written.
    pub(crate) fn failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The request failed",
            "This is a defect of Ticketbridge, and its operator was notified. The change may have been made: \
             look at the present state before you repeat it.",
        )
    }

    /// ConnectWise or an AWS service did not answer; a retry may succeed.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "Please try again later", detail)
    }
}

impl From<&Problem> for ProblemDetails {
    fn from(problem: &Problem) -> Self {
        let status = problem.status.as_u16();
        Self {
            field: problem.field.clone(),
            ..Self::new(status, problem.title, problem.detail.as_str())
        }
    }
}

impl From<store::Error> for Problem {
    fn from(err: store::Error) -> Self {
        tracing::error!(error = %err, "DynamoDB call failed");
        Self::unavailable(
            "Ticketbridge could not read or save its data. Nothing is lost. Load the page again in a moment.",
        )
    }
}

/// The version under which a change was saved.
///
/// # Errors
/// When another session saved a change meanwhile.
pub(crate) fn saved_version(saved: SaveOutcome) -> Result<u64, Problem> {
    match saved {
        SaveOutcome::Saved { version } => Ok(version),
        SaveOutcome::Conflict => Err(Problem::conflict()),
    }
}
