//! The group of a refused alert: alerts that ConnectWise refused for the same reason.

use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockedSince;
use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::alert::record::{AlertDetails, NoteKind, Op};
use crate::text::cut_to_chars;
use crate::{AlertKey, Blocked, Kind, RecordId, TenantId, TicketTarget};

/// The longest normalized message that identifies a group, in characters.
pub(super) const LONGEST_CLASS: usize = 120;

/// Identifies a group of refused alerts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusalGroupId {
    /// The write that ConnectWise refuses. `None` if it refuses a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    pub cause: RefusalCause,
}

/// Why ConnectWise refuses a write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", content = "of", rename_all = "snake_case")]
pub enum RefusalCause {
    /// It does not accept a record that the ticket refers to.
    Target(RefusedTarget),
    /// ConnectWise's message, without the parts that differ from ticket to ticket.
    Words(String),
    /// Further messages, after the limit of groups is reached.
    Other,
}

/// A record that ConnectWise does not accept in a ticket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "target", content = "for", rename_all = "snake_case")]
pub enum RefusedTarget {
    Board(Category),
    Status(Category),
    Type(Kind),
    Priority(Severity),
    Company(TenantId),
    Team(RecordId),
    Owner(RecordId),
}

impl RefusalGroupId {
    /// The group of an alert that is blocked for this reason. `None` unless ConnectWise refused a
    /// call.
    #[must_use]
    pub fn new(
        blocked: &BlockedSince,
        key: &AlertKey,
        details: Option<&AlertDetails>,
    ) -> Option<Self> {
        if !blocked.is_refusal() {
            return None;
        }
        let target = if let Blocked::TargetMissing(target) = blocked.reason {
            refused_target(target, blocked, key, details)
        } else {
            None
        };
        let cause = target.map_or_else(
            || RefusalCause::Words(normalize_message(blocked.words())),
            RefusalCause::Target,
        );
        let op = blocked.refusal.as_ref().and_then(|refusal| refusal.op);
        // A person fixes all notes at once, so they are one group.
        let op = op.map(|op| match op {
            Op::Note(_) => Op::Note(NoteKind::Repeats),
            Op::Create
            | Op::Patch
            | Op::SetType
            | Op::Link
            | Op::Close
            | Op::Reopen
            | Op::Repair => op,
        });
        Some(Self { op, cause })
    }
}

/// What ConnectWise refuses to do, to follow "ConnectWise refuses to". `None` is a search.
#[must_use]
pub fn refused_action(op: Option<Op>) -> &'static str {
    match op {
        Some(Op::Create) => "create tickets",
        Some(Op::Note(_)) => "add notes to tickets",
        Some(Op::Patch) => "change the priority of tickets",
        Some(Op::SetType) => "change the type of tickets",
        Some(Op::Link) => "link tickets to configurations",
        Some(Op::Close | Op::Repair) => "close tickets",
        Some(Op::Reopen) => "reopen tickets",
        None => "search for tickets",
    }
}

/// What that means, for one alert and for several, to follow their number.
#[must_use]
pub fn refused_effect(op: Option<Op>) -> (&'static str, &'static str) {
    match op {
        Some(Op::Create) => ("alert has no ticket", "alerts have no ticket"),
        Some(Op::Close | Op::Repair) => (
            "ticket that should be closed stays open",
            "tickets that should be closed stay open",
        ),
        Some(Op::Note(_)) => ("ticket lacks a note", "tickets lack a note"),
        Some(Op::Patch) => (
            "ticket keeps its old priority",
            "tickets keep their old priority",
        ),
        Some(Op::SetType) => ("ticket keeps its old type", "tickets keep their old type"),
        Some(Op::Link) => (
            "ticket lacks its configuration",
            "tickets lack their configuration",
        ),
        Some(Op::Reopen) => (
            "ticket stays closed although its alert is active again",
            "tickets stay closed although their alerts are active again",
        ),
        None => ("alert is blocked by it", "alerts are blocked by it"),
    }
}

fn refused_target(
    target: TicketTarget,
    blocked: &BlockedSince,
    key: &AlertKey,
    details: Option<&AlertDetails>,
) -> Option<RefusedTarget> {
    let record = blocked.refusal.as_ref().and_then(|refusal| refusal.record);
    Some(match target {
        TicketTarget::Board => RefusedTarget::Board(details?.category),
        TicketTarget::Status => RefusedTarget::Status(details?.category),
        TicketTarget::Type => RefusedTarget::Type(details?.kind.clone()),
        TicketTarget::Priority => RefusedTarget::Priority(details?.severity),
        TicketTarget::Company => RefusedTarget::Company(key.tenant.clone()),
        TicketTarget::Team => RefusedTarget::Team(record?),
        TicketTarget::Owner => RefusedTarget::Owner(record?),
    })
}

impl RefusedTarget {
    /// The kind of record that is read to see whether it can be used.
    #[must_use]
    pub fn target(&self) -> TicketTarget {
        match self {
            Self::Board(_) => TicketTarget::Board,
            Self::Status(_) => TicketTarget::Status,
            Self::Type(_) => TicketTarget::Type,
            Self::Priority(_) => TicketTarget::Priority,
            Self::Company(_) => TicketTarget::Company,
            Self::Team(_) => TicketTarget::Team,
            Self::Owner(_) => TicketTarget::Owner,
        }
    }
}

/// Normalizes a message: removes quotations and replaces all words with a digit. An HTTP status at
/// the begin stays: a firewall that refuses a text and a server that routes no calls are two causes.
pub(crate) fn normalize_message(words: &str) -> String {
    let mut unquoted = String::with_capacity(words.len());
    let mut until: Option<char> = None;
    for c in words.chars() {
        match (until, c) {
            (Some(end), _) if c == end => until = None,
            (Some(_), _) => {}
            (None, '"' | '“' | '«') => {
                until = Some(match c {
                    '“' => '”',
                    '«' => '»',
                    other => other,
                });
                unquoted.push('…');
            }
            (None, _) => unquoted.push(c),
        }
    }
    let word = |(place, word): (usize, &str)| {
        let is_number = word.contains(|c: char| c.is_ascii_digit());
        match is_number && !(place == 0 && is_status(word)) {
            true => "#".to_owned(),
            false => word.to_lowercase(),
        }
    };
    let normalised: Vec<String> = unquoted.split_whitespace().enumerate().map(word).collect();
    cut_to_chars(&normalised.join(" "), LONGEST_CLASS)
}

/// An HTTP status of a refusal, alone or before a comma.
fn is_status(word: &str) -> bool {
    let digits = word.strip_suffix(',').unwrap_or(word);
    digits.len() == 3
        && digits
            .parse()
            .is_ok_and(|status| (300..600).contains(&status))
}
