//! `cargo xtask calls`: how many calls to ConnectWise a new ticket costs, searches included. They are counted, not timed, so the
//! numbers are a verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use domain::record::{Actual, Record};
use serde_json::{Value, json};

use crate::local::{Stack, Times};
use crate::progress::step;
use crate::sight::{Purpose, Sight, Waiting};
use crate::source::{Alert, Source};
use crate::story::table;

/// Alerts raised in each weather.
const RAISED: usize = 200;
/// A creation whose answer is an error has to settle before it is tried again, and some fail several times in a row.
const WITHIN: Duration = Duration::from_secs(15 * 60);

/// A weather and what a ticket may cost in it.
struct Weather {
    name: &'static str,
    /// What its alerts' ids begin with.
    id: &'static str,
    error_rate: f64,
    /// The most calls for a hundred tickets.
    most: usize,
}

const WEATHERS: [Weather; 2] = [
    Weather {
        name: "calm",
        id: "calm",
        error_rate: 0.0,
        most: 100,
    },
    Weather {
        name: "20 % errors",
        id: "errors",
        error_rate: 0.2,
        most: 300,
    },
];

#[derive(Debug, PartialEq, Eq)]
struct Count {
    tickets: usize,
    in_time: bool,
    creates: usize,
    searches: usize,
    others: usize,
}

impl Count {
    fn all(&self) -> usize {
        self.creates + self.searches + self.others
    }
}

/// Raises alerts in each weather and counts.
///
/// # Errors
/// When a ticket costs more than it may, or an alert gets none.
pub(crate) async fn run() -> Result<()> {
    let stack = Stack::start("calls", Times::CHAOS).await?;
    // Before its first ticket a connection is asked once whether there are tickets from a life before. That is paid by the
    // connection, not by each ticket.
    let [calm, _] = &WEATHERS;
    let first = raise(&stack, calm, "first", 1).await?;
    println!(
        "- the very first ticket of a connection: {} calls",
        first.all()
    );
    let mut counts = Vec::new();
    for weather in &WEATHERS {
        let what = format!("{RAISED} alerts, {}", weather.name);
        counts.push(step(&what, raise(&stack, weather, weather.id, RAISED)).await?);
    }
    print(&counts);
    for (weather, count) in WEATHERS.iter().zip(&counts) {
        ensure!(
            count.in_time,
            "{}: after {} s {} of {RAISED} alerts have a ticket",
            weather.name,
            WITHIN.as_secs(),
            count.tickets
        );
        ensure!(
            count.all() * 100 <= weather.most * count.tickets,
            "{}: {} tickets cost {} calls, more than {:.1} each",
            weather.name,
            count.tickets,
            count.all(),
            for_each(weather.most, 100)
        );
    }
    Ok(())
}

async fn raise(stack: &Stack, weather: &Weather, prefix: &str, raised: usize) -> Result<Count> {
    let (source, sight) = (Source::of(stack)?, Sight::of(stack)?);
    let faults = json!({ "error_rate": weather.error_rate });
    stack.simulator.set_faults(&faults).await?;
    let before = stack.simulator.journal(0).await?.len();
    let mut alerts = Vec::new();
    let mut events = Vec::new();
    for number in 0..raised {
        let id = format!("{prefix}-{number}");
        let tenants = &stack.seeded.tenants;
        let alert = Alert {
            tenant: &tenants[number % tenants.len()],
            id: &id,
            kind: "disk",
            severity: "high",
            title: "Disk C: is full",
        };
        alerts.push(source.key(&alert)?.item_key());
        events.push(Source::raised(&alert, &id));
    }
    source.post_all(&events, |_: &Value, _| ()).await?;
    let without = |records: &BTreeMap<String, Record>| {
        let has_ticket = |alert: &&String| {
            let actual = records
                .get(*alert)
                .and_then(|record| record.actual.as_ref());
            matches!(actual, Some(Actual::Open(_)))
        };
        alerts.len() - alerts.iter().filter(has_ticket).count()
    };
    let all_have = |records: &BTreeMap<String, Record>, _: Waiting| without(records) == 0;
    // If time is up, it is counted all the same: what they cost tells why.
    let in_time = sight.wait_until(WITHIN, all_have).await?;
    let without = without(&sight.records().await?);
    let calls = stack.simulator.journal(before).await?;
    let of = |purpose| {
        calls
            .iter()
            .filter(|call| call.purpose() == purpose)
            .count()
    };
    Ok(Count {
        tickets: raised - without,
        in_time,
        creates: of(Purpose::Create),
        searches: of(Purpose::Search),
        others: of(Purpose::Other),
    })
}

fn print(counts: &[Count]) {
    let head = [
        "weather",
        "tickets",
        "POST tickets",
        "searches",
        "other",
        "calls a ticket",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (weather, count) in WEATHERS.iter().zip(counts) {
        rows.push([
            weather.name.to_owned(),
            count.tickets.to_string(),
            count.creates.to_string(),
            count.searches.to_string(),
            count.others.to_string(),
            format!("{:.2}", for_each(count.all(), count.tickets)),
        ]);
    }
    println!();
    for line in table(&rows) {
        println!("{line}");
    }
    println!();
}

#[expect(clippy::cast_precision_loss, reason = "counts of some hundreds")]
fn for_each(calls: usize, tickets: usize) -> f64 {
    calls as f64 / tickets.max(1) as f64
}
