//! How many alerts of a partner go on in a minute, and when the partner is due again. Pure.

use domain::PartnerId;
use domain::time::later;
use jiff::{SignedDuration, Timestamp};
use scheduled::Period;
use store::RunProgress;

/// Alerts of one connection that may go on in a minute. A repaired connection is not flooded
/// by all alerts that were blocked.
const ALLOWANCE: u32 = 300;
pub(crate) const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// The clocks of two machines may differ by this much.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);
/// Tickets in one page of ConnectWise's list.
const PAGE_SIZE: usize = 1000;

/// How many more alerts may go on now. Runs within the same minute share the allowance.
pub(crate) fn allowance(progress: &RunProgress, now: Timestamp) -> usize {
    let left = match minute_end(progress, now) {
        Some(_) => ALLOWANCE.saturating_sub(progress.paced),
        None => ALLOWANCE,
    };
    usize::try_from(left).unwrap_or_default()
}

/// The progress after this many more were sent.
pub(crate) fn with_sent(progress: &RunProgress, count: usize, now: Timestamp) -> RunProgress {
    let (from, before) = match (progress.paced_from, minute_end(progress, now)) {
        (Some(from), Some(_)) => (from, progress.paced),
        (Some(_) | None, _) => (now, 0),
    };
    RunProgress {
        paced_from: Some(from),
        paced: before.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
        ..progress.clone()
    }
}

/// When a partner is due again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueTimes<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) period: Period,
    pub(crate) now: Timestamp,
}

impl DueTimes<'_> {
    /// When more may go on, for a partner with more to do.
    pub(crate) fn next_minute(&self, progress: &RunProgress) -> Timestamp {
        minute_end(progress, self.now).unwrap_or(self.in_a_minute())
    }

    /// When a record is to be looked at or an alert expires, but at the earliest in a minute. At
    /// the latest, the partner's own time in the period.
    pub(crate) fn next(&self, progress: &RunProgress, look: Option<Timestamp>) -> Timestamp {
        let own = self.period.next(self.partner, self.now);
        let first = look.into_iter().chain(progress.expires_at).min();
        first.map_or(own, |first| own.min(first.max(self.in_a_minute())))
    }

    fn in_a_minute(&self) -> Timestamp {
        later(self.now, MINUTE)
    }
}

/// Whether to read ConnectWise's list of open tickets: once in each of the partner's periods, again
/// if the last run did not reach its end, and earlier if ConnectWise reported a change.
pub(crate) fn must_compare(
    partner: &PartnerId,
    progress: &RunProgress,
    ticket_changed_at: Option<Timestamp>,
    period: Period,
    now: Timestamp,
) -> bool {
    let Some(compared_at) = progress.compared_at else {
        return true;
    };
    let has_changed = ticket_changed_at.is_some_and(|at| !was_read(at, compared_at));
    let is_early = has_changed && now >= next_early_comparison(progress, compared_at);
    progress.comparing.is_some() || !period.is_same(partner, compared_at, now) || is_early
}

/// When the tickets are compared because of a change that the last comparison did not see.
pub(crate) fn comparison_after_change(
    progress: &RunProgress,
    ticket_changed_at: Option<Timestamp>,
) -> Option<Timestamp> {
    let compared_at = progress.compared_at?;
    (ticket_changed_at? > compared_at).then(|| next_early_comparison(progress, compared_at))
}

/// A long list is read early less often, so that the calls for it stay few: one a minute.
fn next_early_comparison(progress: &RunProgress, compared_at: Timestamp) -> Timestamp {
    let pages = progress.compared_tickets.div_ceil(PAGE_SIZE).max(1);
    let minutes = i64::try_from(pages).unwrap_or(i64::MAX);
    later(compared_at, SignedDuration::from_mins(minutes))
}

/// Whether an input that changed at one time was read at another. One that changed shortly before
/// may not have been read, because the times are of two clocks.
pub(crate) fn was_read(changed_at: Timestamp, read_at: Timestamp) -> bool {
    later(changed_at, MAX_CLOCK_SKEW) < read_at
}

/// The end of the minute in which sent alerts are counted, unless it is over.
fn minute_end(progress: &RunProgress, now: Timestamp) -> Option<Timestamp> {
    let end = progress.paced_from?.saturating_add(MINUTE).ok()?;
    (now < end).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: SignedDuration = SignedDuration::from_mins(15);

    fn at(second: i64) -> Timestamp {
        "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
    }

    fn acme() -> PartnerId {
        PartnerId::parse("acme").unwrap()
    }

    fn times(partner: &PartnerId, now: Timestamp) -> DueTimes<'_> {
        DueTimes {
            partner,
            period: Period::new(PERIOD),
            now,
        }
    }

    #[test]
    fn runs_of_one_minute_share_its_allowance() {
        let fresh = RunProgress::default();
        assert_eq!(allowance(&fresh, at(0)), 300);
        let first = with_sent(&fresh, 200, at(0));
        assert_eq!(allowance(&first, at(30)), 100);
        let second = with_sent(&first, 100, at(30));
        assert_eq!(
            (second.paced_from, second.paced),
            (Some(at(0)), 300),
            "the minute begins with the first run"
        );
        assert_eq!(allowance(&second, at(59)), 0);
        assert_eq!(allowance(&second, at(60)), 300);
        let third = with_sent(&second, 5, at(60));
        assert_eq!((third.paced_from, third.paced), (Some(at(60)), 5));
    }

    #[test]
    fn a_partner_with_more_to_do_is_due_in_the_next_minute() {
        let partner = acme();
        let paced = with_sent(&RunProgress::default(), 300, at(0));
        for (now, expected) in [(20, 60), (60, 120)] {
            let next = times(&partner, at(now)).next_minute(&paced);
            assert_eq!(next, at(expected));
        }
    }

    #[test]
    fn a_record_makes_its_partner_due_but_not_within_the_minute() {
        let (partner, idle) = (acme(), RunProgress::default());
        let own = times(&partner, at(0)).next(&idle, None);
        assert!(own > at(0) && own <= at(900), "{own}");
        let following = times(&partner, own).next(&idle, None);
        assert_eq!(following, own + PERIOD);
        let just_after = own + SignedDuration::from_secs(1);
        for (look, expected) in [(5, 60), (61, 61), (300, 300)] {
            let look = just_after + SignedDuration::from_secs(look);
            let expected = just_after + SignedDuration::from_secs(expected);
            let next = times(&partner, just_after).next(&idle, Some(look));
            assert_eq!(next, expected);
        }
        let far = Some(own + SignedDuration::from_hours(24));
        assert_eq!(times(&partner, own).next(&idle, far), following);
    }

    #[test]
    fn an_alert_that_expires_makes_its_partner_due() {
        let partner = acme();
        let own = times(&partner, at(0)).next(&RunProgress::default(), None);
        let expiring = RunProgress {
            expires_at: Some(own + SignedDuration::from_mins(3)),
            ..RunProgress::default()
        };
        let due = times(&partner, own).next(&expiring, None);
        assert_eq!(Some(due), expiring.expires_at);
    }

    #[test]
    fn tickets_are_compared_once_a_period_and_on_where_it_stopped() {
        let partner = acme();
        let must_compare = |progress: &RunProgress, now| {
            must_compare(&partner, progress, None, Period::new(PERIOD), now)
        };
        assert!(must_compare(&RunProgress::default(), at(0)));
        let own = times(&partner, at(0)).next(&RunProgress::default(), None);
        let read = RunProgress {
            compared_at: Some(own),
            ..RunProgress::default()
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
            assert_eq!(must_compare(&read, now), expected, "{now}");
        }
        let partly = RunProgress {
            comparing: Some(store::TicketScan {
                began_at: own,
                behind: 7,
            }),
            ..read
        };
        assert!(must_compare(&partly, own + second));
    }

    #[test]
    fn a_changed_ticket_brings_the_next_comparison_forward() {
        let partner = acme();
        let own = times(&partner, at(0)).next(&RunProgress::default(), None);
        let after = |seconds| own + SignedDuration::from_secs(seconds);
        for (tickets, changed, first) in [(0, 5, 60), (1000, 5, 60), (1001, 5, 120), (5000, 5, 300)]
        {
            let read = RunProgress {
                compared_at: Some(own),
                compared_tickets: tickets,
                ..RunProgress::default()
            };
            let changed = Some(after(changed));
            let must_compare =
                |now| must_compare(&partner, &read, changed, Period::new(PERIOD), now);
            assert!(!must_compare(after(first - 1)), "{tickets}");
            assert!(must_compare(after(first)), "{tickets}");
            assert_eq!(comparison_after_change(&read, changed), Some(after(first)));
        }
    }

    #[test]
    fn a_change_before_the_last_comparison_makes_no_partner_due() {
        let read = RunProgress {
            compared_at: Some(at(100)),
            ..RunProgress::default()
        };
        for (changed, expected) in [(None, None), (Some(at(100)), None), (Some(at(99)), None)] {
            assert_eq!(comparison_after_change(&read, changed), expected);
        }
        assert!(was_read(at(39), at(100)));
        assert!(!was_read(at(40), at(100)), "the clocks may differ");
    }
}
