//! Times as products write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The time zone of times that state none: `UTC`, an offset such as `+01:00`, or a POSIX rule such
/// as `CET-1CEST,M3.5.0,M10.5.0/3`. A rule is enough for present times, and needs no database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    text: String,
    zone: TimeZone,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            text: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let zone = match text.as_str() {
            "UTC" => Some(TimeZone::UTC),
            text => match fixed_offset(text) {
                Some(offset) => Some(TimeZone::fixed(offset)),
                None if text.len() <= 64 => TimeZone::posix(text).ok(),
                None => None,
            },
        };
        let zone = zone.ok_or(
            "a zone is UTC, an offset such as +01:00, or a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3",
        )?;
        Ok(Self { text, zone })
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.text
    }
}

impl Zone {
    pub(super) fn is_utc(&self) -> bool {
        self.text == "UTC"
    }
}

fn fixed_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let is_real = (0..24).contains(&hours) && (0..60).contains(&minutes);
    let seconds = sign * (hours * 3600 + minutes * 60);
    is_real
        .then(|| Offset::from_seconds(seconds).ok())
        .flatten()
}

/// Reads a time in RFC 3339, with or without a zone, with points or slashes in its date, or as
/// seconds, milliseconds or microseconds since 1970. `None` for anything else.
pub(super) fn read(text: &str, zone: &Zone) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = crate::time::parse(text) {
        return Some(at);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.matches('.').count() <= 1 {
        return since_1970(text);
    }
    let (date, time) = text.split_at_checked(10)?;
    let date = date.replace(['.', '/'], "-");
    let time = time.trim_start_matches(['T', 't', ' ']);
    let local: DateTime = format!("{date}T{time}").parse().ok()?;
    local
        .to_zoned(zone.zone.clone())
        .ok()
        .map(|at| at.timestamp())
}

/// Ten digits are seconds, thirteen milliseconds, sixteen microseconds.
fn since_1970(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let per_second: i128 = match whole.len() {
        1..=11 => 1,
        12..=14 => 1000,
        15..=17 => 1_000_000,
        _ => return None,
    };
    let whole: i128 = whole.parse().ok()?;
    let digits = &fraction[..fraction.len().min(9)];
    let nanos: i128 = match digits {
        "" => 0,
        digits => digits.parse::<i128>().ok()? * 10_i128.pow(9 - u32::try_from(digits.len()).ok()?),
    };
    let nanos = (whole * 1_000_000_000 + nanos) / per_second;
    Timestamp::from_nanosecond(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Option<String> {
        let zone = Zone::try_from(zone.to_owned()).unwrap();
        read(text, &zone).map(|at| at.to_string())
    }

    #[test]
    fn times_are_read_as_products_write_them() {
        for (text, zone, expected) in [
            ("2026-11-22T07:29:00Z", "UTC", Some("2026-11-22T07:29:00Z")),
            (
                "2026-11-22T07:29:00.1234567Z",
                "UTC",
                Some("2026-11-22T07:29:00.1234567Z"),
            ),
            (
                "2026-11-22T07:29:00.123+0000",
                "UTC",
                Some("2026-11-22T07:29:00.123Z"),
            ),
            ("1763796540", "UTC", Some("2025-11-22T07:29:00Z")),
            ("1763796540.612", "UTC", Some("2025-11-22T07:29:00.612Z")),
            ("1763796540000", "UTC", Some("2025-11-22T07:29:00Z")),
            ("1763796540000000", "UTC", Some("2025-11-22T07:29:00Z")),
            (
                "2026-11-22 07:29:00.123",
                "UTC",
                Some("2026-11-22T07:29:00.123Z"),
            ),
            (
                "2026.11.22 07:29:00",
                "+01:00",
                Some("2026-11-22T06:29:00Z"),
            ),
            (
                "2026/11/22 07:29:00",
                "-05:30",
                Some("2026-11-22T12:59:00Z"),
            ),
            (
                "2026-11-22 07:29:00",
                "CET-1CEST,M3.5.0,M10.5.0/3",
                Some("2026-11-22T06:29:00Z"),
            ),
            (
                "2026-07-22 07:29:00",
                "CET-1CEST,M3.5.0,M10.5.0/3",
                Some("2026-07-22T05:29:00Z"),
            ),
            // A stated zone counts.
            (
                "2026-11-22T07:29:00Z",
                "+01:00",
                Some("2026-11-22T07:29:00Z"),
            ),
            ("yesterday", "UTC", None),
            ("", "UTC", None),
            (".", "UTC", None),
            // A day is no moment.
            ("2026-11-22", "UTC", None),
            ("99999999999999999999", "UTC", None),
            ("1.2.3", "UTC", None),
        ] {
            assert_eq!(at(text, zone).as_deref(), expected, "{text} {zone}");
        }
    }

    #[test]
    fn a_zone_is_an_offset_or_a_rule() {
        for good in ["UTC", "+00:00", "-11:30", "EST5EDT,M3.2.0,M11.1.0"] {
            assert!(Zone::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "Europe/Berlin", "+1:00", "+25:00", "+01:60", "+-1:00"] {
            assert!(Zone::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
