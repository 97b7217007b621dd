//! A function's one HTTP client. It is built at start-up, shared by all connections, and holds no
//! keys.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::model_version::ModelVersion;
use crate::origin::HostList;
use crate::resolver::{CheckingResolver, SystemResolver};

/// A handshake with another continent takes well under a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Load balancers drop idle connections after a minute, and a frozen Lambda does not notice. A
/// write on such a connection is lost without proof, which makes a ticket uncertain. So idle
/// connections are closed well before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The HTTP client and its allowed hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) hosts: HostList,
    pub(crate) model_version: ModelVersion,
}

/// The HTTP client cannot be built. This is a defect of the build, which shows at the first start.
#[derive(Debug, thiserror::Error)]
pub enum HttpBuildError {
    #[error("failed to build the TLS configuration")]
    Tls(#[from] rustls::Error),
    #[error("failed to build the HTTP client")]
    Client(#[from] reqwest::Error),
}

impl Http {
    /// Builds the client: Mozilla's root certificates are compiled in and nothing is read from the
    /// system, ring does the cryptography, there is no proxy, no redirect and no retry, and
    /// addresses are checked where they are resolved.
    ///
    /// # Errors
    /// When the TLS library or the client refuses its settings.
    pub fn new(hosts: HostList) -> Result<Self, HttpBuildError> {
        let client = Self::builder(&hosts, Arc::new(SystemResolver))?.build()?;
        Ok(Self {
            client,
            hosts,
            model_version: ModelVersion::default(),
        })
    }

    /// The client's settings. Tests replace the resolver and watch the connections.
    pub(crate) fn builder(
        hosts: &HostList,
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
            .dns_resolver(CheckingResolver {
                hosts: hosts.clone(),
                upstream,
            })
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .user_agent(concat!("Ticketbridge/", env!("CARGO_PKG_VERSION"))))
    }

    /// Asks for another version of ConnectWise's models.
    #[must_use]
    pub fn with_model_version(self, model_version: ModelVersion) -> Self {
        Self {
            model_version,
            ..self
        }
    }

    /// The allowed hosts, for checking an address that a partner enters.
    #[must_use]
    pub fn hosts(&self) -> &HostList {
        &self.hosts
    }
}
