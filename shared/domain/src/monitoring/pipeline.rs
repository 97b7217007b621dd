//! Whether Ticketbridge itself works, independent of its partners' connections, and when its
//! operator is notified.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::earlier;

/// A message that is received again this long after it was sent is overdue. An outage opens the
/// breaker after 15 minutes, and a ticket with an uncertain creation is settled within 12.
pub const UNFINISHED_TOO_LONG: SignedDuration = SignedDuration::from_mins(30);

/// A sighting older than this says nothing about now. A message is received again within four
/// minutes, or after six if no worker delayed it.
const SEEN_LATELY: SignedDuration = SignedDuration::from_mins(15);

/// A schedule of one minute that has not run for this long is down.
const TICK_MISSED: SignedDuration = SignedDuration::from_mins(10);

/// An event counts for this long.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// This long without issues ends an incident.
const CALM: SignedDuration = SignedDuration::from_mins(15);

/// The interval of reminders to the operator.
const REMINDER: SignedDuration = SignedDuration::from_hours(24);

/// A schedule that records each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    Reconcile,
    Health,
}

impl Schedule {
    pub const ALL: [Self; 2] = [Self::Reconcile, Self::Health];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reconcile => "reconcile",
            Self::Health => "health",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ticks {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_at: Option<Timestamp>,
}

impl Ticks {
    /// When this schedule ran last.
    #[must_use]
    pub fn last(&self, schedule: Schedule) -> Option<Timestamp> {
        match schedule {
            Schedule::Reconcile => self.reconcile_at,
            Schedule::Health => self.health_at,
        }
    }

    /// Whether this schedule is down.
    #[must_use]
    pub fn missed(&self, schedule: Schedule, now: Timestamp) -> bool {
        let ran_at = self.last(schedule).or(self.first_at);
        ran_at.is_some_and(|ran_at| now.duration_since(ran_at) > TICK_MISSED)
    }
}

/// The oldest message that was received again unprocessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedMessage {
    pub sent_at: Timestamp,
    /// When it was last received.
    pub seen_at: Timestamp,
}

impl UnfinishedMessage {
    /// Whether the sighting is recent enough to say something about now.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) <= SEEN_LATELY
    }

    /// Sightings before this time are stale.
    #[must_use]
    pub fn stale_before(now: Timestamp) -> Timestamp {
        earlier(now, SEEN_LATELY)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    pub last_at: Timestamp,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipelineState {
    /// The messages in the dead-letter queue, if SQS says so.
    pub dead_letters: Option<u32>,
    pub unfinished: Option<UnfinishedMessage>,
    pub ticks: Ticks,
    /// Mails that SES did not accept.
    pub mails_failed: Option<EventCount>,
    /// Mass closings that were held.
    pub closings_held: Option<EventCount>,
    /// Snapshots that list only ids that are similar to those of open alerts.
    pub similar_ids: Option<EventCount>,
    /// Partners for which two runs in a row died.
    pub runs_died: Option<EventCount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineIssue {
    /// Messages that can never be processed wait for a person.
    DeadLetters,
    /// An event is neither a ticket nor blocked, long after it was accepted.
    Unfinished,
    ScheduleMissed,
    /// Mails are not sent.
    MailsFailing,
    /// A mass closing is held for a person's approval.
    ClosingsHeld,
    /// Alerts stay open because a source writes their ids in two ways.
    SimilarIds,
    RunsDied,
}

impl PipelineIssue {
    pub const ALL: [Self; 7] = [
        Self::DeadLetters,
        Self::Unfinished,
        Self::ScheduleMissed,
        Self::MailsFailing,
        Self::ClosingsHeld,
        Self::SimilarIds,
        Self::RunsDied,
    ];

    /// The heading of its entry in docs/runbook.md, which is the name of the alarm for the same
    /// issue.
    #[must_use]
    pub fn runbook(self) -> &'static str {
        match self {
            Self::DeadLetters => "DeadLettersAlarm",
            Self::Unfinished => "UnfinishedAlarm",
            Self::ScheduleMissed => "ReconcileTicksAlarm",
            Self::MailsFailing => "MailsFailedAlarm",
            Self::ClosingsHeld => "ClosingsHeldAlarm",
            Self::SimilarIds => "SimilarIdsAlarm",
            Self::RunsDied => "RunsDiedAlarm",
        }
    }

    /// Describes the issue to the operator.
    #[must_use]
    pub fn describe(self, state: &PipelineState, now: Timestamp) -> String {
        let count = |happened: Option<EventCount>| happened.map_or(0, |happened| happened.count);
        match self {
            Self::DeadLetters => format!(
                "{} in the dead-letter queue: they can never be processed as they are.",
                messages(state.dead_letters.unwrap_or_default())
            ),
            Self::Unfinished => {
                let sent = state
                    .unfinished
                    .map_or(now, |unfinished| unfinished.sent_at);
                let minutes = now.duration_since(sent).as_mins();
                format!(
                    "An event that was accepted {minutes} minutes ago is neither a ticket nor blocked."
                )
            }
            Self::ScheduleMissed => {
                let last = state.ticks.reconcile_at;
                let since = last.map_or_else(
                    || "at all".to_owned(),
                    |last| format!("since {}", minute(last)),
                );
                format!(
                    "The schedule of reconcile has not run {since}: blocked alerts are not retried."
                )
            }
            Self::MailsFailing => format!(
                "The mail service did not accept mails ({} so far): partners may not know of their incidents.",
                count(state.mails_failed)
            ),
            Self::ClosingsHeld => format!(
                "Closings were held, since too many tickets of one tenant would have closed at once ({} times so far). The partner is notified and decides.",
                count(state.closings_held)
            ),
            Self::SimilarIds => "A source's snapshots list alert ids that differ from those of its open alerts only in case, normalisation or white space. Their tickets stay open until the source sends the same id everywhere.".to_owned(),
            Self::RunsDied => format!(
                "The scheduled run for one partner died twice in a row ({} times so far). It now runs separately. Its tickets are not closed, and its blocked alerts are not retried.",
                count(state.runs_died)
            ),
        }
    }
}

fn messages(count: u32) -> String {
    match count {
        1 => "1 message is".to_owned(),
        more => format!("{more} messages are"),
    }
}

/// Formats a time for mails.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// The issues in this state.
#[must_use]
pub fn issues(state: &PipelineState, now: Timestamp) -> BTreeSet<PipelineIssue> {
    let lately = |happened: Option<EventCount>| {
        happened.is_some_and(|happened| now.duration_since(happened.last_at) <= LATELY)
    };
    let is = |issue: &PipelineIssue| match issue {
        PipelineIssue::DeadLetters => state.dead_letters.is_some_and(|count| count > 0),
        PipelineIssue::Unfinished => state.unfinished.is_some_and(|unfinished| {
            unfinished.is_recent(now)
                && now.duration_since(unfinished.sent_at) > UNFINISHED_TOO_LONG
        }),
        PipelineIssue::ScheduleMissed => state.ticks.missed(Schedule::Reconcile, now),
        PipelineIssue::MailsFailing => lately(state.mails_failed),
        PipelineIssue::ClosingsHeld => lately(state.closings_held),
        PipelineIssue::SimilarIds => lately(state.similar_ids),
        PipelineIssue::RunsDied => lately(state.runs_died),
    };
    PipelineIssue::ALL.into_iter().filter(is).collect()
}

/// An incident of the pipeline. It ends after a while without issues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineIncident {
    pub since: Timestamp,
    /// The issues that the operator was notified of.
    #[serde(default)]
    pub notified: BTreeSet<PipelineIssue>,
    /// When the operator was last notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// Since when there are no issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm_since: Option<Timestamp>,
}

/// A notification to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineNotification {
    /// There is a new issue.
    Started,
    /// There still is an issue, a day later.
    Reminder,
    /// The incident is over.
    Resolved,
}

/// Applies the current issues. Returns the incident and the notification that is due; it stays due
/// until [`notified`] records it.
#[must_use]
pub fn transition(
    incident: Option<PipelineIncident>,
    issues: &BTreeSet<PipelineIssue>,
    now: Timestamp,
) -> (Option<PipelineIncident>, Option<PipelineNotification>) {
    let Some(mut incident) = incident else {
        if issues.is_empty() {
            return (None, None);
        }
        let incident = PipelineIncident {
            since: now,
            notified: BTreeSet::new(),
            notified_at: None,
            calm_since: None,
        };
        return (Some(incident), Some(PipelineNotification::Started));
    };
    if issues.is_empty() {
        let calm_since = *incident.calm_since.get_or_insert(now);
        let is_over = now.duration_since(calm_since) >= CALM;
        return match (is_over, incident.notified_at) {
            (false, _) => (Some(incident), None),
            // The start was not reported.
            (true, None) => (None, None),
            (true, Some(_)) => (Some(incident), Some(PipelineNotification::Resolved)),
        };
    }
    incident.calm_since = None;
    let is_new = !issues.is_subset(&incident.notified);
    let is_due = |notified_at: Timestamp| now.duration_since(notified_at) >= REMINDER;
    let notification = match incident.notified_at {
        _ if is_new => Some(PipelineNotification::Started),
        Some(notified_at) if is_due(notified_at) => Some(PipelineNotification::Reminder),
        Some(_) => None,
        None => Some(PipelineNotification::Started),
    };
    (Some(incident), notification)
}

/// Records that a notification was sent. Returns `None` if the incident is over.
#[must_use]
pub fn notified(
    mut incident: PipelineIncident,
    notification: PipelineNotification,
    issues: &BTreeSet<PipelineIssue>,
    now: Timestamp,
) -> Option<PipelineIncident> {
    match notification {
        PipelineNotification::Started | PipelineNotification::Reminder => {
            incident.notified.extend(issues);
            incident.notified_at = Some(now);
            Some(incident)
        }
        PipelineNotification::Resolved => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn unfinished(sent: i64, seen: i64) -> PipelineState {
        PipelineState {
            unfinished: Some(UnfinishedMessage {
                sent_at: at(sent),
                seen_at: at(seen),
            }),
            ..PipelineState::default()
        }
    }

    #[test]
    fn each_pipeline_issue_has_its_own_condition() {
        let happened = |minutes| {
            Some(EventCount {
                last_at: at(minutes),
                count: 2,
            })
        };
        let ticks = |reconcile_at: Option<i64>| PipelineState {
            ticks: Ticks {
                first_at: Some(at(-60)),
                reconcile_at: reconcile_at.map(at),
                health_at: Some(at(0)),
            },
            ..PipelineState::default()
        };
        let dead = |count| PipelineState {
            dead_letters: count,
            ..PipelineState::default()
        };
        let failed = |minutes| PipelineState {
            mails_failed: happened(minutes),
            ..PipelineState::default()
        };
        let held = |minutes| PipelineState {
            closings_held: happened(minutes),
            ..PipelineState::default()
        };
        let similar = |minutes| PipelineState {
            similar_ids: happened(minutes),
            ..PipelineState::default()
        };
        let died = |minutes| PipelineState {
            runs_died: happened(minutes),
            ..PipelineState::default()
        };
        for (state, expected) in [
            (PipelineState::default(), None),
            (dead(Some(0)), None),
            (dead(Some(1)), Some(PipelineIssue::DeadLetters)),
            (unfinished(-31, -1), Some(PipelineIssue::Unfinished)),
            (unfinished(-30, -1), None),
            (unfinished(-31, -16), None),
            (ticks(Some(-10)), None),
            (ticks(Some(-11)), Some(PipelineIssue::ScheduleMissed)),
            (ticks(None), Some(PipelineIssue::ScheduleMissed)),
            (failed(-60), Some(PipelineIssue::MailsFailing)),
            (failed(-61), None),
            (held(-59), Some(PipelineIssue::ClosingsHeld)),
            (similar(-59), Some(PipelineIssue::SimilarIds)),
            (similar(-61), None),
            (died(-59), Some(PipelineIssue::RunsDied)),
            (died(-61), None),
        ] {
            let found: Vec<_> = issues(&state, at(0)).into_iter().collect();
            assert_eq!(found, Vec::from_iter(expected), "{state:?}");
        }
        let fresh = Ticks {
            first_at: Some(at(-5)),
            ..Ticks::default()
        };
        assert!(
            !fresh.missed(Schedule::Health, at(0)),
            "it was just deployed"
        );
    }

    #[test]
    fn a_pipeline_incident_is_reported_once_and_reminded_daily() {
        let dead = BTreeSet::from([PipelineIssue::DeadLetters]);
        let none = BTreeSet::new();
        let (incident, notification) = transition(None, &dead, at(0));
        assert_eq!(notification, Some(PipelineNotification::Started));
        // The mail was not sent, so it stays due.
        let (incident, notification) = transition(incident, &dead, at(1));
        assert_eq!(notification, Some(PipelineNotification::Started));
        let mut incident = notified(
            incident.unwrap(),
            PipelineNotification::Started,
            &dead,
            at(1),
        );
        for minute in 2..1441 {
            let (next, notification) = transition(incident, &dead, at(minute));
            assert_eq!(notification, None, "{minute}");
            incident = next;
        }
        let (next, notification) = transition(incident, &dead, at(1441));
        assert_eq!(notification, Some(PipelineNotification::Reminder));
        incident = notified(
            next.unwrap(),
            PipelineNotification::Reminder,
            &dead,
            at(1441),
        );

        let more = BTreeSet::from([PipelineIssue::DeadLetters, PipelineIssue::MailsFailing]);
        let (next, notification) = transition(incident, &more, at(1442));
        assert_eq!(
            notification,
            Some(PipelineNotification::Started),
            "something else is wrong too"
        );
        incident = notified(
            next.unwrap(),
            PipelineNotification::Started,
            &more,
            at(1442),
        );
        // Calm for a moment is not over.
        let (next, notification) = transition(incident, &none, at(1450));
        assert_eq!(notification, None);
        let (next, notification) = transition(next, &dead, at(1455));
        assert_eq!(notification, None);
        let (next, _) = transition(next, &none, at(1460));
        let (next, notification) = transition(next, &none, at(1474));
        assert_eq!(notification, None);
        let (next, notification) = transition(next, &none, at(1475));
        assert_eq!(notification, Some(PipelineNotification::Resolved));
        assert_eq!(
            notified(
                next.unwrap(),
                PipelineNotification::Resolved,
                &none,
                at(1475)
            ),
            None
        );
    }

    #[test]
    fn an_unreported_pipeline_incident_ends_without_a_mail() {
        let dead = BTreeSet::from([PipelineIssue::DeadLetters]);
        let (incident, _) = transition(None, &dead, at(0));
        let (incident, _) = transition(incident, &BTreeSet::new(), at(1));
        assert_eq!(transition(incident, &BTreeSet::new(), at(16)), (None, None));
    }

    #[test]
    fn each_pipeline_issue_is_described() {
        let state = PipelineState {
            dead_letters: Some(1),
            ..unfinished(-45, 0)
        };
        assert_eq!(
            PipelineIssue::DeadLetters.describe(&state, at(0)),
            "1 message is in the dead-letter queue: they can never be processed as they are."
        );
        assert!(
            PipelineIssue::Unfinished
                .describe(&state, at(0))
                .contains("accepted 45 minutes ago")
        );
        for issue in PipelineIssue::ALL {
            assert!(issue.describe(&PipelineState::default(), at(0)).len() > 40);
        }
    }
}
