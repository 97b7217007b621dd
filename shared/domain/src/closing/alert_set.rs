//! The set of alerts that a person approves: exactly those that the page showed, and not others of
//! the same number.

use sha2::{Digest as _, Sha256};

use crate::alert::key::ItemKey;
use crate::digest::hex;

/// Alerts of one tenant, each as a 64-bit hash. Tens of thousands fit into one item of the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertSet(Vec<u64>);

/// More alerts do not fit into an item. The others are held again after these are closed.
const MOST: usize = 40_000;

impl AlertSet {
    /// The set of these alerts, in any order.
    #[must_use]
    pub fn new(alerts: impl IntoIterator<Item = ItemKey>) -> Self {
        let mut set: Vec<u64> = alerts.into_iter().map(short_hash).collect();
        set.sort_unstable();
        set.dedup();
        set.truncate(MOST);
        Self(set)
    }

    /// Identifies the set. Two sets with the same digest are equal.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(self.to_bytes());
        hex(digest.get(..16).unwrap_or_default())
    }

    #[must_use]
    pub fn contains(&self, alert: ItemKey) -> bool {
        self.0.binary_search(&short_hash(alert)).is_ok()
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.to_be_bytes()).collect()
    }

    /// Reads the stored form. Extra bytes are ignored.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let hashes = bytes.as_chunks::<8>().0.iter();
        Self(hashes.map(|hash| u64::from_be_bytes(*hash)).collect())
    }
}

fn short_hash(alert: ItemKey) -> u64 {
    let digest = Sha256::digest(alert.to_string());
    let first = digest.first_chunk::<8>().copied();
    u64::from_be_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> ItemKey {
        ItemKey::parse(&format!("{:016x}-{n:032x}", 7)).unwrap()
    }

    #[test]
    fn an_alert_set_depends_only_on_its_alerts() {
        let set = AlertSet::new((0..30).map(key));
        assert_eq!(AlertSet::new((0..30).rev().map(key)), set);
        let other = AlertSet::new((1..31).map(key));
        assert_ne!(other.digest(), set.digest());
        assert!(set.contains(key(0)) && !other.contains(key(0)));
        let stored = AlertSet::from_bytes(&set.to_bytes());
        assert_eq!((stored.digest(), &stored), (set.digest(), &set));
        assert_eq!(set.digest().len(), 32);
        assert_ne!(AlertSet::default().digest(), set.digest());
    }

    #[test]
    fn a_set_fits_into_an_item() {
        let set = AlertSet::new((0..50_000).map(key));
        assert_eq!(set.to_bytes().len(), 320_000);
    }
}
