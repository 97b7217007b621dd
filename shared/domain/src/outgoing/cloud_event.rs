//! The body of a delivery: a CloudEvent 1.0 in structured JSON. Its members are named as in the
//! events that a source posts.

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::alert::record::ClosedBy;
use crate::outgoing::block_reason::BlockReason;
use crate::outgoing::events::{OutgoingEventKind, ReportedTicket};
use crate::outgoing::request::ReportedEvent;
use crate::setup::status_action::ActionKind;
use crate::{AlertKey, Kind, RecordId, SourceId};

/// An outgoing event as its receiver gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutgoingCloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// The same in each attempt, and in the header `webhook-id`. A receiver that has seen it
    /// already answers 2xx and does nothing.
    pub id: String,
    /// The path to which the source posts its own events.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: OutgoingType,
    /// The alert's id at the source. A test delivery has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: String,
    pub data: OutgoingData,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutgoingType {
    /// The alert has a new ticket.
    #[serde(rename = "ticket.created")]
    TicketCreated,
    /// The alert was raised again, and its earlier ticket is open again.
    #[serde(rename = "ticket.reopened")]
    TicketReopened,
    /// Ticketbridge wrote a note on the ticket.
    #[serde(rename = "ticket.noted")]
    TicketNoted,
    /// A technician asks for an action. The JSON answer `{"note": "…"}` becomes a note on the ticket.
    #[serde(rename = "ticket.action")]
    TicketAction,
    /// The ticket ended. `closed_by` says how.
    #[serde(rename = "ticket.closed")]
    TicketClosed,
    /// The alert is blocked. `reason` says why.
    #[serde(rename = "alert.blocked")]
    AlertBlocked,
    /// The alert is no longer blocked.
    #[serde(rename = "alert.released")]
    AlertReleased,
    /// A test delivery that the operator asked for.
    #[serde(rename = "ping")]
    Ping,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutgoingData {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The source's id of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<String>,
    /// Ticketbridge's key of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The number of this event among those of its alert, from 1 and without gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketData>,
    /// In `ticket.action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionKind>,
    /// In `ticket.action` with `wont_fix`: until when the alert gets no ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// In `ticket.closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<TicketClosedBy>,
    /// In `alert.blocked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<BlockReason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketData {
    /// The ticket's number in ConnectWise.
    pub number: RecordId,
    /// Where a technician finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// How a ticket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketClosedBy {
    /// Ticketbridge closed it, since the alert was resolved.
    ResolvedAlert,
    Technician,
    Deleted,
    /// It was moved to another company, or merged.
    Moved,
    /// The partner's connection points to another ConnectWise. The ticket is left as it is.
    OutOfReach,
}

impl From<ClosedBy> for TicketClosedBy {
    fn from(by: ClosedBy) -> Self {
        match by {
            ClosedBy::Us => Self::ResolvedAlert,
            ClosedBy::Technician => Self::Technician,
            ClosedBy::Deleted => Self::Deleted,
            ClosedBy::Moved => Self::Moved,
            ClosedBy::OutOfReach => Self::OutOfReach,
        }
    }
}

impl OutgoingCloudEvent {
    #[must_use]
    pub fn new(key: &AlertKey, kind: Option<&Kind>, reported: &ReportedEvent) -> Self {
        let event = &reported.event;
        let alert_key = key.item_key();
        let ticket = |ticket: &ReportedTicket| {
            Some(TicketData {
                number: ticket.number,
                link: reported.link.clone(),
            })
        };
        let data = OutgoingData {
            partner: Some(key.partner.to_string()),
            tenant: Some(key.tenant.to_string()),
            alert_id: Some(key.alert_id.to_string()),
            alert_key: Some(alert_key.clone()),
            kind: kind.cloned(),
            sequence: Some(event.sequence),
            ..OutgoingData::default()
        };
        let (of, data) = match &event.what {
            OutgoingEventKind::TicketCreated(of) => {
                let ticket = ticket(of);
                (OutgoingType::TicketCreated, OutgoingData { ticket, ..data })
            }
            OutgoingEventKind::TicketReopened(of) => {
                let ticket = ticket(of);
                (
                    OutgoingType::TicketReopened,
                    OutgoingData { ticket, ..data },
                )
            }
            OutgoingEventKind::TicketNoted(of) => {
                let ticket = ticket(of);
                (OutgoingType::TicketNoted, OutgoingData { ticket, ..data })
            }
            OutgoingEventKind::TicketAction { ticket: of, action } => {
                let data = OutgoingData {
                    ticket: ticket(of),
                    action: Some(action.kind()),
                    until: action.no_ticket_until(event.at),
                    ..data
                };
                (OutgoingType::TicketAction, data)
            }
            OutgoingEventKind::TicketClosed { ticket: of, by } => {
                let data = OutgoingData {
                    ticket: ticket(of),
                    closed_by: Some((*by).into()),
                    ..data
                };
                (OutgoingType::TicketClosed, data)
            }
            OutgoingEventKind::AlertBlocked { reason } => {
                let reason = Some(*reason);
                (OutgoingType::AlertBlocked, OutgoingData { reason, ..data })
            }
            OutgoingEventKind::AlertReleased => (OutgoingType::AlertReleased, data),
        };
        let id = format!("{alert_key}-{}", event.sequence);
        let subject = Some(key.alert_id.to_string());
        Self::with(id, &key.source, of, subject, event.at, data)
    }

    /// A test delivery, at most one a millisecond.
    #[must_use]
    pub fn ping(source: &SourceId, at: Timestamp) -> Self {
        Self::with(
            format!("{}-{}", ping_queue(source), at.as_millisecond()),
            source,
            OutgoingType::Ping,
            None,
            at,
            OutgoingData::default(),
        )
    }

    fn with(
        id: String,
        source: &SourceId,
        kind: OutgoingType,
        subject: Option<String>,
        time: Timestamp,
        data: OutgoingData,
    ) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id,
            source: format!("/v1/events/{source}"),
            kind,
            subject,
            time,
            datacontenttype: "application/json".to_owned(),
            data,
        }
    }
}

/// The JSON Schema of the deliveries.
#[must_use]
pub fn schema() -> serde_json::Value {
    let types = SchemaSettings::draft2020_12().into_generator();
    types
        .into_root_schema_for::<OutgoingCloudEvent>()
        .to_value()
}

/// The queue of a source's test deliveries.
#[must_use]
pub fn ping_queue(source: &SourceId) -> String {
    format!("ping_{source}")
}

#[cfg(test)]
mod tests;
