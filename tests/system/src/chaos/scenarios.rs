//! The events of each alert of a round. Everything follows from the seed. Pure.

use anyhow::{Context, Result, ensure};
use domain::TenantId;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use local_stack::source::{self, EventType, SourceAlert};
use serde_json::Value;

/// The number of partners, each with a ConnectWise site of its own.
pub(crate) const PARTNERS: usize = 5;
/// The most events of one alert. Each has at least two, its first and its last.
const MAX_EVENTS: usize = 8;
/// The most deliveries of one event.
const MAX_DELIVERIES: usize = 3;
/// One alert in 4 ends resolved. Of these, the resolution of one in 4 arrives before all other
/// events.
const RESOLVED_ONE_OF: usize = 4;
const EARLY_ONE_OF: usize = 4;
/// One alert in 7 comes from a source that sends no `time`.
const UNTIMED_ONE_OF: usize = 7;
/// The number of the alert whose text a firewall refuses. It belongs to the first partner.
const POISONED: usize = 5;
/// Text that looks like an attack to a firewall.
pub(crate) const POISON: &str = "1 UNION SELECT password FROM users";

/// Kinds of the operations board, where the seed closes tickets when the alert resolves.
const CLOSING: [&str; 4] = ["cpu", "memory", "disk", "firewall"];
/// Kinds of both boards. A person closes the tickets of the other board.
const ANY: [&str; 6] = [
    "cpu",
    "disk",
    "firewall",
    "ransomware_encryption",
    "zero_trust",
    "next_gen_antivirus",
];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// The size of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoundSize {
    /// The prefix of each alert's id.
    pub(crate) prefix: &'static str,
    pub(crate) alerts: usize,
    pub(crate) events: usize,
    /// Whether a firewall refuses the text of one alert.
    pub(crate) is_poisoned: bool,
}

/// The round with disturbances.
pub(crate) const STORM: RoundSize = RoundSize {
    prefix: "chaos",
    alerts: 400,
    events: 2000,
    is_poisoned: true,
};

/// A quarter of it, without faults, to compare the storm with.
pub(crate) const CALM: RoundSize = RoundSize {
    prefix: "calm",
    alerts: 100,
    events: 500,
    is_poisoned: false,
};

/// How an alert ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Active,
    Resolved,
    /// Its resolution is delivered before all other events.
    ResolvedEarly,
}

/// The events of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertScenario {
    /// The alert's id.
    pub(crate) id: String,
    /// The number of its partner.
    pub(crate) partner: usize,
    pub(crate) tenant: TenantId,
    pub(crate) ending: Ending,
    /// Whether a firewall refuses its text.
    pub(crate) is_poisoned: bool,
    /// Its source sends no `time`, so its events are ordered by their first arrival.
    is_untimed: bool,
    kind: &'static str,
    events: Vec<ScenarioEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ScenarioEvent {
    change: EventType,
    severity: &'static str,
    /// How long before the round it happened.
    seconds_ago: i64,
}

/// An event on its way to the webhook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventDelivery {
    /// The number of the partner whose source posts it.
    pub(crate) partner: usize,
    pub(crate) event: Value,
}

impl AlertScenario {
    /// Whether the alert is active in the end.
    pub(crate) fn is_active(&self) -> bool {
        self.ending == Ending::Active
    }

    fn generate(
        size: RoundSize,
        number: usize,
        events: usize,
        tenants: &[TenantId],
        rng: &mut Rng,
    ) -> Result<Self> {
        let is_untimed = number % UNTIMED_ONE_OF == 3;
        let ending = match number {
            _ if !number.is_multiple_of(RESOLVED_ONE_OF) => Ending::Active,
            _ if !is_untimed && number.is_multiple_of(RESOLVED_ONE_OF * EARLY_ONE_OF) => {
                Ending::ResolvedEarly
            }
            _ => Ending::Resolved,
        };
        let kinds: &[&str] = match ending {
            Ending::Active => &ANY,
            Ending::Resolved | Ending::ResolvedEarly => &CLOSING,
        };
        let mut generated = Vec::new();
        // No two events of an alert have the same time, or their ids would decide which is later.
        let mut seconds_ago = 3600;
        for index in 0..events {
            let is_end = index + 1 == events && ending != Ending::Active;
            // A source that raises again says that the alert is still active.
            let again = rng.u8(0..=3) == 0;
            let change = match index {
                0 => EventType::Raised,
                _ if is_end => EventType::Resolved,
                _ if again => EventType::Raised,
                _ => EventType::Updated,
            };
            let severity = rng.choice(SEVERITIES).unwrap_or("medium");
            generated.push(ScenarioEvent {
                change,
                severity,
                seconds_ago,
            });
            seconds_ago -= rng.i64(1..=400);
        }
        let (tenant, kind) = (rng.choice(tenants).cloned(), rng.choice(kinds).copied());
        let (Some(tenant), Some(kind)) = (tenant, kind) else {
            anyhow::bail!("there is no mapped tenant");
        };
        Ok(Self {
            id: format!("{}-{number:03}", size.prefix),
            partner: number % PARTNERS,
            tenant,
            ending,
            is_poisoned: size.is_poisoned && number == POISONED,
            is_untimed,
            kind,
            events: generated,
        })
    }

    fn delivery(&self, index: usize, run: Timestamp) -> Result<EventDelivery> {
        let generated = &self.events[index];
        let text = if self.is_poisoned { POISON } else { &self.id };
        let title = format!("{} at {} on {text}", self.kind, generated.severity);
        let alert = SourceAlert {
            tenant: &self.tenant,
            id: &self.id,
            kind: self.kind,
            severity: generated.severity,
            title: &title,
        };
        let at = run.checked_sub(SignedDuration::from_secs(generated.seconds_ago))?;
        let id = format!("{}-{index}", self.id);
        let mut event = source::event(&alert, generated.change, &id, at);
        if self.is_untimed {
            event
                .as_object_mut()
                .context("an event is not an object")?
                .remove("time");
        }
        Ok(EventDelivery {
            partner: self.partner,
            event,
        })
    }
}

/// All scenarios of a round.
///
/// # Errors
/// When there is no tenant.
pub(crate) fn generate(
    seed: u64,
    size: RoundSize,
    tenants: &[TenantId],
) -> Result<Vec<AlertScenario>> {
    let mut rng = Rng::with_seed(seed);
    // Two for each alert, and the rest at random.
    let mut events = vec![2; size.alerts];
    let mut left = size.events - 2 * size.alerts;
    while left > 0 {
        let count = &mut events[rng.usize(0..size.alerts)];
        if *count < MAX_EVENTS {
            *count += 1;
            left -= 1;
        }
    }
    let scenarios = events.into_iter().enumerate();
    let scenarios = scenarios
        .map(|(number, events)| AlertScenario::generate(size, number, events, tenants, &mut rng));
    scenarios.collect()
}

/// Every event with a `time`, one to three times, in random order. Early resolutions come first.
///
/// # Errors
/// When a time is out of range.
pub(crate) fn deliveries(
    seed: u64,
    scenarios: &[AlertScenario],
    run: Timestamp,
) -> Result<Vec<EventDelivery>> {
    // Other random numbers than those of the scenarios.
    let mut rng = Rng::with_seed(!seed);
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for scenario in scenarios.iter().filter(|scenario| !scenario.is_untimed) {
        for index in 0..scenario.events.len() {
            let delivery = scenario.delivery(index, run)?;
            let early =
                scenario.ending == Ending::ResolvedEarly && index + 1 == scenario.events.len();
            let mut times = rng.usize(1..=MAX_DELIVERIES);
            if early {
                first.push(delivery.clone());
                times -= 1;
            }
            rest.extend((0..times).map(|_| delivery.clone()));
        }
    }
    ensure!(!rest.is_empty(), "no scenario has an event");
    rng.shuffle(&mut first);
    rng.shuffle(&mut rest);
    first.extend(rest);
    Ok(first)
}

/// The events without a `time`: for each alert a sequence with its events in order, and retries of
/// delivered events under the same ids. The first event is delivered once more at the end.
///
/// # Errors
/// When a time is out of range.
pub(crate) fn sequences(
    seed: u64,
    scenarios: &[AlertScenario],
    run: Timestamp,
) -> Result<Vec<Vec<EventDelivery>>> {
    let mut rng = Rng::with_seed(seed.rotate_left(32));
    let untimed = scenarios.iter().filter(|scenario| scenario.is_untimed);
    untimed
        .map(|scenario| {
            let mut sequence = Vec::new();
            for index in 0..scenario.events.len() {
                sequence.push(scenario.delivery(index, run)?);
                if rng.bool() {
                    sequence.push(scenario.delivery(rng.usize(0..=index), run)?);
                }
            }
            sequence.push(scenario.delivery(0, run)?);
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
    fn a_seed_repeats_its_scenarios() {
        let generated = |seed| {
            let scenarios = generate(seed, STORM, &tenants()).unwrap();
            let deliveries = deliveries(seed, &scenarios, run()).unwrap();
            let sequences = sequences(seed, &scenarios, run()).unwrap();
            (scenarios, deliveries, sequences)
        };
        assert_eq!(generated(1), generated(1));
        assert_ne!(generated(1), generated(2));
    }

    #[test]
    fn alerts_events_and_endings_have_their_numbers() {
        for size in [STORM, CALM] {
            let scenarios = generate(42, size, &tenants()).unwrap();
            assert_eq!(scenarios.len(), size.alerts);
            let events: usize = scenarios.iter().map(|scenario| scenario.events.len()).sum();
            assert_eq!(events, size.events);
        }
        let scenarios = generate(42, STORM, &tenants()).unwrap();
        let count = |is: &dyn Fn(&AlertScenario) -> bool| {
            scenarios.iter().filter(|scenario| is(scenario)).count()
        };
        assert_eq!(count(&|scenario| scenario.ending == Ending::Active), 300);
        assert_eq!(count(&|scenario| scenario.ending == Ending::Resolved), 78);
        assert_eq!(
            count(&|scenario| scenario.ending == Ending::ResolvedEarly),
            22
        );
        assert_eq!(count(&|scenario| scenario.is_untimed), 57);
        assert_eq!(
            count(&|scenario| scenario.is_untimed && !scenario.is_active()),
            14
        );
        for partner in 0..PARTNERS {
            assert_eq!(count(&|scenario| scenario.partner == partner), 80);
        }
        let poisoned: Vec<_> = scenarios
            .iter()
            .filter(|scenario| scenario.is_poisoned)
            .collect();
        assert_eq!(poisoned.len(), 1);
        assert!(poisoned[0].is_active() && poisoned[0].partner == 0 && !poisoned[0].is_untimed);
        for scenario in &scenarios {
            assert!((2..=MAX_EVENTS).contains(&scenario.events.len()));
            assert_eq!(scenario.events[0].change, EventType::Raised);
            let (last, before) = scenario.events.split_last().unwrap();
            assert_eq!(
                last.change == EventType::Resolved,
                !scenario.is_active(),
                "{}",
                scenario.id
            );
            assert!(
                before
                    .iter()
                    .all(|event| event.change != EventType::Resolved)
            );
            assert!(
                scenario
                    .events
                    .is_sorted_by(|a, b| a.seconds_ago > b.seconds_ago)
            );
            assert!(last.seconds_ago > 0, "no event is in the future");
        }
    }

    #[test]
    fn an_event_with_a_time_is_delivered_one_to_three_times() {
        let scenarios = generate(42, STORM, &tenants()).unwrap();
        let deliveries = deliveries(42, &scenarios, run()).unwrap();
        let mut times = BTreeMap::new();
        for delivery in &deliveries {
            assert!(delivery.event["time"].is_string());
            *times.entry(delivery.event["id"].to_string()).or_insert(0) += 1;
        }
        let timed = scenarios.iter().filter(|scenario| !scenario.is_untimed);
        assert_eq!(
            times.len(),
            timed.map(|scenario| scenario.events.len()).sum::<usize>()
        );
        assert!(
            times
                .values()
                .all(|times| (1..=MAX_DELIVERIES).contains(times))
        );
        let early = deliveries
            .iter()
            .take_while(|delivery| delivery.event["type"] == "alert.resolved");
        assert!(early.count() >= 22);
    }

    #[test]
    fn events_without_a_time_keep_their_order() {
        let scenarios = generate(42, STORM, &tenants()).unwrap();
        let sequences = sequences(42, &scenarios, run()).unwrap();
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
