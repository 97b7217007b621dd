//! Who may use a partner's page: the partner itself, links that invite, and the sessions made of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::hex;
use crate::{PartnerId, Secret};

/// What is kept of a link's or session's token: SHA-256 in 64 hexadecimal digits. Who reads the table cannot come in with it. The
/// hash is plain and without salt, since a token is random and as long as the hash: there is nothing to guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn new(token: &Secret) -> Self {
        Self(hex(&Sha256::digest(token.expose())))
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A partner as the operator keeps it. Times in whole milliseconds, as texts that sort as the times do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// The name for people.
    pub name: String,
    /// Whether anybody may use its page.
    pub enabled: bool,
    /// When the operator made it.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub made_at: Timestamp,
    /// Only links made later count, and sessions made of them; all do where absent. It stands beside `enabled`, so that switching
    /// off and ending the sessions is one write.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::time::as_sortable_optional"
    )]
    pub sessions_from: Option<Timestamp>,
}

impl Partner {
    /// The partner switched on or off. Whoever switches off ends all links and sessions for good: switching on again brings none
    /// of them back.
    #[must_use]
    pub fn switched(mut self, enabled: bool, now: Timestamp) -> Self {
        if !enabled {
            self.sessions_from = self.sessions_from.max(Some(now));
        }
        self.enabled = enabled;
        self
    }

    fn admits(&self, linked_at: Timestamp) -> bool {
        // In the very millisecond it is not known which came first.
        let ended = |from| crate::time::sortable(linked_at) <= crate::time::sortable(from);
        self.enabled && !self.sessions_from.is_some_and(ended)
    }
}

/// An invitation to a partner's page, good for one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Whose page it opens.
    pub partner: PartnerId,
    /// When the operator made it.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub made_at: Timestamp,
    /// From then on it opens nothing.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Whether it opens the page of this partner, its own; none is one that does not exist.
    #[must_use]
    pub fn counts(&self, partner: Option<&Partner>, now: Timestamp) -> bool {
        now < self.expires_at && partner.is_some_and(|partner| partner.admits(self.made_at))
    }

    /// The session that it is exchanged for.
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
    /// Whose page it is.
    pub partner: PartnerId,
    /// When the link was made that it came from, not when it was followed: a session that is being made of a link while all of them
    /// are ended has ended too.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub linked_at: Timestamp,
    /// From then on it is none.
    #[serde(serialize_with = "crate::time::as_sortable")]
    pub expires_at: Timestamp,
}

impl PageSession {
    /// Whether it still is one, by its own partner; none is one that does not exist.
    #[must_use]
    pub fn counts(&self, partner: Option<&Partner>, now: Timestamp) -> bool {
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
        }
    }

    /// The value is SHA-256's own example: other programs compute the same.
    #[test]
    fn a_token_is_kept_as_its_plain_sha_256() {
        assert_eq!(
            TokenHash::new(&Secret::new("abc")).as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_counts_is_not_expired_and_younger_than_the_end_of_all() {
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
            assert_eq!(link.counts(partner, now), counts, "{partner:?} {now}");
            let session = link.session(at(20));
            assert_eq!(session.counts(partner, now), counts, "{partner:?} {now}");
        }
    }

    #[test]
    fn switching_on_brings_no_session_back() {
        let off = partner(true, None).switched(false, at(30));
        assert_eq!(off, partner(false, Some(30)));
        assert_eq!(off.switched(true, at(40)), partner(true, Some(30)));
        // Clocks differ: what was ended stays ended.
        let later = partner(true, Some(50)).switched(false, at(40));
        assert_eq!(later, partner(false, Some(50)));
    }
}
