//! Authenticates a request by the signature of its source.
//!
//! An unknown source id costs the same work as a known one, and gets the same response.

use aws::secrets::{self, Secrets, SourceDocument};
use aws_lambda_events::http::HeaderMap;
use aws_types::SdkConfig;
use domain::SourceId;
use domain::wire::webhook::{RequestTimes, SourcePolicy};
use jiff::Timestamp;

use crate::response::WebhookResponse;
use crate::signature::{SignatureError, SignatureHeaders, SignedRequest, SigningKey};

#[derive(Debug)]
pub(crate) struct Authenticator {
    secrets: Secrets,
    /// Precedes a source's id in the name of its secret.
    source_secret_prefix: String,
}

/// A document to verify a signature with.
struct Candidate {
    document: SourceDocument,
    /// `false` for a decoy, which authenticates no request.
    is_known: bool,
}

impl Authenticator {
    pub(crate) fn new(aws: &SdkConfig, source_secret_prefix: String) -> Self {
        Self {
            secrets: Secrets::new(aws),
            source_secret_prefix,
        }
    }

    /// Verifies the signature with the source's valid secrets. If it does not match, the document
    /// is read once more, since the secrets may have been rotated.
    pub(crate) async fn authenticate(
        &self,
        source: Option<&SourceId>,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(SourcePolicy, RequestTimes), WebhookResponse> {
        let signed = SignedRequest::read(signature_headers(headers), now)
            .map_err(|err| refuse(source, err))?;
        let proved = self.prove(source, now).await?;
        let mut candidate = self.candidate(proved, now).await?;
        if !signed.matches(&valid_keys(&candidate.document, now), body) {
            let name = proved
                .map(|source| format!("{}{source}", self.source_secret_prefix))
                .unwrap_or_default();
            if !self.secrets.invalidate(&name, now) {
                return Err(refuse(source, SignatureError::Mismatch));
            }
            candidate = self.candidate(proved, now).await?;
            if !signed.matches(&valid_keys(&candidate.document, now), body) {
                return Err(refuse(source, SignatureError::Mismatch));
            }
        }
        match (proved, candidate) {
            (Some(source), Candidate { document, is_known }) if is_known && document.enabled => {
                Ok((
                    policy(source, document),
                    RequestTimes {
                        sent_at: signed.sent_at,
                        received_at: now,
                    },
                ))
            }
            _ => Err(refuse(source, SignatureError::Mismatch)),
        }
    }

    /// Returns the source id if set-up made it. An invented id costs no call.
    async fn prove<'a>(
        &self,
        source: Option<&'a SourceId>,
        now: Timestamp,
    ) -> Result<Option<&'a SourceId>, WebhookResponse> {
        let prefix = &self.source_secret_prefix;
        let keys = self.secrets.source_keys(prefix, now).await;
        let keys = keys.map_err(|err| {
            tracing::error!(error = %err, "failed to read the keys that prove source ids");
            WebhookResponse::Unavailable
        })?;
        // A malformed id costs the same work as a well-formed one. The reserved id of test alerts
        // is rejected, since test alerts never come by webhook.
        let reserved = SourceId::for_test_alerts();
        let is_proved = keys.is_some_and(|keys| keys.prove(source.unwrap_or(&reserved)));
        Ok(source.filter(|source| is_proved && !source.is_for_test_alerts()))
    }

    /// Returns the document of the source, or a decoy.
    async fn candidate(
        &self,
        source: Option<&SourceId>,
        now: Timestamp,
    ) -> Result<Candidate, WebhookResponse> {
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
                Err(WebhookResponse::Unavailable)
            }
        }
    }
}

pub(crate) fn signature_headers(headers: &HeaderMap) -> SignatureHeaders<'_> {
    let header = |name: &str| {
        let standard = headers.get(format!("webhook-{name}"));
        standard
            .or_else(|| headers.get(format!("svix-{name}")))
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    SignatureHeaders {
        id: header("id"),
        timestamp: header("timestamp"),
        signature: header("signature"),
    }
}

fn valid_keys(document: &SourceDocument, now: Timestamp) -> Vec<SigningKey> {
    let valid = document
        .secrets
        .iter()
        .filter(|secret| secret.not_after.is_none_or(|until| now <= until));
    valid
        .filter_map(|secret| SigningKey::parse(secret.value.expose()))
        .collect()
}

fn policy(source: &SourceId, document: SourceDocument) -> SourcePolicy {
    let partners = document
        .partner
        .into_iter()
        .chain(document.partners)
        .collect();
    SourcePolicy {
        source: source.clone(),
        partners,
        kinds_added: document.kinds_added,
    }
}

fn refuse(source: Option<&SourceId>, err: SignatureError) -> WebhookResponse {
    let source = source.map(SourceId::as_str).unwrap_or_default();
    tracing::warn!(source, error = %err, "rejected a request that is not authenticated");
    WebhookResponse::Unauthorized
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
        assert_eq!(valid_keys(&document("2026-11-22T07:30:00Z"), now).len(), 1);
        assert_eq!(valid_keys(&document("2026-11-22T07:29:59Z"), now).len(), 0);
        assert_eq!(valid_keys(&SourceDocument::decoy().unwrap(), now).len(), 1);
    }
}
