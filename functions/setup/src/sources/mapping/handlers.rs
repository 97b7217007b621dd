//! Shows, tries and saves the mapping of a source.

use aws::invocation::Invocation;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use connections::PartnerConfig;
use domain::alert::kind::KindInfo;
use domain::source::mapping::{EventMapping, read_sample};
use domain::source::presets::{self, SourceFormat};
use serde_json::Value;
use store::Actor;

use super::form::{Edited, EditorForm};
use super::guess::guess;
use super::preview::{MappingPreview, PreviewContext};
use super::target_names::TargetNames;
use super::view::render;
use super::view_model::{EditorView, PresetChange};
use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{LargeInput, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::sources::access::OwnSource;
use crate::sources::authentication::words::describe;
use crate::sources::form::SourceQuery;
use crate::sources::format::{FormatRequest, parse_mapping};
use crate::sources::manage::{self, SourceEdit};
use crate::sources::reader::preset_of;
use crate::sources::samples::{self, Sample};
use crate::sources::view::one_path;
use crate::step::SetupStep;

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<SourceQuery>,
) -> Result<PageResponse, Problem> {
    let own = OwnSource::read_to_change(&setup, &session, query.source).await?;
    let samples = samples::read(&setup, &session.partner, &own.id).await?;
    let edited = match &own.document.format {
        SourceFormat::Mapped(mapping) => Edited::of(mapping),
        SourceFormat::Unmapped => Edited::Form(first_guess(&own, &samples)),
        SourceFormat::CloudEvents => return Err(no_mapping()),
    };
    let editor = Editor {
        setup: &setup,
        session: &session,
        own,
        edited,
        samples,
        invocation: &invocation,
    };
    let parsed = editor.parse().ok();
    editor.page(parsed, None, String::new()).await
}

fn first_guess(own: &OwnSource, samples: &[Sample]) -> super::form::MappingForm {
    let sample = samples.first();
    let sample = sample.and_then(|sample| read_sample(&sample.text).ok());
    guess(&sample.unwrap_or(Value::Null), &own.document.kinds_added)
}

fn no_mapping() -> Problem {
    Problem::refused("This source posts CloudEvents, which need no mapping.")
}

/// Tries what was typed, and saves it if that was asked for. What was typed is on the page again,
/// whatever is wrong with it.
pub(crate) async fn change(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    LargeInput(form): LargeInput<EditorForm>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such source.");
    let id = form.source.clone().ok_or_else(missing)?;
    let own = OwnSource::read_at(&setup, &session, id, form.version).await?;
    if own.document.format == SourceFormat::CloudEvents {
        return Err(no_mapping());
    }
    let partner = &session.partner;
    let mut problem = None;
    let mut typed_sample = String::new();
    if !form.sample.trim().is_empty()
        && let Err(err) = samples::add(&setup, partner, &own.id, &form.sample, &invocation).await
    {
        typed_sample.clone_from(&form.sample);
        problem = Some(err);
    }
    if let Some(n) = form.action.strip_prefix("remove:") {
        let n = n
            .parse()
            .map_err(|_| Problem::not_found("There is no such sample."))?;
        samples::remove(&setup, partner, &own.id, n, &invocation).await?;
    }
    let mut editor = Editor {
        edited: form.edited(),
        samples: samples::read(&setup, partner, &own.id).await?,
        setup: &setup,
        session: &session,
        own,
        invocation: &invocation,
    };
    let parsed = match editor.parse() {
        Ok(parsed) => Some(parsed),
        Err(err) => {
            problem = problem.or(Some(err));
            None
        }
    };
    if let Some(mapping) = &parsed {
        match form.action.as_str() {
            "as_json" => editor.edited = Edited::json(&serde_json::json!(mapping)),
            "as_form" => {
                editor.edited = Edited::of(mapping);
                if matches!(editor.edited, Edited::Json(_)) {
                    problem = problem.or_else(|| Some(too_rich()));
                }
            }
            "save" if problem.is_none() => {
                let kinds = &editor.own.document.kinds_added;
                let known = (&editor.config().await?, &TargetNames::default());
                let preview = editor.preview(mapping, kinds, known);
                match check(&preview, mapping, &form.checked) {
                    Err(err) => problem = Some(err),
                    Ok(()) => return editor.save(mapping).await,
                }
            }
            _ => {}
        }
    }
    let page = editor.page(parsed, problem, typed_sample).await?;
    Ok(page.into_response())
}

fn too_rich() -> Problem {
    Problem::invalid(
        "mapping",
        "The form has no fields for this mapping, because it unwraps messages (\"unwrap\") or is incomplete. It is edited as JSON.",
    )
}

/// Checks that a mapping may be saved.
fn check(preview: &MappingPreview, mapping: &EventMapping, checked: &str) -> Result<(), Problem> {
    if !preview.resolves_what_was_raised {
        return Err(Problem::invalid(
            "alert_id",
            "A sample resolves an alert that no other sample raises, so its ticket would never be closed. \
             Take alert id and tenant from places that are the same in both messages.",
        ));
    }
    if !preview.differences.is_empty() && checked != mapping.digest() {
        return Err(Problem::outdated(
            "Nothing was saved yet. This mapping reads the samples in another way than the saved one: look at what differs, then save again.",
        ));
    }
    Ok(())
}

/// What the page needs.
struct Editor<'a> {
    setup: &'a Setup,
    session: &'a PartnerSession,
    own: OwnSource,
    edited: Edited,
    samples: Vec<Sample>,
    invocation: &'a Invocation,
}

impl Editor<'_> {
    fn parse(&self) -> Result<EventMapping, Problem> {
        let value = self.edited.value()?;
        match parse_mapping(&value, &self.own.document)? {
            SourceFormat::Mapped(mapping) => Ok(*mapping),
            SourceFormat::CloudEvents | SourceFormat::Unmapped => Err(no_mapping()),
        }
    }

    async fn config(&self) -> Result<PartnerConfig, Problem> {
        let partner = &self.session.partner;
        Ok(self.setup.connections.partner_config(partner).await?)
    }

    /// Tries a mapping. `kinds` are those of the source with this mapping.
    fn preview(
        &self,
        mapping: &EventMapping,
        kinds: &[KindInfo],
        (config, names): (&PartnerConfig, &TargetNames),
    ) -> MappingPreview {
        let context = PreviewContext {
            partner: &self.session.partner,
            source: &self.own.id,
            document: &self.own.document,
            config,
            names,
            now: self.invocation.now(),
        };
        context.try_mapping(mapping, kinds, &self.samples)
    }

    async fn page(
        self,
        parsed: Option<EventMapping>,
        problem: Option<Problem>,
        typed_sample: String,
    ) -> Result<PageResponse, Problem> {
        let config = self.config().await?;
        let names = match self.samples.is_empty() {
            true => TargetNames::default(),
            false => {
                let partner = &self.session.partner;
                TargetNames::read(self.setup, partner, &config, self.invocation).await
            }
        };
        let known = (&config, &names);
        let kinds = &self.own.document.kinds_added;
        let preview = parsed
            .as_ref()
            .map(|mapping| self.preview(mapping, kinds, known));
        let view = EditorView {
            preset: self.newer_preset(known),
            id: self.own.id,
            name: self.own.source.value.name,
            version: self.own.source.version,
            kinds: domain::alert::kind::with_added(&self.own.document.kinds_added),
            digest: parsed.as_ref().map(EventMapping::digest),
            is_saved: matches!((&self.own.document.format, &parsed), (SourceFormat::Mapped(saved), Some(parsed)) if **saved == *parsed),
            edited: self.edited,
            samples: self.samples,
            preview,
            typed_sample,
            problem: problem.clone(),
        };
        let content = render(&view)?;
        let (step, flash) = (SetupStep::Sources, FlashQuery::default());
        let page = page::step(self.session, step, &flash, &view, &content);
        Ok(page.with_problem(problem))
    }

    /// The newest version of the preset, if it is newer, and what it reads otherwise.
    fn newer_preset(&self, known: (&PartnerConfig, &TargetNames)) -> Option<PresetChange> {
        let present = preset_of(&self.own.document)?;
        let newest = presets::latest(&present.name);
        let newest = newest.filter(|newest| newest.version > present.version)?;
        let mut kinds = self.own.document.kinds_added.clone();
        kinds.extend(newest.kinds_added.iter().cloned());
        let differences = match newest.mapping() {
            Some(mapping) => self.preview(mapping, &kinds, known).differences,
            None => vec![],
        };
        let is_other = newest.authentication != self.own.document.authentication;
        Some(PresetChange {
            version: newest.version,
            authentication: is_other.then(|| describe(&newest.authentication)),
            differences,
        })
    }

    async fn save(self, mapping: &EventMapping) -> Result<Response, Problem> {
        let edit = SourceEdit {
            format: FormatRequest {
                mapping: Some(serde_json::json!(mapping)),
                ..FormatRequest::default()
            },
            ..SourceEdit::default()
        };
        let found = (self.own.id, self.own.source);
        let changed =
            manage::edit(self.setup, found, edit, Actor::Partner, self.invocation).await?;
        let next = format!("{}&done=mapping_saved", one_path(&changed.id)?);
        let response = ChangeResponse::next(next).with("version", changed.source.version);
        Ok(response.into_response())
    }
}
