//! Shows and saves the connection.

use aws::invocation::Invocation;
use axum::Extension;
use domain::PartnerId;
use store::{Actor, Connection};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::checklist::counted;
use crate::connection::address::{AddressChange, address_change};
use crate::connection::client::stored_keys;
use crate::connection::form::ConnectionForm;
use crate::connection::prove::{ProvenConnection, find_site, prove_keys};
use crate::connection::view::{ConnectionPageView, render};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

/// Shows what is stored, without its secrets.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let stored = setup.access().connections.get(partner).await?;
    let keys = match &stored.value {
        Some(connection) => stored_keys(&setup, partner, connection).await?,
        None => None,
    };
    // The page is useful without them.
    let callbacks = setup.table().callbacks.get(partner).await;
    let callbacks = callbacks.inspect_err(|err| {
        tracing::warn!(error = %err, "failed to read the callbacks");
    });
    let callbacks = callbacks.ok().and_then(|callbacks| callbacks.value);
    let view = ConnectionPageView::new(stored, keys, callbacks.as_ref());
    let content = render(&view);
    let page = page::step(&session, SetupStep::Connection, &flash, &view, &content);
    Ok(page)
}

/// Proves the entered connection, then saves it. Keys that are not proven are not stored.
///
/// The order of writes: the connection with its version (so of two people, one gets a conflict),
/// the keys, then the fact that the keys are stored. If the process dies after the first write, the
/// stored keys belong to another site and are not used; after the second, the next run of
/// `reconcile` makes the third. Saving again repairs both.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ConnectionForm>,
) -> Result<ChangeResponse, Problem> {
    let (access, partner) = (setup.access(), &session.partner);
    let before = access.connections.get(partner).await?.value;
    let stored = match &before {
        Some(connection) => stored_keys(&setup, partner, connection).await?,
        None => None,
    };
    let connections = &setup.connections;
    let found = find_site(connections, &form.site, &form.company_id, &invocation).await?;
    let keys = form.keys(stored.as_ref(), &found)?;
    let proven = prove_keys(connections, found, keys, &invocation).await?;
    let change = address_change(&setup, partner, before.as_ref(), &proven, &invocation).await?;
    if change == AddressChange::OtherConnectWise && !form.drop_choices {
        return Err(confirm_drop(&setup, partner, &proven).await?);
    }
    let connection = change.connection(before.as_ref(), &proven.keys);
    let saved = access
        .connections
        .save(partner, &connection, form.version)
        .await?;
    let version = saved_version(saved)?;
    let mut detail = vec![("connection", place(&connection))];
    if change != AddressChange::Unchanged {
        // Recorded before the keys are stored: if that fails, the connection was still changed.
        detail.extend(before.as_ref().map(|before| ("before", place(before))));
        let action = (Actor::Partner, change.action());
        audit::record(&setup, partner, action, &detail, &invocation).await;
    }
    let key_version = put_keys(&setup, partner, &proven).await?;
    if change == AddressChange::Unchanged {
        let action = (Actor::Partner, change.action());
        audit::record(&setup, partner, action, &detail, &invocation).await;
    }
    setup
        .table()
        .breaker
        .keys_stored(partner, &key_version)
        .await?;
    let now = invocation.now();
    setup.schedule().reconcile_and_probe(partner, now).await?;
    let code = match change {
        AddressChange::SameConnectWise => "address_changed",
        AddressChange::New | AddressChange::Unchanged | AddressChange::OtherConnectWise => {
            "connected"
        }
    };
    let member = proven.member.map(|member| member.identifier);
    Ok(
        ChangeResponse::next(format!("{}?done={code}", SetupStep::Check.path()))
            .with("version", version)
            .with("company", proven.company)
            .with("member", member),
    )
}

fn place(connection: &Connection) -> String {
    format!("{} at {}", connection.company_id, connection.origin)
}

/// Stores the keys in Secrets Manager, and returns their version.
async fn put_keys(
    setup: &Setup,
    partner: &PartnerId,
    proven: &ProvenConnection,
) -> Result<String, Problem> {
    let prefix = &setup.config.connections.connection_secret_prefix;
    let stored = setup
        .secret_writer
        .put_connection(prefix, partner, &proven.keys)
        .await;
    stored.map_err(|err| {
        tracing::error!(error = %err, "failed to store the keys");
        Problem::unavailable("The keys could not be stored. Save again in a moment.")
    })
}

/// Asks the person to confirm that a change to another ConnectWise drops what was chosen.
async fn confirm_drop(
    setup: &Setup,
    partner: &PartnerId,
    proven: &ProvenConnection,
) -> Result<Problem, Problem> {
    let (origin, company_id) = (&proven.keys.origin, &proven.keys.company_id);
    let mappings = setup.table().tenants.get_all(partner).await?;
    let mapped = mappings.values().filter(|of| of.company.is_some());
    Ok(Problem::invalid(
        "drop_choices",
        format!(
            "The keys work. But {origin} with the company id {company_id} is another ConnectWise than the one that is stored: boards, statuses, \
             types, priorities and {} are dropped, because they do not exist there, and open tickets stay in the old one. Nothing is saved \
             yet. To continue, tick the box and save again.",
            counted(mapped.count() as u64, "mapped tenant"),
        ),
    ))
}
