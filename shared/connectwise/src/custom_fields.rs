//! The custom fields that tickets can have.

use domain::RecordId;
use domain::setup::custom_fields::{FieldType, FoundField};
use domain::setup::rights;
use serde::Deserialize;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::records::or_default;

/// ConnectWise's id of the ticket screen. Other screens have their own custom fields.
const TICKET_SCREEN: &str = "conditions=screenId%3D%22sr100%22&";

/// A custom field, which ConnectWise's API calls "user defined".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserDefinedField {
    id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    caption: String,
    #[serde(default, deserialize_with = "or_default")]
    field_type_identifier: String,
    #[serde(default, deserialize_with = "or_default")]
    entry_type_identifier: String,
    number_decimals: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    required_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    sequence_number: i64,
    #[serde(default, deserialize_with = "or_default")]
    options: Vec<FieldOption>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldOption {
    #[serde(default, deserialize_with = "or_default")]
    option_value: String,
    #[serde(default, deserialize_with = "or_default")]
    inactive_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    sort_order: i64,
}

impl Client {
    /// Lists the custom fields of tickets. Buttons are left out, since they have no value, and
    /// passwords, since settings are no place for them.
    pub async fn ticket_fields(&self, deadline: Instant) -> Result<Vec<FoundField>, Error> {
        let (path, right) = ("/system/userDefinedFields", rights::TABLES_INQUIRE);
        let fields: Vec<UserDefinedField> = self.list(path, TICKET_SCREEN, right, deadline).await?;
        Ok(fields.into_iter().filter_map(found).collect())
    }
}

/// `None` for a field that cannot be filled.
fn found(field: UserDefinedField) -> Option<FoundField> {
    let field_type = match field.field_type_identifier.as_str() {
        "Text" => FieldType::Text,
        "TextArea" => FieldType::TextArea,
        "Hyperlink" => FieldType::Hyperlink,
        "IPAddress" => FieldType::IpAddress,
        "Number" | "Currency" | "Percent" => FieldType::Number,
        "Date" => FieldType::Date,
        "Checkbox" => FieldType::Checkbox,
        _ => return None,
    };
    // A checkbox is entered as "Option" too, and has no options.
    let is_list = matches!(field.entry_type_identifier.as_str(), "List" | "Option");
    let is_list = is_list && field_type != FieldType::Checkbox;
    let mut options = field.options;
    options.retain(|option| !option.inactive_flag && !option.option_value.is_empty());
    options.sort_by_key(|option| option.sort_order);
    let options = options.into_iter().map(|option| option.option_value);
    Some(FoundField {
        id: field.id,
        caption: field.caption,
        field_type,
        options: is_list.then(|| options.collect()),
        decimals: field.number_decimals,
        is_required: field.required_flag,
        position: field.sequence_number,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(field: Value) -> Option<FoundField> {
        found(serde_json::from_value(field).unwrap())
    }

    #[test]
    fn a_list_has_its_active_options_in_their_order() {
        let option = |value: &str, inactive: bool, order: i64| json!({ "id": 1, "optionValue": value, "inactiveFlag": inactive, "sortOrder": order });
        let field = json!({
            "id": 2, "podId": 4, "caption": "Severity", "sequenceNumber": 3, "screenId": "sr100",
            "fieldTypeIdentifier": "Text", "entryTypeIdentifier": "List", "requiredFlag": true,
            "options": [option("High", false, 2), option("Old", true, 3), option("Low", false, 1)],
        });
        let expected = FoundField {
            id: 2,
            caption: "Severity".to_owned(),
            field_type: FieldType::Text,
            options: Some(vec!["Low".to_owned(), "High".to_owned()]),
            decimals: None,
            is_required: true,
            position: 3,
        };
        assert_eq!(read(field), Some(expected));
    }

    #[test]
    fn a_field_without_a_value_is_left_out() {
        let of_type = |name: &str| {
            let field = json!({
                "id": 1, "caption": "Field", "fieldTypeIdentifier": name,
                "entryTypeIdentifier": "Option", "numberDecimals": 2, "requiredFlag": null,
            });
            read(field).map(|field| (field.field_type, field.options.is_some()))
        };
        for left_out in ["Button", "Password", "Signature", ""] {
            assert_eq!(of_type(left_out), None);
        }
        assert_eq!(of_type("Checkbox"), Some((FieldType::Checkbox, false)));
        assert_eq!(of_type("Currency"), Some((FieldType::Number, true)));
        assert_eq!(of_type("IPAddress"), Some((FieldType::IpAddress, true)));
    }
}
