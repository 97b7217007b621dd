//! Reads of what set-up and health need: companies, people, boards and what belongs to them, the caller's own rights.

use domain::RecordId;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::conditions::{Conditions, Field, SearchText};
use crate::error::Error;
use crate::paging::{Cursor, Long, PAGE, Page};
use crate::records::{
    ApiMember, Board, BoardStatus, BoardTeam, BoardType, Company, CompanyStatus, Department, Info,
    Location, Member, MyMember, MySecurity, Priority, Team,
};
use crate::rights;

/// Companies in one part of a search, which a person reads.
const FOUND_AT_ONCE: usize = 100;

/// Companies that one call asks for by their numbers: with a comma, escaped, each of them takes some ten characters of its address.
pub const COMPANIES_AT_ONCE: usize = 100;

/// What of these records is read: a member's record holds home addresses and more that nobody here needs. Tests compare them
/// with the types.
const COMPANY: &str = "id,identifier,name,status,deletedFlag";
const MEMBER: &str = "id,identifier,firstName,lastName,licenseClass,inactiveFlag";

impl Client {
    /// What the system says of itself. Self-hosted ones may say it without keys, so success does not prove the keys:
    /// [`Self::my_member`] does.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn system_info(&self, deadline: Instant) -> Result<Info, Error> {
        self.read("/system/info", rights::MY_COMPANY_INQUIRE, deadline)
            .await
    }

    /// The API member whose keys these are.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn my_member(&self, deadline: Instant) -> Result<MyMember, Error> {
        self.read("/system/myMembers", rights::MEMBERS_INQUIRE, deadline)
            .await
    }

    /// What the API member whose keys these are may do.
    ///
    /// # Errors
    /// See [`Error`]. A narrow role may not even read this ([`Error::MissingRight`]), and an old system may not have it
    /// ([`Error::EndpointMissing`], [`Error::NotRouted`]): then nothing is known, which is not the same as no rights.
    pub async fn my_security(&self, deadline: Instant) -> Result<Vec<MySecurity>, Error> {
        self.list(
            "/system/mySecurity",
            "",
            rights::MY_ACCOUNT_INQUIRE,
            deadline,
        )
        .await
    }

    /// Whether the API member may see what a right to inquire opens, by asking for one record of it; none for a right that no such
    /// list shows. It cannot tell "All" from "My".
    ///
    /// # Errors
    /// See [`Error`]; the refusal itself is the answer `false`.
    pub async fn may_inquire(
        &self,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Option<bool>, Error> {
        let path = match right {
            rights::COMPANIES_INQUIRE => "/company/companies",
            rights::TICKETS_INQUIRE => "/service/tickets",
            rights::TABLES_INQUIRE => "/service/boards",
            rights::MEMBERS_INQUIRE => "/system/members",
            rights::MY_COMPANY_INQUIRE => "/system/departments",
            _ => return Ok(None),
        };
        let call = Call {
            query: "fields=id&pageSize=1".to_owned(),
            ..Call::get(path, right)
        };
        match self.send(&call, deadline).await {
            Ok(_) => Ok(Some(true)),
            Err(Error::MissingRight { .. }) => Ok(Some(false)),
            Err(err) => Err(err),
        }
    }

    /// A thousand companies from a cursor on, deleted and inactive ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn company_page(
        &self,
        from: Cursor,
        deadline: Instant,
    ) -> Result<Page<Company>, Error> {
        self.page(companies(None, PAGE), from, deadline).await
    }

    /// A hundred companies from a cursor on whose name or identifier contains a text, deleted and inactive ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn companies_matching(
        &self,
        text: &SearchText,
        from: Cursor,
        deadline: Instant,
    ) -> Result<Page<Company>, Error> {
        let conditions = Conditions::contains(Field::Name, text)
            .or(&Conditions::contains(Field::Identifier, text));
        self.page(companies(Some(&conditions), FOUND_AT_ONCE), from, deadline)
            .await
    }

    /// Those of these companies that are there, deleted and inactive ones included: 100 at most, since an address must stay under the
    /// 2,000 characters that ConnectWise takes. Of none nothing is asked.
    ///
    /// # Errors
    /// See [`Error`]; more than 100 are [`Error::Rejected`] unasked.
    pub async fn companies_with(
        &self,
        ids: &[RecordId],
        deadline: Instant,
    ) -> Result<Vec<Company>, Error> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        if ids.len() > COMPANIES_AT_ONCE {
            let words = format!("{} companies are more than one call asks for", ids.len());
            return Err(Error::Rejected { words });
        }
        let conditions = Conditions::is_any_record(Field::Id, ids).parameter();
        let (path, right) = ("/company/companies", rights::COMPANIES_INQUIRE);
        let query = format!("{conditions}fields={COMPANY}&");
        self.list(path, &query, right, deadline).await
    }

    /// One company, deleted or not.
    ///
    /// # Errors
    /// See [`Error`]; a company that is not there at all is [`Error::NotFound`].
    pub async fn company(&self, id: RecordId, deadline: Instant) -> Result<Company, Error> {
        let path = format!("/company/companies/{id}");
        self.read(&path, rights::COMPANIES_INQUIRE, deadline).await
    }

    /// How many companies there are, deleted and inactive ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn company_count(&self, deadline: Instant) -> Result<u64, Error> {
        let path = "/company/companies";
        self.count(path, None, rights::COMPANIES_INQUIRE, deadline)
            .await
    }

    /// All members, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn members(&self, deadline: Instant) -> Result<Vec<Member>, Error> {
        let query = format!("fields={MEMBER}&");
        self.list("/system/members", &query, rights::MEMBERS_INQUIRE, deadline)
            .await
    }

    /// All API members, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn api_members(&self, deadline: Instant) -> Result<Vec<ApiMember>, Error> {
        self.list("/system/apiMembers", "", rights::MEMBERS_INQUIRE, deadline)
            .await
    }

    /// All departments.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn departments(&self, deadline: Instant) -> Result<Vec<Department>, Error> {
        let right = rights::MY_COMPANY_INQUIRE;
        self.list("/system/departments", "", right, deadline).await
    }

    /// All locations of the partner's own company.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn locations(&self, deadline: Instant) -> Result<Vec<Location>, Error> {
        let right = rights::MY_COMPANY_INQUIRE;
        self.list("/system/locations", "", right, deadline).await
    }

    /// All service teams, of all boards.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn teams(&self, deadline: Instant) -> Result<Vec<Team>, Error> {
        self.list("/service/teams", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// All service boards, inactive and project boards included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn boards(&self, deadline: Instant) -> Result<Vec<Board>, Error> {
        self.list("/service/boards", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// The same boards as [`Self::boards`], by the way that public clients report to need no right to set-up tables, only the one
    /// to see tickets.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn board_infos(&self, deadline: Instant) -> Result<Vec<Board>, Error> {
        let right = rights::TICKETS_INQUIRE;
        self.list("/service/info/boards", "", right, deadline).await
    }

    /// All statuses of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]; a board that is gone is [`Error::NotFound`].
    pub async fn board_statuses(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardStatus>, Error> {
        let path = format!("/service/boards/{board}/statuses");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// All types of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]; a board that is gone is [`Error::NotFound`].
    pub async fn board_types(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardType>, Error> {
        let path = format!("/service/boards/{board}/types");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// All teams of a board.
    ///
    /// # Errors
    /// See [`Error`]; a board that is gone is [`Error::NotFound`].
    pub async fn board_teams(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardTeam>, Error> {
        let path = format!("/service/boards/{board}/teams");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// All statuses of companies.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn company_statuses(&self, deadline: Instant) -> Result<Vec<CompanyStatus>, Error> {
        let path = "/company/companies/statuses";
        self.list(path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// All priorities.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn priorities(&self, deadline: Instant) -> Result<Vec<Priority>, Error> {
        self.list("/service/priorities", "", rights::TABLES_INQUIRE, deadline)
            .await
    }
}

fn companies(conditions: Option<&Conditions>, size: usize) -> Long<'_, Company> {
    Long {
        path: "/company/companies",
        right: rights::COMPANIES_INQUIRE,
        conditions,
        fields: COMPANY,
        size,
        id: |company| company.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::members_of;

    #[test]
    fn a_list_asks_for_what_its_records_have() {
        for (asked, members) in [
            (COMPANY, members_of::<Company>()),
            (MEMBER, members_of::<Member>()),
        ] {
            assert_eq!(asked.split(',').collect::<Vec<_>>(), members);
        }
    }
}
