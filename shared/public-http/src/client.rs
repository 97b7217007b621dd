//! The settings of an HTTP client that checks the addresses that it connects to.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::resolver::CheckingResolver;

/// A handshake with another continent takes well under a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Load balancers drop idle connections after a minute, and a frozen Lambda does not notice. A
/// write on such a connection is lost without proof. So idle connections are closed well before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The HTTP client cannot be built. This is a defect of the build, which shows at the first start.
#[derive(Debug, thiserror::Error)]
pub enum HttpBuildError {
    #[error("failed to build the TLS configuration")]
    Tls(#[from] rustls::Error),
    #[error("failed to build the HTTP client")]
    Client(#[from] reqwest::Error),
}

/// The client's settings: Mozilla's root certificates are compiled in and nothing is read from the
/// system, ring does the cryptography, there is no proxy, no redirect and no retry, and addresses
/// are checked where `upstream` resolves them. A name of `listed` may be private.
///
/// # Errors
/// When the TLS library refuses its settings.
pub fn client_builder(
    listed: Vec<String>,
    upstream: Arc<dyn Resolve>,
) -> Result<ClientBuilder, HttpBuildError> {
    // These trust anchors need no parsing. Scanning the system's store took 3 ms at each start.
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(CheckingResolver { listed, upstream })
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("Ticketbridge/", env!("CARGO_PKG_VERSION"))))
}
