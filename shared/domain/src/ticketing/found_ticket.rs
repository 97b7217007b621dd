//! A ticket that a search of ConnectWise returned.

use jiff::{SignedDuration, Timestamp};

use crate::alert::record::{ClosedBy, TicketEnd};
use crate::time::later;
use crate::{RecordId, TicketRef};

/// A ticket that carries a token of the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTicket {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries, if that is a token of ours.
    pub ticket_ref: Option<TicketRef>,
    /// The board that it is on.
    pub board_id: Option<RecordId>,
    /// Whose it is now.
    pub company_id: Option<RecordId>,
    /// When it was entered, where ConnectWise says so.
    pub entered_at: Option<Timestamp>,
    /// When its alert was raised, as it was told when it was made: in whole seconds.
    pub raised_at: Option<Timestamp>,
    /// Whether it is closed.
    pub closed: bool,
    /// When it was closed, where ConnectWise says so.
    pub closed_at: Option<Timestamp>,
    /// Whether it was merged into another.
    pub merged: bool,
    /// Whether a person changed it.
    pub touched: bool,
}

impl FoundTicket {
    /// Whether a person ended it, or gave it to other use: it must carry the token, and be of the recorded company.
    #[must_use]
    pub fn ended(&self, ticket_ref: &TicketRef, company_id: RecordId) -> Option<TicketEnd> {
        let ours =
            self.ticket_ref.as_ref() == Some(ticket_ref) && self.company_id == Some(company_id);
        let by = match (ours && !self.merged, self.closed) {
            (false, _) => ClosedBy::Moved,
            (true, true) => ClosedBy::Technician,
            (true, false) => return None,
        };
        let at = self.ended_at();
        Some(TicketEnd { by, at })
    }

    /// When it was closed, where ConnectWise says so. Its clock or zone may be hours behind ours: no ticket is entered before its
    /// alert was raised, nor closed before that.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        let closed_at = self.closed_at.filter(|_| self.closed)?;
        let Some(raised_at) = self.raised_at else {
            return Some(closed_at);
        };
        let entered_at = self.entered_at.unwrap_or(raised_at);
        let behind = raised_at
            .duration_since(entered_at)
            .max(SignedDuration::ZERO);
        let closed_at = later(closed_at, behind);
        Some(closed_at.max(end_of_second(raised_at)))
    }
}

/// A ticket says its time in whole seconds.
pub(crate) fn end_of_second(at: Timestamp) -> Timestamp {
    let rest = SignedDuration::from_millis(999);
    later(at, rest)
}
