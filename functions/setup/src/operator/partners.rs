//! Partners: made, switched on and off, invited, and what was done about them.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::access::Partner;
use domain::time::sortable;
use domain::{EmailAddress, PartnerId};
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Actor, SaveOutcome, Versioned};

use super::{PartRequest, name};
use crate::answer::{Problem, json_answer};
use crate::input::{InPath, Input, QueryParams, capital, id};
use crate::session::new_link;
use crate::steps::contact::set_by_operator;
use crate::{Setup, State};

/// How often a write is tried that others are faster than.
const TRIES: u32 = 5;
/// For how many hours a link may open the page.
const LINK_HOURS: std::ops::RangeInclusive<i64> = 1..=72;
const USUAL_LINK_HOURS: i64 = 24;

/// A partner as the operator sees it.
#[derive(Serialize)]
struct Body {
    id: PartnerId,
    name: String,
    enabled: bool,
    made_at: String,
    /// The version to save a change of it with.
    version: u64,
    /// Whether a connection is stored.
    connected: bool,
    /// Whether the partner said that its alerts may become tickets.
    confirmed: bool,
}

impl Body {
    async fn of(
        setup: &Setup,
        id: PartnerId,
        partner: Partner,
        version: u64,
    ) -> Result<Self, Problem> {
        let connection = setup.access().connections.get(&id).await?.value;
        Ok(Self {
            id,
            name: partner.name,
            enabled: partner.enabled,
            // As it is stored: the same when it is made and ever after.
            made_at: sortable(partner.made_at),
            version,
            connected: connection.is_some(),
            confirmed: connection.is_some_and(|connection| connection.confirmed),
        })
    }
}

pub(super) async fn list(
    setup: State,
    QueryParams(asked): QueryParams<PartRequest>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Partners {
        partners: Vec<Body>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    let (from, limit) = asked.read()?;
    let page = setup.access().partners.page(from.as_ref(), limit).await?;
    let entries = page.entries.into_iter();
    let shown = entries.map(|entry| Body::of(&setup, entry.id, entry.value, entry.version));
    let answer = Partners {
        partners: try_join_all(shown).await?,
        next: page.next.map(String::from),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

pub(super) async fn get(setup: State, InPath(partner): InPath) -> Result<Response, Problem> {
    let (id, partner, version) = existing(&setup, partner).await?;
    let shown = Body::of(&setup, id, partner, version).await?;
    Ok(json_answer(StatusCode::OK, &shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartnerRequest {
    name: Option<String>,
    enabled: Option<bool>,
    version: Option<u64>,
}

/// Makes a partner, or has it be as told. Switching off is one write that also ends its links and sessions; its alerts wait from the
/// next write on, that of its connection. If the process dies between, repeating the request makes it: it looks at both whether or not
/// the first has anything to change.
pub(super) async fn put(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(partner): InPath,
    Input(desired): Input<PartnerRequest>,
) -> Result<Response, Problem> {
    let id: PartnerId = id("partner", partner)?;
    let name = desired.name.as_deref().map(|text| name("name", text));
    let name = name.transpose()?;
    let read = setup.access().partners.get(&id).await?;
    if desired
        .version
        .is_some_and(|version| version != read.version)
    {
        return Err(moved());
    }
    let now = invocation.now();
    let made = read.value.is_none();
    let before = read.value.clone();
    let partner = match read.value {
        None => Partner {
            name: name.ok_or_else(|| Problem::invalid("name", "A new partner needs a name."))?,
            enabled: desired.enabled.unwrap_or(true),
            made_at: now,
            sessions_from: None,
        },
        Some(before) => {
            let enabled = desired.enabled.unwrap_or(before.enabled);
            let name = name.unwrap_or_else(|| before.name.clone());
            // Switching off what is off already ends nothing that is there.
            match enabled == before.enabled {
                true => Partner { name, ..before },
                false => Partner { name, ..before }.switched(enabled, now),
            }
        }
    };
    let mut version = read.version;
    let detail = [("name", partner.name.clone())];
    let by = Actor::Operator;
    let is_changed = before.as_ref() != Some(&partner);
    if is_changed {
        version = match setup.access().partners.save(&id, &partner, version).await? {
            SaveOutcome::Saved { version } => version,
            SaveOutcome::Conflict => return Err(moved()),
        };
        let what = match (before.map(|before| before.enabled), partner.enabled) {
            (None, _) => "partner_made",
            (Some(true), false) => "partner_switched_off",
            (Some(false), true) => "partner_switched_on",
            (Some(_), _) => "partner_changed",
        };
        setup.done(&id, by, what, &detail, &invocation).await;
    }
    if hold(&setup, &id, &invocation).await? && !is_changed {
        // The request that switched it died before its alerts were held or went on.
        let what = match partner.enabled {
            true => "partner_switched_on",
            false => "partner_switched_off",
        };
        setup.done(&id, by, what, &detail, &invocation).await;
    }
    let shown = Body::of(&setup, id, partner, version).await?;
    let status = match made {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok(json_answer(status, &shown))
}

/// Has the partner's alerts wait while it is off, and go on when it is on again: its connection says so, which is what decisions read.
/// What waited for more than 48 hours by then waits for a person. Tells whether there was anything to do.
///
/// Whoever switches the partner meanwhile does this too, and the last one who writes looks again: so it ends with what the partner is.
async fn hold(setup: &Setup, id: &PartnerId, invocation: &Invocation) -> Result<bool, Problem> {
    let mut done = false;
    for _ in 0..TRIES {
        let enabled = setup.access().partners.get(id).await?.value;
        let enabled = enabled.is_some_and(|partner| partner.enabled);
        let Versioned { value, version } = setup.access().connections.get(id).await?;
        let Some(mut connection) = value.filter(|connection| connection.suspended == enabled)
        else {
            if done && enabled {
                // If the process dies before this, they go on with the partner's next quarter of an hour.
                setup.connections.changed(id, invocation.now()).await?;
            }
            return Ok(done);
        };
        connection.suspended = !enabled;
        if enabled && connection.confirmed {
            connection.confirmed_at = Some(invocation.now());
        }
        let saved = setup
            .access()
            .connections
            .save(id, &connection, version)
            .await?;
        done |= saved != SaveOutcome::Conflict;
    }
    Err(moved())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkRequest {
    hours: Option<i64>,
}

/// Makes a link to the partner's page. Its token is in this answer alone.
pub(super) async fn link(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(partner): InPath,
    Input(asked): Input<LinkRequest>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Made {
        url: String,
        expires_at: String,
    }

    let (id, partner, _) = existing(&setup, partner).await?;
    let hours = asked.hours.unwrap_or(USUAL_LINK_HOURS);
    if !LINK_HOURS.contains(&hours) {
        return Err(Problem::invalid("hours", "It is a number from 1 to 72."));
    }
    if !partner.enabled {
        return Err(Problem::refused(
            "The partner is switched off: no link of it opens anything.",
        ));
    }
    let lives = SignedDuration::from_hours(hours);
    let (url, link) = new_link(&setup, &id, lives, &invocation).await?;
    let expires_at = sortable(link.expires_at);
    let detail = [("expires_at", expires_at.clone())];
    let by = Actor::Operator;
    setup.done(&id, by, "link_made", &detail, &invocation).await;
    Ok(json_answer(StatusCode::CREATED, &Made { url, expires_at }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactRequest {
    address: String,
}

/// Sets the partner's emergency contact without a confirmation: the operator knows that the address is the partner's.
pub(super) async fn set_contact(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(partner): InPath,
    Input(desired): Input<ContactRequest>,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let address = EmailAddress::parse(&desired.address)
        .map_err(|err| Problem::invalid("address", capital(&err.to_string())))?;
    set_by_operator(&setup, &id, address, &invocation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ends all links and sessions of the partner.
pub(super) async fn end_sessions(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(partner): InPath,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    setup
        .access()
        .partners
        .end_sessions(&id, invocation.now())
        .await?;
    let (by, what) = (Actor::Operator, "sessions_ended");
    setup.done(&id, by, what, &[], &invocation).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn audit(
    setup: State,
    InPath(partner): InPath,
    QueryParams(asked): QueryParams<PartRequest>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct History {
        entries: Vec<store::AuditEntry>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    let (id, ..) = existing(&setup, partner).await?;
    let (from, limit) = asked.read()?;
    let page = setup.access().audit.page(&id, from.as_ref(), limit).await?;
    let answer = History {
        entries: page.entries,
        next: page.next.map(String::from),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

async fn existing(setup: &Setup, partner: String) -> Result<(PartnerId, Partner, u64), Problem> {
    let id: PartnerId = id("partner", partner)?;
    let Versioned { value, version } = setup.access().partners.get(&id).await?;
    let missing = || Problem::not_found(format!("There is no partner {id}."));
    let partner = value.ok_or_else(missing)?;
    Ok((id, partner, version))
}

fn moved() -> Problem {
    Problem::moved("The partner is not what this change began from. Get it again, and repeat.")
}
