//! Writes secrets, and reads them as they are: for set-up, where a person waits for what was just changed. Everything else reads by
//! [`crate::secrets`].

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use aws_types::SdkConfig;
use domain::{PartnerId, Secret, SourceId, SourceKeys};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cause::cause;
use crate::secrets::{self, ConnectionSecret, SourceDocument};

/// A document in Secrets Manager, and its name for this version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// The document.
    pub document: T,
    /// What the breaker compares keys by.
    pub version: Option<String>,
}

/// A secret could not be stored.
#[derive(Debug, thiserror::Error)]
#[error("Secrets Manager did not take {name}: {cause}")]
pub struct NotStored {
    /// The secret's name.
    pub name: String,
    /// What went wrong; never what was to be stored.
    pub cause: String,
}

/// Where secrets are written.
#[derive(Debug, Clone)]
pub struct SecretWriter {
    client: Client,
}

impl SecretWriter {
    /// That of the account.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// Stores a connection's keys, and returns Secrets Manager's name for this version of them; `prefix` comes before the partner's
    /// id in the secret's name. Storing them again is storing them once more, as another version. If the process dies right after, they
    /// are stored, and in use at once wherever no others are remembered.
    ///
    /// # Errors
    /// When Secrets Manager fails. They may then be stored.
    pub async fn put_connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
        keys: &ConnectionSecret,
    ) -> Result<String, NotStored> {
        self.put(&format!("{prefix}{partner}"), keys).await
    }

    /// Stores a source's document, as [`Self::put_connection`] does; `prefix` comes before the source's id. The door acts on it within
    /// five minutes, and at once where a signature fits nothing that it remembers.
    ///
    /// # Errors
    /// As for [`Self::put_connection`].
    pub async fn put_source(
        &self,
        prefix: &str,
        source: &SourceId,
        document: &SourceDocument,
    ) -> Result<String, NotStored> {
        self.put(&format!("{prefix}{source}"), document).await
    }

    /// A connection's keys as they are stored; none where there are none, or they are marked for deletion.
    ///
    /// # Errors
    /// When they are malformed or cannot be read.
    pub async fn connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
    ) -> Result<Option<Kept<ConnectionSecret>>, secrets::Error> {
        self.read(&format!("{prefix}{partner}")).await
    }

    /// A source's document as it is stored; none where there is none, or it is marked for deletion.
    ///
    /// # Errors
    /// When it is malformed or cannot be read.
    pub async fn source(
        &self,
        prefix: &str,
        source: &SourceId,
    ) -> Result<Option<Kept<SourceDocument>>, secrets::Error> {
        self.read(&format!("{prefix}{source}")).await
    }

    /// The keys that prove source ids, made of `new` where there are none. If the process dies right after, the next call finds them.
    /// Of two that make them at once one is refused, and reads the other's.
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
        if let Some(kept) = secrets::read(&self.client, &name).await? {
            return secrets::parse_source_keys(&name, &kept.text);
        }
        let create = self.client.create_secret().name(&name);
        match create.secret_string(new.expose()).send().await {
            Ok(_) => secrets::parse_source_keys(&name, new),
            Err(err)
                if err
                    .as_service_error()
                    .is_some_and(CreateSecretError::is_resource_exists_exception) =>
            {
                let kept = secrets::read(&self.client, &name).await?;
                let kept = kept.ok_or_else(|| unavailable("it is marked for deletion".into()))?;
                secrets::parse_source_keys(&name, &kept.text)
            }
            // Replacing keys that somebody deleted would refuse every source: a person restores them.
            Err(err) => Err(unavailable(cause(&err))),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<Kept<T>>, secrets::Error> {
        let Some(read) = secrets::read(&self.client, name).await? else {
            return Ok(None);
        };
        Ok(Some(Kept {
            document: secrets::parse(name, &read.text)?,
            version: read.version,
        }))
    }

    /// Makes the secret, or another version of it. The SDK sends one token with all its attempts, so that one which is repeated
    /// makes one version.
    async fn put(&self, name: &str, document: &impl Serialize) -> Result<String, NotStored> {
        let not_stored = |cause: String| NotStored {
            name: name.to_owned(),
            cause,
        };
        let text = serde_json::to_string(document).map(Secret::new);
        let text = text.map_err(|_| not_stored("it cannot be written as JSON".to_owned()))?;
        let create = self.client.create_secret().name(name);
        match create.secret_string(text.expose()).send().await {
            Ok(made) => return Ok(made.version_id.unwrap_or_default()),
            // It is there, or it is marked for deletion, which AWS calls an invalid request.
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
        // Marked for deletion. Restoring brings its last version back for a moment, and for good if the process dies right after:
        // what somebody deleted by hand is what it was, until this is repeated.
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
