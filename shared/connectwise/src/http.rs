//! A function's one HTTP client. It is built at start-up, shared by all connections, and holds no
//! keys.

use std::sync::Arc;

use public_http::{HttpBuildError, SystemResolver, client_builder};
use reqwest::ClientBuilder;
use reqwest::dns::Resolve;

use crate::model_version::ModelVersion;
use crate::origin::HostList;

/// The HTTP client and its allowed hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) hosts: HostList,
    pub(crate) model_version: ModelVersion,
}

impl Http {
    /// Builds the client, which checks addresses where they are resolved.
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
        client_builder(hosts.listed_names(), upstream)
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
