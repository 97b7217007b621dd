//! Checks the content headers, and decompresses the body.

use std::borrow::Cow;

use aws_lambda_events::http::{HeaderMap, HeaderName, header};
use domain::wire::webhook::InvalidField;
use source_authentication::UnpackError;

use crate::response::WebhookResponse;

/// Refuses a media type that is not JSON. The body itself shows whether it is one event or a batch.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), WebhookResponse> {
    let media_type = main_value(headers, header::CONTENT_TYPE);
    let is_json = matches!(media_type.as_str(), "" | "application/json" | "text/json")
        || media_type.ends_with("+json");
    if !is_json {
        return Err(WebhookResponse::UnsupportedMediaType);
    }
    match main_value(headers, header::CONTENT_ENCODING).as_str() {
        "" | "identity" | "gzip" | "x-gzip" => Ok(()),
        _ => Err(WebhookResponse::UnsupportedEncoding),
    }
}

/// Returns a header's value in lower case and without its parameters, or an empty text if it is
/// absent.
fn main_value(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    let main = value.unwrap_or_default().split(';').next();
    main.unwrap_or_default().trim().to_ascii_lowercase()
}

/// Decompresses a gzip body.
pub(crate) fn unpack(body: &[u8]) -> Result<Cow<'_, [u8]>, WebhookResponse> {
    source_authentication::unpack(body).map_err(|err| match err {
        UnpackError::TooLarge => WebhookResponse::TooLarge,
        UnpackError::Incomplete => WebhookResponse::Unreadable(InvalidField {
            field: "body".to_owned(),
            problem: "is not complete gzip".to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: HeaderName, value: &str) -> Result<(), WebhookResponse> {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        check(&headers)
    }

    #[test]
    fn every_json_media_type_is_accepted() {
        for good in [
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/json",
            "Application/CloudEvents+JSON ; charset=UTF-8",
            "application/json;charset=utf-8;x=y",
            "text/json",
            "",
        ] {
            assert_eq!(checked(header::CONTENT_TYPE, good), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/xml",
            "application/jsonl",
            "json",
            "*/*",
        ] {
            let refused = Err(WebhookResponse::UnsupportedMediaType);
            assert_eq!(checked(header::CONTENT_TYPE, bad), refused, "{bad}");
        }
        for good in ["gzip", "GZIP", "x-gzip", "identity", ""] {
            assert_eq!(checked(header::CONTENT_ENCODING, good), Ok(()), "{good}");
        }
        for bad in ["br", "deflate", "zstd", "gzip, gzip"] {
            let refused = Err(WebhookResponse::UnsupportedEncoding);
            assert_eq!(checked(header::CONTENT_ENCODING, bad), refused, "{bad}");
        }
    }
}
