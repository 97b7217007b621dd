//! `cargo xtask chaos`: a storm of events through the deployed template while ConnectWise does everything that it is known or feared
//! to do, technicians work on the same tickets, and the functions are killed. In the end each active alert has its one open ticket or
//! waits for a person, and the partners whose ConnectWise is well have not waited longer than in a calm run.

mod faults;
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
use domain::{PartnerId, TenantId};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::dice::Dice;
use crate::local::seed::{self, Seeded};
use crate::local::simulator::Simulator;
use crate::local::{Stack, Times};
use crate::progress::step;
use crate::sight::{Call, Sight, Ticket, Waiting};
use crate::source::{self, Source};
use killer::Killer;
use report::Report;
use stories::{CALM, Delivery, PARTNERS, STORM, Size, Story};
use verdict::{Alert, Evidence, Expected, unaccounted};

/// How long the storm's events may take, from the first to the last ticket, and those of the calm before it. A create that was
/// answered twice without a word on whether it was done is retried five minutes after it has settled, then with the others like it.
const WITHIN: Duration = Duration::from_secs(20 * 60);
const CALM_WITHIN: Duration = Duration::from_secs(3 * 60);
/// How long ConnectWise fails and processes die. Not to the end: a create that fails is not tried again before it has settled, and of
/// so many some fail four times in a row.
const STORM_LASTS: Duration = Duration::from_secs(4 * 60);
/// The partners whose ConnectWise has faults; that of the others is well.
const WITH_FAULTS: usize = 3;
/// How often an event is posted: what the stack can take, so that waiting times tell of faults and not of a backlog.
const POST_EVERY: Duration = Duration::from_millis(50);
/// Connections that post, so that one refused event does not delay the next.
const CONNECTIONS: usize = 16;
/// Between two events of an alert whose source sends no `time`.
const SEQUENCE_EVERY: Duration = Duration::from_secs(3);
/// How often a process is killed.
const KILL_EVERY: Duration = Duration::from_secs(5);
/// How often technicians do something at each site with faults.
const TECHNICIAN_EVERY: Duration = Duration::from_secs(15);
/// How often the stack is looked at, and after how many looks a line is printed.
const LOOK_EVERY: Duration = Duration::from_millis(2500);
const TELL_EVERY: usize = 4;
/// How often the faults change.
const FAULTS_CHANGE: Duration = Duration::from_secs(2);

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
    let stack = Stack::with_other_sites("chaos", Times::ALL_FAULTS, PARTNERS - 1).await?;
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
    let others = step("setting the other partners up", set_up(stack)).await?;
    let partners = partners(stack, &others)?;
    let calm = Chaos::of(stack, &partners, seed, CALM, &[]).await?;
    let left = calm.play_calmly().await?;
    let calm = calm.report(calm.begun.elapsed()).await?;
    calm.judge(&left).context("the calm before the storm")?;
    let storm = Chaos::of(stack, &partners, seed, STORM, &calm.alerts).await?;
    let left = storm.rage().await?;
    let elapsed = storm.begun.elapsed();
    storm.calm_down().await?;
    let report = storm.report(elapsed).await?;
    report.print();
    report.judge(&left)?;
    report.compare_waits(&calm)
}

/// The partners beside the seeded one, each at a site of its own.
async fn set_up(stack: &Stack) -> Result<Vec<Seeded>> {
    let mut seeded = Vec::new();
    for (number, site) in stack.other_sites.iter().enumerate() {
        let partner = PartnerId::parse(format!("partner-{number}"))?;
        seeded.push(seed::set_up(stack, partner, site).await?);
    }
    Ok(seeded)
}

/// A partner, who posts for it, and its ConnectWise.
struct Partner<'a> {
    source: Source,
    site: &'a Simulator,
    tenants: &'a [TenantId],
    has_faults: bool,
}

fn partners<'a>(stack: &'a Stack, others: &'a [Seeded]) -> Result<Vec<Partner<'a>>> {
    let sites = std::iter::once(&stack.simulator).chain(&stack.other_sites);
    let seeded = std::iter::once(&stack.seeded).chain(others);
    let partner = |(number, (site, seeded)): (usize, (&'a Simulator, &'a Seeded))| {
        let secret = &seeded.webhook_secret;
        Ok(Partner {
            source: Source::new(stack, &seeded.partner, &seeded.source, secret)?,
            site,
            tenants: &seeded.tenants,
            has_faults: number < WITH_FAULTS,
        })
    };
    sites.zip(seeded).enumerate().map(partner).collect()
}

/// What one round of events is about, and how far it is.
struct Chaos<'a> {
    stack: &'a Stack,
    partners: &'a [Partner<'a>],
    sight: Sight<'a>,
    stories: Vec<Story>,
    deliveries: Vec<Delivery>,
    sequences: Vec<Vec<Delivery>>,
    alerts: Vec<Alert>,
    seed: u64,
    /// The items of the alerts of an earlier round: their tickets are there too.
    earlier: BTreeSet<String>,
    /// The calls to each site that were made before.
    calls_before: Vec<usize>,
    begun: Instant,
    progress: Progress,
}

#[derive(Debug, Default)]
struct Progress {
    /// The ids of the events of which at least one delivery was taken.
    events: RefCell<BTreeSet<String>>,
    /// When the first event about an alert was taken, by the alert's id.
    accepted: RefCell<BTreeMap<String, Timestamp>>,
    /// The items of the alerts whose ticket a technician closed or merged.
    by_technician: RefCell<BTreeSet<String>>,
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

impl<'a> Chaos<'a> {
    async fn of(
        stack: &'a Stack,
        partners: &'a [Partner<'a>],
        seed: u64,
        size: Size,
        earlier: &[Alert],
    ) -> Result<Self> {
        let tenants = partners.first().context("there is no partner")?.tenants;
        let stories = stories::generate(seed, size, tenants)?;
        let now = Timestamp::now();
        let mut calls_before = Vec::new();
        for partner in partners {
            calls_before.push(partner.site.journal(0).await?.len());
        }
        println!(
            "- {} events about {} alerts of {} partners",
            size.events,
            size.alerts,
            partners.len()
        );
        Ok(Self {
            stack,
            partners,
            sight: Sight::of(stack)?,
            deliveries: stories::deliveries(seed, &stories, now)?,
            sequences: stories::sequences(seed, &stories, now)?,
            alerts: alerts(partners, &stories)?,
            stories,
            seed,
            earlier: earlier.iter().map(|alert| alert.key.item_key()).collect(),
            calls_before,
            begun: Instant::now(),
            progress: Progress::default(),
        })
    }

    /// Posts everything and waits until all is done or time is up; what is not done then.
    async fn play_calmly(&self) -> Result<Left> {
        tokio::select! {
            left = self.watch(CALM_WITHIN) => left,
            failed = self.post() => match failed? {},
        }
    }

    /// As `play_calmly`, into the storm.
    async fn rage(&self) -> Result<Left> {
        tokio::select! {
            left = self.watch(WITHIN) => left,
            failed = self.post() => match failed? {},
            failed = self.storm() => match failed? {},
        }
    }

    async fn post(&self) -> Result<Infallible> {
        tokio::try_join!(self.post_deliveries(), self.post_sequences())?;
        std::future::pending().await
    }

    /// Posts each delivery at its time, or as soon after it as its connection is free.
    async fn post_deliveries(&self) -> Result<()> {
        let connection = async |number: usize| {
            let mut at = POST_EVERY * u32::try_from(number)?;
            for delivery in self.deliveries.iter().skip(number).step_by(CONNECTIONS) {
                sleep(at.saturating_sub(self.begun.elapsed())).await;
                self.post_one(delivery).await?;
                at += POST_EVERY * u32::try_from(CONNECTIONS)?;
            }
            anyhow::Ok(())
        };
        try_join_all((0..CONNECTIONS).map(connection)).await?;
        Ok(())
    }

    /// Posts each sequence in its order, begun at any time in the first half of what takes the deliveries.
    async fn post_sequences(&self) -> Result<()> {
        let mut dice = Dice::new(self.seed);
        let half = POST_EVERY * u32::try_from(self.deliveries.len() / 2)?;
        let latest = usize::try_from(half.as_millis())?;
        let begins = self
            .sequences
            .iter()
            .map(|_| {
                Ok(Duration::from_millis(u64::try_from(
                    dice.between(0, latest),
                )?))
            })
            .collect::<Result<Vec<_>>>()?;
        let post = async |(sequence, begin): (&Vec<Delivery>, Duration)| {
            sleep(begin).await;
            for delivery in sequence {
                self.post_one(delivery).await?;
                sleep(SEQUENCE_EVERY).await;
            }
            anyhow::Ok(())
        };
        try_join_all(self.sequences.iter().zip(begins).map(post)).await?;
        Ok(())
    }

    async fn post_one(&self, delivery: &Delivery) -> Result<()> {
        let source = &self.partners[delivery.partner].source;
        let refused = source.post_until_taken(&delivery.event).await?;
        let progress = &self.progress;
        let event = &delivery.event;
        progress.events.borrow_mut().insert(event["id"].to_string());
        let alert = event["data"]["alert_id"].as_str().unwrap_or_default();
        progress
            .accepted
            .borrow_mut()
            .entry(alert.to_owned())
            .or_insert_with(Timestamp::now);
        progress.deliveries.set(progress.deliveries.get() + 1);
        progress.refusals.set(progress.refusals.get() + refused);
        Ok(())
    }

    /// All faults, technicians and sudden deaths, and then none of them.
    async fn storm(&self) -> Result<Infallible> {
        tokio::select! {
            () = sleep(STORM_LASTS) => {}
            failed = self.faults() => match failed? {},
            failed = self.technicians() => match failed? {},
            failed = self.kill() => match failed? {},
        }
        self.clear_up().await?;
        println!("- the storm is over");
        std::future::pending().await
    }

    fn sites_with_faults(&self) -> impl Iterator<Item = (usize, &Simulator)> {
        let numbered = self.partners.iter().enumerate();
        let with_faults = numbered.filter(|(_, partner)| partner.has_faults);
        with_faults.map(|(number, partner)| (number, partner.site))
    }

    async fn clear_up(&self) -> Result<()> {
        for (_, site) in self.sites_with_faults() {
            site.set_faults(&faults::calm()).await?;
        }
        Ok(())
    }

    async fn faults(&self) -> Result<Infallible> {
        let mut dice = Dice::new(self.seed);
        loop {
            for (_, site) in self.sites_with_faults() {
                site.set_faults(&faults::storm(&mut dice)).await?;
            }
            sleep(FAULTS_CHANGE).await;
        }
    }

    /// Closes a ticket of an active alert, or merges one into another of its company.
    async fn technicians(&self) -> Result<Infallible> {
        let mut dice = Dice::new(self.seed);
        let mut turns = interval(TECHNICIAN_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 0_usize.. {
            turns.tick().await;
            for (number, site) in self.sites_with_faults() {
                let tickets = Sight::tickets_of(site).await?;
                let tickets: Vec<&Ticket> = tickets
                    .iter()
                    .filter(|ticket| !ticket.closed && self.is_left_alone(number, ticket))
                    .collect();
                let Some(chosen) = dice.one_of(&tickets) else {
                    continue;
                };
                let same_company = |other: &&&Ticket| {
                    other.company == chosen.company && other.item_key() != chosen.item_key()
                };
                let parent = tickets.iter().find(same_company);
                let action = match parent.filter(|_| !turn.is_multiple_of(3)) {
                    Some(parent) => json!({ "merge_into": parent.id }),
                    None => json!("close"),
                };
                let item = chosen.item_key().to_owned();
                self.progress.by_technician.borrow_mut().insert(item);
                site.act(chosen.id, &action).await?;
            }
        }
        bail!("technicians worked for ever")
    }

    /// Whether a ticket belongs to an active alert of this partner that no technician has touched.
    fn is_left_alone(&self, partner: usize, ticket: &Ticket) -> bool {
        let is_its_alert = |alert: &&Alert| {
            alert.partner == partner
                && alert.expected == Expected::Open
                && alert.key.item_key() == ticket.item_key()
        };
        let by_technician = self.progress.by_technician.borrow();
        !by_technician.contains(ticket.item_key()) && self.alerts.iter().any(|a| is_its_alert(&a))
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
    async fn watch(&self, within: Duration) -> Result<Left> {
        let sequences = self.sequences.iter().map(Vec::len).sum::<usize>();
        let deliveries = self.deliveries.len() + sequences;
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
            if left == Left::default() || self.begun.elapsed() > within {
                self.tell(&records, queue);
                return Ok(left);
            }
        }
        bail!("the stack was looked at for ever")
    }

    /// The alerts, with what technicians have done meanwhile.
    fn expected(&self) -> Vec<Alert> {
        let by_technician = self.progress.by_technician.borrow();
        let expected = |alert: &Alert| {
            let mut alert = alert.clone();
            if by_technician.contains(&alert.key.item_key()) {
                alert.expected = Expected::ByTechnician;
            }
            alert
        };
        self.alerts.iter().map(expected).collect()
    }

    fn to_be_done(&self, records: &BTreeMap<String, Record>) -> usize {
        let is_left =
            |alert: &&Alert| unaccounted(alert, records.get(&alert.key.item_key())).is_some();
        self.expected().iter().filter(is_left).count()
    }

    fn tell(&self, records: &BTreeMap<String, Record>, queue: Waiting) {
        let open = |record: &&Record| matches!(record.actual, Some(Actual::Open(_)));
        let blocked = |record: &&Record| record.blocked.is_some();
        println!(
            "  {:4.0} s  events {:4}, deliveries {:4}; tickets open {:3}, blocked {:3}, alerts to be done {:3}; queue {:4} visible, {:4} hidden; kills {:3}",
            self.begun.elapsed().as_secs_f64(),
            self.progress.events.borrow().len(),
            self.progress.deliveries.get(),
            records.values().filter(open).count(),
            records.values().filter(blocked).count(),
            self.to_be_done(records),
            queue.visible,
            queue.hidden,
            self.progress.kills.get(),
        );
    }

    /// Ends what is left of the faults and lets the last late write happen: one that makes a second ticket must be seen.
    async fn calm_down(&self) -> Result<()> {
        self.clear_up().await?;
        let calls = self.calls().await?;
        let failed =
            |call: &&Call| call.method != "GET" && call.status.is_some_and(|status| status >= 500);
        let last = calls
            .iter()
            .flatten()
            .filter(failed)
            .map(|call| call.at)
            .max();
        let latest = i64::try_from(faults::LATE.1)? + 1;
        let over = last.and_then(|at| at.checked_add(SignedDuration::from_secs(latest)).ok());
        let wait =
            over.and_then(|over| Duration::try_from(over.duration_since(Timestamp::now())).ok());
        if let Some(wait) = wait {
            println!(
                "- no more faults; the last late write may come for {:.0} s",
                wait.as_secs_f64()
            );
            sleep(wait).await;
        }
        Ok(())
    }

    /// The calls to each partner's site.
    async fn calls(&self) -> Result<Vec<Vec<Call>>> {
        let mut calls = Vec::new();
        for (partner, before) in self.partners.iter().zip(&self.calls_before) {
            calls.push(partner.site.journal(*before).await?);
        }
        Ok(calls)
    }

    async fn report(&self, elapsed: Duration) -> Result<Report> {
        // Before the tickets are looked at: that is no call of the product's.
        let calls = self.calls().await?;
        let mut tickets = Vec::new();
        for partner in self.partners {
            tickets.extend(Sight::tickets_of(partner.site).await?);
        }
        tickets.retain(|ticket| !self.earlier.contains(ticket.item_key()));
        let evidence = Evidence {
            records: self.sight.records().await?,
            tickets,
            dead_letters: self.sight.dead_letters().await?.all(),
        };
        let resolved = self.stories.iter().filter(|story| !story.stands()).count();
        Ok(Report {
            seed: self.seed,
            waits: self.waits(&calls),
            alerts: self.expected(),
            resolved,
            by_technician: self.progress.by_technician.borrow().len(),
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

    /// How long the active alerts of the partners without faults waited: from the first event that was taken to the call that made
    /// the ticket. From the shortest.
    fn waits(&self, calls: &[Vec<Call>]) -> Vec<Duration> {
        let accepted = self.progress.accepted.borrow();
        let wait = |(story, alert): (&Story, &Alert)| {
            let is_measured = story.stands() && !self.partners[story.partner].has_faults;
            let accepted = accepted.get(&story.id).filter(|_| is_measured)?;
            let mut calls = calls.get(story.partner)?.iter();
            let made = calls.find(|call| call.makes_ticket_of(&alert.key.item_key()))?;
            // A ticket may be asked for before the 202 has come back over the wire.
            Some(Duration::try_from(made.at.duration_since(*accepted)).unwrap_or_default())
        };
        let mut waits: Vec<_> = self
            .stories
            .iter()
            .zip(&self.alerts)
            .filter_map(wait)
            .collect();
        waits.sort_unstable();
        waits
    }
}

fn alerts(partners: &[Partner<'_>], stories: &[Story]) -> Result<Vec<Alert>> {
    let alert = |story: &Story| {
        let source = &partners[story.partner].source;
        let key = source.key(&source::Alert {
            tenant: &story.tenant,
            id: &story.id,
            kind: "",
            severity: "",
            title: "",
        })?;
        let expected = match story.stands() {
            true if story.is_poisoned => Expected::Refused,
            true => Expected::Open,
            false => Expected::Resolved,
        };
        Ok(Alert {
            key,
            partner: story.partner,
            expected,
        })
    };
    stories.iter().map(alert).collect()
}
