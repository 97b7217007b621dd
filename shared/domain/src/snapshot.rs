//! What snapshots show: which of them may be believed, and whether an alert is in them.
//!
//! A snapshot is believed if all its parts are there and say the same of it, if it lists anything at all, and if it is of today: what
//! is empty, torn or old may be a source's failure, and nobody's ticket is closed for that.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::key::ItemKey;
use crate::{Kind, PartnerId, SnapshotId, SourceId, TenantId};

/// An older snapshot shows nothing.
pub const STALE: SignedDuration = SignedDuration::from_hours(24);
/// A snapshot that was taken so long after the last event shows by itself that the alert is gone: whatever was under way then came
/// to both.
const APART: SignedDuration = SignedDuration::from_mins(10);

/// A part of a snapshot without its list of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PartHead {
    /// The key of its item.
    pub pk: String,
    /// Whose it is.
    pub partner: PartnerId,
    /// Of which customer.
    pub tenant: TenantId,
    /// Who lists.
    pub source: SourceId,
    /// Which listing.
    pub snapshot_id: SnapshotId,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The kinds that it speaks of; none given means all.
    #[serde(default)]
    pub kinds: Option<Vec<Kind>>,
    /// This part's number, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
}

/// A snapshot as far as its parts have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Which.
    pub snapshot_id: SnapshotId,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The kinds that it speaks of.
    kinds: Option<Vec<Kind>>,
    /// Its parts, by number.
    parts: BTreeMap<u32, PartHead>,
    /// They do not all say the same of it.
    is_mixed: bool,
}

impl Heads {
    fn of(part: PartHead) -> Self {
        Self {
            snapshot_id: part.snapshot_id.clone(),
            taken_at: part.taken_at,
            kinds: part.kinds.clone(),
            parts: BTreeMap::from([(part.part, part)]),
            is_mixed: false,
        }
    }

    fn add(&mut self, part: PartHead) {
        let first = self.parts.values().next();
        let same = first.is_some_and(|first| {
            first.taken_at == part.taken_at
                && first.kinds == part.kinds
                && first.parts == part.parts
        });
        self.is_mixed |= !same;
        self.taken_at = self.taken_at.max(part.taken_at);
        self.parts.insert(part.part, part);
    }

    /// Whether it speaks of a kind.
    #[must_use]
    pub fn speaks_of(&self, kind: &Kind) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| self.is_mixed || kinds.contains(kind))
    }

    /// Its parts; none if it is not whole.
    #[must_use]
    pub fn whole(&self) -> Option<Vec<&PartHead>> {
        let first = self.parts.values().next()?;
        let whole = !self.is_mixed && usize::try_from(first.parts) == Ok(self.parts.len());
        whole.then(|| self.parts.values().collect())
    }
}

/// The snapshots that have a say: of each kind that is asked about the newest two, whether they may be believed or not.
#[derive(Debug, Default)]
pub struct Newest {
    /// The newest first.
    snapshots: Vec<Heads>,
}

impl Newest {
    /// Takes in the next part of a list that goes from the newest to the oldest. Tells whether more of it is of use.
    #[must_use]
    pub fn add(&mut self, part: PartHead, kinds: &[Kind], now: Timestamp) -> bool {
        let oldest = now.saturating_sub(STALE).unwrap_or(Timestamp::MIN);
        if part.taken_at < oldest {
            return false;
        }
        // Parts of one snapshot have one time, so they lie side by side; one that is mixed may not.
        let same = |known: &&mut Heads| known.snapshot_id == part.snapshot_id;
        if let Some(known) = self.snapshots.iter_mut().find(same) {
            known.add(part);
            return true;
        }
        let twice = |kind: &Kind| {
            let speak = self.snapshots.iter().filter(|known| known.speaks_of(kind));
            speak.count() >= 2
        };
        if kinds.iter().all(twice) {
            return false;
        }
        self.snapshots.push(Heads::of(part));
        true
    }

    /// The newest of a kind, and the one before.
    pub fn of<'a>(&'a self, kind: &Kind) -> impl Iterator<Item = &'a Heads> {
        let speak = self.snapshots.iter();
        speak.filter(|known| known.speaks_of(kind)).take(2)
    }

    /// Whether the newest of some kind may not be believed: what it would say is not known.
    #[must_use]
    pub fn is_in_doubt(&self, kinds: &[Kind], lists: &Lists) -> bool {
        let believed = |heads: &Heads| {
            let list = lists.get(&heads.snapshot_id);
            heads.whole().is_some() && list.is_some_and(|list| !list.is_empty())
        };
        let newest = kinds.iter().filter_map(|kind| self.of(kind).next());
        newest.into_iter().any(|heads| !believed(heads))
    }

    /// Those that may be believed, if their lists are not empty: each must be read.
    pub fn whole(&self) -> impl Iterator<Item = (&SnapshotId, Vec<&PartHead>)> {
        let whole = self.snapshots.iter();
        whole.filter_map(|heads| Some((&heads.snapshot_id, heads.whole()?)))
    }
}

/// The lists of those snapshots that may be believed, by their ids.
pub type Lists = BTreeMap<SnapshotId, HashSet<ItemKey>>;

/// The snapshot that shows that an alert is gone, if one does: the newest that speaks of its kind, if it was taken well after the last
/// event about the alert, or if the one before did not have it either.
#[must_use]
pub fn absent<'a>(
    alert: ItemKey,
    kind: &'a Kind,
    last: Timestamp,
    newest: &'a Newest,
    lists: &Lists,
) -> Option<&'a Heads> {
    let mut of_kind = newest.of(kind);
    let lacks = |heads: &Heads| {
        let list = lists.get(&heads.snapshot_id);
        let lacks = list.is_some_and(|list| !list.is_empty() && !list.contains(&alert));
        lacks && heads.whole().is_some() && heads.taken_at > last
    };
    let first = of_kind.next().filter(|first| lacks(first))?;
    let apart = last.saturating_add(APART).unwrap_or(Timestamp::MAX);
    // Two of one time are one listing that was sent twice.
    let earlier = |before: &&Heads| before.taken_at < first.taken_at;
    let before = of_kind.next().filter(earlier);
    let shown = first.taken_at >= apart || before.is_some_and(lacks);
    shown.then_some(first)
}

/// Whether the newest snapshot that speaks of an alert's kind has it, and was taken then or later.
#[must_use]
pub fn is_there(
    alert: ItemKey,
    kind: &Kind,
    since: Timestamp,
    newest: &Newest,
    lists: &Lists,
) -> bool {
    newest.of(kind).next().is_some_and(|heads| {
        let list = lists.get(&heads.snapshot_id);
        let has = list.is_some_and(|list| list.contains(&alert));
        has && heads.whole().is_some() && heads.taken_at >= since
    })
}

#[cfg(test)]
pub(crate) mod tests;
