//! What a message asks of the worker that processes it.

use jiff::{SignedDuration, Timestamp};

use crate::Blocked;
use crate::alert::command::{Command, CommandAction};
use crate::alert::event::{Event, EventOrder};
use crate::alert::fold::fold;
use crate::alert::record::{OpenTicket, Record};
use crate::alert::source_answer::SourceAnswer;
use crate::connection::view::ConnectionView;
use crate::ticketing::decide::can_look_up;
use crate::ticketing::write_effect::end_lost_link;

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertRequest {
    /// Fold this event into the record.
    Event(Box<Event>),
    /// Decide again: the reason for which the alert was blocked may be over.
    Reconsider,
    /// An operator releases the alert.
    Release,
    /// Do what reconcile asks for.
    Command(Box<Command>),
    /// Write the source's answer to an action as a note.
    Answer(Box<SourceAnswer>),
}

impl AlertRequest {
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Reconsider | Self::Release | Self::Command(_) | Self::Answer(_) => None,
        }
    }

    #[must_use]
    pub fn order(&self) -> Option<EventOrder> {
        self.event().map(Event::order)
    }

    /// The request after its effect was stored. A command is applied once.
    #[must_use]
    pub fn once_stored(&self) -> &Self {
        match self {
            Self::Command(_) => &Self::Reconsider,
            Self::Event(_) | Self::Reconsider | Self::Release | Self::Answer(_) => self,
        }
    }

    /// The connection as this request sees it.
    #[must_use]
    pub fn view(&self, view: ConnectionView) -> ConnectionView {
        match self {
            Self::Release => view.released(),
            Self::Event(_) | Self::Reconsider | Self::Command(_) | Self::Answer(_) => view,
        }
    }

    /// Applies the request to the stored record, seen from the ConnectWise that the connection
    /// points at.
    #[must_use]
    pub fn apply(
        &self,
        stored: Record,
        view: &ConnectionView,
        settle: SignedDuration,
        now: Timestamp,
    ) -> Record {
        let record = match self {
            Self::Event(event) => fold(stored, event),
            Self::Reconsider => stored,
            Self::Command(command) => command.apply(stored, now),
            Self::Release => stored.released_by_person(now),
            Self::Answer(answer) => answer.apply(stored),
        };
        let record = end_lost_link(record, now);
        match &view.connection {
            Some(connection) => record
                .in_epoch(connection.epoch, settle, now)
                .renew(&connection.settings),
            None => record,
        }
    }

    /// Blocks the alert. Only a ticket that is still to be created needs the text.
    #[must_use]
    pub fn block(&self, record: Record, reason: Blocked, now: Timestamp) -> Record {
        let text = record.text(self.event()).cloned();
        let text = text.filter(|_| record.desired.active);
        record.with_blocked(reason, text.as_ref(), now)
    }

    /// The ticket that the command asks to inspect, if it is still the alert's and may be read.
    #[must_use]
    pub fn ticket_to_inspect<'a>(
        &self,
        record: &'a Record,
        view: &ConnectionView,
        now: Timestamp,
    ) -> Option<&'a OpenTicket> {
        let Self::Command(command) = self else {
            return None;
        };
        let epoch = view.connection.as_ref().map(|live| live.epoch);
        let open = record.open().filter(|open| Some(open.epoch) == epoch)?;
        // A worker that holds the claim reads the ticket anyway.
        let is_asked_for = command.action == CommandAction::Look
            && command.applies_to(record)
            && record.claim.is_none();
        (is_asked_for && can_look_up(view, now)).then_some(open)
    }
}
