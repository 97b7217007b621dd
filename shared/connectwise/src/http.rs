//! The one HTTP client of a function: built at its start, shared by all connections, holding no keys.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::address::{Resolver, SystemNames};
use crate::origin::HostList;

/// A handshake with another continent takes well under a second; what takes three is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Load balancers drop idle connections after a minute, and a frozen Lambda does not see it: a write on such a connection is
/// lost without proof, which makes a ticket uncertain. So idle ones are given up well before.
const IDLE_FOR: Duration = Duration::from_secs(20);

/// The HTTP client and the list of hosts that it may speak to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) hosts: HostList,
}

/// The HTTP client could not be built: a defect of the build, seen at the first start.
#[derive(Debug, thiserror::Error)]
pub enum HttpNotBuilt {
    /// The TLS library has no common protocol version with its provider.
    #[error("the TLS configuration cannot be made")]
    Tls(#[from] rustls::Error),
    /// The client refuses its settings.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl Http {
    /// Builds the client: Mozilla's roots compiled in and nothing read from the system, ring, no proxy, no redirect, no retry
    /// below us, and addresses checked where they are resolved.
    ///
    /// # Errors
    /// When the TLS library or the client refuses its settings.
    pub fn new(hosts: HostList) -> Result<Self, HttpNotBuilt> {
        let client = Self::settings(&hosts, Arc::new(SystemNames))?.build()?;
        Ok(Self { client, hosts })
    }

    /// All that is set; apart, so that tests can ask other names and watch the connecting.
    pub(crate) fn settings(
        hosts: &HostList,
        names: Arc<dyn Resolve>,
    ) -> Result<ClientBuilder, HttpNotBuilt> {
        // Ready trust anchors, with nothing to parse: scanning the system's store was seen to cost 3 ms a start.
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Resolver {
                hosts: hosts.clone(),
                names,
            })
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_FOR)
            .user_agent(concat!("Ticketbridge/", env!("CARGO_PKG_VERSION"))))
    }

    /// The hosts that this client may speak to, for reading what a partner pastes.
    #[must_use]
    pub fn hosts(&self) -> &HostList {
        &self.hosts
    }
}
