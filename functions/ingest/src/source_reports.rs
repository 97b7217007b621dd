//! What the webhook reports about sources apart from their events: refused requests, test messages,
//! messages without alerts, and unknown kinds. Each kind of report is sent at most once a minute and
//! source by one execution environment, so that a flood of requests costs nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::source::activity::{SourceObservation, SourceReport, add_kinds};
use domain::source::mapping::apply::MappedBody;
use domain::wire::message::Message;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};

use source_authentication::Refusal;

/// The shortest time between two reports of one kind about one source.
const PERIOD: SignedDuration = SignedDuration::from_mins(1);
/// The sources in memory. A further one is not reported until others are older than [`PERIOD`].
const MAX_SOURCES: usize = 1024;
/// SQS accepts so many messages in one call. A refused request to a source of more partners is only
/// logged: one call is all that a refused request may cost.
const MAX_PARTNERS: usize = 10;

/// What was last reported about a source, and when.
#[derive(Debug, Default)]
struct Reported {
    refused_at: Option<Timestamp>,
    /// A test message, or one that the mapping ignores.
    empty_at: Option<Timestamp>,
    kinds_at: Option<Timestamp>,
    /// Unknown kinds since the last report.
    kinds: BTreeMap<String, u32>,
}

impl Reported {
    fn is_old(&self, now: Timestamp) -> bool {
        let times = [self.refused_at, self.empty_at, self.kinds_at];
        times.into_iter().all(|at| is_due(at, now))
    }
}

#[derive(Debug, Default)]
pub(crate) struct SourceReports(Mutex<HashMap<SourceId, Reported>>);

impl SourceReports {
    /// Returns the reports of a refused request: one for each partner of its source, none if the
    /// source is not known. `None` if no report is due, or the source's id is not proved.
    pub(crate) fn refused(&self, refusal: Refusal, now: Timestamp) -> Option<Vec<Message>> {
        let Refusal {
            source,
            mut partners,
            reason,
        } = refusal;
        let source = source?;
        if !self.with(&source, now, |of| take_turn(&mut of.refused_at, now)) {
            return None;
        }
        if partners.len() > MAX_PARTNERS {
            partners.clear();
        }
        let report = |partner| {
            let observation = SourceObservation::Refused { reason };
            message(partner, &source, now, observation)
        };
        Some(partners.into_iter().map(report).collect())
    }

    /// Reports what a body has besides events and unreadable alerts.
    pub(crate) fn mapped(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        mapped: &MappedBody,
        now: Timestamp,
    ) -> Vec<Message> {
        let is_empty = mapped.events.is_empty() && mapped.unmapped.is_empty();
        // A person who sends a test message wants to see it.
        let empty = if mapped.is_ping {
            Some(SourceObservation::Ping)
        } else if is_empty && self.with(source, now, |of| take_turn(&mut of.empty_at, now)) {
            Some(SourceObservation::Ignored)
        } else {
            None
        };
        let kinds = if mapped.unknown_kinds.is_empty() {
            None
        } else {
            self.take_kinds(source, &mapped.unknown_kinds, now)
        };
        let kinds = kinds.map(|kinds| SourceObservation::UnknownKinds { kinds });
        let observations = empty.into_iter().chain(kinds);
        observations
            .map(|observation| message(partner.clone(), source, now, observation))
            .collect()
    }

    /// Adds unknown kinds to those that are not reported yet, and returns all of them if a report is
    /// due. Those of the time since the last report are lost with the execution environment: the
    /// counts are a minimum.
    fn take_kinds(
        &self,
        source: &SourceId,
        kinds: &BTreeMap<String, usize>,
        now: Timestamp,
    ) -> Option<BTreeMap<String, u32>> {
        let mut taken = None;
        self.with(source, now, |of| {
            add_kinds(&mut of.kinds, kinds);
            let is_due = take_turn(&mut of.kinds_at, now);
            taken = is_due.then(|| std::mem::take(&mut of.kinds));
            is_due
        });
        taken
    }

    fn with(
        &self,
        source: &SourceId,
        now: Timestamp,
        change: impl FnOnce(&mut Reported) -> bool,
    ) -> bool {
        let mut sources = self.sources();
        if sources.len() >= MAX_SOURCES && !sources.contains_key(source) {
            sources.retain(|_, of| !of.is_old(now));
            if sources.len() >= MAX_SOURCES {
                return false;
            }
        }
        change(sources.entry(source.clone()).or_default())
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<SourceId, Reported>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= PERIOD)
}

fn take_turn(last: &mut Option<Timestamp>, now: Timestamp) -> bool {
    let is_due = is_due(*last, now);
    if is_due {
        *last = Some(now);
    }
    is_due
}

fn message(
    partner: PartnerId,
    source: &SourceId,
    at: Timestamp,
    observation: SourceObservation,
) -> Message {
    Message::SourceReport(SourceReport {
        partner,
        source: source.clone(),
        at,
        observation,
    })
}

#[cfg(test)]
mod tests {
    use domain::source::activity::RefusalReason;

    use super::*;

    fn refusal(n: usize, partners: usize) -> Refusal {
        let partner = |n| PartnerId::parse(format!("p{n}")).unwrap();
        Refusal {
            source: Some(SourceId::parse(format!("src_{n:0>26}")).unwrap()),
            partners: (0..partners).map(partner).collect(),
            reason: RefusalReason::Mismatch,
        }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn count(reports: &SourceReports, n: usize, partners: usize, seconds: i64) -> Option<usize> {
        let sent = reports.refused(refusal(n, partners), after(seconds));
        sent.map(|sent| sent.len())
    }

    #[test]
    fn a_flood_of_refused_requests_is_one_report_a_minute_and_source() {
        let reports = SourceReports::default();
        let flood = (0..600).filter_map(|n| count(&reports, 1, 2, n / 10));
        assert_eq!(flood.sum::<usize>(), 2, "one for each partner");
        assert_eq!(count(&reports, 1, 2, 60), Some(2));
        assert_eq!(count(&reports, 1, 2, 61), None);
        assert_eq!(count(&reports, 2, 2, 61), Some(2));
    }

    #[test]
    fn an_unknown_source_takes_the_same_turn_and_reports_nothing() {
        let reports = SourceReports::default();
        for (n, partners) in [(1, 0), (2, MAX_PARTNERS + 1)] {
            assert_eq!(count(&reports, n, partners, 0), Some(0));
            assert_eq!(count(&reports, n, partners, 1), None);
        }
        let not_proved = Refusal {
            source: None,
            ..refusal(3, 1)
        };
        assert!(reports.refused(not_proved, after(0)).is_none());
    }

    #[test]
    fn the_memory_is_bounded() {
        let reports = SourceReports::default();
        for n in 0..2 * MAX_SOURCES {
            let _ = count(&reports, n, 1, 0);
        }
        assert_eq!(reports.sources().len(), MAX_SOURCES);
        assert_eq!(count(&reports, 9999, 1, 60), Some(1));
        assert_eq!(reports.sources().len(), 1, "old ones are dropped");
    }

    #[test]
    fn unknown_kinds_are_added_up_until_the_next_report() {
        let reports = SourceReports::default();
        let partner = PartnerId::parse("acme").unwrap();
        let source = refusal(1, 1).source.unwrap();
        let mapped = MappedBody {
            unknown_kinds: BTreeMap::from([("quota".to_owned(), 2)]),
            is_ping: false,
            ignored: 1,
            ..MappedBody::default()
        };
        let sent = |seconds| reports.mapped(&partner, &source, &mapped, after(seconds));
        let expected = |alerts, seconds| {
            let kinds = BTreeMap::from([("quota".to_owned(), alerts)]);
            let observation = SourceObservation::UnknownKinds { kinds };
            message(partner.clone(), &source, after(seconds), observation)
        };
        let ignored = message(
            partner.clone(),
            &source,
            after(0),
            SourceObservation::Ignored,
        );
        assert_eq!(sent(0), [ignored, expected(2, 0)]);
        assert_eq!(sent(30), []);
        assert_eq!(sent(59), []);
        assert_eq!(sent(60)[1..], [expected(6, 60)]);
    }
}
