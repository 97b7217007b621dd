//! What reconcile asks for: which alerts are gone, and which tickets are not as they are recorded. It only proposes; whoever does it
//! reads record and ticket again. Made from the same lists twice it asks for the same, and for nothing once that is done.

mod alert_set;
mod guard;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

pub use alert_set::AlertSet;
pub use guard::{Approval, DAY, Ended};
use guard::{OfTenant, Verdict};

use crate::adopt::FoundTicket;
use crate::command::Resolution;
use crate::key::ItemKey;
use crate::record::{Actual, Desired, Open};
use crate::snapshot::{SnapshotMatches as InSnapshots, SnapshotVerdict, Snapshots, Watched};
use crate::{AlertKey, Kind, RecordId, SourceId, TenantId};

/// A ticket that was recorded so shortly before may not be listed yet.
const LISTED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The alerts of a partner that stand or have an open ticket, as the lists have them; small, since there may be a hundred thousand.
#[derive(Debug, Default)]
pub struct Census {
    /// Whose alerts they are, by the number that an alert names.
    pub scopes: Vec<Scope>,
    kinds: Vec<Kind>,
    /// The kinds of each scope's standing alerts, by their numbers.
    kinds_of: Vec<Vec<u32>>,
    /// Each scope's standing alerts, by their places.
    active_of: Vec<Vec<u32>>,
    alerts: Vec<Alert>,
}

/// Alerts of one tenant from one source: what a snapshot lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Which customer.
    pub tenant: TenantId,
    /// Who raised them.
    pub source: SourceId,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Alert {
    key: ItemKey,
    scope: u32,
    /// None in a record that no raise has told of.
    active: Option<ActiveAlert>,
    /// From when to when it was active, where a snapshot or expiry ended it and its ticket is still open.
    ended: Option<(Timestamp, Timestamp)>,
    ticket: Option<OpenTicket>,
}

#[derive(Debug, Clone, Copy)]
struct ActiveAlert {
    kind: u32,
    /// The key that all similar ids share.
    similar: ItemKey,
    raised_at: Timestamp,
    /// When its last event happened, and when that was received.
    last: Timestamp,
    last_received: Timestamp,
    expires_at: Option<Timestamp>,
    /// A person ended its ticket.
    is_ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenTicket {
    id: RecordId,
    board: Option<RecordId>,
    company: RecordId,
    epoch: u32,
    /// Of the token that it carries.
    occurrence: u32,
    opened_at: Timestamp,
}

/// What the snapshots of one scope show, as far as it concerns active alerts.
#[derive(Debug, Default)]
pub struct ScopeSnapshots {
    /// The snapshots that count.
    pub snapshots: Snapshots,
    /// Which active alerts they list.
    pub found: InSnapshots,
}

/// One alert that something is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its item.
    pub key: ItemKey,
    /// What is to be asked.
    pub action: ProposedAction,
}

/// What is to be asked about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedAction {
    /// It is gone, if this is still the time of the last event about it.
    Resolve {
        /// That time.
        last: Timestamp,
        /// What shows it.
        shown: Resolution,
    },
    /// This ticket is not as it is recorded, or out of reach.
    Look(RecordId),
    /// This ticket is not the only one with its token.
    LookForDuplicates(RecordId),
}

/// What snapshots and expiry show to be gone, before the guard against mass closing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolvedAlerts {
    resolved: HashMap<ItemKey, Resolution>,
    /// By the numbers of their scopes.
    similar: BTreeMap<u32, usize>,
    next: Option<Timestamp>,
}

/// The closings of one tenant that are too many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// How many alerts would count as resolved.
    pub closings: u32,
    /// Of how many.
    pub open: u32,
    /// Which ones an approval lets go.
    pub alerts: AlertSet,
}

/// What is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolutionPlan {
    /// Alerts that may be taken for gone.
    pub proposals: Vec<Proposal>,
    /// Tenants that would lose too many alerts: none of theirs is among the proposals.
    pub held: BTreeMap<TenantId, Hold>,
    /// Tenants of which too many are, and a person let them through.
    pub approved: BTreeSet<TenantId>,
    /// How many alerts of each scope are left as they are because a snapshot lists a similar id and not theirs.
    pub similar: BTreeMap<Scope, usize>,
    /// When the next alert ends by itself.
    pub next: Option<Timestamp>,
}

/// What a stretch of ConnectWise's list of open tickets shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tickets that are to be looked at.
    pub proposals: Vec<Proposal>,
    /// Tickets that are recorded as open and not in it, by number: closed, merged, deleted, or out of sight.
    pub missing: Vec<RecordId>,
    /// How many recorded tickets it was compared with.
    pub compared: usize,
}

impl Census {
    /// Takes in a record of the lists.
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
        // Also where a person ended the ticket: once the alert is known to be gone, the next raise is a new one.
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
        let ticket = open.map(|open| OpenTicket {
            id: open.ticket_id,
            board: open.board_id,
            company: open.company_id,
            epoch: open.epoch,
            occurrence: carried(open, occurrence),
            opened_at: open.opened_at,
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
        self.alerts.push(Alert {
            key: item,
            scope,
            active,
            ended,
            ticket,
        });
    }

    /// The number of an alert's scope.
    fn scope(&mut self, key: &AlertKey) -> u32 {
        // Lists are by tenant: it is mostly the last one.
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

    /// How many alerts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// The kinds of a scope's standing alerts: those that a snapshot of it can tell of.
    #[must_use]
    pub fn kinds_of(&self, scope: u32) -> Vec<Kind> {
        let kinds = self.kinds_of.get(index(scope)).into_iter().flatten();
        let named = kinds.filter_map(|kind| self.kinds.get(index(*kind)));
        named.cloned().collect()
    }

    /// A scope's standing alerts, to be looked for in its snapshots.
    #[must_use]
    pub fn watched(&self, scope: u32) -> Watched {
        let mut watched = Watched::default();
        let places = self.active_of.get(index(scope)).into_iter().flatten();
        for alert in places.filter_map(|place| self.alerts.get(index(*place))) {
            if let Some(active) = &alert.active {
                watched.add(alert.key, active.similar);
            }
        }
        watched
    }

    /// Which alerts are gone by what the scopes' snapshots and their own times show. Snapshots may lag behind events by `lag`.
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
                    snapshots.show(alert.key, kind, received, found, lag)
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

    /// The tenants of which something is gone.
    #[must_use]
    pub fn tenants_of(&self, resolved_alerts: &ResolvedAlerts) -> BTreeSet<TenantId> {
        let resolution = self.alerts.iter();
        let resolution =
            resolution.filter(|alert| resolved_alerts.resolved.contains_key(&alert.key));
        let scopes: BTreeSet<u32> = resolution.map(|alert| alert.scope).collect();
        let scopes = scopes.into_iter().filter_map(|n| self.scopes.get(index(n)));
        scopes.map(|scope| scope.tenant.clone()).collect()
    }

    /// Which of the alerts that are gone may be asked about. A tenant that would lose too many within a day keeps all, unless a person
    /// has approved exactly these. `ended` are those that went within the last day before.
    #[must_use]
    pub fn resolution_plan(
        &self,
        mut resolved_alerts: ResolvedAlerts,
        ended: &[Ended],
        approvals: &BTreeMap<TenantId, Approval>,
        now: Timestamp,
    ) -> ResolutionPlan {
        let mut tenants: BTreeMap<&TenantId, OfTenant> = BTreeMap::new();
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
                if let Some(life) = alert.ended {
                    of_tenant.add_ended(alert.scope, life, false);
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
                // There is no ticket to close.
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
            // A source without a single active alert has a number of its own, behind the others.
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
                Verdict::Pass => {}
                Verdict::Approved => {
                    resolution_plan.approved.insert(tenant.clone());
                }
                Verdict::Stop(closings, open) => {
                    let alerts = of_tenant.resolved.iter().map(|proposal| proposal.key);
                    let stop = Hold {
                        closings,
                        open,
                        alerts: AlertSet::of(alerts),
                    };
                    resolution_plan.held.insert(tenant.clone(), stop);
                    continue;
                }
            }
            resolution_plan.proposals.extend(of_tenant.resolved);
        }
        resolution_plan
    }

    /// Tickets that are recorded as open in another ConnectWise than the connection of this epoch points at. Their alerts go on
    /// without them.
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

    /// The tickets that a connection of this epoch can be asked about, to be compared with ConnectWise's list of open ones.
    #[must_use]
    pub fn tickets(&self, epoch: u32) -> Tickets {
        let here = |alert: &&Alert| alert.ticket.is_some_and(|ticket| ticket.epoch == epoch);
        let mut by_number: Vec<(RecordId, Alert)> = self
            .alerts
            .iter()
            .filter(here)
            .filter_map(|alert| Some((alert.ticket?.id, *alert)))
            .collect();
        by_number.sort_unstable_by_key(|(id, _)| *id);
        let by_key = by_number.iter().zip(0..);
        let by_key = by_key.map(|((_, alert), n)| (alert.key, n)).collect();
        Tickets { by_number, by_key }
    }
}

/// A partner's recorded open tickets, by number and by alert.
#[derive(Debug)]
pub struct Tickets {
    by_number: Vec<(RecordId, Alert)>,
    by_key: HashMap<ItemKey, usize>,
}

impl Tickets {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Compares a stretch of ConnectWise's list of open tickets, which begins behind one number and ends with another (none: with the
    /// list), with what is recorded. The records were read before the list was, when it `began`; so a ticket that was recorded since
    /// is not missing.
    #[must_use]
    pub fn compare(
        &self,
        behind: RecordId,
        to: Option<RecordId>,
        listed: &[FoundTicket],
        began: Timestamp,
    ) -> Comparison {
        let from = self.by_number.partition_point(|(id, _)| *id <= behind);
        let end = to.map_or(self.by_number.len(), |to| {
            self.by_number.partition_point(|(id, _)| *id <= to)
        });
        let recorded = self.by_number.get(from..end).unwrap_or_default();
        let there: HashMap<RecordId, &FoundTicket> = listed
            .iter()
            .map(|found| (found.ticket_id, found))
            .collect();
        let mut comparison = Comparison {
            compared: recorded.len(),
            ..Comparison::default()
        };
        let young = began.saturating_sub(LISTED_AFTER).unwrap_or(Timestamp::MIN);
        for (id, alert) in recorded {
            let Some(ticket) = &alert.ticket else {
                continue;
            };
            match there.get(id) {
                Some(found) if differs(ticket, alert.key, found) => {
                    let (key, action) = (alert.key, ProposedAction::Look(*id));
                    comparison.proposals.push(Proposal { key, action });
                }
                Some(_) => {}
                None if ticket.opened_at > young => {}
                None => comparison.missing.push(*id),
            }
        }
        for found in listed {
            let ticket_ref = found.ticket_ref.as_ref();
            let known =
                ticket_ref.and_then(|ticket_ref| self.of(ItemKey::parse(ticket_ref.item_key())?));
            let Some((ticket_ref, alert, ticket)) =
                ticket_ref.and_then(|ticket_ref| Some((ticket_ref, known?, known?.ticket?)))
            else {
                continue;
            };
            // One of another life is a technician's: it was closed with its life, and opened again. So is one that was moved or
            // merged: it is left alone, and would be found again each time.
            let is_here = found.ended(ticket_ref, ticket.company).is_none();
            let is_same_life = ticket.occurrence == ticket_ref.occurrence();
            if ticket.id != found.ticket_id && is_same_life && is_here {
                let (key, action) = (alert.key, ProposedAction::LookForDuplicates(ticket.id));
                comparison.proposals.push(Proposal { key, action });
            }
        }
        comparison
    }

    /// Which of the tickets that were missing in the list of open ones are to be looked at, by what ConnectWise says when it is asked
    /// for them by number, closed or not. One that it does not show at all was deleted if its board can be seen; else a role hides
    /// it, and nothing is known.
    #[must_use]
    pub fn explained(
        &self,
        missing: &[RecordId],
        shown: &BTreeSet<RecordId>,
        boards_seen: &BTreeSet<RecordId>,
    ) -> Vec<Proposal> {
        let tickets = missing.iter().filter_map(|id| self.numbered(*id));
        let known = tickets.filter(|(_, ticket)| {
            let is_seen = ticket
                .board
                .is_none_or(|board| boards_seen.contains(&board));
            is_seen || shown.contains(&ticket.id)
        });
        let look = known.map(|(alert, ticket)| Proposal {
            key: alert.key,
            action: ProposedAction::Look(ticket.id),
        });
        look.collect()
    }

    /// The boards of these tickets, as they are recorded.
    #[must_use]
    pub fn boards(&self, missing: &[RecordId]) -> BTreeSet<RecordId> {
        let tickets = missing.iter().filter_map(|id| self.numbered(*id));
        tickets.filter_map(|(_, ticket)| ticket.board).collect()
    }

    fn numbered(&self, id: RecordId) -> Option<(&Alert, &OpenTicket)> {
        let at = self.by_number.binary_search_by_key(&id, |(id, _)| *id);
        let (_, alert) = self.by_number.get(at.ok()?)?;
        Some((alert, alert.ticket.as_ref()?))
    }

    fn of(&self, key: ItemKey) -> Option<&Alert> {
        let at = self.by_key.get(&key)?;
        self.by_number.get(*at).map(|(_, alert)| alert)
    }
}

/// Whether an open ticket is not as it is recorded. Where it lies on another board, that is recorded.
fn differs(ticket: &OpenTicket, key: ItemKey, found: &FoundTicket) -> bool {
    let ticket_ref = found.ticket_ref.as_ref();
    let carries = ticket_ref.is_some_and(|ticket_ref| {
        ItemKey::parse(ticket_ref.item_key()) == Some(key)
            && ticket_ref.occurrence() == ticket.occurrence
    });
    !carries
        || found.closed
        || found.merged
        || found.company_id != Some(ticket.company)
        || found.board_id != ticket.board
}

fn carried(open: &Open, occurrence: u32) -> u32 {
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
