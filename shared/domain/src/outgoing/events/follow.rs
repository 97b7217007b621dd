//! The outgoing events that a record shows.
//!
//! They are derived from the record whenever it is stored, in the same write, as the steps of its
//! trail are. So a crash loses none, and no decision has to report itself.

use jiff::Timestamp;

use super::{OutgoingEventKind, OutgoingEvents, ReportedTicket};
use crate::alert::record::{Actual, Record};
use crate::alert::resolution::Resolution;
use crate::outgoing::block_reason::BlockReason;

impl OutgoingEvents {
    /// Adds what the record shows and no event has said yet. Following the same record twice adds
    /// nothing.
    pub(crate) fn follow(&mut self, record: &Record) {
        if !self.scope.has_events() {
            self.follow_only_action(record);
            return;
        }
        self.follow_release(record);
        match &record.actual {
            Some(Actual::Open(open)) => {
                let ticket = ReportedTicket {
                    number: open.ticket_id,
                    epoch: open.epoch,
                };
                let is_known = self.is_reported(ticket);
                let is_reopened = is_known || open.ticket_ref.is_some();
                if is_known {
                    // The same ConnectWise can be at another address now.
                    self.reported.ticket = Some(ticket);
                }
                if !is_known || self.reported.is_closed {
                    self.follow_out_of_reach(ticket, open.opened_at);
                    let what = match is_reopened {
                        true => OutgoingEventKind::TicketReopened(ticket),
                        false => OutgoingEventKind::TicketCreated(ticket),
                    };
                    self.push_ticket(open.opened_at, ticket, what);
                }
                self.follow_action(ticket, open.action.as_ref());
                let noted_at = open.last_note_at.filter(|at| *at != open.opened_at);
                if let Some(at) = noted_at.filter(|at| self.reported.noted_at < Some(*at)) {
                    self.push(at, OutgoingEventKind::TicketNoted(ticket));
                    self.reported.noted_at = noted_at;
                }
            }
            Some(Actual::Closed(closed)) => {
                let ticket = ReportedTicket {
                    number: closed.ticket_id,
                    epoch: closed.epoch,
                };
                // A ticket can have ended before it was found.
                if !self.is_reported(ticket) {
                    self.follow_out_of_reach(ticket, closed.at);
                    let at = closed.ended_at.min(closed.at);
                    self.push_ticket(at, ticket, OutgoingEventKind::TicketCreated(ticket));
                }
                self.follow_action(ticket, closed.action.as_ref());
                if !self.reported.is_closed {
                    let by = closed.by;
                    self.push(closed.at, OutgoingEventKind::TicketClosed { ticket, by });
                    self.reported.is_closed = true;
                }
            }
            None => {}
        }
        if let Some(blocked) = &record.blocked {
            let reason = BlockReason::of(&blocked.reason);
            if self.reported.blocked != Some(reason) {
                self.push(blocked.since, OutgoingEventKind::AlertBlocked { reason });
                self.reported.blocked = Some(reason);
            }
        }
    }

    /// Adds an action for a webhook that gets nothing else.
    fn follow_only_action(&mut self, record: &Record) {
        let (number, epoch, action) = match &record.actual {
            Some(Actual::Open(open)) => (open.ticket_id, open.epoch, &open.action),
            Some(Actual::Closed(closed)) => (closed.ticket_id, closed.epoch, &closed.action),
            None => return,
        };
        if self.is_on() {
            self.follow_action(ReportedTicket { number, epoch }, action.as_ref());
        }
    }

    /// A claim ends a block, but the write may be refused for the same reason again. So only the
    /// outcome of the write releases the alert.
    fn follow_release(&mut self, record: &Record) {
        if record.blocked.is_none() && record.claim.is_none() && self.reported.blocked.is_some() {
            self.push(released_at(record), OutgoingEventKind::AlertReleased);
            self.reported.blocked = None;
        }
    }
}

/// The end of a block has no time of its own: it is that of the newest state, which ended it.
fn released_at(record: &Record) -> Timestamp {
    let ticket = match &record.actual {
        Some(Actual::Open(open)) => open.last_note_at.max(Some(open.opened_at)),
        Some(Actual::Closed(closed)) => Some(closed.at),
        None => None,
    };
    let desired = &record.desired;
    let last = desired.last.as_ref().map(|last| last.receipt.at);
    let resolution = desired.resolution.as_ref().map(Resolution::at);
    let newest = ticket.max(last).max(resolution);
    newest.unwrap_or(Timestamp::UNIX_EPOCH)
}
