//! The scenarios of the crash points: workloads, deaths and pauses.

use std::fmt;

use jiff::SignedDuration;

use crate::proxy::{Stop, When};

/// What the disturbed batch contains. Earlier messages are worked off undisturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// An alert is raised.
    Raise,
    /// An alert with an open ticket is resolved.
    Resolve,
    /// An alert is raised and resolved in one batch.
    Both,
    /// An alert with an open ticket is raised again.
    Repeat,
    /// An alert is resolved and recurs in one batch, while its ticket is open.
    Return,
    /// An alert is raised before it is known whether ConnectWise has earlier tickets.
    First,
    /// An alert is raised again after the table lost its record.
    Forgotten,
    /// An alert is raised again, and ConnectWise does not answer the first note.
    UnansweredNote,
    /// The same, and customers read the notes, which have no mark.
    UnansweredCustomerNote,
    /// An alert is resolved, and ConnectWise does not answer the first close.
    UnansweredClose,
}

pub(crate) const WORKLOADS: [Workload; 10] = [
    Workload::Raise,
    Workload::Resolve,
    Workload::Both,
    Workload::Repeat,
    Workload::Return,
    Workload::First,
    Workload::Forgotten,
    Workload::UnansweredNote,
    Workload::UnansweredCustomerNote,
    Workload::UnansweredClose,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Raised,
    Resolved,
}

impl Workload {
    pub(crate) fn before(self) -> &'static [EventKind] {
        match self {
            Self::Raise | Self::Both | Self::First => &[],
            Self::Resolve
            | Self::Repeat
            | Self::Return
            | Self::Forgotten
            | Self::UnansweredNote
            | Self::UnansweredCustomerNote
            | Self::UnansweredClose => &[EventKind::Raised],
        }
    }

    pub(crate) fn batch(self) -> &'static [EventKind] {
        match self {
            Self::Raise
            | Self::Repeat
            | Self::First
            | Self::Forgotten
            | Self::UnansweredNote
            | Self::UnansweredCustomerNote => &[EventKind::Raised],
            Self::Resolve | Self::UnansweredClose => &[EventKind::Resolved],
            Self::Both => &[EventKind::Raised, EventKind::Resolved],
            Self::Return => &[EventKind::Resolved, EventKind::Raised],
        }
    }
}

/// How two workers share a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchSharing {
    /// Each has the whole batch: the queue delivered it twice.
    Same,
    /// The first worker has the first message, the second worker the second.
    Apart,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Workers that die one after the other. Calls are counted from the previous death.
    Deaths(Workload, Vec<Stop>),
    /// Two workers, the second started `later`: the first is paused, the second runs until it is paused or
    /// ends, the first runs to its end, and then the second does.
    Two {
        workload: Workload,
        share: BatchSharing,
        first: Stop,
        second: Option<Stop>,
        later: SignedDuration,
    },
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stop = |stop: &Stop| format!("{}-{:?}", stop.at, stop.when);
        match self {
            Self::Deaths(workload, deaths) => {
                write!(f, "deaths {workload:?}")?;
                deaths
                    .iter()
                    .try_for_each(|death| write!(f, " {}", stop(death)))
            }
            Self::Two {
                workload,
                share,
                first,
                second,
                later,
            } => {
                let second = second.as_ref().map_or_else(|| "end".to_owned(), stop);
                let (first, later) = (stop(first), later.as_secs());
                write!(f, "two {workload:?} {share:?} {first} {second} {later}")
            }
        }
    }
}

impl Scenario {
    pub(crate) fn parse(line: &str) -> Self {
        let stop = |word: &str| {
            let (at, when) = word.split_once('-')?;
            let when = [When::Before, When::Lost, When::After]
                .into_iter()
                .find(|known| format!("{known:?}") == when)?;
            let at = at.parse().unwrap();
            Some(Stop { at, when })
        };
        let words: Vec<_> = line.split_whitespace().collect();
        let workload = WORKLOADS
            .into_iter()
            .find(|workload| format!("{workload:?}") == words[1])
            .unwrap();
        match words[0] {
            "deaths" => Self::Deaths(
                workload,
                words[2..].iter().map(|word| stop(word).unwrap()).collect(),
            ),
            _ => Self::Two {
                workload,
                share: match words[2] {
                    "Same" => BatchSharing::Same,
                    _ => BatchSharing::Apart,
                },
                first: stop(words[3]).unwrap(),
                second: stop(words[4]),
                later: SignedDuration::from_secs(words[5].parse().unwrap()),
            },
        }
    }
}
