//! The read-only set-up records: companies, boards with their statuses and types, priorities, teams, members, locations,
//! departments, and what a site says of itself.

use axum::http::Method;
use serde_json::{Value, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::listing;
use crate::schema::Schema;
use crate::seed::Board;
use crate::world::{Call, Licence, World};

/// A table's rendered records, by rising id.
pub(crate) struct Table {
    schema: &'static Schema,
    /// The name in "… 7 not found".
    record: &'static str,
    rows: Vec<Value>,
}

impl Table {
    fn new(schema: &str, record: &'static str, rows: impl Iterator<Item = Value>) -> Self {
        let mut rows: Vec<Value> = rows.collect();
        rows.sort_by_key(listing::Row::id);
        Self {
            schema: Schema::named(schema),
            record,
            rows,
        }
    }

    pub(crate) fn list(self, world: &World, call: &Call) -> Outcome {
        listing::list(call, self.schema, &world.base_url, self.rows.into_iter())
    }

    pub(crate) fn count(self, call: &Call) -> Outcome {
        listing::count(call, self.schema, self.rows.into_iter())
    }

    pub(crate) fn one(self, call: &Call, id: i64) -> Outcome {
        let row = self.rows.iter().find(|row| listing::Row::id(*row) == id);
        let row = row.ok_or_else(|| Refusal::record_not_found(self.record, id))?;
        listing::one(call, self.schema, row)
    }
}

pub(crate) fn companies(world: &World) -> Table {
    let rows = world.site.companies.iter().map(|row| world.company(row));
    Table::new("Company", "Company", rows)
}

pub(crate) fn company_statuses(world: &World) -> Table {
    let rows = world
        .site
        .company_statuses
        .iter()
        .map(|row| world.company_status(row));
    Table::new("CompanyStatus", "CompanyStatus", rows)
}

pub(crate) fn boards(world: &World, call: &Call) -> Table {
    let rows = visible_boards(world, call).map(|row| world.board(row));
    Table::new("Board", "Board", rows)
}

pub(crate) fn board_infos(world: &World, call: &Call) -> Table {
    let rows = visible_boards(world, call).map(|row| world.board_info(row));
    Table::new("Board", "Board", rows)
}

fn visible_boards<'w>(world: &'w World, call: &Call) -> impl Iterator<Item = &'w Board> {
    world
        .site
        .boards
        .iter()
        .filter(|board| world.sees_board(&call.caller, board.id))
}

fn visible_board<'w>(world: &'w World, call: &Call, id: i64) -> Result<&'w Board, Refusal> {
    let found = visible_boards(world, call).find(|board| board.id == id);
    found.ok_or_else(|| Refusal::record_not_found("Board", id))
}

pub(crate) fn statuses(world: &World, call: &Call, board: i64) -> Result<Table, Refusal> {
    let board = visible_board(world, call, board)?;
    let rows = board.statuses.iter().map(|row| world.status(board, row));
    Ok(Table::new("BoardStatus", "BoardStatus", rows))
}

pub(crate) fn types(world: &World, call: &Call, board: i64) -> Result<Table, Refusal> {
    let board = visible_board(world, call, board)?;
    let rows = board.types.iter().map(|row| world.kind(board, row));
    Ok(Table::new("BoardType", "BoardType", rows))
}

pub(crate) fn priorities(world: &World) -> Table {
    let rows = world.site.priorities.iter().map(|row| world.priority(row));
    Table::new("Priority", "Priority", rows)
}

pub(crate) fn teams(world: &World) -> Table {
    let rows = world.site.teams.iter().map(|row| world.team(row));
    Table::new("ServiceTeam", "ServiceTeam", rows)
}

pub(crate) fn locations(world: &World) -> Table {
    let rows = world.site.locations.iter().map(|row| world.location(row));
    Table::new("Location", "Location", rows)
}

pub(crate) fn departments(world: &World) -> Table {
    let rows = world
        .site
        .departments
        .iter()
        .map(|row| world.department(row));
    Table::new("Department", "Department", rows)
}

pub(crate) fn members(world: &World) -> Table {
    let rows = world.site.members.iter().map(|row| world.member(row));
    Table::new("Member", "Member", rows)
}

pub(crate) fn api_members(world: &World) -> Table {
    let rows = world
        .site
        .api_members
        .iter()
        .map(|row| world.api_member(row));
    Table::new("ApiMember", "ApiMember", rows)
}

/// `/system/info`: every client's first call.
pub(crate) fn info(world: &World, _call: &Call) -> Outcome {
    Ok(Answer::read(json!({
        "version": world.site.version,
        "isCloud": true,
        "serverTimeZone": "Eastern Standard Time",
        "licenseBits": [],
        "cloudRegion": "NA",
        "maxWorkFlowRecordsAllowed": 20_000,
    })))
}

/// `/system/myMembers`: the caller itself, one record.
pub(crate) fn my_member(world: &World, call: &Call) -> Outcome {
    let found = match call.caller.licence {
        Licence::ApiMember => {
            let mut members = world.site.api_members.iter();
            members
                .find(|row| row.id == call.caller.id)
                .map(|row| world.my_api_member(row))
        }
        Licence::Member => {
            let mut members = world.site.members.iter();
            members
                .find(|row| row.id == call.caller.id)
                .map(|row| world.member(row))
        }
        Licence::Nobody => None,
    };
    found.map(Answer::read).ok_or_else(Refusal::unauthorized)
}

/// `/login/companyinfo/{companyId}`, which wants no keys; `None` for a company that is not here.
pub(crate) fn company_info(
    world: &World,
    method: &Method,
    company: &str,
) -> Result<Option<Value>, Refusal> {
    if method != Method::GET {
        return Err(Refusal::wrong_method(method.as_str()));
    }
    if !company.eq_ignore_ascii_case(&world.site.company_id) {
        return Ok(None);
    }
    let site_url = world.base_url.trim_start_matches("http://");
    Ok(Some(json!({
        "CompanyName": world.site.company_name,
        "Codebase": "v4_6_release/",
        "VersionCode": "v2025.1",
        "VersionNumber": world.site.version,
        "CompanyID": world.site.company_id,
        "IsCloud": true,
        "SiteUrl": site_url,
    })))
}
