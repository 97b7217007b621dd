//! A partner's health: what is wrong with its connection, and when a person is told. Pure.
//!
//! Two things are told apart, because they begin, end and are mended apart: the connection as a whole (keys, `clientId`, an outage), and
//! what was set up over it (rights, boards, companies), of which a good connection may lack something for weeks.
//!
//! An explicit refusal is trouble at once, since nothing mends it but a person. An outage is trouble only after several failing probes in
//! a row: most are over before anybody could do anything. Trouble is over after as many good ones, so that what comes and goes is one
//! episode with one mail, and not a mail a minute.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::monitoring::issue::{ConnectionRefusal, IncidentScope, Issue, Outage, ProbeArea};

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

/// What ConnectWise answered to the call that proves a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// It takes the keys.
    Accepted,
    /// It takes no call.
    Refused(ConnectionRefusal),
    /// It gave no answer that says anything of the keys.
    Failed(Outage),
    /// Nothing was learnt: something of ours failed.
    Unknown,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Of the connection.
    pub answer: ProbeAnswer,
    /// All that is to be looked at by now. Trouble with anything else is nobody's any more.
    pub desired: BTreeSet<ProbeArea>,
    /// What was looked at of it. What was not, or could not be, stays as it was known.
    pub looked: BTreeSet<ProbeArea>,
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
    Started(IncidentScope),
    /// While it lasted, this came to it.
    More(IncidentScope, BTreeSet<Issue>),
    /// It lasts.
    Reminder(IncidentScope),
    /// It works again.
    Resolved(IncidentScope),
}

impl Notification {
    /// For logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "broken",
            Self::More(..) => "more",
            Self::Reminder(_) => "reminder",
            Self::Resolved(_) => "works",
        }
    }

    /// What it is about.
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

/// The health after a probe.
#[must_use]
pub fn transition(health: Health, probe: &Probe, now: Timestamp) -> Health {
    let mut health = health;
    health.turn = health.turn.wrapping_add(1);
    match probe.answer {
        ProbeAnswer::Unknown => {}
        ProbeAnswer::Refused(why) => {
            (health.failing, health.failing_since) = (0, None);
            let found = BTreeSet::from([Issue::Refused(why)]);
            health.connection = Some(in_trouble(health.connection, found, now));
        }
        ProbeAnswer::Failed(how) => {
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
        ProbeAnswer::Accepted => {
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
    fn unreported(&self) -> BTreeSet<Issue> {
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
            return Some(Notification::Started(scope));
        };
        if self.good > 0 {
            return (self.good >= GOOD).then_some(Notification::Resolved(scope));
        }
        let passed = now.duration_since(notified_at);
        let unreported = self.unreported();
        let more = match scope {
            IncidentScope::Connection => true,
            IncidentScope::PartnerConfig => passed >= MORE,
        };
        if more && !unreported.is_empty() {
            return Some(Notification::More(scope, unreported));
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
            Notification::Resolved(_) => *scope = None,
            Notification::Started(_) | Notification::More(..) | Notification::Reminder(_) => {
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
    pub fn is_recovering(&self) -> bool {
        let mends = |scope: &Option<Incident>| scope.as_ref().is_some_and(|scope| scope.good > 0);
        mends(&self.connection) || mends(&self.set_up)
    }

    /// Whether the probe that was just made found that something is over.
    #[must_use]
    pub fn has_begun_recovery(&self) -> bool {
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
