//! Which sources a partner sees on its page, and whether it may change them.

use aws::secrets::SourceDocument;
use domain::{PartnerId, SourceId};
use store::{RegisteredSource, Versioned};

use crate::auth::session::PartnerSession;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::sources::manage::stored_document;

/// A source of the session's partner.
pub(super) struct OwnSource {
    pub(super) id: SourceId,
    pub(super) source: Versioned<RegisteredSource>,
    pub(super) document: SourceDocument,
}

impl OwnSource {
    /// Reads a source. One of another partner does not exist for this partner.
    pub(super) async fn read(
        setup: &Setup,
        partner: &PartnerId,
        id: SourceId,
    ) -> Result<Self, Problem> {
        let missing = || Problem::not_found("There is no such source.");
        let Versioned { value, version } = setup.access().sources.get(&id).await?;
        let value = value.filter(|source| posts_for(source, partner));
        let value = value.ok_or_else(missing)?;
        let document = stored_document(setup, &id).await?.unwrap_or_default();
        Ok(Self {
            id,
            source: Versioned { value, version },
            document,
        })
    }

    /// Reads a source that the session may change, if it is unchanged since the page was loaded.
    pub(super) async fn read_at(
        setup: &Setup,
        session: &PartnerSession,
        id: SourceId,
        version: u64,
    ) -> Result<Self, Problem> {
        let own = Self::read_to_change(setup, session, id).await?;
        if own.source.version == version {
            Ok(own)
        } else {
            Err(Problem::conflict())
        }
    }

    /// Reads a source that the session may change.
    pub(super) async fn read_to_change(
        setup: &Setup,
        session: &PartnerSession,
        id: SourceId,
    ) -> Result<Self, Problem> {
        let own = Self::read(setup, &session.partner, id).await?;
        require_manager(session)?;
        if own.is_shared() {
            return Err(Problem::not_allowed(
                "This source posts for several partners, so only the operator of your Ticketbridge changes it.",
            ));
        }
        Ok(own)
    }

    /// Whether the source posts for other partners too.
    pub(super) fn is_shared(&self) -> bool {
        self.source.value.partner.is_none()
    }
}

pub(super) fn require_manager(session: &PartnerSession) -> Result<(), Problem> {
    if session.manages_sources {
        return Ok(());
    }
    Err(Problem::not_allowed(
        "The operator of your Ticketbridge manages the sources. Ask them for this change, or to let you manage sources here.",
    ))
}

fn posts_for(source: &RegisteredSource, partner: &PartnerId) -> bool {
    source.partner.as_ref() == Some(partner) || source.partners.contains(partner)
}
