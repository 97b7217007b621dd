//! A locked change of a source: its item, then what partners have of it, then its document.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::secrets::SourceDocument;
use domain::monitoring::source_alert;
use domain::{PartnerId, SourceId};
use futures_util::future::try_join_all;
use store::{Lease, PartnerSource, RegisteredSource, SaveOutcome, Versioned};

use crate::context::Setup;
use crate::http::problem::Problem;

/// A source after a change, and its document.
pub(crate) struct ChangedSource {
    pub(crate) id: SourceId,
    pub(crate) source: Versioned<RegisteredSource>,
    pub(crate) document: SourceDocument,
}

/// A change that holds the item's lease until the end of the invocation.
pub(crate) struct SourceChange {
    pub(crate) id: SourceId,
    pub(crate) source: RegisteredSource,
    version: u64,
    lease: Lease,
}

impl SourceChange {
    /// Writes the new item and takes its lease. One conditional write: if the process dies right
    /// after, the lease expires when the invocation would have ended.
    pub(crate) async fn begin(
        setup: &Setup,
        id: SourceId,
        source: RegisteredSource,
        version: u64,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let sources = &setup.access().sources;
        let worker = (
            invocation.name(),
            invocation.holds_until(),
            invocation.now(),
        );
        let begun = sources.begin_change(&id, &source, version, worker);
        match begun.await? {
            (SaveOutcome::Saved { version }, lease) => Ok(Self {
                id,
                source,
                version,
                lease,
            }),
            (SaveOutcome::Conflict, _) => Err(conflict()),
        }
    }

    /// The document that matches the item. All that the item does not have stays as stored.
    pub(crate) fn document(&self, stored: Option<SourceDocument>) -> SourceDocument {
        document_of(&self.source, stored)
    }

    /// Writes what partners have of the source, then the document, then unlocks the item. `before`
    /// is the stored document. If the process dies before the document is written, the source posts
    /// as before, and a repeated change writes both again.
    pub(crate) async fn finish(
        self,
        setup: &Setup,
        before: Option<SourceDocument>,
        document: SourceDocument,
        invocation: &Invocation,
    ) -> Result<ChangedSource, Problem> {
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
        let Self {
            id,
            source: value,
            version,
            lease,
        } = self;
        let sources = &setup.access().sources;
        match sources.end_change(&id, &value, version, &lease).await? {
            SaveOutcome::Saved { version } => Ok(ChangedSource {
                id,
                source: Versioned { value, version },
                document,
            }),
            // This took longer than the lease, and another change has the item now.
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
            let mut kinds = document.kinds_added.clone();
            if self.source.inactivity.inactive_ticket {
                kinds.extend(source_alert::kind());
                list_ticket_tenant(setup, partner).await?;
            }
            let source = PartnerSource {
                since,
                kinds,
                enabled: document.enabled,
                inactivity: self.source.inactivity,
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

/// Lists the tenant of the tickets about inactive sources ahead of the first, so that a person can
/// map it. A partner that has it keeps it as it is.
async fn list_ticket_tenant(setup: &Setup, partner: &PartnerId) -> Result<(), store::Error> {
    let Some(tenant) = source_alert::tenant() else {
        return Ok(());
    };
    let (source, name) = (SourceId::for_source_alerts(), source_alert::TENANT_NAME);
    let tenants = &setup.table().tenants;
    let listed = tenants.list_new(partner, &tenant, &source, Some(name));
    listed.await.map(drop)
}

pub(crate) fn document_of(
    source: &RegisteredSource,
    stored: Option<SourceDocument>,
) -> SourceDocument {
    SourceDocument {
        partner: source.partner.clone(),
        partners: source.partners.clone(),
        enabled: source.enabled,
        ..stored.unwrap_or_default()
    }
}

/// The partners of the document, whether the source is enabled or not.
pub(crate) fn partners_of(document: &SourceDocument) -> BTreeSet<PartnerId> {
    partner_set(document.partner.as_ref(), &document.partners)
}

pub(crate) fn partner_set(
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

pub(crate) fn conflict() -> Problem {
    Problem::version_conflict(
        "The source was changed since this version, or another change of it is in progress. Get it again in a minute, and repeat the change.",
    )
}
