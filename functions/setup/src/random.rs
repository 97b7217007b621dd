//! What nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::Secret;
use ring::rand::{SecureRandom, SystemRandom};

use crate::answer::Problem;

/// A link's or session's token: random, as long as the hash under which it is kept.
pub(crate) fn token() -> Result<Secret, Problem> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()?)))
}

/// What a source signs with, as Standard Webhooks writes it.
pub(crate) fn signing_secret() -> Result<Secret, Problem> {
    let key = STANDARD.encode(bytes::<32>()?);
    Ok(Secret::new(format!("whsec_{key}")))
}

/// What makes a source's id, beside the key: so many bits that no two ids are the same.
pub(crate) fn of_source_id() -> Result<[u8; 13], Problem> {
    bytes()
}

/// A key that proves source ids.
pub(crate) fn source_key() -> Result<Secret, Problem> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()?)))
}

/// A number that no other request of the same millisecond has.
pub(crate) fn number() -> Result<u64, Problem> {
    Ok(u64::from_be_bytes(bytes()?))
}

fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Problem::unavailable("There is no randomness."))?;
    Ok(bytes)
}
