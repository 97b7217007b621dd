//! The HTTP client for what the program calls without an SDK.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// The gateway itself ends a request after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// An HTTP client with the root certificates of Mozilla, which follows no redirect. An address of
/// this machine is reached without a proxy.
pub(crate) fn create(url: &str) -> Result<reqwest::Client> {
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
