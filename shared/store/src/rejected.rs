//! Events that the webhook endpoint rejected, for the partner's page: `P#<partner>` with `rejected#<source>#<day>`.
//!
//! An item holds the requests of one day as a set, so that a message which is delivered twice counts once, and goes by itself.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::sortable;
use domain::wire::message::RejectedEvents;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

const PREFIX: &str = "rejected#";
/// So many requests of a source are counted a day at most: an item stays small, and a person needs no exact number beyond that.
const COUNTED: usize = 1000;
/// How long rejected events are shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// When DynamoDB may delete an item.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Events of one source that were rejected lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejections {
    /// How many; at least, where requests were more than are counted.
    pub events: u32,
    /// The first day of them.
    pub since: Timestamp,
    /// When the last request was received.
    pub last_at: Timestamp,
    /// The member that was wrong in it.
    pub field: String,
    /// What was wrong with it.
    pub problem: String,
}

#[derive(Deserialize)]
struct Item {
    sk: String,
    requests: Vec<String>,
    since: Timestamp,
    last_at: Timestamp,
    field: String,
    problem: String,
}

impl ConfigTable {
    /// Counts rejected events. One write, and making it again changes nothing.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is delivered again.
    pub async fn count_rejected(&self, rejected: &RejectedEvents) -> Result<(), Error> {
        let RejectedEvents {
            partner,
            source,
            request,
            received_at: at,
            events,
            field,
            problem,
        } = rejected;
        let day = at.strftime("%Y-%m-%d");
        let request = format!("{events} {request}");
        let expires = at.saturating_add(KEPT).unwrap_or(*at).as_second();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let call = self.table.update_item(&partner_pk(partner), &format!("{PREFIX}{source}#{day}"))
            .update_expression(
                "SET since = if_not_exists(since, :at), last_at = :at, #field = :field, problem = :problem, #ttl = :ttl ADD requests :request",
            )
            .condition_expression("attribute_not_exists(requests) OR size(requests) < :counted")
            .expression_attribute_names("#field", "field")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":at", AttributeValue::S(sortable(*at)))
            .expression_attribute_values(":field", text(field))
            .expression_attribute_values(":problem", text(problem))
            .expression_attribute_values(":ttl", AttributeValue::N(expires.to_string()))
            .expression_attribute_values(":request", AttributeValue::Ss(vec![request]))
            .expression_attribute_values(":counted", AttributeValue::N(COUNTED.to_string()));
        conditional::update(call).await.map(drop)
    }

    /// What was rejected of a partner's sources in the last seven days.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn rejections(
        &self,
        partner: &PartnerId,
        now: Timestamp,
    ) -> Result<BTreeMap<SourceId, Rejections>, Error> {
        let mut rejections = BTreeMap::<SourceId, Rejections>::new();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}"), &err);
            let item: Item = from_item(item).map_err(malformed)?;
            let source = item
                .sk
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.split('#').next());
            let source = source.and_then(|source| SourceId::parse(source).ok());
            // Code checks the time; DynamoDB deletes late.
            let is_recent = now.duration_since(item.last_at) < SHOWN;
            let (Some(source), true) = (source, is_recent) else {
                continue;
            };
            let of = |request: &String| request.split(' ').next()?.parse::<u32>().ok();
            let events = item.requests.iter().filter_map(of).sum();
            // Days come in order.
            rejections
                .entry(source)
                .and_modify(|rejections| {
                    rejections.events = rejections.events.saturating_add(events);
                    rejections.last_at = item.last_at;
                    rejections.field.clone_from(&item.field);
                    rejections.problem.clone_from(&item.problem);
                })
                .or_insert(Rejections {
                    events,
                    since: item.since,
                    last_at: item.last_at,
                    field: item.field.clone(),
                    problem: item.problem.clone(),
                });
        }
        Ok(rejections)
    }
}
