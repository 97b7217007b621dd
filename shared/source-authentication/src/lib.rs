//! Authenticates requests of sources, each by the scheme that was set up for it.
//!
//! The webhook verifies what a source posts, and set-up what it asks about an alert. Nothing here
//! reads a table.

mod authenticate;
mod gzip;
mod proof;

pub use authenticate::{
    Authenticated, AuthenticationError, Authenticator, Refusal, partners_of, policy,
};
pub use gzip::{MAX_BODY, UnpackError, unpack};
pub use proof::{Proof, ProofContent, signature_headers};
