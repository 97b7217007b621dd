//! How a partner does, for the operator: its connection, its waiting alerts and its open tickets.
//! It only reads.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use connections::{PartnerConfig, read_waiting};
use domain::PartnerId;
use domain::monitoring::waiting::WaitingSummary;
use domain::setup::access::Partner;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use store::TimeRange;

use crate::context::{AppState, Setup};
use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::partners::existing;
use crate::overview::reader::{issue, read_health, waiting_view};
use crate::overview::view::IssueView;
use crate::partner_names::PartnerNames;
use crate::tenants::reader::read_tenants;

/// Most records that are read to count the open tickets.
const MAX_READ: usize = 20_000;

/// Whether alerts of a partner become tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PartnerCondition {
    /// The operator disabled the partner.
    Suspended,
    /// No ConnectWise is connected.
    NotConnected,
    /// The partner has not confirmed its set-up.
    NotConfirmed,
    /// Something delays or prevents tickets.
    Issue,
    Good,
}

/// How a partner does.
#[derive(Serialize, JsonSchema)]
pub(super) struct PartnerStatusResponse {
    id: PartnerId,
    name: String,
    condition: PartnerCondition,
    /// What is wrong with the connection or the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    issue: Option<IssueView>,
    /// When ConnectWise last accepted the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<Timestamp>,
    waiting: WaitingResponse,
    open_tickets: u64,
    /// Whether all records were read. If not, `open_tickets` is a minimum.
    open_tickets_complete: bool,
    /// When the newest raise of an alert was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_alert_at: Option<Timestamp>,
}

/// What becomes a ticket only after a person acts.
#[derive(Serialize, JsonSchema)]
struct WaitingResponse {
    /// Alerts and messages.
    count: u64,
    /// Whether all of them were read. If not, `count` is a minimum.
    complete: bool,
    /// The worst first.
    points: Vec<WaitingPointResponse>,
}

#[derive(Serialize, JsonSchema)]
struct WaitingPointResponse {
    what: String,
    to_do: String,
}

pub(super) async fn get(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, partner, _) = existing(&setup, partner).await?;
    let (config, health, open, last_alert_at) = tokio::join!(
        read_tenants(&setup, &id, invocation.now()),
        read_health(&setup, &id),
        count_open(&setup, &id),
        last_alert_at(&setup, &id, invocation.now()),
    );
    let (_, config) = config?;
    let (open_tickets, open_tickets_complete) = open?;
    let waiting = read_waiting(&setup.alerts, setup.table(), &id, &config).await?;
    let is_set_up = condition_of_set_up(&partner, &config);
    let breaker = config.items.breaker.clone();
    let names = PartnerNames::read(setup.access(), config).await?;
    let issue = match is_set_up {
        None => issue(health.as_ref(), breaker.as_ref(), &names),
        Some(_) => None,
    };
    let condition = match (is_set_up, &issue) {
        (Some(condition), _) => condition,
        (None, Some(_)) => PartnerCondition::Issue,
        (None, None) => PartnerCondition::Good,
    };
    let response = PartnerStatusResponse {
        id,
        name: partner.name,
        condition,
        issue,
        accepted_at: health.and_then(|health| health.taken_at),
        waiting: waiting_response(&waiting, &names),
        open_tickets,
        open_tickets_complete,
        last_alert_at: last_alert_at?,
    };
    Ok(json_response(StatusCode::OK, &response))
}

/// Why nothing becomes a ticket yet; `None` for a partner that is live.
fn condition_of_set_up(partner: &Partner, config: &PartnerConfig) -> Option<PartnerCondition> {
    let connection = config.items.connection.as_ref();
    match connection {
        _ if !partner.enabled => Some(PartnerCondition::Suspended),
        None => Some(PartnerCondition::NotConnected),
        Some(connection) if connection.suspended => Some(PartnerCondition::Suspended),
        Some(connection) if !connection.confirmed => Some(PartnerCondition::NotConfirmed),
        Some(_) => None,
    }
}

fn waiting_response(waiting: &WaitingSummary, names: &PartnerNames) -> WaitingResponse {
    let points = waiting_view(waiting, names).points.into_iter();
    WaitingResponse {
        count: waiting.items.iter().map(|item| item.count).sum(),
        complete: waiting.is_complete && waiting.unlisted == 0,
        points: points
            .map(|point| WaitingPointResponse {
                what: point.what,
                to_do: point.to_do,
            })
            .collect(),
    }
}

/// The number of open tickets, and whether all records were read.
async fn count_open(setup: &Setup, partner: &PartnerId) -> Result<(u64, bool), store::Error> {
    let (mut open, mut read) = (0, 0);
    for mut records in setup.alerts.lists.open_and_blocked(partner) {
        while let Some(record) = records.next().await? {
            if read == MAX_READ {
                return Ok((open, false));
            }
            read += 1;
            open += u64::from(record.open().is_some());
        }
    }
    Ok((open, true))
}

async fn last_alert_at(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<Option<Timestamp>, store::Error> {
    let range = TimeRange {
        begin: Timestamp::UNIX_EPOCH,
        end: now,
    };
    let mut newest = setup.alerts.by_time.newest(partner, range, None);
    Ok(newest.next().await?.map(|alert| alert.listed_at))
}
