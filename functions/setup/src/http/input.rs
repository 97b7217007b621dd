//! Extractors: parse the body, path and query of a request into types.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::text::one_line;
use domain::{EmailAddress, InvalidId, RecordId};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::http::problem::Problem;

/// In bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The limit of a body that contains a sample of 64 KiB. A form may need three bytes for each.
pub(crate) const MAX_LARGE_BODY: usize = 512 * 1024;

/// As [`Input`], for a body that contains a sample or a list.
pub(crate) struct LargeInput<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LargeInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read_body(request, MAX_LARGE_BODY).await.map(Self)
    }
}

/// A body of a form or JSON, as its media type says. A form's numbers and flags are texts, and
/// `a[b]=c` is a nested member.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read_body(request, MAX_BODY).await.map(Self)
    }
}

/// The limit of a file. The gateway accepts 6 MB, a third of which its own encoding takes.
const MAX_FILE: usize = 2 * 1024 * 1024;

/// One file: the field `file` of a form (`multipart/form-data`), or the member `file` of JSON.
pub(crate) struct FileInput(pub(crate) Vec<u8>);

#[derive(Deserialize)]
struct FileMember {
    file: String,
}

impl<S: Send + Sync> FromRequest<S> for FileInput {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_multipart(request.headers()) {
            let FileMember { file } = read_body(request, MAX_FILE).await?;
            return Ok(Self(file.into_bytes()));
        }
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MAX_FILE).await;
        let body = body.map_err(|_| Problem::too_large(MAX_FILE))?;
        let unreadable = |_| Problem::invalid("file", "The file cannot be read.");
        let request = Request::from_parts(parts, Body::from(body));
        let form = Multipart::from_request(request, state).await;
        let mut form = form.map_err(|_| Problem::media_type())?;
        while let Some(field) = form.next_field().await.map_err(unreadable)? {
            if field.name() == Some("file") {
                return Ok(Self(field.bytes().await.map_err(unreadable)?.into()));
            }
        }
        Err(Problem::invalid("file", "Choose a file."))
    }
}

/// Whether the body is a form with a file.
pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|of| of.to_str().ok());
    media_type.is_some_and(|of| of.starts_with("multipart/form-data"))
}

async fn read_body<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Problem> {
    let format = BodyFormat::of(request.headers());
    let typed = request.headers().contains_key(header::CONTENT_TYPE);
    let body = axum::body::to_bytes(request.into_body(), limit).await;
    let body = body.map_err(|_| Problem::too_large(limit))?;
    match format {
        Some(BodyFormat::Json) => read_json(&body),
        Some(BodyFormat::Form) => {
            let forms = serde_qs::Config::new().max_depth(3).use_form_encoding(true);
            let read = forms.deserialize_bytes(&body);
            read.map_err(|err| Problem::invalid("", without_value(&err.to_string())))
        }
        // An empty body needs no media type.
        None if body.is_empty() && !typed => read_json(b"{}"),
        None => Err(Problem::media_type()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    Form,
    Json,
}

impl BodyFormat {
    /// `None` if the media type is missing or not supported.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json);
    let value = read.map_err(|err| {
        let field = err.path().to_string();
        Problem::invalid(field, without_value(&err.into_inner().to_string()))
    })?;
    json.end()
        .map_err(|_| Problem::invalid("", "There is more than one JSON value."))?;
    Ok(value)
}

/// A parser's message without the value that it quotes: the value may be a key.
fn without_value(err: &str) -> String {
    let kind = err.split(['`', '"', ':']).next().unwrap_or_default();
    format!("What was sent cannot be read: {}.", kind.trim())
}

/// The one variable of the path, or a tuple of several.
pub(crate) struct PathParam<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParam<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let Path(value) = path.map_err(|_| Problem::not_found("There is no such address."))?;
        Ok(Self(value))
    }
}

pub(crate) struct QueryParams<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|err| Problem::invalid("", without_value(&err.body_text())));
        query.map(|Query(value)| Self(value))
    }
}

/// Parses an identifier; the problem names the field.
pub(crate) fn parse_id<T: TryFrom<String, Error = InvalidId>>(
    field: &str,
    text: String,
) -> Result<T, Problem> {
    T::try_from(text).map_err(|err| Problem::invalid(field, sentence(&err.to_string())))
}

/// Parses the field `address`.
pub(crate) fn parse_address(text: &str) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(text).map_err(|err| Problem::invalid("address", sentence(&err.to_string())))
}

/// An error's message as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    match message {
        "" => String::new(),
        message => capitalized(message) + ".",
    }
}

/// The text with a capital letter at its begin.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The longest name of a partner or source, in UTF-16 units.
const MAX_NAME: usize = 100;

/// A display name on one line.
pub(crate) fn parse_name(field: &str, text: &str) -> Result<String, Problem> {
    parse_line(field, text, MAX_NAME)
}

/// A text on one line of at most `max` UTF-16 units, without surrounding white space.
pub(crate) fn parse_line(field: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.encode_utf16().count();
    if length == 0 || length > max || one_line(text) != text {
        let detail = format!("It is 1 to {max} characters on one line, with single spaces.");
        return Err(Problem::invalid(field, detail));
    }
    Ok(text.to_owned())
}

/// A text field's value; `None` if it was left empty.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A choice that may be absent from the form. An empty text is a choice too: none.
#[derive(Debug, Default)]
pub(crate) struct SentChoice(Option<OptionalId>);

impl SentChoice {
    /// The choice, or the present one if it was not sent.
    pub(crate) fn or(self, before: Option<RecordId>) -> Option<RecordId> {
        match self.0 {
            Some(OptionalId(chosen)) => chosen,
            None => before,
        }
    }
}

impl<'de> Deserialize<'de> for SentChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OptionalId::deserialize(deserializer).map(|id| Self(Some(id)))
    }
}

/// An id from a list of options. A form sends an empty text for the option "none".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OptionalId(pub(crate) Option<RecordId>);

impl<'de> Deserialize<'de> for OptionalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum RawId {
            Number(RecordId),
            Text(String),
            Empty(()),
        }
        Ok(Self(match RawId::deserialize(deserializer)? {
            RawId::Number(number) => Some(number),
            RawId::Text(text) if text.trim().is_empty() => None,
            RawId::Text(text) => Some(text.trim().parse().map_err(D::Error::custom)?),
            RawId::Empty(()) => None,
        }))
    }
}
