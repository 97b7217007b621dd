//! Authenticates a request by what its source proves itself with.
//!
//! An unknown source id costs the same work as a known one, and gets the same response.

use aws::secrets::{self, Secrets, SourceDocument};
use aws_types::SdkConfig;
use domain::source::activity::RefusalReason;
use domain::wire::webhook::{RequestTimes, SourcePolicy};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;

use webhook_signature::SignatureError;

use crate::proof::Proof;

/// Authenticates requests. It keeps the secrets of sources for some minutes.
#[derive(Debug)]
pub struct Authenticator {
    secrets: Secrets,
    /// Precedes a source's id in the name of its secret.
    source_secret_prefix: String,
}

/// A document to verify a request with.
struct Candidate {
    document: SourceDocument,
    /// `false` for a decoy, which authenticates no request.
    is_known: bool,
}

/// A request of its source.
#[derive(Debug)]
pub struct Authenticated {
    pub document: SourceDocument,
    pub policy: SourcePolicy,
    pub times: RequestTimes,
}

/// Why a request is not let through. Its sender learns none of it.
#[derive(Debug)]
pub enum AuthenticationError {
    Refused(Refusal),
    /// A secret cannot be read.
    Unavailable,
}

/// A request that is not authenticated.
#[derive(Debug)]
pub struct Refusal {
    /// The source, if its id is proved.
    pub source: Option<SourceId>,
    /// The partners in the document of the source. None if it is not known.
    pub partners: Vec<PartnerId>,
    pub reason: RefusalReason,
}

impl Authenticator {
    #[must_use]
    pub fn new(aws: &SdkConfig, source_secret_prefix: String) -> Self {
        Self {
            secrets: Secrets::new(aws),
            source_secret_prefix,
        }
    }

    /// Verifies the request with the source's valid secrets. If they do not match, the document is
    /// read once more, since the secrets may have been rotated.
    ///
    /// # Errors
    /// When the request is not authenticated, or a secret cannot be read.
    pub async fn authenticate(
        &self,
        source: Option<&SourceId>,
        proof: Proof<'_>,
        now: Timestamp,
    ) -> Result<Authenticated, AuthenticationError> {
        let proved = self.prove(source, now).await?;
        let mut candidate = self.candidate(proved, now).await?;
        let mut verified = proof.verify(&candidate.document, now);
        if verified == Err(SignatureError::Mismatch) {
            let name = proved
                .map(|source| format!("{}{source}", self.source_secret_prefix))
                .unwrap_or_default();
            if self.secrets.invalidate(&name, now) {
                candidate = self.candidate(proved, now).await?;
                verified = proof.verify(&candidate.document, now);
            }
        }
        let refuse = |candidate: &Candidate, err: SignatureError, reason| {
            let id = source.map(SourceId::as_str).unwrap_or_default();
            tracing::warn!(source = id, error = %err, "rejected a request that is not authenticated");
            AuthenticationError::Refused(Refusal {
                source: proved.cloned(),
                partners: candidate.partners(),
                reason,
            })
        };
        let sent_at = verified.map_err(|err| refuse(&candidate, err, reason_of(err)))?;
        match (proved, candidate) {
            (Some(source), Candidate { document, is_known }) if is_known && document.enabled => {
                let policy = policy(source, &document);
                let times = RequestTimes {
                    sent_at,
                    received_at: now,
                };
                Ok(Authenticated {
                    document,
                    policy,
                    times,
                })
            }
            (_, candidate) => Err(refuse(
                &candidate,
                SignatureError::Mismatch,
                RefusalReason::Disabled,
            )),
        }
    }

    /// Reads the document again, since the mapping may have been corrected. `None` if it was read in
    /// the last 30 s, or is the same.
    pub async fn changed_document(
        &self,
        source: &SourceId,
        before: &SourceDocument,
        now: Timestamp,
    ) -> Option<SourceDocument> {
        let prefix = &self.source_secret_prefix;
        if !self.secrets.invalidate(&format!("{prefix}{source}"), now) {
            return None;
        }
        let document = self.secrets.source(prefix, source, now).await.ok()?;
        (document != *before).then_some(document)
    }

    /// Returns the source id if set-up made it. An invented id costs no call.
    async fn prove<'a>(
        &self,
        source: Option<&'a SourceId>,
        now: Timestamp,
    ) -> Result<Option<&'a SourceId>, AuthenticationError> {
        let prefix = &self.source_secret_prefix;
        let keys = self.secrets.source_keys(prefix, now).await;
        let keys = keys.map_err(|err| {
            tracing::error!(error = %err, "failed to read the keys that prove source ids");
            AuthenticationError::Unavailable
        })?;
        // A malformed id costs the same work as a well-formed one. The reserved ids are
        // rejected, since the alerts of Ticketbridge itself never come by webhook.
        let reserved = SourceId::for_test_alerts();
        let is_proved = keys.is_some_and(|keys| keys.prove(source.unwrap_or(&reserved)));
        Ok(source.filter(|source| is_proved && !source.is_reserved()))
    }

    /// Returns the document of the source, or a decoy.
    async fn candidate(
        &self,
        source: Option<&SourceId>,
        now: Timestamp,
    ) -> Result<Candidate, AuthenticationError> {
        let prefix = &self.source_secret_prefix;
        let document = match source {
            Some(source) => self.secrets.source(prefix, source, now).await.map(Some),
            None => Ok(None),
        };
        let decoy = || SourceDocument::decoy().map(|document| (document, false));
        let found = match document {
            Ok(Some(document)) => Ok((document, true)),
            Ok(None) | Err(secrets::Error::Unknown(_)) => decoy(),
            Err(err) => Err(err),
        };
        match found {
            Ok((document, is_known)) => Ok(Candidate { document, is_known }),
            Err(err) => {
                tracing::error!(
                    source = ?source,
                    error = %err,
                    "failed to read the secret of a source"
                );
                Err(AuthenticationError::Unavailable)
            }
        }
    }
}

impl Candidate {
    /// The partners of the source. A decoy has none.
    fn partners(&self) -> Vec<PartnerId> {
        if self.is_known {
            partners_of(&self.document)
        } else {
            vec![]
        }
    }
}

/// The partners for which a source may post.
#[must_use]
pub fn partners_of(document: &SourceDocument) -> Vec<PartnerId> {
    let partners = document.partner.iter().chain(&document.partners);
    partners.cloned().collect()
}

/// What a source may send.
#[must_use]
pub fn policy(source: &SourceId, document: &SourceDocument) -> SourcePolicy {
    SourcePolicy {
        source: source.clone(),
        partners: partners_of(document),
        kinds_added: document.kinds_added.clone(),
        webhook: document.webhook_scope(),
    }
}

fn reason_of(err: SignatureError) -> RefusalReason {
    match err {
        SignatureError::Headers => RefusalReason::Missing,
        SignatureError::Timestamp => RefusalReason::Time,
        SignatureError::Mismatch => RefusalReason::Mismatch,
        SignatureError::Address => RefusalReason::Address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_secret_is_not_used() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let document = |not_after: &str| {
            serde_json::from_str::<SourceDocument>(&format!(
                r#"{{"partner":"acme","enabled":true,"secrets":[{{"value":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","not_after":"{not_after}"}}]}}"#
            ))
            .unwrap()
        };
        let valid = |document: SourceDocument| document.valid_secrets(now).count();
        assert_eq!(valid(document("2026-11-22T07:30:00Z")), 1);
        assert_eq!(valid(document("2026-11-22T07:29:59Z")), 0);
        assert_eq!(valid(SourceDocument::decoy().unwrap()), 1);
    }
}
