//! Signs HTTP requests with AWS keys, for what is called without an SDK: the operator's API, and
//! services whose SDK is not used.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_sigv4::sign::v4::signing_params::BuildError;

/// The name of a deployed API in IAM policies and signatures.
pub const API_GATEWAY: &str = "execute-api";

/// Whose signature a service accepts.
#[derive(Debug, Clone)]
pub struct Signer {
    pub credentials: Credentials,
    pub region: String,
    /// The service's name in IAM policies.
    pub service: &'static str,
}

/// A request that cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("the credentials cannot sign")]
    Parameters(#[from] BuildError),
    #[error("the request cannot be signed")]
    Request(#[from] SigningError),
}

impl Signer {
    /// The headers that sign a request. The address must be encoded already.
    ///
    /// # Errors
    /// When the address or the credentials have characters that a header cannot have.
    pub fn headers(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, SignerError> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method, url, std::iter::empty(), body)?;
        let (instructions, _) = sign(request, &parameters.into())?.into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}
