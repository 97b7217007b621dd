//! How fast a partner's alerts are let go, and when the partner is due again. Pure.

use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use store::{Progress, spread};

/// Alerts of one connection that may be let go in a minute: a mended connection is not stormed by all that waited for it.
const A_MINUTE: u32 = 300;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// A failed run is made again after so long.
pub(crate) const AGAIN: SignedDuration = MINUTE;

/// How many more may go now. Runs of the same minute share it.
pub(crate) fn allowance(progress: &Progress, now: Timestamp) -> usize {
    let left = match ends(progress, now) {
        Some(_) => A_MINUTE.saturating_sub(progress.paced),
        None => A_MINUTE,
    };
    usize::try_from(left).unwrap_or_default()
}

/// The count after so many more.
pub(crate) fn taken(progress: &Progress, count: usize, now: Timestamp) -> Progress {
    let (from, before) = match (progress.paced_from, ends(progress, now)) {
        (Some(from), Some(_)) => (from, progress.paced),
        (Some(_) | None, _) => (now, 0),
    };
    Progress {
        paced_from: Some(from),
        paced: before.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
        ..progress.clone()
    }
}

/// When the partner is due again: as soon as more may go where more is `left`; otherwise when the time comes to `look` at a record,
/// or an alert ends by itself, but not within the minute; and at the latest at its own time in each period.
pub(crate) fn next(
    partner: &PartnerId,
    progress: &Progress,
    left: bool,
    look: Option<Timestamp>,
    (period, now): (SignedDuration, Timestamp),
) -> Timestamp {
    let soon = now.saturating_add(MINUTE).unwrap_or(Timestamp::MAX);
    if left {
        return ends(progress, now).unwrap_or(soon);
    }
    let own = own_time(partner, period, now);
    let first = look.into_iter().chain(progress.expires_at).min();
    first.map_or(own, |first| own.min(first.max(soon)))
}

/// Whether ConnectWise's list of open tickets is to be read: once in each of the partner's periods, and on where it was not read to
/// its end.
pub(crate) fn compares(
    partner: &PartnerId,
    progress: &Progress,
    period: SignedDuration,
    now: Timestamp,
) -> bool {
    let of = |at: Timestamp| place(partner, period, at).0;
    progress.comparing.is_some() || progress.compared_at.is_none_or(|at| of(at) != of(now))
}

/// When the minute ends in which releases are counted; none if it is over.
fn ends(progress: &Progress, now: Timestamp) -> Option<Timestamp> {
    let ends = progress.paced_from?.saturating_add(MINUTE).ok()?;
    (now < ends).then_some(ends)
}

/// The next of the partner's own times: one in each period, so that partners who were all due at once are not so again.
fn own_time(partner: &PartnerId, period: SignedDuration, now: Timestamp) -> Timestamp {
    let (_, left) = place(partner, period, now);
    let at = now.as_millisecond().saturating_add(left);
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX)
}

/// In which of the partner's periods a time lies, and how much of it is left, in milliseconds.
fn place(partner: &PartnerId, period: SignedDuration, at: Timestamp) -> (i64, i64) {
    let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let phase = i64::from(spread(partner)) % period;
    let since = at.as_millisecond() - phase;
    (since.div_euclid(period), period - since.rem_euclid(period))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: SignedDuration = SignedDuration::from_mins(15);

    fn at(second: i64) -> Timestamp {
        "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
    }

    #[test]
    fn runs_of_one_minute_share_its_allowance() {
        let fresh = Progress::default();
        assert_eq!(allowance(&fresh, at(0)), 300);
        let first = taken(&fresh, 200, at(0));
        assert_eq!(allowance(&first, at(30)), 100);
        let second = taken(&first, 100, at(30));
        assert_eq!(
            (second.paced_from, second.paced),
            (Some(at(0)), 300),
            "the minute is the first one's"
        );
        assert_eq!(allowance(&second, at(59)), 0);
        assert_eq!(allowance(&second, at(60)), 300);
        let third = taken(&second, 5, at(60));
        assert_eq!((third.paced_from, third.paced), (Some(at(60)), 5));
    }

    #[test]
    fn what_is_left_goes_when_the_minute_is_over() {
        let acme = PartnerId::parse("acme").unwrap();
        let paced = taken(&Progress::default(), 300, at(0));
        assert_eq!(next(&acme, &paced, true, None, (PERIOD, at(20))), at(60));
        assert_eq!(next(&acme, &paced, true, None, (PERIOD, at(60))), at(120));
    }

    #[test]
    fn a_record_is_looked_at_in_its_time_but_not_within_the_minute() {
        let acme = PartnerId::parse("acme").unwrap();
        let idle = Progress::default();
        let own = next(&acme, &idle, false, None, (PERIOD, at(0)));
        assert!(own > at(0) && own <= at(900), "{own}");
        let following = next(&acme, &idle, false, None, (PERIOD, own));
        assert_eq!(following, own + SignedDuration::from_mins(15));
        let just_after = own + SignedDuration::from_secs(1);
        for (look, expected) in [(5, 60), (61, 61), (300, 300)] {
            let look = just_after + SignedDuration::from_secs(look);
            let expected = just_after + SignedDuration::from_secs(expected);
            assert_eq!(
                next(&acme, &idle, false, Some(look), (PERIOD, just_after)),
                expected
            );
        }
        let far = Some(own + SignedDuration::from_hours(24));
        assert_eq!(next(&acme, &idle, false, far, (PERIOD, own)), following);
    }

    #[test]
    fn partners_who_were_due_at_once_are_spread_over_the_quarter_of_an_hour() {
        let mut minutes = [0; 15];
        for n in 0..1500 {
            let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
            let wait = next(&partner, &Progress::default(), false, None, (PERIOD, at(0)))
                .duration_since(at(0));
            minutes[usize::try_from((wait.as_secs() - 1) / 60).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| *count > 50), "{minutes:?}");
    }

    #[test]
    fn the_list_is_read_once_in_a_period_and_on_where_it_was_not_read_to_its_end() {
        let acme = PartnerId::parse("acme").unwrap();
        let compares = |progress: &Progress, now| compares(&acme, progress, PERIOD, now);
        assert!(compares(&Progress::default(), at(0)));
        let own = next(&acme, &Progress::default(), false, None, (PERIOD, at(0)));
        let read = Progress {
            compared_at: Some(own),
            ..Progress::default()
        };
        let second = SignedDuration::from_secs(1);
        let following = own + PERIOD;
        for (now, expected) in [
            (own, false),
            (own + second, false),
            (following - second, false),
            (following, true),
            (following + second, true),
        ] {
            assert_eq!(compares(&read, now), expected, "{now}");
        }
        let partly = Progress {
            comparing: Some(store::Comparing {
                began_at: own,
                behind: 7,
            }),
            ..read
        };
        assert!(compares(&partly, own + second));
    }

    #[test]
    fn an_alert_that_ends_by_itself_makes_its_partner_due() {
        let acme = PartnerId::parse("acme").unwrap();
        let own = next(&acme, &Progress::default(), false, None, (PERIOD, at(0)));
        let ends = Progress {
            expires_at: Some(own + SignedDuration::from_mins(3)),
            ..Progress::default()
        };
        let due = next(&acme, &ends, false, None, (PERIOD, own));
        assert_eq!(Some(due), ends.expires_at);
    }
}
