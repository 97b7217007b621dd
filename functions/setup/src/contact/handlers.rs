//! Shows, changes and confirms the contact.

use aws::invocation::Invocation;
use axum::Extension;
use domain::setup::access::TokenHash;
use domain::setup::contact::Contact;
use domain::{EmailAddress, PartnerId, Secret};
use serde::Deserialize;
use store::{Actor, SaveOutcome, Versioned};

use crate::auth::session::PartnerSession;
use crate::contact::change::{
    count_mails, not_sent, notify_former_contact, read_at, request_confirmation, store,
};
use crate::contact::view::{ContactView, render, render_confirmation};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, sentence};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::{audit, mails, page, paths};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactForm {
    address: String,
    version: u64,
}

/// A change of the pending address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingContactForm {
    version: u64,
}

/// The part of a confirmation link behind its `#`: the partner's id, a dot and a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmContactForm {
    token: Secret,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let read = setup.access().contacts.get(&session.partner).await?;
    let view = ContactView::new(read.value, read.version, invocation.now());
    let content = render(&view);
    let page = page::step(&session, SetupStep::Contact, &flash, &view, &content);
    Ok(page)
}

/// Mails a confirmation link to a new address, stores the address as pending, then notifies the
/// contact. So a stolen session cannot redirect the mails unnoticed. If the process dies after the
/// mail, its link confirms nothing and the page shows no pending address. If it dies before the
/// notification, the contact is notified when the address is confirmed.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ContactForm>,
) -> Result<ChangeResponse, Problem> {
    let address = EmailAddress::parse(&form.address)
        .map_err(|err| Problem::invalid("address", sentence(&err.to_string())))?;
    let read = read_at(&setup, &session.partner, form.version).await?;
    if read.address.as_ref() == Some(&address) {
        return match read.pending {
            // Entering the present contact cancels a pending change.
            Some(_) => cancel_pending(&setup, &session, read, form.version, &invocation).await,
            None => Ok(next("saved")),
        };
    }
    let contact = read.address.clone();
    let mails = 1 + usize::from(contact.is_some());
    count_mails(&setup, &session.partner, mails, &invocation).await?;
    let versioned = (read, form.version);
    request_confirmation(&setup, &session, versioned, address, &invocation).await?;
    let Some(contact) = contact else {
        return Ok(next("confirmation_sent"));
    };
    let mail = mails::contact_change_requested(contact, &session.name, invocation.now());
    let notified = setup.mail(&mail, &invocation).await;
    if let Err(err) = &notified {
        tracing::error!(partner = %session.partner, error = %err, "failed to notify the contact of a change");
    }
    let code = match notified {
        Ok(()) => "confirmation_sent",
        Err(_) => "old_address_not_notified",
    };
    Ok(next(code).with("old_address_notified", notified.is_ok()))
}

/// Mails another confirmation link to the pending address. It replaces the link before.
pub(crate) async fn resend(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(PendingContactForm { version }): Input<PendingContactForm>,
) -> Result<ChangeResponse, Problem> {
    let read = read_at(&setup, &session.partner, version).await?;
    let pending = read.pending.as_ref().map(|pending| pending.address.clone());
    let address = pending.ok_or_else(|| Problem::refused("No address waits for confirmation."))?;
    count_mails(&setup, &session.partner, 1, &invocation).await?;
    request_confirmation(&setup, &session, (read, version), address, &invocation).await?;
    Ok(next("confirmation_sent"))
}

/// Drops the pending address; its link confirms nothing from then on. One conditional write.
pub(crate) async fn cancel(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(PendingContactForm { version }): Input<PendingContactForm>,
) -> Result<ChangeResponse, Problem> {
    let read = read_at(&setup, &session.partner, version).await?;
    cancel_pending(&setup, &session, read, version, &invocation).await
}

async fn cancel_pending(
    setup: &Setup,
    session: &PartnerSession,
    contact: Contact,
    version: u64,
    invocation: &Invocation,
) -> Result<ChangeResponse, Problem> {
    let (partner, contact) = (&session.partner, contact.without_pending());
    let action = (Actor::Partner, "contact_change_cancelled");
    store(setup, partner, (&contact, version), action, invocation).await?;
    Ok(next("contact_change_cancelled"))
}

/// The page behind a confirmation link.
pub(crate) async fn confirm_page(QueryParams(flash): QueryParams<FlashQuery>) -> PageResponse {
    let content = render_confirmation(flash.is("contact_confirmed"));
    page::public("Confirm the emergency contact", &content)
}

/// Makes the pending address the contact. One conditional write, which also consumes the link. If
/// the process dies right after, the address is the contact, and the former contact is not
/// notified of it a second time.
pub(crate) async fn confirm(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    Input(ConfirmContactForm { token }): Input<ConfirmContactForm>,
) -> Result<ChangeResponse, Problem> {
    let invalid = || {
        Problem::refused(
            "This link has been used, was replaced by a newer one, or has expired. The set-up page can mail it again.",
        )
    };
    // A link's token contains no dot.
    let (partner, token) = token.expose().rsplit_once('.').ok_or_else(invalid)?;
    let id = PartnerId::parse(partner).map_err(|_| invalid())?;
    let token = TokenHash::new(&Secret::new(token));
    let (access, now) = (setup.access(), invocation.now());
    let (partner, read) = tokio::join!(access.partners.get(&id), access.contacts.get(&id));
    let (partner, Versioned { value, version }) = (partner?.value, read?);
    let former = value.address.clone();
    let contact = value.confirmed(&token, (&id, partner.as_ref()), now);
    let contact = contact.ok_or_else(invalid)?;
    match access.contacts.save(&id, &contact, version).await? {
        SaveOutcome::Saved { .. } => {}
        SaveOutcome::Conflict => return Err(invalid()),
    }
    let action = (Actor::Partner, "contact_confirmed");
    audit::record(&setup, &id, action, &[], &invocation).await;
    // The probe notifies the new contact of issues that no mail was sent about yet.
    setup.schedule().probe(&id, now).await?;
    if let Some(former) = former {
        notify_former_contact(&setup, &id, former, &invocation).await;
    }
    let path = paths::CONFIRM_CONTACT;
    Ok(ChangeResponse::next(format!(
        "{path}?done=contact_confirmed"
    )))
}

pub(crate) async fn send_test(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let contact = setup.access().contacts.get(partner).await?.value;
    let address = contact
        .address
        .ok_or_else(|| Problem::refused("Save an address and confirm it first."))?;
    count_mails(&setup, partner, 1, &invocation).await?;
    let mail = mails::test(address, &session.name);
    setup.mail(&mail, &invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to send a test mail");
        not_sent(&err)
    })?;
    Ok(next("mail_sent"))
}

/// The page "Emergency contact" with the message of this code.
fn next(code: &str) -> ChangeResponse {
    ChangeResponse::next(format!("{}?done={code}", SetupStep::Contact.path()))
}
