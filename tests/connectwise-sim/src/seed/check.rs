//! Checks that a seed is consistent: ids differ, referenced records exist, and every default exists
//! exactly once.

use std::collections::BTreeSet;

use super::{Ref, Seed, SeedError};

impl Seed {
    pub(super) fn check(&self) -> Result<(), SeedError> {
        let locations = ids("locations", self.locations.iter().map(|row| row.id))?;
        let departments = ids("departments", self.departments.iter().map(|row| row.id))?;
        let members = ids("members", self.members.iter().map(|row| row.id))?;
        ids("apiMembers", self.api_members.iter().map(|row| row.id))?;
        ids("teams", self.teams.iter().map(|row| row.id))?;
        let company_statuses = ids(
            "companyStatuses",
            self.company_statuses.iter().map(|row| row.id),
        )?;
        ids("companies", self.companies.iter().map(|row| row.id))?;
        ids("priorities", self.priorities.iter().map(|row| row.id))?;
        let boards = ids("boards", self.boards.iter().map(|row| row.id))?;
        ids(
            "statuses",
            self.boards
                .iter()
                .flat_map(|board| &board.statuses)
                .map(|row| row.id),
        )?;
        ids(
            "types",
            self.boards
                .iter()
                .flat_map(|board| &board.types)
                .map(|row| row.id),
        )?;

        if self.api_members.is_empty() {
            return Err(remedy(
                "apiMembers",
                "give at least one API member with keys",
            ));
        }
        for member in &self.api_members {
            let place = format!("apiMembers[{}].serviceDefaultBoard", member.id);
            known(&place, member.service_default_board, &boards)?;
        }
        for member in &self.members {
            let place = format!("members[{}].serviceDefaultBoard", member.id);
            known(&place, member.service_default_board, &boards)?;
        }
        known("defaultBoard", self.default_board, &boards)?;
        for team in &self.teams {
            known(
                &format!("teams[{}].leader", team.id),
                Some(team.leader),
                &members,
            )?;
            known(
                &format!("teams[{}].location", team.id),
                Some(team.location),
                &locations,
            )?;
            known(
                &format!("teams[{}].department", team.id),
                Some(team.department),
                &departments,
            )?;
        }
        for team in &self.teams {
            known(&format!("teams[{}].board", team.id), team.board, &boards)?;
            for member in &team.members {
                let place = format!("teams[{}].members", team.id);
                known(&place, Some(Ref { id: *member }), &members)?;
            }
        }
        for company in &self.companies {
            known(
                &format!("companies[{}].status", company.id),
                Some(company.status),
                &company_statuses,
            )?;
        }
        for board in &self.boards {
            known(
                &format!("boards[{}].location", board.id),
                Some(board.location),
                &locations,
            )?;
            known(
                &format!("boards[{}].department", board.id),
                Some(board.department),
                &departments,
            )?;
            let start = board
                .statuses
                .iter()
                .filter(|status| status.default_flag)
                .collect::<Vec<_>>();
            let usable = start
                .iter()
                .all(|status| !status.closed_status && !status.inactive);
            if start.len() != 1 || !usable {
                let place = format!("boards[{}].statuses", board.id);
                return Err(remedy(
                    &place,
                    "set defaultFlag on exactly one status, an active and open one",
                ));
            }
        }
        if !self.boards.iter().any(|board| !board.inactive_flag) {
            return Err(remedy(
                "boards",
                "give at least one board without inactiveFlag",
            ));
        }
        if self
            .priorities
            .iter()
            .filter(|priority| priority.default_flag)
            .count()
            != 1
        {
            return Err(remedy(
                "priorities",
                "set defaultFlag on exactly one priority",
            ));
        }
        Ok(())
    }
}

fn remedy(place: &str, remedy: &str) -> SeedError {
    SeedError::Inconsistent {
        place: place.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn ids(place: &str, ids: impl Iterator<Item = i64>) -> Result<BTreeSet<i64>, SeedError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(remedy(
                place,
                &format!("id {id} is given twice; ids of one sort must differ"),
            ));
        }
    }
    Ok(seen)
}

fn known(place: &str, reference: Option<Ref>, ids: &BTreeSet<i64>) -> Result<(), SeedError> {
    match reference {
        Some(Ref { id }) if !ids.contains(&id) => Err(remedy(
            place,
            &format!("id {id} is not in the seed; add it or name another"),
        )),
        _ => Ok(()),
    }
}
