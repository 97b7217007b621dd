//! One partner's run: it releases and commands as many alerts as the minute's allowance permits.

use std::ops::AddAssign;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws::queue::QueueSender;
use aws_types::SdkConfig;
use connections::{AlertView, BuildError, Connections, PartnerConfig};
use domain::alert::command::{Command, CommandAction};
use domain::monitoring::pipeline::Schedule;
use domain::ticketing::refused_writes::RefusedAlert;
use domain::time::later;
use domain::wire::message::Message;
use domain::{AlertKey, PartnerId, SourceId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use scheduled::{Period, ScheduledJob};
use serde::Serialize;
use store::{Alerts, Due, LeasedRun, PartnerItems, RunProgress};

use crate::Config;
use crate::closing::Closing;
use crate::error::ReconcileError;
use crate::importer::Importer;
use crate::pacing::{self, DueTimes};
use crate::releaser::{Releaser, Round};
use crate::run_context::RunContext;
use crate::storms::{OpenStorms, StormFollower, tenant_names};
use crate::targets::TargetChecker;

/// A record that was sent for a decision and did not change is sent again after this time.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// Records that are written concurrently.
const CONCURRENT_WRITES: usize = 16;

/// Finds what may go on for a partner.
#[derive(Debug)]
pub struct ReconcileJob {
    alerts: Alerts,
    connections: Connections,
    queue: QueueSender,
    due: Due,
    period: Period,
    /// How far a source's snapshots may lag behind its events.
    snapshot_lag: SignedDuration,
    /// Where ConnectWise posts its callbacks.
    page_origin: String,
}

/// What runs did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReconcileTotals {
    /// Alerts that were sent for a decision.
    pub released: usize,
    /// Commands that were sent: to resolve alerts, and to inspect tickets.
    pub commands: usize,
    /// Partners with more to do than their allowance permitted.
    pub left: usize,
}

impl ReconcileJob {
    pub(crate) fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        Ok(Self {
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            queue: QueueSender::new(aws, config.queue_url.clone()),
            due: Due::new(aws, config.connections.config_table.clone()),
            period: Period::new(config.period),
            snapshot_lag: config.snapshot_lag,
            page_origin: config.page_origin.clone(),
        })
    }
}

impl ScheduledJob for ReconcileJob {
    const SCHEDULE: Schedule = Schedule::Reconcile;
    type Totals = ReconcileTotals;
    type Error = ReconcileError;

    fn retry_after(&self) -> SignedDuration {
        pacing::MINUTE
    }

    /// Records the tick, and checks that the other schedule runs. If this fails, the tick still
    /// runs the partners.
    async fn on_tick(&self, invocation: &Invocation) {
        count(Metric::ReconcileTicks, 1);
        let now = invocation.now();
        let table = &self.connections.table;
        match table.monitoring.record_tick(Schedule::Reconcile, now).await {
            Ok(ticks) if ticks.missed(Schedule::Health, now) => {
                tracing::error!("health schedule missed its ticks");
                count(Metric::SchedulesMissed, 1);
            }
            Ok(_) => {}
            Err(err) => tracing::warn!(error = %err, "failed to record the tick"),
        }
    }

    /// Sends what may go on to the queue. If the process dies in the middle, what was sent is
    /// decided again, and what was not sent is found again.
    async fn run(
        &self,
        leased: &LeasedRun,
        invocation: &Invocation,
    ) -> Result<(ReconcileTotals, Timestamp), ReconcileError> {
        let (partner, now) = (&leased.partner, invocation.now());
        let times = DueTimes {
            partner,
            period: self.period,
            now,
        };
        let (config, view) = self.read(partner).await?;
        // Health closes the breaker, and schedules a run then.
        if view.site.is_none() || view.view.breaker.open.is_some() {
            let idle = RunProgress {
                expires_at: None,
                ..leased.progress.clone()
            };
            return Ok((ReconcileTotals::default(), times.next(&idle, None)));
        }
        if let Some(until) = view.view.breaker.pause(now) {
            return Ok((ReconcileTotals::default(), until));
        }
        let context = RunContext {
            connections: &self.connections,
            partner,
            view: &view,
            invocation,
        };
        let importer = Importer {
            context,
            alerts: &self.alerts,
            queue: &self.queue,
        };
        let is_importing = importer.import().await?;
        let names = tenant_names(&config.mappings);
        let follower = StormFollower {
            context,
            alerts: &self.alerts,
            queue: &self.queue,
            names: &names,
        };
        let storms = follower.follow().await?;
        if pacing::allowance(&leased.progress, now) == 0 {
            let left = ReconcileTotals {
                left: 1,
                ..ReconcileTotals::default()
            };
            return Ok((left, times.next_minute(&leased.progress)));
        }
        let found = self
            .find(leased, &config, context, (is_importing, &storms))
            .await?;
        self.keep_progress(leased, &found.progress, now).await?;
        self.send(&found, invocation).await?;
        let totals = found.totals();
        count(Metric::AlertsReleased, totals.released);
        // The same allowance is read again: the time may be in the next minute by now.
        let times = DueTimes {
            now: invocation.now(),
            ..times
        };
        let next = if found.left {
            times.next_minute(&found.progress)
        } else {
            let retry = found.progress.refusals.next_at(times.now);
            // Then alerts are released that maintenance holds.
            let maintenance_end = config.items.maintenance.next_end(times.now);
            let changed_at = leased.ticket_changed_at;
            let compare = pacing::comparison_after_change(&found.progress, changed_at);
            let look = retry
                .into_iter()
                .chain(found.next_look)
                .chain(maintenance_end)
                .chain(compare)
                .chain(storms.next_follow(times.now))
                .min();
            times.next(&found.progress, look)
        };
        Ok((totals, next))
    }
}

/// What a run found, and sends.
struct Found {
    /// Records at which it is time to look. They are put off when they are sent.
    looks: Vec<AlertKey>,
    released: Vec<AlertKey>,
    commands: Vec<Command>,
    retries: Vec<RefusedAlert>,
    /// When it is time to look at the next record.
    next_look: Option<Timestamp>,
    /// Whether there is more than the allowance permits.
    left: bool,
    progress: RunProgress,
}

impl ReconcileJob {
    async fn read(&self, partner: &PartnerId) -> Result<(PartnerConfig, AlertView), store::Error> {
        let table = &self.connections.table;
        table.tenants.recount_unmapped(partner).await?;
        let mut config = self.connections.partner_config(partner).await?;
        if let Some(breaker) = &config.items.breaker
            && self.connections.check_key_version(partner, breaker).await?
        {
            config.items.breaker = Some(table.breaker.get(partner).await?);
        }
        let view = self.view_of_test_alert(partner, &config.items).await?;
        config.items.breaker = Some(view.view.breaker.clone());
        Ok((config, view))
    }

    /// The view of a test alert, because a test alert may go on when no other may. For a partner
    /// who has neither confirmed nor asked for a test ticket, nothing can go on.
    async fn view_of_test_alert(
        &self,
        partner: &PartnerId,
        items: &PartnerItems,
    ) -> Result<AlertView, store::Error> {
        let view = AlertView::of(items.clone(), &SourceId::for_test_alerts());
        let connection = items.connection.as_ref();
        if view.site.is_none() || connection.is_some_and(|connection| connection.confirmed) {
            return Ok(view);
        }
        let test = self.connections.table.test_ticket.get(partner);
        Ok(match test.await?.value {
            Some(_) => view,
            None => AlertView { site: None, ..view },
        })
    }

    /// Finds what may go on, at most as much as the allowance.
    async fn find(
        &self,
        leased: &LeasedRun,
        config: &PartnerConfig,
        context: RunContext<'_>,
        (is_importing, storms): (bool, &OpenStorms),
    ) -> Result<Found, ReconcileError> {
        let (partner, now) = (context.partner, context.invocation.now());
        let mut progress = leased.progress.clone();
        let allowance = pacing::allowance(&progress, now);
        // At most half of it, so that no list delays another.
        let looks = self
            .alerts
            .lists
            .due(partner, now, allowance.div_ceil(2))
            .await?;
        let closing = Closing {
            context,
            alerts: &self.alerts,
            period: self.period,
            snapshot_lag: self.snapshot_lag,
            page_origin: &self.page_origin,
        };
        let room = allowance - looks.keys.len();
        // While tickets are imported, a record may be older than what its source reported.
        let (commands, more_commands) = if is_importing {
            (vec![], false)
        } else {
            closing
                .commands(&mut progress, leased, room.div_ceil(2))
                .await?
        };
        let releaser = Releaser {
            alerts: &self.alerts,
            config,
            storms,
        };
        releaser.settle_retries(&mut progress, now).await?;
        // A resolved alert is not released as well.
        let resolved = commands.iter().map(|command| command.key.clone());
        let known: Vec<AlertKey> = looks.keys.iter().cloned().chain(resolved).collect();
        let room = room - commands.len();
        let round = Round {
            known: &known,
            most: room,
            now,
        };
        let released = releaser.find(partner, &progress, round).await?;
        let room = room - released.keys.len();
        let mut targets = TargetChecker::new(context);
        let is_whole = !released.more;
        let retries = releaser
            .retries(
                &mut progress,
                released.survey,
                (is_whole, room),
                &mut targets,
            )
            .await?;
        let sent = looks.keys.len() + commands.len() + released.keys.len() + retries.len();
        if sent > 0 {
            progress = pacing::with_sent(&progress, sent, now);
        }
        progress.cursor = released.cursor;
        Ok(Found {
            looks: looks.keys,
            released: released.keys,
            commands,
            retries,
            next_look: looks.next,
            left: looks.has_more || released.more || more_commands || is_importing,
            progress,
        })
    }

    /// Stores the progress before the messages are sent: even if the process dies in between, no
    /// more than the allowance is sent.
    async fn keep_progress(
        &self,
        leased: &LeasedRun,
        progress: &RunProgress,
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        if *progress != leased.progress && !self.due.save_progress(leased, progress).await? {
            return Err(ReconcileError::LeaseLost);
        }
        if leased.progress.refusals.notified() != progress.refusals.notified() {
            // Health notifies a person. If the process dies before this, health does so at its own
            // time.
            self.connections
                .schedule
                .probe(&leased.partner, now)
                .await?;
        }
        Ok(())
    }

    async fn send(&self, found: &Found, invocation: &Invocation) -> Result<(), ReconcileError> {
        let commands = found.commands.iter().cloned().map(Message::Command);
        let released = found.looks.iter().chain(&found.released).cloned();
        let retries = found.retries.iter().map(retry);
        let messages: Vec<Message> = commands
            .chain(released.map(Message::Reconsider))
            .chain(retries)
            .collect();
        self.queue.send_all(&messages).await?;
        self.postpone_looks(&found.looks, invocation.now()).await?;
        let totals = found.totals();
        if !messages.is_empty() || found.left {
            tracing::info!(
                released = totals.released,
                commands = totals.commands,
                left = found.left,
                "queued releases and commands"
            );
        }
        Ok(())
    }

    /// Postpones records that were sent. The consumer sets their next time. If it cannot, they are
    /// sent again later, and not each minute.
    async fn postpone_looks(
        &self,
        keys: &[AlertKey],
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let until = later(now, LOOK_AGAIN);
        for some in keys.chunks(CONCURRENT_WRITES) {
            let postponed = some.iter().map(|key| self.alerts.postpone(key, now, until));
            for result in join_all(postponed).await {
                result?;
            }
        }
        Ok(())
    }
}

impl Found {
    fn totals(&self) -> ReconcileTotals {
        ReconcileTotals {
            released: self.looks.len() + self.released.len() + self.retries.len(),
            commands: self.commands.len(),
            left: usize::from(self.left),
        }
    }
}

/// The message by which the consumer tries a refused alert again.
fn retry(refused: &RefusedAlert) -> Message {
    Message::Command(Command {
        key: refused.key.clone(),
        occurrence: refused.occurrence,
        ticket_id: None,
        action: CommandAction::Retry {
            refused_at: refused.at,
        },
    })
}

impl AddAssign for ReconcileTotals {
    fn add_assign(&mut self, other: Self) {
        self.released += other.released;
        self.commands += other.commands;
        self.left += other.left;
    }
}
