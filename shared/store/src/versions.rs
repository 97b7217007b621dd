//! Items that two people may change at once. Each item has a `version` beside its content, and each
//! write raises it by one. A save names the version that the change began from.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::item_update::ItemUpdate;
use crate::lease::{self, Lease};
use crate::table::{Item, Table, key, number};
use crate::{Error, conditional};

/// A value, and the version to save a change of it with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versioned<T> {
    pub value: T,
    /// The number of writes. It is 0 if there is no item, or if the item was written before items
    /// had versions.
    pub version: u64,
}

#[must_use = "a conflict means that nothing was written"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveOutcome {
    Saved {
        /// The version to save the next change with.
        version: u64,
    },
    /// Nothing was written, because the item is not at the version that the change began from. Read
    /// it again and let the person decide again. If the answer to an earlier attempt was lost, the
    /// item may contain this very change.
    Conflict,
}

/// The key of an item with a version, and its optional attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VersionedItem<'a> {
    pub(crate) pk: &'a str,
    pub(crate) sk: &'a str,
    /// Attributes that are removed if the new value lacks them. Unknown attributes stay, so those
    /// of a newer version survive a write by an older one.
    pub(crate) optional: &'static [&'static str],
}

impl SaveOutcome {
    #[must_use]
    pub fn is_saved(self) -> bool {
        matches!(self, Self::Saved { .. })
    }

    fn of(is_saved: bool, version: u64) -> Self {
        match is_saved {
            true => Self::Saved {
                version: version + 1,
            },
            false => Self::Conflict,
        }
    }
}

impl<T: Default> Versioned<Option<T>> {
    pub(crate) fn or_default(self) -> Versioned<T> {
        Versioned {
            value: self.value.unwrap_or_default(),
            version: self.version,
        }
    }
}

/// Reads an item consistently.
pub(crate) async fn get<T: DeserializeOwned>(
    table: &Table,
    item: VersionedItem<'_>,
) -> Result<Versioned<Option<T>>, Error> {
    let Some(stored) = table.item(key(item.pk, item.sk)).await? else {
        return Ok(Versioned {
            value: None,
            version: 0,
        });
    };
    let read = parse(stored, &format!("{} {}", item.pk, item.sk))?;
    Ok(Versioned {
        value: Some(read.value),
        version: read.version,
    })
}

/// Writes a value that was changed from this version.
pub(crate) async fn save<T: Serialize>(
    table: &Table,
    item: VersionedItem<'_>,
    value: &T,
    version: u64,
) -> Result<SaveOutcome, Error> {
    let call = update_of(item, value)?.apply(table.update_item(key(item.pk, item.sk)));
    let (call, is_at_version) = at_version(call, version);
    let saved = conditional::update(call.condition_expression(is_at_version)).await?;
    Ok(SaveOutcome::of(saved, version))
}

/// Writes a value that was changed from this version, and takes the item's lease. Another worker's
/// lease is a conflict.
pub(crate) async fn save_and_take<T: Serialize>(
    table: &Table,
    item: VersionedItem<'_>,
    value: &T,
    version: u64,
    (lease, now): (&Lease, Timestamp),
) -> Result<SaveOutcome, Error> {
    let update = update_of(item, value)?.and_set(lease::SET);
    let call = update.apply(table.update_item(key(item.pk, item.sk)));
    let (call, is_at_version) = at_version(lease.bind_take(call, now), version);
    let call = call.condition_expression(format!("{is_at_version} AND {}", lease::IS_FREE));
    Ok(SaveOutcome::of(conditional::update(call).await?, version))
}

/// Writes a value under the item's lease, and releases the lease.
pub(crate) async fn save_and_release<T: Serialize>(
    table: &Table,
    item: VersionedItem<'_>,
    value: &T,
    version: u64,
    lease: &Lease,
) -> Result<SaveOutcome, Error> {
    let update = update_of(item, value)?.and_remove(lease::REMOVE);
    let call = update.apply(table.update_item(key(item.pk, item.sk)));
    let (call, is_at_version) = at_version(lease.bind(call), version);
    let call = call.condition_expression(format!("{is_at_version} AND {}", lease::IS_HELD));
    Ok(SaveOutcome::of(conditional::update(call).await?, version))
}

/// The condition that the item is at this version, with its value.
fn at_version(
    call: UpdateItemFluentBuilder,
    version: u64,
) -> (UpdateItemFluentBuilder, &'static str) {
    match version {
        0 => (call, "attribute_not_exists(#version)"),
        version => (
            call.expression_attribute_values(":before", number(version)),
            "#version = :before",
        ),
    }
}

/// Writes a value whatever the item contains. It raises the version, so a change that began before
/// is a conflict.
pub(crate) async fn put<T: Serialize>(
    table: &Table,
    item: VersionedItem<'_>,
    value: &T,
) -> Result<(), Error> {
    let call = update_of(item, value)?.apply(table.update_item(key(item.pk, item.sk)));
    conditional::update(call).await.map(drop)
}

fn update_of<T: Serialize>(item: VersionedItem<'_>, value: &T) -> Result<ItemUpdate, Error> {
    let malformed = |err| Error::malformed(format!("{} {}", item.pk, item.sk), &err);
    let attributes: Item = to_item(value).map_err(malformed)?;
    let update = ItemUpdate::new(attributes, item.optional.iter().copied());
    Ok(update.with_version_raised())
}

/// The content and version of an item. `key` names it in errors.
pub(crate) fn parse<T: DeserializeOwned>(item: Item, key: &str) -> Result<Versioned<T>, Error> {
    let malformed = |problem: String| Error::Malformed {
        key: key.to_owned(),
        problem,
    };
    let version = match item.get("version") {
        None => 0,
        Some(AttributeValue::N(number)) => number
            .parse()
            .map_err(|err| malformed(format!("version: {err}")))?,
        Some(_) => return Err(malformed("version: not a number".to_owned())),
    };
    let value = from_item(item).map_err(|err| malformed(err.to_string()))?;
    Ok(Versioned { value, version })
}

/// Asserts that `optional` names exactly the attributes that `bare` lacks and `full` has.
#[cfg(test)]
pub(crate) fn assert_optional<T: Serialize>(full: &T, bare: &T, optional: &[&str]) {
    use std::collections::BTreeSet;

    let attributes = |value: &T| -> BTreeSet<String> {
        let item: Item = to_item(value).expect("an item");
        item.into_keys().collect()
    };
    let only_full = attributes(full);
    let only_full = only_full.difference(&attributes(bare)).cloned().collect();
    let optional: BTreeSet<_> = optional.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(optional, only_full);
}

#[cfg(test)]
mod tests {
    use domain::setup::mapping::Mapping;

    use super::*;

    #[test]
    fn an_item_without_a_version_has_version_0() {
        let read = |version: Option<AttributeValue>| {
            let mut item = Item::from([("enabled".to_owned(), AttributeValue::Bool(true))]);
            item.extend(version.map(|version| ("version".to_owned(), version)));
            parse::<Mapping>(item, "T#acme")
        };
        for (version, expected) in [(None, 0), (Some(number(7)), 7)] {
            let read = read(version).unwrap();
            assert_eq!((read.version, read.value.enabled), (expected, true));
        }
        for bad in [number(-1), AttributeValue::Bool(true)] {
            assert!(read(Some(bad)).is_err());
        }
    }
}
