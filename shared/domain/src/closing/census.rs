//! The census: the active alerts and open tickets of a partner, as the index lists them, and what
//! follows from them.
//!
//! Reconcile only proposes. The worker reads record and ticket again before it acts. The same lists
//! give the same proposals, and no proposals once those are carried out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::alert::key::ItemKey;
use crate::alert::record::{Actual, Desired, OpenTicket};
use crate::alert::resolution::Resolution;
use crate::closing::alert_set::AlertSet;
use crate::closing::census_entry::{ActiveAlert, CensusAlert, CensusTicket, Scope};
use crate::closing::guard::{Approval, ClosingVerdict, RecentClosing, TenantTally};
use crate::closing::proposal::{Proposal, ProposedAction};
use crate::closing::resolution_plan::{Hold, ResolutionPlan, ResolvedAlerts, ScopeSnapshots};
use crate::closing::snapshot::{SnapshotVerdict, WatchedAlerts};
use crate::closing::ticket_comparison::RecordedTickets;
use crate::{AlertKey, Kind, TenantId};

/// The alerts of a partner that are active or have an open ticket. Each entry is small, since there
/// may be a hundred thousand.
#[derive(Debug, Default)]
pub struct Census {
    /// The scopes of the alerts. An alert refers to its scope by index.
    pub scopes: Vec<Scope>,
    kinds: Vec<Kind>,
    /// The kinds of each scope's active alerts, by index.
    kinds_of: Vec<Vec<u32>>,
    /// The active alerts of each scope, by index.
    active_of: Vec<Vec<u32>>,
    alerts: Vec<CensusAlert>,
}

impl Census {
    /// Adds a record from the index.
    pub fn add(
        &mut self,
        key: &AlertKey,
        desired: &Desired,
        actual: Option<&Actual>,
        occurrence: u32,
    ) {
        let Some(item) = ItemKey::parse(&key.item_key()) else {
            return;
        };
        // Also if a person closed the ticket: once the alert is resolved, the next raise is a new
        // occurrence.
        let is_ended =
            matches!(actual, Some(Actual::Closed(closed)) if closed.occurrence == occurrence);
        let active = desired.details.as_ref().filter(|_| desired.active);
        let active = active
            .zip(desired.last.as_ref())
            .map(|(details, last)| ActiveAlert {
                kind: self.kind(&details.kind),
                similar: key.similar_key(),
                raised_at: details.raised_at,
                last: last.occurred_at,
                last_received: desired.last_received_at.unwrap_or(last.occurred_at),
                expires_at: details.expires_at,
                is_ended,
            });
        let ended = desired.resolution.as_ref().zip(desired.details.as_ref());
        let ended = ended.map(|(resolution, details)| (details.raised_at, resolution.at()));
        let open = actual.and_then(Actual::open);
        let ticket = open.map(|open| CensusTicket {
            id: open.ticket_id,
            board: open.board_id,
            company: open.company_id,
            epoch: open.epoch,
            occurrence: carried(open, occurrence),
            opened_at: open.opened_at,
            action: open.action.as_ref().map(|asked| asked.action.kind()),
        });
        if active.is_none() && ticket.is_none() {
            return;
        }
        let scope = self.scope(key);
        if let Some(ActiveAlert { kind, .. }) = active {
            let kinds = self.kinds_of.get_mut(index(scope));
            if let Some(kinds) = kinds.filter(|kinds| !kinds.contains(&kind)) {
                kinds.push(kind);
            }
            if let Some(active) = self.active_of.get_mut(index(scope)) {
                active.push(number(self.alerts.len()));
            }
        }
        self.alerts.push(CensusAlert {
            key: item,
            scope,
            active,
            ended,
            ticket,
        });
    }

    /// Returns the index of an alert's scope.
    fn scope(&mut self, key: &AlertKey) -> u32 {
        // Lists are ordered by tenant, so it is mostly the last one.
        let is_it = |known: &Scope| known.tenant == key.tenant && known.source == key.source;
        let known = self.scopes.iter().rposition(is_it);
        number(known.unwrap_or_else(|| {
            self.scopes.push(Scope {
                tenant: key.tenant.clone(),
                source: key.source.clone(),
            });
            self.kinds_of.push(vec![]);
            self.active_of.push(vec![]);
            self.scopes.len() - 1
        }))
    }

    fn kind(&mut self, kind: &Kind) -> u32 {
        let known = self.kinds.iter().position(|known| known == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        });
        number(at)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// The kinds of a scope's active alerts: those for which its snapshots are read.
    #[must_use]
    pub fn kinds_of(&self, scope: u32) -> Vec<Kind> {
        let kinds = self.kinds_of.get(index(scope)).into_iter().flatten();
        let named = kinds.filter_map(|kind| self.kinds.get(index(*kind)));
        named.cloned().collect()
    }

    /// The active alerts of a scope, which are looked up in its snapshots.
    #[must_use]
    pub fn watched(&self, scope: u32) -> WatchedAlerts {
        let mut watched = WatchedAlerts::default();
        let places = self.active_of.get(index(scope)).into_iter().flatten();
        for alert in places.filter_map(|place| self.alerts.get(index(*place))) {
            if let Some(active) = &alert.active {
                watched.add(alert.key, active.similar);
            }
        }
        watched
    }

    /// Which alerts are resolved, by snapshots and expiry. Snapshots may lag behind events by
    /// `lag`.
    #[must_use]
    pub fn resolved_alerts(
        &self,
        seen: &HashMap<u32, ScopeSnapshots>,
        lag: SignedDuration,
        now: Timestamp,
    ) -> ResolvedAlerts {
        let mut resolved_alerts = ResolvedAlerts::default();
        for alert in &self.alerts {
            let Some(active) = &alert.active else {
                continue;
            };
            let Some(kind) = self.kinds.get(index(active.kind)) else {
                continue;
            };
            let received = active.last_received;
            let shown = seen
                .get(&alert.scope)
                .map_or(SnapshotVerdict::Nothing, |seen| {
                    let ScopeSnapshots { snapshots, found } = seen;
                    snapshots.verdict(alert.key, kind, received, found, lag)
                });
            let ends = active.expires_at;
            let resolution = match (shown, ends.filter(|at| *at <= now)) {
                (SnapshotVerdict::Listed(taken) | SnapshotVerdict::Similar(taken), Some(at))
                    if taken >= at =>
                {
                    None
                }
                (_, Some(at)) => Some(Resolution::Expired { at }),
                (SnapshotVerdict::Absent(snapshot), None) => Some(Resolution::Absent {
                    snapshot_id: snapshot.id().clone(),
                    taken_at: snapshot.taken_at(),
                }),
                (
                    SnapshotVerdict::Nothing
                    | SnapshotVerdict::Listed(_)
                    | SnapshotVerdict::Similar(_),
                    None,
                ) => None,
            };
            if let (SnapshotVerdict::Similar(taken), None) = (shown, &resolution)
                && taken.duration_since(received) >= lag
            {
                *resolved_alerts.similar.entry(alert.scope).or_default() += 1;
            }
            match (resolution, ends) {
                (Some(resolution), _) => {
                    resolved_alerts.resolved.insert(alert.key, resolution);
                }
                (None, Some(at)) if at > now => {
                    resolved_alerts.next =
                        Some(resolved_alerts.next.map_or(at, |next| next.min(at)));
                }
                (None, _) => {}
            }
        }
        resolved_alerts
    }

    /// The tenants with resolved alerts.
    #[must_use]
    pub fn tenants_of(&self, resolved_alerts: &ResolvedAlerts) -> BTreeSet<TenantId> {
        let resolution = self.alerts.iter();
        let resolution =
            resolution.filter(|alert| resolved_alerts.resolved.contains_key(&alert.key));
        let scopes: BTreeSet<u32> = resolution.map(|alert| alert.scope).collect();
        let scopes = scopes.into_iter().filter_map(|n| self.scopes.get(index(n)));
        scopes.map(|scope| scope.tenant.clone()).collect()
    }

    /// Which of the resolved alerts may be closed. If a tenant would lose too many within a day,
    /// all of its alerts are held, unless a person has approved exactly these. `ended` are those
    /// that were closed within the last day.
    #[must_use]
    pub fn resolution_plan(
        &self,
        mut resolved_alerts: ResolvedAlerts,
        ended: &[RecentClosing],
        approvals: &BTreeMap<TenantId, Approval>,
        now: Timestamp,
    ) -> ResolutionPlan {
        let mut tenants: BTreeMap<&TenantId, TenantTally> = BTreeMap::new();
        let mut still_active = BTreeSet::new();
        for alert in &self.alerts {
            let Some(scope) = self.scopes.get(index(alert.scope)) else {
                continue;
            };
            let of_tenant = tenants.entry(&scope.tenant).or_default();
            let Some(active) = &alert.active else {
                if let Some(ticket) = &alert.ticket {
                    of_tenant.add_ticket(alert.scope, ticket.opened_at);
                }
                if let Some(ended) = alert.ended {
                    of_tenant.add_ended(alert.scope, ended, false);
                }
                continue;
            };
            still_active.insert(alert.key);
            let proposal = resolved_alerts
                .resolved
                .remove(&alert.key)
                .map(|shown| Proposal {
                    key: alert.key,
                    action: ProposedAction::Resolve {
                        last: active.last,
                        shown,
                    },
                });
            let has_ticket = alert.ticket.is_some();
            if active.is_ended {
                of_tenant.resolved.extend(proposal);
                continue;
            }
            of_tenant.add_active(alert.scope, active.raised_at, has_ticket, proposal);
        }
        for ended in ended
            .iter()
            .filter(|ended| !still_active.contains(&ended.key))
        {
            let scope = self.scopes.iter().position(|scope| *scope == ended.scope);
            // A source without any active alert gets an index of its own, after the others.
            let scope = number(scope.unwrap_or(self.scopes.len()));
            let of_tenant = tenants.entry(&ended.scope.tenant).or_default();
            of_tenant.add_ended(scope, (ended.raised_at, ended.ended_at), true);
        }
        let similar = resolved_alerts.similar.into_iter();
        let similar = similar.filter_map(|(n, count)| Some((self.scopes.get(index(n))?, count)));
        let mut resolution_plan = ResolutionPlan {
            similar: similar.map(|(scope, n)| (scope.clone(), n)).collect(),
            next: resolved_alerts.next,
            ..ResolutionPlan::default()
        };
        for (tenant, of_tenant) in tenants {
            match of_tenant.verdict(approvals.get(tenant), now) {
                ClosingVerdict::Pass => {}
                ClosingVerdict::Approved => {
                    resolution_plan.approved.insert(tenant.clone());
                }
                ClosingVerdict::Stop(closings, open) => {
                    let alerts = of_tenant.resolved.iter().map(|proposal| proposal.key);
                    let stop = Hold {
                        closings,
                        open,
                        alerts: AlertSet::new(alerts),
                    };
                    resolution_plan.held.insert(tenant.clone(), stop);
                    continue;
                }
            }
            resolution_plan.proposals.extend(of_tenant.resolved);
        }
        resolution_plan
    }

    /// Open tickets in another ConnectWise than that of this epoch. Their alerts continue without
    /// them.
    pub fn out_of_reach(&self, epoch: u32) -> impl Iterator<Item = Proposal> {
        let tickets = self
            .alerts
            .iter()
            .filter_map(|alert| Some((alert.key, alert.ticket?)));
        let elsewhere = tickets.filter(move |(_, ticket)| ticket.epoch != epoch);
        elsewhere.map(|(key, ticket)| Proposal {
            key,
            action: ProposedAction::Look(ticket.id),
        })
    }

    /// The open tickets of this epoch, for the comparison with ConnectWise's list.
    #[must_use]
    pub fn tickets(&self, epoch: u32) -> RecordedTickets {
        let is_here =
            |alert: &&CensusAlert| alert.ticket.is_some_and(|ticket| ticket.epoch == epoch);
        RecordedTickets::new(self.alerts.iter().filter(is_here))
    }
}

fn carried(open: &OpenTicket, occurrence: u32) -> u32 {
    let ticket_ref = open.ticket_ref.as_ref();
    ticket_ref.map_or(occurrence, crate::TicketRef::occurrence)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;
