//! Reads of tickets: one, its notes, those with our tokens.

use domain::RecordId;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::conditions::{Conditions, ExternalXref, Field};
use crate::error::Error;
use crate::paging::{Cursor, Long, PAGE, Page};
use crate::records::{Note, Ticket};
use crate::rights;

/// Tokens in one search: with a hundred characters each, the address stays under the 2,000 that ConnectWise takes.
const TOKENS_A_SEARCH: usize = 12;
/// Numbers in one search: with up to twelve digits and an escaped comma each, the same.
const NUMBERS_A_SEARCH: usize = 100;

/// What of a ticket is read; a test compares it with [`Ticket`].
const FIELDS: &str = "id,summary,board,status,company,priority,type,externalXRef,closedFlag,estimatedStartDate,closedDate,closedBy,mergedParentTicket,_info";

/// Which tickets a listing is about: those whose token begins so, closed ones included, unless it is narrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFilter {
    prefix: ExternalXref,
    conditions: Conditions,
}

impl TicketFilter {
    /// All tickets whose token begins so.
    #[must_use]
    pub fn beginning(prefix: ExternalXref) -> Self {
        let conditions = Conditions::begins(Field::ExternalXref, &prefix);
        Self { prefix, conditions }
    }

    /// Of these, the open ones.
    #[must_use]
    pub fn open(self) -> Self {
        self.narrowed(&Conditions::is_flag(Field::ClosedFlag, false))
    }

    /// Of these, the ones that lie on a board now.
    #[must_use]
    pub fn on_board(self, board: RecordId) -> Self {
        self.narrowed(&Conditions::is_record(Field::BoardId, board))
    }

    /// Of these, the ones that were changed after a time, in whole seconds.
    #[must_use]
    pub fn changed_after(self, time: Timestamp) -> Self {
        self.narrowed(&Conditions::after(Field::LastUpdated, time))
    }

    fn narrowed(self, by: &Conditions) -> Self {
        Self {
            prefix: self.prefix,
            conditions: self.conditions.and(by),
        }
    }
}

impl Client {
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
            let conditions = Conditions::is_one_of(Field::ExternalXref, some);
            let mut tickets = self.search_tickets(&conditions, deadline).await?;
            // An answer that ignored the conditions must not pass for ours.
            tickets.retain(|ticket| {
                let carried = carried(ticket);
                let is_it = |token: &&ExternalXref| carried == Some(folded(token.as_str()));
                some.iter().any(is_it)
            });
            found.append(&mut tickets);
        }
        Ok(found)
    }

    /// The tickets of these numbers that ConnectWise has and shows, closed ones included; complete like
    /// [`Self::tickets_by_external_xref`]. No number, no call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tickets_numbered(
        &self,
        ids: &[RecordId],
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let mut found = Vec::new();
        for some in ids.chunks(NUMBERS_A_SEARCH) {
            let conditions = Conditions::is_any_record(Field::Id, some);
            let mut tickets = self.search_tickets(&conditions, deadline).await?;
            tickets.retain(|ticket| some.contains(&ticket.id));
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
        let conditions = Conditions::begins(Field::ExternalXref, prefix);
        let mut tickets = self.search_tickets(&conditions, deadline).await?;
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
        let conditions = Conditions::begins(Field::ExternalXref, prefix);
        let mut call = Call::get("/service/tickets", rights::TICKETS_INQUIRE);
        call.query = format!("{}pageSize=1&page=1", conditions.parameter());
        let tickets: Vec<Ticket> = self.send(&call, deadline).await?.parse()?;
        Ok(tickets.iter().any(|ticket| begins(ticket, prefix)))
    }

    /// A thousand tickets of a listing that may be long, from a cursor on.
    ///
    /// # Errors
    /// See [`Error`]; what was read before stays good, and its [`Page::next`] can be asked for again.
    pub async fn ticket_page(
        &self,
        filter: &TicketFilter,
        from: Cursor,
        deadline: Instant,
    ) -> Result<Page<Ticket>, Error> {
        let list = Long {
            path: "/service/tickets",
            right: rights::TICKETS_INQUIRE,
            conditions: Some(&filter.conditions),
            fields: FIELDS,
            size: PAGE,
            id: |ticket: &Ticket| ticket.id,
        };
        let mut page = self.page(list, from, deadline).await?;
        page.items.retain(|ticket| begins(ticket, &filter.prefix));
        Ok(page)
    }

    /// How many tickets a listing has, by ConnectWise's own count.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ticket_count(
        &self,
        filter: &TicketFilter,
        deadline: Instant,
    ) -> Result<u64, Error> {
        let conditions = Some(&filter.conditions);
        self.count(
            "/service/tickets",
            conditions,
            rights::TICKETS_INQUIRE,
            deadline,
        )
        .await
    }

    async fn search_tickets(
        &self,
        conditions: &Conditions,
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let query = conditions.parameter();
        self.list(
            "/service/tickets",
            &query,
            rights::TICKETS_INQUIRE,
            deadline,
        )
        .await
    }
}

fn begins(ticket: &Ticket, prefix: &ExternalXref) -> bool {
    carried(ticket).is_some_and(|carried| carried.starts_with(&folded(prefix.as_str())))
}

/// What a ticket carries, to be compared: something on the way may have changed its case, or put white space around it.
fn carried(ticket: &Ticket) -> Option<String> {
    ticket.external_xref.as_deref().map(folded)
}

fn folded(xref: &str) -> String {
    xref.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_asks_for_what_a_ticket_has() {
        let asked: Vec<&str> = FIELDS.split(',').collect();
        assert_eq!(asked, crate::records::members_of::<Ticket>());
    }
}
