//! The events that were folded into an alert's record. An event that is delivered again has no
//! second effect, however late it comes.
//!
//! The order of events is not enough: a retry of an event without a time gets a new timestamp at
//! its receipt and looks new.

use std::collections::VecDeque;
use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::alert::event::EventDigest;

/// How many events are kept that started or ended an occurrence, or were the first ones. A retry of
/// such an event would create or close a ticket, so they are kept apart from repeats.
const TRANSITIONS: usize = 64;

/// How many events are kept that repeated an alert or changed nothing: a bit more than two hours of
/// a heartbeat every minute.
const REPEATS: usize = 128;

/// The digests of folded events, the newest of each class: at most 1,536 bytes, and 8 bytes per
/// event for an alert with few events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FoldedEvents {
    #[serde(default, skip_serializing_if = "Ring::is_empty")]
    transitions: Ring,
    #[serde(default, skip_serializing_if = "Ring::is_empty")]
    repeats: Ring,
}

/// The effect of an event on its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoldEffect {
    /// It started or ended an occurrence, or was the first event.
    Transition,
    /// It changed neither.
    Repeat,
}

impl FoldedEvents {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.repeats.is_empty()
    }

    /// Whether this event was folded, as far back as digests are kept.
    #[must_use]
    pub fn contains(&self, event: EventDigest) -> bool {
        self.transitions.0.contains(&event) || self.repeats.0.contains(&event)
    }

    pub(crate) fn add(&mut self, event: EventDigest, effect: FoldEffect) {
        match effect {
            FoldEffect::Transition => self.transitions.add(event, TRANSITIONS),
            FoldEffect::Repeat => self.repeats.add(event, REPEATS),
        }
    }

    /// Drops the repeats of an alert that ended long ago.
    pub(crate) fn shrink(&mut self) {
        self.repeats.0.clear();
    }
}

/// Digests from the oldest to the newest. In the table they are one binary value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Ring(VecDeque<EventDigest>);

impl Ring {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, event: EventDigest, capacity: usize) {
        self.0.push_back(event);
        while self.0.len() > capacity {
            self.0.pop_front();
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digests, rest) = bytes.as_chunks::<8>();
        rest.is_empty()
            .then(|| Self(digests.iter().copied().map(EventDigest).collect()))
    }
}

impl Serialize for Ring {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|digest| digest.0).collect();
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Ring {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_byte_buf(Bytes)
    }
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Ring;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("event digests of eight bytes each")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Ring, E> {
        Ring::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }

    /// JSON has no binary values.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ring, A::Error> {
        let mut bytes = vec![];
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> EventDigest {
        EventDigest::new(&["test", &number.to_string()])
    }

    #[test]
    fn repeats_do_not_displace_a_transition() {
        let mut folded = FoldedEvents::default();
        folded.add(event(0), FoldEffect::Transition);
        for number in 1..=1000 {
            folded.add(event(number), FoldEffect::Repeat);
        }
        assert!(folded.contains(event(0)));
        assert!(
            folded.contains(event(1000 - 127)),
            "two hours of a heartbeat a minute"
        );
        assert!(!folded.contains(event(1000 - 128)), "it is bounded");
        folded.shrink();
        assert!(folded.contains(event(0)) && !folded.contains(event(1000)));
        for number in 1..=64 {
            folded.add(event(number), FoldEffect::Transition);
        }
        assert!(!folded.contains(event(0)), "it is bounded");
    }

    #[test]
    fn folded_events_are_read_back_as_they_were_written() {
        let mut folded = FoldedEvents::default();
        assert_eq!(serde_json::to_string(&folded).unwrap(), "{}");
        folded.add(event(1), FoldEffect::Transition);
        folded.add(event(2), FoldEffect::Repeat);
        folded.add(event(3), FoldEffect::Repeat);
        let text = serde_json::to_string(&folded).unwrap();
        let back: FoldedEvents = serde_json::from_str(&text).unwrap();
        assert_eq!(back, folded);
        let torn = serde_json::from_str::<FoldedEvents>(r#"{"repeats":[1,2,3]}"#);
        assert!(torn.is_err());
    }
}
