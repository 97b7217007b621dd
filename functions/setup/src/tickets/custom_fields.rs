//! ConnectWise's custom fields of new tickets, as a person chooses them on "Tickets".

use std::collections::{BTreeMap, BTreeSet};

use domain::RecordId;
use domain::setup::custom_fields::{
    CustomField, FieldIssue, FieldType, MAX_FIELDS, ValueSource, resolve_all,
};
use domain::setup::settings::{BoardTarget, Settings};
use serde::Deserialize;

use crate::http::problem::Problem;
use crate::tickets::lists::TicketLists;

/// A custom field in a form: its id after an `f`. A bare number would be an index of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct FieldKey(RecordId);

impl TryFrom<String> for FieldKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let id = text.strip_prefix('f').and_then(|id| id.parse().ok());
        id.map(Self)
            .ok_or("a custom field is f and its id, such as f7")
    }
}

/// What a person chose for the custom fields of a board. A field that is not sent stays: without
/// the right to read the list it cannot be chosen.
pub(super) struct CustomFieldsChoice {
    /// Where each value comes from. Empty leaves the field empty.
    pub(super) values: BTreeMap<FieldKey, String>,
    /// The fixed value, or the value for an event without one.
    pub(super) texts: BTreeMap<FieldKey, String>,
}

/// The name of the form's field for where a value comes from.
pub(super) fn value_name(board: &str, id: RecordId) -> String {
    format!("{board}[field_values][f{id}]")
}

/// The name of the form's field for a text.
pub(super) fn text_name(board: &str, id: RecordId) -> String {
    format!("{board}[field_texts][f{id}]")
}

impl CustomFieldsChoice {
    /// The fields after this choice. Captions, types and options follow in [`resolve`].
    ///
    /// # Errors
    /// When a value comes from something unknown.
    pub(super) fn apply(
        self,
        board: &str,
        before: &[CustomField],
    ) -> Result<Vec<CustomField>, Problem> {
        let sent: BTreeSet<_> = self.values.keys().chain(self.texts.keys()).collect();
        let stays = |field: &&CustomField| !sent.contains(&FieldKey(field.id));
        let mut after: Vec<_> = before.iter().filter(stays).cloned().collect();
        for key in sent {
            let was = before.iter().find(|field| field.id == key.0);
            let text = self.texts.get(key).map(|text| text.trim());
            let text = text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
            let is_new_text = text.is_some() && was.map(|was| &was.text) != Some(&text);
            let value = match self.values.get(key).map_or("", String::as_str) {
                // A text was entered, and nothing else was chosen. A field that takes only a fixed
                // value has no other choice.
                "" if is_new_text || !self.values.contains_key(key) => {
                    text.is_some().then_some(ValueSource::Fixed)
                }
                "" => None,
                name => {
                    let mut all = ValueSource::ALL.into_iter();
                    let source = all.find(|source| source.as_str() == name);
                    let unknown = || Problem::invalid(value_name(board, key.0), "Unknown value.");
                    Some(source.ok_or_else(unknown)?)
                }
            };
            after.extend(value.map(|value| CustomField {
                id: key.0,
                caption: was.map(|was| was.caption.clone()).unwrap_or_default(),
                field_type: was.map_or(FieldType::Text, |was| was.field_type),
                value,
                text,
                options: vec![],
            }));
        }
        Ok(after)
    }
}

/// The settings with the captions, types and options that ConnectWise has now. If
/// ConnectWise has no field with a chosen id, the field with the same caption is taken.
///
/// # Errors
/// When a field cannot be filled as chosen, or was changed and the fields cannot be read.
pub(crate) fn resolve(
    before: &Settings,
    mut after: Settings,
    lists: &TicketLists,
) -> Result<Settings, Problem> {
    let boards = [
        ("operations", &before.operations, &mut after.operations),
        (
            "cyber_alerts",
            &before.cyber_alerts,
            &mut after.cyber_alerts,
        ),
    ];
    for (board, was, is) in boards {
        resolve_board(board, was, is, lists)?;
    }
    Ok(after)
}

fn resolve_board(
    board: &str,
    was: &BoardTarget,
    is: &mut BoardTarget,
    lists: &TicketLists,
) -> Result<(), Problem> {
    let found = match &lists.custom_fields {
        Ok(found) => found,
        Err(_) if was.custom_fields == is.custom_fields => return Ok(()),
        Err(words) => return Err(Problem::refused(words.clone())),
    };
    let chosen = std::mem::take(&mut is.custom_fields);
    if chosen.len() > MAX_FIELDS {
        let detail = format!("At most {MAX_FIELDS} custom fields can be filled.");
        return Err(Problem::invalid(format!("{board}[field_values]"), detail));
    }
    is.custom_fields = resolve_all(chosen, found).map_err(|(id, caption, issue)| {
        let name = match issue {
            FieldIssue::Missing
            | FieldIssue::FixedOnly
            | FieldIssue::LinkOnly
            | FieldIssue::TooManyOptions
            | FieldIssue::EmptyList
            | FieldIssue::Twice => value_name(board, id),
            FieldIssue::NoValue
            | FieldIssue::NoOption
            | FieldIssue::NoNumber
            | FieldIssue::TooPrecise(_)
            | FieldIssue::NoDate
            | FieldIssue::NoFlag
            | FieldIssue::NoLink
            | FieldIssue::NoIpAddress
            | FieldIssue::TooLong(_) => text_name(board, id),
        };
        let known = found.iter().find(|field| field.id == id);
        let caption = known.map_or(caption, |field| field.caption.clone());
        Problem::invalid(name, describe(&caption, issue))
    })?;
    Ok(())
}

/// Says why a custom field cannot be filled as chosen.
pub(crate) fn describe(caption: &str, issue: FieldIssue) -> String {
    format!("The custom field {caption} cannot be filled like this: {issue}.")
}

/// The fields of a board for the history.
pub(super) fn words(board: &str, target: &BoardTarget, words: &mut BTreeMap<String, String>) {
    for field in &target.custom_fields {
        let value = match (field.value, &field.text) {
            (ValueSource::Fixed, text) => text.clone().unwrap_or_default(),
            (source, None) => source_words(source).to_owned(),
            (source, Some(text)) => format!("{}, or {text}", source_words(source)),
        };
        words.insert(format!("{board}_custom_field_{}", field.caption), value);
    }
}

/// A source of values, as the page names it.
pub(super) fn source_words(source: ValueSource) -> &'static str {
    match source {
        ValueSource::Fixed => "a fixed value",
        ValueSource::Title => "the alert's title",
        ValueSource::Device => "the device",
        ValueSource::User => "the user",
        ValueSource::TenantName => "the tenant's name",
        ValueSource::Severity => "the severity",
        ValueSource::Kind => "the kind of alert",
        ValueSource::Source => "the id of the source",
        ValueSource::Link => "the link to the alert",
        ValueSource::AlertId => "the alert's id",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn field(id: RecordId, value: ValueSource, text: Option<&str>) -> CustomField {
        CustomField {
            id,
            caption: format!("Field {id}"),
            field_type: FieldType::Text,
            value,
            text: text.map(ToOwned::to_owned),
            options: vec![],
        }
    }

    /// What is chosen after a form with these texts: of fields, where the value comes from and the
    /// text.
    fn applied(
        before: &[CustomField],
        sent: &[(RecordId, Option<&str>, &str)],
    ) -> Vec<CustomField> {
        let mut choice = CustomFieldsChoice {
            values: BTreeMap::new(),
            texts: BTreeMap::new(),
        };
        for (id, value, text) in sent {
            let value = value.map(|value| (FieldKey(*id), value.to_owned()));
            choice.values.extend(value);
            choice.texts.insert(FieldKey(*id), (*text).to_owned());
        }
        choice.apply("operations", before).unwrap()
    }

    #[test]
    fn a_field_that_a_form_does_not_send_stays() {
        let before = [
            field(1, ValueSource::Device, None),
            field(2, ValueSource::User, None),
        ];
        let after = applied(&before, &[(2, Some(""), ""), (3, Some("title"), " none ")]);
        let added = CustomField {
            caption: String::new(),
            ..field(3, ValueSource::Title, Some("none"))
        };
        assert_eq!(after, [before[0].clone(), added]);
    }

    #[test]
    fn a_text_alone_is_a_fixed_value_and_an_emptied_field_is_left_empty() {
        let fixed = |id, text| field(id, ValueSource::Fixed, Some(text));
        let of = |before: &CustomField, value, text| {
            let after = applied(std::slice::from_ref(before), &[(1, value, text)]);
            after
                .into_iter()
                .next()
                .map(|field| (field.value, field.text.unwrap()))
        };
        let before = fixed(1, "A");
        let is_fixed = |text: &str| Some((ValueSource::Fixed, text.to_owned()));
        // With a list of values: its first entry leaves the field empty.
        assert_eq!(of(&before, Some("fixed"), "B"), is_fixed("B"));
        assert_eq!(of(&before, Some(""), "A"), None, "emptied");
        assert_eq!(of(&before, Some(""), "B"), is_fixed("B"), "entered anew");
        assert_eq!(of(&before, Some(""), ""), None);
        // Without one.
        assert_eq!(of(&before, None, "A"), is_fixed("A"));
        assert_eq!(of(&before, None, ""), None);
    }

    #[test]
    fn an_unknown_value_or_key_is_refused() {
        let choice = CustomFieldsChoice {
            values: [(FieldKey(7), "colour".to_owned())].into(),
            texts: BTreeMap::new(),
        };
        let problem = choice.apply("operations", &[]).unwrap_err();
        assert_eq!(
            problem.field.as_deref(),
            Some("operations[field_values][f7]")
        );
        for key in ["7", "f", "fx", ""] {
            assert!(FieldKey::try_from(key.to_owned()).is_err(), "{key}");
        }
    }

    #[test]
    fn the_history_names_a_field_by_its_caption() {
        let target = BoardTarget {
            custom_fields: vec![
                field(1, ValueSource::Fixed, Some("RMM")),
                field(2, ValueSource::Device, Some("unknown")),
                field(3, ValueSource::Link, None),
            ],
            ..BoardTarget::default()
        };
        let mut found = BTreeMap::new();
        words("operations", &target, &mut found);
        let expected = [
            ("operations_custom_field_Field 1", "RMM"),
            ("operations_custom_field_Field 2", "the device, or unknown"),
            ("operations_custom_field_Field 3", "the link to the alert"),
        ];
        let expected = expected.map(|(name, words)| (name.to_owned(), words.to_owned()));
        assert_eq!(found, expected.into());
    }
}
