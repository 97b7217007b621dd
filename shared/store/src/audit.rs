//! Who changed what of a partner: `P#<partner>` with `audit#<time>#<n>`. Entries are added, never changed.

use std::collections::BTreeMap;

use domain::PartnerId;
use domain::time::sortable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::access::AccessTable;
use crate::conditional;
use crate::pages::{Entry, Order, Page, PageStart, Part};
use crate::table::{partner_item, partner_pk};

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub who: Actor,
    /// What was done, in a word such as `mapping_saved`.
    pub what: String,
    /// To what, and how: names and values, never a secret.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
}

/// Who acts on what partners set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Whoever runs this system, by its own API.
    Operator,
    /// Somebody at the partner, by its page.
    Partner,
}

const AUDIT: &str = "audit#";

impl AccessTable {
    /// Adds an entry. `n` is any number that another entry of the same millisecond does not have, such as a random one of the request:
    /// adding one again with the same number and time is adding it once. One conditional write; if the process dies right after, the
    /// entry is there.
    ///
    /// # Errors
    /// When DynamoDB fails. The entry may then be there.
    pub async fn add_audit(
        &self,
        partner: &PartnerId,
        entry: &AuditEntry,
        n: u64,
    ) -> Result<(), Error> {
        let sk = format!("{AUDIT}{}#{n:016x}", sortable(entry.at));
        let item = partner_item(partner, &sk, entry)?;
        let call = self
            .table
            .put_item(item)
            .condition_expression("attribute_not_exists(pk)");
        conditional::put(call).await?;
        Ok(())
    }

    /// A page of the partner's entries, the newest first, `limit` at most; read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn audit(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<Page<AuditEntry>, Error> {
        let part = Part {
            pk: &partner_pk(partner),
            prefix: AUDIT,
            order: Order::Descending,
            from,
            limit,
        };
        let page: Page<Entry<String, AuditEntry>> = self.table.page(part).await?;
        let entries = page.entries.into_iter().map(|entry| entry.value);
        Ok(Page {
            entries: entries.collect(),
            next: page.next,
        })
    }
}
