//! What a mapping makes of a sample, for the person who writes the mapping.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::EventMapping;
use super::apply::{MappedBody, map};
use crate::alert::event::{AlertChange, Event, Severity};
use crate::alert::kind::Category;
use crate::wire::webhook::{RequestTimes, SourcePolicy};
use crate::{AlertId, Kind, TenantId};

/// What a mapping makes of one sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleResult {
    pub events: Vec<SampleEvent>,
    pub unmapped: Vec<SampleProblem>,
    pub ignored: usize,
    pub is_ping: bool,
    /// Texts that are no known kind, with the number of alerts that have it.
    pub unknown_kinds: BTreeMap<String, usize>,
}

/// An event of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

/// A part of a sample that the mapping cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        let (change, particulars) = match event.change {
            AlertChange::Raised(particulars) => ("raised", Some(particulars)),
            AlertChange::Updated(particulars) => ("updated", Some(particulars)),
            AlertChange::Resolved => ("resolved", None),
        };
        Self {
            change,
            tenant: event.key.tenant,
            alert_id: event.key.alert_id,
            occurred_at: event.occurred_at,
            details: particulars.map(|particulars| SampleDetails {
                kind: particulars.kind,
                category: particulars.category,
                severity: particulars.severity,
                title: particulars.payload.title,
                description: particulars.payload.description,
                tenant_name: particulars.payload.tenant_name,
                device: particulars.payload.device,
                user: particulars.payload.user,
                link: particulars.payload.link,
                expires_at: particulars.expires_at,
            }),
        }
    }
}
