//! What a running stack shows from outside: alert records, queues and ConnectWise's tickets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use domain::alert::record::Record;
use tokio::time::{MissedTickBehavior, interval};

use crate::empty_stack::EmptyStack;
use crate::emulator::sdk_config;
use crate::simulator::SimulatorProcess;

/// How often a waiting test polls the stack. Each poll takes some of the stack's time.
const POLL_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Inspector<'a> {
    stack: &'a EmptyStack,
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that can be received.
    pub visible: usize,
    /// Messages in flight or delayed.
    pub hidden: usize,
}

impl QueueDepth {
    pub fn total(self) -> usize {
        self.visible + self.hidden
    }
}

/// A ticket that carries one of Ticketbridge's references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedTicket {
    pub id: u64,
    /// Its `externalXRef`.
    pub ticket_ref: String,
    /// The id of its company.
    pub company: u64,
    pub closed: bool,
    /// The member who closed it.
    pub closed_by: Option<String>,
}

impl ReferencedTicket {
    /// The key of its alert's record: the middle parts of the reference.
    pub fn item_key(&self) -> &str {
        let middle = self.ticket_ref.strip_prefix("tb1-").unwrap_or_default();
        middle.rsplit_once('-').map_or("", |(item, _)| item)
    }
}

impl<'a> Inspector<'a> {
    pub fn new(stack: &'a EmptyStack) -> Result<Self> {
        let config = sdk_config(stack.emulator.endpoint())?;
        Ok(Self {
            stack,
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
        })
    }

    /// All alert records, by their item keys.
    pub async fn records(&self) -> Result<BTreeMap<String, Record>> {
        let mut items = self
            .dynamodb
            .scan()
            .table_name(&self.stack.deployed.alerts_table)
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut records = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.context("cannot scan the alerts table")?;
            // The table holds other items too. Only an alert record has these two attributes.
            if !item.contains_key("key") || !item.contains_key("desired") {
                continue;
            }
            let record: Record = serde_dynamo::from_item(item)
                .context("cannot parse a record of the alerts table")?;
            records.insert(record.key.item_key(), record);
        }
        Ok(records)
    }

    /// The depth of the event queue.
    pub async fn queue(&self) -> Result<QueueDepth> {
        self.depth_of(&self.stack.deployed.queue_url).await
    }

    /// The depth of the dead-letter queue.
    pub async fn dead_letters(&self) -> Result<QueueDepth> {
        self.depth_of(&self.stack.deployed.dead_letter_queue_url)
            .await
    }

    /// Polls records and queue until the condition holds. Returns false if time runs out first.
    pub async fn wait_until(
        &self,
        within: Duration,
        condition: impl Fn(&BTreeMap<String, Record>, QueueDepth) -> bool,
    ) -> Result<bool> {
        let started = Instant::now();
        let mut polls = interval(POLL_EVERY);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while started.elapsed() < within {
            polls.tick().await;
            if condition(&self.records().await?, self.queue().await?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn depth_of(&self, url: &str) -> Result<QueueDepth> {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .context("cannot read the queue's attributes")?;
        let count = |name: QueueAttributeName| {
            let value = answer.attributes().and_then(|all| all.get(&name));
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Ok(QueueDepth {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            hidden: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
                + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    /// All tickets of a site that carry a reference, as a technician sees them.
    pub async fn tickets_of(site: &SimulatorProcess) -> Result<Vec<ReferencedTicket>> {
        const PAGE: usize = 200;
        let mut all = Vec::new();
        for page in 1.. {
            let query = [
                ("conditions", "externalXRef like \"tb1-%\"".to_owned()),
                ("orderBy", "id".to_owned()),
                ("pageSize", PAGE.to_string()),
                ("page", page.to_string()),
            ];
            let rows = site.get_as_technician("/service/tickets", &query).await?;
            let rows = rows.as_array().context("the ticket list is not an array")?;
            for row in rows {
                all.push(ReferencedTicket {
                    id: row["id"].as_u64().context("a ticket has no id")?,
                    ticket_ref: row["externalXRef"].as_str().unwrap_or_default().to_owned(),
                    company: row["company"]["id"].as_u64().unwrap_or_default(),
                    closed: row["closedFlag"] == true,
                    closed_by: row["closedBy"].as_str().map(str::to_owned),
                });
            }
            if rows.len() < PAGE {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reference_names_its_alert() {
        let ticket = ReferencedTicket {
            id: 1,
            ticket_ref: "tb1-0a1b-2c3d-12".to_owned(),
            company: 1,
            closed: false,
            closed_by: None,
        };
        assert_eq!(ticket.item_key(), "0a1b-2c3d");
    }
}
