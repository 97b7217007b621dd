//! Writes that ConnectWise refuses although the connection works: which alerts are refused for the same reason, which one of them is
//! retried when, and when all of them may go on. Pure.
//!
//! A refused alert is never retried by itself. Alerts that ConnectWise refused for the same reason are one [`Group`]. One alert of the
//! group is retried at a time, later each time, up to once an hour. If ConnectWise accepts it, the others follow, a few at first. If
//! ConnectWise refuses one of those, the group goes back to one retry at a time. So a refusal costs one write per group and period,
//! and no sequence of release and refusal can run without end.
//!
//! The state of all groups is stored with the progress of the partner's reconcile runs. If it is lost, the groups are found again from
//! the blocked records, and each costs one early retry.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::Severity;
use crate::kind::Category;
use crate::record::{Actual, AlertDetails, BlockedSince, ClosedBy, NoteKind, Op, Record};
use crate::settings::{Mapping, Settings};
use crate::text::cut_to_chars;
use crate::{AlertKey, Blocked, Kind, Target, TenantId};

/// How long after a refusal the next alert of the group is retried, by how many retries were refused in a row. The last one repeats.
const BACK_OFF: [SignedDuration; 4] = [
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_mins(30),
    SignedDuration::from_mins(60),
];
/// A retry that no worker has taken up for so long is asked for again.
const LOST: SignedDuration = SignedDuration::from_mins(10);
/// After the first accepted retry so many alerts follow, then four times as many, and so on: if they are refused after all, few are.
const FIRST_RELEASE: usize = 4;
const WIDENING: usize = 4;
const WIDEST: usize = 300;
/// More groups are not told apart: their state is one item, and each group is one issue in a mail.
const MOST_GROUPS: usize = 40;
/// Longest normalised words that tell two groups apart, and longest quotation that is stored, in characters.
const LONGEST_CLASS: usize = 120;
const LONGEST_QUOTE: usize = 300;

/// What alerts of one group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId {
    /// The write that ConnectWise refuses; none where it refuses to look something up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// Why it refuses it.
    pub cause: Cause,
}

/// Why ConnectWise refuses a write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", content = "of", rename_all = "snake_case")]
pub enum Cause {
    /// Something that the ticket points at.
    Target(RefusedTarget),
    /// ConnectWise's words, without what differs from ticket to ticket.
    Words(String),
    /// Words of their own that are more than are told apart.
    Other,
}

/// What ConnectWise does not accept in a ticket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "target", content = "for", rename_all = "snake_case")]
pub enum RefusedTarget {
    /// The board of a category.
    Board(Category),
    /// The start or closing status on the board of a category.
    Status(Category),
    /// The ticket type of a kind.
    Type(Kind),
    /// The priority of a severity.
    Priority(Severity),
    /// The company of a tenant.
    Company(TenantId),
}

/// Alerts that ConnectWise refuses for the same reason, and what is done about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What they have in common.
    pub id: GroupId,
    /// ConnectWise's own words about the first of them.
    pub words: String,
    /// When the first of them was found.
    pub since: Timestamp,
    /// How many alerts the last complete look found, test alerts not counted.
    pub alerts: u64,
    /// How many retries ConnectWise refused in a row.
    pub attempts: u32,
    /// Whether the last complete look found no alert of it.
    #[serde(default)]
    pub missed: bool,
    /// What is done about them now.
    pub state: State,
}

/// What is done about a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// No alert is retried before this time.
    BackingOff {
        /// When the next one is.
        until: Timestamp,
    },
    /// ConnectWise itself says that what the tickets point at cannot be used. No alert is retried until it says otherwise.
    Unusable,
    /// One alert is being retried.
    Retrying {
        /// Which one.
        key: AlertKey,
        /// The refusal that is retried.
        refused_at: Timestamp,
        /// When that was asked for.
        asked_at: Timestamp,
    },
    /// ConnectWise accepts these writes again: alerts that were refused before follow.
    Releasing {
        /// Refused later than this, an alert shows that it does not.
        since: Timestamp,
        /// How many follow in the next run.
        width: usize,
    },
}

/// All groups of one partner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusals {
    /// The groups, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// What the partner had set up at the last run: a change is a reason to retry at once.
    #[serde(default)]
    set_up: u64,
}

/// A refused alert, as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The alert.
    pub key: AlertKey,
    /// Which life of it.
    pub occurrence: u32,
    /// When it was refused.
    pub at: Timestamp,
    /// What it looks like, where that is known.
    pub details: Option<AlertDetails>,
}

/// What one look at the blocked alerts found of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    words: String,
    alerts: u64,
    newest: Option<Timestamp>,
    /// The next ones to be retried, those whose last refusal is oldest first: so each member has its turn, and one that is refused for
    /// a reason of its own does not hide that others would be accepted.
    next: Vec<Refused>,
}

/// One look at the blocked alerts.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    seen: BTreeMap<GroupId, Seen>,
}

/// Something that ConnectWise is to be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// What tickets point at.
    pub target: &'a RefusedTarget,
    /// One of the alerts that were refused for it.
    pub refused: &'a Refused,
}

/// Whether what a group's tickets point at can be used, by ConnectWise's own lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// It can.
    Yes,
    /// It cannot.
    No,
    /// ConnectWise did not say.
    Unknown,
}

/// What became of the alert that was retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Pending,
    Accepted,
    Refused,
    /// No write was made: the alert needed none any more, or something else holds it up.
    Moot,
}

impl GroupId {
    /// The group of an alert that is blocked for this reason; none unless ConnectWise refused a write.
    #[must_use]
    pub fn of(
        blocked: &BlockedSince,
        key: &AlertKey,
        details: Option<&AlertDetails>,
    ) -> Option<Self> {
        let words = || Cause::Words(class(blocked.words()));
        let cause = match &blocked.reason {
            Blocked::Rejected(_) => words(),
            Blocked::TargetGone(target) => match refused_target(*target, key, details) {
                Some(target) => Cause::Target(target),
                None => words(),
            },
            Blocked::NotSetUp
            | Blocked::Unmapped
            | Blocked::TenantDisabled
            | Blocked::KindDisabled
            | Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::Deferred
            | Blocked::MissingRight(_)
            | Blocked::OlderThanBackfill => return None,
        };
        let op = blocked.refusal.as_ref().and_then(|refusal| refusal.op);
        // A person mends all notes at once, so they are one group.
        let op = op.map(|op| match op {
            Op::Note(_) => Op::Note(NoteKind::Repeats),
            Op::Create | Op::Patch | Op::Close | Op::Reopen | Op::Repair => op,
        });
        Some(Self { op, cause })
    }
}

impl GroupId {
    /// What ConnectWise refuses to do, behind "ConnectWise refuses to".
    #[must_use]
    pub fn in_short(&self) -> &'static str {
        match self.op {
            Some(Op::Create) => "create tickets",
            Some(Op::Note(_)) => "add notes to tickets",
            Some(Op::Patch) => "change the priority of tickets",
            Some(Op::Close | Op::Repair) => "close tickets",
            Some(Op::Reopen) => "reopen tickets",
            None => "search for tickets",
        }
    }
}

fn refused_target(
    target: Target,
    key: &AlertKey,
    details: Option<&AlertDetails>,
) -> Option<RefusedTarget> {
    Some(match target {
        Target::Board => RefusedTarget::Board(details?.category),
        Target::Status => RefusedTarget::Status(details?.category),
        Target::Type => RefusedTarget::Type(details?.kind.clone()),
        Target::Priority => RefusedTarget::Priority(details?.severity),
        Target::Company => RefusedTarget::Company(key.tenant.clone()),
    })
}

impl RefusedTarget {
    /// The target that is read to see whether it can be used.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Board(_) => Target::Board,
            Self::Status(_) => Target::Status,
            Self::Type(_) => Target::Type,
            Self::Priority(_) => Target::Priority,
            Self::Company(_) => Target::Company,
        }
    }
}

/// Words without what differs from ticket to ticket: quotations and everything with a digit.
fn class(words: &str) -> String {
    let mut unquoted = String::with_capacity(words.len());
    let mut until: Option<char> = None;
    for c in words.chars() {
        match (until, c) {
            (Some(end), _) if c == end => until = None,
            (Some(_), _) => {}
            (None, '"' | '“' | '«') => {
                until = Some(match c {
                    '“' => '”',
                    '«' => '»',
                    other => other,
                });
                unquoted.push('…');
            }
            (None, _) => unquoted.push(c),
        }
    }
    let word = |word: &str| match word.contains(|c: char| c.is_ascii_digit()) {
        true => "#".to_owned(),
        false => word.to_lowercase(),
    };
    let normalised: Vec<String> = unquoted.split_whitespace().map(word).collect();
    cut_to_chars(&normalised.join(" "), LONGEST_CLASS)
}

/// A number that changes with everything that decides where tickets go.
#[must_use]
pub fn fingerprint<'a>(
    settings: Option<&Settings>,
    mappings: impl Iterator<Item = (&'a TenantId, &'a Mapping)>,
) -> u64 {
    let targets = mappings.filter_map(|(tenant, mapping)| {
        let company = mapping.company.filter(|_| mapping.enabled)?;
        Some((tenant.as_str(), (company, mapping.epoch)))
    });
    let targets: BTreeMap<_, _> = targets.collect();
    // A tree of strings and numbers with string keys always has a JSON form.
    let text = serde_json::to_string(&(settings, targets)).unwrap_or_default();
    // FNV-1a: the value is stored, so it must not change from build to build.
    let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, hash)
}

impl Refusals {
    /// The group that an alert is counted in: one of the known ones, or a new one while there are not too many.
    #[must_use]
    pub fn group_of(
        &self,
        blocked: &BlockedSince,
        key: &AlertKey,
        details: Option<&AlertDetails>,
    ) -> Option<GroupId> {
        let id = GroupId::of(blocked, key, details)?;
        let is_known = self.groups.iter().any(|group| group.id == id);
        Some(match is_known || self.groups.len() < MOST_GROUPS {
            true => id,
            false => GroupId {
                cause: Cause::Other,
                ..id
            },
        })
    }

    /// Notes what the partner has set up. After a change, each group is retried at once.
    pub fn set_up_is(&mut self, fingerprint: u64, now: Timestamp) {
        if self.set_up == fingerprint {
            return;
        }
        self.set_up = fingerprint;
        for group in &mut self.groups {
            match group.state {
                State::BackingOff { .. } => {
                    group.attempts = 0;
                    group.state = State::BackingOff { until: now };
                }
                State::Unusable | State::Retrying { .. } | State::Releasing { .. } => {}
            }
        }
    }

    /// The alerts that are being retried.
    pub fn retried(&self) -> impl Iterator<Item = &AlertKey> {
        self.groups.iter().filter_map(|group| match &group.state {
            State::Retrying { key, .. } => Some(key),
            State::BackingOff { .. } | State::Unusable | State::Releasing { .. } => None,
        })
    }

    /// Takes in what became of an alert that was retried. `record` is its record now.
    pub fn settle(&mut self, key: &AlertKey, record: Option<&Record>, now: Timestamp) {
        for group in &mut self.groups {
            group.settle(key, record, now);
        }
    }

    /// What ConnectWise is to be asked before [`Self::next`]: whether it says that these targets can be used.
    #[must_use]
    pub fn questions<'a>(&self, survey: &'a Survey, now: Timestamp) -> Vec<Question<'a>> {
        let question = |(id, seen): (&'a GroupId, &'a Seen)| {
            let Cause::Target(target) = &id.cause else {
                return None;
            };
            let group = self.groups.iter().find(|group| group.id == *id);
            let asks = group.is_none_or(|group| group.asks_whether_usable(now));
            let refused = seen.next.first().filter(|_| asks)?;
            Some(Question { target, refused })
        };
        survey.seen.iter().filter_map(question).collect()
    }

    /// The alerts that are to be retried now, by what a look found. `whole` says whether the look came to the end of the list, and
    /// `room` how many alerts may go at most. A target that is missing in `usable` was not asked about.
    pub fn next(
        &mut self,
        survey: Survey,
        usable: &BTreeMap<RefusedTarget, Usable>,
        (whole, room): (bool, usize),
        now: Timestamp,
    ) -> Vec<Refused> {
        let mut seen = survey.seen;
        let mut going: Vec<Refused> = vec![];
        let usable = |id: &GroupId| match &id.cause {
            Cause::Target(target) => usable.get(target).copied().unwrap_or(Usable::Unknown),
            Cause::Words(_) | Cause::Other => Usable::Yes,
        };
        let mut groups = vec![];
        for mut group in std::mem::take(&mut self.groups) {
            let Some(seen) = seen.remove(&group.id) else {
                // One that is being retried is in no list meanwhile, and a list is a moment late.
                let is_over = group.missed && !matches!(group.state, State::Retrying { .. });
                if whole {
                    (group.alerts, group.missed) = (0, true);
                }
                if !(whole && is_over) {
                    groups.push(group);
                }
                continue;
            };
            if whole {
                group.alerts = seen.alerts;
            }
            group.missed = false;
            let usable = usable(&group.id);
            going.extend(group.next(seen, usable, room - going.len(), now));
            groups.push(group);
        }
        for (id, seen) in seen {
            let mut group = Group::new(id, &seen, now);
            let usable = usable(&group.id);
            going.extend(group.next(seen, usable, room - going.len(), now));
            groups.push(group);
        }
        self.groups = groups;
        going
    }

    /// The groups of which a person is to be notified.
    #[must_use]
    pub fn notified(&self) -> BTreeSet<&GroupId> {
        let groups = self.groups.iter();
        let notified = groups.filter(|group| group.is_notified());
        notified.map(|group| &group.id).collect()
    }

    /// When there is something to do about a group again.
    #[must_use]
    pub fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = |group: &Group| match &group.state {
            State::BackingOff { until } => Some(*until),
            // Whoever finds it usable again brings the run forward; otherwise the next run looks.
            State::Unusable => None,
            State::Retrying { .. } | State::Releasing { .. } => Some(now),
        };
        self.groups.iter().filter_map(at).min()
    }
}

impl Survey {
    /// Takes in a blocked alert of the list. `known` are the groups so far.
    pub fn see(&mut self, known: &Refusals, refused: Refused, blocked: &BlockedSince) {
        let details = refused.details.as_ref();
        let Some(id) = known.group_of(blocked, &refused.key, details) else {
            return;
        };
        let most = known.width(&id);
        let is_full = self.seen.len() >= MOST_GROUPS && !self.seen.contains_key(&id);
        let id = match is_full {
            true => GroupId {
                cause: Cause::Other,
                ..id
            },
            false => id,
        };
        let seen = self.seen.entry(id).or_insert_with(|| Seen {
            words: cut_to_chars(blocked.words(), LONGEST_QUOTE),
            ..Seen::default()
        });
        seen.alerts += u64::from(!refused.key.source.is_of_set_up());
        seen.newest = seen.newest.max(Some(refused.at));
        let place = seen.next.partition_point(|other| other.at <= refused.at);
        if place < most {
            seen.next.insert(place, refused);
            seen.next.truncate(most);
        }
    }
}

impl Refusals {
    /// How many alerts of a group one look must find.
    fn width(&self, id: &GroupId) -> usize {
        let group = self.groups.iter().find(|group| group.id == *id);
        match group.map(|group| &group.state) {
            Some(State::Releasing { width, .. }) => *width,
            // It may become usable in this very run.
            Some(State::Unusable) => WIDEST,
            Some(State::BackingOff { .. } | State::Retrying { .. }) | None => 1,
        }
    }
}

impl Group {
    fn new(id: GroupId, seen: &Seen, now: Timestamp) -> Self {
        // Where ConnectWise names what it does not accept, its own list says more: one alert is retried at once. Otherwise nothing
        // has changed since it refused the alert.
        let until = match id.cause {
            Cause::Target(_) => now,
            Cause::Words(_) | Cause::Other => later(now, BACK_OFF[0]),
        };
        Self {
            id,
            words: seen.words.clone(),
            since: now,
            alerts: seen.alerts,
            attempts: 0,
            missed: false,
            state: State::BackingOff { until },
        }
    }

    /// Whether a person is to be notified. Of a target that ConnectWise itself calls unusable the health probe says more, and one that
    /// was refused only once may have been mended in that moment.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        let is_sure = match (&self.id.cause, &self.state) {
            (Cause::Target(_), State::Unusable) => false,
            (Cause::Target(_), _) => self.attempts > 0,
            (Cause::Words(_) | Cause::Other, _) => true,
        };
        is_sure && self.alerts > 0
    }

    fn asks_whether_usable(&self, now: Timestamp) -> bool {
        match &self.state {
            State::BackingOff { until } => *until <= now,
            State::Unusable => true,
            State::Retrying { .. } | State::Releasing { .. } => false,
        }
    }

    fn settle(&mut self, of: &AlertKey, record: Option<&Record>, now: Timestamp) {
        let State::Retrying {
            key,
            refused_at,
            asked_at,
        } = &self.state
        else {
            return;
        };
        if key != of {
            return;
        }
        match outcome(self.id.op, record, *refused_at) {
            Outcome::Pending => {}
            Outcome::Accepted => {
                self.state = State::Releasing {
                    since: now,
                    width: FIRST_RELEASE,
                };
            }
            Outcome::Refused => self.back_off(*asked_at),
            // Another one says more, and no write was made.
            Outcome::Moot => self.state = State::BackingOff { until: now },
        }
    }

    /// A retry made at this time was refused.
    fn back_off(&mut self, at: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        let step = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let wait = BACK_OFF[step.min(BACK_OFF.len() - 1)];
        self.state = State::BackingOff {
            until: later(at, wait),
        };
    }

    fn next(&mut self, seen: Seen, usable: Usable, room: usize, now: Timestamp) -> Vec<Refused> {
        if self.state == State::Unusable && usable == Usable::Yes {
            self.attempts = 0;
            self.state = State::Releasing {
                since: now,
                width: WIDEST,
            };
        }
        match &mut self.state {
            State::Unusable => vec![],
            State::BackingOff { until } if *until > now => vec![],
            State::BackingOff { .. } => match (usable, seen.next.into_iter().next()) {
                (Usable::No, _) => {
                    self.state = State::Unusable;
                    vec![]
                }
                (Usable::Yes, Some(refused)) if room > 0 => {
                    self.state = State::Retrying {
                        key: refused.key.clone(),
                        refused_at: refused.at,
                        asked_at: now,
                    };
                    vec![refused]
                }
                (Usable::Yes | Usable::Unknown, _) => vec![],
            },
            State::Retrying {
                key,
                refused_at,
                asked_at,
            } => {
                // Asked for again it is the same retry, and void once a worker has made it.
                let is_lost = now.duration_since(*asked_at) >= LOST;
                let mut next = seen.next.into_iter();
                let lost = next
                    .find(|next| is_lost && next.key == *key && next.at == *refused_at && room > 0);
                if lost.is_some() {
                    *asked_at = now;
                }
                lost.into_iter().collect()
            }
            State::Releasing { since, .. } if seen.newest > Some(*since) => {
                self.back_off(now);
                vec![]
            }
            State::Releasing { width, .. } => {
                let going: Vec<Refused> = seen.next.into_iter().take((*width).min(room)).collect();
                *width = width.saturating_mul(WIDENING).min(WIDEST);
                going
            }
        }
    }
}

/// What became of a refused write that was retried.
fn outcome(op: Option<Op>, record: Option<&Record>, refused_at: Timestamp) -> Outcome {
    let Some(record) = record else {
        return Outcome::Moot;
    };
    if record.claim.is_some() && record.blocked.is_none() {
        return Outcome::Pending;
    }
    match &record.blocked {
        Some(blocked) if blocked.is_refusal() && blocked.since == refused_at => Outcome::Pending,
        Some(blocked) if blocked.is_refusal() => Outcome::Refused,
        Some(_) => Outcome::Moot,
        None if is_accepted(op, record, refused_at) => Outcome::Accepted,
        None => Outcome::Moot,
    }
}

/// Whether a record shows that ConnectWise accepted this write after that time.
fn is_accepted(op: Option<Op>, record: &Record, refused_at: Timestamp) -> bool {
    match (op, &record.actual) {
        (None, _) => true,
        (Some(Op::Create | Op::Reopen), Some(Actual::Open(open))) => open.opened_at > refused_at,
        (Some(Op::Create), Some(Actual::Closed(closed))) => {
            closed.at > refused_at && closed.occurrence == record.occurrence
        }
        (Some(Op::Close), Some(Actual::Closed(closed))) => {
            closed.at > refused_at && closed.by == ClosedBy::Us
        }
        (Some(Op::Note(_)), Some(Actual::Open(open))) => open.last_note_at > Some(refused_at),
        (Some(Op::Patch), Some(Actual::Open(open))) => {
            let details = record.desired.details.as_ref();
            details.is_some_and(|details| open.severity >= details.severity)
        }
        (Some(Op::Repair), _) => record.duplicates.is_empty(),
        (
            Some(Op::Create | Op::Reopen | Op::Close | Op::Patch | Op::Note(_)),
            Some(Actual::Closed(_) | Actual::Open(_)) | None,
        ) => false,
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
