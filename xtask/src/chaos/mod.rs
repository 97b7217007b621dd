//! `cargo xtask chaos`: a storm of events through the deployed template while ConnectWise fails, forgets to answer and commits late,
//! and the functions are killed. In the end each alert must have its one ticket, or none where it is gone.

mod killer;
mod report;
mod stories;
mod verdict;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::record::{Actual, Record};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::dice::Dice;
use crate::local::{Stack, Times};
use crate::sight::{Call, Sight, Waiting};
use crate::source::{self, Source};
use killer::Killer;
use report::Report;
use stories::Story;
use verdict::{Alert, Evidence, unaccounted};

/// How long the whole may take, from the first event to the last ticket.
const WITHIN: Duration = Duration::from_secs(8 * 60);
/// How long ConnectWise fails and processes die. Not to the end: a creation that fails is not tried again before it has settled, and of
/// 400 some fail four times in a row.
const STORM: Duration = Duration::from_secs(4 * 60);
/// How often a process is killed.
const KILL_EVERY: Duration = Duration::from_secs(5);
/// How often the stack is looked at, and after how many looks a line is printed.
const LOOK_EVERY: Duration = Duration::from_millis(2500);
const TELL_EVERY: usize = 4;
/// How late a late commit comes, in seconds. The longest is shorter than the settling time.
const LATE: (usize, usize) = (5, 60);
/// How often that changes.
const LATE_CHANGES: Duration = Duration::from_secs(2);

#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Plays the stories and deliveries of a former run again; a failed run tells its seed
    #[arg(long)]
    seed: Option<u64>,
}

/// Plays the chaos and judges its end.
///
/// # Errors
/// When anything is not as it must be, with the seed and all that is known of each such alert.
pub(crate) async fn run(options: Options) -> Result<()> {
    let seed = options.seed.map_or_else(any_seed, Ok)?;
    println!("- the chaos with seed {seed}");
    let stack = Stack::start("chaos", Times::CHAOS).await?;
    let played = play(&stack, seed).await;
    if played.is_err() {
        stack.save_function_logs().await;
    }
    played.with_context(|| {
        format!("the chaos failed: `cargo xtask chaos --seed {seed}` plays its stories again")
    })
}

fn any_seed() -> Result<u64> {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .ok()
        .context("the system has no randomness")?;
    // Short enough to be typed again.
    Ok(u64::from(u32::from_le_bytes(bytes)))
}

async fn play(stack: &Stack, seed: u64) -> Result<()> {
    let source = Source::of(stack)?;
    let stories = stories::generate(seed, &stack.seeded.tenants)?;
    let alerts = alerts(&source, &stories)?;
    let chaos = Chaos {
        stack,
        sight: Sight::of(stack)?,
        source,
        alerts,
        seed,
        calls_before: stack.simulator.journal(0).await?.len(),
        begun: Instant::now(),
        progress: Progress::default(),
    };
    println!(
        "- {} events about {} alerts, to {}",
        stories::EVENTS,
        stories::ALERTS,
        stack.webhook_url()
    );
    let deliveries = stories::deliveries(seed, &stories, Timestamp::now())?;
    let left = chaos.rage(&deliveries).await?;
    let elapsed = chaos.begun.elapsed();
    chaos.calm_down().await?;
    let report = chaos.report(&stories, elapsed).await?;
    report.print();
    report.judge(&left)
}

fn alerts(source: &Source, stories: &[Story]) -> Result<Vec<Alert>> {
    let alert = |story: &Story| {
        let key = source.key(&source::Alert {
            tenant: &story.tenant,
            id: &story.id,
            kind: "",
            severity: "",
            title: "",
        })?;
        Ok(Alert {
            key,
            stands: story.stands(),
        })
    };
    stories.iter().map(alert).collect()
}

struct Chaos<'a> {
    stack: &'a Stack,
    sight: Sight<'a>,
    source: Source,
    alerts: Vec<Alert>,
    seed: u64,
    /// The calls to ConnectWise that were made to set it up.
    calls_before: usize,
    begun: Instant,
    progress: Progress,
}

#[derive(Debug, Default)]
struct Progress {
    /// The ids of the events of which at least one delivery was taken.
    events: RefCell<BTreeSet<String>>,
    deliveries: Cell<usize>,
    refusals: Cell<usize>,
    kills: Cell<usize>,
}

/// What was not done when time was up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Left {
    deliveries: usize,
    alerts: usize,
    messages: usize,
}

impl Chaos<'_> {
    /// Posts everything into the storm and waits until all is done or time is up; what is not done then.
    async fn rage(&self, deliveries: &[Value]) -> Result<Left> {
        tokio::select! {
            left = self.watch(deliveries.len()) => left,
            failed = self.post(deliveries) => match failed? {},
            failed = self.storm() => match failed? {},
        }
    }

    async fn post(&self, deliveries: &[Value]) -> Result<Infallible> {
        let progress = &self.progress;
        let taken = |event: &Value, refused| {
            progress.events.borrow_mut().insert(event["id"].to_string());
            progress.deliveries.set(progress.deliveries.get() + 1);
            progress.refusals.set(progress.refusals.get() + refused);
        };
        self.source.post_all(deliveries, taken).await?;
        std::future::pending().await
    }

    /// Foul weather and sudden deaths, and then neither.
    async fn storm(&self) -> Result<Infallible> {
        tokio::select! {
            () = sleep(STORM) => {}
            failed = self.weather() => match failed? {},
            failed = self.kill() => match failed? {},
        }
        self.clear_up().await?;
        println!("- the storm is over");
        std::future::pending().await
    }

    async fn clear_up(&self) -> Result<()> {
        let clear = json!({ "error_rate": 0, "lost_answer_rate": 0, "late_commit": { "rate": 0 } });
        self.stack.simulator.set_faults(&clear).await
    }

    /// The simulator knows one delay for all late commits: it is changed again and again.
    async fn weather(&self) -> Result<Infallible> {
        let mut dice = Dice::new(self.seed);
        loop {
            let seconds = dice.between(LATE.0, LATE.1);
            let faults = json!({
                "error_rate": 0.2,
                "lost_answer_rate": 0.1,
                "late_commit": { "rate": 0.05, "seconds": seconds },
            });
            self.stack.simulator.set_faults(&faults).await?;
            sleep(LATE_CHANGES).await;
        }
    }

    async fn kill(&self) -> Result<Infallible> {
        let function = self.stack.deployed.functions.get("tickets");
        let killer = Killer {
            emulator: self.stack.emulator.process(),
            function: function.context("the template deploys no `tickets`")?,
        };
        let mut dice = Dice::new(self.seed);
        let mut turns = interval(KILL_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let killed = killer.kill_one(&mut dice).await?;
            self.progress
                .kills
                .set(self.progress.kills.get() + usize::from(killed));
        }
    }

    /// Looks and tells until nothing is left to be done, or time is up; what is not done then.
    async fn watch(&self, deliveries: usize) -> Result<Left> {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 0.. {
            looks.tick().await;
            let (records, queue) = (self.sight.records().await?, self.sight.queue().await?);
            if look % TELL_EVERY == 0 {
                self.tell(&records, queue);
            }
            let left = Left {
                deliveries: deliveries - self.progress.deliveries.get(),
                alerts: self.to_be_done(&records),
                messages: queue.all(),
            };
            if left == Left::default() || self.begun.elapsed() > WITHIN {
                self.tell(&records, queue);
                return Ok(left);
            }
        }
        bail!("the stack was looked at for ever")
    }

    fn to_be_done(&self, records: &BTreeMap<String, Record>) -> usize {
        let is_left =
            |alert: &&Alert| unaccounted(alert, records.get(&alert.key.item_key())).is_some();
        self.alerts.iter().filter(is_left).count()
    }

    fn tell(&self, records: &BTreeMap<String, Record>, queue: Waiting) {
        let open = |record: &&Record| matches!(record.actual, Some(Actual::Open(_)));
        println!(
            "  {:4.0} s  events {:4}, deliveries {:4}; tickets open {:3}, alerts to be done {:3}; queue {:4} visible, {:4} hidden; kills {:3}",
            self.begun.elapsed().as_secs_f64(),
            self.progress.events.borrow().len(),
            self.progress.deliveries.get(),
            records.values().filter(open).count(),
            self.to_be_done(records),
            queue.visible,
            queue.hidden,
            self.progress.kills.get(),
        );
    }

    /// Ends what is left of the faults and lets the last late commit happen: one that makes a second ticket must be seen.
    async fn calm_down(&self) -> Result<()> {
        self.clear_up().await?;
        let calls = self.calls().await?;
        let failed =
            |call: &&Call| call.method != "GET" && call.status.is_some_and(|status| status >= 500);
        let last = calls.iter().filter(failed).map(|call| call.at).max();
        let latest = i64::try_from(LATE.1)? + 1;
        let over = last.and_then(|at| at.checked_add(SignedDuration::from_secs(latest)).ok());
        let wait =
            over.and_then(|over| Duration::try_from(over.duration_since(Timestamp::now())).ok());
        if let Some(wait) = wait {
            println!(
                "- no more faults; the last late commit may come for {:.0} s",
                wait.as_secs_f64()
            );
            sleep(wait).await;
        }
        Ok(())
    }

    async fn calls(&self) -> Result<Vec<Call>> {
        self.stack.simulator.journal(self.calls_before).await
    }

    async fn report(&self, stories: &[Story], elapsed: Duration) -> Result<Report> {
        // Before the tickets are looked at: that is no call of the product's.
        let calls = self.calls().await?;
        let evidence = Evidence {
            records: self.sight.records().await?,
            tickets: self.sight.tickets().await?,
            dead_letters: self.sight.dead_letters().await?.all(),
        };
        let resolved = stories.iter().filter(|story| !story.stands()).count();
        Ok(Report {
            seed: self.seed,
            alerts: self.alerts.clone(),
            resolved,
            events: self.progress.events.borrow().len(),
            deliveries: self.progress.deliveries.get(),
            refusals: self.progress.refusals.get(),
            kills: self.progress.kills.get(),
            cut: self.stack.emulator.batches_cut()?,
            calls,
            evidence,
            elapsed,
        })
    }
}
