//! What a mapping makes of a sample, for the person who writes the mapping.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::EventMapping;
use super::apply::{MappedBody, map};
use crate::alert::event::{AlertChange, Event, Particulars, Severity};
use crate::alert::kind::Category;
use crate::alert::record::AlertDetails;
use crate::ticketing::ticket_text;
use crate::wire::webhook::{RequestTimes, SourcePolicy};
use crate::{AlertId, Kind, TenantId};

/// What a mapping makes of one sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SampleResult {
    pub events: Vec<SampleEvent>,
    pub unmapped: Vec<SampleProblem>,
    pub ignored: usize,
    pub is_ping: bool,
    /// Texts that are no known kind, with the number of alerts that have it.
    pub unknown_kinds: BTreeMap<String, usize>,
}

/// An event of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SampleEvent {
    /// `raised`, `updated` or `resolved`.
    pub change: &'static str,
    pub tenant: TenantId,
    pub alert_id: AlertId,
    pub occurred_at: Timestamp,
    #[serde(flatten)]
    pub details: Option<SampleDetails>,
}

/// What a sample says about an active alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SampleDetails {
    pub kind: Kind,
    pub category: Category,
    pub severity: Severity,
    pub title: String,
    pub description: String,
    pub tenant_name: Option<String>,
    pub device: Option<String>,
    pub user: Option<String>,
    pub link: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub ticket: SampleTicket,
}

/// The texts of the ticket that a new alert gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SampleTicket {
    pub summary: String,
    pub text: String,
}

/// A part of a sample that the mapping cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SampleProblem {
    pub index: Option<u32>,
    pub field: String,
    pub problem: String,
}

/// Applies a mapping to a sample.
#[must_use]
pub fn preview(
    body: &[u8],
    mapping: &EventMapping,
    policy: &SourcePolicy,
    now: Timestamp,
) -> SampleResult {
    let times = RequestTimes {
        sent_at: now,
        received_at: now,
    };
    map(body, mapping, policy, times).into()
}

/// Whether a resolve among the results belongs to an alert that another of them raises. A resolve of
/// another alert or tenant would never close a ticket.
#[must_use]
pub fn resolves_what_was_raised(results: &[SampleResult]) -> bool {
    let events = || results.iter().flat_map(|result| &result.events);
    let key = |event: &SampleEvent| (event.tenant.clone(), event.alert_id.clone());
    let raised: Vec<_> = events()
        .filter(|event| event.details.is_some())
        .map(key)
        .collect();
    let mut resolved = events().filter(|event| event.details.is_none()).peekable();
    raised.is_empty()
        || resolved.peek().is_none()
        || resolved.any(|event| raised.contains(&key(event)))
}

impl From<MappedBody> for SampleResult {
    fn from(mapped: MappedBody) -> Self {
        let problems = mapped.unmapped.into_iter().map(|unmapped| SampleProblem {
            index: unmapped.index,
            field: unmapped.error.field,
            problem: unmapped.error.problem,
        });
        Self {
            events: mapped.events.into_iter().map(SampleEvent::from).collect(),
            unmapped: problems.collect(),
            ignored: mapped.ignored,
            is_ping: mapped.is_ping,
            unknown_kinds: mapped.unknown_kinds,
        }
    }
}

impl From<Event> for SampleEvent {
    fn from(event: Event) -> Self {
        let (change, particulars) = match &event.change {
            AlertChange::Raised(particulars) => ("raised", Some(particulars)),
            AlertChange::Updated(particulars) => ("updated", Some(particulars)),
            AlertChange::Resolved => ("resolved", None),
        };
        let details = particulars.map(|particulars| SampleDetails::new(&event, particulars));
        Self {
            change,
            details,
            tenant: event.key.tenant,
            alert_id: event.key.alert_id,
            occurred_at: event.occurred_at,
        }
    }
}

impl SampleDetails {
    fn new(event: &Event, particulars: &Particulars) -> Self {
        let payload = particulars.payload.clone();
        let details = AlertDetails {
            kind: particulars.kind.clone(),
            category: particulars.category,
            severity: particulars.severity,
            raised_at: event.occurred_at,
            raise_received_at: event.receipt.at,
            previous_event_at: None,
            repeats: 0,
            expires_at: particulars.expires_at,
        };
        let ticket = SampleTicket {
            summary: ticket_text::summary(&payload),
            text: ticket_text::description(&event.key, &details, &payload, None),
        };
        Self {
            kind: details.kind,
            category: details.category,
            severity: details.severity,
            title: payload.title,
            description: payload.description,
            tenant_name: payload.tenant_name,
            device: payload.device,
            user: payload.user,
            link: payload.link,
            expires_at: details.expires_at,
            ticket,
        }
    }
}
