//! The scheduled job.

use aws::invocation::Invocation;
use aws::mail::Mailer;
use aws::queue::QueueSender;
use aws_types::SdkConfig;
use connections::{BuildError, Connections};
use domain::monitoring::pipeline::Schedule;
use domain::time::later;
use jiff::{SignedDuration, Timestamp};
use scheduled::{Period, ScheduledJob};
use store::{Alerts, Due, LeasedRun};

use crate::Config;
use crate::monitoring::Monitor;
use crate::notifier::Notifier;
use crate::partner_run::{NextRun, PartnerRun};
use crate::run_result::{HealthError, HealthTotals};

/// The delay until the next tick. The schedule's ticks are a minute apart, and a run takes some
/// time: a minute later would be the tick after the next.
const UNTIL_NEXT_TICK: SignedDuration = SignedDuration::from_secs(50);

/// Probes the connection of a partner, and notifies a person.
#[derive(Debug)]
pub struct HealthJob {
    alerts: Alerts,
    connections: Connections,
    due: Due,
    mailer: Mailer,
    queue: QueueSender,
    page_origin: String,
    monitor: Monitor,
    /// How often a healthy connection is probed.
    period: Period,
    retry_after: SignedDuration,
}

impl HealthJob {
    pub(crate) fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        Ok(Self {
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            due: Due::new(aws, config.connections.config_table.clone()),
            mailer: Mailer::new(aws, config.mail_from.clone()),
            queue: QueueSender::new(aws, config.queue_url.clone()),
            page_origin: config.page_origin.clone(),
            monitor: Monitor::new(config, aws),
            period: Period::new(config.period).shifted_by_half(),
            retry_after: UNTIL_NEXT_TICK.min(config.period),
        })
    }
}

impl ScheduledJob for HealthJob {
    const SCHEDULE: Schedule = Schedule::Health;
    type Totals = HealthTotals;
    type Error = HealthError;

    fn retry_after(&self) -> SignedDuration {
        self.retry_after
    }

    async fn on_tick(&self, invocation: &Invocation) {
        self.monitor.watch(invocation).await;
    }

    async fn run(
        &self,
        leased: &LeasedRun,
        invocation: &Invocation,
    ) -> Result<(HealthTotals, Timestamp), HealthError> {
        let run = PartnerRun {
            leased,
            invocation,
            connections: &self.connections,
            due: &self.due,
            queue: &self.queue,
            notifier: Notifier {
                alerts: &self.alerts,
                connections: &self.connections,
                mailer: &self.mailer,
                page_origin: &self.page_origin,
            },
        };
        let now = invocation.now();
        // On the heap, because the future is too large for a thread's stack.
        let (totals, next) = Box::pin(run.run()).await?;
        let next_tick = later(now, self.retry_after);
        let next = match next {
            NextRun::OwnTime => self.period.next(&leased.partner, now),
            NextRun::NextTick => next_tick,
            NextRun::After(time) => time.max(next_tick),
        };
        Ok((totals, next))
    }
}
