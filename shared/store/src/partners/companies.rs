//! The companies of a partner's ConnectWise, as they were read at one time: `P#<partner>` with
//! `companies`, the progress of reading, and `companies#<n>`, a part of the list. Each request reads
//! some parts.

use domain::setup::company_index::ListedCompany;
use domain::{PartnerId, RecordId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::table::{Table, partner_pk, query_all, string};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

/// Companies of one part: at most 330 KB, even if each name has its greatest length and three bytes
/// a letter. An item has room for 400 KB.
pub const COMPANIES_OF_PART: usize = 500;

const SCAN: &str = "companies";
const SCAN_OPTIONAL: &[&str] = &["next", "finished_at"];
const PREFIX: &str = "companies#";

/// The progress of reading all companies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CompanyScan {
    /// The epoch of the connection that is read. In another ConnectWise a company id names another
    /// company.
    pub epoch: u32,
    /// When it began. The parts of this scan carry the same time.
    pub started_at: Timestamp,
    /// The company after which it continues; `None` before it began and after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RecordId>,
    /// The number of parts that were stored.
    pub parts: u32,
    /// The number of companies that were read.
    pub read: u64,
    /// The number of companies when it began.
    pub total: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct CompanyPart {
    started_at: Timestamp,
    /// As JSON, which is a third of the size of DynamoDB's own lists.
    companies: String,
}

#[derive(Debug, Clone)]
pub struct CompanyListStore {
    table: Table,
}

impl CompanyListStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the progress consistently.
    pub async fn get_scan(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<CompanyScan>>, Error> {
        versions::get(&self.table, scan_item(&partner_pk(partner))).await
    }

    /// Saves the progress from this version. If the process dies right after, the next request
    /// continues from there.
    pub async fn save_scan(
        &self,
        partner: &PartnerId,
        scan: &CompanyScan,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, scan_item(&partner_pk(partner)), scan, version).await
    }

    /// Stores a part of at most [`COMPANIES_OF_PART`] companies whatever the item contains. If the
    /// process dies before the progress is saved, the next request stores the same part again.
    pub async fn put_part(
        &self,
        partner: &PartnerId,
        scan: &CompanyScan,
        n: u32,
        companies: &[ListedCompany],
    ) -> Result<(), Error> {
        let (pk, sk) = (partner_pk(partner), part_sk(n));
        let malformed = |err| Error::malformed(format!("{pk} {sk}"), &err);
        let part = CompanyPart {
            started_at: scan.started_at,
            companies: serde_json::to_string(companies).map_err(malformed)?,
        };
        versions::put(&self.table, part_item(&pk, &sk), &part).await
    }

    /// Reads all companies of a finished scan consistently. `None` if another scan has replaced some
    /// of its parts meanwhile.
    pub async fn get_all(
        &self,
        partner: &PartnerId,
        scan: &CompanyScan,
    ) -> Result<Option<Vec<ListedCompany>>, Error> {
        let Some(last) = scan.parts.checked_sub(1) else {
            return Ok(Some(vec![]));
        };
        let query = self
            .table
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", string(partner_pk(partner)))
            .expression_attribute_values(":first", string(part_sk(0)))
            .expression_attribute_values(":last", string(part_sk(last)));
        let items = query_all(query).await?;
        if items.len() != scan.parts as usize {
            return Ok(None);
        }
        let mut companies = vec![];
        for item in items {
            let key = format!("{partner} {PREFIX}");
            let part: CompanyPart = from_item(item).map_err(|err| Error::malformed(&key, &err))?;
            if part.started_at != scan.started_at {
                return Ok(None);
            }
            let read: Vec<ListedCompany> = serde_json::from_str(&part.companies)
                .map_err(|err| Error::malformed(&key, &err))?;
            companies.extend(read);
        }
        Ok(Some(companies))
    }
}

/// Sorts as the numbers do.
fn part_sk(n: u32) -> String {
    format!("{PREFIX}{n:05}")
}

fn scan_item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: SCAN,
        optional: SCAN_OPTIONAL,
    }
}

fn part_item<'a>(pk: &'a str, sk: &'a str) -> VersionedItem<'a> {
    VersionedItem {
        pk,
        sk,
        optional: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let full = CompanyScan {
            next: Some(7),
            finished_at: Some(Timestamp::UNIX_EPOCH),
            ..CompanyScan::default()
        };
        assert_optional(&full, &CompanyScan::default(), SCAN_OPTIONAL);
    }
}
