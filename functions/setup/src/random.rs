//! What nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{Secret, SourceId};
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

/// A source's id: 130 random bits, so that no two are the same and none is guessed.
pub(crate) fn source_id() -> Result<SourceId, Problem> {
    // Thirty-two letters, so that each byte fits evenly.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = bytes::<26>()?;
    let letters = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let id = format!("src_{}", letters.collect::<String>());
    SourceId::parse(id).map_err(|_| Problem::unavailable("There is no id."))
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
