//! Authentication by `Basic base64(companyId+publicKey:privateKey)` and the `clientId` header, with
//! ConnectWise's errors.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::faults::{ClientId, KeyStatus, UnauthorizedBody, WrongCompany};
use crate::response::ApiError;
use crate::seed::Keys;
use crate::site::{Caller, Licence, Site};

/// A failed authentication.
#[derive(Debug)]
pub(crate) enum Denied {
    Refused(ApiError),
    /// Some clouds never respond for an unknown company.
    NoAnswer,
}

/// The caller with these keys and this client id.
pub(crate) fn authenticate(site: &Site, headers: &HeaderMap) -> Result<Caller, Denied> {
    let Some((company, public_key, private_key)) = basic(headers) else {
        return Err(Denied::Refused(unauthorized(site)));
    };
    if company != site.setup.company_id {
        return Err(wrong_company(site));
    }
    let Some(caller) = caller(site, &public_key, &private_key) else {
        return Err(Denied::Refused(unauthorized(site)));
    };
    let is_integration = caller.licence == Licence::ApiMember;
    if is_integration && site.faults.keys == KeyStatus::Revoked {
        return Err(Denied::Refused(unauthorized(site)));
    }
    let client_id = headers
        .get("clientid")
        .and_then(|value| value.to_str().ok());
    let is_known = client_id.is_some_and(|id| id.eq_ignore_ascii_case(&site.setup.client_id));
    if !is_known || (is_integration && site.faults.client_id == ClientId::Refused) {
        let status = StatusCode::from_u16(site.faults.variants.client_id_status)
            .unwrap_or(StatusCode::BAD_REQUEST);
        return Err(Denied::Refused(ApiError::bad_client_id(status)));
    }
    Ok(caller)
}

/// Company, public key and private key of the `Authorization` header.
fn basic(headers: &HeaderMap) -> Option<(String, String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, private_key) = decoded.split_once(':')?;
    let (company, public_key) = user.split_once('+')?;
    Some((
        company.to_owned(),
        public_key.to_owned(),
        private_key.to_owned(),
    ))
}

fn caller(site: &Site, public_key: &str, private_key: &str) -> Option<Caller> {
    let fits = |keys: &Keys| keys.public_key == public_key && keys.private_key == private_key;
    let caller = |id, identifier: &str, licence| Caller {
        id,
        identifier: identifier.to_owned(),
        licence,
    };
    let mut integrations = site.setup.api_members.iter();
    let integration = integrations.find(|member| !member.inactive_flag && fits(&member.keys));
    if let Some(member) = integration {
        return Some(caller(member.id, &member.identifier, Licence::ApiMember));
    }
    let mut technicians = site.setup.members.iter();
    let technician = technicians
        .find(|member| !member.inactive_flag && member.keys.as_ref().is_some_and(fits))?;
    Some(caller(
        technician.id,
        &technician.identifier,
        Licence::Member,
    ))
}

fn unauthorized(site: &Site) -> ApiError {
    match site.faults.variants.unauthorized_body {
        UnauthorizedBody::Unauthorized => ApiError::unauthorized(),
        UnauthorizedBody::UserNotAuthenticated => ApiError::user_not_authenticated(),
    }
}

fn wrong_company(site: &Site) -> Denied {
    match site.faults.variants.wrong_company {
        WrongCompany::NotFound => Denied::Refused(ApiError::unknown_company()),
        WrongCompany::Unauthorized => Denied::Refused(unauthorized(site)),
        WrongCompany::CannotRoute => Denied::Refused(ApiError::cannot_route()),
        WrongCompany::NoAnswer => Denied::NoAnswer,
    }
}
