//! The keys by which a source id proves that set-up issued it.
//!
//! An id is 13 random letters and 13 letters of a MAC over them. So the webhook endpoint recognizes
//! an invented id without a call to Secrets Manager and without a cache entry, however many ids are
//! tried.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Secret, SourceId};

/// Thirty-two letters, so that each byte maps evenly. There is no 0, so that the id for test alerts
/// is never issued.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The number of random letters, and of MAC letters: 65 bits each.
const HALF: usize = 13;

/// The minimum length of a key, in characters. A shorter one could be guessed.
const MIN_KEY: usize = 32;

/// The keys of one stage. The first one issues ids; all of them verify ids.
#[derive(Debug, Clone)]
pub struct SourceKeys(Vec<Secret>);

impl SourceKeys {
    /// Reads keys that are separated by white space. Returns `None` if there is no key, or a key is
    /// too short.
    #[must_use]
    pub fn parse(text: &Secret) -> Option<Self> {
        let keys: Vec<_> = text.expose().split_whitespace().map(Secret::new).collect();
        let is_good = |key: &Secret| key.expose().len() >= MIN_KEY;
        (!keys.is_empty() && keys.iter().all(is_good)).then_some(Self(keys))
    }

    /// Makes an id of random bytes, with a MAC by the first key.
    #[must_use]
    pub fn id(&self, random: [u8; HALF]) -> SourceId {
        let random = letters(&random);
        let proof = self.0.first().map(|key| proof(key, &random));
        SourceId::from_parts(&random, &proof.unwrap_or_default())
    }

    /// Whether one of the keys issued this id. Every key is tried, and each comparison takes the
    /// same time for every id.
    #[must_use]
    pub fn prove(&self, id: &SourceId) -> bool {
        let (random, claimed) = id.split_letters(HALF);
        self.0.iter().fold(false, |proved, key| {
            let proof = proof(key, random);
            let differences = proof
                .bytes()
                .zip(claimed.bytes())
                .fold(proof.len() ^ claimed.len(), |sum, (a, b)| {
                    sum | usize::from(a ^ b)
                });
            proved | (differences == 0)
        })
    }
}

fn proof(key: &Secret, random: &str) -> String {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(b"source id ");
    mac.update(random.as_bytes());
    let tag = mac.finalize().into_bytes();
    letters(tag.get(..HALF).unwrap_or_default())
}

fn letters(bytes: &[u8]) -> String {
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    bytes.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> SourceKeys {
        SourceKeys::parse(&Secret::new(text)).unwrap()
    }

    const KEY: &str = "the-key-of-all-tests-and-of-nothing-else";
    const OTHER: &str = "another-key-of-all-tests-and-nothing-else";

    #[test]
    fn only_the_key_that_issued_an_id_verifies_it() {
        let id = keys(KEY).id([7; HALF]);
        assert_eq!(id.as_str(), "src_hhhhhhhhhhhhhhpiuvd2q929kr");
        assert!(keys(KEY).prove(&id));
        assert!(!keys(OTHER).prove(&id));
        // A new key in front: ids of before are proved as long as their key is there.
        assert!(keys(&format!("{OTHER}\n{KEY} ")).prove(&id));
        assert!(keys(&format!("{OTHER} {KEY}")).id([7; HALF]) != id);
    }

    #[test]
    fn set_ups_own_id_and_invented_ones_are_not_proved() {
        assert!(!keys(KEY).prove(&SourceId::for_test_alerts()));
        for invented in ["0123456789abcdefghijklmnop", "zzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            let id = SourceId::parse(format!("src_{invented}")).unwrap();
            assert!(!keys(KEY).prove(&id));
        }
    }

    #[test]
    fn a_short_key_is_none() {
        for text in ["", " \n", "short", &format!("{KEY} short")] {
            assert!(SourceKeys::parse(&Secret::new(text)).is_none(), "{text}");
        }
        assert!(!format!("{:?}", keys(KEY)).contains("tests"));
    }

    proptest! {
        #[test]
        fn every_letter_of_an_id_counts(random in any::<[u8; HALF]>(), at in 4_usize..30, letter in 0_usize..32) {
            let id = keys(KEY).id(random);
            prop_assert!(keys(KEY).prove(&id));
            let mut changed = id.as_str().to_owned();
            changed.replace_range(at..=at, &char::from(LETTERS[letter]).to_string());
            let changed = SourceId::parse(changed).unwrap();
            prop_assert_eq!(keys(KEY).prove(&changed), changed == id);
        }
    }
}
