//! Shows, creates and closes a test.

use aws::invocation::Invocation;
use axum::Extension;
use domain::alert::kind::Category;
use domain::alert::test_alert;
use domain::wire::message::Message;
use domain::{AlertId, PartnerId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;
use store::{Actor, TestTicket};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, parse_id};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;
use crate::tenants::search::{MAX_OPTIONS, find_tenant};
use crate::test_ticket::reader::{key, read, require_possible, unfinished};
use crate::test_ticket::view::{board_name, render};

#[derive(Debug, Deserialize)]
pub(crate) struct TestTicketForm {
    tenant: String,
    category: Category,
}

/// Shows the last test, and the form for the next.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let view = read(&setup, &session.partner, invocation.now()).await?;
    let content = render(&view);
    // The ticket itself says more.
    let has_ticket = view.last.as_ref().is_some_and(|last| last.ticket.is_some());
    let flash = match flash.code() {
        Some("test_asked") if has_ticket => FlashQuery::default(),
        Some(_) | None => flash,
    };
    let page = page::step(&session, SetupStep::Test, &flash, &view, &content);
    Ok(page)
}

/// Creates a test. It is stored first and then sent. If the process dies in between, the same
/// request sends the same alert.
pub(crate) async fn create(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<TestTicketForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let tenant = find(&setup, partner, form.tenant, now).await?;
    let (kind, mapping) = require_possible(&setup, partner, &tenant, form.category).await?;
    let known = setup.table().test_ticket.get(partner).await?;
    let test = match unfinished(&setup, partner, known.value).await? {
        // It has no record yet, so it may never have been sent.
        Some((test, None)) if test.tenant == tenant && test.category == form.category => test,
        Some(_) => {
            return Err(Problem::refused(
                "There is a test that is not closed. Close it before you create another.",
            ));
        }
        None => {
            let test = TestTicket {
                tenant,
                alert_id: AlertId::for_test(now),
                kind,
                category: form.category,
                asked_at: now,
                close_requested: false,
            };
            save(&setup, partner, &test, known.version).await?;
            test
        }
    };
    let raised = test_alert::raised(
        key(partner, &test),
        test.kind.clone(),
        test.category,
        mapping.name,
        test.asked_at,
    );
    send(&setup, Message::Event(raised)).await?;
    let action = (Actor::Partner, "test_asked");
    let detail = [
        ("tenant", test.tenant.to_string()),
        ("board", board_name(test.category).to_owned()),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    // Before the partner confirms, only a test causes a probe of its connection.
    setup.schedule().probe(partner, now).await?;
    let path = SetupStep::Test.path();
    Ok(ChangeResponse::next(format!("{path}?done=test_asked")))
}

/// The tenant with this id. Of many tenants it is also found by its name.
async fn find(
    setup: &Setup,
    partner: &PartnerId,
    text: String,
    now: Timestamp,
) -> Result<TenantId, Problem> {
    let (_, config) = read_tenants(setup, partner, now).await?;
    match config.mappings.len() {
        0..=MAX_OPTIONS => parse_id("tenant", text),
        _ => find_tenant("tenant", &text, &config.mappings),
    }
}

/// Resolves the test. The message is sent first, then the test is marked. If the process dies in
/// between, the ticket is closed and the page shows that.
pub(crate) async fn close(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let known = setup.table().test_ticket.get(partner).await?;
    let test = known
        .value
        .ok_or_else(|| Problem::refused("There is no test to close."))?;
    let done = ChangeResponse::next(format!("{}?done=test_closed", SetupStep::Test.path()));
    if test.close_requested {
        return Ok(done);
    }
    let resolved = test_alert::resolved(key(partner, &test), test.asked_at, invocation.now());
    send(&setup, Message::Event(resolved)).await?;
    let action = (Actor::Partner, "test_closed");
    let detail = [("tenant", test.tenant.to_string())];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    let closing = TestTicket {
        close_requested: true,
        ..test
    };
    save(&setup, partner, &closing, known.version).await?;
    Ok(done)
}

async fn save(
    setup: &Setup,
    partner: &PartnerId,
    test: &TestTicket,
    version: u64,
) -> Result<(), Problem> {
    let table = setup.table();
    saved_version(table.test_ticket.save(partner, test, version).await?)?;
    Ok(())
}

async fn send(setup: &Setup, message: Message) -> Result<(), Problem> {
    setup.queue.send_all(&[message]).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue a test alert");
        Problem::unavailable("The test could not be sent. Press the button again.")
    })
}
