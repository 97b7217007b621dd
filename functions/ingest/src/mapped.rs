//! Bodies of sources with a mapping.

use std::borrow::Cow;

use aws::metrics::{Metric, count};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::Authentication;
use domain::source::mapping::EventMapping;
use domain::source::mapping::apply::{self, MappedBody, Unmapped};
use domain::wire::message::{Message, QuarantineEntry};
use domain::wire::webhook::{InvalidField, RequestTimes, SourcePolicy};
use serde_json::Value;

use crate::content;
use crate::response::WebhookResponse;
use crate::source_reports::SourceReports;

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

/// Maps a body to messages for the queue. What cannot be read is among them. Without a mapping, that
/// is the whole body.
///
/// # Errors
/// When the body is too large, or the source posts for no single partner, which set-up prevents.
pub(crate) fn map(
    body: &[u8],
    mapping: Option<&EventMapping>,
    authentication: &Authentication,
    (policy, times): (&SourcePolicy, RequestTimes),
    reports: &SourceReports,
) -> Result<MappedMessages, WebhookResponse> {
    let Some(partner) = policy.only_partner() else {
        tracing::error!(source = %policy.source, "a source with a mapping has no single partner");
        return Err(WebhookResponse::Unavailable);
    };
    let unpacked = content::unpack(body);
    let mapped = match (&unpacked, mapping) {
        (Ok(body), Some(mapping)) => apply::map(body, mapping, policy, times),
        (Ok(_), None) => MappedBody::unmapped(InvalidField {
            field: "mapping".to_owned(),
            problem: "the source has no mapping yet".to_owned(),
        }),
        (Err(WebhookResponse::Unreadable(error)), _) => MappedBody::unmapped(error.clone()),
        (Err(response), _) => return Err(response.clone()),
    };
    if mapped.dropped.total() > 0 {
        let members = &mapped.dropped;
        tracing::warn!(source = %policy.source, %members, "dropped unreadable members of events");
        count(Metric::MembersDropped, mapped.dropped.total());
    }
    let reports = reports.mapped(partner, &policy.source, &mapped, times.received_at);
    let (events, quarantined) = (mapped.events.len(), mapped.unmapped.len());
    let events_of_body = mapped.events.into_iter().map(Message::Event);
    let mut messages: Vec<Message> = events_of_body.chain(reports).collect();
    if let Some(Unmapped { error, .. }) = mapped.unmapped.first() {
        let indexes = mapped.unmapped.iter().filter_map(|unmapped| unmapped.index);
        messages.push(Message::Quarantine(QuarantineEntry {
            partner: partner.clone(),
            source: policy.source.clone(),
            received_at: times.received_at,
            sent_at: times.sent_at,
            indexes: indexes.collect(),
            field: error.field.clone(),
            problem: error.problem.clone(),
            body: STANDARD.encode(without_secret(
                unpacked.as_deref().unwrap_or(body),
                authentication,
            )),
        }));
    }
    Ok(MappedMessages {
        messages,
        events,
        quarantined,
        ignored: mapped.ignored,
    })
}

/// Removes the secret from a body that contains it, since the body is stored and shown.
fn without_secret<'a>(body: &'a [u8], authentication: &Authentication) -> Cow<'a, [u8]> {
    let Authentication::BodyMember { at } = authentication else {
        return body.into();
    };
    let Ok(mut body) = serde_json::from_slice::<Value>(body) else {
        return body.into();
    };
    at.replace(&mut body, Value::from("(removed)"));
    body.to_string().into_bytes().into()
}
