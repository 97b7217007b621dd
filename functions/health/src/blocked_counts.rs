//! Counts blocked alerts for a mail.

use std::collections::BTreeMap;

use domain::monitoring::issue::IncidentScope;
use domain::ticketing::refused_writes::{RefusalGroupId, RefusalGroups};
use domain::{PartnerId, TenantId};
use store::{Alerts, BlockedRange};

/// Most alerts that are counted, as on the page.
const MAX_COUNTED: u64 = 20_000;

/// Blocked alerts, by tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BlockedCount {
    pub(crate) tenants: BTreeMap<TenantId, u64>,
    /// Those of them that ConnectWise refused, by reason.
    pub(crate) refused: BTreeMap<RefusalGroupId, u64>,
    /// Whether there are more than were counted.
    pub(crate) more: bool,
}

/// Blocked alerts, by the scope of the incident that blocks them.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockedCounts {
    connection: BlockedCount,
    partner_config: BlockedCount,
    /// No source blocks an alert.
    sources: BlockedCount,
}

impl BlockedCount {
    pub(crate) fn sum(&self) -> u64 {
        self.tenants.values().sum()
    }
}

impl BlockedCounts {
    /// Counts the partner's blocked alerts. Test alerts are not counted.
    pub(crate) async fn read(
        alerts: &Alerts,
        partner: &PartnerId,
        refusals: &RefusalGroups,
    ) -> Result<Self, store::Error> {
        let mut counts = Self::default();
        let mut counted = 0;
        for stretch in BlockedRange::all_from(None) {
            let mut listing = alerts.lists.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let Some(scope) = IncidentScope::for_reason(&listed.blocked.reason) else {
                    continue;
                };
                if listed.key.source.is_for_test_alerts() {
                    continue;
                }
                if counted == MAX_COUNTED {
                    counts.connection.more = true;
                    counts.partner_config.more = true;
                    return Ok(counts);
                }
                counted += 1;
                let count = match scope {
                    IncidentScope::Connection => &mut counts.connection,
                    IncidentScope::PartnerConfig => &mut counts.partner_config,
                    IncidentScope::Sources => &mut counts.sources,
                };
                let details = listed.desired.details.as_ref();
                if let Some(group) = refusals.group_of(&listed.blocked, &listed.key, details) {
                    *count.refused.entry(group).or_default() += 1;
                }
                *count.tenants.entry(listed.key.tenant).or_default() += 1;
            }
        }
        Ok(counts)
    }

    pub(crate) fn of(&self, scope: IncidentScope) -> &BlockedCount {
        match scope {
            IncidentScope::Connection => &self.connection,
            IncidentScope::PartnerConfig => &self.partner_config,
            IncidentScope::Sources => &self.sources,
        }
    }
}
