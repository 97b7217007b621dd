//! The mails of the set-up, as text and as HTML. `maud` escapes the names in them.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::EmailAddress;
use domain::setup::contacts::MailKind;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// To a person whose contact was changed.
const TELL_THE_OPERATOR: &str = "If none of you did this, tell the operator of your Ticketbridge at once: they can end all sessions and links, and restore the contacts.";

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

/// The link that confirms a contact.
pub(crate) fn confirm_contact(
    to: EmailAddress,
    partner: &str,
    mails: &BTreeSet<MailKind>,
    url: &str,
) -> Mail {
    let chosen = titles(mails);
    let request = format!(
        "This address was entered as a contact of {partner} on Ticketbridge's set-up page, to receive these mails: {chosen}. To confirm the address, open this link within a day and press the button there:"
    );
    let otherwise = "If you do not know why you get this mail, do nothing: no other mail is sent unless the link is opened.";
    Mail {
        to,
        subject: format!("Please confirm: contact of {partner} at Ticketbridge"),
        text: format!("{request}\n\n{url}\n\n{otherwise}\n"),
        html: page(&html! {
            p { (request) }
            p { a href=(url) { "Confirm this address" } }
            p { "Or copy this address: " (url) }
            p { (otherwise) }
        }),
    }
}

/// Notifies a contact that it receives these mails now.
pub(crate) fn contact_changed(
    to: EmailAddress,
    partner: &str,
    mails: &BTreeSet<MailKind>,
    at: Timestamp,
) -> Mail {
    let change = format!(
        "The mails that this address receives as a contact of {partner} were changed on {}. It receives these now: {}.",
        readable(at),
        titles(mails)
    );
    two_paragraphs(to, changed_subject(partner), &change, TELL_THE_OPERATOR)
}

/// Notifies a former contact.
pub(crate) fn contact_removed(to: EmailAddress, partner: &str, at: Timestamp) -> Mail {
    let at = readable(at);
    let change = format!(
        "This address was removed from the contacts of {partner} on {at}. It gets no more mails."
    );
    two_paragraphs(to, changed_subject(partner), &change, TELL_THE_OPERATOR)
}

/// What happened to another contact.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OtherChange {
    Added,
    Mails,
    Removed,
}

/// Notifies an emergency contact that another contact was changed.
pub(crate) fn other_contact_changed(
    to: EmailAddress,
    partner: &str,
    change: OtherChange,
    at: Timestamp,
) -> Mail {
    let what = match change {
        OtherChange::Added => {
            "another address was added. It gets mails once it is confirmed from there"
        }
        OtherChange::Mails => "the mails of another contact were changed",
        OtherChange::Removed => "another contact was removed",
    };
    let at = readable(at);
    let change = format!(
        "The contacts of {partner} were changed on Ticketbridge's set-up page on {at}: {what}. You get mails as before."
    );
    let otherwise = "You get this mail because you receive the mails \"Broken connection\". If none of you made this change, open the page Contacts, undo it, and tell the operator of your Ticketbridge at once: they can end all sessions and links.";
    two_paragraphs(to, changed_subject(partner), &change, otherwise)
}

fn changed_subject(partner: &str) -> String {
    format!("Ticketbridge: the contacts of {partner} were changed")
}

pub(crate) fn test(to: EmailAddress, partner: &str, mails: &BTreeSet<MailKind>) -> Mail {
    let test = format!(
        "This is a test mail, requested on Ticketbridge's set-up page of {partner}. This address is a contact that receives these mails: {}.",
        titles(mails)
    );
    let nothing = "There is nothing to do. The page Contacts changes which mails you receive.";
    let subject = format!("Ticketbridge: a test mail for {partner}");
    two_paragraphs(to, subject, &test, nothing)
}

/// The names of mails, as the page shows them.
pub(crate) fn titles(mails: &BTreeSet<MailKind>) -> String {
    let titles = mails.iter().map(|kind| kind.title());
    titles.collect::<Vec<_>>().join(", ")
}

fn readable(at: Timestamp) -> String {
    at.strftime("%-d %B %Y at %H:%M UTC").to_string()
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
        let mails = MailKind::ALL.into();
        let now = Timestamp::UNIX_EPOCH;
        for mail in [
            new_link(to.clone(), name, url),
            contact_changed(to.clone(), name, &mails, now),
            contact_removed(to.clone(), name, now),
            other_contact_changed(to.clone(), name, OtherChange::Added, now),
            confirm_contact(to.clone(), name, &mails, url),
            test(to, name, &mails),
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
    fn each_change_of_a_contact_is_a_mail() {
        let to = EmailAddress::parse("anna@northwind.example").unwrap();
        let at = "2026-11-02T07:05:00Z".parse().unwrap();
        let mails = MailKind::ALL.into();
        let partner = "Northwind";
        let mut texts = vec![
            confirm_contact(to.clone(), partner, &mails, "https://x.example").text,
            contact_changed(to.clone(), partner, &mails, at).text,
            contact_removed(to.clone(), partner, at).text,
        ];
        for change in [OtherChange::Added, OtherChange::Mails, OtherChange::Removed] {
            texts.push(other_contact_changed(to.clone(), partner, change, at).text);
        }
        texts.push(test(to, partner, &mails).text);
        insta::assert_snapshot!(texts.join("---\n"));
    }
}
