//! Mappings: the ConnectWise company of each tenant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::setup::assignment::TenantAssignment;
use crate::{RecordId, TenantId};

/// The mapping of a tenant. The default is a tenant that is not mapped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mapping {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<RecordId>,
    /// The company's name at that time, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    /// The epoch of the connection that the company's id belongs to: in another ConnectWise it
    /// identifies another company. Absent fits every epoch; older mappings have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    #[serde(default)]
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was last mapped or enabled. Alerts that were raised much earlier wait for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_at: Option<Timestamp>,
    /// The team and the owner of its tickets. Their ids belong to the same connection as that of
    /// the company, so a tenant without a company has none.
    #[serde(default, skip_serializing_if = "TenantAssignment::is_empty")]
    pub assignment: TenantAssignment,
}

/// A company that a person chose for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenCompany {
    pub id: RecordId,
    pub name: String,
    /// The epoch of the connection that read it.
    pub epoch: u32,
}

impl Mapping {
    /// Applies a choice. The same choice again changes nothing. If the tenant made no tickets so far,
    /// the back-fill starts now. Another company for an enabled tenant does not restart it, since no alert waited. A company
    /// of another epoch does, since alerts have waited since the connection was changed.
    #[must_use]
    pub fn with_choice(
        mut self,
        company: Option<ChosenCompany>,
        enabled: bool,
        now: Timestamp,
    ) -> Self {
        let epoch = company.as_ref().map(|company| company.epoch);
        let is_same_connectwise = epoch.is_some_and(|epoch| self.belongs_to(epoch));
        let was_live = is_same_connectwise && self.is_live();
        if !is_same_connectwise {
            self.assignment = TenantAssignment::default();
        }
        (self.company, self.company_name) = match company {
            Some(ChosenCompany { id, name, .. }) => (Some(id), Some(name)),
            None => (None, None),
        };
        self.epoch = epoch;
        self.enabled = enabled;
        if self.is_live() && !was_live {
            self.enabled_at = Some(now);
        }
        self
    }

    /// Whether the tenant is on once another company is chosen for it, unless a person decides
    /// otherwise: a tenant that was switched off stays off. A tenant without a company was never on.
    #[must_use]
    pub fn is_on_after_choice(&self) -> bool {
        self.enabled || self.company.is_none()
    }

    /// The tenant's name for people.
    #[must_use]
    pub fn title<'a>(&'a self, tenant: &'a TenantId) -> &'a str {
        self.name.as_deref().unwrap_or(tenant.as_str())
    }

    /// The mapping for a connection of this epoch. A company of another ConnectWise is removed.
    #[must_use]
    pub fn in_epoch(self, epoch: u32) -> Self {
        if self.belongs_to(epoch) {
            return self;
        }
        Self {
            company: None,
            company_name: None,
            epoch: None,
            assignment: TenantAssignment::default(),
            ..self
        }
    }

    fn belongs_to(&self, epoch: u32) -> bool {
        self.epoch.is_none_or(|of| of == epoch)
    }

    fn is_live(&self) -> bool {
        self.enabled && self.company.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(id: RecordId, epoch: u32) -> Option<ChosenCompany> {
        let name = "Contoso".to_owned();
        Some(ChosenCompany { id, name, epoch })
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn a_repeated_choice_changes_nothing() {
        let first = Mapping::default().with_choice(company(19, 1), true, at(0));
        assert_eq!(first.enabled_at, Some(at(0)));
        let again = first.clone().with_choice(company(19, 1), true, at(60));
        assert_eq!(again, first);
        let off = first.with_choice(None, false, at(60));
        assert_eq!(off.clone().with_choice(None, false, at(90)), off);
    }

    #[test]
    fn an_assignment_stays_with_the_companies_of_one_connection() {
        let assignment = TenantAssignment {
            owner: Some(151),
            ..TenantAssignment::default()
        };
        let mapped = Mapping {
            assignment,
            ..Mapping::default().with_choice(company(19, 1), true, at(0))
        };
        let after = |chosen| mapped.clone().with_choice(chosen, true, at(60)).assignment;
        assert_eq!(after(company(20, 1)), assignment);
        assert!(after(company(20, 2)).is_empty());
        assert!(after(None).is_empty());
        assert_eq!(mapped.clone().in_epoch(1).assignment, assignment);
        assert!(mapped.in_epoch(2).assignment.is_empty());
    }

    #[test]
    fn a_company_of_another_connection_restarts_the_back_fill() {
        let mapped = Mapping::default().with_choice(company(19, 1), true, at(0));
        let moved = mapped.with_choice(company(19, 2), true, at(60));
        assert_eq!(moved.epoch, Some(2));
        assert_eq!(moved.enabled_at, Some(at(60)));
    }
}
