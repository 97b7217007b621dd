//! The audit log of a partner: `P#<partner>` with `audit#<time>#<n>`. Entries are added and never
//! changed. The attribute `ttl` only cleans up.

use std::collections::BTreeMap;

use domain::PartnerId;
use domain::time::sortable;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pages::{self, ListEntry, ListPage, PageQuery, PageStart, SortOrder};
use crate::table::{Table, partner_item, partner_pk};
use crate::{Error, conditional};

const PREFIX: &str = "audit#";
/// The template's default of `HistoryDays`.
const RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// One action of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub who: Actor,
    /// The session of the page, by the beginning of its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The AWS identity that signed the request to the operator's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The address from which the request came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The action in a word such as `mapping_saved`.
    pub what: String,
    /// Names and values of what was changed; never a secret.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
}

/// Who changes a partner's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The operator of Ticketbridge, by the operator's API.
    Operator,
    /// A person at the partner, by the partner's page.
    Partner,
}

#[derive(Serialize)]
struct StoredEntry<'a> {
    #[serde(flatten)]
    entry: &'a AuditEntry,
    ttl: i64,
}

#[derive(Debug, Clone)]
pub struct AuditLog {
    table: Table,
    /// How long an entry is stored.
    retention: SignedDuration,
}

impl AuditLog {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
            retention: RETENTION,
        }
    }

    /// With another retention than 400 days. Only a writer needs it.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// Adds an entry. `n` is a number that no other entry of the same millisecond has, such as a
    /// random number of the request. A repetition with the same number and time adds nothing. If the
    /// process dies right after, the entry is stored.
    ///
    /// # Errors
    /// When DynamoDB fails. The entry may then be stored.
    pub async fn add(&self, partner: &PartnerId, entry: &AuditEntry, n: u64) -> Result<(), Error> {
        let sk = format!("{PREFIX}{}#{n:016x}", sortable(entry.at));
        let ends = entry.at.saturating_add(self.retention);
        let stored = StoredEntry {
            entry,
            ttl: ends.unwrap_or(entry.at).as_second(),
        };
        let item = partner_item(partner, &sk, &stored)?;
        let call = self.table.put_item(item);
        let call = call.condition_expression("attribute_not_exists(pk)");
        conditional::put(call).await.map(drop)
    }

    /// Reads a page of the partner's entries consistently, the newest first.
    pub async fn page(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<ListPage<AuditEntry>, Error> {
        let query = PageQuery {
            pk: &partner_pk(partner),
            prefix: PREFIX,
            order: SortOrder::Descending,
            from,
            limit,
        };
        let page: ListPage<ListEntry<String, AuditEntry>> = pages::read(&self.table, query).await?;
        let entries = page.entries.into_iter().map(|entry| entry.value);
        Ok(ListPage {
            entries: entries.collect(),
            next: page.next,
        })
    }
}
