//! Ticks of `reconcile` and `health` at any time, and when partners are due.

use aws::invocation::Invocation;
use aws_types::SdkConfig;
use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{Due, Task};

use super::fixtures::partner;

pub(crate) struct Schedule {
    pub(crate) due: Due,
}

impl Schedule {
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
            let due = self.due.bring_forward(partner, Task::Reconcile, at);
            due.await.unwrap();
        }
    }

    /// Makes the seeded partner due for health.
    pub(crate) async fn make_health_due(&self, at: Timestamp) {
        let partner = partner();
        let due = self.due.bring_forward(&partner, Task::Health, at);
        due.await.unwrap();
    }

    /// One tick of reconcile's schedule.
    pub(crate) async fn tick(&self, app: &reconcile::App, at: Timestamp) -> reconcile::Summary {
        let tick = app
            .handle(json!({ "source": "schedule" }), &minute(at))
            .await;
        tick.unwrap()
    }

    /// One tick of health's schedule.
    pub(crate) async fn tick_health(&self, app: &health::App, at: Timestamp) -> health::Summary {
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
    let name: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    let name = format!("test-{:x}", u64::from_le_bytes(name));
    Invocation::at(&name, at, after(at, 60))
}

/// The input of an invocation for these partners alone.
pub(crate) fn only(partners: &[PartnerId]) -> Value {
    json!({ "partners": partners })
}
