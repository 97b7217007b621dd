//! Changes the contact, and sends the mails about the change.

use aws::invocation::Invocation;
use aws::mail::MailError;
use domain::setup::access::TokenHash;
use domain::setup::contact::{Contact, TooManyMails};
use domain::{EmailAddress, PartnerId};
use store::{Actor, Versioned};

use crate::auth::session::PartnerSession;
use crate::context::Setup;
use crate::http::problem::{Problem, saved_version};
use crate::{audit, mails, paths, random};

/// The mails of a partner are limited, so that the page cannot be used to flood a mailbox.
const TOO_MANY: &str = "Too many mails were sent from this page lately. Nothing was changed or sent. Try again in ten minutes.";

/// The contact, if it is unchanged since the page was loaded.
pub(super) async fn read_at(
    setup: &Setup,
    partner: &PartnerId,
    version: u64,
) -> Result<Contact, Problem> {
    let read = setup.access().contacts.get(partner).await?;
    if read.version == version {
        Ok(read.value)
    } else {
        Err(Problem::conflict())
    }
}

/// Stores the contact if it still has this version, and records the change.
pub(super) async fn store(
    setup: &Setup,
    partner: &PartnerId,
    (contact, version): (&Contact, u64),
    action: (Actor, &str),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let access = setup.access();
    saved_version(access.contacts.save(partner, contact, version).await?)?;
    audit::record(setup, partner, action, &[], invocation).await;
    Ok(())
}

/// Mails a confirmation link, then stores the address as pending. If the mail fails, nothing
/// changes.
pub(super) async fn request_confirmation(
    setup: &Setup,
    session: &PartnerSession,
    (contact, version): (Contact, u64),
    address: EmailAddress,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let (partner, token) = (&session.partner, random::token()?);
    let contact = contact
        .with_pending(address.clone(), TokenHash::new(&token), invocation.now())
        .map_err(|TooManyMails| {
            Problem::refused(
                "Five links were mailed to this address already. If none arrives, choose another address, or ask the operator of your Ticketbridge to set it.",
            )
        })?;
    let origin = &setup.config.page_origin;
    let path = paths::CONFIRM_CONTACT;
    let url = format!("{origin}{path}#{partner}.{}", token.expose());
    let mail = mails::confirm_contact(address, &session.name, &url);
    setup.mail(&mail, invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to mail a confirmation link");
        not_sent(&err)
    })?;
    let action = (Actor::Partner, "contact_change_requested");
    store(setup, partner, (&contact, version), action, invocation).await
}

/// Sets the contact for the operator. It takes effect at once, and a pending address is dropped.
pub(crate) async fn set_by_operator(
    setup: &Setup,
    partner: &PartnerId,
    address: EmailAddress,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let Versioned { value, version } = setup.access().contacts.get(partner).await?;
    let contact = Contact {
        address: Some(address),
        pending: None,
    };
    if value == contact {
        return Ok(());
    }
    let action = (Actor::Operator, "contact_set");
    store(setup, partner, (&contact, version), action, invocation).await?;
    setup.schedule().probe(partner, invocation.now()).await?;
    if let Some(before) = value
        .address
        .filter(|before| contact.address.as_ref() != Some(before))
    {
        notify_former_contact(setup, partner, before, invocation).await;
    }
    Ok(())
}

/// Notifies an address that it is no longer the contact. A failure is logged and counted; the
/// change remains.
pub(super) async fn notify_former_contact(
    setup: &Setup,
    partner: &PartnerId,
    former: EmailAddress,
    invocation: &Invocation,
) {
    let name = name_of(setup, partner).await;
    let mail = mails::contact_changed(former, &name, invocation.now());
    if let Err(err) = setup.mail(&mail, invocation).await {
        tracing::error!(%partner, error = %err, "failed to notify the former contact of a change");
    }
}

/// The partner's display name. If it cannot be read, the id: a mail is better than none.
async fn name_of(setup: &Setup, partner: &PartnerId) -> String {
    let read = setup.access().partners.get(partner).await.ok();
    let name = read.and_then(|read| read.value).map(|partner| partner.name);
    name.unwrap_or_else(|| partner.to_string())
}

/// Counts mails against the partner's limit.
///
/// # Errors
/// When the limit is reached.
pub(super) async fn count_mails(
    setup: &Setup,
    partner: &PartnerId,
    mails: usize,
    invocation: &Invocation,
) -> Result<(), Problem> {
    for _ in 0..mails {
        if !setup
            .access()
            .mail_limits
            .acquire(partner, invocation.now())
            .await?
        {
            return Err(Problem::refused(TOO_MANY));
        }
    }
    Ok(())
}

pub(super) fn not_sent(err: &MailError) -> Problem {
    match err {
        MailError::Sender { .. } => Problem::refused(
            "The mail was not sent: Ticketbridge's own address is not ready to send. Please tell the operator of your Ticketbridge; only they can correct that.",
        ),
        MailError::Recipient { .. } => Problem::invalid(
            "address",
            "The mail was not sent: the mail service does not send to this address. Check it for a mistake. If it is right, tell the operator of your Ticketbridge: while their Amazon account is in the mail sandbox, mails go to verified addresses only.",
        ),
        MailError::Throttled { .. } => Problem::unavailable(
            "The mail was not sent: the mail service limits the rate of mails. Try again in a few minutes.",
        ),
        MailError::Unavailable { .. } => Problem::unavailable(
            "The mail service did not answer, so the mail may or may not have been sent. Check whether it arrives, and try again in a minute.",
        ),
    }
}
