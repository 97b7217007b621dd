//! The outgoing events of an alert: what its source is notified of, if it has a webhook. The record
//! of an alert whose source has no webhook carries nothing of this.

mod follow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::RecordId;
use crate::alert::event::Event;
use crate::alert::ticket_end::ClosedBy;
use crate::outgoing::block_reason::BlockReason;
use crate::outgoing::scope::WebhookScope;
use crate::setup::status_action::{RequestedAction, StatusAction};

/// The most events that a record keeps. Older ones were sent long ago.
const MAX_EVENTS: usize = 32;

/// The newest outgoing events of an alert, and what the last of them said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingEvents {
    /// What the source's webhook gets. If it has none, nothing is added, but the numbers go on
    /// later.
    scope: WebhookScope,
    /// The receipt of the event that said so.
    switched_at: Timestamp,
    /// The number of the newest event. Numbers begin at 1 and are never used again.
    last_sequence: u32,
    #[serde(default, skip_serializing_if = "Reported::is_nothing")]
    reported: Reported,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<OutgoingEvent>,
}

/// One outgoing event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    pub sequence: u32,
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: OutgoingEventKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum OutgoingEventKind {
    /// The alert has this new ticket.
    TicketCreated(ReportedTicket),
    /// The alert has the ticket of an earlier occurrence again.
    TicketReopened(ReportedTicket),
    TicketNoted(ReportedTicket),
    /// A technician moved the ticket to a status that asks for an action.
    TicketAction {
        #[serde(flatten)]
        ticket: ReportedTicket,
        #[serde(flatten)]
        action: StatusAction,
    },
    TicketClosed {
        #[serde(flatten)]
        ticket: ReportedTicket,
        by: ClosedBy,
    },
    /// The alert is blocked: for now it gets no ticket and no note.
    AlertBlocked {
        reason: BlockReason,
    },
    /// The alert is no longer blocked.
    AlertReleased,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedTicket {
    #[serde(rename = "ticket")]
    pub number: RecordId,
    /// The ConnectWise in which it is. Its number is another ticket in another one.
    pub epoch: u32,
}

/// What the events so far said about the alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Reported {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<ReportedTicket>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_closed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    noted_at: Option<Timestamp>,
    /// The time of the newest action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocked: Option<BlockReason>,
}

impl Reported {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl OutgoingEventKind {
    /// The ticket that it is about.
    #[must_use]
    pub fn ticket(&self) -> Option<&ReportedTicket> {
        match self {
            Self::TicketCreated(ticket)
            | Self::TicketReopened(ticket)
            | Self::TicketNoted(ticket)
            | Self::TicketAction { ticket, .. }
            | Self::TicketClosed { ticket, .. } => Some(ticket),
            Self::AlertBlocked { .. } | Self::AlertReleased => None,
        }
    }
}

impl OutgoingEvents {
    /// Starts or stops the events of a record: each event says what the webhook of its source gets. An
    /// event that was received before the last change says nothing new.
    pub(crate) fn switch(outgoing: &mut Option<Self>, event: &Event) {
        let received_at = event.receipt.at;
        match outgoing {
            None if !event.webhook.is_nothing() => {
                *outgoing = Some(Self {
                    scope: event.webhook,
                    switched_at: received_at,
                    last_sequence: 0,
                    reported: Reported::default(),
                    events: vec![],
                });
            }
            Some(known) if known.scope != event.webhook && known.switched_at < received_at => {
                if known.scope.is_nothing() || event.webhook.is_nothing() {
                    known.events.clear();
                }
                known.scope = event.webhook;
                known.switched_at = received_at;
            }
            Some(_) | None => {}
        }
    }

    /// Whether the source has a webhook.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.scope.is_nothing()
    }

    /// The number of the newest event, 0 if there was none.
    #[must_use]
    pub fn last_sequence(&self) -> u32 {
        self.last_sequence
    }

    /// The events after this number, as far as they are kept.
    #[must_use]
    pub fn after(&self, sequence: u32) -> &[OutgoingEvent] {
        let known = self
            .events
            .partition_point(|event| event.sequence <= sequence);
        self.events.get(known..).unwrap_or_default()
    }

    /// Drops the events of a record that becomes a tombstone. The numbers go on if it is raised
    /// again.
    pub(crate) fn shrink(&mut self) {
        self.events.clear();
    }

    /// Whether the newest ticket of the events is this one, at whatever address of its ConnectWise.
    fn is_reported(&self, ticket: ReportedTicket) -> bool {
        let reported = self.reported.ticket;
        reported.is_some_and(|reported| reported.number == ticket.number)
    }

    /// Adds an action that was asked for since the source takes actions.
    fn follow_action(&mut self, ticket: ReportedTicket, requested: Option<&RequestedAction>) {
        let Some(requested) = requested.filter(|of| self.reported.action_at < Some(of.at)) else {
            return;
        };
        let action = requested.action;
        if self.scope.has_action(action.kind()) && self.switched_at <= requested.at {
            self.push(
                requested.at,
                OutgoingEventKind::TicketAction { ticket, action },
            );
        }
        self.reported.action_at = Some(requested.at);
    }

    /// A ticket that the connection no longer reaches can be replaced in one write.
    fn follow_out_of_reach(&mut self, next: ReportedTicket, at: Timestamp) {
        let open = self.reported.ticket.filter(|_| !self.reported.is_closed);
        if let Some(ticket) = open.filter(|open| open.epoch != next.epoch) {
            let by = ClosedBy::OutOfReach;
            self.push(at, OutgoingEventKind::TicketClosed { ticket, by });
            self.reported.is_closed = true;
        }
    }

    fn push_ticket(&mut self, at: Timestamp, ticket: ReportedTicket, what: OutgoingEventKind) {
        self.push(at, what);
        self.reported.ticket = Some(ticket);
        self.reported.is_closed = false;
        self.reported.noted_at = None;
    }

    fn push(&mut self, at: Timestamp, what: OutgoingEventKind) {
        self.last_sequence = self.last_sequence.saturating_add(1);
        let sequence = self.last_sequence;
        self.events.push(OutgoingEvent { sequence, at, what });
        if self.events.len() > MAX_EVENTS {
            self.events.remove(0);
        }
    }
}

#[cfg(test)]
mod tests;
