//! What reconcile asks for: which alerts are gone, and which tickets are not as they are recorded. It only proposes; whoever does it
//! reads record and ticket again. Made from the same lists twice it asks for the same, and for nothing once that is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::adopt::Found;
use crate::command::Gone;
use crate::key::ItemKey;
use crate::record::{Actual, Open, Wanted};
use crate::snapshot::{Lists, Newest, absent, is_there};
use crate::{Kind, RecordId, SourceId, TenantId};

/// So many closings of one tenant at once are believed, however few tickets it has.
const BELIEVED: usize = 20;
/// And so many of a hundred, however many it has.
const BELIEVED_PERCENT: usize = 30;
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
    alerts: Vec<Alert>,
}

/// Alerts of one tenant from one source: what a snapshot lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    standing: Option<Standing>,
    ticket: Option<Ticket>,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    kind: u32,
    last: Timestamp,
    expires_at: Option<Timestamp>,
    /// A person ended its ticket.
    is_ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    id: RecordId,
    board: Option<RecordId>,
    company: RecordId,
    epoch: u32,
    /// Of the token that it carries.
    episode: u32,
    opened_at: Timestamp,
}

/// One alert that something is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its item.
    pub key: ItemKey,
    /// What is to be asked.
    pub ask: Proposed,
}

/// What is to be asked about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// It is gone, if this is still the time of the last event about it.
    Gone {
        /// That time.
        last: Timestamp,
        /// What shows it.
        shown: Gone,
    },
    /// This ticket is not as it is recorded.
    Look(RecordId),
    /// This ticket is not the only one with its token.
    LookForDuplicates(RecordId),
}

/// What is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// Alerts that may be taken for gone.
    pub proposals: Vec<Proposal>,
    /// Tenants of which too many would be, and how many of how many: none of theirs is among the proposals.
    pub stopped: BTreeMap<TenantId, (u32, u32)>,
    /// Tenants of which too many are, and a person let them through.
    pub let_through: BTreeSet<TenantId>,
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
        key: ItemKey,
        scope: u32,
        wanted: &Wanted,
        actual: Option<&Actual>,
        episode: u32,
    ) {
        // Also where a person ended the ticket: once the alert is known to be gone, the next raise is a new one.
        let is_ended = matches!(actual, Some(Actual::Closed(closed)) if closed.episode == episode);
        let standing = wanted.about.as_ref().filter(|_| wanted.standing);
        let standing = standing
            .zip(wanted.last.as_ref())
            .map(|(about, last)| Standing {
                kind: self.kind(&about.kind),
                last: last.occurred_at,
                expires_at: about.expires_at,
                is_ended,
            });
        if let Some(Standing { kind, .. }) = standing
            && let Some(kinds) = self.kinds_of.get_mut(index(scope))
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
        let open = match actual {
            Some(Actual::Open(open)) => Some(open),
            Some(Actual::Closed(_)) | None => None,
        };
        let ticket = open.map(|open| Ticket {
            id: open.ticket_id,
            board: open.board_id,
            company: open.company_id,
            epoch: open.epoch,
            episode: carried(open, episode),
            opened_at: open.opened_at,
        });
        if standing.is_some() || ticket.is_some() {
            self.alerts.push(Alert {
                key,
                scope,
                standing,
                ticket,
            });
        }
    }

    /// The number of a scope, for its alerts to name.
    pub fn scope(&mut self, scope: Scope) -> u32 {
        // Lists are by tenant: it is mostly the last one.
        let known = self.scopes.iter().rposition(|known| *known == scope);
        let at = known.unwrap_or_else(|| {
            self.scopes.push(scope);
            self.kinds_of.push(vec![]);
            self.scopes.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn kind(&mut self, kind: &Kind) -> u32 {
        let known = self.kinds.iter().position(|known| known == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
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

    /// Which alerts are gone by what the scopes' snapshots and their own times show. A tenant of which too many would be keeps all,
    /// unless a person has `let_through` as many.
    #[must_use]
    pub fn departures(
        &self,
        snapshots: &HashMap<u32, (Newest, Lists)>,
        let_through: &BTreeMap<TenantId, u32>,
        now: Timestamp,
    ) -> Departures {
        let mut tenants: BTreeMap<&TenantId, OfTenant> = BTreeMap::new();
        let mut next: Option<Timestamp> = None;
        for alert in &self.alerts {
            let Some(scope) = self.scopes.get(index(alert.scope)) else {
                continue;
            };
            let of_tenant = tenants.entry(&scope.tenant).or_default();
            let Some(standing) = &alert.standing else {
                of_tenant.tickets += usize::from(alert.ticket.is_some());
                continue;
            };
            let has_ticket = alert.ticket.is_some();
            of_tenant.standing += usize::from(!standing.is_ended);
            of_tenant.tickets += usize::from(has_ticket);
            let snapshots = snapshots.get(&alert.scope);
            if let Some(shown) = self.shown(alert.key, standing, snapshots, now) {
                of_tenant.tickets_gone += usize::from(has_ticket);
                let last = standing.last;
                let ask = Proposed::Gone { last, shown };
                let proposals = match standing.is_ended {
                    true => &mut of_tenant.ended_and_gone,
                    false => &mut of_tenant.gone,
                };
                proposals.push(Proposal {
                    key: alert.key,
                    ask,
                });
            } else if let Some(at) = standing.expires_at.filter(|at| *at > now) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        let mut departures = Departures {
            next,
            ..Departures::default()
        };
        for (tenant, of_tenant) in tenants {
            let Some((closings, of)) = of_tenant.too_many() else {
                departures.proposals.extend(of_tenant.gone);
                departures.proposals.extend(of_tenant.ended_and_gone);
                continue;
            };
            let passes = let_through.get(tenant);
            if passes.is_some_and(|let_through| closings <= *let_through) {
                departures.let_through.insert(tenant.clone());
                departures.proposals.extend(of_tenant.gone);
                departures.proposals.extend(of_tenant.ended_and_gone);
            } else {
                departures.stopped.insert(tenant.clone(), (closings, of));
            }
        }
        departures
    }

    fn shown(
        &self,
        key: ItemKey,
        standing: &Standing,
        snapshots: Option<&(Newest, Lists)>,
        now: Timestamp,
    ) -> Option<Gone> {
        let kind = self.kinds.get(index(standing.kind))?;
        if let Some(at) = standing.expires_at.filter(|at| *at <= now) {
            let is_there =
                |(newest, lists): &(Newest, Lists)| is_there(key, kind, at, newest, lists);
            return (!snapshots.is_some_and(is_there)).then_some(Gone::Expired { at });
        }
        let (newest, lists) = snapshots?;
        let shown = absent(key, kind, standing.last, newest, lists)?;
        Some(Gone::Absent {
            snapshot_id: shown.snapshot_id.clone(),
            taken_at: shown.taken_at,
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

/// What a tenant's alerts come to.
#[derive(Debug, Default)]
struct OfTenant {
    /// Open tickets, of alerts that stand or not.
    tickets: usize,
    tickets_gone: usize,
    /// Alerts that stand, with a ticket or without.
    standing: usize,
    gone: Vec<Proposal>,
    /// Alerts whose ticket a person ended: there is nothing to close.
    ended_and_gone: Vec<Proposal>,
}

impl OfTenant {
    /// How many of how many, if they are too many at once to be believed.
    fn too_many(&self) -> Option<(u32, u32)> {
        let too_many =
            |gone: usize, of: usize| gone > BELIEVED && gone * 100 > of * BELIEVED_PERCENT;
        let counts = |gone: usize, of: usize| {
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (count(gone), count(of))
        };
        // Alerts without a ticket count too: taken for gone, they would never get one.
        let all = self.gone.len();
        if too_many(self.tickets_gone, self.tickets) {
            Some(counts(self.tickets_gone, self.tickets))
        } else if too_many(all, self.standing) {
            Some(counts(all, self.standing))
        } else {
            None
        }
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
        listed: &[Found],
        began: Timestamp,
    ) -> Comparison {
        let from = self.by_number.partition_point(|(id, _)| *id <= behind);
        let end = to.map_or(self.by_number.len(), |to| {
            self.by_number.partition_point(|(id, _)| *id <= to)
        });
        let recorded = self.by_number.get(from..end).unwrap_or_default();
        let there: HashMap<RecordId, &Found> = listed
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
                    let (key, ask) = (alert.key, Proposed::Look(*id));
                    comparison.proposals.push(Proposal { key, ask });
                }
                Some(_) => {}
                None if ticket.opened_at > young => {}
                None => comparison.missing.push(*id),
            }
        }
        for found in listed {
            let token = found.token.as_ref();
            let known = token.and_then(|token| self.of(ItemKey::parse(token.item_key())?));
            let Some((token, alert, ticket)) =
                token.and_then(|token| Some((token, known?, known?.ticket?)))
            else {
                continue;
            };
            // One of another life is a technician's: it was closed with its life, and opened again. So is one that was moved or
            // merged: it is left alone, and would be found again each time.
            let is_here = found.ended(token, ticket.company).is_none();
            let is_same_life = ticket.episode == token.episode();
            if ticket.id != found.ticket_id && is_same_life && is_here {
                let (key, ask) = (alert.key, Proposed::LookForDuplicates(ticket.id));
                comparison.proposals.push(Proposal { key, ask });
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
            ask: Proposed::Look(ticket.id),
        });
        look.collect()
    }

    /// The boards of these tickets, as they are recorded.
    #[must_use]
    pub fn boards(&self, missing: &[RecordId]) -> BTreeSet<RecordId> {
        let tickets = missing.iter().filter_map(|id| self.numbered(*id));
        tickets.filter_map(|(_, ticket)| ticket.board).collect()
    }

    fn numbered(&self, id: RecordId) -> Option<(&Alert, &Ticket)> {
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
fn differs(ticket: &Ticket, key: ItemKey, found: &Found) -> bool {
    let token = found.token.as_ref();
    let carries = token.is_some_and(|token| {
        ItemKey::parse(token.item_key()) == Some(key) && token.episode() == ticket.episode
    });
    !carries
        || found.closed
        || found.merged
        || found.company_id != Some(ticket.company)
        || found.board_id != ticket.board
}

fn carried(open: &Open, episode: u32) -> u32 {
    let token = open.token.as_ref();
    token.map_or(episode, crate::Token::episode)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
