//! Reads secrets: one document per source, one per connection, and the operator's clientId. Each is
//! cached for five minutes. [`crate::secret_writer`] writes them.
//!
//! A secret is never in a log, a table or a response. The types here do not print theirs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use domain::alert::kind::KindInfo;
use domain::outgoing::format::WebhookFormat;
use domain::outgoing::scope::WebhookScope;
use domain::source::authentication::{Authentication, Network};
use domain::source::presets::{PresetVersion, SourceFormat, SuccessResponse};
use domain::text::chain;
use domain::{PartnerId, Secret, SourceId, SourceKeys};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a cached secret is used without a new read.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How long an absent secret counts as absent. Secrets Manager is eventually consistent, so a secret
/// that was just created may not be found yet.
const ABSENT_FOR: SignedDuration = SignedDuration::from_secs(10);
/// How long a cached secret is used while Secrets Manager is unavailable.
const USABLE_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The shortest time between two reads of one secret after mismatches.
const RELOAD_INTERVAL: SignedDuration = SignedDuration::from_secs(30);
/// The most secrets in the cache. Then the oldest is dropped.
const MAX_PRESENT: usize = 1024;
/// The most names without a secret in the cache. They are limited separately, so that they never
/// displace a secret.
const MAX_ABSENT: usize = 256;
/// Follows the source prefix in the name of the keys that prove source ids. No source id has this
/// form.
pub(crate) const SOURCE_KEYS: &str = "id-keys";

/// What the webhook needs to know about a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDocument {
    /// The only partner of its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// Otherwise the partners that an event may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerId>,
    pub enabled: bool,
    /// Kinds besides the built-in ones.
    #[serde(default)]
    pub kinds_added: Vec<KindInfo>,
    /// The preset that the source was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<PresetVersion>,
    #[serde(default)]
    pub authentication: Authentication,
    /// The networks from which it posts. Empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    #[serde(default)]
    pub format: SourceFormat,
    /// The response to a message in a format of its own.
    #[serde(default)]
    pub response: SuccessResponse,
    /// Two during a rotation.
    pub secrets: Vec<SourceSecret>,
    /// Where the source is notified of what becomes of its alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<OutgoingWebhook>,
}

impl SourceDocument {
    /// What the webhook of the source gets.
    #[must_use]
    pub fn webhook_scope(&self) -> WebhookScope {
        match &self.webhook {
            None => WebhookScope::Nothing,
            Some(webhook) => match (webhook.format, webhook.takes_actions) {
                (WebhookFormat::CloudEvents, true) => WebhookScope::EventsAndActions,
                (WebhookFormat::CloudEvents, false) => WebhookScope::Events,
                (WebhookFormat::Alertmanager, true) => WebhookScope::WontFix,
                (WebhookFormat::Alertmanager, false) => WebhookScope::Nothing,
            },
        }
    }
}

/// The outgoing webhook of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingWebhook {
    /// The receiver's whole address.
    pub url: String,
    #[serde(default, skip_serializing_if = "WebhookFormat::is_cloud_events")]
    pub format: WebhookFormat,
    /// The value of the header `authorization`. Only an Alertmanager gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Secret>,
    /// What deliveries are signed with, as `whsec_` secrets, the newest first. Two during a
    /// rotation: then each delivery has two signatures. An Alertmanager has none.
    pub secrets: Vec<SourceSecret>,
    /// Whether the source gets the actions that technicians ask for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_actions: bool,
}

impl OutgoingWebhook {
    /// The secrets that sign at this time.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        valid_secrets(&self.secrets, now)
    }
}

/// The secrets that are valid at this time.
fn valid_secrets(secrets: &[SourceSecret], now: Timestamp) -> impl Iterator<Item = &Secret> {
    let valid = secrets
        .iter()
        .filter(move |secret| secret.not_after.is_none_or(|until| now <= until));
    valid.map(|secret| &secret.value)
}

impl SourceDocument {
    /// The secrets that are valid at this time, at most two.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        valid_secrets(&self.secrets, now)
    }

    /// The document for an unknown source. It has the size of a real one and is parsed the same
    /// way, so that a request of an unknown source costs the same work. It authenticates no
    /// request.
    ///
    /// # Errors
    /// Never, since its text is valid.
    pub fn decoy() -> Result<Self, Error> {
        const DECOY: &str = r#"{"partner":"unknown","enabled":false,"kinds_added":[],"secrets":[{"value":"whsec_bm9ib2R5IHNpZ25zIHdpdGggdGhpcyBkZWNveSBrZXk="}]}"#;
        parse("decoy", &Secret::new(DECOY))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSecret {
    /// Written as the source's authentication expects it.
    pub value: Secret,
    /// Not valid after this time. Absent means no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// The keys of a partner's connection, and the one origin to which they may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSecret {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The login company.
    pub company_id: String,
    pub public_key: String,
    pub private_key: Secret,
    /// The partner's own clientId, in place of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Secret>,
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no secret {0}")]
    Unknown(String),
    /// A person must correct the secret.
    #[error("the secret {name} is not readable: {problem}")]
    Malformed {
        name: String,
        /// Never quotes the secret.
        problem: String,
    },
    #[error("failed to read the secret {name}: {cause}")]
    Unavailable {
        name: String,
        /// The whole chain of the SDK's error.
        cause: String,
    },
}

/// A secret and its version id.
#[derive(Debug, Clone)]
pub(crate) struct VersionedSecret {
    pub(crate) text: Secret,
    pub(crate) version: Option<String>,
}

/// Reads secrets and caches them.
#[derive(Debug)]
pub struct Secrets {
    client: Client,
    cache: Mutex<SecretCache>,
}

#[derive(Debug, Default)]
struct SecretCache {
    present: HashMap<String, CachedSecret>,
    absent: HashMap<String, CachedSecret>,
}

impl SecretCache {
    fn get_mut(&mut self, name: &str) -> Option<&mut CachedSecret> {
        match self.present.get_mut(name) {
            None => self.absent.get_mut(name),
            present => present,
        }
    }

    fn put(&mut self, name: &str, value: Option<VersionedSecret>, now: Timestamp) {
        let before = self.present.remove(name);
        let before = self.absent.remove(name).or(before);
        let (names, limit) = match &value {
            Some(_) => (&mut self.present, MAX_PRESENT),
            None => (&mut self.absent, MAX_ABSENT),
        };
        if names.len() >= limit {
            let oldest = names.iter().min_by_key(|(_, known)| known.read_at);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.map(|name| names.remove(&name));
        }
        let cached = CachedSecret {
            value,
            read_at: now,
            is_invalid: false,
            invalidated_at: before.and_then(|before| before.invalidated_at),
        };
        names.insert(name.to_owned(), cached);
    }
}

#[derive(Debug, Clone)]
struct CachedSecret {
    /// `None` means that there is no secret of this name.
    value: Option<VersionedSecret>,
    read_at: Timestamp,
    /// The next access reads it again, even if it is fresh.
    is_invalid: bool,
    /// When a mismatch invalidated it last.
    invalidated_at: Option<Timestamp>,
}

impl CachedSecret {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let lasts = if self.value.is_some() {
            FRESH_FOR
        } else {
            ABSENT_FOR
        };
        now.duration_since(self.read_at) < lasts
    }
}

impl Secrets {
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
            cache: Mutex::default(),
        }
    }

    /// Reads a source's document as of `now`. `prefix` precedes the source's id in the secret's
    /// name.
    ///
    /// # Errors
    /// When it does not exist, is malformed or cannot be read.
    pub async fn source(
        &self,
        prefix: &str,
        source: &SourceId,
        now: Timestamp,
    ) -> Result<SourceDocument, Error> {
        let name = format!("{prefix}{source}");
        parse(&name, &self.find(&name, now).await?.text)
    }

    /// Reads the keys that prove source ids as of `now`. `None` if set-up has not made a source
    /// yet. `prefix` is that of [`Self::source`].
    ///
    /// # Errors
    /// When they are malformed or cannot be read.
    pub async fn source_keys(
        &self,
        prefix: &str,
        now: Timestamp,
    ) -> Result<Option<SourceKeys>, Error> {
        let name = format!("{prefix}{SOURCE_KEYS}");
        match self.find(&name, now).await {
            Ok(VersionedSecret { text, .. }) => parse_source_keys(&name, &text).map(Some),
            Err(Error::Unknown(_)) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Reads a connection's keys and their version id. `prefix` precedes the partner's id in the
    /// secret's name.
    ///
    /// # Errors
    /// When the secret does not exist, is malformed or cannot be read.
    pub async fn connection(
        &self,
        prefix: &str,
        partner: &PartnerId,
    ) -> Result<(ConnectionSecret, Option<String>), Error> {
        let name = format!("{prefix}{partner}");
        let VersionedSecret { text, version } = self.find(&name, Timestamp::now()).await?;
        Ok((parse(&name, &text)?, version))
    }

    /// Reads a secret that is plain text.
    ///
    /// # Errors
    /// When it does not exist or cannot be read.
    pub async fn text(&self, name: &str) -> Result<Secret, Error> {
        Ok(self.find(name, Timestamp::now()).await?.text)
    }

    /// Reads a secret. One that was absent before may be new, so it is read again, at most every
    /// 30 s.
    async fn find(&self, name: &str, now: Timestamp) -> Result<VersionedSecret, Error> {
        match self.at(name, now).await {
            Err(Error::Unknown(_)) if self.invalidate(name, now) => self.at(name, now).await,
            found => found,
        }
    }

    async fn at(&self, name: &str, now: Timestamp) -> Result<VersionedSecret, Error> {
        // An invalidation causes one read.
        let known = self.cache().get_mut(name).map(|known| {
            let is_invalid = std::mem::take(&mut known.is_invalid);
            (known.clone(), is_invalid)
        });
        let value = match known {
            Some((known, false)) if known.is_fresh(now) => known.value,
            known => match (read(&self.client, name).await, known) {
                (Ok(value), _) => {
                    self.cache().put(name, value.clone(), now);
                    value
                }
                // A value of the last hour is better than refusing correctly signed requests.
                (
                    Err(Error::Unavailable { cause, .. }),
                    Some((CachedSecret { value, read_at, .. }, _)),
                ) if value.is_some() && now.duration_since(read_at) < USABLE_FOR => {
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

    /// Makes the next access read a secret again, since it did not match. So a rotation loses no
    /// request. Returns whether that makes sense: not if the secret was read at `now`, and at most
    /// every 30 s per name, so that wrong signatures cannot cause many calls.
    pub fn invalidate(&self, name: &str, now: Timestamp) -> bool {
        let mut known = self.cache();
        let Some(known) = known.get_mut(name) else {
            return false;
        };
        let paused = known
            .invalidated_at
            .is_some_and(|last| now.duration_since(last) < RELOAD_INTERVAL);
        if known.read_at >= now || paused {
            return false;
        }
        known.is_invalid = true;
        known.invalidated_at = Some(now);
        true
    }

    fn cache(&self) -> MutexGuard<'_, SecretCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a secret. `None` if it does not exist or is marked for deletion.
pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<VersionedSecret>, Error> {
    match client.get_secret_value().secret_id(name).send().await {
        Ok(answer) => Ok(answer.secret_string.map(|text| VersionedSecret {
            text: Secret::new(text),
            version: answer.version_id,
        })),
        // AWS answers "invalid request" for a secret that is marked for deletion.
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
    // serde_json's message may quote the secret, so only the position is reported.
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
    fn names_without_a_secret_displace_no_secret() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let secret = || {
            Some(VersionedSecret {
                text: Secret::new("s"),
                version: None,
            })
        };
        let mut known = SecretCache::default();
        known.put("real", secret(), at(0));
        for n in 0..2000 {
            known.put(&format!("invented-{n}"), None, at(1 + n));
        }
        assert!(known.get_mut("real").is_some());
        assert_eq!((known.present.len(), known.absent.len()), (1, MAX_ABSENT));
        assert!(known.get_mut("invented-1999").is_some() && known.get_mut("invented-0").is_none());
        // A name is in one of the two maps only.
        known.put("invented-1999", secret(), at(3000));
        known.put("real", None, at(3000));
        assert_eq!((known.present.len(), known.absent.len()), (1, MAX_ABSENT));
        for n in 0..2000 {
            known.put(&format!("source-{n}"), secret(), at(4000 + n));
        }
        assert_eq!(
            (known.present.len(), known.absent.len()),
            (MAX_PRESENT, MAX_ABSENT)
        );
    }

    #[test]
    fn an_absent_secret_is_read_again_after_ten_seconds() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let mut known = SecretCache::default();
        known.put("absent", None, at(0));
        let secret = VersionedSecret {
            text: Secret::new("s"),
            version: None,
        };
        known.put("present", Some(secret), at(0));
        for (name, second, is_fresh) in [
            ("absent", 9, true),
            ("absent", 10, false),
            ("present", 299, true),
            ("present", 300, false),
        ] {
            let cached = known.get_mut(name).unwrap();
            assert_eq!(cached.is_fresh(at(second)), is_fresh, "{name} {second}");
        }
    }

    #[test]
    fn the_decoy_is_disabled() {
        let decoy = SourceDocument::decoy().unwrap();
        assert!(!decoy.enabled && decoy.secrets.len() == 1);
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let document = SourceDocument {
            partner: Some(PartnerId::parse("acme").unwrap()),
            secrets: vec![SourceSecret {
                value: Secret::new("whsec_c2VjcmV0"),
                not_after: None,
            }],
            ..SourceDocument::default()
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
