//! The page of the mapping editor.

use domain::source::mapping::read_sample;
use maud::{Markup, html};
use serde_json::Value;

use super::field_problem::problem;
use super::form::{Edited, WHOLE_BODY};
use super::form_view::{form_rows, json_rows};
use super::result_view;
use super::view_model::{EditorView, PresetChange};
use crate::http::problem::Problem;
use crate::paths;
use crate::sources::view::one_path;

pub(super) fn render(view: &EditorView) -> Result<Markup, Problem> {
    let first = view.samples.first();
    let sample: Option<Value> = first.and_then(|sample| read_sample(&sample.text).ok());
    let alert = alert_of(view, sample.as_ref());
    Ok(html! {
        h2 { "Mapping of " (view.name) }
        @if let Some(preset) = &view.preset { (newer_preset(view, preset)) }
        form id="mapping" method="post" action=(paths::SOURCE_MAPPING) data-render {
            input type="hidden" name="source" value=(view.id);
            input type="hidden" name="version" value=(view.version);
            @if let Some(digest) = &view.digest { input type="hidden" name="checked" value=(digest); }
            (problem(view.other_problem(), "problem-mapping"))
            @if let Some(place) = view.problem_place() {
                p class="problem" { "The mapping was not saved: " a href={ "#" (place) } { "a field of this form is wrong" } "." }
            }
            @match &view.edited {
                Edited::Form(form) => (form_rows(view, form, sample.as_ref(), alert.as_ref())),
                Edited::Json(text) => (json_rows(text, alert.as_ref())),
            }
            (samples(view))
            // The first button is the one that a browser presses for the enter key.
            div class="actions" {
                button class="plain" name="action" value="check" { "Try it" }
                button name="action" value="save" { "Save" }
                @match &view.edited {
                    Edited::Form(_) => button class="plain" name="action" value="as_json" { "Edit as JSON" },
                    Edited::Json(_) => button class="plain" name="action" value="as_form" { "Edit in the form" },
                }
            }
        }
        @if let Some(preview) = &view.preview { (result_view::render(preview, view.is_saved)) }
        p { a href=(one_path(&view.id)?) { "The source " (view.name) } }
    })
}

/// The first alert of the sample, in which the places of the form are.
fn alert_of(view: &EditorView, sample: Option<&Value>) -> Option<Value> {
    let sample = sample?;
    let mapping = view.edited.value().ok();
    let each = match &view.edited {
        Edited::Form(form) => match form.each.trim() {
            "" => None,
            WHOLE_BODY => Some(""),
            each => Some(each),
        },
        Edited::Json(_) => mapping
            .as_ref()
            .and_then(|mapping| mapping.get("each")?.as_str()),
    };
    match each {
        None => Some(sample.clone()),
        Some(each) => match sample.pointer(each) {
            Some(Value::Array(alerts)) => alerts.first().cloned(),
            Some(alert) => Some(alert.clone()),
            None => Some(sample.clone()),
        },
    }
}

fn newer_preset(view: &EditorView, preset: &PresetChange) -> Markup {
    html! {
        section class="note" aria-labelledby="preset-title" {
            h3 id="preset-title" { "Version " (preset.version) " of this product's mapping" }
            @if preset.differences.is_empty() { p { "It reads the samples as the present one does." } }
            @else { (result_view::differences(&preset.differences)) }
            @if let Some(authentication) = &preset.authentication {
                p class="warn" {
                    "It proves itself in another way: " (authentication) ". A secret that cannot be used like this ends: "
                    "every message is then refused until the source has another secret."
                }
            }
            p { "A mapping or a response that was changed here is replaced by it." }
            form method="post" action=(paths::SOURCE_PRESET) {
                input type="hidden" name="source" value=(view.id);
                input type="hidden" name="version" value=(view.version);
                input type="hidden" name="preset_version" value=(preset.version);
                button { "Use version " (preset.version) }
            }
        }
    }
}

fn samples(view: &EditorView) -> Markup {
    html! {
        fieldset {
            legend { "Samples" }
            @if view.samples.is_empty() { p { "There is no sample yet." } }
            @for sample in &view.samples {
                details {
                    summary { "Sample " (sample.n) }
                    pre tabindex="0" role="region" aria-label={ "Sample " (sample.n) } { (sample.text) }
                    button class="plain" name="action" value={ "remove:" (sample.n) } { "Remove sample " (sample.n) }
                }
            }
            @if view.samples.len() < 5 {
                label for="sample" { "Another message, such as the one that resolves the alert" }
                textarea id="sample" name="sample" rows="4" spellcheck="false" class="code" autofocus[view.problem_of("sample").is_some()]
                    aria-invalid=[view.problem_of("sample").map(|_| "true")] aria-describedby=[view.problem_of("sample").map(|_| "problem-sample")] { (view.typed_sample) }
                (problem(view.problem_of("sample"), "problem-sample"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::SourceId;
    use domain::alert::kind::with_added;

    use super::*;
    use crate::sources::mapping::form::{FieldRule, MappingForm};
    use crate::sources::mapping::preview::Difference;
    use crate::sources::samples::Sample;

    fn view(edited: Edited, problem: Option<Problem>) -> EditorView {
        EditorView {
            id: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
            name: "Backup & more".to_owned(),
            version: 3,
            kinds: with_added(&[]),
            edited,
            digest: Some("0123".to_owned()),
            is_saved: false,
            samples: vec![Sample {
                n: 1,
                text: r#"{"id": "a", "who": {"name": "<Fabrikam>"}}"#.to_owned(),
            }],
            preview: None,
            typed_sample: String::new(),
            problem,
            preset: None,
        }
    }

    #[test]
    fn the_form_shows_the_sample_and_an_error_at_its_field() {
        let form = MappingForm {
            fields: [(
                "tenant".to_owned(),
                FieldRule {
                    from: "at".to_owned(),
                    value: "who".to_owned(),
                    otherwise: "(no customer)".to_owned(),
                },
            )]
            .into(),
            ..MappingForm::default()
        };
        let problem = Problem::invalid("mapping.tenant", "It begins with a slash.");
        let view = view(Edited::Form(form), Some(problem));
        assert!(view.other_problem().is_none());
        let page = render(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn a_rule_as_json_has_no_further_fields() {
        let first = r#"{"first":[{"at":"/a"},{"at":"/b"}]}"#;
        let page = |from: &str| {
            let rule = FieldRule {
                from: from.to_owned(),
                value: first.to_owned(),
                otherwise: String::new(),
            };
            let form = MappingForm {
                fields: [("tenant".to_owned(), rule)].into(),
                ..MappingForm::default()
            };
            let view = view(Edited::Form(form), None);
            render(&view).unwrap().0
        };
        let name = "name=\"fields[tenant][otherwise]\"";
        assert!(page("at").contains(&format!("id=\"tenant-otherwise\" {name}")));
        assert!(!page("json").contains("id=\"tenant-otherwise\""));
    }

    #[test]
    fn json_shows_its_error_above() {
        let problem = Problem::invalid("mapping", "It is not JSON.");
        let view = view(Edited::Json("{".to_owned()), Some(problem));
        assert_eq!(view.other_problem(), Some("It is not JSON."));
        let page = render(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn a_newer_preset_shows_what_it_changes() {
        let mut view = view(Edited::Json("{}".to_owned()), None);
        view.preset = Some(PresetChange {
            version: 2,
            authentication: Some("The secret in the header x-token".to_owned()),
            differences: vec![Difference {
                sample: 1,
                member: "alert 1: title".to_owned(),
                before: Some("a".to_owned()),
                after: None,
            }],
        });
        let page = render(&view).unwrap();
        let (_, change) = page.0.split_once("preset-title").unwrap();
        let (change, _) = change.split_once("</section>").unwrap();
        assert!(change.contains("alert 1: title"), "{change}");
        assert!(change.contains("Use version 2"), "{change}");
        assert!(change.contains("in the header x-token."), "{change}");
    }
}
