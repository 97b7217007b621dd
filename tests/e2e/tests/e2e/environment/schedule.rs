//! Ticks of `reconcile` and `health` at any time, and when partners are due.

use aws::invocation::Invocation;
use aws_types::SdkConfig;
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use jiff::{SignedDuration, Timestamp};
use scheduled::{Driver, RunSummary};
use serde_json::{Value, json};
use store::Due;

use super::fixtures::partner;

pub(crate) struct Schedules {
    pub(crate) due: Due,
}

impl Schedules {
    pub(super) fn new(aws: &SdkConfig) -> Self {
        let due = Due::new(aws, "config".into());
        Self { due }
    }

    /// Makes the seeded partner due for reconcile.
    pub(crate) async fn make_due(&self, at: Timestamp) {
        self.make_all_due(&[partner()], at).await;
    }

    /// Makes partners due for reconcile.
    pub(crate) async fn make_all_due(&self, partners: &[PartnerId], at: Timestamp) {
        for partner in partners {
            let due = self.due.bring_forward(partner, Schedule::Reconcile, at);
            due.await.unwrap();
        }
    }

    /// Makes the seeded partner due for health.
    pub(crate) async fn make_health_due(&self, at: Timestamp) {
        let partner = partner();
        let due = self.due.bring_forward(&partner, Schedule::Health, at);
        due.await.unwrap();
    }

    /// One tick of reconcile's schedule.
    pub(crate) async fn tick(
        &self,
        app: &Driver<reconcile::ReconcileJob>,
        at: Timestamp,
    ) -> RunSummary<reconcile::ReconcileTotals> {
        self.tick_with(app, &minute(at)).await
    }

    /// One tick of reconcile's schedule, by this invocation.
    pub(crate) async fn tick_with(
        &self,
        app: &Driver<reconcile::ReconcileJob>,
        invocation: &Invocation,
    ) -> RunSummary<reconcile::ReconcileTotals> {
        let tick = app.handle(json!({ "source": "schedule" }), invocation);
        tick.await.unwrap()
    }

    /// One tick of reconcile's schedule, for which the seeded partner is due.
    pub(crate) async fn run(
        &self,
        app: &Driver<reconcile::ReconcileJob>,
        at: Timestamp,
    ) -> RunSummary<reconcile::ReconcileTotals> {
        self.make_due(at).await;
        self.tick(app, at).await
    }

    /// The number of alerts that one tick of reconcile's schedule releases.
    pub(crate) async fn count_released(
        &self,
        app: &Driver<reconcile::ReconcileJob>,
        at: Timestamp,
    ) -> usize {
        self.tick(app, at).await.totals.released
    }

    /// One tick of health's schedule.
    pub(crate) async fn tick_health(
        &self,
        app: &Driver<health::HealthJob>,
        at: Timestamp,
    ) -> RunSummary<health::HealthTotals> {
        let tick = app
            .handle(json!({ "source": "schedule" }), &minute(at))
            .await;
        tick.unwrap()
    }
}

/// `seconds` after `time`.
pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time + SignedDuration::from_secs(seconds)
}

/// An invocation that begins at `at` and has a minute.
pub(crate) fn minute(at: Timestamp) -> Invocation {
    lasting(at, 60)
}

/// An invocation that begins at `at` and has the 15 minutes that Lambda can give, so that many
/// partners are done however busy the machine is.
pub(crate) fn quarter_hour(at: Timestamp) -> Invocation {
    lasting(at, 900)
}

fn lasting(at: Timestamp, seconds: i64) -> Invocation {
    let name: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    let name = format!("test-{:x}", u64::from_le_bytes(name));
    Invocation::at(&name, at, after(at, seconds))
}

/// The input of an invocation for these partners alone.
pub(crate) fn only(partners: &[PartnerId]) -> Value {
    json!({ "partners": partners })
}
