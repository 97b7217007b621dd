//! The metrics: one list of names for the code, the alarms and the dashboard. At the end of each
//! invocation they are written as one line of CloudWatch's Embedded Metric Format, which CloudWatch
//! reads from the log.
//!
//! The stack's name is the only dimension. Each further dimension, above all a partner's name, would make
//! more metrics to pay for.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::config::optional;

/// The namespace in CloudWatch.
pub const NAMESPACE: &str = "Ticketbridge";
/// Distinguishes the stages of one account.
pub const DIMENSION: &str = "Stack";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Events that the webhook accepted.
    EventsAccepted,
    /// Invalid events of authenticated requests. Their alerts have no ticket. An unreadable body
    /// counts one.
    EventsRejected,
    /// Messages of sources that their mapping cannot read. They are stored for a person.
    MessagesQuarantined,
    /// Unreadable members that were left out of accepted events.
    MembersDropped,
    /// Requests that the webhook refused: unsigned, malformed, too large.
    RequestsRefused,
    /// Requests that the webhook answered with 503. Their senders repeat them.
    RequestsFailed,
    TicketsCreated,
    /// Tickets that this service closed.
    TicketsClosed,
    /// Notes that were added to tickets.
    TicketsNoted,
    /// Tickets whose priority or type was set.
    TicketsPatched,
    TicketsReopened,
    /// Duplicate tickets of an alert that were closed.
    DuplicateRepaired,
    /// Messages that were sent to the dead-letter queue.
    DeadLetters,
    /// Alerts that became blocked.
    AlertsBlocked,
    /// The age of the oldest message that returned to the queue unfinished, in seconds.
    UnfinishedAge,
    BreakersOpened,
    BreakersClosed,
    MailsSent,
    MailsFailed,
    /// Failed calls of SQS.
    QueueFailures,
    /// Blocked alerts that reconcile released.
    AlertsReleased,
    /// Alerts that reconcile commanded to resolve.
    ClosingsCommanded,
    /// Tenants whose bulk close is held until a person approves it.
    ClosingsHeld,
    /// Alerts that stay active because a snapshot lists an id that is only similar to theirs.
    SimilarIds,
    /// Alerts whose tenant is not listed for mapping, because its source has too many unmapped
    /// tenants.
    TenantsNotListed,
    /// Partner runs after at least two runs that died.
    RunsDied,
    /// Pages of tickets that reconcile read.
    PagesRead,
    /// Tickets that reconcile compared with their records.
    TicketsCompared,
    /// Partners whose run of reconcile failed.
    RunsFailed,
    /// Ticks of reconcile's schedule.
    ReconcileTicks,
    /// Ticks of health's schedule.
    HealthTicks,
    /// Ticks of the schedule of deliveries.
    DeliveriesTicks,
    /// Ticks that found another schedule not running.
    SchedulesMissed,
    /// Outgoing events that receivers confirmed.
    DeliveriesMade,
    /// Outgoing events that were given up.
    DeliveriesFailed,
    /// Panics of a handler or of a background task.
    Panics,
}

impl Metric {
    pub const ALL: [Self; 36] = [
        Self::EventsAccepted,
        Self::EventsRejected,
        Self::MessagesQuarantined,
        Self::MembersDropped,
        Self::RequestsRefused,
        Self::RequestsFailed,
        Self::TicketsCreated,
        Self::TicketsClosed,
        Self::TicketsNoted,
        Self::TicketsPatched,
        Self::TicketsReopened,
        Self::DuplicateRepaired,
        Self::DeadLetters,
        Self::AlertsBlocked,
        Self::UnfinishedAge,
        Self::BreakersOpened,
        Self::BreakersClosed,
        Self::MailsSent,
        Self::MailsFailed,
        Self::QueueFailures,
        Self::AlertsReleased,
        Self::ClosingsCommanded,
        Self::ClosingsHeld,
        Self::SimilarIds,
        Self::TenantsNotListed,
        Self::RunsDied,
        Self::PagesRead,
        Self::TicketsCompared,
        Self::RunsFailed,
        Self::ReconcileTicks,
        Self::HealthTicks,
        Self::DeliveriesTicks,
        Self::SchedulesMissed,
        Self::DeliveriesMade,
        Self::DeliveriesFailed,
        Self::Panics,
    ];

    /// The name in CloudWatch.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventsAccepted => "events_accepted",
            Self::EventsRejected => "events_rejected",
            Self::MessagesQuarantined => "messages_quarantined",
            Self::MembersDropped => "members_dropped",
            Self::RequestsRefused => "requests_refused",
            Self::RequestsFailed => "requests_failed",
            Self::TicketsCreated => "tickets_created",
            Self::TicketsClosed => "tickets_closed",
            Self::TicketsNoted => "tickets_noted",
            Self::TicketsPatched => "tickets_patched",
            Self::TicketsReopened => "tickets_reopened",
            Self::DuplicateRepaired => "duplicate_repaired",
            Self::DeadLetters => "dead_letters",
            Self::AlertsBlocked => "alerts_blocked",
            Self::UnfinishedAge => "unfinished_age",
            Self::BreakersOpened => "breakers_opened",
            Self::BreakersClosed => "breakers_closed",
            Self::MailsSent => "mails_sent",
            Self::MailsFailed => "mails_failed",
            Self::QueueFailures => "queue_failures",
            Self::AlertsReleased => "alerts_released",
            Self::ClosingsCommanded => "closings_commanded",
            Self::ClosingsHeld => "closings_held",
            Self::SimilarIds => "similar_ids",
            Self::TenantsNotListed => "tenants_not_listed",
            Self::RunsDied => "runs_died",
            Self::PagesRead => "pages_read",
            Self::TicketsCompared => "tickets_compared",
            Self::RunsFailed => "runs_failed",
            Self::ReconcileTicks => "reconcile_ticks",
            Self::HealthTicks => "health_ticks",
            Self::DeliveriesTicks => "deliveries_ticks",
            Self::SchedulesMissed => "schedules_missed",
            Self::DeliveriesMade => "deliveries_made",
            Self::DeliveriesFailed => "deliveries_failed",
            Self::Panics => "panics",
        }
    }

    /// Whether it is a time in seconds. All others are counts.
    #[must_use]
    pub fn is_time(self) -> bool {
        self == Self::UnfinishedAge
    }
}

/// Increases a counter. A count of zero is not written.
pub fn count(metric: Metric, by: usize) {
    if by > 0 {
        counter!(metric.name()).increment(u64::try_from(by).unwrap_or(u64::MAX));
    }
}

/// Records a time.
pub fn measure(metric: Metric, time: Duration) {
    histogram!(metric.name()).record(time.as_secs_f64());
}

/// Collects the counts of one invocation.
static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Starts the metrics in a function whose `STACK` is set. Elsewhere, counting has no effect. Called
/// once, with the logs.
pub(crate) fn start() {
    let Some(stack) = optional("STACK") else {
        return;
    };
    let builder = Builder::new()
        .cloudwatch_namespace(NAMESPACE)
        .with_dimension(DIMENSION, stack);
    let Ok(collector) = builder.init() else {
        // A second start in one process keeps the first collector.
        return;
    };
    // A property can be searched for and costs nothing.
    let function = optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    collector.set_property("function", function);
    for metric in Metric::ALL {
        if metric.is_time() {
            describe_histogram!(metric.name(), Unit::Seconds, "");
        } else {
            describe_counter!(metric.name(), Unit::Count, "");
        }
    }
    let _ = COLLECTOR.set(collector);
}

/// Writes the counts when it is dropped, at the end of an invocation, even after a panic. Without
/// counts it writes nothing.
#[must_use]
#[derive(Debug)]
pub struct FlushOnDrop(());

/// Writes this invocation's counts at its end. The counts of a killed invocation are lost.
pub fn flush_on_drop() -> FlushOnDrop {
    FlushOnDrop(())
}

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        if let Some(collector) = COLLECTOR.get()
            && let Err(err) = collector.flush(io::stdout().lock())
        {
            tracing::error!(error = %err, "failed to write metrics");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_holds_each_metric_once() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        // Names the last metric, so that a new one cannot be missing from the list.
        assert_eq!(Metric::ALL.last(), Some(&Metric::Panics));
        assert_eq!(Metric::Panics as usize + 1, Metric::ALL.len());
    }
}
