//! The entries of the census.

use jiff::Timestamp;

use crate::alert::key::ItemKey;
use crate::setup::status_action::ActionKind;
use crate::{RecordId, SourceId, TenantId};

/// The alerts of one tenant from one source: what a snapshot lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub tenant: TenantId,
    pub source: SourceId,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CensusAlert {
    pub(super) key: ItemKey,
    pub(super) scope: u32,
    /// `None` if no raise was ever folded.
    pub(super) active: Option<ActiveAlert>,
    /// When it was raised and resolved, if a snapshot or expiry resolved it and its ticket is still
    /// open.
    pub(super) ended: Option<(Timestamp, Timestamp)>,
    pub(super) ticket: Option<CensusTicket>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ActiveAlert {
    pub(super) kind: u32,
    /// The key that all similar ids share.
    pub(super) similar: ItemKey,
    pub(super) raised_at: Timestamp,
    /// When its last event happened, and when an event was last received.
    pub(super) last: Timestamp,
    pub(super) last_received: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Its ticket was closed, and it is still active.
    pub(super) is_ended: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CensusTicket {
    pub(super) id: RecordId,
    pub(super) board: Option<RecordId>,
    pub(super) company: RecordId,
    pub(super) epoch: u32,
    /// The occurrence in its reference.
    pub(super) occurrence: u32,
    pub(super) opened_at: Timestamp,
    /// The action that its status asked for, when it was last seen.
    pub(super) action: Option<ActionKind>,
}
