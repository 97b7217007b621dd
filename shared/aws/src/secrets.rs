//! Secrets Manager: one document a source, one a connection, one clientId of the operator; each cached for five minutes. Reads
//! alone: what writes them is [`crate::vault`].
//!
//! A secret never stands in a log, a table or an answer: the types here cannot print theirs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use domain::kind::KindInfo;
use domain::text::chain;
use domain::{PartnerId, Secret, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a secret is used without asking again.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// How long a cached secret is used while Secrets Manager cannot be asked.
const USABLE: SignedDuration = SignedDuration::from_hours(1);
/// Between two reloads of one secret that a mismatch asked for.
const RELOAD: SignedDuration = SignedDuration::from_secs(30);
/// Names remembered at most, known and unknown: beyond that the oldest are forgotten, so that guessing names fills no memory.
const REMEMBERED: usize = 1024;

/// All that the door needs to know of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDocument {
    /// The partner that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// Or those that each event may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerId>,
    /// Whether it may post.
    pub enabled: bool,
    /// Kinds beside the built-in ones.
    #[serde(default)]
    pub kinds_added: Vec<KindInfo>,
    /// The signing secrets; two while one is being replaced.
    pub secrets: Vec<SigningSecret>,
}

/// A signing secret and how long it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// `whsec_` and base64.
    pub value: Secret,
    /// Not taken after this time; without end where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// The keys of a partner's connection, and the one origin that they may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSecret {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The login company.
    pub company_id: String,
    /// The API member's public key.
    pub public_key: String,
    /// The API member's private key.
    pub private_key: Secret,
    /// The partner's own clientId, in place of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Secret>,
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name.
    #[error("there is no secret {0}")]
    Unknown(String),
    /// It is not what it should be: a person has to mend it.
    #[error("the secret {name} is not readable: {fault}")]
    Malformed {
        /// Its name.
        name: String,
        /// Where it is wrong; never what it holds.
        fault: String,
    },
    /// Secrets Manager could not be asked.
    #[error("Secrets Manager did not give {name}: {cause}")]
    Unavailable {
        /// The secret's name.
        name: String,
        /// What the SDK says, its whole chain.
        cause: String,
    },
}

/// A secret, and which version of it.
#[derive(Debug, Clone)]
pub(crate) struct Versioned {
    pub(crate) text: Secret,
    pub(crate) version: Option<String>,
}

/// Reads secrets and remembers them for a while.
#[derive(Debug)]
pub struct Secrets {
    client: Client,
    known: Mutex<HashMap<String, Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    /// None: there is no secret of this name.
    value: Option<Versioned>,
    read_at: Timestamp,
    /// It did not match: the next read asks, however fresh it is.
    doubted: bool,
    /// When a mismatch asked last.
    doubted_at: Option<Timestamp>,
}

impl Secrets {
    /// A reader with an empty memory.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
            known: Mutex::default(),
        }
    }

    /// A source's document as of `now`; `prefix` comes before the source's id in the secret's name.
    ///
    /// # Errors
    /// When there is none, it is malformed, or it cannot be read.
    pub async fn source(
        &self,
        prefix: &str,
        source: &SourceId,
        now: Timestamp,
    ) -> Result<SourceDocument, Error> {
        let name = format!("{prefix}{source}");
        parse(&name, &self.at(&name, now).await?.text)
    }

    /// A connection's keys and Secrets Manager's name for this version of them; `prefix` comes before the partner's id in the
    /// secret's name.
    ///
    /// # Errors
    /// When there is none, it is malformed, or it cannot be read.
    pub async fn connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
    ) -> Result<(ConnectionSecret, Option<String>), Error> {
        let name = format!("{prefix}{partner}");
        let Versioned { text, version } = self.at(&name, Timestamp::now()).await?;
        Ok((parse(&name, &text)?, version))
    }

    /// A secret that is one plain text.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub async fn text(&self, name: &str) -> Result<Secret, Error> {
        Ok(self.at(name, Timestamp::now()).await?.text)
    }

    async fn at(&self, name: &str, now: Timestamp) -> Result<Versioned, Error> {
        // A doubt is good for one read.
        let known = self.known().get_mut(name).map(|known| {
            let doubted = std::mem::take(&mut known.doubted);
            (known.clone(), doubted)
        });
        let value = match known {
            Some((known, false)) if now.duration_since(known.read_at) < FRESH => known.value,
            known => match (read(&self.client, name).await, known) {
                (Ok(value), _) => {
                    self.remember(name, value.clone(), now);
                    value
                }
                // What was true an hour ago is better than refusing what is signed correctly.
                (
                    Err(Error::Unavailable { cause, .. }),
                    Some((Remembered { value, read_at, .. }, _)),
                ) if value.is_some() && now.duration_since(read_at) < USABLE => {
                    tracing::warn!(secret.name = name, cause, "using a remembered secret");
                    value
                }
                (Err(fault), _) => return Err(fault),
            },
        };
        value.ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// Has a secret that did not match read afresh the next time, so that a rotation loses nothing. Tells whether that makes
    /// sense: not if it was read just `now`, and at most every 30 s a name, so that wrong signatures cannot drive calls.
    pub fn doubt(&self, name: &str, now: Timestamp) -> bool {
        let mut known = self.known();
        let Some(known) = known.get_mut(name) else {
            return false;
        };
        let paused = known
            .doubted_at
            .is_some_and(|last| now.duration_since(last) < RELOAD);
        if known.read_at >= now || paused {
            return false;
        }
        known.doubted = true;
        known.doubted_at = Some(now);
        true
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, name: &str, value: Option<Versioned>, now: Timestamp) {
        let mut known = self.known();
        let doubted_at = known.get(name).and_then(|known| known.doubted_at);
        if known.len() >= REMEMBERED && !known.contains_key(name) {
            let oldest = known
                .iter()
                .min_by_key(|(_, known)| known.read_at)
                .map(|(name, _)| name.clone());
            oldest.map(|name| known.remove(&name));
        }
        let remembered = Remembered {
            value,
            read_at: now,
            doubted: false,
            doubted_at,
        };
        known.insert(name.to_owned(), remembered);
    }
}

/// Asks; none where there is no secret of this name, or no more.
pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<Versioned>, Error> {
    match client.get_secret_value().secret_id(name).send().await {
        Ok(answer) => Ok(answer.secret_string.map(|text| Versioned {
            text: Secret::new(text),
            version: answer.version_id,
        })),
        // An invalid request is one for a secret that is marked for deletion: it holds no longer.
        Err(fault)
            if fault.as_service_error().is_some_and(|fault| {
                fault.is_resource_not_found_exception() || fault.is_invalid_request_exception()
            }) =>
        {
            Ok(None)
        }
        Err(fault) => Err(Error::Unavailable {
            name: name.to_owned(),
            cause: chain(&fault),
        }),
    }
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &Secret) -> Result<T, Error> {
    // serde_json's message may quote the text: only the place is told.
    let fault = |fault: serde_json::Error| Error::Malformed {
        name: name.to_owned(),
        fault: format!("line {}, column {}", fault.line(), fault.column()),
    };
    serde_json::from_str(text.expose()).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_prints_itself() {
        let document = SourceDocument {
            partner: Some(PartnerId::parse("acme").unwrap()),
            partners: vec![],
            enabled: true,
            kinds_added: vec![],
            secrets: vec![SigningSecret {
                value: Secret::new("whsec_c2VjcmV0"),
                not_after: None,
            }],
        };
        assert!(!format!("{document:?}").contains("c2VjcmV0"));
        let fault =
            parse::<ConnectionSecret>("a", &Secret::new(r#"{"origin": 5, "private_key": "hush"}"#))
                .unwrap_err();
        assert!(
            !fault.to_string().contains("hush") && !fault.to_string().contains('5'),
            "{fault}"
        );
    }
}
