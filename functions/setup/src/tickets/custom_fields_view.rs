//! The form's fields for ConnectWise's custom fields of new tickets.

use domain::RecordId;
use domain::setup::custom_fields::{CustomField, FieldType, FoundField, ValueSource};
use maud::{Markup, html};
use serde::Serialize;

use crate::tickets::custom_fields::{source_words, text_name, value_name};

/// A custom field, and what is chosen for it.
#[derive(Debug, Serialize)]
pub(super) struct CustomFieldView {
    id: RecordId,
    caption: String,
    #[serde(rename = "type")]
    field_type: FieldType,
    /// Whether ConnectWise requires it, perhaps only on some boards.
    required: bool,
    /// Whether ConnectWise has it.
    listed: bool,
    /// Absent unless the field is a list.
    options: Option<Vec<String>>,
    /// Where its value can come from.
    values: Vec<ValueSource>,
    /// Where it comes from. `None` leaves the field empty.
    value: Option<ValueSource>,
    text: Option<String>,
}

/// The fields of ConnectWise in their order, then chosen ones that it no longer has.
pub(super) fn custom_field_views(
    chosen: &[CustomField],
    found: &[FoundField],
) -> Vec<CustomFieldView> {
    let listed = found.iter().map(|field| {
        let choice = chosen.iter().find(|choice| choice.id == field.id);
        let sources = ValueSource::ALL.into_iter();
        CustomFieldView {
            id: field.id,
            caption: field.caption.clone(),
            field_type: field.field_type,
            required: field.is_required,
            listed: true,
            options: field.options.clone(),
            values: sources
                .filter(|source| field.check_source(*source).is_ok())
                .collect(),
            value: choice.map(|choice| choice.value),
            text: choice.and_then(|choice| choice.text.clone()),
        }
    });
    let is_gone = |choice: &&CustomField| !found.iter().any(|field| field.id == choice.id);
    let gone = chosen.iter().filter(is_gone).map(|choice| CustomFieldView {
        id: choice.id,
        caption: choice.caption.clone(),
        field_type: choice.field_type,
        required: false,
        listed: false,
        options: None,
        values: vec![choice.value],
        value: Some(choice.value),
        text: choice.text.clone(),
    });
    listed.chain(gone).collect()
}

/// The fields of one board.
pub(super) fn custom_fields(board: &str, fields: &[CustomFieldView]) -> Markup {
    let is_open = |field: &CustomFieldView| field.value.is_some() || field.required;
    html! {
        @if !fields.is_empty() {
            fieldset {
                legend { "Custom fields" }
                small { "New tickets are created with these values. If ConnectWise requires a field and a ticket has no value for it, ConnectWise refuses the ticket, and the alert waits." }
                details open[fields.iter().any(is_open)] {
                    summary { "Choose what the custom fields contain" }
                    table class="cards" {
                        thead {
                            tr { th scope="col" { "Field" } th scope="col" { "Contains" } th scope="col" { "Fixed value, or the value for an event without one" } }
                        }
                        tbody {
                            @for field in fields { (row(board, field)) }
                        }
                    }
                }
            }
        }
    }
}

fn row(board: &str, field: &CustomFieldView) -> Markup {
    let name = value_name(board, field.id);
    let label = format!("What {} contains", field.caption);
    // Most fields take any value; the others take a text only.
    let has_sources = !field.listed || field.values.len() > 1;
    html! {
        tr {
            th scope="row" {
                (field.caption)
                @if field.required { " (required in ConnectWise)" }
                @if !field.listed { " (ConnectWise no longer has it)" }
            }
            td data-label="Contains" {
                @if has_sources {
                    select id=(name) name=(name) aria-label=(label) {
                        option value="" selected[field.value.is_none()] { "nothing" }
                        @for source in &field.values {
                            option value=(source.as_str()) selected[field.value == Some(*source)] { (source_words(*source)) }
                        }
                    }
                } @else { (source_words(ValueSource::Fixed)) }
            }
            td data-label="Value" { (text_input(board, field)) }
        }
    }
}

fn text_input(board: &str, field: &CustomFieldView) -> Markup {
    let name = text_name(board, field.id);
    let label = format!("Value of {}", field.caption);
    let text = field.text.as_deref().unwrap_or_default();
    let longest = field.field_type.max_length();
    if let Some(options) = &field.options {
        let options: Vec<_> = options
            .iter()
            .map(|of| (of.as_str(), of.as_str()))
            .collect();
        return choice(&name, &label, text, &options);
    }
    let kind = match field.field_type {
        FieldType::Checkbox => {
            let options = [("true", "checked"), ("false", "not checked")];
            return choice(&name, &label, text, &options);
        }
        FieldType::TextArea => {
            return html! {
                textarea id=(name) name=(name) aria-label=(label) maxlength=(longest) rows="2" { (text) }
            };
        }
        FieldType::Date => "date",
        // An address or a number that the browser refuses would be sent as an empty text.
        FieldType::Text | FieldType::Hyperlink | FieldType::IpAddress | FieldType::Number => "text",
    };
    html! {
        input id=(name) name=(name) aria-label=(label) type=(kind) maxlength=(longest) value=(text);
    }
}

fn choice(name: &str, label: &str, chosen: &str, options: &[(&str, &str)]) -> Markup {
    let is_unlisted = !chosen.is_empty() && !options.iter().any(|(value, _)| *value == chosen);
    html! {
        select id=(name) name=(name) aria-label=(label) {
            option value="" selected[chosen.is_empty()] { "none" }
            @if is_unlisted { option value=(chosen) selected { (chosen) ", not listed" } }
            @for (value, words) in options {
                option value=(value) selected[*value == chosen] { (words) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tickets::custom_fields::tests::field;

    fn found(id: RecordId, caption: &str, field_type: FieldType) -> FoundField {
        FoundField {
            id,
            caption: caption.to_owned(),
            field_type,
            options: None,
            decimals: None,
            is_required: false,
            position: 0,
        }
    }

    #[test]
    fn custom_fields_show_their_choices() {
        let fields = [
            FoundField {
                is_required: true,
                ..found(5, "Cost center", FieldType::Text)
            },
            found(1, "Affected <device>", FieldType::Text),
            FoundField {
                options: Some(vec!["Low".to_owned(), "High".to_owned()]),
                ..found(2, "Severity", FieldType::Text)
            },
            found(3, "Found by monitoring", FieldType::Checkbox),
            found(4, "Notes", FieldType::TextArea),
        ];
        let choices = [
            field(1, ValueSource::Device, Some("none")),
            field(2, ValueSource::Fixed, Some("Urgent")),
            field(3, ValueSource::Fixed, Some("true")),
            field(9, ValueSource::Link, None),
        ];
        let views = custom_field_views(&choices, &fields);
        let page = custom_fields("operations", &views).into_string();
        insta::assert_snapshot!(page.replace("><", ">\n<"));
    }

    #[test]
    fn without_fields_nothing_is_shown() {
        assert_eq!(custom_fields("operations", &[]).into_string(), "");
    }
}
