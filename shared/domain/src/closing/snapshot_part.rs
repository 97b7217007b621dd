//! The parts of a snapshot. A snapshot is a complete list of active alerts, which a source may send
//! in several parts.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::key::shard;
use crate::digest::digest;
use crate::time::sortable;
use crate::{AlertId, Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// One part of the complete list of active alerts of one tenant and source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    pub partner: PartnerId,
    pub tenant: TenantId,
    pub source: SourceId,
    pub snapshot_id: SnapshotId,
    /// When the snapshot was taken, by the source's clock.
    pub taken_at: Timestamp,
    /// When this part was received. Its content cannot be newer.
    pub received_at: Timestamp,
    /// The kinds that it covers. All kinds if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeSet<Kind>>,
    pub active: Vec<AlertId>,
    /// The number of this part, from 1.
    pub part: u32,
    /// How many parts the snapshot has.
    pub parts: u32,
    /// How many alerts the whole snapshot lists, if the source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
}

impl SnapshotPart {
    /// The key of the part's item, next to the alerts. The same part stored twice is one item. If a
    /// source reuses an id at another time, that is another snapshot.
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

    /// The keys in the sparse index: `(state_of, tenant_since)`, by the time when it was taken, but
    /// never later than it was received.
    #[must_use]
    pub fn index(&self) -> (String, String) {
        let taken = self.taken_at.min(self.received_at);
        (
            Self::index_key(&self.partner, &self.tenant, &self.source),
            format!("{}#{}", self.tenant, sortable(taken)),
        )
    }

    /// A digest of the part's content. It is the same whenever the same part is sent.
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

    #[must_use]
    pub fn index_key(partner: &PartnerId, tenant: &TenantId, source: &SourceId) -> String {
        let shard = shard(&digest(&[tenant.as_str(), source.as_str()], 16));
        format!("{partner}#snapshot#{shard}")
    }
}
