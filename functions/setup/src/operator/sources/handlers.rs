//! Lists, creates and changes sources, and rotates their signing secrets.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::monitoring::inactive_source::InactivityRules;
use domain::{Secret, SourceId};
use store::{Actor, RegisteredSource, Versioned};

use crate::context::{AppState, Setup};
use crate::http::input::{Input, PathParam, QueryParams, parse_id, parse_name};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::input::ListQuery;
use crate::operator::sources::request::{
    RotationRequest, SourcePartners, SourceRequest, parse_kinds, parse_partners,
};
use crate::operator::sources::response::{
    ActivityView, NewSourceResponse, RejectedEventsView, RotatedSourceResponse, SourceDetail,
    SourceResponse, SourceSummary, SourcesResponse,
};
use crate::sources::change::conflict;
use crate::sources::manage::{self, NewSecret, NewSource, SourceEdit, stored_document};

pub(crate) async fn list(
    setup: AppState,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (from, limit) = query.parse()?;
    let page = setup.access().sources.page(from.as_ref(), limit).await?;
    let entries = page.entries.into_iter();
    let sources = entries.map(|entry| SourceSummary::new(entry.id, entry.value, entry.version));
    let response = SourcesResponse {
        sources: sources.collect(),
        next: page.next.map(String::from),
    };
    Ok(json_response(StatusCode::OK, &response))
}

pub(crate) async fn get(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
) -> Result<Response, Problem> {
    let (id, source) = existing(&setup, source).await?;
    let document = stored_document(&setup, &id).await?;
    let (table, now) = (setup.table(), invocation.now());
    let (mut rejected, mut activity) = (vec![], vec![]);
    for partner in source.value.partner.iter().chain(&source.value.partners) {
        let mut of_partner = table.rejected.get_all(partner, now).await?;
        let of_source = of_partner.remove(&id);
        rejected.extend(of_source.map(|rejections| RejectedEventsView::new(partner, rejections)));
        let of_source = table.source_activity.get_all(partner).await?.remove(&id);
        activity.extend(of_source.map(|of| ActivityView::new(partner, of, now)));
    }
    let response = SourceDetail {
        source: SourceResponse::new(&setup, id, source, document),
        rejected,
        activity,
    };
    Ok(json_response(StatusCode::OK, &response))
}

/// Creates a source. Only this response contains its signing secret.
pub(crate) async fn create(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    Input(mut request): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let (format, inactivity) = (request.take_format(), request.inactivity()?);
    let missing = || Problem::invalid("name", "A new source needs a name.");
    let name = parse_name("name", request.name.as_deref().ok_or_else(missing)?)?;
    let partners = parse_partners(&setup, request.partner, request.partners).await?;
    let SourcePartners { partner, partners } = partners.ok_or_else(|| {
        Problem::invalid(
            "partner",
            "A source posts for one \"partner\", or for several \"partners\".",
        )
    })?;
    if request.version.is_some_and(|version| version != 0) {
        return Err(conflict());
    }
    let new = NewSource {
        name,
        partner,
        partners,
        enabled: request.enabled.unwrap_or(true),
        inactivity: inactivity.apply(InactivityRules::default()),
        kinds_added: parse_kinds(request.kinds_added.unwrap_or_default())?,
        format,
        secret: NewSecret::Now(request.secret.into()),
    };
    let (created, secret) = manage::create(&setup, new, Actor::Operator, &invocation).await?;
    let response = NewSourceResponse {
        source: SourceResponse::of(&setup, created),
        secret: secret.as_ref().map(Secret::expose),
    };
    Ok(json_response(StatusCode::CREATED, &response))
}

/// Changes a source; members that are left out stay as they are.
pub(crate) async fn change(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(mut request): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let (format, inactivity) = (request.take_format(), request.inactivity()?);
    if request.secret.is_some() {
        return Err(Problem::invalid(
            "secret",
            "A secret is replaced by its own route, so that the old one overlaps.",
        ));
    }
    let found = existing(&setup, source).await?;
    if request
        .version
        .is_some_and(|expected| expected != found.1.version)
    {
        return Err(conflict());
    }
    let name = request.name.as_deref().map(|text| parse_name("name", text));
    let partners = parse_partners(&setup, request.partner, request.partners).await?;
    let edit = SourceEdit {
        name: name.transpose()?,
        partners: partners.map(|of| (of.partner, of.partners)),
        enabled: request.enabled,
        inactivity,
        kinds_added: request.kinds_added.map(parse_kinds).transpose()?,
        format,
        ..SourceEdit::default()
    };
    let changed = manage::edit(&setup, found, edit, Actor::Operator, &invocation).await?;
    Ok(json_response(
        StatusCode::OK,
        &SourceResponse::of(&setup, changed),
    ))
}

/// Gives a source a new signing secret; only this response contains it. A request with `version`
/// cannot end a secret by accident: if it repeats a request whose response was lost, it is a
/// conflict.
pub(crate) async fn rotate(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(request): Input<RotationRequest>,
) -> Result<Response, Problem> {
    let found = existing(&setup, source).await?;
    if request
        .version
        .is_some_and(|expected| expected != found.1.version)
    {
        return Err(conflict());
    }
    let origin = request.secret.into();
    let rotated = manage::rotate(&setup, found, origin, Actor::Operator, &invocation).await?;
    let response = RotatedSourceResponse {
        source: SourceResponse::of(&setup, rotated.changed),
        secret: rotated.secret.expose(),
        old_until: rotated.old_until,
        ended_now: rotated.ended,
    };
    Ok(json_response(StatusCode::OK, &response))
}

async fn existing(
    setup: &Setup,
    source: String,
) -> Result<(SourceId, Versioned<RegisteredSource>), Problem> {
    manage::existing(setup, parse_id("source", source)?).await
}
