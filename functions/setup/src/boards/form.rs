//! What a person chooses on "Boards".

use connectwise::{Department, Location, MemberRecord};
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_name::BoardName;
use serde::Deserialize;
use store::{DedicatedBoard, DedicatedBoards};

use crate::http::input::{filled, sentence};
use crate::http::problem::Problem;

#[derive(Deserialize)]
pub(crate) struct DefaultBoardForm {
    pub(super) version: u64,
}

#[derive(Deserialize)]
pub(crate) struct DedicatedBoardsForm {
    operations: DedicatedBoardForm,
    cyber_alerts: DedicatedBoardForm,
    pub(super) version: u64,
}

#[derive(Deserialize)]
struct DedicatedBoardForm {
    /// The category's usual name if left empty.
    name: Option<String>,
    location: RecordId,
    department: RecordId,
    team_lead: RecordId,
}

/// What ConnectWise offers for new boards.
pub(super) struct BoardLists {
    pub(super) locations: Vec<Location>,
    pub(super) departments: Vec<Department>,
    pub(super) members: Vec<MemberRecord>,
}

/// A location without departments may be that of an older ConnectWise, which checks them itself.
pub(super) fn has_department(location: &Location, department: RecordId) -> bool {
    location.department_ids.is_empty() || location.department_ids.contains(&department)
}

impl DedicatedBoardsForm {
    /// The names of both boards.
    ///
    /// # Errors
    /// When a name is invalid, or both are the same.
    pub(super) fn names(&self) -> Result<[BoardName; 2], Problem> {
        let operations = self
            .operations
            .board_name("operations", Category::Operations)?;
        let cyber_alerts = self
            .cyber_alerts
            .board_name("cyber_alerts", Category::CyberAlerts)?;
        if operations.is_same_as(&cyber_alerts) {
            let words = "The two boards must have different names.";
            return Err(Problem::invalid("cyber_alerts[name]", words));
        }
        Ok([operations, cyber_alerts])
    }

    /// # Errors
    /// When ConnectWise has no such location, department or active member.
    pub(super) fn check(&self, lists: &BoardLists) -> Result<(), Problem> {
        self.operations.check("operations", lists)?;
        self.cyber_alerts.check("cyber_alerts", lists)
    }

    pub(super) fn boards(
        &self,
        [operations, cyber_alerts]: &[BoardName; 2],
        epoch: u32,
    ) -> DedicatedBoards {
        DedicatedBoards {
            operations: self.operations.board(operations),
            cyber_alerts: self.cyber_alerts.board(cyber_alerts),
            epoch,
            finished: false,
        }
    }
}

impl DedicatedBoardForm {
    fn board_name(&self, field: &str, category: Category) -> Result<BoardName, Problem> {
        match filled(self.name.as_deref()) {
            None => Ok(BoardName::default_for(category)),
            Some(name) => BoardName::parse(name).map_err(|err| {
                Problem::invalid(format!("{field}[name]"), sentence(&err.to_string()))
            }),
        }
    }

    fn check(&self, field: &str, lists: &BoardLists) -> Result<(), Problem> {
        let invalid = |member, words| Err(Problem::invalid(format!("{field}[{member}]"), words));
        let mut locations = lists.locations.iter();
        let Some(location) = locations.find(|location| location.id == self.location) else {
            return invalid("location", "ConnectWise has no such location.");
        };
        let mut departments = lists.departments.iter();
        if !departments.any(|department| department.id == self.department) {
            return invalid("department", "ConnectWise has no such department.");
        }
        if !has_department(location, self.department) {
            return invalid("department", "The location does not have this department.");
        }
        let mut members = lists.members.iter();
        match members.find(|member| member.id == self.team_lead) {
            None => invalid("team_lead", "ConnectWise has no such member."),
            Some(member) if member.inactive_flag => {
                invalid("team_lead", "This member is inactive in ConnectWise.")
            }
            Some(_) => Ok(()),
        }
    }

    fn board(&self, name: &BoardName) -> DedicatedBoard {
        DedicatedBoard {
            name: name.as_str().to_owned(),
            location: self.location,
            department: self.department,
            team_lead: self.team_lead,
        }
    }
}
