//! Signs HTTP requests with AWS keys, for what the program calls without an SDK.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::Method;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// The gateway itself ends a request after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Whose signature a service accepts.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    /// The service's name in IAM policies.
    pub(crate) service: &'static str,
}

impl Signer {
    /// The headers that sign a request. The address must be encoded already.
    pub(crate) fn headers(
        &self,
        method: &Method,
        url: &str,
        body: &[u8],
    ) -> Result<Vec<(String, String)>> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method.as_str(), url, std::iter::empty(), body)?;
        let (instructions, _) = sign(request, &parameters.into())?.into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

/// An HTTP client with the root certificates of Mozilla, which follows no redirect. An address of
/// this machine is reached without a proxy.
pub(crate) fn http_client(url: &str) -> Result<reqwest::Client> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(TIMEOUT)
        .user_agent(concat!("ticketbridge/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("http:") {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}
