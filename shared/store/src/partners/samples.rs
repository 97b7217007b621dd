//! Samples of what a source posts, with which a person tries its mapping: `P#<partner>` with
//! `sample#<source>#<n>`. A source has a fixed number of places. A removed sample leaves its place
//! empty, since set-up may delete no items of this table.

use std::ops::Range;

use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Table, partner_pk, sk_after};
use crate::versions::{self, SaveOutcome, VersionedItem};

pub(crate) const SAMPLE: &str = "sample#";
/// The places of a source.
const PLACES: Range<u8> = 0..5;
const OPTIONAL: &[&str] = &["text"];

/// A sample of what a source posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSample {
    /// The body. Absent once it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub added_at: Timestamp,
}

/// A place for a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplePlace {
    pub n: u8,
    /// The version to save a change with.
    pub version: u64,
    pub text: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SampleStore {
    table: Table,
}

impl SampleStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads all places of a source consistently, in their order.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn get_all(
        &self,
        partner: &PartnerId,
        source: &SourceId,
    ) -> Result<Vec<SamplePlace>, Error> {
        let prefix = format!("{SAMPLE}{source}#");
        let mut places: Vec<_> = PLACES
            .map(|n| SamplePlace {
                n,
                version: 0,
                text: None,
            })
            .collect();
        for item in self.table.items_with_prefix(partner, &prefix).await? {
            let n: Option<u8> = sk_after(&item, &prefix).and_then(|n| n.parse().ok());
            let place = places.iter_mut().find(|place| Some(place.n) == n);
            let Some(place) = place else { continue };
            let read = versions::parse::<StoredSample>(item, &prefix)?;
            (place.version, place.text) = (read.version, read.value.text);
        }
        Ok(places)
    }

    /// Saves the content of a place from this version.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again is a conflict.
    pub async fn save(
        &self,
        partner: &PartnerId,
        source: &SourceId,
        (n, version): (u8, u64),
        sample: &StoredSample,
    ) -> Result<SaveOutcome, Error> {
        let (pk, sk) = (partner_pk(partner), format!("{SAMPLE}{source}#{n}"));
        let item = VersionedItem {
            pk: &pk,
            sk: &sk,
            optional: OPTIONAL,
        };
        versions::save(&self.table, item, sample, version).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let bare = StoredSample {
            text: None,
            added_at: Timestamp::UNIX_EPOCH,
        };
        let full = StoredSample {
            text: Some("{}".to_owned()),
            ..bare.clone()
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
