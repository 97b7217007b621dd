//! Messages that the mapping of their source could not read: shown, replayed with the present
//! mapping, or discarded.

use aws::invocation::Invocation;
use aws::secrets::SourceDocument;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::alert::event::{AlertChange, Event};
use domain::source::mapping::apply::map;
use domain::source::presets::SourceFormat;
use domain::time::later;
use domain::wire::message::{Message, QuarantineEntry};
use domain::wire::webhook::{RequestTimes, SourcePolicy};
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use store::QuarantineOutcome;

use crate::context::Setup;
use crate::http::problem::Problem;
use crate::sources::manage::stored_document;

/// A message with its text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QuarantineText {
    pub(crate) source: SourceId,
    pub(crate) received_at: Timestamp,
    pub(crate) field: String,
    pub(crate) problem: String,
    /// As it was received. Bytes that are no text are replaced.
    pub(crate) text: String,
}

/// The result of a replay.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Replay {
    /// The number of events that are on the queue now.
    pub(crate) events: usize,
    /// The number of alerts that still cannot be read. The message stays.
    pub(crate) unmapped: usize,
}

pub(crate) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
) -> Result<QuarantineText, Problem> {
    let entry = waiting(setup, partner, id).await?;
    let text = String::from_utf8_lossy(&body_of(&entry)).into_owned();
    Ok(QuarantineText {
        source: entry.source,
        received_at: entry.received_at,
        field: entry.field,
        problem: entry.problem,
        text,
    })
}

/// Maps a message with the source's present mapping, and queues its events. If the process dies
/// after that, the message still waits. A second replay has no second effect, since the events are
/// the same.
pub(crate) async fn replay(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
    invocation: &Invocation,
) -> Result<Replay, Problem> {
    let entry = waiting(setup, partner, id).await?;
    let document = stored_document(setup, &entry.source).await?;
    replay_entry(
        setup,
        (id, entry),
        &document.unwrap_or_default(),
        invocation,
    )
    .await
}

/// As [`replay`], for a message of this id whose source has this document.
pub(crate) async fn replay_with(
    setup: &Setup,
    (partner, id): (&PartnerId, &str),
    document: &SourceDocument,
    invocation: &Invocation,
) -> Result<Replay, Problem> {
    let entry = waiting(setup, partner, id).await?;
    replay_entry(setup, (id, entry), document, invocation).await
}

async fn replay_entry(
    setup: &Setup,
    (id, entry): (&str, QuarantineEntry),
    document: &SourceDocument,
    invocation: &Invocation,
) -> Result<Replay, Problem> {
    let partner = &entry.partner;
    if document.partner.as_ref() != Some(partner) {
        return Err(Problem::refused(
            "The source no longer posts for this partner. Discard the message.",
        ));
    }
    let SourceFormat::Mapped(mapping) = &document.format else {
        return Err(Problem::refused(
            "The source has no mapping yet. Save one, then replay the message.",
        ));
    };
    let policy = SourcePolicy {
        source: entry.source.clone(),
        partners: vec![partner.clone()],
        kinds_added: document.kinds_added.clone(),
        webhook: document.webhook_scope(),
    };
    let times = RequestTimes {
        sent_at: entry.sent_at,
        received_at: entry.received_at,
    };
    let mapped = map(&body_of(&entry), mapping, &policy, times);
    let concerns = |index: u32| entry.indexes.is_empty() || entry.indexes.contains(&index);
    let unmapped = mapped.unmapped.iter();
    let unmapped: Vec<_> = unmapped
        .filter(|unmapped| unmapped.index.is_none_or(concerns))
        .collect();
    let events = mapped.events.into_iter();
    let events = events.filter(|event| concerns(event.receipt.index));
    let hours = mapping.expires_after_hours;
    let messages = events.map(|event| Message::Event(expiring(event, hours, invocation.now())));
    let messages: Vec<_> = messages.collect();
    if let (Some(first), true) = (unmapped.first(), messages.is_empty()) {
        return Err(Problem::refused(format!(
            "It still cannot be read: {}.",
            first.error
        )));
    }
    setup.queue.send_all(&messages).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue replayed events");
        Problem::unavailable("The events were not queued. Repeat this in a minute.")
    })?;
    if unmapped.is_empty() {
        record(setup, partner, id, QuarantineOutcome::Replayed, invocation).await?;
    }
    Ok(Replay {
        events: messages.len(),
        unmapped: unmapped.len(),
    })
}

pub(crate) async fn discard(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
    invocation: &Invocation,
) -> Result<(), Problem> {
    match record(setup, partner, id, QuarantineOutcome::Discarded, invocation).await? {
        true => Ok(()),
        false => Err(missing()),
    }
}

/// The expiry counts from the replay: the alert could not be seen before.
fn expiring(mut event: Event, hours: Option<u32>, now: Timestamp) -> Event {
    if let (Some(hours), AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) =
        (hours, &mut event.change)
    {
        particulars.expires_at = Some(later(now, SignedDuration::from_hours(hours.into())));
    }
    event
}

async fn waiting(setup: &Setup, partner: &PartnerId, id: &str) -> Result<QuarantineEntry, Problem> {
    let entry = setup.table().quarantine.get(partner, id).await?;
    entry.ok_or_else(missing)
}

async fn record(
    setup: &Setup,
    partner: &PartnerId,
    id: &str,
    outcome: QuarantineOutcome,
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let stored = &setup.table().quarantine;
    Ok(stored
        .record_outcome(partner, id, outcome, invocation.now())
        .await?)
}

pub(crate) fn missing() -> Problem {
    Problem::not_found("There is no such message, or it was replayed or discarded meanwhile.")
}

/// The body. Only this service encodes it, so it is always valid.
fn body_of(entry: &QuarantineEntry) -> Vec<u8> {
    STANDARD.decode(&entry.body).unwrap_or_default()
}
