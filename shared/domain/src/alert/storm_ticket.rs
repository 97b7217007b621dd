//! The alert of a storm: its events, which list the alerts of a storm. Reconcile sends them, a
//! part of the list after the other, so that the ticket gets at most one note a minute.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use crate::alert::kind::Category;
use crate::alert::record::{Actual, AlertDetails, Record};
use crate::alert::storm::{Storm, short_key};
use crate::alert::summary::AlertSummary;
use crate::{AlertKey, EventId, Kind, PartnerId, SourceId, TenantId};

/// The longest list in one description or note, in bytes.
const MAX_LISTING: usize = 30 * 1024;
/// The most alerts in it.
pub const MAX_LISTED_AT_ONCE: usize = 300;
/// The most alerts that a storm lists, so that its progress fits into an item.
const MAX_LISTED: usize = 10_000;
const SHORT_KEY: usize = 16;

/// What a storm's ticket lists already.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StormProgress {
    /// The short keys of the listed alerts, one after the other, sorted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    listed: String,
    /// How many events were made.
    #[serde(default)]
    events: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_ended: bool,
    /// The newest event. It is sent again until the storm's record shows that it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Event>,
}

/// An active alert that is part of a storm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StormAlert {
    pub key: AlertKey,
    pub details: AlertDetails,
    /// `None` if its record is only a tombstone by now.
    pub summary: Option<AlertSummary>,
}

/// What reconcile does for a storm now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StormStep {
    /// Nothing until the next run.
    Wait,
    /// Send the newest event again.
    SendAgain,
    /// List more alerts: make an event of them, store the progress, and send it.
    List,
    /// Take no more alerts: all are resolved.
    End,
    /// Resolve its alert: make that event, store the progress, and send it.
    Resolve,
    /// Forget the storm.
    Remove,
}

impl Storm {
    /// The key of its alert.
    #[must_use]
    pub fn key(&self, partner: &PartnerId, tenant: &TenantId) -> AlertKey {
        AlertKey {
            partner: partner.clone(),
            tenant: tenant.clone(),
            source: SourceId::for_storms(),
            alert_id: self.id.clone(),
        }
    }

    /// Names the next step. `active` is the number of its active alerts, `has_unlisted` says whether
    /// the ticket lists all of them.
    #[must_use]
    pub fn next_step(
        &self,
        progress: &StormProgress,
        record: Option<&Record>,
        (active, has_unlisted): (usize, bool),
        now: Timestamp,
    ) -> StormStep {
        let newest = progress.newest.as_ref();
        let is_received =
            |event: &Event| record.is_some_and(|record| record.folded.contains(event.digest));
        if newest.is_some_and(|event| !is_received(event)) {
            return StormStep::SendAgain;
        }
        let is_ended_by_person = record.is_some_and(Record::is_occurrence_over);
        if has_unlisted
            && !progress.has_ended
            && !is_ended_by_person
            && record.is_none_or(is_reported)
        {
            return StormStep::List;
        }
        // An alert that became part of it since goes on when it is removed.
        if progress.has_ended {
            return StormStep::Remove;
        }
        if active > 0 || !self.may_end(now) {
            return StormStep::Wait;
        }
        if !self.is_over {
            return StormStep::End;
        }
        match record.is_some_and(|record| record.desired.active) {
            true => StormStep::Resolve,
            false => StormStep::Remove,
        }
    }
}

/// Whether the ticket has all that the events so far say.
fn is_reported(record: &Record) -> bool {
    let repeats = record
        .desired
        .details
        .as_ref()
        .map(|details| details.repeats);
    match &record.actual {
        Some(Actual::Open(open)) => repeats.is_none_or(|repeats| open.noted_repeats >= repeats),
        Some(Actual::Closed(_)) => true,
        None => false,
    }
}

impl StormProgress {
    /// The event to send.
    #[must_use]
    pub fn newest(&self) -> Option<&Event> {
        self.newest.as_ref()
    }

    /// The alerts that are not listed yet, in the order of the list.
    pub fn unlisted<'a>(
        &self,
        alerts: impl IntoIterator<Item = &'a AlertKey>,
    ) -> Vec<&'a AlertKey> {
        if self.listed.len() >= MAX_LISTED * SHORT_KEY {
            return vec![];
        }
        let listed: BTreeSet<&str> = self.listed_keys().collect();
        let is_new = |key: &&AlertKey| !listed.contains(short_key(key).as_str());
        alerts.into_iter().filter(is_new).collect()
    }

    fn listed_keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.listed.as_bytes().chunks(SHORT_KEY);
        keys.filter_map(|key| str::from_utf8(key).ok())
    }

    /// Lists these alerts, as many as fit into one note. `active` is the number of all active ones.
    #[must_use]
    pub fn with_listed(
        mut self,
        storm: &Storm,
        key: &AlertKey,
        tenant_name: Option<&str>,
        (alerts, active): (&[StormAlert], usize),
        now: Timestamp,
    ) -> Self {
        let mut lines = vec![];
        let mut bytes = 0;
        let mut listed = vec![];
        for alert in alerts {
            let line = line(alert);
            bytes += line.len() + 1;
            if bytes > MAX_LISTING {
                break;
            }
            lines.push(line);
            listed.push(alert);
        }
        let mut keys: Vec<_> = self.listed_keys().map(str::to_owned).collect();
        keys.extend(listed.iter().map(|alert| short_key(&alert.key)));
        keys.sort_unstable();
        keys.dedup();
        let total = keys.len();
        let is_full = total >= MAX_LISTED;
        self.listed = keys.concat();
        let Some((kind, category)) = most_frequent_kind(alerts) else {
            return self;
        };
        let severities = listed.iter().map(|alert| alert.details.severity);
        let before = self.newest.as_ref().and_then(severity);
        let severity = severities.chain(before).max().unwrap_or(Severity::Medium);
        let rule = storm.rule;
        let tenant = tenant_name.unwrap_or(key.tenant.as_str());
        let mut description = match self.events {
            0 => format!(
                "More than {} alerts of this tenant were raised within {} minutes, so the further ones share this ticket. Ticketbridge adds more alerts as notes. The ticket is finished once all of its alerts are resolved.\n\nAlerts:\n",
                rule.alerts, rule.minutes
            ),
            _ => format!("{total} alerts so far, {active} of them still active. The new ones:\n"),
        };
        description.push_str(&lines.join("\n"));
        if is_full {
            description.push_str("\nFurther alerts are not listed here.");
        }
        let payload = Payload {
            title: format!("Alert storm: many alerts of {tenant}"),
            description,
            tenant_name: tenant_name.map(str::to_owned),
            device: None,
            user: None,
            link: None,
        };
        let change = AlertChange::Raised(Particulars {
            kind,
            category,
            severity,
            expires_at: None,
            payload,
        });
        self.with_event(key, change, now)
    }

    /// Resolves the storm's alert.
    #[must_use]
    pub fn with_end(mut self, key: &AlertKey, now: Timestamp) -> Self {
        self.has_ended = true;
        self.with_event(key, AlertChange::Resolved, now)
    }

    fn with_event(mut self, key: &AlertKey, change: AlertChange, now: Timestamp) -> Self {
        // A clock can be set back. An event that is older than the one before would change nothing.
        let before = self.newest.as_ref().map(|event| event.occurred_at);
        let at = before.map_or(now, |before| {
            now.max(crate::time::later(
                before,
                jiff::SignedDuration::from_millis(1),
            ))
        });
        self.events = self.events.saturating_add(1);
        let id = EventId::for_storm(self.events);
        self.newest = Some(Event::immediate(key.clone(), id, at, change));
        self
    }
}

fn severity(event: &Event) -> Option<Severity> {
    match &event.change {
        AlertChange::Raised(particulars) | AlertChange::Updated(particulars) => {
            Some(particulars.severity)
        }
        AlertChange::Resolved => None,
    }
}

fn line(alert: &StormAlert) -> String {
    let severity = alert.details.severity;
    let kind = &alert.details.kind;
    match &alert.summary {
        Some(AlertSummary { title, device, .. }) => {
            let device = device
                .as_ref()
                .map_or_else(String::new, |device| format!(" ({device})"));
            format!("- {severity}: {title}{device}")
        }
        None => format!("- {severity}: {kind}"),
    }
}

/// The kind of most of the alerts gives the ticket its board and its type.
fn most_frequent_kind(alerts: &[StormAlert]) -> Option<(Kind, Category)> {
    let mut counts: BTreeMap<&Kind, (usize, Category)> = BTreeMap::new();
    for alert in alerts {
        let entry = counts.entry(&alert.details.kind);
        entry.or_insert((0, alert.details.category)).0 += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, (count, _))| *count);
    most.map(|(kind, (_, category))| (kind.clone(), category))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fold::fold;
    use crate::alert::op::Op;
    use crate::alert::record::ClosedBy;
    use crate::alert::record::OpenTicket;
    use crate::alert::storm::StormRule;
    use crate::fixtures::claim;
    use crate::{AlertId, fixtures};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn storm(is_over: bool) -> Storm {
        Storm {
            id: AlertId::for_storm(at(0)),
            began_at: at(0),
            last_alert_at: at(0),
            rule: StormRule {
                alerts: 20,
                minutes: 5,
            },
            is_over,
        }
    }

    fn alert_key() -> AlertKey {
        let key = fixtures::key();
        storm(false).key(&key.partner, &key.tenant)
    }

    fn alert(n: usize) -> StormAlert {
        StormAlert {
            key: AlertKey {
                alert_id: AlertId::parse(format!("a{n}")).unwrap(),
                ..fixtures::key()
            },
            details: AlertDetails {
                kind: Kind::parse(if n.is_multiple_of(3) { "cpu" } else { "disk" }).unwrap(),
                category: Category::Operations,
                severity: if n == 7 {
                    Severity::Critical
                } else {
                    Severity::Low
                },
                raised_at: at(0),
                raise_received_at: at(0),
                previous_event_at: None,
                repeats: 0,
                expires_at: None,
            },
            summary: Some(AlertSummary {
                kind: Kind::parse("disk").unwrap(),
                title: format!("Disk C: of SRV-{n:02} is 91 % full"),
                device: n.is_multiple_of(2).then(|| format!("SRV-{n:02}")),
            }),
        }
    }

    fn list(progress: StormProgress, alerts: &[StormAlert]) -> StormProgress {
        let count = (alerts, 9);
        progress.with_listed(&storm(false), &alert_key(), Some("Contoso"), count, at(60))
    }

    fn particulars(progress: &StormProgress) -> &Particulars {
        match &progress.newest().unwrap().change {
            AlertChange::Raised(particulars) => particulars,
            other @ (AlertChange::Updated(_) | AlertChange::Resolved) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_ticket_says_what_happened_and_lists_the_alerts() {
        let alerts: Vec<_> = (1..4).map(alert).collect();
        let progress = list(StormProgress::default(), &alerts);
        let text = |progress: &StormProgress| {
            let payload = &particulars(progress).payload;
            format!("{}\n\n{}", payload.title, payload.description)
        };
        insta::assert_snapshot!(text(&progress));
        let more: Vec<_> = (6..9).map(alert).collect();
        let progress = list(progress, &more);
        let second = particulars(&progress);
        insta::assert_snapshot!(second.payload.description);
        assert_eq!(second.kind.as_str(), "disk", "that of most alerts");
        assert_eq!(second.severity, Severity::Critical);
        let last: Vec<_> = (10..11).map(alert).collect();
        let progress = list(progress, &last);
        assert_eq!(
            particulars(&progress).severity,
            Severity::Critical,
            "the highest so far"
        );
    }

    #[test]
    fn each_alert_is_listed_once_however_many_there_are() {
        let mut alerts: Vec<_> = (0..1500).map(alert).collect();
        for alert in &mut alerts {
            if let Some(summary) = &mut alert.summary {
                summary.title = format!("{} {}", alert.key.alert_id, "x".repeat(150));
            }
        }
        let mut progress = StormProgress::default();
        let mut listed = vec![];
        loop {
            let keys = progress.unlisted(alerts.iter().map(|alert| &alert.key));
            if keys.is_empty() {
                break;
            }
            let next: Vec<_> = alerts
                .iter()
                .filter(|alert| keys.contains(&&alert.key))
                .take(MAX_LISTED_AT_ONCE)
                .cloned()
                .collect();
            progress = list(progress, &next);
            let text = &particulars(&progress).payload.description;
            assert!(text.len() < 32 * 1024, "{}", text.len());
            let lines = text.lines().filter_map(|line| line.strip_prefix("- low: "));
            let lines = lines.chain(
                text.lines()
                    .filter_map(|line| line.strip_prefix("- critical: ")),
            );
            listed.extend(lines.map(|line| line.split(' ').next().unwrap().to_owned()));
        }
        listed.sort_unstable();
        let mut all: Vec<_> = alerts
            .iter()
            .map(|alert| alert.key.alert_id.to_string())
            .collect();
        all.sort_unstable();
        assert_eq!(listed, all);
    }

    #[test]
    fn more_than_an_item_holds_are_not_listed() {
        let full = StormProgress {
            listed: "0".repeat(MAX_LISTED * SHORT_KEY),
            ..StormProgress::default()
        };
        assert!(full.unlisted([&fixtures::key()]).is_empty());
    }

    #[test]
    fn a_storm_is_followed_step_by_step() {
        let fresh = StormProgress::default();
        let next = |progress: &StormProgress, record: Option<&Record>, alerts, second| {
            storm(false).next_step(progress, record, alerts, at(second))
        };
        assert_eq!(next(&fresh, None, (3, true), 20), StormStep::List);
        assert_eq!(next(&fresh, None, (0, false), 119), StormStep::Wait);
        assert_eq!(next(&fresh, None, (0, false), 120), StormStep::End);
        let step = storm(true).next_step(&fresh, None, (0, false), at(180));
        assert_eq!(step, StormStep::Remove, "it never had a ticket");

        let first = list(fresh, &[alert(1)]);
        let step = next(&first, None, (3, true), 80);
        assert_eq!(step, StormStep::SendAgain, "its message may be lost");
        let received = fold(Record::new(alert_key()), first.newest().unwrap());
        let step = next(&first, Some(&received), (3, true), 80);
        assert_eq!(step, StormStep::Wait, "it has no ticket yet");
        let created = claim(Op::Create, &received);
        let open = received.with_open(OpenTicket::new(77, Some(2), &created, at(90)));
        assert_eq!(next(&first, Some(&open), (3, true), 120), StormStep::List);
        assert_eq!(next(&first, Some(&open), (3, false), 120), StormStep::Wait);

        let second = list(first, &[alert(2)]);
        let open = fold(open, second.newest().unwrap());
        let step = next(&second, Some(&open), (3, true), 180);
        assert_eq!(step, StormStep::Wait, "its note is not written yet");
        assert_eq!(next(&second, Some(&open), (0, false), 180), StormStep::End);
        let over = storm(true);
        let step = over.next_step(&second, Some(&open), (0, false), at(240));
        assert_eq!(step, StormStep::Resolve);
        let ended = second.clone().with_end(&alert_key(), at(240));
        let step = over.next_step(&ended, Some(&open), (0, false), at(300));
        assert_eq!(step, StormStep::SendAgain);
        let resolved = fold(open.clone(), ended.newest().unwrap());
        let step = over.next_step(&ended, Some(&resolved), (0, false), at(300));
        assert_eq!(step, StormStep::Remove);
        let step = over.next_step(&ended, Some(&resolved), (1, true), at(300));
        assert_eq!(step, StormStep::Remove, "a late alert goes on then");

        let closed = open.with_closed(77, 1, ClosedBy::Technician, at(200));
        let step = next(&second, Some(&closed), (3, true), 240);
        assert_eq!(step, StormStep::Wait, "a person closed its ticket");
    }

    #[test]
    fn an_event_is_newer_than_the_one_before_whatever_the_clock_says() {
        let first = list(StormProgress::default(), &[alert(1)]);
        let second = first.clone().with_end(&alert_key(), at(-600));
        assert!(second.newest().unwrap().occurred_at > first.newest().unwrap().occurred_at);
    }
}
