//! A ticket that ConnectWise returned.

use jiff::{SignedDuration, Timestamp};

use crate::alert::ticket_end::{ClosedBy, TicketEnd};
use crate::setup::status_action::StatusAction;
use crate::time::later;
use crate::{RecordId, TicketRef};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTicket {
    pub ticket_id: RecordId,
    /// Its reference, if it has one of Ticketbridge.
    pub ticket_ref: Option<TicketRef>,
    pub board_id: Option<RecordId>,
    pub company_id: Option<RecordId>,
    /// When it was entered, if ConnectWise says so.
    pub entered_at: Option<Timestamp>,
    /// When its alert was raised, as the new ticket said: in whole seconds.
    pub raised_at: Option<Timestamp>,
    pub closed: bool,
    /// When it was closed, if ConnectWise says so.
    pub closed_at: Option<Timestamp>,
    pub merged: bool,
    pub touched: bool,
    /// The action that its status asks for, by the partner's settings.
    pub action: Option<StatusAction>,
}

impl FoundTicket {
    /// Whether a person closed, merged or moved the ticket. It must have the reference and the
    /// company of the record.
    #[must_use]
    pub fn ended(&self, ticket_ref: &TicketRef, company_id: RecordId) -> Option<TicketEnd> {
        let is_unmoved =
            self.ticket_ref.as_ref() == Some(ticket_ref) && self.company_id == Some(company_id);
        let by = match (is_unmoved && !self.merged, self.closed) {
            (false, _) => ClosedBy::Moved,
            (true, true) => ClosedBy::Technician,
            (true, false) => return None,
        };
        let at = self.ended_at();
        let action = self.action;
        Some(TicketEnd { by, at, action })
    }

    /// When it was closed, if ConnectWise says so. ConnectWise's clock or zone may be hours behind.
    /// So the time is corrected: no ticket is entered before its alert was raised, nor closed
    /// before that.
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

/// A ticket states times in whole seconds.
pub(crate) fn end_of_second(at: Timestamp) -> Timestamp {
    let rest = SignedDuration::from_millis(999);
    later(at, rest)
}
