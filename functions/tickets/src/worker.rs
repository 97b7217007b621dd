//! Processes one message about one alert: read, fold, decide, act, and decide again until there is
//! nothing left to do.

use std::time::Duration;

use connections::Connections;
use domain::alert::record::Record;
use domain::ticketing::decide::decide;
use domain::ticketing::decision::Decision;
use domain::{AlertKey, Blocked};
use jiff::SignedDuration;
use store::Alerts;

use crate::BatchInvocation;
use crate::case::{AlertCase, AlertRequest};
use crate::lookups::Lookups;
use crate::outcome::{MessageOutcome, StepOutcome, outcome_of};
use crate::records::RecordWriter;
use crate::ticket_writes::TicketWrites;

/// More steps than any alert needs. It bounds the damage of a bug.
const MAX_STEPS: usize = 16;

/// Processes messages about alerts.
#[derive(Debug)]
pub(crate) struct AlertWorker {
    pub(crate) alerts: Alerts,
    pub(crate) connections: Connections,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub(crate) settle: SignedDuration,
}

impl AlertWorker {
    /// Processes a message as far as possible now. If the process dies anywhere in here, the
    /// message is received again, and the next worker continues from the record in the table.
    pub(crate) async fn process(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
    ) -> MessageOutcome {
        let outcome = self.run_steps(key, request, invocation).await;
        outcome.unwrap_or_else(|err| {
            tracing::error!(error = %err, "DynamoDB call failed");
            outcome_of(err.reaction())
        })
    }

    /// Folds a message that was received too often into its record, and blocks the alert, so that
    /// it no longer waits in the queue. If the process dies before the write, the message is
    /// received again. After the write, doing it again changes nothing.
    pub(crate) async fn defer(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
    ) -> MessageOutcome {
        let outcome = self.block_deferred(key, request, invocation).await;
        outcome.unwrap_or_else(|err| {
            tracing::error!(error = %err, "failed to defer an alert");
            outcome_of(err.reaction())
        })
    }

    async fn run_steps(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
    ) -> Result<MessageOutcome, store::Error> {
        let (mut stored, mut case) = self.read(key, request, invocation).await?;
        for _ in 0..MAX_STEPS {
            let record = case.fold(&stored, self.settle);
            let outcome = match case.ticket_to_inspect(&record).cloned() {
                Some(open) => self.lookups().inspect(record, &open, &mut case).await?,
                None => {
                    let decision = decide(&record, &case.view, self.settle, invocation.now());
                    self.act(&stored, record, decision, &mut case).await?
                }
            };
            match outcome {
                StepOutcome::Written(record) => {
                    case.complete_command();
                    stored = *record;
                }
                StepOutcome::Again => {}
                // The connection is read again too: it may have changed with the record.
                StepOutcome::Reread => {
                    (stored, case) = self.read(key, case.request, invocation).await?;
                }
                StepOutcome::End(outcome) => return Ok(outcome),
            }
        }
        tracing::error!(steps = MAX_STEPS, "step limit reached for alert");
        Ok(MessageOutcome::Later(None))
    }

    /// Reads the record and its partner's configuration, concurrently.
    async fn read<'a>(
        &self,
        key: &AlertKey,
        request: &'a AlertRequest,
        invocation: &'a BatchInvocation,
    ) -> Result<(Record, AlertCase<'a>), store::Error> {
        let (known, partner) = tokio::join!(
            self.alerts.get_with_ticket_index(key),
            self.connections.view(key, invocation.now())
        );
        let (known, partner) = (known?, partner?);
        let mut case = AlertCase::new(request, invocation, partner);
        case.set_ticket_index(known.ticket_index);
        Ok((AlertCase::stored_or_new(known.record, key), case))
    }

    async fn act(
        &self,
        stored: &Record,
        record: Record,
        decision: Decision,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        if calls_connectwise(&decision) && !case.invocation.has_time() {
            let later = MessageOutcome::Later(Some(Duration::from_secs(1)));
            return Ok(StepOutcome::End(later));
        }
        let (records, lookups) = (self.records(), self.lookups());
        match decision {
            Decision::Nothing(idle) => {
                tracing::info!(idle = ?idle, "nothing to do");
                let rest = record.with_nothing_to_do(case.request.event());
                let rest = rest.shrink(self.alerts.retention(), case.invocation.now());
                if rest == *stored && self.is_looked_at_early(&rest, case) {
                    return records.rewrite(&rest, MessageOutcome::Done).await;
                }
                records.end(stored, rest, MessageOutcome::Done).await
            }
            Decision::Wait { until } => {
                let wait = until.duration_since(case.invocation.now());
                let wait = Duration::try_from(wait).unwrap_or_default();
                tracing::info!(
                    wait_s = wait.as_secs(),
                    "alert waits for a ConnectWise write to settle"
                );
                let later = MessageOutcome::Later(Some(wait + Duration::from_secs(1)));
                // The record need not keep a text that is needed later: the message has it.
                records.end(stored, record.unblock_claimed(), later).await
            }
            Decision::Block(reason) => records.block(stored, record, reason, case).await,
            Decision::Search => lookups.search(stored, record, case).await,
            Decision::Verify(ticket_id) => lookups.verify(stored, record, ticket_id, case).await,
            Decision::Recheck(recheck) => lookups.recheck(stored, record, &recheck, case).await,
            Decision::FindPriorTickets => lookups.find_prior_tickets(stored, record, case).await,
            Decision::DetectExistingTickets => {
                lookups.detect_existing_tickets(stored, record, case).await
            }
            Decision::Write(step) => self.writes().claim_and_write(record, &step, case).await,
        }
    }

    /// Whether reconcile looked at a record that is to be kept whole for longer, since the retention
    /// was shorter when it was written. Only a new write gives it a later time.
    fn is_looked_at_early(&self, record: &Record, case: &AlertCase<'_>) -> bool {
        let ends = record.shrinks_at(self.alerts.retention());
        matches!(case.request, AlertRequest::Reconsider)
            && ends.is_some_and(|at| at > case.invocation.now())
    }

    async fn block_deferred(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
    ) -> Result<MessageOutcome, store::Error> {
        let partner = self.connections.view(key, invocation.now()).await?;
        let case = AlertCase::new(request, invocation, partner);
        for _ in 0..MAX_STEPS {
            let stored = AlertCase::stored_or_new(self.alerts.get(key).await?, key);
            let record = case.fold(&stored, self.settle);
            let blocked = self
                .records()
                .block(&stored, record, Blocked::Deferred, &case)
                .await?;
            match blocked {
                StepOutcome::End(outcome) => return Ok(outcome),
                StepOutcome::Reread | StepOutcome::Again | StepOutcome::Written(_) => {}
            }
        }
        Ok(MessageOutcome::Later(None))
    }

    fn records(&self) -> RecordWriter<'_> {
        RecordWriter {
            alerts: &self.alerts,
            connections: &self.connections,
        }
    }

    fn lookups(&self) -> Lookups<'_> {
        Lookups {
            alerts: &self.alerts,
            connections: &self.connections,
            records: self.records(),
            settle: self.settle,
        }
    }

    fn writes(&self) -> TicketWrites<'_> {
        TicketWrites {
            alerts: &self.alerts,
            connections: &self.connections,
            records: self.records(),
        }
    }
}

fn calls_connectwise(decision: &Decision) -> bool {
    match decision {
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets
        | Decision::Write(_) => true,
        Decision::Nothing(_) | Decision::Wait { .. } | Decision::Block(_) => false,
    }
}
