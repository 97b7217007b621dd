//! Partners, with their status, contacts and sources, as the operator's API describes them.

use domain::PartnerId;
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Partner {
    pub(super) id: PartnerId,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) manages_sources: bool,
    pub(super) made_at: Timestamp,
    pub(super) connected: bool,
    pub(super) confirmed: bool,
}

/// How a partner does.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PartnerStatus {
    pub(super) condition: String,
    pub(super) issue: Option<Issue>,
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) waiting: Waiting,
    pub(super) open_tickets: u64,
    pub(super) open_tickets_complete: bool,
    pub(super) last_alert_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issue {
    pub(super) words: String,
    pub(super) since: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Waiting {
    pub(super) count: u64,
    pub(super) complete: bool,
    pub(super) points: Vec<WaitingPoint>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WaitingPoint {
    pub(super) what: String,
    pub(super) to_do: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Contact {
    pub(super) address: String,
    pub(super) mails: Vec<String>,
    pub(super) confirmed: bool,
}

/// A source in a list.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SourceOfPartner {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) enabled: bool,
}
