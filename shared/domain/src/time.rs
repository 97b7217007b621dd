//! Time as the wire writes it.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// Reads an RFC 3339 time: date, `T`, time with seconds, and `Z` or an offset of at most 23:59.
///
/// jiff alone would also take ISO 8601's other forms, time zone names and offsets up to 25:59.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse(text: &str) -> Result<Timestamp, &'static str> {
    const EXPECTED: &str = "is not an RFC 3339 time such as 2026-11-22T07:30:00Z";
    let well_shaped = || {
        let (date, rest) = text.split_at_checked(19)?;
        let date_ok =
            date.bytes()
                .zip("dddd-dd-ddTdd:dd:dd".bytes())
                .all(|(b, shape)| match shape {
                    b'd' => b.is_ascii_digit(),
                    _ => b == shape,
                });
        let zone = rest.strip_prefix('.').map_or(rest, |fraction| {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        });
        let fraction_ok = rest.len() == zone.len() || rest.len() - zone.len() > 1;
        let zone_ok = match zone.as_bytes() {
            b"Z" => true,
            [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|b| b.is_ascii_digit()) => {
                (*a, *b) <= (b'2', b'3') && *c <= b'5'
            }
            _ => false,
        };
        (date_ok && fraction_ok && zone_ok).then_some(())
    };
    well_shaped().ok_or(EXPECTED)?;
    text.parse().map_err(|_| EXPECTED)
}

/// For `#[serde(deserialize_with)]` on an optional member of a webhook body.
pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| {
        parse(&text).map_err(|fault| serde::de::Error::custom(format!("`{text}` {fault}")))
    })
    .transpose()
}

/// For `#[serde(deserialize_with)]` on a required member of a webhook body.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(|fault| serde::de::Error::custom(format!("`{text}` {fault}")))
}

/// 2000-01-01: no system that sends webhooks had its alerts before.
const EARLIEST: i64 = 946_684_800;

/// Whether a time can be meant. Senders write 0001-01-01 or the beginning of 1970 where they know no time.
#[must_use]
pub fn is_plausible(at: Timestamp) -> bool {
    at.as_second() >= EARLIEST
}

/// A time whose text sorts as the time does: always UTC, always three decimals.
#[must_use]
pub fn sortable(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// For `#[serde(serialize_with)]` on a time that a table compares or sorts.
pub(crate) fn as_sortable<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&sortable(*at))
}

/// For `#[serde(serialize_with)]` on an optional time that a table compares or sorts.
pub(crate) fn as_sortable_optional<S: Serializer>(
    at: &Option<Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.serialize_str(&sortable(*at)),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_is_a_time() {
        for good in [
            "2026-11-22T07:30:00Z",
            "2026-11-22T07:30:00.123456Z",
            "2026-11-22T07:30:00+23:59",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "lunchtime",
            "",
            "2026-11-22",
            "2026-11-22T07:30Z",
            "2026-11-22T07:30:00",
            "2026-11-22T07:30:00+25:00",
            "2026-11-22T07:30:00+24:00",
            "2026-11-22T07:30:00.Z",
            "2026-13-22T07:30:00Z",
            "2026-11-22 07:30:00Z",
            "2026-11-22T07:30:00Z[UTC]",
            "2026-11-22T07:30:00+01:60",
            "é026-11-22T07:30:0éZ",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_zero_time_cannot_be_meant() {
        let time = |text: &str| parse(text).unwrap();
        for zero in [
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "1601-01-01T00:00:00Z",
            "1899-12-30T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "1970-01-01T01:00:00Z",
            "1980-01-06T00:00:00Z",
            "1999-12-31T23:59:59.999Z",
        ] {
            assert!(!is_plausible(time(zero)), "{zero}");
        }
        assert!(is_plausible(time("2000-01-01T00:00:00Z")));
        assert!(
            is_plausible(time("9999-12-30T22:00:00Z")),
            "bounded elsewhere"
        );
    }

    #[test]
    fn sortable_times_sort() {
        let early: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let late: Timestamp = "2026-11-22T07:30:00.5Z".parse().unwrap();
        assert!(
            sortable(early) < sortable(late),
            "{} {}",
            sortable(early),
            sortable(late)
        );
    }
}
