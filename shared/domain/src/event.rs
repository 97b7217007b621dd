//! What is known of an alert, cleaned and typed: the form in which events travel on the queue.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::key::{digest, digest_bytes, hex, shard};
use crate::kind::Category;
use crate::time::sortable;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SnapshotId, SourceId, TenantId};

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

/// One part of the complete list of alerts that are active in one (source, tenant).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    /// Whose ConnectWise.
    pub partner: PartnerId,
    /// Which customer.
    pub tenant: TenantId,
    /// Who lists.
    pub source: SourceId,
    /// Which listing.
    pub snapshot_id: SnapshotId,
    /// When the listing was taken, by the source's clock.
    pub taken_at: Timestamp,
    /// When this part was received: what it says cannot be newer.
    pub received_at: Timestamp,
    /// The kinds that it covers; all, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeSet<Kind>>,
    /// The alerts that are active, of this part.
    pub active: Vec<AlertId>,
    /// This part's number, from 1.
    pub part: u32,
    /// How many parts the listing has.
    pub parts: u32,
    /// How many alerts the whole listing has, where the source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
}

impl SnapshotPart {
    /// The key of the part's item, beside the alerts: the same part stored twice is one item. A source that uses an id again at
    /// another time means another snapshot.
    #[must_use]
    pub fn item_key(&self) -> String {
        let scope = [
            self.partner.as_str(),
            self.tenant.as_str(),
            self.source.as_str(),
        ];
        let taken_at = self.taken_at.to_string();
        let id = self.snapshot_id.as_str();
        let snapshot = [scope[0], scope[1], scope[2], id, &taken_at];
        format!(
            "snapshot-{}-{}-{}",
            digest(&scope, 16),
            digest(&snapshot, 32),
            self.part
        )
    }

    /// Where the sparse index lists it: `(state_of, tenant_since)`, by the time that it was taken, but never after it was received.
    #[must_use]
    pub fn index(&self) -> (String, String) {
        let taken = self.taken_at.min(self.received_at);
        (
            Self::index_key(&self.partner, &self.tenant, &self.source),
            format!("{}#{}", self.tenant, sortable(taken)),
        )
    }

    /// A digest of what the part says: the same part, however often it is sent, has the same.
    #[must_use]
    pub fn content_digest(&self) -> String {
        let listed: BTreeSet<&str> = self.active.iter().map(AlertId::as_str).collect();
        let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
        let numbers = [
            number(Some(self.parts)),
            number(self.total),
            self.active.len().to_string(),
            number(self.kinds.as_ref().map(|kinds| kinds.len() as u32)),
        ];
        let kinds = self.kinds.iter().flatten().map(Kind::as_str);
        let members: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let members: Vec<&str> = members.into_iter().chain(kinds).chain(listed).collect();
        digest(&members, 64)
    }

    /// The index key that lists all of one source's snapshots of a tenant.
    #[must_use]
    pub fn index_key(partner: &PartnerId, tenant: &TenantId, source: &SourceId) -> String {
        let shard = shard(&digest(&[tenant.as_str(), source.as_str()], 16));
        format!("{partner}#snapshot#{shard}")
    }
}
