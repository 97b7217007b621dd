//! Reads a page of the list, and one alert.

use domain::alert::blocked::BlockedSince;
use domain::alert::record::Record;
use domain::ticketing::refused_writes::RefusalGroups;
use domain::{PartnerId, TenantId};
use jiff::Timestamp;
use store::{ListedAlert, TimeCursor};

use crate::activity::alert_page::AlertPageView;
use crate::activity::filter::ActivityFilter;
use crate::activity::next_step::{NextStep, NextStepContext};
use crate::activity::view::{ActivityView, AlertRow, FilterOptions};
use crate::context::Setup;
use crate::held;
use crate::http::problem::Problem;
use crate::kind_names::kind_name;
use crate::partner_names::PartnerNames;
use crate::tenants::reader::read_tenants;
use crate::tenants::search::MAX_OPTIONS;

/// Alerts on one page.
pub(super) const PAGE: usize = 50;
/// Alerts of the index that one request looks at.
const MAX_LISTED: usize = 5_000;
/// Longer than the key of an item, in bytes.
const MAX_ID: usize = 100;
/// Records that one request reads to decide what is shown.
const MAX_RECORDS: usize = 500;

/// What a list can be filtered by, sorted by name.
fn options(names: &PartnerNames) -> FilterOptions {
    let sorted = |mut options: Vec<(String, String)>| {
        options.sort_by_cached_key(|(_, name)| name.to_lowercase());
        options
    };
    let tenants = names.mappings.keys();
    let sources = names.sources.iter();
    let kinds = names.kinds.iter();
    FilterOptions {
        tenants: match names.mappings.len() {
            0..=MAX_OPTIONS => Some(sorted(
                tenants
                    .map(|id| (id.to_string(), names.tenant(id)))
                    .collect(),
            )),
            _ => None,
        },
        sources: sorted(
            sources
                .map(|(id, name)| (id.to_string(), name.clone()))
                .collect(),
        ),
        kinds: sorted(
            kinds
                .map(|of| (of.kind.to_string(), kind_name(of, &names.kinds)))
                .collect(),
        ),
    }
}

pub(crate) async fn names(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<PartnerNames, Problem> {
    let (_, config) = read_tenants(setup, partner, now).await?;
    Ok(PartnerNames::read(setup.access(), config).await?)
}

/// An alert that passed the filter.
pub(crate) struct FoundAlert {
    pub(crate) listed: ListedAlert,
    pub(crate) record: Record,
}

/// A page of the alerts that passed a filter, the newest first.
pub(crate) struct FoundAlerts {
    pub(crate) alerts: Vec<FoundAlert>,
    pub(crate) next: Option<TimeCursor>,
    /// How far the list was looked at, if the page is not full.
    pub(crate) looked_back_to: Option<Timestamp>,
}

/// Finds a page of alerts. A filter that few alerts pass ends a page before it is full.
pub(crate) async fn find(
    setup: &Setup,
    partner: &PartnerId,
    filter: &ActivityFilter,
    tenant: Option<&TenantId>,
) -> Result<FoundAlerts, Problem> {
    let by_time = &setup.alerts.by_time;
    let range = filter.range()?;
    let is_within = |from: &&TimeCursor| (range.begin..=range.end).contains(&from.at());
    let from = filter.from.as_ref().filter(is_within);
    let mut listed = by_time.newest(partner, range, from);
    let mut alerts = vec![];
    let (mut looked_at, mut records_read) = (0, 0);
    let mut last: Option<ListedAlert> = None;
    let mut is_over = false;
    while alerts.len() < PAGE && looked_at < MAX_LISTED && records_read < MAX_RECORDS && !is_over {
        let mut some = vec![];
        let room = PAGE - alerts.len();
        while some.len() < room && looked_at < MAX_LISTED {
            let Some(alert) = listed.next().await? else {
                is_over = true;
                break;
            };
            looked_at += 1;
            last = Some(alert.clone());
            some.extend(Some(alert).filter(|alert| filter.admits(alert, tenant)));
        }
        if filter.needs_records() {
            records_read += some.len();
        }
        for record in by_time.records(&some).await? {
            let alert = some.iter().find(|alert| alert.key == record.key);
            let shown = alert.filter(|alert| filter.shows(alert, &record));
            alerts.extend(shown.cloned().map(|listed| FoundAlert { listed, record }));
        }
    }
    let next: Option<TimeCursor> = last.as_ref().filter(|_| !is_over).map(ListedAlert::cursor);
    let looked_back_to = last.filter(|_| !is_over && alerts.len() < PAGE);
    Ok(FoundAlerts {
        looked_back_to: looked_back_to.map(|alert| alert.listed_at),
        alerts,
        next,
    })
}

/// Reads a page of the list. If the page is not full, the view says how far it looked.
pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    filter: ActivityFilter,
    now: Timestamp,
) -> Result<ActivityView, Problem> {
    let names = names(setup, partner, now).await?;
    let tenant = filter.find_tenant(&names.mappings);
    let tenant = match filter.range().and(tenant) {
        Ok(tenant) => tenant,
        Err(problem) => {
            return Ok(ActivityView {
                rows: vec![],
                next: None,
                looked_back_to: None,
                options: options(&names),
                problem: Some(problem),
                filter,
            });
        }
    };
    let found = find(setup, partner, &filter, tenant.as_ref()).await?;
    let rows = found.alerts.iter();
    let rows = rows.filter_map(|of| AlertRow::new(&of.listed, &of.record, &names));
    Ok(ActivityView {
        looked_back_to: found.looked_back_to,
        options: options(&names),
        rows: rows.collect(),
        next: found.next,
        problem: None,
        filter,
    })
}

/// Reads the record of one alert of any partner.
pub(crate) async fn any_record(setup: &Setup, id: &str) -> Result<Record, Problem> {
    if id.is_empty() || id.len() > MAX_ID {
        return Err(no_such_alert());
    }
    let record = setup.alerts.get_listed(id).await?;
    record.ok_or_else(no_such_alert)
}

fn no_such_alert() -> Problem {
    Problem::not_found("There is no such alert. It may have ended long ago.")
}

/// Reads the record of one alert of the partner.
pub(super) async fn read_record(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
) -> Result<Record, Problem> {
    let record = any_record(setup, id).await?;
    // The key of an item names no partner that a person can read, so it is compared here.
    match record.key.partner == *partner {
        true => Ok(record),
        false => Err(no_such_alert()),
    }
}

/// Reads one alert of the partner for its page.
pub(super) async fn read_one(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
    now: Timestamp,
) -> Result<AlertPageView, Problem> {
    let record = read_record(setup, partner, id).await?;
    view_of(setup, id, &record, now).await
}

/// The page of the alert with this record.
pub(crate) async fn view_of(
    setup: &Setup,
    id: &str,
    record: &Record,
    now: Timestamp,
) -> Result<AlertPageView, Problem> {
    let (partner, tenant) = (&record.key.partner, &record.key.tenant);
    let table = setup.table();
    // Of all mappings the page needs one.
    let (config, mapping, held, refusals) = tokio::join!(
        setup.connections.shared_config(partner),
        table.tenants.get(partner, tenant),
        table.closing_holds.get_held(partner),
        refusals(setup, record),
    );
    let (mut config, mapping, mut held) = (config?, mapping?.value, held?);
    config
        .mappings
        .extend(mapping.map(|mapping| (tenant.clone(), mapping)));
    let context = NextStepContext {
        settings: config.items.settings.clone(),
        breaker: config.items.breaker.clone(),
        refusals: refusals?,
    };
    let names = PartnerNames::read(setup.access(), config).await?;
    held.retain(|of, _| of == tenant);
    let held = held::view::views(held, &names.mappings);
    let next = NextStep::of(record, &context, now);
    Ok(AlertPageView::new(id, record, &names, (next, held)))
}

/// The retries of what ConnectWise refused, if the alert is refused.
async fn refusals(setup: &Setup, record: &Record) -> Result<RefusalGroups, store::Error> {
    let blocked = record.blocked.as_ref();
    if !blocked.is_some_and(BlockedSince::is_refusal) {
        return Ok(RefusalGroups::default());
    }
    let progress = setup.schedule().reconcile_progress(&record.key.partner);
    Ok(progress.await?.refusals)
}
