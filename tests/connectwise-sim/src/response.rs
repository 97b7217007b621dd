//! Responses of endpoints, and every error in ConnectWise's own words. No HTTP server types beyond
//! status and header names: `delivery` turns an `ApiResponse` into bytes.

use std::fmt::Display;

use axum::http::{HeaderName, StatusCode};
use serde_json::{Value, json};

/// The result of an endpoint.
pub(crate) type Outcome = Result<ApiResponse, ApiError>;

/// One HTTP response before delivery.
#[derive(Clone, Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// Whether the call changed something. A call with a lost response may have committed.
    pub(crate) committed: bool,
}

/// A response's body.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Json(Value),
    Text(&'static str),
    /// From a proxy in front of ConnectWise: without the headers of its API.
    Foreign {
        text: String,
        content_type: String,
    },
    Empty,
}

impl ApiResponse {
    /// 200 for a read.
    pub(crate) fn read(body: Value) -> Self {
        Self::new(StatusCode::OK, Body::Json(body))
    }

    /// 201 with the created record.
    pub(crate) fn created(body: Value) -> Self {
        Self {
            committed: true,
            ..Self::new(StatusCode::CREATED, Body::Json(body))
        }
    }

    /// 200 with the record after a change. `committed` is false for a PATCH without effect.
    pub(crate) fn patched(body: Value, committed: bool) -> Self {
        Self {
            committed,
            ..Self::new(StatusCode::OK, Body::Json(body))
        }
    }

    /// 204 after a delete.
    pub(crate) fn deleted() -> Self {
        Self {
            committed: true,
            ..Self::new(StatusCode::NO_CONTENT, Body::Empty)
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn new(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
            committed: false,
        }
    }
}

/// An error response. It proves that nothing was changed.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<ApiResponse>);

impl From<ApiError> for ApiResponse {
    fn from(error: ApiError) -> Self {
        *error.0
    }
}

/// One item of `errors[]` in an `InvalidObject` error.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Problem {
    pub(crate) fn not_found(message: String, field: String) -> Self {
        Self {
            code: "NotFound",
            message,
            field,
        }
    }

    /// `member` is the JSON member, `field` what the sentence names: `company` and `company/id`.
    pub(crate) fn missing(member: &str, field: &str) -> Self {
        Self {
            code: "MissingRequiredField",
            message: format!("The {field} field is required."),
            field: member.to_owned(),
        }
    }

    pub(crate) fn too_long(member: &str, longest: usize) -> Self {
        Self {
            code: "MaxLengthField",
            message: format!(
                "The field {member} must be a string with a maximum length of {longest}."
            ),
            field: member.to_owned(),
        }
    }
}

impl ApiError {
    fn json(status: StatusCode, body: Value) -> Self {
        Self(Box::new(ApiResponse::new(status, Body::Json(body))))
    }

    fn coded(status: StatusCode, code: &str, message: &str) -> Self {
        Self::json(status, json!({ "code": code, "message": message }))
    }

    fn api(status: StatusCode, message: &str) -> Self {
        Self::coded(status, "ConnectWiseApi", message)
    }

    fn text(status: StatusCode, text: &'static str) -> Self {
        Self(Box::new(ApiResponse::new(status, Body::Text(text))))
    }

    fn header(self, name: HeaderName, value: String) -> Self {
        Self(Box::new(ApiResponse::from(self).with_header(name, value)))
    }

    /// The error of the cloud's router, in front of the API: a wrong path prefix, a doubled path.
    pub(crate) fn cannot_route() -> Self {
        Self::text(
            StatusCode::BAD_REQUEST,
            "Cannot route. Codebase/company is invalid",
        )
    }

    pub(crate) fn no_endpoint() -> Self {
        Self::api(StatusCode::NOT_FOUND, "The endpoint does not exist.")
    }

    pub(crate) fn wrong_method(method: &str) -> Self {
        let message = format!("The requested resource does not support http method '{method}'.");
        Self::api(StatusCode::METHOD_NOT_ALLOWED, &message)
    }

    pub(crate) fn wrong_media_type() -> Self {
        let message = "The request entity's media type is not supported for this resource.";
        Self::api(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    pub(crate) fn record_not_found(record: &str, id: impl Display) -> Self {
        let message = format!("{record} {id} not found");
        Self::coded(StatusCode::NOT_FOUND, "NotFound", &message)
    }

    pub(crate) fn unauthorized() -> Self {
        let message = "The supplied authentication is incorrect.";
        Self::coded(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// The other body that was observed for wrong keys.
    pub(crate) fn user_not_authenticated() -> Self {
        Self::api(StatusCode::UNAUTHORIZED, "UserNotAuthenticated")
    }

    pub(crate) fn bad_client_id(status: StatusCode) -> Self {
        let message = "The clientId header is missing or invalid. Please include a valid clientId in the request.";
        Self::api(status, message)
    }

    /// A login company that this site does not have.
    pub(crate) fn unknown_company() -> Self {
        Self::api(StatusCode::NOT_FOUND, "The company does not exist.")
    }

    pub(crate) fn forbidden() -> Self {
        let message = "You do not have security permission to perform this action.";
        Self::coded(StatusCode::FORBIDDEN, "Security", message)
    }

    /// A 429 has its own format: `error` instead of `code`. The message never changes; the header
    /// counts down.
    pub(crate) fn too_many_requests(retry_after: Option<String>) -> Self {
        let error = Self::json(
            StatusCode::TOO_MANY_REQUESTS,
            json!({
                "error": "ConnectWiseAPI",
                "message": "Too many requests. Please try again in 30 seconds.",
            }),
        );
        match retry_after {
            Some(value) => error.header(axum::http::header::RETRY_AFTER, value),
            None => error,
        }
    }

    pub(crate) fn server_timeout() -> Self {
        let message = "A timeout has occured. Please try again.";
        Self::api(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(crate) fn server_error() -> Self {
        let message = "An error occurred while processing your request.";
        Self::api(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(crate) fn outage() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
    }

    pub(crate) fn body_too_large() -> Self {
        let message = "Maximum request length exceeded.";
        Self::api(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// A record that others use. Only the status is known; the message is made up.
    pub(crate) fn in_use(record: &str, id: i64) -> Self {
        let message = format!("{record} {id} is in use and cannot be deleted.");
        Self::coded(StatusCode::CONFLICT, "ConflictingObject", &message)
    }

    pub(crate) fn malformed(message: &str) -> Self {
        Self::api(StatusCode::BAD_REQUEST, message)
    }

    /// `path` is the member's dotted path, `position` the column after its colon.
    pub(crate) fn unknown_member(
        member: &str,
        record: &str,
        path: &str,
        line: usize,
        position: usize,
    ) -> Self {
        let message = format!(
            "Could not find member '{member}' on object of type '{record}'. Path '{path}', line {line}, position {position}.\
             Check your accept header to make sure you are using the correct version."
        );
        Self::api(StatusCode::BAD_REQUEST, &message)
    }

    pub(crate) fn condition(message: &str) -> Self {
        Self::coded(StatusCode::BAD_REQUEST, "ApiFindCondition", message)
    }

    pub(crate) fn unknown_field(field: &str) -> Self {
        Self::condition(&format!("{field} is not a recognized name."))
    }

    /// An invalid record. `resource` is ConnectWise's name of its type: `ticket`, `serviceNote`.
    pub(crate) fn invalid_object(resource: &str, problems: &[Problem]) -> Self {
        let errors: Vec<Value> = problems
            .iter()
            .map(|problem| {
                json!({
                    "code": problem.code,
                    "message": problem.message,
                    "resource": resource,
                    "field": problem.field,
                })
            })
            .collect();
        Self::json(
            StatusCode::BAD_REQUEST,
            json!({
                "code": "InvalidObject",
                "message": format!("{resource} object is invalid"),
                "errors": errors,
            }),
        )
    }
}
