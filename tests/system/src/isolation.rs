//! Measures how one partner delays the others: a hundred partners on the deployed template, first
//! all healthy, then with one whose ConnectWise lets every call time out. The delay is the time
//! from the webhook's 202 to the ticket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::alert::record::{Actual, Record};
use domain::{AlertId, AlertKey};
use jiff::Timestamp;
use local_stack::empty_stack::StackTimes;
use local_stack::inspector::{Inspector, QueueDepth};
use local_stack::journal::JournalEntry;
use local_stack::progress::step;
use local_stack::seed::{PartnerFleet, seed_fleet};
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use local_stack::table;
use serde_json::{Value, json};

const PARTNERS: usize = 100;
const ALERTS_EACH: usize = 5;
/// The time limit for the healthy partners' tickets: far more than they take.
const WITHIN: Duration = Duration::from_secs(5 * 60);
/// Longer than the time-out of `tickets` here, so that no call to the slow site is answered.
const SLOW_MS: u32 = 15_000;
/// The ratio of medians above which the measurement warns.
const MAX_RATIO: f64 = 1.5;

pub async fn run() -> Result<()> {
    let stack = Stack::with_other_sites("isolation", StackTimes::CHAOS, 1).await?;
    let slow = stack
        .other_sites
        .first()
        .context("the stack has no other site")?;
    let what = format!("seeding {PARTNERS} partners");
    let fleet = step(&what, seed_fleet(&stack, PARTNERS, slow)).await?;
    // The first round starts the functions and fills their caches of connections and keys.
    let warm_up = measure(&stack, &fleet, "first");
    step("a first round, not measured", warm_up).await?;
    let healthy = step("all partners healthy", measure(&stack, &fleet, "well")).await?;
    slow.set_faults(&json!({ "latency_ms": SLOW_MS })).await?;
    let one_slow = measure(&stack, &fleet, "slow");
    let one_slow = step("one partner's calls time out", one_slow).await?;
    print(&healthy, &one_slow);
    Ok(())
}

/// The delays of the healthy partners' tickets, from the shortest.
#[derive(Debug)]
struct Delays(Vec<Duration>);

impl Delays {
    fn percentile(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

async fn measure(stack: &Stack, fleet: &PartnerFleet, phase: &str) -> Result<Delays> {
    // Each event names its partner; the partner here is for events that do not.
    let partner = &stack.seeded.partner;
    let source = AlertSource::new(stack, partner, &fleet.source, &fleet.webhook_secret)?;
    let inspector = Inspector::new(stack)?;
    let before = stack.simulator.journal(0).await?.len();
    let mut events = Vec::new();
    // The healthy partners' alerts, by event id.
    let mut alerts = BTreeMap::new();
    for number in 0..ALERTS_EACH {
        for partner in &fleet.partners {
            let id = format!("{phase}-{partner}-{number}");
            let alert = SourceAlert {
                tenant: &fleet.tenant,
                id: &id,
                kind: "disk",
                severity: "high",
                title: "Disk C: is full",
            };
            let mut event = AlertSource::raised(&alert, &id);
            event["data"]["partner"] = json!(partner);
            events.push(event);
            if *partner != fleet.other {
                let key = AlertKey {
                    partner: partner.clone(),
                    tenant: fleet.tenant.clone(),
                    source: fleet.source.clone(),
                    alert_id: AlertId::parse(id.as_str())?,
                };
                alerts.insert(id, key.item_key());
            }
        }
    }
    let accepted_at = RefCell::new(BTreeMap::new());
    let accepted = |event: &Value, _| {
        let id = event["id"].as_str().unwrap_or_default();
        if let Some(alert) = alerts.get(id) {
            accepted_at
                .borrow_mut()
                .insert(alert.clone(), Timestamp::now());
        }
    };
    source.post_all(&events, accepted).await?;
    // The queue's depth is ignored, because the slow partner's messages stay in it.
    let have_tickets = |records: &BTreeMap<String, Record>, _: QueueDepth| {
        alerts.values().all(|alert| {
            let actual = records.get(alert).and_then(|record| record.actual.as_ref());
            matches!(actual, Some(Actual::Open(_)))
        })
    };
    let in_time = inspector.wait_until(WITHIN, have_tickets).await?;
    ensure!(
        in_time,
        "after {} s not every healthy partner has its tickets",
        WITHIN.as_secs()
    );
    let calls = stack.simulator.journal(before).await?;
    delays(&accepted_at.into_inner(), &calls)
}

/// From when an alert's event was accepted to the call that created its ticket.
fn delays(accepted: &BTreeMap<String, Timestamp>, calls: &[JournalEntry]) -> Result<Delays> {
    let mut delays = Vec::new();
    for (alert, accepted) in accepted {
        let call = calls.iter().find(|call| call.creates_ticket_of(alert));
        let call = call.with_context(|| format!("no call created the ticket of {alert}"))?;
        // The call may come before the source has received its 202.
        delays.push(Duration::try_from(call.at.duration_since(*accepted)).unwrap_or_default());
    }
    delays.sort_unstable();
    Ok(Delays(delays))
}

fn print(healthy: &Delays, one_slow: &Delays) {
    let millis = |delay: Duration| format!("{:.0}", delay.as_secs_f64() * 1000.0);
    let row = |what: &str, delays: &Delays| {
        [
            what.to_owned(),
            delays.0.len().to_string(),
            millis(delays.percentile(50)),
            millis(delays.percentile(95)),
        ]
    };
    let ratio = |percent| {
        let healthy = healthy.percentile(percent).as_secs_f64();
        one_slow.percentile(percent).as_secs_f64() / healthy.max(0.001)
    };
    let head = [
        "milliseconds from 202 to the ticket",
        "tickets",
        "median",
        "p95",
    ];
    println!("\nthe {} healthy partners", PARTNERS - 1);
    table::print(&[
        head.map(str::to_owned),
        row("all partners healthy", healthy),
        row("one partner's calls time out", one_slow),
        [
            "ratio".to_owned(),
            String::new(),
            format!("{:.2}", ratio(50)),
            format!("{:.2}", ratio(95)),
        ],
    ]);
    if ratio(50) > MAX_RATIO {
        println!(
            "TOO MUCH: one slow partner delays the others {:.2} times; the goal is {MAX_RATIO}",
            ratio(50)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_ends_with_the_committed_creation() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let call = |second, alert: &str, committed| JournalEntry {
            n: 1,
            at: at(second),
            method: "POST".to_owned(),
            path: "/v4_6_release/apis/3.0/service/tickets".to_owned(),
            query: String::new(),
            status: Some(201),
            committed,
            body: json!({ "externalXRef": format!("tb1-{alert}-1") }),
        };
        let accepted = BTreeMap::from([("a-1".to_owned(), at(5)), ("b-1".to_owned(), at(6))]);
        let calls = [
            call(4, "b-1", true),
            call(6, "a-1", false),
            call(8, "a-1", true),
        ];
        let found = delays(&accepted, &calls).unwrap();
        assert_eq!(found.0, [Duration::ZERO, Duration::from_secs(3)]);
        assert!(delays(&accepted, &calls[..2]).is_err());
    }

    #[test]
    fn ninety_five_of_a_hundred_are_below_the_p95() {
        let delays = Delays((0..100).map(Duration::from_millis).collect());
        assert_eq!(delays.percentile(50), Duration::from_millis(50));
        assert_eq!(delays.percentile(95), Duration::from_millis(95));
        let one = Delays(vec![Duration::from_millis(7)]);
        assert_eq!(one.percentile(95), Duration::from_millis(7));
        assert_eq!(Delays(Vec::new()).percentile(50), Duration::ZERO);
    }
}
