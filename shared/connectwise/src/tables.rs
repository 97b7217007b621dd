//! Reads for set-up and health: companies, members, boards and their parts, and the API member's
//! own rights.

use domain::RecordId;
use domain::setup::rights;
use tokio::time::Instant;

use crate::call::ApiCall;
use crate::client::Client;
use crate::conditions::{ConditionField, Conditions, SearchText};
use crate::error::Error;
use crate::link_header::RecordCursor;
use crate::paging::{LongList, PAGE_SIZE, RecordPage};
use crate::records::{
    Board, BoardItem, BoardStatus, BoardSubType, BoardTeam, BoardType, BoardTypeAssociation,
    CompanyRecord, CompanyStatus, Department, Location, MemberRecord, MyMember, MySecurity,
    Priority, Team, TicketSource,
};

/// Companies in one page of a search. A person reads it.
const SEARCH_PAGE_SIZE: usize = 100;

/// Most companies that one call reads by number. Each takes some ten characters of the address.
pub const COMPANIES_AT_ONCE: usize = 100;

/// The members that are read of these records. A member's record also holds home addresses and
/// more, which are not needed here. A test compares the lists with the types.
const COMPANY_FIELDS: &str = "id,identifier,name,status,deletedFlag";
const MEMBER_FIELDS: &str = "id,identifier,firstName,lastName,licenseClass,inactiveFlag";

impl Client {
    /// Reads the API member that the keys belong to.
    pub async fn my_member(&self, deadline: Instant) -> Result<MyMember, Error> {
        self.read("/system/myMembers", rights::MEMBERS_INQUIRE, deadline)
            .await
    }

    /// Lists the rights of the API member that the keys belong to.
    ///
    /// # Errors
    /// See [`Error`]. A narrow role may lack the right to read this ([`Error::MissingRight`]), and
    /// an old system may lack the endpoint ([`Error::EndpointMissing`], [`Error::NotRouted`]). Then
    /// the rights are unknown, which is not the same as missing.
    pub async fn my_security(&self, deadline: Instant) -> Result<Vec<MySecurity>, Error> {
        self.list(
            "/system/mySecurity",
            "",
            rights::MY_ACCOUNT_INQUIRE,
            deadline,
        )
        .await
    }

    /// Whether the API member has a right to inquire, by reading one record that needs it. `None`
    /// for a right that no list needs. It cannot tell "All" from "My".
    ///
    /// # Errors
    /// See [`Error`]. A missing right is no error, but `false`.
    pub async fn can_inquire(
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
            rights::CONFIGURATIONS_INQUIRE => "/company/configurations",
            rights::CONTACTS_INQUIRE => "/company/contacts",
            _ => return Ok(None),
        };
        let call = ApiCall {
            query: "fields=id&pageSize=1".to_owned(),
            ..ApiCall::get(path, right)
        };
        match self.send(&call, deadline).await {
            Ok(_) => Ok(Some(true)),
            Err(Error::MissingRight { .. }) => Ok(Some(false)),
            Err(err) => Err(err),
        }
    }

    /// Lists a thousand companies from a cursor on, deleted and inactive ones included.
    pub async fn company_page(
        &self,
        from: RecordCursor,
        deadline: Instant,
    ) -> Result<RecordPage<CompanyRecord>, Error> {
        self.page(companies(None, PAGE_SIZE), from, deadline).await
    }

    /// Finds a hundred companies, from a cursor on, whose name or identifier contains a text.
    /// Deleted and inactive ones are included.
    pub async fn companies_matching(
        &self,
        text: &SearchText,
        from: RecordCursor,
        deadline: Instant,
    ) -> Result<RecordPage<CompanyRecord>, Error> {
        let conditions = Conditions::contains(ConditionField::Name, text)
            .or(&Conditions::contains(ConditionField::Identifier, text));
        self.page(
            companies(Some(&conditions), SEARCH_PAGE_SIZE),
            from,
            deadline,
        )
        .await
    }

    /// Reads those of these companies that exist, deleted and inactive ones included. At most 100,
    /// since the address must stay under the 2,000 characters that ConnectWise takes. Without ids
    /// no call is made.
    ///
    /// # Errors
    /// See [`Error`]. More than 100 ids are [`Error::Rejected`] without a call.
    pub async fn companies_with(
        &self,
        ids: &[RecordId],
        deadline: Instant,
    ) -> Result<Vec<CompanyRecord>, Error> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        if ids.len() > COMPANIES_AT_ONCE {
            let words = format!("{} companies are more than one call can read", ids.len());
            return Err(Error::Rejected { words });
        }
        let conditions = Conditions::is_any_record(ConditionField::Id, ids).parameter();
        let (path, right) = ("/company/companies", rights::COMPANIES_INQUIRE);
        let query = format!("{conditions}fields={COMPANY_FIELDS}&");
        self.list(path, &query, right, deadline).await
    }

    /// Reads one company, deleted or not.
    ///
    /// # Errors
    /// See [`Error`]. A company that does not exist is [`Error::NotFound`].
    pub async fn company(&self, id: RecordId, deadline: Instant) -> Result<CompanyRecord, Error> {
        let path = format!("/company/companies/{id}");
        self.read(&path, rights::COMPANIES_INQUIRE, deadline).await
    }

    /// Counts the companies, deleted and inactive ones included.
    pub async fn company_count(&self, deadline: Instant) -> Result<u64, Error> {
        let path = "/company/companies";
        self.count(path, rights::COMPANIES_INQUIRE, deadline).await
    }

    /// Lists all members, inactive ones included.
    pub async fn members(&self, deadline: Instant) -> Result<Vec<MemberRecord>, Error> {
        let query = format!("fields={MEMBER_FIELDS}&");
        self.list("/system/members", &query, rights::MEMBERS_INQUIRE, deadline)
            .await
    }

    /// Lists all departments.
    pub async fn departments(&self, deadline: Instant) -> Result<Vec<Department>, Error> {
        let right = rights::MY_COMPANY_INQUIRE;
        self.list("/system/departments", "", right, deadline).await
    }

    /// Lists all locations of the partner's own company.
    pub async fn locations(&self, deadline: Instant) -> Result<Vec<Location>, Error> {
        let right = rights::MY_COMPANY_INQUIRE;
        self.list("/system/locations", "", right, deadline).await
    }

    /// Lists all service teams, of all boards.
    pub async fn teams(&self, deadline: Instant) -> Result<Vec<Team>, Error> {
        self.list("/service/teams", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// Lists all service boards, inactive and project boards included.
    pub async fn boards(&self, deadline: Instant) -> Result<Vec<Board>, Error> {
        self.list("/service/boards", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// Lists the same boards as [`Self::boards`]. Public clients report that this endpoint needs
    /// only the right to see tickets, not the one to set-up tables.
    pub async fn board_infos(&self, deadline: Instant) -> Result<Vec<Board>, Error> {
        let right = rights::TICKETS_INQUIRE;
        self.list("/service/info/boards", "", right, deadline).await
    }

    /// Lists all statuses of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_statuses(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardStatus>, Error> {
        let path = format!("/service/boards/{board}/statuses");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all types of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_types(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardType>, Error> {
        let path = format!("/service/boards/{board}/types");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all subtypes of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_subtypes(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardSubType>, Error> {
        let path = format!("/service/boards/{board}/subtypes");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all items of a board, inactive ones included.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_items(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardItem>, Error> {
        let path = format!("/service/boards/{board}/items");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists which types, subtypes and items of a board belong together.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_type_associations(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardTypeAssociation>, Error> {
        let path = format!("/service/boards/{board}/typeSubTypeItemAssociations");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all sources of tickets.
    pub async fn ticket_sources(&self, deadline: Instant) -> Result<Vec<TicketSource>, Error> {
        self.list("/service/sources", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// Lists all teams of a board.
    ///
    /// # Errors
    /// See [`Error`]. A board that does not exist is [`Error::NotFound`].
    pub async fn board_teams(
        &self,
        board: RecordId,
        deadline: Instant,
    ) -> Result<Vec<BoardTeam>, Error> {
        let path = format!("/service/boards/{board}/teams");
        self.list(&path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all statuses of companies.
    pub async fn company_statuses(&self, deadline: Instant) -> Result<Vec<CompanyStatus>, Error> {
        let path = "/company/companies/statuses";
        self.list(path, "", rights::TABLES_INQUIRE, deadline).await
    }

    /// Lists all priorities.
    pub async fn priorities(&self, deadline: Instant) -> Result<Vec<Priority>, Error> {
        self.list("/service/priorities", "", rights::TABLES_INQUIRE, deadline)
            .await
    }
}

fn companies(conditions: Option<&Conditions>, size: usize) -> LongList<'_, CompanyRecord> {
    LongList {
        path: "/company/companies",
        right: rights::COMPANIES_INQUIRE,
        conditions,
        fields: COMPANY_FIELDS,
        size,
        id: |company| company.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::fields_of;

    #[test]
    fn a_list_reads_the_members_of_its_records() {
        for (fields, members) in [
            (COMPANY_FIELDS, fields_of::<CompanyRecord>()),
            (MEMBER_FIELDS, fields_of::<MemberRecord>()),
        ] {
            assert_eq!(fields.split(',').collect::<Vec<_>>(), members);
        }
    }
}
