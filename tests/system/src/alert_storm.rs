//! A storm on the deployed template: two thousand alerts of one tenant at once while ConnectWise
//! fails, with the partner's rule for storms. They share one ticket, which lists all of them and is
//! closed when all are resolved. Other tenants' tickets are not delayed. Before, without the rule and
//! without failures, each of as many alerts has its own ticket.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::TenantId;
use domain::alert::record::{Actual, Record};
use domain::alert::storm::StormRule;
use jiff::Timestamp;
use local_stack::empty_stack::StackTimes;
use local_stack::inspector::{Inspector, QueueDepth};
use local_stack::progress::{step, wait_for};
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use serde_json::{Value, json};

use crate::checklist::Checklist;

const ALERTS: usize = 2000;
/// Alerts of another tenant in each of three phases. Together they are no storm.
const OTHERS: usize = 30;
const RULE: StormRule = StormRule {
    alerts: 100,
    minutes: 5,
};
/// Of all calls to ConnectWise, this part fails.
const ERROR_RATE: f64 = 0.2;
/// The beginnings of the summaries of a storm's ticket, of an alert's in the storm, and of one's
/// without the rule.
const STORM: &str = "Alert storm";
const LISTED: &str = "Storm-";
const SINGLE: &str = "Single-";
/// The time limit of each step: far more than it takes. The ticket gets some hundred alerts a
/// minute.
const WITHIN: Duration = Duration::from_secs(20 * 60);

/// Runs the test on a stack of its own.
///
/// # Errors
/// At the first check that fails.
pub async fn run() -> Result<()> {
    let stack = Stack::start("alert-storm", StackTimes::DEMO).await?;
    let mut test = StormTest {
        stack: &stack,
        source: AlertSource::seeded(&stack)?,
        checks: Checklist::new(),
    };
    stack.save_logs_on_failure(test.run()).await?;
    test.checks.print("alert storm");
    Ok(())
}

struct StormTest<'a> {
    stack: &'a Stack,
    source: AlertSource,
    checks: Checklist,
}

impl StormTest<'_> {
    async fn run(&mut self) -> Result<()> {
        let tenants = self.stack.seeded.tenants.clone();
        let [storm, other, ..] = &tenants[..] else {
            anyhow::bail!("the seed has fewer than two mapped tenants")
        };
        // These alerts also start the functions.
        self.raise_without_rule(storm).await?;
        let faults = json!({ "error_rate": ERROR_RATE });
        self.stack.simulator.set_faults(&faults).await?;
        self.set_rule().await?;
        let calm = self.tickets_of("calm", other, &[]).await?;
        self.checks.passed(&format!(
            "without a storm, {OTHERS} alerts of another tenant have tickets, half of them within {:.1} s",
            calm.as_secs_f64()
        ));

        let raised: Vec<_> = (0..ALERTS)
            .map(|number| AlertSource::raised(&alert(storm, &name(number)), &name(number)))
            .collect();
        let during = self.tickets_of("storm", other, &raised).await?;
        let ratio = during.as_secs_f64() / calm.as_secs_f64();
        self.checks.passed(&format!(
            "during a storm of {ALERTS} alerts, half of {OTHERS} alerts of another tenant have tickets within {:.1} s, {ratio:.2} times as long",
            during.as_secs_f64()
        ));

        let single = usize::try_from(RULE.alerts)?;
        let listed = wait_for("the list of all alerts", WITHIN, async || {
            let (tickets, listed) = self.storm().await?;
            ensure!(tickets.len() <= 1, "{} tickets of a storm", tickets.len());
            let is_whole =
                listed.len() == ALERTS - single && self.single_tickets().await? == single;
            Ok(is_whole.then_some(listed))
        })
        .await?;
        self.checks.passed(&format!(
            "{single} alerts have tickets of their own, and one ticket lists the other {}",
            listed.len()
        ));

        let resolved: Vec<_> = (0..ALERTS)
            .map(|number| {
                let id = format!("resolved-{}", name(number));
                AlertSource::resolved(&alert(storm, &name(number)), &id)
            })
            .collect();
        self.source.post_all(&resolved, |_, _| {}).await?;
        wait_for("the closing of all tickets", WITHIN, async || {
            let open = self.tickets(&[STORM, LISTED]).await?;
            Ok(open
                .iter()
                .all(|ticket| ticket["closedFlag"] == true)
                .then_some(()))
        })
        .await?;
        let (tickets, _) = self.storm().await?;
        ensure!(tickets.len() == 1, "{} tickets of a storm", tickets.len());
        self.checks
            .passed("all alerts were resolved, and all tickets are closed");
        Ok(())
    }

    async fn raise_without_rule(&mut self, tenant: &TenantId) -> Result<()> {
        let names = (0..ALERTS).map(|number| format!("{SINGLE}{number:04}"));
        let raised: Vec<_> = names
            .map(|name| AlertSource::raised(&alert(tenant, &name), &name))
            .collect();
        let what = format!("posting {ALERTS} alerts");
        step(&what, self.source.post_all(&raised, |_, _| {})).await?;
        let what = format!("{ALERTS} tickets");
        let tickets = wait_for(&what, WITHIN, async || {
            let tickets = self.tickets(&[STORM, SINGLE]).await?;
            Ok((tickets.len() >= ALERTS).then_some(tickets))
        })
        .await?;
        let summaries: BTreeSet<_> = tickets.iter().map(summary).collect();
        ensure!(
            tickets.len() == ALERTS && summaries.len() == ALERTS,
            "{} tickets with {} summaries",
            tickets.len(),
            summaries.len()
        );
        self.checks.passed(&format!(
            "without the rule, {ALERTS} alerts of one tenant have {ALERTS} tickets"
        ));
        Ok(())
    }

    async fn set_rule(&self) -> Result<()> {
        let (operator, partner) = (&self.stack.operator, &self.stack.seeded.partner);
        let mut configuration = operator.configuration(partner).await?;
        configuration["settings"]["storm"] = serde_json::to_value(RULE)?;
        operator.put_configuration(partner, &configuration).await
    }

    /// Raises alerts of a tenant among the `rest`, spread evenly. Returns the median time from an
    /// event's 202 until its ticket was created.
    async fn tickets_of(&self, phase: &str, tenant: &TenantId, rest: &[Value]) -> Result<Duration> {
        let mut alerts = BTreeMap::new();
        let mut events = vec![];
        let at = |number: usize| rest.len() * number / OTHERS;
        for number in 0..OTHERS {
            let id = format!("{phase}-{number}");
            let alert = alert(tenant, &id);
            alerts.insert(id.clone(), self.source.key(&alert)?.item_key());
            events.push(AlertSource::raised(&alert, &id));
            events.extend_from_slice(&rest[at(number)..at(number + 1)]);
        }
        let skip = self.stack.simulator.journal(0).await?.len();
        let accepted_at = RefCell::new(BTreeMap::new());
        let accepted = |event: &Value, _| {
            let id = event["id"].as_str().unwrap_or_default();
            if let Some(alert) = alerts.get(id) {
                let at = Timestamp::now();
                accepted_at.borrow_mut().insert(alert.clone(), at);
            }
        };
        let what = format!("posting {} alerts", events.len());
        step(&what, self.source.post_all(&events, accepted)).await?;
        let inspector = Inspector::new(self.stack)?;
        // A create that fails twice is retried after five minutes: the median needs only the most.
        let have_tickets = |records: &BTreeMap<String, Record>, _: QueueDepth| {
            let has_ticket = |alert: &&String| {
                let actual = records
                    .get(*alert)
                    .and_then(|record| record.actual.as_ref());
                matches!(actual, Some(Actual::Open(_)))
            };
            4 * alerts.values().filter(has_ticket).count() >= 3 * alerts.len()
        };
        let in_time = inspector.wait_until(WITHIN, have_tickets).await?;
        ensure!(in_time, "too few alerts of the other tenant have tickets");
        let calls = self.stack.simulator.journal(skip).await?;
        let mut delays = vec![];
        for (alert, accepted) in accepted_at.into_inner() {
            // A failed call may be followed by another: the last one created the ticket.
            let call = calls.iter().rfind(|call| call.creates_ticket_of(&alert));
            let Some(call) = call else { continue };
            let delay = call.at.duration_since(accepted);
            delays.push(Duration::try_from(delay).unwrap_or_default());
        }
        delays.sort_unstable();
        delays
            .get(delays.len() / 2)
            .copied()
            .context("no alert was measured")
    }

    /// The tickets of storms, and the alerts that they list.
    async fn storm(&self) -> Result<(Vec<Value>, BTreeSet<String>)> {
        let tickets = self.tickets(&[STORM]).await?;
        let mut listed = BTreeSet::new();
        for ticket in &tickets {
            let path = format!("/service/tickets/{}/allNotes", ticket["id"]);
            let notes = self
                .stack
                .simulator
                .get_as_technician(&path, &[("pageSize", "1000")])
                .await?;
            let notes = notes.as_array().cloned().unwrap_or_default();
            for note in &notes {
                let text = note["text"].as_str().unwrap_or_default();
                let lines = text.lines().filter(|line| line.starts_with("- "));
                let before = listed.len();
                let count = lines.clone().count();
                listed.extend(lines.map(str::to_owned));
                ensure!(listed.len() == before + count, "an alert is listed twice");
            }
        }
        Ok((tickets, listed))
    }

    /// How many alerts of the storm have tickets of their own.
    async fn single_tickets(&self) -> Result<usize> {
        Ok(self.tickets(&[LISTED]).await?.len())
    }

    /// All tickets whose summary begins like this.
    async fn tickets(&self, beginnings: &[&str]) -> Result<Vec<Value>> {
        let mut found = vec![];
        for page in 1.. {
            let page = page.to_string();
            let query = [
                ("conditions", "externalXRef like \"tb1-%\""),
                ("orderBy", "id asc"),
                ("pageSize", "1000"),
                ("page", &page),
            ];
            let path = "/service/tickets";
            let listed = self.stack.simulator.get_as_technician(path, &query).await?;
            let listed = listed.as_array().context("ConnectWise sent no list")?;
            let begins =
                |ticket: &&Value| beginnings.iter().any(|of| summary(ticket).starts_with(of));
            found.extend(listed.iter().filter(begins).cloned());
            if listed.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

fn summary(ticket: &Value) -> &str {
    ticket["summary"].as_str().unwrap_or_default()
}

/// The name of an alert of the storm.
fn name(number: usize) -> String {
    format!("{LISTED}{number:04}")
}

fn alert<'a>(tenant: &'a TenantId, id: &'a str) -> SourceAlert<'a> {
    SourceAlert {
        tenant,
        id,
        kind: "disk",
        severity: "high",
        title: id,
    }
}
