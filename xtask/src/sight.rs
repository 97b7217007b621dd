//! What can be seen of a running stack from outside: the alerts table, the queues, and ConnectWise's tickets and journal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use domain::record::Record;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::local::EmptyStack;
use crate::local::emulator::sdk_config;
use crate::local::simulator::Simulator;

/// How often a stack is looked at by who waits: looking costs it some of its time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks at one stack.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    stack: &'a EmptyStack,
    table: aws_sdk_dynamodb::Client,
    queues: aws_sdk_sqs::Client,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Those that may be received.
    pub(crate) visible: usize,
    /// Those that are worked on or put off.
    pub(crate) hidden: usize,
}

impl Waiting {
    /// All of them.
    pub(crate) fn all(self) -> usize {
        self.visible + self.hidden
    }
}

/// A ticket that carries a token of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Its number.
    pub(crate) id: u64,
    /// Its `externalXRef`.
    pub(crate) ticket_ref: String,
    /// The company that it is for.
    pub(crate) company: u64,
    /// Whether it is closed.
    pub(crate) closed: bool,
    /// The member who closed it.
    pub(crate) closed_by: Option<String>,
}

impl Ticket {
    /// The key of its alert's item in the table: the middle parts of its token.
    pub(crate) fn item_key(&self) -> &str {
        let middle = self.ticket_ref.strip_prefix("tb1-").unwrap_or_default();
        middle.rsplit_once('-').map_or("", |(item, _)| item)
    }
}

/// A call as the simulator wrote it down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Call {
    /// From 1, without gaps.
    pub(crate) n: usize,
    /// When it came.
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// None where no answer was given.
    pub(crate) status: Option<u16>,
    /// Whether it changed something, at once or later.
    pub(crate) committed: bool,
    pub(crate) body: Value,
}

/// What a call was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To make a ticket.
    Create,
    /// To look for one by its token.
    Search,
    /// Anything else.
    Other,
}

impl Call {
    /// What it was made for.
    pub(crate) fn purpose(&self) -> Purpose {
        let tickets = self.path.ends_with("/service/tickets");
        match self.method.as_str() {
            "POST" if tickets => Purpose::Create,
            "GET" if tickets => Purpose::Search,
            _ => Purpose::Other,
        }
    }

    /// Whether it made a ticket of an alert.
    pub(crate) fn makes_ticket_of(&self, item_key: &str) -> bool {
        self.purpose() == Purpose::Create && self.committed && self.is_about(item_key, &[])
    }

    /// Whether it speaks of an alert, by its tokens or by its ticket.
    pub(crate) fn is_about(&self, item_key: &str, tickets: &[u64]) -> bool {
        let of_ticket = |id: &u64| {
            let path = format!("/service/tickets/{id}");
            self.path.ends_with(&path) || self.path.contains(&format!("{path}/"))
        };
        let text = self.body["externalXRef"].as_str().unwrap_or_default();
        text.contains(item_key) || self.query.contains(item_key) || tickets.iter().any(of_ticket)
    }
}

impl<'a> Sight<'a> {
    /// Looks at this stack.
    pub(crate) fn of(stack: &'a EmptyStack) -> Result<Self> {
        let config = sdk_config(stack.emulator.endpoint())?;
        Ok(Self {
            stack,
            table: aws_sdk_dynamodb::Client::new(&config),
            queues: aws_sdk_sqs::Client::new(&config),
        })
    }

    /// All alert records, by the keys of their items.
    pub(crate) async fn records(&self) -> Result<BTreeMap<String, Record>> {
        let mut items = self
            .table
            .scan()
            .table_name(&self.stack.deployed.alerts_table)
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut records = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.context("cannot scan the alerts table")?;
            // Other things live there too; an alert's record is what has a key and what is wanted.
            if !item.contains_key("key") || !item.contains_key("desired") {
                continue;
            }
            let record: Record = serde_dynamo::from_item(item)
                .context("a record of the alerts table is unreadable")?;
            records.insert(record.key.item_key(), record);
        }
        Ok(records)
    }

    /// The queue of events.
    pub(crate) async fn queue(&self) -> Result<Waiting> {
        self.waiting(&self.stack.deployed.queue_url).await
    }

    /// The dead letters.
    pub(crate) async fn dead_letters(&self) -> Result<Waiting> {
        self.waiting(&self.stack.deployed.dead_letter_queue_url)
            .await
    }

    /// Waits until records and queue are as wished; tells whether they came to be in time.
    pub(crate) async fn wait_until(
        &self,
        within: Duration,
        wished: impl Fn(&BTreeMap<String, Record>, Waiting) -> bool,
    ) -> Result<bool> {
        let begun = Instant::now();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while begun.elapsed() < within {
            looks.tick().await;
            if wished(&self.records().await?, self.queue().await?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn waiting(&self, url: &str) -> Result<Waiting> {
        let answer = self
            .queues
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .context("cannot ask how full the queue is")?;
        let count = |name: QueueAttributeName| {
            let value = answer.attributes().and_then(|all| all.get(&name));
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Ok(Waiting {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            hidden: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
                + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    /// All tickets of a site with a token of ours, page by page, as a technician sees them.
    pub(crate) async fn tickets_of(site: &Simulator) -> Result<Vec<Ticket>> {
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
            let rows = rows.as_array().context("a list of tickets is no list")?;
            for row in rows {
                all.push(Ticket {
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

    fn call(method: &str, path: &str, query: &str, body: &str) -> Call {
        serde_json::from_value(serde_json::json!({
            "n": 1, "at": "2026-11-22T10:00:00.123Z", "method": method, "path": path, "query": query,
            "status": null, "committed": false, "body": { "externalXRef": body },
        }))
        .unwrap()
    }

    #[test]
    fn a_call_is_told_by_what_it_does() {
        let tickets = "/v4_6_release/apis/3.0/service/tickets";
        assert_eq!(call("POST", tickets, "", "").purpose(), Purpose::Create);
        assert_eq!(call("GET", tickets, "", "").purpose(), Purpose::Search);
        assert_eq!(
            call("GET", &format!("{tickets}/7"), "", "").purpose(),
            Purpose::Other
        );
        assert_eq!(
            call("POST", &format!("{tickets}/7/notes"), "", "").purpose(),
            Purpose::Other
        );
    }

    #[test]
    fn the_calls_about_an_alert_are_found() {
        let tickets = "/v4_6_release/apis/3.0/service/tickets";
        assert!(call("POST", tickets, "", "tb1-ab-cd-1").is_about("ab-cd", &[]));
        assert!(call("GET", tickets, "conditions=x+%22tb1-ab-cd-1%22", "").is_about("ab-cd", &[]));
        assert!(call("GET", &format!("{tickets}/77/notes"), "", "").is_about("ab-cd", &[77]));
        assert!(call("PATCH", &format!("{tickets}/77"), "", "").is_about("ab-cd", &[77]));
        assert!(!call("PATCH", &format!("{tickets}/771"), "", "").is_about("ab-cd", &[77]));
    }

    #[test]
    fn a_ticket_names_its_alert() {
        let ticket = Ticket {
            id: 1,
            ticket_ref: "tb1-0a1b-2c3d-12".to_owned(),
            company: 1,
            closed: false,
            closed_by: None,
        };
        assert_eq!(ticket.item_key(), "0a1b-2c3d");
    }
}
