//! The initial records of a simulated ConnectWise site: a JSON file in ConnectWise's own terms.
//! Reading it checks that every referenced record exists.

mod check;

use serde::Deserialize;

/// The initial records of a `Simulator`. `Seed::DEMO_JSON` shows the format.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The login company, the first part of every `Authorization`.
    pub(crate) company_id: String,
    pub(crate) company_name: String,
    pub(crate) version: String,
    pub(crate) client_id: String,
    #[serde(default = "first_ticket_id")]
    pub(crate) first_ticket_id: i64,
    /// The board of a ticket when neither the ticket nor its author names one. Without it, the
    /// active board with the lowest id.
    pub(crate) default_board: Option<Ref>,
    pub(crate) locations: Vec<Location>,
    pub(crate) departments: Vec<Department>,
    pub(crate) members: Vec<Member>,
    pub(crate) api_members: Vec<ApiMember>,
    #[serde(default)]
    pub(crate) teams: Vec<Team>,
    pub(crate) company_statuses: Vec<CompanyStatus>,
    pub(crate) companies: Vec<Company>,
    pub(crate) priorities: Vec<Priority>,
    pub(crate) boards: Vec<Board>,
}

/// The credentials of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The login company.
    pub company_id: String,
    /// The API key's public half.
    pub public_key: String,
    /// The API key's private half.
    pub private_key: String,
    /// The registered integration's GUID, for the `clientId` header.
    pub client_id: String,
}

/// An invalid seed, with the place and what to fix.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Not JSON, or a member is unknown, missing or of the wrong type.
    #[error("the seed cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// A record that is inconsistent with the others.
    #[error("{place}: {remedy}")]
    Inconsistent {
        /// Such as `boards[22].statuses`: the record by its id.
        place: String,
        /// What to fix.
        remedy: String,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ref {
    pub(crate) id: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) public_key: String,
    pub(crate) private_key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Location {
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Department {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) office_email: Option<String>,
    #[serde(default)]
    pub(crate) inactive_flag: bool,
    pub(crate) service_default_board: Option<Ref>,
    pub(crate) keys: Option<Keys>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ApiMember {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) inactive_flag: bool,
    pub(crate) service_default_board: Option<Ref>,
    #[serde(default)]
    pub(crate) excluded_service_board_ids: Vec<i64>,
    pub(crate) keys: Keys,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Team {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) leader: Ref,
    pub(crate) location: Ref,
    pub(crate) department: Ref,
    /// Without it the team serves every board.
    pub(crate) board: Option<Ref>,
    #[serde(default)]
    pub(crate) members: Vec<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CompanyStatus {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) default_flag: bool,
    /// Companies with this status are no longer served.
    #[serde(default)]
    pub(crate) inactive_flag: bool,
    /// ConnectWise shows a message when such a company is opened.
    #[serde(default)]
    pub(crate) notify_flag: bool,
    /// ConnectWise refuses to save a ticket of such a company.
    #[serde(default)]
    pub(crate) disallow_saving_flag: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Company {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) name: String,
    pub(crate) status: Ref,
    #[serde(default)]
    pub(crate) deleted_flag: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Priority {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) sort_order: i64,
    #[serde(default)]
    pub(crate) default_flag: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Board {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) location: Ref,
    pub(crate) department: Ref,
    #[serde(default)]
    pub(crate) inactive_flag: bool,
    #[serde(default)]
    pub(crate) project_flag: bool,
    pub(crate) statuses: Vec<BoardStatus>,
    pub(crate) types: Vec<BoardType>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BoardStatus {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) sort_order: i64,
    #[serde(default)]
    pub(crate) default_flag: bool,
    #[serde(default)]
    pub(crate) closed_status: bool,
    #[serde(default)]
    pub(crate) inactive: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BoardType {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) default_flag: bool,
    #[serde(default)]
    pub(crate) inactive_flag: bool,
}

fn first_ticket_id() -> i64 {
    1
}

impl Seed {
    /// The built-in seed, a starting point for other seeds.
    pub const DEMO_JSON: &str = include_str!("../../seed.json");

    /// The built-in seed.
    #[expect(clippy::expect_used, reason = "a test reads the built-in seed")]
    pub fn demo() -> Self {
        Self::from_json(Self::DEMO_JSON).expect("the built-in seed is good")
    }

    /// Parses and checks a seed.
    ///
    /// # Errors
    /// The seed is invalid; the error says what to fix.
    pub fn from_json(text: &str) -> Result<Self, SeedError> {
        let mut seed: Self = serde_json::from_str(text)?;
        seed.check()?;
        // Look-ups need the order: there may be thousands of companies.
        seed.companies.sort_by_key(|company| company.id);
        Ok(seed)
    }

    /// The first id that no set-up record has.
    pub(crate) fn free_id(&self) -> i64 {
        let boards = self.boards.iter();
        let on_boards = boards.flat_map(|board| {
            let statuses = board.statuses.iter().map(|row| row.id);
            let types = board.types.iter().map(|row| row.id);
            statuses.chain(types).chain([board.id])
        });
        let companies = self.companies.iter().map(|row| row.id);
        let teams = self.teams.iter().map(|row| row.id);
        let priorities = self.priorities.iter().map(|row| row.id);
        let taken = on_boards.chain(companies).chain(teams).chain(priorities);
        taken.max().unwrap_or_default().max(1000) + 1
    }

    /// The keys of the first API member, which is the integration.
    pub fn integration(&self) -> Option<Credentials> {
        self.api_members
            .first()
            .map(|member| self.credentials(&member.keys))
    }

    /// The keys of the first member that has keys, a technician.
    pub fn technician(&self) -> Option<Credentials> {
        let keys = self
            .members
            .iter()
            .find_map(|member| member.keys.as_ref())?;
        Some(self.credentials(keys))
    }

    fn credentials(&self, keys: &Keys) -> Credentials {
        Credentials {
            company_id: self.company_id.clone(),
            public_key: keys.public_key.clone(),
            private_key: keys.private_key.clone(),
            client_id: self.client_id.clone(),
        }
    }

    pub(crate) fn board(&self, id: i64) -> Option<&Board> {
        self.boards.iter().find(|board| board.id == id)
    }

    /// Companies are sorted by id: there may be thousands.
    pub(crate) fn company(&self, id: i64) -> Option<&Company> {
        let at = self
            .companies
            .binary_search_by_key(&id, |company| company.id)
            .ok()?;
        self.companies.get(at)
    }

    pub(crate) fn priority(&self, id: i64) -> Option<&Priority> {
        self.priorities.iter().find(|priority| priority.id == id)
    }
}

impl Board {
    pub(crate) fn status(&self, id: i64) -> Option<&BoardStatus> {
        self.statuses.iter().find(|status| status.id == id)
    }

    pub(crate) fn default_status(&self) -> Option<&BoardStatus> {
        self.statuses.iter().find(|status| status.default_flag)
    }

    pub(crate) fn kind(&self, id: i64) -> Option<&BoardType> {
        self.types.iter().find(|kind| kind.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_seed_is_valid() {
        let seed = Seed::demo();
        assert_eq!(seed.company_id, "tbdemo");
        assert_eq!(
            seed.integration().expect("keys").public_key,
            "tbPublicKey01"
        );
        assert_eq!(seed.technician().expect("keys").public_key, "tbTechKey01");
    }

    #[test]
    fn an_invalid_seed_is_refused_with_a_remedy() {
        for (from, to, words) in [
            (
                "\"defaultBoard\": { \"id\": 21 }",
                "\"defaultBoard\": { \"id\": 99 }",
                "defaultBoard: id 99 is not in the seed; add it or name another",
            ),
            (
                "\"id\": 302,",
                "\"id\": 301,",
                "companies: id 301 is given twice; ids of one sort must differ",
            ),
            (
                "\"sortOrder\": 10, \"defaultFlag\": true",
                "\"sortOrder\": 10",
                "boards[21].statuses: set defaultFlag on exactly one status, an active and open one",
            ),
            (
                "\"sortOrder\": 3, \"defaultFlag\": true",
                "\"sortOrder\": 3",
                "priorities: set defaultFlag on exactly one priority",
            ),
        ] {
            assert!(Seed::DEMO_JSON.contains(from), "{from}");
            let error = Seed::from_json(&Seed::DEMO_JSON.replacen(from, to, 1)).expect_err(words);
            assert_eq!(error.to_string(), words);
        }
        let misspelt = Seed::DEMO_JSON.replacen("deletedFlag", "deleted", 1);
        let error = Seed::from_json(&misspelt).expect_err("a misspelt member");
        let cause = std::error::Error::source(&error)
            .expect("a cause")
            .to_string();
        assert!(
            cause.starts_with("unknown field `deleted`, expected one of `id`"),
            "{cause}"
        );
    }
}
