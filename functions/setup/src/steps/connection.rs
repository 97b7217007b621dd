//! The connection to the partner's ConnectWise: where it is, and the API member's keys.

use aws::invocation::Invocation;
use axum::Extension;
use domain::{PartnerId, Secret};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, Connection};

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::check::{self, Proven, find, prove_keys};
use crate::input::{Input, QueryParams, filled};
use crate::page::{self, Step};
use crate::same_connectwise::is_same_connectwise;
use crate::session::Session;
use crate::steps::confirm::counted;
use crate::steps::overview::After;
use crate::{Setup, State};

#[derive(Serialize)]
struct View {
    connected: bool,
    origin: Option<String>,
    company_id: Option<String>,
    public_key: Option<String>,
    /// Whether one is stored. It is never shown.
    private_key_set: bool,
    /// Whether the partner has a clientId of its own.
    client_id_set: bool,
    confirmed: bool,
    version: u64,
}

/// What a person enters. Keys are taken for secrets from here on: nothing prints them.
#[derive(Deserialize)]
pub(crate) struct Entered {
    site: String,
    company_id: String,
    public_key: String,
    #[serde(default)]
    private_key: Option<Secret>,
    #[serde(default)]
    client_id: Option<Secret>,
    /// That its own clientId is no longer to be used.
    #[serde(default)]
    drop_client_id: bool,
    /// That boards and mapped tenants may be dropped, where this is another ConnectWise.
    #[serde(default)]
    drop_choices: bool,
    version: u64,
}

/// What is stored, without its secrets.
pub(crate) async fn show(
    setup: State,
    session: Session,
    QueryParams(after): QueryParams<After>,
) -> Result<PageResponse, Problem> {
    let stored = setup.access().connections.get(&session.partner).await?;
    let keys = match &stored.value {
        Some(connection) => setup.stored_keys(&session.partner, connection).await?,
        None => None,
    };
    let view = View {
        connected: stored.value.is_some() && keys.is_some(),
        public_key: keys.as_ref().map(|keys| keys.public_key.clone()),
        private_key_set: keys.is_some(),
        client_id_set: keys.is_some_and(|keys| keys.client_id.is_some()),
        confirmed: stored
            .value
            .as_ref()
            .is_some_and(|connection| connection.confirmed),
        version: stored.version,
        origin: stored
            .value
            .as_ref()
            .map(|connection| connection.origin.clone()),
        company_id: stored.value.map(|connection| connection.company_id),
    };
    let html = render(&view, &session);
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Connection, after.done.as_deref(), &html),
    ))
}

/// Proves what was entered, then saves it. Keys that are not proven are stored nowhere.
///
/// The connection's version is won first, so of two people one is told; then the keys are stored, then that they are. If the process dies
/// after the first of these, the stored keys are another site's and are sent to nobody; after the second, the next run of `reconcile` does
/// the third. Saving again mends either.
pub(crate) async fn save(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(entered): Input<Entered>,
) -> Result<ChangeResponse, Problem> {
    let (access, partner, now) = (setup.access(), &session.partner, invocation.now());
    let before = access.connections.get(partner).await?.value;
    let stored = match &before {
        Some(connection) => setup.stored_keys(partner, connection).await?,
        None => None,
    };
    let found = find(
        &setup.connections,
        &entered.site,
        &entered.company_id,
        &invocation,
    )
    .await?;
    let same_site = stored
        .as_ref()
        .filter(|keys| keys.origin == found.origin.as_str() && keys.company_id == found.company_id);
    // A stored key goes to the site that it was entered for, and to no other.
    let typed = entered
        .private_key
        .filter(|key| !key.expose().trim().is_empty());
    let private_key = match (typed, same_site) {
        (Some(typed), _) => Secret::new(typed.expose().trim()),
        (None, Some(keys)) if keys.public_key == entered.public_key.trim() => {
            keys.private_key.clone()
        }
        (None, Some(_)) => {
            return Err(Problem::invalid(
                "private_key",
                "Another public key has another private key: enter it too.",
            ));
        }
        (None, None) if stored.is_some() => {
            return Err(Problem::invalid(
                "private_key",
                "The site or the company id is another one: enter the private key again. A stored key is never sent to a changed place.",
            ));
        }
        (None, None) => return Err(Problem::invalid("private_key", "Enter the private key.")),
    };
    let own_client_id = entered
        .client_id
        .as_ref()
        .and_then(|own| filled(Some(own.expose())));
    let client_id = match (own_client_id, same_site) {
        (Some(own), _) => Some(Secret::new(own)),
        (None, Some(keys)) if !entered.drop_client_id => keys.client_id.clone(),
        (None, _) => None,
    };
    let entered_keys = check::Entered {
        public_key: entered.public_key.trim().to_owned(),
        private_key,
        client_id,
    };
    let proven = prove_keys(&setup.connections, found, entered_keys, &invocation).await?;
    let address_changed = before.as_ref().is_some_and(|before| {
        before.origin != proven.keys.origin || before.company_id != proven.keys.company_id
    });
    let same_connectwise = match &before {
        Some(before) if address_changed => {
            is_same_connectwise(&setup, partner, before, &proven, &invocation).await?
        }
        Some(_) => true,
        None => false,
    };
    let Proven {
        keys,
        company,
        member,
        ..
    } = proven;
    if !same_connectwise && before.is_some() && !entered.drop_choices {
        return Err(would_drop(&setup, partner, &keys.origin, &keys.company_id).await?);
    }
    let place = |connection: &Connection| {
        let Connection {
            origin, company_id, ..
        } = connection;
        format!("{company_id} at {origin}")
    };
    let place_before = before.as_ref().map(place);
    let connection = match before {
        Some(before) if same_connectwise => Connection {
            origin: keys.origin.clone(),
            company_id: keys.company_id.clone(),
            ..before
        },
        // Boards, companies and tickets of another ConnectWise mean nothing in this one: all that was chosen there is to be chosen again.
        before => Connection {
            origin: keys.origin.clone(),
            company_id: keys.company_id.clone(),
            epoch: before.as_ref().map_or(0, |before| before.epoch) + 1,
            confirmed: false,
            confirmed_at: None,
            suspended: before.is_some_and(|before| before.suspended),
        },
    };
    let version = saved(
        access
            .connections
            .save(partner, &connection, entered.version)
            .await?,
    )?;
    let by = Actor::Partner;
    let mut detail = vec![("connection", place(&connection))];
    let moved = address_changed || place_before.is_none();
    if moved {
        // Before the keys: if they cannot be stored, the connection was moved all the same.
        let what = match &place_before {
            Some(_) if same_connectwise => "address_changed",
            Some(_) => "connection_moved",
            None => "connected",
        };
        detail.extend(place_before.map(|before| ("before", before)));
        setup.done(partner, by, what, &detail, &invocation).await;
    }
    let prefix = &setup.config.connections.connection_secret_prefix;
    let key_version = setup
        .secret_writer
        .put_connection(prefix, partner, &keys)
        .await
        .map_err(|err| {
            tracing::error!(error = %err, "failed to store the keys");
            Problem::unavailable("The keys could not be stored. Save again in a moment.")
        })?;
    if !moved {
        let what = "keys_replaced";
        setup.done(partner, by, what, &detail, &invocation).await;
    }
    setup
        .table()
        .breaker
        .keys_stored(partner, &key_version)
        .await?;
    setup.connections.changed(partner, now).await?;
    let next = match address_changed && same_connectwise {
        true => "/setup/check?done=address_changed",
        false => "/setup/check?done=connected",
    };
    Ok(ChangeResponse::next(next)
        .with("version", version)
        .with("company", company)
        .with("member", member.map(|member| member.identifier)))
}

/// What a move to another ConnectWise costs, asked before it is done.
async fn would_drop(
    setup: &Setup,
    partner: &PartnerId,
    origin: &str,
    company_id: &str,
) -> Result<Problem, Problem> {
    let mappings = setup.table().tenants.get_all(partner).await?;
    let mapped = mappings.values().filter(|of| of.company.is_some());
    Ok(Problem::invalid(
        "drop_choices",
        format!(
            "The keys work. But {origin} with the company id {company_id} is another ConnectWise than the one that is stored: boards, statuses, \
             types, priorities and {} are dropped, since their numbers mean something else there, and open tickets stay behind. Nothing is saved \
             yet. Tick the box and save again if that is what you want.",
            counted(mapped.count() as u64, "mapped tenant"),
        ),
    ))
}

fn render(view: &View, session: &Session) -> Markup {
    html! {
        @if view.connected {
            p class="good" { "Connected to " (view.origin.as_deref().unwrap_or("")) " as " (view.company_id.as_deref().unwrap_or("")) ". "
                a href=(Step::Check.path()) { "Check connection" } }
        } @else if view.origin.is_some() {
            p class="problem" { "The keys are missing. Enter them again." }
        }
        form method="post" action=(session.action(Step::Connection.path())) autocomplete="off" {
            input type="hidden" name="version" value=(view.version);
            label for="site" { "ConnectWise site" }
            input id="site" name="site" required maxlength="500" inputmode="url" spellcheck="false" aria-describedby="site-help"
                placeholder="na.myconnectwise.net" value=[view.origin.as_deref()];
            small id="site-help" { "The address that you sign in at; copy it from your browser." }
            label for="company_id" { "Company id" }
            input id="company_id" name="company_id" required maxlength="50" spellcheck="false" aria-describedby="company-help"
                value=[view.company_id.as_deref()];
            small id="company-help" { "The company that you enter when you sign in." }
            label for="public_key" { "Public key" }
            input id="public_key" name="public_key" required maxlength="200" spellcheck="false" value=[view.public_key.as_deref()];
            label for="private_key" { "Private key" }
            input id="private_key" name="private_key" type="password" maxlength="200" autocomplete="new-password" aria-describedby="private-help"
                required[!view.private_key_set];
            small id="private-help" {
                @if view.private_key_set { "One is stored. Leave this empty to keep it; a new site or company id asks for it again." }
                @else { "ConnectWise shows it once, when the keys are made. It is stored encrypted and never shown again." }
            }
            details {
                summary { "Own clientId" }
                label for="client_id" { "clientId" }
                input id="client_id" name="client_id" type="password" maxlength="100" autocomplete="off" aria-describedby="client-help";
                small id="client-help" {
                    @if view.client_id_set { "Your own is stored. Leave this empty to keep it." }
                    @else { "Not needed: Ticketbridge has its own. Only if your ConnectWise asks for yours." }
                }
                @if view.client_id_set {
                    label class="choice" {
                        input type="checkbox" name="drop_client_id" value="true";
                        span { "Use Ticketbridge's instead" }
                    }
                }
            }
            @if view.origin.is_some() {
                label class="choice" {
                    input type="checkbox" name="drop_choices" value="true";
                    span { "If this is another ConnectWise, drop boards and mapped tenants" }
                }
            }
            @if view.confirmed {
                p class="note" { "Ticketbridge is live. Pointing it at another site or company id stops it until boards and tenants are chosen and \
                    confirmed again: their numbers mean nothing there." }
            }
            button { "Check and save" }
        }
        (guide())
    }
}

/// How the keys are made, for whoever has never done it.
fn guide() -> Markup {
    html! {
        h2 { "How to make the keys" }
        ol {
            li { "In ConnectWise open System › Security Roles, add a role such as \"Ticketbridge\", and give it the rights that \
                \"Check connection\" lists." }
            li { "Open System › Members › API Members and add a member with that role. Its default service board is where tickets go unless you \
                have boards made." }
            li { "Save it, open its API Keys, add a key with a description, and save. Copy both keys now: the private one is shown once." }
            li { "Paste them here. An API member uses no licence." }
        }
    }
}
