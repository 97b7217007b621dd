//! The last step: what would happen is shown, then the partner confirms, and alerts become tickets.

use aws::invocation::Invocation;
use axum::Extension;
use connectwise::Error;
use domain::PartnerId;
use domain::choices::unfit;
use domain::kind::Category;
use domain::settings::Settings;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, Connection};

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::connected::Connected;
use crate::input::{Input, QueryParams};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::boards::own_parts;
use crate::steps::overview::After;
use crate::steps::tickets::unusable;
use crate::waiting::{As, Counts, Waiting};
use crate::{Setup, State};

#[derive(Serialize)]
struct Preview {
    confirmed: bool,
    confirmed_at: Option<Timestamp>,
    version: u64,
    /// What is still to be done, each with the page where.
    missing: Vec<Missing>,
    waiting: Option<Counts>,
    tenants: usize,
    tenants_unmapped: usize,
    tenants_disabled: usize,
    more_waiting: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    pub(crate) what: &'static str,
    pub(crate) path: &'static str,
}

#[derive(Deserialize)]
pub(crate) struct Confirmed {
    version: u64,
}

/// What is missing by what is stored.
pub(crate) fn missing(
    connection: Option<&Connection>,
    settings: Option<&Settings>,
    has_contact: bool,
) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |lacks: bool, what, step: Step| {
        if lacks {
            missing.push(Missing {
                what,
                path: step.path(),
            });
        }
    };
    let epoch = connection.map(|connection| connection.epoch);
    let settings = settings.filter(|settings| epoch.is_some_and(|epoch| settings.is_of(epoch)));
    lacks(
        connection.is_none(),
        "a connection to ConnectWise",
        Step::Connection,
    );
    lacks(
        settings.is_none(),
        "the boards that tickets go to",
        Step::Boards,
    );
    lacks(
        !has_contact,
        "an emergency contact that is confirmed",
        Step::Contact,
    );
    missing
}

/// What would become of all that waits.
pub(crate) async fn show(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(after): QueryParams<After>,
) -> Result<PageResponse, Problem> {
    let (access, partner) = (setup.access(), &session.partner);
    let (connection, settings, contact) = tokio::join!(
        access.connections.get(partner),
        setup.table().settings.get(partner),
        access.contacts.get(partner),
    );
    let connection = connection?;
    let missing = missing(
        connection.value.as_ref(),
        settings?.value.as_ref(),
        contact?.value.address.is_some(),
    );
    let confirmed = connection
        .value
        .as_ref()
        .is_some_and(|connection| connection.confirmed);
    let set_up = if confirmed { As::Is } else { As::Confirmed };
    let waiting = match missing.is_empty() {
        true => Some(setup.waiting(partner, set_up, invocation.now()).await?),
        false => None,
    };
    let view = Preview {
        confirmed,
        confirmed_at: connection
            .value
            .and_then(|connection| connection.confirmed_at),
        version: connection.version,
        missing,
        tenants: waiting.as_ref().map_or(0, tenants_with_tickets),
        tenants_unmapped: waiting.as_ref().map_or(0, |of| of.tenants_with("unmapped")),
        tenants_disabled: waiting
            .as_ref()
            .map_or(0, |of| of.tenants_with("tenant_disabled")),
        more_waiting: waiting.as_ref().is_some_and(|waiting| waiting.more),
        waiting: waiting.map(|waiting| waiting.sum()),
    };
    let html = render(&view, &session);
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Confirm, after.done.as_deref(), &html),
    ))
}

/// Confirms, unless something is missing or ConnectWise says otherwise by now. One conditional write; if the process dies after it, what
/// waits goes on at the partner's next turn. Confirming again changes nothing: the back-fill begins once.
pub(crate) async fn confirm(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(confirmed): Input<Confirmed>,
) -> Result<ChangeResponse, Problem> {
    let (access, partner, now) = (setup.access(), &session.partner, invocation.now());
    let (before, settings, contact) = tokio::join!(
        access.connections.get(partner),
        setup.table().settings.get(partner),
        access.contacts.get(partner),
    );
    let (before, settings) = (before?, settings?.value);
    let missing = missing(
        before.value.as_ref(),
        settings.as_ref(),
        contact?.value.address.is_some(),
    );
    let (Some(connection), Some(settings), []) = (before.value, settings, missing.as_slice())
    else {
        let missing: Vec<_> = missing.iter().map(|missing| missing.what).collect();
        return Err(Problem::refused(format!(
            "Still missing: {}.",
            missing.join("; ")
        )));
    };
    if connection.confirmed {
        return Ok(ChangeResponse::next("/setup/confirm"));
    }
    proven(&setup, partner, &settings, &invocation).await?;
    let connection = Connection {
        confirmed: true,
        confirmed_at: Some(now),
        ..connection
    };
    let version = saved(
        access
            .connections
            .save(partner, &connection, confirmed.version)
            .await?,
    )?;
    setup
        .done(partner, Actor::Partner, "confirmed", &[], &invocation)
        .await;
    setup.connections.changed(partner, now).await?;
    Ok(ChangeResponse::next("/setup/confirm?done=confirmed").with("version", version))
}

/// That the keys are taken now, and that new tickets would be open ones.
async fn proven(
    setup: &Setup,
    partner: &PartnerId,
    settings: &Settings,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let Connected { client, .. } = setup.must_be_connected(partner).await?;
    match client.my_member(invocation.call_ends()).await {
        // Who lacks a right has shown who it is.
        Ok(_) | Err(Error::MissingRight { .. }) => {}
        Err(err) => return Err(err.into()),
    }
    for category in [Category::Operations, Category::CyberAlerts] {
        let target = settings.board(category);
        let Some(board) = target.board else {
            // ConnectWise chooses board and status.
            continue;
        };
        // Where the API member may not see them, there is nothing to choose from.
        let Some(parts) = own_parts(&client, board, invocation.call_ends()).await? else {
            continue;
        };
        if target.start_status.is_none() {
            return Err(Problem::refused(
                "Still missing: the start status of new tickets, on \"Tickets\".",
            ));
        }
        let unfit = unfit(target, &parts.statuses, &parts.types);
        if let Some((which, why)) = unfit.into_iter().next() {
            let unusable = unusable(&which, why);
            return Err(Problem::refused(format!(
                "{unusable} Choose another on \"Tickets\"."
            )));
        }
    }
    Ok(())
}

fn tenants_with_tickets(waiting: &Waiting) -> usize {
    let tenants = waiting.tenants.values();
    tenants.filter(|of| of.tickets > 0).count()
}

/// "1 alert", "2 alerts".
pub(crate) fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

fn render(view: &Preview, session: &Session) -> Markup {
    html! {
        @if view.confirmed {
            p class="good" { "Ticketbridge is live. " @if let Some(at) = view.confirmed_at { "Since " (page::time(at)) "." } }
        } @else {
            p { "When you confirm, alerts become tickets: those of the last 48 hours that still stand, and all that come from then on." }
        }
        @if !view.missing.is_empty() {
            p class="note" { "Still missing:" }
            ul { @for missing in &view.missing { li { a href=(missing.path) { (missing.what) } } } }
        }
        @if let Some(waiting) = &view.waiting {
            h2 { @if view.confirmed { "What waits" } @else { "What will happen" } }
            ul {
                li { b { (counted(waiting.tickets, "alert")) } " of " (counted(view.tenants as u64, "tenant")) " "
                    @if waiting.tickets == 1 { "becomes a ticket" } @else { "become tickets" } }
                @if let Some(unmapped) = waiting.others.get("unmapped") {
                    li { (counted(*unmapped, "alert")) " of "
                        (counted(view.tenants_unmapped as u64, "tenant"))
                        @if *unmapped == 1 { " waits" } @else { " wait" } " until you "
                        a href=(Step::Tenants.path()) {
                            @if view.tenants_unmapped == 1 { "map it" } @else { "map them" }
                        } }
                }
                @if view.tenants_disabled > 0 { li { (counted(view.tenants_disabled as u64, "tenant")) " switched off: no tickets" } }
                @if waiting.older > 0 {
                    li { (counted(waiting.older, "older alert")) ": no ticket unless you "
                        a href=(Step::Waiting.path()) { @if waiting.older == 1 { "release it" } @else { "release them" } } }
                }
                @if view.more_waiting { li { "There are more than were counted." } }
            }
        }
        @if !view.confirmed && view.missing.is_empty() {
            form method="post" action=(session.action(Step::Confirm.path())) {
                input type="hidden" name="version" value=(view.version);
                button { "Confirm and go live" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let connection = Connection {
            origin: "https://na.myconnectwise.net".into(),
            company_id: "acme".into(),
            epoch: 2,
            confirmed: false,
            confirmed_at: None,
            suspended: false,
        };
        let settings = |epoch| Settings {
            epoch: Some(epoch),
            ..Settings::default()
        };
        let paths = |connection, settings: Option<&Settings>, contact| {
            let missing = missing(connection, settings, contact);
            missing
                .into_iter()
                .map(|missing| missing.path)
                .collect::<Vec<_>>()
        };
        let (connect, boards, contact) = ("/setup/connection", "/setup/boards", "/setup/contact");
        assert_eq!(paths(None, None, false), [connect, boards, contact]);
        assert_eq!(paths(Some(&connection), None, true), [boards]);
        assert_eq!(paths(Some(&connection), Some(&settings(1)), true), [boards]);
        assert_eq!(
            paths(Some(&connection), Some(&settings(2)), false),
            [contact]
        );
        assert_eq!(paths(Some(&connection), Some(&settings(2)), true), [""; 0]);
    }
}
