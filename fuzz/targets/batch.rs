//! Bodies with many events, each of which is parsed independently of the others.
#![no_main]

use domain::wire::webhook::parse;
use fuzz::{can_be_queued, expect_printable, policy, times};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match parse(body, &policy(), times()) {
        Ok(parsed) => {
            assert!(!parsed.messages.is_empty() || !parsed.rejected.is_empty());
            for message in &parsed.messages {
                can_be_queued(message, body);
            }
            for rejected in &parsed.rejected {
                expect_printable(&rejected.error);
            }
            // The same batch with an invalid event in front.
            if let Some((b'[', rest)) = body.trim_ascii_start().split_first() {
                let longer = [b"[7,".as_slice(), rest].concat();
                if let Ok(longer) = parse(&longer, &policy(), times()) {
                    assert_eq!(longer.messages.len(), parsed.messages.len());
                    assert_eq!(longer.rejected.len(), parsed.rejected.len() + 1);
                }
            }
        }
        Err(err) => expect_printable(&err),
    }
});
