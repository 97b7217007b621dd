//! Which snapshots count, and whether they list an alert.
//!
//! A snapshot counts if all its parts are there, agree with each other and with the stated total,
//! and if it was taken within a day. An empty snapshot counts only if the source states a total of
//! 0, or if several empty ones follow each other over half an hour. Everything else can be a
//! failure of the source, and no ticket is closed because of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::alert::key::ItemKey;
use crate::time::{earlier, later};
use crate::{AlertKey, Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// An older snapshot does not count.
pub const STALE: SignedDuration = SignedDuration::from_hours(24);

/// The parts of one snapshot arrive within this time.
const PARTS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// This many empty snapshots in a row, over this time, count without a stated total.
const EMPTY_IN_A_ROW: usize = 3;

const EMPTY_FOR: SignedDuration = SignedDuration::from_mins(30);

/// A part of a snapshot without its list of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SnapshotPartHead {
    /// The key of its item. It is the same for all parts of a snapshot, up to the part's number at
    /// its end.
    pub pk: String,
    pub partner: PartnerId,
    pub tenant: TenantId,
    pub source: SourceId,
    pub snapshot_id: SnapshotId,
    /// When it was taken, by the source's clock.
    pub taken_at: Timestamp,
    pub received_at: Timestamp,
    /// The kinds that it covers. All kinds if absent.
    #[serde(default)]
    pub kinds: Option<BTreeSet<Kind>>,
    /// The number of this part, from 1.
    pub part: u32,
    pub parts: u32,
    pub listed: u32,
    /// How many alerts the whole snapshot lists, if the source states it.
    #[serde(default)]
    pub total: Option<u32>,
    #[serde(default)]
    pub conflicting: bool,
}

impl SnapshotPartHead {
    /// When it was taken, but never later than it was received.
    fn taken(&self) -> Timestamp {
        self.taken_at.min(self.received_at)
    }

    fn is_same_snapshot(&self, other: &Self) -> bool {
        self.snapshot_id == other.snapshot_id && self.taken_at == other.taken_at
    }
}

/// A snapshot, as far as its parts were read.
#[derive(Debug, Clone)]
pub struct Snapshot {
    first: SnapshotPartHead,
    numbers: BTreeSet<u32>,
    listed: u64,
    /// When it was taken: the earliest time of any part.
    taken: Timestamp,
    latest: Timestamp,
    /// When its first part was received.
    received: Timestamp,
    /// Its parts contradict each other, or one of them was received with two contents.
    is_contradictory: bool,
}

impl Snapshot {
    fn of(part: SnapshotPartHead) -> Self {
        Self {
            numbers: BTreeSet::from([part.part]),
            listed: u64::from(part.listed),
            taken: part.taken(),
            latest: part.taken(),
            received: part.received_at,
            is_contradictory: part.conflicting,
            first: part,
        }
    }

    fn add(&mut self, part: &SnapshotPartHead) {
        let first = &self.first;
        let agrees = first.kinds == part.kinds
            && first.parts == part.parts
            && first.total == part.total
            && self.numbers.insert(part.part);
        self.is_contradictory |= !agrees || part.conflicting;
        self.listed += u64::from(part.listed);
        self.taken = self.taken.min(part.taken());
        self.latest = self.latest.max(part.taken());
        self.received = self.received.min(part.received_at);
    }

    #[must_use]
    pub fn id(&self) -> &SnapshotId {
        &self.first.snapshot_id
    }

    /// When it was taken, but never later than its first part was received.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.taken
    }

    /// Whether it covers a kind. One that contradicts itself may be meant for any kind.
    fn covers(&self, kind: &Kind) -> bool {
        let kinds = self.first.kinds.as_ref();
        self.is_contradictory || kinds.is_none_or(|kinds| kinds.contains(kind))
    }

    fn is_complete(&self) -> bool {
        let all = usize::try_from(self.first.parts) == Ok(self.numbers.len());
        let total = self.first.total.map(u64::from);
        !self.is_contradictory && all && total.is_none_or(|total| total == self.listed)
    }

    fn is_empty(&self) -> bool {
        self.listed == 0
    }

    fn states_none(&self) -> bool {
        self.first.total == Some(0)
    }

    /// Whether more of its parts can follow in a list that goes from the newest to the oldest and
    /// has come to `at`.
    fn is_settled(&self, at: Timestamp) -> bool {
        self.is_complete() || earlier(self.latest, PARTS_WITHIN) > at
    }

    /// The keys of its parts' items.
    pub fn part_keys(&self) -> impl Iterator<Item = String> {
        let pk = &self.first.pk;
        let stem = pk.rsplit_once('-').map_or(pk.as_str(), |(stem, _)| stem);
        self.numbers
            .iter()
            .map(move |part| format!("{stem}-{part}"))
    }
}

/// What the newest snapshots say of one kind.
#[derive(Debug)]
enum Newest<'a> {
    /// There is none.
    None,
    Uncertain,
    /// These snapshots, which were taken at the same time, list what is active.
    Lists(Vec<&'a Snapshot>),
    /// By the newest one, nothing has been active since this time.
    Empty {
        newest: &'a Snapshot,
        since: Timestamp,
    },
}

/// The recent snapshots of one source and tenant, read from the newest to the oldest.
#[derive(Debug, Default)]
pub struct Snapshots {
    kinds: Vec<Kind>,
    snapshots: Vec<Snapshot>,
}

impl Snapshots {
    /// Starts without snapshots, for alerts of these kinds.
    #[must_use]
    pub fn new(kinds: Vec<Kind>) -> Self {
        Self {
            kinds,
            snapshots: vec![],
        }
    }

    /// Adds the next part of a list from the newest to the oldest. Returns whether older ones can
    /// still count.
    #[must_use]
    pub fn add(&mut self, part: SnapshotPartHead, now: Timestamp) -> bool {
        let at = part.taken();
        if at < earlier(now, STALE) {
            return false;
        }
        let known = self.snapshots.iter_mut();
        if let Some(known) = known
            .rev()
            .find(|known| known.first.is_same_snapshot(&part))
        {
            known.add(&part);
            return true;
        }
        if self.kinds.iter().all(|kind| self.is_decided(kind, at)) {
            return false;
        }
        self.snapshots.push(Snapshot::of(part));
        true
    }

    /// Whether no snapshot that was taken before `at` can change the result for a kind.
    fn is_decided(&self, kind: &Kind, at: Timestamp) -> bool {
        let mut covering = self.covering(kind);
        covering.retain(|snapshot| snapshot.taken > at);
        let settled = covering.iter().all(|snapshot| snapshot.is_settled(at));
        let enough = match self.newest(kind) {
            Newest::None => false,
            Newest::Lists(_) | Newest::Empty { .. } => true,
            // Only a row of empty ones continues.
            Newest::Uncertain => covering
                .iter()
                .any(|snapshot| !(snapshot.is_complete() && snapshot.is_empty())),
        };
        !covering.is_empty() && settled && enough
    }

    /// Returns the newest first.
    fn covering(&self, kind: &Kind) -> Vec<&Snapshot> {
        let all = self.snapshots.iter();
        let mut covering: Vec<&Snapshot> = all.filter(|known| known.covers(kind)).collect();
        covering.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.taken));
        covering
    }

    fn newest(&self, kind: &Kind) -> Newest<'_> {
        let covering = self.covering(kind);
        let Some(&newest) = covering.first() else {
            return Newest::None;
        };
        let same_time = covering.iter().copied();
        let same_time: Vec<&Snapshot> = same_time
            .take_while(|snapshot| snapshot.taken == newest.taken)
            .collect();
        if !same_time.iter().all(|snapshot| snapshot.is_complete()) {
            return Newest::Uncertain;
        }
        if same_time.iter().all(|snapshot| !snapshot.is_empty()) {
            return Newest::Lists(same_time);
        }
        if same_time.iter().all(|snapshot| snapshot.states_none()) {
            let since = newest.taken;
            return Newest::Empty { newest, since };
        }
        match empty_since(&covering) {
            Some(since) => Newest::Empty { newest, since },
            None => Newest::Uncertain,
        }
    }

    #[must_use]
    pub fn to_read(&self) -> Vec<&Snapshot> {
        let mut to_read: Vec<&Snapshot> = vec![];
        for kind in &self.kinds {
            let Newest::Lists(lists) = self.newest(kind) else {
                continue;
            };
            for list in lists {
                if !to_read.iter().any(|known| std::ptr::eq(*known, list)) {
                    to_read.push(list);
                }
            }
        }
        to_read
    }

    /// Whether the newest snapshot of any kind does not count, so that its content is unknown.
    #[must_use]
    pub fn is_uncertain(&self, found: &SnapshotMatches) -> bool {
        self.kinds.iter().any(|kind| match self.newest(kind) {
            Newest::None | Newest::Empty { .. } => false,
            Newest::Uncertain => true,
            Newest::Lists(lists) => lists.iter().any(|list| found.in_list(list).is_none()),
        })
    }

    /// What the newest snapshots say about an alert whose last event was received at
    /// `last_received`. A snapshot may lag behind the events by `lag`.
    #[must_use]
    pub fn verdict(
        &self,
        alert: ItemKey,
        kind: &Kind,
        last_received: Timestamp,
        found: &SnapshotMatches,
        lag: SignedDuration,
    ) -> SnapshotVerdict<'_> {
        let proves = |at: Timestamp| at >= later(last_received, lag);
        match self.newest(kind) {
            Newest::None | Newest::Uncertain => SnapshotVerdict::Nothing,
            Newest::Empty { newest, since } if proves(since) => SnapshotVerdict::Absent(newest),
            Newest::Empty { .. } => SnapshotVerdict::Nothing,
            Newest::Lists(lists) => match found.in_any(&lists, alert) {
                Some(Some(IdMatch::Exact)) => SnapshotVerdict::Listed(lists[0].taken),
                Some(Some(IdMatch::Similar)) => SnapshotVerdict::Similar(lists[0].taken),
                Some(None) if proves(lists[0].taken) => SnapshotVerdict::Absent(lists[0]),
                Some(None) | None => SnapshotVerdict::Nothing,
            },
        }
    }
}

/// What snapshots say about one alert.
#[derive(Debug, Clone, Copy)]
pub enum SnapshotVerdict<'a> {
    Nothing,
    /// It was active at this time.
    Listed(Timestamp),
    /// An alert with a similar id was active at this time. It can be the same one.
    Similar(Timestamp),
    /// It is not active any more, by this snapshot.
    Absent(&'a Snapshot),
}

/// How a snapshot names an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdMatch {
    /// By an id that differs only in case, normalization, white space or invisible characters.
    Similar,
    /// By its exact id.
    Exact,
}

/// Which active alerts the snapshots list. Its size depends on the active alerts, not on the
/// snapshots.
#[derive(Debug, Default)]
pub struct SnapshotMatches {
    lists: HashMap<(SnapshotId, Timestamp), HashMap<ItemKey, IdMatch>>,
}

impl SnapshotMatches {
    /// Adds a snapshot that was read completely.
    pub fn add(&mut self, snapshot: &Snapshot, list: HashMap<ItemKey, IdMatch>) {
        let first = &snapshot.first;
        let key = (first.snapshot_id.clone(), first.taken_at);
        self.lists.insert(key, list);
    }

    fn in_list(&self, snapshot: &Snapshot) -> Option<&HashMap<ItemKey, IdMatch>> {
        let first = &snapshot.first;
        self.lists.get(&(first.snapshot_id.clone(), first.taken_at))
    }

    /// How any of these lists names an alert. `None` if one of them could not be read.
    fn in_any(&self, lists: &[&Snapshot], alert: ItemKey) -> Option<Option<IdMatch>> {
        let mut best = None;
        for list in lists {
            best = best.max(self.in_list(list)?.get(&alert).copied());
        }
        Some(best)
    }
}

/// The active alerts of one source and tenant, which are looked up in snapshots.
#[derive(Debug, Default)]
pub struct WatchedAlerts {
    alerts: HashSet<ItemKey>,
    similar: HashMap<ItemKey, Vec<ItemKey>>,
}

impl WatchedAlerts {
    /// Adds an alert, with the key that all similar ids share.
    pub fn add(&mut self, alert: ItemKey, similar: ItemKey) {
        self.alerts.insert(alert);
        self.similar.entry(similar).or_default().push(alert);
    }

    /// Records which of the alerts an entry of a snapshot names.
    pub fn find(&self, listed: &AlertKey, found: &mut HashMap<ItemKey, IdMatch>) {
        if let Some(exact) = ItemKey::parse(&listed.item_key())
            && self.alerts.contains(&exact)
        {
            found.insert(exact, IdMatch::Exact);
        }
        let similar = self.similar.get(&listed.similar_key());
        for alert in similar.into_iter().flatten() {
            found.entry(*alert).or_insert(IdMatch::Similar);
        }
    }
}

/// Since when snapshots have been empty, counted back from the newest, if the row is long enough.
/// They must lie apart by the source's clock and by that of Ticketbridge: a source that sends one
/// failure several times makes no row.
fn empty_since(newest_first: &[&Snapshot]) -> Option<Timestamp> {
    let newest = newest_first.first()?;
    let apart = |snapshot: &Snapshot| {
        snapshot.taken <= earlier(newest.taken, EMPTY_FOR)
            && snapshot.received <= earlier(newest.received, EMPTY_FOR)
    };
    let row = newest_first
        .iter()
        .take_while(|snapshot| snapshot.is_complete() && snapshot.is_empty());
    let mut times = BTreeSet::new();
    for snapshot in row {
        times.insert(snapshot.taken);
        if times.len() >= EMPTY_IN_A_ROW && apart(snapshot) {
            return Some(snapshot.taken);
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests;
