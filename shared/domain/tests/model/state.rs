//! A state of the model: the source, the queue, the table, ConnectWise, and the workers.

use std::sync::Arc;

use domain::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use domain::alert::kind::Category;
use domain::alert::record::{Claim, NoteKind, Op, Record};
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::claimed_write::ClaimedOutcome;
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::ticket_write::TicketWrite;
use domain::ticketing::worker_step::WorkerStep;
use domain::{AlertId, AlertKey, ClaimId, EventId, Kind, PartnerId, SourceId, TenantId, TicketRef};
use jiff::Timestamp;

use crate::{BOARD, COMPANY};

#[derive(Debug, Clone)]
pub(crate) struct State {
    /// In seconds.
    pub(crate) now: i64,
    pub(crate) sent: Vec<Arc<Event>>,
    /// When the source stated the present state of the alert first.
    pub(crate) began: i64,
    pub(crate) queue: Vec<Message>,
    pub(crate) stored: Option<Arc<Record>>,
    pub(crate) workers: Vec<Option<Worker>>,
    /// A ticket's id is its position, from 1.
    pub(crate) tickets: Vec<Ticket>,
    /// Writes that take effect later.
    pub(crate) pending: Vec<PendingWrite>,
    pub(crate) left: Disturbances,
    /// How many claims were made. It makes ids and tells nothing else.
    pub(crate) claims: u32,
    /// What a step did that it must not do.
    pub(crate) violation: Option<&'static str>,
}

/// How often what may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Disturbances {
    /// An event is delivered again, or to two workers at once.
    pub(crate) doubles: u8,
    /// A worker dies.
    pub(crate) deaths: u8,
    /// A write is done, and its answer is lost.
    pub(crate) lost_answers: u8,
    /// A write is answered without a result, and not done.
    pub(crate) empty_answers: u8,
    /// A write takes effect before ConnectWise has settled, but after its call.
    pub(crate) late_writes: u8,
    /// A write takes effect after ConnectWise should have settled.
    pub(crate) too_late_writes: u8,
    /// A search misses even its sentinels, or fails.
    pub(crate) bad_searches: u8,
    /// A search does not show the youngest tickets.
    pub(crate) stale_searches: u8,
    /// Time passes although a message waits.
    pub(crate) delays: u8,
    /// A technician closes, reopens or deletes a ticket.
    pub(crate) touches: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) request: Arc<AlertRequest>,
}

/// A worker with a message.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) message: Arc<AlertRequest>,
    /// What is left of the message: a command is applied once.
    pub(crate) request: Arc<AlertRequest>,
    /// All its calls end before this second.
    pub(crate) ends: i64,
    pub(crate) steps: usize,
    pub(crate) next: NextCall,
}

/// The next call of a worker to the table or ConnectWise.
#[derive(Debug, Clone)]
pub(crate) enum NextCall {
    Read,
    LookUp {
        stored: Arc<Record>,
        step: Arc<WorkerStep>,
    },
    /// A conditional write of the record.
    Save {
        record: Arc<Record>,
        then: Then,
    },
    /// Read the ticket before it is written to.
    ReadTicket(Arc<Claimed>),
    Write(Arc<Claimed>),
    /// Record the outcome of a claimed write, in the record as it is then.
    Record {
        known: Arc<Record>,
        claimed: Arc<Claimed>,
        outcome: Arc<ClaimedOutcome>,
        then: Then,
    },
}

/// What follows once the record is stored.
#[derive(Debug, Clone)]
pub(crate) enum Then {
    Decide,
    Delete,
    Return,
    Write(Arc<Claimed>),
}

/// A claimed write.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) record: Record,
    pub(crate) claim: Claim,
    pub(crate) write: TicketWrite,
    pub(crate) text: Option<Payload>,
}

#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) ticket_ref: TicketRef,
    pub(crate) raised_at: Timestamp,
    pub(crate) entered: i64,
    pub(crate) closed: Option<i64>,
    pub(crate) deleted: bool,
    /// A person changed it.
    pub(crate) touched: bool,
    /// When a person ended it.
    pub(crate) ended: Option<i64>,
    /// It was created, or opened again, after ConnectWise should have settled.
    pub(crate) too_late: bool,
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) claim: ClaimId,
    pub(crate) kind: NoteKind,
    /// What it says: the repeats since this raise, or the event that resolved the alert.
    pub(crate) about: Option<Timestamp>,
    pub(crate) repeats: u32,
    pub(crate) too_late: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct PendingWrite {
    pub(crate) change: Change,
    /// It takes effect in this span.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) too_late: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create(Box<Ticket>),
    Note { ticket: usize, note: Note },
    Status { ticket: usize, is_open: bool },
}

impl Change {
    pub(crate) fn op(&self) -> Op {
        match self {
            Self::Create(_) => Op::Create,
            Self::Note { note, .. } => Op::Note(note.kind),
            Self::Status { is_open: true, .. } => Op::Reopen,
            Self::Status { is_open: false, .. } => Op::Close,
        }
    }
}

impl State {
    pub(crate) fn new(workers: usize, left: Disturbances) -> Self {
        Self {
            now: 0,
            sent: vec![],
            began: 0,
            queue: vec![],
            stored: None,
            workers: vec![None; workers],
            tickets: vec![],
            pending: vec![],
            left,
            claims: 0,
            violation: None,
        }
    }

    /// Whether the alert is active, as the source stated last.
    pub(crate) fn is_active(&self) -> bool {
        let last = self.sent.last();
        last.is_some_and(|event| event.change != AlertChange::Resolved)
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        let stored = self.stored.clone();
        stored.unwrap_or_else(|| Arc::new(Record::new(key())))
    }

    pub(crate) fn busy(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().flatten()
    }

    pub(crate) fn found(&self, ticket: usize) -> Option<FoundTicket> {
        let there = self.tickets.get(ticket.checked_sub(1)?)?;
        (!there.deleted).then(|| FoundTicket {
            ticket_id: ticket as u64,
            ticket_ref: Some(there.ticket_ref.clone()),
            board_id: Some(BOARD),
            company_id: Some(COMPANY),
            entered_at: Some(at(there.entered)),
            raised_at: Some(there.raised_at),
            closed: there.closed.is_some(),
            closed_at: there.closed.map(at),
            merged: false,
            touched: there.touched,
            action: None,
        })
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn seconds(at: Timestamp) -> i64 {
    at.as_second() - 1_790_000_000
}

pub(crate) fn key() -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse("a").unwrap(),
    }
}

pub(crate) fn event(number: usize, second: i64, is_raise: bool) -> Event {
    let particulars = Particulars {
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
    };
    let change = match is_raise {
        true => AlertChange::Raised(particulars),
        false => AlertChange::Resolved,
    };
    let id = EventId::parse(format!("e{number}")).unwrap();
    Event::immediate(key(), id, at(second), change)
}
