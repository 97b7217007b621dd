//! Folding: applying an event to the desired state of a record. This happens in every state of the
//! ticket, so a resolve during an outage is not lost.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{AlertChange, Event, EventOrder, Particulars, Payload};
use crate::alert::folded_events::FoldEffect;
use crate::alert::record::{Actual, AlertDetails, ClosedBy, ClosedTicket, Desired, Record};
use crate::alert::summary::AlertSummary;
use crate::outgoing::events::OutgoingEvents;

/// Two clocks of one source may differ by this much.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// Folds an event into a record.
///
/// An event that was folded before changes nothing, however late it is delivered again. The one
/// exception: if it is still the newest, and its source sent it again with a later expiry, it
/// prolongs the alert. An event that is not newer than the last one can only prolong an active alert
/// and raise its severity.
///
/// An update of a resolved alert changes nothing, not even the order: it overtook the raise, which
/// is still to come and must not look old. If only a snapshot or expiry resolved the alert, an
/// update makes it active again.
///
/// ```
/// use domain::alert::event::{AlertChange, Event};
/// use domain::alert::fold::fold;
/// use domain::alert::record::Record;
/// use domain::{AlertId, AlertKey, EventId, PartnerId, SourceId, TenantId};
///
/// let key = AlertKey {
///     partner: PartnerId::parse("northwind")?,
///     tenant: TenantId::parse("acme-dental")?,
///     source: SourceId::parse("src_0123456789abcdefghijklmnop")?,
///     alert_id: AlertId::parse("disk-c")?,
/// };
/// let now = jiff::Timestamp::UNIX_EPOCH;
/// let change = AlertChange::Resolved;
/// let resolved = Event::immediate(key.clone(), EventId::parse("e-1")?, now, change);
/// let record = fold(Record::new(key), &resolved);
/// assert!(!record.desired.active);
/// assert_eq!(fold(record.clone(), &resolved), record, "a retry changes nothing");
/// # Ok::<(), domain::InvalidId>(())
/// ```
#[must_use]
pub fn fold(record: Record, event: &Event) -> Record {
    let mut record = fold_change(record, event);
    OutgoingEvents::switch(&mut record.outgoing, event);
    record
}

fn fold_change(record: Record, event: &Event) -> Record {
    if record.folded.contains(event.digest) {
        return prolong(record, event);
    }
    let position = newest_position(&record.desired, event);
    let is_update = matches!(event.change, AlertChange::Updated(_));
    if position.is_some() && is_update && is_resolved(&record) {
        // A retry of it is no newer.
        let mut record = record;
        record.folded.add(event.digest, FoldEffect::Repeat);
        return record;
    }
    let was_active = record.desired.active;
    let was_known = record.desired.last.is_some();
    let mut record = match position {
        Some(order) => fold_newer(record, event, order),
        None => fold_older(record, event),
    };
    let effect = match was_known && record.desired.active == was_active {
        true => FoldEffect::Repeat,
        false => FoldEffect::Transition,
    };
    record.folded.add(event.digest, effect);
    record
}

/// The position of the event if it is the newest, else `None`. The newest position never moves
/// back, so that an older event stays older.
fn newest_position(desired: &Desired, event: &Event) -> Option<EventOrder> {
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

/// Whether the event is newer than the last one. The event's time decides, then its receipt. If
/// both times cannot be right because two clocks made them, only the receipt decides:
///
/// - One of the times was later than its receipt, so it is only an upper bound.
/// - The only known resolve was received after the only known raise, and its time is a moment
///   before the raise. An alert is not resolved before it is raised, so the clock is slow. If the
///   resolve counted as old, the ticket would stay open for ever, since the source sends nothing
///   more. If another event of that moment is known, the times count: then the resolve ended the
///   earlier occurrence.
fn is_newer(desired: &Desired, last: &EventOrder, event: &Event, order: &EventOrder) -> bool {
    let apart = last.occurred_at.duration_since(order.occurred_at).abs();
    let is_bounded = last.receipt.bounds_time || order.receipt.bounds_time;
    match apart <= CLOCKS && (is_bounded || is_only_pair(desired, last, event)) {
        true => (order.receipt, order.rank) > (last.receipt, last.rank),
        false => order > last,
    }
}

/// Whether the newest event and this one are the only known raise and the only known resolve, in
/// any order.
fn is_only_pair(desired: &Desired, last: &EventOrder, event: &Event) -> bool {
    let is_alone = |details: &AlertDetails| {
        let before = details.previous_event_at;
        before.is_none_or(|before| details.raised_at.duration_since(before) > CLOCKS)
            && details.repeats == 0
            && details.raised_at == last.occurred_at
    };
    match (&event.change, &desired.details) {
        // Only if the times say that it was resolved before it was raised.
        (AlertChange::Resolved, Some(details)) => {
            desired.active && is_alone(details) && event.occurred_at < last.occurred_at
        }
        (AlertChange::Raised(_), None) => !desired.active && event.occurred_at > last.occurred_at,
        (AlertChange::Raised(_), Some(_))
        | (AlertChange::Resolved, None)
        | (AlertChange::Updated(_), _) => false,
    }
}

fn fold_newer(record: Record, event: &Event, order: EventOrder) -> Record {
    let mut record = match &event.change {
        AlertChange::Resolved => resolve(record),
        AlertChange::Raised(particulars) | AlertChange::Updated(particulars)
            if is_known(&record) && !has_expired_after_close(&record, event) =>
        {
            count_repeat(record, event, particulars)
        }
        // An update of an unknown alert is a raise; the raise itself is late or lost.
        AlertChange::Raised(particulars) | AlertChange::Updated(particulars) => {
            start_occurrence(record, event, particulars)
        }
    };
    record.desired.resolution = None;
    record.desired.last = Some(order);
    update_last_received(record, event)
}

/// A repeat prolongs the alert, even if it has the time of the raise and an update with a later
/// time came between. Of equal times the higher severity counts.
fn fold_older(mut record: Record, event: &Event) -> Record {
    let (AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) = &event.change
    else {
        return resolve_earlier_occurrence(record, event);
    };
    if record.desired.details.is_none() && !record.desired.active {
        // Its resolve overtook it. The record is the same as if they had come in order.
        record.desired.details = Some(details_of(event, particulars, None, 0));
        return keep_newest_text(record, particulars);
    }
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
    // The newest event overrides events that were received before it.
    if is_of_last_moment || is_last_word {
        details.expires_at = later_end(
            details.expires_at,
            particulars.expires_at.or(details.expires_at),
        );
    }
    update_last_received(record, event)
}

/// A source that only reports that an alert is active repeats one event, of one time, and each time
/// the expiry counts from its receipt.
fn prolong(mut record: Record, event: &Event) -> Record {
    let (AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) = &event.change
    else {
        return record;
    };
    let desired = &mut record.desired;
    let is_newest = is_of_last_moment(desired, event);
    if let Some(details) = desired
        .details
        .as_mut()
        .filter(|_| desired.active && is_newest)
        && particulars.expires_at.is_some()
    {
        details.expires_at = later_end(details.expires_at, particulars.expires_at);
    }
    record
}

/// A resolve that is received after the raise that followed it: the event that looked like a repeat
/// raised the alert again. If a person closed the ticket before that, the alert needs the next one.
fn resolve_earlier_occurrence(mut record: Record, event: &Event) -> Record {
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
    let text = placeholder_text(details);
    let raised_at = details.raise_received_at;
    record.payload.get_or_insert(text);
    // It is unknown when a ticket was deleted or moved. A new ticket is the safe choice.
    let is_next = |closed: &ClosedTicket| {
        record.is_occurrence_over()
            && (closed.by != ClosedBy::Technician || closed.ended_at <= raised_at)
    };
    if matches!(&record.actual, Some(Actual::Closed(closed)) if is_next(closed)) {
        record.occurrence += 1;
    }
    record
}

/// The text for a raise whose own text is not stored.
fn placeholder_text(details: &AlertDetails) -> Payload {
    Payload {
        title: format!("Alert raised again: {}", details.kind),
        description:
            "The alert was resolved and raised again. Its previous ticket has the details."
                .to_owned(),
        tenant_name: None,
        device: None,
        user: None,
        link: None,
    }
}

fn update_last_received(mut record: Record, event: &Event) -> Record {
    let at = Some(event.receipt.at);
    record.desired.last_received_at = record.desired.last_received_at.max(at);
    record
}

fn is_of_last_moment(desired: &Desired, event: &Event) -> bool {
    let last = desired.last.as_ref();
    last.is_some_and(|last| last.occurred_at == event.occurred_at)
}

/// Whether the alert is active and its details are known. A ticket that was found in ConnectWise
/// shows only that the alert is active.
fn is_known(record: &Record) -> bool {
    record.desired.active && record.desired.details.is_some()
}

/// Whether an event resolved the alert.
fn is_resolved(record: &Record) -> bool {
    let desired = &record.desired;
    desired.last.is_some() && !desired.active && desired.resolution.is_none()
}

/// Whether a person closed the ticket and the alert expired before this event. Unless it expired, a
/// repeat of an alert whose ticket a person closed is not a new occurrence.
fn has_expired_after_close(record: &Record, event: &Event) -> bool {
    let details = record.desired.details.as_ref();
    let end = details.and_then(|details| details.expires_at);
    record.is_occurrence_over() && end.is_some_and(|end| end <= event.occurred_at)
}

fn start_occurrence(mut record: Record, event: &Event, particulars: &Particulars) -> Record {
    if record.is_occurrence_over() {
        record.occurrence += 1;
    }
    if let Some(Actual::Open(open)) = &mut record.actual {
        // The same ticket continues: it was never closed, it only got a note that the alert is
        // resolved.
        open.noted_resolved = false;
        open.noted_repeats = 0;
        open.title_note_at = None;
    }
    let has_details = record.desired.details.is_some();
    let repeats = u32::from(record.open().is_some() && has_details);
    let previous = record.desired.last.as_ref().map(|last| last.occurred_at);
    record.raises.add(event.occurred_at);
    record.desired.active = true;
    record.desired.details = Some(details_of(event, particulars, previous, repeats));
    if record.open().is_some() || record.claim.is_some() {
        // That ticket may prove to have been closed before. Then the next one needs this text, and
        // its message is no longer in the queue.
        record.payload = Some(particulars.payload.clone());
    }
    keep_newest_text(record, particulars)
}

fn details_of(
    event: &Event,
    particulars: &Particulars,
    previous_event_at: Option<Timestamp>,
    repeats: u32,
) -> AlertDetails {
    AlertDetails {
        kind: particulars.kind.clone(),
        category: particulars.category,
        severity: particulars.severity,
        raised_at: event.occurred_at,
        raise_received_at: event.receipt.at,
        previous_event_at,
        repeats,
        expires_at: particulars.expires_at,
    }
}

fn count_repeat(mut record: Record, event: &Event, particulars: &Particulars) -> Record {
    let is_of_last_moment = is_of_last_moment(&record.desired, event);
    if let Some(details) = &mut record.desired.details {
        details.kind = particulars.kind.clone();
        details.category = particulars.category;
        details.repeats = details.repeats.saturating_add(1);
        // Of two events of one moment, the higher severity and the later end count.
        (details.severity, details.expires_at) = match is_of_last_moment {
            true => (
                details.severity.max(particulars.severity),
                later_end(details.expires_at, particulars.expires_at),
            ),
            false => (particulars.severity, particulars.expires_at),
        };
    }
    let title = AlertSummary::new(particulars).title;
    let is_new_title = record.summary.as_ref().is_some_and(|of| of.title != title);
    if let Some(Actual::Open(open)) = &mut record.actual
        && is_new_title
    {
        open.title_note_at.get_or_insert(event.receipt.at);
    }
    keep_newest_text(record, particulars)
}

/// The later of two ends. `None` means that the alert does not expire.
fn later_end(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

fn resolve(mut record: Record) -> Record {
    record.desired.active = false;
    record
}

/// Replaces the summary and a stored text. It stores no text where there was none.
fn keep_newest_text(mut record: Record, particulars: &Particulars) -> Record {
    record.summary = Some(AlertSummary::new(particulars));
    if let Some(payload) = &mut record.payload {
        *payload = particulars.payload.clone();
    }
    record
}

#[cfg(test)]
mod tests;
