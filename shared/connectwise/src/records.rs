//! ConnectWise's records, as far as they are read. Unknown members are ignored, and `null` counts
//! as absent.

use domain::RecordId;
use domain::monitoring::issue::CompanyIssue;
use domain::setup::rights::{Level, ListedRights};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// A reference to another record, as ConnectWise expands it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reference {
    pub id: RecordId,
    /// The name at the time of the response.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CompanyReference {
    pub id: RecordId,
    /// The short name, unique among companies.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub summary: String,
    /// The current board. A technician or a workflow may have moved the ticket.
    pub board: Option<Reference>,
    /// One of the board's statuses.
    pub status: Option<Reference>,
    /// The current company.
    pub company: Option<CompanyReference>,
    pub priority: Option<Reference>,
    /// One of the board's types.
    #[serde(rename = "type")]
    pub type_: Option<Reference>,
    /// This service's reference, if it created the ticket. An empty text counts as none.
    #[serde(rename = "externalXRef", default, deserialize_with = "not_empty")]
    pub external_xref: Option<String>,
    /// Whether the status is a closed one. Absent counts as open, so that no ticket counts as
    /// closed without proof.
    #[serde(default, deserialize_with = "or_default")]
    pub closed_flag: bool,
    /// When the work should begin. In this service's tickets: when the alert was raised, in whole
    /// seconds.
    #[serde(default, deserialize_with = "time")]
    pub estimated_start_date: Option<Timestamp>,
    /// May be absent although the ticket is closed, like the next member.
    #[serde(default, deserialize_with = "time")]
    pub closed_date: Option<Timestamp>,
    pub closed_by: Option<String>,
    /// The ticket into which this one was merged.
    pub merged_parent_ticket: Option<Reference>,
    #[serde(rename = "_info", default, deserialize_with = "or_default")]
    pub info: RecordInfo,
    /// This member and the following ones are read with a single ticket, and not in lists.
    pub sub_type: Option<Reference>,
    pub item: Option<Reference>,
    pub team: Option<Reference>,
    pub owner: Option<MemberReference>,
    /// The identifiers of the members that are assigned, as one text.
    #[serde(default, deserialize_with = "not_empty")]
    pub resources: Option<String>,
    pub contact: Option<Reference>,
    pub severity: Option<String>,
    pub impact: Option<String>,
    pub required_date: Option<String>,
    /// Whether time was entered on it.
    #[serde(rename = "actualHours", default, deserialize_with = "is_positive")]
    pub has_hours: bool,
    pub parent_ticket_id: Option<RecordId>,
    #[serde(default, deserialize_with = "or_default")]
    pub has_child_ticket: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub has_merged_child_ticket_flag: bool,
    /// Whether the customer wrote since a technician did.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_updated_flag: bool,
}

/// When a record was entered and last changed. ConnectWise puts this into `_info`, and sometimes
/// leaves it out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordInfo {
    #[serde(default, deserialize_with = "time")]
    pub date_entered: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub last_updated: Option<Timestamp>,
    /// A member's identifier.
    pub updated_by: Option<String>,
    /// A member's identifier.
    pub entered_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketNote {
    pub id: RecordId,
    /// ConnectWise may have flattened line breaks.
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// Whether customers see it as discussion.
    #[serde(default, deserialize_with = "or_default")]
    pub detail_description_flag: bool,
    /// Whether it is shown to technicians only.
    #[serde(default, deserialize_with = "or_default")]
    pub internal_analysis_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub resolution_flag: bool,
    #[serde(default, deserialize_with = "time")]
    pub date_created: Option<Timestamp>,
    /// A member's identifier.
    pub created_by: Option<String>,
}

/// One of all notes of a ticket: a note, or the text of a time entry or a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTicketNote {
    /// `TicketNote`, `TimeEntryNote` or `MeetingNote`.
    #[serde(default, deserialize_with = "or_default")]
    pub note_type: String,
    /// ConnectWise may have flattened line breaks.
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// The member who wrote it.
    pub member: Option<MemberReference>,
    /// The customer's contact who wrote it.
    pub contact: Option<Reference>,
}

/// One change of a record, as ConnectWise's audit trail lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditTrailEntry {
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// A member's identifier.
    #[serde(default, deserialize_with = "or_default")]
    pub entered_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    pub location: Option<Reference>,
    pub department: Option<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// Whether the board is for projects, not for service tickets.
    #[serde(default, deserialize_with = "or_default")]
    pub project_flag: bool,
}

/// A status for a board's tickets. ConnectWise names these flags without `Flag` here, and with it
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardStatus {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The position among the others, the lowest first.
    pub sort_order: Option<i64>,
    /// Whether new tickets get it if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive: bool,
    /// Whether its tickets count as closed. On many boards those in "Completed" do not.
    #[serde(default, deserialize_with = "or_default")]
    pub closed_status: bool,
}

/// A type for a board's tickets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardType {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Whether new tickets get it if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
}

/// A subtype of a board's types.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardSubType {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// The types that it belongs to.
    #[serde(default, deserialize_with = "or_default")]
    pub type_association_ids: Vec<RecordId>,
}

/// An item of a board's subtypes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardItem {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
}

/// A type, a subtype and an item that belong together. Some rows have no item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardTypeAssociation {
    pub id: RecordId,
    #[serde(rename = "type")]
    pub type_: Option<Reference>,
    pub sub_type: Option<Reference>,
    pub item: Option<Reference>,
}

/// Where tickets come from, such as "Email Connector". All boards have the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketSource {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A team to which a board's tickets can be assigned. A team has no inactive flag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardTeam {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    pub team_leader: Option<MemberReference>,
    /// The numbers of its members.
    #[serde(default, deserialize_with = "or_default")]
    pub members: Vec<RecordId>,
    /// Whether the board's new tickets get it if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
}

/// A status for companies. The partner chooses its name, so only its flags have a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyStatus {
    pub id: RecordId,
    /// Whether its companies are inactive.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// Whether ConnectWise refuses to save a ticket of its companies.
    #[serde(default, deserialize_with = "or_default")]
    pub disallow_saving_flag: bool,
}

/// A priority. All boards have the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Priority {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The position among the others, the lowest first.
    pub sort_order: Option<i64>,
    /// Whether new tickets get it if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
}

/// A callback that a client registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallbackEntry {
    pub(crate) id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) url: String,
    /// The kind of record that it reports, such as `ticket`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(crate) type_: String,
    /// Whose records it reports, such as those of a `board`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) level: String,
    /// The record of that level.
    pub(crate) object_id: Option<RecordId>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) inactive_flag: bool,
}

/// The API member that the keys belong to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MyMember {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// `A` for an API member.
    pub license_class: Option<String>,
    pub security_role: Option<Reference>,
    /// The board of its tickets that name no board.
    pub service_default_board: Option<Reference>,
    /// Boards whose tickets it does not see. Searches miss their tickets.
    #[serde(default, deserialize_with = "or_default")]
    pub excluded_service_board_ids: Vec<RecordId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberReference {
    pub id: RecordId,
    /// The short name, unique among members.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A company. Tickets can be made for it unless it is deleted or its status forbids them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyRecord {
    pub id: RecordId,
    /// The short name, unique among companies.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// A deleted company may have the same name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Such as "Active" or "Inactive". The partner chooses the names.
    pub status: Option<Reference>,
    /// Whether it is in the recycle bin. Lists still show it.
    #[serde(default, deserialize_with = "or_default")]
    pub deleted_flag: bool,
}

impl CompanyRecord {
    /// Why no ticket can be made for the company, judged by its own flag and by these statuses.
    #[must_use]
    pub fn unfit(&self, statuses: &[CompanyStatus]) -> Option<CompanyIssue> {
        let id = self.status.as_ref().map(|status| status.id);
        let status = statuses.iter().find(|status| Some(status.id) == id);
        CompanyIssue::by_flags(
            self.deleted_flag,
            status.is_some_and(|status| status.disallow_saving_flag),
            status.is_some_and(|status| status.inactive_flag),
        )
    }
}

/// One of the partner's people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRecord {
    pub id: RecordId,
    /// The short name, unique among members.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    #[serde(default, deserialize_with = "or_default")]
    pub first_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub last_name: String,
    /// `A` for an API member, `F` for a full one.
    pub license_class: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
}

/// One of the partner's departments. Every board belongs to one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Department {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// One of the partner's locations. Every board belongs to one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The location's departments.
    #[serde(default, deserialize_with = "or_default")]
    pub department_ids: Vec<RecordId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Team {
    pub id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    pub leader: Option<MemberReference>,
    pub location: Option<Reference>,
    pub department: Option<Reference>,
}

/// The API member's rights for one function of ConnectWise, such as Service Desk > Service Tickets.
/// No sample of the names is public, so all four are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MySecurity {
    /// Such as "Service Desk".
    #[serde(default, deserialize_with = "or_default")]
    pub module_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub module_identifier: String,
    /// Such as "Service Tickets".
    #[serde(default, deserialize_with = "or_default")]
    pub module_function_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub module_function_identifier: String,
    #[serde(default, deserialize_with = "level")]
    pub add_level: Level,
    #[serde(default, deserialize_with = "level")]
    pub edit_level: Level,
    #[serde(default, deserialize_with = "level")]
    pub delete_level: Level,
    #[serde(default, deserialize_with = "level")]
    pub inquire_level: Level,
}

impl MySecurity {
    /// The row as `domain::setup::rights` compares it, by the name that people see.
    #[must_use]
    pub fn listed(&self) -> ListedRights<'_> {
        ListedRights {
            function: &self.module_function_name,
            add: self.add_level,
            edit: self.edit_level,
            inquire: self.inquire_level,
        }
    }
}

/// Reads `null` as absent. ConnectWise's schema allows it for almost every member.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn is_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_f64().is_some_and(|number| number > 0.0))
}

/// Times are `yyyy-MM-ddTHH:mm:ssZ` in all samples, but the schema declares plain text. An
/// unreadable time counts as absent, so that the ticket is not lost.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

/// `"True"` in ConnectWise's guide, `true` in responses that others published.
pub(crate) fn yes_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_bool().unwrap_or_else(|| {
        value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }))
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = value.as_str().unwrap_or_default();
    Ok(match text.to_ascii_lowercase().as_str() {
        "all" => Level::All,
        "my" => Level::My,
        _ => Level::None,
    })
}

/// The members that a type reads, in its order and in ConnectWise's spelling.
#[cfg(test)]
pub(crate) fn fields_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    struct FieldNames(Vec<&'static str>);
    impl<'de> Deserializer<'de> for &mut FieldNames {
        type Error = serde::de::value::Error;
        fn deserialize_any<V>(self, _: V) -> Result<V::Value, Self::Error>
        where
            V: serde::de::Visitor<'de>,
        {
            Err(serde::de::Error::custom("only structs"))
        }
        fn deserialize_struct<V>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error>
        where
            V: serde::de::Visitor<'de>,
        {
            self.0 = fields.to_vec();
            Err(serde::de::Error::custom("names are read"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut names = FieldNames(Vec::new());
    assert!(T::deserialize(&mut names).is_err());
    names.0
}

#[cfg(test)]
mod tests;
