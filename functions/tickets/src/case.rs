//! One message about one alert, with what is known while it is processed.

use connections::{AlertView, ConnectionSite};
use domain::AlertKey;
use domain::alert::command::{Command, CommandAction};
use domain::alert::event::{Event, EventOrder};
use domain::alert::fold::fold;
use domain::alert::record::{OpenTicket, Record};
use domain::connection::view::ConnectionView;
use domain::ticketing::decide::can_look_up;
use domain::ticketing::ticket_index::TicketIndex;
use jiff::SignedDuration;

use crate::BatchInvocation;

/// What a message asks for.
#[derive(Debug)]
pub(crate) enum AlertRequest {
    /// Fold this event into the record.
    Event(Box<Event>),
    /// Decide again: the reason for which the alert was blocked may be over.
    Reconsider,
    /// An operator releases the alert.
    Release,
    /// Do what reconcile asks for.
    Command(Box<Command>),
}

impl AlertRequest {
    pub(crate) fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Reconsider | Self::Release | Self::Command(_) => None,
        }
    }

    pub(crate) fn order(&self) -> Option<EventOrder> {
        self.event().map(Event::order)
    }
}

/// A request, with its partner's configuration and connection as they were read for it.
pub(crate) struct AlertCase<'a> {
    pub(crate) request: &'a AlertRequest,
    pub(crate) invocation: &'a BatchInvocation,
    pub(crate) view: ConnectionView,
    pub(crate) site: Option<ConnectionSite>,
    /// Belongs to the connection's present epoch.
    pub(crate) ticket_index: Option<TicketIndex>,
}

impl<'a> AlertCase<'a> {
    /// The ticket index is set later, by [`set_ticket_index`](Self::set_ticket_index).
    pub(crate) fn new(
        request: &'a AlertRequest,
        invocation: &'a BatchInvocation,
        partner: AlertView,
    ) -> Self {
        let view = match request {
            AlertRequest::Release => partner.view.released(),
            AlertRequest::Event(_) | AlertRequest::Reconsider | AlertRequest::Command(_) => {
                partner.view
            }
        };
        Self {
            request,
            invocation,
            view,
            site: partner.site,
            ticket_index: None,
        }
    }
}

impl AlertCase<'_> {
    /// Applies the request to the stored record.
    pub(crate) fn fold(&self, stored: &Record, settle: SignedDuration) -> Record {
        let now = self.invocation.now();
        let record = match self.request {
            AlertRequest::Event(event) => fold(stored.clone(), event),
            AlertRequest::Reconsider => stored.clone(),
            AlertRequest::Command(command) => command.apply(stored.clone(), now),
            AlertRequest::Release => stored.clone().released(),
        };
        match &self.view.connection {
            Some(connection) => record
                .in_epoch(connection.epoch, settle, now)
                .renew(&connection.settings),
            None => record,
        }
    }

    /// Marks a command as applied, so that it is applied once. The record holds its effect.
    pub(crate) fn complete_command(&mut self) {
        if matches!(self.request, AlertRequest::Command(_)) {
            self.request = &AlertRequest::Reconsider;
        }
    }

    /// The ticket that the command asks to inspect, if it is still the alert's and may be read.
    pub(crate) fn ticket_to_inspect<'a>(&self, record: &'a Record) -> Option<&'a OpenTicket> {
        let AlertRequest::Command(command) = self.request else {
            return None;
        };
        let epoch = self.view.connection.as_ref().map(|live| live.epoch);
        let open = record.open().filter(|open| Some(open.epoch) == epoch)?;
        // A worker that holds the claim reads the ticket anyway.
        let is_asked_for = command.action == CommandAction::Look
            && command.applies_to(record)
            && record.claim.is_none();
        let is_possible =
            can_look_up(&self.view, self.invocation.now()) && self.invocation.has_time();
        (is_asked_for && is_possible).then_some(open)
    }

    /// Sets the partner's ticket index. An index of another epoch is ignored.
    pub(crate) fn set_ticket_index(&mut self, ticket_index: Option<TicketIndex>) {
        let epoch = self.view.connection.as_ref().map(|live| live.epoch);
        self.ticket_index = ticket_index.filter(|index| Some(index.epoch) == epoch);
        self.view.ticket_index = self.ticket_index.as_ref().map(|index| index.state);
    }

    /// A record for an alert that has none yet.
    pub(crate) fn stored_or_new(stored: Option<Record>, key: &AlertKey) -> Record {
        stored.unwrap_or_else(|| Record::new(key.clone()))
    }
}
