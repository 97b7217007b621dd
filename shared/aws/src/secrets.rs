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
use domain::{PartnerId, Secret, SourceId, SourceKeys};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a secret is used without asking again.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// How long a cached secret is used while Secrets Manager cannot be asked.
const USABLE: SignedDuration = SignedDuration::from_hours(1);
/// Between two reloads of one secret that a mismatch asked for.
const RELOAD: SignedDuration = SignedDuration::from_secs(30);
/// Secrets that are cached at most: beyond that the oldest are forgotten.
const PRESENT: usize = 1024;
/// Names of which it is cached that there is no such secret. They have a cache of their own, so that they push no secret out.
const ABSENT: usize = 256;
/// What follows a source prefix in the name of the keys that prove source ids: no source id looks like it.
pub(crate) const SOURCE_KEYS: &str = "id-keys";

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

impl SourceDocument {
    /// The document of no source, as long as one with a secret, and read in the same way: a request that names no source costs the
    /// same work as one that does. It lets nobody in.
    ///
    /// # Errors
    /// Never, since its text is right.
    pub fn decoy() -> Result<Self, Error> {
        const DECOY: &str = r#"{"partner":"nobody","enabled":false,"kinds_added":[],"secrets":[{"value":"whsec_bm9ib2R5IHNpZ25zIHdpdGggdGhpcyBkZWNveSBrZXk="}]}"#;
        parse("decoy", &Secret::new(DECOY))
    }
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
    #[error("the secret {name} is not readable: {problem}")]
    Malformed {
        /// Its name.
        name: String,
        /// Where it is wrong; never what it holds.
        problem: String,
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
    known: Mutex<Known>,
}

/// What was read lately: secrets, and names without one.
#[derive(Debug, Default)]
struct Known {
    present: HashMap<String, Remembered>,
    absent: HashMap<String, Remembered>,
}

impl Known {
    fn get_mut(&mut self, name: &str) -> Option<&mut Remembered> {
        match self.present.get_mut(name) {
            None => self.absent.get_mut(name),
            present => present,
        }
    }

    fn put(&mut self, name: &str, value: Option<Versioned>, now: Timestamp) {
        let before = self.present.remove(name);
        let before = self.absent.remove(name).or(before);
        let (names, limit) = match &value {
            Some(_) => (&mut self.present, PRESENT),
            None => (&mut self.absent, ABSENT),
        };
        if names.len() >= limit {
            let oldest = names.iter().min_by_key(|(_, known)| known.read_at);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.map(|name| names.remove(&name));
        }
        let remembered = Remembered {
            value,
            read_at: now,
            doubted: false,
            doubted_at: before.and_then(|before| before.doubted_at),
        };
        names.insert(name.to_owned(), remembered);
    }
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

    /// The keys that prove source ids as of `now`; none where no source was made yet. `prefix` is that of [`Self::source`].
    ///
    /// # Errors
    /// When they are malformed or cannot be read.
    pub async fn source_keys(
        &self,
        prefix: &str,
        now: Timestamp,
    ) -> Result<Option<SourceKeys>, Error> {
        let name = format!("{prefix}{SOURCE_KEYS}");
        let text = match self.at(&name, now).await {
            // The first source may just have been made: the name is read again, at most every 30 s.
            Err(Error::Unknown(_)) if self.invalidate(&name, now) => self.at(&name, now).await,
            text => text,
        };
        match text {
            Ok(Versioned { text, .. }) => parse_source_keys(&name, &text).map(Some),
            Err(Error::Unknown(_)) => Ok(None),
            Err(err) => Err(err),
        }
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
                    self.known().put(name, value.clone(), now);
                    value
                }
                // What was true an hour ago is better than refusing what is signed correctly.
                (
                    Err(Error::Unavailable { cause, .. }),
                    Some((Remembered { value, read_at, .. }, _)),
                ) if value.is_some() && now.duration_since(read_at) < USABLE => {
                    tracing::warn!(
                        secret.name = name,
                        cause,
                        "failed to read a secret; using the cached value"
                    );
                    value
                }
                (Err(err), _) => return Err(err),
            },
        };
        value.ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// Has a secret that did not match read afresh the next time, so that a rotation loses nothing. Tells whether that makes
    /// sense: not if it was read just `now`, and at most every 30 s a name, so that wrong signatures cannot drive calls.
    pub fn invalidate(&self, name: &str, now: Timestamp) -> bool {
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

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        Err(err)
            if err.as_service_error().is_some_and(|err| {
                err.is_resource_not_found_exception() || err.is_invalid_request_exception()
            }) =>
        {
            Ok(None)
        }
        Err(err) => Err(Error::Unavailable {
            name: name.to_owned(),
            cause: chain(&err),
        }),
    }
}

pub(crate) fn parse_source_keys(name: &str, text: &Secret) -> Result<SourceKeys, Error> {
    SourceKeys::parse(text).ok_or_else(|| Error::Malformed {
        name: name.to_owned(),
        problem: "no keys of at least 32 characters".to_owned(),
    })
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &Secret) -> Result<T, Error> {
    // serde_json's message may quote the text: only the place is told.
    let malformed = |err: serde_json::Error| Error::Malformed {
        name: name.to_owned(),
        problem: format!("line {}, column {}", err.line(), err.column()),
    };
    serde_json::from_str(text.expose()).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_secret_push_no_secret_out() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let secret = || {
            Some(Versioned {
                text: Secret::new("s"),
                version: None,
            })
        };
        let mut known = Known::default();
        known.put("real", secret(), at(0));
        for n in 0..2000 {
            known.put(&format!("invented-{n}"), None, at(1 + n));
        }
        assert!(known.get_mut("real").is_some());
        assert_eq!((known.present.len(), known.absent.len()), (1, ABSENT));
        assert!(known.get_mut("invented-1999").is_some() && known.get_mut("invented-0").is_none());
        // What is there now is absent no more, and the other way round.
        known.put("invented-1999", secret(), at(3000));
        known.put("real", None, at(3000));
        assert_eq!((known.present.len(), known.absent.len()), (1, ABSENT));
        for n in 0..2000 {
            known.put(&format!("source-{n}"), secret(), at(4000 + n));
        }
        assert_eq!((known.present.len(), known.absent.len()), (PRESENT, ABSENT));
    }

    #[test]
    fn the_decoy_lets_nobody_in() {
        let decoy = SourceDocument::decoy().unwrap();
        assert!(!decoy.enabled && decoy.secrets.len() == 1);
    }

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
        let err =
            parse::<ConnectionSecret>("a", &Secret::new(r#"{"origin": 5, "private_key": "hush"}"#))
                .unwrap_err();
        assert!(
            !err.to_string().contains("hush") && !err.to_string().contains('5'),
            "{err}"
        );
    }
}
