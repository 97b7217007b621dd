//! The state of Ticketbridge itself: `PIPELINE` with `ticks`, `unfinished`, one item for each kind of
//! event, and `incident`, what the operator was notified of.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::monitoring::pipeline::{
    PipelineIncident, PipelineState, Schedule, Ticks, UnfinishedMessage,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use crate::lease::{self, Lease};
use crate::table::{Item, Table, key, number, query_all, string, time};
use crate::versions::{self, Versioned};
use crate::{Error, conditional};

const PIPELINE: &str = "PIPELINE";
const TICKS: &str = "ticks";
const UNFINISHED: &str = "unfinished";
const INCIDENT: &str = "incident";

/// A rare event that the operator is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorEvent {
    /// SES did not accept a mail.
    MailFailed,
    /// Closings were too many at once.
    ClosingsHeld,
    /// A snapshot lists ids that are only similar to those of open alerts.
    SimilarIds,
    /// Two runs for one partner died.
    RunsDied,
}

impl OperatorEvent {
    const ALL: [Self; 4] = [
        Self::MailFailed,
        Self::ClosingsHeld,
        Self::SimilarIds,
        Self::RunsDied,
    ];

    fn sk(self) -> &'static str {
        match self {
            Self::MailFailed => "mails_failed",
            Self::ClosingsHeld => "closings_held",
            Self::SimilarIds => "similar_ids",
            Self::RunsDied => "runs_died",
        }
    }
}

/// The state of Ticketbridge itself, and the incident that the operator was notified of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonitoringState {
    /// Complete but for the number of dead letters, which only the queue knows.
    pub state: PipelineState,
    pub incident: Versioned<Option<PipelineIncident>>,
}

#[derive(Deserialize)]
struct IncidentItem {
    #[serde(default)]
    incident: Option<PipelineIncident>,
}

#[derive(Debug, Clone)]
pub struct MonitoringStore {
    table: Table,
}

impl MonitoringStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Records a tick of a schedule, and returns when each schedule ran last. If the process dies
    /// right after, the tick counts.
    pub async fn record_tick(&self, schedule: Schedule, now: Timestamp) -> Result<Ticks, Error> {
        let call = self
            .update(TICKS)
            .update_expression("SET #at = :now, first_at = if_not_exists(first_at, :now)")
            .expression_attribute_names("#at", format!("{}_at", schedule.name()))
            .expression_attribute_values(":now", time(now))
            .return_values(ReturnValue::AllNew);
        let answer = conditional::update_and_return(call).await?;
        let item = answer.and_then(|answer| answer.attributes);
        from_item(item.unwrap_or_default()).map_err(malformed(TICKS))
    }

    /// Records a message that returned to the queue unfinished, unless an older one was recorded
    /// recently.
    ///
    /// # Errors
    /// When DynamoDB fails; the message returns again.
    pub async fn record_unfinished(&self, sent_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let forgotten = UnfinishedMessage::stale_before(now);
        let call = self
            .update(UNFINISHED)
            .update_expression("SET sent_at = :sent, seen_at = :now")
            .condition_expression(
                "attribute_not_exists(sent_at) OR sent_at >= :sent OR seen_at < :forgotten",
            )
            .expression_attribute_values(":sent", time(sent_at))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":forgotten", time(forgotten));
        conditional::update(call).await.map(drop)
    }

    /// Records an event.
    ///
    /// # Errors
    /// When DynamoDB fails. The event may then be counted or not: only whether it happened matters.
    pub async fn record_event(&self, event: OperatorEvent, now: Timestamp) -> Result<(), Error> {
        let call = self
            .update(event.sk())
            .update_expression("SET last_at = :now ADD #count :one")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":one", number(1));
        conditional::update(call).await.map(drop)
    }

    /// Reads the whole state consistently.
    pub async fn read(&self) -> Result<MonitoringState, Error> {
        let query = self
            .table
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(PIPELINE));
        let mut read = MonitoringState::default();
        for item in query_all(query).await? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned();
            match sk.as_deref() {
                Some(TICKS) => read.state.ticks = from_item(item).map_err(malformed(TICKS))?,
                Some(UNFINISHED) => {
                    let unfinished = from_item(item).map_err(malformed(UNFINISHED))?;
                    read.state.unfinished = Some(unfinished);
                }
                Some(INCIDENT) => {
                    let item: Versioned<IncidentItem> =
                        versions::parse(item, &format!("{PIPELINE} {INCIDENT}"))?;
                    read.incident = Versioned {
                        value: item.value.incident,
                        version: item.version,
                    };
                }
                sk => {
                    let event = OperatorEvent::ALL
                        .into_iter()
                        .find(|event| Some(event.sk()) == sk);
                    if let Some(event) = event {
                        set_count(&mut read.state, event, item)?;
                    }
                }
            }
        }
        Ok(read)
    }

    /// Leases the incident to notify the operator of a change of it. Returns `None` if it is leased
    /// elsewhere, or if it was saved since `version` was read. `id` names the invocation. If the
    /// process dies right after, another invocation can take the lease when it expires.
    ///
    /// # Errors
    /// When DynamoDB fails; the next tick tries again.
    pub async fn lease_incident(
        &self,
        version: u64,
        id: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, Error> {
        let lease = Lease::new(id, until);
        let call = lease
            .bind_take(self.update(INCIDENT), now)
            .update_expression(format!("SET {}", lease::SET))
            .expression_attribute_names("#version", "version");
        let call = if version == 0 {
            call.condition_expression(format!(
                "attribute_not_exists(#version) AND {}",
                lease::IS_FREE
            ))
        } else {
            call.condition_expression(format!("#version = :before AND {}", lease::IS_FREE))
                .expression_attribute_values(":before", number(version))
        };
        Ok(conditional::update(call).await?.then_some(lease))
    }

    /// Saves the incident and releases the lease. Returns whether the lease was still held; if not,
    /// nothing changes. If the process dies before, the operator may be notified again.
    ///
    /// # Errors
    /// When DynamoDB fails. The operator may then be notified again.
    pub async fn save_incident(
        &self,
        incident: Option<&PipelineIncident>,
        lease: &Lease,
    ) -> Result<bool, Error> {
        let raise = "#version = if_not_exists(#version, :zero) + :one";
        let call = lease
            .bind(self.update(INCIDENT))
            .condition_expression(lease::IS_HELD)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1));
        let call = match incident {
            None => {
                call.update_expression(format!("SET {raise} REMOVE incident, {}", lease::REMOVE))
            }
            Some(incident) => {
                let incident = to_attribute_value(incident).map_err(malformed(INCIDENT))?;
                call.update_expression(format!(
                    "SET {raise}, incident = :incident REMOVE {}",
                    lease::REMOVE
                ))
                .expression_attribute_values(":incident", incident)
            }
        };
        conditional::update(call).await
    }

    fn update(&self, sk: &str) -> UpdateItemFluentBuilder {
        self.table.update_item(key(PIPELINE, sk))
    }
}

fn set_count(state: &mut PipelineState, event: OperatorEvent, item: Item) -> Result<(), Error> {
    let count = from_item(item).map_err(malformed(event.sk()))?;
    let place = match event {
        OperatorEvent::MailFailed => &mut state.mails_failed,
        OperatorEvent::ClosingsHeld => &mut state.closings_held,
        OperatorEvent::SimilarIds => &mut state.similar_ids,
        OperatorEvent::RunsDied => &mut state.runs_died,
    };
    *place = Some(count);
    Ok(())
}

fn malformed(sk: &str) -> impl Fn(serde_dynamo::Error) -> Error {
    move |err| Error::malformed(format!("{PIPELINE} {sk}"), &err)
}
