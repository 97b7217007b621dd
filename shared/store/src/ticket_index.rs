//! The memory's item in the alerts table: `memory#<partner>`, lost and restored together with the records.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ticketing::ticket_index::{Sentinels, TicketIndex};
use domain::time::sortable;
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value, to_item};

use crate::conditional;
use crate::{Alerts, Error};

/// The state of a memory whose tickets are still being imported.
const REBUILDING: &str = "rebuilding";

pub(crate) fn memory_pk(partner: &PartnerId) -> String {
    format!("ticket_index#{partner}")
}

impl Alerts {
    /// What is known of the partner's tickets altogether, in whatever epoch; none before the first look.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn ticket_index(&self, partner: &PartnerId) -> Result<Option<TicketIndex>, Error> {
        let call = self.client.get_item().table_name(&self.table);
        let call = call.key("pk", AttributeValue::S(memory_pk(partner)));
        let answer = call.consistent_read(true).send().await;
        let answer = answer.map_err(|err| Error::call("GetItem", &err))?;
        let malformed = |err| Error::malformed(memory_pk(partner), &err);
        answer.item.map(from_item).transpose().map_err(malformed)
    }

    /// Begins the memory of an epoch, unless another worker did. Tells whether this call did.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn begin_ticket_index(
        &self,
        partner: &PartnerId,
        ticket_index: &TicketIndex,
    ) -> Result<bool, Error> {
        let malformed = |err| Error::malformed(memory_pk(partner), &err);
        let mut item: HashMap<String, AttributeValue> = to_item(ticket_index).map_err(malformed)?;
        item.insert("pk".to_owned(), AttributeValue::S(memory_pk(partner)));
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR epoch < :epoch")
            .expression_attribute_values(
                ":epoch",
                AttributeValue::N(ticket_index.epoch.to_string()),
            );
        conditional::put(call).await
    }

    /// Remembers the newest tickets of a board. The last worker to say so wins: each of them is a ticket that was made.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_sentinels(
        &self,
        partner: &PartnerId,
        epoch: u32,
        board: &str,
        sentinels: &Sentinels,
    ) -> Result<(), Error> {
        let malformed = |err| Error::malformed(memory_pk(partner), &err);
        let call = self
            .of_epoch(partner, epoch)
            .update_expression("SET sentinels.#board = :sentinels")
            .condition_expression("epoch = :epoch")
            .expression_attribute_names("#board", board)
            .expression_attribute_values(
                ":sentinels",
                to_attribute_value(sentinels).map_err(malformed)?,
            );
        conditional::update(call).await?;
        Ok(())
    }

    /// Has the import of the partner's tickets begin anew, as after the table was restored: until it is done, every alert is searched for
    /// before its first ticket. Sentinels stay, for each is a ticket in ConnectWise, whatever the table remembers. Doing it again begins
    /// anew once more, which costs time alone. Tells whether it does: not where the memory is of a later epoch by now.
    ///
    /// One conditional write: if the process dies right after, reconcile imports at the partner's own time.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened.
    pub async fn rebuild_memory(
        &self,
        partner: &PartnerId,
        epoch: u32,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = || {
            self.of_epoch(partner, epoch)
            .update_expression(
                "SET #state = :rebuilding, imported = :none, begun_at = :now REMOVE imported_to",
            )
            .condition_expression("epoch = :epoch")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":rebuilding", AttributeValue::S(REBUILDING.to_owned()))
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
        };
        if conditional::update(call()).await?.is_some() {
            return Ok(true);
        }
        let ticket_index = TicketIndex {
            begun_at: Some(now),
            ..TicketIndex::new(epoch, false)
        };
        // A worker may begin it between the two.
        let begun = self.begin_ticket_index(partner, &ticket_index).await?;
        Ok(begun || conditional::update(call()).await?.is_some())
    }

    /// Notes how far the import of this memory came: all tickets up to this number, and how many these were. Tells whether it is still
    /// this import that is on.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_imported(
        &self,
        partner: &PartnerId,
        of: &TicketIndex,
        to: RecordId,
        imported: u64,
    ) -> Result<bool, Error> {
        let call = self
            .importing(partner, of)
            .update_expression("SET imported_to = :to, imported = :imported")
            .expression_attribute_values(":to", AttributeValue::N(to.to_string()))
            .expression_attribute_values(":imported", AttributeValue::N(imported.to_string()));
        Ok(conditional::update(call).await?.is_some())
    }

    /// Ends the import of this memory: each ticket of the listing, so many, has its record. Tells whether it was still on.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn complete_memory(
        &self,
        partner: &PartnerId,
        of: &TicketIndex,
        imported: u64,
    ) -> Result<bool, Error> {
        let call = self
            .importing(partner, of)
            .update_expression("SET #state = :complete, imported = :imported REMOVE imported_to")
            .expression_attribute_values(":imported", AttributeValue::N(imported.to_string()))
            .expression_attribute_values(":complete", AttributeValue::S("complete".to_owned()));
        Ok(conditional::update(call).await?.is_some())
    }

    /// An update only while the import that this memory tells of is on: one that began anew must not be taken for as far as this one.
    fn importing(&self, partner: &PartnerId, of: &TicketIndex) -> UpdateItemFluentBuilder {
        let begun = match of.begun_at {
            Some(_) => "begun_at = :begun_at",
            None => "attribute_not_exists(begun_at)",
        };
        let begun_at = of.begun_at.map(|at| AttributeValue::S(sortable(at)));
        let call = self
            .of_epoch(partner, of.epoch)
            .condition_expression(format!(
                "epoch = :epoch AND #state = :rebuilding AND {begun}"
            ))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":rebuilding", AttributeValue::S(REBUILDING.to_owned()));
        match begun_at {
            Some(at) => call.expression_attribute_values(":begun_at", at),
            None => call,
        }
    }

    fn of_epoch(&self, partner: &PartnerId, epoch: u32) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(memory_pk(partner)))
            .expression_attribute_values(":epoch", AttributeValue::N(epoch.to_string()))
    }
}
