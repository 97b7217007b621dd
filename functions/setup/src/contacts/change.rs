//! Changes the contacts, and sends the mails about the change.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::mail::{Mail, MailError};
use domain::setup::access::TokenHash;
use domain::setup::contacts::{Contact, ContactError, Contacts, MailKind};
use domain::{EmailAddress, PartnerId};
use store::{Actor, Versioned};

use crate::auth::session::PartnerSession;
use crate::context::Setup;
use crate::http::problem::{Problem, saved_version};
use crate::{audit, mails, paths, random};

/// The mails of a partner are limited, so that the page cannot be used to flood a mailbox.
const TOO_MANY: &str = "Too many mails were sent from this page lately. Nothing was changed or sent. Try again in ten minutes.";

/// The contacts, if they are unchanged since the page was loaded.
pub(super) async fn read_at(
    setup: &Setup,
    partner: &PartnerId,
    version: u64,
) -> Result<Contacts, Problem> {
    let read = setup.access().contacts.get(partner).await?;
    if read.version == version {
        Ok(read.value)
    } else {
        Err(Problem::conflict())
    }
}

/// Whether the partner's alerts become tickets, so that it needs an emergency contact. If it goes
/// live at this very moment, its last emergency contact may still be removed.
pub(super) async fn is_live(setup: &Setup, partner: &PartnerId) -> Result<bool, Problem> {
    let connection = setup.access().connections.get(partner).await?.value;
    Ok(connection.is_some_and(|connection| connection.confirmed))
}

/// Stores the contacts if they still have this version, and records the change.
pub(super) async fn store(
    setup: &Setup,
    partner: &PartnerId,
    (before, after, version): (&Contacts, &Contacts, u64),
    action: (Actor, &str),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let access = setup.access();
    saved_version(access.contacts.save(partner, after, version).await?)?;
    let detail = differences(before, after);
    audit::record(setup, partner, action, &detail, invocation).await;
    Ok(())
}

/// Who was added, removed or changed, for the history.
pub(super) fn differences(before: &Contacts, after: &Contacts) -> Vec<(&'static str, String)> {
    let named = |contact: &Contact| {
        let mails = mails::titles(&contact.mails);
        format!("{} ({mails})", contact.address.as_str())
    };
    let (mut added, mut removed, mut changed, mut other) = (vec![], vec![], vec![], vec![]);
    for contact in after.iter() {
        match before.find(&contact.address) {
            None => added.push(named(contact)),
            Some(known) if known.mails != contact.mails => {
                let mails = |of: &Contact| mails::titles(&of.mails);
                let mails = audit::changed(&mails(known), &mails(contact));
                changed.push(format!("{}: {mails}", contact.address.as_str()));
            }
            // It was confirmed, or another link was mailed.
            Some(known) if known != contact => other.push(contact.address.as_str().to_owned()),
            Some(_) => {}
        }
    }
    let is_gone = |contact: &&Contact| after.find(&contact.address).is_none();
    removed.extend(before.iter().filter(is_gone).map(named));
    let all = [
        ("added", added),
        ("removed", removed),
        ("mails", changed),
        ("contact", other),
    ];
    let all = all.into_iter().filter(|(_, of)| !of.is_empty());
    all.map(|(label, of)| (label, of.join("; "))).collect()
}

/// Mails a confirmation link, then stores the contacts in which the address waits for it. If the mail
/// fails, nothing changes.
pub(super) async fn request_confirmation(
    setup: &Setup,
    session: &PartnerSession,
    (before, address): (&Contacts, &EmailAddress),
    change: impl FnOnce(TokenHash) -> Result<Contacts, ContactError>,
    (version, action): (u64, &str),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let (partner, token) = (&session.partner, random::token()?);
    let contacts = change(TokenHash::new(&token)).map_err(refusal)?;
    let mails = contacts.find(address).map(|contact| contact.mails.clone());
    count_mail(setup, partner, invocation).await?;
    let origin = &setup.config.page_origin;
    let path = paths::CONFIRM_CONTACT;
    let url = format!("{origin}{path}#{partner}.{}", token.expose());
    let mails = mails.unwrap_or_default();
    let mail = mails::confirm_contact(address.clone(), &session.name, &mails, &url);
    setup.mail(&mail, invocation).await.map_err(|err| {
        tracing::error!(%partner, error = %err, "failed to mail a confirmation link");
        not_sent(&err)
    })?;
    let action = (Actor::Partner, action);
    let saved = (before, &contacts, version);
    store(setup, partner, saved, action, invocation).await
}

/// Replaces all contacts for the operator. It takes effect at once, and links that were mailed to
/// other addresses confirm nothing any more.
pub(crate) async fn set_by_operator(
    setup: &Setup,
    partner: &PartnerId,
    contacts: Vec<(EmailAddress, BTreeSet<MailKind>)>,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let is_live = is_live(setup, partner).await?;
    let Versioned { value, version } = setup.access().contacts.get(partner).await?;
    let contacts = Contacts::confirmed_by_operator(contacts);
    let contacts = contacts.and_then(|contacts| contacts.replacing(&value, is_live));
    let contacts = contacts.map_err(refusal)?;
    if value == contacts {
        return Ok(());
    }
    let action = (Actor::Operator, "contacts_set");
    let saved = (&value, &contacts, version);
    store(setup, partner, saved, action, invocation).await?;
    setup.schedule().probe(partner, invocation.now()).await?;
    let name = name_of(setup, partner).await;
    let mut mails = vec![];
    for before in value.iter().filter(|before| before.is_confirmed()) {
        let (to, now) = (before.address.clone(), invocation.now());
        match contacts.find(&before.address) {
            None => mails.push(mails::contact_removed(to, &name, now)),
            Some(after) if after.mails != before.mails => {
                mails.push(mails::contact_changed(to, &name, &after.mails, now));
            }
            Some(_) => {}
        }
    }
    notify(setup, partner, &mails, invocation).await;
    Ok(())
}

/// The mails about a change of one contact: `own` to its address, if it was confirmed, and another
/// one to the other emergency contacts. So a stolen session cannot redirect the mails unnoticed.
pub(super) fn notices(
    before: &Contacts,
    of: &EmailAddress,
    own: Option<Mail>,
    other: impl Fn(EmailAddress) -> Mail,
) -> Vec<Mail> {
    let changed = before.find(of);
    let own = own.filter(|_| changed.is_some_and(Contact::is_confirmed));
    let others = before.iter().filter(|contact| {
        contact.receives(MailKind::BrokenConnection) && changed != Some(*contact)
    });
    let others = others.map(|contact| other(contact.address.clone()));
    own.into_iter().chain(others).collect()
}

/// Sends the mails about a change that was made. A failure is logged and counted, and the change
/// remains. Returns whether all were sent.
pub(super) async fn notify(
    setup: &Setup,
    partner: &PartnerId,
    mails: &[Mail],
    invocation: &Invocation,
) -> bool {
    let mut all_sent = true;
    for mail in mails {
        if let Err(err) = setup.mail(mail, invocation).await {
            tracing::error!(%partner, error = %err, "failed to notify a contact of a change of the contacts");
            all_sent = false;
        }
    }
    all_sent
}

/// The partner's display name. If it cannot be read, the id: a mail is better than none.
async fn name_of(setup: &Setup, partner: &PartnerId) -> String {
    let read = setup.access().partners.get(partner).await.ok();
    let name = read.and_then(|read| read.value).map(|partner| partner.name);
    name.unwrap_or_else(|| partner.to_string())
}

/// Counts a change that causes mails against the partner's limit. The notices to confirmed contacts
/// are not counted one by one: their number is limited.
///
/// # Errors
/// When the limit is reached.
pub(super) async fn count_mail(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let limits = &setup.access().mail_limits;
    match limits.acquire(partner, invocation.now()).await? {
        true => Ok(()),
        false => Err(Problem::refused(TOO_MANY)),
    }
}

/// Why the contacts were not changed, for the person who changes them.
pub(super) fn refusal(err: ContactError) -> Problem {
    match err {
        ContactError::TooMany => {
            Problem::refused("There are ten contacts already. Remove one of them first.")
        }
        ContactError::Exists => Problem::invalid(
            "address",
            "This address is a contact already. Change its mails in the list.",
        ),
        ContactError::Unknown => {
            Problem::outdated("This address is no contact any more. Load the page again.")
        }
        ContactError::NoMails => Problem::invalid(
            "mails[]",
            "Choose at least one kind of mail. To send none, remove the contact.",
        ),
        ContactError::Confirmed => Problem::refused("This address is confirmed already."),
        ContactError::TooManyMails => Problem::refused(
            "Five links were mailed to this address already. If none arrives, add another address, or ask the operator of your Ticketbridge to set it.",
        ),
        ContactError::LastEmergencyContact => Problem::refused(
            "Ticketbridge is live, so at least one confirmed contact must receive the mails \"Broken connection\". Choose them for another confirmed contact first, or add a contact: it must confirm its address.",
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(of: &[(&str, &[MailKind])]) -> Contacts {
        let of = of.iter().map(|(address, mails)| {
            let address = EmailAddress::parse(address).unwrap();
            (address, mails.iter().copied().collect::<BTreeSet<_>>())
        });
        Contacts::confirmed_by_operator(of).unwrap()
    }

    #[test]
    fn the_history_says_who_gets_which_mails_now_and_before() {
        let (broken, weekly) = (MailKind::BrokenConnection, MailKind::WeeklyReport);
        let before = contacts(&[
            ("kim@northwind.example", &[broken]),
            ("lee@northwind.example", &[broken]),
        ]);
        let after = contacts(&[
            ("kim@northwind.example", &[broken, weekly]),
            ("max@northwind.example", &[weekly]),
        ]);
        assert_eq!(
            differences(&before, &after),
            [
                ("added", "max@northwind.example (Weekly report)".to_owned()),
                ("removed", "lee@northwind.example (Broken connection)".to_owned()),
                (
                    "mails",
                    "kim@northwind.example: Broken connection, Weekly report (before: Broken connection)".to_owned()
                ),
            ]
        );
        assert_eq!(differences(&after, &after), []);
    }
}
