//! Processes one message about one alert: read the record, make the step that `domain` names, store
//! what follows, and ask for the next one until there is nothing left to do.

use std::time::Duration;

use connections::Connections;
use domain::alert::record::Record;
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::worker_step::{MAX_STEPS, WorkerStep};
use domain::{AlertKey, Blocked};
use jiff::SignedDuration;
use store::Alerts;

use crate::BatchInvocation;
use crate::admission::Admissions;
use crate::case::AlertCase;
use crate::company_records::CompanyRecords;
use crate::lookups::Lookups;
use crate::made_write::MadeWrite;
use crate::outcome::{MessageOutcome, StepOutcome, outcome_of};
use crate::outgoing::{OutgoingReporter, PendingReport};
use crate::records::RecordWriter;
use crate::ticket_writes::TicketWrites;

/// Processes messages about alerts.
#[derive(Debug)]
pub(crate) struct AlertWorker {
    pub(crate) alerts: Alerts,
    pub(crate) connections: Connections,
    pub(crate) company_records: CompanyRecords,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub(crate) settle: SignedDuration,
    pub(crate) reporter: OutgoingReporter,
}

impl AlertWorker {
    /// Processes a message as far as possible now. If the process dies anywhere in here, the
    /// message is received again, and the next worker continues from the record in the table.
    pub(crate) async fn process(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
        report: &mut PendingReport,
    ) -> MessageOutcome {
        let outcome = self.run_steps(key, request, invocation, report).await;
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
        report: &mut PendingReport,
    ) -> MessageOutcome {
        let outcome = self.block_deferred(key, request, invocation, report).await;
        outcome.unwrap_or_else(|err| {
            tracing::error!(error = %err, "failed to defer an alert");
            outcome_of(err.reaction())
        })
    }

    /// Sends the outgoing events of an alert whose source has a webhook, before the message is
    /// acknowledged. If the process dies before, the message is received again, and then all events
    /// that the record keeps are sent.
    pub(crate) async fn report(
        &self,
        key: &AlertKey,
        report: PendingReport,
        outcome: MessageOutcome,
    ) -> MessageOutcome {
        match self
            .reporter
            .send(&self.alerts, key, &report, &outcome)
            .await
        {
            Ok(()) => outcome,
            Err(err) => {
                tracing::error!(error = %err, "failed to queue the outgoing events of an alert");
                MessageOutcome::Later(None)
            }
        }
    }

    async fn run_steps(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
        report: &mut PendingReport,
    ) -> Result<MessageOutcome, store::Error> {
        let (mut stored, mut case) = self.read(key, request, invocation).await?;
        report.begin(&stored, &case);
        let mut made: Option<Box<MadeWrite>> = None;
        for _ in 0..MAX_STEPS {
            let step = case.next_step(&stored, self.settle, self.alerts.retention());
            let outcome = match (made.take(), step) {
                (Some(made), step) => self.record_made(*made, step, &case).await?,
                (None, step) => self.act(&stored, step, &mut case).await?,
            };
            match outcome {
                StepOutcome::Written(record) => {
                    case.complete_command();
                    stored = *record;
                }
                StepOutcome::Made(write) => {
                    case.complete_command();
                    stored = write.recorded();
                    made = Some(write);
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

    /// Records the outcome of a write. If the next step is a write too, the outcome and the next claim
    /// are one write of the table.
    async fn record_made(
        &self,
        made: MadeWrite,
        next: WorkerStep,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        match next {
            // The outcome does not wait for a look-up.
            WorkerStep::Write { write, .. } if write.needs_company_record() => {
                self.writes().record_made(&made, case).await
            }
            WorkerStep::Write {
                record,
                write,
                text,
            } => {
                self.writes()
                    .claim_next(made, record, &write, text.as_ref(), case)
                    .await
            }
            WorkerStep::Finish { .. }
            | WorkerStep::Wait { .. }
            | WorkerStep::Block { .. }
            | WorkerStep::OutOfTime
            | WorkerStep::AwaitText
            | WorkerStep::Inspect { .. }
            | WorkerStep::Search { .. }
            | WorkerStep::Verify { .. }
            | WorkerStep::Recheck { .. }
            | WorkerStep::FindPriorTickets { .. }
            | WorkerStep::DetectExistingTickets { .. }
            | WorkerStep::AdmitNewAlert { .. } => self.writes().record_made(&made, case).await,
        }
    }

    async fn act(
        &self,
        stored: &Record,
        step: WorkerStep,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let (records, lookups) = (self.records(), self.lookups());
        let end = |outcome| Ok(StepOutcome::End(outcome));
        match step {
            WorkerStep::Finish {
                record,
                idle,
                rewrites,
            } => {
                tracing::info!(idle = ?idle, "nothing to do");
                if case.request.event().is_some() {
                    records.list_tenant(&record, case).await?;
                }
                match rewrites {
                    true => records.rewrite(&record, MessageOutcome::Done).await,
                    false => records.end(stored, record, MessageOutcome::Done).await,
                }
            }
            WorkerStep::Wait { record, until } => {
                let wait = until.duration_since(case.invocation.now());
                let wait = Duration::try_from(wait).unwrap_or_default();
                tracing::info!(
                    wait_s = wait.as_secs(),
                    "alert waits for a ConnectWise write to settle"
                );
                let later = MessageOutcome::Later(Some(wait + Duration::from_secs(1)));
                records.end(stored, record, later).await
            }
            WorkerStep::Block { record, reason } => {
                records.block(stored, record, reason, case).await
            }
            WorkerStep::OutOfTime => end(MessageOutcome::Later(Some(Duration::from_secs(1)))),
            WorkerStep::AwaitText => {
                tracing::warn!("no ticket created: no message has the alert's text yet");
                end(MessageOutcome::Later(None))
            }
            WorkerStep::Inspect { record, open } => lookups.inspect(record, &open, case).await,
            WorkerStep::Search { record, claim } => {
                lookups.search(stored, record, &claim, case).await
            }
            WorkerStep::Verify {
                record,
                claim,
                ticket_id,
            } => {
                lookups
                    .verify(stored, record, &claim, ticket_id, case)
                    .await
            }
            WorkerStep::Recheck { record, recheck } => {
                lookups.recheck(stored, record, &recheck, case).await
            }
            WorkerStep::FindPriorTickets { record } => {
                lookups.find_prior_tickets(stored, record, case).await
            }
            WorkerStep::DetectExistingTickets { record } => {
                lookups.detect_existing_tickets(stored, record, case).await
            }
            WorkerStep::AdmitNewAlert { record } => self.admissions().admit(&record, case).await,
            WorkerStep::Write {
                record,
                write,
                text,
            } => {
                let writes = self.writes();
                writes
                    .claim_and_write(record, &write, text.as_ref(), case)
                    .await
            }
        }
    }

    async fn block_deferred(
        &self,
        key: &AlertKey,
        request: &AlertRequest,
        invocation: &BatchInvocation,
        report: &mut PendingReport,
    ) -> Result<MessageOutcome, store::Error> {
        let partner = self.connections.view(key, invocation.now()).await?;
        let case = AlertCase::new(request, invocation, partner);
        for _ in 0..MAX_STEPS {
            let stored = AlertCase::stored_or_new(self.alerts.get(key).await?, key);
            report.begin(&stored, &case);
            let record = case.apply(stored.clone(), self.settle);
            let blocked = self
                .records()
                .block(&stored, record, Blocked::Deferred, &case)
                .await?;
            match blocked {
                StepOutcome::End(outcome) => return Ok(outcome),
                StepOutcome::Reread
                | StepOutcome::Again
                | StepOutcome::Written(_)
                | StepOutcome::Made(_) => {}
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

    fn admissions(&self) -> Admissions<'_> {
        Admissions {
            connections: &self.connections,
            records: self.records(),
        }
    }

    fn writes(&self) -> TicketWrites<'_> {
        TicketWrites {
            alerts: &self.alerts,
            connections: &self.connections,
            company_records: &self.company_records,
            records: self.records(),
        }
    }
}
