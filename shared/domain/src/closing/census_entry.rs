//! x

use jiff::Timestamp;

use crate::alert::key::ItemKey;
use crate::{RecordId, SourceId, TenantId};

/// Alerts of one tenant from one source: what a snapshot lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Which customer.
    pub tenant: TenantId,
    /// Who raised them.
    pub source: SourceId,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct CensusAlert {
    pub(super) key: ItemKey,
    pub(super) scope: u32,
    /// None in a record that no raise has told of.
    pub(super) active: Option<ActiveAlert>,
    /// From when to when it was active, where a snapshot or expiry ended it and its ticket is still open.
    pub(super) ended: Option<(Timestamp, Timestamp)>,
    pub(super) ticket: Option<CensusTicket>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ActiveAlert {
    pub(super) kind: u32,
    /// The key that all similar ids share.
    pub(super) similar: ItemKey,
    pub(super) raised_at: Timestamp,
    /// When its last event happened, and when that was received.
    pub(super) last: Timestamp,
    pub(super) last_received: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// A person ended its ticket.
    pub(super) is_ended: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CensusTicket {
    pub(super) id: RecordId,
    pub(super) board: Option<RecordId>,
    pub(super) company: RecordId,
    pub(super) epoch: u32,
    /// Of the token that it carries.
    pub(super) occurrence: u32,
    pub(super) opened_at: Timestamp,
}
