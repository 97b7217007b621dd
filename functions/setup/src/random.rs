//! Random tokens, keys and ids.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::Secret;
use ring::rand::{SecureRandom, SystemRandom};

use crate::http::problem::Problem;

/// The token of a link or session, or a source's secret: 256 random bits, as many as the hash that is
/// stored of a token.
pub(crate) fn token() -> Result<Secret, Problem> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()?)))
}

/// A source's signing secret, in the notation of Standard Webhooks.
pub(crate) fn signing_secret() -> Result<Secret, Problem> {
    let key = STANDARD.encode(bytes::<32>()?);
    Ok(Secret::new(format!("whsec_{key}")))
}

/// A source's key in base64.
pub(crate) fn base64_key() -> Result<Secret, Problem> {
    Ok(Secret::new(STANDARD.encode(bytes::<32>()?)))
}

/// The random part of a source's id: enough bits that no two ids are equal.
pub(crate) fn source_id_bytes() -> Result<[u8; 13], Problem> {
    bytes()
}

/// A key that proves source ids.
pub(crate) fn source_key() -> Result<Secret, Problem> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()?)))
}

/// Distinguishes requests of the same millisecond.
pub(crate) fn number() -> Result<u64, Problem> {
    Ok(u64::from_be_bytes(bytes()?))
}

fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Problem::unavailable("No random numbers are available."))?;
    Ok(bytes)
}
