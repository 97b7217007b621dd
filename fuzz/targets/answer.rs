//! Arbitrary answers of ConnectWise: two bytes of status, header lines up to an empty one, and the
//! body.
#![no_main]

use connectwise::fuzzing::interpret_all;
use libfuzzer_sys::fuzz_target;

/// The headers that are read.
const HEADERS: [&str; 4] = ["content-type", "link", "retry-after", "location"];

fuzz_target!(|input: &[u8]| {
    let Some((status, rest)) = input.split_at_checked(3) else {
        return;
    };
    let digits = status
        .iter()
        .fold(0_u16, |sum, digit| sum * 10 + u16::from(digit % 10));
    let status = 100 + digits % 500;
    let mut headers = vec![];
    let mut body = rest;
    for name in HEADERS {
        let Some(end) = body.iter().position(|&byte| byte == b'\n') else {
            break;
        };
        headers.push((name, &body[..end]));
        body = &body[end + 1..];
    }
    for verdict in interpret_all(status, &headers, body) {
        let error = verdict.violation(status);
        assert!(error.is_none(), "{}: {error:?}", verdict.path);
    }
});
