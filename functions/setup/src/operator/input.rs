//! Parameters that several of the operator's routes accept.

use domain::text::one_line;
use serde::Deserialize;
use store::PageStart;

use crate::http::problem::Problem;

/// Which page of a list is requested.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    from: Option<String>,
    limit: Option<String>,
}

/// Entries of one page, unless another number is requested.
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 100;

impl ListQuery {
    /// The start and the number of entries.
    pub(super) fn parse(self) -> Result<(Option<PageStart>, u16), Problem> {
        let from = self.from.map(PageStart::try_from).transpose();
        let from = from.map_err(|_| {
            Problem::invalid("from", "Send the \"next\" of the page before, unchanged.")
        })?;
        let limit = self.limit.map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse());
        match limit {
            Ok(limit @ 1..=MAX_LIMIT) => Ok((from, limit)),
            Ok(_) | Err(_) => Err(Problem::invalid("limit", "It is a number from 1 to 100.")),
        }
    }
}

/// The longest name of a partner or source, in UTF-16 units.
const MAX_NAME: usize = 100;

/// A display name on one line.
pub(super) fn parse_name(field: &str, text: &str) -> Result<String, Problem> {
    parse_line(field, text, MAX_NAME)
}

/// A text on one line of at most `max` UTF-16 units, without surrounding white space.
pub(super) fn parse_line(field: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.encode_utf16().count();
    if length == 0 || length > max || one_line(text) != text {
        let detail = format!("It is 1 to {max} characters on one line, with single spaces.");
        return Err(Problem::invalid(field, detail));
    }
    Ok(text.to_owned())
}
