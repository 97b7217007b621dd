//! One round: events about some alerts, posted until every alert is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::PartnerId;
use domain::alert::record::{Actual, Record};
use jiff::{SignedDuration, Timestamp};
use local_stack::inspector::{Inspector, QueueDepth, ReferencedTicket};
use local_stack::journal::JournalEntry;
use local_stack::partner_page::PartnerPage;
use local_stack::source::SourceAlert;
use local_stack::stack::Stack;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::faults;
use super::page_check::{ActivityRow, Observation, ObservedDelay};
use super::partners::ChaosPartner;
use super::posting::Posting;
use super::progress::{Remaining, RoundProgress};
use super::report::RoundReport;
use super::scenarios::{self, AlertScenario, EventDelivery, RoundSize};
use super::storm::{self, Storm};
use super::verdict::{ChaosAlert, Evidence, Expected, PageContent, unfinished};

/// The time limit of the storm, from the first event to the last ticket. A creation that was twice
/// answered without saying whether it was done is retried five minutes after it has settled, then
/// together with the others like it.
const STORM_WITHIN: Duration = Duration::from_secs(20 * 60);
const CALM_WITHIN: Duration = Duration::from_secs(3 * 60);
/// How often the stack is polled, and after how many polls a line is printed.
const POLL_EVERY: Duration = Duration::from_millis(2500);
const PRINT_EVERY: usize = 4;

/// More pages than a round's alerts fill.
const MAX_PAGES: usize = 100;

pub(crate) struct ChaosRound<'a> {
    stack: &'a Stack,
    partners: &'a [ChaosPartner<'a>],
    inspector: Inspector<'a>,
    scenarios: Vec<AlertScenario>,
    deliveries: Vec<EventDelivery>,
    sequences: Vec<Vec<EventDelivery>>,
    alerts: Vec<ChaosAlert>,
    seed: u64,
    /// The item keys of an earlier round's alerts, whose tickets are still there.
    earlier: BTreeSet<String>,
    /// The number of earlier calls to each site.
    calls_before: Vec<usize>,
    started: Instant,
    progress: RoundProgress,
}

impl<'a> ChaosRound<'a> {
    pub(crate) async fn prepare(
        stack: &'a Stack,
        partners: &'a [ChaosPartner<'a>],
        seed: u64,
        size: RoundSize,
        earlier: &[ChaosAlert],
    ) -> Result<Self> {
        let tenants = partners.first().context("there is no partner")?.tenants;
        let scenarios = scenarios::generate(seed, size, tenants)?;
        let now = Timestamp::now();
        let mut calls_before = Vec::new();
        for partner in partners {
            calls_before.push(partner.site.journal(0).await?.len());
        }
        println!(
            "- {} events about {} alerts of {} partners",
            size.events,
            size.alerts,
            partners.len()
        );
        Ok(Self {
            stack,
            partners,
            inspector: Inspector::new(stack)?,
            deliveries: scenarios::deliveries(seed, &scenarios, now)?,
            sequences: scenarios::sequences(seed, &scenarios, now)?,
            alerts: alerts(partners, &scenarios)?,
            scenarios,
            seed,
            earlier: earlier.iter().map(|alert| alert.key.item_key()).collect(),
            calls_before,
            started: Instant::now(),
            progress: RoundProgress::default(),
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Posts everything and waits until all is done or time is up.
    pub(crate) async fn run_calm(&self) -> Result<Remaining> {
        let posting = self.posting();
        tokio::select! {
            remaining = self.watch(CALM_WITHIN) => remaining,
            failed = posting.run() => match failed? {},
        }
    }

    /// As [`ChaosRound::run_calm`], with all disturbances.
    pub(crate) async fn run_storm(&self) -> Result<Remaining> {
        let posting = self.posting();
        let storm = Storm {
            stack: self.stack,
            partners: self.partners,
            alerts: &self.alerts,
            seed: self.seed,
            progress: &self.progress,
        };
        tokio::select! {
            remaining = self.watch(STORM_WITHIN) => remaining,
            failed = posting.run() => match failed? {},
            failed = storm.run() => match failed? {},
        }
    }

    fn posting(&self) -> Posting<'_> {
        Posting {
            partners: self.partners,
            deliveries: &self.deliveries,
            sequences: &self.sequences,
            seed: self.seed,
            started: self.started,
            progress: &self.progress,
        }
    }

    /// Polls and prints the state until nothing remains, or time is up.
    async fn watch(&self, within: Duration) -> Result<Remaining> {
        let sequences = self.sequences.iter().map(Vec::len).sum::<usize>();
        let deliveries = self.deliveries.len() + sequences;
        let mut polls = interval(POLL_EVERY);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for poll in 0.. {
            polls.tick().await;
            let records = self.inspector.records().await?;
            let queue = self.inspector.queue().await?;
            if poll % PRINT_EVERY == 0 {
                self.print(&records, queue);
            }
            let remaining = Remaining {
                deliveries: deliveries - self.progress.deliveries.get(),
                alerts: self.remaining_alerts(&records),
                messages: queue.total(),
            };
            if remaining == Remaining::default() || self.elapsed() > within {
                self.print(&records, queue);
                return Ok(remaining);
            }
        }
        bail!("the counter of polls overflowed")
    }

    /// The alerts, with what technicians have done meanwhile.
    fn expected(&self) -> Vec<ChaosAlert> {
        let by_technician = self.progress.by_technician.borrow();
        let expected = |alert: &ChaosAlert| {
            let mut alert = alert.clone();
            if by_technician.contains(&alert.key.item_key()) {
                alert.expected = Expected::ByTechnician;
            }
            alert
        };
        self.alerts.iter().map(expected).collect()
    }

    fn remaining_alerts(&self, records: &BTreeMap<String, Record>) -> usize {
        let remains =
            |alert: &&ChaosAlert| unfinished(alert, records.get(&alert.key.item_key())).is_some();
        self.expected().iter().filter(remains).count()
    }

    fn print(&self, records: &BTreeMap<String, Record>, queue: QueueDepth) {
        let is_open = |record: &&Record| matches!(record.actual, Some(Actual::Open(_)));
        let is_blocked = |record: &&Record| record.blocked.is_some();
        println!(
            "  {:4.0} s  events {:4}, deliveries {:4}; tickets open {:3}, blocked {:3}, \
             alerts remaining {:3}; queue {:4} visible, {:4} hidden; kills {:3}",
            self.elapsed().as_secs_f64(),
            self.progress.events.borrow().len(),
            self.progress.deliveries.get(),
            records.values().filter(is_open).count(),
            records.values().filter(is_blocked).count(),
            self.remaining_alerts(records),
            queue.visible,
            queue.hidden,
            self.progress.kills.get(),
        );
    }

    /// Ends the faults and waits for the last late write, which may create a second ticket.
    pub(crate) async fn settle(&self) -> Result<()> {
        storm::end_faults(self.partners).await?;
        let calls = self.calls().await?;
        let is_failed_write = |call: &&JournalEntry| {
            call.method != "GET" && call.status.is_some_and(|status| status >= 500)
        };
        let last = calls
            .iter()
            .flatten()
            .filter(is_failed_write)
            .map(|call| call.at)
            .max();
        let latest = i64::try_from(*faults::LATE_SECONDS.end())? + 1;
        let end = last.and_then(|at| at.checked_add(SignedDuration::from_secs(latest)).ok());
        let wait =
            end.and_then(|end| Duration::try_from(end.duration_since(Timestamp::now())).ok());
        if let Some(wait) = wait {
            println!(
                "- the faults have ended; waiting {:.0} s for late writes",
                wait.as_secs_f64()
            );
            sleep(wait).await;
        }
        Ok(())
    }

    /// The round's calls to each partner's site.
    async fn calls(&self) -> Result<Vec<Vec<JournalEntry>>> {
        let mut calls = Vec::new();
        for (partner, before) in self.partners.iter().zip(&self.calls_before) {
            calls.push(partner.site.journal(*before).await?);
        }
        Ok(calls)
    }

    pub(crate) async fn report(&self, elapsed: Duration) -> Result<RoundReport> {
        // Before the tickets are listed, which makes calls too.
        let calls = self.calls().await?;
        let mut tickets = Vec::new();
        for partner in self.partners {
            tickets.extend(Inspector::tickets_of(partner.site).await?);
        }
        tickets.retain(|ticket| !self.earlier.contains(ticket.item_key()));
        let evidence = Evidence {
            records: self.inspector.records().await?,
            pages: self.pages().await?,
            observed: self.observed(&calls, &tickets),
            tickets,
            dead_letters: self.inspector.dead_letters().await?.total(),
        };
        let is_resolved = |scenario: &&AlertScenario| !scenario.is_active();
        Ok(RoundReport {
            seed: self.seed,
            delays: self.delays(&calls),
            alerts: self.expected(),
            resolved: self.scenarios.iter().filter(is_resolved).count(),
            by_technician: self.progress.by_technician.borrow().len(),
            events: self.progress.events.borrow().len(),
            deliveries: self.progress.deliveries.get(),
            refusals: self.progress.refusals.get(),
            kills: self.progress.kills.get(),
            failed_batches: self.stack.emulator.failed_batches()?,
            calls,
            evidence,
            elapsed,
        })
    }

    /// What the journals and the sources' times say of each alert.
    fn observed(
        &self,
        calls: &[Vec<JournalEntry>],
        tickets: &[ReferencedTicket],
    ) -> BTreeMap<String, Observation> {
        let observe = |(scenario, alert): (&AlertScenario, &ChaosAlert)| {
            let item = alert.key.item_key();
            let its = tickets.iter().filter(|ticket| ticket.item_key() == item);
            let ids: Vec<u64> = its.map(|ticket| ticket.id).collect();
            let calls = calls.get(alert.partner).map_or(&[][..], Vec::as_slice);
            let notes = calls.iter().filter(|call| call.writes_note());
            let notes: Vec<_> = notes.filter(|call| call.is_about(&item, &ids)).collect();
            let count = |is: &dyn Fn(&JournalEntry) -> bool| {
                let count = notes.iter().filter(|call| is(call)).count();
                u32::try_from(count).unwrap_or(u32::MAX)
            };
            let observation = Observation {
                notes: count(&|_| true),
                late_notes: count(&JournalEntry::notes_late),
                lost_notes: count(&|call| call.status.is_none()),
                delay: self.observed_delay(scenario, &item, calls),
            };
            (item, observation)
        };
        let alerts = self.scenarios.iter().zip(&self.alerts);
        alerts.map(observe).collect()
    }

    /// How long the ticket of an active alert took. A killed worker may have delayed the first
    /// delivery, and another one raised the alert.
    fn observed_delay(
        &self,
        scenario: &AlertScenario,
        item: &str,
        calls: &[JournalEntry],
    ) -> Option<ObservedDelay> {
        let received = self.progress.received.borrow();
        let received = received
            .get(&scenario.id)
            .filter(|_| scenario.is_active())?;
        let created = calls.iter().find(|call| call.creates_ticket_of(item))?.at;
        let sent = received.iter().map(|delivery| delivery.sent);
        let (first, last) = (
            sent.clone().min()?,
            sent.filter(|sent| *sent < created).max()?,
        );
        let has_faults = self.partners[scenario.partner].has_faults;
        Some(ObservedDelay {
            least: created.duration_since(last).as_secs(),
            most: (!has_faults).then(|| created.duration_since(first).as_secs()),
        })
    }

    /// What each partner's page shows.
    async fn pages(&self) -> Result<BTreeMap<PartnerId, PageContent>> {
        let mut pages = BTreeMap::new();
        for partner in self.partners {
            let link = self.stack.operator.new_link(partner.id).await?;
            let page = PartnerPage::open(&link).await?;
            let mut figures = page.get("overview?days=90").await?["live"]["figures"].take();
            let content = PageContent {
                counted_at: serde_json::from_value(figures["counted_at"].take())?,
                figures: serde_json::from_value(figures["sum"].take())?,
                activity: activity(&page).await?,
            };
            pages.insert(partner.id.clone(), content);
        }
        Ok(pages)
    }

    /// The delays of the active alerts of healthy partners, from the shortest: from the first
    /// accepted event to the call that created the ticket.
    fn delays(&self, calls: &[Vec<JournalEntry>]) -> Vec<Duration> {
        let received = self.progress.received.borrow();
        let delay = |(scenario, alert): (&AlertScenario, &ChaosAlert)| {
            let is_measured = scenario.is_active() && !self.partners[scenario.partner].has_faults;
            let received = received.get(&scenario.id).filter(|_| is_measured)?;
            let accepted = received.iter().map(|delivery| delivery.accepted).min()?;
            let mut calls = calls.get(scenario.partner)?.iter();
            let created = calls.find(|call| call.creates_ticket_of(&alert.key.item_key()))?;
            // The call may come before the source has received its 202.
            let delay = created.at.duration_since(accepted);
            Some(Duration::try_from(delay).unwrap_or_default())
        };
        let alerts = self.scenarios.iter().zip(&self.alerts);
        let mut delays: Vec<_> = alerts.filter_map(delay).collect();
        delays.sort_unstable();
        delays
    }
}

/// All rows of the page "Activity".
async fn activity(page: &PartnerPage) -> Result<Vec<ActivityRow>> {
    let mut rows = Vec::new();
    let mut path = "activity".to_owned();
    for _ in 0..MAX_PAGES {
        let mut content = page.get(&path).await?;
        let shown = content["rows"].as_array().context("Activity has no rows")?;
        for row in shown {
            let path = row["path"].as_str().unwrap_or_default();
            let (_, item) = path.split_once("id=").context("a row names no alert")?;
            rows.push(ActivityRow {
                item: item.to_owned(),
                state: serde_json::from_value(row["state"].clone())?,
                ticket: row["ticket"].as_u64(),
            });
        }
        let Value::String(from) = content["next"].take() else {
            return Ok(rows);
        };
        path = format!("activity?from={from}");
    }
    bail!("Activity does not end after {MAX_PAGES} pages")
}

fn alerts(partners: &[ChaosPartner<'_>], scenarios: &[AlertScenario]) -> Result<Vec<ChaosAlert>> {
    let alert = |scenario: &AlertScenario| {
        let source = &partners[scenario.partner].source;
        let key = source.key(&SourceAlert {
            tenant: &scenario.tenant,
            id: &scenario.id,
            kind: "",
            severity: "",
            title: "",
        })?;
        let expected = match (scenario.is_active(), scenario.is_poisoned) {
            (true, true) => Expected::Refused,
            (true, false) => Expected::Open,
            (false, _) => Expected::Resolved,
        };
        Ok(ChaosAlert {
            key,
            partner: scenario.partner,
            expected,
        })
    };
    scenarios.iter().map(alert).collect()
}
