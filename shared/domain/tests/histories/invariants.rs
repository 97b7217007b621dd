//! What must hold after every step of a history, and at its end.

use std::collections::BTreeSet;

use domain::alert::event::{AlertChange, Event};
use domain::alert::record::{Actual, ClosedBy, NoteKind, Op as Write, OpenTicket, Record};
use domain::outgoing::events::OutgoingEventKind;
use domain::ticketing::alert_request::AlertRequest;

use crate::model::{Effect, Model, PendingEffect, Ticket};

impl Model {
    pub(crate) fn invariants(&self) -> Result<(), String> {
        hold!(
            self.violation.is_none(),
            "{:?}: {:?}",
            self.violation,
            self.stored
        );
        // A very late one cannot be foreseen. It is found and closed later.
        let tickets: Vec<_> = self
            .tickets
            .iter()
            .filter(|ticket| !ticket.too_late && !ticket.deleted)
            .collect();
        // Tickets of another ConnectWise are out of reach.
        let open = tickets
            .iter()
            .filter(|ticket| ticket.open && ticket.is_ours() && ticket.site == self.site);
        let open: Vec<_> = open.collect();
        hold!(open.len() <= 1, "two open tickets: {open:?}");
        for (number, ticket) in tickets.iter().enumerate() {
            let rest = &tickets[number + 1..];
            let again = rest
                .iter()
                .any(|other| other.ticket_ref == ticket.ticket_ref && other.site == ticket.site);
            hold!(
                !again,
                "two tickets for one occurrence: {}",
                ticket.ticket_ref
            );
            let in_time = ticket.notes.iter().filter(|note| !note.is_late);
            let mut texts: Vec<_> = in_time
                .map(|note| (note.epoch, note.op, &note.says))
                .collect();
            let all = texts.len();
            texts.sort_unstable();
            texts.dedup();
            hold!(
                texts.len() == all || self.is_set_back,
                "a note twice: {:?}",
                ticket.notes
            );
        }
        let blocked = self
            .stored
            .iter()
            .filter_map(|record| record.blocked.as_ref());
        let mut refusals = blocked.filter_map(|blocked| blocked.refusal.as_ref());
        let is_link = refusals.any(|refusal| refusal.op == Some(Write::Link));
        hold!(!is_link, "a link blocks its alert: {:?}", self.stored);
        // Without a claim no write is under way: each write of unknown outcome was settled first.
        let is_claimed = self
            .stored
            .as_ref()
            .is_some_and(|record| record.claim.is_some());
        // Some writes are searched for again.
        let is_looked_for = |pending: &&PendingEffect| {
            let rechecks = self.stored.iter().flat_map(|record| record.rechecks.iter());
            let mut ops = rechecks.map(|recheck| recheck.op);
            ops.any(|op| match pending.effect {
                Effect::Ticket(_) => op == Write::Create,
                Effect::Status { open: true, .. } => op == Write::Reopen,
                Effect::Status { open: false, .. } => op == Write::Close,
                Effect::Note { .. } | Effect::Severity { .. } | Effect::Link => false,
            })
        };
        let changes = |pending: &&PendingEffect| match pending.effect {
            Effect::Ticket(_) => true,
            // A second link is no duplicate, and a late one changes nothing.
            Effect::Link => false,
            Effect::Note { ticket, .. } => !self.ticket(ticket).deleted,
            // A person may have done the same in the meanwhile.
            Effect::Status { ticket, open } => self.ticket(ticket).open != open,
            Effect::Severity { ticket, severity } => {
                let ticket = self.ticket(ticket);
                !ticket.deleted && ticket.severity != severity
            }
        };
        let mut in_time = self.pending.iter().filter(changes);
        let in_time = in_time.find(|pending| !pending.is_late && !is_looked_for(pending));
        hold!(
            is_claimed || in_time.is_none(),
            "a write is forgotten before it could take effect: {in_time:?} {:?}",
            self.stored
        );
        Ok(())
    }

    /// If no message waits, the record has the outcome of the events: a ticket, an end, or a block.
    pub(crate) fn check_outcome(&self) -> Result<(), String> {
        let waits = |message: &AlertRequest| matches!(message, AlertRequest::Event(_));
        if self.queue.iter().any(waits) || self.is_set_back {
            return Ok(());
        }
        let Some(record) = &self.stored else {
            hold!(
                self.sent.is_empty(),
                "events are lost, and the record does not know them"
            );
            return Ok(());
        };
        let active = record.desired.active;
        self.check_desired_state(record)?;
        let accounted = match (&record.actual, active) {
            _ if record.blocked.is_some() => true,
            (Some(Actual::Open(_)), true) | (Some(Actual::Closed(_)) | None, false) => true,
            (Some(Actual::Closed(closed)), true) => {
                closed.occurrence == record.occurrence && closed.by != ClosedBy::Us
            }
            (Some(Actual::Open(open)), false) => self.stays_open(open.ticket_id),
            (None, true) => false,
        };
        hold!(
            accounted,
            "no message waits, and it is not done: {record:?}"
        );
        Ok(())
    }

    /// The source's last event is the desired state, unless something newer shows that the alert is
    /// resolved.
    fn check_desired_state(&self, record: &Record) -> Result<(), String> {
        let desired = &record.desired;
        // An update that overtook its raise is ignored.
        let counts = |event: &&Event| !matches!(event.change, AlertChange::Updated(_));
        let newest = self.sent.iter().filter(counts).map(Event::order).max();
        let shown = desired.resolution.is_some() && (desired.last >= newest || self.is_set_back);
        hold!(
            desired.active == self.active || !desired.active && shown,
            "the last event does not decide the desired state: {record:?}"
        );
        hold!(
            !desired.active || desired.resolution.is_none(),
            "the alert is active and resolved at once: {record:?}"
        );
        Ok(())
    }

    /// Every write that is recorded as done is visible on the ticket, and the recorded person or
    /// program closed it.
    fn check_recorded_writes(&self, record: &Record) -> Result<(), String> {
        let (Some(actual), false) = (&record.actual, self.is_set_back) else {
            return Ok(());
        };
        let has = |ticket: &Ticket, op: Write, says: &str| {
            let mut notes = ticket.notes.iter();
            notes.any(|note| note.op == op && note.says.contains(says))
        };
        match actual {
            Actual::Open(open) => {
                let ticket = self.ticket(open.ticket_id);
                let details = record.desired.details.as_ref();
                let raised_at = details.map(|details| details.raise_received_at);
                let says = match self.is_overtaken {
                    true => format!("{} since ", open.noted_repeats),
                    false => format!("{} since {raised_at:?}", open.noted_repeats),
                };
                // The notes on a ticket that a search found may report earlier repeats, and a
                // reopened ticket says so.
                let is_unreported = open.noted_repeats == 0
                    || ticket.reopened > 0
                    || ticket.repeats.contains(&says)
                    || has(ticket, Write::Note(NoteKind::Repeats), &says)
                    || self.is_repointed;
                hold!(
                    is_unreported,
                    "repeats are recorded as noted and are not: {ticket:?}"
                );
                let is_noted = has(ticket, Write::Note(NoteKind::Resolved), "")
                    || has(ticket, Write::Note(NoteKind::Closing), "");
                hold!(
                    !open.noted_resolved || is_noted,
                    "the resolution is recorded as noted and is not: {ticket:?}"
                );
            }
            Actual::Closed(closed) => {
                let ticket = self.ticket(closed.ticket_id);
                // A close of unknown outcome is forgotten if the connection is changed meanwhile.
                let may_be_touched = ticket.touched || self.is_repointed;
                hold!(
                    closed.by != ClosedBy::Technician || may_be_touched,
                    "recorded as closed by a technician: {ticket:?}"
                );
                hold!(
                    closed.by != ClosedBy::Us || has(ticket, Write::Note(NoteKind::Closing), ""),
                    "closed without a note: {ticket:?}"
                );
            }
        }
        Ok(())
    }

    /// Each ticket that the record had counts once as created, and each end of a ticket once.
    fn check_figures(&self, record: &Record) -> Result<(), String> {
        let sum = record.figures.total();
        let tickets = u32::try_from(self.tickets.len()).unwrap();
        let reopened: usize = self.tickets.iter().map(|ticket| ticket.reopened).sum();
        hold!(
            sum.created <= tickets,
            "{} tickets counted, {tickets} there: {record:?}",
            sum.created
        );
        hold!(
            sum.closed + sum.closed_by_person <= sum.created + sum.reopened,
            "more ends than tickets: {record:?}"
        );
        hold!(
            sum.reopened as usize <= reopened,
            "{} reopened counted, {reopened} there: {record:?}",
            sum.reopened
        );
        let has_ticket = record.actual.is_some() && record.summary.is_some();
        let is_forgotten = self.now > 80 * 24 * 3600;
        hold!(
            !has_ticket || is_forgotten || sum.created > 0,
            "a ticket is not counted: {record:?}"
        );
        Ok(())
    }

    /// The outgoing events have no gap, and say each ticket's life in order.
    fn check_outgoing(&self, record: &Record) -> Result<(), String> {
        let Some(outgoing) = &record.outgoing else {
            return Ok(());
        };
        let events = outgoing.after(0);
        let first = events.first().map_or(1, |event| event.sequence);
        hold!(
            events
                .iter()
                .map(|event| event.sequence)
                .eq(first..=outgoing.last_sequence())
                || events.is_empty(),
            "a gap: {outgoing:?}"
        );
        let mut created = BTreeSet::new();
        // Whether the newest ticket is open. It is not known where older events were dropped.
        let mut is_open = (first == 1).then_some(false);
        for event in events {
            match &event.what {
                OutgoingEventKind::TicketCreated(ticket) => {
                    let is_new = created.insert(ticket.number);
                    hold!(
                        is_new && is_open != Some(true),
                        "created twice: {outgoing:?}"
                    );
                    is_open = Some(true);
                }
                OutgoingEventKind::TicketReopened(_) => {
                    hold!(is_open != Some(true), "reopened while open: {outgoing:?}");
                    is_open = Some(true);
                }
                OutgoingEventKind::TicketNoted(_) => {
                    hold!(is_open != Some(false), "noted while closed: {outgoing:?}");
                }
                OutgoingEventKind::TicketClosed { .. } => {
                    hold!(is_open != Some(false), "closed twice: {outgoing:?}");
                    is_open = Some(false);
                }
                OutgoingEventKind::TicketAction { .. }
                | OutgoingEventKind::AlertBlocked { .. }
                | OutgoingEventKind::AlertReleased => {}
            }
        }
        hold!(
            created.len() <= self.tickets.len(),
            "more tickets reported than there are: {outgoing:?}"
        );
        if let (Some(is_open), Some(actual)) = (is_open, &record.actual) {
            let has_open = matches!(actual, Actual::Open(_));
            hold!(
                events.is_empty() || is_open == has_open,
                "the events end otherwise than the record: {record:?}"
            );
        }
        Ok(())
    }

    pub(crate) fn check_agreement(&self) -> Result<(), String> {
        let Some(record) = &self.stored else {
            hold!(
                self.sent.is_empty(),
                "events are lost, and the record does not know them"
            );
            return Ok(());
        };
        hold!(
            record.claim.is_none() || record.blocked.is_some(),
            "a claim is left: {record:?}"
        );
        hold!(
            record.blocked.is_none(),
            "blocked without a reason: {record:?}"
        );
        self.check_recorded_writes(record)?;
        self.check_figures(record)?;
        self.check_outgoing(record)?;
        let left = record.pending_rechecks().count() + record.duplicates.len();
        hold!(left == 0, "something is left to do: {record:?}");
        let here = |ticket: &&Ticket| ticket.open && ticket.is_ours() && ticket.site == self.site;
        let open = self.tickets.iter().filter(here).count();
        self.check_desired_state(record)?;
        let ended_by_person = matches!(
            &record.actual,
            Some(Actual::Closed(closed)) if closed.occurrence == record.occurrence && closed.by != ClosedBy::Us
        );
        if let Some(Actual::Closed(closed)) = record.actual.as_ref().filter(|_| ended_by_person) {
            // If ConnectWise's clock is hours ahead, a close looks later than it was.
            let is_true = self.clock_off <= 0;
            let ended_at = self.ticket(closed.ticket_id).ended_at.filter(|_| is_true);
            // An alert that expired before a person's change was seen needs no ticket.
            let is_active = self.active && record.desired.active;
            hold!(
                !is_active || self.is_set_back || ended_at.is_none_or(|at| self.began <= at),
                "it was raised again after a person ended its ticket, and has none: {record:?}"
            );
        }
        let active = record.desired.active;
        let is_known = record.desired.details.is_some();
        hold!(
            !active || self.is_there() || ended_by_person || !is_known,
            "the alert is resolved and still active: {record:?}"
        );
        let kept = record
            .open()
            .is_some_and(|open| self.stays_open(open.ticket_id));
        // Such a ticket is not counted above.
        let is_left_open = |open: &OpenTicket| self.ticket(open.ticket_id).left_open;
        let is_left_open = record.open().is_some_and(is_left_open);
        let desired = (active && !ended_by_person || kept) && !is_left_open;
        let desired = usize::from(desired);
        // A restored table may not know the ticket of a later occurrence until all tickets are
        // imported.
        hold!(
            open == desired || open <= 1 && self.is_set_back,
            "{open} open tickets, {desired} desired: {record:?}"
        );
        Ok(())
    }
}
