//! What a partner decided, and what `decide` may look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::breaker::Breaker;
use crate::event::Severity;
use crate::kind::Category;
use crate::ticket_index::TicketIndexState;
use crate::{Blocked, Kind, RecordId};

/// A partner's settings, made by set-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Where operations tickets go.
    pub operations: BoardTarget,
    /// Where cyber-alert tickets go.
    pub cyber_alerts: BoardTarget,
    /// Kinds that make no ticket.
    #[serde(default)]
    pub kinds_off: BTreeSet<Kind>,
    /// When kinds that were off were switched on: their alerts that were raised much earlier wait for a person.
    #[serde(default)]
    pub kinds_on_since: BTreeMap<Kind, Timestamp>,
    /// The ConnectWise priority of each severity; one that is missing is left to ConnectWise's default.
    #[serde(default)]
    pub priorities: BTreeMap<Severity, RecordId>,
    /// At most one note of repeats an alert in so many minutes.
    #[serde(default = "an_hour")]
    pub note_interval_minutes: u32,
    /// Whether the customer can read the notes; internal unless the partner says otherwise.
    #[serde(default)]
    pub notes_for_customers: bool,
    /// The connection's epoch that the numbers belong to: in another ConnectWise they name something else. Absent fits any, as it was
    /// written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

/// An alert that was raised longer than this before anything it needs was switched on waits for a person: a connection, a tenant, a kind or
/// a source.
const BACKFILL: SignedDuration = SignedDuration::from_hours(48);

impl Default for Settings {
    /// All that is optional is left to ConnectWise, every kind makes tickets, and an alert gets at most one note of repeats an hour.
    fn default() -> Self {
        Self {
            operations: BoardTarget::default(),
            cyber_alerts: BoardTarget::default(),
            kinds_off: BTreeSet::new(),
            kinds_on_since: BTreeMap::new(),
            priorities: BTreeMap::new(),
            note_interval_minutes: an_hour(),
            notes_for_customers: false,
            epoch: None,
        }
    }
}

fn an_hour() -> u32 {
    60
}

/// A board and what new tickets on it point at. What is absent is left to ConnectWise's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoardTarget {
    /// The service board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<RecordId>,
    /// The status of a new ticket; never a closed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_status: Option<RecordId>,
    /// The status that closes a ticket on this board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing_status: Option<RecordId>,
    /// The ticket type of each kind.
    #[serde(default)]
    pub types: BTreeMap<Kind, RecordId>,
    /// What happens to a ticket whose alert is gone.
    #[serde(default)]
    pub on_resolve: OnResolve,
    /// An alert that comes again within so many days after its ticket was closed opens that ticket again; 0: always a new one.
    #[serde(default)]
    pub reopen_days: u32,
    /// An alert that is still repeated so many hours after a person ended its ticket gets the next one; 0: only once it ended and came
    /// again.
    #[serde(default)]
    pub renew_after_hours: u32,
}

/// What happens to a ticket whose alert is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnResolve {
    /// It is closed.
    #[default]
    Close,
    /// It gets a note, and a person closes it.
    Note,
}

impl Settings {
    /// Whether these are for a connection of this epoch.
    #[must_use]
    pub fn is_of(&self, epoch: u32) -> bool {
        self.epoch.is_none_or(|of| of == epoch)
    }

    /// The settings with these kinds switched off and all others on. The backfill of a kind that was off begins now.
    #[must_use]
    pub fn with_kinds_off(mut self, off: BTreeSet<Kind>, now: Timestamp) -> Self {
        for kind in self.kinds_off.difference(&off) {
            self.kinds_on_since.insert(kind.clone(), now);
        }
        self.kinds_off = off;
        self
    }

    /// The board of a role.
    #[must_use]
    pub fn board(&self, category: Category) -> &BoardTarget {
        match category {
            Category::Operations => &self.operations,
            Category::CyberAlerts => &self.cyber_alerts,
        }
    }

    /// The role's board that is this one, if any: tickets may have been moved.
    #[must_use]
    pub fn board_with_id(&self, id: RecordId) -> Option<&BoardTarget> {
        [&self.operations, &self.cyber_alerts]
            .into_iter()
            .find(|target| target.board == Some(id))
    }
}

/// A tenant's place in ConnectWise. The default is a tenant that nobody has mapped yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// The company, once a person chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<RecordId>,
    /// What the company was called then, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    /// The connection's epoch that the company's number belongs to: in another ConnectWise it is somebody else's. Absent fits any, as
    /// it was written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Whether its alerts become tickets.
    #[serde(default)]
    pub enabled: bool,
    /// The tenant's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was last mapped or switched on: alerts that were raised much earlier wait for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_at: Option<Timestamp>,
}

/// A company of a partner's ConnectWise, as a person chooses it for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its number.
    pub id: RecordId,
    /// What it is called.
    pub name: String,
    /// The epoch of the connection over which it was read.
    pub epoch: u32,
}

impl Mapping {
    /// The mapping with what a person chose. Switching on what made no tickets so far begins its backfill now. Another company for a
    /// tenant that is on already does not: nothing waited for it. One of another epoch does: its alerts waited since the connection was
    /// pointed elsewhere.
    #[must_use]
    pub fn chosen(mut self, company: Option<Company>, enabled: bool, now: Timestamp) -> Self {
        let epoch = company.as_ref().map(|company| company.epoch);
        let was_live = epoch.is_some_and(|epoch| self.is_of(epoch)) && self.is_live();
        (self.company, self.company_name) = match company {
            Some(Company { id, name, .. }) => (Some(id), Some(name)),
            None => (None, None),
        };
        self.epoch = epoch;
        self.enabled = enabled;
        if self.is_live() && !was_live {
            self.enabled_at = Some(now);
        }
        self
    }

    /// The mapping as it holds over a connection of this epoch: the company of another ConnectWise is none there.
    #[must_use]
    pub fn in_epoch(self, epoch: u32) -> Self {
        if self.is_of(epoch) {
            return self;
        }
        Self {
            company: None,
            company_name: None,
            epoch: None,
            ..self
        }
    }

    fn is_of(&self, epoch: u32) -> bool {
        self.epoch.is_none_or(|of| of == epoch)
    }

    fn is_live(&self) -> bool {
        self.enabled && self.company.is_some()
    }
}

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
        from.is_some_and(|from| raised_at < from.saturating_sub(BACKFILL).unwrap_or(Timestamp::MIN))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backfill_begins_when_a_tenant_goes_live() {
        let at = |hour: i64| Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap();
        let (before, now) = (Some(at(0)), at(9));
        // What was: company, enabled, since; what is chosen: company, enabled; since when that is.
        for (was, chosen, since) in [
            // Mapped and switched on, at once or one after the other.
            ((None, false, None), (Some(301), true), Some(now)),
            ((None, false, None), (Some(301), false), None),
            ((None, true, None), (Some(301), true), Some(now)),
            ((Some(301), false, None), (Some(301), true), Some(now)),
            // Again, also with another company.
            ((Some(301), false, before), (Some(301), true), Some(now)),
            ((Some(301), false, before), (Some(302), true), Some(now)),
            ((None, true, before), (Some(301), true), Some(now)),
            // Live before and after.
            ((Some(301), true, before), (Some(301), true), before),
            ((Some(301), true, before), (Some(302), true), before),
            // Switched off, taken off the map, or never on.
            ((Some(301), true, before), (Some(301), false), before),
            ((Some(301), true, before), (None, true), before),
            ((None, false, None), (None, false), None),
        ] {
            let mapping = |id: Option<RecordId>, enabled, enabled_at| Mapping {
                company: id,
                company_name: id.map(|id| format!("Company {id}")),
                epoch: id.map(|_| 1),
                enabled,
                name: Some("Acme Dental".into()),
                enabled_at,
            };
            let ((id, enabled, enabled_at), (to, on)) = (was, chosen);
            let after = mapping(id, enabled, enabled_at).chosen(to.map(company), on, now);
            assert_eq!(after, mapping(to, on, since), "{was:?} {chosen:?}");
        }
    }

    #[test]
    fn a_backfill_of_a_kind_begins_when_it_is_switched_on() {
        let at = |hour: i64| Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap();
        let kind = |name| Kind::parse(name).unwrap();
        let settings = Settings {
            kinds_off: [kind("cpu"), kind("disk")].into(),
            ..Settings::default()
        };
        let one_on = settings.with_kinds_off([kind("disk")].into(), at(1));
        assert_eq!(one_on.kinds_on_since, [(kind("cpu"), at(1))].into());
        // Saving the same again is no switch, and off and on again is one.
        let same = one_on.with_kinds_off([kind("disk")].into(), at(2));
        assert_eq!(same.kinds_on_since, [(kind("cpu"), at(1))].into());
        let off = same.with_kinds_off([kind("disk"), kind("cpu")].into(), at(3));
        let on = off.with_kinds_off([].into(), at(4));
        assert_eq!(
            on.kinds_on_since,
            [(kind("cpu"), at(4)), (kind("disk"), at(4))].into()
        );
    }

    fn company(id: RecordId) -> Company {
        let name = format!("Company {id}");
        Company { id, name, epoch: 1 }
    }

    #[test]
    fn a_company_of_another_connectwise_is_none() {
        let at = |hour: i64| Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap();
        let mapped = Mapping::default().chosen(Some(company(301)), true, at(0));
        assert_eq!(mapped.clone().in_epoch(1), mapped);
        let elsewhere = mapped.clone().in_epoch(2);
        assert_eq!((elsewhere.company, elsewhere.enabled), (None, true));
        // Written before mappings had an epoch.
        let old = Mapping {
            epoch: None,
            ..mapped.clone()
        };
        assert_eq!(old.clone().in_epoch(2), old);

        let again = |mapping: Mapping, epoch| {
            let company = Company {
                epoch,
                ..company(301)
            };
            mapping.chosen(Some(company), true, at(9)).enabled_at
        };
        assert_eq!(again(mapped.clone(), 1), Some(at(0)));
        assert_eq!(again(mapped, 2), Some(at(9)), "its alerts waited");
        assert_eq!(again(old, 2), Some(at(0)));
    }
}
