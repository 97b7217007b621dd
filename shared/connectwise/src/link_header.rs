//! `Link` response headers (RFC 8288), and the cursor that they carry.
//!
//! A `Link` header is read only for where the next page begins. Its host and path are ignored: the
//! client builds the address of every page itself.

use domain::RecordId;
use serde::{Deserialize, Serialize};

/// A position in a long list. It can be stored, and another process can continue from it.
///
/// ConnectWise's guide: a forward-only list returns the records whose numbers are greater than
/// `pageId`, in ascending order. So a record that is added during the listing is not missed, and no
/// record comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordCursor(RecordId);

impl RecordCursor {
    /// Before the first record.
    pub const START: Self = Self(0);

    #[must_use]
    pub fn after(id: RecordId) -> Self {
        Self(id)
    }

    /// The number of the record that the cursor points behind; 0 at the start.
    #[must_use]
    pub fn id(self) -> RecordId {
        self.0
    }
}

/// What `Link` headers say about a next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// They name none: this is the last page, or a proxy dropped the headers.
    NotNamed,
    /// There is one, and its link holds no readable `pageId`.
    Unreadable,
    After(RecordCursor),
    /// The link's `pageId` is empty: the end of a forward-only list.
    End,
}

/// Reads the values of all `Link` headers of a response.
pub(crate) fn next_page<'a>(headers: impl Iterator<Item = &'a str>) -> NextPage {
    headers
        .flat_map(links)
        .find(|(_, parameters)| is_next(parameters))
        .map_or(NextPage::NotNamed, |(target, _)| page_after(target))
}

/// The targets of one header with their parameters. A target may hold commas and semicolons, so the
/// header is split at the angle brackets.
fn links(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header
        .split('<')
        .skip(1)
        .filter_map(|link| link.split_once('>'))
}

fn is_next(parameters: &str) -> bool {
    parameters.split([';', ',']).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

/// Reads the `pageId` of a link's target, and ignores the rest of it.
fn page_after(target: &str) -> NextPage {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let page_id = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        name.eq_ignore_ascii_case("pageId").then_some(value)
    });
    match page_id {
        None => NextPage::Unreadable,
        Some("") => NextPage::End,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text
            .parse()
            .map_or(NextPage::Unreadable, |id| NextPage::After(RecordCursor(id))),
        Some(_) => NextPage::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_id_of_a_link_is_read() {
        let after = |id| NextPage::After(RecordCursor(id));
        let table = [
            ("", NextPage::NotNamed),
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
            ("<https://x/?pageId=>; rel=\"next\"", NextPage::End),
            ("<https://x/?pageId>; rel=\"next\"", NextPage::End),
            ("<https://x/?page=2>; rel=\"next\"", NextPage::Unreadable),
            ("<https://x/?pageId=-7>; rel=\"next\"", NextPage::Unreadable),
            (
                "<https://x/?pageId=7%20>; rel=\"next\"",
                NextPage::Unreadable,
            ),
            (
                "<https://x/?pageId=99999999999999999999>; rel=\"next\"",
                NextPage::Unreadable,
            ),
            ("<pageId=7>; rel=\"next\"", NextPage::Unreadable),
            ("<https://x/?pageId=7>; rel=\"last\"", NextPage::NotNamed),
            ("<https://x/?pageId=7>", NextPage::NotNamed),
            ("<https://x/?pageId=7; rel=\"next\"", NextPage::NotNamed),
            ("https://x/?pageId=7; rel=\"next\"", NextPage::NotNamed),
            (
                "<https://x/?rel=\"next\">; rel=\"prev\"",
                NextPage::NotNamed,
            ),
            ("<<<>>>,;=\"\"", NextPage::NotNamed),
        ];
        for (header, expected) in table {
            assert_eq!(next_page([header].into_iter()), expected, "{header}");
        }
        let two = [
            "<https://x/?page=1>; rel=\"prev\"",
            "<https://x/?pageId=7>; rel=\"next\"",
        ];
        assert_eq!(next_page(two.into_iter()), after(7));
    }
}
