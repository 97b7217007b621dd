//! The ConnectWise company of a tenant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::RecordId;

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
pub struct ChosenCompany {
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
    pub fn chosen(mut self, company: Option<ChosenCompany>, enabled: bool, now: Timestamp) -> Self {
        let epoch = company.as_ref().map(|company| company.epoch);
        let was_live = epoch.is_some_and(|epoch| self.is_of(epoch)) && self.is_live();
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
