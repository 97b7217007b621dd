//! The settings of a partner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::event::Severity;
use crate::alert::flapping::FlapRule;
use crate::alert::kind::Category;
use crate::alert::storm::StormRule;
use crate::setup::assignment::BoardAssignment;
use crate::setup::custom_fields::CustomField;
use crate::setup::status_action::{ActionKind, StatusAction};
use crate::setup::ticket_links::TicketLinks;
use crate::{Kind, RecordId};

/// The settings that a partner makes in set-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The board for operations tickets.
    pub operations: BoardTarget,
    /// The board for cyber-alert tickets.
    pub cyber_alerts: BoardTarget,
    #[serde(default)]
    pub kinds_off: BTreeSet<Kind>,
    /// When kinds were switched on again. Alerts of such a kind that were raised much earlier wait
    /// for a person.
    #[serde(default)]
    pub kinds_on_since: BTreeMap<Kind, Timestamp>,
    /// The ConnectWise priority of each severity. For a missing one, ConnectWise's default is used.
    #[serde(default)]
    pub priorities: BTreeMap<Severity, RecordId>,
    /// Whether a lower severity lowers the priority of an open ticket that no person worked on. A
    /// higher severity always raises it.
    #[serde(default)]
    pub lowers_priority: bool,
    /// The minimum number of minutes between two notes about repeats of an alert.
    #[serde(default = "one_hour")]
    pub note_interval_minutes: u32,
    /// When an alert counts as flapping. Then its ticket stays open until it is calm. Absent never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<FlapRule>,
    /// When alerts of a tenant are a storm. Then they share a ticket. Absent never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormRule>,
    /// For how many days an alert gets no ticket after a technician moved its ticket to the status
    /// for that.
    #[serde(default = "thirty_days")]
    pub wont_fix_days: u32,
    /// Whether customers can read the notes. By default they are internal.
    #[serde(default)]
    pub notes_for_customers: bool,
    /// The ConnectWise source of new tickets, such as "Email Connector".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<RecordId>,
    /// The records of its company that a new ticket is linked to.
    #[serde(default, skip_serializing_if = "TicketLinks::is_empty")]
    pub links: TicketLinks,
    /// The epoch of the connection that the ids belong to: in another ConnectWise they identify
    /// other records. Absent fits every epoch; older settings have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

impl Default for Settings {
    /// Everything optional is left to ConnectWise, every kind makes tickets, and an alert gets at
    /// most one note about repeats per hour.
    fn default() -> Self {
        Self {
            operations: BoardTarget::default(),
            cyber_alerts: BoardTarget::default(),
            kinds_off: BTreeSet::new(),
            kinds_on_since: BTreeMap::new(),
            priorities: BTreeMap::new(),
            lowers_priority: false,
            note_interval_minutes: one_hour(),
            flapping: None,
            storm: None,
            wont_fix_days: thirty_days(),
            notes_for_customers: false,
            source: None,
            links: TicketLinks::default(),
            epoch: None,
        }
    }
}

fn one_hour() -> u32 {
    60
}

fn thirty_days() -> u32 {
    30
}

/// A board and the values of new tickets on it. ConnectWise's defaults are used for absent values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BoardTarget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<RecordId>,
    /// The status of a new ticket. It is never a closed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_status: Option<RecordId>,
    /// The status that closes a ticket on this board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing_status: Option<RecordId>,
    #[serde(default)]
    pub types: BTreeMap<Kind, RecordId>,
    /// A subtype of the kind's type. Boards can demand one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subtypes: BTreeMap<Kind, RecordId>,
    /// An item of the kind's type and subtype.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<Kind, RecordId>,
    /// The statuses by which a technician asks for an action. None of them is a start or closing
    /// status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<ActionKind, RecordId>,
    /// The team and the owner of new tickets.
    #[serde(default, skip_serializing_if = "BoardAssignment::is_empty")]
    pub assignment: BoardAssignment,
    /// ConnectWise's custom fields that new tickets carry, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_fields: Vec<CustomField>,
    #[serde(default)]
    pub on_resolve: OnResolve,
    /// An alert that is raised again within this many days after its ticket was closed reopens that
    /// ticket. 0 always creates a new one.
    #[serde(default)]
    pub reopen_days: u32,
    /// An alert that is still repeated this many hours after a person closed its ticket gets a new
    /// one. 0 waits until it is resolved and raised again.
    #[serde(default)]
    pub renew_after_hours: u32,
}

/// What happens to a ticket when its alert is resolved. The most careful choice is the last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnResolve {
    #[default]
    Close,
    /// It is closed unless a person worked on it. Then it gets a note, and a person closes it.
    CloseUntouched,
    /// It gets a note, and a person closes it.
    Note,
}

/// The type of a ticket, with its subtype and item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketType {
    pub kind_type: RecordId,
    pub subtype: Option<RecordId>,
    /// Only below a subtype.
    pub item: Option<RecordId>,
}

impl BoardTarget {
    /// The type of tickets of this kind, if one is chosen.
    #[must_use]
    pub fn ticket_type(&self, kind: &Kind) -> Option<TicketType> {
        let kind_type = self.types.get(kind).copied()?;
        let subtype = self.subtypes.get(kind).copied();
        let item = subtype.and_then(|_| self.items.get(kind).copied());
        Some(TicketType {
            kind_type,
            subtype,
            item,
        })
    }
}

impl Settings {
    /// Whether these settings belong to a connection of this epoch.
    #[must_use]
    pub fn belongs_to(&self, epoch: u32) -> bool {
        self.epoch.is_none_or(|of| of == epoch)
    }

    /// Switches these kinds off and all others on. For a kind that was off, the back-fill starts
    /// now.
    #[must_use]
    pub fn with_kinds_off(mut self, off: BTreeSet<Kind>, now: Timestamp) -> Self {
        for kind in self.kinds_off.difference(&off) {
            self.kinds_on_since.insert(kind.clone(), now);
        }
        self.kinds_off = off;
        self
    }

    /// The settings without what belongs to one stage: the connection's epoch, and since when alerts
    /// of a kind become tickets.
    #[must_use]
    pub fn portable(self) -> Self {
        Self {
            epoch: None,
            kinds_on_since: BTreeMap::new(),
            ..self
        }
    }

    /// Replaces these settings of a connection by portable ones.
    #[must_use]
    pub fn with_portable(self, portable: Self, epoch: u32, now: Timestamp) -> Self {
        let off = portable.kinds_off.clone();
        let after = Self {
            epoch: Some(epoch),
            kinds_off: self.kinds_off,
            kinds_on_since: self.kinds_on_since,
            ..portable
        };
        after.with_kinds_off(off, now)
    }

    #[must_use]
    pub fn board(&self, category: Category) -> &BoardTarget {
        match category {
            Category::Operations => &self.operations,
            Category::CyberAlerts => &self.cyber_alerts,
        }
    }

    /// The board of a ticket's alert. The category is unknown if no raise was received: then the
    /// ticket's own board decides, or the one that is more careful about closing.
    #[must_use]
    pub fn board_of_ticket(
        &self,
        category: Option<Category>,
        board_id: Option<RecordId>,
    ) -> &BoardTarget {
        if let Some(category) = category {
            return self.board(category);
        }
        let found = board_id.and_then(|id| self.board_with_id(id));
        found.unwrap_or(
            match self.operations.on_resolve >= self.cyber_alerts.on_resolve {
                true => &self.operations,
                false => &self.cyber_alerts,
            },
        )
    }

    /// The action that this status asks for. A status belongs to one board in ConnectWise.
    #[must_use]
    pub fn action_of_status(&self, status: RecordId) -> Option<StatusAction> {
        let mut actions = [&self.operations, &self.cyber_alerts]
            .into_iter()
            .flat_map(|target| &target.actions);
        let (kind, _) = actions.find(|(_, of)| **of == status)?;
        Some(match kind {
            ActionKind::Acknowledge => StatusAction::Acknowledge,
            ActionKind::WontFix => StatusAction::WontFix {
                days: self.wont_fix_days,
            },
            ActionKind::Act => StatusAction::Act,
        })
    }

    /// Finds the board with this id. A ticket may have been moved to another board.
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
    use crate::setup::assignment::TenantAssignment;
    use crate::setup::mapping::ChosenCompany;
    use crate::setup::mapping::Mapping;

    #[test]
    fn a_backfill_starts_when_a_tenant_goes_live() {
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
                assignment: TenantAssignment::default(),
            };
            let ((id, enabled, enabled_at), (to, on)) = (was, chosen);
            let after = mapping(id, enabled, enabled_at).with_choice(to.map(company), on, now);
            assert_eq!(after, mapping(to, on, since), "{was:?} {chosen:?}");
        }
    }

    #[test]
    fn a_ticket_of_unknown_category_is_closed_only_if_its_board_says_so() {
        let target = |board, on_resolve| BoardTarget {
            board,
            on_resolve,
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: target(Some(2), OnResolve::Close),
            cyber_alerts: target(Some(3), OnResolve::Note),
            ..Settings::default()
        };
        let of = |category, board| settings.board_of_ticket(category, board).on_resolve;
        assert_eq!(of(Some(Category::Operations), Some(3)), OnResolve::Close);
        assert_eq!(of(None, Some(2)), OnResolve::Close);
        assert_eq!(of(None, Some(3)), OnResolve::Note);
        for board in [None, Some(9)] {
            assert_eq!(of(None, board), OnResolve::Note);
        }
    }

    #[test]
    fn a_backfill_of_a_kind_starts_when_it_is_switched_on() {
        let at = |hour: i64| Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap();
        let kind = |name| Kind::parse(name).unwrap();
        let settings = Settings {
            kinds_off: [kind("cpu"), kind("disk")].into(),
            ..Settings::default()
        };
        let one_on = settings.with_kinds_off([kind("disk")].into(), at(1));
        assert_eq!(one_on.kinds_on_since, [(kind("cpu"), at(1))].into());
        // Saving the same again changes nothing. Off and on again restarts the back-fill.
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
    fn a_company_of_another_connectwise_does_not_count() {
        let at = |hour: i64| Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap();
        let mapped = Mapping::default().with_choice(Some(company(301)), true, at(0));
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
            mapping.with_choice(Some(company), true, at(9)).enabled_at
        };
        assert_eq!(again(mapped.clone(), 1), Some(at(0)));
        assert_eq!(again(mapped, 2), Some(at(9)), "its alerts waited");
        assert_eq!(again(old, 2), Some(at(0)));
    }
}
