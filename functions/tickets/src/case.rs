//! One message about one alert, with what is known while it is processed.

use connections::{AlertView, ConnectionSite};
use domain::AlertKey;
use domain::alert::record::Record;
use domain::connection::view::ConnectionView;
use domain::setup::settings::Settings;
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::ticket_index::TicketIndex;
use domain::ticketing::worker_step::{WorkerContext, WorkerStep, next_step};
use jiff::SignedDuration;

use crate::BatchInvocation;

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
        Self {
            request,
            invocation,
            view: request.view(partner.view),
            site: partner.site,
            ticket_index: None,
        }
    }
}

impl AlertCase<'_> {
    /// The settings of the connection.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        let connection = self.view.connection.as_ref();
        connection.map(|live| &live.settings)
    }

    /// Applies the request to the stored record.
    pub(crate) fn apply(&self, stored: Record, settle: SignedDuration) -> Record {
        let now = self.invocation.now();
        self.request.apply(stored, &self.view, settle, now)
    }

    /// The next step for the stored record.
    pub(crate) fn next_step(
        &self,
        stored: &Record,
        settle: SignedDuration,
        retention: SignedDuration,
    ) -> WorkerStep {
        let context = WorkerContext {
            view: &self.view,
            settle,
            retention,
            has_time: self.invocation.has_time(),
            now: self.invocation.now(),
        };
        next_step(self.request, stored, &context)
    }

    /// Marks a command as applied. The record holds its effect.
    pub(crate) fn complete_command(&mut self) {
        self.request = self.request.once_stored();
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
