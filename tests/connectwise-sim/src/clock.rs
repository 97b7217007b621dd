//! ConnectWise's dates: UTC, whole seconds, `2016-08-20T18:04:26Z`.

use jiff::civil;
use jiff::{Timestamp, tz::TimeZone};

/// Formats a date as in every response.
pub(crate) fn format(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Parses a date of a body or a condition: with or without zone, with or without time.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let naive = text
        .parse::<civil::DateTime>()
        .or_else(|_| text.parse::<civil::Date>().map(civil::DateTime::from))
        .ok()?;
    naive
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_parsed_leniently_and_written_uniformly() {
        for (text, written) in [
            ("2016-08-20T18:04:26Z", Some("2016-08-20T18:04:26Z")),
            ("2016-08-20T18:04:26.987Z", Some("2016-08-20T18:04:26Z")),
            ("2016-08-20T18:04:26", Some("2016-08-20T18:04:26Z")),
            ("2016-08-20", Some("2016-08-20T00:00:00Z")),
            ("yesterday", None),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), written, "{text}");
        }
    }
}
