//! Signs of how the pipeline itself does: `PIPELINE` with `ticks`, `unfinished`, `mails_failed`, `closings_held`, `similar_ids`, `runs_died`, and `episode`, what
//! its operator was told.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::monitoring::pipeline::{
    EventCount, PipelineIncident, PipelineState, Schedule, Ticks, UnfinishedMessage,
};
use domain::time::sortable;
use jiff::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use crate::config::ConfigTable;
use crate::{Error, conditional};

const PIPELINE: &str = "PIPELINE";
const TICKS: &str = "ticks";
const UNFINISHED: &str = "unfinished";
const INCIDENT: &str = "incident";

/// Something that happens now and then, and that the operator hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorEvent {
    /// SES did not take a mail.
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

/// All signs, and the episode that the operator was told of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pipeline {
    /// The signs, but for what only a queue knows.
    pub state: PipelineState,
    /// The episode that is on.
    pub incident: Option<PipelineIncident>,
    /// Until when somebody else tells the operator.
    pub notifying_until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct IncidentItem {
    #[serde(default)]
    incident: Option<PipelineIncident>,
    #[serde(default)]
    notifying_until: Option<Timestamp>,
}

impl ConfigTable {
    /// Leaves a sign of a schedule's tick, and returns when each ran. If the process dies right after, it ran.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn ticked(&self, schedule: Schedule, now: Timestamp) -> Result<Ticks, Error> {
        let call = self
            .pipeline_item(TICKS)
            .update_expression("SET #at = :now, first_at = if_not_exists(first_at, :now)")
            .expression_attribute_names("#at", format!("{}_at", schedule.name()))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .return_values(ReturnValue::AllNew);
        let answer = call.send().await;
        let answer = answer.map_err(|err| Error::call("UpdateItem", &err))?;
        from_item(answer.attributes.unwrap_or_default()).map_err(malformed(TICKS))
    }

    /// Leaves a sign of a message that came back to the queue unfinished, unless an older one did lately.
    ///
    /// # Errors
    /// When DynamoDB fails; the message comes back again.
    pub async fn unfinished_seen(&self, sent_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let forgotten = UnfinishedMessage::stale_before(now);
        let call = self
            .pipeline_item(UNFINISHED)
            .update_expression("SET sent_at = :sent, seen_at = :now")
            .condition_expression(
                "attribute_not_exists(sent_at) OR sent_at >= :sent OR seen_at < :forgotten",
            )
            .expression_attribute_values(":sent", AttributeValue::S(sortable(sent_at)))
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":forgotten", AttributeValue::S(sortable(forgotten)));
        conditional::update(call).await.map(drop)
    }

    /// Leaves a sign of something that happened.
    ///
    /// # Errors
    /// When DynamoDB fails. It may then be counted or not: only that it happened matters.
    pub async fn happened(&self, event: OperatorEvent, now: Timestamp) -> Result<(), Error> {
        let call = self
            .pipeline_item(event.sk())
            .update_expression("SET last_at = :now ADD #count :one")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        conditional::update(call).await.map(drop)
    }

    /// All signs, read consistently in one call.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable.
    pub async fn pipeline(&self) -> Result<Pipeline, Error> {
        let call = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(PIPELINE.to_owned()));
        let answer = call.send().await;
        let answer = answer.map_err(|err| Error::call("Query", &err))?;
        let mut pipeline = Pipeline::default();
        for item in answer.items.unwrap_or_default() {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned();
            let sk = sk.unwrap_or_default();
            let state = &mut pipeline.state;
            match sk.as_str() {
                TICKS => state.ticks = from_item(item).map_err(malformed(TICKS))?,
                UNFINISHED => {
                    state.unfinished = Some(from_item(item).map_err(malformed(UNFINISHED))?);
                }
                INCIDENT => {
                    let item: IncidentItem = from_item(item).map_err(malformed(INCIDENT))?;
                    pipeline.incident = item.incident;
                    pipeline.notifying_until = item.notifying_until;
                }
                _ => {
                    for event in OperatorEvent::ALL {
                        if sk == event.sk() {
                            let happened: EventCount =
                                from_item(item.clone()).map_err(malformed(event.sk()))?;
                            match event {
                                OperatorEvent::MailFailed => state.mails_failed = Some(happened),
                                OperatorEvent::ClosingsHeld => {
                                    state.closings_held = Some(happened);
                                }
                                OperatorEvent::SimilarIds => state.similar_ids = Some(happened),
                                OperatorEvent::RunsDied => state.runs_died = Some(happened),
                            }
                        }
                    }
                }
            }
        }
        Ok(pipeline)
    }

    /// Takes it upon the caller alone, until a time, to go on with the episode from what it read. Tells whether it may. If the process
    /// dies right after, another one may when that time is over.
    ///
    /// # Errors
    /// When DynamoDB fails; the next tick asks again.
    pub async fn tell_the_operator(
        &self,
        seen: Option<Timestamp>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        if seen.is_some_and(|others| others > now) {
            return Ok(false);
        }
        let call = self
            .pipeline_item(INCIDENT)
            .update_expression("SET notifying_until = :until")
            .expression_attribute_values(":until", AttributeValue::S(until.to_string()));
        let call = match seen {
            None => call.condition_expression("attribute_not_exists(notifying_until)"),
            Some(seen) => call
                .condition_expression("notifying_until = :seen")
                .expression_attribute_values(":seen", AttributeValue::S(seen.to_string())),
        };
        Ok(conditional::update(call).await?.is_some())
    }

    /// Stores the episode as it is now, and lets the next one tell the operator again, if this caller is still the one who does.
    ///
    /// # Errors
    /// When DynamoDB fails: what the operator was told it may be told again.
    pub async fn put_episode(
        &self,
        incident: Option<&PipelineIncident>,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = self
            .pipeline_item(INCIDENT)
            .condition_expression("notifying_until = :until")
            .expression_attribute_values(":until", AttributeValue::S(until.to_string()))
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        let call = match incident {
            None => call.update_expression("SET notifying_until = :now REMOVE incident"),
            Some(incident) => call
                .update_expression("SET notifying_until = :now, incident = :incident")
                .expression_attribute_values(
                    ":incident",
                    to_attribute_value(incident).map_err(malformed(INCIDENT))?,
                ),
        };
        Ok(conditional::update(call).await?.is_some())
    }

    fn pipeline_item(&self, sk: &str) -> UpdateItemFluentBuilder {
        self.table.update_item(PIPELINE, sk)
    }
}

fn malformed(sk: &str) -> impl Fn(serde_dynamo::Error) -> Error {
    move |err| Error::malformed(format!("{PIPELINE} {sk}"), &err)
}
