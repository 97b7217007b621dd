//! An alert's identity, and the two permanent things made of it: the table's key and the ticket's token.

use crate::digest::sha256;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{digest, hex};
use crate::{AlertId, PartnerId, SourceId, TenantId};

/// What an alert is: never its title, never the id of a message about it. The same id from two sources is two alerts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// Whose ConnectWise it goes to.
    pub partner: PartnerId,
    /// Which customer it is about.
    pub tenant: TenantId,
    /// Who says so.
    pub source: SourceId,
    /// What the source calls it.
    pub alert_id: AlertId,
}

impl AlertKey {
    /// The key of the alert's item, `<16 hex>-<32 hex>`: the middle parts of its tokens.
    #[must_use]
    pub fn item_key(&self) -> String {
        let scope = [
            self.partner.as_str(),
            self.tenant.as_str(),
            self.source.as_str(),
        ];
        format!(
            "{}-{}",
            digest(&scope, 16),
            digest(&[scope[0], scope[1], scope[2], self.alert_id.as_str()], 32)
        )
    }

    /// A key that is the same for all alerts of this source and tenant whose ids are [similar](crate::alert::similar).
    #[must_use]
    pub fn similar_key(&self) -> ItemKey {
        let scope = [
            self.partner.as_str(),
            self.tenant.as_str(),
            self.source.as_str(),
        ];
        let id = crate::alert::similar::form(self.alert_id.as_str());
        let hash = sha256(&[scope[0], scope[1], scope[2], &id]);
        let mut bytes = [0; 24];
        bytes.copy_from_slice(&hash[..24]);
        ItemKey(bytes)
    }

    /// Which of the index's keys lists it.
    #[must_use]
    pub fn shard(&self) -> u8 {
        shard(&self.item_key())
    }
}

/// An alert's item key in few bytes, for whoever holds a hundred thousand of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey([u8; 24]);

impl ItemKey {
    /// Of `<16 hex>-<32 hex>`; none where that is no item key of an alert's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scope, alert) = text.split_once('-')?;
        if scope.len() != 16 || alert.len() != 32 {
            return None;
        }
        let mut bytes = [0; 24];
        let digits = scope.bytes().chain(alert.bytes());
        for (n, digit) in digits.enumerate() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            bytes[n / 2] = (bytes[n / 2] << 4) | value;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, alert) = self.0.split_at(8);
        write!(f, "{}-{}", hex(scope), hex(alert))
    }
}

/// How many index keys share one partner's alerts: a storm on a single key would be throttled.
pub const SHARDS: u8 = 4;

/// Which of the index's keys lists what has this hash for its key.
#[must_use]
pub fn shard(hex: &str) -> u8 {
    hex.bytes().last().unwrap_or_default() % SHARDS
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item_key())
    }
}

/// A ticket's `externalXRef`: `tb1-<scope>-<alert>-<episode>`. Only hexadecimal digits, letters and hyphens, so that it needs no
/// escaping in a search, and never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketRef(String);

impl TicketRef {
    /// The token of one episode of an alert.
    #[must_use]
    pub fn new(key: &AlertKey, occurrence: u32) -> Self {
        Self(format!("tb1-{}-{occurrence}", key.item_key()))
    }

    /// The token that a ticket carries; none where that is no token of ours. A token has lower-case letters only, so case and
    /// white space around it say nothing: something on the way may have changed both.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = &text.trim().to_ascii_lowercase();
        let mut parts = text.strip_prefix("tb1-")?.split('-');
        let is_hex = |part: &str, digits: usize| {
            let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            part.len() == digits && part.bytes().all(hex)
        };
        let scope = parts.next().filter(|part| is_hex(part, 16));
        let alert = parts.next().filter(|part| is_hex(part, 32));
        let ticket_ref = Self(text.to_owned());
        let whole = scope.is_some() && alert.is_some() && parts.count() == 1;
        (whole && format!("tb1-{}-{}", ticket_ref.item_key(), ticket_ref.occurrence()) == *text)
            .then_some(ticket_ref)
    }

    /// The key of the alert's item.
    #[must_use]
    pub fn item_key(&self) -> &str {
        let parts = self
            .0
            .strip_prefix("tb1-")
            .and_then(|rest| rest.rsplit_once('-'));
        parts.map_or("", |(item_key, _)| item_key)
    }

    /// Which life of the alert it is of.
    #[must_use]
    pub fn occurrence(&self) -> u32 {
        let parts = self.0.rsplit_once('-');
        parts
            .and_then(|(_, occurrence)| occurrence.parse().ok())
            .unwrap_or_default()
    }

    /// The token as it stands on the ticket.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, alert: &str) -> AlertKey {
        AlertKey {
            partner: PartnerId::parse("acme-msp").unwrap(),
            tenant: TenantId::parse(tenant).unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(alert).unwrap(),
        }
    }

    /// The values are permanent: they stand on tickets and in tables for years.
    #[test]
    fn a_token_never_changes() {
        assert_eq!(
            TicketRef::new(&key("contoso", "a-1"), 1).as_str(),
            "tb1-690b421c3b130955-35d133fcd351ba2bf45e1be907b5b77b-1"
        );
    }

    #[test]
    fn what_a_ticket_carries_is_a_token_or_not() {
        let ticket_ref = TicketRef::new(&key("contoso", "a-1"), 12);
        assert_eq!(
            TicketRef::parse(ticket_ref.as_str()),
            Some(ticket_ref.clone())
        );
        assert_eq!(ticket_ref.item_key(), key("contoso", "a-1").item_key());
        assert_eq!(ticket_ref.occurrence(), 12);
        let text = ticket_ref.as_str();
        for same in [&text.to_uppercase(), &format!(" {text}\r\n")] {
            assert_eq!(TicketRef::parse(same), Some(ticket_ref.clone()), "{same:?}");
        }
        for other in [
            "",
            "tb1-",
            &text[4..],
            &text[..text.len() - 3],
            &text.replace("tb1", "tb2"),
            &format!("{text}-1"),
            &format!("{text}x"),
            &text.replace("-12", "-012"),
            &text.replace("-12", "-+12"),
            &text.replacen('6', "", 1),
        ] {
            assert_eq!(TicketRef::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_item_key_is_the_same_in_bytes() {
        let text = key("contoso", "a-1").item_key();
        let in_bytes = ItemKey::parse(&text).unwrap();
        assert_eq!(in_bytes.to_string(), text);
        assert_ne!(
            ItemKey::parse(&key("contoso", "a-2").item_key()),
            Some(in_bytes)
        );
        for other in [
            "",
            "-",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
        ] {
            assert_eq!(ItemKey::parse(other), None, "{other}");
        }
    }

    #[test]
    fn parts_cannot_flow_into_each_other() {
        assert_ne!(key("ab", "c").item_key(), key("a", "bc").item_key());
        assert_eq!(
            key("t", "a").item_key()[..16],
            key("t", "b").item_key()[..16]
        );
    }
}
