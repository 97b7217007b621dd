//! What the alerts of a run go through: all of it follows from the seed. Pure.

use anyhow::{Context, Result, ensure};
use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::dice::Dice;
use crate::source::{self, Alert, Change};

/// How many partners there are, each with a ConnectWise of its own.
pub(crate) const PARTNERS: usize = 5;
/// The most events about one alert; it has at least two, its raise and its end.
const MOST: usize = 8;
/// How often an event is delivered at most.
const DELIVERIES: usize = 3;
/// One alert of so many ends resolved, and one of so many of these is resolved before anything else arrives.
const RESOLVED_ONE_OF: usize = 4;
const EARLY_ONE_OF: usize = 4;
/// One alert of so many comes from a source that sends no `time`.
const UNTIMED_ONE_OF: usize = 7;
/// The alert of the first partner whose text a firewall refuses.
const POISONED: usize = 5;
/// Text that looks like an attack to a firewall.
pub(crate) const POISON: &str = "1 UNION SELECT password FROM users";

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

/// How much is generated, and under which name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// The first part of each alert's id.
    pub(crate) prefix: &'static str,
    pub(crate) alerts: usize,
    pub(crate) events: usize,
    /// Whether one alert has a text that a firewall refuses.
    pub(crate) is_poisoned: bool,
}

/// The run itself.
pub(crate) const STORM: Size = Size {
    prefix: "chaos",
    alerts: 400,
    events: 2000,
    is_poisoned: true,
};

/// A quarter of it beforehand, without any fault: what the storm is compared with.
pub(crate) const CALM: Size = Size {
    prefix: "calm",
    alerts: 100,
    events: 500,
    is_poisoned: false,
};

/// How an alert ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is still active.
    Standing,
    /// It is resolved.
    Resolved,
    /// It is resolved, and this is delivered before all else.
    ResolvedEarly,
}

/// The story of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Story {
    /// The alert's id.
    pub(crate) id: String,
    /// The number of its partner.
    pub(crate) partner: usize,
    /// Whose alert it is.
    pub(crate) tenant: TenantId,
    /// How it ends.
    pub(crate) ending: Ending,
    /// A firewall refuses its text.
    pub(crate) is_poisoned: bool,
    /// Its source sends no `time`: the order of the events is the order in which they arrive first.
    is_untimed: bool,
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

/// An event on its way to the webhook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delivery {
    /// The number of the partner whose source posts it.
    pub(crate) partner: usize,
    pub(crate) event: Value,
}

impl Story {
    /// Whether the alert is active in the end.
    pub(crate) fn stands(&self) -> bool {
        self.ending == Ending::Standing
    }

    fn generate(
        size: Size,
        number: usize,
        events: usize,
        tenants: &[TenantId],
        dice: &mut Dice,
    ) -> Result<Self> {
        let is_untimed = number % UNTIMED_ONE_OF == 3;
        let ending = match number {
            _ if !number.is_multiple_of(RESOLVED_ONE_OF) => Ending::Standing,
            _ if !is_untimed && number.is_multiple_of(RESOLVED_ONE_OF * EARLY_ONE_OF) => {
                Ending::ResolvedEarly
            }
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
            id: format!("{}-{number:03}", size.prefix),
            partner: number % PARTNERS,
            tenant,
            ending,
            is_poisoned: size.is_poisoned && number == POISONED,
            is_untimed,
            kind,
            events: told,
        })
    }

    fn delivery(&self, index: usize, run: Timestamp) -> Result<Delivery> {
        let told = &self.events[index];
        let text = if self.is_poisoned { POISON } else { &self.id };
        let title = format!("{} at {} on {text}", self.kind, told.severity);
        let alert = Alert {
            tenant: &self.tenant,
            id: &self.id,
            kind: self.kind,
            severity: told.severity,
            title: &title,
        };
        let at = run.checked_sub(SignedDuration::from_secs(told.seconds_ago))?;
        let id = format!("{}-{index}", self.id);
        let mut event = source::event(&alert, told.change, &id, at);
        if self.is_untimed {
            event
                .as_object_mut()
                .context("an event is no object")?
                .remove("time");
        }
        Ok(Delivery {
            partner: self.partner,
            event,
        })
    }
}

/// All stories of a run.
///
/// # Errors
/// When there is no tenant.
pub(crate) fn generate(seed: u64, size: Size, tenants: &[TenantId]) -> Result<Vec<Story>> {
    let mut dice = Dice::new(seed);
    // Two each, and the rest falls where it may.
    let mut events = vec![2; size.alerts];
    let mut left = size.events - 2 * size.alerts;
    while left > 0 {
        let count = &mut events[dice.between(0, size.alerts - 1)];
        if *count < MOST {
            *count += 1;
            left -= 1;
        }
    }
    let stories = events.into_iter().enumerate();
    let stories =
        stories.map(|(number, events)| Story::generate(size, number, events, tenants, &mut dice));
    stories.collect()
}

/// Every event with a `time` one to three times, in any order; but what is resolved early is resolved before all else.
///
/// # Errors
/// When a time is out of range.
pub(crate) fn deliveries(seed: u64, stories: &[Story], run: Timestamp) -> Result<Vec<Delivery>> {
    // Not the stories' own numbers again.
    let mut dice = Dice::new(!seed);
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for story in stories.iter().filter(|story| !story.is_untimed) {
        for index in 0..story.events.len() {
            let delivery = story.delivery(index, run)?;
            let early = story.ending == Ending::ResolvedEarly && index + 1 == story.events.len();
            let mut times = dice.between(1, DELIVERIES);
            if early {
                first.push(delivery.clone());
                times -= 1;
            }
            rest.extend((0..times).map(|_| delivery.clone()));
        }
    }
    ensure!(!rest.is_empty(), "no story has an event");
    dice.shuffle(&mut first);
    dice.shuffle(&mut rest);
    first.extend(rest);
    Ok(first)
}

/// The events without a `time`, a sequence for each alert: each event in its turn, and retries of events that were
/// delivered before, under the same ids. The raise comes once more after everything else.
///
/// # Errors
/// When a time is out of range.
pub(crate) fn sequences(
    seed: u64,
    stories: &[Story],
    run: Timestamp,
) -> Result<Vec<Vec<Delivery>>> {
    let mut dice = Dice::new(seed.rotate_left(32));
    let untimed = stories.iter().filter(|story| story.is_untimed);
    untimed
        .map(|story| {
            let mut sequence = Vec::new();
            for index in 0..story.events.len() {
                sequence.push(story.delivery(index, run)?);
                if dice.between(0, 1) == 0 {
                    sequence.push(story.delivery(dice.between(0, index), run)?);
                }
            }
            sequence.push(story.delivery(0, run)?);
            Ok(sequence)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn tenants() -> Vec<TenantId> {
        ["acme-dental", "cedar-valley"]
            .map(|name| TenantId::parse(name).unwrap())
            .to_vec()
    }

    fn run() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    #[test]
    fn a_seed_tells_the_same_stories_again() {
        let told = |seed| {
            let stories = generate(seed, STORM, &tenants()).unwrap();
            let deliveries = deliveries(seed, &stories, run()).unwrap();
            let sequences = sequences(seed, &stories, run()).unwrap();
            (stories, deliveries, sequences)
        };
        assert_eq!(told(1), told(1));
        assert_ne!(told(1), told(2));
    }

    #[test]
    fn there_are_as_many_alerts_events_and_endings_as_promised() {
        for size in [STORM, CALM] {
            let stories = generate(42, size, &tenants()).unwrap();
            assert_eq!(stories.len(), size.alerts);
            let events: usize = stories.iter().map(|story| story.events.len()).sum();
            assert_eq!(events, size.events);
        }
        let stories = generate(42, STORM, &tenants()).unwrap();
        let count = |is: &dyn Fn(&Story) -> bool| stories.iter().filter(|story| is(story)).count();
        assert_eq!(count(&|story| story.ending == Ending::Standing), 300);
        assert_eq!(count(&|story| story.ending == Ending::Resolved), 78);
        assert_eq!(count(&|story| story.ending == Ending::ResolvedEarly), 22);
        assert_eq!(count(&|story| story.is_untimed), 57);
        assert_eq!(count(&|story| story.is_untimed && !story.stands()), 14);
        for partner in 0..PARTNERS {
            assert_eq!(count(&|story| story.partner == partner), 80);
        }
        let poisoned: Vec<_> = stories.iter().filter(|story| story.is_poisoned).collect();
        assert_eq!(poisoned.len(), 1);
        assert!(poisoned[0].stands() && poisoned[0].partner == 0 && !poisoned[0].is_untimed);
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
    fn every_event_with_a_time_is_delivered_one_to_three_times() {
        let stories = generate(42, STORM, &tenants()).unwrap();
        let deliveries = deliveries(42, &stories, run()).unwrap();
        let mut times = BTreeMap::new();
        for delivery in &deliveries {
            assert!(delivery.event["time"].is_string());
            *times.entry(delivery.event["id"].to_string()).or_insert(0) += 1;
        }
        let timed = stories.iter().filter(|story| !story.is_untimed);
        assert_eq!(
            times.len(),
            timed.map(|story| story.events.len()).sum::<usize>()
        );
        assert!(times.values().all(|times| (1..=DELIVERIES).contains(times)));
        let early = deliveries
            .iter()
            .take_while(|delivery| delivery.event["type"] == "alert.resolved");
        assert!(early.count() >= 22);
    }

    #[test]
    fn an_event_without_a_time_comes_in_its_turn_and_again_later() {
        let stories = generate(42, STORM, &tenants()).unwrap();
        let sequences = sequences(42, &stories, run()).unwrap();
        assert_eq!(sequences.len(), 57);
        for sequence in sequences {
            let mut seen = BTreeSet::new();
            let mut firsts = Vec::new();
            for delivery in &sequence {
                assert_eq!(delivery.event.get("time"), None);
                let id = delivery.event["id"].as_str().unwrap().to_owned();
                if seen.insert(id.clone()) {
                    firsts.push(id);
                }
            }
            assert!(firsts.is_sorted());
            assert_eq!(sequence.last(), sequence.first());
        }
    }
}
