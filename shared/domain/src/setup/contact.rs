//! The emergency contact. An address counts only after a person confirmed it with a link that was
//! mailed to it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::setup::access::{Invitation, Partner, TokenHash};
use crate::{EmailAddress, PartnerId};

pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The limit of confirmation mails to one address, so that they cannot flood a mailbox.
const MOST_MAILS: u32 = 5;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// The confirmed address. `None` before the first confirmation; then no mail is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<EmailAddress>,
    /// The address that waits for confirmation and will replace the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub address: EmailAddress,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyMails;

impl Contact {
    /// Starts the confirmation of an address with this token. The current address stays.
    ///
    /// # Errors
    /// Fails if the address has received as many confirmation mails as allowed.
    pub fn with_pending(
        self,
        address: EmailAddress,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<Self, TooManyMails> {
        let before = self.pending.filter(|pending| pending.address == address);
        let mails = before.map_or(0, |pending| pending.mails);
        if mails >= MOST_MAILS {
            return Err(TooManyMails);
        }
        let pending = Pending {
            address,
            token,
            mailed_at: now,
            expires_at: now.saturating_add(CONFIRM_WITHIN).unwrap_or(now),
            mails: mails + 1,
        };
        Ok(Self {
            pending: Some(pending),
            ..self
        })
    }

    /// Confirms the pending address with this token. Returns `None` if the token is wrong. The
    /// pending address is used up. As for invitations, the partner must be enabled, and its
    /// sessions must not have been ended since.
    #[must_use]
    pub fn confirmed(
        self,
        token: &TokenHash,
        (id, partner): (&PartnerId, Option<&Partner>),
        now: Timestamp,
    ) -> Option<Self> {
        let pending = self.pending.filter(|pending| pending.token == *token)?;
        let link = Invitation {
            partner: id.clone(),
            made_at: pending.mailed_at,
            expires_at: pending.expires_at,
        };
        link.is_valid(partner, now).then_some(Self {
            address: Some(pending.address),
            pending: None,
        })
    }

    #[must_use]
    pub fn without_pending(self) -> Self {
        Self {
            pending: None,
            ..self
        }
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

    fn anna_then_ben() -> Contact {
        let anna = Contact {
            address: Some(address("anna")),
            pending: None,
        };
        anna.with_pending(address("ben"), token("b"), at(1))
            .unwrap()
    }

    #[test]
    fn an_address_replaces_the_one_before_once_it_is_confirmed() {
        let waits = anna_then_ben();
        assert_eq!(waits.address, Some(address("anna")));
        let enabled = partner(true, None);
        let ben = Contact {
            address: Some(address("ben")),
            pending: None,
        };
        let confirm = |contact: Contact, text: &str, hour| {
            contact.confirmed(&token(text), (&northwind(), Some(&enabled)), at(hour))
        };
        let confirmed = confirm(waits.clone(), "b", 24);
        assert_eq!(confirmed, Some(ben.clone()));
        assert_eq!(confirm(ben, "b", 24), None, "once");
        assert_eq!(confirm(waits.clone(), "other", 24), None);
        assert_eq!(confirm(waits.clone(), "b", 25), None, "expired");
        assert_eq!(confirm(waits.clone().without_pending(), "b", 24), None);
        // A newer mail replaces the link of an older one, to the same or another address.
        for name in ["ben", "cleo"] {
            let newer = waits.clone().with_pending(address(name), token("c"), at(2));
            let newer = newer.unwrap();
            assert_eq!(confirm(newer.clone(), "b", 3), None);
            let confirmed = confirm(newer, "c", 3).unwrap();
            assert_eq!(confirmed.address, Some(address(name)));
        }
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
            let confirmed = anna_then_ben().confirmed(&token("b"), of, at(3));
            assert_eq!(confirmed.is_some(), confirms, "{partner:?}");
        }
    }

    #[test]
    fn confirmation_mails_are_limited_per_address() {
        let mut contact = Contact::default();
        for n in 0..5 {
            let more = contact.with_pending(address("ben"), token("b"), at(n));
            contact = more.unwrap();
        }
        let more = contact
            .clone()
            .with_pending(address("ben"), token("b"), at(9));
        assert_eq!(more, Err(TooManyMails));
        assert!(
            contact
                .with_pending(address("cleo"), token("c"), at(9))
                .is_ok()
        );
    }

    #[test]
    fn an_address_stored_before_confirmations_existed_counts() {
        let stored = r#"{ "address": "anna@northwind.example", "version": 3 }"#;
        let contact: Contact = serde_json::from_str(stored).unwrap();
        assert_eq!(contact.address, Some(address("anna")));
        assert_eq!(contact.pending, None);
    }
}
