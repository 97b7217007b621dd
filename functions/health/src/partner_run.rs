//! One partner's run: probe the connection, check the sources, record the health, close the breaker,
//! notify a person.

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws::queue::QueueSender;
use connections::{AlertView, Connections, FiguresCounter};
use domain::monitoring::health::{Health, ProbeAnswer, transition};
use domain::monitoring::issue::{IncidentScope, ProbeArea};
use domain::monitoring::requirements::Requirements;
use domain::ticketing::refused_writes::RefusalGroups;
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use store::{Due, LeasedRun, Versioned};

use crate::blocked_counts::BlockedCounts;
use crate::connection_case::ConnectionCase;
use crate::missing_rights::MissingRights;
use crate::notifications::{notify, notify_of_holds, notify_of_waiting};
use crate::notifier::{NotificationContext, Notifier, tenant_names};
use crate::probe_plan::mapped_companies;
use crate::prober::{ProbeResult, Prober};
use crate::run_result::{HealthError, HealthTotals};
use crate::source_alerts::SourceAlertSender;
use crate::source_watch::{SourceFindings, SourceWatch};
use crate::weekly_report::{ReportedPartner, send_weekly_report};

/// The run of one partner, under its lease.
pub(crate) struct PartnerRun<'a> {
    pub(crate) leased: &'a LeasedRun,
    pub(crate) invocation: &'a Invocation,
    pub(crate) connections: &'a Connections,
    pub(crate) due: &'a Due,
    pub(crate) queue: &'a QueueSender,
    pub(crate) notifier: Notifier<'a>,
}

/// When the partner is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRun {
    /// At its own time in the period.
    OwnTime,
    /// At the next tick.
    NextTick,
    /// At the next tick after this time.
    After(Timestamp),
}

/// Whether an incident ended with this probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    Yes,
    No,
}

impl PartnerRun<'_> {
    /// Runs the partner. If the process dies before the health is written, nothing happened. After
    /// that, the next run probes again and finds the same. If it dies after the breaker is closed,
    /// the next run schedules reconcile; it comes within a minute while an incident recovers.
    pub(crate) async fn run(&self) -> Result<(HealthTotals, NextRun), HealthError> {
        let partner = &self.leased.partner;
        let (table, now) = (&self.connections.table, self.invocation.now());
        let config = self.connections.partner_config(partner).await?;
        let kept = table.health.get(partner).await?;
        let view = AlertView::of(config.items.clone(), &SourceId::for_test_alerts());
        let (Some(site), Some(live)) = (&view.site, &view.view.connection) else {
            return Ok((HealthTotals::default(), NextRun::OwnTime));
        };
        let case = ConnectionCase {
            partner,
            site,
            breaker: &view.view.breaker,
            needed: Requirements::new(
                &live.settings,
                mapped_companies(&config.mappings, live.epoch),
                &config.kinds(),
            ),
            invocation: self.invocation,
        };
        if !site.connection.confirmed {
            let next = self.run_unconfirmed(&case).await?;
            return Ok((HealthTotals::default(), next));
        }
        let reconcile = domain::monitoring::pipeline::Schedule::Reconcile;
        let refusals = self.due.read_progress(partner, reconcile).await?.refusals;
        let is_throttled = case.breaker.is_throttled_for_long(now);
        let paused = case.breaker.pause(now).filter(|_| !is_throttled);
        let companies = mapped_companies(&config.mappings, live.epoch);
        let watched = SourceWatch {
            table,
            partner,
            config: &config,
            companies: &companies,
            now,
        };
        let of_sources = watched.find().await?;
        let (kept, blocked) = match paused {
            Some(_) => (self.save_sources(partner, kept, of_sources).await?, None),
            None => self.probe(&case, kept, &refusals, of_sources).await?,
        };
        let alerts = SourceAlertSender {
            connections: self.connections,
            queue: self.queue,
        };
        let kept = alerts.send(partner, kept).await?;
        let names = tenant_names(&config.mappings);
        let context = NotificationContext {
            partner,
            names: &names,
            refusals: &refusals,
            now,
        };
        let (health, mut totals) = notify(&self.notifier, &context, kept, blocked).await?;
        totals += notify_of_holds(&self.notifier, &context).await?;
        totals += notify_of_waiting(&self.notifier, &context, &config).await?;
        let figures = FiguresCounter {
            alerts: self.notifier.alerts,
            table,
            partner,
        };
        let figures = figures.current(now).await?;
        let reported = ReportedPartner {
            config: &config,
            live,
            health: &health,
            figures: &figures,
        };
        totals += send_weekly_report(&self.notifier, &context, reported).await?;
        // A pause that lasts long enough to be an outage is notified of before its end.
        let outage_from = case.breaker.outage_from();
        let next = match paused {
            Some(until) => NextRun::After(outage_from.map_or(until, |at| at.min(until))),
            None if health.is_urgent(now) || totals.mails_failed > 0 => NextRun::NextTick,
            None => NextRun::OwnTime,
        };
        Ok((totals, next))
    }

    /// No notification is sent before the partner confirms: the page shows what is wrong. But a
    /// test ticket may be blocked by the breaker.
    async fn run_unconfirmed(&self, case: &ConnectionCase<'_>) -> Result<NextRun, HealthError> {
        let breaker = case.breaker;
        let is_open = breaker.open.is_some() && breaker.pause(self.invocation.now()).is_none();
        let table = &self.connections.table;
        if !is_open || table.test_ticket.get(case.partner).await?.value.is_none() {
            return Ok(NextRun::OwnTime);
        }
        let probe = self.prober().probe(case, &Health::default()).await;
        self.recover(case, &probe, Recovery::No).await?;
        Ok(NextRun::NextTick)
    }

    /// Writes the issues of sources while the connection is paused and not probed.
    async fn save_sources(
        &self,
        partner: &PartnerId,
        kept: Versioned<Health>,
        of_sources: SourceFindings,
    ) -> Result<Versioned<Health>, HealthError> {
        let now = self.invocation.now();
        let health = of_sources.apply(kept.value.clone(), now);
        if health == kept.value {
            return Ok(kept);
        }
        let table = &self.connections.table;
        let written = table.health.save(partner, &kept, health).await?;
        written.ok_or(HealthError::Conflict)
    }

    /// Probes the connection, and writes the partner's health. Returns the number of blocked alerts
    /// if an incident begins, changes or ends: it is counted before any alert goes on, because the
    /// last mail names it.
    async fn probe(
        &self,
        case: &ConnectionCase<'_>,
        kept: Versioned<Health>,
        refusals: &RefusalGroups,
        of_sources: SourceFindings,
    ) -> Result<(Versioned<Health>, Option<BlockedCounts>), HealthError> {
        let (partner, now) = (case.partner, self.invocation.now());
        let mut result = if case.breaker.is_throttled_for_long(now) {
            ProbeResult::throttled(&case.needed)
        } else {
            self.prober().probe(case, &kept.value).await
        };
        if result.probe.answer == ProbeAnswer::Accepted {
            result.probe.looked.insert(ProbeArea::Writes);
            result
                .probe
                .found
                .extend(Requirements::refused_write_issues(refusals));
        }
        let health = transition(kept.value.clone(), &result.probe, now);
        let mut health = of_sources.apply(health, now);
        let mut blocked = None;
        if health.has_begun_recovery() || !health.notifications(now).is_empty() {
            let counts = self.notifier.count_blocked(partner, refusals).await?;
            for scope in IncidentScope::ALL {
                health = health.with_waiting(scope, counts.of(scope).sum());
            }
            blocked = Some(counts);
        }
        let recovery = if health.is_recovering() {
            Recovery::Yes
        } else {
            Recovery::No
        };
        let table = &self.connections.table;
        let written = table.health.save(partner, &kept, health).await?;
        let kept = written.ok_or(HealthError::Conflict)?;
        self.recover(case, &result, recovery).await?;
        Ok((kept, blocked))
    }

    /// Closes the breaker if the probe succeeded, updates the missing rights, and schedules
    /// reconcile if blocked alerts may go on. Each write may be repeated, so the process may die
    /// anywhere.
    async fn recover(
        &self,
        case: &ConnectionCase<'_>,
        result: &ProbeResult,
        recovery: Recovery,
    ) -> Result<(), HealthError> {
        let (partner, breaker) = (case.partner, case.breaker);
        let (table, now) = (&self.connections.table, self.invocation.now());
        let mut may_go_on = recovery == Recovery::Yes;
        let is_accepted = result.probe.answer == ProbeAnswer::Accepted;
        match &breaker.open {
            Some(open) if is_accepted => {
                if table.breaker.close(partner, breaker.generation).await? {
                    count(Metric::BreakersClosed, 1);
                    tracing::info!(reason = %open.reason, "breaker closed");
                    may_go_on = true;
                }
            }
            Some(_) | None => {
                let outcome = result.outcome.clone();
                self.connections
                    .record_outcome(partner, outcome, breaker, now)
                    .await?;
            }
        }
        if is_accepted {
            let rights = MissingRights {
                table,
                due: self.due,
            };
            may_go_on |= rights.update(case, self.leased, result).await?;
        }
        if may_go_on {
            self.connections.schedule.reconcile(partner, now).await?;
        }
        Ok(())
    }

    fn prober(&self) -> Prober<'_> {
        Prober {
            connections: self.connections,
        }
    }
}
