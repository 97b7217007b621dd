//! The teams and members that can be chosen for a tenant, read from ConnectWise.

use aws::invocation::Invocation;
use connectwise::Client;
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::assignment::{FoundMember, TeamOnBoard, TenantAssignment};
use domain::setup::found_board::FoundTeam;
use domain::setup::settings::Settings;
use tokio::join;

use crate::http::problem::Problem;
use crate::tickets::assignment::{check_new_owner, check_new_team};
use crate::tickets::lists::{board_teams, members};

pub(crate) struct AssignmentChoices {
    /// The categories whose board is chosen.
    pub(super) boards: Vec<CategoryTeams>,
    /// `None` where the API member lacks the right to read members.
    pub(super) members: Option<Vec<FoundMember>>,
}

/// The board of a category with its teams. Both categories may use one board.
pub(super) struct CategoryTeams {
    pub(super) category: Category,
    pub(super) board: RecordId,
    /// `None` where the API member lacks the right to read them.
    pub(super) teams: Option<Vec<FoundTeam>>,
}

impl AssignmentChoices {
    pub(crate) async fn read(
        client: &Client,
        settings: &Settings,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let (operations, cyber_alerts, members) = join!(
            category_teams(client, Category::Operations, settings, invocation),
            category_teams(client, Category::CyberAlerts, settings, invocation),
            members(client, invocation.call_ends())
        );
        Ok(Self {
            boards: operations?.into_iter().chain(cyber_alerts?).collect(),
            members: members?,
        })
    }

    pub(super) fn of(&self, category: Category) -> Option<&CategoryTeams> {
        self.boards.iter().find(|of| of.category == category)
    }

    /// Checks the assignment of a request, whose members are below `field`.
    ///
    /// # Errors
    /// When the owner or a team cannot be used, or a team was chosen for another board.
    pub(crate) fn check(&self, chosen: &TenantAssignment, field: &str) -> Result<(), Problem> {
        if let Some(owner) = chosen.owner {
            let members = self.members.as_deref();
            check_new_owner((None, owner), members, &format!("{field}.owner"))?;
        }
        for (category, name, team) in [
            (Category::Operations, "operations", chosen.operations),
            (Category::CyberAlerts, "cyber_alerts", chosen.cyber_alerts),
        ] {
            let Some(TeamOnBoard { board, team }) = team else {
                continue;
            };
            let Some(of) = self.of(category).filter(|of| of.board == board) else {
                let words = "Tickets of these alerts go to another board.";
                let field = format!("{field}.{name}.board");
                return Err(Problem::invalid(field, words));
            };
            let field = format!("{field}.{name}.team");
            check_new_team((None, team), of.teams.as_deref(), &field)?;
        }
        Ok(())
    }
}

async fn category_teams(
    client: &Client,
    category: Category,
    settings: &Settings,
    invocation: &Invocation,
) -> Result<Option<CategoryTeams>, Problem> {
    let Some(board) = settings.board(category).board else {
        return Ok(None);
    };
    Ok(Some(CategoryTeams {
        category,
        board,
        teams: board_teams(client, board, invocation.call_ends()).await?,
    }))
}
