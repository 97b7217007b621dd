//! Writes that ConnectWise refuses although the connection works: which alerts are refused for the
//! same reason, which of them is retried when, and when all of them may continue.
//!
//! A refused alert does not retry on its own. Alerts that ConnectWise refused for the same reason
//! form one [`RefusalGroup`]. One alert of the group is retried at a time, at growing intervals up
//! to an hour. If ConnectWise accepts it, the others follow, a few at first. If ConnectWise refuses
//! one of those, the group goes back to one retry at a time. So a refusal costs one write per group
//! and interval, and no sequence of release and refusal runs without end.
//!
//! The state of all groups is stored with the progress of the partner's reconcile runs. If it is
//! lost, the groups are found again from the blocked records, and each costs one early retry.

mod group;
mod group_id;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use group::{GroupFindings, RefusalGroup, RefusedAlert, RetryState, TargetUsability};
pub use group_id::{RefusalCause, RefusalGroupId, RefusedTarget, refused_action, refused_effect};

use self::group::WIDEST;
use crate::alert::blocked::BlockedSince;
use crate::alert::record::{AlertDetails, Record};
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::text::cut_to_chars;
use crate::{AlertKey, TenantId};

/// The maximum number of groups. Their state is one item, and each group is one issue in a mail.
const MOST_GROUPS: usize = 40;

const LONGEST_QUOTE: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefusalGroups {
    /// The groups, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<RefusalGroup>,
    /// A fingerprint of the configuration at the last run. A change of it is a reason to retry at
    /// once.
    #[serde(default)]
    set_up: u64,
}

/// One survey of the blocked alerts.
#[derive(Debug, Clone, Default)]
pub struct RefusalSurvey {
    seen: BTreeMap<RefusalGroupId, GroupFindings>,
}

/// A question to ConnectWise: whether this record can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetQuestion<'a> {
    pub target: &'a RefusedTarget,
    /// One of the alerts that were refused because of it.
    pub refused: &'a RefusedAlert,
}

/// A number that changes with everything that decides where tickets go.
#[must_use]
pub fn fingerprint<'a>(
    settings: Option<&Settings>,
    mappings: impl Iterator<Item = (&'a TenantId, &'a Mapping)>,
) -> u64 {
    let targets = mappings.filter_map(|(tenant, mapping)| {
        let company = mapping.company.filter(|_| mapping.enabled)?;
        Some((
            tenant.as_str(),
            (company, mapping.epoch, mapping.assignment),
        ))
    });
    let targets: BTreeMap<_, _> = targets.collect();
    // A tree of strings and numbers with string keys always has a JSON form.
    let text = serde_json::to_string(&(settings, targets)).unwrap_or_default();
    // FNV-1a. The value is stored, so it must not change from build to build.
    let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, hash)
}

impl RefusalGroups {
    /// The group of a refused alert: a known one, or a new one below the limit.
    #[must_use]
    pub fn group_of(
        &self,
        blocked: &BlockedSince,
        key: &AlertKey,
        details: Option<&AlertDetails>,
    ) -> Option<RefusalGroupId> {
        let id = RefusalGroupId::new(blocked, key, details)?;
        let is_known = self.groups.iter().any(|group| group.id == id);
        Some(match is_known || self.groups.len() < MOST_GROUPS {
            true => id,
            false => RefusalGroupId {
                cause: RefusalCause::Other,
                ..id
            },
        })
    }

    /// Records the configuration. After a change, each group is retried at once.
    pub fn note_configuration(&mut self, fingerprint: u64, now: Timestamp) {
        if self.set_up == fingerprint {
            return;
        }
        self.set_up = fingerprint;
        for group in &mut self.groups {
            match group.state {
                RetryState::BackingOff { .. } => {
                    group.attempts = 0;
                    group.state = RetryState::BackingOff { until: now };
                }
                RetryState::Unusable
                | RetryState::Retrying { .. }
                | RetryState::Releasing { .. } => {}
            }
        }
    }

    pub fn retried(&self) -> impl Iterator<Item = &AlertKey> {
        self.groups.iter().filter_map(|group| match &group.state {
            RetryState::Retrying { key, .. } => Some(key),
            RetryState::BackingOff { .. } | RetryState::Unusable | RetryState::Releasing { .. } => {
                None
            }
        })
    }

    /// Applies the outcome of a retry. `record` is the alert's record now.
    pub fn apply_retry(&mut self, key: &AlertKey, record: Option<&Record>, now: Timestamp) {
        for group in &mut self.groups {
            group.apply_retry(key, record, now);
        }
    }

    /// The questions to ask ConnectWise before [`Self::next`].
    #[must_use]
    pub fn questions<'a>(
        &self,
        survey: &'a RefusalSurvey,
        now: Timestamp,
    ) -> Vec<TargetQuestion<'a>> {
        let question = |(id, seen): (&'a RefusalGroupId, &'a GroupFindings)| {
            let RefusalCause::Target(target) = &id.cause else {
                return None;
            };
            let group = self.groups.iter().find(|group| group.id == *id);
            let asks = group.is_none_or(|group| group.asks_whether_usable(now));
            let refused = seen.next.first().filter(|_| asks)?;
            Some(TargetQuestion { target, refused })
        };
        survey.seen.iter().filter_map(question).collect()
    }

    /// Returns the alerts to retry now, by a survey. `whole` says whether the survey reached the
    /// end of the list, and `room` how many alerts may be retried at most. A target that is missing
    /// in `usable` was not asked about.
    pub fn next(
        &mut self,
        survey: RefusalSurvey,
        usable: &BTreeMap<RefusedTarget, TargetUsability>,
        (whole, room): (bool, usize),
        now: Timestamp,
    ) -> Vec<RefusedAlert> {
        let mut seen = survey.seen;
        let mut going: Vec<RefusedAlert> = vec![];
        let usable = |id: &RefusalGroupId| match &id.cause {
            RefusalCause::Target(target) => usable
                .get(target)
                .copied()
                .unwrap_or(TargetUsability::Unknown),
            RefusalCause::Words(_) | RefusalCause::Other => TargetUsability::Yes,
        };
        let mut groups = vec![];
        for mut group in std::mem::take(&mut self.groups) {
            let Some(seen) = seen.remove(&group.id) else {
                // An alert that is being retried is not in the list, and the list lags a moment.
                let is_over = group.missed && !matches!(group.state, RetryState::Retrying { .. });
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
            let mut group = RefusalGroup::new(id, &seen, now);
            let usable = usable(&group.id);
            going.extend(group.next(seen, usable, room - going.len(), now));
            groups.push(group);
        }
        self.groups = groups;
        going
    }

    /// The groups of which a person is to be notified.
    #[must_use]
    pub fn notified(&self) -> BTreeSet<&RefusalGroupId> {
        let groups = self.groups.iter();
        let notified = groups.filter(|group| group.is_notified());
        notified.map(|group| &group.id).collect()
    }

    /// When a group needs attention next.
    #[must_use]
    pub fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = |group: &RefusalGroup| match &group.state {
            RetryState::BackingOff { until } => Some(*until),
            // The health probe that finds it usable brings the run forward; otherwise the next run
            // looks.
            RetryState::Unusable => None,
            RetryState::Retrying { .. } | RetryState::Releasing { .. } => Some(now),
        };
        self.groups.iter().filter_map(at).min()
    }
}

impl RefusalSurvey {
    /// Adds a blocked alert. `known` are the groups so far.
    pub fn add(&mut self, known: &RefusalGroups, refused: RefusedAlert, blocked: &BlockedSince) {
        let details = refused.details.as_ref();
        let Some(id) = known.group_of(blocked, &refused.key, details) else {
            return;
        };
        let most = known.width(&id);
        let is_full = self.seen.len() >= MOST_GROUPS && !self.seen.contains_key(&id);
        let id = match is_full {
            true => RefusalGroupId {
                cause: RefusalCause::Other,
                ..id
            },
            false => id,
        };
        let seen = self.seen.entry(id).or_insert_with(|| GroupFindings {
            words: cut_to_chars(blocked.words(), LONGEST_QUOTE),
            ..GroupFindings::default()
        });
        seen.alerts += u64::from(!refused.key.source.is_for_test_alerts());
        seen.newest = seen.newest.max(Some(refused.at));
        let place = seen.next.partition_point(|other| other.at <= refused.at);
        if place < most {
            seen.next.insert(place, refused);
            seen.next.truncate(most);
        }
    }
}

impl RefusalGroups {
    /// How many alerts of a group a survey must find.
    fn width(&self, id: &RefusalGroupId) -> usize {
        let group = self.groups.iter().find(|group| group.id == *id);
        match group.map(|group| &group.state) {
            Some(RetryState::Releasing { width, .. }) => *width,
            // It may become usable in this run.
            Some(RetryState::Unusable) => WIDEST,
            Some(RetryState::BackingOff { .. } | RetryState::Retrying { .. }) | None => 1,
        }
    }
}

#[cfg(test)]
mod tests;
