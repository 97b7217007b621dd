//! Creates, enables and disables partners, invites them, and shows their history.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::PartnerId;
use domain::setup::access::Partner;
use domain::time::sortable;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Actor, SaveOutcome, Versioned};

use crate::audit;
use crate::auth::session;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, PathParam, QueryParams, parse_id, parse_name};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::input::ListQuery;

/// Attempts of a write that may conflict with others.
const MAX_ATTEMPTS: u32 = 5;
/// The lifetime of a link, in hours.
const LINK_HOURS: std::ops::RangeInclusive<i64> = 1..=72;
const DEFAULT_LINK_HOURS: i64 = 24;

#[derive(Serialize, JsonSchema)]
pub(super) struct PartnerResponse {
    id: PartnerId,
    name: String,
    enabled: bool,
    /// Whether it may create and change its own sources on its page.
    manages_sources: bool,
    #[schemars(with = "Timestamp")]
    made_at: String,
    version: u64,
    /// Whether a connection is stored.
    connected: bool,
    /// Whether the partner confirmed that its alerts become tickets.
    confirmed: bool,
}

impl PartnerResponse {
    async fn read(
        setup: &Setup,
        id: PartnerId,
        partner: Partner,
        version: u64,
    ) -> Result<Self, Problem> {
        let connection = setup.access().connections.get(&id).await?.value;
        Ok(Self {
            id,
            name: partner.name,
            enabled: partner.enabled,
            manages_sources: partner.manages_sources,
            // In the stored format, so that it is the same right after the creation and later.
            made_at: sortable(partner.made_at),
            version,
            connected: connection.is_some(),
            confirmed: connection.is_some_and(|connection| connection.confirmed),
        })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PartnersResponse {
    partners: Vec<PartnerResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list(
    setup: AppState,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (from, limit) = query.parse()?;
    let page = setup.access().partners.page(from.as_ref(), limit).await?;
    let entries = page.entries.into_iter();
    let partners =
        entries.map(|entry| PartnerResponse::read(&setup, entry.id, entry.value, entry.version));
    let response = PartnersResponse {
        partners: try_join_all(partners).await?,
        next: page.next.map(String::from),
    };
    Ok(json_response(StatusCode::OK, &response))
}

pub(super) async fn get(
    setup: AppState,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, partner, version) = existing(&setup, partner).await?;
    let response = PartnerResponse::read(&setup, id, partner, version).await?;
    Ok(json_response(StatusCode::OK, &response))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartnerRequest {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    enabled: Option<bool>,
    manages_sources: Option<bool>,
    /// The version that the change is for. Left out: the present one.
    version: Option<u64>,
}

/// Creates or changes a partner. Disabling is one write that also ends its links and sessions. Its
/// alerts are blocked by the next write, to its connection. If the process dies between, a repeated
/// request makes the second write, because it checks both whether or not the first changes
/// anything.
pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    Input(request): Input<PartnerRequest>,
) -> Result<Response, Problem> {
    let id: PartnerId = parse_id("partner", partner)?;
    let name = request.name.as_deref().map(|text| parse_name("name", text));
    let name = name.transpose()?;
    let Versioned { value, mut version } = setup.access().partners.get(&id).await?;
    if request.version.is_some_and(|expected| expected != version) {
        return Err(conflict());
    }
    let before = value.clone();
    let partner = match value {
        None => Partner {
            name: name.ok_or_else(|| Problem::invalid("name", "A new partner needs a name."))?,
            enabled: request.enabled.unwrap_or(true),
            made_at: invocation.now(),
            sessions_from: None,
            manages_sources: request.manages_sources.unwrap_or(false),
        },
        Some(before) => changed(&before, name, &request, &invocation),
    };
    let manages_sources = if partner.manages_sources { "yes" } else { "no" };
    let detail = [
        ("name", partner.name.clone()),
        ("manages_sources", manages_sources.to_owned()),
    ];
    let is_changed = before.as_ref() != Some(&partner);
    if is_changed {
        version = match setup.access().partners.save(&id, &partner, version).await? {
            SaveOutcome::Saved { version } => version,
            SaveOutcome::Conflict => return Err(conflict()),
        };
        let what = match (
            before.as_ref().map(|before| before.enabled),
            partner.enabled,
        ) {
            (None, _) => "partner_made",
            (Some(true), false) => "partner_switched_off",
            (Some(false), true) => "partner_switched_on",
            (Some(_), _) => "partner_changed",
        };
        let action = (Actor::Operator, what);
        audit::record(&setup, &id, action, &detail, &invocation).await;
    }
    if suspend_or_resume(&setup, &id, &invocation).await? && !is_changed {
        // The request that enabled or disabled the partner died before this.
        let what = if partner.enabled {
            "partner_switched_on"
        } else {
            "partner_switched_off"
        };
        let action = (Actor::Operator, what);
        audit::record(&setup, &id, action, &detail, &invocation).await;
    }
    let status = match before {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::OK,
    };
    let response = PartnerResponse::read(&setup, id, partner, version).await?;
    Ok(json_response(status, &response))
}

fn changed(
    before: &Partner,
    name: Option<String>,
    request: &PartnerRequest,
    invocation: &Invocation,
) -> Partner {
    let name = name.unwrap_or_else(|| before.name.clone());
    let partner = Partner {
        name,
        manages_sources: request.manages_sources.unwrap_or(before.manages_sources),
        ..before.clone()
    };
    match request.enabled {
        // Disabling a disabled partner again ends no sessions.
        Some(enabled) if enabled != partner.enabled => {
            partner.with_enabled(enabled, invocation.now())
        }
        Some(_) | None => partner,
    }
}

/// Blocks the partner's alerts while it is disabled, and unblocks them once it is enabled, by the
/// connection that decisions read. Alerts that waited for more than 48 hours by then need a
/// release. Returns whether there was anything to do.
///
/// A concurrent request that enables or disables the partner does this too. The last writer reads
/// again, so the connection ends in the partner's state.
async fn suspend_or_resume(
    setup: &Setup,
    id: &PartnerId,
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let access = setup.access();
    let mut done = false;
    for _ in 0..MAX_ATTEMPTS {
        let enabled = access.partners.get(id).await?.value;
        let enabled = enabled.is_some_and(|partner| partner.enabled);
        let Versioned { value, version } = access.connections.get(id).await?;
        let Some(mut connection) = value.filter(|connection| connection.suspended == enabled)
        else {
            if done && enabled {
                // If the process dies before this, the alerts are decided at the partner's next
                // regular reconcile run.
                let now = invocation.now();
                setup.schedule().reconcile_and_probe(id, now).await?;
            }
            return Ok(done);
        };
        connection.suspended = !enabled;
        if enabled && connection.confirmed {
            connection.confirmed_at = Some(invocation.now());
        }
        let saved = access.connections.save(id, &connection, version).await?;
        done |= saved != SaveOutcome::Conflict;
    }
    Err(conflict())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLinkRequest {
    #[schemars(range(min = 1, max = 72))]
    hours: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct NewLinkResponse {
    url: String,
    #[schemars(with = "Timestamp")]
    expires_at: String,
}

/// Creates a link to the partner's page. Only this response contains its token.
pub(super) async fn new_link(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    Input(request): Input<NewLinkRequest>,
) -> Result<Response, Problem> {
    let (id, partner, _) = existing(&setup, partner).await?;
    let hours = request.hours.unwrap_or(DEFAULT_LINK_HOURS);
    if !LINK_HOURS.contains(&hours) {
        return Err(Problem::invalid("hours", "It is a number from 1 to 72."));
    }
    if !partner.enabled {
        return Err(Problem::refused(
            "The partner is disabled, so its links open nothing.",
        ));
    }
    let lifetime = SignedDuration::from_hours(hours);
    let (url, link) = session::new_link(&setup, &id, lifetime, &invocation).await?;
    let expires_at = sortable(link.expires_at);
    let action = (Actor::Operator, "link_made");
    let detail = [("expires_at", expires_at.clone())];
    audit::record(&setup, &id, action, &detail, &invocation).await;
    let response = NewLinkResponse { url, expires_at };
    Ok(json_response(StatusCode::CREATED, &response))
}

/// Ends all links and sessions of the partner.
pub(super) async fn end_sessions(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    setup
        .access()
        .partners
        .end_sessions(&id, invocation.now())
        .await?;
    let action = (Actor::Operator, "sessions_ended");
    audit::record(&setup, &id, action, &[], &invocation).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AuditResponse {
    entries: Vec<store::AuditEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn history(
    setup: AppState,
    PathParam(partner): PathParam,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let (from, limit) = query.parse()?;
    let page = setup.access().audit.page(&id, from.as_ref(), limit).await?;
    let response = AuditResponse {
        entries: page.entries,
        next: page.next.map(String::from),
    };
    Ok(json_response(StatusCode::OK, &response))
}

pub(super) async fn existing(
    setup: &Setup,
    partner: String,
) -> Result<(PartnerId, Partner, u64), Problem> {
    let id: PartnerId = parse_id("partner", partner)?;
    let Versioned { value, version } = setup.access().partners.get(&id).await?;
    let missing = || Problem::not_found(format!("There is no partner {id}."));
    let partner = value.ok_or_else(missing)?;
    Ok((id, partner, version))
}

pub(super) fn conflict() -> Problem {
    Problem::version_conflict(
        "The partner was changed since this version. Get it again, and repeat the change.",
    )
}
