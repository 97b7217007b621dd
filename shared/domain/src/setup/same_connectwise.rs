//! Whether another address leads to the ConnectWise that a partner has already connected, because
//! the server moved or has a second name. A different ConnectWise must not pass: its boards,
//! companies and tickets have other meanings under the same ids.

use std::collections::BTreeMap;

use crate::ticketing::found_ticket::FoundTicket;
use crate::{RecordId, TicketRef};

/// One call to ConnectWise reads at most this many companies.
const COMPANIES: usize = 100;

/// A copy of the server, as for tests, lacks the tickets that are newer than the copy.
const NEWEST_TICKETS: usize = 10;

/// What is known of the connected ConnectWise.
#[derive(Debug, Clone, Default)]
pub struct KnownConnectWise {
    /// Mapped companies, with their names at the time of the mapping.
    companies: BTreeMap<RecordId, String>,
    tickets: BTreeMap<RecordId, TicketRef>,
}

impl KnownConnectWise {
    /// Adds a mapped company. The hundred with the lowest ids are kept.
    pub fn add_company(&mut self, id: RecordId, name: String) {
        self.companies.insert(id, name);
        if self.companies.len() > COMPANIES {
            self.companies.pop_last();
        }
    }

    /// Adds an open ticket. The ten with the highest ids are kept.
    pub fn add_ticket(&mut self, id: RecordId, ticket_ref: TicketRef) {
        self.tickets.insert(id, ticket_ref);
        if self.tickets.len() > NEWEST_TICKETS {
            self.tickets.pop_first();
        }
    }

    pub fn company_ids(&self) -> Vec<RecordId> {
        self.companies.keys().copied().collect()
    }

    pub fn ticket_ids(&self) -> Vec<RecordId> {
        self.tickets.keys().copied().collect()
    }

    /// Whether a comparison is possible. It needs a company and a ticket.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        !self.companies.is_empty() && !self.tickets.is_empty()
    }

    /// Whether the companies and tickets that were read at the other address are the known ones:
    /// nine of ten companies by id and name, since some are renamed or deleted, and every ticket by
    /// id and reference.
    #[must_use]
    pub fn is_same(&self, companies: &[(RecordId, &str)], tickets: &[FoundTicket]) -> bool {
        let is_read =
            |(id, name): &(&RecordId, &String)| companies.contains(&(**id, name.as_str()));
        let same_companies = self.companies.iter().filter(is_read).count();
        let has_ticket = |(id, ticket_ref): (&RecordId, &TicketRef)| {
            let mut read = tickets.iter();
            read.any(|read| read.ticket_id == *id && read.ticket_ref.as_ref() == Some(ticket_ref))
        };
        self.is_comparable()
            && same_companies * 10 >= self.companies.len() * 9
            && self.tickets.iter().all(has_ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::key;

    fn ticket_ref(occurrence: u32) -> TicketRef {
        TicketRef::new(&key(), occurrence)
    }

    fn found(ticket_id: RecordId, occurrence: u32) -> FoundTicket {
        FoundTicket {
            ticket_id,
            ticket_ref: Some(ticket_ref(occurrence)),
            board_id: None,
            company_id: None,
            entered_at: None,
            raised_at: None,
            closed: false,
            closed_at: None,
            merged: false,
            touched: false,
            action: None,
        }
    }

    fn known() -> KnownConnectWise {
        let mut known = KnownConnectWise::default();
        (1..=10).for_each(|id| known.add_company(id, format!("company {id}")));
        known.add_ticket(77, ticket_ref(1));
        known
    }

    fn is_same(companies: std::ops::RangeInclusive<u64>, tickets: &[FoundTicket]) -> bool {
        let names: Vec<_> = companies.map(|id| (id, format!("company {id}"))).collect();
        let named: Vec<_> = names
            .iter()
            .map(|(id, name)| (*id, name.as_str()))
            .collect();
        known().is_same(&named, tickets)
    }

    #[test]
    fn nine_of_ten_companies_and_all_tickets_must_match() {
        let ticket = [found(77, 1)];
        assert!(is_same(1..=10, &ticket));
        assert!(is_same(1..=9, &ticket), "one was deleted");
        assert!(!is_same(1..=8, &ticket));
        let renamed: Vec<_> = (1..=10).map(|id| (id, "another name")).collect();
        assert!(!known().is_same(&renamed, &ticket));
        assert!(!is_same(1..=10, &[]), "a copy lacks the newest");
        assert!(!is_same(1..=10, &[found(78, 1)]), "another number");
        assert!(!is_same(1..=10, &[found(77, 2)]), "another reference");
    }

    #[test]
    fn a_comparison_needs_companies_and_tickets() {
        let mut known = KnownConnectWise::default();
        assert!(!known.is_same(&[], &[]));
        known.add_ticket(77, ticket_ref(1));
        assert!(!known.is_comparable() && !known.is_same(&[], &[found(77, 1)]));
    }

    #[test]
    fn the_newest_ten_tickets_count_in_any_order() {
        let mut known = KnownConnectWise::default();
        (1..=30)
            .rev()
            .for_each(|id| known.add_ticket(id, ticket_ref(1)));
        (31..=40).for_each(|id| known.add_ticket(id, ticket_ref(1)));
        assert_eq!(known.ticket_ids(), (31..=40).collect::<Vec<_>>());
    }
}
