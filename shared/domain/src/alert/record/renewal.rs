//! When an alert that is still repeated gets a new ticket, although a person ended the last one.

use jiff::{SignedDuration, Timestamp};

use super::{Actual, Record};
use crate::setup::settings::Settings;
use crate::time::later;

impl Record {
    /// Starts the next occurrence of an alert that is still repeated long after a person closed its
    /// ticket, if the partner's settings ask for that.
    #[must_use]
    pub fn renew(mut self, settings: &Settings) -> Self {
        let renews_at = self.renews_at(settings);
        if renews_at.is_some_and(|at| self.desired.last_received_at >= Some(at)) {
            self.occurrence += 1;
        }
        self
    }

    /// From when on a repeat of an alert, whose ticket a person ended, gets a new ticket. `None` if
    /// only a raise after a resolve does.
    #[must_use]
    pub fn renews_at(&self, settings: &Settings) -> Option<Timestamp> {
        let details = self.desired.details.as_ref();
        let details = details.filter(|_| self.desired.active)?;
        let hours = settings.board(details.category).renew_after_hours;
        let Some(Actual::Closed(closed)) = self.actual.as_ref().filter(|_| hours > 0) else {
            return None;
        };
        let at = later(closed.ended_at, SignedDuration::from_hours(hours.into()));
        self.is_occurrence_over().then_some(at)
    }
}
