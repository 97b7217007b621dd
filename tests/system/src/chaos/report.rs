//! The counts of a round, and all that is known about its violations.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::AlertKey;
use local_stack::emulator::FailedBatches;
use local_stack::journal::{JournalEntry, Purpose};
use local_stack::table;

use super::progress::Remaining;
use super::verdict::{ChaosAlert, ChaosVerdict, Evidence, verdict};

/// The number of alerts that are printed with record, tickets and calls.
const IN_FULL: usize = 5;

/// The limit for the median delay of healthy partners, as a multiple of the calm round's.
const MAX_RATIO: f64 = 1.3;

#[derive(Debug)]
pub(crate) struct RoundReport {
    pub(crate) seed: u64,
    pub(crate) alerts: Vec<ChaosAlert>,
    pub(crate) resolved: usize,
    pub(crate) by_technician: usize,
    pub(crate) events: usize,
    pub(crate) deliveries: usize,
    pub(crate) refusals: usize,
    pub(crate) kills: usize,
    pub(crate) failed_batches: FailedBatches,
    /// By the number of the partner whose site was called.
    pub(crate) calls: Vec<Vec<JournalEntry>>,
    pub(crate) evidence: Evidence,
    pub(crate) elapsed: Duration,
    /// The delay of each active alert of the healthy partners, from the shortest.
    pub(crate) delays: Vec<Duration>,
}

impl RoundReport {
    pub(crate) fn print(&self) {
        let calls: Vec<&JournalEntry> = self.calls.iter().flatten().collect();
        let count =
            |is: &dyn Fn(&JournalEntry) -> bool| calls.iter().filter(|call| is(call)).count();
        let creates = count(&|call| call.purpose() == Purpose::Create);
        let searches = count(&|call| call.purpose() == Purpose::Search);
        let failed = |call: &JournalEntry| call.status.is_some_and(|status| status >= 500);
        let late = count(&|call| failed(call) && call.committed);
        let errors = count(&failed) - late;
        let lost = count(&|call| call.status.is_none());
        let throttled = count(&|call| call.status == Some(429));
        let refused = count(&|call| call.status == Some(403));
        let tickets = &self.evidence.tickets;
        let open = tickets.iter().filter(|ticket| !ticket.closed).count();
        let committed = count(&|call| call.purpose() == Purpose::Create && call.committed);
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
                format!("{}, and {} refusals", self.deliveries, self.refusals),
            ),
            row(
                "kills",
                format!(
                    "{}, {} during a batch",
                    self.kills, self.failed_batches.killed
                ),
            ),
            row(
                "batches that timed out",
                self.failed_batches.timed_out.to_string(),
            ),
            row(
                "tickets",
                format!(
                    "{}, {open} of them open; creations committed {committed}",
                    tickets.len()
                ),
            ),
            row("dead letters", self.evidence.dead_letters.to_string()),
            row("calls to ConnectWise", calls.len().to_string()),
            row("  POST tickets", creates.to_string()),
            row("  searches", searches.to_string()),
            row("  other", (calls.len() - creates - searches).to_string()),
            row("  answered 5xx, not committed", errors.to_string()),
            row("  not answered", lost.to_string()),
            row("  answered 5xx, committed late", late.to_string()),
            row("  answered 429", throttled.to_string()),
            row("  answered 403", refused.to_string()),
            row("creations and searches a ticket", each(creates + searches)),
            row("calls a ticket", each(calls.len())),
            row("elapsed", format!("{:.0} s", self.elapsed.as_secs_f64())),
        ];
        table::print(&rows);
    }

    /// Prints all violations.
    ///
    /// # Errors
    /// When there is one, or work remains.
    pub(crate) fn check(&self, remaining: &Remaining) -> Result<()> {
        let verdict = verdict(&self.alerts, &self.evidence);
        for (number, (key, violation)) in verdict.alerts.iter().enumerate() {
            println!(
                "WRONG: alert {} of {}: {violation}",
                key.alert_id, key.tenant
            );
            if number < IN_FULL {
                self.print_details(key);
            }
        }
        for ticket in &verdict.foreign_tickets {
            println!(
                "WRONG: ticket {} has the reference {}, which no alert of this round has",
                ticket.id, ticket.ticket_ref
            );
        }
        for partner in &verdict.wrong_pages {
            println!("WRONG: the page of {partner} shows other figures than its records");
        }
        let Remaining {
            deliveries,
            alerts,
            messages,
        } = *remaining;
        ensure!(
            *remaining == Remaining::default(),
            "after {:.0} s {deliveries} deliveries, {alerts} alerts and {messages} messages remain",
            self.elapsed.as_secs_f64()
        );
        ensure!(
            verdict == ChaosVerdict::default(),
            "{} alerts are wrong, {} tickets belong to no alert, {} pages show wrong figures, and there \
             are {} dead letters",
            verdict.alerts.len(),
            verdict.foreign_tickets.len(),
            verdict.wrong_pages.len(),
            verdict.dead_letters
        );
        println!(
            "every alert has one ticket, waits for a person, or is resolved: {} alerts",
            self.alerts.len()
        );
        Ok(())
    }

    /// # Errors
    /// When the healthy partners waited longer than in the calm round.
    pub(crate) fn compare_delays(&self, calm: &Self) -> Result<()> {
        let (calm, storm) = (median(&calm.delays)?, median(&self.delays)?);
        let ratio = storm.as_secs_f64() / calm.as_secs_f64().max(0.001);
        println!(
            "healthy partners, median from 202 to the ticket: calm {:.2} s, in the storm {:.2} s, \
             {ratio:.2} times",
            calm.as_secs_f64(),
            storm.as_secs_f64()
        );
        ensure!(
            ratio <= MAX_RATIO,
            "the faults of other partners delay healthy ones {ratio:.2} times, at most {MAX_RATIO} is \
             allowed"
        );
        Ok(())
    }

    fn print_details(&self, key: &AlertKey) {
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

fn median(delays: &[Duration]) -> Result<Duration> {
    let middle = delays.get(delays.len() / 2);
    middle.copied().context("no healthy partner has a ticket")
}

#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn ratio(calls: usize, tickets: usize) -> f64 {
    calls as f64 / tickets.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_nothing_is_an_error() {
        let delays = [1, 2, 30].map(Duration::from_secs);
        assert_eq!(median(&delays).unwrap(), Duration::from_secs(2));
        assert!(median(&[]).is_err());
    }
}
