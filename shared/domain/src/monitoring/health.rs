//! The health of a partner's connection, configuration and sources: incidents, and when a person
//! is notified.
//!
//! Connection, configuration and sources have separate incidents, because they start, end and are fixed
//! independently: the connection as a whole (keys, `clientId`, an outage), and what was set up over
//! it (rights, boards, companies). A good connection may lack some of the latter for weeks. Sources
//! are watched whether ConnectWise works or not.
//!
//! A refusal starts an incident at once, since only a person can fix it. An outage starts one only
//! after several failed probes in a row, since most outages end before anybody could act. An
//! incident ends after as many good probes, so that a flapping connection is one incident with one
//! mail, not a mail every minute.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::monitoring::issue::{ConnectionRefusal, IncidentScope, Issue, Outage, ProbeArea};
use crate::monitoring::source_alert::SourceAlerts;

/// This many failed probes in a row, one per minute, are an outage.
const FAILING: u32 = 3;

/// This many good probes in a row end an incident.
const GOOD: u32 = 3;

/// The interval of reminders during an incident.
const REMINDER: SignedDuration = SignedDuration::from_hours(24);

/// Further issues with the configuration are reported together, at most this often. A person who
/// tidies up in ConnectWise should not get a mail for each company. Issues with the connection are
/// reported at once.
const MORE: SignedDuration = SignedDuration::from_hours(1);

/// For this long after a configuration issue was found, a person may be fixing it, and it is probed
/// every minute.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// The answer to the call that verifies a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// It accepts the keys.
    Accepted,
    /// It refuses all calls.
    Refused(ConnectionRefusal),
    /// It gave no answer that says anything about the keys.
    Failed(Outage),
    /// Nothing is known, because Ticketbridge failed.
    Unknown,
}

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub answer: ProbeAnswer,
    /// All areas that are to be checked now. Issues in other areas are over.
    pub desired: BTreeSet<ProbeArea>,
    /// The areas that were checked. For the others the known issues stay.
    pub looked: BTreeSet<ProbeArea>,
    /// The issues in the checked areas.
    pub found: Vec<Issue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub since: Timestamp,
    /// The current issues. Once the incident is over, the last ones.
    pub issues: BTreeSet<Issue>,
    /// The issues that a mail has named.
    #[serde(default)]
    pub notified: BTreeSet<Issue>,
    /// When a mail was last sent. `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// How many probes in a row found no issue.
    #[serde(default)]
    pub good: u32,
    /// The highest number of alerts that were seen waiting for its end.
    #[serde(default)]
    pub waited: u64,
}

/// The health of a partner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// How many probes in a row failed.
    #[serde(default)]
    pub failing: u32,
    /// When the first of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Incident>,
    /// The incident of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up: Option<Incident>,
    /// The incident of the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Incident>,
    /// The alerts of inactive sources that become tickets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_alerts: SourceAlerts,
    /// Counts probes. Checks that do not fit into each probe take turns.
    #[serde(default)]
    pub turn: u32,
    /// When ConnectWise last accepted the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
}

/// A notification to a person about one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// The incident started.
    Started(IncidentScope),
    /// These issues were added.
    More(IncidentScope, BTreeSet<Issue>),
    /// It lasts.
    Reminder(IncidentScope),
    /// It is over.
    Resolved(IncidentScope),
}

impl Notification {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "broken",
            Self::More(..) => "more",
            Self::Reminder(_) => "reminder",
            Self::Resolved(_) => "works",
        }
    }

    #[must_use]
    pub fn scope(&self) -> IncidentScope {
        match self {
            Self::Started(scope)
            | Self::More(scope, _)
            | Self::Reminder(scope)
            | Self::Resolved(scope) => *scope,
        }
    }
}

/// Applies a probe.
#[must_use]
pub fn transition(health: Health, probe: &Probe, now: Timestamp) -> Health {
    let mut health = health;
    health.turn = health.turn.wrapping_add(1);
    match probe.answer {
        ProbeAnswer::Unknown => {}
        ProbeAnswer::Refused(why) => {
            (health.failing, health.failing_since) = (0, None);
            let found = BTreeSet::from([Issue::Refused(why)]);
            health.connection = Some(with_issues(health.connection, found, now));
        }
        ProbeAnswer::Failed(how) => {
            health.failing = health.failing.saturating_add(1);
            let since = *health.failing_since.get_or_insert(now);
            let lasting = health.connection.take();
            // Refused keys stay refused while nothing answers. What a person has to do is the same.
            let is_refused = lasting.as_ref().is_some_and(Incident::is_refusal);
            health.connection = match lasting {
                Some(incident) if is_refused => Some(Incident {
                    good: 0,
                    ..incident
                }),
                None if health.failing < FAILING => None,
                lasting => {
                    let found = BTreeSet::from([Issue::Outage(how)]);
                    Some(with_issues(lasting, found, since))
                }
            };
        }
        ProbeAnswer::Accepted => {
            (health.failing, health.failing_since) = (0, None);
            health.taken_at = Some(now);
            health.connection = health.connection.and_then(without_issues);
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
                true => health.set_up.and_then(without_issues),
                false => Some(with_issues(health.set_up, found, now)),
            };
        }
    }
    health
}

/// Applies issues: the incident starts, continues, or returns before its end was reported.
fn with_issues(incident: Option<Incident>, issues: BTreeSet<Issue>, since: Timestamp) -> Incident {
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
    // An issue that went away and comes back is reported again.
    let persists = |notified: &Issue| issues.iter().any(|issue| issue.is_covered_by(notified));
    incident.notified.retain(persists);
    incident.issues = issues;
    incident.good = 0;
    incident
}

/// Applies a probe without issues. An incident that was not reported ends without a notification.
fn without_issues(incident: Incident) -> Option<Incident> {
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

    /// The issues that no mail has named yet.
    fn unreported(&self) -> BTreeSet<Issue> {
        let is_unreported = |issue: &&Issue| {
            !self
                .notified
                .iter()
                .any(|notified| issue.is_covered_by(notified))
        };
        self.issues.iter().filter(is_unreported).cloned().collect()
    }

    fn notification(&self, scope: IncidentScope, now: Timestamp) -> Option<Notification> {
        let Some(notified_at) = self.notified_at else {
            return Some(Notification::Started(scope));
        };
        if self.good > 0 {
            return (self.good >= GOOD).then_some(Notification::Resolved(scope));
        }
        let passed = now.duration_since(notified_at);
        let unreported = self.unreported();
        let more = match scope {
            IncidentScope::Connection => true,
            IncidentScope::PartnerConfig | IncidentScope::Sources => passed >= MORE,
        };
        if more && !unreported.is_empty() {
            return Some(Notification::More(scope, unreported));
        }
        (passed >= REMINDER).then_some(Notification::Reminder(scope))
    }
}

impl Health {
    /// The notifications that are due. They stay due until [`Self::notified`] records that they
    /// were sent.
    #[must_use]
    pub fn notifications(&self, now: Timestamp) -> Vec<Notification> {
        let of = |scope| {
            let incident = self.scope(scope);
            incident.and_then(|incident| incident.notification(scope, now))
        };
        let connection = of(IncidentScope::Connection);
        let is_down = self
            .connection
            .as_ref()
            .is_some_and(|incident| incident.good == 0);
        // During a connection incident nothing is known about the configuration, and no mail
        // reminds of it.
        let set_up = of(IncidentScope::PartnerConfig).filter(|_| !is_down);
        let sources = of(IncidentScope::Sources);
        connection
            .into_iter()
            .chain(set_up)
            .chain(sources)
            .collect()
    }

    /// Applies the issues of all sources. Each run checks all of them.
    #[must_use]
    pub fn with_source_issues(mut self, found: BTreeSet<Issue>, now: Timestamp) -> Self {
        self.sources = match found.is_empty() {
            true => self.sources.and_then(without_issues),
            false => Some(with_issues(self.sources, found, now)),
        };
        self
    }

    /// Records that a notification was sent.
    #[must_use]
    pub fn notified(mut self, notification: &Notification, now: Timestamp) -> Self {
        let scope = self.scope_mut(notification.scope());
        let Some(incident) = scope else {
            return self;
        };
        match notification {
            Notification::Resolved(_) => {
                *scope = None;
                return self;
            }
            Notification::Started(_) | Notification::Reminder(_) => {
                incident.notified.clone_from(&incident.issues);
            }
            Notification::More(_, new) => incident.notified.extend(new.iter().cloned()),
        }
        incident.notified_at = Some(now);
        self
    }

    /// The incident of a scope, if there is one or was one a moment ago.
    #[must_use]
    pub fn scope(&self, scope: IncidentScope) -> Option<&Incident> {
        match scope {
            IncidentScope::Connection => self.connection.as_ref(),
            IncidentScope::PartnerConfig => self.set_up.as_ref(),
            IncidentScope::Sources => self.sources.as_ref(),
        }
    }

    fn scope_mut(&mut self, scope: IncidentScope) -> &mut Option<Incident> {
        match scope {
            IncidentScope::Connection => &mut self.connection,
            IncidentScope::PartnerConfig => &mut self.set_up,
            IncidentScope::Sources => &mut self.sources,
        }
    }

    /// The current incidents of connection and configuration, the connection's first.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Incident> {
        let incidents = self.connection.iter().chain(&self.set_up);
        incidents.filter(|incident| incident.good == 0)
    }

    /// The current incident of the sources.
    #[must_use]
    pub fn open_sources_incident(&self) -> Option<&Incident> {
        self.sources.as_ref().filter(|incident| incident.good == 0)
    }

    /// Whether an incident is ending: the alerts that waited for it continue now.
    #[must_use]
    pub fn is_recovering(&self) -> bool {
        let mends = |scope: &Option<Incident>| scope.as_ref().is_some_and(|scope| scope.good > 0);
        mends(&self.connection) || mends(&self.set_up)
    }

    /// Whether the last probe was the first one without issues.
    #[must_use]
    pub fn has_begun_recovery(&self) -> bool {
        let begins = |scope: &Option<Incident>| scope.as_ref().is_some_and(|scope| scope.good == 1);
        begins(&self.connection) || begins(&self.set_up)
    }

    /// Records how many alerts wait for the end of a scope's incident.
    #[must_use]
    pub fn with_waiting(mut self, scope: IncidentScope, count: u64) -> Self {
        if let Some(incident) = self.scope_mut(scope) {
            incident.waited = incident.waited.max(count);
        }
        self
    }

    /// Whether the next probe is due in a minute: something fails, recovers, or may be being fixed.
    /// A configuration issue that stays is probed as rarely as a healthy one.
    #[must_use]
    pub fn is_urgent(&self, now: Timestamp) -> bool {
        let set_up = self.set_up.as_ref();
        let sources = self.sources.as_ref();
        self.failing > 0
            || self.connection.is_some()
            || self.source_alerts.values().any(|alert| !alert.sent)
            || sources.is_some_and(|incident| incident.good > 0)
            || set_up.is_some_and(|incident| {
                incident.good > 0 || now.duration_since(incident.since) < FRESH
            })
    }
}

#[cfg(test)]
mod tests;
