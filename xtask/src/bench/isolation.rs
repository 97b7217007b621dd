//! A hundred partners on the deployed template, once with all of them well and once with one whose ConnectWise lets every call run
//! into its time-out: how long the others wait from 202 to the ticket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::record::{Actual, Record};
use domain::{AlertId, AlertKey};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::local::seed::{Many, seed_many};
use crate::local::{Stack, Times};
use crate::progress::step;
use crate::sight::{Call, Purpose, Sight, Waiting};
use crate::source::{Alert, Source};
use crate::story::table;

const PARTNERS: usize = 100;
const ALERTS_EACH: usize = 5;
/// The others' tickets; far more than they take.
const WITHIN: Duration = Duration::from_secs(5 * 60);
/// Longer than `tickets` lives here, so that no call to the one partner's ConnectWise is ever answered in time.
const SLOW_MS: u32 = 15_000;
/// What the others' median may become, as a multiple of what it was.
const WANTED: f64 = 1.5;

/// Measures both and prints them.
pub(crate) async fn run() -> Result<()> {
    let stack = Stack::with_other_sites("isolation", Times::CHAOS, 1).await?;
    let slow = stack
        .other_sites
        .first()
        .context("the stack has no other site")?;
    let what = format!("seeding {PARTNERS} partners");
    let many = step(&what, seed_many(&stack, PARTNERS, slow)).await?;
    // The first round starts the functions and fills their memories of connections and keys.
    step(
        "a first round, not measured",
        measure(&stack, &many, "first"),
    )
    .await?;
    let well = step("all partners well", measure(&stack, &many, "well")).await?;
    slow.set_faults(&json!({ "latency_ms": SLOW_MS })).await?;
    let one_slow = step(
        "one partner's calls time out",
        measure(&stack, &many, "slow"),
    )
    .await?;
    print(&well, &one_slow);
    Ok(())
}

/// From 202 to the ticket, of the partners that are well.
#[derive(Debug)]
struct Waits(Vec<Duration>);

impl Waits {
    /// The wait that so many of a hundred stay below.
    fn at(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

async fn measure(stack: &Stack, many: &Many, phase: &str) -> Result<Waits> {
    let (source, sight) = (Source::of_many(stack, many)?, Sight::of(stack)?);
    let before = stack.simulator.journal(0).await?.len();
    let mut events = Vec::new();
    // By the event's id: the alerts of those whom this is about.
    let mut alerts = BTreeMap::new();
    for number in 0..ALERTS_EACH {
        for partner in &many.partners {
            let id = format!("{phase}-{partner}-{number}");
            let alert = Alert {
                tenant: &many.tenant,
                id: &id,
                kind: "disk",
                severity: "high",
                title: "Disk C: is full",
            };
            let mut event = Source::raised(&alert, &id);
            event["data"]["partner"] = json!(partner);
            events.push(event);
            if *partner != many.other {
                let key = AlertKey {
                    partner: partner.clone(),
                    tenant: many.tenant.clone(),
                    source: many.source.clone(),
                    alert_id: AlertId::parse(id.as_str())?,
                };
                alerts.insert(id, key.item_key());
            }
        }
    }
    let accepted = RefCell::new(BTreeMap::new());
    let taken = |event: &Value, _| {
        let id = event["id"].as_str().unwrap_or_default();
        if let Some(alert) = alerts.get(id) {
            accepted
                .borrow_mut()
                .insert(alert.clone(), Timestamp::now());
        }
    };
    source.post_all(&events, taken).await?;
    // The queue is not waited for: the slow partner's messages stay in it.
    let all_have = |records: &BTreeMap<String, Record>, _: Waiting| {
        alerts.values().all(|alert| {
            let actual = records.get(alert).and_then(|record| record.actual.as_ref());
            matches!(actual, Some(Actual::Open(_)))
        })
    };
    let in_time = sight.wait_until(WITHIN, all_have).await?;
    ensure!(
        in_time,
        "not every partner that is well has its tickets after {} s",
        WITHIN.as_secs()
    );
    let calls = stack.simulator.journal(before).await?;
    waits(&accepted.into_inner(), &calls)
}

/// How long each alert waited: from when its event was accepted to when ConnectWise was asked for its ticket.
fn waits(accepted: &BTreeMap<String, Timestamp>, calls: &[Call]) -> Result<Waits> {
    let mut waits = Vec::new();
    for (alert, accepted) in accepted {
        let made = |call: &&Call| {
            call.purpose() == Purpose::Create && call.committed && call.is_about(alert, &[])
        };
        let call = calls.iter().find(made);
        let call = call.with_context(|| format!("no call made the ticket of {alert}"))?;
        // A ticket may be asked for before the 202 has come back over the wire.
        waits.push(Duration::try_from(call.at.duration_since(*accepted)).unwrap_or_default());
    }
    waits.sort_unstable();
    Ok(Waits(waits))
}

fn print(well: &Waits, one_slow: &Waits) {
    let millis = |wait: Duration| format!("{:.0}", wait.as_secs_f64() * 1000.0);
    let row = |what: &str, waits: &Waits| {
        [
            what.to_owned(),
            waits.0.len().to_string(),
            millis(waits.at(50)),
            millis(waits.at(95)),
        ]
    };
    let ratio =
        |percent| one_slow.at(percent).as_secs_f64() / well.at(percent).as_secs_f64().max(0.001);
    let rows = [
        [
            "milliseconds from 202 to the ticket",
            "tickets",
            "median",
            "p95",
        ]
        .map(str::to_owned),
        row("all partners well", well),
        row("one partner's calls time out", one_slow),
        [
            "ratio".to_owned(),
            String::new(),
            format!("{:.2}", ratio(50)),
            format!("{:.2}", ratio(95)),
        ],
    ];
    println!("\nthe {} partners that are well", PARTNERS - 1);
    for line in table(&rows) {
        println!("{line}");
    }
    println!();
    if ratio(50) > WANTED {
        println!(
            "TOO MUCH: one slow partner makes the others wait {:.2} times as long, wanted is {WANTED} at most",
            ratio(50)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_from_202_to_the_creation_that_was_carried_out() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let call = |second, alert: &str, committed| Call {
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
        let found = waits(&accepted, &calls).unwrap();
        assert_eq!(found.0, [Duration::ZERO, Duration::from_secs(3)]);
        assert!(waits(&accepted, &calls[..2]).is_err());
    }

    #[test]
    fn ninety_five_of_a_hundred_stay_below_the_p95() {
        let waits = Waits((0..100).map(Duration::from_millis).collect());
        assert_eq!(waits.at(50), Duration::from_millis(50));
        assert_eq!(waits.at(95), Duration::from_millis(95));
        assert_eq!(
            Waits(vec![Duration::from_millis(7)]).at(95),
            Duration::from_millis(7)
        );
        assert_eq!(Waits(Vec::new()).at(50), Duration::ZERO);
    }
}
