//! Changes of many mappings that a person looks over and then confirms together.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::monitoring::issue::CompanyIssue;
use crate::setup::mapping::Mapping;
use crate::{RecordId, TenantId};

/// Changes of one part. A part is one page for a person, and ConnectWise reads its companies in one
/// call.
pub const CHANGES_OF_PART: usize = 100;
/// Errors that are stored. A person corrects the file and sends it again.
pub const MAX_LINE_ERRORS: usize = 100;

/// Where changes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOrigin {
    /// Tenants whose name is that of exactly one company.
    ExactMatches,
    Csv,
}

/// The changes of a partner that were prepared last, without the changes themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantChanges {
    pub origin: ChangeOrigin,
    /// When they were prepared. Their parts carry the same time.
    pub prepared_at: Timestamp,
    /// The epoch of the connection that the companies belong to.
    pub epoch: u32,
    pub parts: u32,
    pub changes: usize,
    /// Lines of the file that change nothing.
    pub unchanged: usize,
    /// Lines that cannot be used.
    pub invalid: usize,
    /// The first of them.
    pub errors: Vec<LineError>,
    /// The places in the list, from 0 on, of the changes that the person left out.
    #[serde(default)]
    pub left_out: BTreeSet<usize>,
    /// When a person confirmed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The part that is made next.
    pub next: u32,
    pub applied: usize,
    pub refused: usize,
    /// When the last part was made, or a person stopped them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// A line of a file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    /// From 1 on.
    pub line: u64,
    pub problem: String,
}

/// A mapping as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantChange {
    pub tenant: TenantId,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the mapping that the change was prepared from.
    pub version: u64,
    pub company: RecordId,
    pub company_name: String,
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ChangeOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOutcome {
    Applied,
    /// Another change of the tenant was saved since the preview.
    Conflict,
    /// No ticket can be created for the company.
    Unusable(CompanyIssue),
}

impl TenantChanges {
    /// The places in the list of a part's changes.
    pub fn places(part: u32) -> std::ops::RangeFrom<usize> {
        usize::try_from(part)
            .unwrap_or(usize::MAX)
            .saturating_mul(CHANGES_OF_PART)..
    }

    /// How many changes are made once they are confirmed.
    #[must_use]
    pub fn included(&self) -> usize {
        self.changes.saturating_sub(self.left_out.len())
    }

    /// Leaves out the changes of a part whose places are not among those that are included.
    #[must_use]
    pub fn with_included(mut self, part: u32, included: &BTreeSet<usize>) -> Self {
        let places = Self::places(part).take(CHANGES_OF_PART);
        for place in places.filter(|place| *place < self.changes) {
            if included.contains(&place) {
                self.left_out.remove(&place);
            } else {
                self.left_out.insert(place);
            }
        }
        self
    }

    /// Whether a person has still to confirm them, or they are not all made.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.finished_at.is_none() && self.changes > 0
    }

    /// Whether they are confirmed and not all made.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.confirmed_at.is_some() && self.finished_at.is_none()
    }
}

impl TenantChange {
    /// The name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }

    /// Whether the mapping is as the change makes it: then the change was made before the process
    /// died.
    #[must_use]
    pub fn is_made(&self, mapping: &Mapping, epoch: u32) -> bool {
        mapping.company == Some(self.company)
            && mapping.enabled == self.enabled
            && mapping.epoch == Some(epoch)
    }
}
