//! Writes secrets, and reads them without a cache. For set-up, where a person waits for the result
//! of a change. All other code reads with [`crate::secrets`].

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use aws_types::SdkConfig;
use domain::{PartnerId, Secret, SourceId, SourceKeys};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cause::cause;
use crate::secrets::{self, ConnectionSecret, SourceDocument};

/// A document and its version id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret<T> {
    pub document: T,
    /// The breaker compares keys by it.
    pub version: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to store the secret {name}: {cause}")]
pub struct SecretWriteError {
    pub name: String,
    /// Never quotes the secret.
    pub cause: String,
}

#[derive(Debug, Clone)]
pub struct SecretWriter {
    client: Client,
}

impl SecretWriter {
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// Stores a connection's keys and returns their version id. `prefix` precedes the partner's id
    /// in the secret's name. Storing them again makes another version. If the process dies right
    /// after, they are stored, and used at once by each process that has no older ones in its
    /// cache.
    ///
    /// # Errors
    /// When the call fails. The keys may still be stored.
    pub async fn put_connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
        keys: &ConnectionSecret,
    ) -> Result<String, SecretWriteError> {
        self.put(&format!("{prefix}{partner}"), keys).await
    }

    /// Stores a source's document like [`Self::put_connection`]. `prefix` precedes the source's id.
    /// The webhook uses it within five minutes, and at once if a signature does not match its
    /// cached document.
    ///
    /// # Errors
    /// As for [`Self::put_connection`].
    pub async fn put_source(
        &self,
        prefix: &str,
        source: &SourceId,
        document: &SourceDocument,
    ) -> Result<String, SecretWriteError> {
        self.put(&format!("{prefix}{source}"), document).await
    }

    /// Reads a connection's keys. `None` if they do not exist or are marked for deletion.
    ///
    /// # Errors
    /// When they are malformed or cannot be read.
    pub async fn connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
    ) -> Result<Option<StoredSecret<ConnectionSecret>>, secrets::Error> {
        self.read(&format!("{prefix}{partner}")).await
    }

    /// Reads a source's document. `None` if it does not exist or is marked for deletion.
    ///
    /// # Errors
    /// When it is malformed or cannot be read.
    pub async fn source(
        &self,
        prefix: &str,
        source: &SourceId,
    ) -> Result<Option<StoredSecret<SourceDocument>>, secrets::Error> {
        self.read(&format!("{prefix}{source}")).await
    }

    /// Reads the keys that prove source ids, or stores `new` if there are none. If the process dies
    /// right after, the next call finds them. Of two concurrent calls one is refused, and reads the
    /// other's keys.
    ///
    /// # Errors
    /// When they are malformed, marked for deletion, or cannot be read or stored.
    pub async fn source_keys(
        &self,
        prefix: &str,
        new: &Secret,
    ) -> Result<SourceKeys, secrets::Error> {
        let name = format!("{prefix}{}", secrets::SOURCE_KEYS);
        let unavailable = |cause| secrets::Error::Unavailable {
            name: name.clone(),
            cause,
        };
        if let Some(stored) = secrets::read(&self.client, &name).await? {
            return secrets::parse_source_keys(&name, &stored.text);
        }
        let create = self.client.create_secret().name(&name);
        match create.secret_string(new.expose()).send().await {
            Ok(_) => secrets::parse_source_keys(&name, new),
            Err(err)
                if err
                    .as_service_error()
                    .is_some_and(CreateSecretError::is_resource_exists_exception) =>
            {
                let stored = secrets::read(&self.client, &name).await?;
                let stored =
                    stored.ok_or_else(|| unavailable("it is marked for deletion".into()))?;
                secrets::parse_source_keys(&name, &stored.text)
            }
            // New keys in place of deleted ones would refuse every source. A person must restore
            // them.
            Err(err) => Err(unavailable(cause(&err))),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<StoredSecret<T>>, secrets::Error> {
        let Some(read) = secrets::read(&self.client, name).await? else {
            return Ok(None);
        };
        Ok(Some(StoredSecret {
            document: secrets::parse(name, &read.text)?,
            version: read.version,
        }))
    }

    /// Creates the secret, or another version of it. The SDK sends the same token with all its
    /// attempts, so that a retry makes no second version.
    async fn put(&self, name: &str, document: &impl Serialize) -> Result<String, SecretWriteError> {
        let not_stored = |cause: String| SecretWriteError {
            name: name.to_owned(),
            cause,
        };
        let text = serde_json::to_string(document).map(Secret::new);
        let text = text.map_err(|_| not_stored("it cannot be written as JSON".to_owned()))?;
        let create = self.client.create_secret().name(name);
        match create.secret_string(text.expose()).send().await {
            Ok(created) => return Ok(created.version_id.unwrap_or_default()),
            // It exists, or it is marked for deletion, which AWS calls an invalid request.
            Err(err)
                if err.as_service_error().is_some_and(|err| {
                    err.is_resource_exists_exception() || err.is_invalid_request_exception()
                }) => {}
            Err(err) => return Err(not_stored(cause(&err))),
        }
        let put = || {
            let put = self.client.put_secret_value().secret_id(name);
            put.secret_string(text.expose()).send()
        };
        match put().await {
            Ok(stored) => return Ok(stored.version_id.unwrap_or_default()),
            Err(err)
                if err
                    .as_service_error()
                    .is_some_and(PutSecretValueError::is_invalid_request_exception) => {}
            Err(err) => return Err(not_stored(cause(&err))),
        }
        // The secret is marked for deletion. Restoring it makes its last version valid until the
        // next call. If the process dies in between, that version stays valid until this is
        // repeated.
        tracing::warn!(
            secret.name = name,
            "restoring a secret that was marked for deletion"
        );
        let restore = self.client.restore_secret().secret_id(name).send().await;
        restore.map_err(|err| not_stored(cause(&err)))?;
        let stored = put().await.map_err(|err| not_stored(cause(&err)))?;
        Ok(stored.version_id.unwrap_or_default())
    }
}
