//! When partners are due, and which run works for them: one item for each partner and schedule in the
//! `config` table, listed by its index `due`.
//!
//! Each operation is one conditional write to one item, so a crash leaves nothing to undo: if a run
//! dies, its lease expires and the next tick finds the partner due.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use aws_types::SdkConfig;
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use super::progress::RunProgress;
use crate::lease::{self, Lease};
use crate::table::{Item, Table, number, partner_key, string, time};
use crate::{Error, conditional};

/// The number of index keys that share the partners of a schedule.
const SHARDS: u32 = 4;

/// A run for a partner, under a lease: no other run of this schedule works for the partner.
#[derive(Debug, Clone)]
pub struct LeasedRun {
    pub partner: PartnerId,
    pub schedule: Schedule,
    /// What the last run left.
    pub progress: RunProgress,
    /// When the last part of a snapshot was received.
    pub snapshot_at: Option<Timestamp>,
    /// When ConnectWise last reported that a ticket changed.
    pub ticket_changed_at: Option<Timestamp>,
    /// The number of runs in a row before this one that died: their leases expired and they did not
    /// finish.
    pub died: u32,
    lease: Lease,
}

/// What reconcile compares with the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileInput {
    /// The snapshots of sources.
    Snapshots,
    /// The tickets in ConnectWise.
    Tickets,
}

impl ReconcileInput {
    /// The attribute with the time of its last change.
    fn attribute(self) -> &'static str {
        match self {
            Self::Snapshots => "snapshot_at",
            Self::Tickets => "ticket_changed_at",
        }
    }
}

/// When each partner is due.
#[derive(Debug, Clone)]
pub struct Due {
    table: Table,
}

impl Due {
    /// Uses the `config` table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Lists the partners that are due, the longest overdue first, `limit` at most. The index is a
    /// moment late: a listed partner may be leased already, which [`Self::lease`] finds.
    pub async fn list(
        &self,
        schedule: Schedule,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<PartnerId>, Error> {
        let mut found = vec![];
        for shard in 0..SHARDS {
            let mut entries = self
                .table
                .query()
                .index_name("due")
                .key_condition_expression("due_of = :due_of AND due_at <= :now")
                .expression_attribute_values(":due_of", string(due_of(schedule, shard)))
                .expression_attribute_values(":now", time(now))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .into_paginator()
                .items()
                .send();
            let mut left = limit;
            while left > 0
                && let Some(entry) = entries.next().await
            {
                let entry = entry.map_err(|err| Error::call("Query", &err))?;
                let text = |name: &str| entry.get(name)?.as_s().ok().cloned();
                let partner =
                    text("pk").and_then(|pk| PartnerId::parse(pk.strip_prefix("P#")?).ok());
                match partner.zip(text("due_at")) {
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

    /// Makes a partner due at this time, unless it is due earlier. During a run, another run will
    /// follow it, because what the run has already read may have changed.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened, and a repetition changes nothing.
    pub async fn bring_forward(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
        at: Timestamp,
    ) -> Result<(), Error> {
        // During a lease `due_at` is the end of the lease, unless it was brought forward.
        let call = self
            .update(partner, schedule)
            .update_expression("SET due_of = :due_of, due_at = :at")
            .condition_expression(
                "attribute_not_exists(due_at) OR due_at > :at OR due_at = lease_until",
            )
            .expression_attribute_values(
                ":due_of",
                string(due_of(schedule, spread(partner) % SHARDS)),
            )
            .expression_attribute_values(":at", time(at));
        conditional::update(call).await.map(drop)
    }

    /// Records that an input of reconcile changed, and makes reconcile due at `at`, when more of the
    /// input may have been received. If the process dies in between, the message of a snapshot is
    /// delivered again, and a changed ticket is found at the partner's usual time.
    ///
    /// # Errors
    /// As for [`Self::bring_forward`].
    pub async fn record_input(
        &self,
        partner: &PartnerId,
        input: ReconcileInput,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<(), Error> {
        let name = input.attribute();
        let call = self
            .update(partner, Schedule::Reconcile)
            .update_expression(format!("SET {name} = :now"))
            .condition_expression(format!("attribute_not_exists({name}) OR {name} < :now"))
            .expression_attribute_values(":now", time(now));
        conditional::update(call).await?;
        self.bring_forward(partner, Schedule::Reconcile, at).await
    }

    /// Leases the run of a partner that is due. Returns `None` if the partner is not due or leased
    /// elsewhere. `id` names the invocation. If the process dies right after, the partner is due when
    /// the lease expires.
    ///
    /// # Errors
    /// When DynamoDB fails. If the lease was taken nevertheless, the partner is due when it expires.
    pub async fn lease(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
        id: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<LeasedRun>, Error> {
        let lease = Lease::new(id, until);
        let call = lease
            .bind_take(self.update(partner, schedule), now)
            // `due_at` moves to the end of the lease, so that the entry is not first in the index.
            // The run is counted at its start, because a run that dies cannot count itself.
            .update_expression(format!(
                "SET {}, due_at = :lease_until ADD unfinished_runs :one",
                lease::SET
            ))
            .condition_expression(format!("due_at <= :now AND {}", lease::IS_FREE))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        let Some(answer) = conditional::update_and_return(call).await? else {
            return Ok(None);
        };
        let mut item = answer.attributes.unwrap_or_default();
        let unfinished: u32 = take(&mut item, "unfinished_runs").unwrap_or_default();
        Ok(Some(LeasedRun {
            partner: partner.clone(),
            schedule,
            snapshot_at: take(&mut item, ReconcileInput::Snapshots.attribute()),
            ticket_changed_at: take(&mut item, ReconcileInput::Tickets.attribute()),
            progress: progress_of(item),
            died: unfinished.saturating_sub(1),
            lease,
        }))
    }

    /// Reads what the last run left, consistently and without a lease. It is empty if there was no
    /// run or it is unreadable.
    pub async fn read_progress(
        &self,
        partner: &PartnerId,
        schedule: Schedule,
    ) -> Result<RunProgress, Error> {
        let item = self.table.item(partner_key(partner, &sk(schedule))).await?;
        Ok(progress_of(item.unwrap_or_default()))
    }

    /// Saves what this run leaves. Returns whether the lease is still held; if not, the run must end.
    /// If the process dies right after, the next run continues from there.
    ///
    /// # Errors
    /// When DynamoDB fails or the progress cannot be stored as an item.
    pub async fn save_progress(
        &self,
        run: &LeasedRun,
        progress: &RunProgress,
    ) -> Result<bool, Error> {
        let progress = to_attribute_value(progress)
            .map_err(|err| Error::malformed(run.partner.as_str(), &err))?;
        let call = self
            .update_held(run)
            .update_expression("SET progress = :progress")
            .condition_expression(lease::IS_HELD)
            .expression_attribute_values(":progress", progress);
        conditional::update(call).await
    }

    /// Ends a run. The partner is due at `next`, or earlier if it was brought forward meanwhile.
    /// Returns whether the lease was still held; if not, nothing changes. If the process dies before,
    /// the lease expires.
    pub async fn finish(&self, run: &LeasedRun, next: Timestamp) -> Result<bool, Error> {
        let release = format!("REMOVE {}, unfinished_runs", lease::REMOVE);
        let as_planned = self
            .update_held(run)
            .update_expression(format!("SET due_at = :next {release}"))
            .condition_expression(format!(
                "{} AND (due_at = :lease_until OR due_at > :next)",
                lease::IS_HELD
            ))
            .expression_attribute_values(":next", time(next));
        if conditional::update(as_planned).await? {
            return Ok(true);
        }
        let earlier = self
            .update_held(run)
            .update_expression(release)
            .condition_expression(lease::IS_HELD);
        conditional::update(earlier).await
    }

    /// Releases a lease before the run begins, so that another invocation can take it: the partner is
    /// due now. If the process dies before, the lease expires, and this counts as a run that died.
    pub async fn release(&self, run: &LeasedRun, now: Timestamp) -> Result<(), Error> {
        let call = self
            .update_held(run)
            .update_expression(format!(
                "SET due_at = :now, unfinished_runs = :died REMOVE {}",
                lease::REMOVE
            ))
            .condition_expression(lease::IS_HELD)
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":died", number(run.died));
        conditional::update(call).await.map(drop)
    }

    fn update(&self, partner: &PartnerId, schedule: Schedule) -> UpdateItemFluentBuilder {
        self.table.update_item(partner_key(partner, &sk(schedule)))
    }

    fn update_held(&self, run: &LeasedRun) -> UpdateItemFluentBuilder {
        run.lease.bind(self.update(&run.partner, run.schedule))
    }
}

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

/// Takes an attribute out of the item; `None` if it is absent or unreadable.
fn take<T: DeserializeOwned>(item: &mut Item, name: &str) -> Option<T> {
    from_attribute_value(item.remove(name)?).ok()
}

fn progress_of(mut item: Item) -> RunProgress {
    let progress = item.remove("progress").map(from_attribute_value);
    let progress = progress.transpose().unwrap_or_else(|err| {
        tracing::error!(error = %err, "failed to parse the progress of the last run");
        None
    });
    progress.unwrap_or_default()
}

fn due_of(schedule: Schedule, shard: u32) -> String {
    format!("{}#{shard}", schedule.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are stored in the index.
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
