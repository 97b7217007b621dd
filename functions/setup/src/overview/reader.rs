//! Reads the state of every step, and what needs attention.

use std::collections::{BTreeMap, HashMap};

use aws::invocation::Invocation;
use connections::PartnerConfig;
use domain::connection::breaker::Breaker;
use domain::monitoring::health::Health;
use domain::monitoring::issue::summarize;
use domain::setup::contact::Contact;
use domain::setup::mapping::Mapping;
use domain::{PartnerId, SourceId, TenantId};
use store::{AccessTable, Rejections, WaitingMessages};

use crate::backlog::count::describe;
use crate::checklist::missing_parts;
use crate::context::Setup;
use crate::held;
use crate::http::problem::Problem;
use crate::overview::view::{
    IssueView, OverviewView, StepRow, UnreadableAlertsView, WaitingMessagesView,
};
use crate::page::readable;
use crate::paths::{self, with_query};
use crate::sources::inactivity_view::{
    self, InactiveSourceView, InactiveTenantsView, NAMED_ON_OVERVIEW,
};
use crate::step::SetupStep;
use crate::tenants::reader::in_epoch;

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<OverviewView, Problem> {
    let (table, access) = (setup.table(), setup.access());
    let (person, config, contact, health, held, rejected, waiting) = tokio::join!(
        access.partners.get(partner),
        setup.connections.partner_config(partner),
        access.contacts.get(partner),
        table.health.get(partner),
        table.closing_holds.get_held(partner),
        table.rejected.get_all(partner, invocation.now()),
        table.quarantine.waiting(partner, None),
    );
    if let Err(err) = &health {
        tracing::error!(error = %err, "failed to read the partner's health");
    }
    let health = health.unwrap_or_default().value;
    let (config, contact) = (config?, contact?.value);
    let connection = config.items.connection.as_ref();
    let live = connection.is_some_and(|connection| connection.confirmed);
    let (inactive, inactive_tenants) = match live {
        true => (
            inactive_sources(access, &health).await?,
            inactive_tenants(access, &health, &config.mappings).await?,
        ),
        false => (vec![], vec![]),
    };
    let issue = if live {
        issue(&health, config.items.breaker.as_ref())
    } else {
        None
    };
    Ok(OverviewView {
        partner: partner.clone(),
        name: person?.value.map(|person| person.name),
        live,
        issue,
        inactive,
        inactive_tenants,
        rejected: unreadable_alerts(access, rejected?).await?,
        waiting: waiting_messages(access, waiting?).await?,
        held: held::view::views(held?, &config.mappings),
        steps: steps(config, &contact),
    })
}

/// The open incident, or else the open breaker. The breaker opens up to a minute earlier.
fn issue(health: &Health, breaker: Option<&Breaker>) -> Option<IssueView> {
    let incident = health.open_incident().map(|incident| {
        let words = summarize(&incident.issues, TenantId::to_string, SourceId::to_string);
        (words, incident.since)
    });
    let open = breaker.and_then(|breaker| breaker.open.as_ref());
    let open = open.map(|open| (describe(&open.reason), open.since));
    incident.or(open).map(|(words, since)| IssueView {
        words,
        since: readable(since),
    })
}

fn steps(config: PartnerConfig, contact: &Contact) -> Vec<StepRow> {
    let PartnerConfig {
        items, mappings, ..
    } = config;
    let connection = items.connection.as_ref();
    let has_contact = contact.address.is_some();
    let missing = missing_parts(connection, items.settings.as_ref(), has_contact);
    let has_boards = !missing
        .iter()
        .any(|part| part.path == SetupStep::Boards.path());
    let epoch = connection.map(|connection| connection.epoch);
    let mappings = mappings.into_values();
    let (mapped, unmapped): (Vec<_>, Vec<_>) = mappings
        .map(|mapping| in_epoch(mapping, epoch))
        .partition(|mapping| mapping.company.is_some());
    let is_live = connection.is_some_and(|connection| connection.confirmed);
    let either = |done: bool, yes: &str, no: &str| if done { yes } else { no }.to_owned();
    let site = connection
        .map(|connection| format!("to {} as {}", connection.origin, connection.company_id));
    vec![
        StepRow::new(
            SetupStep::Connection,
            site.is_some(),
            site.unwrap_or_else(|| "not connected yet".to_owned()),
        ),
        StepRow::new(
            SetupStep::Boards,
            has_boards,
            either(has_boards, "chosen", "not chosen yet"),
        ),
        StepRow::new(
            SetupStep::Tickets,
            has_boards,
            either(
                has_boards,
                "statuses, kinds and priorities can be changed at any time",
                "after the boards",
            ),
        ),
        StepRow::new(
            SetupStep::Tenants,
            !mapped.is_empty() && unmapped.is_empty(),
            format!("{} mapped, {} not yet", mapped.len(), unmapped.len()),
        ),
        StepRow::new(SetupStep::Contact, has_contact, contact_state(contact)),
        StepRow::new(
            SetupStep::Confirm,
            is_live,
            either(is_live, "live", "not confirmed yet"),
        ),
    ]
}

fn contact_state(contact: &Contact) -> String {
    let words = match (&contact.pending, contact.address.is_some()) {
        (None, true) => "confirmed",
        (None, false) => "not set yet",
        (Some(_), true) => "confirmed; another address waits for confirmation",
        (Some(_), false) => "waits for confirmation by the mail that was sent there",
    };
    words.to_owned()
}

async fn inactive_sources(
    access: &AccessTable,
    health: &Health,
) -> Result<Vec<InactiveSourceView>, Problem> {
    let mut views = vec![];
    for (source, since) in inactivity_view::inactive_sources(health) {
        views.push(InactiveSourceView {
            name: source_name(access, &source).await?,
            source,
            since: readable(since),
        });
    }
    Ok(views)
}

async fn inactive_tenants(
    access: &AccessTable,
    health: &Health,
    mappings: &HashMap<TenantId, Mapping>,
) -> Result<Vec<InactiveTenantsView>, Problem> {
    let mut views = vec![];
    let tenants = inactivity_view::inactive_tenants(health, mappings, NAMED_ON_OVERVIEW)?;
    for (source, view) in tenants {
        let name = source_name(access, &source).await?;
        views.push(InactiveTenantsView { name, ..view });
    }
    Ok(views)
}

async fn source_name(access: &AccessTable, source: &SourceId) -> Result<String, Problem> {
    let named = access.sources.get(source).await?.value;
    Ok(named.map_or_else(|| source.to_string(), |named| named.name))
}

async fn unreadable_alerts(
    access: &AccessTable,
    rejected: BTreeMap<SourceId, Rejections>,
) -> Result<Vec<UnreadableAlertsView>, Problem> {
    let mut views = vec![];
    for (source, rejections) in rejected {
        views.push(UnreadableAlertsView {
            name: source_name(access, &source).await?,
            source,
            alerts: rejections.events,
            since: readable(rejections.since),
            field: rejections.field,
            problem: rejections.problem,
        });
    }
    Ok(views)
}

async fn waiting_messages(
    access: &AccessTable,
    waiting: WaitingMessages,
) -> Result<Vec<WaitingMessagesView>, Problem> {
    let more = waiting.next.is_some();
    let mut views = vec![];
    for (source, of) in waiting.by_source() {
        views.push(WaitingMessagesView {
            name: source_name(access, &source).await?,
            messages: of.messages,
            more,
            since: readable(of.since),
            field: of.field,
            problem: of.problem,
            path: with_query(paths::QUARANTINE, &[("source", source.as_str())])?,
            source,
        });
    }
    Ok(views)
}
