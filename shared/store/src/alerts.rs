//! The `alerts` table: one item an alert, and snapshot parts beside them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_types::SdkConfig;
use domain::alert::key::shard;
use domain::alert::record::Record;
use domain::closing::snapshot_part::SnapshotPart;
use domain::ticketing::ticket_index::TicketIndex;
use domain::time::sortable;
use domain::{AlertKey, PartnerId};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::aws_sdk_dynamodb_1::{
    from_attribute_value, from_item, to_attribute_value, to_item,
};

use crate::Error;
use crate::conditional;
use crate::ticket_index::memory_pk;

/// The version of the item's shape that this code writes.
const SCHEMA: u32 = 1;
/// How long a snapshot part is of use: two listings in a row decide, and a stale one decides nothing.
const SNAPSHOT_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The record's attributes: each is set or removed as a whole; attributes that a newer version added stay.
const ATTRIBUTES: [&str; 12] = [
    "key",
    "schema",
    "occurrence",
    "desired",
    "actual",
    "claim",
    "blocked",
    "rechecks",
    "duplicates",
    "payload",
    "folded",
    "rev",
];
const INDEX: [&str; 4] = ["state_of", "tenant_since", "look_of", "look_at"];

/// What the table knows of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its record, if there is one.
    pub record: Option<Record>,
    /// What is known of its partner's tickets altogether, in whatever epoch; none before the first look.
    pub ticket_index: Option<TicketIndex>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is in the table; the record as it stands there.
    Yes(Box<Record>),
    /// Another worker was faster: read again and decide again.
    Conflict,
}

/// The `alerts` table.
#[derive(Debug, Clone)]
pub struct Alerts {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl Alerts {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(config),
            table,
        }
    }

    /// The alert's record, read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(&self, key: &AlertKey) -> Result<Option<Record>, Error> {
        let pk = key.item_key();
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(pk.clone()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|err| Error::call("GetItem", &err))?;
        answer.item.map(|item| read(item, key)).transpose()
    }

    /// The alert's record and its partner's memory, read consistently in one call.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn known(&self, key: &AlertKey) -> Result<Known, Error> {
        let (record, ticket_index) = (key.item_key(), memory_pk(&key.partner));
        let mut keys = KeysAndAttributes::builder().consistent_read(true);
        for pk in [&record, &ticket_index] {
            keys = keys.keys(HashMap::from([(
                "pk".to_owned(),
                AttributeValue::S(pk.clone()),
            )]));
        }
        let mut known = Known {
            record: None,
            ticket_index: None,
        };
        let request = [(&self.table, keys)];
        let tables = crate::batch_get(&self.client, request).await?;
        for item in tables.into_values().flatten() {
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok());
            if pk == Some(&ticket_index) {
                let malformed = |err| Error::malformed(ticket_index.clone(), &err);
                known.ticket_index = Some(from_item(item).map_err(malformed)?);
            } else {
                known.record = Some(read(item, key)?);
            }
        }
        Ok(known)
    }

    /// Writes a record that was read with `record.rev` (0: there was none), raising `rev` by one. If the process dies right
    /// after, the next worker finds the record as written and decides from it.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: decide again from a fresh read.
    pub async fn write(&self, record: &Record) -> Result<Written, Error> {
        self.put(&record.key.item_key(), record, true).await
    }

    /// Writes what a ticket of ConnectWise's tells of an alert whose id is not known: its item, without its key. The first event
    /// about it brings that.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn import(&self, item_key: &str, record: &Record) -> Result<Written, Error> {
        self.put(item_key, record, false).await
    }

    /// The item of an alert whose id is not known; `key` stands for what the item does not have itself.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn imported(&self, item_key: &str, key: &AlertKey) -> Result<Option<Record>, Error> {
        let call = self.client.get_item().table_name(&self.table);
        let call = call.key("pk", AttributeValue::S(item_key.to_owned()));
        let answer = call.consistent_read(true).send().await;
        let answer = answer.map_err(|err| Error::call("GetItem", &err))?;
        let known = |mut item: HashMap<String, AttributeValue>| {
            let known = item.remove("key").map(from_attribute_value).transpose();
            let malformed = |err| Error::malformed(item_key, &err);
            let known = known.map_err(malformed)?;
            read(item, known.as_ref().unwrap_or(key))
        };
        answer.item.map(known).transpose()
    }

    /// The record of an item that a list named, read consistently; none where it is gone, or has no key yet.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn of_item(&self, item_key: &str) -> Result<Option<Record>, Error> {
        let call = self.client.get_item().table_name(&self.table);
        let call = call.key("pk", AttributeValue::S(item_key.to_owned()));
        let answer = call.consistent_read(true).send().await;
        let answer = answer.map_err(|err| Error::call("GetItem", &err))?;
        let item = answer.item.filter(|item| item.contains_key("key"));
        let malformed = |err| Error::malformed(item_key, &err);
        item.map(from_item).transpose().map_err(malformed)
    }

    /// Has a record whose time to be looked at has come looked at later, unless that was changed meanwhile.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_off_look(
        &self,
        key: &AlertKey,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(key.item_key()))
            .update_expression("SET look_at = :until")
            .condition_expression("look_at <= :now")
            .expression_attribute_values(":until", AttributeValue::S(sortable(until)))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)));
        Ok(conditional::update(call).await?.is_some())
    }

    async fn put(&self, item_key: &str, record: &Record, whole: bool) -> Result<Written, Error> {
        let before = record.rev;
        let mut after = record.clone();
        after.rev = before + 1;
        let update = Update::of(item_key, &after, whole)?;
        let written = update.clone();
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(item_key.to_owned()))
            .update_expression(update.expression)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values));
        call = if before == 0 {
            call.condition_expression("attribute_not_exists(pk)")
        } else {
            call.condition_expression("#rev = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        };
        Ok(match conditional::update_or_stored(call).await? {
            Ok(_) => Written::Yes(Box::new(after)),
            // The SDK repeats a write whose answer was lost: the second attempt meets what the first one wrote.
            Err(stored) if written.is_stored_in(&stored) => Written::Yes(Box::new(after)),
            Err(_) => Written::Conflict,
        })
    }

    /// Stores a part of a snapshot, listed in the index under the partner's snapshots. Storing it again changes nothing, not even when it
    /// was received. If it says something else than before, both are in doubt and the part is marked as conflicting; if the process
    /// dies before that mark, the part's message comes back.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_snapshot_part(
        &self,
        part: &SnapshotPart,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = part.item_key();
        let mut item: HashMap<String, AttributeValue> =
            to_item(part).map_err(|err| Error::malformed(key.clone(), &err))?;
        let digest = AttributeValue::S(part.content_digest());
        let (state_of, tenant_since) = part.index();
        let ttl = now
            .saturating_add(SNAPSHOT_KEPT)
            .unwrap_or(Timestamp::MAX)
            .as_second();
        let listed = i64::try_from(part.active.len()).unwrap_or(i64::MAX);
        for (name, value) in [
            ("pk", key.clone()),
            ("state_of", state_of),
            ("tenant_since", tenant_since),
        ] {
            item.insert(name.to_owned(), AttributeValue::S(value));
        }
        for (name, value) in [
            ("schema", i64::from(SCHEMA)),
            ("ttl", ttl),
            ("listed", listed),
        ] {
            item.insert(name.to_owned(), AttributeValue::N(value.to_string()));
        }
        item.insert("digest".to_owned(), digest.clone());
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .condition_expression("attribute_not_exists(pk)")
            .set_item(Some(item));
        if conditional::put(call).await? {
            return Ok(());
        }
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(key))
            .update_expression("SET conflicting = :true")
            .condition_expression("digest <> :digest")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":digest", digest);
        if conditional::update(call).await?.is_some() {
            tracing::warn!(
                partner = %part.partner, tenant = %part.tenant, source = %part.source, part = part.part,
                "snapshot part was received again with other content; the snapshot is ignored"
            );
        }
        Ok(())
    }

    /// The partner's records that are blocked, by the index: a moment late, and complete over all shards.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn blocked(&self, partner: &PartnerId) -> Result<Vec<AlertKey>, Error> {
        self.listed(partner, "blocked").await
    }

    async fn listed(&self, partner: &PartnerId, state: &str) -> Result<Vec<AlertKey>, Error> {
        let mut keys = vec![];
        for shard in 0..domain::alert::key::SHARDS {
            let mut pages = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("by_state")
                .key_condition_expression("state_of = :state_of")
                .expression_attribute_values(
                    ":state_of",
                    AttributeValue::S(format!("{partner}#{state}#{shard}")),
                )
                .into_paginator()
                .items()
                .send();
            while let Some(item) = pages.next().await {
                let mut item = item.map_err(|err| Error::call("Query", &err))?;
                let key = item.remove("key").unwrap_or(AttributeValue::Null(true));
                let malformed = |err| Error::malformed(format!("{partner}#{state}"), &err);
                keys.push(from_attribute_value(key).map_err(malformed)?);
            }
        }
        Ok(keys)
    }
}

/// A record's item; one that was imported has no key yet.
fn read(mut item: HashMap<String, AttributeValue>, key: &AlertKey) -> Result<Record, Error> {
    let malformed = |err| Error::malformed(key.item_key(), &err);
    if !item.contains_key("key") {
        item.insert(
            "key".to_owned(),
            to_attribute_value(key).map_err(malformed)?,
        );
    }
    from_item(item).map_err(malformed)
}

/// The index key under which a partner's records that must be looked at are listed.
pub(crate) fn look_of(partner: &PartnerId, shard: u8) -> String {
    format!("{partner}#{shard}")
}

/// An update that sets what the record has and removes what it has not, and leaves what it does not know.
#[derive(Clone)]
struct Update {
    expression: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Update {
    /// Whether an item is as this update leaves it. The claim's id is in it, so no other worker's write looks like it.
    fn is_stored_in(&self, item: &HashMap<String, AttributeValue>) -> bool {
        self.names.values().all(|name| {
            let written = self.values.get(&format!(":{name}"));
            item.get(name) == written
        })
    }

    fn of(item_key: &str, record: &Record, whole: bool) -> Result<Self, Error> {
        let malformed = |err| Error::malformed(item_key, &err);
        let mut item: HashMap<String, AttributeValue> = to_item(record).map_err(malformed)?;
        item.insert(
            "schema".to_owned(),
            to_attribute_value(SCHEMA).map_err(malformed)?,
        );
        if let Some((state_of, tenant_since)) = record.index(item_key) {
            item.insert("state_of".to_owned(), AttributeValue::S(state_of));
            item.insert("tenant_since".to_owned(), AttributeValue::S(tenant_since));
        }
        if let Some(at) = record.next_check_at() {
            let look_of = look_of(&record.key.partner, shard(item_key));
            item.insert("look_of".to_owned(), AttributeValue::S(look_of));
            item.insert("look_at".to_owned(), AttributeValue::S(sortable(at)));
        }
        let (mut set, mut remove) = (vec![], vec![]);
        let (mut names, mut values) = (HashMap::new(), HashMap::new());
        for name in ATTRIBUTES.into_iter().chain(INDEX) {
            if name == "key" && !whole {
                continue;
            }
            names.insert(format!("#{name}"), name.to_owned());
            match item.remove(name) {
                Some(value) => {
                    set.push(format!("#{name} = :{name}"));
                    values.insert(format!(":{name}"), value);
                }
                None => remove.push(format!("#{name}")),
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression.push_str(" REMOVE ");
            expression.push_str(&remove.join(", "));
        }
        Ok(Self {
            expression,
            names,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{AlertId, SourceId, TenantId};

    use super::*;

    fn record() -> Record {
        Record::new(AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("contoso").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        })
    }

    #[test]
    fn every_member_of_a_record_is_written() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let mut record = record().with_blocked(
            domain::Blocked::MissingRight("service_tickets.add".into()),
            None,
            now,
        );
        let id = domain::ClaimId::parse("c").unwrap();
        record.claim = Some(domain::alert::record::Claim {
            id,
            op: domain::alert::record::Op::Create,
            reason: "raised".into(),
            ticket_ref: record.occurrence_ref(),
            ticket_id: None,
            board_id: Some(2),
            company_id: 19,
            epoch: 1,
            severity: domain::alert::event::Severity::High,
            began_at: now,
            raise_received_at: None,
            repeats: 0,
            until: now,
            uncertain_at: None,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
            suspected_refusal: None,
        });
        record.actual = Some(domain::alert::record::Actual::Closed(
            domain::alert::record::ClosedTicket {
                ticket_id: 77,
                occurrence: 1,
                epoch: 1,
                at: now,
                ended_at: now,
                by: domain::alert::record::ClosedBy::Us,
                company_id: Some(19),
                ticket_ref: None,
            },
        ));
        record.rechecks.push(domain::alert::record::Recheck {
            op: domain::alert::record::Op::Create,
            ticket_ref: record.occurrence_ref(),
            board_id: None,
            company_id: 19,
            epoch: 1,
            at: now,
            last: false,
        });
        record.duplicates.push(domain::alert::record::Duplicate {
            ticket_id: 78,
            ticket_ref: record.occurrence_ref(),
            company_id: 19,
            epoch: 1,
            noted: false,
            noted_on_kept: false,
        });
        let item: HashMap<String, AttributeValue> = to_item(&record).unwrap();
        for name in item.keys() {
            assert!(ATTRIBUTES.contains(&name.as_str()), "{name} would be lost");
        }
        let back: Record = from_item(item).unwrap();
        assert_eq!(back, record);
    }

    #[test]
    fn a_write_is_known_by_all_that_it_writes() {
        let record = record();
        let update = Update::of(&record.key.item_key(), &record, true).unwrap();
        let mut item: HashMap<String, AttributeValue> = update
            .values
            .iter()
            .map(|(name, value)| (name[1..].to_owned(), value.clone()))
            .collect();
        item.insert("of_a_newer_version".into(), AttributeValue::Bool(true));
        assert!(update.is_stored_in(&item));
        assert!(!update.is_stored_in(&HashMap::new()));
        let mut other = item.clone();
        other.insert("rev".into(), AttributeValue::N("7".into()));
        assert!(!update.is_stored_in(&other));
        item.insert("claim".into(), AttributeValue::M(HashMap::new()));
        assert!(!update.is_stored_in(&item), "another worker's claim");
    }

    #[test]
    fn what_a_record_has_no_more_is_removed() {
        let record = record();
        let update = Update::of(&record.key.item_key(), &record, true).unwrap();
        assert!(
            update
                .expression
                .ends_with(
                    "REMOVE #actual, #claim, #blocked, #rechecks, #duplicates, #payload, #folded, #state_of, #tenant_since, #look_of, #look_at"
                )
        );
        assert_eq!(update.names.len(), ATTRIBUTES.len() + INDEX.len());
    }
}
