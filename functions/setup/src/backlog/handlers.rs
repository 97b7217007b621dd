//! Shows alerts without a ticket, and releases those that need a person's decision.

use aws::invocation::Invocation;
use axum::Extension;
use domain::alert::blocked::BlockedSince;
use domain::wire::message::Message;
use domain::{Blocked, PartnerId, TenantId};
use serde::Deserialize;
use store::{Actor, BlockedRange};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::backlog::count::{CountedTenants, count_backlog};
use crate::backlog::tenant_reader::read_tenant;
use crate::backlog::tenant_view::render_tenant;
use crate::backlog::view::{BacklogView, render};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;

/// Alerts that one request releases: ConnectWise's limit of calls a minute.
const MAX_RELEASED: usize = 300;
/// Longer than the key of an item, in bytes.
const MAX_KEY: usize = 100;

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
    /// Which alerts to release together.
    reason: Option<ReleaseReason>,
    /// Single alerts to release, by the keys of their items.
    #[serde(default)]
    alerts: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct WaitingTenantQuery {
    tenant: TenantId,
    /// From 1 on.
    page: Option<usize>,
    done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct BacklogQuery {
    /// From 1 on.
    page: Option<usize>,
    done: Option<String>,
}

/// Shows the alerts without a ticket, and why.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<BacklogQuery>,
) -> Result<PageResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let (_, config) = read_tenants(&setup, partner, now).await?;
    let backlog = count_backlog(&setup, partner, &config, CountedTenants::All, now).await?;
    let view = BacklogView::new(
        backlog,
        &config.mappings,
        config.kinds(),
        query.page.unwrap_or(1),
    );
    let content = render(&view)?;
    let flash = FlashQuery::new(query.done);
    let page = page::step(&session, SetupStep::Waiting, &flash, &view, &content);
    Ok(page)
}

/// Shows the alerts of one tenant with their texts.
pub(crate) async fn show_tenant(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<WaitingTenantQuery>,
) -> Result<PageResponse, Problem> {
    let (partner, page) = (&session.partner, query.page.unwrap_or(1));
    let view = read_tenant(&setup, partner, &query.tenant, page, invocation.now()).await?;
    let content = render_tenant(&view)?;
    let flash = FlashQuery::new(query.done);
    let title = format!("Waiting alerts of {}", view.title());
    let step = SetupStep::Waiting;
    let page = page::within_step(&session, step, &title, &flash, &view, &content);
    Ok(page)
}

/// Releases single alerts, or alerts of one tenant or of all together. Releasing them again is harmless: each is decided by
/// its state at that time.
pub(crate) async fn release(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ReleaseForm>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let (messages, left) = match form.reason {
        Some(reason) => releases(&setup, partner, form.tenant.as_ref(), reason).await?,
        None if form.alerts.is_empty() => {
            let words = "Choose at least one alert.";
            return Err(Problem::invalid("alerts[]", words));
        }
        None => (single_releases(&setup, partner, &form.alerts).await?, 0),
    };
    if messages.is_empty() {
        return Err(Problem::refused(
            "None of these alerts waits for you just now. Load the page again in a minute.",
        ));
    }
    let tenant = form.tenant.as_ref().map(TenantId::to_string);
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
    let done = match left {
        0 => "released",
        _ => "released_some",
    };
    let next = match (&form.tenant, form.reason) {
        (Some(tenant), None) => with_query(
            paths::WAITING_TENANT,
            &[("tenant", tenant.as_str()), ("done", done)],
        )?,
        (Some(_) | None, _) => with_query(SetupStep::Waiting.path(), &[("done", done)])?,
    };
    Ok(ChangeResponse::next(next)
        .with("released", messages.len())
        .with("left", left))
}

/// The messages that release the alerts, and how many alerts are left for another request.
async fn releases(
    setup: &Setup,
    partner: &PartnerId,
    tenant: Option<&TenantId>,
    reason: ReleaseReason,
) -> Result<(Vec<Message>, u64), store::Error> {
    let (mut messages, mut left) = (Vec::new(), 0_u64);
    for stretch in BlockedRange::all_from(None) {
        let mut listing = setup.alerts.lists.blocked_in(partner, &stretch);
        while let Some(listed) = listing.next().await? {
            if tenant.is_some_and(|tenant| *tenant != listed.key.tenant)
                || !reason.is(&listed.blocked.reason)
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

/// The messages that release those of these alerts that belong to the partner and wait for a person.
async fn single_releases(
    setup: &Setup,
    partner: &PartnerId,
    ids: &[String],
) -> Result<Vec<Message>, Problem> {
    if ids.len() > MAX_RELEASED {
        let words = format!("Choose at most {MAX_RELEASED} alerts.");
        return Err(Problem::invalid("alerts[]", words));
    }
    let is_key = |id: &&String| (1..=MAX_KEY).contains(&id.len());
    let ids: Vec<_> = ids.iter().filter(is_key).cloned().collect();
    let records = setup.alerts.get_all_listed(&ids).await?;
    let waits = records.into_iter().filter(|record| {
        let blocked = record.blocked.as_ref();
        // The key of an item names no partner that a person can read, so it is compared here.
        record.key.partner == *partner && blocked.is_some_and(BlockedSince::can_be_released)
    });
    Ok(waits.map(|record| Message::Release(record.key)).collect())
}
