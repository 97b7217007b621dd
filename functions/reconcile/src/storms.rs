//! Follows the storms of a partner: lists their alerts in their tickets, and resolves the alert
//! of a storm whose alerts are all resolved.

use std::collections::{BTreeMap, BTreeSet};

use aws::queue::QueueSender;
use domain::alert::event::Event;
use domain::alert::storm::{Storm, TenantStorms};
use domain::alert::storm_ticket::{MAX_LISTED_AT_ONCE, StormAlert, StormProgress, StormStep};
use domain::wire::message::Message;
use domain::{AlertId, AlertKey, Blocked, TenantId};
use futures_util::future::join_all;
use jiff::Timestamp;
use store::{Alerts, BlockedAlert, BlockedRange, Versioned};

use crate::error::ReconcileError;
use crate::run_context::RunContext;

/// Records that are read concurrently.
const CONCURRENT_READS: usize = 16;

/// Follows the storms of one partner.
pub(crate) struct StormFollower<'a> {
    pub(crate) context: RunContext<'a>,
    pub(crate) alerts: &'a Alerts,
    pub(crate) queue: &'a QueueSender,
    /// The names of the tenants.
    pub(crate) names: &'a BTreeMap<TenantId, String>,
}

/// The storms of a partner.
#[derive(Debug, Default)]
pub(crate) struct OpenStorms(BTreeSet<(TenantId, AlertId)>);

impl OpenStorms {
    /// When their partner is due again, unless there are none.
    pub(crate) fn next_follow(&self, now: Timestamp) -> Option<Timestamp> {
        (!self.0.is_empty()).then_some(now)
    }

    pub(crate) fn contains(&self, tenant: &TenantId, storm: &AlertId) -> bool {
        self.0.contains(&(tenant.clone(), storm.clone()))
    }
}

impl StormFollower<'_> {
    /// Makes the next step of each storm. Returns those that were there: an alert that is part
    /// of another one goes on.
    pub(crate) async fn follow(&self) -> Result<OpenStorms, ReconcileError> {
        let storms = &self.context.connections.table.storms;
        let mut open = OpenStorms::default();
        for (tenant, storms) in storms.list(self.context.partner).await? {
            let mut active = self.active_alerts(&tenant).await?;
            for storm in storms.storms() {
                let alerts = active.remove(&storm.id).unwrap_or_default();
                self.follow_storm(&tenant, storm, alerts).await?;
                open.0.insert((tenant.clone(), storm.id.clone()));
            }
        }
        Ok(open)
    }

    /// The active alerts of a tenant by their storms, the longest blocked first.
    async fn active_alerts(
        &self,
        tenant: &TenantId,
    ) -> Result<BTreeMap<AlertId, Vec<BlockedAlert>>, store::Error> {
        let mut active: BTreeMap<_, Vec<BlockedAlert>> = BTreeMap::new();
        for range in BlockedRange::of_tenant(tenant) {
            let mut listing = self.alerts.lists.blocked_in(self.context.partner, &range);
            while let Some(listed) = listing.next().await? {
                if let Blocked::Storm(id) = &listed.blocked.reason {
                    active.entry(id.clone()).or_default().push(listed);
                }
            }
        }
        for alerts in active.values_mut() {
            alerts.sort_by(|one, other| {
                let place = |alert: &BlockedAlert| (alert.blocked.since, alert.key.clone());
                place(one).cmp(&place(other))
            });
        }
        Ok(active)
    }

    async fn follow_storm(
        &self,
        tenant: &TenantId,
        storm: &Storm,
        active: Vec<BlockedAlert>,
    ) -> Result<(), ReconcileError> {
        let (partner, now) = (self.context.partner, self.context.invocation.now());
        let storms = &self.context.connections.table.storms;
        let key = storm.key(partner, tenant);
        let stored = storms.progress(partner, tenant, &storm.id).await?;
        let record = self.alerts.get(&key).await?;
        let unlisted = stored.value.unlisted(active.iter().map(|alert| &alert.key));
        let alerts = (active.len(), !unlisted.is_empty());
        let step = storm.next_step(&stored.value, record.as_ref(), alerts, now);
        tracing::info!(%tenant, storm = %storm.id, active = active.len(), step = ?step, "followed a storm");
        match step {
            StormStep::Wait => Ok(()),
            StormStep::SendAgain => self.send(stored.value.newest()).await,
            StormStep::List => {
                let unlisted = unlisted.into_iter().take(MAX_LISTED_AT_ONCE);
                let keys: BTreeSet<&AlertKey> = unlisted.collect();
                let next = active.iter().filter(|alert| keys.contains(&alert.key));
                let next = self.with_summaries(next).await?;
                let name = self.names.get(tenant).map(String::as_str);
                let count = (&next[..], active.len());
                let progress = stored.value.clone();
                let progress = progress.with_listed(storm, &key, name, count, now);
                self.save_and_send(storm, tenant, &stored, progress).await
            }
            StormStep::Resolve => {
                let progress = stored.value.clone().with_end(&key, now);
                self.save_and_send(storm, tenant, &stored, progress).await
            }
            StormStep::End => {
                let over = |storms: TenantStorms| storms.with_over(&storm.id);
                self.change_storms(tenant, over).await
            }
            StormStep::Remove => {
                // If the process dies in between, the next run removes it.
                let of = (tenant, &storm.id);
                storms.expire_progress(partner, of, now).await?;
                let without = |storms: TenantStorms| storms.without(&storm.id);
                self.change_storms(tenant, without).await
            }
        }
    }

    async fn with_summaries<'a>(
        &self,
        alerts: impl Iterator<Item = &'a BlockedAlert>,
    ) -> Result<Vec<StormAlert>, store::Error> {
        let alerts: Vec<_> = alerts.collect();
        let mut read = vec![];
        for some in alerts.chunks(CONCURRENT_READS) {
            let records = some.iter().map(|alert| self.alerts.get(&alert.key));
            for (alert, record) in some.iter().zip(join_all(records).await) {
                let summary = record?.and_then(|record| record.summary);
                let details = alert.desired.details.clone();
                read.extend(details.map(|details| StormAlert {
                    key: alert.key.clone(),
                    details,
                    summary,
                }));
            }
        }
        Ok(read)
    }

    /// Stores the progress before its event is sent: the event is sent again until it is received.
    /// After a conflict the next run decides anew.
    async fn save_and_send(
        &self,
        storm: &Storm,
        tenant: &TenantId,
        stored: &Versioned<StormProgress>,
        progress: StormProgress,
    ) -> Result<(), ReconcileError> {
        let storms = &self.context.connections.table.storms;
        let of = (tenant, &storm.id);
        let saved = storms
            .save_progress(self.context.partner, of, &progress, stored.version)
            .await?;
        match saved.is_saved() {
            true => self.send(progress.newest()).await,
            false => Ok(()),
        }
    }

    async fn send(&self, event: Option<&Event>) -> Result<(), ReconcileError> {
        let messages: Vec<_> = event.cloned().map(Message::Event).into_iter().collect();
        self.queue.send_all(&messages).await?;
        Ok(())
    }

    /// Changes the storms of a tenant. After a conflict with a worker, the next run does it.
    async fn change_storms(
        &self,
        tenant: &TenantId,
        change: impl FnOnce(TenantStorms) -> TenantStorms,
    ) -> Result<(), ReconcileError> {
        let storms = &self.context.connections.table.storms;
        let partner = self.context.partner;
        let Versioned { value, version } = storms.get(partner, tenant).await?;
        let changed = change(value);
        let saved = storms.save(partner, tenant, &changed, version).await?;
        if !saved.is_saved() {
            tracing::info!(%tenant, "storms of a tenant changed meanwhile");
        }
        Ok(())
    }
}

/// The names of tenants, for people.
pub(crate) fn tenant_names<'a>(
    mappings: impl IntoIterator<Item = (&'a TenantId, &'a domain::setup::mapping::Mapping)>,
) -> BTreeMap<TenantId, String> {
    let named = mappings.into_iter();
    named
        .filter_map(|(tenant, mapping)| Some((tenant.clone(), mapping.name.clone()?)))
        .collect()
}
