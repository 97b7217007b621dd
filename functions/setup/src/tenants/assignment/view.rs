//! The page of a tenant's team and owner.

use domain::alert::kind::Category;
use domain::setup::mapping::Mapping;
use domain::{RecordId, TenantId};
use maud::{Markup, html};
use serde::Serialize;
use store::Versioned;

use crate::http::problem::Problem;
use crate::paths::{self, with_query};
use crate::tenants::assignment::choices::{AssignmentChoices, CategoryTeams};
use crate::tickets::assignees::{AssigneeOption, owner_options, team_options};
use crate::tickets::assignment_view::assignee_select;

#[derive(Serialize)]
pub(super) struct AssignmentView {
    tenant: TenantId,
    name: Option<String>,
    version: u64,
    owner: Option<RecordId>,
    /// Empty without the right to read members.
    owners: Vec<AssigneeOption>,
    /// The categories whose board is chosen.
    boards: Vec<BoardTeams>,
}

#[derive(Serialize)]
struct BoardTeams {
    category: Category,
    board: RecordId,
    team: Option<RecordId>,
    /// Empty without the right to read them.
    teams: Vec<AssigneeOption>,
}

impl AssignmentView {
    pub(super) fn new(
        tenant: TenantId,
        stored: Versioned<Mapping>,
        choices: AssignmentChoices,
    ) -> Self {
        let AssignmentChoices { boards, members } = choices;
        let Versioned {
            value: mapping,
            version,
        } = stored;
        let board = |of: CategoryTeams| BoardTeams {
            team: mapping.assignment.team(of.category, Some(of.board)),
            category: of.category,
            board: of.board,
            teams: team_options(&of.teams.unwrap_or_default()),
        };
        Self {
            tenant,
            version,
            owner: mapping.assignment.owner,
            owners: owner_options(&members.unwrap_or_default()),
            boards: boards.into_iter().map(board).collect(),
            name: mapping.name,
        }
    }

    /// The name for people.
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }
}

/// The name of the field for a category's team.
pub(super) fn field(category: Category) -> &'static str {
    match category {
        Category::Operations => "operations_team",
        Category::CyberAlerts => "cyber_alerts_team",
    }
}

pub(super) fn render(view: &AssignmentView) -> Result<Markup, Problem> {
    let tenant = with_query(paths::TENANT, &[("tenant", view.tenant.as_str())])?;
    let none = "same as its kind of alert";
    Ok(html! {
        p { "New tickets of this tenant are created with this team and owner. They take precedence over those that are chosen for a board or a kind of alert under Tickets." }
        form method="post" action=(paths::TENANT_ASSIGNMENT) {
            input type="hidden" name="tenant" value=(view.tenant);
            input type="hidden" name="version" value=(view.version);
            fieldset {
                legend { "Team and owner" }
                @for of in &view.boards {
                    @if of.teams.is_empty() {
                        p class="note" role="note" { "The team of " (alerts(of.category)) " cannot be chosen: the API member cannot read the teams of the board, or it has none." }
                    } @else {
                        label for=(field(of.category)) { "Team of " (alerts(of.category)) }
                        (assignee_select(field(of.category), None, none, of.team, &of.teams))
                    }
                }
                @if view.boards.is_empty() {
                    p class="note" role="note" { "No board is chosen, so ConnectWise chooses the team." }
                }
                @if view.owners.is_empty() {
                    p class="note" role="note" { "The owner cannot be chosen: the API member cannot read members." }
                } @else {
                    label for="owner" { "Owner" }
                    (assignee_select("owner", None, none, view.owner, &view.owners))
                }
            }
            button { "Save" }
        }
        p { a href=(tenant) { "Back to the tenant" } }
    })
}

fn alerts(category: Category) -> &'static str {
    match category {
        Category::Operations => "operations alerts",
        Category::CyberAlerts => "cyber alerts",
    }
}

#[cfg(test)]
mod tests {
    use domain::setup::assignment::{FoundMember, TeamOnBoard, TenantAssignment};
    use domain::setup::found_board::FoundTeam;

    use super::*;

    #[test]
    fn a_tenant_has_a_team_for_each_board_and_an_owner() {
        let team = FoundTeam {
            id: 41,
            name: "Operations".to_owned(),
            is_default: true,
        };
        let board = |category, board, teams| CategoryTeams {
            category,
            board,
            teams,
        };
        let stored = Versioned {
            value: Mapping {
                name: Some("Acme Dental".to_owned()),
                assignment: TenantAssignment {
                    owner: None,
                    operations: Some(TeamOnBoard {
                        board: 22,
                        team: 41,
                    }),
                    cyber_alerts: None,
                },
                ..Mapping::default()
            },
            version: 3,
        };
        let choices = AssignmentChoices {
            boards: vec![
                board(Category::Operations, 22, Some(vec![team])),
                board(Category::CyberAlerts, 23, None),
            ],
            members: Some(vec![FoundMember {
                id: 151,
                name: "Tara Smith".to_owned(),
                inactive: false,
                is_program: false,
            }]),
        };
        let view = AssignmentView::new(TenantId::parse("acme").unwrap(), stored, choices);
        let page = render(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
