//! Lists of a partner's records and tenants, read page by page. The indexes are a moment late: whoever acts on a record reads it again.

use std::collections::HashMap;
use std::marker::PhantomData;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use domain::alert::blocked::BlockedSince;
use domain::alert::key::SHARDS;
use domain::alert::record::{Actual, Desired, OpenTicket};
use domain::closing::guard::RecentClosing;
use domain::closing::snapshot::SnapshotPartHead;
use domain::closing::snapshot_part::SnapshotPart;
use domain::setup::mapping::Mapping;
use domain::time::sortable;
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::alerts::look_of;
use crate::{Alerts, ConfigTable, Error};

/// Records read in one call of a listing: some hundred kilobytes.
const PAGE: i32 = 500;
/// Parts of snapshots read in one call: mostly the newest two or three are enough.
const SNAPSHOT_PAGE: i32 = 20;

/// A blocked record as the index has it: without its text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// The alert.
    pub key: AlertKey,
    /// Which life of it.
    pub occurrence: u32,
    /// What its events ask for.
    pub desired: Desired,
    /// What holds it up.
    pub blocked: BlockedSince,
    /// Where it stands in its shard: `tenant#since`.
    tenant_since: String,
}

/// A place in the list of blocked records, behind one of them; whether that one is still there does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    shard: u8,
    tenant_since: String,
    /// Many records may have the same place in the sort.
    pk: String,
}

impl Listed {
    /// The place behind it.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            shard: self.key.shard(),
            tenant_since: self.tenant_since.clone(),
            pk: self.key.item_key(),
        }
    }
}

/// A part of the list of blocked records: one shard of it, or what is on one side of a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    shard: u8,
    side: Side,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    Whole,
    Behind(Cursor),
    UpTo(String),
}

impl Stretch {
    /// The whole list, beginning behind a place and coming round to it; those of that tenant and moment may come twice.
    #[must_use]
    pub fn round(from: Option<&Cursor>) -> Vec<Self> {
        let whole = |shard| Self {
            shard,
            side: Side::Whole,
        };
        let Some(from) = from else {
            return (0..SHARDS).map(whole).collect();
        };
        let shard = from.shard;
        let first = Self {
            shard,
            side: Side::Behind(from.clone()),
        };
        let last = Self {
            shard,
            side: Side::UpTo(from.tenant_since.clone()),
        };
        let between = (1..SHARDS).map(|step| whole((shard + step) % SHARDS));
        [first].into_iter().chain(between).chain([last]).collect()
    }
}

fn readable<T: DeserializeOwned>(item: HashMap<String, AttributeValue>) -> Option<T> {
    let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned();
    let read = from_item(item);
    if let Err(err) = &read {
        tracing::error!(item = pk, error = %err, "failed to parse an item of a list");
    }
    read.ok()
}

/// A record that is open or blocked, as the index has it. One that was imported has no key before an event brings it, and is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Followed {
    /// The item's key.
    pub pk: String,
    /// The alert.
    pub key: AlertKey,
    /// Which life of it.
    pub occurrence: u32,
    /// What its events ask for.
    pub desired: Desired,
    /// What stands in ConnectWise.
    #[serde(default)]
    pub actual: Option<Actual>,
}

impl Followed {
    /// The open ticket, if there is one.
    #[must_use]
    pub fn open(&self) -> Option<&OpenTicket> {
        self.actual.as_ref().and_then(Actual::open)
    }
}

/// Items of one key of the index, read as they are asked for.
#[derive(Debug)]
pub struct Items<T> {
    items: PaginationStream<Result<HashMap<String, AttributeValue>, SdkError<QueryError>>>,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Items<T> {
    /// The next item; none at the end. One that is unreadable is logged and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        while let Some(item) = self.items.next().await {
            let item = item.map_err(|err| Error::call("Query", &err))?;
            if let Some(item) = readable(item) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

/// The records whose time to be looked at has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looks {
    /// The longest waiting first.
    pub keys: Vec<AlertKey>,
    /// Whether there are more.
    pub more: bool,
    /// When the next one's time comes, as far as it was seen.
    pub next: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ListedPart {
    active: Vec<AlertId>,
    #[serde(default)]
    conflicting: bool,
}

#[derive(Deserialize)]
struct Look {
    key: AlertKey,
    look_at: Timestamp,
}

impl Alerts {
    /// The partner's blocked records in a stretch of the list, by tenant and then by time.
    #[must_use]
    pub fn blocked_in(&self, partner: &PartnerId, stretch: &Stretch) -> Items<Listed> {
        let state_of = AttributeValue::S(format!("{partner}#blocked#{}", stretch.shard));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_state")
            .limit(PAGE)
            .expression_attribute_values(":state_of", state_of.clone());
        let whole = "state_of = :state_of";
        let query = match &stretch.side {
            Side::Whole => query.key_condition_expression(whole),
            Side::Behind(Cursor {
                tenant_since, pk, ..
            }) => query
                .key_condition_expression(whole)
                .exclusive_start_key("state_of", state_of)
                .exclusive_start_key("tenant_since", AttributeValue::S(tenant_since.clone()))
                .exclusive_start_key("pk", AttributeValue::S(pk.clone())),
            Side::UpTo(place) => query
                .key_condition_expression("state_of = :state_of AND tenant_since <= :place")
                .expression_attribute_values(":place", AttributeValue::S(place.clone())),
        };
        Items {
            items: query.into_paginator().items().send(),
            of: PhantomData,
        }
    }

    /// The partner's open and blocked records, shard by shard.
    #[must_use]
    pub fn followed(&self, partner: &PartnerId) -> Vec<Items<Followed>> {
        let states = ["open", "blocked"].into_iter();
        let keys = states.flat_map(|state| (0..SHARDS).map(move |shard| (state, shard)));
        keys.map(|(state, shard)| {
            let state_of = AttributeValue::S(format!("{partner}#{state}#{shard}"));
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("by_state")
                .key_condition_expression("state_of = :state_of")
                .expression_attribute_values(":state_of", state_of)
                // An imported record has none.
                .filter_expression("attribute_exists(#key)")
                .projection_expression("pk, #key, occurrence, desired, actual")
                .expression_attribute_names("#key", "key")
                .limit(PAGE);
            Items {
                items: query.into_paginator().items().send(),
                of: PhantomData,
            }
        })
        .collect()
    }

    /// The parts of a source's snapshots of one tenant, without their lists, the newest first.
    #[must_use]
    pub fn snapshot_parts(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
    ) -> Items<SnapshotPartHead> {
        let state_of = AttributeValue::S(SnapshotPart::index_key(partner, tenant, source));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_state")
            .scan_index_forward(false)
            .key_condition_expression("state_of = :state_of AND begins_with(tenant_since, :tenant)")
            // Another source, or a tenant whose name goes on after a `#`, may share the key.
            .filter_expression("#source = :source AND tenant = :name")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":state_of", state_of)
            .expression_attribute_values(":tenant", AttributeValue::S(format!("{tenant}#")))
            .expression_attribute_values(":source", AttributeValue::S(source.to_string()))
            .expression_attribute_values(":name", AttributeValue::S(tenant.to_string()))
            .limit(SNAPSHOT_PAGE);
        Items {
            items: query.into_paginator().items().send(),
            of: PhantomData,
        }
    }

    /// The alerts that a part of a snapshot lists; none if the part is gone, or was received with other content meanwhile.
    ///
    /// # Errors
    /// When DynamoDB fails or the part is unreadable.
    pub async fn snapshot_list(&self, key: &str) -> Result<Option<Vec<AlertId>>, Error> {
        let call = self.client.get_item().table_name(&self.table);
        let call = call.key("pk", AttributeValue::S(key.to_owned()));
        let call = call.projection_expression("active, conflicting");
        let answer = call.consistent_read(true).send().await;
        let answer = answer.map_err(|err| Error::call("GetItem", &err))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let part: ListedPart = from_item(item).map_err(|err| Error::malformed(key, &err))?;
        Ok((!part.conflicting).then_some(part.active))
    }

    /// The partner's alerts of a tenant that a snapshot or expiry ended since a time, and whose tickets were closed then.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn ended_since(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        since: Timestamp,
    ) -> Result<Vec<RecentClosing>, Error> {
        let mut ended = vec![];
        for shard in 0..SHARDS {
            let state_of = AttributeValue::S(format!("{partner}#closed#{shard}"));
            let from = format!("{tenant}#{}", sortable(since));
            let mut items = Items::<Followed> {
                items: self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name("by_state")
                    .key_condition_expression(
                        "state_of = :state_of AND tenant_since BETWEEN :from AND :to",
                    )
                    .expression_attribute_values(":state_of", state_of)
                    .expression_attribute_values(":from", AttributeValue::S(from))
                    // Behind all of its times.
                    .expression_attribute_values(":to", AttributeValue::S(format!("{tenant}#~")))
                    .projection_expression("pk, #key, occurrence, desired, actual")
                    .expression_attribute_names("#key", "key")
                    .limit(PAGE)
                    .into_paginator()
                    .items()
                    .send(),
                of: PhantomData,
            };
            while let Some(closed) = items.next().await? {
                // A tenant whose name goes on after a `#` may lie in between.
                if closed.key.tenant == *tenant {
                    let actual = closed.actual.as_ref();
                    ended.extend(RecentClosing::new(&closed.key, &closed.desired, actual));
                }
            }
        }
        Ok(ended)
    }

    /// The partner's records whose time to be looked at has come, `limit` at most. One that is unreadable is logged and left out.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn to_look_at(
        &self,
        partner: &PartnerId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Looks, Error> {
        let mut due = vec![];
        let mut looks = Looks::default();
        for shard in 0..SHARDS {
            let look_of = AttributeValue::S(look_of(partner, shard));
            let mut items = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("by_look")
                .key_condition_expression("look_of = :look_of")
                .expression_attribute_values(":look_of", look_of)
                .limit(PAGE)
                .into_paginator()
                .items()
                .send();
            let mut of_shard = 0;
            while let Some(item) = items.next().await {
                let item = item.map_err(|err| Error::call("Query", &err))?;
                let Some(look) = readable::<Look>(item) else {
                    continue;
                };
                // As the index sorts them, by the millisecond.
                if sortable(look.look_at) > sortable(now) {
                    looks.next = Some(
                        looks
                            .next
                            .map_or(look.look_at, |next| next.min(look.look_at)),
                    );
                    break;
                }
                if of_shard == limit {
                    looks.more = true;
                    break;
                }
                of_shard += 1;
                due.push((look.look_at, look.key));
            }
        }
        due.sort();
        looks.more |= due.len() > limit;
        due.truncate(limit);
        looks.keys = due.into_iter().map(|(_, key)| key).collect();
        Ok(looks)
    }
}

impl ConfigTable {
    /// The mappings of all of the partner's tenants, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn mappings(&self, partner: &PartnerId) -> Result<HashMap<TenantId, Mapping>, Error> {
        let mut mappings = HashMap::new();
        for item in self.table.items_with_prefix(partner, "T#").await? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
            let Some(tenant) = sk.and_then(|sk| TenantId::parse(sk.strip_prefix("T#")?).ok())
            else {
                tracing::error!(partner = %partner, item = ?item.get("sk"), "item has no tenant id");
                continue;
            };
            let malformed = |err| Error::malformed(format!("{partner} T#{tenant}"), &err);
            let mapping = from_item(item).map_err(malformed)?;
            mappings.insert(tenant, mapping);
        }
        Ok(mappings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(from: Option<&Cursor>) -> Vec<(u8, Side)> {
        let stretches = Stretch::round(from).into_iter();
        stretches.map(|part| (part.shard, part.side)).collect()
    }

    #[test]
    fn a_round_meets_everything_once_and_ends_where_it_began() {
        assert_eq!(sides(None), [0, 1, 2, 3].map(|shard| (shard, Side::Whole)));
        let place = "contoso#2026-11-22T07:30:00.000Z".to_owned();
        let from = Cursor {
            shard: 2,
            tenant_since: place.clone(),
            pk: "0-1".to_owned(),
        };
        assert_eq!(
            sides(Some(&from)),
            [
                (2, Side::Behind(from.clone())),
                (3, Side::Whole),
                (0, Side::Whole),
                (1, Side::Whole),
                (2, Side::UpTo(place)),
            ]
        );
    }
}
