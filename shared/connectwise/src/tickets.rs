//! Reads of tickets: one ticket, its notes, and searches by reference or number.

use domain::RecordId;
use domain::setup::rights;
use tokio::time::Instant;

use crate::call::{ApiCall, LIST_LIMIT};
use crate::client::Client;
use crate::conditions::{ConditionField, Conditions, ExternalXref};
use crate::error::Error;
use crate::link_header::RecordCursor;
use crate::paging::{LongList, PAGE_SIZE, RecordPage};
use crate::records::{AuditTrailEntry, ServiceTicketNote, Ticket, TicketNote};

/// References in one search. Each has up to a hundred characters, so the address stays under the
/// 2,000 that ConnectWise takes.
const REFERENCES_PER_SEARCH: usize = 12;
/// Numbers in one search, under the same limit. Each has up to twelve digits and an escaped comma.
const NUMBERS_PER_SEARCH: usize = 100;

/// The members of a ticket that lists read. A test compares them with [`Ticket`].
const FIELDS: &str = "id,summary,board,status,company,priority,type,externalXRef,closedFlag,\
                      estimatedStartDate,closedDate,closedBy,mergedParentTicket,_info";

/// Which tickets to list: those whose reference begins with a prefix, closed ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFilter {
    prefix: ExternalXref,
    conditions: Conditions,
}

impl TicketFilter {
    #[must_use]
    pub fn beginning(prefix: ExternalXref) -> Self {
        let conditions = Conditions::begins(ConditionField::ExternalXref, &prefix);
        Self { prefix, conditions }
    }

    /// Lists only the open tickets.
    #[must_use]
    pub fn open(self) -> Self {
        let is_open = Conditions::is_flag(ConditionField::ClosedFlag, false);
        Self {
            prefix: self.prefix,
            conditions: self.conditions.and(&is_open),
        }
    }
}

impl Client {
    /// Reads one ticket, closed or not.
    ///
    /// # Errors
    /// See [`Error`]. A deleted ticket is [`Error::NotFound`].
    pub async fn ticket(&self, id: RecordId, deadline: Instant) -> Result<Ticket, Error> {
        let path = format!("/service/tickets/{id}");
        self.read(&path, rights::TICKETS_INQUIRE, deadline).await
    }

    /// Reads all notes of a ticket, oldest first.
    pub async fn ticket_notes(
        &self,
        id: RecordId,
        deadline: Instant,
    ) -> Result<Vec<TicketNote>, Error> {
        let path = format!("/service/tickets/{id}/notes");
        self.list(&path, "", rights::TICKETS_INQUIRE, deadline)
            .await
    }

    /// Reads all notes of a ticket, also those of time entries and meetings.
    pub async fn ticket_entries(
        &self,
        id: RecordId,
        deadline: Instant,
    ) -> Result<Vec<ServiceTicketNote>, Error> {
        let path = format!("/service/tickets/{id}/allNotes");
        self.list(&path, "", rights::TICKETS_INQUIRE, deadline)
            .await
    }

    /// Reads the first thousand changes of a ticket, with who made them. Which right this needs is
    /// not documented.
    pub async fn ticket_audit_trail(
        &self,
        id: RecordId,
        deadline: Instant,
    ) -> Result<Vec<AuditTrailEntry>, Error> {
        let mut call = ApiCall::get("/system/audittrail", rights::TICKETS_INQUIRE);
        // Its entries have no id to order by.
        call.query = format!("type=Ticket&id={id}&pageSize={PAGE_SIZE}&page=1");
        call.limit = LIST_LIMIT;
        self.send(&call, deadline).await?.parse()
    }

    /// Finds all tickets that carry one of these references, closed ones included. `Ok` means
    /// complete: a search that fails half-way is an error. Without references no call is made.
    pub async fn tickets_by_external_xref(
        &self,
        references: &[&ExternalXref],
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let mut found = Vec::new();
        for some in references.chunks(REFERENCES_PER_SEARCH) {
            let conditions = Conditions::is_one_of(ConditionField::ExternalXref, some);
            let mut tickets = self.search_tickets(&conditions, deadline).await?;
            // A response that ignores the conditions must not count as a match.
            tickets.retain(|ticket| {
                let carried = folded_reference(ticket);
                let matches =
                    |reference: &&ExternalXref| carried == Some(folded(reference.as_str()));
                some.iter().any(matches)
            });
            found.append(&mut tickets);
        }
        Ok(found)
    }

    /// Finds the tickets with these numbers, as far as they exist and the API member sees them,
    /// closed ones included. Complete like [`Self::tickets_by_external_xref`]. Without numbers no
    /// call is made.
    pub async fn tickets_numbered(
        &self,
        ids: &[RecordId],
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let mut found = Vec::new();
        for some in ids.chunks(NUMBERS_PER_SEARCH) {
            let conditions = Conditions::is_any_record(ConditionField::Id, some);
            let mut tickets = self.search_tickets(&conditions, deadline).await?;
            tickets.retain(|ticket| some.contains(&ticket.id));
            found.append(&mut tickets);
        }
        Ok(found)
    }

    /// Finds all tickets whose reference begins with this prefix, closed ones included. Complete
    /// like [`Self::tickets_by_external_xref`].
    pub async fn tickets_by_external_xref_prefix(
        &self,
        prefix: &ExternalXref,
        deadline: Instant,
    ) -> Result<Vec<Ticket>, Error> {
        let conditions = Conditions::begins(ConditionField::ExternalXref, prefix);
        let mut tickets = self.search_tickets(&conditions, deadline).await?;
        tickets.retain(|ticket| begins_with(ticket, prefix));
        Ok(tickets)
    }

    /// Whether any ticket's reference begins with this prefix, closed ones included. One small
    /// call.
    pub async fn any_ticket_by_external_xref_prefix(
        &self,
        prefix: &ExternalXref,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let conditions = Conditions::begins(ConditionField::ExternalXref, prefix);
        let mut call = ApiCall::get("/service/tickets", rights::TICKETS_INQUIRE);
        call.query = format!("{}pageSize=1&page=1", conditions.parameter());
        let tickets: Vec<Ticket> = self.send(&call, deadline).await?.parse()?;
        Ok(tickets.iter().any(|ticket| begins_with(ticket, prefix)))
    }

    /// Lists a thousand tickets from a cursor on.
    ///
    /// # Errors
    /// See [`Error`]. Earlier pages stay valid, and the same cursor can be read again.
    pub async fn ticket_page(
        &self,
        filter: &TicketFilter,
        from: RecordCursor,
        deadline: Instant,
    ) -> Result<RecordPage<Ticket>, Error> {
        let list = LongList {
            path: "/service/tickets",
            right: rights::TICKETS_INQUIRE,
            conditions: Some(&filter.conditions),
            fields: FIELDS,
            size: PAGE_SIZE,
            id: |ticket: &Ticket| ticket.id,
        };
        let mut page = self.page(list, from, deadline).await?;
        page.items
            .retain(|ticket| begins_with(ticket, &filter.prefix));
        Ok(page)
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

fn begins_with(ticket: &Ticket, prefix: &ExternalXref) -> bool {
    folded_reference(ticket).is_some_and(|carried| carried.starts_with(&folded(prefix.as_str())))
}

/// A ticket's reference for comparison. A proxy or an integration may have changed its case, or
/// added white space around it.
fn folded_reference(ticket: &Ticket) -> Option<String> {
    ticket.external_xref.as_deref().map(folded)
}

fn folded(xref: &str) -> String {
    xref.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_reads_the_members_of_a_ticket() {
        let asked: Vec<&str> = FIELDS.split(',').collect();
        let members = crate::records::fields_of::<Ticket>();
        let (listed, single) = members.split_at(asked.len());
        assert_eq!(asked, listed);
        assert_eq!(single.first(), Some(&"subType"));
    }
}
