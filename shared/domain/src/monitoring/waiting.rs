//! Waiting items: alerts that become tickets only after a person acts, and messages that
//! could not be read. No person chose that they wait, so a person is notified of them. Alerts of
//! tenants and kinds that a person switched off do not count.
//!
//! What ConnectWise refuses because it does not accept a record that the settings name is an issue
//! of the configuration instead (see [`super::requirements`]).

mod notifications;
mod words;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::blocked::{BlockClass, BlockedSince};
use crate::alert::event::Severity;
use crate::alert::record::Desired;
use crate::connection::view::ConnectionView;
use crate::outgoing::block_reason::BlockReason;
use crate::ticketing::refused_writes::{RefusalCause, RefusalGroupId};
use crate::{AlertKey, Blocked, SourceId, TenantId};

pub use notifications::{DueMail, WaitingNotifications};
pub use words::{WaitingNames, WaitingPage, WaitingPoint};

/// Further reasons for which ConnectWise rejects calls are counted together.
const MAX_REJECTIONS: usize = 40;
/// Items of one kind that a summary lists, the worst first. More would not fit into the record of
/// what was notified, and no person would read them.
const MAX_LISTED: usize = 200;

/// The sort of thing that waits. Each is resolved on another page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitingKind {
    Unmapped,
    Rejected,
    TooOld,
    Unreadable,
}

/// Why something waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", content = "of", rename_all = "snake_case")]
pub enum WaitingCause {
    /// Alerts of a tenant that is not mapped to a company.
    UnmappedTenant(TenantId),
    /// ConnectWise refuses the call, and names no record of the settings as the reason.
    Rejected(RefusalGroupId),
    /// Alerts of a tenant that were raised before the back-fill period began.
    OlderThanBackfill(TenantId),
    /// Messages of a source that could not be read.
    UnreadableMessages(SourceId),
}

/// Everything that waits for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingItem {
    pub cause: WaitingCause,
    /// The number of alerts, or of messages.
    pub count: u64,
    /// The highest severity, and how many alerts have it. `None` for messages, which have none.
    pub worst: Option<(Severity, u64)>,
    /// When the first of them was raised or received.
    pub oldest: Timestamp,
    /// What ConnectWise says, or why the newest message could not be read.
    pub words: String,
}

/// The waiting items of one partner, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitingSummary {
    pub items: Vec<WaitingItem>,
    /// How many more causes there are than the summary lists.
    pub unlisted: usize,
    /// All blocked alerts by their reason, whether they wait for a person or not.
    pub blocked: BTreeMap<BlockReason, BlockedAlerts>,
    /// Whether everything that waits was read. If not, each number is a minimum, and causes may be
    /// missing.
    pub is_complete: bool,
}

/// The alerts that are blocked for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockedAlerts {
    pub count: u64,
    /// When the first of them was raised.
    pub oldest: Timestamp,
}

/// Collects the waiting items, alert by alert.
#[derive(Debug, Clone, Default)]
pub struct WaitingSurvey {
    items: BTreeMap<WaitingCause, WaitingItem>,
    rejections: usize,
    blocked: BTreeMap<BlockReason, BlockedAlerts>,
}

/// Messages of one source that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableMessages {
    pub source: SourceId,
    pub messages: u32,
    pub oldest: Timestamp,
    /// The member of the mapping that yielded nothing for the newest of them, and why.
    pub field: String,
    pub problem: String,
}

impl WaitingCause {
    #[must_use]
    pub fn kind(&self) -> WaitingKind {
        match self {
            Self::UnmappedTenant(_) => WaitingKind::Unmapped,
            Self::Rejected(_) => WaitingKind::Rejected,
            Self::OlderThanBackfill(_) => WaitingKind::TooOld,
            Self::UnreadableMessages(_) => WaitingKind::Unreadable,
        }
    }

    /// The source that it is about.
    #[must_use]
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Self::UnreadableMessages(source) => Some(source),
            Self::UnmappedTenant(_) | Self::Rejected(_) | Self::OlderThanBackfill(_) => None,
        }
    }

    /// Why a blocked alert waits for a person. `None` if it does not: it continues without one, or a
    /// person switched its tenant or kind off.
    fn of_alert(
        key: &AlertKey,
        blocked: &BlockedSince,
        desired: &Desired,
        view: &ConnectionView,
    ) -> Option<Self> {
        if key.source.is_for_test_alerts() {
            return None;
        }
        let details = desired.details.as_ref()?;
        let target = view.target(&details.kind);
        if let Err(Blocked::NotSetUp | Blocked::KindDisabled | Blocked::TenantDisabled) = target {
            return None;
        }
        if let Some(group) = RefusalGroupId::new(blocked, key, Some(details)) {
            return match group.cause {
                RefusalCause::Target(_) => None,
                RefusalCause::Words(_) | RefusalCause::Other => Some(Self::Rejected(group)),
            };
        }
        if !desired.active {
            return None;
        }
        let tenant = key.tenant.clone();
        if let Err(Blocked::Unmapped) = target {
            return Some(Self::UnmappedTenant(tenant));
        }
        // Refused calls are grouped above. The other blocks end by themselves, or a person chose
        // them.
        (blocked.reason.class() == BlockClass::Age).then_some(Self::OlderThanBackfill(tenant))
    }
}

impl WaitingItem {
    /// The highest severity. What could not be read may be of any severity, and counts as medium.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.worst
            .map_or(Severity::Medium, |(severity, _)| severity)
    }

    fn add(&mut self, severity: Severity, raised_at: Timestamp) {
        self.count += 1;
        self.oldest = self.oldest.min(raised_at);
        self.worst = match self.worst {
            Some((worst, count)) if worst == severity => Some((worst, count + 1)),
            Some((worst, count)) if worst > severity => Some((worst, count)),
            Some(_) | None => Some((severity, 1)),
        };
    }
}

impl WaitingSurvey {
    /// Counts a blocked alert by its reason, and by its cause if it waits for a person. A test alert
    /// does not count.
    pub fn add_alert(
        &mut self,
        key: &AlertKey,
        blocked: &BlockedSince,
        desired: &Desired,
        view: &ConnectionView,
    ) {
        let Some(details) = &desired.details else {
            return;
        };
        if !key.source.is_for_test_alerts() {
            let reason = BlockReason::of(&blocked.reason);
            let (count, oldest) = (0, details.raised_at);
            let of = self.blocked.entry(reason);
            let of = of.or_insert(BlockedAlerts { count, oldest });
            of.count += 1;
            of.oldest = of.oldest.min(details.raised_at);
        }
        let Some(mut cause) = WaitingCause::of_alert(key, blocked, desired, view) else {
            return;
        };
        let is_full = self.rejections >= MAX_REJECTIONS && !self.items.contains_key(&cause);
        if let WaitingCause::Rejected(group) = &mut cause
            && is_full
        {
            group.cause = RefusalCause::Other;
        }
        let is_rejection = cause.kind() == WaitingKind::Rejected;
        let rejections = &mut self.rejections;
        let item = self.items.entry(cause).or_insert_with_key(|cause| {
            *rejections += usize::from(is_rejection);
            WaitingItem {
                cause: cause.clone(),
                count: 0,
                worst: None,
                oldest: details.raised_at,
                words: match is_rejection {
                    true => blocked.words().to_owned(),
                    false => String::new(),
                },
            }
        });
        item.add(details.severity, details.raised_at);
    }

    pub fn add_messages(&mut self, unreadable: UnreadableMessages) {
        let cause = WaitingCause::UnreadableMessages(unreadable.source);
        let item = WaitingItem {
            cause: cause.clone(),
            count: unreadable.messages.into(),
            worst: None,
            oldest: unreadable.oldest,
            words: format!("{}: {}", unreadable.field, unreadable.problem),
        };
        self.items.insert(cause, item);
    }

    /// The summary. `is_complete` says whether everything that waits was added.
    #[must_use]
    pub fn summary(self, is_complete: bool) -> WaitingSummary {
        let mut items: Vec<_> = self.items.into_values().collect();
        items.sort_by_key(|item| (Reverse(item.severity()), item.oldest));
        let mut listed = BTreeMap::<_, usize>::new();
        let all = items.len();
        items.retain(|item| {
            let listed = listed.entry(item.cause.kind()).or_default();
            *listed += 1;
            *listed <= MAX_LISTED
        });
        WaitingSummary {
            unlisted: all - items.len(),
            blocked: self.blocked,
            items,
            is_complete,
        }
    }
}

#[cfg(test)]
mod tests;
