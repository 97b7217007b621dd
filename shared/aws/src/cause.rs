//! What is told of a call that failed.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use domain::text::chain;

/// The code alone where the service answered: its words may repeat what was sent, which is a secret or somebody's address. Else the
/// whole chain.
pub(crate) fn cause<E, R>(err: &SdkError<E, R>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
    R: Debug,
{
    match err.as_service_error() {
        Some(answer) => answer
            .code()
            .unwrap_or("an answer without a code")
            .to_owned(),
        None => chain(err),
    }
}
