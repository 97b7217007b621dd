//! What is known of an alert, cleaned and typed: the form in which events travel on the queue.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::key::{digest, shard};
use crate::kind::Role;
use crate::time::sortable;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// One message about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The alert.
    pub key: AlertKey,
    /// The source's id of this message: it breaks ties of order, and identifies nothing.
    pub id: EventId,
    /// When it happened upstream.
    pub occurred_at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
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

/// What a raised or updated alert looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    /// What sort of alert.
    pub kind: Kind,
    /// The board role of the kind, as the door knew it.
    pub role: Role,
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

/// The place of an event among those of its alert: by time, then raised < updated < resolved, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Order {
    /// When it happened upstream.
    pub occurred_at: Timestamp,
    /// 0 raised, 1 updated, 2 resolved.
    pub rank: u8,
    /// The event's id.
    pub id: EventId,
}

impl Event {
    /// Its place among the events of its alert.
    #[must_use]
    pub fn order(&self) -> Order {
        let rank = match self.change {
            Change::Raised(_) => 0,
            Change::Updated(_) => 1,
            Change::Resolved => 2,
        };
        Order {
            occurred_at: self.occurred_at,
            rank,
            id: self.id.clone(),
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
    /// When the listing was taken upstream.
    pub taken_at: Timestamp,
    /// The kinds that it speaks of; none given means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Kind>>,
    /// The alerts that are active, of this part.
    pub active: Vec<AlertId>,
    /// This part's number, from 1.
    pub part: u32,
    /// How many parts the listing has.
    pub parts: u32,
}

impl SnapshotPart {
    /// The key of the part's item, beside the alerts: the same part stored twice is one item.
    #[must_use]
    pub fn item_key(&self) -> String {
        let scope = [
            self.partner.as_str(),
            self.tenant.as_str(),
            self.source.as_str(),
        ];
        let snapshot = [scope[0], scope[1], scope[2], self.snapshot_id.as_str()];
        format!(
            "snapshot-{}-{}-{}",
            digest(&scope, 16),
            digest(&snapshot, 32),
            self.part
        )
    }

    /// Where the sparse index lists it: `(state_of, tenant_since)`.
    #[must_use]
    pub fn index(&self) -> (String, String) {
        (
            Self::index_key(&self.partner, &self.tenant, &self.source),
            format!("{}#{}", self.tenant, sortable(self.taken_at)),
        )
    }

    /// The index key that lists all of one source's snapshots of a tenant.
    #[must_use]
    pub fn index_key(partner: &PartnerId, tenant: &TenantId, source: &SourceId) -> String {
        let shard = shard(&digest(&[tenant.as_str(), source.as_str()], 16));
        format!("{partner}#snapshot#{shard}")
    }
}
