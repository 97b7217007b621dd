//! The guard against mass closing: decides whether snapshots and expiry may close so many alerts.
//!
//! The guard looks at a day, not at one run. A source that loses a few more of its alerts with each
//! snapshot is as wrong as one that loses all of them at once. So it compares the remaining alerts
//! with the highest number of alerts that were active at the same time during that day. Alerts that
//! come and go all day replace each other and do not trip the guard.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::AlertKey;
use crate::alert::key::ItemKey;
use crate::alert::record::{Actual, ClosedBy, Desired};
use crate::closing::alert_set::AlertSet;
use crate::closing::census_entry::Scope;
use crate::closing::proposal::Proposal;
use crate::time::earlier;

pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// This many alerts may be closed within a day, however few there are.
const MAX_CLOSINGS: usize = 20;

/// And this percentage, however many there are.
const MAX_CLOSINGS_PERCENT: usize = 30;

/// An alert that a snapshot or expiry closed within the last day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentClosing {
    pub key: ItemKey,
    pub scope: Scope,
    pub raised_at: Timestamp,
    pub ended_at: Timestamp,
}

impl RecentClosing {
    /// From a record. `None` if an event or a person closed the ticket, or if it is open.
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

/// A person's approval of a mass closing for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The number that the person saw.
    pub closings: u32,
    pub at: Timestamp,
    /// The alerts that the person saw, until all of them are closed.
    pub in_progress: Option<AlertSet>,
}

/// The guard's verdict on one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosingVerdict {
    /// It is not a mass closing.
    Pass,
    /// It is a mass closing that a person approved.
    Approved,
    /// It is a mass closing: so many closings of so many open alerts.
    Stop(u32, u32),
}

/// A set of alerts that are counted together.
#[derive(Debug, Default)]
struct Population {
    /// When each active alert was raised.
    active: Vec<Timestamp>,
    /// How many of those would be resolved.
    resolved: usize,
    /// When each alert that snapshots or expiry closed lately was raised and closed.
    ended: Vec<(Timestamp, Timestamp)>,
}

impl Population {
    /// How many fewer alerts there would be than at the peak since `from`, and the peak.
    fn lost_since(&self, from: Timestamp, now: Timestamp) -> (usize, usize) {
        let mut changes = vec![];
        for raised in &self.active {
            changes.push(((*raised).min(now), 1));
        }
        for (raised, ended) in self.ended.iter().filter(|(_, ended)| *ended > from) {
            changes.push(((*raised).min(*ended), 1));
            changes.push((*ended, -1));
        }
        // Earlier times count as `from`. An alert that ended at a time was no longer active then.
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

    fn loses_too_many(&self, from: Timestamp, approved: usize, now: Timestamp) -> bool {
        let (lost, of) = self.lost_since(from, now);
        let (lost, of) = (lost.saturating_sub(approved), of.saturating_sub(approved));
        self.resolved > 0 && lost > MAX_CLOSINGS && lost * 100 > of * MAX_CLOSINGS_PERCENT
    }

    /// `is_approved`: a person approved each alert that would be resolved, and not all of those are
    /// closed yet.
    fn verdict(
        &self,
        approval: Option<&Approval>,
        is_approved: bool,
        now: Timestamp,
    ) -> ClosingVerdict {
        let day_ago = earlier(now, DAY);
        if !self.loses_too_many(day_ago, 0, now) {
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
        match approval.at > day_ago && !self.loses_too_many(from, approved, now) {
            true => ClosingVerdict::Pass,
            false => stop,
        }
    }
}

/// The alerts of a tenant, or of one of its sources.
#[derive(Debug, Default)]
struct ClosingTally {
    /// The alerts with a ticket.
    with_ticket: Population,
    /// All alerts. Those without a ticket count too: if they were resolved, they would never get
    /// one.
    all: Population,
}

/// The alerts of a tenant, as a whole and by source.
#[derive(Debug, Default)]
pub(crate) struct TenantTally {
    whole: ClosingTally,
    by_scope: BTreeMap<u32, ClosingTally>,
    /// The alerts that would be resolved.
    pub(super) resolved: Vec<Proposal>,
}

impl TenantTally {
    fn both(&mut self, scope: u32) -> [&mut ClosingTally; 2] {
        [&mut self.whole, self.by_scope.entry(scope).or_default()]
    }

    /// Adds an active alert, which may be resolved.
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

    /// Adds a ticket that stays open after its alert was resolved.
    pub(super) fn add_ticket(&mut self, scope: u32, opened_at: Timestamp) {
        for counted in self.both(scope) {
            counted.with_ticket.active.push(opened_at);
        }
    }

    /// Adds an alert that was resolved without an event. Its ticket may have been closed.
    pub(super) fn add_ended(&mut self, scope: u32, active: (Timestamp, Timestamp), closed: bool) {
        for counted in self.both(scope) {
            counted.all.ended.push(active);
            if closed {
                counted.with_ticket.ended.push(active);
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
