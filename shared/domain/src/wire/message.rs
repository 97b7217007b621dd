//! The messages on the queue. The envelope is versioned, because messages outlive deployments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::command::Command;
use crate::alert::event::Event;
use crate::alert::source_answer::SourceAnswer;
use crate::closing::snapshot_part::SnapshotPart;
use crate::digest::digest;
use crate::source::activity::SourceReport;
use crate::text::mentions;
use crate::wire::tenant_list::TenantList;
use crate::{AlertKey, PartnerId, SourceId};

pub const ENVELOPE_VERSION: u32 = 1;

/// The types of [`Message`], as the envelope names them.
const TYPES: [&str; 10] = [
    "event",
    "snapshot",
    "rejected",
    "quarantine",
    "source_report",
    "tenants",
    "reconsider",
    "release",
    "command",
    "answer",
];

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
    /// The answer of a source to an action that a technician asked for.
    Answer(SourceAnswer),
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

    /// Whether the body contains one of these words, in any case. JSON escapes a quote and a
    /// backslash, so a word is also looked for in that form.
    #[must_use]
    pub fn mentions(&self, words: &[&str]) -> bool {
        let body = STANDARD.decode(&self.body).unwrap_or_default();
        mentions(&String::from_utf8_lossy(&body), words)
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    #[serde(flatten)]
    message: T,
}

/// The members that every release can read. Another body of a known type needs another version.
#[derive(Deserialize)]
struct EnvelopeHead {
    v: u32,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A queue message that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableMessage {
    /// A newer release wrote it: during an update its functions are deployed one after the other,
    /// and after a rollback its messages are still in the queue. The newer release can read it.
    #[error("written by a newer release: {0}")]
    Newer(NewerMessage),
    /// A retry cannot help, so it goes to the dead-letter queue with this reason.
    #[error("not a Ticketbridge message: {0}")]
    Invalid(serde_json::Error),
}

/// What is newer about a message.
#[derive(Debug, thiserror::Error)]
pub enum NewerMessage {
    #[error("envelope version {0}")]
    Version(u32),
    #[error("message type `{0}`")]
    Type(String),
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

    /// Reads a message.
    ///
    /// # Errors
    /// When a newer release wrote the message, or Ticketbridge did not.
    pub fn from_json(text: &str) -> Result<Self, UnreadableMessage> {
        let head: EnvelopeHead = serde_json::from_str(text).map_err(UnreadableMessage::Invalid)?;
        if head.v > ENVELOPE_VERSION {
            return Err(UnreadableMessage::Newer(NewerMessage::Version(head.v)));
        }
        if let Some(kind) = head.kind.filter(|kind| !TYPES.contains(&kind.as_str())) {
            return Err(UnreadableMessage::Newer(NewerMessage::Type(kind)));
        }
        let envelope: Envelope<Self> =
            serde_json::from_str(text).map_err(UnreadableMessage::Invalid)?;
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
            Self::Answer(answer) => &answer.key.partner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        Message::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn a_message_of_a_newer_release_is_not_invalid() {
        for (text, reason) in [
            (
                r#"{"v":2}"#,
                "written by a newer release: envelope version 2",
            ),
            (
                r#"{"v":2,"type":"event","body":{"key":7}}"#,
                "written by a newer release: envelope version 2",
            ),
            (
                r#"{"v":1,"type":"window","body":{}}"#,
                "written by a newer release: message type `window`",
            ),
        ] {
            assert_eq!(error_of(text), reason);
        }
        for text in [
            "",
            "{}",
            r#"{"v":0}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"type":"event","body":7}"#,
        ] {
            let error = Message::from_json(text).unwrap_err();
            assert!(matches!(error, UnreadableMessage::Invalid(_)), "{text}");
        }
    }

    #[test]
    fn the_list_of_types_is_complete() {
        let unknown = serde_json::from_str::<Message>(r#"{"type":"?"}"#);
        let unknown = unknown.unwrap_err().to_string();
        let known = TYPES.map(|kind| format!("`{kind}`")).join(", ");
        let expected = format!("unknown variant `?`, expected one of {known}");
        assert!(unknown.starts_with(&expected), "{unknown}");
    }
}
