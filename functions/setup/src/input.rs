//! What a person or program sends, read into a type at the door.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::{InvalidId, RecordId};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::MAX_BODY;
use crate::answer::Problem;

/// A form or JSON, as its type says. A form's numbers and switches are texts, and `a[b]=c` is a member of a member.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let form = Form::of(request.headers());
        let typed = request.headers().contains_key(header::CONTENT_TYPE);
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
        let body = body.map_err(|_| Problem::too_large())?;
        match form {
            Some(Form::Json) => read_json(&body),
            Some(Form::Fields) => {
                let forms = serde_qs::Config::new().max_depth(3).use_form_encoding(true);
                let read = forms.deserialize_bytes(&body);
                read.map_err(|err| Problem::invalid("", words(&err.to_string())))
            }
            // Nothing is said where nothing has to be.
            None if body.is_empty() && !typed => read_json(b"{}"),
            None => Err(Problem::media_type()),
        }
        .map(Self)
    }
}

/// In which form something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a form on a page does.
    Fields,
    Json,
}

impl Form {
    /// What the headers say; none where that is nothing, or nothing known here.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Fields),
            _ => None,
        }
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json);
    let value = read.map_err(|err| {
        let field = err.path().to_string();
        Problem::invalid(field, words(&err.into_inner().to_string()))
    })?;
    json.end()
        .map_err(|_| Problem::invalid("", "There is more than one JSON value."))?;
    Ok(value)
}

/// What a reader says of a text, without the text itself: it may be a key.
fn words(err: &str) -> String {
    let kind = err.split(['`', '"', ':']).next().unwrap_or_default();
    format!("What was sent cannot be read: {}.", kind.trim())
}

/// The one variable of the path.
pub(crate) struct InPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(value) = path.map_err(|_| Problem::not_found("There is no such address."))?;
        Ok(Self(value))
    }
}

/// What stands behind the path, as its type says.
pub(crate) struct QueryParams<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(value) = query.map_err(|err| Problem::invalid("", words(&err.body_text())))?;
        Ok(Self(value))
    }
}

/// An identifier, or which field does not hold one.
pub(crate) fn id<T: TryFrom<String, Error = InvalidId>>(
    field: &str,
    text: String,
) -> Result<T, Problem> {
    T::try_from(text).map_err(|err| Problem::invalid(field, capital(&err.to_string())))
}

/// A sentence of a message that begins in the middle of one.
pub(crate) fn capital(message: &str) -> String {
    let mut letters = message.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// A text field that may be left empty.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A choice from a list; an empty text, as a form sends it for the first entry, is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Picked(pub(crate) Option<RecordId>);

impl<'de> Deserialize<'de> for Picked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Sent {
            Number(RecordId),
            Text(String),
            Nothing(()),
        }
        Ok(Self(match Sent::deserialize(deserializer)? {
            Sent::Number(number) => Some(number),
            Sent::Text(text) if text.trim().is_empty() => None,
            Sent::Text(text) => Some(text.trim().parse().map_err(D::Error::custom)?),
            Sent::Nothing(()) => None,
        }))
    }
}
