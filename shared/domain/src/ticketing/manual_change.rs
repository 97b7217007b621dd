//! What a person changes on a ticket: its fields, and the kinds of changes.

use serde::{Deserialize, Serialize};

use crate::RecordId;
use crate::digest::digest;

/// The fields of a ticket that people change. References are ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TicketFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RecordId>,
    /// The identifiers of the assigned members, as ConnectWise lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind_type: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtype: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<RecordId>,
    /// A hash of the summary.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// A hash of contact, severity, impact and due date.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
}

/// A short hash of texts, to see whether one of them changed.
#[must_use]
pub fn field_hash(texts: &[&str]) -> String {
    digest(texts, 12)
}

/// What a person did with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualChange {
    Note,
    TimeEntry,
    CustomerReply,
    Children,
    Parent,
    Merge,
    Board,
    Status,
    Owner,
    Resources,
    Team,
    Priority,
    Type,
    Summary,
    Details,
    /// A person updated the ticket last, and none of the other fields differs.
    Other,
    /// ConnectWise does not show the notes of the ticket, so it may have been any change.
    Unknown,
}

impl ManualChange {
    /// The end of a sentence that begins with "a person worked on it: ".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Note => "it has a note of a person",
            Self::TimeEntry => "time was entered on it",
            Self::CustomerReply => "the customer replied",
            Self::Children => "it has child tickets",
            Self::Parent => "it is a child of another ticket",
            Self::Merge => "another ticket was merged into it",
            Self::Board => "it was moved to another board",
            Self::Status => "its status was changed",
            Self::Owner => "its owner was changed",
            Self::Resources => "members were assigned to it",
            Self::Team => "its team was changed",
            Self::Priority => "its priority was changed",
            Self::Type => "its type, subtype or item was changed",
            Self::Summary => "its summary was changed",
            Self::Details => "its contact, severity, impact or due date was changed",
            Self::Other => "a person updated it last",
            Self::Unknown => "ConnectWise does not show its notes",
        }
    }
}
