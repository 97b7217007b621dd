//! The page of the mapping editor.

use domain::SourceId;
use domain::alert::kind::KindInfo;
use domain::source::mapping::preview::SampleEvent;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Value, json};

use super::form::{
    Edited, FIELDS, FieldRule, MappingField, MappingForm, TABLES, TableRow, WHOLE_BODY,
};
use super::preview::{Difference, MappingPreview, SamplePreview, TicketPreview};
use super::tree;
use crate::http::problem::Problem;
use crate::paths;
use crate::sources::samples::Sample;
use crate::sources::view::one_path;

/// Empty rows of a table, for further values.
const EMPTY_ROWS: usize = 2;
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "informational"];
const CHANGES: [(&str, &str); 4] = [
    ("raised", "raises the alert"),
    ("updated", "changes details"),
    ("resolved", "resolves the alert"),
    ("ignored", "is ignored"),
];

pub(super) struct EditorView {
    pub(super) id: SourceId,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) kinds: Vec<KindInfo>,
    pub(super) edited: Edited,
    /// The digest of the mapping that was tried.
    pub(super) digest: Option<String>,
    /// Whether that mapping is the saved one.
    pub(super) is_saved: bool,
    pub(super) samples: Vec<Sample>,
    pub(super) preview: Option<MappingPreview>,
    /// A sample that could not be stored.
    pub(super) typed_sample: String,
    pub(super) problem: Option<Problem>,
    pub(super) preset: Option<PresetChange>,
}

/// A newer version of the source's preset.
#[derive(Serialize)]
pub(super) struct PresetChange {
    pub(super) version: u32,
    pub(super) differences: Vec<Difference>,
}

impl Serialize for EditorView {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let samples = self.samples.iter();
        let samples = samples.map(|sample| json!({ "n": sample.n, "text": sample.text }));
        json!({
            "source": self.id,
            "version": self.version,
            "mapping": self.edited.value().ok(),
            "checked": self.digest,
            "samples": samples.collect::<Vec<_>>(),
            "preview": self.preview,
            "newer_preset": self.preset,
        })
        .serialize(serializer)
    }
}

impl EditorView {
    /// The problem of this field.
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let at = problem.field.as_deref()?;
        // `mapping.tenant.at` and `tenant` belong to the row of the tenant.
        let at = at.strip_prefix("mapping.").unwrap_or(at);
        let at = at.strip_prefix("fields[").unwrap_or(at);
        let at = at.split(['.', '[', ']']).next().unwrap_or_default();
        (at == field).then_some(problem.detail.as_str())
    }

    /// The problem, unless a field of the form shows it.
    fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let has_field = match &self.edited {
            Edited::Form(_) => FIELDS
                .iter()
                .map(|field| field.name)
                .chain([
                    "each",
                    "change_at",
                    "change",
                    "expires_after_hours",
                    "sample",
                ])
                .any(|field| self.problem_of(field).is_some()),
            Edited::Json(_) => self.problem_of("sample").is_some(),
        };
        (!has_field).then_some(problem.detail.as_str())
    }
}

fn problem(words: Option<&str>, id: &str) -> Markup {
    html! { @if let Some(words) = words { p class="problem" id=(id) role="alert" { (words) } } }
}

pub(super) fn render(view: &EditorView) -> Result<Markup, Problem> {
    let first = view.samples.first();
    let sample: Option<Value> = first.and_then(|sample| serde_json::from_str(&sample.text).ok());
    let alert = alert_of(view, sample.as_ref());
    Ok(html! {
        h2 { "Mapping of " (view.name) }
        @if let Some(preset) = &view.preset { (newer_preset(view, preset)) }
        form id="mapping" method="post" action=(paths::SOURCE_MAPPING) data-render {
            input type="hidden" name="source" value=(view.id);
            input type="hidden" name="version" value=(view.version);
            @if let Some(digest) = &view.digest { input type="hidden" name="checked" value=(digest); }
            (problem(view.other_problem(), "problem-mapping"))
            @match &view.edited {
                Edited::Form(form) => (form_rows(view, form, sample.as_ref(), alert.as_ref())),
                Edited::Json(text) => (json_rows(text, alert.as_ref())),
            }
            (samples(view))
            p {
                button name="action" value="check" { "Try it" }
                " "
                button name="action" value="save" { "Save" }
                " "
                @match &view.edited {
                    Edited::Form(_) => button class="plain" name="action" value="as_json" { "Edit as JSON" },
                    Edited::Json(_) => button class="plain" name="action" value="as_form" { "Edit in the form" },
                }
            }
        }
        @if let Some(preview) = &view.preview { (result(view, preview)) }
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
            @else { (differences(&preset.differences)) }
            p { "A mapping that was changed here is replaced by it." }
            form method="post" action=(paths::SOURCE_PRESET) {
                input type="hidden" name="source" value=(view.id);
                input type="hidden" name="version" value=(view.version);
                input type="hidden" name="preset_version" value=(preset.version);
                button { "Use version " (preset.version) }
            }
        }
    }
}

fn form_rows(
    view: &EditorView,
    form: &MappingForm,
    sample: Option<&Value>,
    alert: Option<&Value>,
) -> Markup {
    let places = alert.map(tree::places).unwrap_or_default();
    let mut lists = sample.map(tree::lists).unwrap_or_default();
    for list in &mut lists {
        if list.is_empty() {
            WHOLE_BODY.clone_into(list);
        }
    }
    html! {
        datalist id="places" { @for place in &places { option value=(place.pointer) { (place.value) } } }
        datalist id="kind-values" {
            @for info in &view.kinds { option value=(info.kind) { (info.type_name) } }
            @for place in &places { option value=(place.pointer) { (place.value) } }
        }
        datalist id="severity-values" {
            @for severity in SEVERITIES { option value=(severity) {} }
            @for place in &places { option value=(place.pointer) { (place.value) } }
        }
        datalist id="lists" { @for list in &lists { option value=(list) {} } }
        div class="editor" {
            @if let Some(alert) = alert { (sample_tree(alert)) }
            div {
                fieldset {
                    legend { "The message" }
                    label for="each" { "List of alerts at" }
                    input id="each" name="each" list="lists" value=(form.each) autocomplete="off" aria-describedby="each-note"
                        aria-invalid=[view.problem_of("each").map(|_| "true")];
                    small id="each-note" { "Only if one message has several alerts. The places below are then within one of them." }
                    (problem(view.problem_of("each"), "problem-each"))
                    (change_table(view, form))
                    label for="expires" { "Hours until an alert expires" }
                    input id="expires" name="expires_after_hours" inputmode="numeric" value=(form.expires_after_hours) autocomplete="off" aria-describedby="expires-note"
                        aria-invalid=[view.problem_of("expires_after_hours").map(|_| "true")];
                    small id="expires-note" { "For products that never say that an alert is resolved. Empty: never." }
                    (problem(view.problem_of("expires_after_hours"), "problem-expires"))
                }
                @for field in &FIELDS { (field_row(view, form, field)) }
            }
        }
    }
}

fn sample_tree(alert: &Value) -> Markup {
    html! {
        details open data-tree {
            summary { "The first sample" }
            p class="soft" data-hint role="status" hidden { "Choose a field, then press the value that belongs into it." }
            div class="sample" tabindex="0" role="region" aria-label="The first sample" { (tree::render(alert)) }
        }
    }
}

fn json_rows(text: &str, alert: Option<&Value>) -> Markup {
    html! {
        @if let Some(alert) = alert {
            details {
                summary { "The first sample" }
                div class="sample" tabindex="0" role="region" aria-label="The first sample" { (tree::render(alert)) }
            }
        }
        label for="json" { "Mapping" }
        textarea id="json" name="mapping" rows="24" required spellcheck="false" class="code" { (text) }
    }
}

fn change_table(view: &EditorView, form: &MappingForm) -> Markup {
    let words = view
        .problem_of("change_at")
        .or_else(|| view.problem_of("change"));
    html! {
        label for="change-at" { "Place that says whether the alert is resolved" }
        input id="change-at" name="change_at" list="places" value=(form.change_at) autocomplete="off" data-place-field
            aria-invalid=[words.map(|_| "true")];
        (problem(words, "problem-change"))
        (table("change", "What its values mean", &form.change, &CHANGES))
        label for="change-otherwise" { "A message with another value" }
        select id="change-otherwise" name="change_otherwise" {
            option value="raised" selected[form.change_otherwise != "quarantine"] { "raises the alert" }
            option value="quarantine" selected[form.change_otherwise == "quarantine"] { "waits for a person" }
        }
    }
}

fn table(name: &str, caption: &str, rows: &[TableRow], options: &[(&str, &str)]) -> Markup {
    let empty = TableRow::default();
    let shown = rows.iter().filter(|row| !row.from.is_empty());
    let shown: Vec<_> = shown
        .chain(std::iter::repeat_n(&empty, EMPTY_ROWS))
        .collect();
    html! {
        fieldset class="pairs" {
            legend { (caption) }
            @for (n, row) in shown.into_iter().enumerate() {
                div class="pair" {
                    input name={ (name) "[" (n) "][from]" } value=(row.from) autocomplete="off" aria-label={ (caption) ", value " (n + 1) };
                    select name={ (name) "[" (n) "][to]" } aria-label={ (caption) ", meaning of value " (n + 1) } {
                        @for (value, words) in options {
                            option value=(value) selected[row.to == *value] { (words) }
                        }
                    }
                }
            }
        }
    }
}

fn field_row(view: &EditorView, form: &MappingForm, field: &MappingField) -> Markup {
    let name = field.name;
    let empty = FieldRule::default();
    let rule = form.fields.get(name).unwrap_or(&empty);
    let words = view.problem_of(name);
    let list = match name {
        "kind" => "kind-values",
        "severity" => "severity-values",
        _ => "places",
    };
    let has_otherwise = matches!(name, "tenant" | "kind" | "severity");
    let kinds: Vec<_> = view
        .kinds
        .iter()
        .map(|info| (info.kind.as_str(), info.kind.as_str()))
        .collect();
    let severities = SEVERITIES.map(|severity| (severity, severity));
    let options: &[(&str, &str)] = match name {
        "kind" => &kinds,
        _ => &severities,
    };
    html! {
        fieldset class="rule" {
            legend { (field.label) }
            @if !field.note.is_empty() { small id={ (name) "-note" } { (field.note) } }
            div class="pair" {
                select name={ "fields[" (name) "][from]" } aria-label={ (field.label) ": where it comes from" } {
                    @if !field.is_required { option value="" selected[rule.from.is_empty()] { "nothing" } }
                    option value="at" selected[rule.from == "at"] { "a place" }
                    option value="is" selected[rule.from == "is"] { "a constant" }
                    option value="text" selected[rule.from == "text"] { "text with places" }
                }
                input name={ "fields[" (name) "][value]" } list=(list) value=(rule.value) autocomplete="off" aria-label=(field.label) data-place-field
                    aria-invalid=[words.map(|_| "true")] aria-errormessage=[words.map(|_| format!("problem-{name}"))];
            }
            (problem(words, &format!("problem-{name}")))
            @if let Some(table_name) = TABLES.into_iter().find(|table| *table == name) {
                details open[form.tables.get(name).is_some_and(|rows| rows.iter().any(|row| !row.from.is_empty()))] {
                    summary { "Translate its values" }
                    (table(&format!("{table_name}_table"), &format!("{} by value", field.label), form.tables.get(name).map_or(&[][..], Vec::as_slice), options))
                }
            }
            @if has_otherwise {
                label for={ (name) "-otherwise" } { "Otherwise" }
                @if name == "tenant" {
                    input id="tenant-otherwise" name="fields[tenant][otherwise]" value=(rule.otherwise) autocomplete="off";
                } @else {
                    select id={ (name) "-otherwise" } name={ "fields[" (name) "][otherwise]" } {
                        option value="" selected[rule.otherwise.is_empty()] { "nothing" }
                        @for (value, words) in options { option value=(value) selected[rule.otherwise == *value] { (words) } }
                    }
                }
            } @else {
                input type="hidden" name={ "fields[" (name) "][otherwise]" } value=(rule.otherwise);
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
                textarea id="sample" name="sample" rows="4" spellcheck="false" class="code"
                    aria-invalid=[view.problem_of("sample").map(|_| "true")] { (view.typed_sample) }
                (problem(view.problem_of("sample"), "problem-sample"))
            }
        }
    }
}

fn result(view: &EditorView, preview: &MappingPreview) -> Markup {
    html! {
        section id="result" aria-labelledby="result-title" {
            h2 id="result-title" { "What it makes of the samples" }
            @if view.is_saved { p class="soft" { "This is the saved mapping." } }
            @if preview.samples.is_empty() { p { "Add a sample to see its ticket." } }
            @if !preview.resolves_what_was_raised {
                p class="problem" { "A sample resolves an alert that no other sample raises, so its ticket would never be closed." }
            }
            @if !preview.differences.is_empty() {
                h3 { "What differs from the saved mapping" }
                (differences(&preview.differences))
            }
            @for sample in &preview.samples { (sample_result(sample)) }
        }
    }
}

fn differences(differences: &[Difference]) -> Markup {
    html! {
        div class="wide" {
            table class="cards" {
                caption { "By sample" }
                thead { tr { th scope="col" { "Sample" } th scope="col" { "What" } th scope="col" { "Saved" } th scope="col" { "New" } } }
                tbody {
                    @for difference in differences {
                        tr {
                            td data-label="Sample" { (difference.sample) }
                            td data-label="What" { (difference.member) }
                            td data-label="Saved" { (difference.before.as_deref().unwrap_or("nothing")) }
                            td data-label="New" { (difference.after.as_deref().unwrap_or("nothing")) }
                        }
                    }
                }
            }
        }
    }
}

fn sample_result(sample: &SamplePreview) -> Markup {
    let result = &sample.result;
    html! {
        h3 { "Sample " (sample.n) }
        @if result.is_ping { p { "It is a test message: it is answered and has no other effect." } }
        @if result.ignored > 0 { p { "Ignored by the mapping: " (result.ignored) "." } }
        @for problem in &result.unmapped {
            p class="problem" {
                @if let Some(index) = problem.index { "Alert " (index + 1) ": " }
                code { (problem.field) } ": " (problem.problem) ". It would wait for a person."
            }
        }
        @for (text, alerts) in &result.unknown_kinds {
            p class="warn" { "\"" (text) "\" is no known kind (" (alerts) "). The kind \"otherwise\" counts." }
        }
        @for (event, ticket) in result.events.iter().zip(&sample.tickets) { (event_result(event, ticket)) }
    }
}

fn event_result(event: &SampleEvent, ticket: &TicketPreview) -> Markup {
    html! {
        div class="ticket" {
            @match &event.details {
                None => p { "It resolves the alert " code { (event.alert_id) } " of the tenant " (event.tenant) "." },
                Some(details) => {
                    p {
                        @if event.change == "updated" { "It changes details of the alert " } @else { "It raises the alert " }
                        code { (event.alert_id) } " of the tenant " (event.tenant) "."
                    }
                    @if let Some(blocked) = &ticket.blocked { p class="warn" { "No ticket yet: " (blocked) "." } }
                    dl {
                        dt { "Board" } dd { (ticket.board) }
                        dt { "Company" } dd { (ticket.company) }
                        dt { "Type" } dd { (ticket.type_name) }
                        dt { "Priority" } dd { (ticket.priority) }
                        dt { "Summary" } dd { (details.ticket.summary) }
                    }
                    pre tabindex="0" role="region" aria-label="Text of the ticket" { (details.ticket.text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::kind::with_added;

    use super::*;

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
    }
}
