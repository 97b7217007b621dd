//! What the content headers say, and the body without its compression.

use std::borrow::Cow;
use std::io::Read as _;

use aws_lambda_events::http::{HeaderMap, HeaderName, header};
use domain::webhook::InvalidField;
use flate2::read::MultiGzDecoder;

use crate::{Answer, MAX_BODY};

/// How gzip begins. No JSON text begins so.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Refuses what is not said to be JSON. Whether it is one event or a batch, the body itself shows.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Answer> {
    let media_type = word(headers, header::CONTENT_TYPE);
    let is_json = matches!(media_type.as_str(), "" | "application/json" | "text/json")
        || media_type.ends_with("+json");
    if !is_json {
        return Err(Answer::UnsupportedMediaType);
    }
    match word(headers, header::CONTENT_ENCODING).as_str() {
        "" | "identity" | "gzip" | "x-gzip" => Ok(()),
        _ => Err(Answer::UnsupportedEncoding),
    }
}

/// A header's value in small letters and without its parameters; empty where it is absent.
fn word(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    let word = value.unwrap_or_default().split(';').next();
    word.unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body without gzip. The body itself shows whether it is compressed: a proxy may have unpacked it and kept the header.
///
/// The limit holds for what comes out, so that a small body cannot fill the memory.
pub(crate) fn unpack(body: &[u8]) -> Result<Cow<'_, [u8]>, Answer> {
    if !body.starts_with(&GZIP) {
        return Ok(body.into());
    }
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut unpacked = vec![];
    let read = MultiGzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked);
    if unpacked.len() > MAX_BODY {
        return Err(Answer::TooLarge);
    }
    if read.is_err() {
        return Err(Answer::Unreadable(InvalidField {
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

    fn checked(name: HeaderName, value: &str) -> Result<(), Answer> {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        check(&headers)
    }

    #[test]
    fn json_is_read_whatever_its_media_type_says_besides() {
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
            let refused = Err(Answer::UnsupportedMediaType);
            assert_eq!(checked(header::CONTENT_TYPE, bad), refused, "{bad}");
        }
        for good in ["gzip", "GZIP", "x-gzip", "identity", ""] {
            assert_eq!(checked(header::CONTENT_ENCODING, good), Ok(()), "{good}");
        }
        for bad in ["br", "deflate", "zstd", "gzip, gzip"] {
            let refused = Err(Answer::UnsupportedEncoding);
            assert_eq!(checked(header::CONTENT_ENCODING, bad), refused, "{bad}");
        }
    }

    #[test]
    fn gzip_is_unpacked_up_to_the_limit_of_any_body() {
        assert_eq!(unpack(b"{}").unwrap().as_ref(), b"{}");
        assert_eq!(unpack(&gzip(b"{}")).unwrap().as_ref(), b"{}");
        let members = [gzip(b"{"), gzip(b"}")].concat();
        assert_eq!(unpack(&members).unwrap().as_ref(), b"{}");
        let largest = vec![b' '; MAX_BODY];
        assert_eq!(unpack(&gzip(&largest)).unwrap().len(), MAX_BODY);
        for size in [MAX_BODY + 1, 200 * MAX_BODY] {
            let bomb = gzip(&vec![b' '; size]);
            assert!(bomb.len() < MAX_BODY);
            assert_eq!(unpack(&bomb), Err(Answer::TooLarge));
        }
        let whole = gzip(b"{\"a\": 1}");
        for length in 2..whole.len() {
            let cut = unpack(&whole[..length]);
            assert!(
                matches!(cut, Err(Answer::Unreadable(_))),
                "{length}: {cut:?}"
            );
        }
    }
}
