//! The set-up tables that clients may change: their names, methods and rights, and their records as
//! responses show them. Boards, statuses, types, teams, companies and priorities are stored in
//! `Site::setup`, because tickets are checked
//! against them. Their other members, and whole records of the other tables, are stored here.

pub(crate) mod copy_board;
mod defaults;
pub(crate) mod item_associations;
mod store;
pub(crate) mod write;

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::listing::Row;
use crate::render;
use crate::render::present;
use crate::response::ApiError;
use crate::schema::Schema;
use crate::setup_tables::Table;
use crate::site::{Call, Site};
use crate::tickets::Stamp;

/// A set-up table that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WritableTable {
    Board,
    Status,
    Type,
    SubType,
    Item,
    Team,
    Priority,
    Source,
    Severity,
    Impact,
    ServiceLocation,
    Company,
    CompanyStatus,
    Site,
    Contact,
    Configuration,
    Role,
    ApiMember,
    Callback,
    CustomField,
}

/// The rights of one security function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    pub(crate) add: &'static str,
    pub(crate) edit: &'static str,
    pub(crate) delete: &'static str,
    pub(crate) inquire: &'static str,
}

macro_rules! rights {
    ($function:literal) => {
        Rights {
            add: concat!($function, ".add"),
            edit: concat!($function, ".edit"),
            delete: concat!($function, ".delete"),
            inquire: concat!($function, ".inquire"),
        }
    };
}

const TABLE_SETUP: Rights = rights!("table_setup");
const COMPANY_MAINTENANCE: Rights = rights!("company_maintenance");
const CONTACTS: Rights = rights!("contacts");
const CONFIGURATIONS: Rights = rights!("configurations");
const MEMBER_MAINTENANCE: Rights = rights!("member_maintenance");

impl WritableTable {
    pub(crate) fn schema_name(self) -> &'static str {
        match self {
            Self::Board => "Board",
            Self::Status => "BoardStatus",
            Self::Type => "BoardType",
            Self::SubType => "BoardSubType",
            Self::Item => "BoardItem",
            Self::Team => "BoardTeam",
            Self::Priority => "Priority",
            Self::Source => "Source",
            Self::Severity => "Severity",
            Self::Impact => "Impact",
            Self::ServiceLocation => "ServiceLocation",
            Self::Company => "Company",
            Self::CompanyStatus => "CompanyStatus",
            Self::Site => "CompanySite",
            Self::Contact => "Contact",
            Self::Configuration => "Configuration",
            Self::Role => "SecurityRole",
            Self::ApiMember => "ApiMember",
            Self::Callback => "CallbackEntry",
            Self::CustomField => "UserDefinedField",
        }
    }

    /// The table that a reference type refers to.
    pub(crate) fn behind(reference: &str) -> Option<Self> {
        match reference {
            "ServiceTypeReference" => Some(Self::Type),
            "ServiceSubTypeReference" => Some(Self::SubType),
            "ServiceItemReference" => Some(Self::Item),
            "ServiceSourceReference" => Some(Self::Source),
            "ServiceLocationReference" => Some(Self::ServiceLocation),
            "PriorityReference" => Some(Self::Priority),
            "SiteReference" => Some(Self::Site),
            "ContactReference" => Some(Self::Contact),
            "SecurityRoleReference" => Some(Self::Role),
            _ => None,
        }
    }

    /// Whether the table accepts a method other than GET.
    pub(crate) fn takes(self, method: &Method) -> bool {
        let fixed = matches!(self, Self::Severity | Self::Impact);
        match method.as_str() {
            "POST" => !fixed,
            "DELETE" => !fixed && !matches!(self, Self::Contact | Self::ApiMember),
            "PUT" | "PATCH" => self != Self::Role,
            _ => false,
        }
    }

    pub(crate) fn rights(self) -> Rights {
        match self {
            Self::Board
            | Self::Status
            | Self::Type
            | Self::SubType
            | Self::Item
            | Self::Team
            | Self::Priority
            | Self::Source
            | Self::Severity
            | Self::Impact
            | Self::ServiceLocation
            | Self::Callback
            | Self::CustomField => TABLE_SETUP,
            Self::Company | Self::CompanyStatus | Self::Site => COMPANY_MAINTENANCE,
            Self::Contact => CONTACTS,
            Self::Configuration => CONFIGURATIONS,
            Self::Role | Self::ApiMember => MEMBER_MAINTENANCE,
        }
    }

    /// Whether records name their company in the body.
    fn names_its_company(self) -> bool {
        matches!(self, Self::Contact | Self::Configuration)
    }

    /// Whether records belong to the board or company that the path names.
    pub(crate) fn is_below_a_parent(self) -> bool {
        self.is_below_a_board() || self == Self::Site
    }

    fn is_below_a_board(self) -> bool {
        matches!(
            self,
            Self::Status | Self::Type | Self::SubType | Self::Item | Self::Team
        )
    }

    /// The member that no two records of one table may share.
    fn unique(self) -> Option<&'static str> {
        match self {
            Self::Company | Self::ApiMember => Some("identifier"),
            Self::Severity
            | Self::Impact
            | Self::Contact
            | Self::Configuration
            | Self::Callback
            | Self::CustomField => None,
            Self::Board
            | Self::Status
            | Self::Type
            | Self::SubType
            | Self::Item
            | Self::Team
            | Self::Priority
            | Self::Source
            | Self::ServiceLocation
            | Self::CompanyStatus
            | Self::Site
            | Self::Role => Some("name"),
        }
    }

    /// The member of a ticket that refers to this table. A record that a ticket uses cannot be
    /// deleted.
    fn ticket_member(self) -> Option<&'static str> {
        match self {
            Self::Board => Some("board"),
            Self::Status => Some("status"),
            Self::Type => Some("type"),
            Self::SubType => Some("subType"),
            Self::Item => Some("item"),
            Self::Team => Some("team"),
            Self::Priority => Some("priority"),
            Self::Source => Some("source"),
            Self::ServiceLocation => Some("serviceLocation"),
            Self::Site => Some("site"),
            Self::Contact => Some("contact"),
            Self::Severity
            | Self::Impact
            | Self::Configuration
            | Self::Company
            | Self::CompanyStatus
            | Self::Role
            | Self::ApiMember
            | Self::Callback
            | Self::CustomField => None,
        }
    }
}

/// The records that clients stored, by table and id.
#[derive(Debug)]
pub(crate) struct StoredRecords {
    records: BTreeMap<(WritableTable, i64), StoredRecord>,
    /// The subtypes of an item below a type.
    item_associations: BTreeMap<(i64, i64), Vec<i64>>,
    next_id: i64,
}

/// A record, or those members of a record that `Site::setup` has no place for.
#[derive(Clone, Debug)]
struct StoredRecord {
    parent: Option<i64>,
    members: Map<String, Value>,
    /// `None` for a record of a new site.
    entered: Option<Stamp>,
    updated: Option<Stamp>,
}

/// The records of a table, below `parent` if it is given.
pub(crate) fn rows(site: &Site, table: WritableTable, parent: Option<i64>) -> Vec<Value> {
    let setup = &site.setup;
    let boards = || {
        let boards = setup.boards.iter();
        boards.filter(move |board| parent.is_none_or(|parent| parent == board.id))
    };
    let typed: Vec<Value> = match table {
        WritableTable::Board => setup
            .boards
            .iter()
            .map(|row| render::board(site, row))
            .collect(),
        WritableTable::Status => boards()
            .flat_map(|board| {
                board
                    .statuses
                    .iter()
                    .map(|row| render::status(site, board, row))
            })
            .collect(),
        WritableTable::Type => boards()
            .flat_map(|board| board.types.iter().map(|row| render::kind(site, board, row)))
            .collect(),
        WritableTable::Team => boards()
            .flat_map(|board| {
                let teams = setup.teams.iter();
                teams
                    .filter(|row| row.board.is_none_or(|own| own.id == board.id))
                    .map(|row| render::board_team(site, board, row))
            })
            .collect(),
        WritableTable::Priority => setup.priorities.iter().map(render::priority).collect(),
        WritableTable::Company => setup
            .companies
            .iter()
            .map(|row| render::company(site, row))
            .collect(),
        WritableTable::CompanyStatus => setup
            .company_statuses
            .iter()
            .map(render::company_status)
            .collect(),
        WritableTable::Site => {
            let companies = setup.companies.iter();
            companies
                .filter(|row| parent.is_none_or(|parent| parent == row.id))
                .map(|row| main_site(site, row))
                .collect()
        }
        WritableTable::ApiMember => setup
            .api_members
            .iter()
            .map(|row| render::api_member(site, row))
            .collect(),
        WritableTable::SubType
        | WritableTable::Item
        | WritableTable::Source
        | WritableTable::Severity
        | WritableTable::Impact
        | WritableTable::ServiceLocation
        | WritableTable::Contact
        | WritableTable::Configuration
        | WritableTable::Role
        | WritableTable::Callback
        | WritableTable::CustomField => Vec::new(),
    };
    let mut rows: BTreeMap<i64, Value> =
        typed.into_iter().map(|row| (Row::id(&row), row)).collect();
    for ((_, id), stored) in site.stored.of(table) {
        let is_typed = rows.contains_key(id);
        let is_here = parent.is_none_or(|parent| stored.parent == Some(parent));
        if is_typed || (is_here && !table.is_in_setup()) {
            let row = rows.entry(*id).or_insert_with(|| json!({ "id": id }));
            overlay(site, table, stored, row);
        }
    }
    rows.into_values().collect()
}

fn overlay(site: &Site, table: WritableTable, stored: &StoredRecord, row: &mut Value) {
    let Some(row) = row.as_object_mut() else {
        return;
    };
    row.extend(stored.members.clone());
    if let Some(parent) = stored.parent {
        let (name, reference) = if table == WritableTable::Site {
            let company = site.setup.company(parent);
            (
                "company",
                company.map(|row| render::company_reference(site, row)),
            )
        } else {
            let board = site.setup.board(parent);
            ("board", board.map(|row| render::board_reference(site, row)))
        };
        if Schema::named(table.schema_name()).kind(name).is_some() {
            row.insert(name.to_owned(), reference.unwrap_or_default());
        }
    }
    let mut info = render::seeded();
    if let (Some(info), Some(updated)) = (info.as_object_mut(), &stored.updated) {
        info.insert("lastUpdated".to_owned(), json!(clock::format(updated.at)));
        info.insert("updatedBy".to_owned(), json!(updated.by));
    }
    if let (Some(info), Some(entered)) = (info.as_object_mut(), &stored.entered) {
        info.insert("dateEntered".to_owned(), json!(clock::format(entered.at)));
        info.insert("enteredBy".to_owned(), json!(entered.by));
    }
    row.insert("_info".to_owned(), info);
}

/// A new company has one site.
fn main_site(site: &Site, company: &crate::seed::Company) -> Value {
    json!({
        "id": company.id,
        "name": "Main",
        "primaryAddressFlag": true,
        "defaultShippingFlag": true,
        "defaultBillingFlag": true,
        "defaultMailingFlag": true,
        "inactiveFlag": false,
        "company": render::company_reference(site, company),
        "customFields": [],
        "_info": render::seeded(),
    })
}

impl WritableTable {
    /// Whether `Site::setup` has the record, and this storage only the members that it has no place
    /// for.
    fn is_in_setup(self) -> bool {
        matches!(
            self,
            Self::Board
                | Self::Status
                | Self::Type
                | Self::Team
                | Self::Priority
                | Self::Company
                | Self::CompanyStatus
        )
    }
}

impl StoredRecords {
    /// The stored records of a new site. `first` is the id of the first record that a client
    /// creates.
    pub(crate) fn starting_at(first: i64) -> Self {
        Self {
            records: defaults::records(),
            item_associations: BTreeMap::new(),
            next_id: first,
        }
    }

    fn of(
        &self,
        table: WritableTable,
    ) -> impl Iterator<Item = (&(WritableTable, i64), &StoredRecord)> {
        self.records.range((table, i64::MIN)..=(table, i64::MAX))
    }

    fn new_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

/// A table for `listing`. Its board or company must exist.
pub(crate) fn table(
    site: &Site,
    call: &Call,
    table: WritableTable,
    parent: Option<i64>,
) -> Result<Table, ApiError> {
    find_parent(site, call, table, parent)?;
    let mut rows = rows(site, table, parent);
    if table == WritableTable::Board {
        rows.retain(|row| site.sees_board(&call.caller, Row::id(row)));
    }
    let rows = rows.into_iter().map(present);
    Ok(Table::new(table.schema_name(), table.schema_name(), rows))
}

/// Which types, subtypes and items of a board belong together. A pair without an item has one row.
pub(crate) fn associations(site: &Site, call: &Call, board: i64) -> Result<Table, ApiError> {
    find_parent(site, call, WritableTable::SubType, Some(board))?;
    let setup = site.setup.board(board);
    let sub_types = rows(site, WritableTable::SubType, Some(board));
    let items = rows(site, WritableTable::Item, Some(board));
    let mut found = Vec::new();
    for sub_type in &sub_types {
        let types = sub_type.get("typeAssociationIds").and_then(Value::as_array);
        let types = types.into_iter().flatten().filter_map(Value::as_i64);
        for (board, kind) in types.filter_map(|id| Some((setup?, setup?.kind(id)?))) {
            let belongs = |item: &&Value| {
                let of_item = site.stored.subtypes_of_item(Row::id(*item), kind.id);
                of_item.contains(&Row::id(sub_type))
            };
            let mut of_pair: Vec<_> = items.iter().filter(belongs).map(Some).collect();
            if of_pair.is_empty() {
                of_pair.push(None);
            }
            for item in of_pair {
                let mut row = json!({
                    "id": found.len() + 1,
                    "type": render::type_reference(site, board.id, kind),
                    "subType": { "id": sub_type.get("id"), "name": sub_type.get("name") },
                    "board": render::board_reference(site, board),
                    "_info": render::seeded(),
                });
                if let Some(item) = item {
                    row["item"] = json!({ "id": item.get("id"), "name": item.get("name") });
                }
                found.push(row);
            }
        }
    }
    let schema = "BoardTypeSubTypeItemAssociation";
    Ok(Table::new(schema, schema, found.into_iter()))
}

/// Checks that the board or company of the path exists.
fn find_parent(
    site: &Site,
    call: &Call,
    table: WritableTable,
    parent: Option<i64>,
) -> Result<(), ApiError> {
    let Some(parent) = parent else {
        return Ok(());
    };
    if table.is_below_a_board() {
        let seen = site.sees_board(&call.caller, parent);
        if !seen || site.setup.board(parent).is_none() {
            return Err(ApiError::record_not_found("Board", parent));
        }
    } else if site.setup.company(parent).is_none() {
        return Err(ApiError::record_not_found("Company", parent));
    }
    Ok(())
}
