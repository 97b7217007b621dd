//! Thousands of histories of one alert against a small model of ConnectWise and of what its user expects.
//!
//! A history is a list of operations made from a number: events of a source that tells the truth, in any order and any number of
//! times; answers that are lost, false, or given of something that happens later; workers that die at any step; set-up that changes
//! meanwhile. Whatever it is, an alert never has two tickets for one life, every accepted event ends as something, nobody calls
//! where nobody may, and at the end ConnectWise looks as the source does.
//!
//! A failure prints the history's number, its shortest form that still fails, and the command that plays it again.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fmt::Debug;

use domain::adopt::{Found, adopt, recall, rechecked};
use domain::breaker::Breaker;
use domain::decide::{Decision, Step, decide};
use domain::done::{Done, after};
use domain::event::{Change, Event, Particulars, Payload, Severity};
use domain::fold::fold;
use domain::kind::Role;
use domain::memory::MemoryState;
use domain::record::{Actual, BlockedSince, Claim, ClosedBy, Open, Record};
use domain::settings::{BoardTarget, ConnectionView, LiveConnection, Mapping, Settings, WhenGone};
use domain::{
    AlertId, AlertKey, Blocked, ClaimId, EventId, Kind, PartnerId, SourceId, TenantId, Token,
};
use jiff::{SignedDuration, Timestamp};

const HISTORIES: u64 = 30_000;
const SETTLE: SignedDuration = SignedDuration::from_mins(10);
/// A claim runs for so many seconds: an invocation and its margin.
const CLAIM: i64 = 65;
/// More deliveries than any history needs to come to rest.
const PATIENCE: usize = 400;
const COMPANY: u64 = 19;

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Op {
    /// The source says something new, if it can: it resolves and updates only what is there.
    Say(Say),
    /// An event that was said before comes again.
    Again(usize),
    /// Somebody asks to decide again.
    Reconsider,
    /// One of the messages in the queue is handed to a worker.
    Deliver(Delivery),
    /// So many seconds pass.
    Pass(i64),
    Map(bool),
    Enable(bool),
    /// ConnectWise refuses the connection, or takes it again and a probe has seen it.
    Break(bool),
    /// The table is lost, or set back to what it was at the last back-up.
    Lose {
        restored: bool,
    },
    /// The table as it is now can be restored later.
    BackUp,
    /// The connection points at another ConnectWise.
    Repoint,
    /// A technician closes what is open.
    Technician,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Raised(Severity),
    Updated,
    Resolved,
}

/// One delivery, and how it is disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    /// Which of the waiting messages.
    which: usize,
    /// The worker dies before it touches the table or ConnectWise for the time of this number.
    dies_at: Option<usize>,
    /// How its writes to ConnectWise end, in turn; the rest is answered.
    fates: Vec<Fate>,
    searches: Searches,
}

/// What a worker's searches are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Searches {
    See,
    /// They are not answered.
    Fail,
    /// They do not even show what they must.
    Blind,
    /// They are a moment behind.
    Stale,
}

/// How a write to ConnectWise ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Done, and the answer is lost.
    Lost,
    /// Not done, and answered as if it might have been.
    False500,
    /// Answered as if it might have been done, and done so many seconds later.
    Late(i64),
    /// Not done, and said so: later, please.
    Throttled,
}

/// A search may not yet show what is younger than this.
const BEHIND: i64 = 29;

/// Numbers that look like chance and come from one: the same again for the same seed.
struct Dice(u64);

impl Dice {
    /// `SplitMix64`.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

fn history(seed: u64) -> Vec<Op> {
    let mut dice = Dice(seed);
    let length = 3 + dice.below(30);
    // Half of them know no set-up that changes, so that more of them get far.
    let set_up = dice.one_in(2);
    (0..length).map(|_| op(&mut dice, set_up)).collect()
}

fn op(dice: &mut Dice, set_up: bool) -> Op {
    match dice.below(if set_up { 22 } else { 17 }) {
        0..=2 => Op::Say(Say::Raised(dice.pick(&[
            Severity::Medium,
            Severity::Medium,
            Severity::Critical,
        ]))),
        3 => Op::Say(Say::Updated),
        4..=5 => Op::Say(Say::Resolved),
        6 => Op::Again(dice.below(8)),
        7 if dice.one_in(4) => Op::Technician,
        7 => Op::Reconsider,
        8..=13 => Op::Deliver(delivery(dice)),
        14..=16 => Op::Pass(dice.pick(&[1, 16, 31, 66, 250, 400, 601, 700, 3700])),
        17 => Op::Map(dice.one_in(2)),
        18 => Op::Enable(dice.one_in(2)),
        19 if dice.one_in(4) => Op::Repoint,
        20 if dice.one_in(3) => Op::Lose {
            restored: dice.one_in(2),
        },
        20 => Op::BackUp,
        _ => Op::Break(dice.one_in(2)),
    }
}

fn delivery(dice: &mut Dice) -> Delivery {
    let fates = [
        Fate::Answered,
        Fate::Answered,
        Fate::Lost,
        Fate::False500,
        Fate::Late(20),
        Fate::Late(300),
        Fate::Late(590),
        Fate::Late(1500),
        Fate::Late(9000),
        Fate::Throttled,
    ];
    let disturbed = dice.one_in(2);
    Delivery {
        which: dice.below(8),
        dies_at: dice.one_in(4).then(|| dice.below(9)),
        fates: match disturbed {
            true => (0..=dice.below(2)).map(|_| dice.pick(&fates)).collect(),
            false => vec![],
        },
        searches: dice.pick(&[
            Searches::See,
            Searches::See,
            Searches::See,
            Searches::See,
            Searches::Fail,
            Searches::Blind,
            Searches::Stale,
        ]),
    }
}

/// A ticket in some ConnectWise.
#[derive(Debug, Clone)]
struct Ticket {
    token: Token,
    site: u32,
    open: bool,
    /// When its alert was raised, as it says.
    raised_at: Timestamp,
    /// When it came to be.
    entered: i64,
    /// Long after ConnectWise should have settled.
    too_late: bool,
    closed_at: Option<i64>,
    touched: bool,
    /// The marks of our notes.
    notes: Vec<ClaimId>,
}

/// What the queue carries.
#[derive(Debug, Clone)]
enum Message {
    Event(Box<Event>),
    Reconsider,
    Release,
}

struct Model {
    now: i64,
    /// What the source knows, and what it has said.
    standing: bool,
    said: Vec<Event>,
    queue: Vec<Message>,
    /// The table.
    stored: Option<Record>,
    backup: Option<Record>,
    is_set_back: bool,
    view: ConnectionView,
    broken: bool,
    /// All ConnectWise sites: a ticket's number is its place, from 1.
    tickets: Vec<Ticket>,
    /// What is still to come of writes that were answered before they were done.
    coming: Vec<Ticket>,
    calls: usize,
    claims: usize,
    technician: bool,
}

/// The worker is dead.
struct Died;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn key() -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse("a").unwrap(),
    }
}

fn event(number: usize, second: i64, say: Say) -> Event {
    let particulars = |severity| Particulars {
        kind: Kind::parse("disk").unwrap(),
        role: Role::Operations,
        severity,
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
    Event {
        key: key(),
        id: EventId::parse(format!("e{number}")).unwrap(),
        occurred_at: at(second),
        change: match say {
            Say::Raised(severity) => Change::Raised(particulars(severity)),
            Say::Updated => Change::Updated(particulars(Severity::Medium)),
            Say::Resolved => Change::Resolved,
        },
    }
}

/// What every step must leave as it is; the words say what is not.
macro_rules! hold {
    ($that:expr, $($words:tt)+) => {
        if !$that {
            return Err(format!($($words)+));
        }
    };
}

impl Model {
    fn new(seed: u64) -> Self {
        let target = BoardTarget {
            when_gone: match seed % 4 {
                0 => WhenGone::Note,
                _ => WhenGone::Close,
            },
            reopen_days: if seed.is_multiple_of(5) { 7 } else { 0 },
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: target.clone(),
            cyber_alerts: target,
            kinds_off: std::collections::BTreeSet::default(),
            priorities: [(Severity::Critical, 1), (Severity::Medium, 3)].into(),
            note_interval_minutes: 60,
            notes_for_customers: false,
            epoch: None,
        };
        Self {
            now: 1000,
            standing: false,
            said: vec![],
            queue: vec![],
            stored: None,
            backup: None,
            is_set_back: false,
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
                memory: (!seed.is_multiple_of(3)).then_some(MemoryState::Complete),
            },
            broken: false,
            tickets: vec![],
            coming: vec![],
            calls: 0,
            claims: 0,
            technician: false,
        }
    }

    fn when_gone(&self) -> WhenGone {
        self.view
            .connection
            .as_ref()
            .unwrap()
            .settings
            .operations
            .when_gone
    }

    fn epoch(&self) -> u32 {
        self.view.connection.as_ref().unwrap().epoch
    }

    fn step(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Say(say) => self.say(*say),
            Op::Again(which) => {
                let said = self.said.get(which % self.said.len().max(1));
                self.queue
                    .extend(said.cloned().map(Box::new).map(Message::Event));
            }
            Op::Reconsider => self.queue.push(Message::Reconsider),
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
            Op::Break(yes) => {
                self.broken = *yes;
                if !yes {
                    self.view.breaker = Breaker::default();
                }
            }
            Op::Repoint => {
                self.view.connection.as_mut().unwrap().epoch += 1;
                self.view.memory = None;
                self.view.breaker = Breaker::default();
            }
            Op::BackUp => self.backup.clone_from(&self.stored),
            Op::Lose { restored } => self.lose(*restored),
            Op::Technician => {
                self.technician = true;
                for ticket in self.tickets.iter_mut().filter(|ticket| ticket.open) {
                    ticket.open = false;
                    ticket.closed_at = Some(self.now);
                    ticket.touched = true;
                }
            }
        }
        self.invariants()
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        let now = self.now;
        let come = self.coming.extract_if(.., |ticket| ticket.entered <= now);
        let mut come: Vec<_> = come.collect();
        come.sort_by_key(|ticket| ticket.entered);
        self.tickets.extend(come);
    }

    /// A table that is lost while a create is uncertain does not know of it: that is more than can be mended.
    fn lose(&mut self, restored: bool) {
        let uncertain = |record: &Record| record.claim.is_some() || !record.rechecks.is_empty();
        if self.stored.iter().chain(&self.backup).any(uncertain) || !self.coming.is_empty() {
            return;
        }
        self.is_set_back = true;
        // Nobody loses a table in a moment.
        self.pass(60);
        self.stored = self.backup.clone().filter(|_| restored);
        // A restore says so; a table that is gone is seen to be at the first look.
        self.view.memory = restored.then_some(MemoryState::Rebuilding);
    }

    fn say(&mut self, say: Say) {
        match say {
            Say::Raised(_) => self.standing = true,
            Say::Resolved if self.standing => self.standing = false,
            Say::Updated if self.standing => {}
            Say::Resolved | Say::Updated => return,
        }
        self.now += 1;
        let event = event(self.said.len(), self.now, say);
        self.said.push(event.clone());
        self.queue.push(Message::Event(Box::new(event)));
    }

    fn deliver(&mut self, delivery: &Delivery) -> Result<(), String> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let which = delivery.which % self.queue.len();
        let message = self.queue[which].clone();
        let mut worker = Worker {
            view: self.view.clone(),
            model: self,
            message: &message,
            event: match &message {
                Message::Event(event) => Some(event),
                Message::Reconsider | Message::Release => None,
            },
            delivery,
            touches: 0,
            writes: 0,
        };
        // A message goes only when a worker that is alive says so.
        match worker.run()? {
            Ok(true) => {
                self.queue.remove(which);
                self.is_accounted_for()
            }
            Ok(false) | Err(Died) => Ok(()),
        }
    }

    fn invariants(&self) -> Result<(), String> {
        // One that comes long after its time cannot be foreseen. It is found and closed later.
        let tickets: Vec<_> = self
            .tickets
            .iter()
            .filter(|ticket| !ticket.too_late)
            .collect();
        // Of another ConnectWise, a table that was lost knows nothing.
        let known = |site| site == self.epoch() || !self.is_set_back;
        let open = tickets
            .iter()
            .filter(|ticket| ticket.open && known(ticket.site));
        let open: Vec<_> = open.collect();
        hold!(open.len() <= 1, "two open tickets: {open:?}");
        for (number, ticket) in tickets.iter().enumerate() {
            let rest = &tickets[number + 1..];
            let again = rest
                .iter()
                .any(|other| other.token == ticket.token && other.site == ticket.site);
            hold!(!again, "two tickets for one life: {}", ticket.token);
            let mut marks = ticket.notes.clone();
            marks.sort_by(|a, b| a.as_str().cmp(b.as_str()));
            marks.dedup();
            hold!(
                marks.len() == ticket.notes.len(),
                "a note twice: {:?}",
                ticket.notes
            );
        }
        Ok(())
    }

    /// Where no message waits, the record says what became of the events: a ticket, an end, or why not.
    fn is_accounted_for(&self) -> Result<(), String> {
        let waits = |message: &Message| matches!(message, Message::Event(_));
        if self.queue.iter().any(waits) || self.is_set_back {
            return Ok(());
        }
        let Some(record) = &self.stored else {
            hold!(
                self.said.is_empty(),
                "events are gone, and nothing is known of them"
            );
            return Ok(());
        };
        let standing = record.wanted.standing;
        hold!(
            standing == self.standing,
            "the source's last word is not what is wanted: {record:?}"
        );
        let accounted = match (&record.actual, standing) {
            _ if record.blocked.is_some() => true,
            (Some(Actual::Open(_)), true) | (Some(Actual::Closed(_)) | None, false) => true,
            (Some(Actual::Closed(closed)), true) => {
                closed.episode == record.episode && closed.by == ClosedBy::Technician
            }
            (Some(Actual::Open(_)), false) => self.when_gone() == WhenGone::Note,
            (None, true) => false,
        };
        hold!(
            accounted,
            "no message waits, and it is not done: {record:?}"
        );
        Ok(())
    }

    /// Every event once more, in order.
    fn replay(&mut self) -> Result<(), String> {
        self.queue = self
            .said
            .iter()
            .cloned()
            .map(Box::new)
            .map(Message::Event)
            .collect();
        self.drain()
    }

    /// All is mended and handed out again until nothing waits; then ConnectWise must look as the source does.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.step(&Op::Break(false))?;
        self.step(&Op::Map(true))?;
        self.step(&Op::Enable(true))?;
        self.drain()?;
        if self.is_set_back {
            self.replay()?;
        }
        // What blocked is gone, what stood too long a person lets go on, and what was given up is searched for once more.
        self.queue = vec![Message::Reconsider, Message::Release];
        self.drain()?;
        for _ in 0..10 {
            let Some(due) = self.stored.as_ref().and_then(Record::look_at) else {
                break;
            };
            self.pass((due.as_second() - at(self.now).as_second()).max(0) + 1);
            self.queue.push(Message::Reconsider);
            self.drain()?;
        }
        self.agrees()?;
        // An update that overtakes its raise, in a later life than the first, is not heard. It is when it comes again, once.
        if self
            .said
            .iter()
            .any(|event| matches!(event.change, Change::Updated(_)))
        {
            self.replay()?;
            self.agrees()?;
        }
        // A note that was too soon is made when it is next asked for.
        self.pass(3700);
        self.queue.push(Message::Reconsider);
        self.drain()?;
        // A text may be kept that was not, while the record is blocked.
        let without_text = |record: Option<&Record>| {
            record.map(|record| Record {
                payload: None,
                ..record.clone()
            })
        };
        let (calls, record) = (self.calls, without_text(self.stored.as_ref()));
        self.replay()?;
        hold!(self.calls == calls, "a replay calls ConnectWise");
        let replayed = without_text(self.stored.as_ref());
        hold!(
            replayed == record,
            "a replay changes {record:?}\nto {replayed:?}"
        );
        Ok(())
    }

    fn drain(&mut self) -> Result<(), String> {
        let undisturbed = Delivery {
            which: 0,
            dies_at: None,
            fates: vec![],
            searches: Searches::See,
        };
        for _ in 0..PATIENCE {
            if self.queue.is_empty() {
                return Ok(());
            }
            self.deliver(&undisturbed)?;
            self.invariants()?;
            if !self.queue.is_empty() {
                self.queue.rotate_left(1);
                self.pass(16);
            }
        }
        Err(format!("no end in sight: {:?}", self.stored))
    }

    fn agrees(&self) -> Result<(), String> {
        let Some(record) = &self.stored else {
            hold!(
                self.said.is_empty(),
                "events are gone, and nothing is known of them"
            );
            return Ok(());
        };
        hold!(
            record.claim.is_none() || record.blocked.is_some(),
            "a claim is left: {record:?}"
        );
        let blocked = record.blocked.as_ref().map(|blocked| &blocked.reason);
        if blocked == Some(&Blocked::OtherSite) {
            return Ok(());
        }
        hold!(
            blocked.is_none(),
            "blocked, though nothing stands in the way: {record:?}"
        );
        let left = record.rechecks.len() + record.duplicates.len();
        hold!(left == 0, "something is left to do: {record:?}");
        let here = |ticket: &&Ticket| ticket.open && ticket.site == self.epoch();
        let open = self.tickets.iter().filter(here).count();
        let standing = record.wanted.standing;
        hold!(
            standing == self.standing,
            "the source's last word is not what is wanted: {record:?}"
        );
        let ended_by_person = matches!(
            &record.actual,
            Some(Actual::Closed(closed)) if closed.episode == record.episode && closed.by == ClosedBy::Technician
        );
        let kept = self.when_gone() == WhenGone::Note && record.open().is_some();
        let wanted = usize::from(self.standing && !ended_by_person || kept);
        // What a technician closed unseen is seen when the ticket is next needed. A table that was set back may not know of a
        // ticket of a later life until all tickets are imported.
        hold!(
            open == wanted || open < wanted && self.technician || open <= 1 && self.is_set_back,
            "{open} open tickets, {wanted} wanted: {record:?}"
        );
        Ok(())
    }
}

/// One worker with one message, as `tickets` works.
struct Worker<'a> {
    view: ConnectionView,
    model: &'a mut Model,
    message: &'a Message,
    event: Option<&'a Event>,
    delivery: &'a Delivery,
    touches: usize,
    writes: usize,
}

type Alive<T> = Result<T, Died>;
/// A call was done, or what came of it instead.
type Heard = Result<(), Called>;

/// What came of a call.
enum Called {
    Made(u64),
    Done(Done),
    Uncertain,
    Refused,
    Throttled,
}

/// What came of a search.
enum Looked {
    Shown(Vec<Found>),
    Blind,
    Failed,
    Refused,
}

/// What a write goes by.
struct Attempt<'a> {
    claim: &'a Claim,
    takeover: bool,
    standing: bool,
}

impl Worker<'_> {
    /// Whether the message may go; or the worker died.
    fn run(&mut self) -> Result<Alive<bool>, String> {
        for _ in 0..30 {
            if self.touch().is_err() {
                return Ok(Err(Died));
            }
            let stored = self.model.stored.clone();
            let stored = stored.unwrap_or_else(|| Record::new(key()));
            let record = match self.message {
                Message::Event(event) => fold(stored.clone(), event),
                Message::Reconsider => stored.clone(),
                Message::Release => stored.clone().released(),
            };
            let record = record.in_epoch(self.model.epoch());
            let now = at(self.model.now);
            let went_on = match decide(&record, &self.view, SETTLE, now) {
                Decision::Nothing(_) => {
                    return Ok(self.save(&stored, record.at_rest()).map(|()| true));
                }
                Decision::Wait { .. } => return Ok(self.save(&stored, record).map(|()| false)),
                Decision::Block(reason) => {
                    return Ok(self.block(&stored, record, reason).map(|()| true));
                }
                Decision::Search => self.search(&stored, record),
                Decision::Recheck(recheck) => self.look(Some(&recheck.token)).and_then(|looked| {
                    let looked = match looked {
                        Looked::Shown(found) => rechecked(record, &recheck, &found, now),
                        Looked::Blind | Looked::Failed | Looked::Refused => {
                            record.with_recheck_put_off(&recheck.token, now)
                        }
                    };
                    self.save(&stored, looked).map(|()| None)
                }),
                Decision::Recall => self.recall(&stored, record),
                Decision::Remember => self.remember(&stored, record),
                Decision::Write(step) => {
                    if matches!(step, Step::Create(_)) && record.text(self.event).is_none() {
                        // The message that raised it is still in the queue and has the text.
                        return Ok(Ok(false));
                    }
                    self.may_write(&step)?;
                    self.write(&step, record)
                }
            };
            match went_on {
                Ok(None) => {}
                Ok(Some(goes)) => return Ok(Ok(goes)),
                Err(Died) => return Ok(Err(Died)),
            }
        }
        Err(format!("no end in sight: {:?}", self.model.stored))
    }

    /// The worker touches the table or ConnectWise, unless it dies just before.
    fn touch(&mut self) -> Alive<()> {
        if self.delivery.dies_at == Some(self.touches) {
            return Err(Died);
        }
        self.touches += 1;
        Ok(())
    }

    fn save(&mut self, before: &Record, record: Record) -> Alive<()> {
        if *before != record {
            self.touch()?;
            self.model.stored = Some(record);
        }
        Ok(())
    }

    fn block(&mut self, stored: &Record, record: Record, reason: Blocked) -> Alive<()> {
        let text = record.text(self.event).cloned();
        let text = text.filter(|_| record.wanted.standing);
        let blocked = record.with_blocked(reason, text.as_ref(), at(self.model.now));
        self.save(stored, blocked)
    }

    /// Nobody writes where nobody may, as the worker saw it when it began.
    fn may_write(&self, step: &Step) -> Result<(), String> {
        let model = &*self.model;
        let breaker = &self.view.breaker;
        hold!(breaker.open.is_none(), "a call though nobody may call");
        hold!(breaker.pause(at(model.now)).is_none(), "a call in a pause");
        let ticket = match step {
            Step::Create(_) => {
                let mapping = model.view.mapping.as_ref().unwrap();
                let may = mapping.company == Some(COMPANY) && mapping.enabled;
                hold!(may, "a ticket for a tenant that has none");
                return Ok(());
            }
            Step::NoteRepeats { ticket_id, .. }
            | Step::NoteGone { ticket_id }
            | Step::Patch { ticket_id, .. }
            | Step::Close { ticket_id } => *ticket_id,
            Step::Reopen(reopen) => reopen.ticket_id,
            Step::Repair { duplicate, .. } => duplicate.ticket_id,
        };
        let site = model.ticket(ticket).site;
        hold!(
            site == model.epoch(),
            "a ticket of another ConnectWise: {step:?}"
        );
        Ok(())
    }

    /// Looks for tickets that carry a token, or any.
    fn look(&mut self, token: Option<&Token>) -> Alive<Looked> {
        self.touch()?;
        let model = &mut *self.model;
        if model.broken {
            model.refuse();
            return Ok(Looked::Refused);
        }
        let shown_until = match self.delivery.searches {
            Searches::Fail => return Ok(Looked::Failed),
            Searches::Blind if token.is_some() => return Ok(Looked::Blind),
            Searches::See | Searches::Blind => model.now,
            Searches::Stale => model.now - BEHIND,
        };
        let there = (1..).zip(&model.tickets).filter(|(_, ticket)| {
            let asked = token.is_none_or(|token| *token == ticket.token);
            asked && ticket.site == model.epoch() && ticket.entered <= shown_until
        });
        Ok(Looked::Shown(there.map(found).collect()))
    }

    fn search(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        let claim = record.claim.clone().unwrap();
        let now = at(self.model.now);
        let record = match self.look(Some(&claim.token))? {
            Looked::Failed => return self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                return blocked.map(|()| Some(true));
            }
            Looked::Blind => record.with_blind_visit(now),
            Looked::Shown(found) if found.is_empty() => record.with_empty_visit(SETTLE, now),
            Looked::Shown(found) => adopt(record, &claim, &found, now),
        };
        self.save(stored, record)?;
        Ok(None)
    }

    fn recall(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        let now = at(self.model.now);
        match self.look(None)? {
            Looked::Failed | Looked::Blind => self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            Looked::Shown(found) => {
                let recalled = recall(record.clone(), &found, self.model.epoch(), now);
                if recalled == record {
                    self.view.memory = Some(MemoryState::Complete);
                    return Ok(None);
                }
                self.save(stored, recalled).map(|()| None)
            }
        }
    }

    fn remember(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        match self.look(None)? {
            Looked::Failed | Looked::Blind => self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            Looked::Shown(found) => {
                self.touch()?;
                let memory = match found.is_empty() {
                    true => MemoryState::Complete,
                    false => MemoryState::Rebuilding,
                };
                self.model.view.memory = Some(memory);
                self.view.memory = Some(memory);
                Ok(None)
            }
        }
    }

    /// Claims, calls, and records; tells whether the message may go where that is known.
    fn write(&mut self, step: &Step, record: Record) -> Alive<Option<bool>> {
        let text = record.text(self.event).cloned();
        let takeover = record.claim.clone().filter(|claim| claim.op == step.op());
        let claim = self.claim(step, &record, takeover.as_ref());
        let before = record.clone();
        let record = record.with_claim(claim.clone());
        self.save(&before, record.clone())?;
        let now = at(self.model.now);
        let attempt = Attempt {
            claim: &claim,
            takeover: takeover.is_some(),
            standing: record.wanted.standing,
        };
        let called = match step {
            Step::Create(create) => self.create(&claim, create.raised_at)?,
            Step::Close { ticket_id } => self.close(*ticket_id, &attempt)?,
            Step::Patch { ticket_id, .. } => self.patch(*ticket_id)?,
            Step::NoteRepeats { ticket_id, .. } | Step::NoteGone { ticket_id } => {
                self.note_on(*ticket_id, &attempt)?
            }
            Step::Reopen(reopen) => self.reopen(reopen.ticket_id, &attempt)?,
            Step::Repair { duplicate, kept } => {
                self.repair(duplicate.ticket_id, *kept, &attempt)?
            }
        };
        let recorded = match &called {
            Called::Made(ticket) => {
                let open = Open::new(*ticket, None, &claim, now);
                record.clone().with_made(open, &claim)
            }
            Called::Done(done) => after(record.clone(), step, done, now),
            Called::Uncertain => record.clone().with_uncertain(text.as_ref(), now),
            Called::Throttled => Record {
                claim: takeover,
                ..record.clone()
            },
            Called::Refused => {
                let undone = Record {
                    claim: takeover,
                    ..record.clone()
                };
                undone.with_blocked(Blocked::ConnectionBroken, text.as_ref(), now)
            }
        };
        self.save(&record, recorded)?;
        Ok(match called {
            Called::Made(_) | Called::Done(_) | Called::Uncertain => None,
            Called::Refused => Some(true),
            Called::Throttled => Some(false),
        })
    }

    fn claim(&mut self, step: &Step, record: &Record, before: Option<&Claim>) -> Claim {
        self.model.claims += 1;
        let id = ClaimId::parse(format!("c{}", self.model.claims)).unwrap();
        let about = record.wanted.about.as_ref();
        Claim {
            marker: before.map_or_else(|| id.clone(), |before| before.marker.clone()),
            id,
            op: step.op(),
            reason: "test".into(),
            token: match step {
                Step::Create(_) => record.token(),
                Step::Reopen(reopen) => reopen.token.clone(),
                Step::Repair { duplicate, .. } => duplicate.token.clone(),
                Step::NoteRepeats { .. }
                | Step::NoteGone { .. }
                | Step::Patch { .. }
                | Step::Close { .. } => record.ticket_token(),
            },
            board_id: None,
            company_id: COMPANY,
            epoch: self.model.epoch(),
            severity: about.map_or(Severity::Informational, |about| about.severity),
            began_at: at(self.model.now),
            until: at(self.model.now + CLAIM),
            uncertain_at: None,
            attempts: 1,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
        }
    }

    /// A write reaches ConnectWise, and its fate is known: what is heard of it, and when it is done, if it is.
    fn call(&mut self) -> Alive<(Heard, Option<i64>)> {
        self.touch()?;
        self.model.calls += 1;
        let fate = self.delivery.fates.get(self.writes).copied();
        self.writes += 1;
        let now = self.model.now;
        if self.model.broken {
            self.model.refuse();
            return Ok((Err(Called::Refused), None));
        }
        Ok(match fate.unwrap_or(Fate::Answered) {
            Fate::Answered => (Ok(()), Some(now)),
            Fate::Lost => (Err(Called::Uncertain), Some(now)),
            Fate::False500 => (Err(Called::Uncertain), None),
            Fate::Late(seconds) => (Err(Called::Uncertain), Some(now + seconds)),
            Fate::Throttled => {
                self.model.view.breaker.paused_until = Some(at(now + 30));
                (Err(Called::Throttled), None)
            }
        })
    }

    fn create(&mut self, claim: &Claim, raised_at: Timestamp) -> Alive<Called> {
        let (heard, done) = self.call()?;
        if let Some(entered) = done {
            let ticket = Ticket {
                token: claim.token.clone(),
                site: self.model.epoch(),
                open: true,
                raised_at,
                entered,
                too_late: entered - self.model.now > SETTLE.as_secs(),
                closed_at: None,
                touched: false,
                notes: vec![],
            };
            self.model.coming.push(ticket);
            self.model.pass(0);
        }
        Ok(match heard {
            Ok(()) => Called::Made(self.model.tickets.len() as u64),
            Err(called) => called,
        })
    }

    /// Reads a ticket: whether it is open.
    fn read(&mut self, ticket: u64) -> Alive<Result<bool, Called>> {
        self.touch()?;
        if self.model.broken {
            self.model.refuse();
            return Ok(Err(Called::Refused));
        }
        Ok(Ok(self.model.ticket(ticket).open))
    }

    /// Sets a ticket's status. A late one of these is done at once and heard of as if it were not.
    fn set_open(&mut self, ticket: u64, open: bool) -> Alive<Heard> {
        let (heard, done) = self.call()?;
        let now = self.model.now;
        if done.is_some() {
            let ticket = self.model.ticket_mut(ticket);
            ticket.open = open;
            ticket.closed_at = (!open).then_some(now);
        }
        Ok(heard)
    }

    fn close(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket)? {
            Err(called) => return Ok(called),
            Ok(false) if attempt.takeover => {}
            Ok(false) => return Ok(Called::Done(Done::Ended(ClosedBy::Technician))),
            Ok(true) if attempt.standing => return Ok(Called::Done(Done::Dropped)),
            Ok(true) => {
                if let Err(called) = self.set_open(ticket, false)? {
                    return Ok(called);
                }
            }
        }
        self.say_why(ticket, attempt, Done::Ended(ClosedBy::Us))
    }

    /// The status is set: a note that is refused does not undo that.
    fn say_why(&mut self, ticket: u64, attempt: &Attempt<'_>, done: Done) -> Alive<Called> {
        Ok(match self.note(ticket, attempt)? {
            Err(Called::Uncertain) => Called::Uncertain,
            Ok(()) | Err(_) => Called::Done(done),
        })
    }

    fn reopen(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket)? {
            Err(called) => return Ok(called),
            Ok(true) => {}
            Ok(false) if !attempt.standing => return Ok(Called::Done(Done::Dropped)),
            Ok(false) => {
                if let Err(called) = self.set_open(ticket, true)? {
                    return Ok(called);
                }
            }
        }
        self.say_why(ticket, attempt, Done::Reopened { board_id: None })
    }

    fn repair(&mut self, ticket: u64, kept: Option<u64>, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket)? {
            Err(called) => return Ok(called),
            Ok(false) if attempt.takeover => {}
            Ok(false) => return Ok(Called::Done(Done::Repaired)),
            Ok(true) => {
                if let Err(called) = self.note(ticket, attempt)? {
                    return Ok(called);
                }
                if let Err(called) = self.set_open(ticket, false)? {
                    return Ok(called);
                }
            }
        }
        if let Some(kept) = kept
            && let Err(called) = self.note(kept, attempt)?
        {
            return Ok(called);
        }
        Ok(Called::Done(Done::Repaired))
    }

    fn patch(&mut self, ticket: u64) -> Alive<Called> {
        let (heard, _) = self.call()?;
        let done = match self.model.ticket(ticket).open {
            true => Done::Patched,
            false => Done::Ended(ClosedBy::Technician),
        };
        Ok(heard.map_or_else(|called| called, |()| Called::Done(done)))
    }

    fn note_on(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket)? {
            Err(called) => return Ok(called),
            Ok(false) => return Ok(Called::Done(Done::Ended(ClosedBy::Technician))),
            Ok(true) => {}
        }
        let noted = self.note(ticket, attempt)?;
        Ok(noted.map_or_else(|called| called, |()| Called::Done(Done::Noted)))
    }

    /// A takeover looks for the mark first.
    fn note(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Heard> {
        let mark = &attempt.claim.marker;
        if attempt.takeover && self.model.ticket(ticket).notes.contains(mark) {
            return Ok(Ok(()));
        }
        let (heard, done) = self.call()?;
        if done.is_some() {
            self.model.ticket_mut(ticket).notes.push(mark.clone());
        }
        Ok(heard)
    }
}

impl Model {
    /// ConnectWise refuses the keys: from now on nobody calls.
    fn refuse(&mut self) {
        self.view.breaker.open = Some(BlockedSince {
            reason: Blocked::ConnectionBroken,
            since: at(self.now),
        });
    }

    fn ticket(&self, number: u64) -> &Ticket {
        &self.tickets[usize::try_from(number).unwrap() - 1]
    }

    fn ticket_mut(&mut self, number: u64) -> &mut Ticket {
        &mut self.tickets[usize::try_from(number).unwrap() - 1]
    }
}

fn found((number, ticket): (u64, &Ticket)) -> Found {
    Found {
        ticket_id: number,
        token: Some(ticket.token.clone()),
        board_id: None,
        company_id: Some(COMPANY),
        entered_at: Some(at(ticket.entered)),
        raised_at: Some(ticket.raised_at),
        closed: !ticket.open,
        closed_at: ticket.closed_at.map(at),
        merged: false,
        touched: ticket.touched,
    }
}

fn play(seed: u64, ops: &[Op]) -> Result<(), String> {
    let mut model = Model::new(seed);
    for op in ops {
        model.step(op)?;
    }
    model.come_to_rest()
}

/// Leaves out what is not needed for the history to fail.
fn shortest(seed: u64, mut ops: Vec<Op>) -> Vec<Op> {
    let mut at = 0;
    while at < ops.len() {
        let mut fewer = ops.clone();
        fewer.remove(at);
        if play(seed, &fewer).is_err() {
            (ops, at) = (fewer, 0);
        } else {
            at += 1;
        }
    }
    ops
}

#[expect(clippy::disallowed_methods, reason = "how a failure is played again")]
fn only() -> Option<u64> {
    std::env::var("TICKETBRIDGE_TEST_HISTORY")
        .ok()?
        .parse()
        .ok()
}

#[test]
fn whatever_happens_each_life_of_an_alert_has_one_ticket() {
    let seeds = only().map_or(0..HISTORIES, |seed| seed..seed + 1);
    for seed in seeds {
        let ops = history(seed);
        let Err(_) = play(seed, &ops) else { continue };
        let ops = shortest(seed, ops);
        let words = play(seed, &ops).unwrap_err();
        let list: String = ops.iter().map(|op| format!("  {op:?}\n")).collect();
        let again = "cargo test -p domain --test histories";
        panic!("history {seed}: {words}\n{list}again: TICKETBRIDGE_TEST_HISTORY={seed} {again}");
    }
}
