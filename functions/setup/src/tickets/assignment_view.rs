//! The fields for the team and the owner of new tickets.

use domain::RecordId;
use maud::{Markup, html};

use crate::tickets::assignees::AssigneeOption;
use crate::tickets::view_model::{KindView, TicketBoardView};

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
    assignee_select(name, Some(label), "same as the board", chosen, options)
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
    fn a_chosen_member_that_left_is_shown_until_another_is_chosen() {
        let page = assignee_select("owner", None, "chosen by ConnectWise", Some(9), &[]);
        assert!(page.into_string().contains("number 9, cannot be used"));
    }
}
