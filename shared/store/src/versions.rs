//! Items that two people may change at once: each has a `version` beside its content, which every write raises
//! by one. Who saves says which version the change began from.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::setup::mapping::Mapping;
use domain::setup::settings::Settings;
use domain::{PartnerId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::conditional;
use crate::config::ConfigTable;
use crate::table::{Table, partner_pk, tenant_sk};
use crate::{Error, Item};

/// What is at a place of the table, and the version to save a change of it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The content.
    pub value: T,
    /// How often it was written; 0 where nothing is there, or where it was written before there were versions.
    pub version: u64,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is in the table.
    Yes {
        /// The version to save the next change with.
        version: u64,
    },
    /// It is not: what is there is not what the change began from. Read again and ask the person again. After a lost answer it may be
    /// the same change that stands there.
    Conflict,
}

/// Where an item is, and which of its members may be absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) pk: &'a str,
    pub(crate) sk: &'a str,
    /// Removed where the new content lacks them. Members that are not known here stay: a newer version's survive an older one.
    pub(crate) optional: &'static [&'static str],
}

const SETTINGS: &[&str] = &["epoch"];
const MAPPING: &[&str] = &["company", "company_name", "epoch", "name", "enabled_at"];

impl ConfigTable {
    /// The partner's settings, read consistently, to change them.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn settings_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<Settings>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), "settings")
            .await
    }

    /// The tenant's mapping, read consistently, to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn mapping_to_change(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Versioned<Option<Mapping>>, Error> {
        self.table
            .read_versioned(&partner_pk(partner), &tenant_sk(tenant))
            .await
    }

    /// Saves settings that were changed from this version. One conditional write: if the process dies right after, they are saved, and
    /// what waits for them goes on when the partner is due.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again says so by a conflict.
    pub async fn save_settings(
        &self,
        partner: &PartnerId,
        settings: &Settings,
        version: u64,
    ) -> Result<Saved, Error> {
        let pk = partner_pk(partner);
        self.table.save(settings_at(&pk), settings, version).await
    }

    /// Saves a mapping that was changed from this version, as [`Mapping::chosen`] makes it; 0 also for a tenant that nobody has seen
    /// before. As for [`Self::save_settings`].
    ///
    /// # Errors
    /// As for [`Self::save_settings`].
    pub async fn save_mapping(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
        version: u64,
    ) -> Result<Saved, Error> {
        let (pk, sk) = (partner_pk(partner), tenant_sk(tenant));
        self.table
            .save(mapping_at(&pk, &sk), mapping, version)
            .await
    }

    /// Stores the partner's settings, whatever is there. For seeding; a person's change is saved with its version.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_settings(
        &self,
        partner: &PartnerId,
        settings: &Settings,
    ) -> Result<(), Error> {
        let pk = partner_pk(partner);
        self.table.put(settings_at(&pk), settings).await
    }

    /// Stores a tenant's mapping, whatever is there. For seeding; a person's change is saved with its version.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn put_mapping(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
        mapping: &Mapping,
    ) -> Result<(), Error> {
        let (pk, sk) = (partner_pk(partner), tenant_sk(tenant));
        self.table.put(mapping_at(&pk, &sk), mapping).await
    }
}

impl Table {
    pub(crate) async fn read_versioned<T: DeserializeOwned>(
        &self,
        pk: &str,
        sk: &str,
    ) -> Result<Versioned<Option<T>>, Error> {
        let Some(item) = self.item(pk, sk).await? else {
            return Ok(Versioned {
                value: None,
                version: 0,
            });
        };
        let read = versioned(item, &format!("{pk} {sk}"))?;
        Ok(Versioned {
            value: Some(read.value),
            version: read.version,
        })
    }

    pub(crate) async fn save<T: Serialize>(
        &self,
        place: Place<'_>,
        value: &T,
        version: u64,
    ) -> Result<Saved, Error> {
        let mut call = self.write(place, value)?;
        call = if version == 0 {
            call.condition_expression("attribute_not_exists(#version)")
        } else {
            call.condition_expression("#version = :before")
                .expression_attribute_values(":before", AttributeValue::N(version.to_string()))
        };
        Ok(match conditional::update(call).await?.is_some() {
            true => Saved::Yes {
                version: version + 1,
            },
            false => Saved::Conflict,
        })
    }

    /// It raises the version as well: whoever read before learns of it.
    pub(crate) async fn put<T: Serialize>(&self, place: Place<'_>, value: &T) -> Result<(), Error> {
        conditional::update(self.write(place, value)?).await?;
        Ok(())
    }

    fn write<T: Serialize>(
        &self,
        place: Place<'_>,
        value: &T,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let malformed = |err| Error::malformed(format!("{} {}", place.pk, place.sk), &err);
        let item: Item = to_item(value).map_err(malformed)?;
        let update = Update::of(item, place.optional);
        let call = self.update_item(place.pk, place.sk);
        Ok(call
            .update_expression(update.expression)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values)))
    }
}

fn settings_at(pk: &str) -> Place<'_> {
    Place {
        pk,
        sk: "settings",
        optional: SETTINGS,
    }
}

fn mapping_at<'a>(pk: &'a str, sk: &'a str) -> Place<'a> {
    Place {
        pk,
        sk,
        optional: MAPPING,
    }
}

/// An item's content and version.
pub(crate) fn versioned<T: DeserializeOwned>(item: Item, key: &str) -> Result<Versioned<T>, Error> {
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

/// An update that sets the members that there are, removes those that there are not, and raises the version.
struct Update {
    expression: String,
    names: HashMap<String, String>,
    values: Item,
}

impl Update {
    fn of(item: Item, optional: &[&str]) -> Self {
        let mut names = HashMap::from([("#version".to_owned(), "version".to_owned())]);
        let mut values = Item::from([
            (":none".to_owned(), AttributeValue::N("0".to_owned())),
            (":one".to_owned(), AttributeValue::N("1".to_owned())),
        ]);
        let absent = optional.iter().filter(|name| !item.contains_key(**name));
        let remove: Vec<_> = absent.map(|name| format!("#{name}")).collect();
        for name in optional.iter().map(|name| (*name).to_owned()) {
            names.insert(format!("#{name}"), name);
        }
        let mut set = vec!["#version = if_not_exists(#version, :none) + :one".to_owned()];
        for (name, value) in item {
            set.push(format!("#{name} = :{name}"));
            values.insert(format!(":{name}"), value);
            names.insert(format!("#{name}"), name);
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        Self {
            expression,
            names,
            values,
        }
    }
}

/// That these are the members that only a full value has; a test of each type says so.
#[cfg(test)]
pub(crate) fn assert_optional<T: Serialize>(full: &T, bare: &T, optional: &[&str]) {
    use std::collections::BTreeSet;

    let members = |value: &T| -> BTreeSet<String> {
        let item: Item = to_item(value).expect("an item");
        item.into_keys().collect()
    };
    let only_full = members(full);
    let only_full = only_full.difference(&members(bare)).cloned().collect();
    let optional: BTreeSet<_> = optional.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(optional, only_full);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn mapping(version: Option<AttributeValue>) -> Item {
        let mut item = Item::from([("enabled".to_owned(), AttributeValue::Bool(true))]);
        item.extend(version.map(|version| ("version".to_owned(), version)));
        item
    }

    #[test]
    fn every_member_that_may_be_absent_is_removed_when_it_is() {
        let full = Mapping {
            company: Some(1),
            company_name: Some("Acme Dental Inc.".into()),
            epoch: Some(1),
            enabled: false,
            name: Some("Acme Dental".into()),
            enabled_at: Some(Timestamp::UNIX_EPOCH),
        };
        assert_optional(&full, &Mapping::default(), MAPPING);
        let bare = Settings::default();
        let full = Settings {
            epoch: Some(1),
            ..bare.clone()
        };
        assert_optional(&full, &bare, SETTINGS);
    }

    #[test]
    fn an_item_of_before_the_versions_has_version_0() {
        let read = |version| versioned::<Mapping>(mapping(version), "T#acme");
        for (version, expected) in [(None, 0), (Some(AttributeValue::N("7".into())), 7)] {
            let read = read(version).unwrap();
            assert_eq!((read.version, read.value.enabled), (expected, true));
        }
        for bad in [AttributeValue::N("-1".into()), AttributeValue::Bool(true)] {
            assert!(read(Some(bad)).is_err());
        }
    }

    #[test]
    fn an_update_sets_what_is_there_and_removes_what_is_not() {
        let update = Update::of(mapping(None), &["company"]);
        assert_eq!(
            update.expression,
            "SET #version = if_not_exists(#version, :none) + :one, #enabled = :enabled REMOVE #company"
        );
        assert_eq!((update.names.len(), update.values.len()), (3, 3));
    }
}
