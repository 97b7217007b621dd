//! Shows sources, and creates and changes them.

use aws::invocation::Invocation;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use store::Actor;

use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::http::input::{Input, LargeInput, QueryParams, parse_name};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::sources::access::{OwnSource, require_manager};
use crate::sources::form::{
    NewSourceForm, PresetForm, SampleForm, SecretForm, SourceForm, SourceQuery,
};
use crate::sources::format::{FormatRequest, SecretOrigin};
use crate::sources::inactivity::InactivityEdit;
use crate::sources::manage::{self, SourceEdit};
use crate::sources::reader::{preset_of, read_list, read_one};
use crate::sources::view::list::render_list;
use crate::sources::view::new_source::render_new;
use crate::sources::view::one_path;
use crate::sources::view::source::render_one;
use crate::step::SetupStep;
use crate::{page, paths};

use super::samples;

/// Most sources of a partner, for those that it creates itself: each secret costs money.
const MAX_SOURCES: usize = 50;

pub(crate) async fn list(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let view = read_list(&setup, &session, &invocation).await?;
    let content = render_list(&view)?;
    let step = SetupStep::Sources;
    Ok(page::step(&session, step, &flash, &view, &content))
}

pub(crate) async fn new(session: PartnerSession) -> Result<PageResponse, Problem> {
    require_manager(&session)?;
    let view = serde_json::json!({});
    let (step, flash) = (SetupStep::Sources, FlashQuery::default());
    Ok(page::step(&session, step, &flash, &view, &render_new()))
}

/// Creates a source without a secret. The next page makes the secret or takes the vendor's. If the
/// process dies in between, the list may have a source that cannot be read yet: repeating this
/// creates another one.
pub(crate) async fn create(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<NewSourceForm>,
) -> Result<ChangeResponse, Problem> {
    require_manager(&session)?;
    let partner = session.partner.clone();
    let known = setup.access().partner_sources.get_all(&partner).await?;
    if known.len() >= MAX_SOURCES {
        return Err(Problem::refused(
            "There are 50 sources already. Ask the operator of your Ticketbridge for more.",
        ));
    }
    let new = form.parse(partner)?;
    let (created, _) = manage::create(&setup, new, Actor::Partner, &invocation).await?;
    let next = format!("{}&done=source_made", one_path(&created.id)?);
    Ok(ChangeResponse::next(next).with("source", created.id))
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<SourceQuery>,
) -> Result<PageResponse, Problem> {
    let own = OwnSource::read(&setup, &session.partner, query.source).await?;
    let view = read_one(&setup, &session, own, None, &invocation).await?;
    let content = render_one(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::new(query.done));
    Ok(page::step(&session, step, &flash, &view, &content))
}

pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<SourceForm>,
) -> Result<ChangeResponse, Problem> {
    let own = OwnSource::read_at(&setup, &session, form.source, form.version).await?;
    let edit = SourceEdit {
        name: Some(parse_name("name", &form.name)?),
        enabled: Some(form.enabled),
        inactivity: InactivityEdit {
            ticket: Some(form.inactive_ticket),
            ..InactivityEdit::from_form(
                form.inactive_after_hours.as_deref(),
                form.tenant_inactive_after_days.as_deref(),
            )?
        },
        ..SourceEdit::default()
    };
    let found = (own.id, own.source);
    let changed = manage::edit(&setup, found, edit, Actor::Partner, &invocation).await?;
    saved(&changed.id, changed.source.version)
}

/// Takes the secret that the vendor shows, or makes one. Only this response shows it.
pub(crate) async fn set_secret(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<SecretForm>,
) -> Result<Response, Problem> {
    let own = OwnSource::read_at(&setup, &session, form.source.clone(), form.version).await?;
    let origin = form.parse(&own.document.authentication)?;
    let is_issued = matches!(origin, SecretOrigin::Issued(_));
    let found = (own.id, own.source);
    let rotated = manage::rotate(&setup, found, origin, Actor::Partner, &invocation).await?;
    let changed = rotated.changed;
    if is_issued {
        return Ok(saved(&changed.id, changed.source.version)?.into_response());
    }
    let own = OwnSource {
        id: changed.id,
        source: changed.source,
        document: changed.document,
    };
    let secret = Some(rotated.secret.expose().to_owned());
    let view = read_one(&setup, &session, own, secret, &invocation).await?;
    let content = render_one(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::default());
    Ok(page::step(&session, step, &flash, &view, &content).into_response())
}

/// Stores a sample, which the mapping is then made from.
pub(crate) async fn add_sample(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    LargeInput(form): LargeInput<SampleForm>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let own = OwnSource::read_to_change(&setup, &session, form.source).await?;
    if form.message.is_empty() {
        samples::add(&setup, partner, &own.id, &form.sample, &invocation).await?;
    } else {
        samples::add_message(&setup, partner, &own.id, &form.message, &invocation).await?;
    }
    let path = paths::with_query(paths::SOURCE_MAPPING, &[("source", own.id.as_str())])?;
    Ok(ChangeResponse::next(path))
}

/// Moves a source to the newest version of its preset. A person has seen what it changes.
pub(crate) async fn use_newest_preset(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<PresetForm>,
) -> Result<ChangeResponse, Problem> {
    let own = OwnSource::read_at(&setup, &session, form.source, form.version).await?;
    let preset = preset_of(&own.document);
    let preset = preset.ok_or_else(|| Problem::refused("This source has no preset."))?;
    let edit = SourceEdit {
        format: FormatRequest {
            preset: Some(preset.name),
            preset_version: Some(form.preset_version),
            ..FormatRequest::default()
        },
        ..SourceEdit::default()
    };
    let found = (own.id, own.source);
    let changed = manage::edit(&setup, found, edit, Actor::Partner, &invocation).await?;
    saved(&changed.id, changed.source.version)
}

fn saved(source: &domain::SourceId, version: u64) -> Result<ChangeResponse, Problem> {
    let next = format!("{}&done=saved", one_path(source)?);
    Ok(ChangeResponse::next(next).with("version", version))
}
