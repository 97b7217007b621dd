//! What must hold in every state.

use domain::alert::record::{Actual, ClosedBy};
use stateright::Property;

use crate::state::{Change, State, Ticket};
use crate::transition::{AlertModel, differs, next_check, retry};

/// The properties, each with its name.
pub(crate) fn all() -> Vec<Property<AlertModel>> {
    vec![
        Property::always("every step is allowed", |_, state: &State| {
            state.violation.is_none()
        }),
        Property::always("an occurrence has one ticket", |_, state: &State| {
            has_one_ticket(state)
        }),
        Property::always("no two tickets are open", |_, state: &State| {
            open_tickets(state)
                .filter(|ticket| !ticket.too_late)
                .count()
                <= 1
        }),
        Property::always("no note is written twice", |_, state: &State| {
            state.tickets.iter().all(has_no_note_twice)
        }),
        Property::always("no event is lost", |_, state: &State| {
            knows_every_event(state)
        }),
        Property::always("no write is forgotten", |_, state| forgets_no_write(state)),
        Property::always("at rest ConnectWise agrees with the source", |_, state| {
            !is_at_rest(state) || agrees(state)
        }),
    ]
}

/// A ticket that appears long after ConnectWise should have settled cannot be foreseen, and one that
/// a person deleted before it was recorded cannot be found.
fn has_one_ticket(state: &State) -> bool {
    let counts = |ticket: &&Ticket| !ticket.too_late && !ticket.deleted;
    let in_time = state.tickets.iter().filter(counts);
    let mut refs: Vec<u32> = in_time
        .map(|ticket| ticket.ticket_ref.occurrence())
        .collect();
    let all = refs.len();
    refs.sort_unstable();
    refs.dedup();
    refs.len() == all
}

fn open_tickets(state: &State) -> impl Iterator<Item = &Ticket> {
    let is_open = |ticket: &&Ticket| ticket.closed.is_none() && !ticket.deleted;
    state.tickets.iter().filter(is_open)
}

fn has_no_note_twice(ticket: &Ticket) -> bool {
    let notes = || ticket.notes.iter().filter(|note| !note.too_late);
    notes().enumerate().all(|(index, note)| {
        let same = |other: &&crate::state::Note| {
            (other.kind, other.about, other.repeats) == (note.kind, note.about, note.repeats)
        };
        !notes().skip(index + 1).any(|other| same(&other))
    })
}

/// Each event waits in the queue or is in the record.
fn knows_every_event(state: &State) -> bool {
    state.sent.iter().all(|event| {
        let waits = state.queue.iter().any(|message| {
            let of = message.request.event();
            of.is_some_and(|of| of.digest == event.digest)
        });
        let stored = state.stored.as_ref();
        waits || stored.is_some_and(|record| record.folded.contains(event.digest))
    })
}

/// While a write can take effect in time, its claim or its recheck is there.
fn forgets_no_write(state: &State) -> bool {
    let Some(record) = &state.stored else {
        return state.pending.is_empty();
    };
    let mut forgotten = state.pending.iter().filter(|pending| {
        let changes = match &pending.change {
            Change::Create(_) => true,
            Change::Note { ticket, .. } => !state.tickets[ticket - 1].deleted,
            Change::Status { ticket, is_open } => {
                let ticket = &state.tickets[ticket - 1];
                !ticket.deleted && ticket.closed.is_none() != *is_open
            }
        };
        let op = pending.change.op();
        let mut rechecks = record.rechecks.iter();
        let is_rechecked = rechecks.any(|recheck| recheck.op == op);
        !pending.too_late && changes && !is_rechecked && record.claim.is_none()
    });
    forgotten.next().is_none()
}

/// Whether nothing more happens of itself.
fn is_at_rest(state: &State) -> bool {
    let is_done = state.queue.is_empty() && state.busy().next().is_none();
    let has_due = || {
        state
            .stored
            .as_ref()
            .is_some_and(|record| next_check(record).is_some())
    };
    is_done && state.pending.is_empty() && !has_due() && !differs(state) && retry(state).is_none()
}

/// An active alert has one open ticket, unless a person ended it. A resolved one has none.
fn agrees(state: &State) -> bool {
    let Some(record) = &state.stored else {
        return state.sent.is_empty();
    };
    let is_left = record.claim.is_some() || record.blocked.is_some();
    let active = record.desired.active;
    if is_left || !record.duplicates.is_empty() || active != state.is_active() {
        return false;
    }
    let ended = match &record.actual {
        Some(Actual::Closed(closed))
            if closed.occurrence == record.occurrence && closed.by != ClosedBy::Us =>
        {
            Some(closed.ticket_id)
        }
        Some(Actual::Open(_) | Actual::Closed(_)) | None => None,
    };
    // Once a person ended a ticket, what is open is what that person left.
    if let Some(ticket) = ended {
        let ticket = &state.tickets[usize::try_from(ticket).unwrap() - 1];
        let is_by_person = ticket.touched;
        let is_older = ticket.ended.is_none_or(|at| state.began <= at);
        return is_by_person && (!active || is_older);
    }
    // A ticket that a person opened again is left alone.
    let is_reopened = |ticket: &&Ticket| ticket.touched && ticket.ended.is_none();
    let open = open_tickets(state).filter(|ticket| !is_reopened(ticket));
    open.count() == usize::from(active)
}
