//! Runs one crash scenario: workers behind proxies, a simulated queue, and the check of the result.

use std::fmt::Write as _;
use std::ops::Range;
use std::pin::pin;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use domain::alert::kind::Category;
use domain::alert::record::{Actual, ClosedBy, Op};
use domain::setup::settings::Settings;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::wire::message::Message;
use domain::{EventId, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::ConfigTable;
use tickets::{BatchInvocation, Config, TicketsHandler};

use crate::environment::{TENANT, TestEnvironment, key, partner, settings};
use crate::proxy::{Call, Proxy, Stop};
use crate::tickets::crash_scenario::{BatchSharing, EventKind, Scenario, Workload};

/// The function's time-out and the queue's visibility timeout, as in the template.
pub(crate) const FUNCTION: SignedDuration = SignedDuration::from_secs(60);

pub(crate) const VISIBILITY: SignedDuration = SignedDuration::from_secs(360);

/// The settling time, as in the template.
pub(crate) const SETTLE: SignedDuration = SignedDuration::from_mins(10);

/// More runs than any recovery needs.
pub(crate) const MAX_RUNS: usize = 40;

/// The messages that are really in flight in a lane.
pub(crate) const IN_FLIGHT: &str = "in flight";

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A ticket or note exists twice.
    Doubled,
    /// A ticket, note or close is missing, or a message is never done.
    Lost,
    /// The table and ConnectWise disagree.
    Untrue,
}

/// An environment with two seats for workers, each behind a proxy.
pub(crate) struct Lane {
    pub(crate) env: TestEnvironment,
    pub(crate) seats: [Seat; 2],
    /// Receipts of messages that are really in flight, so that the queue accepts the workers' calls.
    pub(crate) receipts: Vec<String>,
}

pub(crate) struct Seat {
    pub(crate) proxy: Proxy,
    pub(crate) config: Config,
}

impl Lane {
    pub(crate) async fn new() -> Self {
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
            env.queue.send(IN_FLIGHT).await;
            let (event, _) = env.queue.receive().await;
            receipts.extend(event.records[0].receipt_handle.clone());
        }
        env.queue.expect_leftovers(2);
        Self {
            env,
            seats: seats.try_into().ok().unwrap(),
            receipts,
        }
    }
}

/// A message in the simulated queue.
pub(crate) struct QueuedMessage {
    pub(crate) number: usize,
    pub(crate) body: String,
    pub(crate) received: u32,
    pub(crate) visible_at: Timestamp,
    pub(crate) is_done: bool,
}

/// A worker with its batch, ready to run.
pub(crate) struct Worker {
    pub(crate) app: TicketsHandler,
    pub(crate) batch: SqsEvent,
    pub(crate) numbers: Vec<usize>,
    pub(crate) invocation: BatchInvocation,
    pub(crate) begins: Timestamp,
}

impl Worker {
    pub(crate) async fn run(&self) -> SqsBatchResponse {
        // Boxed: a test thread has a small stack, and futures of debug builds are large.
        Box::pin(self.app.handle(self.batch.clone(), &self.invocation)).await
    }
}

pub(crate) struct ScenarioResult {
    /// The calls since the last death, or those of the second of two workers.
    pub(crate) calls: Vec<Call>,
    /// The calls at which workers died.
    pub(crate) died_at: Vec<Call>,
    /// Whether every stop was reached.
    pub(crate) is_whole: bool,
    pub(crate) violation: Option<(Violation, String)>,
    pub(crate) report: String,
}

/// A running scenario.
pub(crate) struct ScenarioRun<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) workload: Workload,
    pub(crate) alert: String,
    pub(crate) names: [String; 2],
    pub(crate) messages: Vec<QueuedMessage>,
    pub(crate) now: Timestamp,
    pub(crate) runs: usize,
    pub(crate) report: String,
}

impl<'a> ScenarioRun<'a> {
    /// Sets up a scenario in an empty ConnectWise and works off the workload's earlier messages.
    pub(crate) async fn set(lane: &'a Lane, workload: Workload, number: usize) -> Self {
        lane.env.connectwise.reset().await;
        lane.env
            .database
            .set_ticket_index(Some(TicketIndexState::Complete))
            .await;
        let settings = Settings {
            notes_for_customers: workload == Workload::UnansweredCustomerNote,
            ..settings()
        };
        for seat in &lane.seats {
            let table = seat.config.connections.config_table.clone();
            let config = ConfigTable::new(&lane.env.aws, table);
            config.settings.put(&partner(), &settings).await.unwrap();
        }
        let mut run = Self {
            lane,
            workload,
            alert: format!("{workload:?}-{number}"),
            names: [const { String::new() }; 2],
            messages: vec![],
            now: Timestamp::now(),
            runs: 0,
            report: String::new(),
        };
        let before = workload.before();
        run.put(before, 0);
        run.work_until_done(&[]).await;
        match workload {
            Workload::Raise
            | Workload::Resolve
            | Workload::Both
            | Workload::Repeat
            | Workload::Return => {}
            Workload::First => lane.env.database.set_ticket_index(None).await,
            Workload::Forgotten => {
                lane.env.database.delete_record(&run.alert).await;
                let rebuilding = Some(TicketIndexState::Rebuilding);
                lane.env.database.set_ticket_index(rebuilding).await;
            }
            Workload::UnansweredNote | Workload::UnansweredCustomerNote => {
                lane.env.connectwise.set_faults(unanswered("note")).await;
            }
            Workload::UnansweredClose => lane.env.connectwise.set_faults(unanswered("close")).await,
        }
        run.put(workload.batch(), before.len());
        run
    }

    /// Puts messages into the simulated queue. `before` events of the alert precede them.
    pub(crate) fn put(&mut self, kinds: &[EventKind], before: usize) {
        let message = |(number, what): (usize, &EventKind)| QueuedMessage {
            number,
            body: Message::Event(event(&self.alert, *what, before + number)).to_json(),
            received: 0,
            visible_at: self.now,
            is_done: false,
        };
        self.messages = kinds.iter().enumerate().map(message).collect();
    }

    /// Starts a new count of calls at a seat.
    pub(crate) fn count(&mut self, seat: usize, stop: Option<Stop>) {
        self.names[seat] = self.lane.seats[seat].proxy.count(stop);
    }

    /// A new process with those of the messages that are visible now.
    pub(crate) fn worker(&mut self, seat: usize, share: Range<usize>) -> Worker {
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
    pub(crate) fn return_batch(
        &mut self,
        worker: &Worker,
        answer: Option<&SqsBatchResponse>,
        calls: &[Call],
    ) {
        let ended = worker.invocation.now();
        for &number in &worker.numbers {
            let message = &mut self.messages[number];
            let receipt = &self.lane.receipts[number];
            let failed = answer.is_none_or(|answer| {
                let mut failures = answer.batch_item_failures.iter();
                failures.any(|failure| failure.item_identifier == number.to_string())
            });
            let delay = calls.iter().rev().find_map(|call| {
                let (_, delay) = call
                    .visibility_change
                    .as_ref()
                    .filter(|(of, _)| of == receipt)?;
                Some(ended + *delay)
            });
            let shown_at = delay.filter(|_| answer.is_some());
            message.visible_at = shown_at.unwrap_or(worker.begins + VISIBILITY);
            message.is_done |= !failed;
        }
    }

    /// Adds a worker's calls to the report.
    pub(crate) fn report_calls(&mut self, who: &str, from: usize, calls: &[Call], end: &str) {
        let begun = self.now;
        let _ = writeln!(self.report, "  {who} at {begun}");
        for (call, number) in calls.iter().zip(from + 1..) {
            let _ = writeln!(self.report, "    {number:>2} {}", call.what);
        }
        let _ = writeln!(self.report, "    {end}");
    }

    /// Delivers the messages until all are done, to workers that die at `deaths`. Returns the calls at which
    /// they died.
    pub(crate) async fn work_until_done(&mut self, deaths: &[Stop]) -> Vec<Call> {
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
    pub(crate) async fn two(
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
    pub(crate) async fn find_violation(&mut self) -> Option<(Violation, String)> {
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

    pub(crate) async fn find_ticket_violation(&self) -> Option<(Violation, String)> {
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
        if open.len() < desired || tickets.is_empty() && self.workload != Workload::Both {
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
            let repeats = usize::from(matches!(
                self.workload,
                Workload::Repeat | Workload::UnansweredNote | Workload::UnansweredCustomerNote
            ));
            for (is, should) in [
                (with("Ticketbridge closes this ticket"), closes),
                (with("was repeated"), repeats),
            ] {
                let violation = if is > should {
                    Violation::Doubled
                } else {
                    Violation::Lost
                };
                if is != should && self.workload != Workload::Return {
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
pub(crate) fn unanswered(operation: &str) -> Value {
    let when = json!({ "operations": [operation] });
    json!({ "rules": [{ "when": when, "then": "lost", "times": 1 }] })
}

/// The event of an alert with this number.
pub(crate) fn event(alert: &str, what: EventKind, number: usize) -> Event {
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
        EventKind::Raised => AlertChange::Raised(particulars()),
        EventKind::Resolved => AlertChange::Resolved,
    };
    let occurred_at = Timestamp::from_second(1_790_000_000).unwrap() + seconds;
    let id = EventId::parse(format!("e{number}")).unwrap();
    Event::immediate(key(TENANT, alert), id, occurred_at, change)
}

/// A message as SQS hands it over.
fn batch(lane: &Lane, body: &str, received: usize) -> SqsEvent {
    let mut record = SqsMessage::default();
    record.message_id = Some("1".to_owned());
    record.receipt_handle = Some(lane.receipts[0].clone());
    record.body = Some(body.to_owned());
    let received = ("ApproximateReceiveCount".to_owned(), received.to_string());
    record.attributes = [received].into();
    let mut batch = SqsEvent::default();
    batch.records.push(record);
    batch
}

/// Hands a message to workers until one of them is done with it. The first dies at the stop, if it
/// gets there. Returns whether it did.
pub(crate) async fn process_message(
    lane: &Lane,
    body: &str,
    stop: Option<Stop>,
    now: &mut Timestamp,
) -> bool {
    let Seat { proxy, config } = &lane.seats[0];
    let mut has_died = false;
    for received in 1.. {
        assert!(received < MAX_RUNS, "a message is never done");
        let name = proxy.count(stop.filter(|_| received == 1));
        let aws = lane.env.account.sdk_config_through(&proxy.origin, &name);
        let app = TicketsHandler::build(config, &aws).unwrap();
        let invocation = BatchInvocation::at(&name, *now, *now + FUNCTION);
        // Boxed: a test thread has a small stack, and futures of debug builds are large.
        let run = Box::pin(app.handle(batch(lane, body, received), &invocation));
        let answer = tokio::select! {
            biased;
            answer = run => Some(answer).filter(|_| !proxy.is_past_stop()),
            () = proxy.stopped() => None,
        };
        has_died |= answer.is_none();
        *now = *now + VISIBILITY + SignedDuration::from_secs(1);
        if answer.is_some_and(|answer| answer.batch_item_failures.is_empty()) {
            break;
        }
    }
    has_died
}

pub(crate) async fn run_scenario(
    lane: &Lane,
    scenario: &Scenario,
    number: usize,
) -> ScenarioResult {
    let (calls, died_at, is_whole, mut run) = match scenario {
        Scenario::Deaths(workload, deaths) => {
            let mut run = ScenarioRun::set(lane, *workload, number).await;
            let died_at = run.work_until_done(deaths).await;
            let is_whole = died_at.len() == deaths.len();
            (lane.seats[0].proxy.calls(), died_at, is_whole, run)
        }
        Scenario::Two {
            workload,
            share,
            first,
            second,
            later,
        } => {
            let mut run = ScenarioRun::set(lane, *workload, number).await;
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
