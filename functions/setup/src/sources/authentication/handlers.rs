//! Shows and changes how a source proves itself.

use aws::invocation::Invocation;
use axum::Extension;
use domain::SourceId;
use domain::source::presets::SourceFormat;
use jiff::Timestamp;
use serde::Deserialize;
use store::Actor;

use super::form::AuthenticationForm;
use super::view::{AuthenticationView, render};
use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::http::input::{Input, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::sources::access::OwnSource;
use crate::sources::form::SourceQuery;
use crate::sources::manage::{self, PresentSecrets, SourceEdit};
use crate::sources::view::one_path;
use crate::step::SetupStep;

#[derive(Deserialize)]
pub(crate) struct ChangeForm {
    source: SourceId,
    version: u64,
    #[serde(default)]
    secret: PresentSecrets,
    #[serde(flatten)]
    form: AuthenticationForm,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<SourceQuery>,
) -> Result<PageResponse, Problem> {
    let own = OwnSource::read_to_change(&setup, &session, query.source).await?;
    let view = view(own, invocation.now());
    let content = render(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::default());
    Ok(page::step(&session, step, &flash, &view, &content))
}

/// Changes the authentication, the networks and the response.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(typed): Input<ChangeForm>,
) -> Result<ChangeResponse, Problem> {
    let ChangeForm {
        source,
        version,
        secret,
        form,
    } = typed;
    let own = OwnSource::read_at(&setup, &session, source, version).await?;
    let edit = parse(&own, &form, secret, invocation.now())?;
    let found = (own.id, own.source);
    let changed = manage::edit(&setup, found, edit, Actor::Partner, &invocation).await?;
    let next = format!("{}&done=authentication_saved", one_path(&changed.id)?);
    Ok(ChangeResponse::next(next).with("version", changed.source.version))
}

fn view(own: OwnSource, now: Timestamp) -> AuthenticationView {
    let has_secret = own.document.valid_secrets(now).next().is_some();
    AuthenticationView {
        has_secret,
        has_preset: own.document.preset.is_some(),
        has_response: own.document.format != SourceFormat::CloudEvents,
        form: AuthenticationForm::of(&own.document),
        source: own.id,
        name: own.source.value.name,
        version: own.source.version,
        authentication: own.document.authentication,
    }
}

/// A secret is dropped only if the person chose so: one that does not fit the new authentication is
/// a problem.
fn parse(
    own: &OwnSource,
    form: &AuthenticationForm,
    secret: PresentSecrets,
    now: Timestamp,
) -> Result<SourceEdit, Problem> {
    let format = match own.document.preset {
        Some(_) => form.parse_limits()?,
        None => form.parse()?,
    };
    if let (Some(authentication), PresentSecrets::Keep) = (&format.authentication, secret) {
        let mut secrets = own.document.valid_secrets(now);
        let unfit = secrets.find_map(|secret| authentication.check_secret(secret.expose()).err());
        if let Some(unfit) = unfit {
            let words = format!(
                "The present secret cannot be used in this way: here a secret {}. End it, and make or enter another one on the next page.",
                unfit.problem.replace('`', "\"")
            );
            return Err(Problem::invalid("secret", words));
        }
    }
    Ok(SourceEdit {
        format,
        secrets: secret,
        ..SourceEdit::default()
    })
}
