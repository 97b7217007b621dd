//! The clients with which contacts are notified, and what all mails of a run have in common.

use std::collections::{BTreeMap, HashMap};

use aws::mail::Mailer;
use connections::Connections;
use domain::setup::mapping::Mapping;
use domain::ticketing::refused_writes::RefusalGroups;
use domain::{PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use store::Alerts;

use crate::blocked_counts::BlockedCounts;
use crate::mails;

/// The clients with which contacts of partners are notified.
pub(crate) struct Notifier<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
    pub(crate) mailer: &'a Mailer,
    pub(crate) page_origin: &'a str,
}

/// What all mails of a run have in common.
pub(crate) struct NotificationContext<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) names: &'a TenantNames,
    pub(crate) refusals: &'a RefusalGroups,
    pub(crate) now: Timestamp,
}

/// The tenants' names, as far as they are known.
pub(crate) type TenantNames = BTreeMap<TenantId, String>;

/// The sources' names, as far as they are known.
pub(crate) type SourceNames = BTreeMap<SourceId, String>;

impl Notifier<'_> {
    pub(crate) async fn count_blocked(
        &self,
        partner: &PartnerId,
        refusals: &RefusalGroups,
    ) -> Result<BlockedCounts, store::Error> {
        BlockedCounts::read(self.alerts, partner, refusals).await
    }

    /// The names of the first sources. Without a name, a mail has the id.
    pub(crate) async fn source_names(
        &self,
        sources: impl Iterator<Item = &SourceId>,
    ) -> SourceNames {
        let mut names = SourceNames::new();
        for source in sources.take(mails::MAX_NAMED) {
            let read = self.connections.access.sources.get(source).await.ok();
            let name = read.and_then(|read| read.value).map(|source| source.name);
            names.extend(name.map(|name| (source.clone(), name)));
        }
        names
    }
}

/// The names of tenants, or else of their companies.
pub(crate) fn tenant_names(mappings: &HashMap<TenantId, Mapping>) -> TenantNames {
    let name = |(tenant, mapping): (&TenantId, &Mapping)| {
        let name = mapping.name.as_ref().or(mapping.company_name.as_ref())?;
        Some((tenant.clone(), name.clone()))
    };
    mappings.iter().filter_map(name).collect()
}
