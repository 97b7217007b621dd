//! Describes failed SDK calls for logs.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use domain::text::chain;

/// Returns only the code of a service's error, since its text may repeat the request, with a secret
/// or an address in it. Returns the whole chain of any other error.
pub(crate) fn cause<E, R>(err: &SdkError<E, R>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
    R: Debug,
{
    match err.as_service_error() {
        Some(err) => err.code().unwrap_or("a response without a code").to_owned(),
        None => chain(err),
    }
}
