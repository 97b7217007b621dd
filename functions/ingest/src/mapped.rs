//! Bodies of sources with a mapping.

use aws::metrics::{Metric, count};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::Authentication;
use domain::source::mapping::EventMapping;
use domain::source::mapping::apply::{self, Unmapped};
use domain::wire::message::{Message, QuarantineEntry};
use domain::wire::webhook::{RequestTimes, SourcePolicy};
use serde_json::Value;

use crate::content;
use crate::response::WebhookResponse;

/// What a body became.
#[derive(Debug, Default)]
pub(crate) struct MappedMessages {
    pub(crate) messages: Vec<Message>,
    /// The number of events among the messages.
    pub(crate) events: usize,
    /// The number of messages that were quarantined.
    pub(crate) quarantined: usize,
    /// The number of alerts that the mapping ignores.
    pub(crate) ignored: usize,
}

/// Maps a body to messages for the queue. What cannot be read is among them.
///
/// # Errors
/// When the body is too large, or the source posts for no single partner, which set-up prevents.
pub(crate) fn map(
    body: &[u8],
    mapping: &EventMapping,
    authentication: &Authentication,
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<MappedMessages, WebhookResponse> {
    let Some(partner) = policy.only_partner() else {
        tracing::error!(source = %policy.source, "a source with a mapping has no single partner");
        return Err(WebhookResponse::Unavailable);
    };
    let mapped = match content::unpack(body) {
        Ok(body) => apply::map(&body, mapping, policy, times),
        Err(WebhookResponse::Unreadable(error)) => apply::MappedBody {
            unmapped: vec![Unmapped {
                index: None,
                error,
                raw: body.to_vec(),
            }],
            ..apply::MappedBody::default()
        },
        Err(response) => return Err(response),
    };
    if mapped.dropped.total() > 0 {
        let members = &mapped.dropped;
        tracing::warn!(source = %policy.source, %members, "dropped unreadable members of events");
        count(Metric::MembersDropped, mapped.dropped.total());
    }
    let entry = |unmapped: Unmapped| QuarantineEntry {
        partner: partner.clone(),
        source: policy.source.clone(),
        received_at: times.received_at,
        sent_at: times.sent_at,
        index: unmapped.index.and_then(|index| index.try_into().ok()),
        field: unmapped.error.field,
        problem: unmapped.error.problem,
        body: STANDARD.encode(without_secret(unmapped.raw, authentication)),
    };
    let (events, quarantined) = (mapped.events.len(), mapped.unmapped.len());
    let entries = mapped.unmapped.into_iter().map(entry);
    let messages = mapped.events.into_iter().map(Message::Event);
    Ok(MappedMessages {
        messages: messages.chain(entries.map(Message::Quarantine)).collect(),
        events,
        quarantined,
        ignored: mapped.ignored,
    })
}

/// Removes the secret from a body that contains it, since the body is stored and shown.
fn without_secret(raw: Vec<u8>, authentication: &Authentication) -> Vec<u8> {
    let Authentication::BodyMember { at } = authentication else {
        return raw;
    };
    let Ok(mut body) = serde_json::from_slice::<Value>(&raw) else {
        return raw;
    };
    at.replace(&mut body, Value::from("(removed)"));
    body.to_string().into_bytes()
}
