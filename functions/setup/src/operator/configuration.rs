//! What a partner chose on its page about its ConnectWise, for the operator: how tickets look, and
//! the company of each tenant. It has no keys. The ids mean something in this ConnectWise alone, so
//! it can be stored only for a partner that is connected to the same one.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use connectwise::{COMPANIES_AT_ONCE, Client};
use domain::setup::assignment::TenantAssignment;
use domain::setup::mapping::{ChosenCompany, Mapping};
use domain::setup::settings::Settings;
use domain::{PartnerId, RecordId, TenantId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Actor, Connection, SaveOutcome};

use crate::audit;
use crate::connection::client::{Connected, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{LargeInput, PathParam, parse_line};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::json_response;
use crate::operator::partners::existing;
use crate::tenants::assignment::choices::AssignmentChoices;
use crate::tenants::companies::{company_statuses, describe_issue};
use crate::tickets::custom_fields::resolve;
use crate::tickets::form::{check, check_limits};
use crate::tickets::lists::ticket_lists;

/// Tenants of one request.
const MAX_TENANTS: usize = 500;
/// Tenants that are saved at once.
const AT_ONCE: usize = 16;
/// ConnectWise's longest name of a company, and the longest of a tenant.
const MAX_NAME: usize = 250;

/// What a partner chose about its ConnectWise.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConfigurationResponse {
    /// The ConnectWise that the ids belong to. Absent before it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    connectwise: Option<ConnectWiseSite>,
    /// How tickets look. Absent before boards are chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    /// Sorted by id.
    tenants: Vec<TenantConfiguration>,
}

/// Identifies a ConnectWise.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConnectWiseSite {
    /// `scheme://host[:port]`.
    origin: String,
    /// The login company.
    company_id: String,
}

/// A tenant and its company in ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TenantConfiguration {
    id: TenantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Absent for a tenant that is not mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    /// Whether its alerts become tickets.
    enabled: bool,
    /// The team and the owner of its tickets. Absent: as for the board and the kind of alert.
    #[serde(default, skip_serializing_if = "TenantAssignment::is_empty")]
    assignment: TenantAssignment,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigurationRequest {
    connectwise: ConnectWiseSite,
    /// Absent: it stays as it is.
    settings: Option<Settings>,
    /// Other tenants stay as they are.
    #[serde(default)]
    tenants: Vec<TenantConfiguration>,
}

/// What a request changed.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConfigurationChanges {
    settings_changed: bool,
    tenants_changed: usize,
}

impl ConnectWiseSite {
    fn of(connection: &Connection) -> Self {
        Self {
            origin: connection.origin.clone(),
            company_id: connection.company_id.clone(),
        }
    }
}

impl TenantConfiguration {
    fn new(id: TenantId, mapping: Mapping) -> Self {
        Self {
            id,
            name: mapping.name,
            company: mapping.company,
            company_name: mapping.company_name,
            enabled: mapping.enabled,
            assignment: mapping.assignment,
        }
    }
}

pub(super) async fn get(
    setup: AppState,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let connection = setup.access().connections.get(&id).await?.value;
    let epoch = connection.as_ref().map(|connection| connection.epoch);
    let settings = setup.table().settings.get(&id).await?.value;
    let settings = settings.filter(|of| epoch.is_some_and(|epoch| of.belongs_to(epoch)));
    let mappings = setup.table().tenants.get_all(&id).await?.into_iter();
    let tenants: BTreeMap<_, _> = mappings.collect();
    let tenants = tenants.into_iter().map(|(tenant, mapping)| {
        let mapping = match epoch {
            Some(epoch) => mapping.in_epoch(epoch),
            None => mapping,
        };
        TenantConfiguration::new(tenant, mapping)
    });
    let response = ConfigurationResponse {
        connectwise: connection.as_ref().map(ConnectWiseSite::of),
        settings: settings.map(Settings::portable),
        tenants: tenants.collect(),
    };
    Ok(json_response(StatusCode::OK, &response))
}

/// Stores settings and mappings, after ConnectWise confirmed that it has what they name. If the
/// process dies in between, a repeated request stores the rest.
pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    LargeInput(request): LargeInput<ConfigurationRequest>,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let Connected { connection, client } = require_connected(&setup, &id).await?;
    let site = ConnectWiseSite::of(&connection);
    if site != request.connectwise {
        return Err(Problem::invalid(
            "connectwise",
            format!(
                "These choices belong to {} ({}), and the partner is connected to {} ({}). Their ids mean other records there.",
                request.connectwise.origin,
                request.connectwise.company_id,
                site.origin,
                site.company_id
            ),
        ));
    }
    check_tenants(&request.tenants)?;
    let companies = check_companies(&client, &request.tenants, &invocation).await?;
    check_assignments(
        &setup,
        (&id, &connection, &client),
        (request.settings.as_ref(), &request.tenants),
        &invocation,
    )
    .await?;
    let settings_changed = match request.settings {
        Some(settings) => {
            let epoch = connection.epoch;
            save_settings(&setup, &id, &client, (settings, epoch), &invocation).await?
        }
        None => false,
    };
    let tenants_changed = save_tenants(
        &setup,
        &id,
        (request.tenants, &companies, connection.epoch),
        &invocation,
    )
    .await?;
    if settings_changed || tenants_changed > 0 {
        let action = (Actor::Operator, "configuration_imported");
        let yes_no = if settings_changed { "yes" } else { "no" };
        let detail = [
            ("settings_changed", yes_no.to_owned()),
            ("tenants_changed", tenants_changed.to_string()),
        ];
        audit::record(&setup, &id, action, &detail, &invocation).await;
        let now = invocation.now();
        setup.schedule().reconcile_and_probe(&id, now).await?;
    }
    let response = ConfigurationChanges {
        settings_changed,
        tenants_changed,
    };
    Ok(json_response(StatusCode::OK, &response))
}

fn check_tenants(tenants: &[TenantConfiguration]) -> Result<(), Problem> {
    if tenants.len() > MAX_TENANTS {
        let detail = format!("A request has at most {MAX_TENANTS} tenants: send several.");
        return Err(Problem::invalid("tenants", detail));
    }
    for (n, tenant) in tenants.iter().enumerate() {
        if tenants.iter().take(n).any(|other| other.id == tenant.id) {
            return Err(Problem::invalid(
                format!("tenants[{n}].id"),
                "It is named twice.",
            ));
        }
        if let Some(name) = &tenant.name {
            parse_line(&format!("tenants[{n}].name"), name, MAX_NAME)?;
        }
    }
    Ok(())
}

/// The names of the companies. Each must be one for which tickets can be created.
async fn check_companies(
    client: &Client,
    tenants: &[TenantConfiguration],
    invocation: &Invocation,
) -> Result<BTreeMap<RecordId, String>, Problem> {
    let mut ids: Vec<_> = tenants.iter().filter_map(|tenant| tenant.company).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = BTreeMap::new();
    if ids.is_empty() {
        return Ok(names);
    }
    let statuses = company_statuses(client, invocation).await?;
    for some in ids.chunks(COMPANIES_AT_ONCE) {
        let found = client.companies_with(some, invocation.call_ends()).await?;
        for id in some {
            let company = found.iter().find(|company| company.id == *id);
            let issue = match company {
                None => Some("not found in ConnectWise"),
                Some(company) => company.unfit(&statuses).map(describe_issue),
            };
            if let Some(issue) = issue {
                let n = tenants.iter().position(|of| of.company == Some(*id));
                let field = format!("tenants[{}].company", n.unwrap_or_default());
                let detail = format!("The company {id} is {issue}.");
                return Err(Problem::invalid(field, detail));
            }
            names.extend(company.map(|company| (*id, company.name.clone())));
        }
    }
    Ok(names)
}

/// Checks teams and owners of tenants. The boards are those of the request's settings, or else the
/// present ones.
async fn check_assignments(
    setup: &Setup,
    (partner, connection, client): (&PartnerId, &Connection, &Client),
    (settings, tenants): (Option<&Settings>, &[TenantConfiguration]),
    invocation: &Invocation,
) -> Result<(), Problem> {
    if tenants.iter().all(|tenant| tenant.assignment.is_empty()) {
        return Ok(());
    }
    let stored = setup.table().settings.get(partner).await?.value;
    let stored = stored.filter(|of| of.belongs_to(connection.epoch));
    let settings = settings.cloned().or(stored).unwrap_or_default();
    let choices = AssignmentChoices::read(client, &settings, invocation).await?;
    for (n, tenant) in tenants.iter().enumerate() {
        choices.check(&tenant.assignment, &format!("tenants[{n}].assignment"))?;
    }
    Ok(())
}

/// Returns whether anything changed.
async fn save_settings(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    (settings, epoch): (Settings, u32),
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let store = &setup.table().settings;
    let stored = store.get(partner).await?;
    let before = stored.value.filter(|of| of.belongs_to(epoch));
    let is_stored = |settings: &Settings| {
        before.clone().map(Settings::portable) == Some(settings.clone().portable())
    };
    if is_stored(&settings) {
        return Ok(false);
    }
    check_limits(&settings)?;
    let lists = ticket_lists(client, &settings, invocation.call_ends()).await?;
    let settings = resolve(&Settings::default(), settings, &lists)?;
    check(&Settings::default(), &settings, &lists)?;
    // Custom fields of a file are found by their captions, so the ids may be those of before.
    if is_stored(&settings) {
        return Ok(false);
    }
    let before = before.unwrap_or_default();
    let after = before.with_portable(settings, epoch, invocation.now());
    saved_version(store.save(partner, &after, stored.version).await?)?;
    Ok(true)
}

/// Returns how many tenants changed.
async fn save_tenants(
    setup: &Setup,
    partner: &PartnerId,
    (tenants, companies, epoch): (Vec<TenantConfiguration>, &BTreeMap<RecordId, String>, u32),
    invocation: &Invocation,
) -> Result<usize, Problem> {
    let saves = tenants.into_iter().map(async |tenant| {
        let company = tenant.company.map(|id| ChosenCompany {
            id,
            name: companies.get(&id).cloned().unwrap_or_default(),
            epoch,
        });
        save_tenant(setup, partner, (tenant, company), invocation).await
    });
    let saved: Vec<bool> = stream::iter(saves).buffered(AT_ONCE).try_collect().await?;
    Ok(saved.into_iter().filter(|changed| *changed).count())
}

async fn save_tenant(
    setup: &Setup,
    partner: &PartnerId,
    (tenant, company): (TenantConfiguration, Option<ChosenCompany>),
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let store = &setup.table().tenants;
    let stored = store.get(partner, &tenant.id).await?;
    let before = stored.value.clone().unwrap_or_default();
    let name = tenant.name.or_else(|| before.name.clone());
    let choice = before.with_choice(company, tenant.enabled, invocation.now());
    // A tenant that is not mapped has no assignment.
    let assignment = match choice.company {
        Some(_) => tenant.assignment,
        None => TenantAssignment::default(),
    };
    let after = Mapping {
        name,
        assignment,
        ..choice
    };
    if stored.value.as_ref() == Some(&after) {
        return Ok(false);
    }
    match store
        .save(partner, &tenant.id, &after, stored.version)
        .await?
    {
        SaveOutcome::Saved { .. } => Ok(true),
        SaveOutcome::Conflict => Err(Problem::version_conflict(
            "A tenant was changed meanwhile. Send the request again.",
        )),
    }
}
