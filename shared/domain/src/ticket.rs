//! What a ticket and its notes say.

use jiff::Timestamp;

use crate::command::Gone;
use crate::event::Payload;
use crate::record::{About, ClosedBy, Wanted};
use crate::text::{cut_to_bytes, cut_to_chars};
use crate::{AlertKey, ClaimId};

/// ConnectWise's limit for a summary.
pub const MAX_SUMMARY: usize = 100;

/// The ticket's summary: the title in at most 100 characters.
#[must_use]
pub fn summary(payload: &Payload) -> String {
    cut_to_chars(&payload.title, MAX_SUMMARY)
}

/// The ticket's description: the source's own words, then the facts a technician asks for, one a line.
///
/// `previous` is the ticket of the life before this one.
#[must_use]
pub fn description(
    key: &AlertKey,
    about: &About,
    payload: &Payload,
    previous: Option<u64>,
) -> String {
    let mut text = payload.description.trim().to_owned();
    let mut fact = |name: &str, value: &str| {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(gap);
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
    };
    fact(
        "Organisation",
        &payload.tenant_name.as_ref().map_or_else(
            || key.tenant.to_string(),
            |name| format!("{name} ({})", key.tenant),
        ),
    );
    if let Some(device) = &payload.device {
        fact("Device", device);
    }
    if let Some(user) = &payload.user {
        fact("User", user);
    }
    fact("Severity", &about.severity.to_string());
    fact("Raised", &readable(about.raised_at));
    if let Some(link) = &payload.link {
        fact("Details", link);
    }
    if let Some(ticket) = previous {
        fact("Seen before", &format!("ticket {ticket}"));
    }
    text
}

/// The note on an open ticket whose alert was raised again.
#[must_use]
pub fn repeat_note(
    repeats: u32,
    about: &About,
    payload: Option<&Payload>,
    marker: &ClaimId,
) -> String {
    let times = if repeats == 1 {
        "once".to_owned()
    } else {
        format!("{repeats} times")
    };
    let now = payload.map_or_else(String::new, |payload| {
        format!(
            "\n{}\n{}",
            payload.title,
            cut_to_bytes(&payload.description, 4096)
        )
    });
    format!(
        "The alert was repeated {times} since the last note. Severity: {}.{now}\n{}",
        about.severity,
        mark(marker)
    )
}

/// The note on a ticket whose alert is gone: what shows it, and what was done.
#[must_use]
pub fn gone_note(closing: bool, wanted: &Wanted, marker: &ClaimId) -> String {
    let resolved_at = wanted.last.as_ref().map(|last| last.occurred_at);
    let why = match (&wanted.gone, resolved_at) {
        (Some(Gone::Absent { taken_at, .. }), _) => format!(
            "it is not in the list of active alerts that its source took at {}",
            readable(*taken_at)
        ),
        (Some(Gone::Expired { at }), _) => format!(
            "it was to end by itself at {} unless its source repeated it, and it did not",
            readable(*at)
        ),
        (None, Some(at)) => format!("its source reported it as resolved at {}", readable(at)),
        (None, None) => "its source reported it as resolved".to_owned(),
    };
    let consequence = if closing {
        "Ticketbridge closed this ticket."
    } else {
        "Nothing was closed: please look into it and close the ticket."
    };
    format!("The alert is gone: {why}. {consequence}\n{}", mark(marker))
}

/// The note on a ticket that was opened again.
#[must_use]
pub fn reopened_note(raised_at: Timestamp, marker: &ClaimId) -> String {
    format!(
        "The alert was raised again at {}: Ticketbridge opened this ticket again.\n{}",
        readable(raised_at),
        mark(marker)
    )
}

/// The note on a ticket too many, which is then closed.
#[must_use]
pub fn duplicate_note(kept: Option<u64>, marker: &ClaimId) -> String {
    let first = kept.map_or_else(
        || "whose ticket is no longer needed".to_owned(),
        |ticket| format!("that ticket {ticket} stands for"),
    );
    format!(
        "ConnectWise made this ticket late, for an alert {first}. Ticketbridge closed this one.\n{}",
        mark(marker)
    )
}

/// The note on the ticket that stays.
#[must_use]
pub fn kept_note(duplicate: u64, marker: &ClaimId) -> String {
    format!(
        "ConnectWise made a second ticket of this alert, {duplicate}. Ticketbridge closed that one; this one stays.\n{}",
        mark(marker)
    )
}

/// The mark by which a takeover finds the note that a vanished worker may have made.
#[must_use]
pub fn mark(claim: &ClaimId) -> String {
    format!("[tb {claim}]")
}

fn readable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl ClosedBy {
    /// For a log line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Technician => "technician",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
        }
    }
}
