//! Whether Ticketbridge itself works, whatever its partners' connections do, and when its operator is told. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::earlier;

/// A message that came back so long after it was sent is in trouble: an outage opens the breaker after 15 minutes, a ticket whose
/// creation is uncertain is settled in 12.
pub const UNFINISHED_TOO_LONG: SignedDuration = SignedDuration::from_mins(30);

/// What was seen so long ago is no sign any more. A message comes back within four minutes, or after six when nobody put it off.
const SEEN_LATELY: SignedDuration = SignedDuration::from_mins(15);

/// A schedule of one minute that was not heard of for so long does not run.
const TICK_MISSED: SignedDuration = SignedDuration::from_mins(10);

/// What happened once counts for so long.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// So long nothing may be wrong before it is over.
const CALM: SignedDuration = SignedDuration::from_mins(15);

/// How often the operator is reminded.
const REMINDER: SignedDuration = SignedDuration::from_hours(24);

/// A schedule that leaves a sign of each tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// That of reconcile.
    Reconcile,
    /// That of health.
    Health,
}

impl Schedule {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reconcile => "reconcile",
            Self::Health => "health",
        }
    }

    /// The one that looks after it.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Reconcile => Self::Health,
            Self::Health => Self::Reconcile,
        }
    }
}

/// When the schedules last ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ticks {
    /// When any of them ran first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Of reconcile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile_at: Option<Timestamp>,
    /// Of health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_at: Option<Timestamp>,
}

impl Ticks {
    /// Whether this schedule does not run, as the other one sees it.
    #[must_use]
    pub fn missed(&self, schedule: Schedule, now: Timestamp) -> bool {
        let last = match schedule {
            Schedule::Reconcile => self.reconcile_at,
            Schedule::Health => self.health_at,
        };
        let heard = last.or(self.first_at);
        heard.is_some_and(|heard| now.duration_since(heard) > TICK_MISSED)
    }
}

/// The oldest message that came back to the queue unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedMessage {
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it last came back.
    pub seen_at: Timestamp,
}

impl UnfinishedMessage {
    /// Whether it says anything about now.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) <= SEEN_LATELY
    }

    /// Before this time a sign was left too long ago.
    #[must_use]
    pub fn stale_before(now: Timestamp) -> Timestamp {
        earlier(now, SEEN_LATELY)
    }
}

/// Something that happens now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    /// When it last did.
    pub last_at: Timestamp,
    /// How often it ever did.
    pub count: u64,
}

/// All that is known of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipelineState {
    /// Messages in the dead-letter queue; none where SQS does not say.
    pub dead_letters: Option<u32>,
    /// The oldest message that came back.
    pub unfinished: Option<UnfinishedMessage>,
    /// When the schedules ran.
    pub ticks: Ticks,
    /// Mails that SES did not take.
    pub mails_failed: Option<EventCount>,
    /// Closings that were too many at once.
    pub closings_held: Option<EventCount>,
    /// Snapshots that list ids that are only similar to those of open alerts.
    pub similar_ids: Option<EventCount>,
    /// Partners of which two runs in a row died.
    pub runs_died: Option<EventCount>,
}

/// What can be wrong with the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineIssue {
    /// Messages that can never work wait for a person.
    DeadLetters,
    /// An event is neither a ticket nor blocked, long after it was accepted.
    Unfinished,
    /// The schedule of reconcile does not run.
    ScheduleMissed,
    /// Mails do not go out.
    MailsFailing,
    /// Closings were stopped, for a person to let through.
    ClosingsHeld,
    /// Alerts stay open because a source writes their ids in two ways.
    SimilarIds,
    /// Runs for a partner die.
    RunsDied,
}

impl PipelineIssue {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DeadLetters,
        Self::Unfinished,
        Self::ScheduleMissed,
        Self::MailsFailing,
        Self::ClosingsHeld,
        Self::SimilarIds,
        Self::RunsDied,
    ];

    /// The heading of its entry in docs/runbook.md: that of the alarm for the same.
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

    /// What it says to the operator.
    #[must_use]
    pub fn words(self, state: &PipelineState, now: Timestamp) -> String {
        let count = |happened: Option<EventCount>| happened.map_or(0, |happened| happened.count);
        match self {
            Self::DeadLetters => format!(
                "{} in the dead-letter queue: they can never work as they are.",
                messages(state.dead_letters.unwrap_or_default())
            ),
            Self::Unfinished => {
                let sent = state
                    .unfinished
                    .map_or(now, |unfinished| unfinished.sent_at);
                let minutes = now.duration_since(sent).as_mins();
                format!(
                    "An event that was accepted {minutes} minutes ago has not become a ticket, and is not blocked either."
                )
            }
            Self::ScheduleMissed => {
                let last = state.ticks.reconcile_at;
                let since = last.map_or_else(
                    || "at all".to_owned(),
                    |last| format!("since {}", minute(last)),
                );
                format!(
                    "The schedule of reconcile has not run {since}: nothing that waits goes on."
                )
            }
            Self::MailsFailing => format!(
                "The mail service did not take mails ({} so far): partners may not know of their trouble.",
                count(state.mails_failed)
            ),
            Self::ClosingsHeld => format!(
                "Closings were stopped, since too many tickets of one tenant would have closed at once ({} times so far). The partner is told, and decides.",
                count(state.closings_held)
            ),
            Self::SimilarIds => "A source's snapshots list alert ids that differ from those of its open alerts only in case, normalisation or white space. Their tickets stay open until the source sends the same id everywhere.".to_owned(),
            Self::RunsDied => format!(
                "The scheduled run for one partner died twice in a row ({} times so far). It runs apart from all others now. Its tickets are not closed and its blocked alerts do not go on.",
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

/// A time as mails say it.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// What is wrong by these signs.
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

/// A time of trouble, from the first until nothing was wrong for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineIncident {
    /// Since when something is wrong.
    pub since: Timestamp,
    /// What the operator was told of.
    #[serde(default)]
    pub notified: BTreeSet<PipelineIssue>,
    /// When it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// Since when nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm_since: Option<Timestamp>,
}

/// What the operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineNotification {
    /// Something is wrong that it does not know of.
    Started,
    /// It still is, a day later.
    Reminder,
    /// It is over.
    Resolved,
}

/// The episode as it goes on, and what is to be told; it counts as told only by [`told`].
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
            // Nobody was told that it began.
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

/// The episode after the operator was told; none when it is over.
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
    fn each_sign_is_its_own_trouble_and_only_as_long_as_it_says_something() {
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
    fn an_episode_is_told_once_reminded_of_daily_and_ended_by_calm() {
        let dead = BTreeSet::from([PipelineIssue::DeadLetters]);
        let none = BTreeSet::new();
        let (incident, notification) = transition(None, &dead, at(0));
        assert_eq!(notification, Some(PipelineNotification::Started));
        // The mail did not go out: it is told at the next tick.
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
    fn what_nobody_was_told_of_ends_in_silence() {
        let dead = BTreeSet::from([PipelineIssue::DeadLetters]);
        let (incident, _) = transition(None, &dead, at(0));
        let (incident, _) = transition(incident, &BTreeSet::new(), at(1));
        assert_eq!(transition(incident, &BTreeSet::new(), at(16)), (None, None));
    }

    #[test]
    fn each_trouble_is_said_in_words() {
        let state = PipelineState {
            dead_letters: Some(1),
            ..unfinished(-45, 0)
        };
        assert_eq!(
            PipelineIssue::DeadLetters.words(&state, at(0)),
            "1 message is in the dead-letter queue: they can never work as they are."
        );
        assert!(
            PipelineIssue::Unfinished
                .words(&state, at(0))
                .contains("accepted 45 minutes ago")
        );
        for issue in PipelineIssue::ALL {
            assert!(issue.words(&PipelineState::default(), at(0)).len() > 40);
        }
    }
}
