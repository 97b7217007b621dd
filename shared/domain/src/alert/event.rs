//! What is known of an alert, cleaned and typed: the form in which events travel on the queue.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::kind::Category;
use crate::digest::{digest_bytes, hex};
use crate::{AlertKey, EventId, Kind};

/// One message about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The alert.
    pub key: AlertKey,
    /// The source's id of this message, for people; [`Self::digest`] identifies the event.
    pub id: EventId,
    /// Identifies the event: a retry has the same digest.
    pub digest: EventDigest,
    /// When it happened upstream; never later than its receipt.
    pub occurred_at: Timestamp,
    /// When and where in its request it was received.
    pub receipt: Receipt,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
}

/// Which event it is, in 64 bits: what the source says of its identity, as a hash.
///
/// `CloudEvents` identifies an event by `source` and `id`. Senders that give one id to several events are against that and common:
/// they use the alert's id. So the type and the stated time count too, which a retry repeats. With 192 known events of an alert, a
/// new one is taken for a known one once in 10^17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventDigest(pub(crate) [u8; 8]);

impl EventDigest {
    /// Of what identifies an event.
    #[must_use]
    pub fn of(identity: &[&str]) -> Self {
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

/// When an event was received, by the clock of this system: the order in which a sender's requests came. The queue may change that
/// order, and a sender's clock may be wrong; the receipt is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// When its request was received.
    pub at: Timestamp,
    /// Its index in the request's batch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub index: u32,
    /// Its stated time was ahead of the receipt, so the receipt stands for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bounds_time: bool,
}

impl Receipt {
    /// Whether it was received after the other.
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

/// What an event says of its alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It is there.
    Raised(Particulars),
    /// It is there still, and something about it is new.
    Updated(Particulars),
    /// It is gone.
    Resolved,
}

impl Change {
    /// The type of its event on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Raised(_) => "alert.raised",
            Self::Updated(_) => "alert.updated",
            Self::Resolved => "alert.resolved",
        }
    }
}

/// What a raised or updated alert looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    /// What sort of alert.
    pub kind: Kind,
    /// The board category of the kind, as the door knew it.
    pub category: Category,
    /// How bad it is.
    pub severity: Severity,
    /// Gone by itself at this time, unless repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What a person reads.
    pub payload: Payload,
}

/// The event's text, cleaned and cut at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// One line, never empty.
    pub title: String,
    /// Several lines, at most 32 KiB.
    pub description: String,
    /// The tenant's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// The machine that it happened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The person that it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where upstream shows the alert: an http or https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// How bad an alert is; later is worse.
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
    /// For the record.
    Informational,
    /// When there is time.
    Low,
    /// Soon.
    Medium,
    /// Today.
    High,
    /// Now.
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

/// The place of an event among those of its alert: by time, and at one time by receipt. Two requests can be received in one moment;
/// then raised is last, so that no tie loses an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Order {
    /// When it happened upstream; never later than its receipt.
    pub occurred_at: Timestamp,
    /// When and where in its request it was received.
    pub receipt: Receipt,
    /// 0 resolved, 1 updated, 2 raised.
    pub rank: u8,
    /// Which event it is.
    pub digest: EventDigest,
}

impl Event {
    /// An event that is received in the moment in which it happens.
    #[must_use]
    pub fn immediate(key: AlertKey, id: EventId, at: Timestamp, change: Change) -> Self {
        let digest = EventDigest::of(&[id.as_str(), change.name()]);
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
        }
    }

    /// Its place among the events of its alert.
    #[must_use]
    pub fn order(&self) -> Order {
        let rank = match self.change {
            Change::Resolved => 0,
            Change::Updated(_) => 1,
            Change::Raised(_) => 2,
        };
        Order {
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
            Change::Raised(particulars) | Change::Updated(particulars) => {
                Some(&particulars.payload)
            }
            Change::Resolved => None,
        }
    }
}
