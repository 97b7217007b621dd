//! Times as texts: on the wire, in the table, and for people.

use jiff::{SignedDuration, Timestamp};
use serde::Serializer;

/// Parses an RFC 3339 time: date, `T` or a space, time with seconds, and `Z` or an offset of at
/// most 23:59, with or without its colon. Letters may be lower case, a leap second counts as the
/// second before it, and digits finer than a nanosecond are cut off.
///
/// jiff alone would also accept the other forms of ISO 8601, time zone names and offsets up to
/// 25:59, and would reject a tenth decimal.
///
/// # Errors
/// Says what is expected.
pub fn parse(text: &str) -> Result<Timestamp, &'static str> {
    const EXPECTED: &str = "is not an RFC 3339 time such as 2026-11-22T07:30:00Z";
    let canonical = || {
        let text = text.trim();
        let (date, rest) = text.split_at_checked(19)?;
        let date_ok =
            date.bytes()
                .zip("dddd-dd-ddTdd:dd:dd".bytes())
                .all(|(b, shape)| match shape {
                    b'd' => b.is_ascii_digit(),
                    b'T' => matches!(b, b'T' | b't' | b' '),
                    _ => b == shape,
                });
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (fraction, zone) = rest.split_at(digits);
                (Some(fraction), zone)
            }
            None => (None, rest),
        };
        let fraction_ok = fraction.is_none_or(|fraction| !fraction.is_empty());
        let fraction = fraction.map(|digits| &digits[..digits.len().min(9)]);
        let zone = match zone.as_bytes() {
            b"Z" | b"z" => "Z".to_owned(),
            &[sign @ (b'+' | b'-'), a, b, b':', c, d] | &[sign @ (b'+' | b'-'), a, b, c, d]
                if [a, b, c, d].iter().all(u8::is_ascii_digit)
                    && (a, b) <= (b'2', b'3')
                    && c <= b'5' =>
            {
                [sign, a, b, b':', c, d].map(char::from).iter().collect()
            }
            _ => return None,
        };
        let (day, time) = (&date.get(..10)?, &date.get(11..)?);
        let fraction = fraction.map_or_else(String::new, |digits| format!(".{digits}"));
        (date_ok && fraction_ok).then(|| format!("{day}T{time}{fraction}{zone}"))
    };
    canonical()
        .and_then(|text| text.parse().ok())
        .ok_or(EXPECTED)
}

/// 2000-01-01. No system that sends webhooks has older alerts.
const EARLIEST: i64 = 946_684_800;

/// Whether a time is plausible. Senders write 0001-01-01 or the beginning of 1970 for an unknown
/// time.
#[must_use]
pub fn is_plausible(at: Timestamp) -> bool {
    at.as_second() >= EARLIEST
}

/// Formats a time so that the texts sort as the times do: always UTC, always three decimals.
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

/// Adds to a time, up to the last one that there is.
#[must_use]
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Subtracts from a time, down to the first one that there is.
#[must_use]
pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// A duration for people: "41 s", "2 min 5 s", "3 h 10 min", "2 d 4 h".
#[must_use]
pub fn duration(seconds: u32) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let rest = seconds % 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) if rest == 0 => format!("{minutes} min"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        (..) => format!("{days} d {hours} h"),
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
        for (loose, strict) in [
            ("2026-11-22t07:30:00z", "2026-11-22T07:30:00Z"),
            ("2026-11-22 07:30:00Z", "2026-11-22T07:30:00Z"),
            (" 2026-11-22T07:30:00Z\n", "2026-11-22T07:30:00Z"),
            ("2026-11-22T07:30:00+0130", "2026-11-22T06:00:00Z"),
            ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.5Z"),
            (
                "2026-11-22T07:30:00.1234567899Z",
                "2026-11-22T07:30:00.123456789Z",
            ),
        ] {
            assert_eq!(parse(loose), Ok(strict.parse().unwrap()), "{loose}");
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
            "2026-11-22_07:30:00Z",
            "2026-11-22T07:30:00Z[UTC]",
            "2026-11-22T07:30:00+2400",
            "2026-11-22T07:30:00+130",
            "2026-11-22T07:30:00+01:60",
            "é026-11-22T07:30:0éZ",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_zero_time_is_implausible() {
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
    fn a_duration_has_at_most_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (125, "2 min 5 s"),
            (3600, "1 h"),
            (11_400, "3 h 10 min"),
            (172_800, "2 d"),
            (187_200, "2 d 4 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
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
