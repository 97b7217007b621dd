//! The teams and members that new tickets can be assigned to.

use domain::RecordId;
use domain::setup::assignment::FoundMember;
use domain::setup::found_board::FoundTeam;
use serde::Serialize;

/// A team or a member that can be chosen.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AssigneeOption {
    pub(super) id: RecordId,
    pub(super) name: String,
}

/// The teams of a board, by name.
pub(crate) fn team_options(teams: &[FoundTeam]) -> Vec<AssigneeOption> {
    let teams = teams.iter().map(|team| (team.id, &team.name));
    sorted(teams)
}

/// The members that can own tickets, by name.
pub(crate) fn owner_options(members: &[FoundMember]) -> Vec<AssigneeOption> {
    let usable = members.iter().filter(|member| member.check().is_ok());
    sorted(usable.map(|member| (member.id, &member.name)))
}

fn sorted<'a>(found: impl Iterator<Item = (RecordId, &'a String)>) -> Vec<AssigneeOption> {
    let options = found.map(|(id, name)| AssigneeOption {
        id,
        name: name.clone(),
    });
    let mut options: Vec<_> = options.collect();
    options.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_can_own_tickets_are_offered_by_name() {
        let member = |id, name: &str, inactive, is_program| FoundMember {
            id,
            name: name.to_owned(),
            inactive,
            is_program,
        };
        let members = [
            member(3, "Tara Smith", false, false),
            member(2, "Otto Timer", true, false),
            member(4, "Jonas Miller", false, false),
            member(5, "Ticketbridge", false, true),
        ];
        let offered: Vec<_> = owner_options(&members).iter().map(|of| of.id).collect();
        assert_eq!(offered, [4, 3]);
    }
}
