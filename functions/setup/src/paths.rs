//! Addresses that several slices use, besides those of the steps.

use std::collections::BTreeMap;

use crate::http::problem::Problem;

/// One tenant; its id is in the query.
pub(crate) const TENANT: &str = "/setup/tenant";
/// Reads the companies for suggestions, one part a request.
pub(crate) const READ_COMPANIES: &str = "/setup/suggestions/progress";
/// The form of a new source.
pub(crate) const NEW_SOURCE: &str = "/setup/sources/new";
/// One source; its id is in the query.
pub(crate) const SOURCE: &str = "/setup/sources/source";
/// How a source proves itself.
pub(crate) const SOURCE_AUTHENTICATION: &str = "/setup/sources/authentication";
pub(crate) const SOURCE_SECRET: &str = "/setup/sources/secret";
/// Stores a sample of what a source posts.
pub(crate) const SOURCE_SAMPLE: &str = "/setup/sources/sample";
/// The mapping of a source.
pub(crate) const SOURCE_MAPPING: &str = "/setup/sources/mapping";
/// Moves a source to the newest version of its preset.
pub(crate) const SOURCE_PRESET: &str = "/setup/sources/preset";
/// Messages that could not be read.
pub(crate) const QUARANTINE: &str = "/setup/sources/messages";
/// One of them; its id is in the query.
pub(crate) const QUARANTINED: &str = "/setup/sources/message";
/// Replays all of a source, one part a request.
pub(crate) const REPLAY_ALL: &str = "/setup/sources/replay";
/// Creates the dedicated boards, one part a request.
pub(crate) const BOARDS_PROGRESS: &str = "/setup/boards/progress";
pub(crate) const DEFAULT_BOARD: &str = "/setup/boards/default";
pub(crate) const DEDICATED_BOARDS: &str = "/setup/boards/dedicated";
pub(crate) const CONFIRM_CONTACT: &str = "/setup/contact/confirm";
pub(crate) const RESEND_CONFIRMATION: &str = "/setup/contact/resend";
pub(crate) const CANCEL_CONTACT_CHANGE: &str = "/setup/contact/cancel";
pub(crate) const TEST_MAIL: &str = "/setup/contact/test";
/// Releases blocked alerts that need a person's decision.
pub(crate) const RELEASE: &str = "/setup/waiting/release";
/// Approves held closings.
pub(crate) const APPROVE_CLOSINGS: &str = "/setup/held";
pub(crate) const CLOSE_TEST: &str = "/setup/test/close";
/// Requests a link by mail.
pub(crate) const LINK: &str = "/setup/link";
/// Where a link leads.
pub(crate) const OPEN: &str = "/setup/open";
pub(crate) const SESSION: &str = "/setup/session";
pub(crate) const END_SESSION: &str = "/setup/session/end";

/// An address of this site with a query.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> Result<String, Problem> {
    let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
    let query = serde_qs::to_string(&pairs);
    let query = query.map_err(|_| Problem::not_found("This address cannot be built."))?;
    Ok(format!("{path}?{query}"))
}
