//! Whether a source has sent nothing for one of its tenants for too long.
//!
//! Only the day of the last message is known of a tenant, because it is written at most once a day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::monitoring::inactive_source::WatchedSource;

/// Inactive tenants of one partner that are named. More would not fit into its health, and no person
/// would read them.
const MAX_NAMED: usize = 100;

/// A mapped and enabled tenant for which a source has sent messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedTenant {
    /// The day of the last message, in UTC.
    pub last_sent: Date,
    /// When it was last mapped or enabled.
    pub enabled_at: Option<Timestamp>,
}

/// Returns since which day the source has been quiet about the tenant, if that is too long by the
/// limit of the source. The days in which source or tenant were switched off do not count.
#[must_use]
pub fn tenant_inactive_since(
    source: WatchedSource,
    tenant: WatchedTenant,
    now: Timestamp,
) -> Option<Date> {
    let limit = source.rules.tenant_inactive_after_days?;
    if !source.enabled {
        return None;
    }
    let switched_on = day(source.since).max(tenant.enabled_at.map_or(Date::MIN, day));
    let since = tenant.last_sent.max(switched_on);
    let end = since.checked_add(i64::from(limit).days()).ok()?;
    (day(now) > end).then_some(since)
}

/// The longest quiet of these, in the order of their days.
#[must_use]
pub fn longest_quiet<T: Ord>(mut inactive: Vec<(Date, T)>) -> Vec<(Date, T)> {
    inactive.sort();
    inactive.truncate(MAX_NAMED);
    inactive
}

/// The day of a moment, in UTC.
#[must_use]
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::inactive_source::InactivityRules;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn source(days: Option<u32>) -> WatchedSource {
        WatchedSource {
            enabled: true,
            since: at("2026-10-01T00:00:00Z"),
            rules: InactivityRules {
                tenant_inactive_after_days: days,
                ..InactivityRules::default()
            },
        }
    }

    /// Since when the tenant is inactive at this time, if it was enabled then.
    fn since(source: WatchedSource, enabled_at: Option<&str>, now: &str) -> Option<Date> {
        let tenant = WatchedTenant {
            last_sent: date("2026-11-02"),
            enabled_at: enabled_at.map(at),
        };
        tenant_inactive_since(source, tenant, at(now))
    }

    #[test]
    fn a_tenant_is_inactive_after_whole_days() {
        let quiet = Some(date("2026-11-02"));
        for (now, inactive) in [
            ("2026-11-02T23:00:00Z", None),
            // It may have sent a message until the end of the first day.
            ("2026-11-05T23:59:59Z", None),
            ("2026-11-06T00:00:00Z", quiet),
            ("2027-11-06T00:00:00Z", quiet),
        ] {
            assert_eq!(since(source(Some(3)), None, now), inactive, "{now}");
        }
    }

    #[test]
    fn without_a_limit_or_with_the_source_off_no_tenant_is_inactive() {
        let late = "2027-11-06T00:00:00Z";
        assert_eq!(since(source(None), None, late), None);
        let off = WatchedSource {
            enabled: false,
            ..source(Some(3))
        };
        assert_eq!(since(off, None, late), None);
    }

    #[test]
    fn days_in_which_tenant_or_source_were_off_do_not_count() {
        let enabled = Some("2026-11-20T08:00:00Z");
        let now = "2026-11-23T23:00:00Z";
        assert_eq!(since(source(Some(3)), enabled, now), None);
        let now = "2026-11-24T00:00:00Z";
        let quiet = Some(date("2026-11-20"));
        assert_eq!(since(source(Some(3)), enabled, now), quiet);
        let on_again = WatchedSource {
            since: at("2026-11-21T08:00:00Z"),
            ..source(Some(3))
        };
        assert_eq!(since(on_again, enabled, now), None);
    }

    #[test]
    fn of_many_inactive_tenants_the_longest_quiet_are_named() {
        let first = date("2026-11-02");
        let days = (0..300).map(|n| (first.saturating_add((300 - n).days()), n));
        let named = longest_quiet(days.collect());
        assert_eq!(named.len(), MAX_NAMED);
        assert_eq!(named.first().map(|(_, n)| *n), Some(299));
    }
}
