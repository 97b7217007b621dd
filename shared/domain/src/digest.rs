//! Hashes over several texts, for keys and for event identity.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Returns the first `hex` hexadecimal digits of SHA-256 over the parts. Each part is preceded by
/// its length, so `("ab", "c")` and `("a", "bc")` differ.
pub(crate) fn digest(parts: &[&str], hex: usize) -> String {
    let mut text = self::hex(&sha256(parts));
    text.truncate(hex);
    text
}

/// Returns the first eight bytes of the same hash.
pub(crate) fn digest_bytes(parts: &[&str]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = sha256(parts);
    [a, b, c, d, e, f, g, h]
}

pub(crate) fn sha256(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
