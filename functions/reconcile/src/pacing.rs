//! How fast a partner's alerts are let go, and when the partner is due again. Pure.

use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use store::{Progress, spread};

/// Alerts of one connection that may be let go in a minute: a mended connection is not stormed by all that waited for it.
const A_MINUTE: u32 = 300;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// How often a partner is looked after when nothing happens, in milliseconds.
const PERIOD: i64 = 15 * 60 * 1000;

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
/// but not within the minute; and at the latest at its own time in each quarter of an hour.
pub(crate) fn next(
    partner: &PartnerId,
    progress: &Progress,
    left: bool,
    look: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let soon = now.saturating_add(MINUTE).unwrap_or(Timestamp::MAX);
    if left {
        return ends(progress, now).unwrap_or(soon);
    }
    let own = own_time(partner, now);
    look.map_or(own, |look| own.min(look.max(soon)))
}

/// When a failed run is tried again.
pub(crate) fn again(now: Timestamp) -> Timestamp {
    now.saturating_add(MINUTE).unwrap_or(Timestamp::MAX)
}

/// When the minute ends in which releases are counted; none if it is over.
fn ends(progress: &Progress, now: Timestamp) -> Option<Timestamp> {
    let ends = progress.paced_from?.saturating_add(MINUTE).ok()?;
    (now < ends).then_some(ends)
}

/// The next of the partner's own times: one in each quarter of an hour, so that partners who were all due at once are not so again.
fn own_time(partner: &PartnerId, now: Timestamp) -> Timestamp {
    let now = now.as_millisecond();
    let phase = i64::from(spread(partner)) % PERIOD;
    let wait = PERIOD - (now - phase).rem_euclid(PERIOD);
    Timestamp::from_millisecond(now + wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(next(&acme, &paced, true, None, at(20)), at(60));
        assert_eq!(next(&acme, &paced, true, None, at(60)), at(120));
    }

    #[test]
    fn a_record_is_looked_at_in_its_time_but_not_within_the_minute() {
        let acme = PartnerId::parse("acme").unwrap();
        let idle = Progress::default();
        let own = next(&acme, &idle, false, None, at(0));
        assert!(own > at(0) && own <= at(900), "{own}");
        let following = next(&acme, &idle, false, None, own);
        assert_eq!(following, own + SignedDuration::from_mins(15));
        let just_after = own + SignedDuration::from_secs(1);
        for (look, expected) in [(5, 60), (61, 61), (300, 300)] {
            let look = just_after + SignedDuration::from_secs(look);
            let expected = just_after + SignedDuration::from_secs(expected);
            assert_eq!(next(&acme, &idle, false, Some(look), just_after), expected);
        }
        let far = Some(own + SignedDuration::from_hours(24));
        assert_eq!(next(&acme, &idle, false, far, own), following);
    }

    #[test]
    fn partners_who_were_due_at_once_are_spread_over_the_quarter_of_an_hour() {
        let mut minutes = [0; 15];
        for n in 0..1500 {
            let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
            let wait =
                next(&partner, &Progress::default(), false, None, at(0)).duration_since(at(0));
            minutes[usize::try_from((wait.as_secs() - 1) / 60).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| *count > 50), "{minutes:?}");
    }
}
