//! Stores a checked record: in `Site::setup` what tickets are checked against, and the rest in
//! `StoredRecords`.

use serde_json::{Map, Value};

use super::write::Collection;
use super::{StoredRecord, WritableTable};
use crate::faults::NewBoardStatuses;
use crate::seed::{Board, BoardStatus, BoardType, Company, CompanyStatus, Priority, Ref, Team};
use crate::site::{Call, Site};

/// A record's members that are not yet stored in `Site::setup`.
struct Members(Map<String, Value>);

impl Members {
    fn text(&mut self, name: &str) -> String {
        let value = self.0.remove(name);
        value
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name) == Some(Value::Bool(true))
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.0.remove(name).as_ref().and_then(Value::as_i64)
    }

    fn reference(&mut self, name: &str) -> Option<Ref> {
        let value = self.0.remove(name)?;
        value.get("id")?.as_i64().map(|id| Ref { id })
    }
}

/// Stores a record under `id`, new or instead of the previous one.
pub(super) fn store_record(
    site: &mut Site,
    call: &Call,
    collection: Collection,
    id: i64,
    members: Map<String, Value>,
) {
    let stamp = call.stamp();
    let before = site.stored.records.remove(&(collection.table, id));
    let is_new = before.is_none() && id + 1 == site.stored.next_id;
    let mut members = Members(members);
    apply_to_setup(site, collection, id, &mut members);
    let entered = match before {
        Some(before) => before.entered,
        None => is_new.then(|| stamp.clone()),
    };
    let stored = StoredRecord {
        parent: collection.parent,
        members: members.0,
        entered,
        updated: Some(stamp),
    };
    site.stored.records.insert((collection.table, id), stored);
}

fn apply_to_setup(site: &mut Site, collection: Collection, id: i64, members: &mut Members) {
    let parent = collection.parent.unwrap_or_default();
    match collection.table {
        WritableTable::Board => apply_board(site, id, members),
        WritableTable::Status => {
            let status = BoardStatus {
                id,
                name: members.text("name"),
                sort_order: members.number("sortOrder").unwrap_or_default(),
                default_flag: members.flag("defaultFlag"),
                closed_status: members.flag("closedStatus"),
                inactive: members.flag("inactive"),
            };
            if let Some(board) = board_mut(site, parent) {
                if status.default_flag {
                    for other in &mut board.statuses {
                        other.default_flag = false;
                    }
                }
                put(&mut board.statuses, status, |row| row.id);
            }
        }
        WritableTable::Type => {
            let kind = BoardType {
                id,
                name: members.text("name"),
                default_flag: members.flag("defaultFlag"),
                inactive_flag: members.flag("inactiveFlag"),
            };
            if let Some(board) = board_mut(site, parent) {
                if kind.default_flag {
                    for other in &mut board.types {
                        other.default_flag = false;
                    }
                }
                put(&mut board.types, kind, |row| row.id);
            }
        }
        WritableTable::Team => apply_team(site, parent, id, members),
        WritableTable::Priority => {
            let priority = Priority {
                id,
                name: members.text("name"),
                color: members.text("color"),
                sort_order: members.number("sortOrder").unwrap_or_default(),
                default_flag: members.flag("defaultFlag"),
            };
            if priority.default_flag {
                for other in &mut site.setup.priorities {
                    other.default_flag = false;
                }
            }
            put(&mut site.setup.priorities, priority, |row| row.id);
        }
        WritableTable::Company => {
            let defaults = site.setup.company_statuses.iter();
            let defaults = defaults
                .clone()
                .find(|row| row.default_flag)
                .or(defaults.clone().next());
            let defaults = Ref {
                id: defaults.map(|row| row.id).unwrap_or_default(),
            };
            let company = Company {
                id,
                identifier: members.text("identifier"),
                name: members.text("name"),
                status: members.reference("status").unwrap_or(defaults),
                deleted_flag: members.flag("deletedFlag"),
            };
            put(&mut site.setup.companies, company, |row| row.id);
        }
        WritableTable::CompanyStatus => {
            let status = CompanyStatus {
                id,
                name: members.text("name"),
                default_flag: members.flag("defaultFlag"),
                inactive_flag: members.flag("inactiveFlag"),
                notify_flag: members.flag("notifyFlag"),
                disallow_saving_flag: members.flag("disallowSavingFlag"),
            };
            if status.default_flag {
                for other in &mut site.setup.company_statuses {
                    other.default_flag = false;
                }
            }
            put(&mut site.setup.company_statuses, status, |row| row.id);
        }
        WritableTable::ApiMember => {
            // A created API member has no keys: ConnectWise shows them on its own pages only.
            let mut known = site.setup.api_members.iter_mut();
            if let Some(member) = known.find(|row| row.id == id) {
                member.identifier = members.text("identifier");
                member.name = members.text("name");
                member.inactive_flag = members.flag("inactiveFlag");
                member.service_default_board = members.reference("serviceDefaultBoard");
                let excluded = members.0.remove("excludedServiceBoardIds");
                let excluded = excluded.as_ref().and_then(Value::as_array);
                let excluded = excluded.into_iter().flatten().filter_map(Value::as_i64);
                member.excluded_service_board_ids = excluded.collect();
            }
        }
        WritableTable::Source | WritableTable::ServiceLocation => {
            clear_other_defaults(site, collection.table, members);
        }
        WritableTable::SubType
        | WritableTable::Item
        | WritableTable::Severity
        | WritableTable::Impact
        | WritableTable::Site
        | WritableTable::Contact
        | WritableTable::Configuration
        | WritableTable::Role
        | WritableTable::Callback
        | WritableTable::CustomField => {}
    }
}

/// A new default clears the flag of the previous one.
fn clear_other_defaults(site: &mut Site, table: WritableTable, members: &Members) {
    if members.0.get("defaultFlag") != Some(&Value::Bool(true)) {
        return;
    }
    for ((other, _), stored) in &mut site.stored.records {
        if *other == table && stored.members.contains_key("defaultFlag") {
            stored
                .members
                .insert("defaultFlag".to_owned(), Value::Bool(false));
        }
    }
}

fn apply_board(site: &mut Site, id: i64, members: &mut Members) {
    let before = site.setup.boards.iter().find(|row| row.id == id);
    let (statuses, types) = match before {
        Some(before) => (before.statuses.clone(), before.types.clone()),
        None => (first_statuses(site), Vec::new()),
    };
    let nowhere = Ref { id: 0 };
    let board = Board {
        id,
        name: members.text("name"),
        location: members.reference("location").unwrap_or(nowhere),
        department: members.reference("department").unwrap_or(nowhere),
        inactive_flag: members.flag("inactiveFlag"),
        project_flag: members.flag("projectFlag"),
        statuses,
        types,
    };
    put(&mut site.setup.boards, board, |row| row.id);
}

/// The statuses of a new board. It is not known whether ConnectWise creates any.
fn first_statuses(site: &mut Site) -> Vec<BoardStatus> {
    let names: &[&str] = match site.faults.variants.new_board_statuses {
        NewBoardStatuses::Default => &["New", "In Progress", "Completed", ">Closed"],
        NewBoardStatuses::None => &[],
    };
    let mut statuses = Vec::new();
    for (sort_order, name) in (10..).step_by(10).zip(names) {
        statuses.push(BoardStatus {
            id: site.stored.new_id(),
            name: (*name).to_owned(),
            sort_order,
            default_flag: statuses.is_empty(),
            closed_status: name.starts_with('>'),
            inactive: false,
        });
    }
    statuses
}

fn apply_team(site: &mut Site, board: i64, id: i64, members: &mut Members) {
    let before = site.setup.teams.iter().find(|row| row.id == id);
    let own = match before {
        Some(before) => before.board,
        None => Some(Ref { id: board }),
    };
    let home = site.setup.board(board);
    let nowhere = Ref { id: 0 };
    let location = home.map_or(nowhere, |board| board.location);
    let department = home.map_or(nowhere, |board| board.department);
    let given = |id: Option<i64>, defaults| id.map_or(defaults, |id| Ref { id });
    // The path names the board.
    members.number("boardId");
    let people = members.0.remove("members");
    let team = Team {
        id,
        name: members.text("name"),
        leader: members.reference("teamLeader").unwrap_or(nowhere),
        location: given(members.number("locationId"), location),
        department: given(members.number("businessUnitId"), department),
        board: own,
        members: people
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect(),
    };
    put(&mut site.setup.teams, team, |row| row.id);
}

/// Removes a record. A company stays and is marked as deleted.
pub(super) fn remove_record(site: &mut Site, collection: Collection, id: i64) {
    let parent = collection.parent.unwrap_or_default();
    match collection.table {
        WritableTable::Company => {
            let mut companies = site.setup.companies.iter_mut();
            if let Some(company) = companies.find(|row| row.id == id) {
                company.deleted_flag = true;
            }
            return;
        }
        WritableTable::Board => site.setup.boards.retain(|row| row.id != id),
        WritableTable::Status => {
            if let Some(board) = board_mut(site, parent) {
                board.statuses.retain(|row| row.id != id);
            }
        }
        WritableTable::Type => {
            if let Some(board) = board_mut(site, parent) {
                board.types.retain(|row| row.id != id);
            }
        }
        WritableTable::Team => site.setup.teams.retain(|row| row.id != id),
        WritableTable::Priority => site.setup.priorities.retain(|row| row.id != id),
        WritableTable::CompanyStatus => site.setup.company_statuses.retain(|row| row.id != id),
        WritableTable::SubType
        | WritableTable::Item
        | WritableTable::Source
        | WritableTable::Severity
        | WritableTable::Impact
        | WritableTable::ServiceLocation
        | WritableTable::Site
        | WritableTable::Contact
        | WritableTable::Configuration
        | WritableTable::Role
        | WritableTable::ApiMember
        | WritableTable::Callback
        | WritableTable::CustomField => {}
    }
    site.stored.records.remove(&(collection.table, id));
}

fn board_mut(site: &mut Site, id: i64) -> Option<&mut Board> {
    site.setup.boards.iter_mut().find(|board| board.id == id)
}

/// Inserts a row sorted by id: look-ups need the order.
fn put<R>(rows: &mut Vec<R>, row: R, id: impl Fn(&R) -> i64) {
    let new_id = id(&row);
    match rows.iter_mut().find(|row| id(row) == new_id) {
        Some(slot) => *slot = row,
        None => {
            let at = rows.partition_point(|row| id(row) < new_id);
            rows.insert(at, row);
        }
    }
}
