//! The queues and their dead-letter queues: how many messages are in them, and how old.

use anyhow::Result;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::SignedDuration;

use super::cloudwatch::{CloudWatch, QueueMetric};
use super::examination::{Examination, each};
use super::finding::Finding;
use crate::output::counted;
use crate::target::TargetStack;

/// As the alarm `QueueAgeAlarm`.
const OLD: SignedDuration = SignedDuration::from_mins(30);
/// As the alarms `QueueDepthAlarm` and `DeliveryQueueDepthAlarm`.
const MANY: u64 = 5_000;
/// The period of the metric that is read, in seconds.
const PERIOD: u32 = 300;
/// The time in which the metric is read. CloudWatch is some minutes late.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// A queue with its dead-letter queue.
struct CheckedQueue {
    name: &'static str,
    /// The function that reads it.
    consumer: &'static str,
    url: fn(&TargetStack) -> Result<&str>,
    dead_letter_url: fn(&TargetStack) -> Result<&str>,
    /// The entries of the runbook about many and about old messages.
    depth_entry: &'static str,
    age_entry: &'static str,
}

const QUEUES: [CheckedQueue; 2] = [
    CheckedQueue {
        name: "event queue",
        consumer: "tickets",
        url: TargetStack::queue_url,
        dead_letter_url: TargetStack::dead_letter_queue_url,
        depth_entry: "QueueDepthAlarm",
        age_entry: "QueueAgeAlarm",
    },
    CheckedQueue {
        name: "delivery queue",
        consumer: "deliveries",
        url: TargetStack::delivery_queue_url,
        dead_letter_url: TargetStack::delivery_dead_letter_queue_url,
        depth_entry: "DeliveryQueueDepthAlarm",
        age_entry: "DeliveryQueueDepthAlarm",
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct QueueDepth {
    visible: u64,
    /// Hidden while a function has them, or until their next attempt.
    in_flight: u64,
}

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    each(&QUEUES, async |queue| check_one(of, queue).await).await
}

async fn check_one(of: &Examination<'_>, queue: &CheckedQueue) -> Vec<Finding> {
    let dead_letters = queue.dead_letters();
    let (found, dead) = tokio::join!(
        depth(of, queue.name, (queue.url)(of.target)),
        depth(of, &dead_letters, (queue.dead_letter_url)(of.target)),
    );
    let mut findings = vec![];
    match found {
        Ok(depth) => {
            findings.push(judge_depth(queue, depth));
            findings.push(age(of, queue).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings.push(dead.map_or_else(|finding| finding, |depth| judge_dead_letters(queue, depth)));
    findings
}

impl CheckedQueue {
    fn dead_letters(&self) -> String {
        format!("dead letters of {}", self.consumer)
    }

    fn age(&self) -> String {
        format!("oldest message of the {}", self.name)
    }
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

fn judge_depth(queue: &CheckedQueue, depth: QueueDepth) -> Finding {
    let QueueDepth { visible, in_flight } = depth;
    let found = format!(
        "{} to receive, {in_flight} in work or until their next attempt",
        counted(visible, "message")
    );
    if visible > MANY {
        let to_do = format!(
            "See docs/runbook.md, {}: more messages arrive than are processed.",
            queue.depth_entry
        );
        return Finding::warning(queue.name, found, to_do);
    }
    Finding::ok(queue.name, found)
}

fn judge_dead_letters(queue: &CheckedQueue, depth: QueueDepth) -> Finding {
    let check = queue.dead_letters();
    let count = depth.visible + depth.in_flight;
    let found = counted(count, "dead letter");
    if count == 0 {
        return Finding::ok(check, found);
    }
    let consumer = queue.consumer;
    let to_do = format!(
        "See their reasons with `ticketbridge dead-letters show --function {consumer}`, fix the \
         cause, then run `ticketbridge dead-letters redrive --function {consumer}`."
    );
    Finding::problem(check, found, to_do)
}

/// The age of the oldest message. Only CloudWatch knows it.
async fn age(of: &Examination<'_>, queue: &CheckedQueue) -> Finding {
    match read_age(of, queue).await {
        Ok(seconds) => judge_age(queue, seconds),
        Err(err) => {
            let (check, cause) = (queue.age(), format!("{err:#}"));
            Finding::unread_since(check, "cloudwatch:GetMetricStatistics", &cause)
        }
    }
}

async fn read_age(of: &Examination<'_>, queue: &CheckedQueue) -> Result<Option<f64>> {
    let client = CloudWatch::open(of.target).await?;
    let name = (queue.url)(of.target)?.rsplit('/').next();
    let end = of.now.as_second();
    let metric = QueueMetric {
        name: "ApproximateAgeOfOldestMessage",
        queue: name.unwrap_or_default(),
        begin: end - WINDOW.as_secs(),
        end,
        period: PERIOD,
    };
    client.newest_maximum(&metric).await
}

/// The age in seconds; `None` if CloudWatch has no figure, as for an empty queue.
fn judge_age(queue: &CheckedQueue, seconds: Option<f64>) -> Finding {
    let check = queue.age();
    let Some(seconds) = seconds else {
        return Finding::ok(check, "no figure: the queue was empty");
    };
    let age = SignedDuration::try_from_secs_f64(seconds.round()).unwrap_or_default();
    let found = format!("{age:#}");
    if age > OLD {
        let to_do = format!(
            "See docs/runbook.md, {}: `{}` does not receive the messages.",
            queue.age_entry, queue.consumer
        );
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
        for queue in &QUEUES {
            let dead = |depth| judge_dead_letters(queue, depth).level;
            assert_eq!(dead(depth(0, 0)), Level::Ok);
            assert_eq!(dead(depth(0, 1)), Level::Problem);
            assert_eq!(judge_depth(queue, depth(5_000, 9_000)).level, Level::Ok);
            assert_eq!(judge_depth(queue, depth(5_001, 0)).level, Level::Warning);
        }
    }

    #[test]
    fn what_to_do_names_the_function_of_the_queue() {
        let depth = QueueDepth {
            visible: 9_000,
            in_flight: 0,
        };
        let delivery = &QUEUES[1];
        let dead = judge_dead_letters(delivery, depth);
        assert_eq!(dead.check, "dead letters of deliveries");
        let to_do = dead.to_do.unwrap();
        assert!(to_do.contains("show --function deliveries"), "{to_do}");
        let many = judge_depth(delivery, depth);
        assert_eq!(many.check, "delivery queue");
        let to_do = many.to_do.unwrap();
        assert!(to_do.contains("DeliveryQueueDepthAlarm"), "{to_do}");
    }

    #[test]
    fn an_old_event_is_a_problem() {
        let judge = |seconds| judge_age(&QUEUES[0], seconds);
        assert_eq!(judge(None).level, Level::Ok);
        assert_eq!(judge(Some(1_800.0)).level, Level::Ok);
        let old = judge(Some(1_900.4));
        assert_eq!(old.level, Level::Problem);
        assert_eq!(old.found, "31m 40s");
    }
}
