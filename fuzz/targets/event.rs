//! Bodies with one event.
#![no_main]

use domain::wire::webhook::parse;
use fuzz::{can_be_queued, expect_printable, policy, times};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match parse(body, &policy(), times()) {
        Ok(parsed) => {
            for message in &parsed.messages {
                can_be_queued(message, body);
            }
            for rejected in &parsed.rejected {
                expect_printable(&rejected.error);
            }
            // Logs and responses contain only names of members and numbers.
            assert!(parsed.dropped.to_string().len() < 200);
        }
        Err(err) => expect_printable(&err),
    }
});
