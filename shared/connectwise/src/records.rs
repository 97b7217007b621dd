//! What ConnectWise answers, as far as we read it. Members that we do not know are ignored, `null` is absence.

use domain::RecordId;
use domain::health::CompanyIssue;
use domain::rights::{Level, ListedRights};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// A pointer to another record, as ConnectWise expands it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reference {
    /// The record's number.
    pub id: RecordId,
    /// Its name at the time of the answer.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A pointer to a company.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CompanyReference {
    /// The company's number.
    pub id: RecordId,
    /// Its short name, unique among companies.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A service ticket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Its number.
    pub id: RecordId,
    /// Its title.
    #[serde(default, deserialize_with = "or_default")]
    pub summary: String,
    /// Where it lies now; a technician or a workflow may have moved it.
    pub board: Option<Reference>,
    /// Its status, one of its board's.
    pub status: Option<Reference>,
    /// Whose it is now.
    pub company: Option<CompanyReference>,
    /// Its priority.
    pub priority: Option<Reference>,
    /// Its type, one of its board's.
    #[serde(rename = "type")]
    pub type_: Option<Reference>,
    /// Our token, if it is ours; an empty text counts as none.
    #[serde(rename = "externalXRef", default, deserialize_with = "not_empty")]
    pub external_xref: Option<String>,
    /// Whether its status is a closed one. Absent counts as open, so that nothing is taken for closed without proof.
    #[serde(default, deserialize_with = "or_default")]
    pub closed_flag: bool,
    /// When it should begin: for ours, when its alert was raised, in whole seconds.
    #[serde(default, deserialize_with = "time")]
    pub estimated_start_date: Option<Timestamp>,
    /// When it was closed, if ConnectWise says so.
    #[serde(default, deserialize_with = "time")]
    pub closed_date: Option<Timestamp>,
    /// Who closed it, if ConnectWise says so.
    pub closed_by: Option<String>,
    /// The ticket that this one was merged into.
    pub merged_parent_ticket: Option<Reference>,
    /// When it was entered and touched.
    #[serde(rename = "_info", default, deserialize_with = "or_default")]
    pub info: RecordInfo,
}

/// When a record was entered and last touched; ConnectWise keeps this apart, in `_info`, and leaves it out at times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordInfo {
    /// When it was entered.
    #[serde(default, deserialize_with = "time")]
    pub date_entered: Option<Timestamp>,
    /// When it was last changed by anybody.
    #[serde(default, deserialize_with = "time")]
    pub last_updated: Option<Timestamp>,
    /// Who last changed it: a member's identifier.
    pub updated_by: Option<String>,
    /// Who entered it: a member's identifier.
    pub entered_by: Option<String>,
}

/// A note on a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Its number.
    pub id: RecordId,
    /// What it says. ConnectWise may have flattened line breaks.
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// Shown to the customer as discussion.
    #[serde(default, deserialize_with = "or_default")]
    pub detail_description_flag: bool,
    /// Shown to technicians.
    #[serde(default, deserialize_with = "or_default")]
    pub internal_analysis_flag: bool,
    /// Shown as the resolution.
    #[serde(default, deserialize_with = "or_default")]
    pub resolution_flag: bool,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub date_created: Option<Timestamp>,
    /// Who made it: a member's identifier.
    pub created_by: Option<String>,
}

/// A service board.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The location that it belongs to.
    pub location: Option<Reference>,
    /// The department that it belongs to.
    pub department: Option<Reference>,
    /// No longer in use.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// For projects; service tickets do not belong there.
    #[serde(default, deserialize_with = "or_default")]
    pub project_flag: bool,
}

/// A status that tickets of one board can have. ConnectWise names these members without `Flag` here, and with it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardStatus {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Where it stands among the others.
    pub sort_order: Option<i64>,
    /// What new tickets get if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
    /// No longer in use.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive: bool,
    /// Tickets in it count as closed. Many boards have a "Completed" that does not.
    #[serde(default, deserialize_with = "or_default")]
    pub closed_status: bool,
}

/// A type that tickets of one board can have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardType {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// What new tickets get if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
    /// No longer in use.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
}

/// A team that tickets of one board can be given to. ConnectWise's teams cannot be switched off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoardTeam {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Who leads it.
    pub team_leader: Option<MemberReference>,
    /// Who is in it: members' numbers.
    #[serde(default, deserialize_with = "or_default")]
    pub members: Vec<RecordId>,
    /// What new tickets of the board get if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
}

/// A status of companies. Its name is the partner's own; only its flags say what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyStatus {
    /// Its number.
    pub id: RecordId,
    /// Companies with it are inactive.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// ConnectWise saves no ticket of a company with it.
    #[serde(default, deserialize_with = "or_default")]
    pub disallow_saving_flag: bool,
}

impl Company {
    /// Why no ticket can be made for it, as far as its own flag and these statuses say.
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

/// A priority, of all boards.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Priority {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Where it stands among the others.
    pub sort_order: Option<i64>,
    /// What new tickets get if they name none.
    #[serde(default, deserialize_with = "or_default")]
    pub default_flag: bool,
}

/// What a ConnectWise says of itself. It may say so without keys: proves the site, not the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Such as `v2025.1.1`.
    #[serde(default, deserialize_with = "or_default")]
    pub version: String,
    /// Run by ConnectWise.
    #[serde(default, deserialize_with = "yes_no")]
    pub is_cloud: bool,
    /// Such as `NA`.
    pub cloud_region: Option<String>,
}

/// The API member whose keys are used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MyMember {
    /// Its number.
    pub id: RecordId,
    /// Its short name.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// `A` for an API member.
    pub license_class: Option<String>,
    /// Its role.
    pub security_role: Option<Reference>,
    /// Where its tickets go if they name no board.
    pub service_default_board: Option<Reference>,
    /// Boards whose tickets it does not see: our searches are blind there.
    #[serde(default, deserialize_with = "or_default")]
    pub excluded_service_board_ids: Vec<RecordId>,
}

/// A pointer to a member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberReference {
    /// The member's number.
    pub id: RecordId,
    /// Its short name, unique among members.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A company that tickets can be made for, unless it is deleted or its status says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    /// Its number.
    pub id: RecordId,
    /// Its short name, unique among companies.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// Its name; a deleted company may have the same.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Such as "Active" or "Inactive": the names are the partner's own.
    pub status: Option<Reference>,
    /// In the recycle bin, where lists still show it.
    #[serde(default, deserialize_with = "or_default")]
    pub deleted_flag: bool,
}

/// A person of the partner's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its number.
    pub id: RecordId,
    /// Its short name, unique among members.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// First name.
    #[serde(default, deserialize_with = "or_default")]
    pub first_name: String,
    /// Last name.
    #[serde(default, deserialize_with = "or_default")]
    pub last_name: String,
    /// `A` for an API member, `F` for a full one.
    pub license_class: Option<String>,
    /// No longer there.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
}

/// An API member: an integration of the partner's, perhaps ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiMember {
    /// Its number.
    pub id: RecordId,
    /// Its short name, unique among members.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// No longer in use.
    #[serde(default, deserialize_with = "or_default")]
    pub inactive_flag: bool,
    /// Its role.
    pub security_role: Option<Reference>,
    /// Where its tickets go if they name no board.
    pub service_default_board: Option<Reference>,
    /// Boards whose tickets it does not see.
    #[serde(default, deserialize_with = "or_default")]
    pub excluded_service_board_ids: Vec<RecordId>,
}

/// A department of the partner's; every board belongs to one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Department {
    /// Its number.
    pub id: RecordId,
    /// Its short name.
    #[serde(default, deserialize_with = "or_default")]
    pub identifier: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// A location of the partner's; every board belongs to one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The departments that it has.
    #[serde(default, deserialize_with = "or_default")]
    pub department_ids: Vec<RecordId>,
}

/// A service team.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Team {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Who leads it.
    pub leader: Option<MemberReference>,
    /// The location that it belongs to.
    pub location: Option<Reference>,
    /// The department that it belongs to.
    pub department: Option<Reference>,
}

/// What the caller may do with one function of ConnectWise, such as Service Desk > Service Tickets. No sample of the names is
/// public, so all four are kept for whoever compares them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MySecurity {
    /// Such as "Service Desk".
    #[serde(default, deserialize_with = "or_default")]
    pub module_name: String,
    /// The module's short name.
    #[serde(default, deserialize_with = "or_default")]
    pub module_identifier: String,
    /// Such as "Service Tickets".
    #[serde(default, deserialize_with = "or_default")]
    pub module_function_name: String,
    /// The function's short name.
    #[serde(default, deserialize_with = "or_default")]
    pub module_function_identifier: String,
    /// Whose it may add.
    #[serde(default, deserialize_with = "level")]
    pub add_level: Level,
    /// Whose it may change.
    #[serde(default, deserialize_with = "level")]
    pub edit_level: Level,
    /// Whose it may delete.
    #[serde(default, deserialize_with = "level")]
    pub delete_level: Level,
    /// Whose it may see.
    #[serde(default, deserialize_with = "level")]
    pub inquire_level: Level,
}

impl MySecurity {
    /// As the table of rights compares it, by the name that people see.
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

/// `null` is absence: ConnectWise's schema allows it for almost every member.
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

/// Times are `yyyy-MM-ddTHH:mm:ssZ` in all samples, but declared as plain text; an unreadable one is no reason to lose a ticket.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

/// `"True"` in ConnectWise's guide, `true` in its answers to others.
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

/// The members that a type reads, in its order and in the wire's spelling.
#[cfg(test)]
pub(crate) fn members_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    struct Ask(Vec<&'static str>);
    impl<'de> Deserializer<'de> for &mut Ask {
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
            Err(serde::de::Error::custom("asked"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut ask = Ask(Vec::new());
    assert!(T::deserialize(&mut ask).is_err());
    ask.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_whatever_is_null_or_unknown() {
        let ticket: Ticket = serde_json::from_str(
            r#"{"id":9,"summary":null,"board":{"id":21,"name":"Ops","_info":{"board_href":"x"}},"status":null,
            "company":{"id":250,"identifier":"acme","name":"Acme"},"type":{"id":3},"externalXRef":"","closedFlag":null,
            "customFields":[{"id":1}],"_info":{"dateEntered":"2026-04-01T08:00:00Z","lastUpdated":"yesterday","updatedBy":null}}"#,
        )
        .unwrap();
        assert_eq!(ticket.board.unwrap().name, "Ops");
        assert_eq!(ticket.type_.unwrap().name, "");
        assert_eq!(ticket.company.unwrap().identifier, "acme");
        assert_eq!((ticket.external_xref, ticket.closed_flag), (None, false));
        assert_eq!(
            ticket.info.date_entered.unwrap().to_string(),
            "2026-04-01T08:00:00Z"
        );
        assert_eq!(ticket.info.last_updated, None);

        let bare: Ticket = serde_json::from_str(r#"{"id":9}"#).unwrap();
        assert_eq!(bare.info, RecordInfo::default());
        assert!(serde_json::from_str::<Ticket>(r#"{"summary":"no id"}"#).is_err());
    }

    #[test]
    fn a_level_that_is_absent_or_unknown_reaches_nobody() {
        let table = [
            (r#""All""#, Level::All),
            (r#""ALL""#, Level::All),
            (r#""My""#, Level::My),
            (r#""None""#, Level::None),
            (r#""Everything""#, Level::None),
            ("null", Level::None),
            ("3", Level::None),
            ("[[]]", Level::None),
        ];
        for (text, expected) in table {
            let json = format!(r#"{{"moduleFunctionName":null,"inquireLevel":{text}}}"#);
            let right: MySecurity = serde_json::from_str(&json).unwrap();
            assert_eq!(right.inquire_level, expected, "{text}");
            assert_eq!(right.add_level, Level::None, "{text}");
        }
        assert!(Level::All > Level::My && Level::My > Level::None);
    }

    #[test]
    fn being_in_the_cloud_is_said_in_two_ways() {
        for (text, expected) in [
            ("true", true),
            (r#""True""#, true),
            (r#""False""#, false),
            ("null", false),
        ] {
            let info: Info = serde_json::from_str(&format!(r#"{{"isCloud":{text}}}"#)).unwrap();
            assert_eq!(info.is_cloud, expected, "{text}");
        }
    }
}
