//! A partner's connection as this function needs it: what `decide` looks at, and a client with the right keys.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::secrets::{self, Secrets};
use aws_types::SdkConfig;
use connectwise::{Client, Credentials, HostList, Http};
use domain::settings::{ConnectionView, LiveConnection};
use domain::{Blocked, PartnerId, Reaction, TenantId};
use jiff::Timestamp;
use store::{ConfigTable, Connection};
use tokio::time::Instant;

use crate::{BuildError, Config};

/// How long settings are used without reading them again.
const FRESH: Duration = Duration::from_mins(1);

/// All connections, and what is remembered of them.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) table: ConfigTable,
    secrets: Secrets,
    http: Http,
    secret_prefix: String,
    client_id_secret: String,
    known: Mutex<HashMap<PartnerId, Known>>,
    clients: Mutex<HashMap<PartnerId, (Credentials, Client)>>,
}

#[derive(Debug, Clone)]
struct Known {
    connection: Option<(Connection, LiveConnection)>,
    read_at: Instant,
}

/// What stands in the way of a client, and what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoClient {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the connection's keys cannot be read")]
    Secret(#[from] secrets::Error),
    #[error("the connection's origin may not be spoken to: {0}")]
    Host(String),
    #[error("the stored keys are for {secret}, and the connection is to {connection}")]
    OtherOrigin { secret: String, connection: String },
    #[error("the partner has no confirmed connection")]
    NotSetUp,
}

impl NoClient {
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::Store(fault) => fault.reaction(),
            Self::Secret(secrets::Error::Unavailable { .. }) => Reaction::Retry { after: None },
            Self::Secret(secrets::Error::Unknown(_) | secrets::Error::Malformed { .. })
            | Self::Host(_)
            | Self::OtherOrigin { .. } => Reaction::Block {
                reason: Blocked::ConnectionBroken,
            },
            Self::NotSetUp => Reaction::Block {
                reason: Blocked::NotSetUp,
            },
        }
    }
}

impl Connections {
    pub(crate) fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let hosts = HostList::new(&config.allowed_origins)?;
        Ok(Self {
            table: ConfigTable::new(aws, config.config_table.clone()),
            secrets: Secrets::new(aws),
            http: Http::new(hosts)?,
            secret_prefix: config.connection_secret_prefix.clone(),
            client_id_secret: config.client_id_secret.clone(),
            known: Mutex::default(),
            clients: Mutex::default(),
        })
    }

    /// What `decide` looks at: the mapping as it is now, the rest at most a minute old.
    pub(crate) async fn view(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<ConnectionView, store::Error> {
        let (mapping, known) =
            tokio::join!(self.table.mapping(partner, tenant), self.known(partner));
        Ok(ConnectionView {
            connection: known?.connection.map(|(_, live)| live),
            mapping: mapping?,
        })
    }

    /// A client with the partner's keys: the same one as long as these are the same, since its clones take turns.
    pub(crate) async fn client(&self, partner: &PartnerId) -> Result<Client, NoClient> {
        let Some((connection, _)) = self.known(partner).await?.connection else {
            return Err(NoClient::NotSetUp);
        };
        let keys = self
            .secrets
            .connection(&self.secret_prefix, partner)
            .await
            .map_err(NoClient::Secret)?;
        // A stored key is never sent to a changed host: the secret says whose it is.
        if keys.origin != connection.origin || keys.company_id != connection.company_id {
            let (secret, connection) = (keys.origin, connection.origin);
            return Err(NoClient::OtherOrigin { secret, connection });
        }
        let client_id = match keys.client_id {
            Some(own) => own,
            None => self
                .secrets
                .text(&self.client_id_secret)
                .await
                .map_err(NoClient::Secret)?,
        };
        let origin = self
            .http
            .hosts()
            .site(&keys.origin)
            .map_err(|fault| NoClient::Host(fault.to_string()))?;
        let credentials = Credentials {
            origin,
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: keys.private_key,
            client_id,
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, client)) = clients.get(partner)
            && *same == credentials
        {
            return Ok(client.clone());
        }
        let client = Client::new(&self.http, credentials.clone())
            .map_err(|fault| NoClient::Host(fault.to_string()))?;
        clients.insert(partner.clone(), (credentials, client.clone()));
        Ok(client)
    }

    /// Has keys that were refused read afresh for the next client; tells whether asking again makes sense.
    pub(crate) fn keys_refused(&self, partner: &PartnerId) -> bool {
        self.secrets.doubt(
            &format!("{}{partner}", self.secret_prefix),
            Timestamp::now(),
        )
    }

    async fn known(&self, partner: &PartnerId) -> Result<Known, store::Error> {
        let remembered = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(partner)
            .cloned();
        if let Some(known) = remembered
            .as_ref()
            .filter(|known| known.read_at.elapsed() < FRESH)
        {
            return Ok(known.clone());
        }
        let (connection, settings) =
            tokio::join!(self.table.connection(partner), self.table.settings(partner));
        let connection = match (connection?, settings?) {
            (Some(connection), Some(settings)) if connection.confirmed => {
                let live = LiveConnection {
                    epoch: connection.epoch,
                    settings,
                };
                Some((connection, live))
            }
            _ => None,
        };
        let known = Known {
            connection,
            read_at: Instant::now(),
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(partner.clone(), known.clone());
        Ok(known)
    }
}
