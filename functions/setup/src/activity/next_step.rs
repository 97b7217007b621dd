//! What happens next to an alert without a person, and when.

use domain::alert::blocked::BlockedSince;
use domain::alert::record::{Actual, Record};
use domain::alert::release::deferred_until;
use domain::connection::breaker::Breaker;
use domain::connection::view::precedes_backfill;
use domain::setup::settings::Settings;
use domain::ticketing::decide::{next_note_at, reopens_until};
use domain::ticketing::refused_writes::{RefusalGroupId, RefusalGroups, RetryState};
use domain::time::duration;
use domain::{AlertKey, Blocked};
use jiff::Timestamp;

use crate::step::SetupStep;

/// What decides about the next step, besides the record.
#[derive(Debug, Default)]
pub(super) struct NextStepContext {
    pub(super) settings: Option<Settings>,
    pub(super) breaker: Option<Breaker>,
    /// The retries of what ConnectWise refused.
    pub(super) refusals: RefusalGroups,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NextStep {
    pub(super) words: String,
    pub(super) at: Option<Timestamp>,
    /// What the time is.
    pub(super) at_words: &'static str,
    /// The page where a person can act.
    pub(super) step: Option<SetupStep>,
}

impl NextStep {
    pub(super) fn of(record: &Record, context: &NextStepContext, now: Timestamp) -> Self {
        match &record.blocked {
            Some(blocked) => of_blocked(record, blocked, context, now),
            None => of_ticket(record, context.settings.as_ref(), now),
        }
    }

    fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            at: None,
            at_words: "",
            step: None,
        }
    }

    fn on(self, step: SetupStep) -> Self {
        Self {
            step: Some(step),
            ..self
        }
    }

    fn at(self, at_words: &'static str, at: Option<Timestamp>) -> Self {
        Self {
            at,
            at_words,
            ..self
        }
    }
}

fn of_blocked(
    record: &Record,
    blocked: &BlockedSince,
    context: &NextStepContext,
    now: Timestamp,
) -> NextStep {
    let once = |condition: &str| once(record, condition, now);
    let accepted = "ConnectWise accepts requests again";
    let words = match &blocked.reason {
        Blocked::NotSetUp => return once("the set-up is confirmed").on(SetupStep::Confirm),
        Blocked::Unmapped => {
            return once("its tenant is mapped to a company").on(SetupStep::Tenants);
        }
        Blocked::TenantDisabled => {
            return once("its tenant is switched on").on(SetupStep::Tenants);
        }
        Blocked::KindDisabled => {
            return once("its kind of alert is switched on").on(SetupStep::Tickets);
        }
        Blocked::ConnectionBroken | Blocked::ConnectionUnavailable => {
            return once(accepted).on(SetupStep::Check);
        }
        Blocked::Throttled => {
            let pause = context.breaker.as_ref().and_then(|of| of.pause(now));
            return once(accepted).at("ConnectWise asked to wait until", pause);
        }
        Blocked::Deferred => {
            let words = "It is tried again after a pause of ten minutes.";
            return NextStep::new(words).at("The pause ends", deferred_until(blocked));
        }
        Blocked::MissingRight(_) => {
            return once("the API member has the right").on(SetupStep::Check);
        }
        Blocked::TargetMissing(_) | Blocked::Rejected(_) => {
            return of_refusal(&record.key, record, blocked, &context.refusals);
        }
        Blocked::OlderThanBackfill => "Nothing, until you release it.",
        Blocked::Flapping(_) => {
            let words = "If it is not raised again, its ticket is closed or gets a note, as you chose for its board.";
            return NextStep::new(words).at("That is decided", blocked.reason.ends_at());
        }
        Blocked::Storm(_) => {
            "It stays part of the storm until it is resolved. It gets a ticket of its own if you release it."
        }
        Blocked::WontFix(_) => {
            let words = "It becomes a ticket if it is still active at the end of that time. A ticket is created at once if you release it.";
            return NextStep::new(words).at("The time ends", blocked.reason.ends_at());
        }
        Blocked::Maintenance(_) => {
            let words = "It becomes a ticket if it is still active at the end of the maintenance. A ticket is created at once if you release it.";
            return NextStep::new(words).at("The maintenance ends", blocked.reason.ends_at());
        }
    };
    NextStep::new(words)
}

/// What happens once a condition is met.
fn once(record: &Record, condition: &str, now: Timestamp) -> NextStep {
    let details = record.desired.details.as_ref();
    let has_ticket = record.open().is_some();
    let is_old = details.is_some_and(|of| precedes_backfill(of.raised_at, now));
    NextStep::new(match (has_ticket, record.desired.active) {
        (false, true) if is_old => format!(
            "Its ticket is created within a few minutes once {condition}. If it was raised more than 48 hours before that could happen, it waits for you to release it."
        ),
        (false, true) => format!("Its ticket is created within a few minutes once {condition}."),
        (true, _) => format!("Its ticket is updated within a few minutes once {condition}."),
        (false, false) => format!("It is decided again within a few minutes once {condition}."),
    })
}

/// The next step of an alert for which ConnectWise refused a request.
fn of_refusal(
    key: &AlertKey,
    record: &Record,
    blocked: &BlockedSince,
    refusals: &RefusalGroups,
) -> NextStep {
    let words = "Correct what ConnectWise reports. One of the alerts with this problem is tried again after 5, 15 and 30 minutes, then each hour. Once ConnectWise accepts it, the others follow.";
    let id = RefusalGroupId::new(blocked, key, record.desired.details.as_ref());
    let group = refusals
        .groups
        .iter()
        .find(|of| Some(&of.id) == id.as_ref());
    match group.map(|group| &group.state) {
        Some(RetryState::BackingOff { until }) => {
            NextStep::new(words).at("The next try is not before", Some(*until))
        }
        Some(RetryState::Unusable) => NextStep::new(
            "ConnectWise lists what the ticket needs as not usable. It is tried again once that is usable, or once you chose another.",
        ),
        Some(RetryState::Retrying { .. }) => {
            NextStep::new("One of the alerts with this problem is tried now.")
        }
        Some(RetryState::Releasing { .. }) => NextStep::new(
            "ConnectWise accepts such requests again. The alerts that it refused follow one after the other.",
        ),
        None => NextStep::new(words),
    }
}

fn of_ticket(record: &Record, settings: Option<&Settings>, now: Timestamp) -> NextStep {
    if record.claim.is_some() {
        return NextStep::new("The request ends within a minute, or its outcome is looked up.");
    }
    match (record.desired.active, record.open()) {
        (true, Some(_)) => of_open(record, settings, now),
        (true, None) if record.is_occurrence_over() => {
            let renews_at = settings.and_then(|settings| record.renews_at(settings));
            let words = match renews_at {
                Some(_) => {
                    "A person ended its ticket. It gets a new one if it is still repeated later, or raised again after a resolve."
                }
                None => {
                    "Nothing. A repeat creates no new ticket, since its ticket was ended by a person. The next raise after a resolve does."
                }
            };
            NextStep::new(words).at("A repeat gets a new ticket from", renews_at)
        }
        (true, None) => NextStep::new("Its ticket is created."),
        (false, Some(open)) if open.noted_resolved => NextStep::new(match open.manual_change {
            Some(change) => format!(
                "Nothing, until a technician closes the ticket. A person worked on it: {}.",
                change.words()
            ),
            None => "Nothing, until a technician closes the ticket.".to_owned(),
        }),
        (false, Some(_)) => NextStep::new("The ticket is closed."),
        (false, None) => {
            let until = settings.and_then(|settings| reopens_until(record, settings));
            let until = until.filter(|until| now < *until);
            let words = match (until, &record.actual) {
                (Some(_), _) => {
                    "Nothing, until the alert is raised again. Its ticket is reopened then, or later a new one is created."
                }
                (None, Some(Actual::Closed(_))) => {
                    "Nothing, until the alert is raised again. It gets a new ticket then."
                }
                (None, Some(Actual::Open(_)) | None) => "Nothing, until the alert is raised again.",
            };
            NextStep::new(words).at("The ticket can be reopened until", until)
        }
    }
}

fn of_open(record: &Record, settings: Option<&Settings>, now: Timestamp) -> NextStep {
    let then = "When the alert is resolved, the ticket is closed or gets a note, as you chose for its board.";
    let Some(settings) = settings else {
        return NextStep::new(format!("A repeat becomes a note. {then}"));
    };
    if let Some(at) = next_note_at(record, settings, now) {
        let words = format!("The repeats since the last note become a note. {then}");
        return NextStep::new(words).at("The note is not written before", Some(at));
    }
    let every = match settings.note_interval_minutes {
        0 => String::new(),
        minutes => format!(
            ", with at least {} between two notes",
            duration(minutes.saturating_mul(60))
        ),
    };
    NextStep::new(format!("A repeat becomes a note{every}. {then}"))
}

#[cfg(test)]
mod tests;
