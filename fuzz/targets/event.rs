//! Bodies of one event.
#![no_main]

use domain::webhook::parse_event;
use fuzz::{can_be_queued, can_be_told, door, times};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match parse_event(body, &door(), times()) {
        Ok(message) => can_be_queued(&message, body),
        Err(fault) => can_be_told(&fault),
    }
});
