//! The records of its company that a new ticket is linked to: their part of the form, of the page
//! and of the history.

use std::collections::BTreeMap;

use domain::setup::rights;
use domain::setup::ticket_links::TicketLinks;
use maud::{Markup, html};

pub(super) fn link_fields(links: TicketLinks) -> Markup {
    html! {
        fieldset {
            legend { "Device and contact" }
            p { "A ticket is created without them if the company has no such record, or several. That is looked up once a day for each device and each address." }
            label class="choice" {
                input type="checkbox" name="link_configuration" value="true" checked[links.configuration];
                span { "Link new tickets to the configuration with the name of the alert's device" }
            }
            small { "This needs the right " (rights::title(rights::CONFIGURATIONS_INQUIRE)) ". Ticketbridge then makes a further API call for each ticket with a configuration." }
            label class="choice" {
                input type="checkbox" name="link_contact" value="true" checked[links.contact];
                span { "Set the contact of new tickets by the e-mail address of the alert's user" }
            }
            small { "This needs the right " (rights::title(rights::CONTACTS_INQUIRE)) ". ConnectWise may then send e-mails to the contact, as your board's settings say." }
        }
    }
}

/// The choices in words.
pub(super) fn link_words(links: TicketLinks, words: &mut BTreeMap<String, String>) {
    let chosen = [
        (
            "configuration_of_tickets",
            links.configuration,
            "that of the device",
        ),
        ("contact_of_tickets", links.contact, "that of the user"),
    ];
    for (name, is_on, value) in chosen {
        if is_on {
            words.insert(name.to_owned(), value.to_owned());
        }
    }
}
