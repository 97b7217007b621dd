//! Who calls: `Basic base64(companyId+publicKey:privateKey)` and the `clientId` header, refused in ConnectWise's ways.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::answer::Refusal;
use crate::faults::{ClientId, Keys, UnauthorizedBody, WrongCompany};
use crate::world::{Caller, Licence, World};

/// What became of a log-in that failed.
#[derive(Debug)]
pub(crate) enum Denied {
    Refused(Refusal),
    /// Some clouds do not answer at all for a company that they do not know.
    NoAnswer,
}

/// The caller, by keys and clientId.
pub(crate) fn authenticate(world: &World, headers: &HeaderMap) -> Result<Caller, Denied> {
    let Some((company, public_key, private_key)) = basic(headers) else {
        return Err(Denied::Refused(unauthorized(world)));
    };
    if company != world.site.company_id {
        return Err(wrong_company(world));
    }
    let Some(caller) = caller(world, &public_key, &private_key) else {
        return Err(Denied::Refused(unauthorized(world)));
    };
    let is_integration = caller.licence == Licence::ApiMember;
    if is_integration && world.faults.keys == Keys::Revoked {
        return Err(Denied::Refused(unauthorized(world)));
    }
    let client_id = headers
        .get("clientid")
        .and_then(|value| value.to_str().ok());
    let is_known = client_id.is_some_and(|id| id.eq_ignore_ascii_case(&world.site.client_id));
    if !is_known || (is_integration && world.faults.client_id == ClientId::Refused) {
        let status = StatusCode::from_u16(world.faults.variants.client_id_status)
            .unwrap_or(StatusCode::BAD_REQUEST);
        return Err(Denied::Refused(Refusal::bad_client_id(status)));
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

fn caller(world: &World, public_key: &str, private_key: &str) -> Option<Caller> {
    let integrations = world
        .site
        .api_members
        .iter()
        .filter(|member| !member.inactive_flag)
        .map(|member| {
            let caller = Caller {
                id: member.id,
                identifier: member.identifier.clone(),
                licence: Licence::ApiMember,
            };
            (Some(&member.keys), caller)
        });
    let technicians = world
        .site
        .members
        .iter()
        .filter(|member| !member.inactive_flag)
        .map(|member| {
            let caller = Caller {
                id: member.id,
                identifier: member.identifier.clone(),
                licence: Licence::Member,
            };
            (member.keys.as_ref(), caller)
        });
    integrations
        .chain(technicians)
        .find(|(keys, _)| {
            keys.is_some_and(|keys| {
                keys.public_key == public_key && keys.private_key == private_key
            })
        })
        .map(|(_, caller)| caller)
}

fn unauthorized(world: &World) -> Refusal {
    match world.faults.variants.unauthorized_body {
        UnauthorizedBody::Unauthorized => Refusal::unauthorized(),
        UnauthorizedBody::UserNotAuthenticated => Refusal::user_not_authenticated(),
    }
}

fn wrong_company(world: &World) -> Denied {
    match world.faults.variants.wrong_company {
        WrongCompany::NotFound => Denied::Refused(Refusal::unknown_company()),
        WrongCompany::Unauthorized => Denied::Refused(unauthorized(world)),
        WrongCompany::CannotRoute => Denied::Refused(Refusal::cannot_route()),
        WrongCompany::NoAnswer => Denied::NoAnswer,
    }
}
