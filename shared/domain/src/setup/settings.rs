//! What a partner decided, and what `decide` may look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::{Kind, RecordId};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::mapping::ChosenCompany;
    use crate::setup::mapping::Mapping;

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

    fn company(id: RecordId) -> ChosenCompany {
        let name = format!("Company {id}");
        ChosenCompany { id, name, epoch: 1 }
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
            let company = ChosenCompany {
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
