//! Looks up a company id at a site, before any keys are known.

use reqwest::Url;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use tokio::time::Instant;

use crate::call::{self, ApiCall};
use crate::error::Error;
use crate::http::Http;
use crate::origin::Origin;
use crate::records::{or_default, yes_no};

/// What a site knows about a company id: the company of the sign-in page, not a company record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompanyInfo {
    #[serde(default, deserialize_with = "or_default")]
    pub company_name: String,
    /// The id as the site spells it.
    #[serde(rename = "CompanyID", default, deserialize_with = "or_default")]
    pub company_id: String,
    /// `v4_6_release/` on a customer's own server, and the name of the release on a cloud.
    #[serde(default, deserialize_with = "or_default")]
    pub codebase: String,
    /// Such as `v2025.1`.
    #[serde(default, deserialize_with = "or_default")]
    pub version_code: String,
    /// Whether ConnectWise runs the server.
    #[serde(default, deserialize_with = "yes_no")]
    pub is_cloud: bool,
    /// The host that serves the company, as the site names it. Not trusted: only
    /// [`crate::HostList::site`] turns it into an origin.
    #[serde(default, deserialize_with = "or_default")]
    pub site_url: String,
}

/// Looks up a company id at a site, without keys. `None` means that the site does not know it: the
/// site answers `null` or 404.
///
/// # Errors
/// See [`Error`]. A host that is not allowed is [`Error::HostRefused`].
pub async fn company_info(
    http: &Http,
    origin: &Origin,
    company_id: &str,
    deadline: Instant,
) -> Result<Option<CompanyInfo>, Error> {
    let refuse = |cause: String| Error::HostRefused { cause };
    http.hosts()
        .check(origin)
        .map_err(|err| refuse(err.to_string()))?;
    // No company has such an id. A dot segment would also remove the last part of the path.
    if company_id.bytes().all(|b| b == b'.') || company_id.chars().any(char::is_control) {
        return Ok(None);
    }
    let mut url = Url::parse(origin.as_str()).map_err(|err| refuse(err.to_string()))?;
    match url.path_segments_mut() {
        Ok(mut path) => path.clear().extend(["login", "companyinfo", company_id]),
        Err(()) => return Err(refuse("its address has no path".to_owned())),
    };
    let call = ApiCall::get("/login/companyinfo", "");
    let request = http.client.get(url).header(ACCEPT, "application/json");
    match call::send(request, &call, call::end_of_call(deadline)?).await {
        Ok(response) => response.parse(),
        Err(err) => {
            let is_unknown = matches!(
                err,
                Error::NotRouted { status: 404, .. }
                    | Error::NotFound { .. }
                    | Error::EndpointMissing { .. }
            );
            if is_unknown { Ok(None) } else { Err(err) }
        }
    }
}
