//! Claimed writes: the one call to ConnectWise, and its outcome in the record.
//!
//! The message is acknowledged only after the outcome is in the table. If the process dies in
//! between, the claim in the record says what is unknown, and the next worker looks it up.

use aws::metrics::{Metric, count};
use connections::{Connections, ticket_fields};
use connectwise::{Error, Suspicion, Ticket};
use domain::alert::blocked::CallRefusal;
use domain::alert::event::Payload;
use domain::alert::record::{Claim, Op, OpenTicket, Record};
use domain::connection::breaker::CallOutcome;
use domain::ticketing::claimed_write::{ClaimedOutcome, apply_outcome};
use domain::ticketing::ticket_write::TicketWrite;
use domain::ticketing::write_effect::{WriteEffect, end_link, postpone_link};
use domain::{Blocked, Reaction, RecordId};
use jiff::Timestamp;
use store::{Alerts, RecordWrite};

use crate::case::AlertCase;
use crate::company_records::{CompanyRecord, CompanyRecords, LookupRequest, is_refusal};
use crate::connection::PartnerConnection;
use crate::made_write::MadeWrite;
use crate::outcome::{MessageOutcome, StepOutcome, count_effect};
use crate::records::{RecordWriter, WriteFailure};
use crate::sentinels::SentinelStore;
use crate::ticket_calls::{TicketCalls, Work, WriteResult, is_optional};
use crate::ticket_error::TicketError;

/// Makes claimed writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TicketWrites<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
    pub(crate) company_records: &'a CompanyRecords,
    pub(crate) records: RecordWriter<'a>,
}

impl TicketWrites<'_> {
    /// Claims the step, then makes its call. Folding and claiming are one write: a worker that
    /// loses the race reads the record again.
    pub(crate) async fn claim_and_write(
        &self,
        record: Record,
        step: &TicketWrite,
        text: Option<&Payload>,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let linked = self.company_record(&record, step, text, case).await;
        if matches!(step, TicketWrite::Link { .. }) && linked.id().is_none() {
            return self.leave_unlinked(record, linked, case).await;
        }
        let Some((claim, work)) = new_claim(&record, step, (text, linked.id()), case) else {
            let reason = "the record does not fit the step that it asks for".to_owned();
            return Ok(StepOutcome::End(MessageOutcome::DeadLetter(reason)));
        };
        match self.alerts.write(&record.with_claim(claim.clone())).await? {
            RecordWrite::Conflict => Ok(StepOutcome::Reread),
            RecordWrite::Stored(record) => self.write(*record, &claim, work, case).await,
        }
    }

    /// Records the outcome of a write together with the claim of the next one, then makes the next
    /// call. `record` has that outcome already. If another worker changed the record in the table,
    /// the outcome is recorded alone.
    pub(crate) async fn claim_next(
        &self,
        made: MadeWrite,
        record: Record,
        step: &TicketWrite,
        text: Option<&Payload>,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let Some((claim, work)) = new_claim(&record, step, (text, None), case) else {
            return self.record_made(&made, case).await;
        };
        match self.alerts.write(&record.with_claim(claim.clone())).await? {
            RecordWrite::Conflict => self.record_made(&made, case).await,
            RecordWrite::Stored(record) => self.write(*record, &claim, work, case).await,
        }
    }

    /// Records the outcome of a write.
    pub(crate) async fn record_made(
        &self,
        made: &MadeWrite,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let recorded = |record| made.record_in(record);
        let outcome = self.records.change(made.record.clone(), recorded).await?;
        PartnerConnection::new(self.connections, &made.record.key.partner, case)
            .record_outcome(CallOutcome::Works)
            .await;
        Ok(outcome)
    }

    /// Makes the claimed write. Its outcome is recorded here, unless it has an effect on a known ticket.
    async fn write(
        &self,
        record: Record,
        claim: &Claim,
        work: Work<'_>,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let connection = PartnerConnection::new(self.connections, &record.key.partner, case);
        let result = call(&record, claim, work, &connection).await;
        let now = work.invocation.now();
        match result {
            Ok(WriteResult::Created(ticket)) => {
                self.record_created(record, claim, &ticket, &connection, case, now)
                    .await
            }
            Ok(WriteResult::CreatedWithoutContact(ticket)) => {
                let request = LookupRequest::of(work.step, &record, work.text, case);
                let recorded = self
                    .record_created(record, claim, &ticket, &connection, case, now)
                    .await;
                self.drop_refused(request, now).await;
                recorded
            }
            Ok(WriteResult::Effect(effect)) => {
                tracing::info!(effect = ?effect, op = ?claim.op, "wrote to ConnectWise");
                count_effect(&effect);
                Ok(StepOutcome::Made(Box::new(MadeWrite {
                    record,
                    claim: claim.clone(),
                    effect,
                    at: now,
                })))
            }
            Err(err) if claim.op == Op::Link => {
                let request = LookupRequest::of(work.step, &record, work.text, case);
                self.record_failed_link(record, claim, (&err, request), now)
                    .await
            }
            Err(err) if is_unclear_again(&record, &err) && connection.is_alone(&err).await => {
                tracing::warn!(error = %err, op = ?claim.op, "create was answered without a result again; checking before it counts as refused");
                self.record_suspected_refusal(record, claim, &err, work.text, now)
                    .await
            }
            Err(err) if err.classify().is_uncertain() => {
                tracing::warn!(error = %err, op = ?claim.op, "outcome of a write is unknown");
                let outcome = ClaimedOutcome::Unknown { suspected: None };
                let recorded = self.record(record, claim, &outcome, work.text, now).await?;
                connection.record_outcome(err.classify().outcome).await;
                Ok(recorded)
            }
            Err(err) => {
                let reaction = connection.judge(&err).await;
                tracing::warn!(error = %err, reaction = ?reaction, op = ?claim.op, "write failed");
                let failure = WriteFailure {
                    refusal: refusal(&err, Some(claim.op), &reaction)
                        .map(|refusal| with_record(refusal, work.step, &reaction)),
                    reaction,
                    text: work.text,
                };
                self.records
                    .release_claim(record, claim, failure, now)
                    .await
            }
        }
    }

    /// Records a created ticket, even if another worker holds the claim by now.
    async fn record_created(
        &self,
        record: Record,
        claim: &Claim,
        ticket: &Ticket,
        connection: &PartnerConnection<'_>,
        case: &AlertCase<'_>,
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        tracing::info!(ticket.id = ticket.id, "created a ticket");
        count(Metric::TicketsCreated, 1);
        let partner = record.key.partner.clone();
        let board = ticket.board.as_ref().map(|board| board.id);
        let open = OpenTicket {
            made: Some(Box::new(ticket_fields(ticket))),
            ..OpenTicket::new(ticket.id, board, claim, now)
        };
        let outcome = ClaimedOutcome::Created(open);
        let recorded = self.record(record, claim, &outcome, None, now).await?;
        // The ticket is recorded first, so a failure from here on causes no second ticket.
        connection.record_outcome(CallOutcome::Works).await;
        let sentinels = SentinelStore {
            alerts: self.alerts,
        };
        sentinels.keep(&partner, claim, ticket, case, now).await;
        Ok(recorded)
    }

    /// Records that a create was answered without a result again. A search decides whether it was
    /// refused.
    async fn record_suspected_refusal(
        &self,
        record: Record,
        claim: &Claim,
        err: &TicketError,
        text: Option<&Payload>,
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        let reason = Blocked::Rejected(err.call().map(Error::answer_summary).unwrap_or_default());
        let refusal = err.refusal(Some(claim.op), &reason);
        let suspected = refusal.map(|refusal| (reason, refusal));
        let outcome = ClaimedOutcome::Unknown { suspected };
        self.record(record, claim, &outcome, text, now).await
    }

    async fn record(
        &self,
        record: Record,
        claim: &Claim,
        outcome: &ClaimedOutcome,
        text: Option<&Payload>,
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        let applied = |record| apply_outcome(record, claim, outcome, text, now);
        self.records.change(record, applied).await
    }
}

impl TicketWrites<'_> {
    /// The record of the company that the step is linked to, if it is to be linked to one.
    async fn company_record(
        &self,
        record: &Record,
        step: &TicketWrite,
        text: Option<&Payload>,
        case: &AlertCase<'_>,
    ) -> CompanyRecord {
        let Some(request) = LookupRequest::of(step, record, text, case) else {
            return CompanyRecord::Missing;
        };
        let store = &self.connections.table.company_lookups;
        let connection = PartnerConnection::new(self.connections, &record.key.partner, case);
        self.company_records
            .find(&request, store, &connection, case.invocation)
            .await
    }

    /// Goes on without the link: the company has no such configuration, or that is not known now.
    async fn leave_unlinked(
        &self,
        record: Record,
        linked: CompanyRecord,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let record = match linked {
            CompanyRecord::Found(_) | CompanyRecord::Missing => end_link(record),
            CompanyRecord::Unknown => postpone_link(record, case.invocation.now()),
        };
        self.records.save(&record).await
    }

    /// Records that a link failed. A refused one is not made again, and any other one later: nothing
    /// waits for it, since a second link is no duplicate.
    async fn record_failed_link(
        &self,
        record: Record,
        claim: &Claim,
        (err, request): (&TicketError, Option<LookupRequest>),
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        let is_refused = err.call().is_some_and(is_refusal);
        tracing::warn!(error = %err, refused = is_refused, "failed to link a ticket to its configuration");
        let effect = match is_refused {
            true => WriteEffect::Linked,
            false => WriteEffect::LinkPostponed,
        };
        let outcome = ClaimedOutcome::Effect(effect);
        let recorded = self.record(record, claim, &outcome, None, now).await?;
        self.drop_refused(request.filter(|_| is_refused), now).await;
        Ok(recorded)
    }

    /// Forgets a record that ConnectWise refused.
    async fn drop_refused(&self, request: Option<LookupRequest>, now: Timestamp) {
        if let Some(request) = request {
            let store = &self.connections.table.company_lookups;
            self.company_records
                .drop_refused(&request, store, now)
                .await;
        }
    }
}

/// The claim for a step, and what its call needs. `None` if the record does not fit the step.
fn new_claim<'a>(
    record: &Record,
    step: &'a TicketWrite,
    (text, linked): (Option<&'a Payload>, Option<RecordId>),
    case: &'a AlertCase<'_>,
) -> Option<(Claim, Work<'a>)> {
    let (invocation, connection) = (case.invocation, case.view.connection.as_ref()?);
    let (now, until) = (invocation.now(), invocation.holds_until());
    let id = invocation.next_claim()?;
    let claim = step.claim(record, id, connection.epoch, now, until)?;
    let work = Work {
        step,
        text,
        linked,
        settings: &connection.settings,
        invocation,
    };
    Some((claim, work))
}

/// Makes the call. A note that only explains is skipped if ConnectWise refuses it and nothing else.
async fn call(
    record: &Record,
    claim: &Claim,
    work: Work<'_>,
    connection: &PartnerConnection<'_>,
) -> Result<WriteResult, TicketError> {
    let write = |client| async move {
        let calls = TicketCalls {
            client,
            record,
            claim,
            work,
        };
        calls.write().await
    };
    let result = connection.call(write).await;
    if let Err(err) = &result
        && is_optional_note_refused(work.step, err)
        && connection.is_alone(err).await
    {
        tracing::warn!(error = %err, op = ?claim.op, "skipped a note that ConnectWise refuses");
        return Ok(WriteResult::Effect(WriteEffect::Noted));
    }
    result
}

/// What ConnectWise refused for this alert alone, if the reaction blocks the alert for that.
pub(crate) fn refusal(
    err: &TicketError,
    op: Option<Op>,
    reaction: &Reaction,
) -> Option<CallRefusal> {
    match reaction {
        Reaction::Block { reason } => err.refusal(op, reason),
        Reaction::Retry { .. } | Reaction::DeadLetter { .. } => None,
    }
}

/// The refusal, with the id of the team or owner that ConnectWise refused.
fn with_record(refusal: CallRefusal, step: &TicketWrite, reaction: &Reaction) -> CallRefusal {
    let record = match (reaction, step) {
        (
            Reaction::Block {
                reason: Blocked::TargetMissing(target),
            },
            TicketWrite::Create(create),
        ) => create.assignee.record(*target),
        (_, _) => None,
    };
    CallRefusal { record, ..refusal }
}

/// Whether the keys were refused for a note that only explains another write.
fn is_optional_note_refused(step: &TicketWrite, err: &TicketError) -> bool {
    let suspicion = err.call().and_then(|call| call.classify().suspicion);
    matches!(step, TicketWrite::Note { note, .. } if is_optional(note))
        && suspicion == Some(Suspicion::Keys)
}

/// Whether a create was answered without a result, as it was before a search found no ticket. Such
/// an answer seems to refuse this ticket.
fn is_unclear_again(record: &Record, err: &TicketError) -> bool {
    let is_unclear = matches!(err, TicketError::Write(err) if err.is_unclear_answer());
    let claim = record.claim.as_ref();
    is_unclear && claim.is_some_and(|claim| record.was_given_up_before(claim))
}
