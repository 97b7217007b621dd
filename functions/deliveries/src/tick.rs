//! The tick: resumes what is due, for each receiver under its lease.

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use domain::SourceId;
use domain::outgoing::retry::{GIVE_UP_AFTER, gives_up_at};
use domain::time::{earlier, later};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use store::ReceiverLease;
use tracing::Instrument as _;

use crate::deliverer::{Deliverer, QueueOutcome};

/// Receivers of one tick. The others are due at the next.
const MAX_RECEIVERS: u16 = 50;
/// Queues of one receiver and tick.
const MAX_QUEUES: u16 = 500;
/// Queues of one receiver that are delivered at the same time.
const CONCURRENT_QUEUES: usize = 8;
/// Deliveries of one receiver that a tick gives up.
const MAX_GIVEN_UP: u16 = 200;
/// The index may show late that a queue is due.
const INDEX_LAG: SignedDuration = SignedDuration::from_secs(1);

/// What one tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct TickSummary {
    /// Receivers that were due.
    pub(crate) receivers: usize,
    /// Receivers that are down.
    pub(crate) down: usize,
    /// Receivers whose run failed.
    pub(crate) failed: usize,
}

/// Delivers what is due. A slow receiver delays no other.
pub(crate) async fn tick(
    deliverer: &Deliverer,
    invocation: &Invocation,
) -> Result<TickSummary, store::Error> {
    count(Metric::DeliveriesTicks, 1);
    let now = invocation.now();
    let due = deliverer
        .deliveries
        .due_receivers(now, MAX_RECEIVERS)
        .await?;
    let runs = due.iter().map(|source| {
        let span = tracing::info_span!("receiver", source = %source);
        resume(deliverer, source, invocation).instrument(span)
    });
    let mut summary = TickSummary::default();
    for run in join_all(runs).await {
        match run {
            Ok(None) => {}
            Ok(Some(is_down)) => {
                summary.receivers += 1;
                summary.down += usize::from(is_down);
            }
            Err(err) => {
                tracing::error!(error = %err, "failed to resume the deliveries of a source");
                summary.failed += 1;
            }
        }
    }
    Ok(summary)
}

/// Delivers what is due for a receiver. Returns whether it is down, or `None` if another worker
/// has it. If the process dies, the receiver is due when the lease expires.
async fn resume(
    deliverer: &Deliverer,
    source: &SourceId,
    invocation: &Invocation,
) -> Result<Option<bool>, store::Error> {
    let times = (invocation.now(), invocation.holds_until());
    let lease = deliverer
        .deliveries
        .lease_receiver(source, invocation.name(), times);
    let Some(lease) = lease.await? else {
        return Ok(None);
    };
    give_up_overdue(deliverer, source, invocation.now()).await?;
    let is_down = deliver_due(deliverer, &lease, invocation).await?;
    let next = match is_down {
        // The failure already says when it is due.
        true => deliverer.deliveries.receiver(source).await?.due_at,
        false => deliverer.deliveries.next_due(source).await?,
    };
    deliverer.deliveries.finish_receiver(&lease, next).await?;
    Ok(Some(is_down))
}

/// Delivers the queues that are due. A receiver that is down gets one delivery as a probe, and
/// the others only after that.
async fn deliver_due(
    deliverer: &Deliverer,
    lease: &ReceiverLease,
    invocation: &Invocation,
) -> Result<bool, store::Error> {
    let source = &lease.source;
    let now = invocation.now();
    let is_probe = lease.failures.is_down();
    let until = match is_probe {
        true => Timestamp::MAX,
        false => later(now, INDEX_LAG),
    };
    let mut queues = deliverer
        .deliveries
        .due_queues(source, until, MAX_QUEUES)
        .await?;
    if is_probe && !queues.is_empty() {
        let probe = queues.remove(0);
        deliverer.deliver(source, &probe, invocation).await?;
        // Another worker may have had the queue, or nothing of it was posted.
        if deliverer
            .deliveries
            .receiver(source)
            .await?
            .failures
            .is_down()
        {
            return Ok(true);
        }
    }
    let outcomes = stream::iter(&queues)
        .map(|queue| deliverer.deliver(source, queue, invocation))
        .buffer_unordered(CONCURRENT_QUEUES);
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some(outcome) = outcomes.next().await {
        // Those that are under way end. No other begins.
        if outcome? == QueueOutcome::ReceiverDown {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives up what was tried for too long, also while its receiver is left alone.
async fn give_up_overdue(
    deliverer: &Deliverer,
    source: &SourceId,
    now: Timestamp,
) -> Result<(), store::Error> {
    let before = earlier(now, GIVE_UP_AFTER);
    let old = deliverer
        .deliveries
        .pending_before(source, before, MAX_GIVEN_UP)
        .await?;
    for delivery in old {
        // One that was replayed is older than its attempts.
        if gives_up_at(delivery.tried_since) <= now {
            deliverer.give_up(&delivery, now).await?;
        }
    }
    Ok(())
}
