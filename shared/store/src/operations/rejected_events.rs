//! Events that the webhook endpoint rejected, for the partner's page: `P#<partner>` with
//! `rejected#<source>#<day>`.
//!
//! An item holds the requests of one day as a set, so a message that is delivered twice counts once.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::wire::message::RejectedEvents;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::table::{Table, number, partner_key, string, time};
use crate::{Error, conditional};

pub(crate) const PREFIX: &str = "rejected#";
/// Most requests of a source that are counted in a day. The item stays small, and a person needs no
/// exact number beyond that.
const MAX_REQUESTS: usize = 1000;
/// How long rejected events are shown.
const SHOWN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// After this time DynamoDB may delete an item.
const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Events of one source that were rejected in the last days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejections {
    /// The number of events. It is a minimum if there were more requests than are counted.
    pub events: u32,
    /// The first request.
    pub since: Timestamp,
    /// When the last request was received.
    pub last_at: Timestamp,
    /// The wrong member in the last request.
    pub field: String,
    /// What was wrong with it.
    pub problem: String,
}

#[derive(Deserialize)]
struct DayItem {
    sk: String,
    requests: Vec<String>,
    since: Timestamp,
    last_at: Timestamp,
    field: String,
    problem: String,
}

#[derive(Debug, Clone)]
pub struct RejectedEventStore {
    table: Table,
}

impl RejectedEventStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Counts rejected events. A repetition changes nothing.
    ///
    /// # Errors
    /// When DynamoDB fails; the message is delivered again.
    pub async fn count(&self, rejected: &RejectedEvents) -> Result<(), Error> {
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
        let expires = at.saturating_add(RETENTION).unwrap_or(*at).as_second();
        let key = partner_key(partner, &format!("{PREFIX}{source}#{day}"));
        let call = self
            .table
            .update_item(key)
            .update_expression(
                "SET since = if_not_exists(since, :at), last_at = :at, #field = :field, \
                 problem = :problem, #ttl = :ttl ADD requests :request",
            )
            .condition_expression("attribute_not_exists(requests) OR size(requests) < :max")
            .expression_attribute_names("#field", "field")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":at", time(*at))
            .expression_attribute_values(":field", string(field))
            .expression_attribute_values(":problem", string(problem))
            .expression_attribute_values(":ttl", number(expires))
            .expression_attribute_values(":request", AttributeValue::Ss(vec![request]))
            .expression_attribute_values(":max", number(MAX_REQUESTS));
        conditional::update(call).await.map(drop)
    }

    /// Reads the events of the partner's sources that were rejected in the last seven days.
    pub async fn get_all(
        &self,
        partner: &PartnerId,
        now: Timestamp,
    ) -> Result<BTreeMap<SourceId, Rejections>, Error> {
        let mut rejections = BTreeMap::<SourceId, Rejections>::new();
        for item in self.table.items_with_prefix(partner, PREFIX).await? {
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}"), &err);
            let item: DayItem = from_item(item).map_err(malformed)?;
            let source = item
                .sk
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.split('#').next());
            let source = source.and_then(|source| SourceId::parse(source).ok());
            // Code checks the time, because DynamoDB deletes items late.
            let is_recent = now.duration_since(item.last_at) < SHOWN_FOR;
            let (Some(source), true) = (source, is_recent) else {
                continue;
            };
            let events_of = |request: &String| request.split(' ').next()?.parse::<u32>().ok();
            let events = item.requests.iter().filter_map(events_of).sum();
            // Days are in ascending order.
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
