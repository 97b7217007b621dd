//! The set-up tables that a client may change: what each is called, which calls it takes, and its records as answers
//! show them. Boards, statuses, types, teams, companies and priorities live in the site, because tickets are checked
//! against them; members without a rule of their own, and whole records of the other tables, live here.

pub(crate) mod copy;
mod store;
mod usual;
pub(crate) mod write;

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::clock;
use crate::render::present;
use crate::schema::Schema;
use crate::setup_tables::Table;
use crate::tickets::Stamp;
use crate::world::{Call, World};

/// A set-up table that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
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
    Role,
    ApiMember,
    Callback,
}

/// The rights of one security function, by what a call does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    pub(crate) add: &'static str,
    pub(crate) edit: &'static str,
    pub(crate) delete: &'static str,
    pub(crate) inquire: &'static str,
}

const TABLE_SETUP: Rights = Rights {
    add: "table_setup.add",
    edit: "table_setup.edit",
    delete: "table_setup.delete",
    inquire: "table_setup.inquire",
};
const COMPANY_MAINTENANCE: Rights = Rights {
    add: "company_maintenance.add",
    edit: "company_maintenance.edit",
    delete: "company_maintenance.delete",
    inquire: "company_maintenance.inquire",
};
const MEMBER_MAINTENANCE: Rights = Rights {
    add: "member_maintenance.add",
    edit: "member_maintenance.edit",
    delete: "member_maintenance.delete",
    inquire: "member_maintenance.inquire",
};

impl Kept {
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
            Self::Role => "SecurityRole",
            Self::ApiMember => "ApiMember",
            Self::Callback => "CallbackEntry",
        }
    }

    /// The table behind a reference that the site has no records for.
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

    /// Which calls besides GET the table takes.
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
            | Self::Callback => TABLE_SETUP,
            Self::Company | Self::CompanyStatus | Self::Site | Self::Contact => COMPANY_MAINTENANCE,
            Self::Role | Self::ApiMember => MEMBER_MAINTENANCE,
        }
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
            Self::Severity | Self::Impact | Self::Contact | Self::Callback => None,
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

    /// The member of a ticket that refers to this table; a record that a ticket uses cannot be deleted.
    fn member_of_tickets(self) -> Option<&'static str> {
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
            | Self::Company
            | Self::CompanyStatus
            | Self::Role
            | Self::ApiMember
            | Self::Callback => None,
        }
    }
}

/// What clients have stored, by table and id.
#[derive(Debug)]
pub(crate) struct Shelves {
    records: BTreeMap<(Kept, i64), Stored>,
    next_id: i64,
}

/// A record, or the members of one whose other members the site keeps.
#[derive(Clone, Debug)]
struct Stored {
    parent: Option<i64>,
    members: Map<String, Value>,
    /// `None` for what a fresh site has.
    entered: Option<Stamp>,
    updated: Option<Stamp>,
}

impl World {
    /// The records of a table, below `parent` if it is given.
    pub(crate) fn rows(&self, kept: Kept, parent: Option<i64>) -> Vec<Value> {
        let site = &self.site;
        let boards = || {
            let boards = site.boards.iter();
            boards.filter(move |board| parent.is_none_or(|parent| parent == board.id))
        };
        let typed: Vec<Value> = match kept {
            Kept::Board => site.boards.iter().map(|row| self.board(row)).collect(),
            Kept::Status => boards()
                .flat_map(|board| board.statuses.iter().map(|row| self.status(board, row)))
                .collect(),
            Kept::Type => boards()
                .flat_map(|board| board.types.iter().map(|row| self.kind(board, row)))
                .collect(),
            Kept::Team => boards()
                .flat_map(|board| {
                    let teams = site.teams.iter();
                    teams
                        .filter(|row| row.board.is_none_or(|own| own.id == board.id))
                        .map(|row| self.board_team(board, row))
                })
                .collect(),
            Kept::Priority => site
                .priorities
                .iter()
                .map(|row| self.priority(row))
                .collect(),
            Kept::Company => site.companies.iter().map(|row| self.company(row)).collect(),
            Kept::CompanyStatus => site
                .company_statuses
                .iter()
                .map(|row| self.company_status(row))
                .collect(),
            Kept::Site => {
                let companies = site.companies.iter();
                companies
                    .filter(|row| parent.is_none_or(|parent| parent == row.id))
                    .map(|row| self.main_site(row))
                    .collect()
            }
            Kept::ApiMember => site
                .api_members
                .iter()
                .map(|row| self.api_member(row))
                .collect(),
            Kept::SubType
            | Kept::Item
            | Kept::Source
            | Kept::Severity
            | Kept::Impact
            | Kept::ServiceLocation
            | Kept::Contact
            | Kept::Role
            | Kept::Callback => Vec::new(),
        };
        let mut rows: BTreeMap<i64, Value> = typed
            .into_iter()
            .map(|row| (crate::listing::Row::id(&row), row))
            .collect();
        for ((_, id), stored) in self.shelves.of(kept) {
            let is_typed = rows.contains_key(id);
            let is_here = parent.is_none_or(|parent| stored.parent == Some(parent));
            if is_typed || (is_here && !kept.has_a_home()) {
                let row = rows.entry(*id).or_insert_with(|| json!({ "id": id }));
                self.lay_over(kept, stored, row);
            }
        }
        rows.into_values().collect()
    }

    fn lay_over(&self, kept: Kept, stored: &Stored, row: &mut Value) {
        let Some(row) = row.as_object_mut() else {
            return;
        };
        row.extend(stored.members.clone());
        if let Some(parent) = stored.parent {
            let (name, reference) = if kept == Kept::Site {
                let company = self.site.company(parent);
                ("company", company.map(|row| self.company_reference(row)))
            } else {
                let board = self.site.board(parent);
                ("board", board.map(|row| self.board_reference(row)))
            };
            if Schema::named(kept.schema_name()).kind(name).is_some() {
                row.insert(name.to_owned(), reference.unwrap_or_default());
            }
        }
        let mut info = self.seeded();
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

    /// A company has one site from the start.
    fn main_site(&self, company: &crate::seed::Company) -> Value {
        json!({
            "id": company.id,
            "name": "Main",
            "primaryAddressFlag": true,
            "defaultShippingFlag": true,
            "defaultBillingFlag": true,
            "defaultMailingFlag": true,
            "inactiveFlag": false,
            "company": self.company_reference(company),
            "customFields": [],
            "_info": self.seeded(),
        })
    }
}

impl Kept {
    /// Whether the site keeps the record itself, and the shelf only what the site has no place for.
    fn has_a_home(self) -> bool {
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

impl Shelves {
    /// The shelves of a fresh site; `first` is the id of the first record that a client makes.
    pub(crate) fn starting_at(first: i64) -> Self {
        Self {
            records: usual::records(),
            next_id: first,
        }
    }

    fn of(&self, kept: Kept) -> impl Iterator<Item = (&(Kept, i64), &Stored)> {
        self.records.range((kept, i64::MIN)..=(kept, i64::MAX))
    }

    fn new_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

/// A table as `listing` wants it, after its board or company was found.
pub(crate) fn table(
    world: &World,
    call: &Call,
    kept: Kept,
    parent: Option<i64>,
) -> Result<Table, Refusal> {
    find_parent(world, call, kept, parent)?;
    let mut rows = world.rows(kept, parent);
    if kept == Kept::Board {
        rows.retain(|row| world.sees_board(&call.caller, crate::listing::Row::id(row)));
    }
    let rows = rows.into_iter().map(present);
    Ok(Table::new(kept.schema_name(), kept.schema_name(), rows))
}

/// Which subtypes go with which types of a board.
pub(crate) fn associations(world: &World, call: &Call, board: i64) -> Result<Table, Refusal> {
    find_parent(world, call, Kept::SubType, Some(board))?;
    let site = world.site.board(board);
    let sub_types = world.rows(Kept::SubType, Some(board));
    let pairs = sub_types.iter().flat_map(|sub_type| {
        let types = sub_type.get("typeAssociationIds").and_then(Value::as_array);
        let types = types.into_iter().flatten().filter_map(Value::as_i64);
        types.filter_map(move |id| Some((site?, site?.kind(id)?, sub_type)))
    });
    let rows = (1..).zip(pairs).map(|(id, (board, kind, sub_type))| {
        json!({
            "id": id,
            "type": world.type_reference(board.id, kind),
            "subType": { "id": sub_type.get("id"), "name": sub_type.get("name") },
            "board": world.board_reference(board),
            "_info": world.seeded(),
        })
    });
    let schema = "BoardTypeSubTypeItemAssociation";
    Ok(Table::new(schema, schema, rows))
}

/// The board or company of the path must be there.
fn find_parent(world: &World, call: &Call, kept: Kept, parent: Option<i64>) -> Result<(), Refusal> {
    let Some(parent) = parent else {
        return Ok(());
    };
    if kept.is_below_a_board() {
        let seen = world.sees_board(&call.caller, parent);
        if !seen || world.site.board(parent).is_none() {
            return Err(Refusal::record_not_found("Board", parent));
        }
    } else if world.site.company(parent).is_none() {
        return Err(Refusal::record_not_found("Company", parent));
    }
    Ok(())
}
