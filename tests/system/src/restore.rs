//! The restore drills. The alerts table is put back to an earlier state, with the command that an
//! operator runs, and in the end each alert has the one ticket that it had before. Then the config
//! table is put back, and no ticket is created by an earlier mapping.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::{Blocked, TenantId, TicketRef};
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::sdk_config;
use local_stack::progress::wait_for;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use serde_json::{Value, json};
use store::Alerts;
use ticketbridge::output::OutputFormat;
use ticketbridge::rebuild::{RebuildSummary, rebuild};
use ticketbridge::target::TargetStack;

type Item = HashMap<String, AttributeValue>;

/// The time limit of each step.
const WITHIN: Duration = Duration::from_secs(60);

/// Runs the drill on a stack of its own.
///
/// # Errors
/// When the restore duplicates, closes or reopens a ticket.
pub async fn run() -> Result<()> {
    let stack = Stack::start("restore", StackTimes::DEMO).await?;
    println!("- a restore of the alerts table");
    let started = Instant::now();
    let drill = RestoreDrill::new(&stack)?;
    let result = stack.save_logs_on_failure(drill.run()).await;
    println!("  {} in {:.1} s", result?, started.elapsed().as_secs_f64());
    println!("- a restore of the config table");
    let started = Instant::now();
    let result = stack.save_logs_on_failure(drill.restore_config()).await;
    println!("  {} in {:.1} s", result?, started.elapsed().as_secs_f64());
    Ok(())
}

struct RestoreDrill<'a> {
    stack: &'a Stack,
    source: AlertSource,
    target: TargetStack,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl<'a> RestoreDrill<'a> {
    fn new(stack: &'a Stack) -> Result<Self> {
        let aws = sdk_config(stack.emulator.endpoint())?;
        let deployed = &stack.deployed;
        let outputs = [
            ("AlertsTableName", &deployed.alerts_table),
            ("ConfigTableName", &deployed.config_table),
            ("AccessTableName", &deployed.access_table),
        ];
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value.clone()));
        Ok(Self {
            stack,
            source: AlertSource::seeded(stack)?,
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            target: TargetStack::new(aws, BTreeMap::from(outputs)),
        })
    }

    async fn run(&self) -> Result<String> {
        let [.., tenant] = &self.stack.seeded.tenants[..] else {
            bail!("the seed has no mapped tenant")
        };
        let alert = |id| SourceAlert {
            tenant,
            id,
            kind: "disk",
            severity: "low",
            title: "A disk fills up",
        };
        let ids = ["restore-stays", "restore-ends", "restore-comes"];
        let [stays, ends, comes] = ids.map(alert);
        let mut events = vec![
            AlertSource::raised(&stays, "restore-1"),
            AlertSource::raised(&ends, "restore-2"),
        ];
        for event in &events {
            self.source.post(event).await?;
        }
        self.tickets_are(&[(&stays, "open"), (&ends, "open")])
            .await?;
        let table = self.target.alerts_table()?;
        let backup = self.items(table).await?;
        let since = [
            AlertSource::resolved(&ends, "restore-3"),
            AlertSource::raised(&comes, "restore-4"),
        ];
        for event in &since {
            self.source.post(event).await?;
        }
        events.extend(since);
        let now = [(&stays, "open"), (&ends, "closed"), (&comes, "open")];
        self.tickets_are(&now).await?;

        let mapping = self.event_source_mapping().await?;
        self.set_queue_reading(&mapping, false).await?;
        self.put_back(table, &["pk"], backup).await?;
        let summary = rebuild(&self.target, &[], false, OutputFormat::Text).await?;
        ensure!(
            summary
                == RebuildSummary {
                    rebuilding: 1,
                    ..RebuildSummary::default()
                },
            "rebuild did something else: {summary:?}"
        );
        for event in &events {
            self.source.post(event).await?;
        }
        self.set_queue_reading(&mapping, true).await?;
        self.import_and_queue_are_done().await?;
        self.tickets_are(&now).await?;
        Ok("three alerts have three tickets, as before: 0 duplicates".to_owned())
    }

    /// Waits until each alert has exactly one ticket in this state.
    async fn tickets_are(&self, expected: &[(&SourceAlert<'_>, &str)]) -> Result<()> {
        for (alert, state) in expected {
            let ticket_ref = TicketRef::new(&self.source.key(alert)?, 1).to_string();
            let (alert_ref, _) = ticket_ref
                .rsplit_once('-')
                .context("a reference without an occurrence")?;
            let conditions = format!("externalXRef like \"{alert_ref}-%\"");
            let query = [("conditions", conditions.as_str())];
            let what = format!("the ticket of {}", alert.id);
            wait_for(&what, WITHIN, async || {
                let found = self.stack.simulator.get("/service/tickets", &query).await?;
                let found = found.as_array().cloned().unwrap_or_default();
                ensure!(found.len() < 2, "{} has {} tickets", alert.id, found.len());
                let closed = found.first().map(|ticket| ticket["closedFlag"] == true);
                Ok((closed == Some(*state == "closed")).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// The steps of docs/recovery.md: a mapping that was corrected since the backup's time is wrong
    /// again, so the partner is disabled before anything runs, and enabled once it is corrected.
    async fn restore_config(&self) -> Result<String> {
        let seeded = &self.stack.seeded;
        let [other, .., tenant] = &seeded.tenants[..] else {
            bail!("the seed has fewer than two mapped tenants")
        };
        let table = &self.stack.deployed.config_table;
        let right = self.company_of(tenant).await?;
        let wrong = self.company_of(other).await?;
        seeded.page.map(tenant, wrong, true).await?;
        let backup = self.items(table).await?;
        seeded.page.map(tenant, right, true).await?;
        let configuration = self.stack.operator.configuration(&seeded.partner).await?;

        let mapping = self.event_source_mapping().await?;
        self.set_queue_reading(&mapping, false).await?;
        self.set_schedules_running(false).await?;
        let alert = SourceAlert {
            tenant,
            id: "restore-config",
            kind: "disk",
            severity: "low",
            title: "A disk fills up after the restore",
        };
        self.source
            .post(&AlertSource::raised(&alert, "restore-5"))
            .await?;
        self.put_back(table, &["pk", "sk"], backup).await?;
        ensure!(
            self.company_of(tenant).await? == wrong,
            "the restored table has the later mapping"
        );
        let history = seeded.page.get("history").await?;
        let newest = &history["entries"][0];
        ensure!(
            newest["detail"]["tenant"] == tenant.as_str(),
            "the history does not say what changed: {newest}"
        );
        self.stack
            .operator
            .enable_partner(&seeded.partner, false)
            .await?;

        self.set_schedules_running(true).await?;
        self.set_queue_reading(&mapping, true).await?;
        self.blocked_by_suspension(&alert).await?;
        // A disabled partner cannot open its page, so the operator corrects the mapping.
        let (operator, partner) = (&self.stack.operator, &seeded.partner);
        operator.put_configuration(partner, &configuration).await?;
        operator.enable_partner(partner, true).await?;
        self.tickets_are(&[(&alert, "open")]).await?;
        let company = self.ticket_company(&alert).await?;
        ensure!(
            company == right,
            "the ticket is for the company {company}, not {right}"
        );
        Ok("an alert waited, and its ticket is for the corrected company".to_owned())
    }

    async fn company_of(&self, tenant: &TenantId) -> Result<u64> {
        let shown = self.stack.seeded.page.tenant(tenant).await?;
        let company = shown["company"].as_u64();
        company.with_context(|| format!("{tenant} has no company"))
    }

    /// Waits until the alert is blocked because its partner is disabled.
    async fn blocked_by_suspension(&self, alert: &SourceAlert<'_>) -> Result<()> {
        let table = self.target.alerts_table()?.to_owned();
        let alerts = Alerts::new(&self.target.aws, table);
        let key = self.source.key(alert)?;
        wait_for("the blocked alert", WITHIN, async || {
            let record = alerts.get(&key).await?;
            let blocked = record.and_then(|record| record.blocked);
            let reason = blocked.map(|blocked| blocked.reason);
            Ok((reason == Some(Blocked::NotSetUp)).then_some(()))
        })
        .await
    }

    async fn ticket_company(&self, alert: &SourceAlert<'_>) -> Result<u64> {
        let ticket_ref = TicketRef::new(&self.source.key(alert)?, 1);
        let conditions = format!("externalXRef=\"{ticket_ref}\"");
        let query = [("conditions", conditions.as_str())];
        let found = self.stack.simulator.get("/service/tickets", &query).await?;
        let company = found[0]["company"]["id"].as_u64();
        company.context("the ticket has no company")
    }

    /// Lets the scheduled functions run, or stops them by reserving no concurrency for them.
    async fn set_schedules_running(&self, running: bool) -> Result<()> {
        let calls = ["reconcile", "health"].map(|function| {
            let name = &self.stack.deployed.functions[function];
            if running {
                json!({ "service": "lambda", "operation": "DeleteFunctionConcurrency",
                    "parameters": { "FunctionName": name } })
            } else {
                json!({ "service": "lambda", "operation": "PutFunctionConcurrency",
                    "parameters": { "FunctionName": name, "ReservedConcurrentExecutions": 0 } })
            }
        });
        self.stack.emulator.call_all(&calls).await?;
        Ok(())
    }

    async fn items(&self, table: &str) -> Result<Vec<Item>> {
        let scan = self.dynamodb.scan().table_name(table);
        let items = scan.consistent_read(true).into_paginator().items().send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// Replaces the table's content with the backup.
    async fn put_back(&self, table: &str, keys: &[&str], backup: Vec<Item>) -> Result<()> {
        for item in self.items(table).await? {
            let mut delete = self.dynamodb.delete_item().table_name(table);
            for name in keys {
                let key = item.get(*name).context("an item without a key")?;
                delete = delete.key(*name, key.clone());
            }
            delete.send().await?;
        }
        for item in backup {
            let put = self.dynamodb.put_item().table_name(table);
            put.set_item(Some(item)).send().await?;
        }
        Ok(())
    }

    /// The event source mapping by which Lambda reads the queue for `tickets`.
    async fn event_source_mapping(&self) -> Result<Value> {
        let list = json!({
            "service": "lambda",
            "operation": "ListEventSourceMappings",
            "parameters": { "FunctionName": self.stack.deployed.functions["tickets"] },
        });
        let listed = self.stack.emulator.call_all(&[list]).await?;
        let mapping = listed
            .first()
            .map(|listed| &listed["EventSourceMappings"][0]["UUID"]);
        let mapping = mapping.filter(|mapping| mapping.is_string());
        Ok(mapping
            .context("no event source mapping reads the queue")?
            .clone())
    }

    async fn set_queue_reading(&self, mapping: &Value, enabled: bool) -> Result<()> {
        let update = json!({
            "service": "lambda",
            "operation": "UpdateEventSourceMapping",
            "parameters": { "UUID": mapping, "Enabled": enabled },
        });
        self.stack.emulator.call_all(&[update]).await?;
        Ok(())
    }

    /// Waits until all tickets are imported and the queue is empty.
    async fn import_and_queue_are_done(&self) -> Result<()> {
        let alerts = Alerts::new(&self.target.aws, self.target.alerts_table()?.to_owned());
        let partner = &self.stack.seeded.partner;
        wait_for("the import of all tickets", WITHIN, async || {
            let index = alerts.ticket_index.get(partner).await?;
            let is_complete = index.is_some_and(|index| index.state == TicketIndexState::Complete);
            Ok(is_complete.then_some(()))
        })
        .await?;
        let sqs = aws_sdk_sqs::Client::new(&self.target.aws);
        wait_for("the empty queue", WITHIN, async || {
            let call = sqs.get_queue_attributes();
            let call = call.queue_url(&self.stack.deployed.queue_url);
            let answer = call.attribute_names(QueueAttributeName::All).send().await?;
            let attributes = answer.attributes.unwrap_or_default();
            let counts = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ];
            let is_zero = |name| attributes.get(name).is_none_or(|count| count == "0");
            Ok(counts.iter().all(is_zero).then_some(()))
        })
        .await
    }
}
