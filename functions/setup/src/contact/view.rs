//! The pages "Emergency contact" and of a confirmation link.

use domain::EmailAddress;
use domain::setup::contact::Contact;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::page;
use crate::paths;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct ContactView {
    /// The contact.
    address: Option<String>,
    /// The address that replaces it once it is confirmed.
    pending: Option<PendingContactView>,
    version: u64,
}

#[derive(Serialize)]
struct PendingContactView {
    address: String,
    mailed_at: Timestamp,
    expires_at: Timestamp,
    expired: bool,
}

impl ContactView {
    pub(super) fn new(contact: Contact, version: u64, now: Timestamp) -> Self {
        let text = |address: EmailAddress| address.as_str().to_owned();
        Self {
            address: contact.address.map(text),
            pending: contact.pending.map(|pending| PendingContactView {
                expired: pending.expires_at <= now,
                address: text(pending.address),
                mailed_at: pending.mailed_at,
                expires_at: pending.expires_at,
            }),
            version,
        }
    }
}

pub(super) fn render(view: &ContactView) -> Markup {
    let entered = view.pending.as_ref().map(|pending| &pending.address);
    let entered = entered.or(view.address.as_ref());
    html! {
        p { "This address gets mails about problems, for example when ConnectWise no longer accepts the keys. It also gets a new link to this page when you request one. Choose an address that several people read." }
        @if let Some(pending) = &view.pending { (render_pending(pending, view)) }
        @else if let Some(address) = &view.address { p class="good" { "Confirmed: " (address) } }
        form method="post" action=(SetupStep::Contact.path()) {
            input type="hidden" name="version" value=(view.version);
            label for="address" { "E-mail address" }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email" value=[entered] aria-describedby="address-help";
            small id="address-help" {
                "A link is mailed to a new address. The address becomes the contact once that link is opened and confirmed."
                @if view.address.is_some() { " Until then the present contact stays, and gets a mail about the change." }
            }
            button { "Save" }
        }
        @if view.address.is_some() {
            form method="post" action=(paths::TEST_MAIL) {
                p { "Check that mails arrive at the contact:" }
                button { "Send a test mail" }
            }
        }
    }
}

fn render_pending(pending: &PendingContactView, view: &ContactView) -> Markup {
    html! {
        section aria-label="Address that waits for confirmation" {
            p class="note" {
                b { (pending.address) } " waits for confirmation. A link was mailed there at " (page::time(pending.mailed_at)) "; "
                @if pending.expired { "it has expired: send it again." }
                @else { "it works once, until " (page::time(pending.expires_at)) "." }
            }
            p {
                @match &view.address {
                    Some(address) => { "Until then mails go to " (address) " as before." }
                    None => "Until then no mails are sent, and Ticketbridge cannot go live. If no mail arrives, ask the operator of your Ticketbridge: they can set the address without a mail.",
                }
            }
            form method="post" action=(paths::RESEND_CONFIRMATION) {
                input type="hidden" name="version" value=(view.version);
                button { "Send the link again" }
            }
            form method="post" action=(paths::CANCEL_CONTACT_CHANGE) {
                input type="hidden" name="version" value=(view.version);
                button class="plain" { "Cancel the change" }
            }
        }
    }
}

/// The page behind a confirmation link. Its script sends the token when a person presses the
/// button: programs that open the links of mails confirm nothing.
pub(super) fn render_confirmation(is_confirmed: bool) -> Markup {
    html! {
        @if is_confirmed {
            p class="done" role="status" { "Confirmed: mails about problems come to this address from now on." }
            p { a href=(paths::START) { "Go to the set-up" } " if you are signed in there. There is nothing else to do." }
        } @else {
            p { "Once you confirm this address, Ticketbridge sends it a mail when the connection to ConnectWise has a problem." }
            form id="open" data-path=(paths::CONFIRM_CONTACT) { button { "Confirm this address" } }
            p role="alert" class="problem" hidden {}
            noscript { p class="problem" { "This page needs JavaScript to read the link. Please switch it on." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> PendingContactView {
        PendingContactView {
            address: "new@northwind.example".to_owned(),
            mailed_at: "2026-11-02T07:05:00Z".parse().unwrap(),
            expires_at: "2026-11-03T07:05:00Z".parse().unwrap(),
            expired: false,
        }
    }

    #[test]
    fn contact_shows_a_pending_address() {
        for (name, address) in [
            ("first", None),
            ("replaced", Some("oncall@northwind.example".to_owned())),
        ] {
            let view = ContactView {
                address,
                pending: Some(pending()),
                version: 2,
            };
            let page = render(&view);
            insta::assert_snapshot!(name, crate::page::lines(&page));
        }
    }
}
