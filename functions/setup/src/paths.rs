//! Addresses that several slices use, besides those of the steps.
//!
//! A page belongs to one partner, whose id is in its address: `/setup/partners/northwind/tenants`.
//! Within a partner's pages an address is one segment, such as `tenants`. So links, forms and
//! redirects are relative, and lead to no other partner.

use std::collections::BTreeMap;

use domain::PartnerId;

use crate::http::problem::Problem;

/// One tenant; its id is in the query.
pub(crate) const TENANT: &str = "tenant";
/// The team and the owner of a tenant's tickets; its id is in the query.
pub(crate) const TENANT_ASSIGNMENT: &str = "tenant-assignment";
/// One alert; the key of its item is in the query.
pub(crate) const ALERT: &str = "activity-alert";
/// Releases one alert that waits for a person.
pub(crate) const RELEASE_ALERT: &str = "activity-release";
/// Asks for a ticket again.
pub(crate) const OPEN_AGAIN: &str = "activity-open-again";
/// Reads the companies for suggestions, one part a request.
pub(crate) const READ_COMPANIES: &str = "tenants-companies";
/// The list of tenants as a CSV file, as it is shown.
pub(crate) const EXPORT_TENANTS: &str = "tenants-export";
/// Reads a CSV file of tenants.
pub(crate) const IMPORT_TENANTS: &str = "tenants-import";
/// Prepares the mapping of all tenants whose name is that of exactly one company.
pub(crate) const EXACT_MATCHES: &str = "tenants-exact";
/// Changes of many tenants, to look over and to confirm.
pub(crate) const TENANT_CHANGES: &str = "tenants-changes";
/// Makes the confirmed changes, one part a request.
pub(crate) const MAKE_CHANGES: &str = "tenants-changes-progress";
pub(crate) const STOP_CHANGES: &str = "tenants-changes-stop";
/// The form of a new source.
pub(crate) const NEW_SOURCE: &str = "source-new";
/// One source; its id is in the query.
pub(crate) const SOURCE: &str = "source";
/// How a source proves itself.
pub(crate) const SOURCE_AUTHENTICATION: &str = "source-authentication";
pub(crate) const SOURCE_SECRET: &str = "source-secret";
/// Stores a sample of what a source posts.
pub(crate) const SOURCE_SAMPLE: &str = "source-sample";
/// The mapping of a source.
pub(crate) const SOURCE_MAPPING: &str = "source-mapping";
/// Moves a source to the newest version of its preset.
pub(crate) const SOURCE_PRESET: &str = "source-preset";
/// Messages that could not be read.
pub(crate) const QUARANTINE: &str = "source-messages";
/// One of them; its id is in the query.
pub(crate) const QUARANTINED: &str = "source-message";
/// Replays all of a source, one part a request.
pub(crate) const REPLAY_ALL: &str = "source-replay";
/// Creates the dedicated boards, one part a request.
pub(crate) const BOARDS_PROGRESS: &str = "boards-progress";
/// Ends the work on dedicated boards that are not finished.
pub(crate) const STOP_BOARDS: &str = "boards-stop";
pub(crate) const EXISTING_BOARDS: &str = "boards-existing";
pub(crate) const DEDICATED_BOARDS: &str = "boards-dedicated";
/// Shows when a window would be, before it is saved.
pub(crate) const PREVIEW_MAINTENANCE: &str = "maintenance-preview";
/// Ends the running occurrence of a window.
pub(crate) const END_MAINTENANCE: &str = "maintenance-end";
pub(crate) const DELETE_MAINTENANCE: &str = "maintenance-delete";
pub(crate) const CONFIRM_CONTACT: &str = "/setup/contact/confirm";
pub(crate) const CHANGE_CONTACT: &str = "contact-change";
pub(crate) const REMOVE_CONTACT: &str = "contact-remove";
pub(crate) const RESEND_CONFIRMATION: &str = "contact-resend";
pub(crate) const TEST_MAIL: &str = "contact-test";
/// The blocked alerts of one tenant; its id is in the query.
pub(crate) const WAITING_TENANT: &str = "waiting-tenant";
/// Releases blocked alerts that need a person's decision.
pub(crate) const RELEASE: &str = "waiting-release";
/// Approves held closings.
pub(crate) const APPROVE_CLOSINGS: &str = "overview-closings";
pub(crate) const CLOSE_TEST: &str = "test-close";
/// The page without a partner: leads to the partners that this browser is signed in at.
pub(crate) const START: &str = "/setup";
/// The addresses of a partner's pages begin with it.
pub(crate) const OF_PARTNER: &str = "/setup/partners/{partner}/";
/// Requests a link by mail.
pub(crate) const LINK: &str = "/setup/link";
/// Where a link leads.
pub(crate) const OPEN: &str = "/setup/open";
pub(crate) const SESSION: &str = "/setup/session";
pub(crate) const END_SESSION: &str = "sign-out";

/// An address of this site with a query.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> Result<String, Problem> {
    let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
    let query = serde_qs::to_string(&pairs);
    let query = query.map_err(|_| Problem::not_found("This address cannot be built."))?;
    Ok(format!("{path}?{query}"))
}

/// The whole path of a partner's page, for mails and for pages outside the partner's.
pub(crate) fn of_partner(partner: &PartnerId, path: &str) -> String {
    OF_PARTNER.replace("{partner}", partner.as_str()) + path
}

/// The partner of a page's path.
pub(crate) fn partner_of(path: &str) -> Option<PartnerId> {
    let before = OF_PARTNER.split("{partner}").next().unwrap_or_default();
    let id = path.strip_prefix(before)?.split('/').next()?;
    PartnerId::parse(id).ok()
}

/// Where a new link is requested, for the partner of a page.
pub(crate) fn link_request(path: &str) -> String {
    match partner_of(path) {
        Some(partner) => format!("{LINK}?partner={partner}"),
        None => LINK.to_owned(),
    }
}

/// Splits the path of a partner's page before its own segment. `None` if it is no such path.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let (before, after) = OF_PARTNER.split_once("{partner}")?;
    let (partner, _) = path.strip_prefix(before)?.split_once(after)?;
    path.split_at_checked(before.len() + partner.len() + after.len())
}
