//! Events about alerts, cleaned and typed. This is their form on the queue.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::kind::Category;
use crate::digest::{digest_bytes, hex};
use crate::outgoing::scope::WebhookScope;
use crate::{AlertKey, EventId, Kind};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub key: AlertKey,
    /// The source's id of this message, shown to people. [`Self::digest`] identifies the event.
    pub id: EventId,
    /// Identifies the event. A retry has the same digest.
    pub digest: EventDigest,
    /// When it happened, by the source's clock. Never later than the receipt.
    pub occurred_at: Timestamp,
    pub receipt: Receipt,
    #[serde(flatten)]
    pub change: AlertChange,
    /// What the source's webhook gets about the alert.
    #[serde(default, skip_serializing_if = "WebhookScope::is_nothing")]
    pub webhook: WebhookScope,
}

/// Identifies an event: a 64-bit hash of what the source says about its identity.
///
/// `CloudEvents` identifies an event by `source` and `id`. Many senders break that rule and give
/// one id to several events, for instance the alert's id. So the type and the stated time count
/// too, which a retry repeats. With 192 known events of an alert, a new event is mistaken for a
/// known one once in 10^17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventDigest(pub(crate) [u8; 8]);

impl EventDigest {
    #[must_use]
    pub fn new(identity: &[&str]) -> Self {
        Self(digest_bytes(identity))
    }
}

impl From<EventDigest> for String {
    fn from(digest: EventDigest) -> Self {
        hex(&digest.0)
    }
}

impl TryFrom<String> for EventDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let value =
            u64::from_str_radix(&text, 16).map_err(|_| "an event digest has 16 hex digits")?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// When Ticketbridge received an event: the order in which a sender's requests came. The queue may
/// change that order, and a sender's clock may be wrong; the receipt is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// When the request was received.
    pub at: Timestamp,
    /// The index in the request's batch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub index: u32,
    /// The stated time was later than the receipt, so the receipt replaces it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bounds_time: bool,
}

impl Receipt {
    #[must_use]
    pub fn is_after(&self, other: &Self) -> bool {
        (self.at, self.index) > (other.at, other.index)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(index: &u32) -> bool {
    *index == 0
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum AlertChange {
    /// The alert is active.
    Raised(Particulars),
    /// The alert is still active, and some of its details changed.
    Updated(Particulars),
    /// The alert is resolved.
    Resolved,
}

impl AlertChange {
    /// Returns the type of the event on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Raised(_) => "alert.raised",
            Self::Updated(_) => "alert.updated",
            Self::Resolved => "alert.resolved",
        }
    }
}

/// The details of a raised or updated alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    pub kind: Kind,
    /// The category of the kind, as configured when the event was received.
    pub category: Category,
    pub severity: Severity,
    /// When the alert expires, unless it is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The text for people.
    pub payload: Payload,
}

/// The text of an event, cleaned and cut to length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// One line, never empty.
    pub title: String,
    /// Several lines, at most 32 KiB.
    pub description: String,
    /// The tenant's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// The affected machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The affected user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A link to the alert at its source: an http or https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The severity of an alert, from the lowest to the highest.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No action is needed.
    Informational,
    /// Act when there is time.
    Low,
    /// Act soon.
    Medium,
    /// Act today.
    High,
    /// Act now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// The position of an event among those of its alert: by time, then by receipt. If two requests are
/// received in the same moment, a raise sorts last, so that no tie loses an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventOrder {
    /// When it happened, by the source's clock. Never later than the receipt.
    pub occurred_at: Timestamp,
    pub receipt: Receipt,
    /// 0 resolved, 1 updated, 2 raised.
    pub rank: u8,
    pub digest: EventDigest,
}

impl Event {
    /// Makes an event that is received at the moment at which it happens.
    #[must_use]
    pub fn immediate(key: AlertKey, id: EventId, at: Timestamp, change: AlertChange) -> Self {
        let digest = EventDigest::new(&[id.as_str(), change.name()]);
        let receipt = Receipt {
            at,
            index: 0,
            bounds_time: false,
        };
        Self {
            key,
            id,
            digest,
            occurred_at: at,
            receipt,
            change,
            webhook: WebhookScope::Nothing,
        }
    }

    #[must_use]
    pub fn order(&self) -> EventOrder {
        let rank = match self.change {
            AlertChange::Resolved => 0,
            AlertChange::Updated(_) => 1,
            AlertChange::Raised(_) => 2,
        };
        EventOrder {
            occurred_at: self.occurred_at,
            receipt: self.receipt,
            rank,
            digest: self.digest,
        }
    }

    /// What a person reads of it; a resolved event brings nothing to read.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        match &self.change {
            AlertChange::Raised(particulars) | AlertChange::Updated(particulars) => {
                Some(&particulars.payload)
            }
            AlertChange::Resolved => None,
        }
    }
}
