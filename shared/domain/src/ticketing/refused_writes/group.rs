//! One group of refused alerts, and its retries.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::group_id::{RefusalCause, RefusalGroupId, RefusedTarget};
use crate::AlertKey;
use crate::alert::record::{Actual, AlertDetails, ClosedBy, Op, Record};
use crate::time::later;

/// How long after a refusal the next alert of the group is retried, by the number of refused
/// retries in a row. The last value repeats.
const BACK_OFF: [SignedDuration; 4] = [
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_mins(30),
    SignedDuration::from_mins(60),
];

/// A retry that no worker has started for this long is requested again.
const LOST: SignedDuration = SignedDuration::from_mins(10);

/// After the first accepted retry this many alerts follow, then four times as many, and so on. If
/// ConnectWise refuses after all, it refuses few.
const FIRST_RELEASE: usize = 4;

const WIDENING: usize = 4;

pub(crate) const WIDEST: usize = 300;

/// Alerts that ConnectWise refuses for the same reason, and their retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalGroup {
    pub id: RefusalGroupId,
    /// ConnectWise's message for the first of them.
    pub words: String,
    /// When the first of them was found.
    pub since: Timestamp,
    /// How many alerts the last complete survey found, without test alerts.
    pub alerts: u64,
    /// How many retries ConnectWise refused in a row.
    pub attempts: u32,
    /// Whether the last complete survey found no alert of the group.
    #[serde(default)]
    pub missed: bool,
    pub state: RetryState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RetryState {
    /// No alert is retried before this time.
    BackingOff { until: Timestamp },
    /// ConnectWise's lists say that the record cannot be used. No alert is retried until they say
    /// otherwise.
    Unusable,
    Retrying {
        key: AlertKey,
        /// The refusal that is retried.
        refused_at: Timestamp,
        /// When the retry was requested.
        asked_at: Timestamp,
    },
    /// ConnectWise accepts these writes again, and earlier refused alerts follow.
    Releasing {
        /// An alert that is refused later than this shows that ConnectWise does not accept them
        /// after all.
        since: Timestamp,
        /// How many follow in the next run.
        width: usize,
    },
}

/// A refused alert, as the index lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAlert {
    pub key: AlertKey,
    pub occurrence: u32,
    pub at: Timestamp,
    /// Its details, if known.
    pub details: Option<AlertDetails>,
}

/// What one survey of the blocked alerts found for a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupFindings {
    pub(super) words: String,
    pub(super) alerts: u64,
    pub(super) newest: Option<Timestamp>,
    /// The next alerts to retry, those with the oldest refusal first. So each alert is retried in
    /// turn, and one that is refused for a reason of its own does not hide that others would be
    /// accepted.
    pub(super) next: Vec<RefusedAlert>,
}

/// Whether the record of a group can be used, according to ConnectWise's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetUsability {
    Yes,
    No,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryOutcome {
    Pending,
    Accepted,
    Refused,
    /// No write was made: the alert needed none any more, or is blocked for another reason.
    Moot,
}

impl RefusalGroup {
    pub(crate) fn new(id: RefusalGroupId, seen: &GroupFindings, now: Timestamp) -> Self {
        // If ConnectWise names the record that it does not accept, its lists show whether the
        // record can be used, and one alert is retried at once. Otherwise nothing has changed since
        // the refusal.
        let until = match id.cause {
            RefusalCause::Target(_) => now,
            RefusalCause::Words(_) | RefusalCause::Other => later(now, BACK_OFF[0]),
        };
        Self {
            id,
            words: seen.words.clone(),
            since: now,
            alerts: seen.alerts,
            attempts: 0,
            missed: false,
            state: RetryState::BackingOff { until },
        }
    }

    /// Whether a person is to be notified. If ConnectWise lists the record as unusable, the health
    /// probe reports it, but for teams and owners, which the probe does not read. A record that was
    /// refused only once may have been fixed at that moment.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        let is_sure = match (&self.id.cause, &self.state) {
            (
                RefusalCause::Target(RefusedTarget::Team(_) | RefusedTarget::Owner(_)),
                RetryState::Unusable,
            ) => true,
            (RefusalCause::Target(_), RetryState::Unusable) => false,
            (RefusalCause::Target(_), _) => self.attempts > 0,
            (RefusalCause::Words(_) | RefusalCause::Other, _) => true,
        };
        is_sure && self.alerts > 0
    }

    pub(crate) fn asks_whether_usable(&self, now: Timestamp) -> bool {
        match &self.state {
            RetryState::BackingOff { until } => *until <= now,
            RetryState::Unusable => true,
            RetryState::Retrying { .. } | RetryState::Releasing { .. } => false,
        }
    }

    pub(crate) fn apply_retry(&mut self, of: &AlertKey, record: Option<&Record>, now: Timestamp) {
        let RetryState::Retrying {
            key,
            refused_at,
            asked_at,
        } = &self.state
        else {
            return;
        };
        if key != of {
            return;
        }
        match outcome(self.id.op, record, *refused_at) {
            RetryOutcome::Pending => {}
            RetryOutcome::Accepted => {
                self.state = RetryState::Releasing {
                    since: now,
                    width: FIRST_RELEASE,
                };
            }
            RetryOutcome::Refused => self.back_off(*asked_at),
            // No write was made, so another alert is retried.
            RetryOutcome::Moot => self.state = RetryState::BackingOff { until: now },
        }
    }

    /// Applies a refused retry that was requested at this time.
    pub(crate) fn back_off(&mut self, at: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        let step = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let wait = BACK_OFF[step.min(BACK_OFF.len() - 1)];
        self.state = RetryState::BackingOff {
            until: later(at, wait),
        };
    }

    pub(crate) fn next(
        &mut self,
        seen: GroupFindings,
        usable: TargetUsability,
        room: usize,
        now: Timestamp,
    ) -> Vec<RefusedAlert> {
        if self.state == RetryState::Unusable && usable == TargetUsability::Yes {
            self.attempts = 0;
            self.state = RetryState::Releasing {
                since: now,
                width: WIDEST,
            };
        }
        match &mut self.state {
            RetryState::Unusable => vec![],
            RetryState::BackingOff { until } if *until > now => vec![],
            RetryState::BackingOff { .. } => match (usable, seen.next.into_iter().next()) {
                (TargetUsability::No, _) => {
                    self.state = RetryState::Unusable;
                    vec![]
                }
                (TargetUsability::Yes, Some(refused)) if room > 0 => {
                    self.state = RetryState::Retrying {
                        key: refused.key.clone(),
                        refused_at: refused.at,
                        asked_at: now,
                    };
                    vec![refused]
                }
                (TargetUsability::Yes | TargetUsability::Unknown, _) => vec![],
            },
            RetryState::Retrying {
                key,
                refused_at,
                asked_at,
            } => {
                // Asked for again it is the same retry, and void once a worker has made it.
                let is_lost = now.duration_since(*asked_at) >= LOST;
                let mut next = seen.next.into_iter();
                let lost = next
                    .find(|next| is_lost && next.key == *key && next.at == *refused_at && room > 0);
                if lost.is_some() {
                    *asked_at = now;
                }
                lost.into_iter().collect()
            }
            RetryState::Releasing { since, .. } if seen.newest > Some(*since) => {
                self.back_off(now);
                vec![]
            }
            RetryState::Releasing { width, .. } => {
                let going: Vec<RefusedAlert> =
                    seen.next.into_iter().take((*width).min(room)).collect();
                *width = width.saturating_mul(WIDENING).min(WIDEST);
                going
            }
        }
    }
}

/// The outcome of a retry, by the alert's record.
pub(crate) fn outcome(
    op: Option<Op>,
    record: Option<&Record>,
    refused_at: Timestamp,
) -> RetryOutcome {
    let Some(record) = record else {
        return RetryOutcome::Moot;
    };
    if record.claim.is_some() && record.blocked.is_none() {
        return RetryOutcome::Pending;
    }
    match &record.blocked {
        Some(blocked) if blocked.is_refusal() && blocked.since == refused_at => {
            RetryOutcome::Pending
        }
        Some(blocked) if blocked.is_refusal() => RetryOutcome::Refused,
        Some(_) => RetryOutcome::Moot,
        None if is_accepted(op, record, refused_at) => RetryOutcome::Accepted,
        None => RetryOutcome::Moot,
    }
}

/// Whether a record shows that ConnectWise accepted this write after that time.
fn is_accepted(op: Option<Op>, record: &Record, refused_at: Timestamp) -> bool {
    match (op, &record.actual) {
        (None, _) => true,
        (Some(Op::Create | Op::Reopen), Some(Actual::Open(open))) => open.opened_at > refused_at,
        (Some(Op::Create), Some(Actual::Closed(closed))) => {
            closed.at > refused_at && closed.occurrence == record.occurrence
        }
        (Some(Op::Close), Some(Actual::Closed(closed))) => {
            closed.at > refused_at && closed.by == ClosedBy::Us
        }
        (Some(Op::Note(_)), Some(Actual::Open(open))) => open.last_note_at > Some(refused_at),
        (Some(Op::Patch), Some(Actual::Open(open))) => {
            let details = record.desired.details.as_ref();
            details.is_some_and(|details| open.severity >= details.severity)
        }
        (Some(Op::SetType), Some(Actual::Open(open))) => {
            let details = record.desired.details.as_ref();
            details.is_some_and(|details| open.kind.as_ref() == Some(&details.kind))
        }
        (Some(Op::Repair), _) => record.duplicates.is_empty(),
        (
            Some(
                Op::Create
                | Op::Reopen
                | Op::Close
                | Op::Patch
                | Op::SetType
                | Op::Link
                | Op::Note(_),
            ),
            Some(Actual::Closed(_) | Actual::Open(_)) | None,
        ) => false,
    }
}
