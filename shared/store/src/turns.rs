//! Whose turn it is to go on with the boards that a partner asked for: two people at the page, or one with two windows, must not both
//! make the same board.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::PartnerId;
use domain::time::sortable;
use jiff::Timestamp;

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

impl ConfigTable {
    /// Takes the turn at the boards that were asked for, until a time; tells whether it was free. `id` is the request's own, which no
    /// other has. One conditional write beside the item's content, which stays as it is. If the process dies right after, the next one
    /// waits until then.
    ///
    /// # Errors
    /// When DynamoDB fails. If the write happened all the same, the turn is over at that time.
    pub async fn take_turn_at_boards(
        &self,
        partner: &PartnerId,
        id: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .boards(partner)
            .update_expression("SET turn_of = :id, turn_until = :until")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(turn_until) OR turn_until <= :now)",
            )
            .expression_attribute_values(":id", AttributeValue::S(id.to_owned()))
            .expression_attribute_values(":until", AttributeValue::S(sortable(until)))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        Ok(conditional::update(call).await?.is_some())
    }

    /// Gives the turn back, unless it is somebody else's by now. If the process dies before, it ends by itself.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn end_turn_at_boards(&self, partner: &PartnerId, id: &str) -> Result<(), Error> {
        let call = self
            .boards(partner)
            .update_expression("REMOVE turn_of, turn_until")
            .condition_expression("turn_of = :id")
            .expression_attribute_values(":id", AttributeValue::S(id.to_owned()));
        conditional::update(call).await?;
        Ok(())
    }

    fn boards(&self, partner: &PartnerId) -> UpdateItemFluentBuilder {
        self.table.update_item(&partner_pk(partner), "boards")
    }
}
