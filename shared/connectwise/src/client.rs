//! The reads of one connection, typed.

use std::sync::Arc;

use domain::RecordId;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::call::{self, Answer, Call, LIST_LIMIT};
use crate::conditions::{ExternalXref, escape, external_xref_begins, external_xref_in};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::origin::HostError;
use crate::records::{Board, BoardStatus, BoardType, Info, MyMember, Note, Priority, Ticket};
use crate::rights;
use crate::writer::TicketWriter;

/// Twelve calls at a time tripped ConnectWise's limit within a thousand requests, four did not (seen live).
const CALLS_AT_A_TIME: usize = 4;

/// ConnectWise caps a page at this many silently; the default is 25.
const PAGE: usize = 1_000;
/// A hundred thousand records are more than any list that we ask for; a server that never ends is not followed further.
const MAX_PAGES: usize = 100;

/// Tokens in one search: with a hundred characters each, the address stays under the 2,000 that ConnectWise takes.
const TOKENS_A_SEARCH: usize = 12;

/// One connection to one ConnectWise. Cheap to clone; clones share the limit of four calls at a time.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    keys: Arc<Credentials>,
    calls: Arc<Semaphore>,
}

impl Client {
    /// A client that sends these keys to their own origin.
    ///
    /// # Errors
    /// When that origin may not be spoken to.
    pub fn new(http: &Http, credentials: Credentials) -> Result<Self, HostError> {
        http.hosts.check(&credentials.origin)?;
        Ok(Self {
            http: http.clone(),
            keys: Arc::new(credentials),
            calls: Arc::new(Semaphore::new(CALLS_AT_A_TIME)),
        })
    }

    /// The writes. Only `functions/tickets` may call this: it alone holds the claims that make a write safe.
    #[must_use]
    pub fn ticket_writer(&self) -> TicketWriter {
        TicketWriter::new(self.clone())
    }

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

    /// All service boards, inactive and project boards included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn boards(&self, deadline: Instant) -> Result<Vec<Board>, Error> {
        self.list("/service/boards", "", rights::TABLES_INQUIRE, deadline)
            .await
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

    /// All priorities.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn priorities(&self, deadline: Instant) -> Result<Vec<Priority>, Error> {
        self.list("/service/priorities", "", rights::TABLES_INQUIRE, deadline)
            .await
    }

    /// One ticket, closed or not.
    ///
    /// # Errors
    /// See [`Error`]; a ticket that was deleted is [`Error::NotFound`].
    pub async fn ticket(&self, id: RecordId, deadline: Instant) -> Result<Ticket, Error> {
        let path = format!("/service/tickets/{id}");
        self.read(&path, rights::TICKETS_INQUIRE, deadline).await
    }

    /// All notes of a ticket, oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ticket_notes(&self, id: RecordId, deadline: Instant) -> Result<Vec<Note>, Error> {
        let path = format!("/service/tickets/{id}/notes");
        self.list(&path, "", rights::TICKETS_INQUIRE, deadline)
            .await
    }

    /// All tickets that carry one of these tokens, closed ones included, by number. `Ok` means complete: a search that failed
    /// half-way is an error. No token, no call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tickets_by_external_xref(
        &self,
        tokens: &[&ExternalXref],
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let mut found = Vec::new();
        for some in tokens.chunks(TOKENS_A_SEARCH) {
            let mut tickets = self
                .search_tickets(&external_xref_in(some), deadline)
                .await?;
            // An answer that ignored the conditions must not pass for ours.
            tickets.retain(|ticket| {
                let carried = ticket.external_xref.as_deref();
                some.iter().any(|token| carried == Some(token.as_str()))
            });
            found.append(&mut tickets);
        }
        Ok(found)
    }

    /// All tickets whose token begins so, closed ones included, by number; complete like
    /// [`Self::tickets_by_external_xref`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tickets_by_external_xref_prefix(
        &self,
        prefix: &ExternalXref,
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let mut tickets = self
            .search_tickets(&external_xref_begins(prefix), deadline)
            .await?;
        tickets.retain(|ticket| begins(ticket, prefix));
        Ok(tickets)
    }

    /// Whether there is any ticket whose token begins so, closed ones included: one small call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn any_ticket_by_external_xref_prefix(
        &self,
        prefix: &ExternalXref,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let mut call = Call::get("/service/tickets", rights::TICKETS_INQUIRE);
        call.query = format!(
            "conditions={}&pageSize=1&page=1",
            escape(&external_xref_begins(prefix))
        );
        let tickets: Vec<Ticket> = self.send(&call, deadline).await?.parse()?;
        Ok(tickets.iter().any(|ticket| begins(ticket, prefix)))
    }

    async fn search_tickets(
        &self,
        conditions: &str,
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let query = format!("conditions={}&", escape(conditions));
        self.list(
            "/service/tickets",
            &query,
            rights::TICKETS_INQUIRE,
            deadline,
        )
        .await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<T, Error> {
        self.send(&Call::get(path, right), deadline).await?.parse()
    }

    /// The whole list. A page that is not full, with no `Link` to a next one, is the last; servers may cap the page size
    /// silently, and proxies may drop the header, so neither sign is enough alone. The next page's address is always our own.
    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Vec<T>, Error> {
        let mut records = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = Call {
                query: format!("{query}orderBy=id&pageSize={PAGE}&page={page}"),
                limit: LIST_LIMIT,
                ..Call::get(path, right)
            };
            let answer = self.send(&call, deadline).await?;
            let mut more: Vec<T> = answer.parse()?;
            let last = more.is_empty() || (!answer.has_next && more.len() < PAGE);
            records.append(&mut more);
            if last {
                return Ok(records);
            }
        }
        Err(Error::AnswerTooLarge { limit: MAX_PAGES })
    }

    /// Makes a call without a body.
    async fn send(&self, call: &Call, deadline: Instant) -> Result<Answer, Error> {
        let _turn = self.turn(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::signed(&self.http, &self.keys, call)?;
        call::send(request, call, end).await
    }

    /// Makes a call with a body.
    pub(crate) async fn send_json(
        &self,
        call: &Call,
        body: &(impl serde::Serialize + ?Sized),
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let _turn = self.turn(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::signed(&self.http, &self.keys, call)?.json(body);
        call::send(request, call, end).await
    }

    /// Waits for one of the four places; whoever gets none in time has sent nothing.
    async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        match timeout_at(deadline, self.calls.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::DeadlineTooShort),
        }
    }
}

fn begins(ticket: &Ticket, prefix: &ExternalXref) -> bool {
    let carried = ticket.external_xref.as_deref().unwrap_or_default();
    carried.starts_with(prefix.as_str())
}
