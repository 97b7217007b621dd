//! What a partner's settings need from ConnectWise, and which of it is missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::event::Severity;
use crate::alert::kind::{Category, KindInfo};
use crate::monitoring::issue::{Issue, ProbeArea};
use crate::setup::choices::{BoardChoice, TargetIssue, find_target_issues};
use crate::setup::found_board::{FoundBoard, FoundStatus, FoundType};
use crate::setup::rights::{self, ListedRights, RightNeed, RightStatus, right_status};
use crate::setup::settings::{BoardTarget, OnResolve, Settings};
use crate::ticketing::refused_writes::{RefusalCause, RefusalGroup, RefusalGroups};
use crate::{Kind, RecordId, TenantId};

/// What must be in order in ConnectWise: no more than the enabled settings need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// The target of each category whose alerts become tickets, reduced to what is used.
    pub boards: BTreeMap<Category, BoardTarget>,
    pub priorities: BTreeMap<Severity, RecordId>,
    /// The companies of mapped and enabled tenants.
    pub companies: BTreeMap<TenantId, RecordId>,
    pub closing: bool,
}

impl Requirements {
    /// The requirements of these settings and companies, and of the kinds that sources may post. What they leave to ConnectWise's defaults
    /// cannot be wrong.
    #[must_use]
    pub fn new(
        settings: &Settings,
        companies: BTreeMap<TenantId, RecordId>,
        kinds: &[KindInfo],
    ) -> Self {
        let is_on = |kind: &Kind| !settings.kinds_off.contains(kind);
        let mut boards = BTreeMap::new();
        let mut closing = false;
        for category in [Category::Operations, Category::CyberAlerts] {
            let target = settings.board(category);
            let any = kinds
                .iter()
                .any(|info| info.category == category && is_on(&info.kind))
                || target.types.keys().any(is_on);
            if !any {
                continue;
            }
            let closes = target.on_resolve != OnResolve::Note;
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

    /// All areas to check, except the connection.
    #[must_use]
    pub fn areas(&self) -> BTreeSet<ProbeArea> {
        let mut areas = BTreeSet::from([ProbeArea::Rights, ProbeArea::Writes]);
        for (category, target) in &self.boards {
            areas.insert(ProbeArea::Boards);
            if target.start_status.is_some() || target.closing_status.is_some() {
                areas.insert(ProbeArea::Statuses(*category));
            }
            if !target.types.is_empty() {
                areas.insert(ProbeArea::Types(*category));
            }
        }
        if !self.priorities.is_empty() {
            areas.insert(ProbeArea::Priorities);
        }
        areas.extend(self.companies.keys().cloned().map(ProbeArea::Company));
        areas
    }

    /// The writes that ConnectWise refuses although the connection works, because it does not accept
    /// a record that the settings name, as reconcile found them.
    #[must_use]
    pub fn refused_write_issues(refusals: &RefusalGroups) -> Vec<Issue> {
        let groups = refusals.groups.iter();
        let notified = groups.filter(|group| group.is_notified());
        let issue = |group: &RefusalGroup| match &group.id.cause {
            RefusalCause::Target(target) => Some(Issue::Writes {
                op: group.id.op,
                target: target.clone(),
                words: group.words.clone(),
            }),
            RefusalCause::Words(_) | RefusalCause::Other => None,
        };
        notified.filter_map(issue).collect()
    }

    /// The required rights.
    pub fn rights(&self) -> impl Iterator<Item = &'static str> {
        let closing = self.closing;
        let needed = rights::TABLE.iter().filter(move |right| match right.need {
            RightNeed::Required => true,
            RightNeed::ForClosing => closing,
            // The page creates boards, and says itself which rights it lacks.
            RightNeed::ForDedicatedBoards | RightNeed::Optional => false,
        });
        needed.map(|right| right.right)
    }

    /// The API member's missing rights. ConnectWise refused calls for lack of `refused`. A right
    /// that it does not list is not known to be missing.
    #[must_use]
    pub fn right_issues(
        &self,
        listed: &[ListedRights<'_>],
        refused: &BTreeSet<String>,
    ) -> Vec<Issue> {
        let lacks = |right: &str| match right_status(right, listed) {
            RightStatus::Granted => false,
            RightStatus::Missing => true,
            RightStatus::NotKnown => refused.contains(right),
        };
        let needed: BTreeSet<_> = self.rights().collect();
        // Rights that only the page needs are no reason to block alerts.
        let matters = |right: &&str| match rights::find(right).map(|known| known.need) {
            None | Some(RightNeed::Required | RightNeed::ForClosing) => true,
            Some(RightNeed::ForDedicatedBoards | RightNeed::Optional) => false,
        };
        let refused_ones = refused.iter().map(String::as_str).filter(matters).collect();
        let all = needed.union(&refused_ones).filter(|right| lacks(right));
        all.map(|right| Issue::Right((*right).to_owned())).collect()
    }

    /// The issues of the boards, if ConnectWise lists these.
    #[must_use]
    pub fn board_issues(&self, listed: &[FoundBoard]) -> Vec<Issue> {
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

    /// The issues of the statuses of a category's board, if it has these.
    #[must_use]
    pub fn status_issues(&self, category: Category, listed: &[FoundStatus]) -> Vec<Issue> {
        let Some(target) = self.boards.get(&category) else {
            return vec![];
        };
        let target = BoardTarget {
            types: BTreeMap::new(),
            ..target.clone()
        };
        issues(category, &find_target_issues(&target, listed, &[]))
    }

    /// The issues of the types of a category's board, if it has these.
    #[must_use]
    pub fn type_issues(&self, category: Category, listed: &[FoundType]) -> Vec<Issue> {
        let Some(target) = self.boards.get(&category) else {
            return vec![];
        };
        let target = BoardTarget {
            start_status: None,
            closing_status: None,
            ..target.clone()
        };
        issues(category, &find_target_issues(&target, &[], listed))
    }

    /// The severities whose priority is not listed.
    #[must_use]
    pub fn missing_priorities(&self, listed: &[RecordId]) -> Vec<Issue> {
        let missing = self.priorities.iter();
        let missing = missing.filter(|(_, id)| !listed.contains(id));
        missing
            .map(|(severity, _)| Issue::Priority(*severity))
            .collect()
    }
}

pub(crate) fn issues(category: Category, unfit: &[(BoardChoice, TargetIssue)]) -> Vec<Issue> {
    let issue = |(which, why): &(BoardChoice, TargetIssue)| {
        let why = *why;
        match which {
            BoardChoice::StartStatus => Some(Issue::StartStatus { category, why }),
            BoardChoice::ClosingStatus => Some(Issue::ClosingStatus { category, why }),
            // No ticket depends on it, and no technician can choose it.
            BoardChoice::Action(_) => None,
            BoardChoice::Type(kind) => Some(Issue::Type {
                category,
                kind: kind.clone(),
                why,
            }),
        }
    };
    unfit.iter().filter_map(issue).collect()
}
