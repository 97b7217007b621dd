//! The state of a partner's ticket index: `ticket_index#<partner>`. It says whether the table has a
//! record for every ticket of the partner.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::ticketing::ticket_index::{Sentinels, TicketIndex};
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value, to_item};

use crate::table::{Item, Table, alert_key, number, string, time};
use crate::{Error, conditional};

/// The state while tickets are imported.
const REBUILDING: &str = "rebuilding";
const COMPLETE: &str = "complete";

#[derive(Debug, Clone)]
pub struct TicketIndexStore {
    table: Table,
}

impl TicketIndexStore {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the index, in whatever epoch. Returns `None` before the first search.
    pub async fn get(&self, partner: &PartnerId) -> Result<Option<TicketIndex>, Error> {
        let item = self.table.item(alert_key(&pk(partner))).await?;
        item.map(|item| parse(item, partner)).transpose()
    }

    /// Creates the index of an epoch, unless another worker did. Returns whether this call did.
    pub async fn begin(&self, partner: &PartnerId, index: &TicketIndex) -> Result<bool, Error> {
        let mut item: Item = to_item(index).map_err(malformed(partner))?;
        item.extend(alert_key(&pk(partner)));
        let call = self
            .table
            .put_item(item)
            .condition_expression("attribute_not_exists(pk) OR epoch < :epoch")
            .expression_attribute_values(":epoch", number(index.epoch));
        conditional::put(call).await
    }

    /// Stores the newest tickets of a board. The last worker wins: each of them is a ticket that was
    /// created.
    pub async fn put_sentinels(
        &self,
        partner: &PartnerId,
        epoch: u32,
        board: &str,
        sentinels: &Sentinels,
    ) -> Result<(), Error> {
        let sentinels = to_attribute_value(sentinels).map_err(malformed(partner))?;
        let call = self
            .update_epoch(partner, epoch)
            .update_expression("SET sentinels.#board = :sentinels")
            .condition_expression("epoch = :epoch")
            .expression_attribute_names("#board", board)
            .expression_attribute_values(":sentinels", sentinels);
        conditional::update(call).await.map(drop)
    }

    /// Restarts the import of the partner's tickets, as after a restore of the table. Until it is
    /// complete, each alert is searched for before its first ticket. Sentinels stay, because each is
    /// a ticket in ConnectWise, whatever the table contains. A repetition restarts the import again,
    /// which costs only time. Returns whether it was restarted: an index of a later epoch is not.
    ///
    /// If the process dies right after, reconcile imports when the partner is next due.
    pub async fn rebuild(
        &self,
        partner: &PartnerId,
        epoch: u32,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = || {
            self.update_epoch(partner, epoch)
                .update_expression(
                    "SET #state = :rebuilding, imported = :none, begun_at = :now REMOVE imported_to",
                )
                .condition_expression("epoch = :epoch")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":rebuilding", string(REBUILDING))
                .expression_attribute_values(":none", number(0))
                .expression_attribute_values(":now", time(now))
        };
        if conditional::update(call()).await? {
            return Ok(true);
        }
        let index = TicketIndex {
            begun_at: Some(now),
            ..TicketIndex::new(epoch, false)
        };
        // A worker may create it in between.
        Ok(self.begin(partner, &index).await? || conditional::update(call()).await?)
    }

    /// Records the progress of the import of `index`: all tickets up to this one, and how many these
    /// were. Returns whether this import is still in progress.
    pub async fn record_import(
        &self,
        partner: &PartnerId,
        index: &TicketIndex,
        to: RecordId,
        imported: u64,
    ) -> Result<bool, Error> {
        let call = self
            .update_import(partner, index)
            .update_expression("SET imported_to = :to, imported = :imported")
            .expression_attribute_values(":to", number(to))
            .expression_attribute_values(":imported", number(imported));
        conditional::update(call).await
    }

    /// Completes the import of `index`: each ticket that ConnectWise listed has its record. Returns
    /// whether the import was still in progress.
    pub async fn complete_import(
        &self,
        partner: &PartnerId,
        index: &TicketIndex,
        imported: u64,
    ) -> Result<bool, Error> {
        let call = self
            .update_import(partner, index)
            .update_expression("SET #state = :complete, imported = :imported REMOVE imported_to")
            .expression_attribute_values(":imported", number(imported))
            .expression_attribute_values(":complete", string(COMPLETE));
        conditional::update(call).await
    }

    /// An update that is made only while the import of `index` is in progress: the progress of this
    /// import does not hold for an import that was restarted.
    fn update_import(&self, partner: &PartnerId, index: &TicketIndex) -> UpdateItemFluentBuilder {
        let call = self
            .update_epoch(partner, index.epoch)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":rebuilding", string(REBUILDING));
        let is_in_epoch = "epoch = :epoch AND #state = :rebuilding";
        match index.begun_at {
            Some(at) => call
                .condition_expression(format!("{is_in_epoch} AND begun_at = :begun_at"))
                .expression_attribute_values(":begun_at", time(at)),
            None => call
                .condition_expression(format!("{is_in_epoch} AND attribute_not_exists(begun_at)")),
        }
    }

    fn update_epoch(&self, partner: &PartnerId, epoch: u32) -> UpdateItemFluentBuilder {
        self.table
            .update_item(alert_key(&pk(partner)))
            .expression_attribute_values(":epoch", number(epoch))
    }
}

pub(crate) fn pk(partner: &PartnerId) -> String {
    format!("ticket_index#{partner}")
}

pub(super) fn parse(item: Item, partner: &PartnerId) -> Result<TicketIndex, Error> {
    from_item(item).map_err(malformed(partner))
}

fn malformed(partner: &PartnerId) -> impl Fn(serde_dynamo::Error) -> Error {
    let pk = pk(partner);
    move |err| Error::malformed(pk.clone(), &err)
}
