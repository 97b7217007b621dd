//! Shows and sets the contacts of a partner.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::setup::contacts::{Contact, MailKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contacts::change::set_by_operator;
use crate::context::AppState;
use crate::http::input::{Input, PathParam, parse_address};
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::partners::existing;

#[derive(Serialize, JsonSchema)]
pub(super) struct ContactsResponse {
    contacts: Vec<ContactResponse>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ContactResponse {
    address: String,
    mails: BTreeSet<MailKind>,
    confirmed: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactsRequest {
    #[schemars(length(max = 10))]
    contacts: Vec<ContactRequest>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactRequest {
    #[schemars(email)]
    address: String,
    #[schemars(length(min = 1))]
    mails: BTreeSet<MailKind>,
}

pub(super) async fn list(
    setup: AppState,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let contacts = setup.access().contacts.get(&id).await?.value;
    let view = |contact: &Contact| ContactResponse {
        address: contact.address.as_str().to_owned(),
        mails: contact.mails.clone(),
        confirmed: contact.is_confirmed(),
    };
    let response = ContactsResponse {
        contacts: contacts.iter().map(view).collect(),
    };
    Ok(json_response(StatusCode::OK, &response))
}

/// Replaces the partner's contacts without a confirmation: the operator has checked that the
/// addresses are the partner's.
pub(super) async fn put(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
    Input(request): Input<ContactsRequest>,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let mut contacts = vec![];
    for ContactRequest { address, mails } in request.contacts {
        contacts.push((parse_address(&address)?, mails));
    }
    set_by_operator(&setup, &id, contacts, &invocation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
