//! Reads a page of the list, and one alert.

use std::collections::HashMap;

use connections::PartnerConfig;
use domain::alert::kind::KindInfo;
use domain::alert::record::Record;
use domain::setup::mapping::Mapping;
use domain::{PartnerId, SourceId, TenantId};
use futures_util::future::try_join_all;
use store::{Connection, Error, ListedAlert, TimeCursor};

use crate::activity::alert_page::AlertPageView;
use crate::activity::filter::ActivityFilter;
use crate::activity::view::{ActivityView, AlertRow, FilterOptions};
use crate::context::Setup;
use crate::http::problem::Problem;

/// Alerts on one page.
pub(super) const PAGE: usize = 50;
/// Alerts of the index that one request looks at.
const MAX_LISTED: usize = 5_000;
/// Longer than the key of an item, in bytes.
const MAX_ID: usize = 100;
/// Records that one request reads to decide what is shown.
const MAX_RECORDS: usize = 500;

/// What the list needs to know about the partner.
pub(super) struct PartnerNames {
    pub(super) connection: Option<Connection>,
    pub(super) mappings: HashMap<TenantId, Mapping>,
    pub(super) sources: HashMap<SourceId, String>,
    pub(super) kinds: Vec<KindInfo>,
}

impl PartnerNames {
    async fn read(setup: &Setup, partner: &PartnerId) -> Result<Self, Problem> {
        let config = setup.connections.partner_config(partner).await?;
        let kinds = config.kinds();
        let PartnerConfig {
            items,
            mappings,
            sources,
        } = config;
        let named = sources.into_keys().map(async |id| {
            let source = setup.access().sources.get(&id).await?.value;
            let name = source.map_or_else(|| id.to_string(), |source| source.name);
            Ok::<_, Error>((id, name))
        });
        Ok(Self {
            connection: items.connection,
            mappings: mappings.into_iter().collect(),
            sources: try_join_all(named).await?.into_iter().collect(),
            kinds,
        })
    }

    /// What a list can be filtered by, sorted by name.
    fn options(&self) -> FilterOptions {
        let sorted = |mut options: Vec<(String, String)>| {
            options.sort_by_cached_key(|(_, name)| name.to_lowercase());
            options
        };
        let tenants = self.mappings.keys();
        let sources = self.sources.iter();
        let kinds = self.kinds.iter();
        FilterOptions {
            tenants: sorted(
                tenants
                    .map(|id| (id.to_string(), self.tenant(id)))
                    .collect(),
            ),
            sources: sorted(
                sources
                    .map(|(id, name)| (id.to_string(), name.clone()))
                    .collect(),
            ),
            kinds: sorted(
                kinds
                    .map(|of| (of.kind.to_string(), of.kind.to_string()))
                    .collect(),
            ),
        }
    }

    pub(super) fn tenant(&self, tenant: &TenantId) -> String {
        let mapping = self.mappings.get(tenant);
        let name = mapping.and_then(|mapping| mapping.name.clone());
        name.unwrap_or_else(|| tenant.to_string())
    }

    pub(super) fn source(&self, source: &SourceId) -> String {
        match self.sources.get(source) {
            Some(name) => name.clone(),
            None if source.is_reserved() => "Ticketbridge".to_owned(),
            None => source.to_string(),
        }
    }

    /// The address of a ticket in ConnectWise, if the connection still reaches it.
    pub(super) fn ticket_address(&self, ticket: u64, epoch: u32) -> Option<String> {
        let of = self.connection.as_ref().filter(|of| of.epoch == epoch)?;
        let query = [
            ("service_recid", ticket.to_string()),
            ("companyName", of.company_id.clone()),
        ];
        let query = serde_qs::to_string(&std::collections::BTreeMap::from(query)).ok()?;
        Some(format!(
            "{}/v4_6_release/services/system_io/Service/fv_sr100_request.rails?{query}",
            of.origin
        ))
    }
}

/// Reads a page of the list. A filter that few alerts pass ends a page before it is full: then the
/// view says how far it looked.
pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    filter: ActivityFilter,
) -> Result<ActivityView, Problem> {
    let names = PartnerNames::read(setup, partner).await?;
    let by_time = &setup.alerts.by_time;
    let range = filter.range()?;
    let is_within = |from: &&TimeCursor| (range.begin..=range.end).contains(&from.at());
    let from = filter.from.as_ref().filter(is_within);
    let mut listed = by_time.newest(partner, range, from);
    let mut rows = vec![];
    let (mut looked_at, mut records_read) = (0, 0);
    let mut last: Option<ListedAlert> = None;
    let mut is_over = false;
    while rows.len() < PAGE && looked_at < MAX_LISTED && records_read < MAX_RECORDS && !is_over {
        let mut some = vec![];
        let room = PAGE - rows.len();
        while some.len() < room && looked_at < MAX_LISTED {
            let Some(alert) = listed.next().await? else {
                is_over = true;
                break;
            };
            looked_at += 1;
            last = Some(alert.clone());
            some.extend(Some(alert).filter(|alert| filter.admits(alert)));
        }
        if filter.needs_records() {
            records_read += some.len();
        }
        for record in by_time.records(&some).await? {
            let alert = some.iter().find(|alert| alert.key == record.key);
            let shown = alert.filter(|alert| filter.shows(alert, &record));
            rows.extend(shown.and_then(|alert| AlertRow::new(alert, &record, &names)));
        }
    }
    let next: Option<TimeCursor> = last.as_ref().filter(|_| !is_over).map(ListedAlert::cursor);
    let looked_back_to = last.filter(|_| !is_over && rows.len() < PAGE);
    Ok(ActivityView {
        looked_back_to: looked_back_to.map(|alert| alert.listed_at),
        options: names.options(),
        rows,
        next,
        filter,
    })
}

/// Reads the record of one alert of the partner.
pub(super) async fn read_record(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
) -> Result<Record, Problem> {
    let missing =
        || Problem::not_found("There is no such alert. It may have ended over 90 days ago.");
    if id.is_empty() || id.len() > MAX_ID {
        return Err(missing());
    }
    let record = setup.alerts.get_listed(id).await?;
    // The key of an item names no partner that a person can read, so it is compared here.
    let record = record.filter(|record| record.key.partner == *partner);
    record.ok_or_else(missing)
}

/// Reads one alert of the partner for its page.
pub(super) async fn read_one(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
) -> Result<AlertPageView, Problem> {
    let record = read_record(setup, partner, id).await?;
    let names = PartnerNames::read(setup, partner).await?;
    Ok(AlertPageView::new(id, &record, &names))
}
