//! What a run leaves for the next one.

use domain::RecordId;
use domain::ticketing::refused_writes::RefusalGroups;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::BlockedCursor;

/// The progress of a partner's runs. It only saves work: a run without it comes to the same result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunProgress {
    /// The start of the minute in which releases are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paced_from: Option<Timestamp>,
    /// The number of releases in that minute.
    #[serde(default)]
    pub paced: u32,
    /// Where in the list of blocked records the last run stopped; `None` if it finished the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<BlockedCursor>,
    /// When missing rights were last assumed to be granted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights_tried_at: Option<Timestamp>,
    /// When a run last determined which alerts are resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// When the next alert expires, as that run saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When the last complete scan of the open tickets in ConnectWise began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<Timestamp>,
    /// How many recorded tickets that scan compared.
    #[serde(default)]
    pub compared_tickets: usize,
    /// A scan that the last run had no time to complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparing: Option<TicketScan>,
    /// Alerts that ConnectWise refused, by reason.
    #[serde(default)]
    pub refusals: RefusalGroups,
}

/// A scan of the open tickets that takes several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketScan {
    pub began_at: Timestamp,
    /// The ticket after which the scan continues.
    pub behind: RecordId,
}
