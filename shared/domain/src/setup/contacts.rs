//! The contacts of a partner, and which mails each wants. An address counts only after a person
//! confirmed it with a link that was mailed to it.
//!
//! A contact that receives mails about a broken connection is an emergency contact. A partner cannot
//! go live without one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setup::access::{Invitation, Partner, TokenHash};
use crate::{EmailAddress, PartnerId};

pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Contacts of one partner. Each gets a mail of its own, so their number is limited.
pub const MAX_CONTACTS: usize = 10;

/// The limit of confirmation mails to one address, so that they cannot flood a mailbox.
const MOST_MAILS: u32 = 5;

/// Mails that a contact can choose.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// The connection, the configuration or a source does not work, or closings are held.
    BrokenConnection,
    /// Alerts and messages wait for a person.
    WaitingAlerts,
    /// The figures of each week.
    WeeklyReport,
}

impl MailKind {
    pub const ALL: [Self; 3] = [
        Self::BrokenConnection,
        Self::WaitingAlerts,
        Self::WeeklyReport,
    ];

    /// The name in forms and in the operator's API.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::BrokenConnection => "broken_connection",
            Self::WaitingAlerts => "waiting_alerts",
            Self::WeeklyReport => "weekly_report",
        }
    }

    /// The name on the page and in mails.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BrokenConnection => "Broken connection",
            Self::WaitingAlerts => "Waiting alerts",
            Self::WeeklyReport => "Weekly report",
        }
    }

    /// Whether such mails ask for an action on the page. A contact that receives no others can
    /// request no link to it.
    #[must_use]
    pub fn asks_for_action(self) -> bool {
        match self {
            Self::BrokenConnection | Self::WaitingAlerts => true,
            Self::WeeklyReport => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub address: EmailAddress,
    /// The mails that it receives once it is confirmed. There is at least one.
    pub mails: BTreeSet<MailKind>,
    /// The confirmation that it waits for. `None` once it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// A confirmation that was requested by mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The hash of the token in the last confirmation mail. Earlier mails confirm nothing.
    token: TokenHash,
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub mailed_at: Timestamp,
    /// When the token expires.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub expires_at: Timestamp,
    /// The number of confirmation mails to this address so far.
    mails: u32,
}

/// A partner's contacts, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contacts {
    #[serde(default)]
    contacts: Vec<Contact>,
}

/// Why contacts cannot be changed like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactError {
    /// There are [`MAX_CONTACTS`] already.
    TooMany,
    /// The address is a contact already.
    Exists,
    /// The address is no contact, or no longer.
    Unknown,
    /// A contact must receive at least one kind of mail.
    NoMails,
    /// The contact is confirmed already.
    Confirmed,
    /// The address has received as many confirmation mails as allowed.
    TooManyMails,
    /// A live partner needs an emergency contact.
    LastEmergencyContact,
}

impl Confirmation {
    fn new(token: TokenHash, mails: u32, now: Timestamp) -> Self {
        Self {
            token,
            mailed_at: now,
            expires_at: now.saturating_add(CONFIRM_WITHIN).unwrap_or(now),
            mails,
        }
    }
}

impl Contact {
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmation.is_none()
    }

    /// Whether it receives such mails: it chose them, and it is confirmed.
    #[must_use]
    pub fn receives(&self, kind: MailKind) -> bool {
        self.is_confirmed() && self.mails.contains(&kind)
    }

    /// Whether it can request a link to the partner's page: its mails ask for an action there.
    #[must_use]
    pub fn may_request_link(&self) -> bool {
        MailKind::ALL
            .into_iter()
            .any(|kind| kind.asks_for_action() && self.receives(kind))
    }

    fn is_at(&self, address: &EmailAddress) -> bool {
        let (own, other) = (self.address.as_str(), address.as_str());
        own.eq_ignore_ascii_case(other)
    }
}

impl Contacts {
    /// Contacts that need no confirmation, since the operator has checked their addresses.
    ///
    /// # Errors
    /// When there are too many, when one receives no mails, or when an address occurs twice.
    pub fn confirmed_by_operator(
        contacts: impl IntoIterator<Item = (EmailAddress, BTreeSet<MailKind>)>,
    ) -> Result<Self, ContactError> {
        let mut all = Self::default();
        for (address, mails) in contacts {
            all = all.with(Contact {
                address,
                mails,
                confirmation: None,
            })?;
        }
        Ok(all)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.iter()
    }

    #[must_use]
    pub fn find(&self, address: &EmailAddress) -> Option<&Contact> {
        self.iter().find(|contact| contact.is_at(address))
    }

    /// The addresses that receive such mails.
    #[must_use]
    pub fn recipients(&self, kind: MailKind) -> Vec<EmailAddress> {
        let recipients = self.iter().filter(|contact| contact.receives(kind));
        recipients.map(|contact| contact.address.clone()).collect()
    }

    #[must_use]
    pub fn has_emergency_contact(&self) -> bool {
        self.iter()
            .any(|contact| contact.receives(MailKind::BrokenConnection))
    }

    /// Adds a contact that waits for its confirmation with this token.
    ///
    /// # Errors
    /// When there are too many, when it receives no mails, or when it is a contact already.
    pub fn with_new(
        self,
        address: EmailAddress,
        mails: BTreeSet<MailKind>,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<Self, ContactError> {
        self.with(Contact {
            address,
            mails,
            confirmation: Some(Confirmation::new(token, 1, now)),
        })
    }

    fn with(mut self, contact: Contact) -> Result<Self, ContactError> {
        if contact.mails.is_empty() {
            return Err(ContactError::NoMails);
        }
        if self.find(&contact.address).is_some() {
            return Err(ContactError::Exists);
        }
        if self.contacts.len() >= MAX_CONTACTS {
            return Err(ContactError::TooMany);
        }
        self.contacts.push(contact);
        Ok(self)
    }

    /// Starts the confirmation of a contact again, with another token.
    ///
    /// # Errors
    /// When it does not wait for a confirmation, or has received as many links as allowed.
    pub fn with_new_link(
        mut self,
        address: &EmailAddress,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<Self, ContactError> {
        let contact = self.find_mut(address)?;
        let before = contact.confirmation.take();
        let mails = before.ok_or(ContactError::Confirmed)?.mails;
        if mails >= MOST_MAILS {
            return Err(ContactError::TooManyMails);
        }
        contact.confirmation = Some(Confirmation::new(token, mails + 1, now));
        Ok(self)
    }

    /// Confirms the contact that waits for this token. Returns `None` if there is none. The token is
    /// used up. As for invitations, the partner must be enabled, and its sessions must not have been
    /// ended since.
    #[must_use]
    pub fn confirmed(
        mut self,
        token: &TokenHash,
        (id, partner): (&PartnerId, Option<&Partner>),
        now: Timestamp,
    ) -> Option<Self> {
        let waits = |contact: &&mut Contact| {
            let confirmation = contact.confirmation.as_ref();
            confirmation.is_some_and(|confirmation| confirmation.token == *token)
        };
        let contact = self.contacts.iter_mut().find(waits)?;
        let confirmation = contact.confirmation.take()?;
        let link = Invitation {
            partner: id.clone(),
            made_at: confirmation.mailed_at,
            expires_at: confirmation.expires_at,
        };
        link.is_valid(partner, now).then_some(self)
    }

    /// Changes the mails that a contact receives.
    ///
    /// # Errors
    /// When it is no contact, receives no mails then, or is the last emergency contact of a live
    /// partner.
    pub fn with_mails(
        mut self,
        address: &EmailAddress,
        mails: BTreeSet<MailKind>,
        is_live: bool,
    ) -> Result<Self, ContactError> {
        if mails.is_empty() {
            return Err(ContactError::NoMails);
        }
        let before = self.clone();
        self.find_mut(address)?.mails = mails;
        self.replacing(&before, is_live)
    }

    /// Removes a contact. Its link confirms nothing any more.
    ///
    /// # Errors
    /// When it is no contact, or the last emergency contact of a live partner.
    pub fn without(mut self, address: &EmailAddress, is_live: bool) -> Result<Self, ContactError> {
        let before = self.clone();
        self.find_mut(address)?;
        self.contacts.retain(|contact| !contact.is_at(address));
        self.replacing(&before, is_live)
    }

    /// The contacts, unless they replace those of a live partner and lack an emergency contact.
    ///
    /// # Errors
    /// When a live partner would lose its last emergency contact.
    pub fn replacing(self, before: &Self, is_live: bool) -> Result<Self, ContactError> {
        let loses = before.has_emergency_contact() && !self.has_emergency_contact();
        match is_live && loses {
            true => Err(ContactError::LastEmergencyContact),
            false => Ok(self),
        }
    }

    fn find_mut(&mut self, address: &EmailAddress) -> Result<&mut Contact, ContactError> {
        let mut contacts = self.contacts.iter_mut();
        let found = contacts.find(|contact| contact.is_at(address));
        found.ok_or(ContactError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 3600 * hour).unwrap()
    }

    fn address(name: &str) -> EmailAddress {
        EmailAddress::parse(&format!("{name}@northwind.example")).unwrap()
    }

    fn token(text: &str) -> TokenHash {
        TokenHash::new(&Secret::new(text))
    }

    fn northwind() -> PartnerId {
        PartnerId::parse("northwind").unwrap()
    }

    fn partner(enabled: bool, sessions_from: Option<i64>) -> Partner {
        Partner {
            name: "Northwind".into(),
            enabled,
            made_at: at(0),
            sessions_from: sessions_from.map(at),
            manages_sources: false,
        }
    }

    fn broken() -> BTreeSet<MailKind> {
        [MailKind::BrokenConnection].into()
    }

    fn waiting() -> BTreeSet<MailKind> {
        [MailKind::WaitingAlerts].into()
    }

    fn anna() -> Contacts {
        Contacts::confirmed_by_operator([(address("anna"), broken())]).unwrap()
    }

    fn anna_and_new_ben() -> Contacts {
        let ben = anna().with_new(address("ben"), waiting(), token("b"), at(1));
        ben.unwrap()
    }

    #[test]
    fn a_contact_receives_mails_once_it_is_confirmed() {
        let waits = anna_and_new_ben();
        assert_eq!(waits.recipients(MailKind::WaitingAlerts), []);
        let enabled = partner(true, None);
        let confirm = |contacts: Contacts, text: &str, hour| {
            contacts.confirmed(&token(text), (&northwind(), Some(&enabled)), at(hour))
        };
        let confirmed = confirm(waits.clone(), "b", 24).unwrap();
        assert_eq!(
            confirmed.recipients(MailKind::WaitingAlerts),
            [address("ben")]
        );
        assert_eq!(
            confirmed.recipients(MailKind::BrokenConnection),
            [address("anna")],
            "each receives only what it chose"
        );
        assert_eq!(confirm(confirmed, "b", 24), None, "once");
        assert_eq!(confirm(waits.clone(), "other", 24), None);
        assert_eq!(confirm(waits.clone(), "b", 25), None, "expired");
        let removed = waits.clone().without(&address("ben"), false).unwrap();
        assert_eq!(confirm(removed, "b", 24), None);
        // A newer mail replaces the link of an older one.
        let newer = waits.with_new_link(&address("ben"), token("c"), at(2));
        let newer = newer.unwrap();
        assert_eq!(confirm(newer.clone(), "b", 3), None);
        assert!(confirm(newer, "c", 3).is_some());
    }

    #[test]
    fn a_contact_that_only_reads_reports_gets_no_link() {
        let may_request = |mails: BTreeSet<MailKind>| {
            let anna = Contacts::confirmed_by_operator([(address("anna"), mails)]).unwrap();
            anna.find(&address("anna")).unwrap().may_request_link()
        };
        assert!(!may_request([MailKind::WeeklyReport].into()));
        assert!(may_request(waiting()) && may_request(broken()));
    }

    #[test]
    fn a_disabled_partner_confirms_no_address() {
        for (partner, confirms) in [
            (Some(partner(true, None)), true),
            (Some(partner(true, Some(0))), true),
            (Some(partner(true, Some(1))), false),
            (Some(partner(true, Some(2))), false),
            (Some(partner(false, None)), false),
            (None, false),
        ] {
            let of = (&northwind(), partner.as_ref());
            let confirmed = anna_and_new_ben().confirmed(&token("b"), of, at(3));
            assert_eq!(confirmed.is_some(), confirms, "{partner:?}");
        }
    }

    #[test]
    fn confirmation_mails_are_limited_per_address() {
        let mut contacts = anna_and_new_ben();
        for n in 2..=5 {
            let again = contacts.with_new_link(&address("ben"), token("b"), at(n));
            contacts = again.unwrap();
        }
        let again = |name: &str| {
            let contacts = contacts.clone();
            contacts.with_new_link(&address(name), token("b"), at(9))
        };
        assert_eq!(again("ben"), Err(ContactError::TooManyMails));
        assert_eq!(again("anna"), Err(ContactError::Confirmed));
        assert_eq!(again("cleo"), Err(ContactError::Unknown));
    }

    #[test]
    fn there_are_ten_contacts_at_most_each_with_mails() {
        let with = |contacts: Contacts, name: &str, mails| {
            contacts.with_new(address(name), mails, token("t"), at(0))
        };
        assert_eq!(
            with(anna(), "ben", BTreeSet::new()),
            Err(ContactError::NoMails)
        );
        assert_eq!(with(anna(), "ANNA", broken()), Err(ContactError::Exists));
        let mut contacts = Contacts::default();
        for n in 0..MAX_CONTACTS {
            contacts = with(contacts, &format!("a{n}"), broken()).unwrap();
        }
        assert_eq!(with(contacts, "ben", broken()), Err(ContactError::TooMany));
    }

    #[test]
    fn the_last_emergency_contact_stays_while_the_partner_is_live() {
        let contacts = anna_and_new_ben();
        let (anna, ben) = (address("anna"), address("ben"));
        let last = Err(ContactError::LastEmergencyContact);
        assert_eq!(contacts.clone().without(&anna, true), last);
        assert_eq!(contacts.clone().with_mails(&anna, waiting(), true), last);
        assert!(contacts.clone().without(&anna, false).is_ok());
        assert!(contacts.clone().without(&ben, true).is_ok());
        // An address that is not confirmed does not count.
        let pending = contacts.with_mails(&ben, broken(), true).unwrap();
        assert_eq!(pending.clone().without(&anna, true), last);
        let enabled = partner(true, None);
        let of = (&northwind(), Some(&enabled));
        let confirmed = pending.confirmed(&token("b"), of, at(2)).unwrap();
        assert!(confirmed.without(&anna, true).is_ok());
    }
}
