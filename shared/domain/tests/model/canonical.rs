//! The hash by which states coincide: times count from now, claims are named in the order in which
//! they appear, and the number of writes of a record counts only where a worker compares it.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::alert::blocked::BlockedSince;
use domain::alert::event::EventOrder;
use domain::alert::record::{
    Actual, AlertDetails, Claim, ClosedTicket, Desired, Duplicate, OpenTicket, Recheck, Record,
};
use domain::ticketing::alert_request::AlertRequest;
use domain::{ClaimId, alert::command::CommandAction};
use jiff::Timestamp;

use crate::state::{
    Change, Claimed, NextCall, Note, PendingWrite, State, Then, Ticket, Worker, seconds,
};

impl Hash for State {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let mut canonical = Canonical {
            to,
            state: self,
            claims: vec![],
        };
        canonical.state();
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        hash(self) == hash(other)
    }
}

fn hash(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

struct Canonical<'a, H> {
    to: &'a mut H,
    state: &'a State,
    claims: Vec<&'a ClaimId>,
}

impl<'a, H: Hasher> Canonical<'a, H> {
    fn add(&mut self, value: impl Hash) {
        value.hash(self.to);
    }

    fn time(&mut self, at: Timestamp) {
        self.add(seconds(at) - self.state.now);
    }

    fn times(&mut self, at: impl IntoIterator<Item = Timestamp>) {
        for at in at {
            self.time(at);
        }
        self.add(u8::MAX);
    }

    fn claim_id(&mut self, id: &'a ClaimId) {
        let place = self.claims.iter().position(|known| *known == id);
        let place = place.unwrap_or_else(|| {
            self.claims.push(id);
            self.claims.len() - 1
        });
        self.add(place);
    }

    fn state(&mut self) {
        let state = self.state;
        let State {
            now,
            sent,
            began,
            queue,
            stored,
            workers,
            tickets,
            pending,
            left,
            claims: _,
            violation,
        } = state;
        self.add((sent.len(), began - now, left, violation));
        for event in sent {
            self.time(event.receipt.at);
        }
        self.add(stored.is_some());
        if let Some(stored) = stored {
            self.record(stored);
        }
        for ticket in tickets {
            self.ticket(ticket);
        }
        for write in pending {
            self.pending(write);
        }
        for message in queue {
            self.request(&message.request);
        }
        // Workers keep their order: `settled` puts them in one.
        for worker in workers {
            self.add(worker.is_some());
            if let Some(worker) = worker {
                self.worker(worker);
            }
        }
    }

    fn ticket(&mut self, ticket: &'a Ticket) {
        let Ticket {
            ticket_ref,
            raised_at,
            entered,
            closed,
            deleted,
            touched,
            ended,
            too_late,
            notes,
        } = ticket;
        let now = self.state.now;
        self.time(*raised_at);
        self.add((ticket_ref.occurrence(), entered - now, deleted, touched));
        self.add((
            closed.map(|at| at - now),
            ended.map(|at| at - now),
            too_late,
            notes.len(),
        ));
        for note in notes {
            self.note(note);
        }
    }

    fn note(&mut self, note: &'a Note) {
        let Note {
            claim,
            kind,
            about,
            repeats,
            too_late,
        } = note;
        self.claim_id(claim);
        self.times(*about);
        self.add((kind, repeats, too_late));
    }

    fn pending(&mut self, write: &'a PendingWrite) {
        let PendingWrite {
            change,
            from,
            to,
            too_late,
        } = write;
        let now = self.state.now;
        // Whether it may take effect now is all that the beginning says.
        self.add(((from - now).max(0), to - now, too_late, change.op()));
        match change {
            Change::Create(ticket) => self.ticket(ticket),
            Change::Note { ticket, note } => {
                self.add(ticket);
                self.note(note);
            }
            Change::Status { ticket, is_open } => self.add((ticket, is_open)),
        }
    }

    fn request(&mut self, request: &'a AlertRequest) {
        match request {
            AlertRequest::Event(event) => self.add((1, event.digest)),
            AlertRequest::Reconsider => self.add(2),
            AlertRequest::Release => self.add(3),
            AlertRequest::Answer(answer) => self.time(answer.asked_at),
            AlertRequest::Command(command) => {
                self.add((4, command.occurrence, command.ticket_id));
                match &command.action {
                    CommandAction::Look => self.add(1),
                    CommandAction::LookForDuplicates => self.add(2),
                    CommandAction::OpenAgain => self.add(3),
                    CommandAction::Retry { refused_at } => self.time(*refused_at),
                    CommandAction::Resolve { last, .. } => self.order(last),
                }
            }
        }
    }

    fn worker(&mut self, worker: &'a Worker) {
        let Worker {
            message,
            request,
            ends,
            steps,
            next,
        } = worker;
        self.request(message);
        self.request(request);
        self.add((ends - self.state.now, steps));
        match next {
            NextCall::Read => self.add(1),
            NextCall::LookUp { stored, step } => {
                self.add(2);
                self.local(stored);
                // The step follows from the record, the request and the time at which it was read.
                self.add(std::mem::discriminant(&**step));
            }
            NextCall::Save { record, then } => {
                self.add(3);
                self.local(record);
                self.then(then);
            }
            NextCall::ReadTicket(claimed) => {
                self.add(4);
                self.claimed(claimed);
            }
            NextCall::Write(claimed) => {
                self.add(5);
                self.claimed(claimed);
            }
            NextCall::Record {
                known,
                claimed,
                outcome,
                then,
            } => {
                self.add(6);
                self.local(known);
                self.claimed(claimed);
                self.add(std::mem::discriminant(&**outcome));
                if let domain::ticketing::claimed_write::ClaimedOutcome::Effect(effect) = &**outcome
                {
                    self.add(std::mem::discriminant(effect));
                }
                self.then(then);
            }
        }
    }

    fn then(&mut self, then: &'a Then) {
        self.add(std::mem::discriminant(then));
        if let Then::Write(claimed) = then {
            self.claimed(claimed);
        }
    }

    fn claimed(&mut self, claimed: &'a Claimed) {
        self.local(&claimed.record);
        self.claim(&claimed.claim);
        self.add(claimed.text.is_some());
    }

    /// A worker's copy of the record. It is saved only if the stored one has the same `rev`.
    fn local(&mut self, record: &'a Record) {
        let rev = self.state.stored.as_ref().map_or(0, |stored| stored.rev);
        self.add(rev == record.rev);
        self.record(record);
    }

    fn record(&mut self, record: &'a Record) {
        let Record {
            key: _,
            rev: _,
            occurrence,
            desired,
            actual,
            claim,
            blocked,
            rechecks,
            duplicates,
            payload,
            folded: _,
            raises: _,
            summary: _,
            trail: _,
            figures: _,
            outgoing: _,
        } = record;
        self.add((occurrence, payload.is_some()));
        self.desired(desired);
        for event in &self.state.sent {
            self.add(record.folded.contains(event.digest));
        }
        match actual {
            None => self.add(0),
            Some(Actual::Open(open)) => self.open(open),
            Some(Actual::Closed(closed)) => self.closed(closed),
        }
        self.add(claim.is_some());
        if let Some(claim) = claim {
            self.claim(claim);
        }
        self.blocked(blocked.as_ref());
        self.add((rechecks.len(), duplicates.len()));
        for recheck in rechecks.iter() {
            let Recheck {
                op,
                ticket_ref,
                board_id: _,
                company_id: _,
                epoch: _,
                at,
                last,
            } = recheck;
            self.time(*at);
            self.add((op, ticket_ref.occurrence(), last));
        }
        for duplicate in duplicates {
            let Duplicate {
                ticket_id,
                ticket_ref,
                company_id: _,
                epoch: _,
                noted,
                noted_on_kept,
            } = duplicate;
            self.add((ticket_id, ticket_ref.occurrence(), noted, noted_on_kept));
        }
    }

    fn desired(&mut self, desired: &'a Desired) {
        let Desired {
            last,
            last_received_at,
            active,
            details,
            resolution: _,
        } = desired;
        self.add((active, last.is_some(), details.is_some()));
        self.times(*last_received_at);
        if let Some(last) = last {
            self.order(last);
        }
        if let Some(details) = details {
            let AlertDetails {
                kind: _,
                category: _,
                severity,
                raised_at,
                raise_received_at,
                previous_event_at,
                repeats,
                expires_at: _,
            } = details;
            self.time(*raised_at);
            self.time(*raise_received_at);
            self.times(*previous_event_at);
            self.add((severity, repeats));
        }
    }

    fn order(&mut self, order: &'a EventOrder) {
        self.time(order.occurred_at);
        self.time(order.receipt.at);
        self.add((order.rank, order.digest));
    }

    fn open(&mut self, open: &'a OpenTicket) {
        let OpenTicket {
            ticket_id,
            // The events of the model have one title.
            title_note_at: _,
            board_id: _,
            company_id: _,
            epoch: _,
            opened_at,
            severity,
            kind: _,
            last_note_at,
            noted_repeats,
            noted_resolved,
            owes_reopened_note,
            ticket_ref,
            made: _,
            manual_change: _,
            // No status of the model asks for an action.
            action: _,
            // No ticket of the model is linked to a configuration.
            link_at: _,
        } = open;
        self.time(*opened_at);
        self.times(*last_note_at);
        self.add((1, ticket_id, severity, noted_repeats, noted_resolved));
        let carried = ticket_ref.as_ref();
        self.add((
            owes_reopened_note,
            carried.map(domain::TicketRef::occurrence),
        ));
    }

    fn closed(&mut self, closed: &'a ClosedTicket) {
        let ClosedTicket {
            ticket_id,
            occurrence,
            epoch: _,
            at,
            ended_at,
            by,
            company_id: _,
            ticket_ref,
            action: _,
        } = closed;
        self.time(*at);
        self.time(*ended_at);
        let carried = ticket_ref.as_ref();
        let carried = carried.map(domain::TicketRef::occurrence);
        self.add((2, ticket_id, occurrence, by, carried));
    }

    fn claim(&mut self, claim: &'a Claim) {
        let Claim {
            id,
            op,
            reason: _,
            ticket_ref,
            ticket_id,
            board_id: _,
            company_id: _,
            epoch: _,
            severity,
            kind: _,
            began_at,
            raise_received_at,
            repeats,
            links_configuration: _,
            until,
            uncertain_at,
            visits,
            visited_at,
            empty_visits,
            suspected_refusal,
        } = claim;
        self.claim_id(id);
        self.add((op, ticket_ref.occurrence(), ticket_id, severity, repeats));
        self.times([*began_at, *until]);
        self.times(*raise_received_at);
        self.times(*uncertain_at);
        self.times(*visited_at);
        self.add((visits, empty_visits));
        self.blocked(suspected_refusal.as_ref());
    }

    fn blocked(&mut self, blocked: Option<&'a BlockedSince>) {
        self.add(blocked.is_some());
        if let Some(blocked) = blocked {
            self.time(blocked.since);
            self.add((blocked.reason.to_string(), blocked.is_refusal()));
        }
    }
}
