//! The identity of an alert, and its two permanent keys: the table's key and the ticket's
//! reference.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{digest, hex, sha256};
use crate::{AlertId, PartnerId, SourceId, TenantId};

/// Identifies an alert. Neither the title nor an event's id is part of it. The same id from two
/// sources names two alerts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    pub partner: PartnerId,
    pub tenant: TenantId,
    pub source: SourceId,
    pub alert_id: AlertId,
}

impl AlertKey {
    /// Returns the key of the alert's item, `<16 hex>-<32 hex>`. It is also the middle of its
    /// ticket references.
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

    /// Returns a key that all alerts of this source and tenant share whose ids are
    /// [similar](crate::alert::similar).
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

    #[must_use]
    pub fn shard(&self) -> u8 {
        shard(&self.item_key())
    }
}

/// An alert's item key in few bytes, for lists of a hundred thousand alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey([u8; 24]);

impl ItemKey {
    /// Parses `<16 hex>-<32 hex>`.
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

/// How many index keys share the alerts of one partner. A burst on a single key would be throttled.
pub const SHARDS: u8 = 4;

/// Returns the index key for an item whose key ends with this hash.
#[must_use]
pub fn shard(hex: &str) -> u8 {
    hex.bytes().last().unwrap_or_default() % SHARDS
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item_key())
    }
}

/// A ticket's `externalXRef`: `tb1-<scope>-<alert>-<occurrence>`. It has only hexadecimal digits,
/// letters and hyphens, so a search needs no escaping, and it is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketRef(String);

impl TicketRef {
    /// The start of every reference.
    pub const PREFIX: &str = "tb1-";

    #[must_use]
    pub fn new(key: &AlertKey, occurrence: u32) -> Self {
        Self(format!("{}{}-{occurrence}", Self::PREFIX, key.item_key()))
    }

    /// Parses the reference that a ticket carries. A reference has only lower-case letters, so case
    /// and white space around it are ignored: another system may have changed both.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = &text.trim().to_ascii_lowercase();
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('-');
        let is_hex = |part: &str, digits: usize| {
            let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            part.len() == digits && part.bytes().all(hex)
        };
        let scope = parts.next().filter(|part| is_hex(part, 16));
        let alert = parts.next().filter(|part| is_hex(part, 32));
        let ticket_ref = Self(text.to_owned());
        let whole = scope.is_some() && alert.is_some() && parts.count() == 1;
        let (item_key, occurrence) = (ticket_ref.item_key(), ticket_ref.occurrence());
        let is_canonical = format!("{}{item_key}-{occurrence}", Self::PREFIX) == *text;
        (whole && is_canonical).then_some(ticket_ref)
    }

    #[must_use]
    pub fn item_key(&self) -> &str {
        let parts = self
            .0
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.rsplit_once('-'));
        parts.map_or("", |(item_key, _)| item_key)
    }

    #[must_use]
    pub fn occurrence(&self) -> u32 {
        let parts = self.0.rsplit_once('-');
        parts
            .and_then(|(_, occurrence)| occurrence.parse().ok())
            .unwrap_or_default()
    }

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

    /// The values are permanent: tickets and tables keep them for years.
    #[test]
    fn a_reference_never_changes() {
        assert_eq!(
            TicketRef::new(&key("contoso", "a-1"), 1).as_str(),
            "tb1-690b421c3b130955-35d133fcd351ba2bf45e1be907b5b77b-1"
        );
    }

    #[test]
    fn only_a_whole_reference_is_parsed() {
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
    fn an_item_key_round_trips_through_bytes() {
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
    fn parts_of_a_key_cannot_run_together() {
        assert_ne!(key("ab", "c").item_key(), key("a", "bc").item_key());
        assert_eq!(
            key("t", "a").item_key()[..16],
            key("t", "b").item_key()[..16]
        );
    }
}
