//! Bodies of sources with a mapping.

use std::borrow::Cow;

use aws::metrics::{Metric, count};
use aws::secrets::SourceDocument;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::Authentication;
use domain::source::mapping::apply::{self, MappedBody, Unmapped};
use domain::source::presets::SourceFormat;
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

/// Maps a body by the format of its source. Without a mapping, the whole body cannot be read.
///
/// # Errors
/// When the body is too large.
pub(crate) fn map(
    body: &[u8],
    document: &SourceDocument,
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<MappedBody, WebhookResponse> {
    let mapping = match &document.format {
        SourceFormat::Mapped(mapping) => Some(mapping),
        SourceFormat::Unmapped | SourceFormat::CloudEvents => None,
    };
    match (content::unpack(body), mapping) {
        (Ok(body), Some(mapping)) => Ok(apply::map(&body, mapping, policy, times)),
        (Ok(_), None) => Ok(MappedBody::unmapped(InvalidField {
            field: "mapping".to_owned(),
            problem: "the source had no mapping when it arrived".to_owned(),
        })),
        (Err(WebhookResponse::Unreadable(error)), _) => Ok(MappedBody::unmapped(error)),
        (Err(response), _) => Err(response),
    }
}

/// Makes the messages for the queue. What cannot be read is among them.
///
/// # Errors
/// When the source posts for no single partner, which set-up prevents.
pub(crate) fn messages(
    mapped: MappedBody,
    body: &[u8],
    authentication: &Authentication,
    (policy, times): (&SourcePolicy, RequestTimes),
    reports: &SourceReports,
) -> Result<MappedMessages, WebhookResponse> {
    let Some(partner) = policy.only_partner() else {
        tracing::error!(source = %policy.source, "a source with a mapping has no single partner");
        return Err(WebhookResponse::Unavailable);
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
        // What is no complete gzip is stored as it came.
        let body = content::unpack(body).unwrap_or(body.into());
        messages.push(Message::Quarantine(QuarantineEntry {
            partner: partner.clone(),
            source: policy.source.clone(),
            received_at: times.received_at,
            sent_at: times.sent_at,
            indexes: indexes.collect(),
            field: error.field.clone(),
            problem: error.problem.clone(),
            body: STANDARD.encode(without_secret(&body, authentication)),
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
