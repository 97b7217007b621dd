//! DynamoDB: alert records, snapshot parts, what partners set up and who may, and when they are due.
//!
//! Nothing is decided here: pure functions of `domain` change records, this crate reads and writes them. Three tables:
//! `alerts` with the key `pk`, `config` and `access` with `pk` and `sk`. What is in `access` is written by set-up alone.

mod access;
mod alerts;
mod audit;
mod begun;
mod breaker;
mod conditional;
mod config;
mod contact;
mod due;
mod error;
mod health;
mod held_closings;
mod listings;
mod operator;
mod pages;
mod partner_items;
mod partner_sources;
mod pipeline;
mod rejected;
mod sessions;
mod table;
mod tenants;
mod ticket_index;
mod turns;
mod versions;

pub use access::{AccessTable, Connection};
pub use alerts::{Alerts, Known, Written};
pub use audit::{Actor, AuditEntry};
pub use begun::{DedicatedBoard, DedicatedBoards, OfTenant, Suggested, Suggestions, TestTicket};
pub use config::ConfigTable;
pub use due::{Comparing, Due, Leased, Progress, spread};
pub use error::Error;
pub use health::KeptHealth;
pub use held_closings::{ClosingHolds, HeldClosings};
pub use listings::{Cursor, Followed, Items, Listed, Looks, Stretch};
pub use operator::Source;
pub use pages::{Entry, Page, PageStart};
pub use partner_items::PartnerItems;
pub use partner_sources::PartnerSource;
pub use pipeline::{OperatorEvent, Pipeline};
pub use rejected::Rejections;
pub use tenants::MOST_UNMAPPED;
pub use versions::{Saved, Versioned};

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;

/// An item as DynamoDB has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A few items of some tables in one call, by the table's name; all or an error.
pub(crate) async fn batch_get<'a>(
    client: &Client,
    requests: impl IntoIterator<Item = (&'a String, KeysAndAttributesBuilder)>,
) -> Result<HashMap<String, Vec<Item>>, Error> {
    let mut call = client.batch_get_item();
    for (table, keys) in requests {
        // The builder asks only for keys, and they are there.
        let keys = keys.build().map_err(|err| Error::Call {
            operation: "BatchGetItem",
            cause: err.to_string(),
        })?;
        call = call.request_items(table, keys);
    }
    let answer = call
        .send()
        .await
        .map_err(|err| Error::call("BatchGetItem", &err))?;
    if answer
        .unprocessed_keys()
        .is_some_and(|keys| !keys.is_empty())
    {
        return Err(Error::Call {
            operation: "BatchGetItem",
            cause: "throttled: not all items were read".to_owned(),
        });
    }
    Ok(answer.responses.unwrap_or_default())
}
