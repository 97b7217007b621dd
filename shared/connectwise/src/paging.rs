//! Lists: page by page for short ones, with a forward-only cursor for long ones, and counts.

use domain::RecordId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::call::{ApiCall, ApiResponse, LIST_LIMIT};
use crate::client::Client;
use crate::conditions::Conditions;
use crate::error::Error;
use crate::link_header::{NextPage, RecordCursor};

/// ConnectWise silently caps a page at this many records; its default is 25.
pub(crate) const PAGE_SIZE: usize = 1_000;
/// A hundred thousand records are more than any list that is read whole. A server whose list never
/// ends is not followed further.
const MAX_PAGES: usize = 100;

/// One page of a long list. A caller that runs out of time keeps [`Self::next`] and continues
/// later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage<T> {
    /// The records, in ascending order of their numbers.
    pub items: Vec<T>,
    /// Where the next page begins. `None` proves the end, since a page that failed is an error.
    pub next: Option<RecordCursor>,
}

/// A list that is read by cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LongList<'a, T> {
    pub(crate) path: &'static str,
    pub(crate) right: &'static str,
    pub(crate) conditions: Option<&'a Conditions>,
    /// The members to read, as `fields=` takes them.
    pub(crate) fields: &'static str,
    pub(crate) size: usize,
    pub(crate) id: fn(&T) -> RecordId,
}

#[derive(Deserialize)]
struct RecordCount {
    count: u64,
}

impl Client {
    /// Reads a whole list, page by page. The last page is one that is not full and has no `Link` to
    /// a next one: servers may cap the page size silently, and proxies may drop the header, so
    /// neither sign is enough alone.
    ///
    /// `query` must be escaped, and end with `&` if it is not empty.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Vec<T>, Error> {
        let mut records = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = ApiCall {
                query: format!("{query}orderBy=id&pageSize={PAGE_SIZE}&page={page}"),
                limit: LIST_LIMIT,
                ..ApiCall::get(path, right)
            };
            let response = self.send(&call, deadline).await?;
            let mut more: Vec<T> = response.parse()?;
            let has_next = matches!(response.next, NextPage::Unreadable | NextPage::After(_));
            let is_last = more.is_empty() || (!has_next && more.len() < PAGE_SIZE);
            records.append(&mut more);
            if is_last {
                return Ok(records);
            }
        }
        Err(Error::AnswerTooLarge { limit: MAX_PAGES })
    }

    /// Reads one page of a long list.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        list: LongList<'_, T>,
        from: RecordCursor,
        deadline: Instant,
    ) -> Result<RecordPage<T>, Error> {
        let conditions = list.conditions.map(Conditions::parameter);
        let conditions = conditions.unwrap_or_default();
        let LongList { fields, size, .. } = list;
        let query = format!("{conditions}fields={fields}&pageSize={size}");
        let call = ApiCall {
            query: match from {
                RecordCursor::START => query,
                after => format!("{query}&pageId={}", after.id()),
            },
            limit: LIST_LIMIT,
            forward_only: true,
            ..ApiCall::get(list.path, list.right)
        };
        let response = self.send(&call, deadline).await?;
        parse_page(&response, list.id, from, list.size)
    }

    /// Counts the records of a list.
    pub(crate) async fn count(
        &self,
        path: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<u64, Error> {
        let call = ApiCall::get(format!("{path}/count"), right);
        parse_count(&self.send(&call, deadline).await?)
    }
}

pub(crate) fn parse_count(response: &ApiResponse) -> Result<u64, Error> {
    let count: RecordCount = response.parse()?;
    Ok(count.count)
}

pub(crate) fn parse_page<T: DeserializeOwned>(
    response: &ApiResponse,
    id: fn(&T) -> RecordId,
    from: RecordCursor,
    size: usize,
) -> Result<RecordPage<T>, Error> {
    let items: Vec<T> = response.parse()?;
    let next = next_cursor(response, items.iter().map(id), from, size)?;
    Ok(RecordPage { items, next })
}

/// Returns where the next page begins, and checks that this page is behind the cursor: a server
/// that does not know forward-only lists returns its first page again and again.
fn next_cursor(
    response: &ApiResponse,
    ids: impl Iterator<Item = RecordId>,
    from: RecordCursor,
    size: usize,
) -> Result<Option<RecordCursor>, Error> {
    let unreadable = |cause: &str| Error::AnswerUnreadable {
        status: response.status,
        cause: cause.to_owned(),
    };
    let ids: Vec<RecordId> = ids.collect();
    if ids.iter().any(|id| *id <= from.id()) {
        return Err(unreadable("it is not the requested page"));
    }
    let Some(last) = ids.iter().max().copied().map(RecordCursor::after) else {
        return Ok(None);
    };
    match response.next {
        NextPage::End => Ok(None),
        NextPage::NotNamed if ids.len() < size => Ok(None),
        NextPage::NotNamed | NextPage::Unreadable => Ok(Some(last)),
        NextPage::After(next) if next > from => Ok(Some(next)),
        NextPage::After(_) => Err(unreadable("the next page begins before this one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_outside_the_requested_range_is_refused() {
        type FoundPage = Result<Option<RecordId>, &'static str>;
        let full = [11, 12];
        let table: [(&[RecordId], NextPage, FoundPage); 10] = [
            (
                &full,
                NextPage::After(RecordCursor::after(12)),
                Ok(Some(12)),
            ),
            (&full, NextPage::Unreadable, Ok(Some(12))),
            (&full, NextPage::NotNamed, Ok(Some(12))),
            (&[11], NextPage::NotNamed, Ok(None)),
            (&[11], NextPage::Unreadable, Ok(Some(11))),
            (&full, NextPage::End, Ok(None)),
            (&[], NextPage::After(RecordCursor::after(12)), Ok(None)),
            (
                &full,
                NextPage::After(RecordCursor::after(10)),
                Err("the next page begins before this one"),
            ),
            (
                &[10, 11],
                NextPage::End,
                Err("it is not the requested page"),
            ),
            (
                &[1, 2],
                NextPage::NotNamed,
                Err("it is not the requested page"),
            ),
        ];
        for (ids, next, expected) in table {
            let response = ApiResponse {
                status: 200,
                next,
                body: Vec::new(),
            };
            let found = next_cursor(&response, ids.iter().copied(), RecordCursor::after(10), 2);
            let found = found.map(|next| next.map(RecordCursor::id));
            let expected = expected.map_err(|cause| Error::AnswerUnreadable {
                status: 200,
                cause: cause.to_owned(),
            });
            assert_eq!(found, expected, "{ids:?} {next:?}");
        }
    }
}
