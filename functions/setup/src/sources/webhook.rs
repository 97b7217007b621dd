//! Sets, rotates and removes the outgoing webhook of a source, in its document.

use aws::invocation::Invocation;
use aws::secrets::{OutgoingWebhook, SourceSecret};
use domain::outgoing::format::WebhookFormat;
use domain::{Secret, SourceId};
use jiff::Timestamp;
use public_http::ReceiverUrl;
use store::{Actor, RegisteredSource, Versioned};

use crate::audit;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::random;
use crate::sources::change::{ChangedSource, SourceChange, partner_set};
use crate::sources::manage::{record_for_all, stored_document};
use crate::sources::rotation;

const AUTHORIZATION: &str = "authorization";
/// Proxies refuse longer headers.
const MAX_AUTHORIZATION: usize = 4096;

/// A changed webhook. Its secret is new if there is one.
pub(crate) struct ChangedWebhook {
    pub(crate) changed: ChangedSource,
    pub(crate) secret: Option<Secret>,
    /// How long the secret before still signs.
    pub(crate) old_until: Option<Timestamp>,
}

/// What a request says about a webhook. What is absent stays as it is.
pub(crate) struct WebhookEdit {
    pub(crate) url: ReceiverUrl,
    pub(crate) format: Option<WebhookFormat>,
    pub(crate) takes_actions: Option<bool>,
    /// The value of the header. An empty text removes it.
    pub(crate) authorization: Option<String>,
}

/// Sets address and format, and whether the source takes actions. A webhook that signs and has no
/// secret gets one; another address keeps the secrets. Repeating it changes nothing.
pub(crate) async fn put(
    setup: &Setup,
    (id, found): (SourceId, Versioned<RegisteredSource>),
    edit: WebhookEdit,
    invocation: &Invocation,
) -> Result<ChangedWebhook, Problem> {
    let before = stored_document(setup, &id).await?;
    edit.apply(before.and_then(|document| document.webhook))?;
    let change = begin(setup, id, found, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    let before = document.webhook_scope();
    let mut webhook = edit.apply(document.webhook.take())?;
    let mut secret = None;
    if webhook.format == WebhookFormat::CloudEvents && webhook.secrets.is_empty() {
        let value = random::signing_secret()?;
        secret = Some(value.clone());
        let not_after = None;
        webhook.secrets.push(SourceSecret { value, not_after });
    }
    document.webhook = Some(webhook);
    let after = document.webhook_scope();
    let changed = change.finish(setup, stored, document, invocation).await?;
    record(setup, &changed, "source_webhook_set", invocation).await;
    match (before.has_actions(), after.has_actions()) {
        (false, true) => record(setup, &changed, "source_actions_allowed", invocation).await,
        (true, false) => record(setup, &changed, "source_actions_denied", invocation).await,
        (true, true) | (false, false) => {}
    }
    Ok(ChangedWebhook {
        changed,
        secret,
        old_until: None,
    })
}

impl WebhookEdit {
    /// The webhook after the edit. It has no new secret yet.
    fn apply(&self, before: Option<OutgoingWebhook>) -> Result<OutgoingWebhook, Problem> {
        let format = self.format.or(before.as_ref().map(|before| before.format));
        let format = format.unwrap_or_default();
        // Another format is another receiver: it begins anew.
        let before = before.filter(|before| before.format == format);
        let authorization = match format {
            WebhookFormat::CloudEvents => self.check_unsent_authorization()?,
            WebhookFormat::Alertmanager => {
                check_alertmanager(&self.url)?;
                self.authorization(before.as_ref())?
            }
        };
        // An Alertmanager gets nothing but an action.
        let takes_actions = match &before {
            Some(before) => before.takes_actions,
            None => format == WebhookFormat::Alertmanager,
        };
        Ok(OutgoingWebhook {
            url: self.url.to_string(),
            format,
            authorization,
            secrets: before.map(|before| before.secrets).unwrap_or_default(),
            takes_actions: self.takes_actions.unwrap_or(takes_actions),
        })
    }

    fn check_unsent_authorization(&self) -> Result<Option<Secret>, Problem> {
        match self.authorization.as_deref() {
            None | Some("") => Ok(None),
            Some(_) => Err(Problem::invalid(
                AUTHORIZATION,
                "Only the format \"alertmanager\" sends an authorization: cloud_events are signed.",
            )),
        }
    }

    /// The new authorization, or the one before if the address has the same origin: a key goes only
    /// to the host that it was given for.
    fn authorization(&self, before: Option<&OutgoingWebhook>) -> Result<Option<Secret>, Problem> {
        match (self.authorization.as_deref(), before) {
            (Some(""), _) | (None, None) => Ok(None),
            (Some(text), _) if is_authorization(text) => Ok(Some(Secret::new(text))),
            (Some(_), _) => Err(Problem::invalid(
                AUTHORIZATION,
                "The authorization must be the whole value of the header, in ASCII and at most 4096 \
                 bytes, such as \"Bearer TOKEN\" or \"Basic BASE64\".",
            )),
            (None, Some(before)) => match &before.authorization {
                Some(_) if !self.url.has_origin_of(&before.url) => Err(Problem::invalid(
                    AUTHORIZATION,
                    "The stored authorization is for another host. Send it again, or \"\" to send none.",
                )),
                kept => Ok(kept.clone()),
            },
        }
    }
}

/// A scheme and its value, as RFC 9110 writes them.
fn is_authorization(text: &str) -> bool {
    let is_printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let parts = text.split_once(' ');
    let has_scheme = parts.is_some_and(|(scheme, value)| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !scheme.is_empty() && scheme.bytes().all(is_name) && !value.trim().is_empty()
    });
    text.len() <= MAX_AUTHORIZATION && is_printable && has_scheme
}

/// The paths of the API are added to the address.
fn check_alertmanager(url: &ReceiverUrl) -> Result<(), Problem> {
    let url = url.as_str();
    let problem = if url.contains('?') {
        "The address of an Alertmanager must not have a part after ?."
    } else if url.trim_end_matches('/').ends_with("/api/v2") {
        "Give the address of the Alertmanager without /api/v2."
    } else {
        return Ok(());
    };
    Err(Problem::invalid("url", problem))
}

/// Gives the webhook a new secret. The one before signs beside it for 24 more hours.
pub(crate) async fn rotate(
    setup: &Setup,
    (id, found): (SourceId, Versioned<RegisteredSource>),
    invocation: &Invocation,
) -> Result<ChangedWebhook, Problem> {
    let stored = stored_document(setup, &id).await?;
    let webhook = stored.and_then(|document| document.webhook);
    if webhook.ok_or_else(missing)?.format == WebhookFormat::Alertmanager {
        return Err(unsigned());
    }
    let change = begin(setup, id, found, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    let webhook = document.webhook.as_mut().ok_or_else(missing)?;
    let secret = random::signing_secret()?;
    let before = std::mem::take(&mut webhook.secrets);
    webhook.secrets = rotation::rotate(before, secret.clone(), invocation.now()).secrets;
    let old_until = webhook.secrets.get(1).and_then(|secret| secret.not_after);
    let changed = change.finish(setup, stored, document, invocation).await?;
    record(setup, &changed, "source_webhook_secret_rotated", invocation).await;
    Ok(ChangedWebhook {
        changed,
        secret: Some(secret),
        old_until,
    })
}

/// Removes the webhook. What is pending for it counts as failed. Repeating it changes nothing.
pub(crate) async fn remove(
    setup: &Setup,
    (id, found): (SourceId, Versioned<RegisteredSource>),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let change = begin(setup, id, found, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    document.webhook = None;
    let changed = change.finish(setup, stored, document, invocation).await?;
    record(setup, &changed, "source_webhook_removed", invocation).await;
    Ok(())
}

/// Records an action on the deliveries of a source for each of its partners.
pub(crate) async fn record_action(
    setup: &Setup,
    (id, source): (&SourceId, &RegisteredSource),
    what: &str,
    detail: (&str, String),
    invocation: &Invocation,
) {
    let detail = [("source", id.to_string()), detail];
    for partner in partner_set(source.partner.as_ref(), &source.partners) {
        let action = (Actor::Operator, what);
        audit::record(setup, &partner, action, &detail, invocation).await;
    }
}

pub(crate) fn missing() -> Problem {
    Problem::not_found("The source has no webhook.")
}

pub(crate) fn unsigned() -> Problem {
    Problem::refused("An Alertmanager verifies no signature, so its webhook has no secret.")
}

async fn begin(
    setup: &Setup,
    id: SourceId,
    Versioned { value, version }: Versioned<RegisteredSource>,
    invocation: &Invocation,
) -> Result<SourceChange, Problem> {
    SourceChange::begin(setup, id, value, version, invocation).await
}

async fn record(setup: &Setup, changed: &ChangedSource, what: &str, invocation: &Invocation) {
    record_for_all(setup, changed, (Actor::Operator, what), invocation).await;
}

#[cfg(test)]
mod tests;
