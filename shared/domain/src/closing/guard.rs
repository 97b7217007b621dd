//! The guard against mass closing: whether snapshots and expiry may take away so many alerts.
//!
//! It looks at a day and not at one run: a source that loses a few more of its alerts with each snapshot is as wrong as one that loses
//! all at once. It compares what is left with the most alerts that were active at any one time of that day. Alerts that come and go all
//! day replace each other and trip nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::AlertKey;
use crate::alert::key::ItemKey;
use crate::alert::record::{Actual, ClosedBy, Desired};
use crate::closing::alert_set::AlertSet;
use crate::closing::census_entry::Scope;
use crate::closing::proposal::Proposal;
use crate::time::earlier;

/// The time over which losses add up.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// So many alerts may go within a day, however few there are.
const BELIEVED: usize = 20;

/// And so many of a hundred, however many there are.
const BELIEVED_PERCENT: usize = 30;

/// An alert that a snapshot or expiry ended lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentClosing {
    /// Its item.
    pub key: ItemKey,
    /// Whose it is.
    pub scope: Scope,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When its ticket was closed.
    pub ended_at: Timestamp,
}

impl RecentClosing {
    /// Of a record; none where an event or a person ended it, or where it has not ended.
    #[must_use]
    pub fn new(key: &AlertKey, desired: &Desired, actual: Option<&Actual>) -> Option<Self> {
        let Some(Actual::Closed(closed)) = actual else {
            return None;
        };
        let details = desired
            .details
            .as_ref()
            .filter(|_| closed.by == ClosedBy::Us)?;
        desired.resolution.as_ref()?;
        Some(Self {
            key: ItemKey::parse(&key.item_key())?,
            scope: Scope {
                tenant: key.tenant.clone(),
                source: key.source.clone(),
            },
            raised_at: details.raised_at,
            ended_at: closed.at,
        })
    }
}

/// Which closings of one tenant a person approved, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// As many as the person saw.
    pub closings: u32,
    /// When.
    pub at: Timestamp,
    /// The alerts that the person saw, while some of them are still to be closed.
    pub in_progress: Option<AlertSet>,
}

/// What the guard says of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosingVerdict {
    /// It is no mass closing.
    Pass,
    /// It is one, and a person approved it.
    Approved,
    /// It is one: so many closings, of so many open alerts.
    Stop(u32, u32),
}

/// Alerts that are counted together.
#[derive(Debug, Default)]
struct Population {
    /// When each active one was raised.
    active: Vec<Timestamp>,
    /// How many of those would be gone.
    resolved: usize,
    /// Those that snapshots and expiry ended lately: from when to when they were active.
    ended: Vec<(Timestamp, Timestamp)>,
}

impl Population {
    /// How many alerts fewer there would be than at the highest point since `from`, and how many there were at that point.
    fn lost_since(&self, from: Timestamp, now: Timestamp) -> (usize, usize) {
        let mut changes = vec![];
        for raised in &self.active {
            changes.push(((*raised).min(now), 1));
        }
        for (raised, ended) in self.ended.iter().filter(|(_, ended)| *ended > from) {
            changes.push(((*raised).min(*ended), 1));
            changes.push((*ended, -1));
        }
        // What happened before counts as it was then. An alert that ended at a time was not active at that time any more.
        for (at, _) in &mut changes {
            *at = (*at).max(from);
        }
        changes.sort_unstable();
        let mut count: isize = 0;
        let mut highest: isize = 0;
        for (_, change) in changes {
            count += change;
            highest = highest.max(count);
        }
        let highest = usize::try_from(highest).unwrap_or_default();
        let left = self.active.len() - self.resolved;
        (highest.saturating_sub(left), highest)
    }

    fn too_many(&self, from: Timestamp, approved: usize, now: Timestamp) -> bool {
        let (lost, of) = self.lost_since(from, now);
        let (lost, of) = (lost.saturating_sub(approved), of.saturating_sub(approved));
        self.resolved > 0 && lost > BELIEVED && lost * 100 > of * BELIEVED_PERCENT
    }

    /// `is_approved`: a person approved each alert that would count as resolved, and not all of those are closed yet.
    fn verdict(
        &self,
        approval: Option<&Approval>,
        is_approved: bool,
        now: Timestamp,
    ) -> ClosingVerdict {
        let day_ago = earlier(now, DAY);
        if !self.too_many(day_ago, 0, now) {
            return ClosingVerdict::Pass;
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let stop = ClosingVerdict::Stop(count(self.resolved), count(self.active.len()));
        let Some(approval) = approval else {
            return stop;
        };
        let approved = usize::try_from(approval.closings).unwrap_or(usize::MAX);
        let from = approval.at.max(day_ago);
        if approval.in_progress.is_some() {
            return match is_approved {
                true => ClosingVerdict::Approved,
                false => stop,
            };
        }
        match approval.at > day_ago && !self.too_many(from, approved, now) {
            true => ClosingVerdict::Pass,
            false => stop,
        }
    }
}

/// Alerts of a tenant, or of one of its sources.
#[derive(Debug, Default)]
struct ClosingTally {
    /// Those with a ticket.
    with_ticket: Population,
    /// All. Those without a ticket count too: taken for gone, they would never get one.
    all: Population,
}

/// What a tenant's alerts come to.
#[derive(Debug, Default)]
pub(crate) struct TenantTally {
    whole: ClosingTally,
    by_scope: BTreeMap<u32, ClosingTally>,
    /// What would be gone.
    pub(super) resolved: Vec<Proposal>,
}

impl TenantTally {
    fn both(&mut self, scope: u32) -> [&mut ClosingTally; 2] {
        [&mut self.whole, self.by_scope.entry(scope).or_default()]
    }

    /// Adds an alert that is active, and perhaps gone.
    pub(super) fn add_active(
        &mut self,
        scope: u32,
        raised_at: Timestamp,
        has_ticket: bool,
        resolved: Option<Proposal>,
    ) {
        for counted in self.both(scope) {
            let all = Some(&mut counted.all);
            let with_ticket = has_ticket.then_some(&mut counted.with_ticket);
            for population in all.into_iter().chain(with_ticket) {
                population.active.push(raised_at);
                population.resolved += usize::from(resolved.is_some());
            }
        }
        self.resolved.extend(resolved);
    }

    /// Adds a ticket that stays open though its alert has ended.
    pub(super) fn add_ticket(&mut self, scope: u32, opened_at: Timestamp) {
        for counted in self.both(scope) {
            counted.with_ticket.active.push(opened_at);
        }
    }

    /// Adds an alert that was ended without an event; its ticket may have been closed with it.
    pub(super) fn add_ended(&mut self, scope: u32, life: (Timestamp, Timestamp), closed: bool) {
        for counted in self.both(scope) {
            counted.all.ended.push(life);
            if closed {
                counted.with_ticket.ended.push(life);
            }
        }
    }

    /// The verdict on the tenant as a whole and on each source.
    pub(super) fn verdict(&self, approval: Option<&Approval>, now: Timestamp) -> ClosingVerdict {
        let set = approval.and_then(|approval| approval.in_progress.as_ref());
        let is_approved = set.is_some_and(|set| {
            self.resolved
                .iter()
                .all(|resolved| set.contains(resolved.key))
        });
        let counted = std::iter::once(&self.whole).chain(self.by_scope.values());
        let populations = counted.flat_map(|counted| [&counted.with_ticket, &counted.all]);
        let mut verdicts =
            populations.map(|population| population.verdict(approval, is_approved, now));
        let first = verdicts.find(|verdict| *verdict != ClosingVerdict::Pass);
        first.unwrap_or(ClosingVerdict::Pass)
    }
}
