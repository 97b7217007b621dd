//! The rows of the mapping editor: the sample beside them, and what each field takes.

use maud::{Markup, html};
use serde_json::Value;

use super::field_problem::{described, problem};
use super::form::{
    FIELDS, FieldRule, JSON_RULE, MappingField, MappingForm, TABLES, TableRow, WHOLE_BODY,
};
use super::tree;
use super::view_model::EditorView;
use crate::kind_names::kind_name;

/// Empty rows of a table, for further values.
const EMPTY_ROWS: usize = 2;
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "informational"];
const CHANGES: [(&str, &str); 4] = [
    ("raised", "raises the alert"),
    ("updated", "changes details"),
    ("resolved", "resolves the alert"),
    ("ignored", "is ignored"),
];

pub(super) fn form_rows(
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
            @for info in &view.kinds { option value=(info.kind) { (kind_name(info, &view.kinds)) } }
            @for place in &places { option value=(place.pointer) { (place.value) } }
        }
        datalist id="severity-values" {
            @for severity in SEVERITIES { option value=(severity) {} }
            @for place in &places { option value=(place.pointer) { (place.value) } }
        }
        datalist id="lists" { @for list in &lists { option value=(list) {} } }
        // The form is as wide as the page if there is no sample beside it.
        div class=[alert.map(|_| "editor")] {
            @if let Some(alert) = alert { (sample_tree(alert)) }
            div {
                fieldset {
                    legend { "The message" }
                    label for="each" { "List of alerts at" }
                    input id="each" name="each" list="lists" value=(form.each) autocomplete="off" aria-describedby=(described("each-note", view.problem_of("each"), "problem-each"))
                        aria-invalid=[view.problem_of("each").map(|_| "true")] autofocus[view.problem_of("each").is_some()];
                    small id="each-note" { "Only if one message has several alerts. The places below are then within one of them." }
                    (problem(view.problem_of("each"), "problem-each"))
                    (change_table(view, form))
                    label for="expires" { "Hours until an alert expires" }
                    input id="expires" name="expires_after_hours" inputmode="numeric" value=(form.expires_after_hours) autocomplete="off" aria-describedby=(described("expires-note", view.problem_of("expires_after_hours"), "problem-expires"))
                        aria-invalid=[view.problem_of("expires_after_hours").map(|_| "true")] autofocus[view.problem_of("expires_after_hours").is_some()];
                    small id="expires-note" { "For products that never say that an alert is resolved. Empty: never." }
                    (problem(view.problem_of("expires_after_hours"), "problem-expires"))
                }
                @for field in &FIELDS { (field_row(view, form, field)) }
                @if !form.rest.is_empty() { (rest(view, form)) }
            }
        }
    }
}

fn sample_tree(alert: &Value) -> Markup {
    html! {
        details open data-tree {
            summary { "The first sample" }
            // The page's script replaces this by its own hint.
            p class="soft" data-hint role="status" { "A place is the way to a value: its names, each after a slash, such as /customer/name. The fields suggest the places of this sample." }
            div class="sample" tabindex="0" role="region" aria-label="The first sample" { (tree::render(alert)) }
        }
    }
}

pub(super) fn json_rows(text: &str, alert: Option<&Value>) -> Markup {
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
        input id="change-at" name="change_at" list="places" value=(form.change_at) autocomplete="off" data-place-field autofocus[words.is_some()]
            aria-invalid=[words.map(|_| "true")] aria-describedby=[words.map(|_| "problem-change")];
        (problem(words, "problem-change"))
        (table("change", "What its values mean", &form.change, &CHANGES))
        label for="change-otherwise" { "A message with another value" }
        select id="change-otherwise" name="change_otherwise" {
            option value="raised" selected[form.change_otherwise != "quarantine"] { "raises the alert" }
            option value="quarantine" selected[form.change_otherwise == "quarantine"] { "waits for a person" }
        }
    }
}

/// The members that have no fields.
fn rest(view: &EditorView, form: &MappingForm) -> Markup {
    let words = view.problem_of("rest");
    html! {
        details open[words.is_some()] {
            summary { "Parts of this mapping that have no fields here" }
            label for="rest" { "Further parts, as JSON" }
            textarea id="rest" name="rest" rows="8" spellcheck="false" class="code" aria-describedby=(described("rest-note", words, "problem-rest"))
                aria-invalid=[words.map(|_| "true")] autofocus[words.is_some()] { (form.rest) }
            small id="rest-note" { "They stay as they are unless you change them. A part \"change\" counts in place of the table above." }
            (problem(words, "problem-rest"))
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
    // A rule as JSON has these parts itself.
    let has_fields = rule.from != JSON_RULE;
    let has_otherwise = has_fields && matches!(name, "tenant" | "kind" | "severity");
    let mut tables = TABLES.into_iter().filter(|_| has_fields);
    let table_name = tables.find(|table| *table == name);
    let kinds = view.kinds.iter();
    let named: Vec<_> = kinds
        .map(|info| (info.kind.as_str(), kind_name(info, &view.kinds)))
        .collect();
    let kinds: Vec<_> = named
        .iter()
        .map(|(kind, name)| (*kind, name.as_str()))
        .collect();
    let severities = SEVERITIES.map(|severity| (severity, severity));
    let options: &[(&str, &str)] = match name {
        "kind" => &kinds,
        _ => &severities,
    };
    html! {
        fieldset class="rule" {
            legend { (field.label) @if field.is_required { " (required)" } }
            @if !field.note.is_empty() { small id={ (name) "-note" } { (field.note) } }
            div class="pair" {
                select name={ "fields[" (name) "][from]" } aria-label={ (field.label) ": where it comes from" } {
                    @if !field.is_required { option value="" selected[rule.from.is_empty()] { "nothing" } }
                    option value="at" selected[rule.from == "at"] { "a place" }
                    option value="is" selected[rule.from == "is"] { "a constant" }
                    option value="text" selected[rule.from == "text"] { "text with places" }
                    @if rule.from == JSON_RULE { option value=(JSON_RULE) selected { "a rule, as JSON" } }
                }
                @if rule.from == JSON_RULE {
                    textarea name={ "fields[" (name) "][value]" } rows="3" class="code" spellcheck="false" aria-label=(field.label) data-place-field autofocus[words.is_some()]
                        aria-invalid=[words.map(|_| "true")] aria-errormessage=[words.map(|_| format!("problem-{name}"))] aria-describedby=[words.map(|_| format!("problem-{name}"))] { (rule.value) }
                } @else {
                    input name={ "fields[" (name) "][value]" } list=(list) value=(rule.value) autocomplete="off" aria-label=(field.label) data-place-field autofocus[words.is_some()]
                        aria-invalid=[words.map(|_| "true")] aria-errormessage=[words.map(|_| format!("problem-{name}"))] aria-describedby=[words.map(|_| format!("problem-{name}"))];
                }
            }
            (problem(words, &format!("problem-{name}")))
            @if let Some(table_name) = table_name {
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
