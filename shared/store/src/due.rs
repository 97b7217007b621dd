//! When partners are due, and who is at work for them: one item a partner and task in the `config` table, listed by its index `due`.
//!
//! Every operation is one conditional write to one item, so that there is nothing to undo: where a worker dies its lease ends, and the
//! next tick finds the partner due.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_types::SdkConfig;
use domain::monitoring::pipeline::Schedule;
use domain::ticketing::refused_writes::RefusalGroups;
use domain::time::sortable;
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use crate::conditional;
use crate::table::{Table, partner_pk};
use crate::{Cursor, Error};

/// How many keys of the index share a task's partners.
const SHARDS: u32 = 4;

/// A run for a partner that nobody else makes at the same time.
#[derive(Debug, Clone)]
pub struct Leased {
    /// For whom.
    pub partner: PartnerId,
    /// What is done.
    pub schedule: Schedule,
    /// What the run before left.
    pub progress: Progress,
    /// When the last part of a snapshot came.
    pub snapshot_at: Option<Timestamp>,
    /// How many runs before this one died: their leases ended and they did not.
    pub died: u32,
    id: String,
    until: String,
}

/// What a run leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// When the minute began in which the releases are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paced_from: Option<Timestamp>,
    /// How many were made in that minute.
    #[serde(default)]
    pub paced: u32,
    /// Where in the list of blocked records the run before stopped; none if it came round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// When missing rights were last taken for there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights_tried_at: Option<Timestamp>,
    /// When it was last looked which alerts are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// When the next alert ends by itself, by that look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When ConnectWise's list of open tickets was last begun to be read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<Timestamp>,
    /// How far that list is read, where a run had not the time for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparing: Option<Comparing>,
    /// Alerts that ConnectWise refused, by reason.
    #[serde(default)]
    pub refusals: RefusalGroups,
}

/// A list of open tickets that is read by several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparing {
    /// When it was begun.
    pub began_at: Timestamp,
    /// The number of the ticket behind which it goes on.
    pub behind: RecordId,
}

/// The entries in the `config` table.
#[derive(Debug, Clone)]
pub struct Due {
    table: Table,
}

impl Due {
    /// Those of the table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// The partners that are due by the index, the longest waiting first, `limit` at most. The index is a moment late: one that is
    /// listed may be in other hands, which its lease tells.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn due(
        &self,
        schedule: Schedule,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<PartnerId>, Error> {
        let mut found = vec![];
        for shard in 0..SHARDS {
            let mut entries = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .index_name("due")
                .key_condition_expression("due_of = :due_of AND due_at <= :now")
                .expression_attribute_values(":due_of", text(due_of(schedule, shard)))
                .expression_attribute_values(":now", text(sortable(now)))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .into_paginator()
                .items()
                .send();
            let mut left = limit;
            while left > 0
                && let Some(entry) = entries.next().await
            {
                let entry = entry.map_err(|err| Error::call("Query", &err))?;
                let member = |name: &str| entry.get(name)?.as_s().ok().cloned();
                let partner =
                    member("pk").and_then(|pk| PartnerId::parse(pk.strip_prefix("P#")?).ok());
                match partner.zip(member("due_at")) {
                    Some((partner, due_at)) => found.push((due_at, partner)),
                    None => {
                        tracing::error!(entry = ?entry.get("pk"), "due entry has no partner id");
                    }
                }
                left -= 1;
            }
        }
        found.sort();
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, partner)| partner).collect())
    }

    /// Has a partner due at this time, if it is not due earlier. While a run is on, another one follows it: what the run has looked
    /// at already may have changed since.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened, and making it again changes nothing.
    pub async fn bring_forward(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
        at: Timestamp,
    ) -> Result<(), Error> {
        // A lease holds `due_at` at its own end: until then that is nobody's wish.
        let call = self
            .update(partner, schedule)
            .update_expression("SET due_of = :due_of, due_at = :at")
            .condition_expression(
                "attribute_not_exists(due_at) OR due_at > :at OR due_at = lease_until",
            )
            .expression_attribute_values(
                ":due_of",
                text(due_of(schedule, spread(partner) % SHARDS)),
            )
            .expression_attribute_values(":at", text(sortable(at)));
        conditional::update(call).await.map(drop)
    }

    /// Notes that a part of a snapshot came, and has the partner reconciled at a time: when the other parts may be there too. If the
    /// process dies in between, the part's message comes back.
    ///
    /// # Errors
    /// As for [`Self::bring_forward`].
    pub async fn snapshot_came(
        &self,
        partner: &PartnerId,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .update(partner, Schedule::Reconcile)
            .update_expression("SET snapshot_at = :now")
            .condition_expression("attribute_not_exists(snapshot_at) OR snapshot_at < :now")
            .expression_attribute_values(":now", text(sortable(now)));
        conditional::update(call).await?;
        self.bring_forward(partner, Schedule::Reconcile, at).await
    }

    /// Takes the run of a partner that is due and in nobody's hands, until a time; none otherwise. `id` is the worker's own. If the
    /// process dies right after, the partner is due when the lease ends.
    ///
    /// # Errors
    /// When DynamoDB fails. If the write happened all the same, the partner is due when the lease ends.
    pub async fn lease(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
        id: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Leased>, Error> {
        let until = sortable(until);
        // Moved to its end, a leased entry does not stand before others in the index.
        let call = self
            .update(partner, schedule)
            // Counted at the start, since a run that dies counts nothing; the end of a run removes it.
            .update_expression(
                "SET lease_id = :id, lease_until = :until, due_at = :until ADD unfinished_runs :one",
            )
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .condition_expression(
                "due_at <= :now AND (attribute_not_exists(lease_until) OR lease_until <= :now)",
            )
            .expression_attribute_values(":id", text(id.to_owned()))
            .expression_attribute_values(":until", text(until.clone()))
            .expression_attribute_values(":now", text(sortable(now)))
            .return_values(ReturnValue::AllNew);
        let Some(answer) = conditional::update(call).await? else {
            return Ok(None);
        };
        let mut entry = answer.attributes.unwrap_or_default();
        let unfinished = entry.remove("unfinished_runs");
        let unfinished: u32 = unfinished
            .and_then(|count| from_attribute_value(count).ok())
            .unwrap_or_default();
        let snapshot_at = entry.remove("snapshot_at");
        let snapshot_at = snapshot_at.and_then(|at| from_attribute_value(at).ok());
        Ok(Some(Leased {
            partner: partner.clone(),
            schedule,
            progress: read_progress(entry),
            snapshot_at,
            died: unfinished.saturating_sub(1),
            id: id.to_owned(),
            until,
        }))
    }

    /// What the last run left, read consistently, by somebody who makes none; nothing where there was none, or it is unreadable.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn progress(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
    ) -> Result<Progress, Error> {
        let item = self.table.item(&partner_pk(partner), &sk(schedule)).await?;
        Ok(read_progress(item.unwrap_or_default()))
    }

    /// Stores what this run leaves, and tells whether the lease is still its own: if not, the run is over. If the process dies right
    /// after, the next run goes on from there.
    ///
    /// # Errors
    /// When DynamoDB fails or the progress has no item's form.
    pub async fn keep(&self, leased: &Leased, progress: &Progress) -> Result<bool, Error> {
        let value = to_attribute_value(progress)
            .map_err(|err| Error::malformed(leased.partner.as_str(), &err))?;
        let call = self
            .owned(leased)
            .update_expression("SET progress = :progress")
            .condition_expression(OWN)
            .expression_attribute_values(":progress", value);
        Ok(conditional::update(call).await?.is_some())
    }

    /// Ends a run: the partner is due at `next`, or earlier where it was brought forward meanwhile. Tells whether the lease was still
    /// its own; if not, nothing is changed. If the process dies before, the lease ends by itself.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn finish(&self, leased: &Leased, next: Timestamp) -> Result<bool, Error> {
        let as_planned = self
            .owned(leased)
            .update_expression("SET due_at = :next REMOVE lease_id, lease_until, unfinished_runs")
            .condition_expression(format!("{OWN} AND (due_at = :until OR due_at > :next)"))
            .expression_attribute_values(":next", text(sortable(next)));
        if conditional::update(as_planned).await?.is_some() {
            return Ok(true);
        }
        let earlier = self
            .owned(leased)
            .update_expression("REMOVE lease_id, lease_until, unfinished_runs")
            .condition_expression(OWN);
        Ok(conditional::update(earlier).await?.is_some())
    }

    /// Gives a lease back before the run begins, for another invocation to take: the partner is due now. If the process dies before,
    /// the lease ends by itself, and this counts as a run that died.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn give_back(&self, leased: &Leased, now: Timestamp) -> Result<(), Error> {
        let call = self
            .owned(leased)
            .update_expression(
                "SET due_at = :now, unfinished_runs = :died REMOVE lease_id, lease_until",
            )
            .condition_expression(OWN)
            .expression_attribute_values(":now", text(sortable(now)))
            .expression_attribute_values(":died", AttributeValue::N(leased.died.to_string()));
        conditional::update(call).await.map(drop)
    }

    fn update(&self, partner: &PartnerId, schedule: Schedule) -> UpdateItemFluentBuilder {
        self.table.update_item(&partner_pk(partner), &sk(schedule))
    }

    fn owned(&self, leased: &Leased) -> UpdateItemFluentBuilder {
        self.update(&leased.partner, leased.schedule)
            .expression_attribute_values(":id", text(leased.id.clone()))
            .expression_attribute_values(":until", text(leased.until.clone()))
    }
}

/// The end too: where Lambda runs one request twice, both have its id.
const OWN: &str = "lease_id = :id AND lease_until = :until";

/// A number that spreads partners evenly and never changes.
#[must_use]
pub fn spread(partner: &PartnerId) -> u32 {
    // FNV-1a.
    let hash = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    partner.as_str().bytes().fold(0x811c_9dc5, hash)
}

fn sk(schedule: Schedule) -> String {
    format!("due#{}", schedule.name())
}

fn read_progress(mut entry: HashMap<String, AttributeValue>) -> Progress {
    let progress = entry.remove("progress").map(from_attribute_value);
    let progress = progress.transpose().unwrap_or_else(|err| {
        // It only spares work: a run without it does the same.
        tracing::error!(error = %err, "failed to parse the progress of the last run");
        None
    });
    progress.unwrap_or_default()
}

fn due_of(schedule: Schedule, shard: u32) -> String {
    format!("{}#{shard}", schedule.name())
}

fn text(value: String) -> AttributeValue {
    AttributeValue::S(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values stand in the index.
    #[test]
    fn the_spread_never_changes_and_is_even() {
        let partner = |name: String| PartnerId::parse(name).unwrap();
        assert_eq!(spread(&partner("northwind".into())), 0xdfce_d8ea);
        let mut shards = [0; SHARDS as usize];
        for n in 0..1000 {
            shards[(spread(&partner(format!("partner-{n}"))) % SHARDS) as usize] += 1;
        }
        assert!(shards.iter().all(|count| *count > 200), "{shards:?}");
    }
}
