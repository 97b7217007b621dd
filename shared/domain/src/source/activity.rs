//! What is known about the messages of a source: when it last sent one, which of its requests were
//! refused, what could not be mapped, and how long it is usually quiet.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::digest;
use crate::text::{cut_to_bytes, one_line};
use crate::{PartnerId, SourceId};

/// The time of the last message is written at most this often, so that most alerts cost no write.
pub const PRECISION: SignedDuration = SignedDuration::from_mins(1);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The weeks whose longest gap is kept.
const MAX_WEEKS: usize = 5;
/// A source that posted in fewer of these weeks has no usual gap.
const MIN_WEEKS: usize = 4;
/// How long unknown kinds and counts are kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most unknown kinds that are kept. Then the ones that were not seen for longest are dropped.
const MAX_KINDS: usize = 20;
/// In bytes. A longer kind is cut.
const MAX_KIND: usize = 64;
/// The counted messages that are recognized if they are delivered again.
const MAX_COUNTED: usize = 64;

/// What `ingest` reports about a source, apart from events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    pub partner: PartnerId,
    pub source: SourceId,
    pub at: Timestamp,
    #[serde(flatten)]
    pub observation: SourceObservation,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "observation", rename_all = "snake_case")]
pub enum SourceObservation {
    /// It sent a test message.
    Ping,
    /// It sent a message that the mapping ignores.
    Ignored,
    /// A request to its address was not authenticated.
    Refused { reason: RefusalReason },
    /// Kinds that are not known, each with the number of alerts that had it.
    UnknownKinds { kinds: BTreeMap<String, u32> },
}

/// Why a request was not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The signature or secret is missing or malformed.
    Missing,
    /// The signed time is too far from now.
    Time,
    /// The signature or secret does not match.
    Mismatch,
    /// The sender's address is not one of the source's.
    Address,
    /// The source is switched off.
    Disabled,
}

impl RefusalReason {
    /// Describes the reason to a person, with what to do.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Missing => {
                "it had no signature or secret, or not in the place where this source has it"
            }
            Self::Time => "its signed time was too far from the present. Check the sender's clock",
            Self::Mismatch => {
                "its signature or secret did not match. Enter the source's secret at the vendor again"
            }
            Self::Address => "it came from an address that is not one of the source's",
            Self::Disabled => "the source is switched off",
        }
    }
}

/// The last refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedRequest {
    pub at: Timestamp,
    pub reason: RefusalReason,
}

/// A kind that is not known. Its alerts got the mapping's other kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownKind {
    pub kind: String,
    pub alerts: u32,
    pub last_at: Timestamp,
}

/// The quarantined alerts of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantinedOfDay {
    /// When the first message of the day was received. The day is that of UTC.
    pub since: Timestamp,
    pub alerts: u32,
}

/// A week in which the source sent messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct WeekOfMessages {
    /// The number of weeks since 1970.
    week: i64,
    /// The longest time without a message that ended in it, in seconds.
    longest_gap_s: i64,
}

/// What is known about the messages of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceActivity {
    /// When the last authenticated message was received, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ping_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refused: Option<RefusedRequest>,
    #[serde(default)]
    pub unknown_kinds: Vec<UnknownKind>,
    #[serde(default)]
    pub quarantined: Vec<QuarantinedOfDay>,
    #[serde(default)]
    weeks: Vec<WeekOfMessages>,
    /// Digests of the messages that were counted last.
    #[serde(default)]
    counted: Vec<String>,
}

impl SourceActivity {
    /// Records an authenticated message. An older one changes nothing.
    #[must_use]
    pub fn with_message(mut self, at: Timestamp) -> Self {
        let gap = self.last_message_at.map(|last| at.duration_since(last));
        if gap.is_some_and(|gap| gap < PRECISION) {
            return self;
        }
        let last = self.last_message_at;
        self.last_message_at = Some(at);
        self.with_gap(last, at)
    }

    /// Records the time without a message that ended now.
    #[must_use]
    pub fn with_gap(mut self, last: Option<Timestamp>, at: Timestamp) -> Self {
        let week = at.as_second().div_euclid(WEEK.as_secs());
        let longest_gap_s = last.map_or(0, |last| at.duration_since(last).as_secs());
        match self.weeks.last_mut().filter(|last| last.week == week) {
            Some(last) => last.longest_gap_s = last.longest_gap_s.max(longest_gap_s),
            None => self.weeks.push(WeekOfMessages {
                week,
                longest_gap_s,
            }),
        }
        let recent = week - i64::try_from(MAX_WEEKS).unwrap_or(i64::MAX);
        self.weeks.retain(|of| of.week > recent);
        self
    }

    /// Whether the longest gaps are the same.
    #[must_use]
    pub fn has_same_gaps(&self, other: &Self) -> bool {
        self.weeks == other.weeks
    }

    /// Records a report. A repetition changes nothing.
    #[must_use]
    pub fn with_report(mut self, report: &SourceReport) -> Self {
        let at = report.at;
        match &report.observation {
            SourceObservation::Ping => {
                self.last_ping_at = self.last_ping_at.max(Some(at));
                self.with_message(at)
            }
            SourceObservation::Ignored => self.with_message(at),
            SourceObservation::Refused { reason } => {
                if self.last_refused.is_none_or(|last| last.at < at) {
                    self.last_refused = Some(RefusedRequest {
                        at,
                        reason: *reason,
                    });
                }
                self
            }
            SourceObservation::UnknownKinds { kinds } => {
                let named = kinds.iter().map(|(kind, count)| format!("{kind} {count}"));
                if self.is_counted(&format!("{at} {}", named.collect::<Vec<_>>().join("\n"))) {
                    return self;
                }
                for (kind, alerts) in kinds {
                    self.count_kind(kind, *alerts, at);
                }
                self.forget_old(at);
                self
            }
        }
    }

    /// Counts the alerts of a quarantined message. A repetition changes nothing.
    #[must_use]
    pub fn with_quarantined(mut self, id: &str, alerts: u32, at: Timestamp) -> Self {
        if self.is_counted(id) {
            return self;
        }
        let day = |at: Timestamp| at.as_second().div_euclid(24 * 3600);
        let mut days = self.quarantined.iter_mut();
        match days.find(|of| day(of.since) == day(at)) {
            Some(of) => {
                of.alerts = of.alerts.saturating_add(alerts);
                of.since = of.since.min(at);
            }
            None => self
                .quarantined
                .push(QuarantinedOfDay { since: at, alerts }),
        }
        self.quarantined.sort_by_key(|of| of.since);
        self.forget_old(at);
        self.with_message(at)
    }

    /// What is still shown at this time: unknown kinds and counts are kept for seven days.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.forget_old(now);
        self
    }

    /// The longest time that the source was quiet in recent weeks. `None` if it has not posted for
    /// long enough to know.
    #[must_use]
    pub fn usual_gap(&self) -> Option<SignedDuration> {
        let longest = self.weeks.iter().map(|of| of.longest_gap_s).max()?;
        (self.weeks.len() >= MIN_WEEKS).then(|| SignedDuration::from_secs(longest))
    }

    fn count_kind(&mut self, kind: &str, alerts: u32, at: Timestamp) {
        let kind = bounded_kind(kind);
        let known = self.unknown_kinds.iter_mut().find(|of| of.kind == kind);
        match known {
            Some(of) => {
                of.alerts = of.alerts.saturating_add(alerts);
                of.last_at = of.last_at.max(at);
            }
            None => self.unknown_kinds.push(UnknownKind {
                kind,
                alerts,
                last_at: at,
            }),
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        let is_recent = |at: Timestamp| now.duration_since(at) < KEPT_FOR;
        self.unknown_kinds.retain(|of| is_recent(of.last_at));
        self.unknown_kinds
            .sort_by_key(|of| std::cmp::Reverse(of.last_at));
        self.unknown_kinds.truncate(MAX_KINDS);
        self.quarantined.retain(|of| is_recent(of.since));
    }

    /// Whether a message was counted before. Remembers it.
    fn is_counted(&mut self, id: &str) -> bool {
        let digest = digest(&[id], 12);
        if self.counted.contains(&digest) {
            return true;
        }
        self.counted.push(digest);
        let surplus = self.counted.len().saturating_sub(MAX_COUNTED);
        self.counted.drain(..surplus);
        false
    }
}

/// Adds counts of unknown kinds to others. At most [`MAX_KINDS`] kinds are kept.
pub fn add_kinds<'a>(
    kinds: &mut BTreeMap<String, u32>,
    more: impl IntoIterator<Item = (&'a String, &'a usize)>,
) {
    for (kind, alerts) in more {
        let kind = bounded_kind(kind);
        if kinds.len() == MAX_KINDS && !kinds.contains_key(&kind) {
            continue;
        }
        let count = kinds.entry(kind).or_default();
        *count = count.saturating_add(u32::try_from(*alerts).unwrap_or(u32::MAX));
    }
}

fn bounded_kind(kind: &str) -> String {
    cut_to_bytes(&one_line(kind), MAX_KIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn report(at: Timestamp, observation: SourceObservation) -> SourceReport {
        SourceReport {
            partner: PartnerId::parse("acme").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            at,
            observation,
        }
    }

    #[test]
    fn messages_within_a_minute_and_old_ones_change_nothing() {
        let first = SourceActivity::default().with_message(at("2026-11-02T08:00:00Z"));
        for same in ["2026-11-02T08:00:59Z", "2026-11-01T00:00:00Z"] {
            assert_eq!(first.clone().with_message(at(same)), first);
        }
        let next = first.with_message(at("2026-11-02T08:01:00Z"));
        assert_eq!(next.last_message_at, Some(at("2026-11-02T08:01:00Z")));
    }

    #[test]
    fn the_usual_gap_is_the_longest_of_the_recent_weeks() {
        let mut activity = SourceActivity::default();
        let begin = at("2026-11-02T08:00:00Z");
        for day in 0..14 {
            activity = activity.with_message(begin + hours(24 * day));
        }
        assert_eq!(activity.usual_gap(), None, "two weeks are not enough");
        activity = activity.with_message(begin + hours(24 * 17));
        assert_eq!(activity.usual_gap(), Some(hours(96)));
        for day in 18..60 {
            activity = activity.with_message(begin + hours(24 * day));
        }
        assert_eq!(
            activity.usual_gap(),
            Some(hours(24)),
            "an old gap is dropped"
        );
        assert!(activity.weeks.len() <= MAX_WEEKS);
    }

    #[test]
    fn a_report_that_is_repeated_counts_once() {
        let now = at("2026-11-02T08:00:00Z");
        let kinds = BTreeMap::from([("quota".to_owned(), 2)]);
        let reports = [
            report(now, SourceObservation::Ping),
            report(
                now,
                SourceObservation::Refused {
                    reason: RefusalReason::Mismatch,
                },
            ),
            report(now, SourceObservation::UnknownKinds { kinds }),
        ];
        let mut activity = SourceActivity::default();
        for _ in 0..2 {
            for report in &reports {
                activity = activity.with_report(report);
            }
            activity = activity.with_quarantined("q1", 3, now);
        }
        assert_eq!(activity.last_ping_at, Some(now));
        assert_eq!(activity.last_message_at, Some(now));
        assert_eq!(activity.unknown_kinds[0].alerts, 2);
        assert_eq!(activity.quarantined[0].alerts, 3);
        let later = at("2026-11-10T08:00:00Z");
        let shown = activity.at(later);
        assert!(shown.unknown_kinds.is_empty() && shown.quarantined.is_empty());
    }

    #[test]
    fn an_older_refusal_does_not_replace_a_newer_one() {
        let refused = |text, reason| report(at(text), SourceObservation::Refused { reason });
        let activity = SourceActivity::default()
            .with_report(&refused("2026-11-02T09:00:00Z", RefusalReason::Mismatch))
            .with_report(&refused("2026-11-02T08:00:00Z", RefusalReason::Missing));
        let last = activity.last_refused.unwrap();
        assert_eq!(last.reason, RefusalReason::Mismatch);
        assert_eq!(
            activity.last_message_at, None,
            "it is no message of the source"
        );
    }

    #[test]
    fn kinds_counts_and_digests_are_bounded() {
        let mut activity = SourceActivity::default();
        let begin = at("2026-11-02T08:00:00Z");
        for n in 0..200 {
            let kinds = BTreeMap::from([(format!("kind {n} {}", "x".repeat(200)), 1)]);
            let at = begin + SignedDuration::from_secs(n);
            activity = activity.with_report(&report(at, SourceObservation::UnknownKinds { kinds }));
            activity = activity.with_quarantined(&format!("q{n}"), 1, at);
        }
        assert_eq!(activity.unknown_kinds.len(), MAX_KINDS);
        assert!(activity.unknown_kinds[0].kind.starts_with("kind 199"));
        assert!(
            activity
                .unknown_kinds
                .iter()
                .all(|of| of.kind.len() <= MAX_KIND)
        );
        assert_eq!(activity.quarantined.len(), 1);
        assert_eq!(activity.quarantined[0].alerts, 200);
        assert_eq!(activity.counted.len(), MAX_COUNTED);
        let mut kinds = BTreeMap::new();
        let many: BTreeMap<String, usize> = (0..50).map(|n| (format!("k{n}"), 1)).collect();
        add_kinds(&mut kinds, &many);
        assert_eq!(kinds.len(), MAX_KINDS);
    }

    #[test]
    fn a_report_is_one_flat_object() {
        let report = report(
            at("2026-11-02T08:00:00Z"),
            SourceObservation::Refused {
                reason: RefusalReason::Time,
            },
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["observation"], "refused");
        assert_eq!(json["reason"], "time");
        assert_eq!(
            serde_json::from_value::<SourceReport>(json).unwrap(),
            report
        );
    }
}
