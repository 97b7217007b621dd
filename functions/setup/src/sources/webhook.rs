//! Sets, rotates and removes the outgoing webhook of a source, in its document.

use aws::invocation::Invocation;
use aws::secrets::{OutgoingWebhook, SourceSecret};
use domain::outgoing::scope::WebhookScope;
use domain::{Secret, SourceId};
use jiff::Timestamp;
use store::{Actor, RegisteredSource, Versioned};

use crate::audit;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::random;
use crate::sources::change::{ChangedSource, SourceChange, partner_set};
use crate::sources::manage::{record_for_all, stored_document};
use crate::sources::rotation;

/// A changed webhook. Its secret is new if there is one.
pub(crate) struct ChangedWebhook {
    pub(crate) changed: ChangedSource,
    pub(crate) secret: Option<Secret>,
    /// How long the secret before still signs.
    pub(crate) old_until: Option<Timestamp>,
}

/// Sets the address, and whether the source takes actions. A source without a webhook gets one, with
/// a new secret; another address keeps the secrets. Repeating it changes nothing.
pub(crate) async fn put(
    setup: &Setup,
    (id, found): (SourceId, Versioned<RegisteredSource>),
    (url, takes_actions): (String, Option<bool>),
    invocation: &Invocation,
) -> Result<ChangedWebhook, Problem> {
    let change = begin(setup, id, found, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    let mut secret = None;
    let before = document.webhook_scope();
    match &mut document.webhook {
        Some(webhook) => {
            webhook.url = url;
            webhook.takes_actions = takes_actions.unwrap_or(webhook.takes_actions);
        }
        None => {
            let value = random::signing_secret()?;
            secret = Some(value.clone());
            let not_after = None;
            let secrets = vec![SourceSecret { value, not_after }];
            document.webhook = Some(OutgoingWebhook {
                url,
                secrets,
                takes_actions: takes_actions.unwrap_or(false),
            });
        }
    }
    let after = document.webhook_scope();
    let changed = change.finish(setup, stored, document, invocation).await?;
    record(setup, &changed, "source_webhook_set", invocation).await;
    let takes_actions = WebhookScope::EventsAndActions;
    match (before == takes_actions, after == takes_actions) {
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

/// Gives the webhook a new secret. The one before signs beside it for 24 more hours.
pub(crate) async fn rotate(
    setup: &Setup,
    (id, found): (SourceId, Versioned<RegisteredSource>),
    invocation: &Invocation,
) -> Result<ChangedWebhook, Problem> {
    let has_webhook = stored_document(setup, &id).await?;
    if has_webhook.is_none_or(|document| document.webhook.is_none()) {
        return Err(missing());
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
