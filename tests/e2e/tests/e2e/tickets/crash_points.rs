//! A worker may die at any of its calls, the next one at any of its calls, and two may run concurrently:
//! the alert still gets one ticket.
//!
//! A proxy numbers all calls of a worker: to the tables, the secrets, the queue and ConnectWise. A
//! scenario says where workers die, or where two of them are paused. Afterwards the queue delivers the
//! messages again after their visibility timeout until they are done. Workers use the scenario's clock,
//! so hours pass without waiting.
//!
//! The tests were seen to fail for each of these defects: no claim in the table, a claim that is not
//! waited for, a POST without a search before it, a message acknowledged before its effect was recorded,
//! found tickets not adopted, a note's marker not searched for, a dead worker's close attributed to a
//! technician, and writes that do not check `rev`.
//!
//! A failure prints its scenario. Set `TICKETBRIDGE_TEST_CRASHES` to that line to replay only it, with
//! all its calls.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::event::{Change, Event, Particulars, Payload, Severity};
use domain::kind::Category;
use domain::message::Message;
use domain::record::{Actual, ClosedBy, Op};
use domain::ticket_index::TicketIndexState;
use domain::{EventId, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tickets::{BatchInvocation, Config, TicketsHandler};
use tokio::task::JoinSet;

use crate::environment::{TENANT, TestEnvironment, key};
use crate::proxy::{Call, Proxy, Stop, When};

/// The number of scenarios that run concurrently, each in an environment of its own.
const LANES: usize = 8;
/// The function's time-out and the queue's visibility timeout, as in the template.
const FUNCTION: SignedDuration = SignedDuration::from_secs(60);
const VISIBILITY: SignedDuration = SignedDuration::from_secs(360);
/// The settling time, as in the template.
const SETTLE: SignedDuration = SignedDuration::from_mins(10);
/// More runs than any recovery needs.
const MAX_RUNS: usize = 40;
/// The number of failures after which the test stops.
const MAX_FAILURES: usize = 5;

/// What the disturbed batch contains. Earlier messages are worked off undisturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// An alert is raised.
    Raise,
    /// An alert with an open ticket is resolved.
    Resolve,
    /// An alert is raised and resolved in one batch.
    Both,
    /// An alert with an open ticket is raised again.
    Repeat,
    /// An alert is resolved and recurs in one batch, while its ticket is open.
    Return,
    /// An alert is raised before it is known whether ConnectWise has tickets of ours.
    First,
    /// An alert is raised again after the table lost its record.
    Forgotten,
    /// An alert is raised again, and ConnectWise does not answer the first note.
    UnansweredNote,
    /// An alert is resolved, and ConnectWise does not answer the first close.
    UnansweredClose,
}

const STORIES: [Story; 9] = [
    Story::Raise,
    Story::Resolve,
    Story::Both,
    Story::Repeat,
    Story::Return,
    Story::First,
    Story::Forgotten,
    Story::UnansweredNote,
    Story::UnansweredClose,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Raised,
    Resolved,
}

impl Story {
    fn before(self) -> &'static [EventKind] {
        match self {
            Self::Raise | Self::Both | Self::First => &[],
            Self::Resolve
            | Self::Repeat
            | Self::Return
            | Self::Forgotten
            | Self::UnansweredNote
            | Self::UnansweredClose => &[EventKind::Raised],
        }
    }

    fn batch(self) -> &'static [EventKind] {
        match self {
            Self::Raise | Self::Repeat | Self::First | Self::Forgotten | Self::UnansweredNote => {
                &[EventKind::Raised]
            }
            Self::Resolve | Self::UnansweredClose => &[EventKind::Resolved],
            Self::Both => &[EventKind::Raised, EventKind::Resolved],
            Self::Return => &[EventKind::Resolved, EventKind::Raised],
        }
    }
}

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Violation {
    /// A ticket or note exists twice.
    Doubled,
    /// A ticket, note or close is missing, or a message is never done.
    Lost,
    /// The table and ConnectWise disagree.
    Untrue,
}

/// How two workers share a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchSharing {
    /// Each has the whole batch: the queue delivered it twice.
    Same,
    /// The first worker has the first message, the second worker the second.
    Apart,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scenario {
    /// Workers that die one after the other. Calls are counted from the previous death.
    Deaths(Story, Vec<Stop>),
    /// Two workers, the second started `later`: the first is paused, the second runs until it is paused or
    /// ends, the first runs to its end, and then the second does.
    Two {
        story: Story,
        share: BatchSharing,
        first: Stop,
        second: Option<Stop>,
        later: SignedDuration,
    },
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stop = |stop: &Stop| format!("{}-{:?}", stop.at, stop.when);
        match self {
            Self::Deaths(story, deaths) => {
                write!(f, "deaths {story:?}")?;
                deaths
                    .iter()
                    .try_for_each(|death| write!(f, " {}", stop(death)))
            }
            Self::Two {
                story,
                share,
                first,
                second,
                later,
            } => {
                let second = second.as_ref().map_or_else(|| "end".to_owned(), stop);
                let (first, later) = (stop(first), later.as_secs());
                write!(f, "two {story:?} {share:?} {first} {second} {later}")
            }
        }
    }
}

impl Scenario {
    fn parse(line: &str) -> Self {
        let stop = |word: &str| {
            let (at, when) = word.split_once('-')?;
            let when = [When::Before, When::Lost, When::After]
                .into_iter()
                .find(|known| format!("{known:?}") == when)?;
            let at = at.parse().unwrap();
            Some(Stop { at, when })
        };
        let words: Vec<_> = line.split_whitespace().collect();
        let story = STORIES
            .into_iter()
            .find(|story| format!("{story:?}") == words[1])
            .unwrap();
        match words[0] {
            "deaths" => Self::Deaths(
                story,
                words[2..].iter().map(|word| stop(word).unwrap()).collect(),
            ),
            _ => Self::Two {
                story,
                share: match words[2] {
                    "Same" => BatchSharing::Same,
                    _ => BatchSharing::Apart,
                },
                first: stop(words[3]).unwrap(),
                second: stop(words[4]),
                later: SignedDuration::from_secs(words[5].parse().unwrap()),
            },
        }
    }
}

/// An environment with two seats for workers, each behind a proxy.
struct Lane {
    env: TestEnvironment,
    seats: [Seat; 2],
    /// Receipts of messages that are really in flight, so that the queue accepts the workers' calls.
    receipts: Vec<String>,
}

struct Seat {
    proxy: Proxy,
    config: Config,
}

impl Lane {
    async fn new() -> Self {
        let mut env = TestEnvironment::new().await;
        env.tickets_config.settle = SETTLE;
        let mut seats = vec![];
        for name in ["one", "two"] {
            let proxy = env.proxy().await;
            let config = env.config_through(name, &proxy).await;
            seats.push(Seat { proxy, config });
        }
        let mut receipts = vec![];
        for _ in 0..2 {
            env.queue.send("in flight").await;
            let (event, _) = env.queue.receive().await;
            receipts.extend(event.records[0].receipt_handle.clone());
        }
        Self {
            env,
            seats: seats.try_into().ok().unwrap(),
            receipts,
        }
    }
}

/// A message in the simulated queue.
struct QueuedMessage {
    number: usize,
    body: String,
    received: u32,
    visible_at: Timestamp,
    is_done: bool,
}

/// A worker with its batch, ready to run.
struct Worker {
    app: TicketsHandler,
    batch: SqsEvent,
    numbers: Vec<usize>,
    invocation: BatchInvocation,
    begins: Timestamp,
}

impl Worker {
    async fn run(&self) -> SqsBatchResponse {
        self.app.handle(self.batch.clone(), &self.invocation).await
    }
}

/// The result of a scenario.
struct ScenarioResult {
    /// The calls since the last death, or those of the second of two workers.
    calls: Vec<Call>,
    /// The calls at which workers died.
    died_at: Vec<Call>,
    /// Whether every stop was reached.
    is_whole: bool,
    violation: Option<(Violation, String)>,
    report: String,
}

/// A running scenario.
struct ScenarioRun<'a> {
    lane: &'a Lane,
    story: Story,
    alert: String,
    names: [String; 2],
    messages: Vec<QueuedMessage>,
    now: Timestamp,
    runs: usize,
    report: String,
}

impl<'a> ScenarioRun<'a> {
    /// Sets up a scenario in an empty ConnectWise and works off the story's earlier messages.
    async fn set(lane: &'a Lane, story: Story, number: usize) -> Self {
        lane.env.connectwise.reset().await;
        lane.env
            .database
            .set_ticket_index(Some(TicketIndexState::Complete))
            .await;
        let mut run = Self {
            lane,
            story,
            alert: format!("{story:?}-{number}"),
            names: [const { String::new() }; 2],
            messages: vec![],
            now: Timestamp::now(),
            runs: 0,
            report: String::new(),
        };
        let before = story.before();
        run.put(before, 0);
        run.work_until_done(&[]).await;
        match story {
            Story::Raise | Story::Resolve | Story::Both | Story::Repeat | Story::Return => {}
            Story::First => lane.env.database.set_ticket_index(None).await,
            Story::Forgotten => {
                lane.env.database.delete_record(&run.alert).await;
                let rebuilding = Some(TicketIndexState::Rebuilding);
                lane.env.database.set_ticket_index(rebuilding).await;
            }
            Story::UnansweredNote => lane.env.connectwise.set_faults(unanswered("note")).await,
            Story::UnansweredClose => lane.env.connectwise.set_faults(unanswered("close")).await,
        }
        run.put(story.batch(), before.len());
        run
    }

    /// Puts messages into the simulated queue. `before` events of the alert precede them.
    fn put(&mut self, kinds: &[EventKind], before: usize) {
        let message = |(number, what): (usize, &EventKind)| QueuedMessage {
            number,
            body: message(&self.alert, *what, before + number),
            received: 0,
            visible_at: self.now,
            is_done: false,
        };
        self.messages = kinds.iter().enumerate().map(message).collect();
    }

    /// Starts a new count of calls at a seat.
    fn count(&mut self, seat: usize, stop: Option<Stop>) {
        self.names[seat] = self.lane.seats[seat].proxy.count(stop);
    }

    /// A new process with those of the messages that are visible now.
    fn worker(&mut self, seat: usize, share: Range<usize>) -> Worker {
        self.runs += 1;
        let Seat { proxy, config } = &self.lane.seats[seat];
        let aws = self
            .lane
            .env
            .account
            .sdk_config_through(&proxy.origin, &self.names[seat]);
        let mut batch = SqsEvent::default();
        let mut numbers = vec![];
        for message in &mut self.messages[share] {
            if message.is_done || message.visible_at > self.now {
                continue;
            }
            message.received += 1;
            let mut record = SqsMessage::default();
            record.message_id = Some(message.number.to_string());
            record.receipt_handle = Some(self.lane.receipts[message.number].clone());
            record.body = Some(message.body.clone());
            let received = message.received.to_string();
            let received = [("ApproximateReceiveCount".to_owned(), received)];
            record.attributes = received.into();
            batch.records.push(record);
            numbers.push(message.number);
        }
        let name = format!("{}-{}", self.alert, self.runs);
        Worker {
            app: TicketsHandler::build(config, &aws).unwrap(),
            batch,
            numbers,
            invocation: BatchInvocation::at(&name, self.now, self.now + FUNCTION),
            begins: self.now,
        }
    }

    /// What the queue does after a worker: it deletes what succeeded, and makes the rest visible at the time
    /// that the worker chose or when the visibility timeout ends.
    fn return_batch(&mut self, worker: &Worker, answer: Option<&SqsBatchResponse>, calls: &[Call]) {
        let ended = worker.invocation.now();
        for &number in &worker.numbers {
            let message = &mut self.messages[number];
            let receipt = &self.lane.receipts[number];
            let failed = answer.is_none_or(|answer| {
                let mut failures = answer.batch_item_failures.iter();
                failures.any(|failure| failure.item_identifier == number.to_string())
            });
            let put_off = calls.iter().rev().find_map(|call| {
                let (_, delay) = call.put_off.as_ref().filter(|(of, _)| of == receipt)?;
                Some(ended + *delay)
            });
            let shown_at = put_off.filter(|_| answer.is_some());
            message.visible_at = shown_at.unwrap_or(worker.begins + VISIBILITY);
            message.is_done |= !failed;
        }
    }

    /// Adds a worker's calls to the report.
    fn report_calls(&mut self, who: &str, from: usize, calls: &[Call], end: &str) {
        let begun = self.now;
        let _ = writeln!(self.report, "  {who} at {begun}");
        for (call, number) in calls.iter().zip(from + 1..) {
            let _ = writeln!(self.report, "    {number:>2} {}", call.what);
        }
        let _ = writeln!(self.report, "    {end}");
    }

    /// Delivers the messages until all are done, to workers that die at `deaths`. Returns the calls at which
    /// they died.
    async fn work_until_done(&mut self, deaths: &[Stop]) -> Vec<Call> {
        let mut died_at: Vec<Call> = vec![];
        self.count(0, deaths.first().copied());
        while self.runs < MAX_RUNS {
            let waiting = self.messages.iter().filter(|message| !message.is_done);
            let Some(next) = waiting.map(|message| message.visible_at).min() else {
                break;
            };
            self.now = self.now.max(next);
            let proxy = &self.lane.seats[0].proxy;
            let from = proxy.calls().len();
            let worker = self.worker(0, 0..self.messages.len());
            let answer = tokio::select! {
                biased;
                answer = worker.run() => Some(answer),
                () = proxy.stopped() => None,
            };
            let answer = answer.filter(|_| !proxy.is_past_stop());
            let calls = &proxy.calls()[from..];
            self.return_batch(&worker, answer.as_ref(), calls);
            let end = match &answer {
                None => "died".to_owned(),
                Some(answer) => format!("{} come back", answer.batch_item_failures.len()),
            };
            self.report_calls("worker", from, calls, &end);
            if answer.is_none() {
                died_at.push(proxy.calls()[deaths[died_at.len()].at - 1].clone());
                self.count(0, deaths.get(died_at.len()).copied());
            }
        }
        died_at
    }

    /// Runs two workers and works off the rest. Returns the second one's calls, and whether both were
    /// paused.
    async fn two(
        &mut self,
        share: BatchSharing,
        first: Stop,
        second: Option<Stop>,
        later: SignedDuration,
    ) -> (Vec<Call>, bool) {
        let [one, two] = &self.lane.seats;
        self.count(0, Some(first));
        self.count(1, second);
        let all = self.messages.len();
        let (share, other_share) = match share {
            BatchSharing::Same => (0..all, 0..all),
            BatchSharing::Apart => (0..1, 1..all),
        };
        let worker = self.worker(0, share);
        self.now += later;
        let other = self.worker(1, other_share);
        let (mut run, mut other_run) = (pin!(worker.run()), pin!(other.run()));
        let early = tokio::select! {
            biased;
            answer = &mut run => Some(answer),
            () = one.proxy.stopped() => None,
        };
        let held = one.proxy.calls().len();
        let other_early = tokio::select! {
            biased;
            answer = &mut other_run => Some(answer),
            () = two.proxy.stopped() => None,
        };
        let other_held = two.proxy.calls();
        let is_whole = early.is_none() && other_early.is_none() == second.is_some();
        one.proxy.go_on();
        let answer = match early {
            Some(answer) => answer,
            None => run.await,
        };
        two.proxy.go_on();
        let other_answer = match other_early {
            Some(answer) => answer,
            None => other_run.await,
        };
        for (seat, worker, answer, held) in [
            (one, &worker, answer, held),
            (two, &other, other_answer, other_held.len()),
        ] {
            let calls = seat.proxy.calls();
            self.return_batch(worker, Some(&answer), &calls);
            let end = format!(
                "{} come back; was held at {held}",
                answer.batch_item_failures.len()
            );
            self.report_calls("one of two", 0, &calls, &end);
        }
        self.work_until_done(&[]).await;
        (other_held, is_whole)
    }

    /// The violation at the end, if any.
    async fn find_violation(&mut self) -> Option<(Violation, String)> {
        if self.messages.iter().any(|message| !message.is_done) {
            return Some((Violation::Lost, "a message is never done".to_owned()));
        }
        for message in &mut self.messages {
            message.is_done = false;
        }
        self.work_until_done(&[]).await;
        let calls = self.lane.seats[0].proxy.calls();
        if let Some(call) = calls.iter().find(|call| call.writes) {
            return Some((Violation::Untrue, format!("delivered again: {}", call.what)));
        }
        if self.report.contains("SendMessage") {
            return Some((Violation::Lost, "a dead letter".to_owned()));
        }
        self.find_ticket_violation().await
    }

    async fn find_ticket_violation(&self) -> Option<(Violation, String)> {
        let env = &self.lane.env;
        let tickets = env.connectwise.tickets().await;
        let record = env.record(&self.alert).await.unwrap();
        let report = || format!("{tickets:?}\n{record:?}");
        let (closed, open): (Vec<_>, Vec<_>) = tickets
            .iter()
            .partition(|ticket| ticket["closedFlag"] == true);
        let desired = usize::from(record.desired.active);
        let mut ticket_refs: Vec<_> = tickets
            .iter()
            .map(|ticket| ticket["externalXRef"].as_str().unwrap())
            .collect();
        ticket_refs.sort_unstable();
        ticket_refs.dedup();
        if open.len() > desired || ticket_refs.len() < tickets.len() {
            return Some((Violation::Doubled, report()));
        }
        if open.len() < desired || tickets.is_empty() && self.story != Story::Both {
            return Some((Violation::Lost, report()));
        }
        let accounted = match (&record.actual, open.first(), closed.first()) {
            (Some(Actual::Open(at)), Some(ticket), _) => ticket["id"] == at.ticket_id,
            (Some(Actual::Closed(at)), None, Some(ticket)) => {
                ticket["id"] == at.ticket_id && at.by == ClosedBy::Us
            }
            (None, None, None) => true,
            _ => false,
        };
        // A close that was given up can commit late: the record keeps the next ticket's text until then.
        let may_need_text = record
            .rechecks
            .iter()
            .any(|recheck| recheck.op == Op::Close);
        let has_no_text = record.payload.is_none() || may_need_text;
        let is_at_rest = record.claim.is_none() && record.blocked.is_none() && has_no_text;
        if !accounted || !is_at_rest {
            return Some((Violation::Untrue, report()));
        }
        let mut marks = vec![];
        for ticket in &tickets {
            let notes = env.connectwise.notes(ticket).await;
            let texts: Vec<_> = notes
                .iter()
                .filter_map(|note| note["text"].as_str())
                .collect();
            let with = |words: &str| texts.iter().filter(|text| text.contains(words)).count();
            marks.extend(
                texts
                    .iter()
                    .filter_map(|text| text.rsplit_once("[tb "))
                    .map(|(_, mark)| mark.to_owned()),
            );
            let closes = usize::from(ticket["closedFlag"] == true);
            let repeats = usize::from(matches!(self.story, Story::Repeat | Story::UnansweredNote));
            for (is, should) in [
                (with("Ticketbridge closes this ticket"), closes),
                (with("was repeated"), repeats),
            ] {
                let violation = if is > should {
                    Violation::Doubled
                } else {
                    Violation::Lost
                };
                if is != should && self.story != Story::Return {
                    return Some((violation, format!("{texts:?}\n{}", report())));
                }
            }
        }
        let all = marks.len();
        marks.sort_unstable();
        marks.dedup();
        (marks.len() < all).then(|| (Violation::Doubled, format!("{marks:?}")))
    }
}

/// ConnectWise executes the first write of this kind and closes the connection without an answer.
fn unanswered(operation: &str) -> Value {
    let when = json!({ "operations": [operation] });
    json!({ "rules": [{ "when": when, "then": "lost", "times": 1 }] })
}

/// The queue's message of an alert's event number `number`.
fn message(alert: &str, what: EventKind, number: usize) -> String {
    let particulars = || Particulars {
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        severity: Severity::Medium,
        expires_at: None,
        payload: Payload {
            title: "Disk C: of web-1 is full".into(),
            description: "1 % is left".into(),
            tenant_name: None,
            device: None,
            user: None,
            link: None,
        },
    };
    let seconds = SignedDuration::from_secs(i64::try_from(number).unwrap());
    let change = match what {
        EventKind::Raised => Change::Raised(particulars()),
        EventKind::Resolved => Change::Resolved,
    };
    let occurred_at = Timestamp::from_second(1_790_000_000).unwrap() + seconds;
    let id = EventId::parse(format!("e{number}")).unwrap();
    let event = Event::immediate(key(TENANT, alert), id, occurred_at, change);
    Message::Event(event).to_json()
}

async fn run_scenario(lane: &Lane, scenario: &Scenario, number: usize) -> ScenarioResult {
    let (calls, died_at, is_whole, mut run) = match scenario {
        Scenario::Deaths(story, deaths) => {
            let mut run = ScenarioRun::set(lane, *story, number).await;
            let died_at = run.work_until_done(deaths).await;
            let is_whole = died_at.len() == deaths.len();
            (lane.seats[0].proxy.calls(), died_at, is_whole, run)
        }
        Scenario::Two {
            story,
            share,
            first,
            second,
            later,
        } => {
            let mut run = ScenarioRun::set(lane, *story, number).await;
            let (calls, is_whole) = run.two(*share, *first, *second, *later).await;
            (calls, vec![], is_whole, run)
        }
    };
    let violation = run.find_violation().await;
    ScenarioResult {
        calls,
        died_at,
        is_whole,
        violation,
        report: run.report,
    }
}

/// Returns the scenarios that follow a scenario.
type Plan = fn(&Scenario, &ScenarioResult) -> Vec<Scenario>;

/// The one scenario to replay, as a failure printed it.
#[expect(clippy::disallowed_methods, reason = "how a failure is replayed")]
fn replayed_scenario() -> Option<String> {
    std::env::var("TICKETBRIDGE_TEST_CRASHES").ok()
}

/// Plays each story undisturbed, and then the scenarios that the plan derives from each scenario. Or
/// replays the one scenario that the environment variable names, with all its calls.
async fn run_all(what: &str, plan: Plan) {
    if let Some(line) = replayed_scenario() {
        let scenario = Scenario::parse(&line);
        let result = run_scenario(&Lane::new().await, &scenario, 0).await;
        println!("{scenario}: {:?}\n{}", result.violation, result.report);
        return;
    }
    let progress = Arc::new(Mutex::new(Progress::default()));
    let mut lanes = JoinSet::new();
    let lane = Lane::new().await;
    for story in STORIES {
        let peace = Scenario::Deaths(story, vec![]);
        let result = run_scenario(&lane, &peace, 0).await;
        let mut progress = progress.lock().unwrap();
        progress.points += result.calls.len();
        progress.note(&peace, &result, plan);
    }
    for _ in 0..LANES {
        let progress = progress.clone();
        lanes.spawn(async move {
            let lane = Lane::new().await;
            loop {
                let Some((number, scenario)) = progress.lock().unwrap().next() else {
                    return;
                };
                let result = run_scenario(&lane, &scenario, number).await;
                progress.lock().unwrap().note(&scenario, &result, plan);
            }
        });
    }
    lanes.join_all().await;
    let progress = progress.lock().unwrap();
    println!("{what}: {progress}");
    assert!(
        progress.violation.is_empty(),
        "{}",
        progress.violation.join("\n")
    );
    assert!(
        progress.not_reached * 10 <= progress.tried,
        "hardly anything was tried: {progress}"
    );
}

/// The scenarios that are done and still to do, and their violations.
#[derive(Debug, Default)]
struct Progress {
    open: Vec<Scenario>,
    tried: usize,
    points: usize,
    /// By the number of stops.
    stops: [usize; 4],
    not_reached: usize,
    doubled: usize,
    lost: usize,
    violation: Vec<String>,
}

impl Progress {
    /// The next scenario with its number. `None` once there are enough failures.
    fn next(&mut self) -> Option<(usize, Scenario)> {
        if self.violation.len() >= MAX_FAILURES {
            return None;
        }
        self.tried += 1;
        Some((self.tried, self.open.pop()?))
    }

    /// Counts a scenario, and plans the next ones if it was correct.
    fn note(&mut self, scenario: &Scenario, result: &ScenarioResult, plan: Plan) {
        let stops = match scenario {
            Scenario::Deaths(_, deaths) => deaths.len(),
            Scenario::Two { second, .. } => 1 + usize::from(second.is_some()),
        };
        self.stops[stops] += 1;
        let violation = match (&result.violation, result.is_whole) {
            (None, true) => {
                self.open.extend(plan(scenario, result));
                return;
            }
            // On a busy machine a recovery can need one call less than the recorded one, because its waits end
            // in whole milliseconds. It was correct, and without this stop it equals an earlier scenario.
            (None, false) => {
                self.not_reached += 1;
                return;
            }
            (Some(violation), _) => violation.clone(),
        };
        self.doubled += usize::from(violation.0 == Violation::Doubled);
        self.lost += usize::from(violation.0 == Violation::Lost);
        let (violation, why) = violation;
        self.violation.push(format!(
            "{scenario}\n  {violation:?}: {why}\n{}",
            result.report
        ));
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            points,
            stops: [_, one, two, three],
            not_reached,
            doubled,
            lost,
            ..
        } = self;
        write!(
            f,
            "{} stories, {points} points, {one} with one stop, {two} with two, {three} with three, {not_reached} not reached, doubled = {doubled}, lost = {lost}",
            STORIES.len()
        )
    }
}

/// Every call with every way to stop there.
fn stops(calls: &[Call], whens: &[When]) -> Vec<Stop> {
    let at = |at| whens.iter().map(move |&when| Stop { at, when });
    (1..=calls.len()).flat_map(at).collect()
}

#[tokio::test]
async fn workers_that_die_at_any_two_calls_leave_one_ticket() {
    let plan = |scenario: &Scenario, result: &ScenarioResult| {
        let Scenario::Deaths(story, deaths) = scenario else {
            return vec![];
        };
        let whens: &[_] = match deaths.len() {
            0 => &[When::Before, When::Lost, When::After],
            1 => &[When::Before, When::Lost],
            _ => return vec![],
        };
        // A dead worker leaves only the effects of its writes. A death at a read or after an answer thus
        // equals a death before the next write: pairs of deaths are tried at writes only.
        let is_tried = |death: &Stop| deaths.is_empty() || result.calls[death.at - 1].writes;
        let is_after = deaths.iter().any(|death| death.when == When::After);
        if is_after || result.died_at.iter().any(|call| !call.writes) {
            return vec![];
        }
        let next = stops(&result.calls, whens).into_iter().filter(is_tried);
        next.map(|death| Scenario::Deaths(*story, [deaths.as_slice(), &[death]].concat()))
            .collect()
    };
    run_all("deaths", plan).await;
}

#[tokio::test]
async fn two_workers_interleaved_at_any_calls_leave_one_ticket() {
    let plan = |scenario: &Scenario, result: &ScenarioResult| {
        // A pause after an effect equals one before the next call, except at the end. A read of the
        // configuration sees no change of another worker: a pause before it equals one before the next call.
        let mut points = stops(&result.calls, &[When::Before]);
        points.retain(|point| !result.calls[point.at - 1].is_set_up);
        points.extend(stops(&result.calls, &[When::Lost]).pop());
        match scenario {
            Scenario::Deaths(story, _) => first_of_two(*story, &result.calls, &points),
            Scenario::Two {
                story,
                share,
                first,
                second: None,
                later,
            } => points
                .into_iter()
                .map(|second| Scenario::Two {
                    story: *story,
                    share: *share,
                    first: *first,
                    second: Some(second),
                    later: *later,
                })
                .collect(),
            Scenario::Two { .. } => vec![],
        }
    };
    run_all("two workers", plan).await;
}

/// Where the first of two workers is paused, and when the second starts.
fn first_of_two(story: Story, calls: &[Call], points: &[Stop]) -> Vec<Scenario> {
    let two = |share, later| {
        move |first: &Stop| Scenario::Two {
            story,
            share,
            first: *first,
            second: None,
            later: SignedDuration::from_secs(later),
        }
    };
    let mut all: Vec<_> = points.iter().map(two(BatchSharing::Same, 0)).collect();
    if story.batch().len() == 2 {
        // The second message starts with another read of the record.
        let writes = calls.iter().position(|call| call.writes).unwrap();
        let second = calls[writes..]
            .iter()
            .position(|call| call.what.ends_with("GetItem"));
        let of_first = points
            .iter()
            .filter(|first| first.at <= writes + second.unwrap());
        all.extend(of_first.map(two(BatchSharing::Apart, 0)));
    }
    // No call to ConnectWise outlives its claim, but its outcome may be recorded later: after the claim's
    // end, or after the settling time.
    let spoken = calls.iter().rposition(Call::writes_to_connectwise);
    let spoken = spoken.map_or(0, |last| last + 1);
    for later in [66, 700] {
        let silent = points.iter().filter(|first| first.at > spoken);
        all.extend(silent.map(two(BatchSharing::Same, later)));
    }
    all
}
