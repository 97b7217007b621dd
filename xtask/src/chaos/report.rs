//! What a run is told as: its counts, and of what went wrong all that is known.

use std::time::Duration;

use anyhow::{Result, ensure};
use domain::AlertKey;

use crate::chaos::Left;
use crate::chaos::verdict::{Alert, Evidence, Verdict, verdict};
use crate::local::emulator::Cut;
use crate::sight::{Call, Purpose};
use crate::story::table;

/// Alerts of which everything is told; of the others what is wrong.
const TOLD_IN_FULL: usize = 5;

/// All that a run came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) resolved: usize,
    pub(crate) events: usize,
    pub(crate) deliveries: usize,
    pub(crate) refusals: usize,
    pub(crate) kills: usize,
    pub(crate) cut: Cut,
    pub(crate) calls: Vec<Call>,
    pub(crate) evidence: Evidence,
    pub(crate) elapsed: Duration,
}

impl Report {
    /// Prints the counts.
    pub(crate) fn print(&self) {
        let of = |purpose| {
            self.calls
                .iter()
                .filter(|call| call.purpose() == purpose)
                .count()
        };
        let (creates, searches) = (of(Purpose::Create), of(Purpose::Search));
        let failed = |call: &&Call| call.status.is_some_and(|status| status >= 500);
        let late = self
            .calls
            .iter()
            .filter(|call| failed(call) && call.committed)
            .count();
        let errors = self.calls.iter().filter(failed).count() - late;
        let lost = self
            .calls
            .iter()
            .filter(|call| call.status.is_none())
            .count();
        let tickets = &self.evidence.tickets;
        let open = tickets.iter().filter(|ticket| !ticket.closed).count();
        let made = self
            .calls
            .iter()
            .filter(|call| call.purpose() == Purpose::Create && call.committed)
            .count();
        let each = |calls: usize| format!("{:.2}", ratio(calls, tickets.len()));
        let row = |what: &str, count: String| [what.to_owned(), count];
        let rows = [
            row("seed", self.seed.to_string()),
            row(
                "alerts",
                format!("{}, {} of them resolved", self.alerts.len(), self.resolved),
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
            row("calls to ConnectWise", self.calls.len().to_string()),
            row("  POST tickets", creates.to_string()),
            row("  searches", searches.to_string()),
            row(
                "  other",
                (self.calls.len() - creates - searches).to_string(),
            ),
            row("  answered 5xx, nothing done", errors.to_string()),
            row("  not answered", lost.to_string()),
            row("  answered 5xx, done late", late.to_string()),
            row("creations and searches a ticket", each(creates + searches)),
            row("calls a ticket", each(self.calls.len())),
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
                ticket.id, ticket.token
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
            "every alert has its one ticket, or none where it is gone: {} alerts",
            self.alerts.len()
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
            println!("  ticket   {} {state} {}", ticket.id, ticket.token);
        }
        let ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
        for call in self.calls.iter().filter(|call| call.is_about(&item, &ids)) {
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

#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn ratio(calls: usize, tickets: usize) -> f64 {
    calls as f64 / tickets.max(1) as f64
}
