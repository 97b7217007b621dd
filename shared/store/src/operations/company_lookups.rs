//! Which record of a company an alert named, as ConnectWise answered it: `P#<partner>` with
//! `lookup#<hash>`, so that all workers share one look-up. The names themselves are not stored.

use domain::setup::ticket_links::LookupKey;
use domain::{PartnerId, RecordId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::table::{Table, number, partner_item, partner_key};
use crate::{Error, conditional};

const PREFIX: &str = "lookup#";

/// The result of a look-up, and how long it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompanyLookup {
    /// `None` if the company has no such record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    pub until: Timestamp,
}

/// The item, with the tenant by whose deletion it is deleted.
#[derive(Serialize)]
struct LookupItem<'a> {
    tenant: &'a TenantId,
    #[serde(flatten)]
    lookup: &'a CompanyLookup,
}

#[derive(Debug, Clone)]
pub struct CompanyLookupStore {
    table: Table,
}

impl CompanyLookupStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads a result that still counts.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn get(
        &self,
        partner: &PartnerId,
        key: &LookupKey,
        now: Timestamp,
    ) -> Result<Option<CompanyLookup>, Error> {
        let sk = lookup_sk(key);
        let item = self.table.item(partner_key(partner, &sk)).await?;
        let malformed = |err| Error::malformed(format!("{partner} {sk}"), &err);
        let stored: Option<CompanyLookup> = item.map(from_item).transpose().map_err(malformed)?;
        // Code checks the time, because DynamoDB deletes items late.
        Ok(stored.filter(|stored| now < stored.until))
    }

    /// Stores a result whatever the item contains. A repetition stores the same.
    ///
    /// # Errors
    /// When DynamoDB fails. The record is then looked up again.
    pub async fn put(
        &self,
        (partner, tenant): (&PartnerId, &TenantId),
        key: &LookupKey,
        lookup: &CompanyLookup,
    ) -> Result<(), Error> {
        let item = LookupItem { tenant, lookup };
        let mut item = partner_item(partner, &lookup_sk(key), &item)?;
        item.insert("ttl".to_owned(), number(lookup.until.as_second()));
        conditional::put(self.table.put_item(item)).await.map(drop)
    }
}

fn lookup_sk(key: &LookupKey) -> String {
    format!("{PREFIX}{}", key.as_str())
}
