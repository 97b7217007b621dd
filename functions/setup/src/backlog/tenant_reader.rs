//! Reads the alerts of one tenant that have no ticket, with their texts.

use std::cmp::Reverse;
use std::collections::HashMap;

use domain::alert::forecast::forecast;
use domain::alert::record::{AlertDetails, Record};
use domain::{PartnerId, TenantId};
use jiff::Timestamp;
use store::{BlockedAlert, BlockedRange};

use crate::backlog::count::Backlog;
use crate::backlog::tenant_view::{WaitingAlert, WaitingTenantView};
use crate::context::Setup;
use crate::http::problem::Problem;

/// Alerts on one page.
const PAGE: usize = 100;
/// Alerts of the tenant that one request looks at.
const MAX_LISTED: usize = 5_000;

/// A page of the tenant's alerts, from 1 on, the newest first. A page after the last one is the last
/// one.
pub(super) async fn read_tenant(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    page: usize,
    now: Timestamp,
) -> Result<WaitingTenantView, Problem> {
    let (mapping, config) = tokio::join!(
        setup.table().tenants.get(partner, tenant),
        setup.connections.shared_config(partner),
    );
    let (mapping, mut config) = (mapping?.value, config?);
    let name = mapping.as_ref().and_then(|of| of.name.clone());
    config
        .mappings
        .extend(mapping.map(|of| (tenant.clone(), of)));
    let (mut listed, is_cut) = listed_alerts(setup, partner, tenant).await?;
    let kinds = config.kinds();
    let mut views = config.views();
    let mut backlog = Backlog {
        more: is_cut,
        ..Backlog::default()
    };
    for (alert, details) in &listed {
        let fate = forecast(&alert.blocked, details, views.of(&alert.key), now);
        backlog.add(
            tenant.clone(),
            fate,
            details.kind.clone(),
            details.raised_at,
        );
    }
    listed
        .sort_by_cached_key(|(alert, details)| (Reverse(details.raised_at), alert.key.item_key()));
    let total = listed.len();
    let pages = total.div_ceil(PAGE).max(1);
    let page = page.clamp(1, pages);
    let shown: Vec<_> = listed
        .into_iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .collect();
    let ids: Vec<_> = shown
        .iter()
        .map(|(alert, _)| alert.key.item_key())
        .collect();
    let records = setup.alerts.get_all_listed(&ids).await?;
    let records: HashMap<_, Record> = records.into_iter().map(|of| (of.key.clone(), of)).collect();
    let alerts = shown.into_iter().map(|(alert, details)| {
        let fate = forecast(&alert.blocked, &details, views.of(&alert.key), now);
        WaitingAlert::new(&alert, details, &fate, records.get(&alert.key), &kinds)
    });
    Ok(WaitingTenantView {
        name,
        tenant: tenant.clone(),
        alerts: alerts.collect(),
        kinds,
        counts: backlog.tenants.remove(tenant).unwrap_or_default(),
        more: backlog.more,
        total,
        page,
        pages,
    })
}

/// The tenant's active alerts without a ticket, and whether there are more than are listed.
async fn listed_alerts(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
) -> Result<(Vec<(BlockedAlert, AlertDetails)>, bool), store::Error> {
    let mut listed = vec![];
    for range in BlockedRange::of_tenant(tenant) {
        let mut listing = setup.alerts.lists.blocked_in(partner, &range);
        while let Some(alert) = listing.next().await? {
            let is_test = alert.key.source.is_for_test_alerts();
            if alert.key.tenant != *tenant || !alert.desired.active || is_test {
                continue;
            }
            let Some(details) = alert.desired.details.clone() else {
                continue;
            };
            if listed.len() == MAX_LISTED {
                return Ok((listed, true));
            }
            listed.push((alert, details));
        }
    }
    Ok((listed, false))
}
