//! Lists, creates and changes sources, and rotates their signing secrets.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::secrets::{SourceDocument, SourceSecret};
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{PartnerId, Secret, SourceId};
use futures_util::future::join_all;
use serde_json::json;
use store::{Actor, RegisteredSource, Versioned};

use crate::context::{AppState, Setup};
use crate::http::input::{Input, PathParam, QueryParams, parse_id};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::input::{ListQuery, parse_name};
use crate::operator::sources::change::{SourceChange, conflict, partner_set, partners_of};
use crate::operator::sources::format::{keep_fitting, new_secret};
use crate::operator::sources::request::{
    RotationRequest, SourcePartners, SourceRequest, parse_inactive_after, parse_kinds,
    parse_partners,
};
use crate::operator::sources::response::{
    ActivityView, RejectedEventsView, SourceResponse, SourceSummary, SourcesResponse,
};
use crate::operator::sources::rotation;
use crate::{audit, random};

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
    let mut body = json!(SourceResponse::new(&setup, id, source, document));
    body["rejected"] = json!(rejected);
    body["activity"] = json!(activity);
    Ok(json_response(StatusCode::OK, &body))
}

/// Creates a source. Only this response contains its signing secret. If the process dies in
/// between, the list has a source whose secret is lost or not stored. Repeating this creates
/// another source; the first one can be disabled.
pub(crate) async fn create(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    Input(mut request): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let format = request.take_format();
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
    let inactive_after = parse_inactive_after(request.inactive_after_hours.as_ref())?;
    let kinds_added = parse_kinds(request.kinds_added.unwrap_or_default())?;
    let mut document = SourceDocument {
        partner: partner.clone(),
        partners: partners.clone(),
        kinds_added,
        ..SourceDocument::default()
    };
    format.apply(&mut document)?;
    let secret = new_secret(&document, request.secret)?;
    document
        .secrets
        .extend(secret.clone().map(|value| SourceSecret {
            value,
            not_after: None,
        }));
    let id = new_id(&setup).await?;
    let source = RegisteredSource {
        name,
        partner,
        partners,
        enabled: request.enabled.unwrap_or(true),
        made_at: invocation.now(),
        inactive_after_hours: inactive_after.flatten(),
        busy_until: None,
    };
    let change = SourceChange::begin(&setup, id, source, 0, &invocation).await?;
    let document = change.document(Some(document));
    let response = change.finish(&setup, None, document, &invocation).await?;
    record_for_all(&setup, &response.listed, "source_made", &invocation).await;
    let mut body = json!(response);
    body["secret"] = json!(secret.as_ref().map(Secret::expose));
    Ok(json_response(StatusCode::CREATED, &body))
}

/// An id that the webhook endpoint recognizes as one of this stage.
async fn new_id(setup: &Setup) -> Result<SourceId, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let new = random::source_key()?;
    let keys = setup.secret_writer.source_keys(prefix, &new).await;
    let keys = keys.map_err(|err| {
        tracing::error!(error = %err, "failed to read or create the keys that prove source ids");
        Problem::unavailable(
            "The keys that prove source ids cannot be read. Repeat this in a minute.",
        )
    })?;
    Ok(keys.id(random::source_id_bytes()?))
}

/// Changes a source; members that are left out stay as they are. The webhook endpoint uses the
/// change within five minutes.
pub(crate) async fn change(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(mut request): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let format = request.take_format();
    if request.secret.is_some() {
        return Err(Problem::invalid(
            "secret",
            "A secret is replaced by its own route, so that the old one overlaps.",
        ));
    }
    let (id, Versioned { value, version }) = existing(&setup, source).await?;
    if request.version.is_some_and(|expected| expected != version) {
        return Err(conflict());
    }
    let name = request.name.as_deref().map(|text| parse_name("name", text));
    let name = name.transpose()?.unwrap_or_else(|| value.name.clone());
    let partners = parse_partners(&setup, request.partner, request.partners).await?;
    let SourcePartners { partner, partners } = partners.unwrap_or_else(|| SourcePartners {
        partner: value.partner.clone(),
        partners: value.partners.clone(),
    });
    let inactive_after = parse_inactive_after(request.inactive_after_hours.as_ref())?;
    let kinds_added = request.kinds_added.map(parse_kinds).transpose()?;
    let mut before = partner_set(value.partner.as_ref(), &value.partners);
    let source = RegisteredSource {
        name,
        partner,
        partners,
        enabled: request.enabled.unwrap_or(value.enabled),
        inactive_after_hours: inactive_after.unwrap_or(value.inactive_after_hours),
        ..value
    };
    let change = SourceChange::begin(&setup, id, source, version, &invocation).await?;
    let stored = stored_document(&setup, &change.id).await?;
    // An interrupted change may have written only the item or only the document.
    before.extend(stored.iter().flat_map(partners_of));
    let mut document = change.document(stored.clone());
    if let Some(kinds_added) = kinds_added {
        document.kinds_added = kinds_added;
    }
    format.apply(&mut document)?;
    keep_fitting(&mut document);
    let response = change.finish(&setup, stored, document, &invocation).await?;
    record_change(&setup, &response.listed, &before, &invocation).await;
    Ok(json_response(StatusCode::OK, &response))
}

/// Gives a source a new signing secret; only this response contains it. The old secret is accepted
/// for 24 more hours. At most two secrets are accepted, so another rotation within that time ends
/// the oldest at once, for example after a leak, and the response says so. A request with `version`
/// cannot do that by accident: if it repeats a request whose response was lost, it is a conflict.
pub(crate) async fn rotate(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(source): PathParam,
    Input(request): Input<RotationRequest>,
) -> Result<Response, Problem> {
    let (id, Versioned { value, version }) = existing(&setup, source).await?;
    if request.version.is_some_and(|expected| expected != version) {
        return Err(conflict());
    }
    let stored = stored_document(&setup, &id).await?;
    let secret = new_secret(&stored.unwrap_or_default(), request.secret)?;
    let secret = secret.ok_or_else(|| {
        Problem::invalid(
            "secret",
            "The vendor issues it: send the one that it shows.",
        )
    })?;
    let change = SourceChange::begin(&setup, id, value, version, &invocation).await?;
    let stored = stored_document(&setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    let rotated = rotation::rotate(document.secrets, secret.clone(), invocation.now());
    let old_until = rotated.secrets.get(1).and_then(|secret| secret.not_after);
    document.secrets = rotated.secrets;
    let response = change.finish(&setup, stored, document, &invocation).await?;
    let what = "source_secret_rotated";
    record_for_all(&setup, &response.listed, what, &invocation).await;
    let mut body = json!(response);
    body["secret"] = secret.expose().into();
    body["old_until"] = json!(old_until);
    body["ended_now"] = rotated.ended.into();
    Ok(json_response(StatusCode::OK, &body))
}

async fn existing(
    setup: &Setup,
    source: String,
) -> Result<(SourceId, Versioned<RegisteredSource>), Problem> {
    let id: SourceId = parse_id("source", source)?;
    let Versioned { value, version } = setup.access().sources.get(&id).await?;
    let missing = || Problem::not_found(format!("There is no source {id}."));
    let value = value.ok_or_else(missing)?;
    Ok((id, Versioned { value, version }))
}

async fn stored_document(setup: &Setup, id: &SourceId) -> Result<Option<SourceDocument>, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let stored = setup.secret_writer.source(prefix, id).await;
    let stored = stored.map_err(|err| {
        tracing::error!(source = %id, error = %err, "failed to read a source's signing secret");
        Problem::unavailable("The webhook's copy of this source cannot be read.")
    })?;
    Ok(stored.map(|stored| stored.document))
}

/// Records the same action for each partner of the source.
async fn record_for_all(
    setup: &Setup,
    source: &SourceSummary,
    what: &str,
    invocation: &Invocation,
) {
    let partners = partner_set(source.partner.as_ref(), &source.partners);
    let entries = partners.iter().map(|partner| (partner, what));
    record_each(setup, source, entries, invocation).await;
}

/// Records a change for each partner of the source, before or after it.
async fn record_change(
    setup: &Setup,
    source: &SourceSummary,
    before: &BTreeSet<PartnerId>,
    invocation: &Invocation,
) {
    let after = partner_set(source.partner.as_ref(), &source.partners);
    let what = |partner| match (before.contains(partner), after.contains(partner)) {
        (true, true) => "source_changed",
        (true, false) => "source_taken_away",
        (false, _) => "source_added",
    };
    let entries = before.union(&after).map(|partner| (partner, what(partner)));
    record_each(setup, source, entries, invocation).await;
}

async fn record_each<'a>(
    setup: &Setup,
    source: &SourceSummary,
    entries: impl Iterator<Item = (&'a PartnerId, &'a str)>,
    invocation: &Invocation,
) {
    let enabled = if source.enabled { "yes" } else { "no" };
    let detail = [
        ("source", source.id.to_string()),
        ("name", source.name.clone()),
        ("enabled", enabled.to_owned()),
    ];
    let recorded = entries.map(|(partner, what)| {
        let action = (Actor::Operator, what);
        audit::record(setup, partner, action, &detail, invocation)
    });
    join_all(recorded).await;
}
