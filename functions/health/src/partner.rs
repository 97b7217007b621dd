//! One partner's run, under its lease.

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use connections::{Site, View};
use domain::breaker::Breaker;
use domain::health::{Health, IncidentScope, ProbeAnswer, ProbeArea, Requirements, transition};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use store::{Leased, Task};

use crate::App;
use crate::pacing;
use crate::probe::{Probed, mapped};
use crate::tell::{Names, Telling, names};

/// The mails of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mails {
    pub(crate) sent: usize,
    pub(crate) failed: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("another run was faster")]
    Lost,
}

impl App {
    /// Tries the connection, keeps what that found, closes the breaker where it is to be closed, and tells a person what there is to tell.
    ///
    /// If the process dies in the middle: before the health is written, nothing happened; after that, the next run tries again and finds
    /// the same to do; after the breaker is closed, the next run, a minute later while something mends, has what waited looked at.
    pub(crate) async fn run(
        &self,
        leased: &Leased,
        invocation: &Invocation,
    ) -> Result<(Mails, Timestamp), HealthError> {
        let (partner, table, now) = (&leased.partner, &self.connections.table, invocation.now());
        let set_up = self.connections.set_up(partner).await?;
        let kept = table.health(partner).await?;
        let view = View::of(set_up.items.clone(), &SourceId::for_test_alerts());
        let (Some(site), Some(live)) = (&view.site, &view.view.connection) else {
            return Ok((
                Mails::default(),
                pacing::own_time(partner, self.period, now),
            ));
        };
        let breaker = &view.view.breaker;
        let case = Case {
            partner,
            site,
            breaker,
            needed: Requirements::new(&live.settings, mapped(&set_up.mappings, live.epoch)),
            invocation,
        };
        if !site.connection.confirmed {
            // Whoever sets it up is at the page, which says what is wrong; but a test ticket waits for its breaker.
            let waits = breaker.open.is_some() && breaker.pause(now).is_none();
            if waits && table.test_ticket_to_change(partner).await?.value.is_some() {
                let probed = self.probe(&case, &Health::default()).await;
                self.mend(&case, leased, &probed, Mending::No).await?;
                return Ok((Mails::default(), pacing::soon(self.period, now)));
            }
            return Ok((
                Mails::default(),
                pacing::own_time(partner, self.period, now),
            ));
        }
        let throttled = breaker.is_throttled_for_long(now);
        let paused = breaker.pause(now).filter(|_| !throttled);
        let reconciled = self.runs.due.progress(partner, Task::Reconcile);
        let refusals = reconciled.await?.refusals;
        let (kept, waiting) = match paused {
            Some(_) => (kept, None),
            None => {
                let mut probed = match throttled {
                    true => Probed::throttled(&case.needed),
                    false => self.probe(&case, &kept.health).await,
                };
                if probed.probe.answer == ProbeAnswer::Accepted {
                    probed.probe.looked.insert(ProbeArea::Writes);
                    let refused = Requirements::refused_write_issues(&refusals);
                    probed.probe.found.extend(refused);
                }
                let health = transition(kept.health.clone(), &probed.probe, now);
                // Counted before anything goes on, for whoever is told later how many there were.
                let waiting =
                    match health.has_begun_recovery() || !health.notifications(now).is_empty() {
                        true => Some(self.waiting(partner, &refusals).await?),
                        false => None,
                    };
                let health = match &waiting {
                    Some(waiting) => health
                        .with_waiting(
                            IncidentScope::Connection,
                            waiting.of(IncidentScope::Connection).sum(),
                        )
                        .with_waiting(
                            IncidentScope::PartnerConfig,
                            waiting.of(IncidentScope::PartnerConfig).sum(),
                        ),
                    None => health,
                };
                let mending = match health.is_recovering() {
                    true => Mending::Yes,
                    false => Mending::No,
                };
                let written = table.put_health(partner, &kept, health).await?;
                let kept = written.ok_or(HealthError::Lost)?;
                self.mend(&case, leased, &probed, mending).await?;
                (kept, waiting)
            }
        };
        let names: Names = names(&set_up.mappings);
        let telling = Telling {
            partner,
            names: &names,
            refusals: &refusals,
            now,
        };
        let (health, mut mails) = self.tell(&telling, kept, waiting).await?;
        mails += self.notify_of_holds(&telling).await?;
        let next = match health.is_urgent(now) || mails.failed > 0 {
            true => pacing::soon(self.period, now),
            false => pacing::own_time(partner, self.period, now),
        };
        // A pause that lasts so long that it is an outage is told before its end.
        let paused = paused.map(|until| breaker.outage_from().map_or(until, |at| at.min(until)));
        let next = paused.map_or(next, |until| until.max(pacing::soon(self.period, now)));
        Ok((mails, next))
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
    ) -> Result<(), HealthError> {
        let Case {
            partner,
            breaker,
            invocation,
            ..
        } = *case;
        let (table, now) = (&self.connections.table, invocation.now());
        let mut goes_on = mending == Mending::Yes;
        let takes = probed.probe.answer == ProbeAnswer::Accepted;
        match &breaker.open {
            Some(open) if takes => {
                if table.close_breaker(partner, breaker.generation).await? {
                    count(Metric::BreakersClosed, 1);
                    tracing::info!(reason = %open.reason, "breaker closed");
                    goes_on = true;
                }
            }
            Some(_) | None => {
                let outcome = probed.outcome.clone();
                self.connections
                    .record_outcome(partner, outcome, breaker, now)
                    .await?;
            }
        }
        if takes {
            goes_on |= self.update_missing_rights(case, leased, probed).await?;
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
    pub(crate) needed: Requirements,
    pub(crate) invocation: &'a Invocation,
}

impl std::ops::AddAssign for Mails {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
    }
}
