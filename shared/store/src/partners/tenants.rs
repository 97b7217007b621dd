//! A partner's tenants with their mappings: `P#<partner>#tenants` with `T#<tenant>`.
//!
//! `P#<partner>` with `tenants` counts the changes of tenants, so that a reader knows whether its
//! copy of the list is still exact. It does not count the days in `sent_on`.
//!
//! A tenant's item also has an attribute `sent_on#<source>` for each source that sent messages for
//! it, with the day of the last one.

mod unmapped;

pub(crate) use unmapped::COUNTER as UNMAPPED;

pub use unmapped::MAX_UNMAPPED;

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::setup::mapping::Mapping;
use domain::wire::tenant_list::{NamedTenant, TenantList};
use domain::{PartnerId, SourceId, TenantId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::item_update::ItemUpdate;
use crate::pages::ListEntry;
use crate::table::{
    Item, MAX_KEYS, Table, batch_get, number, partner_key, sk_after, string, tenant_key, tenant_sk,
    tenants_pk, time,
};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};
use crate::{Error, conditional};

const PREFIX: &str = "T#";
const VERSION: &str = "tenants";
const SENT_ON: &str = "sent_on#";
/// Concurrent writes of one list.
const MAX_CALLS: usize = 16;
const OPTIONAL: &[&str] = &[
    "company",
    "company_name",
    "epoch",
    "name",
    "enabled_at",
    "assignment",
];

/// What became of a list of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListedTenants {
    /// Tenants that are new.
    pub listed: usize,
    pub renamed: usize,
    /// Tenants that were known by this name, or whose name stays.
    pub unchanged: usize,
    /// Tenants beyond [`MAX_UNMAPPED`].
    pub not_listed: usize,
}

/// What became of a tenant that a person added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedTenant {
    Added,
    /// There was one already. It stays as it is.
    Exists,
    /// The source has [`MAX_UNMAPPED`] unmapped tenants.
    TooMany,
}

/// Who gave a tenant its name.
#[derive(Debug, Clone, Copy)]
enum NameOrigin {
    /// A source, with the time if it was by a list.
    Source(Option<Timestamp>),
    Person,
}

#[derive(Debug, Clone)]
pub struct TenantStore {
    table: Table,
}

impl TenantStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads a tenant's mapping consistently: a disabled tenant gets no further ticket.
    pub async fn get(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<Option<Mapping>>, Error> {
        let (pk, sk) = (tenants_pk(partner), tenant_sk(tenant));
        versions::get(&self.table, item(&pk, &sk)).await
    }

    /// Reads the mappings of all of the partner's tenants consistently.
    pub async fn get_all(&self, partner: &PartnerId) -> Result<HashMap<TenantId, Mapping>, Error> {
        let mut mappings = HashMap::new();
        for item in self.table.partition(tenants_pk(partner)).await? {
            let tenant = sk_after(&item, PREFIX).and_then(|id| TenantId::parse(id).ok());
            let Some(tenant) = tenant else {
                tracing::error!(partner = %partner, item = ?item.get("sk"), "item has no tenant id");
                continue;
            };
            let malformed = |err| Error::malformed(format!("{partner} {PREFIX}{tenant}"), &err);
            let mapping = from_item(item).map_err(malformed)?;
            mappings.insert(tenant, mapping);
        }
        Ok(mappings)
    }

    /// Reads all of the partner's tenants with their mappings and versions consistently, in the order
    /// of their ids. An unreadable item is logged and left out.
    pub async fn list(
        &self,
        partner: &PartnerId,
    ) -> Result<Vec<ListEntry<TenantId, Mapping>>, Error> {
        let items = self.table.partition(tenants_pk(partner)).await?;
        let entries = items.into_iter().filter_map(|item| {
            let id = TenantId::parse(sk_after(&item, PREFIX)?).ok()?;
            match versions::parse(item, PREFIX) {
                Ok(Versioned { value, version }) => Some(ListEntry { id, value, version }),
                Err(err) => {
                    tracing::error!(%partner, tenant = %id, error = %err, "failed to parse a tenant");
                    None
                }
            }
        });
        Ok(entries.collect())
    }

    /// Reads the number of changes of the partner's tenants consistently. A list that was read between
    /// two reads of the same number is exact until the number changes. If a process dies between a
    /// change and its count, the number misses that change until the next one.
    pub async fn list_version(&self, partner: &PartnerId) -> Result<u64, Error> {
        let item = self.table.item(partner_key(partner, VERSION)).await?;
        let version = item
            .as_ref()
            .and_then(|item| item.get("version")?.as_n().ok());
        Ok(version
            .and_then(|version| version.parse().ok())
            .unwrap_or(0))
    }

    /// Counts a change that was made. The change itself has succeeded, so a failure is only logged.
    async fn count_change(&self, partner: &PartnerId) {
        let call = self
            .table
            .update_item(partner_key(partner, VERSION))
            .update_expression("ADD #version :one")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":one", number(1));
        if let Err(err) = conditional::update(call).await {
            tracing::warn!(%partner, error = %err, "failed to count a change of tenants");
        }
    }

    /// Saves a mapping that was changed from this version, as [`Mapping::chosen`] makes it. The
    /// version is 0 for a tenant without an item. If the process dies right after, the mapping is
    /// saved, and blocked alerts continue when the partner is next due.
    pub async fn save(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (tenants_pk(partner), tenant_sk(tenant));
        let saved = versions::save(&self.table, item(&pk, &sk), mapping, version).await?;
        if saved != SaveOutcome::Conflict {
            self.count_change(partner).await;
        }
        Ok(saved)
    }

    /// Stores a mapping whatever the item contains. For seeding only: a person's change is saved
    /// with its version.
    pub async fn put(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
    ) -> Result<(), Error> {
        let (pk, sk) = (tenants_pk(partner), tenant_sk(tenant));
        versions::put(&self.table, item(&pk, &sk), mapping).await?;
        self.count_change(partner).await;
        Ok(())
    }

    /// Lists a new tenant as unmapped, so that a person can map it. A tenant that is listed already
    /// stays as it is. Returns whether the tenant is listed: a source may have [`MAX_UNMAPPED`]
    /// unmapped tenants.
    ///
    /// The tenant is counted before it is written. If the process dies in between, the count is one
    /// too high until reconcile recounts.
    pub async fn list_new(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
        name: Option<&str>,
    ) -> Result<bool, Error> {
        if !self.count_in(partner, source, 1).await? {
            return Ok(false);
        }
        let tenant = NamedTenant {
            id: tenant.clone(),
            name: name.map(str::to_owned),
        };
        let origin = NameOrigin::Source(None);
        if self.insert(partner, source, &tenant, origin).await? {
            self.count_change(partner).await;
        } else {
            self.count_out(partner, source, 1).await?;
        }
        Ok(true)
    }

    /// Lists the tenants that a source named, as [`Self::list_new`] does, and renames those that it
    /// listed first. Mappings, and names that a person chose, stay. Listing the same tenants again
    /// changes nothing, and neither does a list that is older than the last name.
    ///
    /// If the process dies in between, the rest is listed by a repetition.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn list_all(&self, list: &TenantList) -> Result<ListedTenants, Error> {
        let mut outcome = ListedTenants::default();
        for chunk in list.tenants.chunks(MAX_KEYS) {
            let keys = chunk.iter();
            let keys = keys.map(|tenant| tenant_key(&list.partner, &tenant.id));
            let [items] = batch_get([(&self.table, keys.collect())]).await?;
            let known = |item: &Item| Some(sk_after(item, PREFIX)?.to_owned());
            let known: HashSet<String> = items.iter().filter_map(known).collect();
            let (known, new): (Vec<_>, Vec<_>) = chunk
                .iter()
                .partition(|tenant| known.contains(tenant.id.as_str()));
            let calls = known.into_iter().map(|tenant| self.rename(list, tenant));
            let (renamed, unchanged) = count_all(calls.collect()).await?;
            outcome.renamed += renamed;
            outcome.unchanged += unchanged;
            self.list_unknown(list, &new, &mut outcome).await?;
            if outcome.listed + outcome.renamed > 0 {
                self.count_change(&list.partner).await;
            }
        }
        Ok(outcome)
    }

    async fn list_unknown(
        &self,
        list: &TenantList,
        new: &[&NamedTenant],
        outcome: &mut ListedTenants,
    ) -> Result<(), Error> {
        let (partner, source) = (&list.partner, &list.source);
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        let mut allowed = new;
        if count > 0 && !self.count_in(partner, source, count).await? {
            // Not all fit. As many as fit are listed.
            let mut fitting = 0;
            while fitting < new.len() && self.count_in(partner, source, 1).await? {
                fitting += 1;
            }
            allowed = &new[..fitting];
        }
        outcome.not_listed += new.len() - allowed.len();
        let origin = NameOrigin::Source(Some(list.received_at));
        let calls = allowed
            .iter()
            .map(|tenant| self.insert(partner, source, tenant, origin));
        let (listed, existing) = count_all(calls.collect()).await?;
        outcome.listed += listed;
        outcome.unchanged += existing;
        if existing > 0 {
            self.count_out(partner, source, existing).await?;
        }
        Ok(())
    }

    /// Lists a tenant that a person adds. No source renames it.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn add(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        tenant: &NamedTenant,
    ) -> Result<AddedTenant, Error> {
        if !self.count_in(partner, source, 1).await? {
            return Ok(AddedTenant::TooMany);
        }
        let origin = NameOrigin::Person;
        if self.insert(partner, source, tenant, origin).await? {
            self.count_change(partner).await;
            return Ok(AddedTenant::Added);
        }
        self.count_out(partner, source, 1).await?;
        Ok(AddedTenant::Exists)
    }

    /// Writes a tenant that has no item. Returns whether it had none.
    async fn insert(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        tenant: &NamedTenant,
        origin: NameOrigin,
    ) -> Result<bool, Error> {
        let unmapped = Mapping {
            name: tenant.name.clone(),
            ..Mapping::default()
        };
        let malformed = |err| Error::malformed(format!("{partner} {}", tenant.id), &err);
        let mut item: Item = to_item(unmapped).map_err(malformed)?;
        // A person who maps the tenant without having seen it in the list gets a conflict.
        item.insert("version".to_owned(), number(1));
        item.insert("seen_from".to_owned(), string(source.to_string()));
        match origin {
            NameOrigin::Source(at) => {
                item.extend(at.map(|at| ("named_at".to_owned(), time(at))));
            }
            NameOrigin::Person => {
                let by_person = AttributeValue::Bool(true);
                item.insert("named_by_person".to_owned(), by_person);
            }
        }
        let update = ItemUpdate::new(item, []);
        let call = self.table.update_item(tenant_key(partner, &tenant.id));
        let call = update.apply(call);
        let call = call.condition_expression("attribute_not_exists(pk)");
        conditional::update(call).await
    }

    /// Renames a tenant that the source listed first. Returns whether its name changed.
    async fn rename(&self, list: &TenantList, tenant: &NamedTenant) -> Result<bool, Error> {
        let Some(name) = &tenant.name else {
            return Ok(false);
        };
        let call = self
            .table
            .update_item(tenant_key(&list.partner, &tenant.id))
            .update_expression("SET #name = :name, named_at = :at, #version = #version + :one")
            .condition_expression(
                "seen_from = :source AND attribute_not_exists(named_by_person) \
                 AND (attribute_not_exists(#name) OR #name <> :name) \
                 AND (attribute_not_exists(named_at) OR named_at < :at)",
            )
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":name", string(name))
            .expression_attribute_values(":at", time(list.received_at))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":source", string(list.source.to_string()));
        conditional::update(call).await
    }

    /// Records the day on which a source sent a message for a tenant: one conditional write, which
    /// happens at most once a day. A tenant without an item stays without one.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn record_sent(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        source: &SourceId,
        day: Date,
    ) -> Result<(), Error> {
        let call = self
            .table
            .update_item(tenant_key(partner, tenant))
            .update_expression("SET #sent_on = :day")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#sent_on) OR #sent_on < :day)",
            )
            .expression_attribute_names("#sent_on", format!("{SENT_ON}{source}"))
            .expression_attribute_values(":day", string(day.to_string()));
        conditional::update(call).await.map(drop)
    }

    /// Reads on which day each source last sent a message for each of the partner's tenants.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn last_sent(
        &self,
        partner: &PartnerId,
    ) -> Result<BTreeMap<(SourceId, TenantId), Date>, Error> {
        let items = self.table.partition(tenants_pk(partner)).await?;
        let of_item = |item: &Item| {
            let tenant = TenantId::parse(sk_after(item, PREFIX)?).ok()?;
            let days = item.iter().filter_map(|(name, day)| {
                let source = SourceId::parse(name.strip_prefix(SENT_ON)?).ok()?;
                let day: Date = day.as_s().ok()?.parse().ok()?;
                Some(((source, tenant.clone()), day))
            });
            Some(days.collect::<Vec<_>>())
        };
        Ok(items.iter().filter_map(of_item).flatten().collect())
    }
}

/// Makes calls, some at a time. Returns how many were true, and how many false.
async fn count_all(
    calls: Vec<impl Future<Output = Result<bool, Error>>>,
) -> Result<(usize, usize), Error> {
    let outcomes: Vec<bool> = stream::iter(calls)
        .buffer_unordered(MAX_CALLS)
        .try_collect()
        .await?;
    let yes = outcomes.iter().filter(|is_true| **is_true).count();
    Ok((yes, outcomes.len() - yes))
}

fn item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use domain::setup::assignment::TenantAssignment;

    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let full = Mapping {
            company: Some(1),
            company_name: Some("Acme Dental Inc.".into()),
            epoch: Some(1),
            enabled: false,
            name: Some("Acme Dental".into()),
            enabled_at: Some(Timestamp::UNIX_EPOCH),
            assignment: TenantAssignment {
                owner: Some(151),
                ..TenantAssignment::default()
            },
        };
        assert_optional(&full, &Mapping::default(), OPTIONAL);
    }
}
