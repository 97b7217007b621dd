//! Lists: page by page for what is short, by a forward-only cursor for what is long, and counts.
//!
//! A `Link` header is read for one thing, where the next page begins. Its host and path are never looked at: the address of
//! every page is our own.

use domain::RecordId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::call::{Answer, Call, LIST_LIMIT};
use crate::client::Client;
use crate::conditions::Conditions;
use crate::error::Error;

/// ConnectWise caps a page at this many silently; the default is 25.
pub(crate) const PAGE: usize = 1_000;
/// A hundred thousand records are more than any list that we ask for whole; a server that never ends is not followed further.
const MAX_PAGES: usize = 100;

/// Where a long list goes on; it can be stored, and taken up again by another process.
///
/// ConnectWise's guide: a forward-only list gives the records whose numbers are greater than `pageId`, in their order; so what is
/// added while it is read is not missed, and nothing comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(RecordId);

impl Cursor {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// Behind the record of this number.
    #[must_use]
    pub fn after(id: RecordId) -> Self {
        Self(id)
    }

    /// The number of the record that it stands behind.
    #[must_use]
    pub fn id(self) -> RecordId {
        self.0
    }
}

/// A part of a long list. Whoever runs out of time keeps [`Self::next`] and goes on later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The records, by number.
    pub items: Vec<T>,
    /// Where the next part begins. `None` is proof of the end: a part that failed is an error.
    pub next: Option<Cursor>,
}

/// What a long list is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Long<'a, T> {
    pub(crate) path: &'static str,
    pub(crate) right: &'static str,
    pub(crate) conditions: Option<&'a Conditions>,
    /// The members that are read, as `fields=` takes them.
    pub(crate) fields: &'static str,
    pub(crate) size: usize,
    pub(crate) id: fn(&T) -> RecordId,
}

/// What `Link` headers say of a next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextLink {
    /// They name none: the end, or a proxy dropped them.
    Unsaid,
    /// There is one, and they do not say in a readable way where it begins.
    Somewhere,
    /// It begins after this record.
    After(Cursor),
    /// A next page whose `pageId` is empty: the end of a forward-only list.
    End,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

impl Client {
    /// A whole list, page by page. A page that is not full, with no `Link` to a next one, is the last; servers may cap the page
    /// size silently, and proxies may drop the header, so neither sign is enough alone.
    ///
    /// `query` is escaped already, and ends with `&` if there is one.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<Vec<T>, Error> {
        let mut records = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = Call {
                query: format!("{query}orderBy=id&pageSize={PAGE}&page={page}"),
                limit: LIST_LIMIT,
                ..Call::get(path, right)
            };
            let answer = self.send(&call, deadline).await?;
            let mut more: Vec<T> = answer.parse()?;
            let goes_on = matches!(answer.next, NextLink::Somewhere | NextLink::After(_));
            let last = more.is_empty() || (!goes_on && more.len() < PAGE);
            records.append(&mut more);
            if last {
                return Ok(records);
            }
        }
        Err(Error::AnswerTooLarge { limit: MAX_PAGES })
    }

    /// The part of a long list that begins after `from`.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        list: Long<'_, T>,
        from: Cursor,
        deadline: Instant,
    ) -> Result<Page<T>, Error> {
        let conditions = list.conditions.map(Conditions::parameter);
        let conditions = conditions.unwrap_or_default();
        let Long { fields, size, .. } = list;
        let query = format!("{conditions}fields={fields}&pageSize={size}");
        let call = Call {
            query: match from {
                Cursor::START => query,
                Cursor(after) => format!("{query}&pageId={after}"),
            },
            limit: LIST_LIMIT,
            forward_only: true,
            ..Call::get(list.path, list.right)
        };
        let answer = self.send(&call, deadline).await?;
        part(&answer, list.id, from, list.size)
    }

    /// How many records a list has.
    pub(crate) async fn count(
        &self,
        path: &str,
        conditions: Option<&Conditions>,
        right: &'static str,
        deadline: Instant,
    ) -> Result<u64, Error> {
        let mut call = Call::get(format!("{path}/count"), right);
        call.query = conditions.map(Conditions::parameter).unwrap_or_default();
        count_in(&self.send(&call, deadline).await?)
    }
}

/// The number in a count's answer.
pub(crate) fn count_in(answer: &Answer) -> Result<u64, Error> {
    let count: Count = answer.parse()?;
    Ok(count.count)
}

/// The part of a long list that an answer holds.
pub(crate) fn part<T: DeserializeOwned>(
    answer: &Answer,
    id: fn(&T) -> RecordId,
    from: Cursor,
    size: usize,
) -> Result<Page<T>, Error> {
    let items: Vec<T> = answer.parse()?;
    let next = next_part(answer, items.iter().map(id), from, size)?;
    Ok(Page { items, next })
}

/// Where the next part begins, and a check that this one lies where it was asked for: a server that does not know forward-only
/// lists gives its first page again and again.
fn next_part(
    answer: &Answer,
    ids: impl Iterator<Item = RecordId>,
    from: Cursor,
    size: usize,
) -> Result<Option<Cursor>, Error> {
    let misplaced = |cause: &str| Error::AnswerUnreadable {
        status: answer.status,
        cause: cause.to_owned(),
    };
    let ids: Vec<RecordId> = ids.collect();
    if ids.iter().any(|id| *id <= from.0) {
        return Err(misplaced("it is not the part that was asked for"));
    }
    let Some(last) = ids.iter().max().copied().map(Cursor) else {
        return Ok(None);
    };
    match answer.next {
        NextLink::End => Ok(None),
        NextLink::Unsaid if ids.len() < size => Ok(None),
        NextLink::Unsaid | NextLink::Somewhere => Ok(Some(last)),
        NextLink::After(next) if next > from => Ok(Some(next)),
        NextLink::After(_) => Err(misplaced("its next part lies behind it")),
    }
}

/// Reads `Link` headers (RFC 8288).
pub(crate) fn next_of<'a>(headers: impl Iterator<Item = &'a str>) -> NextLink {
    headers
        .flat_map(links)
        .find(|(_, parameters)| names_next(parameters))
        .map_or(NextLink::Unsaid, |(target, _)| begins_after(target))
}

/// The targets of one header with their parameters. Targets hold commas and semicolons, so brackets go before those.
fn links(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header
        .split('<')
        .skip(1)
        .filter_map(|link| link.split_once('>'))
}

fn names_next(parameters: &str) -> bool {
    parameters.split([';', ',']).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

/// The `pageId` of a link, and nothing else of it.
fn begins_after(target: &str) -> NextLink {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let page_id = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        name.eq_ignore_ascii_case("pageId").then_some(value)
    });
    match page_id {
        None => NextLink::Somewhere,
        Some("") => NextLink::End,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text
            .parse()
            .map_or(NextLink::Somewhere, |id| NextLink::After(Cursor(id))),
        Some(_) => NextLink::Somewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_header_is_read_for_its_page_id_and_nothing_else() {
        let after = |id| NextLink::After(Cursor(id));
        let table = [
            ("", NextLink::Unsaid),
            ("<https://x/y?pageId=7>; rel=\"next\"", after(7)),
            ("<https://x/y?pageSize=9&pageId=7>; rel=next", after(7)),
            (
                "<https://x/y?pageid=7#pageId=9>;REL=\"prev NEXT\"",
                after(7),
            ),
            ("<//evil.example?pageId=7>; rel=\"next\"", after(7)),
            ("<?pageId=7>; title=\"a\"; rel=\"next\"", after(7)),
            (
                "<https://x/?c=in(\"a\",\"b\");&pageId=7>; rel=\"next\"",
                after(7),
            ),
            (
                "<https://x/?page=1>; rel=\"first\", <https://x/?pageId=8>; rel=\"next\"",
                after(8),
            ),
            ("<https://x/?pageId=>; rel=\"next\"", NextLink::End),
            ("<https://x/?pageId>; rel=\"next\"", NextLink::End),
            ("<https://x/?page=2>; rel=\"next\"", NextLink::Somewhere),
            ("<https://x/?pageId=-7>; rel=\"next\"", NextLink::Somewhere),
            (
                "<https://x/?pageId=7%20>; rel=\"next\"",
                NextLink::Somewhere,
            ),
            (
                "<https://x/?pageId=99999999999999999999>; rel=\"next\"",
                NextLink::Somewhere,
            ),
            ("<pageId=7>; rel=\"next\"", NextLink::Somewhere),
            ("<https://x/?pageId=7>; rel=\"last\"", NextLink::Unsaid),
            ("<https://x/?pageId=7>", NextLink::Unsaid),
            ("<https://x/?pageId=7; rel=\"next\"", NextLink::Unsaid),
            ("https://x/?pageId=7; rel=\"next\"", NextLink::Unsaid),
            ("<https://x/?rel=\"next\">; rel=\"prev\"", NextLink::Unsaid),
            ("<<<>>>,;=\"\"", NextLink::Unsaid),
        ];
        for (header, expected) in table {
            assert_eq!(next_of([header].into_iter()), expected, "{header}");
        }
        let two = [
            "<https://x/?page=1>; rel=\"prev\"",
            "<https://x/?pageId=7>; rel=\"next\"",
        ];
        assert_eq!(next_of(two.into_iter()), after(7));
    }

    #[test]
    fn a_part_that_lies_elsewhere_is_refused() {
        type FoundPage = Result<Option<RecordId>, &'static str>;
        let full = [11, 12];
        let table: [(&[RecordId], NextLink, FoundPage); 10] = [
            (&full, NextLink::After(Cursor(12)), Ok(Some(12))),
            (&full, NextLink::Somewhere, Ok(Some(12))),
            (&full, NextLink::Unsaid, Ok(Some(12))),
            (&[11], NextLink::Unsaid, Ok(None)),
            (&[11], NextLink::Somewhere, Ok(Some(11))),
            (&full, NextLink::End, Ok(None)),
            (&[], NextLink::After(Cursor(12)), Ok(None)),
            (
                &full,
                NextLink::After(Cursor(10)),
                Err("its next part lies behind it"),
            ),
            (
                &[10, 11],
                NextLink::End,
                Err("it is not the part that was asked for"),
            ),
            (
                &[1, 2],
                NextLink::Unsaid,
                Err("it is not the part that was asked for"),
            ),
        ];
        for (ids, next, expected) in table {
            let answer = Answer {
                status: 200,
                next,
                body: Vec::new(),
            };
            let found = next_part(&answer, ids.iter().copied(), Cursor(10), 2);
            let found = found.map(|next| next.map(|cursor| cursor.0));
            let expected = expected.map_err(|cause| Error::AnswerUnreadable {
                status: 200,
                cause: cause.to_owned(),
            });
            assert_eq!(found, expected, "{ids:?} {next:?}");
        }
    }
}
