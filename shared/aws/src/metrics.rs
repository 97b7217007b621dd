//! What is counted: one list of names for the code, the alarms and the dashboard, written at the end of each invocation as one line of
//! CloudWatch's Embedded Metric Format, which CloudWatch reads from the log.
//!
//! The stage is the only dimension: each more of them, and above all a partner's name, would be a metric of its own to pay for.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::config::optional;

/// Where CloudWatch lists them.
pub const NAMESPACE: &str = "Ticketbridge";
/// What tells two stages of one account apart.
pub const DIMENSION: &str = "Stage";

/// Something that is counted or measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Events that the door took.
    EventsAccepted,
    /// Signed events that were rejected because they are wrong: their alerts have no ticket. A body that cannot be read counts one.
    EventsRejected,
    /// Members that were unreadable and left out of accepted events.
    MembersDropped,
    /// Requests that the door refused: unsigned, malformed, too large.
    RequestsRefused,
    /// Requests that the door could not serve: the sender was told to come again.
    RequestsFailed,
    /// Tickets made.
    TicketsCreated,
    /// Tickets closed by us.
    TicketsClosed,
    /// Notes on tickets.
    TicketsNoted,
    /// Priorities raised.
    TicketsPatched,
    /// Tickets opened again.
    TicketsReopened,
    /// Second tickets of an alert, closed.
    DuplicateRepaired,
    /// Messages parked that can never work.
    DeadLetters,
    /// Alerts that cannot go on for now.
    AlertsBlocked,
    /// How long ago the oldest message was sent that came back to the queue unfinished, in seconds.
    UnfinishedAge,
    /// Connections that nobody calls any more.
    BreakersOpened,
    /// Connections that are called again.
    BreakersClosed,
    /// Mails that SES took.
    MailsSent,
    /// Mails that SES did not take.
    MailsFailed,
    /// Calls to the queue that failed.
    QueueFailures,
    /// Alerts that reconcile asked to be decided again.
    AlertsReleased,
    /// Alerts that reconcile asked to be taken for gone.
    ClosingsCommanded,
    /// Tenants whose closings were too many at once, and wait for a person.
    ClosingsHeld,
    /// Alerts that stay open because a snapshot lists an id that is only similar to theirs.
    SimilarIds,
    /// Alerts whose tenant is not listed for mapping, because too many of its source wait to be mapped.
    TenantsNotListed,
    /// Partner runs that were due again because two runs before them died.
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
    /// Ticks that found that another schedule does not run.
    SchedulesMissed,
    /// Panics, of a handler or of a task beside it.
    Panics,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::EventsAccepted,
        Self::EventsRejected,
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
        Self::SchedulesMissed,
        Self::Panics,
    ];

    /// Its name in CloudWatch.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventsAccepted => "events_accepted",
            Self::EventsRejected => "events_rejected",
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
            Self::SchedulesMissed => "schedules_missed",
            Self::Panics => "panics",
        }
    }

    /// Whether it is a time in seconds; all others are counts.
    #[must_use]
    pub fn is_time(self) -> bool {
        self == Self::UnfinishedAge
    }
}

/// Counts so many; nothing where it is none.
pub fn count(metric: Metric, by: usize) {
    if by > 0 {
        counter!(metric.name()).increment(u64::try_from(by).unwrap_or(u64::MAX));
    }
}

/// Notes a time.
pub fn measure(metric: Metric, time: Duration) {
    histogram!(metric.name()).record(time.as_secs_f64());
}

/// What is counted between two ends of invocations.
static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Begins to count, in a function that is told its stage; elsewhere counting does nothing. Called once, with the logs.
pub(crate) fn start() {
    let Some(stage) = optional("STAGE") else {
        return;
    };
    let builder = Builder::new()
        .cloudwatch_namespace(NAMESPACE)
        .with_dimension(DIMENSION, stage);
    let Ok(collector) = builder.init() else {
        // A second start in one process keeps the first one's.
        return;
    };
    // Properties are there to be searched for, and cost nothing.
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

/// Writes what was counted when it is dropped, at the end of an invocation, however that ends; nothing where nothing was counted.
#[must_use]
#[derive(Debug)]
pub struct FlushOnDrop(());

/// Has what this invocation counts written at its end. An invocation that is killed takes its counts along.
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
    fn each_metric_is_in_the_list_once() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        // Written out, so that a new one cannot be left out of the list.
        assert_eq!(Metric::ALL.last(), Some(&Metric::Panics));
        assert_eq!(Metric::Panics as usize + 1, Metric::ALL.len());
    }
}
