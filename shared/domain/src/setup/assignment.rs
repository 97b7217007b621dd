//! Who gets a new ticket: the team and the owner that it is created with.
//!
//! A partner chooses them for a board, for a kind of alert and for a tenant. The tenant's choice
//! wins over that of the kind, and that of the kind over that of the board, for the team and the
//! owner separately. A team belongs to a board, so a tenant's team counts on its board only.
//! ConnectWise's tickets have no dispatcher: a board has one, and schedule entries dispatch a
//! ticket.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::kind::Category;
use crate::setup::found_board::FoundTeam;
use crate::{Kind, RecordId, TicketTarget};

/// The team and the owner of a ticket. ConnectWise's defaults are used for absent ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Assignee {
    /// A service team of the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<RecordId>,
    /// A member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RecordId>,
}

/// Who gets the new tickets of a board.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BoardAssignment {
    /// For kinds without a choice of their own.
    #[serde(default, skip_serializing_if = "Assignee::is_empty")]
    pub all: Assignee,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<Kind, Assignee>,
}

/// Who gets the new tickets of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TenantAssignment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RecordId>,
    /// The team of operations alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<TeamOnBoard>,
    /// The team of cyber alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cyber_alerts: Option<TeamOnBoard>,
}

/// A team, with the board for which it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TeamOnBoard {
    pub board: RecordId,
    pub team: RecordId,
}

/// A member, as ConnectWise lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMember {
    pub id: RecordId,
    /// For people.
    pub name: String,
    pub inactive: bool,
    /// An API member, which is a program.
    pub is_program: bool,
}

/// Why a team or an owner cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AssigneeIssue {
    #[error("the board has no such team")]
    NoTeam,
    #[error("ConnectWise has no such member")]
    NoMember,
    #[error("the member is inactive in ConnectWise")]
    InactiveMember,
    #[error("it is an API member")]
    ApiMember,
}

impl Assignee {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The record that a ticket refers to as this target, if it is the team or the owner.
    #[must_use]
    pub fn record(&self, target: TicketTarget) -> Option<RecordId> {
        match target {
            TicketTarget::Team => self.team,
            TicketTarget::Owner => self.owner,
            TicketTarget::Board
            | TicketTarget::Status
            | TicketTarget::Type
            | TicketTarget::Priority
            | TicketTarget::Company => None,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            team: self.team.or(other.team),
            owner: self.owner.or(other.owner),
        }
    }
}

impl BoardAssignment {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.kinds.values().all(Assignee::is_empty)
    }

    /// The choices, with the kind of each. `None` is for all kinds.
    pub fn choices(&self) -> impl Iterator<Item = (Option<&Kind>, Assignee)> {
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, chosen)| (Some(kind), *chosen));
        std::iter::once((None, self.all)).chain(kinds)
    }

    /// The owners only, for another board.
    #[must_use]
    pub fn without_teams(&self) -> Self {
        let owner = |chosen: &Assignee| Assignee {
            team: None,
            ..*chosen
        };
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, chosen)| (kind.clone(), owner(chosen)));
        Self {
            all: owner(&self.all),
            kinds: kinds.filter(|(_, chosen)| !chosen.is_empty()).collect(),
        }
    }
}

impl TenantAssignment {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The team that was chosen for a category, if it was chosen for this board.
    #[must_use]
    pub fn team(&self, category: Category, board: Option<RecordId>) -> Option<RecordId> {
        let chosen = match category {
            Category::Operations => self.operations,
            Category::CyberAlerts => self.cyber_alerts,
        };
        chosen
            .filter(|chosen| Some(chosen.board) == board)
            .map(|chosen| chosen.team)
    }

    fn on(&self, category: Category, board: Option<RecordId>) -> Assignee {
        Assignee {
            team: self.team(category, board),
            owner: self.owner,
        }
    }
}

/// Decides who gets a new ticket. Without a board no team is sent, since ConnectWise chooses the
/// board.
#[must_use]
pub fn decide_assignee(
    board: Option<RecordId>,
    of_board: &BoardAssignment,
    (category, kind): (Category, &Kind),
    tenant: &TenantAssignment,
) -> Assignee {
    let of_kind = of_board.kinds.get(kind).copied();
    let of_tenant = tenant.on(category, board);
    let chosen = of_tenant.or(of_kind.unwrap_or_default()).or(of_board.all);
    Assignee {
        team: chosen.team.filter(|_| board.is_some()),
        ..chosen
    }
}

/// Checks a team for the tickets of a board with these teams.
///
/// # Errors
/// Returns why it cannot be chosen.
pub fn check_team(team: RecordId, teams: &[FoundTeam]) -> Result<(), AssigneeIssue> {
    match teams.iter().any(|found| found.id == team) {
        true => Ok(()),
        false => Err(AssigneeIssue::NoTeam),
    }
}

/// Checks whether a member can own tickets.
///
/// # Errors
/// Returns why it cannot be chosen.
pub fn check_owner(owner: RecordId, members: &[FoundMember]) -> Result<(), AssigneeIssue> {
    let found = members.iter().find(|found| found.id == owner);
    match found {
        None => Err(AssigneeIssue::NoMember),
        Some(member) => member.check(),
    }
}

impl FoundMember {
    /// Checks whether it can own tickets.
    ///
    /// # Errors
    /// Returns why it cannot be chosen.
    pub fn check(&self) -> Result<(), AssigneeIssue> {
        match (self.is_program, self.inactive) {
            (true, _) => Err(AssigneeIssue::ApiMember),
            (false, true) => Err(AssigneeIssue::InactiveMember),
            (false, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Kind {
        Kind::parse(name).unwrap()
    }

    fn assignee(team: Option<RecordId>, owner: Option<RecordId>) -> Assignee {
        Assignee { team, owner }
    }

    fn of_board() -> BoardAssignment {
        BoardAssignment {
            all: assignee(Some(41), Some(151)),
            kinds: [
                (kind("disk"), assignee(Some(42), None)),
                (kind("dns"), assignee(None, Some(152))),
            ]
            .into(),
        }
    }

    #[test]
    fn the_narrowest_choice_decides_team_and_owner() {
        let none = TenantAssignment::default();
        let own = TenantAssignment {
            owner: Some(153),
            operations: Some(TeamOnBoard {
                board: 22,
                team: 44,
            }),
            cyber_alerts: Some(TeamOnBoard {
                board: 23,
                team: 45,
            }),
        };
        let only_team = TenantAssignment { owner: None, ..own };
        for (kind_name, tenant, expected) in [
            ("cpu", none, (Some(41), Some(151))),
            ("disk", none, (Some(42), Some(151))),
            ("dns", none, (Some(41), Some(152))),
            ("cpu", own, (Some(44), Some(153))),
            ("disk", own, (Some(44), Some(153))),
            ("dns", only_team, (Some(44), Some(152))),
        ] {
            let decided = decide_assignee(
                Some(22),
                &of_board(),
                (Category::Operations, &kind(kind_name)),
                &tenant,
            );
            let (team, owner) = expected;
            assert_eq!(decided, assignee(team, owner), "{kind_name} {tenant:?}");
        }
    }

    #[test]
    fn a_team_counts_on_its_own_board_only() {
        let of_old_board = TenantAssignment {
            owner: None,
            operations: Some(TeamOnBoard {
                board: 21,
                team: 40,
            }),
            cyber_alerts: Some(TeamOnBoard {
                board: 22,
                team: 43,
            }),
        };
        let decide = |board, category| {
            decide_assignee(board, &of_board(), (category, &kind("cpu")), &of_old_board)
        };
        assert_eq!(decide(Some(22), Category::Operations).team, Some(41));
        assert_eq!(decide(Some(22), Category::CyberAlerts).team, Some(43));
        // ConnectWise chooses the board, so no team of it is known. A member has no board.
        assert_eq!(
            decide(None, Category::Operations),
            assignee(None, Some(151))
        );
    }

    #[test]
    fn only_teams_of_the_board_and_active_people_can_be_chosen() {
        let team = |id| FoundTeam {
            id,
            name: String::new(),
            is_default: false,
        };
        assert_eq!(check_team(41, &[team(41)]), Ok(()));
        assert_eq!(check_team(42, &[team(41)]), Err(AssigneeIssue::NoTeam));
        let member = |id, inactive, is_program| FoundMember {
            id,
            name: String::new(),
            inactive,
            is_program,
        };
        let members = [
            member(151, false, false),
            member(153, true, false),
            member(181, false, true),
        ];
        for (id, issue) in [
            (151, None),
            (153, Some(AssigneeIssue::InactiveMember)),
            (181, Some(AssigneeIssue::ApiMember)),
            (154, Some(AssigneeIssue::NoMember)),
        ] {
            assert_eq!(check_owner(id, &members).err(), issue, "{id}");
        }
    }

    #[test]
    fn another_board_keeps_the_owners() {
        let moved = of_board().without_teams();
        let expected = BoardAssignment {
            all: assignee(None, Some(151)),
            kinds: [(kind("dns"), assignee(None, Some(152)))].into(),
        };
        assert_eq!(moved, expected);
    }
}
