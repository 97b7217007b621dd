//! One partner's run, under its lease.

use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use connections::{Site, View};
use domain::breaker::Breaker;
use domain::health::{Answer, Health, Needed, Part, transition};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use store::{Leased, Task};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::App;
use crate::pacing;
use crate::probe::{Probed, mapped};
use crate::tell::{Names, Telling, names};

/// A run is begun only with so much time for its calls.
const RUN: Duration = Duration::from_secs(6);
/// Of what is left after the last call, for giving the lease back.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// What became of a partner's run.
#[derive(Debug)]
pub(crate) enum Run {
    /// It came to its end.
    Done(Mails),
    /// It is tried again in a minute, or when its lease ends.
    Failed,
    /// Another run is on, or the partner is due no more.
    NotOurs,
}

/// The mails of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mails {
    pub(crate) sent: usize,
    pub(crate) failed: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("another run was faster")]
    Lost,
}

struct Looked {
    mails: Mails,
    next: Timestamp,
}

impl App {
    /// Makes the partner's run if it is due and nobody else makes it.
    pub(crate) async fn run(&self, partner: &PartnerId, invocation: &Invocation) -> Run {
        let span = tracing::info_span!("partner", partner = %partner);
        self.leased_run(partner, invocation).instrument(span).await
    }

    async fn leased_run(&self, partner: &PartnerId, invocation: &Invocation) -> Run {
        let ends = invocation.calls_end();
        if Instant::now() + RUN > ends {
            tracing::warn!("no time left, it comes at the next tick");
            return Run::Failed;
        }
        let (task, id) = (Task::Health, invocation.name());
        let (now, until) = (invocation.now(), invocation.holds_until());
        let lease = self.due.lease(partner, task, id, now, until);
        let leased = match timeout_at(ends, lease).await {
            Ok(Ok(Some(leased))) => leased,
            Ok(Ok(None)) => {
                tracing::info!("due no more, or in other hands");
                return Run::NotOurs;
            }
            Ok(Err(fault)) => {
                tracing::error!(fault = %fault, "no lease");
                return Run::Failed;
            }
            Err(_) => {
                tracing::error!("no lease in time");
                return Run::Failed;
            }
        };
        let looked = match timeout_at(ends, self.look(&leased, invocation)).await {
            Ok(Ok(looked)) => Some(looked),
            Ok(Err(fault)) => {
                tracing::error!(fault = %fault, "the run failed");
                None
            }
            Err(_) => {
                tracing::error!("the run took all the time there was");
                None
            }
        };
        let next = looked
            .as_ref()
            .map_or_else(|| pacing::soon(self.period, now), |looked| looked.next);
        match timeout_at(ends + GIVING_BACK, self.due.finish(&leased, next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => tracing::warn!(fault = %fault, "the lease ends by itself"),
            Err(_) => tracing::warn!("the lease ends by itself"),
        }
        looked.map_or(Run::Failed, |looked| Run::Done(looked.mails))
    }

    /// Tries the connection, keeps what that found, closes the breaker where it is to be closed, and tells a person what there is to tell.
    ///
    /// If the process dies in the middle: before the health is written, nothing happened; after that, the next run tries again and finds
    /// the same to do; after the breaker is closed, the next run, a minute later while something mends, has what waited looked at.
    async fn look(&self, leased: &Leased, invocation: &Invocation) -> Result<Looked, Fault> {
        let (partner, table, now) = (&leased.partner, &self.connections.table, invocation.now());
        let set_up = self.connections.set_up(partner).await?;
        let kept = table.health(partner).await?;
        let view = View::of(set_up.items.clone(), &SourceId::of_set_up());
        let (Some(site), Some(live)) = (&view.site, &view.view.connection) else {
            return Ok(Looked::nothing(pacing::own_time(partner, self.period, now)));
        };
        let breaker = &view.view.breaker;
        let case = Case {
            partner,
            site,
            breaker,
            needed: Needed::by(&live.settings, mapped(&set_up.mappings, live.epoch)),
            invocation,
        };
        if !site.connection.confirmed {
            // Whoever sets it up is at the page, which says what is wrong; but a test ticket waits for its breaker.
            let waits = breaker.open.is_some() && breaker.pause(now).is_none();
            if waits && table.test_ticket_to_change(partner).await?.value.is_some() {
                let probed = self.probe(&case, &Health::default()).await;
                self.mend(&case, leased, &probed, Mending::No).await?;
                return Ok(Looked::nothing(pacing::soon(self.period, now)));
            }
            return Ok(Looked::nothing(pacing::own_time(partner, self.period, now)));
        }
        let paused = breaker.pause(now);
        let (kept, waiting) = match paused {
            Some(_) => (kept, None),
            None => {
                let probed = self.probe(&case, &kept.health).await;
                let health = transition(kept.health.clone(), &probed.probe, now);
                // Counted before anything goes on, for whoever is told later how many there were.
                let waiting = match health.begins_to_mend() || !health.notices(now).is_empty() {
                    true => Some(self.waiting(partner).await?),
                    false => None,
                };
                let health = match &waiting {
                    Some(waiting) => health
                        .with_waiting(Part::Connection, waiting.of(Part::Connection).sum())
                        .with_waiting(Part::SetUp, waiting.of(Part::SetUp).sum()),
                    None => health,
                };
                let mending = match health.is_mending() {
                    true => Mending::Yes,
                    false => Mending::No,
                };
                let written = table.put_health(partner, &kept, health).await?;
                let kept = written.ok_or(Fault::Lost)?;
                self.mend(&case, leased, &probed, mending).await?;
                (kept, waiting)
            }
        };
        let names: Names = names(&set_up.mappings);
        let telling = Telling {
            partner,
            names: &names,
            now,
        };
        let (health, mut mails) = self.tell(&telling, kept, waiting).await?;
        mails += self.tell_of_stopped(&telling).await?;
        let next = match health.is_urgent(now) || mails.failed > 0 {
            true => pacing::soon(self.period, now),
            false => pacing::own_time(partner, self.period, now),
        };
        Ok(Looked {
            mails,
            next: paused.map_or(next, |until| until.max(pacing::soon(self.period, now))),
        })
    }

    /// Takes what a probe told to the breaker: closes the generation that was probed, forgets rights that are there again, and has what
    /// waited looked at. A trouble that is over is mended for some minutes, and each run of these has the partner reconciled: so it does
    /// not matter where one dies.
    async fn mend(
        &self,
        case: &Case<'_>,
        leased: &Leased,
        probed: &Probed,
        mending: Mending,
    ) -> Result<(), Fault> {
        let Case {
            partner,
            breaker,
            invocation,
            ..
        } = *case;
        let (table, now) = (&self.connections.table, invocation.now());
        let mut goes_on = mending == Mending::Yes;
        let takes = probed.probe.answer == Answer::Takes;
        match &breaker.open {
            Some(open) if takes => {
                if table.close_breaker(partner, breaker.generation).await? {
                    count(Metric::BreakersClosed, 1);
                    tracing::info!(reason = %open.reason, "breaker closed");
                    goes_on = true;
                }
            }
            Some(_) | None => {
                let told = probed.told.clone();
                self.connections.heard(partner, told, breaker, now).await?;
            }
        }
        if takes {
            goes_on |= self.see_to_rights(case, leased, probed).await?;
        }
        if goes_on {
            self.connections.reconcile(partner, now).await?;
        }
        Ok(())
    }
}

/// Whether something that was wrong is over since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mending {
    Yes,
    No,
}

/// What is tried.
pub(crate) struct Case<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) site: &'a Site,
    pub(crate) breaker: &'a Breaker,
    pub(crate) needed: Needed,
    pub(crate) invocation: &'a Invocation,
}

impl Looked {
    fn nothing(next: Timestamp) -> Self {
        Self {
            mails: Mails::default(),
            next,
        }
    }
}

impl std::ops::AddAssign for Mails {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
    }
}
