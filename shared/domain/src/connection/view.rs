//! What `decide` knows of a partner's connection and configuration.

use jiff::{SignedDuration, Timestamp};

use crate::connection::breaker::Breaker;
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::ticketing::ticket_index::TicketIndexState;
use crate::time::earlier;
use crate::{Blocked, Kind, RecordId};

/// An alert that was raised longer than this before anything it needs was switched on waits for a person: a connection, a tenant, a kind or
/// a source.
const BACKFILL: SignedDuration = SignedDuration::from_hours(48);

/// What stands between an alert and its ticket, as `decide` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The confirmed connection; none before set-up is confirmed.
    pub connection: Option<LiveConnection>,
    /// The tenant's mapping; none for a tenant that nobody has seen before.
    pub mapping: Option<Mapping>,
    /// Whether its ConnectWise may be called.
    pub breaker: Breaker,
    /// Whether the table knows of every ticket there; none before the first look.
    pub ticket_index: Option<TicketIndexState>,
    /// When the alert's source began to post for the partner; none where that is not recorded.
    pub source_since: Option<Timestamp>,
}

/// A confirmed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConnection {
    /// Raised whenever the site or the company id changes: a ticket of another epoch is in another ConnectWise.
    pub epoch: u32,
    /// When it was confirmed: alerts that were raised much earlier wait for a person.
    pub confirmed_at: Option<Timestamp>,
    /// The partner's settings.
    pub settings: Settings,
}

impl ConnectionView {
    /// The company that a new ticket of this kind goes to, or why there can be none.
    ///
    /// # Errors
    /// The reason that blocks the alert.
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

    /// Whether an alert was raised too long before the last thing that it needs was switched on: connection, tenant, kind or source.
    /// `blocked` is why it waits so far. An alert that waits for ConnectWise was let through by set-up before. A new alert has met no
    /// other switch than its source's.
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
            Some(blocked) if blocked.waits_for_set_up() => switched.or(Some(now)),
            Some(_) => None,
        };
        from.is_some_and(|from| raised_at < earlier(from, BACKFILL))
    }

    /// The view of an alert that a person released: it may be as old as it is.
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
        self
    }
}
