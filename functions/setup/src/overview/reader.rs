//! Reads the state of every step, what needs attention, and the figures.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use connections::{FiguresCounter, PartnerConfig, read_waiting_with};
use domain::connection::breaker::Breaker;
use domain::monitoring::figures::PartnerFigures;
use domain::monitoring::health::Health;
use domain::monitoring::issue::summarize;
use domain::monitoring::pipeline::PipelineIssue;
use domain::monitoring::waiting::{
    WaitingKind, WaitingNames, WaitingPage, WaitingPoint, WaitingSummary,
};
use domain::setup::contacts::Contacts;
use domain::setup::settings::Settings;
use domain::source::activity::SourceActivity;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use store::{MonitoringState, Rejections, WaitingMessages};

use crate::backlog::reasons::ReasonRow;
use crate::backlog::words::describe;
use crate::checklist::missing_parts;
use crate::context::Setup;
use crate::held;
use crate::http::input::{capitalized, sentence};
use crate::http::problem::Problem;
use crate::overview::figures::{FiguresView, Period};
use crate::overview::incidents::IncidentView;
use crate::overview::view::{
    CONNECTION_IS_UNKNOWN, IssueView, LiveView, OverviewView, QuarantinedMessagesView, SourceRow,
    StepRow, UnreadableAlertsView, WaitingPointView, WaitingView,
};
use crate::partner_names::PartnerNames;
use crate::paths::{self, with_query};
use crate::sources::inactivity_view::{
    self, InactiveSourceView, InactiveTenantsView, NAMED_ON_OVERVIEW,
};
use crate::sources::one_path;
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;
use crate::tenants::row::in_epoch;

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    period: Period,
    invocation: &Invocation,
) -> Result<OverviewView, Problem> {
    let (table, access, now) = (setup.table(), setup.access(), invocation.now());
    let (person, config, contacts, health, held, rejected, quarantined, activity) = tokio::join!(
        access.partners.get(partner),
        read_tenants(setup, partner, now),
        access.contacts.get(partner),
        read_health(setup, partner),
        table.closing_holds.get_held(partner),
        table.rejected.get_all(partner, now),
        table.quarantine.waiting(partner, None),
        table.source_activity.get_all(partner),
    );
    let ((_, config), contacts) = (config?, contacts?.value);
    let connection_is_unknown = health.is_none() || config.items.breaker.is_none();
    let health = health.unwrap_or_default();
    let connection = config.items.connection.as_ref();
    let is_live = connection.is_some_and(|connection| connection.confirmed);
    let (breaker, settings) = (config.items.breaker.clone(), config.items.settings.clone());
    let quarantined = quarantined?;
    let read = match is_live {
        true => Some(tokio::join!(
            read_waiting_with(&setup.alerts, partner, &config, quarantined.clone()),
            figures(setup, partner, now),
            table.monitoring.read(),
        )),
        false => None,
    };
    let names = PartnerNames::read(access, config).await?;
    let live = match read {
        Some((waiting, figures, pipeline)) => {
            let waiting = waiting?;
            Some(LiveView {
                connection_is_unknown,
                incidents: incidents(&health, breaker.as_ref(), &names),
                pipeline_issue_since: pipeline_issue_since(&pipeline?),
                waiting: waiting_view(&waiting, &names),
                blocked: ReasonRow::all(&waiting.blocked)?,
                inactive: inactive_sources(&health, &names),
                inactive_tenants: inactive_tenants(&health, &names)?,
                accepted_at: health.taken_at,
                figures: FiguresView::new(&figures?, period, now),
            })
        }
        None => None,
    };
    let is_broken = live.as_ref().is_some_and(LiveView::is_broken);
    let steps = steps(&names, settings.as_ref(), &contacts, is_broken);
    Ok(OverviewView {
        partner: partner.clone(),
        name: person?.value.map(|person| person.name),
        live,
        rejected: unreadable_alerts(rejected?, &names),
        quarantined: quarantined_messages(quarantined, &names)?,
        retention_days: table.quarantine.retention_days(),
        held: held::view::views(held?, &names.mappings),
        sources: sources(&activity?, &names),
        steps,
    })
}

async fn figures(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<PartnerFigures, store::Error> {
    let counter = FiguresCounter {
        alerts: &setup.alerts,
        table: setup.table(),
        partner,
    };
    counter.for_page(now).await
}

/// The open incident or breaker, for a page that does not read them anyway.
pub(crate) async fn read_issue(
    setup: &Setup,
    partner: &PartnerId,
    config: &PartnerConfig,
) -> Result<Option<IssueView>, Problem> {
    let health = read_health(setup, partner).await;
    let names = PartnerNames::read(setup.access(), config.clone()).await?;
    let breaker = config.items.breaker.as_ref();
    Ok(issue(health.as_ref(), breaker, &names))
}

/// What the last checks found. `None` if it cannot be read: no page fails for that.
pub(crate) async fn read_health(setup: &Setup, partner: &PartnerId) -> Option<Health> {
    let health = setup.table().health.get(partner).await;
    if let Err(err) = &health {
        tracing::error!(error = %err, "failed to read the partner's health");
    }
    Some(health.ok()?.value)
}

/// The first open incident in a few words, or else the open breaker. An incident or a breaker that
/// cannot be read may be open.
pub(crate) fn issue(
    health: Option<&Health>,
    breaker: Option<&Breaker>,
    names: &PartnerNames,
) -> Option<IssueView> {
    let incident = health.and_then(|health| health.open_incidents().next());
    let incident = incident.map(|incident| {
        let (tenant, source) = (
            |id: &TenantId| names.tenant(id),
            |id: &SourceId| names.source(id),
        );
        (
            summarize(&incident.issues, tenant, source),
            Some(incident.since),
        )
    });
    let open = breaker.and_then(|breaker| breaker.open.as_ref());
    let open = open.map(|open| (describe(&open.reason), Some(open.since)));
    let is_unknown = health.is_none() || breaker.is_none();
    let unknown = is_unknown.then(|| (CONNECTION_IS_UNKNOWN.to_owned(), None));
    let (words, since) = incident.or(open).or(unknown)?;
    Some(IssueView { words, since })
}

/// The open incidents, and the open breaker if no incident of the connection is open yet: it opens
/// up to a minute earlier.
fn incidents(
    health: &Health,
    breaker: Option<&Breaker>,
    names: &PartnerNames,
) -> Vec<IncidentView> {
    let tenant = |id: &TenantId| names.tenant(id);
    let open = health.open_incidents();
    let incidents: Vec<_> = open.map(|of| IncidentView::new(of, tenant)).collect();
    if incidents.iter().any(|of| of.stops_all_tickets) {
        return incidents;
    }
    let breaker = breaker.and_then(|breaker| breaker.open.as_ref());
    let breaker = breaker.map(|open| IncidentView {
        since: open.since,
        stops_all_tickets: true,
        issues: vec![capitalized(&describe(&open.reason))],
        unlisted: 0,
    });
    breaker.into_iter().chain(incidents).collect()
}

/// Since when Ticketbridge itself has a problem that delays tickets.
fn pipeline_issue_since(monitoring: &MonitoringState) -> Option<Timestamp> {
    let incident = monitoring.incident.value.as_ref()?;
    let delays = |issue: &PipelineIssue| {
        matches!(
            issue,
            PipelineIssue::DeadLetters | PipelineIssue::Unfinished | PipelineIssue::ScheduleMissed
        )
    };
    let is_open = incident.calm_since.is_none() && incident.notified.iter().any(delays);
    is_open.then_some(incident.since)
}

/// The waiting alerts. Unreadable messages have a view of their own, with a link.
pub(crate) fn waiting_view(waiting: &WaitingSummary, names: &PartnerNames) -> WaitingView {
    let items = waiting
        .items
        .iter()
        .filter(|item| item.cause.kind() != WaitingKind::Unreadable);
    let items: Vec<_> = items.cloned().collect();
    let waiting_names = WaitingNames {
        tenant: &|id| names.tenant(id),
        source: &|id| names.source(id),
    };
    let points = WaitingPoint::of_items(&items, waiting_names).into_iter();
    WaitingView {
        points: points
            .map(|point| WaitingPointView {
                path: match point.page {
                    WaitingPage::Tenants => SetupStep::Tenants,
                    WaitingPage::WaitingAlerts | WaitingPage::UnreadableMessages => {
                        SetupStep::Waiting
                    }
                }
                .path(),
                what: point.text(),
                to_do: sentence(point.to_do.trim_end_matches('.')),
                point,
            })
            .collect(),
        unlisted: waiting.unlisted,
        is_complete: waiting.is_complete,
    }
}

fn sources(activity: &BTreeMap<SourceId, SourceActivity>, names: &PartnerNames) -> Vec<SourceRow> {
    let sources = names.sources.iter();
    sources
        .map(|(id, name)| SourceRow {
            name: name.clone(),
            path: one_path(id).unwrap_or_default(),
            source: id.clone(),
            last_message_at: activity.get(id).and_then(|of| of.last_message_at),
        })
        .collect()
}

fn steps(
    names: &PartnerNames,
    settings: Option<&Settings>,
    contacts: &Contacts,
    is_broken: bool,
) -> Vec<StepRow> {
    let connection = names.connection.as_ref();
    let has_contact = contacts.has_emergency_contact();
    let missing = missing_parts(connection, settings, has_contact);
    let has_boards = !missing
        .iter()
        .any(|part| part.path == SetupStep::Boards.path());
    let epoch = connection.map(|connection| connection.epoch);
    let mappings = names.mappings.values().cloned();
    let (mapped, unmapped): (Vec<_>, Vec<_>) = mappings
        .map(|mapping| in_epoch(mapping, epoch))
        .partition(|mapping| mapping.company.is_some());
    let is_live = connection.is_some_and(|connection| connection.confirmed);
    let either = |done: bool, yes: &str, no: &str| if done { yes } else { no }.to_owned();
    let site = connection.map(|connection| {
        let site = format!("to {} as {}", connection.origin, connection.company_id);
        either(is_broken, &format!("{site}; it does not work now"), &site)
    });
    vec![
        StepRow::new(
            SetupStep::Connection,
            site.is_some() && !is_broken,
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
            either(has_boards, "chosen", "after the boards"),
        ),
        StepRow::new(
            SetupStep::Tenants,
            !mapped.is_empty() && unmapped.is_empty(),
            match (mapped.len(), unmapped.len()) {
                (0, 0) => "none yet".to_owned(),
                (mapped, unmapped) => format!("{mapped} mapped, {unmapped} not yet"),
            },
        ),
        StepRow::new(SetupStep::Contacts, has_contact, contacts_state(contacts)),
        StepRow::new(
            SetupStep::Confirm,
            is_live,
            either(is_live, "live", "not confirmed yet"),
        ),
    ]
}

fn contacts_state(contacts: &Contacts) -> String {
    let (confirmed, pending): (Vec<_>, Vec<_>) =
        contacts.iter().partition(|contact| contact.is_confirmed());
    match (confirmed.len(), pending.len()) {
        (0, 0) => "none yet".to_owned(),
        (0, pending) => format!("{pending} not confirmed by the mail that was sent there"),
        (confirmed, 0) => format!("{confirmed} confirmed"),
        (confirmed, pending) => format!("{confirmed} confirmed, {pending} not yet"),
    }
}

fn inactive_sources(health: &Health, names: &PartnerNames) -> Vec<InactiveSourceView> {
    let sources = inactivity_view::inactive_sources(health).into_iter();
    sources
        .map(|(source, since)| InactiveSourceView {
            name: names.source(&source),
            source,
            since,
        })
        .collect()
}

fn inactive_tenants(
    health: &Health,
    names: &PartnerNames,
) -> Result<Vec<InactiveTenantsView>, Problem> {
    let tenants = inactivity_view::inactive_tenants(health, &names.mappings, NAMED_ON_OVERVIEW)?;
    let tenants = tenants.into_iter();
    let named = tenants.map(|(source, view)| InactiveTenantsView {
        name: names.source(&source),
        ..view
    });
    Ok(named.collect())
}

fn unreadable_alerts(
    rejected: BTreeMap<SourceId, Rejections>,
    names: &PartnerNames,
) -> Vec<UnreadableAlertsView> {
    let rejected = rejected.into_iter();
    rejected
        .map(|(source, rejections)| UnreadableAlertsView {
            name: names.source(&source),
            source,
            alerts: rejections.events,
            since: rejections.since,
            field: rejections.field,
            problem: rejections.problem,
        })
        .collect()
}

fn quarantined_messages(
    waiting: WaitingMessages,
    names: &PartnerNames,
) -> Result<Vec<QuarantinedMessagesView>, Problem> {
    let more = waiting.next.is_some();
    let sources = waiting.by_source().into_iter();
    sources
        .map(|(source, of)| {
            Ok(QuarantinedMessagesView {
                name: names.source(&source),
                messages: of.messages,
                more,
                since: of.since,
                field: of.field,
                problem: of.problem,
                path: with_query(paths::QUARANTINE, &[("source", source.as_str())])?,
                source,
            })
        })
        .collect()
}
