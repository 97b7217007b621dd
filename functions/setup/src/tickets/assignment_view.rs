//! The fields for the team and the owner of new tickets.

use domain::RecordId;
use domain::setup::assignment::FoundMember;
use domain::setup::found_board::FoundTeam;
use maud::{Markup, html};
use serde::Serialize;

use crate::tickets::view::{KindView, TicketBoardView};

/// A team or a member that can be chosen.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AssigneeOption {
    id: RecordId,
    name: String,
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

/// The fields of one board. Without a board no team can be chosen, and without `owners` no owner.
pub(super) fn assignment_fields(
    field: &str,
    board: &TicketBoardView,
    owners: &[AssigneeOption],
) -> Markup {
    let has_teams = !board.teams.is_empty();
    let has_owners = !owners.is_empty();
    let is_open = |kind: &KindView| kind.team.is_some() || kind.owner.is_some();
    html! {
        @if has_teams || has_owners {
            fieldset {
                legend { "Team and owner" }
                small { "New tickets are created with them. Due dates and the SLA stay with ConnectWise." }
                @if has_teams {
                    (labelled(&format!("{field}[team]"), "Team of a new ticket", board.team, &board.teams))
                }
                @if has_owners {
                    (labelled(&format!("{field}[owner]"), "Owner of a new ticket", board.owner, owners))
                }
                details open[board.kinds.iter().any(is_open)] {
                    summary { "Another team or owner for a kind of alert" }
                    table class="cards" {
                        thead {
                            tr {
                                th scope="col" { "Kind" }
                                @if has_teams { th scope="col" { "Team" } }
                                @if has_owners { th scope="col" { "Owner" } }
                            }
                        }
                        tbody {
                            @for kind in &board.kinds {
                                tr {
                                    th scope="row" { (kind.name) }
                                    @if has_teams {
                                        td data-label="Team" { (of_kind(&format!("{field}[teams][{}]", kind.kind), &format!("Team of {}", kind.name), kind.team, &board.teams)) }
                                    }
                                    @if has_owners {
                                        td data-label="Owner" { (of_kind(&format!("{field}[owners][{}]", kind.kind), &format!("Owner of {}", kind.name), kind.owner, owners)) }
                                    }
                                }
                            }
                        }
                    }
                    small { "A tenant can have its own team and owner: choose them on the tenant's page." }
                }
            }
        }
    }
}

fn labelled(
    name: &str,
    label: &str,
    chosen: Option<RecordId>,
    options: &[AssigneeOption],
) -> Markup {
    html! {
        label for=(name) { (label) }
        (assignee_select(name, None, "chosen by ConnectWise", chosen, options))
    }
}

fn of_kind(
    name: &str,
    label: &str,
    chosen: Option<RecordId>,
    options: &[AssigneeOption],
) -> Markup {
    assignee_select(name, Some(label), "as for the board", chosen, options)
}

/// A list of teams or members. A chosen one that is not listed stays until another is chosen.
pub(crate) fn assignee_select(
    name: &str,
    label: Option<&str>,
    none: &str,
    chosen: Option<RecordId>,
    options: &[AssigneeOption],
) -> Markup {
    let unlisted = chosen.filter(|id| !options.iter().any(|option| option.id == *id));
    html! {
        select id=(name) name=(name) aria-label=[label] {
            option value="" selected[chosen.is_none()] { (none) }
            @if let Some(id) = unlisted { option value=(id) selected { "number " (id) ", cannot be used" } }
            @for option in options {
                option value=(option.id) selected[chosen == Some(option.id)] { (option.name) }
            }
        }
    }
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

    #[test]
    fn a_chosen_member_that_left_is_shown_until_another_is_chosen() {
        let page = assignee_select("owner", None, "chosen by ConnectWise", Some(9), &[]);
        assert!(page.into_string().contains("number 9, cannot be used"));
    }
}
