//! Finds the alerts that are resolved: their sources' snapshots no longer list them, or they
//! expired.

use std::collections::{BTreeSet, HashMap};

use aws::metrics::{Metric, count};
use connections::Connections;
use domain::alert::key::ItemKey;
use domain::closing::census::Census;
use domain::closing::census_entry::Scope;
use domain::closing::guard;
use domain::closing::resolution_plan::{ResolutionPlan, ScopeSnapshots};
use domain::closing::snapshot::{IdMatch, Snapshot, SnapshotMatches, Snapshots, WatchedAlerts};
use domain::time::earlier;
use domain::{AlertKey, PartnerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use store::{Alerts, ClosingHolds, OperatorEvent};

/// Finds the resolved alerts of one partner.
pub(crate) struct ResolutionFinder<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
    pub(crate) partner: &'a PartnerId,
    pub(crate) snapshot_lag: SignedDuration,
}

/// What the snapshots of all scopes show.
struct AllSnapshots {
    by_scope: HashMap<u32, ScopeSnapshots>,
    /// Tenants with a snapshot that closes nothing, because it is incomplete, empty or
    /// contradictory.
    uncertain_tenants: BTreeSet<TenantId>,
}

impl ResolutionFinder<'_> {
    /// Plans which alerts to resolve. If too many alerts of a tenant are resolved at once, they are
    /// held for a person to approve.
    pub(crate) async fn plan(
        &self,
        census: &Census,
        now: Timestamp,
    ) -> Result<ResolutionPlan, store::Error> {
        let snapshots = self.snapshots(census, now).await?;
        let resolved = census.resolved_alerts(&snapshots.by_scope, self.snapshot_lag, now);
        let uncertain_tenants = snapshots.uncertain_tenants;
        drop(snapshots.by_scope);
        let since = earlier(now, guard::DAY);
        let mut ended = vec![];
        for tenant in census.tenants_of(&resolved) {
            let ended_today = self.alerts.lists.ended_since(self.partner, &tenant, since);
            ended.extend(ended_today.await?);
        }
        let table = &self.connections.table;
        let ClosingHolds { held, approvals } = table.closing_holds.get(self.partner).await?;
        let plan = census.resolution_plan(resolved, &ended, &approvals, now);
        self.report_similar_ids(&plan, now).await;
        self.hold(&plan, now).await?;
        for tenant in held.keys() {
            let is_still_needed = plan.held.contains_key(tenant)
                || plan.approved.contains(tenant)
                || uncertain_tenants.contains(tenant);
            if !is_still_needed {
                table.closing_holds.end(self.partner, tenant).await?;
            }
        }
        Ok(plan)
    }

    async fn report_similar_ids(&self, plan: &ResolutionPlan, now: Timestamp) {
        for (scope, &alerts) in &plan.similar {
            tracing::warn!(
                tenant = %scope.tenant, source = %scope.source, alerts,
                "alerts stay open: the snapshot lists ids that differ only in case, normalisation or white space"
            );
            count(Metric::SimilarIds, alerts);
            self.connections
                .report_event(OperatorEvent::SimilarIds, now)
                .await;
        }
    }

    /// Stores the held closings. Health notifies the partner. If the process dies before the probe
    /// is scheduled, health does so at its own time.
    async fn hold(&self, plan: &ResolutionPlan, now: Timestamp) -> Result<(), store::Error> {
        for (tenant, hold) in &plan.held {
            let table = &self.connections.table;
            if table
                .closing_holds
                .hold(self.partner, tenant, hold, now)
                .await?
            {
                let (closings, of) = (hold.closings, hold.open);
                tracing::error!(tenant = %tenant, closings, of, "held closings: too many at once");
                count(Metric::ClosingsHeld, 1);
                let event = OperatorEvent::ClosingsHeld;
                self.connections.report_event(event, now).await;
                self.connections.schedule.probe(self.partner, now).await?;
            }
        }
        Ok(())
    }

    async fn snapshots(
        &self,
        census: &Census,
        now: Timestamp,
    ) -> Result<AllSnapshots, store::Error> {
        let mut all = AllSnapshots {
            by_scope: HashMap::new(),
            uncertain_tenants: BTreeSet::new(),
        };
        for (number, scope) in (0..).zip(&census.scopes) {
            if census.kinds_of(number).is_empty() {
                continue;
            }
            let of_scope = self.scope_snapshots(census, number, scope, now).await?;
            if of_scope.snapshots.is_uncertain(&of_scope.found) {
                tracing::info!(tenant = %scope.tenant, source = %scope.source, "the newest snapshot is incomplete, empty or contradictory; it closes nothing");
                all.uncertain_tenants.insert(scope.tenant.clone());
            }
            all.by_scope.insert(number, of_scope);
        }
        Ok(all)
    }

    /// Reads a scope's snapshots part by part. Only the active alerts that they list are kept, so
    /// memory grows with open alerts, not with what sources send.
    async fn scope_snapshots(
        &self,
        census: &Census,
        number: u32,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<ScopeSnapshots, store::Error> {
        let mut snapshots = Snapshots::new(census.kinds_of(number));
        let mut parts = self
            .alerts
            .snapshots
            .parts(self.partner, &scope.tenant, &scope.source);
        while let Some(part) = parts.next().await? {
            if !snapshots.add(part, now) {
                break;
            }
        }
        let watched = census.watched(number);
        let mut found = SnapshotMatches::default();
        for snapshot in snapshots.to_read() {
            if let Some(matches) = self.matches(scope, snapshot, &watched).await? {
                found.add(snapshot, matches);
            }
        }
        Ok(ScopeSnapshots { snapshots, found })
    }

    /// The active alerts that a snapshot lists, or `None` if a part of it changed meanwhile.
    async fn matches(
        &self,
        scope: &Scope,
        snapshot: &Snapshot,
        watched: &WatchedAlerts,
    ) -> Result<Option<HashMap<ItemKey, IdMatch>>, store::Error> {
        let mut found = HashMap::new();
        for key in snapshot.part_keys() {
            let Some(listed) = self.alerts.snapshots.active_alerts(&key).await? else {
                return Ok(None);
            };
            for alert_id in listed {
                let key = AlertKey {
                    partner: self.partner.clone(),
                    tenant: scope.tenant.clone(),
                    source: scope.source.clone(),
                    alert_id,
                };
                watched.find(&key, &mut found);
            }
        }
        Ok(Some(found))
    }
}
