//! A small story through the real webhook. `demo` shows it to a person; `test` plays it as the smoke test of the deployed template.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use domain::message::Message;
use domain::{AlertKey, Blocked, TenantId, TicketRef};
use serde_json::Value;
use store::Alerts;

use crate::local::emulator::{credentials, sdk_config};
use crate::local::{Stack, deploy};
use crate::place::Where;
use crate::progress::wait_for;
use crate::redrive;
use crate::replay::{self, Asked};
use crate::source::{Alert, Source};

/// How long anything in the story may take: far more than it does, far less than a person waits.
const SEEN_WITHIN: Duration = Duration::from_secs(45);
/// What no function can read.
const POISON: &str = "this is no message of ours";

/// Tells the story step by step, each as it is seen; then shows all tickets.
///
/// # Errors
/// At the first thing that is not seen.
pub(crate) async fn play(stack: &Stack) -> Result<usize> {
    println!("- the story, through {}", stack.webhook_url());
    let mut scene = Scene {
        stack,
        source: Source::of(stack)?,
        begun: Instant::now(),
        seen: 0,
    };
    let told = scene.tell().await;
    if told.is_err() {
        stack.save_function_logs().await;
    }
    print_tickets(stack).await?;
    told.map(|()| scene.seen)
}

struct Scene<'a> {
    stack: &'a Stack,
    source: Source,
    begun: Instant,
    seen: usize,
}

impl Scene<'_> {
    async fn tell(&mut self) -> Result<()> {
        let seeded = &self.stack.seeded;
        let [first, second, ..] = &seeded.tenants[..] else {
            bail!("the seed has fewer than two mapped tenants")
        };
        let disk = Alert {
            tenant: first,
            id: "disk-srv-01",
            kind: "disk",
            severity: "medium",
            title: "Disk C: on SRV-01 is 91 % full",
        };
        let raised = Source::raised(&disk, "evt-1");
        self.source.post(&raised).await?;
        let ticket = self
            .ticket(&disk, "a ticket for the raised alert", |_| true)
            .await?;
        self.saw(&format!("a raised alert became {}", sketch(&ticket)));

        let worse = Alert {
            severity: "critical",
            title: "Disk C: on SRV-01 is 99 % full",
            ..disk
        };
        self.source.post(&Source::raised(&worse, "evt-2")).await?;
        let graver = |ticket: &Value| text(&ticket["priority"]["name"]).contains("Critical");
        let ticket = self.ticket(&disk, "a higher priority", graver).await?;
        self.saw(&format!(
            "its repeat with a higher severity raised the priority to {}",
            text(&ticket["priority"]["name"])
        ));
        self.notes(&ticket, "a note of the repeat").await?;
        self.saw("and was noted on the ticket");

        let ransomware = Alert {
            tenant: second,
            id: "edr-7781",
            kind: "ransomware_encryption",
            severity: "critical",
            title: "Ransomware behaviour stopped on LT-204",
        };
        self.source
            .post(&Source::raised(&ransomware, "evt-3"))
            .await?;
        let cyber = self
            .ticket(&ransomware, "a ticket on the other board", |_| true)
            .await?;
        self.saw(&format!("a cyber alert became {}", sketch(&cyber)));

        self.source.post(&raised).await?;
        self.source.post(&Source::resolved(&disk, "evt-4")).await?;
        let closed = |ticket: &Value| ticket["closedFlag"] == true;
        let ticket = self.ticket(&disk, "the ticket closed", closed).await?;
        self.saw(&format!(
            "the first event came twice and the alert was resolved: ticket {} is closed",
            ticket["id"]
        ));

        for (tenant, reason) in [
            (&seeded.unmapped, Blocked::Unmapped),
            (&seeded.disabled, Blocked::TenantDisabled),
        ] {
            let alert = Alert {
                tenant,
                id: "cpu-1",
                kind: "cpu",
                severity: "high",
                title: "CPU at 100 % for an hour",
            };
            self.source
                .post(&Source::raised(&alert, &format!("evt-{reason}")))
                .await?;
            self.blocked(&self.source.key(&alert)?, &reason).await?;
            ensure!(
                self.tickets_of(&alert).await?.is_empty(),
                "{tenant} is {reason} and got a ticket all the same"
            );
            self.saw(&format!(
                "an alert of {tenant} waits in the table, blocked: {reason}; no ticket"
            ));
        }

        let waiting = Alert {
            tenant: &seeded.disabled,
            id: "cpu-1",
            kind: "cpu",
            severity: "high",
            title: "CPU at 100 % for an hour",
        };
        self.enable(&seeded.disabled).await?;
        let ticket = self
            .ticket(&waiting, "the ticket of the tenant that is enabled", |_| {
                true
            })
            .await?;
        self.saw(&format!(
            "{} is enabled, and the schedule lets its alert go: {}",
            seeded.disabled,
            sketch(&ticket)
        ));

        let mate = Alert {
            tenant: second,
            id: "fw-1",
            kind: "firewall",
            severity: "low",
            title: "Firewall is off on LT-204",
        };
        self.put_on_queue(POISON).await?;
        self.source.post(&Source::raised(&mate, "evt-5")).await?;
        let reason = self.dead_letter(POISON).await?;
        self.saw(&format!("a poison message is a dead letter: {reason}"));
        let ticket = self
            .ticket(&mate, "the ticket of the message beside the poison", |_| {
                true
            })
            .await?;
        self.saw(&format!(
            "and the alert beside it became {}",
            sketch(&ticket)
        ));

        self.redrive(&mate).await?;

        let listed = Source::listed(second, "list-1", &[ransomware.id]);
        self.source.post(&listed).await?;
        let ticket = self
            .ticket(&mate, "the ticket of what the list has no more", closed)
            .await?;
        let other = self.ticket(&ransomware, "the other", |_| true).await?;
        ensure!(!closed(&other), "what is listed was closed");
        self.saw(&format!(
            "the source's list has it no more: ticket {} is closed, {} is not",
            ticket["id"], other["id"]
        ));

        let all = tickets(self.stack).await?;
        ensure!(
            all.len() == 4,
            "four alerts should have made four tickets, there are {}",
            all.len()
        );
        self.saw("four alerts, four tickets: none twice");
        Ok(())
    }

    /// Dead letters are moved back, twice: the poison is dead again, and an event that was among them has its one ticket.
    async fn redrive(&mut self, mate: &Alert<'_>) -> Result<()> {
        let place = Where::deployed(deploy::STACK);
        let place = place
            .open_with(&credentials(self.stack.emulator.endpoint()))
            .await?;
        let client = aws_sdk_sqs::Client::new(&place.aws);
        // An event of before, as a person finds it among the dead letters.
        let event = Message::Reconsider(self.source.key(mate)?).to_json();
        let park = client
            .send_message()
            .queue_url(place.dead_letter_queue_url()?)
            .message_body(&event);
        park.send().await.context("cannot park a message")?;
        let options = redrive::Options::default();
        for _ in 0..2 {
            wait_for("the dead letters", SEEN_WITHIN, async || {
                let moved = redrive::redrive(&place, &options).await?.moved;
                Ok((moved > 0).then_some(()))
            })
            .await?;
        }
        self.dead_letter(POISON).await?;
        let replayed = replay::replay(&place, &self.source.key(mate)?, Asked::Release).await?;
        ensure!(
            replayed.open().is_some() && self.tickets_of(mate).await?.len() == 1,
            "what was redriven and replayed has not its one ticket"
        );
        let history = self.stack.seeded.page.get("/setup/history").await?;
        let entries = history["entries"].as_array();
        let entries = entries.context("the page shows no history")?;
        for what in ["dead_letters_moved", "released"] {
            ensure!(
                entries.iter().any(|entry| entry["what"] == what),
                "{what} is not in the history: {history}"
            );
        }
        self.saw("redriven twice, the poison is a dead letter again; redriven and replayed, the alert beside it has its one ticket");
        Ok(())
    }

    /// Waits until the alert has exactly one ticket and it is as wanted.
    async fn ticket(
        &self,
        alert: &Alert<'_>,
        what: &str,
        desired: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait_for(what, SEEN_WITHIN, async || {
            let mut found = self.tickets_of(alert).await?;
            ensure!(
                found.len() < 2,
                "the alert {} has {} tickets",
                alert.id,
                found.len()
            );
            Ok(found.pop().filter(|ticket| desired(ticket)))
        })
        .await
    }

    async fn tickets_of(&self, alert: &Alert<'_>) -> Result<Vec<Value>> {
        let ticket_ref = TicketRef::new(&self.source.key(alert)?, 1);
        let conditions = format!("externalXRef=\"{ticket_ref}\"");
        let found = self
            .stack
            .simulator
            .get("/service/tickets", &[("conditions", &conditions)])
            .await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    async fn notes(&self, ticket: &Value, what: &str) -> Result<()> {
        wait_for(what, SEEN_WITHIN, async || {
            Ok((notes_on(self.stack, ticket).await? > 0).then_some(()))
        })
        .await
    }

    /// Waits until the alerts table lists the alert as blocked for this reason.
    async fn blocked(&self, key: &AlertKey, reason: &Blocked) -> Result<()> {
        let table = self.stack.deployed.alerts_table.clone();
        let alerts = Alerts::new(&sdk_config(self.stack.emulator.endpoint())?, table);
        wait_for(
            &format!("the alert blocked as {reason}"),
            SEEN_WITHIN,
            async || {
                let listed = alerts.lists.blocked_keys(&key.partner).await?.contains(key);
                let record = alerts.get(key).await?;
                let why = record
                    .and_then(|record| record.blocked)
                    .map(|blocked| blocked.reason);
                Ok((listed && why.as_ref() == Some(reason)).then_some(()))
            },
        )
        .await
    }

    /// Has somebody at the partner switch a tenant on.
    async fn enable(&self, tenant: &TenantId) -> Result<()> {
        let page = &self.stack.seeded.page;
        let shown = page.tenant(tenant).await?;
        let company = shown["company"].as_u64();
        page.map(tenant, company.context("the tenant has no company")?, true)
            .await
    }

    async fn put_on_queue(&self, body: &str) -> Result<()> {
        let client = aws_sdk_sqs::Client::new(&sdk_config(self.stack.emulator.endpoint())?);
        let send = client
            .send_message()
            .queue_url(&self.stack.deployed.queue_url)
            .message_body(body);
        send.send()
            .await
            .context("cannot put a message on the queue")?;
        Ok(())
    }

    /// Waits for the dead letter with this body and answers its reason.
    async fn dead_letter(&self, body: &str) -> Result<String> {
        let client = aws_sdk_sqs::Client::new(&sdk_config(self.stack.emulator.endpoint())?);
        wait_for("the dead letter", SEEN_WITHIN, async || {
            let received = client
                .receive_message()
                .queue_url(&self.stack.deployed.dead_letter_queue_url)
                .message_attribute_names("All")
                .visibility_timeout(1)
                .send()
                .await
                .context("cannot read the dead letters")?;
            let Some(letter) = received
                .messages()
                .iter()
                .find(|letter| letter.body() == Some(body))
            else {
                return Ok(None);
            };
            let attributes = letter.message_attributes();
            let reason = attributes
                .and_then(|all| all.get("reason"))
                .and_then(|reason| reason.string_value());
            Ok(Some(
                reason.context("the dead letter has no reason")?.to_owned(),
            ))
        })
        .await
    }

    fn saw(&mut self, what: &str) {
        println!("  {:5.1} s  {what}", self.begun.elapsed().as_secs_f64());
        self.begun = Instant::now();
        self.seen += 1;
    }
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

async fn notes_on(stack: &Stack, ticket: &Value) -> Result<usize> {
    let notes = stack
        .simulator
        .get(&format!("/service/tickets/{}/notes", ticket["id"]), &[])
        .await?;
    // The description is listed as a note too; what came later is what counts.
    let later = |note: &&Value| note["detailDescriptionFlag"] != true;
    Ok(notes.as_array().into_iter().flatten().filter(later).count())
}

async fn print_tickets(stack: &Stack) -> Result<()> {
    let mut rows = vec![
        [
            "ticket", "board", "status", "company", "type", "priority", "notes", "summary",
        ]
        .map(str::to_owned),
    ];
    for ticket in tickets(stack).await? {
        rows.push([
            ticket["id"].to_string(),
            text(&ticket["board"]["name"]),
            text(&ticket["status"]["name"]),
            text(&ticket["company"]["name"]),
            text(&ticket["type"]["name"]),
            text(&ticket["priority"]["name"]),
            notes_on(stack, &ticket).await?.to_string(),
            text(&ticket["summary"]),
        ]);
    }
    println!();
    for line in table(&rows) {
        println!("{line}");
    }
    println!();
    Ok(())
}

/// Columns as wide as their widest cell; a rule under the head.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let rule: [String; N] = std::array::from_fn(|column| "-".repeat(widths[column]));
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    lines.insert(1.min(lines.len()), line(&rule));
    lines
}

fn sketch(ticket: &Value) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let rows =
            [["ticket", "company"], ["10001", "Café Élan"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(&rows),
            ["ticket  company", "------  ---------", "10001   Café Élan"]
        );
    }
}
