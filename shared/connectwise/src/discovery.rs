//! What a site says of a company id before any keys are known.

use reqwest::Url;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use tokio::time::Instant;

use crate::call::{self, Call};
use crate::error::Error;
use crate::http::Http;
use crate::origin::Origin;
use crate::records::{or_default, yes_no};

/// A company id that a site knows: the company of the sign-in page, not a company record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompanyInfo {
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub company_name: String,
    /// Its id as the site spells it.
    #[serde(rename = "CompanyID", default, deserialize_with = "or_default")]
    pub company_id: String,
    /// `v4_6_release/` on a customer's own server, the release's own on a cloud.
    #[serde(default, deserialize_with = "or_default")]
    pub codebase: String,
    /// Such as `v2025.1`.
    #[serde(default, deserialize_with = "or_default")]
    pub version_code: String,
    /// Run by ConnectWise.
    #[serde(default, deserialize_with = "yes_no")]
    pub is_cloud: bool,
    /// The host that it says serves it. A word from outside: only [`crate::HostList::site`] makes an origin of it.
    #[serde(default, deserialize_with = "or_default")]
    pub site_url: String,
}

/// Asks a site for a company id, without keys. `None` is a company id that the site does not know: it answers `null`, or 404.
///
/// # Errors
/// See [`Error`]; a host that may not be spoken to is [`Error::HostRefused`].
pub async fn company_info(
    http: &Http,
    origin: &Origin,
    company_id: &str,
    deadline: Instant,
) -> Result<Option<CompanyInfo>, Error> {
    let refused = |cause: String| Error::HostRefused { cause };
    http.hosts()
        .check(origin)
        .map_err(|error| refused(error.to_string()))?;
    // No company has such an id, and a path would lose its last part to it.
    if company_id.bytes().all(|b| b == b'.') || company_id.chars().any(char::is_control) {
        return Ok(None);
    }
    let mut url = Url::parse(origin.as_str()).map_err(|error| refused(error.to_string()))?;
    match url.path_segments_mut() {
        Ok(mut path) => path.clear().extend(["login", "companyinfo", company_id]),
        Err(()) => return Err(refused("its address has no path".to_owned())),
    };
    let call = Call::get("/login/companyinfo", "");
    let request = http.client.get(url).header(ACCEPT, "application/json");
    match call::send(request, &call, call::end_of_call(deadline)?).await {
        Ok(answer) => answer.parse(),
        Err(error) => {
            let unknown = matches!(
                error,
                Error::NotRouted { status: 404, .. }
                    | Error::NotFound { .. }
                    | Error::EndpointMissing { .. }
            );
            if unknown { Ok(None) } else { Err(error) }
        }
    }
}
