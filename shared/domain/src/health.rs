//! A partner's health: what is wrong with its connection, and when a person is told. Pure.
//!
//! Two things are told apart, because they begin, end and are mended apart: the connection as a whole (keys, `clientId`, an outage), and
//! what was set up over it (rights, boards, companies), of which a good connection may lack something for weeks.
//!
//! An explicit refusal is trouble at once, since nothing mends it but a person. An outage is trouble only after several failing probes in
//! a row: most are over before anybody could do anything. Trouble is over after as many good ones, so that what comes and goes is one
//! episode with one mail, and not a mail a minute.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::boards::{FoundBoard, FoundStatus, FoundType};
use crate::choices::{TargetIssue, Which, unfit};
use crate::event::Severity;
use crate::kind::{BUILT_IN, Category};
use crate::refusals::{Cause, Group, GroupId, Refusals, RefusedTarget};
use crate::rights::{self, Listed, Need, RightStatus, status};
use crate::settings::{BoardTarget, OnResolve, Settings};
use crate::{Blocked, Kind, RecordId, TenantId};

/// So many failing probes in a row, one a minute, are an outage.
const FAILING: u32 = 3;
/// So many good ones in a row end an episode.
const GOOD: u32 = 3;
/// While trouble lasts, it is told again so often.
const REMINDER: SignedDuration = SignedDuration::from_hours(24);
/// What more is found wrong with what was set up is told together, at most so often: somebody who tidies up in ConnectWise should not get
/// a mail for each company. What stops everything is told at once.
const MORE: SignedDuration = SignedDuration::from_hours(1);
/// So long after something set up was found wrong, somebody may be mending it, and it is looked at each minute.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// What is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentScope {
    /// The connection as a whole: without it nothing works.
    Connection,
    /// What was set up over it: only what needs it stops.
    PartnerConfig,
}

impl IncidentScope {
    /// The part whose trouble holds up an alert that is blocked for this reason; none for what is somebody's choice.
    #[must_use]
    pub fn of(reason: &Blocked) -> Option<Self> {
        match reason {
            Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::Deferred => Some(Self::Connection),
            Blocked::MissingRight(_) | Blocked::TargetGone(_) | Blocked::Rejected(_) => {
                Some(Self::PartnerConfig)
            }
            Blocked::NotSetUp
            | Blocked::Unmapped
            | Blocked::TenantDisabled
            | Blocked::KindDisabled
            | Blocked::OlderThanBackfill => None,
        }
    }
}

/// Why ConnectWise takes no call at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionRefusal {
    /// It refuses the keys.
    Keys,
    /// There are no keys that fit the connection.
    NoKeys,
    /// It refuses the partner's own `clientId`.
    OwnClientId,
    /// It refuses the operator's `clientId`.
    ClientId,
    /// The site does not answer as this company's ConnectWise, or may not be spoken to.
    Site,
}

/// How ConnectWise fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// It cannot be reached.
    Unreachable,
    /// It does not answer in time.
    Slow,
    /// It answers that it is in trouble.
    Failing,
    /// It answers that it is called too often.
    Throttling,
    /// Something else answers: a redirect, a web page, or a server that does not know this company.
    Misrouted,
}

/// Why a company can get no tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompanyIssue {
    /// It is not there, or the API member does not see it.
    Missing,
    /// It is in the recycle bin.
    Deleted,
    /// Its status says so.
    Inactive,
    /// Its status allows no tickets.
    Disallowed,
}

impl CompanyIssue {
    /// Why no ticket can be made for a company that ConnectWise lists. The flags decide; the names of statuses are the partner's own.
    #[must_use]
    pub fn by_flags(is_deleted: bool, disallows_saving: bool, is_inactive: bool) -> Option<Self> {
        match (is_deleted, disallows_saving, is_inactive) {
            (true, _, _) => Some(Self::Deleted),
            (false, true, _) => Some(Self::Disallowed),
            (false, false, true) => Some(Self::Inactive),
            (false, false, false) => None,
        }
    }
}

/// Something that is wrong. Names are looked up when somebody is told: they may change while it lasts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "trouble", content = "of", rename_all = "snake_case")]
pub enum Issue {
    /// ConnectWise takes no call.
    Refused(ConnectionRefusal),
    /// It did not answer well for several probes in a row.
    Outage(Outage),
    /// The API member lacks a right, by its name in [`rights`].
    Right(String),
    /// The board of a category cannot be used.
    Board {
        /// Which.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The status of new tickets cannot be used.
    StartStatus {
        /// Of which board.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The status that closes tickets cannot be used.
    ClosingStatus {
        /// Of which board.
        category: Category,
        /// Why.
        why: TargetIssue,
    },
    /// The ticket type of a kind cannot be used.
    Type {
        /// On which board.
        category: Category,
        /// Of which alerts.
        kind: Kind,
        /// Why.
        why: TargetIssue,
    },
    /// The priority of a severity is gone.
    Priority(Severity),
    /// The company of a tenant cannot be used.
    Company {
        /// Whose.
        tenant: TenantId,
        /// Why.
        why: CompanyIssue,
    },
    /// ConnectWise takes the keys, and refuses what Ticketbridge writes for some alerts.
    Writes {
        /// Which ones.
        group: GroupId,
        /// ConnectWise's own words about the first of them.
        words: String,
    },
}

/// What is looked at in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The connection itself.
    Connection,
    /// What the API member may do.
    Rights,
    /// The boards, whether they are there.
    Boards,
    /// The statuses of a category's board.
    Statuses(Category),
    /// The types of a category's board.
    Types(Category),
    /// The priorities.
    Priorities,
    /// A tenant's company.
    Company(TenantId),
    /// What ConnectWise refused, as reconcile found it.
    Writes,
}

impl Issue {
    /// Where a look at it tells whether it is still so.
    #[must_use]
    pub fn area(&self) -> Area {
        match self {
            Self::Refused(_) | Self::Outage(_) => Area::Connection,
            Self::Right(_) => Area::Rights,
            Self::Board { .. } => Area::Boards,
            Self::StartStatus { category, .. } | Self::ClosingStatus { category, .. } => {
                Area::Statuses(*category)
            }
            Self::Type { category, .. } => Area::Types(*category),
            Self::Priority(_) => Area::Priorities,
            Self::Company { tenant, .. } => Area::Company(tenant.clone()),
            Self::Writes { .. } => Area::Writes,
        }
    }

    /// Whether whoever was told of the one need not be told of the other: an outage has many faces.
    fn is_told_by(&self, notified: &Self) -> bool {
        match (self, notified) {
            (Self::Outage(_), Self::Outage(_)) => true,
            // The words may name another ticket by now.
            (Self::Writes { group: one, .. }, Self::Writes { group: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }
}

/// What is wrong, in a few words behind which a sentence may end. A tenant is called what `name` says.
#[must_use]
pub fn in_short(issues: &BTreeSet<Issue>, name: impl Fn(&TenantId) -> String) -> String {
    let words = |issue: &Issue| match issue {
        Issue::Refused(ConnectionRefusal::Keys) => "ConnectWise refuses the keys".to_owned(),
        Issue::Refused(ConnectionRefusal::NoKeys) => "the keys are missing".to_owned(),
        Issue::Refused(ConnectionRefusal::OwnClientId) => {
            "ConnectWise refuses your own clientId".to_owned()
        }
        Issue::Refused(ConnectionRefusal::ClientId) => {
            "ConnectWise refuses this service's clientId".to_owned()
        }
        Issue::Refused(ConnectionRefusal::Site) => {
            "ConnectWise is not found at your site".to_owned()
        }
        Issue::Outage(Outage::Unreachable) => "ConnectWise cannot be reached".to_owned(),
        Issue::Outage(Outage::Slow) => "ConnectWise does not answer in time".to_owned(),
        Issue::Outage(Outage::Failing) => "ConnectWise is in trouble".to_owned(),
        Issue::Outage(Outage::Throttling) => "ConnectWise limits the rate of calls".to_owned(),
        Issue::Outage(Outage::Misrouted) => "something else answers for ConnectWise".to_owned(),
        Issue::Right(_) => "a right is missing in ConnectWise".to_owned(),
        Issue::Board { .. } => "a board cannot be used".to_owned(),
        Issue::StartStatus { .. } | Issue::ClosingStatus { .. } => {
            "a status cannot be used".to_owned()
        }
        Issue::Type { .. } => "a ticket type cannot be used".to_owned(),
        Issue::Priority(_) => "a priority was deleted".to_owned(),
        Issue::Company { tenant, .. } => {
            format!("the company of {} cannot be used", name(tenant))
        }
        Issue::Writes { group, .. } => match &group.cause {
            Cause::Target(RefusedTarget::Company(tenant)) => {
                format!(
                    "ConnectWise refuses tickets for the company of {}",
                    name(tenant)
                )
            }
            Cause::Target(_) | Cause::Words(_) | Cause::Other => {
                format!("ConnectWise refuses to {}", group.in_short())
            }
        },
    };
    match issues.first() {
        Some(only) if issues.len() == 1 => words(only),
        Some(_) | None => format!("{} things in ConnectWise stop tickets", issues.len()),
    }
}

/// What of a set-up must be in order: no more than what is switched on needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The board of each category whose alerts become tickets, with what of it is used.
    pub boards: BTreeMap<Category, BoardTarget>,
    /// The priorities that severities are given.
    pub priorities: BTreeMap<Severity, RecordId>,
    /// The companies of mapped tenants that are switched on.
    pub companies: BTreeMap<TenantId, RecordId>,
    /// Whether tickets are closed.
    pub closing: bool,
}

impl Needed {
    /// What these settings and companies ask of ConnectWise. What they leave to ConnectWise's own defaults cannot be wrong.
    #[must_use]
    pub fn by(settings: &Settings, companies: BTreeMap<TenantId, RecordId>) -> Self {
        let is_on = |kind: &Kind| !settings.kinds_off.contains(kind);
        let mut boards = BTreeMap::new();
        let mut closing = false;
        for category in [Category::Operations, Category::CyberAlerts] {
            let target = settings.board(category);
            let off = |name: &str| settings.kinds_off.iter().any(|off| off.as_str() == name);
            let any = BUILT_IN
                .iter()
                .any(|(name, of, _)| *of == category && !off(name))
                || target.types.keys().any(is_on);
            if !any {
                continue;
            }
            let closes = target.on_resolve == OnResolve::Close;
            closing |= closes;
            if target.board.is_some() {
                let mut needed = target.clone();
                needed.types.retain(|kind, _| is_on(kind));
                needed.closing_status = target.closing_status.filter(|_| closes);
                boards.insert(category, needed);
            }
        }
        Self {
            boards,
            priorities: settings.priorities.clone(),
            companies,
            closing,
        }
    }

    /// All that is to be looked at, the connection left out.
    #[must_use]
    pub fn areas(&self) -> BTreeSet<Area> {
        let mut areas = BTreeSet::from([Area::Rights, Area::Writes]);
        for (category, target) in &self.boards {
            areas.insert(Area::Boards);
            if target.start_status.is_some() || target.closing_status.is_some() {
                areas.insert(Area::Statuses(*category));
            }
            if !target.types.is_empty() {
                areas.insert(Area::Types(*category));
            }
        }
        if !self.priorities.is_empty() {
            areas.insert(Area::Priorities);
        }
        areas.extend(self.companies.keys().cloned().map(Area::Company));
        areas
    }

    /// What reconcile found that ConnectWise refuses, though the connection works.
    #[must_use]
    pub fn writes_refused(refusals: &Refusals) -> Vec<Issue> {
        let groups = refusals.groups.iter();
        let notified = groups.filter(|group| group.is_notified());
        let issue = |group: &Group| Issue::Writes {
            group: group.id.clone(),
            words: group.words.clone(),
        };
        notified.map(issue).collect()
    }

    /// The rights without which something of it does not work.
    pub fn rights(&self) -> impl Iterator<Item = &'static str> {
        let closing = self.closing;
        let needed = rights::TABLE.iter().filter(move |right| match right.need {
            Need::Required => true,
            Need::ForClosing => closing,
            // Boards are made at the page, which says what it lacks.
            Need::ForDedicatedBoards | Need::Optional => false,
        });
        needed.map(|right| right.right)
    }

    /// What is wrong with the API member's rights. ConnectWise refused calls for want of `refused`; what it does not list is not known,
    /// which is not the same as missing.
    #[must_use]
    pub fn rights_missing(&self, listed: &[Listed<'_>], refused: &BTreeSet<String>) -> Vec<Issue> {
        let lacks = |right: &str| match status(right, listed) {
            RightStatus::Granted => false,
            RightStatus::Missing => true,
            RightStatus::NotKnown => refused.contains(right),
        };
        let needed: BTreeSet<_> = self.rights().collect();
        // What only the page needs was refused to whoever looked: it keeps no ticket from anybody.
        let matters = |right: &&str| match rights::known(right).map(|known| known.need) {
            None | Some(Need::Required | Need::ForClosing) => true,
            Some(Need::ForDedicatedBoards | Need::Optional) => false,
        };
        let refused_ones = refused.iter().map(String::as_str).filter(matters).collect();
        let all = needed.union(&refused_ones).filter(|right| lacks(right));
        all.map(|right| Issue::Right((*right).to_owned())).collect()
    }

    /// What is wrong with the boards, of all that ConnectWise lists.
    #[must_use]
    pub fn boards_unfit(&self, listed: &[FoundBoard]) -> Vec<Issue> {
        let unfit = |(category, target): (&Category, &BoardTarget)| {
            let id = target.board?;
            let found = listed.iter().find(|board| board.id == id);
            let why = match found {
                None => TargetIssue::Missing,
                Some(board) if board.inactive => TargetIssue::Inactive,
                Some(_) => return None,
            };
            Some(Issue::Board {
                category: *category,
                why,
            })
        };
        self.boards.iter().filter_map(unfit).collect()
    }

    /// What is wrong with the statuses of a category's board, of all that it has.
    #[must_use]
    pub fn statuses_unfit(&self, category: Category, listed: &[FoundStatus]) -> Vec<Issue> {
        let Some(target) = self.boards.get(&category) else {
            return vec![];
        };
        let target = BoardTarget {
            types: BTreeMap::new(),
            ..target.clone()
        };
        issues(category, &unfit(&target, listed, &[]))
    }

    /// What is wrong with the types of a category's board, of all that it has.
    #[must_use]
    pub fn types_unfit(&self, category: Category, listed: &[FoundType]) -> Vec<Issue> {
        let Some(target) = self.boards.get(&category) else {
            return vec![];
        };
        let target = BoardTarget {
            start_status: None,
            closing_status: None,
            ..target.clone()
        };
        issues(category, &unfit(&target, &[], listed))
    }

    /// The severities whose priority is not among all that there are.
    #[must_use]
    pub fn priorities_gone(&self, listed: &[RecordId]) -> Vec<Issue> {
        let gone = self.priorities.iter();
        let gone = gone.filter(|(_, id)| !listed.contains(id));
        gone.map(|(severity, _)| Issue::Priority(*severity))
            .collect()
    }
}

fn issues(category: Category, unfit: &[(Which, TargetIssue)]) -> Vec<Issue> {
    let issue = |(which, why): &(Which, TargetIssue)| {
        let why = *why;
        match which {
            Which::StartStatus => Issue::StartStatus { category, why },
            Which::ClosingStatus => Issue::ClosingStatus { category, why },
            Which::Type(kind) => Issue::Type {
                category,
                kind: kind.clone(),
                why,
            },
        }
    };
    unfit.iter().map(issue).collect()
}

/// What ConnectWise answered to the call that proves a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// It takes the keys.
    Takes,
    /// It takes no call.
    Refuses(ConnectionRefusal),
    /// It gave no answer that says anything of the keys.
    Fails(Outage),
    /// Nothing was learnt: something of ours failed.
    Nothing,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Of the connection.
    pub answer: ProbeAnswer,
    /// All that is to be looked at by now. Trouble with anything else is nobody's any more.
    pub desired: BTreeSet<Area>,
    /// What was looked at of it. What was not, or could not be, stays as it was known.
    pub looked: BTreeSet<Area>,
    /// What is wrong there.
    pub found: Vec<Issue>,
}

/// Trouble from its first notice to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong; once it is over, what was wrong last.
    pub issues: BTreeSet<Issue>,
    /// What of it a mail has named.
    #[serde(default)]
    pub notified: BTreeSet<Issue>,
    /// When a mail was last sent; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// How many probes in a row have found nothing wrong.
    #[serde(default)]
    pub good: u32,
    /// The most alerts that were seen waiting for its end.
    #[serde(default)]
    pub waited: u64,
}

/// What is known of a partner's connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Probes in a row that got no answer.
    #[serde(default)]
    pub failing: u32,
    /// When the first of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Trouble with the connection as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Incident>,
    /// Trouble with what was set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up: Option<Incident>,
    /// Counts probes: what does not fit into each is looked at by turns.
    #[serde(default)]
    pub turn: u32,
    /// When ConnectWise last took the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
}

/// What a person is to be told of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// It broke.
    Broken(IncidentScope),
    /// While it lasted, this came to it.
    More(IncidentScope, BTreeSet<Issue>),
    /// It lasts.
    Reminder(IncidentScope),
    /// It works again.
    Works(IncidentScope),
}

impl Notification {
    /// For logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Broken(_) => "broken",
            Self::More(..) => "more",
            Self::Reminder(_) => "reminder",
            Self::Works(_) => "works",
        }
    }

    /// What it is about.
    #[must_use]
    pub fn scope(&self) -> IncidentScope {
        match self {
            Self::Broken(scope)
            | Self::More(scope, _)
            | Self::Reminder(scope)
            | Self::Works(scope) => *scope,
        }
    }
}

/// The health after a probe.
#[must_use]
pub fn transition(health: Health, probe: &Probe, now: Timestamp) -> Health {
    let mut health = health;
    health.turn = health.turn.wrapping_add(1);
    match probe.answer {
        ProbeAnswer::Nothing => {}
        ProbeAnswer::Refuses(why) => {
            (health.failing, health.failing_since) = (0, None);
            let found = BTreeSet::from([Issue::Refused(why)]);
            health.connection = Some(in_trouble(health.connection, found, now));
        }
        ProbeAnswer::Fails(how) => {
            health.failing = health.failing.saturating_add(1);
            let since = *health.failing_since.get_or_insert(now);
            let lasting = health.connection.take();
            // Refused keys stay so while nothing answers: what there is to do is the same.
            let is_refused = lasting.as_ref().is_some_and(Incident::is_refusal);
            health.connection = match lasting {
                Some(incident) if is_refused => Some(Incident {
                    good: 0,
                    ..incident
                }),
                None if health.failing < FAILING => None,
                lasting => {
                    let found = BTreeSet::from([Issue::Outage(how)]);
                    Some(in_trouble(lasting, found, since))
                }
            };
        }
        ProbeAnswer::Takes => {
            (health.failing, health.failing_since) = (0, None);
            health.taken_at = Some(now);
            health.connection = health.connection.and_then(mending);
            let open_incident = health.set_up.as_ref().filter(|incident| incident.good == 0);
            let unseen = open_incident
                .into_iter()
                .flat_map(|incident| &incident.issues);
            let unseen = unseen.filter(|issue| {
                let area = issue.area();
                probe.desired.contains(&area) && !probe.looked.contains(&area)
            });
            let found: BTreeSet<_> = probe.found.iter().chain(unseen).cloned().collect();
            health.set_up = match found.is_empty() {
                true => health.set_up.and_then(mending),
                false => Some(in_trouble(health.set_up, found, now)),
            };
        }
    }
    health
}

/// Trouble was found: it begins, goes on, or is back before anybody was told that it was over.
fn in_trouble(incident: Option<Incident>, issues: BTreeSet<Issue>, since: Timestamp) -> Incident {
    let Some(mut incident) = incident else {
        return Incident {
            since,
            issues,
            notified: BTreeSet::new(),
            notified_at: None,
            good: 0,
            waited: 0,
        };
    };
    // What went away and comes back is news again.
    let stands = |notified: &Issue| issues.iter().any(|issue| issue.is_told_by(notified));
    incident.notified.retain(stands);
    incident.issues = issues;
    incident.good = 0;
    incident
}

/// No trouble was found. What nobody was told of is over without a word.
fn mending(incident: Incident) -> Option<Incident> {
    incident.notified_at?;
    Some(Incident {
        good: incident.good.saturating_add(1),
        ..incident
    })
}

impl Incident {
    fn is_refusal(&self) -> bool {
        let mut issues = self.issues.iter();
        issues.any(|issue| matches!(issue, Issue::Refused(_)))
    }

    /// What no mail has named yet.
    fn untold(&self) -> BTreeSet<Issue> {
        let is_told = |issue: &&Issue| {
            !self
                .notified
                .iter()
                .any(|notified| issue.is_told_by(notified))
        };
        self.issues.iter().filter(is_told).cloned().collect()
    }

    fn notification(&self, scope: IncidentScope, now: Timestamp) -> Option<Notification> {
        let Some(notified_at) = self.notified_at else {
            return Some(Notification::Broken(scope));
        };
        if self.good > 0 {
            return (self.good >= GOOD).then_some(Notification::Works(scope));
        }
        let passed = now.duration_since(notified_at);
        let untold = self.untold();
        let more = match scope {
            IncidentScope::Connection => true,
            IncidentScope::PartnerConfig => passed >= MORE,
        };
        if more && !untold.is_empty() {
            return Some(Notification::More(scope, untold));
        }
        (passed >= REMINDER).then_some(Notification::Reminder(scope))
    }
}

impl Health {
    /// What a person is to be told now. It stays due until [`Self::told`] says that it was.
    #[must_use]
    pub fn notifications(&self, now: Timestamp) -> Vec<Notification> {
        let of = |scope| {
            self.scope(scope)
                .and_then(|incident| incident.notification(scope, now))
        };
        let connection = of(IncidentScope::Connection);
        let is_down = self
            .connection
            .as_ref()
            .is_some_and(|incident| incident.good == 0);
        // While nothing works, nobody knows of the rest, and nobody is reminded of it.
        let set_up = of(IncidentScope::PartnerConfig).filter(|_| !is_down);
        connection.into_iter().chain(set_up).collect()
    }

    /// The health after a person was told.
    #[must_use]
    pub fn notified(mut self, notification: &Notification, now: Timestamp) -> Self {
        let scope = match notification.scope() {
            IncidentScope::Connection => &mut self.connection,
            IncidentScope::PartnerConfig => &mut self.set_up,
        };
        match notification {
            Notification::Works(_) => *scope = None,
            Notification::Broken(_) | Notification::More(..) | Notification::Reminder(_) => {
                if let Some(incident) = scope {
                    incident.notified.clone_from(&incident.issues);
                    incident.notified_at = Some(now);
                }
            }
        }
        self
    }

    /// The trouble with a part, if there is any, or was a moment ago.
    #[must_use]
    pub fn scope(&self, scope: IncidentScope) -> Option<&Incident> {
        match scope {
            IncidentScope::Connection => self.connection.as_ref(),
            IncidentScope::PartnerConfig => self.set_up.as_ref(),
        }
    }

    /// What is wrong now, the worst first.
    #[must_use]
    pub fn open_incident(&self) -> Option<&Incident> {
        let lasts = |incident: &&Incident| incident.good == 0;
        let connection = self.connection.as_ref().filter(lasts);
        connection.or_else(|| self.set_up.as_ref().filter(lasts))
    }

    /// Whether something was wrong until a moment ago: what waited for it goes on now.
    #[must_use]
    pub fn is_mending(&self) -> bool {
        let mends = |scope: &Option<Incident>| scope.as_ref().is_some_and(|scope| scope.good > 0);
        mends(&self.connection) || mends(&self.set_up)
    }

    /// Whether the probe that was just made found that something is over.
    #[must_use]
    pub fn begins_to_mend(&self) -> bool {
        let begins = |scope: &Option<Incident>| scope.as_ref().is_some_and(|scope| scope.good == 1);
        begins(&self.connection) || begins(&self.set_up)
    }

    /// Notes how many alerts wait for the end of a part's trouble.
    #[must_use]
    pub fn with_waiting(mut self, scope: IncidentScope, count: u64) -> Self {
        let incident = match scope {
            IncidentScope::Connection => &mut self.connection,
            IncidentScope::PartnerConfig => &mut self.set_up,
        };
        if let Some(incident) = incident {
            incident.waited = incident.waited.max(count);
        }
        self
    }

    /// Whether the next probe is to be made in a minute: something fails, mends, or may be mended just now. What was set up and nobody
    /// mends is looked at as seldom as what is well.
    #[must_use]
    pub fn is_urgent(&self, now: Timestamp) -> bool {
        let set_up = self.set_up.as_ref();
        self.failing > 0
            || self.connection.is_some()
            || set_up.is_some_and(|incident| {
                incident.good > 0 || now.duration_since(incident.since) < FRESH
            })
    }
}

#[cfg(test)]
mod tests;
