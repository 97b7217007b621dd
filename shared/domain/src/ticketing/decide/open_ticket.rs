//! What a ticket needs that is open: notes, another priority or type, a link to its device, and its
//! end.

use jiff::{SignedDuration, Timestamp};

use crate::Blocked;
use crate::alert::record::{AlertDetails, OpenTicket, Record};
use crate::connection::view::{ConnectionView, LiveConnection};
use crate::setup::rights;
use crate::setup::settings::{OnResolve, Settings};
use crate::ticketing::decide::call_check::{check_call, may_note};
use crate::ticketing::decision::{Decision, Idle};
use crate::ticketing::ticket_write::{NoteContent, TicketWrite};
use crate::time::later;

/// The connection, if it points at the ticket's ConnectWise. If it does not, the connection that
/// was read is older than the record, since `Record::in_epoch` leaves no open ticket in another
/// ConnectWise. Then both are read again.
fn connection_of<'a>(
    open: &OpenTicket,
    view: &'a ConnectionView,
    now: Timestamp,
) -> Result<&'a LiveConnection, Decision> {
    let not_set_up = Decision::Block(Blocked::NotSetUp);
    let connection = view.connection.as_ref().ok_or(not_set_up)?;
    match connection.epoch == open.epoch {
        true => Ok(connection),
        false => Err(Decision::Wait { until: now }),
    }
}

pub(super) fn update_ticket(
    record: &Record,
    open: &OpenTicket,
    details: &AlertDetails,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let settings = match connection_of(open, view, now) {
        Ok(connection) => &connection.settings,
        Err(decision) => return decision,
    };
    let ticket_id = open.ticket_id;
    if open.owes_reopened_note {
        let note = NoteContent::Reopened;
        return Decision::Write(TicketWrite::Note { ticket_id, note });
    }
    if let Some(note) = pending_answer(open, view) {
        return Decision::Write(TicketWrite::Note { ticket_id, note });
    }
    let severity = details.severity;
    // A higher priority is always set, so that technicians see that the alert became worse.
    let is_lower = severity < open.severity;
    let may_lower = settings.lowers_priority && open.manual_change.is_none();
    let changed_priority = settings
        .priorities
        .get(&severity)
        .filter(|_| severity > open.severity || (is_lower && may_lower));
    if let Some(&priority) = changed_priority {
        return Decision::Write(TicketWrite::Patch {
            ticket_id,
            severity,
            priority,
            only_untouched: is_lower,
        });
    }
    let written = match unreported_repeats(record, open, details, settings, now) {
        Ok(note) => Ok(TicketWrite::Note { ticket_id, note }),
        Err(idle) => changed_type(open, details, settings)
            .or_else(|| due_link(record, open, view, now))
            .ok_or(idle),
    };
    written.map_or_else(Decision::Nothing, Decision::Write)
}

/// The note with the source's answer to an action, if notes may be written.
fn pending_answer(open: &OpenTicket, view: &ConnectionView) -> Option<NoteContent> {
    let text = open.action.as_ref()?.pending_answer()?.to_owned();
    may_note(view).then_some(NoteContent::Answer { text })
}

/// The note about repeats, if one is due.
pub(super) fn unreported_repeats(
    record: &Record,
    open: &OpenTicket,
    details: &AlertDetails,
    settings: &Settings,
    now: Timestamp,
) -> Result<NoteContent, Idle> {
    let unreported = details.repeats.saturating_sub(open.noted_repeats);
    if unreported == 0 {
        return Err(Idle::UpToDate);
    }
    let minutes = match record.key.source.is_for_storms() {
        // Each repeat lists more alerts. Reconcile sends the next one after this one was noted.
        true => 0,
        false => settings.note_interval_minutes,
    };
    let interval = SignedDuration::from_mins(i64::from(minutes));
    // The first repeat is reported at once: the alert may have been resolved in between, and a
    // person may have closed the ticket since. Each raise of a flapping alert is a first repeat.
    let flaps_until = flaps_until(record, settings, now);
    let next_note = open
        .last_note_at
        .filter(|_| open.noted_repeats > 0 || flaps_until.is_some())
        .map(|at| later(at, interval));
    if let Some(until) = next_note.filter(|next| now < *next) {
        return Err(Idle::NotedRecently { until });
    }
    Ok(NoteContent::Repeats {
        repeats: details.repeats,
        unreported,
    })
}

/// The type of the alert's new kind, if its ticket has that of another kind. Types belong to a
/// board, and another category has another board: the ticket stays where it is. This is the last
/// step, so a type that ConnectWise refuses delays no note.
fn changed_type(
    open: &OpenTicket,
    details: &AlertDetails,
    settings: &Settings,
) -> Option<TicketWrite> {
    let kind = open.kind.as_ref()?;
    let target = settings.board(details.category);
    let is_open = open.manual_change.is_none() && open.board_id == target.board;
    let is_other =
        *kind != details.kind && target.ticket_type(kind) != target.ticket_type(&details.kind);
    let ticket_type = target.ticket_type(&details.kind)?;
    (is_open && is_other).then_some(TicketWrite::SetType {
        ticket_id: open.ticket_id,
        ticket_type,
    })
}

/// The link to the configuration of the alert's device, if one is due. It is the last step, and it is
/// left out while its call cannot be made, so it neither delays nor blocks anything.
fn due_link(
    record: &Record,
    open: &OpenTicket,
    view: &ConnectionView,
    now: Timestamp,
) -> Option<TicketWrite> {
    let is_due = open.link_at.is_some_and(|at| at <= now) && open.manual_change.is_none();
    let is_on = view
        .connection
        .as_ref()
        .is_some_and(|connection| connection.settings.links.configuration);
    let device = record.summary.as_ref()?.device.clone()?;
    let link = TicketWrite::Link {
        ticket_id: open.ticket_id,
        company: open.company_id,
        device,
    };
    let can_call = || check_call(&[rights::TICKETS_EDIT], view, now).is_ok();
    (is_due && is_on && can_call()).then_some(link)
}

/// Until when the alert counts as flapping, if the partner chose a rule for that.
fn flaps_until(record: &Record, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    settings.flapping?.flaps_until(&record.raises, now)
}

pub(super) fn resolve_ticket(
    record: &Record,
    open: &OpenTicket,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let settings = match connection_of(open, view, now) {
        Ok(connection) => &connection.settings,
        Err(decision) => return decision,
    };
    if let Some(note) = pending_answer(open, view) {
        let ticket_id = open.ticket_id;
        return Decision::Write(TicketWrite::Note { ticket_id, note });
    }
    if let Some(until) = flaps_until(record, settings, now).filter(|_| !open.noted_resolved) {
        return Decision::Block(Blocked::Flapping(until));
    }
    let category = record.category();
    let on_resolve = settings.board_of_ticket(category, open.board_id).on_resolve;
    let ticket_id = open.ticket_id;
    let only_untouched = on_resolve == OnResolve::CloseUntouched;
    let change = open.manual_change.filter(|_| only_untouched);
    let closes = on_resolve != OnResolve::Note && change.is_none();
    let is_noted = open.noted_resolved || !may_note(view);
    Decision::Write(match (closes, is_noted) {
        (true, true) => TicketWrite::Close {
            ticket_id,
            only_untouched,
        },
        (true, false) => TicketWrite::Note {
            ticket_id,
            note: NoteContent::Closing { only_untouched },
        },
        (false, _) if open.noted_resolved => return Decision::Nothing(Idle::UpToDate),
        (false, _) => TicketWrite::Note {
            ticket_id,
            note: NoteContent::Resolved { change },
        },
    })
}
