//! Lists for people, read page by page: the items of one partition key whose sort keys share a
//! prefix, in the order of their sort keys.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Item, Table, key, sk_after, string};
use crate::versions;

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry<Id, T> {
    pub id: Id,
    pub value: T,
    /// The version to save a change of the entry with.
    pub version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage<T> {
    /// In the order of the list. An unreadable entry is logged and left out.
    pub entries: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<PageStart>,
}

/// Where a page begins: after the entry with this id, which need not exist any more. A browser may
/// send it back: it cannot lead out of its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageStart(String);

/// Longer than any id. With the prefix of its list it fits a sort key of 1024 bytes.
const MAX_START_LENGTH: usize = 512;

impl TryFrom<String> for PageStart {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.len() {
            1..=MAX_START_LENGTH => Ok(Self(text)),
            _ => Err("the start of a page is 1 to 512 bytes of text"),
        }
    }
}

impl From<PageStart> for String {
    fn from(start: PageStart) -> Self {
        start.0
    }
}

/// Which page of which list to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageQuery<'a> {
    pub(crate) pk: &'a str,
    /// The start of the list's sort keys. The id of an entry is the rest of its sort key.
    pub(crate) prefix: &'static str,
    pub(crate) order: SortOrder,
    pub(crate) from: Option<&'a PageStart>,
    /// Most entries of the page; at least one.
    pub(crate) limit: u16,
}

impl<'a> PageQuery<'a> {
    /// A page of a list in the order of its ids.
    pub(crate) fn ascending(
        pk: &'a str,
        prefix: &'static str,
        from: Option<&'a PageStart>,
        limit: u16,
    ) -> Self {
        Self {
            pk,
            prefix,
            order: SortOrder::Ascending,
            from,
            limit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortOrder {
    Ascending,
    Descending,
}

impl SortOrder {
    fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// Reads a page of a list consistently. If the page would begin after the last entry, reads the last
/// page: the address of a page may be older than a deletion.
pub(crate) async fn read<Id, T>(
    table: &Table,
    query: PageQuery<'_>,
) -> Result<ListPage<ListEntry<Id, T>>, Error>
where
    Id: TryFrom<String>,
    T: DeserializeOwned,
{
    let page = read_from(table, query).await?;
    if query.from.is_none() || !page.entries.is_empty() {
        return Ok(page);
    }
    let from_the_end = PageQuery {
        from: None,
        order: query.order.reversed(),
        ..query
    };
    let mut last = read_from(table, from_the_end).await?;
    last.entries.reverse();
    last.next = None;
    Ok(last)
}

async fn read_from<Id, T>(
    table: &Table,
    query: PageQuery<'_>,
) -> Result<ListPage<ListEntry<Id, T>>, Error>
where
    Id: TryFrom<String>,
    T: DeserializeOwned,
{
    let answer = request(table, query).send().await;
    let answer = answer.map_err(|err| Error::call("Query", &err))?;
    let mut items = answer.items.unwrap_or_default();
    let limit = usize::from(query.limit.max(1));
    // DynamoDB ends a page early after one megabyte.
    let has_more = items.len() > limit || answer.last_evaluated_key.is_some();
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.and_then(|last| sk_after(last, query.prefix));
    let next = next.map(|id| PageStart(id.to_owned()));
    let entries = items.into_iter().filter_map(|item| entry(item, &query));
    Ok(ListPage {
        entries: entries.collect(),
        next,
    })
}

fn request(table: &Table, query: PageQuery<'_>) -> QueryFluentBuilder {
    let call = table
        .query()
        .consistent_read(true)
        .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
        .expression_attribute_values(":pk", string(query.pk))
        .expression_attribute_values(":prefix", string(query.prefix))
        .scan_index_forward(query.order == SortOrder::Ascending)
        // One more than the page holds shows whether there is a next page.
        .limit(i32::from(query.limit.max(1)).saturating_add(1));
    let start = query
        .from
        .map(|PageStart(id)| key(query.pk, &format!("{}{id}", query.prefix)));
    call.set_exclusive_start_key(start)
}

fn entry<Id: TryFrom<String>, T: DeserializeOwned>(
    item: Item,
    query: &PageQuery<'_>,
) -> Option<ListEntry<Id, T>> {
    let text = sk_after(&item, query.prefix)?.to_owned();
    let Ok(id) = Id::try_from(text.clone()) else {
        tracing::error!(pk = query.pk, list = query.prefix, id = ?text, "list item has an invalid id");
        return None;
    };
    match versions::parse(item, query.prefix) {
        Ok(read) => Some(ListEntry {
            id,
            value: read.value,
            version: read.version,
        }),
        Err(err) => {
            tracing::error!(pk = query.pk, id = ?text, error = %err, "failed to parse an item of a list");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_page_fits_a_sort_key() {
        for (length, fits) in [(0, false), (1, true), (512, true), (513, false)] {
            let start = PageStart::try_from("x".repeat(length));
            assert_eq!(start.is_ok(), fits, "{length}");
        }
    }
}
