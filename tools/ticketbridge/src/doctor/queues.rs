//! The event queue and the dead-letter queue: how many messages are in them, and how old.

use anyhow::Result;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::SignedDuration;

use super::Examination;
use super::cloudwatch::{CloudWatch, QueueMetric};
use super::finding::Finding;
use crate::output::counted;

/// As the alarm `QueueAgeAlarm`.
const OLD: SignedDuration = SignedDuration::from_mins(30);
/// As the alarm `QueueDepthAlarm`.
const MANY: u64 = 5_000;
/// The period of the metric that is read, in seconds.
const PERIOD: u32 = 300;
/// The time in which the metric is read. CloudWatch is some minutes late.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct QueueDepth {
    visible: u64,
    /// Hidden while a function has them, or until their next attempt.
    in_flight: u64,
}

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let (queue, dead) = tokio::join!(
        depth(of, "event queue", of.target.queue_url()),
        depth(of, "dead letters", of.target.dead_letter_queue_url()),
    );
    let mut findings = vec![];
    match queue {
        Ok(depth) => {
            findings.push(judge_depth(depth));
            findings.push(age(of).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings.push(dead.map_or_else(|finding| finding, judge_dead_letters));
    findings
}

async fn depth(
    of: &Examination<'_>,
    check: &str,
    url: Result<&str>,
) -> Result<QueueDepth, Finding> {
    let url = url.map_err(|_| Finding::missing(check, "the queue's address"))?;
    let client = aws_sdk_sqs::Client::new(&of.target.aws);
    let call = client.get_queue_attributes().queue_url(url);
    let call = call.attribute_names(QueueAttributeName::All);
    let read = call.send().await;
    let read = read.map_err(|err| Finding::unread(check, "sqs:GetQueueAttributes", &err))?;
    let attributes = read.attributes.unwrap_or_default();
    let number = |name: &QueueAttributeName| {
        let text = attributes.get(name);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    Ok(QueueDepth {
        visible: number(&QueueAttributeName::ApproximateNumberOfMessages),
        in_flight: number(&QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
    })
}

fn judge_depth(depth: QueueDepth) -> Finding {
    let QueueDepth { visible, in_flight } = depth;
    let found = format!(
        "{} to receive, {in_flight} in work or until their next attempt",
        counted(visible, "message")
    );
    if visible > MANY {
        let to_do = "See docs/runbook.md, QueueDepthAlarm: more events arrive than are processed.";
        return Finding::warning("event queue", found, to_do);
    }
    Finding::ok("event queue", found)
}

fn judge_dead_letters(depth: QueueDepth) -> Finding {
    let count = depth.visible + depth.in_flight;
    let found = counted(count, "dead letter");
    if count == 0 {
        return Finding::ok("dead letters", found);
    }
    let to_do = "See their reasons with `ticketbridge dead-letters show`, fix the cause, then run \
                 `ticketbridge dead-letters redrive`.";
    Finding::problem("dead letters", found, to_do)
}

/// The age of the oldest message. Only CloudWatch knows it.
async fn age(of: &Examination<'_>) -> Finding {
    let check = "age of the oldest event";
    match read_age(of).await {
        Ok(seconds) => judge_age(seconds),
        Err(err) => {
            let cause = format!("{err:#}");
            Finding::unread_since(check, "cloudwatch:GetMetricStatistics", &cause)
        }
    }
}

async fn read_age(of: &Examination<'_>) -> Result<Option<f64>> {
    let client = CloudWatch::open(of.target).await?;
    let queue = of.target.queue_url()?.rsplit('/').next();
    let end = of.now.as_second();
    let metric = QueueMetric {
        name: "ApproximateAgeOfOldestMessage",
        queue: queue.unwrap_or_default(),
        begin: end - WINDOW.as_secs(),
        end,
        period: PERIOD,
    };
    client.newest_maximum(&metric).await
}

/// The age in seconds; `None` if CloudWatch has no figure, as for an empty queue.
fn judge_age(seconds: Option<f64>) -> Finding {
    let check = "age of the oldest event";
    let Some(seconds) = seconds else {
        return Finding::ok(check, "no figure: the queue was empty");
    };
    let age = SignedDuration::try_from_secs_f64(seconds.round()).unwrap_or_default();
    let found = format!("{age:#}");
    if age > OLD {
        let to_do = "See docs/runbook.md, QueueAgeAlarm: no consumer receives the events.";
        return Finding::problem(check, found, to_do);
    }
    Finding::ok(check, found)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_dead_letter_is_a_problem_also_while_it_is_hidden() {
        let depth = |visible, in_flight| QueueDepth { visible, in_flight };
        assert_eq!(judge_dead_letters(depth(0, 0)).level, Level::Ok);
        assert_eq!(judge_dead_letters(depth(0, 1)).level, Level::Problem);
        assert_eq!(judge_depth(depth(5_000, 9_000)).level, Level::Ok);
        assert_eq!(judge_depth(depth(5_001, 0)).level, Level::Warning);
    }

    #[test]
    fn an_old_event_is_a_problem() {
        assert_eq!(judge_age(None).level, Level::Ok);
        assert_eq!(judge_age(Some(1_800.0)).level, Level::Ok);
        let old = judge_age(Some(1_900.4));
        assert_eq!(old.level, Level::Problem);
        assert_eq!(old.found, "31m 40s");
    }
}
