//! Where a checked record goes: into the site, if tickets are checked against it, and the rest onto the shelf.

use serde_json::{Map, Value};

use super::write::Place;
use super::{Kept, Stored};
use crate::faults::NewBoardStatuses;
use crate::seed::{Board, BoardStatus, BoardType, Company, CompanyStatus, Priority, Ref, Team};
use crate::tickets::Stamp;
use crate::world::{Call, World};

/// A record's members on their way: what is taken has its own place.
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

impl World {
    /// Keeps a record under `id`, new or in place of the one before.
    pub(super) fn shelve(
        &mut self,
        call: &Call,
        place: Place,
        id: i64,
        members: Map<String, Value>,
    ) {
        let stamp = Stamp {
            at: call.now,
            by: call.caller.identifier.clone(),
        };
        let before = self.shelves.records.remove(&(place.kept, id));
        let is_new = before.is_none() && id + 1 == self.shelves.next_id;
        let mut members = Members(members);
        self.settle(place, id, &mut members);
        let entered = match before {
            Some(before) => before.entered,
            None => is_new.then(|| stamp.clone()),
        };
        let stored = Stored {
            parent: place.parent,
            members: members.0,
            entered,
            updated: Some(stamp),
        };
        self.shelves.records.insert((place.kept, id), stored);
    }

    fn settle(&mut self, place: Place, id: i64, members: &mut Members) {
        let parent = place.parent.unwrap_or_default();
        match place.kept {
            Kept::Board => self.settle_board(id, members),
            Kept::Status => {
                let status = BoardStatus {
                    id,
                    name: members.text("name"),
                    sort_order: members.number("sortOrder").unwrap_or_default(),
                    default_flag: members.flag("defaultFlag"),
                    closed_status: members.flag("closedStatus"),
                    inactive: members.flag("inactive"),
                };
                if let Some(board) = self.board_mut(parent) {
                    if status.default_flag {
                        for other in &mut board.statuses {
                            other.default_flag = false;
                        }
                    }
                    put(&mut board.statuses, status, |row| row.id);
                }
            }
            Kept::Type => {
                let kind = BoardType {
                    id,
                    name: members.text("name"),
                    default_flag: members.flag("defaultFlag"),
                    inactive_flag: members.flag("inactiveFlag"),
                };
                if let Some(board) = self.board_mut(parent) {
                    if kind.default_flag {
                        for other in &mut board.types {
                            other.default_flag = false;
                        }
                    }
                    put(&mut board.types, kind, |row| row.id);
                }
            }
            Kept::Team => self.settle_team(parent, id, members),
            Kept::Priority => {
                let priority = Priority {
                    id,
                    name: members.text("name"),
                    color: members.text("color"),
                    sort_order: members.number("sortOrder").unwrap_or_default(),
                    default_flag: members.flag("defaultFlag"),
                };
                if priority.default_flag {
                    for other in &mut self.site.priorities {
                        other.default_flag = false;
                    }
                }
                put(&mut self.site.priorities, priority, |row| row.id);
            }
            Kept::Company => {
                let usual = self.site.company_statuses.iter();
                let usual = usual
                    .clone()
                    .find(|row| row.default_flag)
                    .or(usual.clone().next());
                let usual = Ref {
                    id: usual.map(|row| row.id).unwrap_or_default(),
                };
                let company = Company {
                    id,
                    identifier: members.text("identifier"),
                    name: members.text("name"),
                    status: members.reference("status").unwrap_or(usual),
                    deleted_flag: members.flag("deletedFlag"),
                };
                put(&mut self.site.companies, company, |row| row.id);
            }
            Kept::CompanyStatus => {
                let status = CompanyStatus {
                    id,
                    name: members.text("name"),
                    default_flag: members.flag("defaultFlag"),
                    inactive_flag: members.flag("inactiveFlag"),
                    notify_flag: members.flag("notifyFlag"),
                    disallow_saving_flag: members.flag("disallowSavingFlag"),
                };
                if status.default_flag {
                    for other in &mut self.site.company_statuses {
                        other.default_flag = false;
                    }
                }
                put(&mut self.site.company_statuses, status, |row| row.id);
            }
            Kept::ApiMember => {
                // One that is made here has no keys: ConnectWise shows them in its own pages alone.
                let mut known = self.site.api_members.iter_mut();
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
            Kept::Source | Kept::ServiceLocation => self.only_default(place.kept, members),
            Kept::SubType
            | Kept::Item
            | Kept::Severity
            | Kept::Impact
            | Kept::Site
            | Kept::Contact
            | Kept::Role
            | Kept::Callback => {}
        }
    }

    /// A new default takes the flag from the one before.
    fn only_default(&mut self, kept: Kept, members: &Members) {
        if members.0.get("defaultFlag") != Some(&Value::Bool(true)) {
            return;
        }
        for ((table, _), stored) in &mut self.shelves.records {
            if *table == kept && stored.members.contains_key("defaultFlag") {
                stored
                    .members
                    .insert("defaultFlag".to_owned(), Value::Bool(false));
            }
        }
    }

    fn settle_board(&mut self, id: i64, members: &mut Members) {
        let before = self.site.boards.iter().find(|row| row.id == id);
        let (statuses, types) = match before {
            Some(before) => (before.statuses.clone(), before.types.clone()),
            None => (self.first_statuses(), Vec::new()),
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
        put(&mut self.site.boards, board, |row| row.id);
    }

    /// The statuses that a new board comes with: whether there are some is not known.
    fn first_statuses(&mut self) -> Vec<BoardStatus> {
        let names: &[&str] = match self.faults.variants.new_board_statuses {
            NewBoardStatuses::Default => &["New", "In Progress", "Completed", ">Closed"],
            NewBoardStatuses::None => &[],
        };
        let mut statuses = Vec::new();
        for (sort_order, name) in (10..).step_by(10).zip(names) {
            statuses.push(BoardStatus {
                id: self.shelves.new_id(),
                name: (*name).to_owned(),
                sort_order,
                default_flag: statuses.is_empty(),
                closed_status: name.starts_with('>'),
                inactive: false,
            });
        }
        statuses
    }

    fn settle_team(&mut self, board: i64, id: i64, members: &mut Members) {
        let before = self.site.teams.iter().find(|row| row.id == id);
        let own = match before {
            Some(before) => before.board,
            None => Some(Ref { id: board }),
        };
        let home = self.site.board(board);
        let nowhere = Ref { id: 0 };
        let location = home.map_or(nowhere, |board| board.location);
        let department = home.map_or(nowhere, |board| board.department);
        let given = |id: Option<i64>, usual| id.map_or(usual, |id| Ref { id });
        // The path says the board.
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
        put(&mut self.site.teams, team, |row| row.id);
    }

    /// Takes a record away; a company stays, marked as deleted.
    pub(super) fn discard(&mut self, place: Place, id: i64) {
        let parent = place.parent.unwrap_or_default();
        match place.kept {
            Kept::Company => {
                let mut companies = self.site.companies.iter_mut();
                if let Some(company) = companies.find(|row| row.id == id) {
                    company.deleted_flag = true;
                }
                return;
            }
            Kept::Board => self.site.boards.retain(|row| row.id != id),
            Kept::Status => {
                if let Some(board) = self.board_mut(parent) {
                    board.statuses.retain(|row| row.id != id);
                }
            }
            Kept::Type => {
                if let Some(board) = self.board_mut(parent) {
                    board.types.retain(|row| row.id != id);
                }
            }
            Kept::Team => self.site.teams.retain(|row| row.id != id),
            Kept::Priority => self.site.priorities.retain(|row| row.id != id),
            Kept::CompanyStatus => self.site.company_statuses.retain(|row| row.id != id),
            Kept::SubType
            | Kept::Item
            | Kept::Source
            | Kept::Severity
            | Kept::Impact
            | Kept::ServiceLocation
            | Kept::Site
            | Kept::Contact
            | Kept::Role
            | Kept::ApiMember
            | Kept::Callback => {}
        }
        self.shelves.records.remove(&(place.kept, id));
    }

    fn board_mut(&mut self, id: i64) -> Option<&mut Board> {
        self.site.boards.iter_mut().find(|board| board.id == id)
    }
}

/// Puts a row in its place by id: look-ups rely on the order.
fn put<R>(rows: &mut Vec<R>, row: R, id: impl Fn(&R) -> i64) {
    let wanted = id(&row);
    match rows.iter_mut().find(|row| id(row) == wanted) {
        Some(slot) => *slot = row,
        None => {
            let at = rows.partition_point(|row| id(row) < wanted);
            rows.insert(at, row);
        }
    }
}
