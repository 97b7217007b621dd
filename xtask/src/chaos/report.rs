//! What a run is told as: its counts, and of what went wrong all that is known.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::AlertKey;

use crate::chaos::Left;
use crate::chaos::verdict::{Alert, Evidence, Verdict, verdict};
use crate::local::emulator::Cut;
use crate::sight::{Call, Purpose};
use crate::story::table;

/// Alerts of which everything is told; of the others what is wrong.
const TOLD_IN_FULL: usize = 5;

/// How much longer than in a calm run a partner without faults may wait for a ticket, by the median.
const LONGEST_WAIT: f64 = 1.3;

/// All that a run came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) resolved: usize,
    pub(crate) by_technician: usize,
    pub(crate) events: usize,
    pub(crate) deliveries: usize,
    pub(crate) refusals: usize,
    pub(crate) kills: usize,
    pub(crate) cut: Cut,
    /// By the number of the partner whose site was called.
    pub(crate) calls: Vec<Vec<Call>>,
    pub(crate) evidence: Evidence,
    pub(crate) elapsed: Duration,
    /// How long each active alert of the partners without faults waited for its ticket, from the shortest.
    pub(crate) waits: Vec<Duration>,
}

impl Report {
    /// Prints the counts.
    pub(crate) fn print(&self) {
        let calls: Vec<&Call> = self.calls.iter().flatten().collect();
        let count = |is: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count();
        let creates = count(&|call| call.purpose() == Purpose::Create);
        let searches = count(&|call| call.purpose() == Purpose::Search);
        let failed = |call: &Call| call.status.is_some_and(|status| status >= 500);
        let late = count(&|call| failed(call) && call.committed);
        let errors = count(&failed) - late;
        let lost = count(&|call| call.status.is_none());
        let throttled = count(&|call| call.status == Some(429));
        let refused = count(&|call| call.status == Some(403));
        let tickets = &self.evidence.tickets;
        let open = tickets.iter().filter(|ticket| !ticket.closed).count();
        let made = count(&|call| call.purpose() == Purpose::Create && call.committed);
        let each = |calls: usize| format!("{:.2}", ratio(calls, tickets.len()));
        let row = |what: &str, count: String| [what.to_owned(), count];
        let rows = [
            row("seed", self.seed.to_string()),
            row(
                "alerts",
                format!(
                    "{}, {} of them resolved, {} closed or merged by technicians",
                    self.alerts.len(),
                    self.resolved,
                    self.by_technician
                ),
            ),
            row("events", self.events.to_string()),
            row(
                "deliveries",
                format!(
                    "{}, refused and repeated {}",
                    self.deliveries, self.refusals
                ),
            ),
            row(
                "kills",
                format!(
                    "{}, {} in the middle of a batch",
                    self.kills, self.cut.killed
                ),
            ),
            row(
                "batches that ran out of time",
                self.cut.timed_out.to_string(),
            ),
            row(
                "tickets",
                format!(
                    "{}, {open} of them open; creations committed {made}",
                    tickets.len()
                ),
            ),
            row("dead letters", self.evidence.dead_letters.to_string()),
            row("calls to ConnectWise", calls.len().to_string()),
            row("  POST tickets", creates.to_string()),
            row("  searches", searches.to_string()),
            row("  other", (calls.len() - creates - searches).to_string()),
            row("  answered 5xx, nothing done", errors.to_string()),
            row("  not answered", lost.to_string()),
            row("  answered 5xx, done late", late.to_string()),
            row("  answered 429", throttled.to_string()),
            row("  answered 403", refused.to_string()),
            row("creations and searches a ticket", each(creates + searches)),
            row("calls a ticket", each(calls.len())),
            row("elapsed", format!("{:.0} s", self.elapsed.as_secs_f64())),
        ];
        println!();
        for line in table(&rows) {
            println!("{line}");
        }
        println!();
    }

    /// Fails unless all is well and nothing was left, telling all that is known of what is not.
    pub(crate) fn judge(&self, left: &Left) -> Result<()> {
        let verdict = verdict(&self.alerts, &self.evidence);
        for (number, (key, wrong)) in verdict.alerts.iter().enumerate() {
            println!("WRONG: alert {} of {}: {wrong}", key.alert_id, key.tenant);
            if number < TOLD_IN_FULL {
                self.tell_all_about(key);
            }
        }
        for ticket in &verdict.strangers {
            println!(
                "WRONG: ticket {} has the token {}, which no alert of this run has",
                ticket.id, ticket.ticket_ref
            );
        }
        let Left {
            deliveries,
            alerts,
            messages,
        } = *left;
        ensure!(
            *left == Left::default(),
            "time was up after {:.0} s with {deliveries} deliveries, {alerts} alerts and {messages} messages of the queue to go",
            self.elapsed.as_secs_f64()
        );
        ensure!(
            verdict == Verdict::default(),
            "{} alerts, {} tickets of no alert and {} dead letters are not as they must be",
            verdict.alerts.len(),
            verdict.strangers.len(),
            verdict.dead_letters
        );
        println!(
            "every alert has its one ticket, waits for a person, or is gone: {} alerts",
            self.alerts.len()
        );
        Ok(())
    }

    /// Fails if the partners without faults waited longer than in a calm run.
    pub(crate) fn compare_waits(&self, calm: &Self) -> Result<()> {
        let (calm, storm) = (median(&calm.waits)?, median(&self.waits)?);
        let ratio = storm.as_secs_f64() / calm.as_secs_f64().max(0.001);
        println!(
            "partners without faults, median from 202 to the ticket: calm {:.2} s, in the storm {:.2} s, {ratio:.2} times",
            calm.as_secs_f64(),
            storm.as_secs_f64()
        );
        ensure!(
            ratio <= LONGEST_WAIT,
            "the faults of other partners make a partner without faults wait {ratio:.2} times as long, at most {LONGEST_WAIT} is allowed"
        );
        Ok(())
    }

    fn tell_all_about(&self, key: &AlertKey) {
        let item = key.item_key();
        match self.evidence.records.get(&item).map(serde_json::to_string) {
            Some(Ok(record)) => println!("  record   {record}"),
            Some(Err(error)) => println!("  record   cannot be printed: {error}"),
            None => println!("  record   none"),
        }
        let tickets: Vec<_> = self
            .evidence
            .tickets
            .iter()
            .filter(|ticket| ticket.item_key() == item)
            .collect();
        for ticket in &tickets {
            let state = if ticket.closed { "closed" } else { "open" };
            println!("  ticket   {} {state} {}", ticket.id, ticket.ticket_ref);
        }
        let ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
        let alert = self.alerts.iter().find(|alert| alert.key == *key);
        let calls = alert.and_then(|alert| self.calls.get(alert.partner));
        let calls = calls.into_iter().flatten();
        for call in calls.filter(|call| call.is_about(&item, &ids)) {
            let status = call
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let done = if call.committed { ", committed" } else { "" };
            println!(
                "  call     {} {} {} {}?{}: {status}{done}",
                call.n, call.at, call.method, call.path, call.query
            );
        }
    }
}

fn median(waits: &[Duration]) -> Result<Duration> {
    let middle = waits.get(waits.len() / 2);
    middle
        .copied()
        .context("no ticket of a partner without faults was made")
}

#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn ratio(calls: usize, tickets: usize) -> f64 {
    calls as f64 / tickets.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_no_ticket_is_an_error() {
        let waits = [1, 2, 30].map(Duration::from_secs);
        assert_eq!(median(&waits).unwrap(), Duration::from_secs(2));
        assert!(median(&[]).is_err());
    }
}
