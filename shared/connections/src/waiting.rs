//! Reads the waiting items of a partner: alerts and messages that need a person.

use domain::monitoring::waiting::{UnreadableMessages, WaitingSummary, WaitingSurvey};
use domain::{PartnerId, SourceId};
use store::{Alerts, BlockedRange, ConfigTable, WaitingMessages, WaitingOfSource};

use crate::view::PartnerConfig;

/// Most blocked alerts that are read.
const MAX_READ: u32 = 20_000;

/// Reads the blocked alerts of a partner and its messages that could not be read, and summarizes
/// those that need a person. The summary is incomplete if the partner has too many of them.
///
/// # Errors
/// When a table cannot be read.
pub async fn read_waiting(
    alerts: &Alerts,
    table: &ConfigTable,
    partner: &PartnerId,
    config: &PartnerConfig,
) -> Result<WaitingSummary, store::Error> {
    let messages = table.quarantine.waiting(partner, None).await?;
    read_waiting_with(alerts, partner, config, messages).await
}

/// As [`read_waiting`], with the messages that were read before.
///
/// # Errors
/// When the table of alerts cannot be read.
pub async fn read_waiting_with(
    alerts: &Alerts,
    partner: &PartnerId,
    config: &PartnerConfig,
    messages: WaitingMessages,
) -> Result<WaitingSummary, store::Error> {
    let mut survey = WaitingSurvey::default();
    let is_complete = messages.next.is_none();
    for (source, of) in messages.by_source() {
        survey.add_messages(unreadable(source, of));
    }
    let mut views = config.views();
    let mut read = 0;
    for range in BlockedRange::all_from(None) {
        let mut listing = alerts.lists.blocked_in(partner, &range);
        while let Some(listed) = listing.next().await? {
            if read == MAX_READ {
                return Ok(survey.summary(false));
            }
            read += 1;
            let view = views.of(&listed.key);
            survey.add_alert(&listed.key, &listed.blocked, &listed.desired, view);
        }
    }
    Ok(survey.summary(is_complete))
}

fn unreadable(source: SourceId, of: WaitingOfSource) -> UnreadableMessages {
    UnreadableMessages {
        source,
        messages: of.messages,
        oldest: of.since,
        field: of.field,
        problem: of.problem,
    }
}
