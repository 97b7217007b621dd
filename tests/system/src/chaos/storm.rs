//! The disturbances of a storm: faults of ConnectWise, technicians, and killed functions.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use local_stack::inspector::{Inspector, ReferencedTicket};
use local_stack::simulator::SimulatorProcess;
use local_stack::stack::Stack;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::faults;
use super::partners::ChaosPartner;
use super::progress::RoundProgress;
use super::verdict::{ChaosAlert, Expected};
use super::worker_killer::WorkerKiller;

/// How long the disturbances last. They end before the round does: a failed creation is retried
/// only after it has settled, and of so many some fail four times in a row.
const LASTS: Duration = Duration::from_secs(4 * 60);
const KILL_EVERY: Duration = Duration::from_secs(5);
/// How often a technician acts at each site with faults.
const TECHNICIAN_EVERY: Duration = Duration::from_secs(15);
/// How often the faults change.
const FAULTS_CHANGE: Duration = Duration::from_secs(2);

pub(crate) struct Storm<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) partners: &'a [ChaosPartner<'a>],
    pub(crate) alerts: &'a [ChaosAlert],
    pub(crate) seed: u64,
    pub(crate) progress: &'a RoundProgress,
}

impl Storm<'_> {
    /// All disturbances for their time, and then none.
    pub(crate) async fn run(&self) -> Result<Infallible> {
        let ends = Instant::now() + LASTS;
        let others = async {
            tokio::select! {
                () = sleep_until(ends) => Ok(()),
                failed = self.change_faults() => match failed? {},
                failed = self.kill_workers() => match failed? {},
            }
        };
        // A technician's action is not cut off in the middle: the verdict expects its effect.
        tokio::try_join!(others, self.act_as_technicians(ends))?;
        end_faults(self.partners).await?;
        println!("- the storm is over");
        std::future::pending().await
    }

    async fn change_faults(&self) -> Result<Infallible> {
        let mut rng = Rng::with_seed(self.seed);
        loop {
            for (_, site) in sites_with_faults(self.partners) {
                site.set_faults(&faults::storm(&mut rng)).await?;
            }
            sleep(FAULTS_CHANGE).await;
        }
    }

    /// Closes a ticket of an active alert, or merges it into another one of its company.
    async fn act_as_technicians(&self, ends: Instant) -> Result<()> {
        let mut rng = Rng::with_seed(self.seed);
        let mut ticks = interval(TECHNICIAN_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0_usize.. {
            ticks.tick().await;
            if Instant::now() >= ends {
                return Ok(());
            }
            for (number, site) in sites_with_faults(self.partners) {
                let tickets = Inspector::tickets_of(site).await?;
                let tickets: Vec<&ReferencedTicket> = tickets
                    .iter()
                    .filter(|ticket| !ticket.closed && self.is_untouched(number, ticket))
                    .collect();
                let Some(chosen) = rng.choice(&tickets) else {
                    continue;
                };
                let is_mergeable = |other: &&&ReferencedTicket| {
                    other.company == chosen.company && other.item_key() != chosen.item_key()
                };
                let parent = tickets.iter().find(is_mergeable);
                let action = match parent.filter(|_| !tick.is_multiple_of(3)) {
                    Some(parent) => json!({ "merge_into": parent.id }),
                    None => json!("close"),
                };
                let item = chosen.item_key().to_owned();
                self.progress.by_technician.borrow_mut().insert(item);
                site.act(chosen.id, &action).await?;
            }
        }
        bail!("the technicians' counter overflowed")
    }

    /// Whether a ticket belongs to an active alert of this partner that no technician touched.
    fn is_untouched(&self, partner: usize, ticket: &ReferencedTicket) -> bool {
        let is_its_alert = |alert: &ChaosAlert| {
            alert.partner == partner
                && alert.expected == Expected::Open
                && alert.key.item_key() == ticket.item_key()
        };
        let by_technician = self.progress.by_technician.borrow();
        !by_technician.contains(ticket.item_key()) && self.alerts.iter().any(is_its_alert)
    }

    async fn kill_workers(&self) -> Result<Infallible> {
        let function = self.stack.deployed.functions.get("tickets");
        let killer = WorkerKiller {
            emulator: self.stack.emulator.process(),
            function: function.context("the template deploys no `tickets`")?,
        };
        let mut rng = Rng::with_seed(self.seed);
        let mut ticks = interval(KILL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let kills = &self.progress.kills;
        loop {
            ticks.tick().await;
            let has_killed = killer.kill_one(&mut rng).await?;
            kills.set(kills.get() + usize::from(has_killed));
        }
    }
}

/// Ends the faults at all sites, except those that are part of the site.
pub(crate) async fn end_faults(partners: &[ChaosPartner<'_>]) -> Result<()> {
    for (_, site) in sites_with_faults(partners) {
        site.set_faults(&faults::calm()).await?;
    }
    Ok(())
}

fn sites_with_faults<'a>(
    partners: &'a [ChaosPartner<'_>],
) -> impl Iterator<Item = (usize, &'a SimulatorProcess)> {
    let numbered = partners.iter().enumerate();
    let with_faults = numbered.filter(|(_, partner)| partner.has_faults);
    with_faults.map(|(number, partner)| (number, partner.site))
}
