//! The mails of the set-up, as text and as HTML. `maud` escapes the names in them.

use aws::mail::Mail;
use domain::EmailAddress;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// A new link to the partner's page.
pub(crate) fn new_link(to: EmailAddress, partner: &str, url: &str) -> Mail {
    let request = format!(
        "A new link to the Ticketbridge set-up of {partner} was requested. It works once, within half an hour:"
    );
    let otherwise =
        "If no one at your company requested it, do nothing: the link is only in this mail.";
    Mail {
        to,
        subject: format!("Your link to the Ticketbridge set-up of {partner}"),
        text: format!("{request}\n\n{url}\n\n{otherwise}\n"),
        html: page(&html! {
            p { (request) }
            p { a href=(url) { "Open the set-up" } }
            p { "Or copy this address: " (url) }
            p { (otherwise) }
        }),
    }
}

/// The link that makes an address the contact.
pub(crate) fn confirm_contact(to: EmailAddress, partner: &str, url: &str) -> Mail {
    let request = format!(
        "This address was entered as the emergency contact of {partner} on Ticketbridge's set-up page. The emergency contact gets a mail when the connection to ConnectWise is broken. To confirm the address, open this link within a day and press the button there:"
    );
    let otherwise = "If you do not know why you get this mail, do nothing: no other mail is sent unless the link is opened.";
    Mail {
        to,
        subject: format!("Please confirm: emergency contact of {partner} at Ticketbridge"),
        text: format!("{request}\n\n{url}\n\n{otherwise}\n"),
        html: page(&html! {
            p { (request) }
            p { a href=(url) { "Confirm this address" } }
            p { "Or copy this address: " (url) }
            p { (otherwise) }
        }),
    }
}

/// Notifies the contact that another address was entered.
pub(crate) fn contact_change_requested(to: EmailAddress, partner: &str, at: Timestamp) -> Mail {
    let at = at.strftime("%-d %B %Y at %H:%M UTC");
    let change = format!(
        "Another address was entered as the emergency contact of {partner} on Ticketbridge's set-up page on {at}. Mails come here as before until the new address is confirmed from there."
    );
    let otherwise = "If none of you did this, open the page Emergency contact, cancel the change, and tell the operator of your Ticketbridge at once: they can end all sessions and links.";
    let subject = format!("Ticketbridge: the emergency contact of {partner} is to change");
    two_paragraphs(to, subject, &change, otherwise)
}

/// Notifies the former contact of the change.
pub(crate) fn contact_changed(to: EmailAddress, partner: &str, at: Timestamp) -> Mail {
    let at = at.strftime("%-d %B %Y at %H:%M UTC");
    let change = format!(
        "The emergency contact of {partner} was changed on {at}. This address is no longer the contact and gets no more mails."
    );
    let otherwise = "If none of you did this, tell the operator of your Ticketbridge at once: they can end all sessions and links, and restore the contact.";
    let subject = format!("Ticketbridge: the emergency contact of {partner} was changed");
    two_paragraphs(to, subject, &change, otherwise)
}

pub(crate) fn test(to: EmailAddress, partner: &str) -> Mail {
    let test = format!(
        "This is a test mail, requested on Ticketbridge's set-up page of {partner}. Mails about problems come to this address."
    );
    let nothing = "There is nothing to do.";
    let subject = format!("Ticketbridge: a test mail for {partner}");
    two_paragraphs(to, subject, &test, nothing)
}

fn two_paragraphs(to: EmailAddress, subject: String, first: &str, second: &str) -> Mail {
    Mail {
        to,
        subject,
        text: format!("{first}\n\n{second}\n"),
        html: page(&html! { p { (first) } p { (second) } }),
    }
}

fn page(body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Ticketbridge" } }
            body { (body) }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_name_is_escaped() {
        let to = EmailAddress::parse("anna@northwind.example").unwrap();
        let name = r#"<script>"&'x"#;
        let url = "https://setup.example/setup/open#abc";
        for mail in [
            new_link(to.clone(), name, url),
            contact_changed(to.clone(), name, Timestamp::UNIX_EPOCH),
            contact_change_requested(to.clone(), name, Timestamp::UNIX_EPOCH),
            confirm_contact(to.clone(), name, url),
            test(to, name),
        ] {
            assert!(!mail.html.contains("<script"), "{}", mail.html);
            assert!(
                mail.html.contains("&lt;script&gt;&quot;&amp;"),
                "{}",
                mail.html
            );
            assert!(mail.text.contains(name) && mail.subject.contains(name));
        }
    }

    #[test]
    fn a_mail_has_a_plain_text_form() {
        let to = EmailAddress::parse("anna@northwind.example").unwrap();
        let at = "2026-11-02T07:05:00Z".parse().unwrap();
        assert_eq!(
            contact_changed(to, "Northwind", at).text,
            "The emergency contact of Northwind was changed on 2 November 2026 at 07:05 UTC. This address is no \
             longer the contact and gets no more mails.\n\nIf none of you did this, tell the operator of your Ticketbridge at once: they \
             can end all sessions and links, and restore the contact.\n"
        );
    }
}
