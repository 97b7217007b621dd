//! The pages "Contacts" and of a confirmation link.

use std::collections::BTreeSet;

use domain::setup::contacts::{Contact, Contacts, MAX_CONTACTS, MailKind};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::page;
use crate::paths;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct ContactsView {
    contacts: Vec<ContactView>,
    /// Whether one of them is confirmed and receives mails about a broken connection.
    has_emergency_contact: bool,
    version: u64,
}

#[derive(Serialize)]
struct ContactView {
    address: String,
    mails: BTreeSet<MailKind>,
    /// The confirmation that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation: Option<ConfirmationView>,
}

#[derive(Serialize)]
struct ConfirmationView {
    mailed_at: Timestamp,
    expires_at: Timestamp,
    expired: bool,
}

impl ContactsView {
    pub(super) fn new(contacts: &Contacts, version: u64, now: Timestamp) -> Self {
        let view = |contact: &Contact| ContactView {
            address: contact.address.as_str().to_owned(),
            mails: contact.mails.clone(),
            confirmation: contact
                .confirmation
                .as_ref()
                .map(|confirmation| ConfirmationView {
                    expired: confirmation.expires_at <= now,
                    mailed_at: confirmation.mailed_at,
                    expires_at: confirmation.expires_at,
                }),
        };
        Self {
            contacts: contacts.iter().map(view).collect(),
            has_emergency_contact: contacts.has_emergency_contact(),
            version,
        }
    }
}

pub(super) fn render(view: &ContactsView) -> Markup {
    html! {
        p { "Each contact gets the mails that are chosen for it. One that gets more than the weekly report can request a new link to this page. No contact sees the address of another in a mail." }
        (descriptions())
        @if !view.has_emergency_contact {
            p class="note" {
                "No confirmed contact receives \"" (MailKind::BrokenConnection.title()) "\" yet. Ticketbridge cannot go live without one. "
                "Choose an address that several people read."
            }
        }
        @for (n, contact) in view.contacts.iter().enumerate() { (render_contact(n, contact, view.version)) }
        h2 { "Add a contact" }
        @if view.contacts.len() >= MAX_CONTACTS {
            p { "There are ten contacts. Remove one to add another." }
        } @else { (render_new(view)) }
    }
}

fn render_new(view: &ContactsView) -> Markup {
    let all = MailKind::ALL.into();
    html! {
        form method="post" action=(SetupStep::Contacts.path()) {
            input type="hidden" name="version" value=(view.version);
            label for="address" { "E-mail address" }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email" aria-describedby="address-help";
            small id="address-help" {
                "A link is mailed to the address. It gets other mails only once that link is opened and confirmed."
                @if view.has_emergency_contact { " The contacts that receive \"" (MailKind::BrokenConnection.title()) "\" get a mail about the change." }
            }
            (choices(&all))
            button { "Add" }
        }
    }
}

fn render_contact(n: usize, contact: &ContactView, version: u64) -> Markup {
    let id = format!("contact-{n}");
    html! {
        section class="card" aria-labelledby=(id) {
            h2 id=(id) { (contact.address) }
            @match &contact.confirmation {
                Some(confirmation) => { (render_confirmation_state(confirmation)) },
                None => p class="good" { "Confirmed" },
            }
            form method="post" action=(paths::CHANGE_CONTACT) {
                (hidden(contact, version))
                (choices(&contact.mails))
                button { "Save" }
            }
            div class="actions" {
                @if contact.confirmation.is_some() {
                    form method="post" action=(paths::RESEND_CONFIRMATION) {
                        (hidden(contact, version))
                        button class="plain" { "Send the link again" }
                    }
                } @else {
                    form method="post" action=(paths::TEST_MAIL) {
                        input type="hidden" name="address" value=(contact.address);
                        button class="plain" { "Send a test mail" }
                    }
                }
                form method="post" action=(paths::REMOVE_CONTACT) {
                    (hidden(contact, version))
                    button class="plain" { "Remove" }
                }
            }
        }
    }
}

fn render_confirmation_state(confirmation: &ConfirmationView) -> Markup {
    html! {
        p class="note" {
            "Waits for confirmation, and gets no other mail until then. A link was mailed there on " (page::time(confirmation.mailed_at)) "; "
            @if confirmation.expired { "it has expired: send it again." }
            @else { "it works once, until " (page::time(confirmation.expires_at)) "." }
            " If no mail arrives, ask the operator of your Ticketbridge: they can set the address without a mail."
        }
    }
}

fn hidden(contact: &ContactView, version: u64) -> Markup {
    html! {
        input type="hidden" name="address" value=(contact.address);
        input type="hidden" name="version" value=(version);
    }
}

/// What each kind of mail says. The boxes of all contacts refer to it.
fn descriptions() -> Markup {
    html! {
        dl {
            @for kind in MailKind::ALL {
                dt { (kind.title()) }
                dd id=(help_id(kind)) { (description(kind)) }
            }
        }
    }
}

fn help_id(kind: MailKind) -> String {
    format!("about-{}", kind.id())
}

/// The boxes of the mails, of which these are chosen.
fn choices(chosen: &BTreeSet<MailKind>) -> Markup {
    html! {
        fieldset {
            legend { "Mails" }
            @for kind in MailKind::ALL {
                label class="choice" {
                    input type="checkbox" name="mails[]" value=(kind.id()) checked[chosen.contains(&kind)] aria-describedby=(help_id(kind));
                    (kind.title())
                }
            }
        }
    }
}

fn description(kind: MailKind) -> &'static str {
    match kind {
        MailKind::BrokenConnection => {
            "ConnectWise refuses the connection or does not answer, a chosen board, status or company can no longer be used, a source sends nothing, or many tickets would be closed at once and need your approval. Sent at once, and once a day while it lasts."
        }
        MailKind::WaitingAlerts => {
            "Alerts or messages wait for a person: new tenants that are not mapped, tickets that ConnectWise refuses, alerts that are too old, messages that could not be read. At most one mail an hour."
        }
        MailKind::WeeklyReport => {
            "The figures of the last seven days, and waiting alerts, each Monday at 07:00 UTC."
        }
    }
}

/// The page behind a confirmation link. Its script sends the token when a person presses the
/// button: programs that open the links of mails confirm nothing.
pub(super) fn render_confirmation(is_confirmed: bool) -> Markup {
    html! {
        @if is_confirmed {
            p class="done" role="status" { "Confirmed: the chosen mails come to this address from now on." }
            p { a href=(paths::START) { "Go to the set-up" } " if you are signed in there. There is nothing else to do." }
        } @else {
            p { "After you confirm this address, it receives the mails that the mail with this link lists." }
            form id="open" data-path=(paths::CONFIRM_CONTACT) { button { "Confirm this address" } }
            p role="alert" class="problem" hidden {}
            noscript { p class="problem" { "This page needs JavaScript to read the link. Please switch it on." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(address: &str, mails: &[MailKind], expired: Option<bool>) -> ContactView {
        ContactView {
            address: address.to_owned(),
            mails: mails.iter().copied().collect(),
            confirmation: expired.map(|expired| ConfirmationView {
                mailed_at: "2026-11-02T07:05:00Z".parse().unwrap(),
                expires_at: "2026-11-03T07:05:00Z".parse().unwrap(),
                expired,
            }),
        }
    }

    fn page(contacts: Vec<ContactView>) -> String {
        let view = ContactsView {
            has_emergency_contact: contacts
                .iter()
                .any(|contact| contact.confirmation.is_none()),
            contacts,
            version: 2,
        };
        crate::page::lines(&render(&view))
    }

    #[test]
    fn contacts_show_what_each_receives_and_waits_for() {
        let contacts = vec![
            contact("oncall@northwind.example", &MailKind::ALL, None),
            contact(
                "anna@northwind.example",
                &[MailKind::WaitingAlerts],
                Some(false),
            ),
            contact(
                "ben@northwind.example",
                &[MailKind::BrokenConnection],
                Some(true),
            ),
        ];
        insta::assert_snapshot!(page(contacts));
    }

    #[test]
    fn an_empty_list_says_that_a_contact_is_needed() {
        insta::assert_snapshot!(page(vec![]));
    }

    #[test]
    fn no_eleventh_contact_can_be_added() {
        let all = (0..10).map(|n| {
            let address = format!("a{n}@northwind.example");
            contact(&address, &MailKind::ALL, None)
        });
        let page = page(all.collect());
        assert!(page.contains("There are ten contacts."), "{page}");
        assert!(!page.contains("E-mail address"), "{page}");
    }
}
