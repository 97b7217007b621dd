//! Shows alerts without a ticket, and releases those that need a person's decision.

use aws::invocation::Invocation;
use axum::Extension;
use domain::wire::message::Message;
use domain::{Blocked, PartnerId, TenantId};
use serde::Deserialize;
use store::{Actor, BlockedRange};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::backlog::count::{Assumption, count_backlog};
use crate::backlog::view::{BacklogView, render};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

/// Alerts that one request releases: ConnectWise's limit of calls a minute.
const MAX_RELEASED: usize = 300;

/// Reasons that need a person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReleaseReason {
    /// Raised before the backfill.
    Older,
    /// Rejected by ConnectWise.
    Rejected,
}

impl ReleaseReason {
    fn is(self, blocked: &Blocked) -> bool {
        match self {
            Self::Older => *blocked == Blocked::OlderThanBackfill,
            Self::Rejected => matches!(blocked, Blocked::Rejected(_)),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct ReleaseForm {
    /// All tenants if absent.
    tenant: Option<TenantId>,
    reason: ReleaseReason,
}

#[derive(Deserialize)]
pub(crate) struct BacklogQuery {
    /// The page starts after this tenant.
    from: Option<TenantId>,
    done: Option<String>,
}

/// Shows the alerts without a ticket, and why.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<BacklogQuery>,
) -> Result<PageResponse, Problem> {
    let now = invocation.now();
    let backlog = count_backlog(&setup, &session.partner, Assumption::None, now).await?;
    let view = BacklogView::new(backlog, query.from);
    let content = render(&view)?;
    let flash = FlashQuery::new(query.done);
    let page = page::step(&session, SetupStep::Waiting, &flash, &view, &content);
    Ok(page)
}

/// Releases alerts of one tenant or of all. Releasing them again is harmless: each is decided by
/// its state at that time.
pub(crate) async fn release(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ReleaseForm>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let (messages, left) = releases(&setup, partner, &form).await?;
    if messages.is_empty() {
        return Err(Problem::refused(
            "None of these alerts waits for you just now. Load the page again in a minute.",
        ));
    }
    let tenant = form.tenant.map(|tenant| tenant.to_string());
    let action = (Actor::Partner, "released");
    let detail = [
        ("tenant", tenant.unwrap_or_else(|| "all".to_owned())),
        ("alerts", messages.len().to_string()),
    ];
    // Recorded before the messages are sent: nothing is released without a record, and a repeated
    // release is recorded twice.
    audit::record(&setup, partner, action, &detail, &invocation).await;
    setup.queue.send_all(&messages).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue messages");
        Problem::unavailable(
            "Not all alerts could be released. Press the button again in a moment.",
        )
    })?;
    let next = match left {
        0 => "waiting?done=released",
        _ => "waiting?done=released_some",
    };
    Ok(ChangeResponse::next(next)
        .with("released", messages.len())
        .with("left", left))
}

/// The messages that release the alerts, and how many alerts are left for another request.
async fn releases(
    setup: &Setup,
    partner: &PartnerId,
    form: &ReleaseForm,
) -> Result<(Vec<Message>, u64), store::Error> {
    let (mut messages, mut left) = (Vec::new(), 0_u64);
    for stretch in BlockedRange::all_from(None) {
        let mut listing = setup.alerts.lists.blocked_in(partner, &stretch);
        while let Some(listed) = listing.next().await? {
            let tenant = form.tenant.as_ref();
            if tenant.is_some_and(|tenant| *tenant != listed.key.tenant)
                || !form.reason.is(&listed.blocked.reason)
            {
                continue;
            }
            if messages.len() == MAX_RELEASED {
                left += 1;
            } else {
                messages.push(Message::Release(listed.key));
            }
        }
    }
    Ok((messages, left))
}
