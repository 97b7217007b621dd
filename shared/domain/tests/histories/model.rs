//! The model: the source, the queue, the table and a small ConnectWise.

use std::fmt::Debug;

use domain::alert::blocked::BlockedSince;
use domain::alert::command::{Command, CommandAction};
use domain::alert::event::{AlertChange, Event, EventOrder, Particulars, Payload, Severity};
use domain::alert::flapping::FlapRule;
use domain::alert::kind::Category;
use domain::alert::record::{Op as Write, Record};
use domain::alert::release::{BlockStatus, block_status};
use domain::alert::resolution::Resolution;
use domain::alert::source_answer::SourceAnswer;
use domain::alert::storm::{Admission, StormRule, TenantStorms};
use domain::connection::breaker::Breaker;
use domain::connection::view::{ConnectionView, LiveConnection};
use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::scope::MaintenanceScope;
use domain::maintenance::window::WindowDefinition;
use domain::maintenance::windows::MaintenanceWindows;
use domain::setup::mapping::Mapping;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};
use domain::setup::status_action::StatusAction;
use domain::setup::ticket_links::TicketLinks;
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::{
    AlertId, AlertKey, Blocked, ClaimId, EventId, Kind, PartnerId, SourceId, TenantId, TicketRef,
    WindowId,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::reconcile::Snapshot;
use crate::worker::Worker;
use crate::{BEHIND, COMPANY, Clock, Delivery, Op, SourceEvent, TechnicianChange, has_storms};

/// A ticket in one of the ConnectWise sites.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) ticket_ref: TicketRef,
    pub(crate) site: u32,
    pub(crate) open: bool,
    /// When its alert was raised, as the ticket states.
    pub(crate) raised_at: Timestamp,
    /// The repeats before it was created.
    pub(crate) repeats: String,
    /// When it was created.
    pub(crate) entered: i64,
    /// It appeared long after ConnectWise should have settled.
    pub(crate) too_late: bool,
    pub(crate) closed_at: Option<i64>,
    pub(crate) touched: bool,
    /// A person works on it, so it is not closed if the settings say so.
    pub(crate) worked: bool,
    /// It was reopened, but not by a person or a write.
    pub(crate) left_open: bool,
    /// How often Ticketbridge reopened it.
    pub(crate) reopened: usize,
    pub(crate) company: u64,
    pub(crate) board: u64,
    /// The severity of its priority.
    pub(crate) severity: Severity,
    pub(crate) deleted: bool,
    pub(crate) merged: bool,
    /// The action that its status asks for.
    pub(crate) action: Option<StatusAction>,
    /// When a person closed, merged or moved it.
    pub(crate) ended_at: Option<i64>,
    /// The notes of Ticketbridge.
    pub(crate) notes: Vec<ModelNote>,
}

/// A note on a ticket.
#[derive(Debug, Clone)]
pub(crate) struct ModelNote {
    pub(crate) claim: ClaimId,
    pub(crate) op: Write,
    /// Its content. Two notes with the same content are one too many.
    pub(crate) says: String,
    /// The connection's epoch when it was written. A note may be repeated under another epoch.
    pub(crate) epoch: u32,
    /// It appeared long after ConnectWise should have settled.
    pub(crate) is_late: bool,
}

/// The effect of a write.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Ticket(Box<Ticket>),
    Note {
        ticket: u64,
        note: ModelNote,
    },
    Status {
        ticket: u64,
        open: bool,
    },
    Severity {
        ticket: u64,
        severity: Severity,
    },
    /// A link to a configuration, which changes nothing else.
    Link,
}

#[derive(Debug, Clone)]
pub(crate) struct PendingEffect {
    pub(crate) due: i64,
    /// It comes long after ConnectWise should have settled.
    pub(crate) is_late: bool,
    pub(crate) effect: Effect,
}

impl Ticket {
    /// Whether no person uses it for something else.
    pub(crate) fn is_ours(&self) -> bool {
        self.company == COMPANY && !self.deleted && !self.merged && !self.left_open
    }
}

pub(crate) struct Model {
    pub(crate) now: i64,
    /// The source's last event, and all its events.
    pub(crate) active: bool,
    /// Since when the source has stated this without a contradiction.
    pub(crate) began: i64,
    pub(crate) clock: Clock,
    pub(crate) sent: Vec<Event>,
    pub(crate) queue: Vec<AlertRequest>,
    /// Since when the alert is active or not, and when it expires.
    pub(crate) there: Vec<(i64, bool)>,
    pub(crate) ends: Option<i64>,
    pub(crate) ends_in: Option<i64>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// The resolutions by reconcile, which were correct.
    pub(crate) shown: Vec<(EventOrder, Resolution)>,
    pub(crate) stored: Option<Record>,
    /// The table as its index lists it, with a lag.
    pub(crate) indexed: Option<Record>,
    pub(crate) backup: Option<Record>,
    pub(crate) is_set_back: bool,
    pub(crate) is_repointed: bool,
    /// A raise overtook the preceding resolve and was counted as a repeat of the earlier raise.
    pub(crate) is_overtaken: bool,
    pub(crate) view: ConnectionView,
    /// When the last maintenance window ends.
    pub(crate) maintenance_ends: Option<i64>,
    pub(crate) storms: TenantStorms,
    /// How many other alerts of the tenant were raised.
    others: usize,
    pub(crate) broken: bool,
    /// The tickets of all ConnectWise sites. A ticket's id is its position, from 1.
    pub(crate) tickets: Vec<Ticket>,
    /// The pending effects of writes that were answered before they were done.
    pub(crate) pending: Vec<PendingEffect>,
    /// The ConnectWise that the connection points at.
    pub(crate) site: u32,
    /// How many seconds ConnectWise's clock is off.
    pub(crate) clock_off: i64,
    /// A ConnectWise workflow reopens a closed ticket that gets a note.
    pub(crate) notes_reopen: bool,
    pub(crate) calls: usize,
    pub(crate) claims: usize,
    /// A write that the settings forbid.
    pub(crate) violation: Option<&'static str>,
}

pub(crate) struct Died;

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

pub(crate) fn event(number: usize, second: i64, kind: SourceEvent, ends: Option<i64>) -> Event {
    let particulars = |severity| Particulars {
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        severity,
        expires_at: ends.map(at),
        payload: Payload {
            title: "Disk full".into(),
            description: String::new(),
            tenant_name: None,
            device: Some("srv-01".into()),
            user: None,
            link: None,
        },
    };
    let change = match kind {
        SourceEvent::Raised(severity) => AlertChange::Raised(particulars(severity)),
        SourceEvent::Updated => AlertChange::Updated(particulars(Severity::Medium)),
        SourceEvent::Resolved => AlertChange::Resolved,
    };
    Event::immediate(
        key(),
        EventId::parse(format!("e{number}")).unwrap(),
        at(second),
        change,
    )
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        let target = BoardTarget {
            on_resolve: match seed % 4 {
                0 => OnResolve::Note,
                1 => OnResolve::CloseUntouched,
                _ => OnResolve::Close,
            },
            reopen_days: if seed.is_multiple_of(5) { 7 } else { 0 },
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: target.clone(),
            cyber_alerts: target,
            priorities: [(Severity::Critical, 1), (Severity::Medium, 3)].into(),
            lowers_priority: seed.is_multiple_of(2),
            flapping: (seed % 3 == 1).then_some(FlapRule {
                raises: 2,
                minutes: 10,
            }),
            storm: has_storms(seed).then_some(StormRule {
                alerts: 2,
                minutes: 10,
            }),
            links: TicketLinks {
                configuration: seed % 4 > 1,
                contact: false,
            },
            ..Settings::default()
        };
        Self {
            now: 1000,
            active: false,
            began: 0,
            clock: match seed % 7 {
                0 => Clock::None,
                1 => Clock::Fast,
                2 => Clock::Creation,
                _ => Clock::True,
            },
            sent: vec![],
            queue: vec![],
            there: vec![],
            ends: None,
            ends_in: None,
            snapshots: vec![],
            shown: vec![],
            stored: None,
            indexed: None,
            backup: None,
            is_set_back: false,
            is_repointed: false,
            is_overtaken: false,
            view: ConnectionView {
                connection: Some(LiveConnection {
                    epoch: 1,
                    confirmed_at: None,
                    settings,
                }),
                mapping: Some(Mapping {
                    company: Some(COMPANY),
                    enabled: true,
                    ..Mapping::default()
                }),
                breaker: Breaker::default(),
                ticket_index: (!seed.is_multiple_of(3)).then_some(TicketIndexState::Complete),
                source_since: None,
                maintenance: MaintenanceWindows::default(),
                admission: None,
            },
            maintenance_ends: None,
            storms: TenantStorms::default(),
            others: 0,
            broken: false,
            tickets: vec![],
            pending: vec![],
            site: 1,
            clock_off: match seed % 11 {
                0 => -2 * 3600,
                1 => 5 * 3600,
                _ => 0,
            },
            notes_reopen: seed.is_multiple_of(7),
            calls: 0,
            claims: 0,
            violation: None,
        }
    }

    pub(crate) fn on_resolve(&self) -> OnResolve {
        self.view
            .connection
            .as_ref()
            .unwrap()
            .settings
            .operations
            .on_resolve
    }

    /// Whether a person is to close this ticket when its alert is resolved.
    pub(crate) fn stays_open(&self, ticket: u64) -> bool {
        match self.on_resolve() {
            OnResolve::Note => true,
            OnResolve::CloseUntouched => self.ticket(ticket).worked,
            OnResolve::Close => false,
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.view.connection.as_ref().unwrap().epoch
    }

    pub(crate) fn step(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Send(event) => self.send(*event),
            Op::EndsIn(seconds) => self.ends_in = Some(*seconds),
            Op::Vanish => self.is_there_since(self.now, false),
            Op::List(list) => self.list(list),
            Op::Reconcile(run) => self.reconcile(run)?,
            Op::Callback(times) => self.call_back(*times)?,
            Op::Again(which) => {
                let sent = self.sent.get(which % self.sent.len().max(1));
                self.queue
                    .extend(sent.cloned().map(Box::new).map(AlertRequest::Event));
            }
            Op::Retry(which) => self.retry(*which),
            Op::Reconsider => self.queue.push(AlertRequest::Reconsider),
            Op::Release => self.queue.push(AlertRequest::Release),
            Op::OpenAgain => self.open_again(),
            Op::Deliver(delivery) => self.deliver(delivery)?,
            Op::Pass(seconds) => self.pass(*seconds),
            Op::Map(yes) => {
                let mapping = self.view.mapping.as_mut().unwrap();
                mapping.company = yes.then_some(COMPANY);
                mapping.enabled_at = Some(at(self.now));
            }
            Op::Enable(yes) => {
                let mapping = self.view.mapping.as_mut().unwrap();
                mapping.enabled = *yes;
                mapping.enabled_at = Some(at(self.now));
            }
            Op::Maintain(minutes) => self.maintain(*minutes),
            Op::RaiseOthers(count) => self.raise_others(*count),
            Op::EndStorms => self.end_storms_so_far(),
            Op::Answer => self.answer(),
            Op::Break(yes) => {
                self.broken = *yes;
                if !yes {
                    self.view.breaker = Breaker::default();
                }
            }
            Op::Repoint { same } => {
                self.is_repointed = true;
                // A person takes longer to enter another address than ConnectWise's search lags
                // behind.
                self.pass(BEHIND + 1);
                let connection = self.view.connection.as_mut().unwrap();
                connection.epoch += 1;
                if !same {
                    self.site = connection.epoch;
                }
                self.view.ticket_index = None;
                self.view.breaker = Breaker::default();
            }
            Op::BackUp => self.backup.clone_from(&self.stored),
            Op::Lose { restored } => self.lose(*restored),
            Op::Technician(change) => self.change_tickets(*change),
        }
        self.invariants()
    }

    fn raise_others(&mut self, count: usize) {
        for _ in 0..count {
            self.others += 1;
            let other = AlertKey {
                alert_id: AlertId::parse(format!("other-{}", self.others)).unwrap(),
                ..key()
            };
            self.admit(&other, None);
        }
    }

    /// Decides which ticket an alert gets, and stores what changed.
    pub(crate) fn admit(&mut self, alert: &AlertKey, part_of: Option<&AlertId>) -> Admission {
        let connection = self.view.connection.as_ref();
        let rule = connection.and_then(|connection| connection.settings.storm);
        let now = at(self.now);
        let (admission, changed) = self.storms.admit(rule, alert, part_of, now);
        if let Some(changed) = changed {
            self.storms = changed;
        }
        admission
    }

    /// Removes all storms. An alert that is part of one goes on.
    pub(crate) fn end_storms_so_far(&mut self) {
        for storm in self.storms.clone().storms() {
            self.storms = std::mem::take(&mut self.storms).without(&storm.id);
        }
        let storm = self.stored.as_ref().and_then(Record::storm);
        if storm.is_some() {
            self.queue.push(AlertRequest::Reconsider);
        }
    }

    /// No alerts of the tenant are a storm from now on.
    pub(crate) fn end_storms(&mut self) {
        if let Some(connection) = &mut self.view.connection {
            connection.settings.storm = None;
        }
        self.end_storms_so_far();
    }

    /// A window replaces all others, or there is none from now on.
    fn maintain(&mut self, minutes: Option<u32>) {
        self.view.maintenance = MaintenanceWindows::default();
        self.maintenance_ends = None;
        let Some(minutes) = minutes else { return };
        let starts = at(self.now).to_zoned(TimeZone::UTC).datetime();
        let window = WindowDefinition {
            name: "Window".to_owned(),
            zone: "UTC".to_owned(),
            starts,
            minutes: Some(minutes),
            repeats: Recurrence::Once,
            scope: MaintenanceScope::default(),
            ended_at: None,
        };
        let id = WindowId::parse("window").unwrap();
        let windows = MaintenanceWindows::default();
        self.view.maintenance = windows.with(id, window.try_into().unwrap()).unwrap();
        self.maintenance_ends = Some(self.now + 60 * i64::from(minutes));
    }

    /// When the alert is calm, if it is flapping. Until then its ticket stays open.
    pub(crate) fn calm_at(&self) -> Option<Timestamp> {
        let blocked = self.stored.as_ref()?.blocked.as_ref()?;
        let Blocked::Flapping(until) = blocked.reason else {
            return None;
        };
        Some(until)
    }

    /// Until when the alert gets no ticket, if a technician said so.
    pub(crate) fn no_ticket_until(&self) -> Option<Timestamp> {
        let blocked = self.stored.as_ref()?.blocked.as_ref()?;
        let Blocked::WontFix(until) = blocked.reason else {
            return None;
        };
        Some(until)
    }

    /// At the end of a window, or when the alert is calm, reconcile finds that it may go on.
    pub(crate) fn release_held(&self) -> Result<(), String> {
        let Some(record) = &self.stored else {
            return Ok(());
        };
        let is_held = |blocked: &&BlockedSince| {
            matches!(
                blocked.reason,
                Blocked::Maintenance(_) | Blocked::Flapping(_) | Blocked::WontFix(_)
            )
        };
        let Some(blocked) = record.blocked.as_ref().filter(is_held) else {
            return Ok(());
        };
        let details = record.desired.details.as_ref();
        let status = block_status(blocked, details, &self.view, at(self.now));
        hold!(
            status == BlockStatus::Cleared,
            "{status:?} after its end: {blocked:?}"
        );
        Ok(())
    }

    /// Whether a maintenance window applies now.
    pub(crate) fn is_in_maintenance(&self) -> bool {
        self.maintenance_ends.is_some_and(|end| self.now < end)
    }

    /// A person asks for a ticket again, on a page that may be old.
    fn open_again(&mut self) {
        let record = self.indexed.as_ref().filter(|of| of.can_open_again());
        let Some(record) = record else { return };
        let command = Command {
            key: record.key.clone(),
            occurrence: record.occurrence,
            ticket_id: None,
            action: CommandAction::OpenAgain,
        };
        self.queue.push(AlertRequest::Command(Box::new(command)));
    }

    /// The source answers to what the table asked it, as far as it is known there.
    fn answer(&mut self) {
        let open = self.indexed.as_ref().and_then(Record::open);
        let Some((ticket, asked)) =
            open.and_then(|open| Some((open.ticket_id, open.action.as_ref()?)))
        else {
            return;
        };
        let answer = SourceAnswer {
            key: key(),
            ticket_id: ticket,
            asked_at: asked.at,
            text: format!("asked at {}", asked.at),
        };
        let answer = AlertRequest::Answer(Box::new(answer));
        self.queue.extend([answer.clone(), answer]);
    }

    /// A person changes the open tickets.
    fn change_tickets(&mut self, change: TechnicianChange) {
        let now = self.now;
        for ticket in self
            .tickets
            .iter_mut()
            .filter(|ticket| ticket.open && ticket.is_ours())
        {
            ticket.touched = true;
            let is_work = matches!(
                change,
                TechnicianChange::ToOtherBoard
                    | TechnicianChange::Work
                    | TechnicianChange::AskToAct
            );
            ticket.worked |= is_work;
            if !is_work {
                ticket.ended_at = Some(now);
            }
            match change {
                TechnicianChange::Close => {
                    (ticket.open, ticket.closed_at) = (false, Some(now));
                    ticket.action = None;
                }
                TechnicianChange::WontFix => {
                    (ticket.open, ticket.closed_at) = (false, Some(now));
                    ticket.action = Some(StatusAction::WontFix { days: 1 });
                }
                TechnicianChange::AskToAct => ticket.action = Some(StatusAction::Act),
                TechnicianChange::Delete => ticket.deleted = true,
                // A status belongs to a board.
                TechnicianChange::ToOtherBoard => {
                    ticket.board += 1;
                    ticket.action = None;
                }
                TechnicianChange::Work => {}
                // After a loss, the table adopts the tickets that it finds, on any board.
                TechnicianChange::Move | TechnicianChange::Merge if self.is_set_back => {}
                TechnicianChange::Move => ticket.company = COMPANY + 1,
                TechnicianChange::Merge => {
                    (ticket.merged, ticket.open, ticket.closed_at) = (true, false, Some(now));
                }
            }
        }
    }

    fn is_there_since(&mut self, second: i64, there: bool) {
        if self.is_there() != there {
            self.there.push((second, there));
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.there.last().is_some_and(|(_, there)| *there)
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        if seconds > 0 {
            self.indexed.clone_from(&self.stored);
        }
        self.now += seconds;
        let now = self.now;
        if let Some(end) = self.ends.filter(|end| *end <= now) {
            self.is_there_since(end, false);
        }
        let due_effects = self.pending.extract_if(.., |pending| pending.due <= now);
        let mut due_effects: Vec<_> = due_effects.collect();
        due_effects.sort_by_key(|pending| pending.due);
        for pending in due_effects {
            self.take_effect(pending);
        }
    }

    fn take_effect(&mut self, pending: PendingEffect) {
        let (due, is_late, now) = (pending.due, pending.is_late, self.now);
        match pending.effect {
            Effect::Ticket(mut ticket) => {
                ticket.entered = due;
                ticket.too_late = is_late;
                self.tickets.push(*ticket);
            }
            Effect::Note { ticket, mut note } => {
                note.is_late = is_late;
                let reopens = self.notes_reopen;
                let ticket = self.ticket_mut(ticket);
                ticket.notes.push(note);
                if reopens && !ticket.open && !ticket.deleted {
                    (ticket.open, ticket.closed_at) = (true, None);
                    ticket.action = None;
                    // If a note appears long after its time and a workflow reacts, that looks like
                    // a technician's change.
                    ticket.touched |= is_late;
                    ticket.left_open |= is_late;
                }
            }
            Effect::Status { ticket, open } => {
                let ticket = self.ticket_mut(ticket);
                // A late reopening cannot be foreseen.
                ticket.too_late |= is_late && open && !ticket.open;
                ticket.reopened += usize::from(open && !ticket.open);
                ticket.open = open;
                ticket.closed_at = (!open).then_some(now);
                ticket.action = None;
            }
            Effect::Severity { ticket, severity } => self.ticket_mut(ticket).severity = severity,
            Effect::Link => {}
        }
    }

    /// If the table is lost while a create is uncertain, the table does not know of it, which
    /// cannot be repaired.
    fn lose(&mut self, restored: bool) {
        let uncertain = |record: &Record| record.claim.is_some() || !record.rechecks.is_empty();
        let left_alone = |ticket: &Ticket| ticket.merged || ticket.company != COMPANY;
        // Without the record, an old resolve that is received again looks like the only resolve of
        // the newest raise, by a clock that is slow.
        let sent = |event: &Event| self.sent.iter().any(|sent| sent.receipt == event.receipt);
        let is_retry =
            |message: &AlertRequest| matches!(message, AlertRequest::Event(event) if !sent(event));
        // A lost table cannot know which events without times it had.
        if self.clock != Clock::True
            || self.stored.iter().chain(&self.backup).any(uncertain)
            || !self.pending.is_empty()
            || self.tickets.iter().any(left_alone)
            || self.queue.iter().any(is_retry)
        {
            return;
        }
        self.is_set_back = true;
        // A loss of the table takes time.
        self.pass(60);
        self.stored = self.backup.clone().filter(|_| restored);
        // A restore is announced; a lost table is noticed at the first access.
        self.view.ticket_index = restored.then_some(TicketIndexState::Rebuilding);
    }

    /// The same body again, received now. While the first copy is in the queue, it is unknown which
    /// of the two was first.
    fn retry(&mut self, which: usize) {
        let Some(sent) = self.sent.get(which % self.sent.len().max(1)) else {
            return;
        };
        if self.is_set_back {
            return;
        }
        let is_same = |message: &AlertRequest| match message {
            AlertRequest::Event(event) => event.digest == sent.digest,
            AlertRequest::Command(_)
            | AlertRequest::Reconsider
            | AlertRequest::Release
            | AlertRequest::Answer(_) => false,
        };
        if self.queue.iter().any(is_same) {
            return;
        }
        let mut again = sent.clone();
        self.pass(1);
        again.receipt.at = at(self.now);
        if matches!(self.clock, Clock::None | Clock::Fast) {
            again.occurred_at = at(self.now);
        }
        self.queue.push(AlertRequest::Event(Box::new(again)));
    }

    fn send(&mut self, kind: SourceEvent) {
        match kind {
            SourceEvent::Raised(_) => {
                // Without an event, the alert seems to be active.
                if !self.active {
                    self.began = self.now;
                }
                self.active = true;
            }
            SourceEvent::Resolved if self.active => self.active = false,
            SourceEvent::Updated if self.active && self.is_there() => {}
            SourceEvent::Resolved | SourceEvent::Updated => return,
        }
        self.pass(1);
        let ends = self
            .ends_in
            .take()
            .filter(|_| kind != SourceEvent::Resolved);
        self.ends = ends.map(|seconds| self.now + seconds);
        self.is_there_since(self.now, kind != SourceEvent::Resolved);
        let mut event = event(self.sent.len(), self.now, kind, self.ends);
        match (self.clock, self.sent.first()) {
            (Clock::Creation, Some(first)) => event.occurred_at = first.occurred_at,
            (Clock::Fast, _) => event.receipt.bounds_time = true,
            (Clock::True | Clock::None | Clock::Creation, _) => {}
        }
        event.webhook = domain::outgoing::scope::WebhookScope::EventsAndActions;
        self.sent.push(event.clone());
        self.queue.push(AlertRequest::Event(Box::new(event)));
    }

    pub(crate) fn deliver(&mut self, delivery: &Delivery) -> Result<(), String> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let which = delivery.which % self.queue.len();
        let message = self.queue[which].clone();
        let mut worker = Worker {
            view: message.view(self.view.clone()),
            model: self,
            message: &message,
            delivery,
            touches: 0,
            writes: 0,
            made: None,
        };
        // A message is deleted only if its worker survives and says so.
        match worker.run()? {
            Ok(true) => {
                self.queue.remove(which);
                self.check_outcome()
            }
            Ok(false) | Err(Died) => Ok(()),
        }
    }

    /// ConnectWise refuses the keys: no more calls are made.
    pub(crate) fn refuse(&mut self) {
        self.view.breaker.open = Some(BlockedSince {
            reason: Blocked::ConnectionBroken,
            since: at(self.now),
            refusal: None,
        });
    }

    pub(crate) fn ticket(&self, number: u64) -> &Ticket {
        &self.tickets[usize::try_from(number).unwrap() - 1]
    }

    pub(crate) fn found(&self, number: u64) -> FoundTicket {
        let ticket = self.ticket(number);
        let by_its_clock = |second: i64| at(second + self.clock_off);
        FoundTicket {
            ticket_id: number,
            ticket_ref: Some(ticket.ticket_ref.clone()),
            board_id: Some(ticket.board),
            company_id: Some(ticket.company),
            entered_at: Some(by_its_clock(ticket.entered)),
            raised_at: Some(ticket.raised_at),
            closed: !ticket.open,
            closed_at: ticket.closed_at.map(by_its_clock),
            merged: ticket.merged,
            touched: ticket.touched,
            action: ticket.action,
        }
    }

    pub(crate) fn ticket_mut(&mut self, number: u64) -> &mut Ticket {
        &mut self.tickets[usize::try_from(number).unwrap() - 1]
    }
}
