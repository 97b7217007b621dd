//! Taking an event into what is wanted, whatever the state: so a resolve during an outage is never lost.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{AlertChange, Event, EventOrder, Particulars, Payload};
use crate::alert::folded_events::FoldEffect;
use crate::alert::record::{Actual, AlertDetails, ClosedBy, ClosedTicket, Desired, Record};

/// Two clocks of one source may differ by so much.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// The record with the event taken in. An event that was folded before changes nothing, whenever it is delivered again. One that is
/// not newer than the last event changes only how long an active alert lasts, and how bad it is.
///
/// An update of an alert that its source resolved changes nothing, not even the order: the raise that it overtook is still to
/// come, and must not look old. Where only a list or the time says that the alert is gone, an update says that it is not.
#[must_use]
pub fn fold(record: Record, event: &Event) -> Record {
    if record.folded.contains(event.digest) {
        return record;
    }
    let place = place(&record.desired, event);
    let is_update = matches!(event.change, AlertChange::Updated(_));
    if place.is_some() && is_update && is_resolved(&record) {
        // Its retry is no newer than it was.
        let mut record = record;
        record.folded.add(event.digest, FoldEffect::Repeat);
        return record;
    }
    let was_active = record.desired.active;
    let was_known = record.desired.last.is_some();
    let mut record = match place {
        Some(order) => newer(record, event, order),
        None => older(record, event),
    };
    let effect = match was_known && record.desired.active == was_active {
        true => FoldEffect::Repeat,
        false => FoldEffect::Transition,
    };
    record.folded.add(event.digest, effect);
    record
}

/// The place that the event takes as the newest; none where a newer one is known. It never moves back, so that what was older than the
/// newest event stays older.
fn place(desired: &Desired, event: &Event) -> Option<EventOrder> {
    let order = event.order();
    let Some(last) = &desired.last else {
        return Some(order);
    };
    let occurred_at = order.occurred_at.max(last.occurred_at);
    is_newer(desired, last, event, &order).then_some(EventOrder {
        occurred_at,
        ..order
    })
}

/// Its time decides, and at one time its receipt. Where the times cannot both be right, as two clocks made them, the receipt decides
/// alone:
///
/// - One of the times was ahead of its receipt, so it is known only that the event happened before that.
/// - The one resolve that is known was received after the one raise that is known, and says that it happened a moment before it. An
///   alert is not resolved before it is raised, so that clock is slow. Taken for old, the resolve would leave the ticket open for
///   good, since the source has said its last word. Where another event of that moment is known the times count: then the resolve
///   ended what was before.
fn is_newer(desired: &Desired, last: &EventOrder, event: &Event, order: &EventOrder) -> bool {
    let apart = last.occurred_at.duration_since(order.occurred_at).abs();
    let is_bounded = last.receipt.bounds_time || order.receipt.bounds_time;
    match apart <= CLOCKS && (is_bounded || is_only_pair(desired, last, event)) {
        true => (order.receipt, order.rank) > (last.receipt, last.rank),
        false => order > last,
    }
}

/// Whether the newest event and this one are the only raise that is known and the only resolve, whichever of them came first.
fn is_only_pair(desired: &Desired, last: &EventOrder, event: &Event) -> bool {
    let is_alone = |details: &AlertDetails| {
        let before = details.previous_event_at;
        before.is_none_or(|before| details.raised_at.duration_since(before) > CLOCKS)
            && details.repeats == 0
            && details.raised_at == last.occurred_at
    };
    match (&event.change, &desired.details) {
        // Only where the times say that it was resolved before it was raised.
        (AlertChange::Resolved, Some(details)) => {
            desired.active && is_alone(details) && event.occurred_at < last.occurred_at
        }
        (AlertChange::Raised(_), None) => !desired.active && event.occurred_at > last.occurred_at,
        (AlertChange::Raised(_), Some(_))
        | (AlertChange::Resolved, None)
        | (AlertChange::Updated(_), _) => false,
    }
}

fn newer(record: Record, event: &Event, order: EventOrder) -> Record {
    let mut record = match &event.change {
        AlertChange::Resolved => resolve(record),
        AlertChange::Raised(particulars) | AlertChange::Updated(particulars)
            if is_known(&record) && !is_over(&record, event) =>
        {
            repeated(record, event, particulars)
        }
        // An update of an unknown alert is a raise: that is late or lost.
        AlertChange::Raised(particulars) | AlertChange::Updated(particulars) => {
            raised(record, event, particulars)
        }
    };
    record.desired.resolution = None;
    record.desired.last = Some(order);
    received(record, event)
}

/// A repeat prolongs the alert that it repeats, also where it carries the time of the raise and an update with a later time came in
/// between. Of equal times the worse severity counts.
fn older(mut record: Record, event: &Event) -> Record {
    let (AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) = &event.change
    else {
        return resolved_before(record, event);
    };
    let desired = &mut record.desired;
    let is_of_last_moment = is_of_last_moment(desired, event);
    let is_last_word = desired
        .last
        .as_ref()
        .is_some_and(|last| event.receipt.is_after(&last.receipt));
    let details = desired.details.as_mut().filter(|_| desired.active);
    let Some(details) = details.filter(|details| event.occurred_at >= details.raised_at) else {
        return record;
    };
    if is_of_last_moment {
        details.severity = details.severity.max(particulars.severity);
    }
    // What was received before the newest event has been taken back by that.
    if is_of_last_moment || is_last_word {
        details.expires_at = later_end(
            details.expires_at,
            particulars.expires_at.or(details.expires_at),
        );
    }
    received(record, event)
}

/// A resolve that the raise after it overtook on the queue: what was taken for a repeat raised the alert anew. If a person ended the
/// ticket before that, the alert needs the next one.
fn resolved_before(mut record: Record, event: &Event) -> Record {
    let has_ticket = record.actual.is_some() || record.claim.is_some();
    let (Some(details), Some(last)) = (&mut record.desired.details, &record.desired.last) else {
        return record;
    };
    let resolved = (event.occurred_at, event.receipt.at);
    let ended_before = resolved <= (details.raised_at, details.raise_received_at);
    if !has_ticket || !record.desired.active || ended_before {
        return record;
    }
    details.raised_at = last.occurred_at;
    details.raise_received_at = last.receipt.at;
    let text = anew(details);
    let raised_at = details.raise_received_at;
    record.payload.get_or_insert(text);
    // When a ticket was deleted or moved is not known: no alert is lost.
    let is_next = |closed: &ClosedTicket| {
        record.is_occurrence_over()
            && (closed.by != ClosedBy::Technician || closed.ended_at <= raised_at)
    };
    if matches!(&record.actual, Some(Actual::Closed(closed)) if is_next(closed)) {
        record.occurrence += 1;
    }
    record
}

/// What a person reads of a raise whose message is gone.
fn anew(details: &AlertDetails) -> Payload {
    Payload {
        title: format!("Alert raised again: {}", details.kind),
        description: "The alert was resolved and raised again. The ticket before says what it is."
            .to_owned(),
        tenant_name: None,
        device: None,
        user: None,
        link: None,
    }
}

fn received(mut record: Record, event: &Event) -> Record {
    let at = Some(event.receipt.at);
    record.desired.last_received_at = record.desired.last_received_at.max(at);
    record
}

fn is_of_last_moment(desired: &Desired, event: &Event) -> bool {
    let last = desired.last.as_ref();
    last.is_some_and(|last| last.occurred_at == event.occurred_at)
}

/// It stands, and what it looks like is known: a ticket that was found in ConnectWise only tells that it stands.
fn is_known(record: &Record) -> bool {
    record.desired.active && record.desired.details.is_some()
}

/// Its source said that it is gone.
fn is_resolved(record: &Record) -> bool {
    let desired = &record.desired;
    desired.last.is_some() && !desired.active && desired.resolution.is_none()
}

/// A person ended the ticket, and the alert ended by itself before this event. Without an end in between, a repeat of an alert whose
/// ticket a person ended is no recurrence.
fn is_over(record: &Record, event: &Event) -> bool {
    let details = record.desired.details.as_ref();
    let end = details.and_then(|details| details.expires_at);
    record.is_occurrence_over() && end.is_some_and(|end| end <= event.occurred_at)
}

fn raised(mut record: Record, event: &Event, particulars: &Particulars) -> Record {
    if record.is_occurrence_over() {
        record.occurrence += 1;
    }
    if let Some(Actual::Open(open)) = &mut record.actual {
        // The same ticket goes on: it was never closed, or only told that the alert is gone.
        open.noted_resolved = false;
        open.noted_repeats = 0;
    }
    let heard = record.desired.details.is_some();
    let repeats = u32::from(record.open().is_some() && heard);
    let previous = record.desired.last.as_ref().map(|last| last.occurred_at);
    record.desired.active = true;
    record.desired.details = Some(AlertDetails {
        kind: particulars.kind.clone(),
        category: particulars.category,
        severity: particulars.severity,
        raised_at: event.occurred_at,
        raise_received_at: event.receipt.at,
        previous_event_at: previous,
        repeats,
        expires_at: particulars.expires_at,
    });
    if record.open().is_some() || record.claim.is_some() {
        // That ticket may turn out to have ended before: then this text makes the next one, and its message is gone.
        record.payload = Some(particulars.payload.clone());
    }
    keep_newest_text(record, particulars)
}

fn repeated(mut record: Record, event: &Event, particulars: &Particulars) -> Record {
    let is_of_last_moment = is_of_last_moment(&record.desired, event);
    if let Some(details) = &mut record.desired.details {
        details.kind = particulars.kind.clone();
        details.category = particulars.category;
        details.repeats = details.repeats.saturating_add(1);
        // Of one moment there is no newest word: the worse and the longer counts.
        (details.severity, details.expires_at) = match is_of_last_moment {
            true => (
                details.severity.max(particulars.severity),
                later_end(details.expires_at, particulars.expires_at),
            ),
            false => (particulars.severity, particulars.expires_at),
        };
    }
    keep_newest_text(record, particulars)
}

/// The later of two ends; without one an alert does not end by itself.
fn later_end(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

fn resolve(mut record: Record) -> Record {
    record.desired.active = false;
    record
}

/// A stored text is replaced; none is stored that was not.
fn keep_newest_text(mut record: Record, particulars: &Particulars) -> Record {
    if let Some(payload) = &mut record.payload {
        *payload = particulars.payload.clone();
    }
    record
}

#[cfg(test)]
mod tests;
