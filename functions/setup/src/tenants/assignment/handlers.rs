//! Shows and saves who gets a tenant's tickets.

use aws::invocation::Invocation;
use axum::Extension;
use domain::alert::kind::Category;
use domain::setup::assignment::{TeamOnBoard, TenantAssignment};
use domain::setup::mapping::Mapping;
use domain::{PartnerId, RecordId, TenantId};
use serde::Deserialize;
use store::{Actor, Versioned};
use tokio::try_join;

use crate::auth::session::PartnerSession;
use crate::connection::client::{Connected, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, SentChoice};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::paths::with_query;
use crate::step::SetupStep;
use crate::tenants::assignment::choices::AssignmentChoices;
use crate::tenants::assignment::view::{AssignmentView, field, render};
use crate::tickets::assignment::{check_new_owner, check_new_team};
use crate::{audit, page, paths};

#[derive(Deserialize)]
pub(crate) struct AssignmentQuery {
    tenant: TenantId,
    #[serde(flatten)]
    flash: FlashQuery,
}

#[derive(Deserialize)]
pub(crate) struct AssignmentForm {
    tenant: TenantId,
    /// A choice that is not sent stays.
    #[serde(default)]
    owner: SentChoice,
    #[serde(default)]
    operations_team: SentChoice,
    #[serde(default)]
    cyber_alerts_team: SentChoice,
    version: u64,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<AssignmentQuery>,
) -> Result<PageResponse, Problem> {
    let (stored, choices) = read(&setup, &session.partner, &query.tenant, &invocation).await?;
    let view = AssignmentView::new(query.tenant, stored, choices);
    let content = render(&view)?;
    let title = view.title();
    let step = SetupStep::Tenants;
    let page = page::within_step(&session, step, title, &query.flash, &view, &content);
    Ok(page)
}

/// Saves the choices if ConnectWise has them. One conditional write: if the process dies right
/// after, the choices are saved, and reconcile decides refused alerts at its next run.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<AssignmentForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let tenant = form.tenant.clone();
    let (stored, choices) = read(&setup, partner, &tenant, &invocation).await?;
    let version = form.version;
    let after = form.choose(&stored.value.assignment, &choices)?;
    let before = words(&stored.value.assignment, &choices);
    let mapping = Mapping {
        assignment: after,
        ..stored.value
    };
    let store = &setup.table().tenants;
    let saved = store.save(partner, &tenant, &mapping, version).await?;
    let version = saved_version(saved)?;
    let changed = |n: usize| audit::changed(&before[n], &words(&after, &choices)[n]);
    let detail = [
        ("tenant", tenant.to_string()),
        ("owner", changed(0)),
        ("team_of_operations", changed(1)),
        ("team_of_cyber_alerts", changed(2)),
    ];
    let action = (Actor::Partner, "tenant_assignment_saved");
    audit::record(&setup, partner, action, &detail, &invocation).await;
    setup.schedule().reconcile_and_probe(partner, now).await?;
    let query = [("tenant", tenant.as_str()), ("done", "saved")];
    let next = with_query(paths::TENANT_ASSIGNMENT, &query)?;
    Ok(ChangeResponse::next(next).with("version", version))
}

/// Reads a mapped tenant, and what can be chosen for it.
///
/// # Errors
/// When the tenant has no company: a team and an owner belong to the same ConnectWise as it.
async fn read(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    invocation: &Invocation,
) -> Result<(Versioned<Mapping>, AssignmentChoices), Problem> {
    let Connected { connection, client } = require_connected(setup, partner).await?;
    let (stored, settings) = try_join!(
        setup.table().tenants.get(partner, tenant),
        setup.table().settings.get(partner)
    )?;
    let mapping = stored.value.unwrap_or_default().in_epoch(connection.epoch);
    if mapping.company.is_none() {
        return Err(Problem::refused(
            "Choose a company for the tenant first. Its tickets are assigned in the same ConnectWise.",
        ));
    }
    let settings = settings.value;
    let settings = settings.filter(|settings| settings.belongs_to(connection.epoch));
    let settings = settings.unwrap_or_default();
    let choices = AssignmentChoices::read(&client, &settings, invocation).await?;
    let stored = Versioned {
        value: mapping,
        version: stored.version,
    };
    Ok((stored, choices))
}

impl AssignmentForm {
    /// The assignment after this form.
    fn choose(
        self,
        before: &TenantAssignment,
        choices: &AssignmentChoices,
    ) -> Result<TenantAssignment, Problem> {
        let owner = self.owner.or(before.owner);
        if let Some(owner) = owner {
            let members = choices.members.as_deref();
            check_new_owner((before.owner, owner), members, "owner")?;
        }
        let team = |category, sent: SentChoice| -> Result<_, Problem> {
            let Some(of) = choices.of(category) else {
                return Ok(None);
            };
            let before = before.team(category, Some(of.board));
            let Some(team) = sent.or(before) else {
                return Ok(None);
            };
            check_new_team((before, team), of.teams.as_deref(), field(category))?;
            let board = of.board;
            Ok(Some(TeamOnBoard { board, team }))
        };
        Ok(TenantAssignment {
            owner,
            operations: team(Category::Operations, self.operations_team)?,
            cyber_alerts: team(Category::CyberAlerts, self.cyber_alerts_team)?,
        })
    }
}

/// The names of owner and teams, for the history. One that cannot be read has its number.
fn words(assignment: &TenantAssignment, choices: &AssignmentChoices) -> [String; 3] {
    let member = |id: RecordId| {
        let mut members = choices.members.iter().flatten();
        let known = members.find(|member| member.id == id);
        known.map_or_else(|| format!("member {id}"), |member| member.name.clone())
    };
    let team = |category, chosen: TeamOnBoard| {
        let of = choices.of(category).filter(|of| of.board == chosen.board);
        let mut teams = of.and_then(|of| of.teams.as_ref()).into_iter().flatten();
        let known = teams.find(|team| team.id == chosen.team);
        known.map_or_else(|| format!("team {}", chosen.team), |team| team.name.clone())
    };
    let operations = assignment
        .operations
        .map(|of| team(Category::Operations, of));
    let cyber_alerts = assignment
        .cyber_alerts
        .map(|of| team(Category::CyberAlerts, of));
    [assignment.owner.map(member), operations, cyber_alerts]
        .map(|name| name.unwrap_or_else(|| audit::NONE.to_owned()))
}
