//! The messages on the queue. The envelope is versioned, because messages outlive deployments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::command::Command;
use crate::alert::event::Event;
use crate::closing::snapshot_part::SnapshotPart;
use crate::digest::digest;
use crate::source::activity::SourceReport;
use crate::wire::tenant_list::TenantList;
use crate::{AlertKey, PartnerId, SourceId};

pub const ENVELOPE_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum Message {
    /// An event that the webhook endpoint accepted.
    Event(Event),
    /// A part of a snapshot that the webhook endpoint accepted.
    Snapshot(SnapshotPart),
    /// Events that the webhook endpoint rejected, for the partner's page.
    Rejected(RejectedEvents),
    /// A message of a source that its mapping cannot read.
    Quarantine(QuarantineEntry),
    /// What else a source sent, for the page of sources.
    SourceReport(SourceReport),
    /// Tenants that a source named ahead of their first alert.
    Tenants(TenantList),
    /// Decides again about an alert: its block may have ended.
    Reconsider(AlertKey),
    /// Releases an alert that waits for a person: ConnectWise refused its ticket, or it is older
    /// than the back-fill.
    Release(AlertKey),
    /// A request of reconcile about one alert.
    Command(Command),
}

/// Invalid events of one webhook request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedEvents {
    pub partner: PartnerId,
    pub source: SourceId,
    /// A digest of the request's `webhook-id` and body. A request that is sent again is counted
    /// once.
    pub request: String,
    pub received_at: Timestamp,
    pub events: u32,
    /// The invalid member of the first event.
    pub field: String,
    /// What is wrong with that member.
    pub problem: String,
}

impl RejectedEvents {
    /// Returns the value of [`Self::request`].
    #[must_use]
    pub fn digest_of(webhook_id: &str, body: &[u8]) -> String {
        digest(&[webhook_id, &String::from_utf8_lossy(body)], 16)
    }
}

/// A message that the mapping of its source cannot read. It is stored, so that a person can correct
/// the mapping and replay it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineEntry {
    pub partner: PartnerId,
    pub source: SourceId,
    pub received_at: Timestamp,
    /// When the source sent it, by its own clock.
    pub sent_at: Timestamp,
    /// The indexes of the alerts of its list that cannot be read. Empty means the whole body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<u32>,
    /// The member of the mapping that yields nothing for the first of them.
    pub field: String,
    /// Why.
    pub problem: String,
    /// The body, in base64, since it need not be text.
    pub body: String,
}

impl QuarantineEntry {
    /// Identifies the entry among those of its source. A message that is delivered twice has the
    /// same id.
    #[must_use]
    pub fn id(&self) -> String {
        let time = crate::time::sortable(self.received_at);
        let parts = [self.source.as_str(), &self.body];
        format!("{time}#{}", digest(&parts, 16))
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    #[serde(flatten)]
    message: T,
}

#[derive(Deserialize)]
struct EnvelopeVersion {
    v: u32,
}

/// A queue message that cannot be read. A retry cannot help, so it goes to the dead-letter queue
/// with this reason.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableMessage {
    #[error("unknown envelope version {0}: deploy the newer version, then redrive")]
    Version(u32),
    #[error("not a Ticketbridge message: {0}")]
    Json(serde_json::Error),
}

impl Message {
    #[must_use]
    pub fn to_json(&self) -> String {
        // A tree of strings and numbers with string keys always has a JSON form.
        serde_json::to_string(&Envelope {
            v: ENVELOPE_VERSION,
            message: self,
        })
        .unwrap_or_default()
    }

    ///
    /// # Errors
    /// Fails if the text is not an envelope of a known version.
    pub fn from_json(text: &str) -> Result<Self, UnreadableMessage> {
        let EnvelopeVersion { v } = serde_json::from_str(text).map_err(UnreadableMessage::Json)?;
        if v != ENVELOPE_VERSION {
            return Err(UnreadableMessage::Version(v));
        }
        let envelope: Envelope<Self> =
            serde_json::from_str(text).map_err(UnreadableMessage::Json)?;
        Ok(envelope.message)
    }

    /// Returns the partner, by which the queue is fair between partners.
    #[must_use]
    pub fn partner(&self) -> &PartnerId {
        match self {
            Self::Event(event) => &event.key.partner,
            Self::Snapshot(part) => &part.partner,
            Self::Rejected(rejected) => &rejected.partner,
            Self::Quarantine(entry) => &entry.partner,
            Self::SourceReport(report) => &report.partner,
            Self::Tenants(list) => &list.partner,
            Self::Reconsider(key) | Self::Release(key) => &key.partner,
            Self::Command(command) => &command.key.partner,
        }
    }
}
