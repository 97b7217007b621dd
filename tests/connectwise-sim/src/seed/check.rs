//! Checks that a seed is consistent: ids differ, referenced records exist, and every default exists
//! exactly once.

use std::collections::BTreeSet;

use super::{BoardStatus, Ref, Seed, SeedError};

impl Seed {
    pub(super) fn check(&self) -> Result<(), SeedError> {
        let locations = ids("locations", self.locations.iter().map(|row| row.id))?;
        let departments = ids("departments", self.departments.iter().map(|row| row.id))?;
        let members = ids("members", self.members.iter().map(|row| row.id))?;
        ids("apiMembers", self.api_members.iter().map(|row| row.id))?;
        ids("teams", self.teams.iter().map(|row| row.id))?;
        let statuses = self.company_statuses.iter().map(|row| row.id);
        let company_statuses = ids("companyStatuses", statuses)?;
        ids("companies", self.companies.iter().map(|row| row.id))?;
        ids("priorities", self.priorities.iter().map(|row| row.id))?;
        let boards = ids("boards", self.boards.iter().map(|row| row.id))?;
        let statuses = self.boards.iter().flat_map(|board| &board.statuses);
        ids("statuses", statuses.map(|row| row.id))?;
        let types = self.boards.iter().flat_map(|board| &board.types);
        ids("types", types.map(|row| row.id))?;

        if self.api_members.is_empty() {
            let remedy = "give at least one API member with keys";
            return Err(inconsistent("apiMembers", remedy));
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
            let place = |member| format!("teams[{}].{member}", team.id);
            known(&place("leader"), Some(team.leader), &members)?;
            known(&place("location"), Some(team.location), &locations)?;
            known(&place("department"), Some(team.department), &departments)?;
            known(&place("board"), team.board, &boards)?;
            for member in &team.members {
                known(&place("members"), Some(Ref { id: *member }), &members)?;
            }
        }
        for company in &self.companies {
            let place = format!("companies[{}].status", company.id);
            known(&place, Some(company.status), &company_statuses)?;
        }
        for board in &self.boards {
            let place = |member| format!("boards[{}].{member}", board.id);
            known(&place("location"), Some(board.location), &locations)?;
            known(&place("department"), Some(board.department), &departments)?;
            let statuses = board.statuses.iter();
            let start: Vec<_> = statuses.filter(|status| status.default_flag).collect();
            let is_usable = |status: &BoardStatus| !status.closed_status && !status.inactive;
            if !matches!(start[..], [status] if is_usable(status)) {
                let remedy = "set defaultFlag on exactly one status, an active and open one";
                return Err(inconsistent(&place("statuses"), remedy));
            }
        }
        if !self.boards.iter().any(|board| !board.inactive_flag) {
            let remedy = "give at least one board without inactiveFlag";
            return Err(inconsistent("boards", remedy));
        }
        let defaults = self.priorities.iter().filter(|row| row.default_flag);
        if defaults.count() != 1 {
            let remedy = "set defaultFlag on exactly one priority";
            return Err(inconsistent("priorities", remedy));
        }
        Ok(())
    }
}

fn inconsistent(place: &str, remedy: &str) -> SeedError {
    SeedError::Inconsistent {
        place: place.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn ids(place: &str, ids: impl Iterator<Item = i64>) -> Result<BTreeSet<i64>, SeedError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            let remedy = format!("id {id} is given twice; ids of one sort must differ");
            return Err(inconsistent(place, &remedy));
        }
    }
    Ok(seen)
}

fn known(place: &str, reference: Option<Ref>, ids: &BTreeSet<i64>) -> Result<(), SeedError> {
    match reference {
        Some(Ref { id }) if !ids.contains(&id) => {
            let remedy = format!("id {id} is not in the seed; add it or name another");
            Err(inconsistent(place, &remedy))
        }
        _ => Ok(()),
    }
}
