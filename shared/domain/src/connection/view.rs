//! The view of a partner's connection and configuration on which `decide` depends.

use jiff::{SignedDuration, Timestamp};

use crate::alert::blocked::BlockClass;
use crate::alert::storm::Admission;
use crate::connection::breaker::Breaker;
use crate::maintenance::windows::MaintenanceWindows;
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::ticketing::ticket_index::TicketIndexState;
use crate::time::earlier;
use crate::{Blocked, Kind, RecordId};

/// The back-fill period. An alert that was raised longer than this before its connection, tenant,
/// kind or source was enabled waits for a person.
const BACKFILL: SignedDuration = SignedDuration::from_hours(48);

/// Whether an alert is too old for what is enabled at this time.
#[must_use]
pub fn precedes_backfill(raised_at: Timestamp, enabled_at: Timestamp) -> bool {
    raised_at < earlier(enabled_at, BACKFILL)
}

/// The state of connection and configuration for one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The confirmed connection. `None` before set-up is confirmed.
    pub connection: Option<LiveConnection>,
    /// The tenant's mapping. `None` for an unknown tenant.
    pub mapping: Option<Mapping>,
    pub breaker: Breaker,
    /// Whether the table knows every ticket there. `None` before that was checked.
    pub ticket_index: Option<TicketIndexState>,
    /// When the alert's source started to post for the partner, if recorded.
    pub source_since: Option<Timestamp>,
    /// The maintenance windows that cover the alert's tenant.
    pub maintenance: MaintenanceWindows,
    /// Which ticket the alert gets. `None` before that was decided.
    pub admission: Option<Admission>,
}

/// A confirmed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConnection {
    /// Incremented whenever the site or the company id changes. A ticket of another epoch is in
    /// another ConnectWise.
    pub epoch: u32,
    /// When it was confirmed. Alerts that were raised much earlier wait for a person.
    pub confirmed_at: Option<Timestamp>,
    pub settings: Settings,
}

impl ConnectionView {
    /// Returns the connection and the company for a new ticket of this kind.
    ///
    /// # Errors
    /// Returns why the alert is blocked.
    pub fn target(&self, kind: &Kind) -> Result<(&LiveConnection, RecordId), Blocked> {
        let connection = self.connection.as_ref().ok_or(Blocked::NotSetUp)?;
        if connection.settings.kinds_off.contains(kind) {
            return Err(Blocked::KindDisabled);
        }
        let mapping = self.mapping.as_ref().ok_or(Blocked::Unmapped)?;
        let company = mapping.company.ok_or(Blocked::Unmapped)?;
        if !mapping.enabled {
            return Err(Blocked::TenantDisabled);
        }
        Ok((connection, company))
    }

    /// Whether an alert was raised too long before its connection, tenant, kind or source was
    /// enabled, whichever was last. `blocked` is the reason of its block so far. An alert that is
    /// blocked by ConnectWise has passed this check before. A new alert depends only on the time of
    /// its source.
    #[must_use]
    pub fn is_older_than_backfill(
        &self,
        blocked: Option<&Blocked>,
        kind: &Kind,
        raised_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let connection = self.connection.as_ref();
        let confirmed = connection.and_then(|connection| connection.confirmed_at);
        let enabled = self.mapping.as_ref().and_then(|mapping| mapping.enabled_at);
        let on = connection.and_then(|connection| connection.settings.kinds_on_since.get(kind));
        let switched = confirmed
            .max(enabled)
            .max(on.copied())
            .max(self.source_since);
        let from = match blocked {
            None => self.source_since,
            Some(blocked) if matches!(blocked.class(), BlockClass::SetUp | BlockClass::Age) => {
                switched.or(Some(now))
            }
            Some(_) => None,
        };
        from.is_some_and(|from| precedes_backfill(raised_at, from))
    }

    /// The view for an alert that a person released, whatever its age, in maintenance and in an
    /// storm too.
    #[must_use]
    pub fn released(mut self) -> Self {
        if let Some(connection) = &mut self.connection {
            connection.confirmed_at = None;
            connection.settings.kinds_on_since.clear();
        }
        if let Some(mapping) = &mut self.mapping {
            mapping.enabled_at = None;
        }
        self.source_since = None;
        self.maintenance = MaintenanceWindows::default();
        self.admission = Some(Admission::OwnTicket);
        self
    }
}
