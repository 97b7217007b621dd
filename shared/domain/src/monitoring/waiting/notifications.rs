//! When a person is notified of waiting items.
//!
//! One mail names everything that is new. There is at most one in an hour, so a partner that goes
//! live with a hundred unmapped tenants gets one mail and not a hundred. Each cause is named once,
//! again after a week if it still waits, and at once if it became more severe.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{WaitingCause, WaitingItem, WaitingSummary};
use crate::alert::event::Severity;

/// The least time between two mails.
const MAIL_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// How often the waiting items are read. Health runs each minute while something is wrong, and reading
/// all blocked alerts each time would cost more than it shows.
const READ_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// An item that still waits after this time is named again.
const REMINDER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What stopped waiting and waits again is not new before this time has passed since the mail. A
/// source whose messages a person replays each hour is no reason for a mail each hour.
const RETURN: SignedDuration = SignedDuration::from_hours(24);

/// Causes that are remembered. Those that wait no longer are forgotten first.
const MAX_REMEMBERED: usize = 1000;

/// What a partner was notified of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaitingNotifications {
    /// When the waiting items were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_at: Option<Timestamp>,
    /// When the last mail was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mailed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notified: Vec<NotifiedCause>,
}

/// A cause that a mail named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotifiedCause {
    #[serde(flatten)]
    cause: WaitingCause,
    /// The highest severity that the mail named.
    severity: Severity,
    at: Timestamp,
    /// Whether it stopped waiting since.
    #[serde(default)]
    is_over: bool,
}

/// The items of a mail that is due, the worst first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMail {
    pub items: Vec<WaitingItem>,
    /// Whether earlier mails named all of them, and none became more severe.
    pub is_reminder: bool,
    /// How much more waits that earlier mails named, in causes.
    pub known: usize,
}

impl WaitingNotifications {
    /// Whether to read the waiting items now. While no mail may be sent, it would be of no use.
    #[must_use]
    pub fn is_read_due(&self, now: Timestamp) -> bool {
        let has_passed = |since: Option<Timestamp>, interval| {
            since.is_none_or(|since| now.duration_since(since) >= interval)
        };
        has_passed(self.read_at, READ_INTERVAL) && has_passed(self.mailed_at, MAIL_INTERVAL)
    }

    /// Records the items that wait now.
    #[must_use]
    pub fn observed(mut self, waiting: &WaitingSummary, now: Timestamp) -> Self {
        self.read_at = Some(now);
        // What an incomplete summary lacks may still wait.
        if waiting.is_complete {
            let waits =
                |cause: &WaitingCause| waiting.items.iter().any(|item| item.cause == *cause);
            for notified in &mut self.notified {
                notified.is_over |= !waits(&notified.cause);
            }
            self.notified.retain(|notified| {
                waits(&notified.cause) || now.duration_since(notified.at) < RETURN
            });
        }
        self
    }

    /// The mail that is due. It stays due until [`Self::mailed`] records that it was sent.
    #[must_use]
    pub fn due(&self, waiting: &WaitingSummary, now: Timestamp) -> Option<DueMail> {
        let is_early = |at| now.duration_since(at) < MAIL_INTERVAL;
        if self.mailed_at.is_some_and(is_early) {
            return None;
        }
        let items = waiting.items.iter();
        let items: Vec<_> = items.filter(|item| self.is_due(item, now)).collect();
        let is_known = |item: &&WaitingItem| {
            let notified = self.find(&item.cause);
            notified.is_some_and(|of| !of.is_over && of.severity >= item.severity())
        };
        (!items.is_empty()).then(|| DueMail {
            is_reminder: items.iter().all(is_known),
            known: waiting.items.len() - items.len(),
            items: items.into_iter().cloned().collect(),
        })
    }

    fn is_due(&self, item: &WaitingItem, now: Timestamp) -> bool {
        let Some(notified) = self.find(&item.cause) else {
            return true;
        };
        let again = match notified.is_over {
            true => RETURN,
            false => REMINDER,
        };
        item.severity() > notified.severity || now.duration_since(notified.at) >= again
    }

    /// Records that a mail was sent.
    #[must_use]
    pub fn mailed(mut self, mail: &DueMail, now: Timestamp) -> Self {
        self.mailed_at = Some(now);
        let is_in_mail = |cause: &WaitingCause| mail.items.iter().any(|item| item.cause == *cause);
        self.notified
            .retain(|notified| !is_in_mail(&notified.cause));
        let named = mail.items.iter().map(|item| NotifiedCause {
            cause: item.cause.clone(),
            severity: item.severity(),
            at: now,
            is_over: false,
        });
        self.notified.extend(named);
        self.notified
            .sort_by_key(|notified| (notified.is_over, Reverse(notified.at)));
        self.notified.truncate(MAX_REMEMBERED);
        self
    }

    fn find(&self, cause: &WaitingCause) -> Option<&NotifiedCause> {
        self.notified.iter().find(|of| of.cause == *cause)
    }
}
