//! The emergency contact: where mails about trouble go, and fresh links to this page.

use aws::invocation::Invocation;
use aws::mail::NotSent;
use axum::Extension;
use domain::{EmailAddress, PartnerId};
use maud::html;
use serde::{Deserialize, Serialize};
use store::{Actor, Contact, Versioned};

use super::overview::After;
use crate::answer::{Done, Problem, Shown, saved};
use crate::input::{Asked, Input, capital};
use crate::page::{self, Step};
use crate::session::Session;
use crate::{Setup, State, mails};

/// Where mails stop for a while: nobody's post box is filled from here.
const TOO_MANY: &str = "Too many mails went out from this page lately. Nothing was changed or sent. Try again in ten minutes.";

#[derive(Serialize)]
struct View {
    address: Option<String>,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    address: String,
    version: u64,
}

pub(crate) async fn show(
    setup: State,
    session: Session,
    Asked(after): Asked<After>,
) -> Result<Shown, Problem> {
    let read = setup.access().contact_to_change(&session.partner).await?;
    let view = View {
        address: read
            .value
            .map(|contact| contact.address.as_str().to_owned()),
        version: read.version,
    };
    let middle = html! {
        p { "Mails about trouble go to this address, such as keys that ConnectWise no longer takes. So does a fresh link to this page when you ask for one. Best is one that several people read." }
        form method="post" action=(session.action("/setup/contact")) {
            input type="hidden" name="version" value=(view.version);
            label for="address" { "E-mail address" }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email" value=[view.address.as_deref()];
            @if view.address.is_some() {
                p class="soft" { "If you change it, the address before is told by mail." }
            }
            button { "Save" }
        }
        @if view.address.is_some() {
            form method="post" action=(session.action("/setup/contact/test")) {
                p { "See whether mails arrive there:" }
                button { "Send a test mail" }
            }
        }
    };
    Ok(Shown::of(
        &view,
        page::step(&session, Step::Contact, after.done.as_deref(), &middle),
    ))
}

/// Saves the address, then tells the one before: whoever got in with somebody's session cannot take the mails away unseen. If the process
/// dies between, the address before is not told; the history has it.
pub(crate) async fn save(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(wanted): Input<Wanted>,
) -> Result<Done, Problem> {
    let partner = &session.partner;
    let address = EmailAddress::parse(&wanted.address)
        .map_err(|fault| Problem::invalid("address", capital(&fault.to_string())))?;
    let Versioned { value, version } = setup.access().contact_to_change(partner).await?;
    if version != wanted.version {
        return Err(Problem::conflict());
    }
    let before = value.map(|contact| contact.address);
    if before.as_ref() == Some(&address) {
        return Ok(Done::next("/setup/contact?done=saved"));
    }
    let contact = Contact { address };
    let access = setup.access();
    let now = invocation.now();
    // Each change is told to the address before. Where that may not be mailed, the contact stays.
    if before.is_some() && !access.may_mail(partner, now).await? {
        return Err(Problem::refused(TOO_MANY));
    }
    saved(access.save_contact(partner, &contact, version).await?)?;
    let (by, what) = (Actor::Partner, "contact_saved");
    setup.done(partner, by, what, &[], &invocation).await;
    // What nobody could be told of so far.
    setup.connections.try_out(partner, now).await?;
    let Some(before) = before else {
        return Ok(Done::next("/setup/contact?done=saved"));
    };
    let told = tell_of_change(&setup, partner, before, &invocation).await;
    let next = match told {
        true => "/setup/contact?done=saved",
        false => "/setup/contact?done=old_address_not_told",
    };
    Ok(Done::next(next).with("old_address_told", told))
}

async fn tell_of_change(
    setup: &Setup,
    partner: &PartnerId,
    before: EmailAddress,
    invocation: &Invocation,
) -> bool {
    let name = name_of(setup, partner).await;
    let mail = mails::contact_changed(before, &name, invocation.now());
    let sent = setup.mail(&mail, invocation).await;
    if let Err(fault) = &sent {
        tracing::error!(%partner, fault = %fault, "the address before was not told");
    }
    sent.is_ok()
}

/// Sends a mail to the address that is saved.
pub(crate) async fn test(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<Done, Problem> {
    let partner = &session.partner;
    let contact = setup.access().contact_to_change(partner).await?.value;
    let contact = contact.ok_or_else(|| Problem::refused("Save an address first."))?;
    let now = invocation.now();
    if !setup.access().may_mail(partner, now).await? {
        return Err(Problem::refused(TOO_MANY));
    }
    let mail = mails::test(contact.address, &name_of(&setup, partner).await);
    setup.mail(&mail, &invocation).await.map_err(|fault| {
        tracing::error!(%partner, fault = %fault, "the test mail was not sent");
        in_words(&fault)
    })?;
    Ok(Done::next("/setup/contact?done=mail_sent"))
}

/// The partner as its people call it; its id where that cannot be read, for a mail is better than none.
async fn name_of(setup: &Setup, partner: &PartnerId) -> String {
    let read = setup.access().partner(partner).await.ok();
    let name = read.and_then(|read| read.value).map(|partner| partner.name);
    name.unwrap_or_else(|| partner.to_string())
}

fn in_words(fault: &NotSent) -> Problem {
    match fault {
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
