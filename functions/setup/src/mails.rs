//! What mails say: short, in plain words, as text and as HTML. A name in them is somebody's choice, and escaped.

use aws::mail::Mail;
use domain::EmailAddress;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// A fresh link to the partner's page, which somebody asked for there.
pub(crate) fn fresh_link(to: EmailAddress, partner: &str, url: &str) -> Mail {
    let asked = format!(
        "Somebody asked for a fresh link to the Ticketbridge set-up of {partner}. It works once, within half an hour:"
    );
    let otherwise =
        "If nobody of you asked, do nothing: without this mail nobody can use the link.";
    Mail {
        to,
        subject: format!("Your link to the Ticketbridge set-up of {partner}"),
        text: format!("{asked}\n\n{url}\n\n{otherwise}\n"),
        html: page(&html! {
            p { (asked) }
            p { a href=(url) { "Open the set-up" } }
            p { "Or copy this address: " (url) }
            p { (otherwise) }
        }),
    }
}

/// The link by which an address becomes the contact.
pub(crate) fn confirm_contact(to: EmailAddress, partner: &str, url: &str) -> Mail {
    let asked = format!(
        "This address was entered as the emergency contact of {partner} on Ticketbridge's set-up page. The emergency contact gets a mail when the connection to ConnectWise is broken. To confirm the address, open this link within a day and press the button there:"
    );
    let otherwise = "If you do not know why you get this mail, do nothing: no other mail comes unless the link is opened.";
    Mail {
        to,
        subject: format!("Please confirm: emergency contact of {partner} at Ticketbridge"),
        text: format!("{asked}\n\n{url}\n\n{otherwise}\n"),
        html: page(&html! {
            p { (asked) }
            p { a href=(url) { "Confirm this address" } }
            p { "Or copy this address: " (url) }
            p { (otherwise) }
        }),
    }
}

/// Notifies the contact that another address was entered.
pub(crate) fn contact_change_requested(to: EmailAddress, partner: &str, at: Timestamp) -> Mail {
    let at = at.strftime("%-d %B %Y at %H:%M UTC");
    let asked = format!(
        "Another address was entered as the emergency contact of {partner} on Ticketbridge's set-up page on {at}. Mails come here as before until somebody confirms the new address from there."
    );
    let otherwise = "If that was not one of you, open the page Emergency contact, cancel the change, and tell the operator of your Ticketbridge at once: they can end all sessions and links.";
    let subject = format!("Ticketbridge: the emergency contact of {partner} is to change");
    of_two_paragraphs(to, subject, &asked, otherwise)
}

/// For the address before: mails go to another one from now on.
pub(crate) fn contact_changed(to: EmailAddress, partner: &str, at: Timestamp) -> Mail {
    let at = at.strftime("%-d %B %Y at %H:%M UTC");
    let changed = format!(
        "The emergency contact of {partner} was changed on {at}. It is no longer this address, which gets no more mails."
    );
    let otherwise = "If that was not one of you, tell the operator of your Ticketbridge at once: they can end all sessions and links, and set the contact right.";
    let subject = format!("Ticketbridge: the emergency contact of {partner} was changed");
    of_two_paragraphs(to, subject, &changed, otherwise)
}

/// That mails arrive.
pub(crate) fn test(to: EmailAddress, partner: &str) -> Mail {
    let arrived = format!(
        "This is the test mail that somebody at {partner} asked for on Ticketbridge's set-up page. Mails about trouble come to this address."
    );
    let nothing = "There is nothing to do.";
    let subject = format!("Ticketbridge: a test mail for {partner}");
    of_two_paragraphs(to, subject, &arrived, nothing)
}

fn of_two_paragraphs(to: EmailAddress, subject: String, first: &str, second: &str) -> Mail {
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
    fn a_name_stays_a_name() {
        let to = EmailAddress::parse("anna@northwind.example").unwrap();
        let name = r#"<script>"&'x"#;
        let url = "https://setup.example/setup/open#abc";
        for mail in [
            fresh_link(to.clone(), name, url),
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
    fn a_mail_is_read_without_html() {
        let to = EmailAddress::parse("anna@northwind.example").unwrap();
        let at = "2026-11-02T07:05:00Z".parse().unwrap();
        assert_eq!(
            contact_changed(to, "Northwind", at).text,
            "The emergency contact of Northwind was changed on 2 November 2026 at 07:05 UTC. It is no longer \
             this address, which gets no more mails.\n\nIf that was not one of you, tell the operator of your Ticketbridge at once: they can \
             end all sessions and links, and set the contact right.\n"
        );
    }
}
