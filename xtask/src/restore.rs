//! The restore drill on the deployed stack, with the command that an operator runs: the table is put back to what it was, and in the end
//! each alert has the one ticket that it had.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::TicketRef;
use domain::ticket_index::TicketIndexState;
use serde_json::{Value, json};
use store::Alerts;

use crate::local::Stack;
use crate::local::emulator::sdk_config;
use crate::place::Place;
use crate::progress::wait_for;
use crate::rebuild::{Told, rebuild};
use crate::source::{Alert, Source};

/// How long anything in it may take.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Plays it; nothing else may be going on.
///
/// # Errors
/// When a ticket is made twice, closed, or opened again by it.
pub(crate) async fn play(stack: &Stack) -> Result<()> {
    println!("- a restore of the alerts table");
    let begun = Instant::now();
    let drill = Drill::of(stack)?;
    let played = drill.play().await;
    if played.is_err() {
        stack.save_function_logs().await;
    }
    println!("  {} in {:.1} s", played?, begun.elapsed().as_secs_f64());
    Ok(())
}

struct Drill<'a> {
    stack: &'a Stack,
    source: Source,
    place: Place,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl<'a> Drill<'a> {
    fn of(stack: &'a Stack) -> Result<Self> {
        let aws = sdk_config(stack.emulator.endpoint())?;
        Ok(Self {
            stack,
            source: Source::of(stack)?,
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            place: Place::of(&stack.deployed, aws),
        })
    }

    async fn play(&self) -> Result<String> {
        let [.., tenant] = &self.stack.seeded.tenants[..] else {
            bail!("the seed has no mapped tenant")
        };
        let alert = |id| Alert {
            tenant,
            id,
            kind: "disk",
            severity: "low",
            title: "A disk fills up",
        };
        let [stays, ends, comes] = ["restore-stays", "restore-ends", "restore-comes"].map(alert);
        let mut events = vec![
            Source::raised(&stays, "restore-1"),
            Source::raised(&ends, "restore-2"),
        ];
        for event in &events {
            self.source.post(event).await?;
        }
        self.tickets_are(&[(&stays, "open"), (&ends, "open")])
            .await?;
        let backup = self.items().await?;
        let since = [
            Source::resolved(&ends, "restore-3"),
            Source::raised(&comes, "restore-4"),
        ];
        for event in &since {
            self.source.post(event).await?;
        }
        events.extend(since);
        let now = [(&stays, "open"), (&ends, "closed"), (&comes, "open")];
        self.tickets_are(&now).await?;

        let mapping = self.mapping().await?;
        self.read_the_queue(&mapping, false).await?;
        self.put_back(backup).await?;
        let told = rebuild(&self.place, &[], false).await?;
        ensure!(
            told == Told {
                rebuilding: 1,
                ..Told::default()
            },
            "the command did something else: {told:?}"
        );
        for event in &events {
            self.source.post(event).await?;
        }
        self.read_the_queue(&mapping, true).await?;
        self.all_is_done().await?;
        self.tickets_are(&now).await?;
        Ok("three alerts, three tickets, as they were: doubled 0".to_owned())
    }

    /// Waits until each alert has exactly one ticket, and it is as wanted.
    async fn tickets_are(&self, desired: &[(&Alert<'_>, &str)]) -> Result<()> {
        for (alert, state) in desired {
            let ticket_ref = TicketRef::new(&self.source.key(alert)?, 1).to_string();
            let (of_alert, _) = ticket_ref
                .rsplit_once('-')
                .context("a token without an occurrence")?;
            let conditions = format!("externalXRef like \"{of_alert}-%\"");
            let query = [("conditions", conditions.as_str())];
            wait_for(
                &format!("the ticket of {}", alert.id),
                SEEN_WITHIN,
                async || {
                    let found = self.stack.simulator.get("/service/tickets", &query).await?;
                    let found = found.as_array().cloned().unwrap_or_default();
                    ensure!(found.len() < 2, "{} has {} tickets", alert.id, found.len());
                    let closed = found.first().map(|ticket| ticket["closedFlag"] == true);
                    Ok((closed == Some(*state == "closed")).then_some(()))
                },
            )
            .await?;
        }
        Ok(())
    }

    async fn items(&self) -> Result<Vec<HashMap<String, AttributeValue>>> {
        let scan = self.dynamodb.scan().table_name(self.place.alerts_table()?);
        let items = scan.consistent_read(true).into_paginator().items().send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// Leaves in the table what was there then, and nothing else.
    async fn put_back(&self, backup: Vec<HashMap<String, AttributeValue>>) -> Result<()> {
        let table = self.place.alerts_table()?;
        for item in self.items().await? {
            let key = item.get("pk").context("an item without a key")?.clone();
            let delete = self.dynamodb.delete_item().table_name(table);
            delete.key("pk", key).send().await?;
        }
        for item in backup {
            let put = self.dynamodb.put_item().table_name(table);
            put.set_item(Some(item)).send().await?;
        }
        Ok(())
    }

    /// The mapping by which Lambda reads the queue for `tickets`.
    async fn mapping(&self) -> Result<Value> {
        let function = &self.stack.deployed.functions["tickets"];
        let list = json!({ "service": "lambda", "operation": "ListEventSourceMappings", "parameters": { "FunctionName": function } });
        let listed = self.stack.emulator.have_done(&[list]).await?;
        let mapping = listed
            .first()
            .map(|listed| &listed["EventSourceMappings"][0]["UUID"]);
        let mapping = mapping.filter(|mapping| mapping.is_string());
        Ok(mapping.context("nothing reads the queue")?.clone())
    }

    async fn read_the_queue(&self, mapping: &Value, enabled: bool) -> Result<()> {
        let update = json!({ "service": "lambda", "operation": "UpdateEventSourceMapping", "parameters": {
            "UUID": mapping, "Enabled": enabled,
        } });
        self.stack.emulator.have_done(&[update]).await?;
        Ok(())
    }

    /// Waits until all tickets are imported and the queue is empty.
    async fn all_is_done(&self) -> Result<()> {
        let alerts = Alerts::new(&self.place.aws, self.place.alerts_table()?.to_owned());
        let partner = &self.stack.seeded.partner;
        wait_for("the import of all tickets", SEEN_WITHIN, async || {
            let ticket_index = alerts.ticket_index.get(partner).await?;
            let complete = ticket_index
                .is_some_and(|ticket_index| ticket_index.state == TicketIndexState::Complete);
            Ok(complete.then_some(()))
        })
        .await?;
        let sqs = aws_sdk_sqs::Client::new(&self.place.aws);
        wait_for("the queue's end", SEEN_WITHIN, async || {
            let call = sqs.get_queue_attributes();
            let call = call.queue_url(&self.stack.deployed.queue_url);
            let answer = call.attribute_names(QueueAttributeName::All).send().await?;
            let attributes = answer.attributes.unwrap_or_default();
            let waiting = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ];
            let none = |name| attributes.get(name).is_none_or(|count| count == "0");
            Ok(waiting.iter().all(none).then_some(()))
        })
        .await
    }
}
