//! Lists for people, a page at a time: items of one key in the order of their sort keys.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::setup::mapping::Mapping;
use domain::{PartnerId, TenantId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::ConfigTable;
use crate::table::{Table, partner_pk};
use crate::versions::versioned;
use crate::{Error, Item};

/// One thing of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<Id, T> {
    /// What it is called.
    pub id: Id,
    /// The content.
    pub value: T,
    /// The version to save a change of it with.
    pub version: u64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order. One that is unreadable is logged and left out.
    pub entries: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next: Option<PageStart>,
}

/// Where a page begins: behind a place of its list, whether anything is still there or not. It may go out to a browser and come back:
/// it cannot lead out of its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageStart(String);

/// Longer than any identifier here; with its list's prefix it fits a sort key of 1024 bytes.
const LONGEST_START: usize = 512;

impl TryFrom<String> for PageStart {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.len() {
            1..=LONGEST_START => Ok(Self(text)),
            _ => Err("a page begins behind 1 to 512 bytes of text"),
        }
    }
}

impl From<PageStart> for String {
    fn from(start: PageStart) -> Self {
        start.0
    }
}

/// Which part of which list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) pk: &'a str,
    /// What the list's sort keys begin with; the rest of them are the ids.
    pub(crate) prefix: &'static str,
    pub(crate) order: Order,
    pub(crate) from: Option<&'a PageStart>,
    /// Entries at most; at least one.
    pub(crate) limit: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

impl ConfigTable {
    /// A page of the partner's tenants with their mappings, by their ids, `limit` at most; read consistently.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn tenants(
        &self,
        partner: &PartnerId,
        from: Option<&PageStart>,
        limit: u16,
    ) -> Result<Page<Entry<TenantId, Mapping>>, Error> {
        let part = Part {
            pk: &partner_pk(partner),
            prefix: "T#",
            order: Order::Ascending,
            from,
            limit,
        };
        self.table.page(part).await
    }
}

impl Table {
    /// A page of a list. Behind the last entry the last page is read: an address of a page outlives the entries on it.
    pub(crate) async fn page<Id, T>(&self, part: Part<'_>) -> Result<Page<Entry<Id, T>>, Error>
    where
        Id: TryFrom<String>,
        T: DeserializeOwned,
    {
        let page = self.page_behind(part).await?;
        if part.from.is_none() || !page.entries.is_empty() {
            return Ok(page);
        }
        let from_the_end = Part {
            from: None,
            order: part.order.reversed(),
            ..part
        };
        let mut last = self.page_behind(from_the_end).await?;
        last.entries.reverse();
        last.next = None;
        Ok(last)
    }

    async fn page_behind<Id, T>(&self, part: Part<'_>) -> Result<Page<Entry<Id, T>>, Error>
    where
        Id: TryFrom<String>,
        T: DeserializeOwned,
    {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut call = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(part.pk))
            .expression_attribute_values(":prefix", text(part.prefix))
            .scan_index_forward(part.order == Order::Ascending)
            // One more tells whether there is a next page.
            .limit(i32::from(part.limit.max(1)).saturating_add(1));
        if let Some(PageStart(from)) = part.from {
            call = call
                .exclusive_start_key("pk", text(part.pk))
                .exclusive_start_key("sk", text(&format!("{}{from}", part.prefix)));
        }
        let answer = call.send().await;
        let answer = answer.map_err(|err| Error::call("Query", &err))?;
        let mut items = answer.items.unwrap_or_default();
        let limit = usize::from(part.limit.max(1));
        // DynamoDB ends a page early where it has a megabyte.
        let is_cut = items.len() > limit || answer.last_evaluated_key.is_some();
        items.truncate(limit);
        let last = items.last().filter(|_| is_cut);
        let next = last.and_then(|last| rest(last, part.prefix).map(PageStart));
        let items = items.into_iter();
        Ok(Page {
            entries: items.filter_map(|item| entry(item, &part)).collect(),
            next,
        })
    }
}

fn entry<Id: TryFrom<String>, T: DeserializeOwned>(
    item: Item,
    part: &Part<'_>,
) -> Option<Entry<Id, T>> {
    let rest = rest(&item, part.prefix)?;
    let Ok(id) = Id::try_from(rest.clone()) else {
        tracing::error!(pk = part.pk, list = part.prefix, id = ?rest, "list item has an invalid id");
        return None;
    };
    match versioned(item, part.prefix) {
        Ok(read) => Some(Entry {
            id,
            value: read.value,
            version: read.version,
        }),
        Err(err) => {
            tracing::error!(pk = part.pk, id = ?rest, error = %err, "failed to parse an item of a list");
            None
        }
    }
}

/// What stands behind the prefix in the sort key.
fn rest(item: &Item, prefix: &str) -> Option<String> {
    let sk = item.get("sk")?.as_s().ok()?;
    sk.strip_prefix(prefix).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_behind_a_text_that_fits_a_sort_key() {
        for (length, fits) in [(0, false), (1, true), (512, true), (513, false)] {
            let start = PageStart::try_from("x".repeat(length));
            assert_eq!(start.is_ok(), fits, "{length}");
        }
    }
}
