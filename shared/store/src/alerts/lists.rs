//! Lists of a partner's records. The indexes are a moment late: read a record again before acting on
//! it.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::alert::blocked::BlockedSince;
use domain::alert::key::SHARDS;
use domain::alert::record::{Actual, Desired, OpenTicket};
use domain::closing::guard::RecentClosing;
use domain::time::sortable;
use domain::{AlertKey, PartnerId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;

use super::blocked_range::{BlockedCursor, BlockedRange, Extent};
use super::item_stream::ItemStream;
use crate::Error;
use crate::table::{Table, string};

/// Records that are read in one request: some hundred kilobytes.
const PAGE: i32 = 500;

/// A blocked record in the index, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BlockedAlert {
    pub key: AlertKey,
    pub occurrence: u32,
    pub desired: Desired,
    pub blocked: BlockedSince,
    /// The sort key of the index: `tenant#since`.
    tenant_since: String,
}

impl BlockedAlert {
    /// The position after this record.
    #[must_use]
    pub fn cursor(&self) -> BlockedCursor {
        BlockedCursor {
            shard: self.key.shard(),
            tenant_since: self.tenant_since.clone(),
            pk: self.key.item_key(),
        }
    }
}

/// A record in the index, without its payload. An imported record has no key before the first event
/// about its alert, and is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IndexedAlert {
    /// The key of the item.
    pub pk: String,
    pub key: AlertKey,
    pub occurrence: u32,
    pub desired: Desired,
    #[serde(default)]
    pub actual: Option<Actual>,
}

impl IndexedAlert {
    /// The open ticket, if there is one.
    #[must_use]
    pub fn open(&self) -> Option<&OpenTicket> {
        self.actual.as_ref().and_then(Actual::open)
    }
}

/// Records that are due to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueAlerts {
    /// The longest overdue first.
    pub keys: Vec<AlertKey>,
    /// Whether there are more than the limit.
    pub has_more: bool,
    /// When the next record is due, of those that were read.
    pub next: Option<Timestamp>,
}

#[derive(Deserialize)]
struct DueItem {
    key: AlertKey,
    look_at: Timestamp,
}

/// The lists of records in the indexes `by_state` and `by_look`.
#[derive(Debug, Clone)]
pub struct AlertLists {
    table: Table,
}

impl AlertLists {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Lists the partner's blocked records in a range of the list.
    #[must_use]
    pub fn blocked_in(
        &self,
        partner: &PartnerId,
        range: &BlockedRange,
    ) -> ItemStream<BlockedAlert> {
        let state_of = state_of(partner, "blocked", range.shard);
        let query = self.by_state(&state_of);
        ItemStream::send(match &range.extent {
            Extent::Whole => query,
            Extent::After(BlockedCursor {
                tenant_since, pk, ..
            }) => query
                .exclusive_start_key("state_of", string(state_of))
                .exclusive_start_key("tenant_since", string(tenant_since))
                .exclusive_start_key("pk", string(pk)),
            Extent::UpTo(tenant_since) => query
                .key_condition_expression("state_of = :state_of AND tenant_since <= :last")
                .expression_attribute_values(":last", string(tenant_since)),
            Extent::Tenant(tenant) => query
                .key_condition_expression(
                    "state_of = :state_of AND begins_with(tenant_since, :tenant)",
                )
                .expression_attribute_values(":tenant", string(format!("{tenant}#"))),
        })
    }

    /// Reads the keys of all of the partner's blocked records. For tests and tools.
    pub async fn blocked_keys(&self, partner: &PartnerId) -> Result<Vec<AlertKey>, Error> {
        let mut keys = vec![];
        for range in BlockedRange::all_from(None) {
            let mut blocked = self.blocked_in(partner, &range);
            while let Some(alert) = blocked.next().await? {
                keys.push(alert.key);
            }
        }
        Ok(keys)
    }

    /// Lists the partner's open and blocked records, one stream for each state and shard.
    #[must_use]
    pub fn open_and_blocked(&self, partner: &PartnerId) -> Vec<ItemStream<IndexedAlert>> {
        let states = ["open", "blocked"].into_iter();
        let keys = states.flat_map(|state| (0..SHARDS).map(move |shard| (state, shard)));
        keys.map(|(state, shard)| {
            let query = self.by_state(&state_of(partner, state, shard));
            // An imported record may have no key.
            ItemStream::send(indexed_alerts(query).filter_expression("attribute_exists(#key)"))
        })
        .collect()
    }

    /// Reads the partner's alerts of a tenant that ended since a time by a snapshot or by expiry, and
    /// whose tickets were then closed.
    pub async fn ended_since(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        since: Timestamp,
    ) -> Result<Vec<RecentClosing>, Error> {
        let mut ended = vec![];
        for shard in 0..SHARDS {
            let query = self
                .by_state(&state_of(partner, "closed", shard))
                .key_condition_expression(
                    "state_of = :state_of AND tenant_since BETWEEN :from AND :to",
                )
                .expression_attribute_values(
                    ":from",
                    string(format!("{tenant}#{}", sortable(since))),
                )
                // `~` sorts after every time.
                .expression_attribute_values(":to", string(format!("{tenant}#~")));
            let mut closed = ItemStream::<IndexedAlert>::send(indexed_alerts(query));
            while let Some(alert) = closed.next().await? {
                // A tenant whose id continues after a `#` may be in the range.
                if alert.key.tenant == *tenant {
                    let actual = alert.actual.as_ref();
                    ended.extend(RecentClosing::new(&alert.key, &alert.desired, actual));
                }
            }
        }
        Ok(ended)
    }

    /// Reads the partner's records that are due to be looked at again, `limit` at most. An unreadable
    /// item is logged and left out.
    pub async fn due(
        &self,
        partner: &PartnerId,
        now: Timestamp,
        limit: usize,
    ) -> Result<DueAlerts, Error> {
        let mut found = vec![];
        let mut due = DueAlerts::default();
        for shard in 0..SHARDS {
            let query = self
                .table
                .query()
                .index_name("by_look")
                .key_condition_expression("look_of = :look_of")
                .expression_attribute_values(":look_of", string(look_of(partner, shard)))
                .limit(PAGE);
            let mut items = ItemStream::<DueItem>::send(query);
            let mut in_shard = 0;
            while let Some(DueItem { key, look_at }) = items.next().await? {
                // Compared as the index sorts them, by the millisecond.
                if sortable(look_at) > sortable(now) {
                    due.next = Some(due.next.map_or(look_at, |next| next.min(look_at)));
                    break;
                }
                if in_shard == limit {
                    due.has_more = true;
                    break;
                }
                in_shard += 1;
                found.push((look_at, key));
            }
        }
        found.sort();
        due.has_more |= found.len() > limit;
        found.truncate(limit);
        due.keys = found.into_iter().map(|(_, key)| key).collect();
        Ok(due)
    }

    fn by_state(&self, state_of: &str) -> QueryFluentBuilder {
        self.table
            .query()
            .index_name("by_state")
            .key_condition_expression("state_of = :state_of")
            .expression_attribute_values(":state_of", string(state_of))
            .limit(PAGE)
    }
}

fn indexed_alerts(query: QueryFluentBuilder) -> QueryFluentBuilder {
    query
        .projection_expression("pk, #key, occurrence, desired, actual")
        .expression_attribute_names("#key", "key")
}

/// The key of the index `by_state` for records in a state.
fn state_of(partner: &PartnerId, state: &str, shard: u8) -> String {
    format!("{partner}#{state}#{shard}")
}

/// The key of the index `by_look` for records with a time to look at them again.
pub(super) fn look_of(partner: &PartnerId, shard: u8) -> String {
    format!("{partner}#{shard}")
}
