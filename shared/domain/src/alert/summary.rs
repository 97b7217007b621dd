//! What an alert is about, for lists. It stays when the text is no longer stored.

use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::alert::event::Particulars;
use crate::text::cut_to_bytes;

/// The longest title and device in a list, in bytes: lists are read by the hundred.
const MAX_LINE: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSummary {
    pub kind: Kind,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl AlertSummary {
    #[must_use]
    pub fn new(particulars: &Particulars) -> Self {
        let line = |text: &String| cut_to_bytes(text, MAX_LINE);
        Self {
            kind: particulars.kind.clone(),
            title: line(&particulars.payload.title),
            device: particulars.payload.device.as_ref().map(line),
        }
    }
}
