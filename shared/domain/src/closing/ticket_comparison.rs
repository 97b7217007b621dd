//! Compares the recorded open tickets with ConnectWise's list of open tickets.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::RecordId;
use crate::alert::key::ItemKey;
use crate::closing::census_entry::{CensusAlert, CensusTicket};
use crate::closing::proposal::{Proposal, ProposedAction};
use crate::setup::status_action::StatusAction;
use crate::ticketing::found_ticket::FoundTicket;
use crate::time::earlier;

/// A ticket that was recorded less than this ago may not be listed yet.
const LISTED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The result for one page of ConnectWise's list of open tickets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PageComparison {
    pub proposals: Vec<Proposal>,
    /// Tickets that are recorded as open and not on the page, by id: closed, merged, deleted or
    /// invisible.
    pub missing: Vec<RecordId>,
    /// How many recorded tickets were compared.
    pub compared: usize,
}

/// The recorded open tickets of a partner, by id and by alert.
#[derive(Debug)]
pub struct RecordedTickets {
    by_number: Vec<(RecordId, CensusAlert)>,
    by_key: HashMap<ItemKey, usize>,
}

impl RecordedTickets {
    pub(super) fn new<'a>(alerts: impl Iterator<Item = &'a CensusAlert>) -> Self {
        let mut by_number: Vec<(RecordId, CensusAlert)> = alerts
            .filter_map(|alert| Some((alert.ticket?.id, *alert)))
            .collect();
        by_number.sort_unstable_by_key(|(id, _)| *id);
        let by_key = by_number.iter().zip(0..);
        let by_key = by_key.map(|((_, alert), n)| (alert.key, n)).collect();
        Self { by_number, by_key }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// The recorded boards of all tickets.
    #[must_use]
    pub fn all_boards(&self) -> BTreeSet<RecordId> {
        let tickets = self.by_number.iter().filter_map(|(_, alert)| alert.ticket);
        tickets.filter_map(|ticket| ticket.board).collect()
    }

    /// Compares one page of ConnectWise's list of open tickets with the records. The page starts
    /// after one id and ends with another; `None` means the end of the list. The records were read
    /// before the page, at `began`, so a ticket that was recorded since is not missing.
    #[must_use]
    pub fn compare(
        &self,
        behind: RecordId,
        to: Option<RecordId>,
        listed: &[FoundTicket],
        began: Timestamp,
    ) -> PageComparison {
        let from = self.by_number.partition_point(|(id, _)| *id <= behind);
        let end = to.map_or(self.by_number.len(), |to| {
            self.by_number.partition_point(|(id, _)| *id <= to)
        });
        let recorded = self.by_number.get(from..end).unwrap_or_default();
        let listed_by_id: HashMap<RecordId, &FoundTicket> = listed
            .iter()
            .map(|found| (found.ticket_id, found))
            .collect();
        let mut comparison = PageComparison {
            compared: recorded.len(),
            ..PageComparison::default()
        };
        let young = earlier(began, LISTED_AFTER);
        for (id, alert) in recorded {
            let Some(ticket) = &alert.ticket else {
                continue;
            };
            match listed_by_id.get(id) {
                Some(found) if differs(ticket, alert.key, found) => {
                    let (key, action) = (alert.key, ProposedAction::Look(*id));
                    comparison.proposals.push(Proposal { key, action });
                }
                Some(_) => {}
                None if ticket.opened_at > young => {}
                None => comparison.missing.push(*id),
            }
        }
        for found in listed {
            let ticket_ref = found.ticket_ref.as_ref();
            let known = ticket_ref
                .and_then(|ticket_ref| self.of_alert(ItemKey::parse(ticket_ref.item_key())?));
            let Some((ticket_ref, alert, ticket)) =
                ticket_ref.and_then(|ticket_ref| Some((ticket_ref, known?, known?.ticket?)))
            else {
                continue;
            };
            // A ticket of another occurrence was reopened by a technician after its close. One that
            // was moved or merged is left alone too; otherwise it would be proposed each time.
            let is_here = found.ended(ticket_ref, ticket.company).is_none();
            let is_same_life = ticket.occurrence == ticket_ref.occurrence();
            if ticket.id != found.ticket_id && is_same_life && is_here {
                let (key, action) = (alert.key, ProposedAction::LookForDuplicates(ticket.id));
                comparison.proposals.push(Proposal { key, action });
            }
        }
        comparison
    }

    /// Which of the tickets that were missing in the list are to be looked at, after ConnectWise
    /// was asked for them by id, closed or not. If ConnectWise does not show a ticket at all, it
    /// was deleted if its board is visible. Otherwise a security role hides it, and nothing is
    /// known.
    #[must_use]
    pub fn explain_missing(
        &self,
        missing: &[RecordId],
        shown: &BTreeSet<RecordId>,
        boards_seen: &BTreeSet<RecordId>,
    ) -> Vec<Proposal> {
        let tickets = missing.iter().filter_map(|id| self.with_id(*id));
        let known = tickets.filter(|(_, ticket)| {
            let is_seen = ticket
                .board
                .is_none_or(|board| boards_seen.contains(&board));
            is_seen || shown.contains(&ticket.id)
        });
        let look = known.map(|(alert, ticket)| Proposal {
            key: alert.key,
            action: ProposedAction::Look(ticket.id),
        });
        look.collect()
    }

    /// The recorded boards of these tickets.
    #[must_use]
    pub fn boards(&self, missing: &[RecordId]) -> BTreeSet<RecordId> {
        let tickets = missing.iter().filter_map(|id| self.with_id(*id));
        tickets.filter_map(|(_, ticket)| ticket.board).collect()
    }

    fn with_id(&self, id: RecordId) -> Option<(&CensusAlert, &CensusTicket)> {
        let at = self.by_number.binary_search_by_key(&id, |(id, _)| *id);
        let (_, alert) = self.by_number.get(at.ok()?)?;
        Some((alert, alert.ticket.as_ref()?))
    }

    fn of_alert(&self, key: ItemKey) -> Option<&CensusAlert> {
        let at = self.by_key.get(&key)?;
        self.by_number.get(*at).map(|(_, alert)| alert)
    }
}

/// Whether an open ticket differs from its record. A moved ticket counts too, so that its board and
/// the action of its status are recorded.
fn differs(ticket: &CensusTicket, key: ItemKey, found: &FoundTicket) -> bool {
    let ticket_ref = found.ticket_ref.as_ref();
    let carries = ticket_ref.is_some_and(|ticket_ref| {
        ItemKey::parse(ticket_ref.item_key()) == Some(key)
            && ticket_ref.occurrence() == ticket.occurrence
    });
    !carries
        || found.closed
        || found.merged
        || found.company_id != Some(ticket.company)
        || found.board_id != ticket.board
        || found.action.map(StatusAction::kind) != ticket.action
}
