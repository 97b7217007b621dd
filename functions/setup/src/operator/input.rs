//! Parameters that several of the operator's routes accept.

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
pub(super) const DEFAULT_LIMIT: u16 = 50;
pub(super) const MAX_LIMIT: u16 = 100;

impl ListQuery {
    /// The part of a query that has more members.
    pub(super) fn new(from: Option<String>, limit: Option<String>) -> Self {
        Self { from, limit }
    }

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
