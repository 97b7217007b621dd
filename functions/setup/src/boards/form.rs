//! What a person chooses on "Boards".

use connectwise::{Department, Location, MemberRecord};
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_issue::board_issue;
use domain::setup::board_name::BoardName;
use domain::setup::found_board::FoundBoard;
use serde::Deserialize;
use store::{DedicatedBoard, DedicatedBoards};

use crate::http::input::{OptionalId, filled, sentence};
use crate::http::problem::Problem;

/// Boards that exist. An empty choice leaves the board to ConnectWise.
#[derive(Deserialize)]
pub(crate) struct ExistingBoardsForm {
    #[serde(default)]
    pub(super) operations: OptionalId,
    #[serde(default)]
    pub(super) cyber_alerts: OptionalId,
    pub(super) version: u64,
    /// Whether the person has seen what will change.
    #[serde(default)]
    pub(super) reviewed: bool,
}

#[derive(Deserialize)]
pub(crate) struct DedicatedBoardsForm {
    operations: DedicatedBoardForm,
    cyber_alerts: DedicatedBoardForm,
    pub(super) version: u64,
    /// Whether the person has seen what will be created.
    #[serde(default)]
    pub(super) reviewed: bool,
}

#[derive(Deserialize)]
pub(crate) struct ProgressForm {
    /// How long the request may work. The page's script asks for little at a time, so that its bar
    /// moves. Without a script a person presses a button for each part.
    #[serde(default)]
    pub(super) seconds: Option<u64>,
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

impl ExistingBoardsForm {
    /// # Errors
    /// When ConnectWise has no such board, or it takes no service tickets.
    pub(super) fn check(&self, boards: &[FoundBoard]) -> Result<(), Problem> {
        for (field, chosen) in [
            ("operations", self.operations.0),
            ("cyber_alerts", self.cyber_alerts.0),
        ] {
            let Some(id) = chosen else { continue };
            let Some(board) = boards.iter().find(|board| board.id == id) else {
                let words = "The API member sees no such board in ConnectWise.";
                return Err(Problem::invalid(field, words));
            };
            if let Some(issue) = board_issue(board) {
                return Err(Problem::invalid(field, sentence(&issue.to_string())));
            }
        }
        Ok(())
    }

    /// The form's fields, to be sent again.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let id = |OptionalId(id): OptionalId| id.map_or_else(String::new, |id| id.to_string());
        vec![
            ("operations".to_owned(), id(self.operations)),
            ("cyber_alerts".to_owned(), id(self.cyber_alerts)),
            ("version".to_owned(), self.version.to_string()),
        ]
    }
}

impl DedicatedBoardsForm {
    /// The form's fields, to be sent again.
    pub(super) fn fields(
        &self,
        [operations, cyber_alerts]: &[BoardName; 2],
    ) -> Vec<(String, String)> {
        let mut fields = vec![("version".to_owned(), self.version.to_string())];
        fields.extend(self.operations.fields("operations", operations));
        fields.extend(self.cyber_alerts.fields("cyber_alerts", cyber_alerts));
        fields
    }

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

    fn fields(&self, of: &str, name: &BoardName) -> [(String, String); 4] {
        let field = |member: &str, value: String| (format!("{of}[{member}]"), value);
        [
            field("name", name.as_str().to_owned()),
            field("location", self.location.to_string()),
            field("department", self.department.to_string()),
            field("team_lead", self.team_lead.to_string()),
        ]
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
