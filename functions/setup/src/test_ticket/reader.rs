//! Reads the last test, and for which tenants a test is possible.

use connections::{AlertView, PartnerConfig};
use domain::alert::kind::{Category, with_added};
use domain::alert::record::{Actual, Record};
use domain::alert::test_alert;
use domain::connection::view::LiveConnection;
use domain::setup::mapping::Mapping;
use domain::{AlertKey, Kind, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use store::{Connection, PartnerItems, TestTicket, Versioned};

use crate::context::Setup;
use crate::http::problem::Problem;
use crate::overview::reader::read_issue;
use crate::tenants::reader::read_tenants;
use crate::test_ticket::state::TestState;
use crate::test_ticket::view::{LastTestView, TenantOption, TestTicketView};

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<TestTicketView, Problem> {
    let (config, test) = tokio::join!(
        read_tenants(setup, partner, now),
        setup.table().test_ticket.get(partner),
    );
    let ((_, config), Versioned { value: test, .. }) = (config?, test?);
    let issue = read_issue(setup, partner, &config).await?;
    let PartnerConfig {
        items, mappings, ..
    } = config;
    let last = match test {
        Some(test) => {
            let record = setup.alerts.get(&key(partner, &test)).await?;
            let mapping = mappings.get(&test.tenant);
            let name = mapping.and_then(|mapping| mapping.name.clone());
            let connection = items.connection.as_ref();
            Some(last_test(test, record.as_ref(), name, connection))
        }
        None => None,
    };
    let connection = items.connection.clone();
    let live = AlertView::of(items, &SourceId::for_test_alerts())
        .view
        .connection;
    let Some(LiveConnection { epoch, .. }) = live else {
        return Ok(TestTicketView {
            last,
            tenants: vec![],
            hindrance: Some(hindrance(connection.as_ref())),
            issue,
        });
    };
    let mappings = mappings.into_iter();
    let mut tenants: Vec<_> = mappings
        .filter_map(|(id, mapping)| TenantOption::new(id, mapping.in_epoch(epoch)))
        .collect();
    tenants.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let hindrance = tenants
        .is_empty()
        .then_some("No tenant has a company in ConnectWise yet. Choose one under Tenants.");
    Ok(TestTicketView {
        last,
        tenants,
        hindrance,
        issue,
    })
}

/// The kind of a possible test, and its tenant's mapping.
///
/// # Errors
/// When a step of the set-up is missing for it.
pub(super) async fn require_possible(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    category: Category,
) -> Result<(Kind, Mapping), Problem> {
    let source = SourceId::for_test_alerts();
    let (table, access) = (setup.table(), setup.access());
    let items = PartnerItems::read(table, access, partner, tenant, &source).await?;
    let connection = items.connection.clone();
    let view = AlertView::of(items, &source).view;
    let Some(live) = view.connection else {
        return Err(Problem::refused(hindrance(connection.as_ref())));
    };
    let mapped = view.mapping.filter(|mapping| mapping.company.is_some());
    let Some(mapping) = mapped else {
        let detail = "This tenant has no company in ConnectWise yet. Choose one under Tenants.";
        return Err(Problem::invalid("tenant", detail));
    };
    let kinds = with_added(&setup.added_kinds(partner).await?);
    let Some(kind) = test_alert::kind_for(category, &live.settings, &kinds) else {
        let detail =
            "All kinds of alert of this board are switched off. Switch one on under Tickets.";
        return Err(Problem::invalid("category", detail));
    };
    Ok((kind, mapping))
}

/// Why no test is possible without a live connection.
fn hindrance(connection: Option<&Connection>) -> &'static str {
    match connection {
        None => "Connect your ConnectWise first.",
        Some(connection) if connection.suspended => {
            "Your account is switched off. Ask the operator of your Ticketbridge."
        }
        Some(_) => "Choose the boards first.",
    }
}

/// The test that has not ended, with its record.
pub(super) async fn unfinished(
    setup: &Setup,
    partner: &PartnerId,
    test: Option<TestTicket>,
) -> Result<Option<(TestTicket, Option<Record>)>, store::Error> {
    let Some(test) = test.filter(|test| !test.close_requested) else {
        return Ok(None);
    };
    let record = setup.alerts.get(&key(partner, &test)).await?;
    let is_over = TestState::of(&test, record.as_ref()).is_over();
    Ok(Some((test, record)).filter(|_| !is_over))
}

pub(super) fn key(partner: &PartnerId, test: &TestTicket) -> AlertKey {
    test_alert::key(partner.clone(), test.tenant.clone(), test.alert_id.clone())
}

fn last_test(
    test: TestTicket,
    record: Option<&Record>,
    name: Option<String>,
    connection: Option<&Connection>,
) -> LastTestView {
    let state = TestState::of(&test, record);
    let ticket = record.and_then(|record| match &record.actual {
        Some(Actual::Open(open)) => Some((open.ticket_id, open.epoch)),
        Some(Actual::Closed(closed)) => Some((closed.ticket_id, closed.epoch)),
        None => None,
    });
    let address = ticket.and_then(|(ticket, epoch)| {
        let connection = connection.filter(|of| of.epoch == epoch)?;
        Some(connections::ticket_address(connection, ticket))
    });
    LastTestView {
        tenant_name: name.unwrap_or_else(|| test.tenant.to_string()),
        tenant: test.tenant,
        category: test.category,
        asked_at: test.asked_at,
        can_close: !test.close_requested && !state.is_over() && state != TestState::Closing,
        state,
        ticket: ticket.map(|(ticket, _)| ticket),
        ticket_address: address,
    }
}

#[cfg(test)]
mod tests;
