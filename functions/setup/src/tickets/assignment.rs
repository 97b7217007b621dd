//! The team and the owner of new tickets, as a person chooses them on "Tickets" or for a tenant.

use std::collections::BTreeMap;

use domain::setup::assignment::{
    AssigneeIssue, BoardAssignment, FoundMember, check_owner, check_team,
};
use domain::setup::found_board::FoundTeam;
use domain::setup::rights;
use domain::setup::settings::BoardTarget;
use domain::{Kind, RecordId};

use crate::connection::client::missing_right;
use crate::http::input::{OptionalId, SentChoice};
use crate::http::problem::Problem;
use crate::tickets::lists::TicketBoard;

/// What a person chose on a board, for all kinds of alert and for each. A choice that is not sent
/// stays: without the right to read the list it cannot be chosen.
pub(super) struct AssignmentChoice {
    pub(super) team: SentChoice,
    pub(super) owner: SentChoice,
    pub(super) teams: BTreeMap<Kind, OptionalId>,
    pub(super) owners: BTreeMap<Kind, OptionalId>,
}

impl AssignmentChoice {
    pub(super) fn apply(self, before: &BoardAssignment) -> BoardAssignment {
        let mut after = before.clone();
        after.all.team = self.team.or(after.all.team);
        after.all.owner = self.owner.or(after.all.owner);
        for (kind, OptionalId(team)) in self.teams {
            after.kinds.entry(kind).or_default().team = team;
        }
        for (kind, OptionalId(owner)) in self.owners {
            after.kinds.entry(kind).or_default().owner = owner;
        }
        after.kinds.retain(|_, chosen| !chosen.is_empty());
        after
    }
}

/// Checks the teams and owners of a board. `board` is `None` if it cannot be read, and `members` if
/// these cannot be read: then only the choices from before are accepted.
///
/// # Errors
/// When a choice cannot be used.
pub(super) fn check_assignment(
    field: &str,
    (before, after): (&BoardTarget, &BoardTarget),
    board: Option<&TicketBoard>,
    members: Option<&[FoundMember]>,
) -> Result<(), Problem> {
    let before = &before.assignment;
    for (kind, chosen) in after.assignment.choices() {
        let was = match kind {
            None => before.all,
            Some(kind) => before.kinds.get(kind).copied().unwrap_or_default(),
        };
        let name = |member: &str| match kind {
            None => format!("{field}[{member}]"),
            Some(kind) => format!("{field}[{member}s][{kind}]"),
        };
        if let Some(team) = chosen.team {
            if after.board.is_none() {
                let words = "No board is chosen, so ConnectWise chooses the team.";
                return Err(Problem::invalid(name("team"), words));
            }
            let teams = board.map(|board| board.parts.teams.as_slice());
            check_new_team((was.team, team), teams, &name("team"))?;
        }
        if let Some(owner) = chosen.owner {
            check_new_owner((was.owner, owner), members, &name("owner"))?;
        }
    }
    Ok(())
}

/// Checks the team that a person chose.
///
/// # Errors
/// When it is no team of the board, or the teams cannot be read and it is another one than before.
pub(crate) fn check_new_team(
    (before, team): (Option<RecordId>, RecordId),
    teams: Option<&[FoundTeam]>,
    field: &str,
) -> Result<(), Problem> {
    match teams {
        Some(teams) => check_team(team, teams).map_err(|issue| refuse("team", field, issue)),
        None if before == Some(team) => Ok(()),
        None => Err(Problem::refused(missing_right(rights::TABLES_INQUIRE))),
    }
}

/// Checks the owner that a person chose.
///
/// # Errors
/// When no person in ConnectWise has this id, or members cannot be read and it is another one than
/// before.
pub(crate) fn check_new_owner(
    (before, owner): (Option<RecordId>, RecordId),
    members: Option<&[FoundMember]>,
    field: &str,
) -> Result<(), Problem> {
    match members {
        Some(members) => check_owner(owner, members).map_err(|issue| refuse("owner", field, issue)),
        None if before == Some(owner) => Ok(()),
        None => Err(Problem::refused(missing_right(rights::MEMBERS_INQUIRE))),
    }
}

fn refuse(what: &str, field: &str, issue: AssigneeIssue) -> Problem {
    Problem::invalid(field, format!("The {what} cannot be used: {issue}."))
}
