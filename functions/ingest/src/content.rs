//! Checks the content headers and decompresses the body.

use std::borrow::Cow;
use std::io::Read as _;

use aws_lambda_events::http::{HeaderMap, HeaderName, header};
use domain::wire::webhook::InvalidField;
use flate2::read::MultiGzDecoder;

use crate::MAX_BODY;
use crate::response::WebhookResponse;

/// The first bytes of gzip. No JSON text begins with them.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

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

/// Decompresses a gzip body. The body itself shows whether it is compressed, since a proxy may have
/// decompressed it and kept the header.
///
/// The limit applies to the result, so that a small body cannot fill the memory.
pub(crate) fn unpack(body: &[u8]) -> Result<Cow<'_, [u8]>, WebhookResponse> {
    if !body.starts_with(&GZIP_MAGIC) {
        return Ok(body.into());
    }
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut unpacked = vec![];
    let read = MultiGzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked);
    if unpacked.len() > MAX_BODY {
        return Err(WebhookResponse::TooLarge);
    }
    if read.is_err() {
        return Err(WebhookResponse::Unreadable(InvalidField {
            field: "body".to_owned(),
            problem: "is not complete gzip".to_owned(),
        }));
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(vec![], Compression::best());
        packed.write_all(body).unwrap();
        packed.finish().unwrap()
    }

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

    #[test]
    fn gzip_is_decompressed_up_to_the_limit() {
        assert_eq!(unpack(b"{}").unwrap().as_ref(), b"{}");
        assert_eq!(unpack(&gzip(b"{}")).unwrap().as_ref(), b"{}");
        let members = [gzip(b"{"), gzip(b"}")].concat();
        assert_eq!(unpack(&members).unwrap().as_ref(), b"{}");
        let largest = vec![b' '; MAX_BODY];
        assert_eq!(unpack(&gzip(&largest)).unwrap().len(), MAX_BODY);
        for size in [MAX_BODY + 1, 200 * MAX_BODY] {
            let bomb = gzip(&vec![b' '; size]);
            assert!(bomb.len() < MAX_BODY);
            assert_eq!(unpack(&bomb), Err(WebhookResponse::TooLarge));
        }
        let whole = gzip(b"{\"a\": 1}");
        for length in 2..whole.len() {
            let cut = unpack(&whole[..length]);
            assert!(
                matches!(cut, Err(WebhookResponse::Unreadable(_))),
                "{length}: {cut:?}"
            );
        }
    }
}
