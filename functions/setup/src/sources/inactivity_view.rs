//! What the page says about inactive sources and tenants, on Overview and on the page of a source.

use std::collections::{BTreeMap, HashMap};

use domain::monitoring::health::Health;
use domain::monitoring::issue::Issue;
use domain::setup::mapping::Mapping;
use domain::{SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::sources::one_path;
use crate::step::SetupStep;

/// Tenants that Overview names of one source. The page of the source names all.
pub(crate) const NAMED_ON_OVERVIEW: usize = 10;

#[derive(Serialize)]
pub(crate) struct InactiveSourceView {
    pub(crate) source: SourceId,
    pub(crate) name: String,
    pub(crate) since: Timestamp,
}

/// The tenants for which a source has sent nothing for too long.
#[derive(Serialize)]
pub(crate) struct InactiveTenantsView {
    pub(crate) source: SourceId,
    pub(crate) name: String,
    pub(crate) tenants: Vec<InactiveTenantRow>,
    /// How many more there are.
    pub(crate) more: usize,
    /// The page of the source, which names all.
    pub(crate) path: String,
}

#[derive(Serialize)]
pub(crate) struct InactiveTenantRow {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    /// The day, for people.
    pub(crate) since: String,
}

/// The inactive sources of the open incident, each with the time of its last message.
pub(crate) fn inactive_sources(health: &Health) -> BTreeMap<SourceId, Timestamp> {
    let since = |issue: &Issue| {
        let Issue::InactiveSource { source, since } = issue else {
            return None;
        };
        Some((source.clone(), *since))
    };
    issues(health).filter_map(since).collect()
}

/// The inactive tenants of the open incident, by source, with at most `max` of each. The names of
/// the sources are not filled in.
pub(crate) fn inactive_tenants(
    health: &Health,
    mappings: &HashMap<TenantId, Mapping>,
    max: usize,
) -> Result<BTreeMap<SourceId, InactiveTenantsView>, Problem> {
    let mut views = BTreeMap::<SourceId, InactiveTenantsView>::new();
    for issue in issues(health) {
        let Issue::InactiveTenant {
            source,
            tenant,
            since,
        } = issue
        else {
            continue;
        };
        let path = one_path(source)?;
        let view = views
            .entry(source.clone())
            .or_insert_with(|| InactiveTenantsView {
                source: source.clone(),
                name: source.to_string(),
                tenants: vec![],
                more: 0,
                path,
            });
        if view.tenants.len() == max {
            view.more += 1;
            continue;
        }
        let mapping = mappings.get(tenant);
        let name = mapping.and_then(|of| of.name.as_ref().or(of.company_name.as_ref()));
        view.tenants.push(InactiveTenantRow {
            name: name.map_or_else(|| tenant.to_string(), Clone::clone),
            tenant: tenant.clone(),
            since: since.to_string(),
        });
    }
    Ok(views)
}

fn issues(health: &Health) -> impl Iterator<Item = &Issue> {
    let incident = health.open_sources_incident();
    incident.into_iter().flat_map(|incident| &incident.issues)
}

pub(crate) fn render_source(view: &InactiveSourceView) -> Markup {
    html! {
        p class="problem" {
            "No message from " b { (view.name) } " has arrived since " (page::time(view.since))
            ". Check at the vendor that it is switched on and still has the address and secret of this source. Other sources are not affected."
        }
    }
}

pub(crate) fn render_tenants(view: &InactiveTenantsView) -> Markup {
    html! {
        p class="problem" {
            b { (view.name) } " has sent nothing for "
            @for (n, tenant) in view.tenants.iter().enumerate() {
                @if n > 0 { ", " }
                b { (tenant.name) } " since " (tenant.since)
            }
            @if view.more > 0 { ", and for " a href=(view.path) { (counted(view.more as u64, "other tenant")) } }
            ". Check at the vendor that these customers are still connected. If you no longer look after one, switch it off under "
            a href=(SetupStep::Tenants.path()) { "Tenants" } "."
        }
    }
}
