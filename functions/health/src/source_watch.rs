//! Reads what the tables say about a partner's sources, and finds their issues.

use std::collections::{BTreeMap, BTreeSet};

use connections::PartnerConfig;
use domain::monitoring::health::Health;
use domain::monitoring::inactive_source::inactive_since;
use domain::monitoring::inactive_tenant::{WatchedTenant, longest_quiet, tenant_inactive_since};
use domain::monitoring::issue::Issue;
use domain::monitoring::source_alert;
use domain::{PartnerId, RecordId, SourceId, TenantId};
use jiff::Timestamp;
use jiff::civil::Date;
use store::ConfigTable;

/// Watches the sources of one partner.
pub(crate) struct SourceWatch<'a> {
    pub(crate) table: &'a ConfigTable,
    pub(crate) partner: &'a PartnerId,
    pub(crate) config: &'a PartnerConfig,
    /// The companies of the mapped and enabled tenants.
    pub(crate) companies: &'a BTreeMap<TenantId, RecordId>,
    pub(crate) now: Timestamp,
}

/// What one run found about the sources.
pub(crate) struct SourceFindings {
    issues: BTreeSet<Issue>,
    /// The inactive sources that make a ticket, each with the time since which it is quiet.
    with_ticket: BTreeMap<SourceId, Timestamp>,
}

impl SourceFindings {
    /// The health with these findings.
    pub(crate) fn apply(self, health: Health, now: Timestamp) -> Health {
        let health = health.with_source_issues(self.issues, now);
        Health {
            source_alerts: source_alert::update(health.source_alerts, &self.with_ticket, now),
            ..health
        }
    }
}

impl SourceWatch<'_> {
    /// Finds the issues of sources that are inactive, as a whole or for a tenant.
    pub(crate) async fn find(&self) -> Result<SourceFindings, store::Error> {
        let inactive = self.inactive_sources().await?;
        let tenants = self.inactive_tenants(&inactive).await?;
        let makes_ticket = |id: &SourceId| {
            let source = self.config.sources.get(id);
            source.is_some_and(|source| source.inactivity.inactive_ticket)
        };
        let mut with_ticket = inactive.clone();
        with_ticket.retain(|source, _| makes_ticket(source));
        let sources = inactive
            .into_iter()
            .map(|(source, since)| Issue::InactiveSource { source, since });
        Ok(SourceFindings {
            issues: sources.chain(tenants).collect(),
            with_ticket,
        })
    }

    async fn inactive_sources(&self) -> Result<BTreeMap<SourceId, Timestamp>, store::Error> {
        let activities = self.table.source_activity.get_all(self.partner).await?;
        let mut inactive = BTreeMap::new();
        for (id, source) in &self.config.sources {
            let activity = activities.get(id).cloned().unwrap_or_default();
            let since = inactive_since(source.watched(), &activity, self.now);
            inactive.extend(since.map(|since| (id.clone(), since)));
        }
        Ok(inactive)
    }

    /// The tenants for which a source is inactive that is not inactive as a whole. The days are read
    /// only if a source has a limit for them.
    async fn inactive_tenants(
        &self,
        inactive: &BTreeMap<SourceId, Timestamp>,
    ) -> Result<Vec<Issue>, store::Error> {
        let mut sources = self.config.sources.values();
        if sources.all(|source| source.inactivity.tenant_inactive_after_days.is_none()) {
            return Ok(vec![]);
        }
        let last_sent = self.table.tenants.last_sent(self.partner).await?;
        let days = last_sent.into_iter().filter_map(|(of, last_sent)| {
            let is_watched = !inactive.contains_key(&of.0) && self.companies.contains_key(&of.1);
            let since = self.tenant_inactive_since(&of, last_sent);
            since.filter(|_| is_watched).map(|since| (since, of))
        });
        let named = longest_quiet(days.collect()).into_iter();
        let issues = named.map(|(since, (source, tenant))| Issue::InactiveTenant {
            source,
            tenant,
            since,
        });
        Ok(issues.collect())
    }

    fn tenant_inactive_since(
        &self,
        (source, tenant): &(SourceId, TenantId),
        last_sent: Date,
    ) -> Option<Date> {
        let source = self.config.sources.get(source)?;
        let mapping = self.config.mappings.get(tenant)?;
        let tenant = WatchedTenant {
            last_sent,
            enabled_at: mapping.enabled_at,
        };
        tenant_inactive_since(source.watched(), tenant, self.now)
    }
}
