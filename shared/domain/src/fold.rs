//! Taking an event into what is wanted, whatever the state: so a resolve during an outage is never lost.

use crate::event::{Change, Event, Particulars};
use crate::record::{About, Actual, Record};

/// The record with the event taken in. What is not newer than the last event changes and counts nothing, so folding twice is
/// folding once.
///
/// An update of an alert that its source resolved changes nothing either, not even the order: the raise that it overtook is still to
/// come, and must not look old. Where only a list or the time says that the alert is gone, an update says that it is not.
#[must_use]
pub fn fold(record: Record, event: &Event) -> Record {
    let order = event.order();
    if record
        .wanted
        .last
        .as_ref()
        .is_some_and(|last| order <= *last)
    {
        return record;
    }
    let mut record = match &event.change {
        Change::Resolved => gone(record),
        Change::Raised(particulars) if is_known(&record) && !is_ended(&record) => {
            repeated(record, particulars)
        }
        Change::Raised(particulars) => raised(record, event, particulars),
        Change::Updated(particulars) if is_known(&record) => repeated(record, particulars),
        // The raise is late or lost: an update says as much.
        Change::Updated(particulars) if !is_resolved(&record) => raised(record, event, particulars),
        Change::Updated(_) => return record,
    };
    record.wanted.gone = None;
    record.wanted.last = Some(order);
    record
}

/// It stands, and what it looks like is known: a ticket that was found in ConnectWise only tells that it stands.
fn is_known(record: &Record) -> bool {
    record.wanted.standing && record.wanted.about.is_some()
}

/// Its source said that it is gone.
fn is_resolved(record: &Record) -> bool {
    let wanted = &record.wanted;
    wanted.last.is_some() && !wanted.standing && wanted.gone.is_none()
}

/// The ticket of the present life has ended.
fn is_ended(record: &Record) -> bool {
    matches!(&record.actual, Some(Actual::Closed(closed)) if closed.episode == record.episode)
}

fn raised(mut record: Record, event: &Event, particulars: &Particulars) -> Record {
    if is_ended(&record) {
        record.episode += 1;
    }
    if let Some(Actual::Open(open)) = &mut record.actual {
        // The same ticket goes on: it was never closed, or only told that the alert is gone.
        open.noted_gone = false;
        open.noted_repeats = 0;
    }
    let heard = record.wanted.about.is_some();
    let repeats = u32::from(record.open().is_some() && heard);
    record.wanted.standing = true;
    record.wanted.about = Some(About {
        kind: particulars.kind.clone(),
        role: particulars.role,
        severity: particulars.severity,
        raised_at: event.occurred_at,
        repeats,
        expires_at: particulars.expires_at,
    });
    keep_newest_text(record, particulars)
}

fn repeated(mut record: Record, particulars: &Particulars) -> Record {
    if let Some(about) = &mut record.wanted.about {
        about.kind = particulars.kind.clone();
        about.role = particulars.role;
        about.severity = particulars.severity;
        about.repeats = about.repeats.saturating_add(1);
        about.expires_at = particulars.expires_at;
    }
    keep_newest_text(record, particulars)
}

fn gone(mut record: Record) -> Record {
    record.wanted.standing = false;
    record
}

/// A stored text is replaced; none is stored that was not.
fn keep_newest_text(mut record: Record, particulars: &Particulars) -> Record {
    if let Some(payload) = &mut record.payload {
        *payload = particulars.payload.clone();
    }
    record
}
