//! Counts the calls to ConnectWise for each new ticket, searches included, without and with
//! errors. Counts do not depend on the machine, so they have limits.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use domain::alert::record::{Actual, Record};
use local_stack::empty_stack::StackTimes;
use local_stack::inspector::{Inspector, QueueDepth};
use local_stack::journal::Purpose;
use local_stack::progress::step;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use local_stack::table;
use serde_json::{Value, json};

/// Alerts in each condition.
const ALERTS: usize = 200;
/// A creation whose answer is an error must settle before it is retried, and some fail several
/// times in a row.
const WITHIN: Duration = Duration::from_secs(15 * 60);

/// A condition of ConnectWise, and the limit for it.
struct ErrorCondition {
    name: &'static str,
    /// The prefix of its alerts' ids.
    prefix: &'static str,
    error_rate: f64,
    /// The most calls for a hundred tickets.
    max_calls: usize,
}

const CONDITIONS: [ErrorCondition; 2] = [
    ErrorCondition {
        name: "no errors",
        prefix: "calm",
        error_rate: 0.0,
        max_calls: 100,
    },
    ErrorCondition {
        name: "20 % errors",
        prefix: "errors",
        error_rate: 0.2,
        max_calls: 300,
    },
];

#[derive(Debug, PartialEq, Eq)]
struct CallCount {
    tickets: usize,
    in_time: bool,
    creates: usize,
    searches: usize,
    others: usize,
}

impl CallCount {
    fn total(&self) -> usize {
        self.creates + self.searches + self.others
    }
}

/// # Errors
/// When tickets need more calls than the limit, or an alert gets no ticket.
pub async fn run() -> Result<()> {
    let stack = Stack::start("calls", StackTimes::CHAOS).await?;
    // Before its first ticket a connection searches once for existing tickets. These calls belong
    // to the connection, not to each ticket.
    let [calm, _] = &CONDITIONS;
    let first = raise(&stack, calm, "first", 1).await?;
    println!(
        "- the first ticket of a connection: {} calls",
        first.total()
    );
    let mut counts = Vec::new();
    for condition in &CONDITIONS {
        let what = format!("{ALERTS} alerts, {}", condition.name);
        let raise = raise(&stack, condition, condition.prefix, ALERTS);
        counts.push(step(&what, raise).await?);
    }
    print(&counts);
    for (condition, count) in CONDITIONS.iter().zip(&counts) {
        ensure!(
            count.in_time,
            "{}: after {} s {} of {ALERTS} alerts have a ticket",
            condition.name,
            WITHIN.as_secs(),
            count.tickets
        );
        ensure!(
            count.total() * 100 <= condition.max_calls * count.tickets,
            "{}: {} tickets needed {} calls, more than {:.1} each",
            condition.name,
            count.tickets,
            count.total(),
            ratio(condition.max_calls, 100)
        );
    }
    Ok(())
}

async fn raise(
    stack: &Stack,
    condition: &ErrorCondition,
    prefix: &str,
    alerts: usize,
) -> Result<CallCount> {
    let (source, inspector) = (AlertSource::seeded(stack)?, Inspector::new(stack)?);
    let faults = json!({ "error_rate": condition.error_rate });
    stack.simulator.set_faults(&faults).await?;
    let before = stack.simulator.journal(0).await?.len();
    let mut keys = Vec::new();
    let mut events = Vec::new();
    for number in 0..alerts {
        let id = format!("{prefix}-{number}");
        let tenants = &stack.seeded.tenants;
        let alert = SourceAlert {
            tenant: &tenants[number % tenants.len()],
            id: &id,
            kind: "disk",
            severity: "high",
            title: "Disk C: is full",
        };
        keys.push(source.key(&alert)?.item_key());
        events.push(AlertSource::raised(&alert, &id));
    }
    source.post_all(&events, |_: &Value, _| ()).await?;
    let without_ticket = |records: &BTreeMap<String, Record>| {
        let has_ticket = |key: &&String| {
            let actual = records.get(*key).and_then(|record| record.actual.as_ref());
            matches!(actual, Some(Actual::Open(_)))
        };
        keys.len() - keys.iter().filter(has_ticket).count()
    };
    let is_done = |records: &BTreeMap<String, Record>, _: QueueDepth| without_ticket(records) == 0;
    // The calls are counted even if time is up: they help to find the reason.
    let in_time = inspector.wait_until(WITHIN, is_done).await?;
    let without_ticket = without_ticket(&inspector.records().await?);
    let calls = stack.simulator.journal(before).await?;
    let count = |purpose| {
        calls
            .iter()
            .filter(|call| call.purpose() == purpose)
            .count()
    };
    Ok(CallCount {
        tickets: alerts - without_ticket,
        in_time,
        creates: count(Purpose::Create),
        searches: count(Purpose::Search),
        others: count(Purpose::Other),
    })
}

fn print(counts: &[CallCount]) {
    let head = [
        "condition",
        "tickets",
        "POST tickets",
        "searches",
        "other",
        "calls a ticket",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (condition, count) in CONDITIONS.iter().zip(counts) {
        rows.push([
            condition.name.to_owned(),
            count.tickets.to_string(),
            count.creates.to_string(),
            count.searches.to_string(),
            count.others.to_string(),
            format!("{:.2}", ratio(count.total(), count.tickets)),
        ]);
    }
    table::print(&rows);
}

#[expect(clippy::cast_precision_loss, reason = "counts of some hundreds")]
fn ratio(calls: usize, tickets: usize) -> f64 {
    calls as f64 / tickets.max(1) as f64
}
