//! References in request bodies, and the expanded references in responses. Shared by tickets and
//! set-up tables.

use serde_json::{Value, json};

use crate::render;
use crate::response::Problem;
use crate::seed::Ref;
use crate::site::Site;
use crate::storage;
use crate::storage::WritableTable;

/// How a reference in a body names its record.
pub(crate) enum Key<'v> {
    Id(i64),
    Identifier(&'v str),
    Name(&'v str),
}

impl<'v> Key<'v> {
    /// `None` for `null` and for an object that names nothing.
    pub(crate) fn of(value: &'v Value) -> Option<Self> {
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        if let Some(id) = value.get("id").and_then(Value::as_i64) {
            return Some(Self::Id(id));
        }
        text("identifier")
            .map(Self::Identifier)
            .or_else(|| text("name").map(Self::Name))
    }

    pub(crate) fn fits(&self, id: i64, identifier: &str, name: &str) -> bool {
        match self {
            Self::Id(own) => *own == id,
            Self::Identifier(own) => own.eq_ignore_ascii_case(identifier),
            Self::Name(own) => own.to_lowercase() == name.to_lowercase(),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Identifier(text) | Self::Name(text) => (*text).to_owned(),
        }
    }

    fn member(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Identifier(_) => "identifier",
            Self::Name(_) => "name",
        }
    }

    pub(crate) fn missing(&self, record: &str, field: &str) -> Problem {
        let message = format!("{record} {} not found", self.shown());
        Problem::not_found(message, format!("{field}/{}", self.member()))
    }

    pub(crate) fn missing_on(&self, record: &str, field: &str, board: i64) -> Problem {
        let message = format!(
            "{record} {} not found for Service Board {board}",
            self.shown()
        );
        Problem::not_found(message, format!("{field}/{}", self.member()))
    }
}

/// The record that `value` refers to, expanded, or the problem with it. `parent` is the board or
/// company that the record must belong to, if any. References to records that this site does not
/// have are not found.
pub(crate) fn referred(
    site: &Site,
    shape: &str,
    field: &str,
    value: &Value,
    parent: Option<i64>,
) -> Result<Value, Problem> {
    let Some(key) = Key::of(value) else {
        return Ok(value.clone());
    };
    let setup = &site.setup;
    let (record, found) = match shape {
        "MemberReference" => {
            let mut members = setup.members.iter().filter(|row| !row.inactive_flag);
            let found = members.find(|row| key.fits(row.id, &row.identifier, &row.identifier));
            let found = found.map(|row| render::member_reference(site, row));
            ("Member", found)
        }
        "ServiceTeamReference" => {
            let on_board = |own: Ref| parent.is_none_or(|board| board == own.id);
            let mut teams = setup.teams.iter();
            let found =
                teams.find(|row| row.board.is_none_or(on_board) && key.fits(row.id, "", &row.name));
            if let (None, Some(board)) = (found, parent) {
                return Err(key.missing_on("Service Team", field, board));
            }
            ("Service Team", found.map(render::team_reference))
        }
        "SystemLocationReference" => {
            let mut locations = setup.locations.iter();
            let found = locations.find(|row| key.fits(row.id, "", &row.name));
            let found = found.map(|row| render::location_reference(site, row.id));
            ("Location", found)
        }
        "SystemDepartmentReference" => {
            let mut departments = setup.departments.iter();
            let found = departments.find(|row| key.fits(row.id, &row.identifier, &row.name));
            let found = found.map(|row| render::department_reference(site, row.id));
            ("Department", found)
        }
        "BoardReference" => {
            let mut boards = setup.boards.iter();
            let found = boards.find(|row| key.fits(row.id, "", &row.name));
            let found = found.map(|row| render::board_reference(site, row));
            ("Service Board", found)
        }
        "CompanyReference" => {
            let mut companies = setup.companies.iter().filter(|row| !row.deleted_flag);
            let found = companies.find(|row| key.fits(row.id, &row.identifier, &row.name));
            let found = found.map(|row| render::company_reference(site, row));
            ("Company", found)
        }
        "CompanyStatusReference" => {
            let mut statuses = setup.company_statuses.iter();
            let found = statuses.find(|row| key.fits(row.id, "", &row.name));
            let found = found.map(|row| render::company_status_reference(site, row));
            ("Company Status", found)
        }
        "ServiceStatusReference" => {
            let boards = setup.boards.iter();
            let mut statuses = boards
                .filter(|board| parent.is_none_or(|parent| parent == board.id))
                .flat_map(|board| board.statuses.iter().map(|row| (board.id, row)));
            let found = statuses.find(|(_, row)| key.fits(row.id, "", &row.name));
            let found = found.map(|(board, row)| render::status_reference(site, board, row));
            ("Service Status", found)
        }
        other => match WritableTable::behind(other) {
            Some(table) => {
                let parent = parent.filter(|_| table.is_below_a_parent());
                let rows = storage::rows(site, table, parent);
                let found = rows.iter().find(|row| {
                    let text = |member: &str| row.get(member).and_then(Value::as_str).unwrap_or("");
                    key.fits(crate::listing::Row::id(*row), "", text("name"))
                });
                let found = found.map(|row| {
                    let text = |member: &str| row.get(member).and_then(Value::as_str);
                    let name = text("name").or_else(|| text("firstName"));
                    json!({ "id": row.get("id"), "name": name })
                });
                (table.schema_name(), found)
            }
            None => (field, None),
        },
    };
    found.ok_or_else(|| key.missing(record, field))
}
