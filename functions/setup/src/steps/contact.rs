//! The emergency contact: where mails about trouble go, and fresh links to this page. A new address counts once it was confirmed by the
//! link that is mailed to it. Until then the address before stays the contact.

use aws::invocation::Invocation;
use aws::mail::NotSent;
use axum::Extension;
use domain::access::TokenHash;
use domain::contact::{Contact, TooManyMails};
use domain::{EmailAddress, PartnerId, Secret};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, SaveOutcome, Versioned};

use super::overview::After;
use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::input::{Input, QueryParams, capital};
use crate::page::{self, Step};
use crate::session::Session;
use crate::{Setup, State, mails, random};

/// Where an address is confirmed.
pub(crate) const CONFIRM: &str = "/setup/contact/confirm";
/// Where the confirmation mail is sent again.
pub(crate) const RESEND: &str = "/setup/contact/resend";
/// Where a pending address is given up.
pub(crate) const CANCEL: &str = "/setup/contact/cancel";

/// The mails of a partner are limited, so that the page cannot be used to flood a mailbox.
const TOO_MANY: &str = "Too many mails went out from this page lately. Nothing was changed or sent. Try again in ten minutes.";

#[derive(Serialize)]
struct View {
    /// The contact.
    address: Option<String>,
    /// The address that is to replace it.
    pending: Option<PendingView>,
    version: u64,
}

#[derive(Serialize)]
struct PendingView {
    address: String,
    mailed_at: Timestamp,
    expires_at: Timestamp,
    expired: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactForm {
    address: String,
    version: u64,
}

/// A change of the pending address, begun from this version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfPending {
    version: u64,
}

/// What a confirmation link holds behind its `#`: the partner's id and a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    token: Secret,
}

pub(crate) async fn show(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(after): QueryParams<After>,
) -> Result<PageResponse, Problem> {
    let read = setup.access().contacts.get(&session.partner).await?;
    let text = |address: EmailAddress| address.as_str().to_owned();
    let view = View {
        address: read.value.address.map(text),
        pending: read.value.pending.map(|pending| PendingView {
            expired: pending.expires_at <= invocation.now(),
            address: text(pending.address),
            mailed_at: pending.mailed_at,
            expires_at: pending.expires_at,
        }),
        version: read.version,
    };
    let middle = render(&view, &session);
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Contact, after.done.as_deref(), &middle),
    ))
}

fn render(view: &View, session: &Session) -> Markup {
    let entered = view.pending.as_ref().map(|pending| &pending.address);
    let entered = entered.or(view.address.as_ref());
    html! {
        p { "Mails about trouble go to this address, such as keys that ConnectWise no longer takes. So does a fresh link to this page when you ask for one. Best is one that several people read." }
        @if let Some(pending) = &view.pending { (draw_pending(pending, view, session)) }
        @else if let Some(address) = &view.address { p class="good" { "Confirmed: " (address) } }
        form method="post" action=(session.action(Step::Contact.path())) {
            input type="hidden" name="version" value=(view.version);
            label for="address" { "E-mail address" }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email" value=[entered] aria-describedby="address-help";
            small id="address-help" {
                "A link is mailed to a new address. The address counts once somebody has opened that link."
                @if view.address.is_some() { " Until then the address before stays the contact, and gets a mail about the change." }
            }
            button { "Save" }
        }
        @if view.address.is_some() {
            form method="post" action=(session.action("/setup/contact/test")) {
                p { "See whether mails arrive at the contact:" }
                button { "Send a test mail" }
            }
        }
    }
}

fn draw_pending(pending: &PendingView, view: &View, session: &Session) -> Markup {
    html! {
        section aria-label="Address that waits for confirmation" {
            p class="note" {
                b { (pending.address) } " waits for confirmation. A link was mailed there at " (page::time(pending.mailed_at)) "; "
                @if pending.expired { "it is too old by now: send it again." }
                @else { "it works once, until " (page::time(pending.expires_at)) "." }
            }
            p {
                @match &view.address {
                    Some(address) => { "Until then mails go to " (address) " as before." }
                    None => "Until then nobody gets mails, and Ticketbridge cannot be set live. If no mail arrives, ask the operator of your Ticketbridge: they can set the address without a mail.",
                }
            }
            form method="post" action=(session.action(RESEND)) {
                input type="hidden" name="version" value=(view.version);
                button { "Send the link again" }
            }
            form method="post" action=(session.action(CANCEL)) {
                input type="hidden" name="version" value=(view.version);
                button class="plain" { "Cancel the change" }
            }
        }
    }
}

/// Mails a confirmation link to a new address, then stores that the address waits, then notifies the contact: somebody with a stolen
/// session cannot take the mails away unseen. If the process dies after the mail, its link confirms nothing and the page shows no pending
/// address; if it dies before the notification, the contact is notified when the address is confirmed.
pub(crate) async fn save(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(desired): Input<ContactForm>,
) -> Result<ChangeResponse, Problem> {
    let address = EmailAddress::parse(&desired.address)
        .map_err(|err| Problem::invalid("address", capital(&err.to_string())))?;
    let read = read_at(&setup, &session.partner, desired.version).await?;
    if read.address.as_ref() == Some(&address) {
        return match read.pending {
            // The contact is to stay what it is.
            Some(_) => give_up(&setup, &session, read, desired.version, &invocation).await,
            None => Ok(ChangeResponse::next("/setup/contact?done=saved")),
        };
    }
    let contact = read.address.clone();
    let mails = 1 + usize::from(contact.is_some());
    may_mail(&setup, &session.partner, mails, &invocation).await?;
    ask_to_confirm(
        &setup,
        &session,
        (read, desired.version),
        address,
        &invocation,
    )
    .await?;
    let Some(contact) = contact else {
        return Ok(ChangeResponse::next(
            "/setup/contact?done=confirmation_sent",
        ));
    };
    let mail = mails::contact_change_requested(contact, &session.name, invocation.now());
    let notified = setup.mail(&mail, &invocation).await;
    if let Err(err) = &notified {
        tracing::error!(partner = %session.partner, error = %err, "failed to notify the contact of a change");
    }
    let next = match notified {
        Ok(()) => "/setup/contact?done=confirmation_sent",
        Err(_) => "/setup/contact?done=old_address_not_notified",
    };
    Ok(ChangeResponse::next(next).with("old_address_notified", notified.is_ok()))
}

/// Mails another confirmation link to the pending address. The link before it confirms nothing from then on.
pub(crate) async fn resend(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(OfPending { version }): Input<OfPending>,
) -> Result<ChangeResponse, Problem> {
    let read = read_at(&setup, &session.partner, version).await?;
    let pending = read.pending.as_ref().map(|pending| pending.address.clone());
    let address = pending.ok_or_else(|| Problem::refused("No address waits for confirmation."))?;
    may_mail(&setup, &session.partner, 1, &invocation).await?;
    ask_to_confirm(&setup, &session, (read, version), address, &invocation).await?;
    Ok(ChangeResponse::next(
        "/setup/contact?done=confirmation_sent",
    ))
}

/// Gives up the pending address: its link confirms nothing from then on. One conditional write.
pub(crate) async fn cancel(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(OfPending { version }): Input<OfPending>,
) -> Result<ChangeResponse, Problem> {
    let read = read_at(&setup, &session.partner, version).await?;
    give_up(&setup, &session, read, version, &invocation).await
}

async fn give_up(
    setup: &Setup,
    session: &Session,
    contact: Contact,
    version: u64,
    invocation: &Invocation,
) -> Result<ChangeResponse, Problem> {
    let (partner, contact) = (&session.partner, contact.without_pending());
    let by = (Actor::Partner, "contact_change_cancelled");
    store(setup, partner, (&contact, version), by, invocation).await?;
    Ok(ChangeResponse::next(
        "/setup/contact?done=contact_change_cancelled",
    ))
}

/// The page behind a confirmation link. As for links to the set-up, the token is sent when a person presses the button.
pub(crate) async fn confirm_page(QueryParams(after): QueryParams<After>) -> PageResponse {
    let confirmed = after.done.as_deref() == Some("contact_confirmed");
    let middle = html! {
        @if confirmed {
            p class="done" role="status" { "Confirmed: mails about trouble come to this address from now on." }
            p { a href="/setup" { "Go to the set-up" } " if you are signed in there. There is nothing else to do." }
        } @else {
            p { "Ticketbridge mails this address when the connection to ConnectWise is in trouble, once you confirm it." }
            form id="open" data-path=(CONFIRM) { button { "Confirm this address" } }
            p role="alert" class="problem" hidden {}
            noscript { p class="problem" { "This page needs JavaScript to read the link. Please switch it on." } }
        }
    };
    PageResponse::of(
        &serde_json::json!({}),
        page::alone("Confirm the emergency contact", &middle),
    )
}

/// Makes the pending address the contact. One conditional write, which uses the link up: if the process dies right after, the address
/// counts, and the one before is not notified a second time.
pub(crate) async fn confirm(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    Input(Confirmation { token }): Input<Confirmation>,
) -> Result<ChangeResponse, Problem> {
    let invalid = || {
        Problem::refused(
            "This link has been used, was replaced by a newer one, or is too old. Somebody at the set-up page can have it mailed again.",
        )
    };
    // A link's token has no dot.
    let (partner, token) = token.expose().rsplit_once('.').ok_or_else(invalid)?;
    let id = PartnerId::parse(partner).map_err(|_| invalid())?;
    let token = TokenHash::of(&Secret::new(token));
    let (access, now) = (setup.access(), invocation.now());
    let (partner, read) = tokio::join!(access.partners.get(&id), access.contacts.get(&id));
    let (partner, Versioned { value, version }) = (partner?.value, read?);
    let before = value.address.clone();
    let contact = value.confirmed(&token, (&id, partner.as_ref()), now);
    let contact = contact.ok_or_else(invalid)?;
    match access.contacts.save(&id, &contact, version).await? {
        SaveOutcome::Saved { .. } => {}
        SaveOutcome::Conflict => return Err(invalid()),
    }
    let (by, what) = (Actor::Partner, "contact_confirmed");
    setup.done(&id, by, what, &[], &invocation).await;
    // Issues without a notification so far.
    setup.connections.schedule_probe(&id, now).await?;
    if let Some(before) = before {
        notify_of_change(&setup, &id, before, &invocation).await;
    }
    Ok(ChangeResponse::next(format!(
        "{CONFIRM}?done=contact_confirmed"
    )))
}

/// Sets the contact on the operator's word: it counts at once, and a pending address is given up.
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
    let by = (Actor::Operator, "contact_set");
    store(setup, partner, (&contact, version), by, invocation).await?;
    setup
        .connections
        .schedule_probe(partner, invocation.now())
        .await?;
    if let Some(before) = value
        .address
        .filter(|before| contact.address.as_ref() != Some(before))
    {
        notify_of_change(setup, partner, before, invocation).await;
    }
    Ok(())
}

/// Stores the contact as changed from this version, and notes who changed what.
async fn store(
    setup: &Setup,
    partner: &PartnerId,
    (contact, version): (&Contact, u64),
    (by, what): (Actor, &str),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let access = setup.access();
    saved(access.contacts.save(partner, contact, version).await?)?;
    setup.done(partner, by, what, &[], invocation).await;
    Ok(())
}

/// Notifies an address that it is the contact no more. A failure is logged and has its own metric and sign: the change stands.
async fn notify_of_change(
    setup: &Setup,
    partner: &PartnerId,
    before: EmailAddress,
    invocation: &Invocation,
) {
    let name = name_of(setup, partner).await;
    let mail = mails::contact_changed(before, &name, invocation.now());
    if let Err(err) = setup.mail(&mail, invocation).await {
        tracing::error!(%partner, error = %err, "failed to notify the contact before of a change");
    }
}

/// The contact, if it is still what the page showed.
async fn read_at(setup: &Setup, partner: &PartnerId, version: u64) -> Result<Contact, Problem> {
    let read = setup.access().contacts.get(partner).await?;
    match read.version == version {
        true => Ok(read.value),
        false => Err(Problem::conflict()),
    }
}

/// Counts mails against what the partner may send.
async fn may_mail(
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

/// Mails a confirmation link, then stores the address as pending. A mail that is not sent changes nothing.
async fn ask_to_confirm(
    setup: &Setup,
    session: &Session,
    (contact, version): (Contact, u64),
    address: EmailAddress,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let (partner, token) = (&session.partner, random::token()?);
    let contact = contact
        .with_pending(address.clone(), TokenHash::of(&token), invocation.now())
        .map_err(|TooManyMails| {
            Problem::refused(
                "Five links were mailed to this address already. If none arrives, choose another address, or ask the operator of your Ticketbridge to set it.",
            )
        })?;
    let origin = &setup.config.page_origin;
    let url = format!("{origin}{CONFIRM}#{partner}.{}", token.expose());
    let mail = mails::confirm_contact(address, &session.name, &url);
    setup.mail(&mail, invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to mail a confirmation link");
        in_words(&err)
    })?;
    let by = (Actor::Partner, "contact_change_requested");
    store(setup, partner, (&contact, version), by, invocation).await?;
    Ok(())
}

/// Sends a mail to the contact.
pub(crate) async fn test(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let contact = setup.access().contacts.get(partner).await?.value;
    let address = contact
        .address
        .ok_or_else(|| Problem::refused("Save an address and confirm it first."))?;
    may_mail(&setup, partner, 1, &invocation).await?;
    let mail = mails::test(address, &session.name);
    setup.mail(&mail, &invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to send a test mail");
        in_words(&err)
    })?;
    Ok(ChangeResponse::next("/setup/contact?done=mail_sent"))
}

/// The partner as its people call it; its id where that cannot be read, for a mail is better than none.
async fn name_of(setup: &Setup, partner: &PartnerId) -> String {
    let read = setup.access().partners.get(partner).await.ok();
    let name = read.and_then(|read| read.value).map(|partner| partner.name);
    name.unwrap_or_else(|| partner.to_string())
}

fn in_words(err: &NotSent) -> Problem {
    match err {
        NotSent::Sender { .. } => Problem::refused(
            "The mail was not sent: Ticketbridge's own address is not ready to send. Only the operator of your Ticketbridge can mend that; please tell them.",
        ),
        NotSent::Recipient { .. } => Problem::invalid(
            "address",
            "The mail was not sent: the mail service does not send to this address. Check it for a mistake. If it is right, tell the operator of your Ticketbridge: as long as Amazon keeps their mail service in its test stage, it sends to confirmed addresses alone.",
        ),
        NotSent::Throttled { .. } => Problem::unavailable(
            "The mail was not sent: more mails than allowed are going out. Try again in a few minutes.",
        ),
        NotSent::Unavailable { .. } => Problem::unavailable(
            "It is not known whether the mail was sent: the mail service did not answer. Look whether it arrives, and try again in a minute.",
        ),
    }
}
