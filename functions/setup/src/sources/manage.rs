//! Creates and changes sources, and rotates their secrets, for the operator's API and the page.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::secrets::{SourceDocument, SourceSecret};
use domain::alert::kind::KindInfo;
use domain::monitoring::inactive_source::InactivityRules;
use domain::{PartnerId, Secret, SourceId};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Deserialize;
use store::{Actor, RegisteredSource, Versioned};

use crate::context::Setup;
use crate::http::problem::Problem;
use crate::sources::authentication::words::describe;
use crate::sources::change::{ChangedSource, SourceChange, document_of, partner_set, partners_of};
use crate::sources::format::{FormatRequest, SecretOrigin, keep_fitting, new_secret};
use crate::sources::inactivity::InactivityEdit;
use crate::sources::rotation;
use crate::{audit, random};

/// What a new source is.
pub(crate) struct NewSource {
    pub(crate) name: String,
    pub(crate) partner: Option<PartnerId>,
    pub(crate) partners: Vec<PartnerId>,
    pub(crate) enabled: bool,
    pub(crate) inactivity: InactivityRules,
    pub(crate) kinds_added: Vec<KindInfo>,
    pub(crate) format: FormatRequest,
    pub(crate) secret: NewSecret,
}

/// The secret of a new source.
pub(crate) enum NewSecret {
    /// The one that the vendor issued, or one that is made, unless the vendor issues it.
    Now(SecretOrigin),
    /// A person makes or enters it afterwards.
    Later,
}

/// A change of a source. What is absent stays as it is.
#[derive(Default)]
pub(crate) struct SourceEdit {
    pub(crate) name: Option<String>,
    pub(crate) partners: Option<(Option<PartnerId>, Vec<PartnerId>)>,
    pub(crate) enabled: Option<bool>,
    pub(crate) inactivity: InactivityEdit,
    pub(crate) kinds_added: Option<Vec<KindInfo>>,
    pub(crate) format: FormatRequest,
    pub(crate) secrets: PresentSecrets,
}

/// What a change does with the secrets that are accepted at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PresentSecrets {
    /// Those that the authentication can use stay.
    #[default]
    Keep,
    End,
}

/// A source with its new secret.
pub(crate) struct RotatedSource {
    pub(crate) changed: ChangedSource,
    pub(crate) secret: Secret,
    /// How long the secret before is accepted.
    pub(crate) old_until: Option<Timestamp>,
    /// The number of secrets that were accepted before and are not any more.
    pub(crate) ended: usize,
}

/// Creates a source, and returns its secret if there is one. If the process dies in between, the
/// list has a source whose secret is lost or not stored. Repeating this creates another source; the
/// first one can be disabled.
pub(crate) async fn create(
    setup: &Setup,
    new: NewSource,
    actor: Actor,
    invocation: &Invocation,
) -> Result<(ChangedSource, Option<Secret>), Problem> {
    let mut document = SourceDocument {
        partner: new.partner.clone(),
        partners: new.partners.clone(),
        kinds_added: new.kinds_added,
        ..SourceDocument::default()
    };
    new.format.apply(&mut document)?;
    let secret = match new.secret {
        NewSecret::Now(origin) => new_secret(&document, origin)?,
        NewSecret::Later => None,
    };
    document
        .secrets
        .extend(secret.clone().map(|value| SourceSecret {
            value,
            not_after: None,
        }));
    let id = new_id(setup).await?;
    let source = RegisteredSource {
        name: new.name,
        partner: new.partner,
        partners: new.partners,
        enabled: new.enabled,
        made_at: invocation.now(),
        inactivity: new.inactivity,
    };
    let change = SourceChange::begin(setup, id, source, 0, invocation).await?;
    let document = change.document(Some(document));
    let changed = change.finish(setup, None, document, invocation).await?;
    record_for_all(setup, &changed, (actor, "source_made"), invocation).await;
    Ok((changed, secret))
}

/// Changes a source that was read at this version. The webhook endpoint uses the change within five
/// minutes.
pub(crate) async fn edit(
    setup: &Setup,
    (id, Versioned { value, version }): (SourceId, Versioned<RegisteredSource>),
    edit: SourceEdit,
    actor: Actor,
    invocation: &Invocation,
) -> Result<ChangedSource, Problem> {
    let mut before = partner_set(value.partner.as_ref(), &value.partners);
    let source_before = value.clone();
    let (partner, partners) = edit
        .partners
        .unwrap_or_else(|| (value.partner.clone(), value.partners.clone()));
    let source = RegisteredSource {
        name: edit.name.unwrap_or(value.name),
        partner,
        partners,
        enabled: edit.enabled.unwrap_or(value.enabled),
        inactivity: edit.inactivity.apply(value.inactivity),
        ..value
    };
    let apply = |source: &RegisteredSource, stored: Option<SourceDocument>| {
        let mut document = document_of(source, stored);
        if let Some(kinds_added) = &edit.kinds_added {
            document.kinds_added.clone_from(kinds_added);
        }
        edit.format.clone().apply(&mut document)?;
        match edit.secrets {
            PresentSecrets::Keep => keep_fitting(&mut document),
            PresentSecrets::End => document.secrets.clear(),
        }
        Ok::<_, Problem>(document)
    };
    // What cannot be used is rejected before the lease is taken.
    apply(&source, stored_document(setup, &id).await?)?;
    let change = SourceChange::begin(setup, id, source, version, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    // An interrupted change may have written only the item or only the document.
    before.extend(stored.iter().flat_map(partners_of));
    let document = apply(&change.source, stored.clone())?;
    let document_before = document_of(&source_before, stored.clone());
    let changed = change.finish(setup, stored, document, invocation).await?;
    let facts_before = facts(&source_before, &document_before);
    record_change(setup, &changed, (&before, &facts_before), actor, invocation).await;
    Ok(changed)
}

/// Gives a source a new secret: the one that the vendor issued, or else a new one. The old secret is
/// accepted for 24 more hours. At most two secrets are accepted, so another rotation within that
/// time ends the oldest at once, for example after a leak, and the result says so.
pub(crate) async fn rotate(
    setup: &Setup,
    (id, Versioned { value, version }): (SourceId, Versioned<RegisteredSource>),
    origin: SecretOrigin,
    actor: Actor,
    invocation: &Invocation,
) -> Result<RotatedSource, Problem> {
    let stored = stored_document(setup, &id).await?;
    let secret = new_secret(&stored.unwrap_or_default(), origin)?;
    let secret = secret.ok_or_else(|| {
        Problem::invalid(
            "secret",
            "The vendor issues it: send the one that it shows.",
        )
    })?;
    let change = SourceChange::begin(setup, id, value, version, invocation).await?;
    let stored = stored_document(setup, &change.id).await?;
    let mut document = change.document(stored.clone());
    let rotated = rotation::rotate(document.secrets, secret.clone(), invocation.now());
    let old_until = rotated.secrets.get(1).and_then(|secret| secret.not_after);
    document.secrets = rotated.secrets;
    let changed = change.finish(setup, stored, document, invocation).await?;
    let action = (actor, "source_secret_rotated");
    record_for_all(setup, &changed, action, invocation).await;
    Ok(RotatedSource {
        changed,
        secret,
        old_until,
        ended: rotated.ended,
    })
}

/// An id that the webhook endpoint recognizes as one of this stage.
async fn new_id(setup: &Setup) -> Result<SourceId, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let new = random::source_key()?;
    let keys = setup.secret_writer.source_keys(prefix, &new).await;
    let keys = keys.map_err(|err| {
        tracing::error!(error = %err, "failed to read or create the keys that prove source ids");
        Problem::unavailable(
            "The keys that prove source ids cannot be read. Repeat this in a minute.",
        )
    })?;
    Ok(keys.id(random::source_id_bytes()?))
}

/// Reads the source of this id.
pub(crate) async fn existing(
    setup: &Setup,
    id: SourceId,
) -> Result<(SourceId, Versioned<RegisteredSource>), Problem> {
    let Versioned { value, version } = setup.access().sources.get(&id).await?;
    let missing = || Problem::not_found(format!("There is no source {id}."));
    let value = value.ok_or_else(missing)?;
    Ok((id, Versioned { value, version }))
}

pub(crate) async fn stored_document(
    setup: &Setup,
    id: &SourceId,
) -> Result<Option<SourceDocument>, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let stored = setup.secret_writer.source(prefix, id).await;
    let stored = stored.map_err(|err| {
        tracing::error!(source = %id, error = %err, "failed to read a source's signing secret");
        Problem::unavailable("The webhook's copy of this source cannot be read.")
    })?;
    Ok(stored.map(|stored| stored.document))
}

/// Records the same action for each partner of the source.
pub(super) async fn record_for_all(
    setup: &Setup,
    changed: &ChangedSource,
    (actor, what): (Actor, &str),
    invocation: &Invocation,
) {
    let source = &changed.source.value;
    let partners = partner_set(source.partner.as_ref(), &source.partners);
    let entries = partners.iter().map(|partner| (partner, what));
    record_each(setup, changed, &[], entries, actor, invocation).await;
}

/// Records a change for each partner of the source, before or after it.
async fn record_change(
    setup: &Setup,
    changed: &ChangedSource,
    (before, facts_before): (&BTreeSet<PartnerId>, &[(&'static str, String)]),
    actor: Actor,
    invocation: &Invocation,
) {
    let source = &changed.source.value;
    let after = partner_set(source.partner.as_ref(), &source.partners);
    let what = |partner| match (before.contains(partner), after.contains(partner)) {
        (true, true) => "source_changed",
        (true, false) => "source_taken_away",
        (false, _) => "source_added",
    };
    let entries = before.union(&after).map(|partner| (partner, what(partner)));
    record_each(setup, changed, facts_before, entries, actor, invocation).await;
}

async fn record_each<'a>(
    setup: &Setup,
    changed: &ChangedSource,
    before: &[(&'static str, String)],
    entries: impl Iterator<Item = (&'a PartnerId, &'a str)>,
    actor: Actor,
    invocation: &Invocation,
) {
    let after = facts(&changed.source.value, &changed.document);
    let compared = after.into_iter().map(|(label, after)| {
        let before = before.iter().find(|(of, _)| *of == label);
        match before {
            Some((_, before)) => (label, audit::changed(before, &after)),
            None => (label, after),
        }
    });
    let source = ("source", changed.id.to_string());
    let detail: Vec<_> = [source].into_iter().chain(compared).collect();
    let recorded = entries
        .map(|(partner, what)| audit::record(setup, partner, (actor, what), &detail, invocation));
    join_all(recorded).await;
}

/// What the history says of a source.
fn facts(source: &RegisteredSource, document: &SourceDocument) -> Vec<(&'static str, String)> {
    let InactivityRules {
        inactive_after_hours,
        tenant_inactive_after_days,
        inactive_ticket,
    } = source.inactivity;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let number = |of: Option<u32>| of.map_or_else(|| audit::NONE.to_owned(), |of| of.to_string());
    let webhook = document.webhook.as_ref();
    let mut facts = vec![
        ("name", source.name.clone()),
        ("enabled", yes(source.enabled)),
        ("authentication", describe(&document.authentication)),
        ("secrets", document.secrets.len().to_string()),
        ("hours_until_inactive", number(inactive_after_hours)),
        (
            "days_until_tenant_inactive",
            number(tenant_inactive_after_days),
        ),
        ("ticket_if_inactive", yes(inactive_ticket)),
    ];
    facts.extend(webhook.map(|webhook| ("webhook", webhook.url.clone())));
    facts
}
