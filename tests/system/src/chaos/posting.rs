//! Posts a round's events.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio::time::sleep;

use super::partners::ChaosPartner;
use super::progress::{Received, RoundProgress};
use super::scenarios::EventDelivery;

/// The interval between events. The stack keeps up with it, so delays show faults and not a
/// backlog.
const POST_EVERY: Duration = Duration::from_millis(50);
/// Connections that post, so that a refused event does not delay the next.
const CONNECTIONS: usize = 16;
/// The interval between two events of an alert whose source sends no `time`.
const SEQUENCE_EVERY: Duration = Duration::from_secs(3);

pub(crate) struct Posting<'a> {
    pub(crate) partners: &'a [ChaosPartner<'a>],
    pub(crate) deliveries: &'a [EventDelivery],
    pub(crate) sequences: &'a [Vec<EventDelivery>],
    pub(crate) seed: u64,
    pub(crate) started: Instant,
    pub(crate) progress: &'a RoundProgress,
}

impl Posting<'_> {
    /// Posts everything, and then waits forever.
    pub(crate) async fn run(&self) -> Result<Infallible> {
        tokio::try_join!(self.post_deliveries(), self.post_sequences())?;
        std::future::pending().await
    }

    /// Posts each delivery at its time, or later when its connection is busy.
    async fn post_deliveries(&self) -> Result<()> {
        let connection = async |number: usize| {
            let mut at = POST_EVERY * u32::try_from(number)?;
            for delivery in self.deliveries.iter().skip(number).step_by(CONNECTIONS) {
                sleep(at.saturating_sub(self.started.elapsed())).await;
                self.post(delivery).await?;
                at += POST_EVERY * u32::try_from(CONNECTIONS)?;
            }
            anyhow::Ok(())
        };
        try_join_all((0..CONNECTIONS).map(connection)).await?;
        Ok(())
    }

    /// Posts each sequence in its order. Each starts at a random time in the first half of the
    /// deliveries.
    async fn post_sequences(&self) -> Result<()> {
        let mut rng = Rng::with_seed(self.seed);
        let half = POST_EVERY * u32::try_from(self.deliveries.len() / 2)?;
        let latest = u64::try_from(half.as_millis())?;
        let start = |_| Duration::from_millis(rng.u64(0..=latest));
        let starts: Vec<_> = self.sequences.iter().map(start).collect();
        let post = async |(sequence, start): (&Vec<EventDelivery>, Duration)| {
            sleep(start).await;
            for delivery in sequence {
                self.post(delivery).await?;
                sleep(SEQUENCE_EVERY).await;
            }
            anyhow::Ok(())
        };
        try_join_all(self.sequences.iter().zip(starts).map(post)).await?;
        Ok(())
    }

    async fn post(&self, delivery: &EventDelivery) -> Result<()> {
        let source = &self.partners[delivery.partner].source;
        let sent = Timestamp::now();
        let refusals = source.post_until_accepted(&delivery.event).await?;
        let (event, progress) = (&delivery.event, self.progress);
        progress.events.borrow_mut().insert(event["id"].to_string());
        let alert = event["data"]["alert_id"].as_str().unwrap_or_default();
        let accepted = Timestamp::now();
        progress
            .received
            .borrow_mut()
            .entry(alert.to_owned())
            .or_default()
            .push(Received { sent, accepted });
        progress.deliveries.set(progress.deliveries.get() + 1);
        progress.refusals.set(progress.refusals.get() + refusals);
        Ok(())
    }
}
