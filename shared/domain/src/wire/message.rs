//! The queue's envelope: versioned, because messages outlive deployments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::command::Command;
use crate::alert::event::Event;
use crate::closing::snapshot_part::SnapshotPart;
use crate::digest::digest;
use crate::{AlertKey, PartnerId, SourceId};

/// The envelope's version that this code writes.
pub const VERSION: u32 = 1;

/// What the queue carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum Message {
    /// An event that the door accepted.
    Event(Event),
    /// A part of a snapshot that the door accepted.
    Snapshot(SnapshotPart),
    /// Events of a partner that the webhook endpoint rejected, for the partner's page.
    Rejected(RejectedEvents),
    /// Decide again about an alert: what held it up may be gone.
    Reconsider(AlertKey),
    /// A person lets an alert go on that waits for one: ConnectWise refused it, or it stood longer than the back-fill reaches.
    Release(AlertKey),
    /// What a run of reconcile asks to be done about an alert.
    Command(Command),
}

/// Events of one request that cannot become tickets because they are wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedEvents {
    /// The partner whose alerts they would have been.
    pub partner: PartnerId,
    /// The source that sent them.
    pub source: SourceId,
    /// A digest of the request's `webhook-id` and body: a request that comes again is counted once.
    pub request: String,
    /// When the request was received.
    pub received_at: Timestamp,
    /// How many.
    pub events: u32,
    /// The member that is wrong in the first of them.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl RejectedEvents {
    /// What tells one request from another, so that one that comes again is counted once.
    #[must_use]
    pub fn digest_of(webhook_id: &str, body: &[u8]) -> String {
        digest(&[webhook_id, &String::from_utf8_lossy(body)], 16)
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    #[serde(flatten)]
    message: T,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Why a message of the queue cannot be read; it never will be, so it is a dead letter with this reason.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Written by a version that this code does not know.
    #[error("envelope version {0} is not known here: deploy the newer version, then redrive")]
    Version(u32),
    /// Not an envelope.
    #[error("not a message of ours: {0}")]
    Json(serde_json::Error),
}

impl Message {
    /// The message as the queue carries it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A tree of strings and numbers with string keys always has a JSON form.
        serde_json::to_string(&Envelope {
            v: VERSION,
            message: self,
        })
        .unwrap_or_default()
    }

    /// Reads a message of the queue.
    ///
    /// # Errors
    /// When the text is not an envelope of a known version.
    pub fn from_json(text: &str) -> Result<Self, Unreadable> {
        let Version { v } = serde_json::from_str(text).map_err(Unreadable::Json)?;
        if v != VERSION {
            return Err(Unreadable::Version(v));
        }
        let envelope: Envelope<Self> = serde_json::from_str(text).map_err(Unreadable::Json)?;
        Ok(envelope.message)
    }

    /// Whose message it is: the queue serves partners in turn by it.
    #[must_use]
    pub fn partner(&self) -> &PartnerId {
        match self {
            Self::Event(event) => &event.key.partner,
            Self::Snapshot(part) => &part.partner,
            Self::Rejected(rejected) => &rejected.partner,
            Self::Reconsider(key) | Self::Release(key) => &key.partner,
            Self::Command(command) => &command.key.partner,
        }
    }
}
