//! The tickets of alerts in the simulator, found by their references.

use std::time::Duration;

use anyhow::{Result, ensure};
use domain::TicketRef;
use local_stack::progress::wait_for;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use serde_json::Value;

/// The time limit of each step: far more than it takes.
pub(crate) const WITHIN: Duration = Duration::from_secs(45);

/// Finds the tickets of one source's alerts.
pub(crate) struct AlertTickets<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) source: &'a AlertSource,
}

impl AlertTickets<'_> {
    /// Waits until the alert has exactly one ticket and the condition holds.
    pub(crate) async fn wait_for(
        &self,
        alert: &SourceAlert<'_>,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait_for(what, WITHIN, async || {
            let mut found = self.of(alert).await?;
            ensure!(
                found.len() < 2,
                "the alert {} has {} tickets",
                alert.id,
                found.len()
            );
            Ok(found.pop().filter(|ticket| condition(ticket)))
        })
        .await
    }

    /// The tickets of an alert's first occurrence.
    pub(crate) async fn of(&self, alert: &SourceAlert<'_>) -> Result<Vec<Value>> {
        let ticket_ref = TicketRef::new(&self.source.key(alert)?, 1);
        self.matching(&format!("externalXRef=\"{ticket_ref}\""))
            .await
    }

    /// The tickets of all occurrences of an alert.
    pub(crate) async fn of_all_occurrences(&self, alert: &SourceAlert<'_>) -> Result<Vec<Value>> {
        let first = TicketRef::new(&self.source.key(alert)?, 1);
        let item_key = first.item_key();
        self.matching(&format!(
            "externalXRef like \"{}{item_key}%\"",
            TicketRef::PREFIX
        ))
        .await
    }

    async fn matching(&self, conditions: &str) -> Result<Vec<Value>> {
        let query = [("conditions", conditions)];
        let found = self.stack.simulator.get("/service/tickets", &query).await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// The texts of the notes that were added to a ticket.
    pub(crate) async fn notes(&self, ticket: &Value) -> Result<Vec<String>> {
        let path = format!("/service/tickets/{}/notes", ticket["id"]);
        let notes = self.stack.simulator.get(&path, &[]).await?;
        // ConnectWise lists the ticket's description as a note too.
        let is_added = |note: &&Value| note["detailDescriptionFlag"] != true;
        let notes = notes.as_array().into_iter().flatten().filter(is_added);
        let texts = notes.map(|note| note["text"].as_str().unwrap_or_default().to_owned());
        Ok(texts.collect())
    }
}

pub(crate) fn is_closed(ticket: &Value) -> bool {
    ticket["closedFlag"] == true
}
