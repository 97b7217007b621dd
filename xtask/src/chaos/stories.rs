//! What the alerts of a run go through: all of it follows from the seed. Pure.

use anyhow::{Result, ensure};
use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::dice::Dice;
use crate::source::{self, Alert, Change};

/// How many alerts there are, and events about them.
pub(crate) const ALERTS: usize = 400;
pub(crate) const EVENTS: usize = 2000;
/// The most events about one alert; it has at least two, its raise and its end.
const MOST: usize = 8;
/// How often an event is delivered at most.
const DELIVERIES: usize = 3;
/// Of so many alerts one ends resolved, and of so many of these one is resolved before anybody hears of it.
const RESOLVED_ONE_OF: usize = 4;
const EARLY_ONE_OF: usize = 4;

/// Kinds whose tickets close when the alert is gone, as the seed sets the operations board up.
const CLOSING: [&str; 4] = ["cpu", "memory", "disk", "firewall"];
/// Kinds of both boards; those of the other are closed by a person.
const ANY: [&str; 6] = [
    "cpu",
    "disk",
    "firewall",
    "ransomware_encryption",
    "zero_trust",
    "next_gen_antivirus",
];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// How an alert ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is still there.
    Standing,
    /// It is gone.
    Resolved,
    /// It is gone, and this is delivered before all else.
    ResolvedEarly,
}

/// The story of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Story {
    /// The alert's id.
    pub(crate) id: String,
    /// Whose alert it is.
    pub(crate) tenant: TenantId,
    /// How it ends.
    pub(crate) ending: Ending,
    kind: &'static str,
    events: Vec<Told>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    change: Change,
    severity: &'static str,
    /// How many seconds before the run it happened.
    seconds_ago: i64,
}

impl Story {
    /// Whether the alert is there in the end.
    pub(crate) fn stands(&self) -> bool {
        self.ending == Ending::Standing
    }

    fn generate(
        number: usize,
        events: usize,
        tenants: &[TenantId],
        dice: &mut Dice,
    ) -> Result<Self> {
        let ending = match number {
            _ if !number.is_multiple_of(RESOLVED_ONE_OF) => Ending::Standing,
            _ if number.is_multiple_of(RESOLVED_ONE_OF * EARLY_ONE_OF) => Ending::ResolvedEarly,
            _ => Ending::Resolved,
        };
        let kinds: &[&str] = match ending {
            Ending::Standing => &ANY,
            Ending::Resolved | Ending::ResolvedEarly => &CLOSING,
        };
        let mut told = Vec::new();
        // No two events of an alert happen at one time: which is the last would be a matter of their ids.
        let mut seconds_ago = 3600;
        for index in 0..events {
            let is_end = index + 1 == events && ending != Ending::Standing;
            // A source that raises again says that the alert is still there.
            let again = dice.between(0, 3) == 0;
            let change = match index {
                0 => Change::Raised,
                _ if is_end => Change::Resolved,
                _ if again => Change::Raised,
                _ => Change::Updated,
            };
            let severity = dice.one_of(&SEVERITIES).copied().unwrap_or("medium");
            told.push(Told {
                change,
                severity,
                seconds_ago,
            });
            seconds_ago -= i64::try_from(dice.between(1, 400))?;
        }
        let (tenant, kind) = (dice.one_of(tenants).cloned(), dice.one_of(kinds).copied());
        let (Some(tenant), Some(kind)) = (tenant, kind) else {
            anyhow::bail!("there is no mapped tenant to raise alerts of");
        };
        Ok(Self {
            id: format!("chaos-{number:03}"),
            tenant,
            ending,
            kind,
            events: told,
        })
    }

    fn event(&self, index: usize, run: Timestamp) -> Result<Value> {
        let told = &self.events[index];
        let title = format!("{} at {} on {}", self.kind, told.severity, self.id);
        let alert = Alert {
            tenant: &self.tenant,
            id: &self.id,
            kind: self.kind,
            severity: told.severity,
            title: &title,
        };
        let at = run.checked_sub(SignedDuration::from_secs(told.seconds_ago))?;
        let id = format!("{}-{index}", self.id);
        Ok(source::event(&alert, told.change, &id, at))
    }
}

/// All stories of a run.
///
/// # Errors
/// When there is no tenant.
pub(crate) fn generate(seed: u64, tenants: &[TenantId]) -> Result<Vec<Story>> {
    let mut dice = Dice::new(seed);
    // Two each, and the rest falls where it may.
    let mut events = vec![2; ALERTS];
    let mut left = EVENTS - 2 * ALERTS;
    while left > 0 {
        let count = &mut events[dice.between(0, ALERTS - 1)];
        if *count < MOST {
            *count += 1;
            left -= 1;
        }
    }
    let stories = events.into_iter().enumerate();
    let stories =
        stories.map(|(number, events)| Story::generate(number, events, tenants, &mut dice));
    stories.collect()
}

/// Every event one to three times, in any order; but what is resolved early is resolved before all else.
///
/// # Errors
/// When a time is out of range.
pub(crate) fn deliveries(seed: u64, stories: &[Story], run: Timestamp) -> Result<Vec<Value>> {
    // Not the stories' own numbers again.
    let mut dice = Dice::new(!seed);
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for story in stories {
        for index in 0..story.events.len() {
            let event = story.event(index, run)?;
            let early = story.ending == Ending::ResolvedEarly && index + 1 == story.events.len();
            let mut times = dice.between(1, DELIVERIES);
            if early {
                first.push(event.clone());
                times -= 1;
            }
            rest.extend((0..times).map(|_| event.clone()));
        }
    }
    ensure!(!rest.is_empty(), "no story has an event");
    dice.shuffle(&mut first);
    dice.shuffle(&mut rest);
    first.extend(rest);
    Ok(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn tenants() -> Vec<TenantId> {
        ["acme-dental", "cedar-valley"]
            .map(|name| TenantId::parse(name).unwrap())
            .to_vec()
    }

    #[test]
    fn a_seed_tells_the_same_stories_again() {
        let run = Timestamp::from_second(1_790_000_000).unwrap();
        let told = |seed| {
            let stories = generate(seed, &tenants()).unwrap();
            let deliveries = deliveries(seed, &stories, run).unwrap();
            (stories, deliveries)
        };
        assert_eq!(told(1), told(1));
        assert_ne!(told(1), told(2));
    }

    #[test]
    fn there_are_as_many_alerts_events_and_endings_as_promised() {
        let stories = generate(42, &tenants()).unwrap();
        assert_eq!(stories.len(), ALERTS);
        assert_eq!(
            stories
                .iter()
                .map(|story| story.events.len())
                .sum::<usize>(),
            EVENTS
        );
        let ending = |ending| {
            stories
                .iter()
                .filter(|story| story.ending == ending)
                .count()
        };
        assert_eq!(ending(Ending::Standing), 300);
        assert_eq!(ending(Ending::Resolved), 75);
        assert_eq!(ending(Ending::ResolvedEarly), 25);
        for story in &stories {
            assert!((2..=MOST).contains(&story.events.len()));
            assert_eq!(story.events[0].change, Change::Raised);
            let (last, before) = story.events.split_last().unwrap();
            assert_eq!(
                last.change == Change::Resolved,
                !story.stands(),
                "{}",
                story.id
            );
            assert!(before.iter().all(|told| told.change != Change::Resolved));
            assert!(
                story
                    .events
                    .is_sorted_by(|a, b| a.seconds_ago > b.seconds_ago)
            );
            assert!(last.seconds_ago > 0, "nothing happens in the future");
        }
    }

    #[test]
    fn every_event_is_delivered_one_to_three_times() {
        let stories = generate(42, &tenants()).unwrap();
        let run = Timestamp::from_second(1_790_000_000).unwrap();
        let deliveries = deliveries(42, &stories, run).unwrap();
        let mut times = BTreeMap::new();
        for delivery in &deliveries {
            *times.entry(delivery["id"].to_string()).or_insert(0) += 1;
        }
        assert_eq!(times.len(), EVENTS);
        assert!(times.values().all(|times| (1..=DELIVERIES).contains(times)));
        let early = deliveries
            .iter()
            .take_while(|delivery| delivery["type"] == "alert.resolved");
        assert!(early.count() >= 25);
    }
}
