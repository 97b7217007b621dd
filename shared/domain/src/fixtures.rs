//! Test fixtures: one alert, its events and its ticket 77.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use crate::alert::fold::fold;
use crate::alert::kind::Category;
use crate::alert::record::{Claim, Duplicate, Op, OpenTicket, Record};
use crate::time::later;
use crate::{AlertId, AlertKey, ClaimId, EventId, Kind, PartnerId, SourceId, TenantId, TicketRef};

pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
pub(crate) const SETTLE: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn key() -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse("a").unwrap(),
    }
}

pub(crate) fn event(second: i64, change: AlertChange) -> Event {
    let id = EventId::parse(format!("e{second}")).unwrap();
    Event::immediate(key(), id, at(second), change)
}

/// A disk alert of medium severity that does not expire.
pub(crate) fn particulars() -> Particulars {
    Particulars {
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        severity: Severity::Medium,
        expires_at: None,
        payload: Payload {
            title: "Disk full".into(),
            description: String::new(),
            tenant_name: None,
            device: None,
            user: None,
            link: None,
        },
    }
}

pub(crate) fn raised(second: i64) -> Event {
    let particulars = particulars();
    event(second, AlertChange::Raised(particulars))
}

pub(crate) fn resolved(second: i64) -> Event {
    event(second, AlertChange::Resolved)
}

/// A claim for company 19 that starts at this time and ends 65 seconds later.
pub(crate) fn new_claim(op: Op, ticket_ref: TicketRef, began_at: Timestamp) -> Claim {
    Claim {
        id: ClaimId::parse("c-1").unwrap(),
        op,
        reason: "test".into(),
        ticket_ref,
        ticket_id: None,
        board_id: Some(2),
        company_id: 19,
        epoch: 1,
        severity: Severity::Medium,
        kind: None,
        began_at,
        raise_received_at: None,
        repeats: 0,
        links_configuration: false,
        until: later(began_at, SignedDuration::from_secs(65)),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    }
}

/// A claimed write to ticket 77, whose outcome is unknown.
pub(crate) fn claim(op: Op, record: &Record) -> Claim {
    let details = record.desired.details.as_ref();
    Claim {
        ticket_id: Some(77),
        board_id: None,
        severity: Severity::High,
        raise_received_at: details.map(|details| details.raise_received_at),
        repeats: details.map_or(0, |details| details.repeats),
        uncertain_at: Some(at(20)),
        ..new_claim(op, record.occurrence_ref(), at(0))
    }
}

/// An alert with ticket 77, after these events.
pub(crate) fn open(events: &[Event]) -> Record {
    let (first, rest) = events.split_first().unwrap();
    let record = fold(Record::new(key()), first);
    let claim = claim(Op::Create, &record);
    let record = record.with_open(OpenTicket::new(77, Some(2), &claim, at(10)));
    rest.iter().fold(record, fold)
}

/// Ticket 78, which has the reference of ticket 77, in the ConnectWise of this epoch.
pub(crate) fn duplicate(epoch: u32) -> Duplicate {
    Duplicate {
        ticket_id: 78,
        ticket_ref: TicketRef::new(&key(), 1),
        company_id: 19,
        epoch,
        noted: false,
        noted_on_kept: false,
    }
}
