//! A locked change of a source: its item, then what partners have of it, then its document.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::secrets::SourceDocument;
use domain::{PartnerId, SourceId};
use futures_util::future::try_join_all;
use store::{PartnerSource, RegisteredSource, SaveOutcome, Versioned};

use crate::context::Setup;
use crate::http::problem::Problem;
use crate::operator::sources::response::SourceResponse;

/// A change that holds the item's lock until the end of the invocation.
pub(super) struct SourceChange {
    pub(super) id: SourceId,
    pub(super) source: RegisteredSource,
    version: u64,
}

impl SourceChange {
    /// Writes the new item, locked. One conditional write: if the process dies right after, the
    /// lock expires when the invocation would have ended.
    pub(super) async fn begin(
        setup: &Setup,
        id: SourceId,
        source: RegisteredSource,
        version: u64,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let locked = source.busy_until;
        if locked.is_some_and(|until| invocation.now() < until) {
            return Err(Problem::version_conflict(
                "Another change of this source is in progress, or was interrupted. Repeat this in a minute.",
            ));
        }
        let source = RegisteredSource {
            busy_until: Some(invocation.holds_until()),
            ..source
        };
        match setup.access().sources.save(&id, &source, version).await? {
            SaveOutcome::Saved { version } => Ok(Self {
                id,
                source,
                version,
            }),
            SaveOutcome::Conflict => Err(conflict()),
        }
    }

    /// The document that matches the item. All that the item does not have stays as stored.
    pub(super) fn document(&self, stored: Option<SourceDocument>) -> SourceDocument {
        SourceDocument {
            partner: self.source.partner.clone(),
            partners: self.source.partners.clone(),
            enabled: self.source.enabled,
            ..stored.unwrap_or_default()
        }
    }

    /// Writes what partners have of the source, then the document, then unlocks the item. `before`
    /// is the stored document. If the process dies before the document is written, the source posts
    /// as before, and a repeated change writes both again.
    pub(super) async fn finish(
        self,
        setup: &Setup,
        before: Option<SourceDocument>,
        document: SourceDocument,
        invocation: &Invocation,
    ) -> Result<SourceResponse, Problem> {
        self.update_partners(setup, before.as_ref(), &document, invocation)
            .await?;
        let prefix = &setup.config.source_secret_prefix;
        let stored = setup
            .secret_writer
            .put_source(prefix, &self.id, &document)
            .await;
        stored.map_err(|err| {
            tracing::error!(source = %self.id, error = %err, "failed to store a source's signing secret");
            Problem::unavailable("The webhook's copy of the source was not updated. Repeat this in a minute.")
        })?;
        let value = RegisteredSource {
            busy_until: None,
            ..self.source
        };
        let access = setup.access();
        match access.sources.save(&self.id, &value, self.version).await? {
            SaveOutcome::Saved { version } => {
                let source = Versioned { value, version };
                Ok(SourceResponse::new(setup, self.id, source, Some(document)))
            }
            // This took longer than the lock, and another change has the item now.
            SaveOutcome::Conflict => Err(conflict()),
        }
    }

    async fn update_partners(
        &self,
        setup: &Setup,
        before: Option<&SourceDocument>,
        document: &SourceDocument,
        invocation: &Invocation,
    ) -> Result<(), store::Error> {
        let (access, now) = (setup.access(), invocation.now());
        let before = before.map(enabled_partners).unwrap_or_default();
        let after = partners_of(document);
        let stored = after.iter().map(async |partner| {
            let known = access
                .partner_sources
                .get_all(partner)
                .await?
                .remove(&self.id);
            let since = match (before.contains(partner), known) {
                (true, Some(known)) => known.since,
                (true, None) => self.source.made_at,
                (false, _) => now,
            };
            let kinds = document.kinds_added.clone();
            let source = PartnerSource {
                since,
                kinds,
                enabled: document.enabled,
                inactive_after_hours: self.source.inactive_after_hours,
            };
            access.partner_sources.put(partner, &self.id, &source).await
        });
        try_join_all(stored).await?;
        let gone = before.difference(&after);
        let removed = gone.map(|partner| access.partner_sources.remove(partner, &self.id));
        try_join_all(removed).await?;
        Ok(())
    }
}

/// The partners of the document, whether the source is enabled or not.
pub(super) fn partners_of(document: &SourceDocument) -> BTreeSet<PartnerId> {
    partner_set(document.partner.as_ref(), &document.partners)
}

pub(super) fn partner_set(
    partner: Option<&PartnerId>,
    partners: &[PartnerId],
) -> BTreeSet<PartnerId> {
    partner.into_iter().chain(partners).cloned().collect()
}

/// The partners that the source may post for at present.
fn enabled_partners(document: &SourceDocument) -> BTreeSet<PartnerId> {
    if document.enabled {
        partners_of(document)
    } else {
        BTreeSet::new()
    }
}

pub(super) fn conflict() -> Problem {
    Problem::version_conflict(
        "The source was changed since this version. Get it again, and repeat the change.",
    )
}
