//! ConnectWise's custom fields of tickets, and what new tickets carry in them: a fixed value or a
//! value of the event.

use std::net::IpAddr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::alert::event::Payload;
use crate::alert::record::AlertDetails;
use crate::text::{cut_to_chars, is_same_name, lines, one_line};
use crate::ticketing::ticket_text::{plain, plain_link};
use crate::{AlertKey, RecordId};

/// Most custom fields that a partner can fill on a board.
pub const MAX_FIELDS: usize = 50;

/// Most options of a list that gets a value of the event. They are part of the settings.
const MAX_OPTIONS: usize = 100;

/// The longest text of a field with one line, in UTF-16 units. ConnectWise documents no limit.
const MAX_LINE: usize = 100;

/// The longest text of a field with several lines.
const MAX_LINES: usize = 1000;

/// Which values a custom field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    Text,
    TextArea,
    Hyperlink,
    IpAddress,
    /// A number, an amount or a percentage.
    Number,
    Date,
    Checkbox,
}

/// A custom field of tickets, as ConnectWise lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundField {
    pub id: RecordId,
    pub caption: String,
    pub field_type: FieldType,
    /// The active options of a list. `None` if the field is no list.
    pub options: Option<Vec<String>>,
    /// Most digits after the point.
    pub decimals: Option<u32>,
    /// ConnectWise requires it, perhaps only on boards of some locations and departments.
    pub is_required: bool,
    /// Its place among the fields.
    pub position: i64,
}

/// Where the value of a custom field comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValueSource {
    /// All tickets have the same value.
    Fixed,
    Title,
    Device,
    User,
    /// The tenant's name, or its id if the event names none.
    TenantName,
    Severity,
    Kind,
    /// The id of the source.
    Source,
    Link,
    AlertId,
}

/// What new tickets carry in a custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomField {
    pub id: RecordId,
    /// The field's caption when it was chosen.
    pub caption: String,
    #[serde(rename = "type")]
    pub field_type: FieldType,
    pub value: ValueSource,
    /// The fixed value, or the value for an event without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The options of a list that gets a value of the event. ConnectWise refuses other values, so
    /// they are not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A custom field of a new ticket, as ConnectWise reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilledField {
    pub id: RecordId,
    pub value: Value,
}

/// Why a custom field cannot be filled as chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldIssue {
    #[error("ConnectWise has no such field for tickets")]
    Missing,
    #[error("enter the value that all tickets get")]
    NoValue,
    #[error("the value is none of the field's options in ConnectWise")]
    NoOption,
    #[error("the value must be a number, such as 12 or 12.5")]
    NoNumber,
    #[error("the number has more digits after the point than ConnectWise stores, which are {0}")]
    TooPrecise(u32),
    #[error("the value must be a date, such as 2026-03-31")]
    NoDate,
    #[error("choose whether the box is checked")]
    NoFlag,
    #[error("the value must be an address that begins with http:// or https://")]
    NoLink,
    #[error("the value must be an IP address")]
    NoIpAddress,
    #[error("the value has more than {0} characters")]
    TooLong(usize),
    #[error("a number, a date or a checkbox takes a fixed value only")]
    FixedOnly,
    #[error("a hyperlink takes a fixed value or the alert's link")]
    LinkOnly,
    #[error(
        "a list of more than {MAX_OPTIONS} options takes a fixed value only, since an event's \
         value is compared with all of them"
    )]
    TooManyOptions,
    #[error("the list has no options in ConnectWise")]
    EmptyList,
    #[error("it is chosen twice")]
    Twice,
}

impl FieldType {
    /// The longest text of such a field.
    #[must_use]
    pub fn max_length(self) -> usize {
        match self {
            Self::TextArea => MAX_LINES,
            Self::Text
            | Self::Hyperlink
            | Self::IpAddress
            | Self::Number
            | Self::Date
            | Self::Checkbox => MAX_LINE,
        }
    }

    /// Whether such a field takes this value. An event has no number, date or flag.
    ///
    /// # Errors
    /// Returns why not.
    fn check_source(self, source: ValueSource) -> Result<(), FieldIssue> {
        match (self, source) {
            (_, ValueSource::Fixed)
            | (Self::Text | Self::TextArea | Self::IpAddress, _)
            | (Self::Hyperlink, ValueSource::Link) => Ok(()),
            (Self::Number | Self::Date | Self::Checkbox, _) => Err(FieldIssue::FixedOnly),
            (Self::Hyperlink, _) => Err(FieldIssue::LinkOnly),
        }
    }

    /// The value for ConnectWise of a text that fits the type.
    ///
    /// # Errors
    /// Returns why it does not fit.
    fn value_of(self, text: &str) -> Result<Value, FieldIssue> {
        if text.encode_utf16().count() > self.max_length() {
            return Err(FieldIssue::TooLong(self.max_length()));
        }
        match self {
            Self::Text | Self::TextArea => Ok(Value::from(text)),
            Self::Hyperlink => match is_web_address(text) {
                true => Ok(Value::from(text)),
                false => Err(FieldIssue::NoLink),
            },
            Self::IpAddress => match text.parse::<IpAddr>() {
                Ok(_) => Ok(Value::from(text)),
                Err(_) => Err(FieldIssue::NoIpAddress),
            },
            Self::Number => match text.parse::<Number>() {
                Ok(number) if !text.contains(['e', 'E']) => Ok(Value::Number(number)),
                Ok(_) | Err(_) => Err(FieldIssue::NoNumber),
            },
            // All of ConnectWise's dates have this form.
            Self::Date => match text.parse::<Date>() {
                Ok(date) if date.to_string() == text => {
                    Ok(Value::from(format!("{text}T00:00:00Z")))
                }
                Ok(_) | Err(_) => Err(FieldIssue::NoDate),
            },
            Self::Checkbox => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(FieldIssue::NoFlag),
            },
        }
    }
}

fn is_web_address(text: &str) -> bool {
    let begins = |start: &str| {
        text.get(..start.len())
            .is_some_and(|of| of.eq_ignore_ascii_case(start))
    };
    (begins("http://") || begins("https://")) && !text.contains(char::is_whitespace)
}

impl ValueSource {
    /// All sources in the order of the page.
    pub const ALL: [Self; 10] = [
        Self::Fixed,
        Self::Title,
        Self::Device,
        Self::User,
        Self::TenantName,
        Self::Severity,
        Self::Kind,
        Self::Source,
        Self::Link,
        Self::AlertId,
    ];

    /// Its name in settings and forms.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Title => "title",
            Self::Device => "device",
            Self::User => "user",
            Self::TenantName => "tenant_name",
            Self::Severity => "severity",
            Self::Kind => "kind",
            Self::Source => "source",
            Self::Link => "link",
            Self::AlertId => "alert_id",
        }
    }

    /// The text of an alert for it. `None` if its event has none.
    fn text_of(self, key: &AlertKey, details: &AlertDetails, payload: &Payload) -> Option<String> {
        let text = match self {
            Self::Fixed => return None,
            Self::Title => plain(&payload.title),
            Self::Device => plain(payload.device.as_ref()?),
            Self::User => plain(payload.user.as_ref()?),
            Self::TenantName => match &payload.tenant_name {
                Some(name) => plain(name),
                None => plain(key.tenant.as_str()),
            },
            Self::Severity => details.severity.to_string(),
            Self::Kind => details.kind.to_string(),
            Self::Source => key.source.as_str().to_owned(),
            Self::Link => plain_link(payload.link.as_ref()?),
            Self::AlertId => plain(key.alert_id.as_str()),
        };
        let text = one_line(&text);
        (!text.is_empty()).then_some(text)
    }
}

impl FoundField {
    /// Whether the field takes this value.
    ///
    /// # Errors
    /// Returns why not.
    pub fn check_source(&self, source: ValueSource) -> Result<(), FieldIssue> {
        self.field_type.check_source(source)?;
        if source == ValueSource::Fixed {
            return Ok(());
        }
        match self.options.as_ref().map(Vec::len) {
            Some(0) => Err(FieldIssue::EmptyList),
            Some(count) if count > MAX_OPTIONS => Err(FieldIssue::TooManyOptions),
            Some(_) | None => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), FieldIssue> {
        if let Some(options) = &self.options {
            let is_option = options.iter().any(|option| option == text);
            return is_option.then_some(()).ok_or(FieldIssue::NoOption);
        }
        self.field_type.value_of(text)?;
        let decimals = text.split_once('.').map_or(0, |(_, after)| after.len());
        match (self.field_type, self.decimals) {
            (FieldType::Number, Some(most)) if decimals > most as usize => {
                Err(FieldIssue::TooPrecise(most))
            }
            _ => Ok(()),
        }
    }
}

impl CustomField {
    /// The same choice with the field's caption, type and options of now. A field with another
    /// caption than before is another field if a field has that caption: in another ConnectWise,
    /// and after a field was made anew, ids differ.
    ///
    /// # Errors
    /// Returns why the field cannot be filled like this.
    pub fn resolve(self, found: &[FoundField]) -> Result<Self, FieldIssue> {
        let field = self.find(found).ok_or(FieldIssue::Missing)?;
        field.check_source(self.value)?;
        let text = self.text.map(|text| match field.field_type {
            FieldType::TextArea => lines(&text).trim().to_owned(),
            FieldType::Text
            | FieldType::Hyperlink
            | FieldType::IpAddress
            | FieldType::Number
            | FieldType::Date
            | FieldType::Checkbox => one_line(&text),
        });
        let text = text.filter(|text| !text.is_empty());
        match &text {
            Some(text) => field.check_text(text)?,
            None if self.value == ValueSource::Fixed => return Err(FieldIssue::NoValue),
            None => {}
        }
        let options = field.options.iter().flatten();
        Ok(Self {
            id: field.id,
            caption: field.caption.clone(),
            field_type: field.field_type,
            value: self.value,
            text,
            options: options
                .filter(|_| self.value != ValueSource::Fixed)
                .cloned()
                .collect(),
        })
    }

    fn find<'a>(&self, found: &'a [FoundField]) -> Option<&'a FoundField> {
        let with_id = found.iter().find(|field| field.id == self.id);
        let has_caption = |field: &&FoundField| is_same_name(&field.caption, &self.caption);
        let mut with_caption = found.iter().filter(has_caption);
        let by_caption = match (with_caption.next(), with_caption.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) | (None, _) => None,
        };
        with_id.filter(has_caption).or(by_caption).or(with_id)
    }

    /// The value for ConnectWise. `None` leaves the field out.
    fn value_for(
        &self,
        key: &AlertKey,
        details: &AlertDetails,
        payload: &Payload,
    ) -> Option<Value> {
        let of_event = self.value.text_of(key, details, payload);
        let fitted = of_event.and_then(|text| self.fit(&text));
        fitted.or_else(|| Some(self.checked_value(self.text.as_deref()?)))
    }

    /// The value of a text that was checked when it was chosen. An option of a list may be longer
    /// than other texts, and a list of numbers may have words: ConnectWise decides.
    fn checked_value(&self, text: &str) -> Value {
        let value = self.field_type.value_of(text);
        value.unwrap_or_else(|_| Value::from(text))
    }

    /// The value of a text of the event, cut to the field's length. `None` if the field does not
    /// take it. A link is never cut: half of it leads nowhere.
    fn fit(&self, text: &str) -> Option<Value> {
        if !self.options.is_empty() {
            let mut options = self.options.iter();
            let option = options.find(|option| is_same_name(option, text))?;
            return Some(self.checked_value(option));
        }
        match self.value {
            ValueSource::Link => self.field_type.value_of(text).ok(),
            ValueSource::Fixed
            | ValueSource::Title
            | ValueSource::Device
            | ValueSource::User
            | ValueSource::TenantName
            | ValueSource::Severity
            | ValueSource::Kind
            | ValueSource::Source
            | ValueSource::AlertId => {
                let text = cut_to_chars(text, self.field_type.max_length());
                self.field_type.value_of(&text).ok()
            }
        }
    }
}

/// The fields of ConnectWise in the order of the page: the required ones first.
#[must_use]
pub fn sorted(mut found: Vec<FoundField>) -> Vec<FoundField> {
    found.sort_by(|one, other| {
        let key = |field: &FoundField| (!field.is_required, field.position, field.id);
        key(one).cmp(&key(other))
    });
    found
}

/// Replaces the choices by what ConnectWise has now, sorted by id.
///
/// # Errors
/// Returns the first choice that cannot be used: the id that was chosen, its caption, and why.
pub fn resolve_all(
    chosen: Vec<CustomField>,
    found: &[FoundField],
) -> Result<Vec<CustomField>, (RecordId, String, FieldIssue)> {
    let mut resolved: Vec<CustomField> = Vec::new();
    for field in chosen {
        let (id, caption) = (field.id, field.caption.clone());
        let issue = match field.resolve(found) {
            Ok(field) if resolved.iter().any(|known| known.id == field.id) => FieldIssue::Twice,
            Ok(field) => {
                resolved.push(field);
                continue;
            }
            Err(issue) => issue,
        };
        return Err((id, caption, issue));
    }
    resolved.sort_by_key(|field| field.id);
    Ok(resolved)
}

/// The custom fields of a new ticket. A field without a value is left out.
#[must_use]
pub fn fill(
    fields: &[CustomField],
    key: &AlertKey,
    details: &AlertDetails,
    payload: &Payload,
) -> Vec<FilledField> {
    let fields = fields.iter().filter_map(|field| {
        let value = field.value_for(key, details, payload)?;
        Some(FilledField {
            id: field.id,
            value,
        })
    });
    fields.collect()
}

#[cfg(test)]
mod tests;
