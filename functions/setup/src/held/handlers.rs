//! Approves held closings.

use aws::invocation::Invocation;
use axum::Extension;
use domain::TenantId;
use jiff::Timestamp;
use serde::Deserialize;
use store::Actor;

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::response::ChangeResponse;

/// What the page showed when the person pressed the button.
#[derive(Debug, Deserialize)]
pub(crate) struct ApprovalForm {
    tenant: TenantId,
    /// The digest of the set of alerts that the page showed.
    digest: String,
    since: Timestamp,
}

/// Approves exactly what the person saw: the same set of alerts of the same hold. Another set of
/// the same size is rejected. Approving again is harmless. If the process dies right after the
/// write, the closings are approved, and reconcile closes the tickets at its next run.
pub(crate) async fn approve(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ApprovalForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner, tenant) = (setup.table(), &session.partner, &form.tenant);
    let held = table.closing_holds.get_held(partner).await?.remove(tenant);
    // A later hold concerns other closings.
    let held = held.filter(|held| held.since == form.since);
    let held = held.ok_or_else(|| {
        Problem::outdated(
            "These closings are no longer the ones that you saw. Nothing was approved. Open the overview again.",
        )
    })?;
    let done = ChangeResponse::next("overview?done=closings_approved");
    let is_same = held.digest == form.digest;
    if held.approved.is_some() && is_same {
        return Ok(done);
    }
    let (shown, now) = ((form.digest.as_str(), form.since), invocation.now());
    if !is_same
        || !table
            .closing_holds
            .approve(partner, tenant, shown, now)
            .await?
    {
        return Err(Problem::outdated(
            "The alerts that would count as resolved are no longer the ones that you saw. Nothing was approved. Open the overview again.",
        ));
    }
    let action = (Actor::Partner, "closings_approved");
    let detail = [
        ("tenant", tenant.to_string()),
        ("closings", held.closings.to_string()),
        ("open", held.open.to_string()),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    setup.connections.schedule.reconcile(partner, now).await?;
    Ok(done)
}
