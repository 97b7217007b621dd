//! The rules that a partner chooses for its tickets, on the deployed template: who gets them, what
//! closes them, what changes them, and what keeps alerts quiet. Storms of thousands of alerts, and
//! the webhook of a source, have tests of their own.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::scope::MaintenanceScope;
use domain::maintenance::window::WindowDefinition;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::sdk_config;
use local_stack::progress::wait_for;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use serde_json::{Value, json};
use store::Alerts;

use crate::alert_tickets::{AlertTickets, WITHIN, is_closed};
use crate::checklist::Checklist;

const WINDOW: &str = "patch-night";

/// Runs the test on a stack of its own.
///
/// # Errors
/// At the first check that fails.
pub async fn run() -> Result<()> {
    let stack = Stack::start("ticket-rules", StackTimes::DEMO).await?;
    let source = AlertSource::seeded(&stack)?;
    let mut test = RulesTest {
        stack: &stack,
        source: &source,
        tickets: AlertTickets {
            stack: &stack,
            source: &source,
        },
        checks: Checklist::new(),
        events: 0,
    };
    stack.save_logs_on_failure(test.run()).await?;
    test.checks.print("ticket rules");
    Ok(())
}

struct RulesTest<'a> {
    stack: &'a Stack,
    source: &'a AlertSource,
    tickets: AlertTickets<'a>,
    checks: Checklist,
    /// Events so far, for their ids.
    events: usize,
}

impl RulesTest<'_> {
    async fn run(&mut self) -> Result<()> {
        let [first, second, third, fourth, ..] = &self.stack.seeded.tenants[..] else {
            bail!("the seed has fewer than four mapped tenants")
        };
        let owner = self.choose_rules().await?;
        let disk = SourceAlert {
            tenant: first,
            id: "disk",
            kind: "disk",
            severity: "critical",
            title: "Disk C: on SRV-01 is 99 % full",
        };
        self.assign_and_follow(&disk, owner).await?;
        self.close_untouched(&disk).await?;
        let cpu = SourceAlert {
            tenant: second,
            id: "cpu",
            kind: "cpu",
            severity: "high",
            title: "CPU at 100 % for an hour",
        };
        self.keep_quiet_in_maintenance(&cpu).await?;
        let flapping = SourceAlert {
            tenant: fourth,
            id: "link",
            title: "The link is down",
            ..cpu
        };
        self.keep_one_ticket_of_a_flapping_alert(&flapping).await?;
        let one_of_many = SourceAlert {
            tenant: third,
            ..cpu
        };
        self.gather_a_storm(&one_of_many).await
    }

    /// Chooses all rules as the operator's API stores them. Returns the owner of new tickets.
    async fn choose_rules(&self) -> Result<u64> {
        let members = self.stack.simulator.get("/system/members", &[]).await?;
        let mut members = members.as_array().into_iter().flatten();
        let owner = members.find(|member| member["identifier"] == "TSmith");
        let owner = owner.and_then(|member| member["id"].as_u64());
        let owner = owner.context("the site has no such member")?;
        let (operator, partner) = (&self.stack.operator, &self.stack.seeded.partner);
        let mut configuration = operator.configuration(partner).await?;
        let settings = &mut configuration["settings"];
        settings["note_interval_minutes"] = json!(1);
        settings["lowers_priority"] = json!(true);
        settings["flapping"] = json!({ "raises": 3, "minutes": 30 });
        settings["storm"] = json!({ "alerts": 5, "minutes": 1 });
        let operations = &mut settings["operations"];
        operations["on_resolve"] = json!("close_untouched");
        operations["assignment"] = json!({ "all": { "owner": owner } });
        operator.put_configuration(partner, &configuration).await?;
        Ok(owner)
    }

    async fn raise(&mut self, alert: &SourceAlert<'_>) -> Result<()> {
        self.events += 1;
        let id = format!("raised-{}", self.events);
        self.source.post(&AlertSource::raised(alert, &id)).await
    }

    async fn resolve(&mut self, alert: &SourceAlert<'_>) -> Result<()> {
        self.events += 1;
        let id = format!("resolved-{}", self.events);
        self.source.post(&AlertSource::resolved(alert, &id)).await
    }

    /// Raises an alert and resolves it. The queue does not keep the order of messages that are sent
    /// at the same time.
    async fn come_and_go(&mut self, alert: &SourceAlert<'_>) -> Result<()> {
        self.raise(alert).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.resolve(alert).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    /// Waits until a note of the ticket contains the text.
    async fn note(&self, ticket: &Value, text: &str) -> Result<()> {
        wait_for(&format!("a note with \"{text}\""), WITHIN, async || {
            let notes = self.tickets.notes(ticket).await?;
            Ok(notes.iter().any(|note| note.contains(text)).then_some(()))
        })
        .await
    }

    async fn assign_and_follow(&mut self, disk: &SourceAlert<'_>, owner: u64) -> Result<()> {
        self.raise(disk).await?;
        let is_owned = |ticket: &Value| ticket["owner"]["id"] == owner;
        let what = "a ticket of the chosen owner";
        let ticket = self.tickets.wait_for(disk, what, is_owned).await?;
        self.checks.passed("the chosen member owns the new ticket");
        let lower = SourceAlert {
            severity: "low",
            title: "Disk C: on SRV-01 is 85 % full",
            ..*disk
        };
        self.raise(&lower).await?;
        let before = ticket["priority"]["id"].clone();
        let is_lower = |ticket: &Value| ticket["priority"]["id"] != before;
        let what = "a lower priority";
        let ticket = self.tickets.wait_for(disk, what, is_lower).await?;
        // A repeat within the minute after the last note adds none.
        let mut is_noted = false;
        for _ in 0..12 {
            self.raise(&lower).await?;
            tokio::time::sleep(Duration::from_secs(10)).await;
            let notes = self.tickets.notes(&ticket).await?;
            is_noted = notes.iter().any(|note| note.contains("85 % full"));
            if is_noted {
                break;
            }
        }
        ensure!(is_noted, "no note names the changed title");
        self.checks.passed(&format!(
            "a repeat with a lower severity and another title: the priority is now {}, and a note names the title",
            ticket["priority"]["name"].as_str().unwrap_or_default()
        ));
        Ok(())
    }

    /// The ticket of `disk` is untouched. Another one was worked on.
    async fn close_untouched(&mut self, disk: &SourceAlert<'_>) -> Result<()> {
        let printer = SourceAlert {
            id: "printer",
            title: "Printer PR-2 is offline",
            ..*disk
        };
        self.raise(&printer).await?;
        let made = self.tickets.wait_for(&printer, "a ticket", |_| true);
        let ticket = made.await?;
        let id = ticket["id"].as_u64().context("a ticket without id")?;
        let note = json!({ "note": "I am on my way." });
        self.stack.simulator.act(id, &note).await?;
        self.resolve(&printer).await?;
        self.resolve(disk).await?;
        let what = "the untouched ticket closed";
        self.tickets.wait_for(disk, what, is_closed).await?;
        self.note(&ticket, "resolved").await?;
        let made = self.tickets.wait_for(&printer, "its ticket", |_| true);
        ensure!(
            !is_closed(&made.await?),
            "the ticket that a technician worked on was closed"
        );
        self.checks.passed(
            "the untouched ticket was closed, and the one with a technician's note got a note",
        );
        Ok(())
    }

    async fn keep_quiet_in_maintenance(&mut self, cpu: &SourceAlert<'_>) -> Result<()> {
        let started = Timestamp::now().checked_sub(5.minutes())?;
        let window = WindowDefinition {
            name: "Patch night".to_owned(),
            zone: "UTC".to_owned(),
            starts: started.to_zoned(TimeZone::UTC).datetime(),
            minutes: None,
            repeats: Recurrence::Once,
            scope: MaintenanceScope {
                tenants: [cpu.tenant.clone()].into(),
                ..MaintenanceScope::default()
            },
            ended_at: None,
        };
        let (operator, partner) = (&self.stack.operator, &self.stack.seeded.partner);
        operator
            .put_maintenance_window(partner, WINDOW, &json!(window))
            .await?;
        let comes_and_goes = SourceAlert {
            id: "reboot",
            title: "SRV-01 does not answer",
            ..*cpu
        };
        self.raise(cpu).await?;
        self.raise(&comes_and_goes).await?;
        self.resolve(&comes_and_goes).await?;
        self.wait_until_blocked(cpu, "maintenance").await?;
        ensure!(
            self.tickets.of(cpu).await?.is_empty(),
            "an alert in maintenance has a ticket"
        );
        operator.end_maintenance_window(partner, WINDOW).await?;
        let what = "a ticket after the window";
        self.tickets.wait_for(cpu, what, |_| true).await?;
        ensure!(
            self.tickets.of(&comes_and_goes).await?.is_empty(),
            "an alert that came and went in maintenance has a ticket"
        );
        self.checks.passed(
            "in maintenance there was no ticket; at its end the alert that was still active got one",
        );
        Ok(())
    }

    /// Waits until the alert is blocked for a reason with this name.
    async fn wait_until_blocked(&self, alert: &SourceAlert<'_>, reason: &str) -> Result<()> {
        let table = self.stack.deployed.alerts_table.clone();
        let alerts = Alerts::new(&sdk_config(self.stack.emulator.endpoint())?, table);
        let key = self.source.key(alert)?;
        let what = format!("an alert blocked by {reason}");
        wait_for(&what, WITHIN, async || {
            let blocked = alerts.get(&key).await?.and_then(|record| record.blocked);
            let is_it = blocked.is_some_and(|blocked| {
                let name = blocked.reason.to_string();
                name.split('(').next() == Some(reason)
            });
            Ok(is_it.then_some(()))
        })
        .await
    }

    async fn keep_one_ticket_of_a_flapping_alert(&mut self, alert: &SourceAlert<'_>) -> Result<()> {
        for _ in 0..4 {
            self.come_and_go(alert).await?;
        }
        self.wait_until_blocked(alert, "flapping").await?;
        let before = self.tickets.of_all_occurrences(alert).await?;
        for _ in 0..3 {
            self.come_and_go(alert).await?;
        }
        let open = before.iter().filter(|ticket| !is_closed(ticket));
        let [open] = &open.collect::<Vec<_>>()[..] else {
            bail!("a flapping alert does not have one open ticket: {before:?}");
        };
        self.note(open, "raised").await?;
        let after = self.tickets.of_all_occurrences(alert).await?;
        let is_it_open = after
            .iter()
            .any(|ticket| ticket["id"] == open["id"] && !is_closed(ticket));
        ensure!(
            after.len() == before.len() && is_it_open,
            "more raises of a flapping alert changed its tickets: {after:?}"
        );
        self.checks
            .passed("an alert that comes and goes again and again keeps its open ticket");
        Ok(())
    }

    async fn gather_a_storm(&mut self, one: &SourceAlert<'_>) -> Result<()> {
        let names: Vec<_> = (1..=8).map(|number| format!("host-{number}")).collect();
        let alerts = names.iter().map(|name| SourceAlert { id: name, ..*one });
        let alerts: Vec<_> = alerts.collect();
        for alert in &alerts {
            self.raise(alert).await?;
        }
        let storm = wait_for("the ticket of the storm", WITHIN, async || {
            let query = [("conditions", "summary like \"%alerts%\"")];
            let found = self.stack.simulator.get("/service/tickets", &query).await?;
            Ok(found.as_array().and_then(|found| found.first().cloned()))
        });
        let storm = storm.await?;
        let mut own = 0;
        for alert in &alerts {
            own += self.tickets.of(alert).await?.len();
        }
        ensure!(
            own < alerts.len(),
            "each alert of a storm has its own ticket"
        );
        for alert in &alerts {
            self.resolve(alert).await?;
        }
        wait_for("the ticket of the storm closed", WITHIN * 6, async || {
            let path = format!("/service/tickets/{}", storm["id"]);
            let ticket = self.stack.simulator.get(&path, &[]).await?;
            Ok(is_closed(&ticket).then_some(()))
        })
        .await?;
        self.checks.passed(&format!(
            "of eight alerts at once {own} have tickets, the others share one, which is closed with them"
        ));
        Ok(())
    }
}
