//! The smoke test: a few alerts through the real webhook, and what becomes of their tickets.
//! `cargo xtask demo` shows it to a person.

use anyhow::{Context, Result, bail, ensure};
use aws_credential_types::Credentials;
use domain::wire::message::Message;
use domain::{AlertKey, Blocked, TenantId};
use local_stack::deployment;
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::{REGION, ROOT_KEY, sdk_config};
use local_stack::progress::wait_for;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use local_stack::table;
use serde_json::Value;
use store::Alerts;
use ticketbridge::aws_environment::AwsEnvironment;
use ticketbridge::dead_letters::redrive::{self, RedriveOptions};
use ticketbridge::output::OutputFormat;
use ticketbridge::replay::{self, ReplayMode};
use ticketbridge::target::{ResourceNames, TargetOptions, TargetStack};

use crate::alert_tickets::{AlertTickets, WITHIN, is_closed};
use crate::checklist::Checklist;

/// A message that no function can parse.
const POISON: &str = "this is not JSON";

/// Runs the test on a stack of its own, and prints all tickets at the end.
///
/// # Errors
/// At the first check that fails.
pub async fn run() -> Result<()> {
    let stack = Stack::start("smoke", StackTimes::DEMO).await?;
    println!("- smoke test, through {}", stack.webhook_url());
    let source = AlertSource::seeded(&stack)?;
    let tickets = AlertTickets {
        stack: &stack,
        source: &source,
    };
    let mut test = SmokeTest {
        stack: &stack,
        source: &source,
        tickets,
        checks: Checklist::new(),
    };
    let result = stack.save_logs_on_failure(test.run()).await;
    print_tickets(&test.tickets).await?;
    result?;
    test.checks.print("smoke test");
    Ok(())
}

struct SmokeTest<'a> {
    stack: &'a Stack,
    source: &'a AlertSource,
    tickets: AlertTickets<'a>,
    checks: Checklist,
}

impl SmokeTest<'_> {
    async fn run(&mut self) -> Result<()> {
        let tenants = &self.stack.seeded.tenants;
        let [first, second, ..] = &tenants[..] else {
            bail!("the seed has fewer than two mapped tenants")
        };
        let disk = SourceAlert {
            tenant: first,
            id: "disk-srv-01",
            kind: "disk",
            severity: "medium",
            title: "Disk C: on SRV-01 is 91 % full",
        };
        let ransomware = SourceAlert {
            tenant: second,
            id: "edr-7781",
            kind: "ransomware_encryption",
            severity: "critical",
            title: "Ransomware behaviour stopped on LT-204",
        };
        let firewall = SourceAlert {
            tenant: second,
            id: "fw-1",
            kind: "firewall",
            severity: "low",
            title: "Firewall is off on LT-204",
        };
        self.raise_repeat_and_resolve(disk, &ransomware).await?;
        self.block_and_release().await?;
        self.survive_a_poison_message(&firewall).await?;
        self.redrive(&firewall).await?;
        self.resolve_by_snapshot(&firewall, &ransomware).await?;
        let all = tickets(self.stack).await?;
        ensure!(
            all.len() == 4,
            "four alerts should have four tickets, there are {}",
            all.len()
        );
        self.checks
            .passed("four alerts, four tickets: no duplicate");
        Ok(())
    }

    async fn raise_repeat_and_resolve(
        &mut self,
        disk: SourceAlert<'_>,
        ransomware: &SourceAlert<'_>,
    ) -> Result<()> {
        let raised = AlertSource::raised(&disk, "evt-1");
        self.source.post(&raised).await?;
        let ticket = self
            .tickets
            .wait_for(&disk, "a ticket for the raised alert", |_| true)
            .await?;
        self.checks
            .passed(&format!("a raised alert became {}", describe(&ticket)));

        let worse = SourceAlert {
            severity: "critical",
            title: "Disk C: on SRV-01 is 99 % full",
            ..disk
        };
        self.source
            .post(&AlertSource::raised(&worse, "evt-2"))
            .await?;
        let is_critical = |ticket: &Value| text(&ticket["priority"]["name"]).contains("Critical");
        let ticket = self
            .tickets
            .wait_for(&disk, "a higher priority", is_critical)
            .await?;
        self.checks.passed(&format!(
            "its repeat with a higher severity raised the priority to {}",
            text(&ticket["priority"]["name"])
        ));
        self.note(&ticket).await?;
        self.checks.passed("the repeat is a note on the ticket");

        self.source
            .post(&AlertSource::raised(ransomware, "evt-3"))
            .await?;
        let cyber = self
            .tickets
            .wait_for(ransomware, "a ticket on the other board", |_| true)
            .await?;
        self.checks
            .passed(&format!("a cyber alert became {}", describe(&cyber)));

        self.source.post(&raised).await?;
        self.source
            .post(&AlertSource::resolved(&disk, "evt-4"))
            .await?;
        let ticket = self
            .tickets
            .wait_for(&disk, "the ticket closed", is_closed)
            .await?;
        self.checks.passed(&format!(
            "the first event came twice and the alert was resolved: ticket {} is closed",
            ticket["id"]
        ));
        Ok(())
    }

    async fn block_and_release(&mut self) -> Result<()> {
        let seeded = &self.stack.seeded;
        let cpu = |tenant| SourceAlert {
            tenant,
            id: "cpu-1",
            kind: "cpu",
            severity: "high",
            title: "CPU at 100 % for an hour",
        };
        for (tenant, reason) in [
            (&seeded.unmapped, Blocked::Unmapped),
            (&seeded.disabled, Blocked::TenantDisabled),
        ] {
            let alert = cpu(tenant);
            self.source
                .post(&AlertSource::raised(&alert, &format!("evt-{reason}")))
                .await?;
            self.blocked(&self.source.key(&alert)?, &reason).await?;
            ensure!(
                self.tickets.of(&alert).await?.is_empty(),
                "an alert of {tenant} is blocked ({reason}), but has a ticket"
            );
            self.checks.passed(&format!(
                "an alert of {tenant} has no ticket and is blocked: {reason}"
            ));
        }

        self.enable(&seeded.disabled).await?;
        let ticket = self
            .tickets
            .wait_for(
                &cpu(&seeded.disabled),
                "the ticket of the enabled tenant",
                |_| true,
            )
            .await?;
        self.checks.passed(&format!(
            "{} was enabled, and the schedule released its alert: {}",
            seeded.disabled,
            describe(&ticket)
        ));
        Ok(())
    }

    async fn survive_a_poison_message(&mut self, firewall: &SourceAlert<'_>) -> Result<()> {
        let client = aws_sdk_sqs::Client::new(&sdk_config(self.stack.emulator.endpoint())?);
        let send = client
            .send_message()
            .queue_url(&self.stack.deployed.queue_url)
            .message_body(POISON);
        send.send()
            .await
            .context("cannot send a message to the queue")?;
        self.source
            .post(&AlertSource::raised(firewall, "evt-5"))
            .await?;
        let reason = self.dead_letter(POISON).await?;
        self.checks
            .passed(&format!("a poison message is a dead letter: {reason}"));
        let ticket = self
            .tickets
            .wait_for(firewall, "the ticket of the other message", |_| true)
            .await?;
        self.checks.passed(&format!(
            "the alert in the other message became {}",
            describe(&ticket)
        ));
        Ok(())
    }

    /// Moves dead letters back twice, and replays an alert. The poison is dead again, and the
    /// alert that was among the dead letters has one ticket.
    async fn redrive(&mut self, firewall: &SourceAlert<'_>) -> Result<()> {
        let target = target(self.stack).await?;
        let client = aws_sdk_sqs::Client::new(&target.aws);
        // A message about a known alert, as it can be among the dead letters.
        let message = Message::Reconsider(self.source.key(firewall)?).to_json();
        let send = client
            .send_message()
            .queue_url(target.dead_letter_queue_url()?)
            .message_body(&message);
        send.send().await.context("cannot send a dead letter")?;
        let options = RedriveOptions::default();
        for _ in 0..2 {
            wait_for("the dead letters", WITHIN, async || {
                let moved = redrive::redrive(&target, &options, OutputFormat::Text)
                    .await?
                    .moved;
                Ok((moved > 0).then_some(()))
            })
            .await?;
        }
        self.dead_letter(POISON).await?;
        let key = self.source.key(firewall)?;
        let replayed =
            replay::replay(&target, &key, ReplayMode::Release, OutputFormat::Text).await?;
        ensure!(
            replayed.open().is_some() && self.tickets.of(firewall).await?.len() == 1,
            "the redriven and replayed alert does not have exactly one ticket"
        );
        let history = self.stack.seeded.page.get("history").await?;
        let entries = history["entries"].as_array();
        let entries = entries.context("the page shows no history")?;
        for what in ["dead_letters_moved", "released"] {
            ensure!(
                entries.iter().any(|entry| entry["what"] == what),
                "{what} is not in the history: {history}"
            );
        }
        self.checks.passed(
            "redriven twice, the poison is a dead letter again, and the redriven and replayed \
             alert has one ticket",
        );
        Ok(())
    }

    async fn resolve_by_snapshot(
        &mut self,
        firewall: &SourceAlert<'_>,
        ransomware: &SourceAlert<'_>,
    ) -> Result<()> {
        let snapshot = AlertSource::snapshot(firewall.tenant, "list-1", &[ransomware.id]);
        self.source.post(&snapshot).await?;
        let ticket = self
            .tickets
            .wait_for(firewall, "the ticket of the missing alert", is_closed)
            .await?;
        let other = self
            .tickets
            .wait_for(ransomware, "the other ticket", |_| true)
            .await?;
        ensure!(
            !is_closed(&other),
            "the ticket of a listed alert was closed"
        );
        self.checks.passed(&format!(
            "the source's snapshot lacks the alert: ticket {} is closed, {} is not",
            ticket["id"], other["id"]
        ));
        Ok(())
    }

    async fn note(&self, ticket: &Value) -> Result<()> {
        wait_for("a note of the repeat", WITHIN, async || {
            Ok((!self.tickets.notes(ticket).await?.is_empty()).then_some(()))
        })
        .await
    }

    /// Waits until the alerts table lists the alert as blocked for this reason.
    async fn blocked(&self, key: &AlertKey, reason: &Blocked) -> Result<()> {
        let table = self.stack.deployed.alerts_table.clone();
        let alerts = Alerts::new(&sdk_config(self.stack.emulator.endpoint())?, table);
        let what = format!("the alert blocked as {reason}");
        wait_for(&what, WITHIN, async || {
            let is_listed = alerts.lists.blocked_keys(&key.partner).await?.contains(key);
            let record = alerts.get(key).await?;
            let recorded = record
                .and_then(|record| record.blocked)
                .map(|blocked| blocked.reason);
            Ok((is_listed && recorded.as_ref() == Some(reason)).then_some(()))
        })
        .await
    }

    /// Enables a tenant as a person at the partner does.
    async fn enable(&self, tenant: &TenantId) -> Result<()> {
        let page = &self.stack.seeded.page;
        let shown = page.tenant(tenant).await?;
        let company = shown["company"].as_u64();
        page.map(tenant, company.context("the tenant has no company")?, true)
            .await
    }

    /// Waits for the dead letter with this body and returns its reason.
    async fn dead_letter(&self, body: &str) -> Result<String> {
        let client = aws_sdk_sqs::Client::new(&sdk_config(self.stack.emulator.endpoint())?);
        wait_for("the dead letter", WITHIN, async || {
            let received = client
                .receive_message()
                .queue_url(&self.stack.deployed.dead_letter_queue_url)
                .message_attribute_names("All")
                .visibility_timeout(1)
                .send()
                .await
                .context("cannot read the dead letters")?;
            let mut letters = received.messages().iter();
            let Some(letter) = letters.find(|letter| letter.body() == Some(body)) else {
                return Ok(None);
            };
            let attributes = letter.message_attributes();
            let reason = attributes
                .and_then(|all| all.get("reason"))
                .and_then(|reason| reason.string_value());
            let reason = reason.context("the dead letter has no reason")?;
            Ok(Some(reason.to_owned()))
        })
        .await
    }
}

/// How an operator's command reaches AWS.
fn environment(stack: &Stack) -> AwsEnvironment {
    AwsEnvironment {
        credentials: Some(Credentials::new(ROOT_KEY, ROOT_KEY, None, None, "emulator")),
        region: Some(REGION.to_owned()),
        endpoint_url: Some(stack.emulator.endpoint().to_owned()),
    }
}

/// The stack as an operator's command finds it: by its name, through CloudFormation.
async fn target(stack: &Stack) -> Result<TargetStack> {
    let options = TargetOptions {
        stack_name: Some(deployment::STACK.to_owned()),
        ..TargetOptions::default()
    };
    let names = ResourceNames::default();
    options.open(&names, &environment(stack)).await
}

async fn tickets(stack: &Stack) -> Result<Vec<Value>> {
    let query = [
        ("conditions", "externalXRef like \"tb1-%\""),
        ("orderBy", "id"),
        ("pageSize", "1000"),
    ];
    let all = stack.simulator.get("/service/tickets", &query).await?;
    Ok(all.as_array().cloned().unwrap_or_default())
}

async fn print_tickets(alert_tickets: &AlertTickets<'_>) -> Result<()> {
    let head = [
        "ticket", "board", "status", "company", "type", "priority", "notes", "summary",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for ticket in tickets(alert_tickets.stack).await? {
        rows.push([
            ticket["id"].to_string(),
            text(&ticket["board"]["name"]),
            text(&ticket["status"]["name"]),
            text(&ticket["company"]["name"]),
            text(&ticket["type"]["name"]),
            text(&ticket["priority"]["name"]),
            alert_tickets.notes(&ticket).await?.len().to_string(),
            text(&ticket["summary"]),
        ]);
    }
    table::print(&rows);
    Ok(())
}

fn describe(ticket: &Value) -> String {
    format!(
        "ticket {} on board {} for {}",
        ticket["id"],
        text(&ticket["board"]["name"]),
        text(&ticket["company"]["name"])
    )
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
