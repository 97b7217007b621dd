//! One ConnectWise client per partner, built from its stored keys.
//!
//! Keys are sent only to the origin that their own secret names.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::secrets::{self, ConnectionSecret, Secrets};
use connectwise::{Client, Credentials, Failure, HostError, Http};
use domain::connection::breaker::CallOutcome;
use domain::{Blocked, PartnerId, Reaction};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::confirm::{LastRead, RefusalScope, RefusedCall, confirm};
use crate::view::ConnectionSite;

/// This many time-outs in a row pause the connection.
const MAX_TIME_OUTS: u32 = 5;

/// Builds and caches the partners' clients.
#[derive(Debug)]
pub struct Clients {
    secrets: Secrets,
    http: Http,
    /// Precedes a partner's id in the name of its secret.
    secret_prefix: String,
    client_id_secret: String,
    cached: Mutex<HashMap<PartnerId, CachedClient>>,
}

/// A partner's client. It is reused while the keys are the same, so that its clones share its
/// limits.
#[derive(Debug)]
struct CachedClient {
    credentials: Credentials,
    client: Client,
    key_version: Option<String>,
    time_outs_in_a_row: u32,
    last_read: LastRead,
}

/// Why there is no client for a partner.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The keys or the clientId cannot be read.
    #[error("failed to read the connection's keys")]
    Secret(#[from] secrets::Error),
    #[error("the connection's origin is not allowed: {0}")]
    Host(String),
    /// A stored key is never sent to a changed host.
    #[error("the stored keys are for {secret}, and the connection is to {connection}")]
    OtherOrigin { secret: String, connection: String },
    #[error("the partner has no confirmed connection")]
    NotSetUp,
}

impl ClientError {
    #[must_use]
    pub fn classify(&self) -> Failure {
        let (reaction, outcome) = match self {
            Self::Secret(secrets::Error::Unavailable { .. }) => {
                (Reaction::Retry { after: None }, CallOutcome::Nothing)
            }
            Self::Secret(secrets::Error::Unknown(_) | secrets::Error::Malformed { .. })
            | Self::Host(_)
            | Self::OtherOrigin { .. } => {
                let reason = Blocked::ConnectionBroken;
                (Reaction::Block { reason }, CallOutcome::Refused)
            }
            Self::NotSetUp => {
                let reason = Blocked::NotSetUp;
                (Reaction::Block { reason }, CallOutcome::Nothing)
            }
        };
        Failure::not_done(reaction, outcome)
    }
}

impl From<HostError> for ClientError {
    fn from(err: HostError) -> Self {
        Self::Host(err.to_string())
    }
}

impl Clients {
    pub(crate) fn new(
        secrets: Secrets,
        http: Http,
        secret_prefix: String,
        client_id_secret: String,
    ) -> Self {
        Self {
            secrets,
            http,
            secret_prefix,
            client_id_secret,
            cached: Mutex::default(),
        }
    }

    /// Returns the client with the partner's stored keys.
    pub async fn get(
        &self,
        partner: &PartnerId,
        site: &ConnectionSite,
    ) -> Result<Client, ClientError> {
        let connection = &site.connection;
        let read = || self.secrets.connection(&self.secret_prefix, partner);
        let fits = |keys: &ConnectionSecret| {
            keys.origin == connection.origin && keys.company_id == connection.company_id
        };
        let (mut keys, mut key_version) = read().await?;
        // The connection may point elsewhere since these keys were cached.
        if !fits(&keys) && self.invalidate_keys(partner) {
            (keys, key_version) = read().await?;
        }
        if !fits(&keys) {
            return Err(ClientError::OtherOrigin {
                secret: keys.origin,
                connection: connection.origin.clone(),
            });
        }
        let credentials = self.credentials(keys).await?;
        let client = self.cached_client(partner, credentials, key_version)?;
        Ok(if site.careful {
            client.one_at_a_time()
        } else {
            client
        })
    }

    /// Builds a client with keys that are not stored yet. It is not cached: other calls continue
    /// with the stored keys.
    pub async fn build_with(&self, keys: ConnectionSecret) -> Result<Client, ClientError> {
        let credentials = self.credentials(keys).await?;
        Ok(Client::new(&self.http, credentials)?)
    }

    /// The HTTP client with its allowed hosts, for calls without keys.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Completes the keys with the operator's clientId, unless they have their own.
    async fn credentials(&self, keys: ConnectionSecret) -> Result<Credentials, ClientError> {
        // The host is checked first, so that a host that is not allowed costs no call.
        let origin = self.http.hosts().site(&keys.origin)?;
        let client_id = match keys.client_id {
            Some(own) => own,
            None => self.secrets.text(&self.client_id_secret).await?,
        };
        Ok(Credentials {
            origin,
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: keys.private_key,
            client_id,
        })
    }

    fn cached_client(
        &self,
        partner: &PartnerId,
        credentials: Credentials,
        key_version: Option<String>,
    ) -> Result<Client, HostError> {
        let mut cached = self.cached();
        if let Some(entry) = cached.get_mut(partner)
            && entry.credentials == credentials
        {
            entry.key_version = key_version;
            return Ok(entry.client.clone());
        }
        let client = Client::new(&self.http, credentials.clone())?;
        let entry = CachedClient {
            credentials,
            client: client.clone(),
            key_version,
            time_outs_in_a_row: 0,
            last_read: LastRead::default(),
        };
        cached.insert(partner.clone(), entry);
        Ok(client)
    }

    /// Drops a partner's keys from the cache, since they were refused. Returns whether it makes
    /// sense to read them again now.
    #[must_use]
    pub fn invalidate_keys(&self, partner: &PartnerId) -> bool {
        self.secrets.invalidate(
            &format!("{}{partner}", self.secret_prefix),
            Timestamp::now(),
        )
    }

    /// Whether the partner's keys have a clientId of their own. `false` if they cannot be read.
    pub async fn has_own_client_id(&self, partner: &PartnerId) -> bool {
        let keys = self.secrets.connection(&self.secret_prefix, partner).await;
        keys.is_ok_and(|(keys, _)| keys.client_id.is_some())
    }

    /// Whether the operator's clientId is the reason that there is no client.
    #[must_use]
    pub fn is_operators_client_id(&self, err: &ClientError) -> bool {
        match err {
            ClientError::Secret(
                secrets::Error::Unknown(name)
                | secrets::Error::Malformed { name, .. }
                | secrets::Error::Unavailable { name, .. },
            ) => *name == self.client_id_secret,
            ClientError::Host(_) | ClientError::OtherOrigin { .. } | ClientError::NotSetUp => false,
        }
    }

    /// Whether a refusal of one call counts against the connection, by a plain read with the same
    /// keys.
    pub async fn confirm(
        &self,
        partner: &PartnerId,
        client: &Client,
        refused: RefusedCall,
        now: Timestamp,
        deadline: Instant,
    ) -> RefusalScope {
        let last = self
            .cached()
            .get(partner)
            .map(|entry| entry.last_read.clone());
        confirm(&last.unwrap_or_default(), client, refused, now, deadline).await
    }

    /// Returns the version of the stored keys if it differs from `known`. The cache may be older
    /// than `known`, so a different version counts only if it was read just now.
    pub(crate) async fn newer_key_version(
        &self,
        partner: &PartnerId,
        known: &str,
    ) -> Option<String> {
        self.other_key_version(partner, known).await?;
        if !self.invalidate_keys(partner) {
            return None;
        }
        self.other_key_version(partner, known).await
    }

    async fn other_key_version(&self, partner: &PartnerId, known: &str) -> Option<String> {
        match self.secrets.connection(&self.secret_prefix, partner).await {
            Ok((_, version)) => version.filter(|version| version != known),
            Err(err) => {
                tracing::warn!(error = %err, "failed to read the version of the stored keys");
                None
            }
        }
    }

    /// The version of the keys that the cached client uses.
    pub(crate) fn key_version(&self, partner: &PartnerId) -> Option<String> {
        self.cached()
            .get(partner)
            .and_then(|entry| entry.key_version.clone())
    }

    /// Refuses new calls of the cached client for this time.
    pub(crate) fn pause(&self, partner: &PartnerId, time: Duration) {
        if let Some(entry) = self.cached().get(partner) {
            entry.client.pause_for(time);
        }
    }

    /// Counts time-outs in a row, and returns whether they are too many. Then the count starts
    /// again.
    pub(crate) fn count_time_outs(&self, partner: &PartnerId, outcome: &CallOutcome) -> bool {
        let mut cached = self.cached();
        let Some(entry) = cached.get_mut(partner) else {
            return false;
        };
        entry.time_outs_in_a_row = match outcome {
            CallOutcome::Fails { timed_out: true } => entry.time_outs_in_a_row + 1,
            CallOutcome::Nothing => entry.time_outs_in_a_row,
            CallOutcome::Works
            | CallOutcome::MissingRight(_)
            | CallOutcome::Throttled { .. }
            | CallOutcome::Refused
            | CallOutcome::Fails { timed_out: false } => 0,
        };
        if entry.time_outs_in_a_row < MAX_TIME_OUTS {
            return false;
        }
        entry.time_outs_in_a_row = 0;
        true
    }

    fn cached(&self) -> MutexGuard<'_, HashMap<PartnerId, CachedClient>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
