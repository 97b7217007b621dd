//! Access to a partner's page: the partner itself, invitation links, and sessions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::hex;
use crate::{PartnerId, Secret};

/// The SHA-256 hash of an invitation's or session's token, in 64 hexadecimal digits. A reader of
/// the table cannot use it to sign in. It needs no salt, since a token is random and as long as the
/// hash, so it cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    #[must_use]
    pub fn new(token: &Secret) -> Self {
        Self(hex(&Sha256::digest(token.expose())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A partner. Times are stored in whole milliseconds, as texts that sort as the times do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    pub name: String,
    /// Whether its page can be used.
    pub enabled: bool,
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub made_at: Timestamp,
    /// Only invitations made after this time are valid, and sessions of them. All are if absent. It
    /// is stored with `enabled`, so that disabling the partner and ending its sessions is one
    /// write.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::time::as_sortable_optional"
    )]
    pub sessions_from: Option<Timestamp>,
    /// Whether it may create and change its own sources on its page.
    #[serde(default)]
    pub manages_sources: bool,
}

impl Partner {
    /// Enables or disables the partner. Disabling ends all invitations and sessions for good;
    /// enabling does not restore them.
    #[must_use]
    pub fn with_enabled(mut self, enabled: bool, now: Timestamp) -> Self {
        if !enabled {
            self.sessions_from = self.sessions_from.max(Some(now));
        }
        self.enabled = enabled;
        self
    }

    fn admits(&self, linked_at: Timestamp) -> bool {
        // Within one millisecond the order is unknown.
        let ended = |from| crate::time::sortable(linked_at) <= crate::time::sortable(from);
        self.enabled && !self.sessions_from.is_some_and(ended)
    }
}

/// An invitation to a partner's page, good for one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub partner: PartnerId,
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub made_at: Timestamp,
    /// When it expires.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Whether the invitation can be used now. `partner` is its own partner, if that exists.
    #[must_use]
    pub fn is_valid(&self, partner: Option<&Partner>, now: Timestamp) -> bool {
        now < self.expires_at && partner.is_some_and(|partner| partner.admits(self.made_at))
    }

    /// The session for which it is exchanged.
    #[must_use]
    pub fn session(&self, expires_at: Timestamp) -> PageSession {
        PageSession {
            partner: self.partner.clone(),
            linked_at: self.made_at,
            expires_at,
        }
    }
}

/// The right to use a partner's page for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSession {
    pub partner: PartnerId,
    /// When its invitation was made, not when that was used. So a session that is created while all
    /// of them are ended has ended too.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub linked_at: Timestamp,
    /// When it expires.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub expires_at: Timestamp,
}

impl PageSession {
    /// Whether the session is valid now. `partner` is its own partner, if that exists.
    #[must_use]
    pub fn is_valid(&self, partner: Option<&Partner>, now: Timestamp) -> bool {
        now < self.expires_at && partner.is_some_and(|partner| partner.admits(self.linked_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
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

    /// The value is SHA-256's own example: other programs compute the same.
    #[test]
    fn a_token_is_stored_as_its_sha_256() {
        assert_eq!(
            TokenHash::new(&Secret::new("abc")).as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_session_is_valid_until_it_expires_or_all_are_ended() {
        let link = Invitation {
            partner: PartnerId::parse("northwind").unwrap(),
            made_at: at(10),
            expires_at: at(20),
        };
        for (partner, now, counts) in [
            (Some(partner(true, None)), 19, true),
            (Some(partner(true, None)), 20, false),
            (Some(partner(true, Some(9))), 19, true),
            (Some(partner(true, Some(10))), 19, false),
            (Some(partner(true, Some(11))), 19, false),
            (Some(partner(false, None)), 19, false),
            (None, 19, false),
        ] {
            let (partner, now) = (partner.as_ref(), at(now));
            assert_eq!(link.is_valid(partner, now), counts, "{partner:?} {now}");
            let session = link.session(at(20));
            assert_eq!(session.is_valid(partner, now), counts, "{partner:?} {now}");
        }
    }

    #[test]
    fn switching_on_brings_no_session_back() {
        let off = partner(true, None).with_enabled(false, at(30));
        assert_eq!(off, partner(false, Some(30)));
        assert_eq!(off.with_enabled(true, at(40)), partner(true, Some(30)));
        // Clocks differ: what was ended stays ended.
        let later = partner(true, Some(50)).with_enabled(false, at(40));
        assert_eq!(later, partner(false, Some(50)));
    }
}
