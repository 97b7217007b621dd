//! The payloads in `events/`: each is what it claims to be.
