//! Bodies of many events.
#![no_main]

use domain::webhook::parse_batch;
use fuzz::{can_be_queued, can_be_told, door, times};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match parse_batch(body, &door(), times()) {
        Ok(messages) => {
            assert!(!messages.is_empty());
            for message in &messages {
                can_be_queued(message, body);
            }
        }
        Err(fault) => can_be_told(&fault),
    }
});
