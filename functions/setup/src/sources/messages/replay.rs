//! Replays the messages of a source, one part a request.

use std::time::Duration;

use aws::invocation::Invocation;
use domain::PartnerId;
use store::PageStart;
use tokio::time::Instant;

use crate::context::Setup;
use crate::http::problem::Problem;
use crate::quarantine;
use crate::sources::access::OwnSource;

/// How long a request replays messages.
const WORK_TIME: Duration = Duration::from_secs(20);

/// What a part of the work did.
#[derive(Default)]
pub(super) struct ReplayedPart {
    /// Messages that were read as a whole. They do not wait any more.
    pub(super) replayed: usize,
    /// Messages that still wait.
    pub(super) left: usize,
    /// The events that are on the queue now.
    pub(super) events: usize,
    /// Where the next part begins.
    pub(super) next: Option<PageStart>,
}

/// Replays messages, the newest first, from this start on: at least one, so that repeated parts come
/// to an end. If the process dies in between, the messages that were not replayed still wait.
pub(super) async fn replay_part(
    setup: &Setup,
    partner: &PartnerId,
    own: &OwnSource,
    from: Option<&PageStart>,
    invocation: &Invocation,
) -> Result<ReplayedPart, Problem> {
    let ends = invocation.calls_end().min(Instant::now() + WORK_TIME);
    let waiting = setup.table().quarantine.waiting(partner, from).await?;
    let mut part = ReplayedPart::default();
    let mut last = None;
    let entries = waiting.entries.into_iter();
    for entry in entries.filter(|entry| entry.value.source == own.id) {
        if last.is_some() && Instant::now() >= ends {
            part.next = last;
            return Ok(part);
        }
        last = PageStart::try_from(entry.id.clone()).ok();
        let message = (partner, entry.id.as_str());
        match quarantine::replay_with(setup, message, &own.document, invocation).await {
            Ok(replay) => {
                part.events += replay.events;
                match replay.unmapped {
                    0 => part.replayed += 1,
                    _ => part.left += 1,
                }
            }
            Err(problem) if problem.status.is_client_error() => part.left += 1,
            Err(problem) => return Err(problem),
        }
    }
    part.next = waiting.next;
    Ok(part)
}
