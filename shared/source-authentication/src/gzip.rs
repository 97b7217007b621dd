//! Decompresses a body.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;

/// The largest accepted body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// The first bytes of gzip. No JSON text begins with them.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a body cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnpackError {
    TooLarge,
    /// It is not complete gzip.
    Incomplete,
}

/// Decompresses a gzip body. The body itself shows whether it is compressed, since a proxy may have
/// decompressed it and kept the header.
///
/// The limit applies to the result, so that a small body cannot fill the memory.
///
/// # Errors
/// When the result is too large, or the body is cut off.
pub fn unpack(body: &[u8]) -> Result<Cow<'_, [u8]>, UnpackError> {
    if !body.starts_with(&GZIP_MAGIC) {
        return Ok(body.into());
    }
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut unpacked = vec![];
    let read = MultiGzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked);
    if unpacked.len() > MAX_BODY {
        return Err(UnpackError::TooLarge);
    }
    match read {
        Ok(_) => Ok(unpacked.into()),
        Err(_) => Err(UnpackError::Incomplete),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(vec![], Compression::best());
        packed.write_all(body).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn gzip_is_decompressed_up_to_the_limit() {
        assert_eq!(unpack(b"{}").unwrap().as_ref(), b"{}");
        assert_eq!(unpack(&gzip(b"{}")).unwrap().as_ref(), b"{}");
        let members = [gzip(b"{"), gzip(b"}")].concat();
        assert_eq!(unpack(&members).unwrap().as_ref(), b"{}");
        let largest = vec![b' '; MAX_BODY];
        assert_eq!(unpack(&gzip(&largest)).unwrap().len(), MAX_BODY);
        for size in [MAX_BODY + 1, 200 * MAX_BODY] {
            let bomb = gzip(&vec![b' '; size]);
            assert!(bomb.len() < MAX_BODY);
            assert_eq!(unpack(&bomb), Err(UnpackError::TooLarge));
        }
        let whole = gzip(b"{\"a\": 1}");
        for length in 2..whole.len() {
            let cut = unpack(&whole[..length]);
            assert_eq!(cut, Err(UnpackError::Incomplete), "{length}");
        }
    }
}
