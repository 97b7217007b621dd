//! Shows, changes and confirms the contacts.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use axum::Extension;
use domain::setup::access::TokenHash;
use domain::setup::contacts::MailKind;
use domain::{PartnerId, Secret};
use serde::Deserialize;
use store::{Actor, SaveOutcome, Versioned};

use crate::auth::session::PartnerSession;
use crate::contacts::change::{
    count_mail, differences, is_live, not_sent, notices, notify, read_at, refusal,
    request_confirmation, store,
};
use crate::contacts::view::{ContactsView, render, render_confirmation};
use crate::context::AppState;
use crate::http::input::{Input, QueryParams, parse_address};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::mails::OtherChange;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::{audit, mails, page, paths};

/// A new contact, or the mails of an existing one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactForm {
    address: String,
    /// An unticked box sends nothing.
    #[serde(default)]
    mails: BTreeSet<MailKind>,
    version: u64,
}

/// A contact to remove, or to mail another link to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExistingContactForm {
    address: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestMailForm {
    address: String,
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
    let view = ContactsView::new(&read.value, read.version, invocation.now());
    let content = render(&view);
    let page = page::step(&session, SetupStep::Contacts, &flash, &view, &content);
    Ok(page)
}

/// Mails a confirmation link to a new address, stores the address as a contact that waits for it,
/// then notifies the emergency contacts. If the process dies after the first mail, its link confirms
/// nothing and the page does not show the address.
pub(crate) async fn add(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ContactForm>,
) -> Result<ChangeResponse, Problem> {
    let address = parse_address(&form.address)?;
    let before = read_at(&setup, &session.partner, form.version).await?;
    let contacts = before.clone();
    let add = |token| contacts.with_new(address.clone(), form.mails, token, invocation.now());
    let saved_as = (form.version, "contact_added");
    let of = (&before, &address);
    request_confirmation(&setup, &session, of, add, saved_as, &invocation).await?;
    let other =
        |to| mails::other_contact_changed(to, &session.name, OtherChange::Added, invocation.now());
    let notices = notices(&before, &address, None, other);
    let notified = notify(&setup, &session.partner, &notices, &invocation).await;
    Ok(next_unless(notified, "confirmation_sent"))
}

/// Mails another confirmation link to a contact. It replaces the link before.
pub(crate) async fn resend(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ExistingContactForm>,
) -> Result<ChangeResponse, Problem> {
    let address = parse_address(&form.address)?;
    let contacts = read_at(&setup, &session.partner, form.version).await?;
    let of = (&contacts, &address);
    let renewed = contacts.clone();
    let renew = |token| renewed.with_new_link(&address, token, invocation.now());
    let saved_as = (form.version, "contact_link_mailed");
    request_confirmation(&setup, &session, of, renew, saved_as, &invocation).await?;
    Ok(next("confirmation_sent"))
}

/// Changes the mails of a contact. One conditional write, then the mails about it. If the process
/// dies between, no one is notified, and the history has the change.
pub(crate) async fn change(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ContactForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, address) = (&session.partner, parse_address(&form.address)?);
    let before = read_at(&setup, partner, form.version).await?;
    let is_live = is_live(&setup, partner).await?;
    let contacts = before.clone();
    let contacts = contacts.with_mails(&address, form.mails.clone(), is_live);
    let contacts = contacts.map_err(refusal)?;
    if contacts == before {
        return Ok(next("saved"));
    }
    count_mail(&setup, partner, &invocation).await?;
    let action = (Actor::Partner, "contact_changed");
    let saved = (&before, &contacts, form.version);
    store(&setup, partner, saved, action, &invocation).await?;
    // A contact that wants more mails is notified of what was not mailed to anyone yet.
    setup.schedule().probe(partner, invocation.now()).await?;
    let (name, now) = (&session.name, invocation.now());
    let own = mails::contact_changed(address.clone(), name, &form.mails, now);
    let other = |to| mails::other_contact_changed(to, name, OtherChange::Mails, now);
    let notices = notices(&before, &address, Some(own), other);
    let notified = notify(&setup, partner, &notices, &invocation).await;
    Ok(next_unless(notified, "saved"))
}

/// Removes a contact; its link confirms nothing from then on. One conditional write, then the mails
/// about it, as for a change.
pub(crate) async fn remove(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ExistingContactForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, address) = (&session.partner, parse_address(&form.address)?);
    let before = read_at(&setup, partner, form.version).await?;
    let is_live = is_live(&setup, partner).await?;
    let contacts = before.clone().without(&address, is_live);
    let contacts = contacts.map_err(refusal)?;
    count_mail(&setup, partner, &invocation).await?;
    let action = (Actor::Partner, "contact_removed");
    let saved = (&before, &contacts, form.version);
    store(&setup, partner, saved, action, &invocation).await?;
    let (name, now) = (&session.name, invocation.now());
    let own = mails::contact_removed(address.clone(), name, now);
    let other = |to| mails::other_contact_changed(to, name, OtherChange::Removed, now);
    let notices = notices(&before, &address, Some(own), other);
    let notified = notify(&setup, partner, &notices, &invocation).await;
    Ok(next_unless(notified, "contact_removed"))
}

/// The page behind a confirmation link.
pub(crate) async fn confirm_page(QueryParams(flash): QueryParams<FlashQuery>) -> PageResponse {
    let content = render_confirmation(flash.is("contact_confirmed"));
    page::public("Confirm your address", &content)
}

/// Confirms a contact. One conditional write, which also consumes the link. If the process dies right
/// after, the contact is confirmed.
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
    let before = value.clone();
    let contacts = value.confirmed(&token, (&id, partner.as_ref()), now);
    let contacts = contacts.ok_or_else(invalid)?;
    match access.contacts.save(&id, &contacts, version).await? {
        SaveOutcome::Saved { .. } => {}
        SaveOutcome::Conflict => return Err(invalid()),
    }
    let action = (Actor::Partner, "contact_confirmed");
    let detail = differences(&before, &contacts);
    audit::record(&setup, &id, action, &detail, &invocation).await;
    // The probe notifies the new contact of issues that no mail was sent about yet.
    setup.schedule().probe(&id, now).await?;
    let path = paths::CONFIRM_CONTACT;
    Ok(ChangeResponse::next(format!(
        "{path}?done=contact_confirmed"
    )))
}

pub(crate) async fn send_test(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<TestMailForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, address) = (&session.partner, parse_address(&form.address)?);
    let contacts = setup.access().contacts.get(partner).await?.value;
    let contact = contacts
        .find(&address)
        .filter(|contact| contact.is_confirmed());
    let contact = contact.ok_or_else(|| Problem::refused("Confirm this address first."))?;
    count_mail(&setup, partner, &invocation).await?;
    let mail = mails::test(contact.address.clone(), &session.name, &contact.mails);
    setup.mail(&mail, &invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to send a test mail");
        not_sent(&err)
    })?;
    Ok(next("mail_sent"))
}

/// The page "Contacts" with the message of this code, or that not all contacts were notified.
fn next_unless(notified: bool, code: &str) -> ChangeResponse {
    let code = match notified {
        true => code,
        false => "contacts_not_notified",
    };
    next(code).with("contacts_notified", notified)
}

/// The page "Contacts" with the message of this code.
fn next(code: &str) -> ChangeResponse {
    ChangeResponse::next(format!("{}?done={code}", SetupStep::Contacts.path()))
}
