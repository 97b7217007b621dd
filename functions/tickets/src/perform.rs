//! Claimed steps and searches: what comes of each is recorded before the message may go.

use std::time::Duration;

use aws::metrics::{Metric, count};
use connections::{AfterCall, Confirmed, Refused, found};
use connectwise::{Client, Error, Suspicion, Ticket};
use domain::adopt::{adopt, adopt_prior_tickets, apply_recheck};
use domain::breaker::{CallOutcome, exceeds_queue_wait};
use domain::decide::TicketWrite;
use domain::done::{WriteEffect, apply_effect, apply_observation, observed_effect};
use domain::record::{
    BlockedSince, CallRefusal, Claim, ClosedBy, Op, OpenTicket, Recheck, Record, TicketEnd,
};
use domain::ticket_index::{Sentinel, Sentinels, TicketIndex, TicketIndexState};
use domain::{Blocked, PartnerId, Reaction, RecordId, TicketRef, rights};
use jiff::{SignedDuration, Timestamp};

use crate::App;
use crate::alert::Case;
use crate::calls::{
    Calls, Made, Search, TicketError, Work, any, gone, is_optional, lives, search, seen,
};
use crate::outcome::{Outcome, StepOutcome, counted, react};

/// How soon reconcile looks at what ConnectWise refused: several alerts that are refused together are seen together.
const REFUSED_SEEN: SignedDuration = SignedDuration::from_secs(20);

impl App {
    /// Makes the claimed write and records what came of it. `record` is as written, with our claim.
    pub(crate) async fn perform(
        &self,
        record: Record,
        work: Work<'_>,
        case: &Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(StepOutcome::Reread);
        };
        let partner = &record.key.partner.clone();
        let began = work.invocation.now();
        let mut made = self.attempt(&record, &claim, work, case).await;
        let refused = matches!(&made, Err(err) if err.call() == Some(&Error::KeysRefused));
        // Keys may have been rotated: they are read afresh once.
        if refused && self.connections.keys_refused(partner) {
            made = self.attempt(&record, &claim, work, case).await;
        }
        if let Err(err) = &made
            && is_unneeded_note(work.step, err)
            && self.is_alone(partner, err, began, case).await
        {
            tracing::warn!(error = %err, op = ?claim.op, "skipped a note that ConnectWise refuses");
            made = Ok(Made::Step(WriteEffect::Noted));
        }
        let now = work.invocation.now();
        match made {
            Ok(Made::Ticket(ticket)) => {
                let recorded = self.created(record, &claim, &ticket, now).await?;
                // Recorded first: whatever fails from here on costs no second ticket.
                self.record_outcome(partner, CallOutcome::Works, case).await;
                self.keep_sentinel(partner, &claim, &ticket, case, now)
                    .await;
                Ok(recorded)
            }
            Ok(Made::Step(done)) => {
                tracing::info!(done = ?done, op = ?claim.op, "done");
                counted(&done);
                let recorded = self
                    .change(record, &claim, |record, ours| match ours {
                        true => apply_effect(record, &claim, &done, now),
                        false => record,
                    })
                    .await?;
                self.record_outcome(partner, CallOutcome::Works, case).await;
                Ok(recorded)
            }
            Err(err)
                if is_answered_so_again(&record, &err)
                    && self.is_alone(partner, &err, began, case).await =>
            {
                tracing::warn!(error = %err, op = ?claim.op, "create was answered without a result again; checking before it counts as refused");
                let words = err.call().map(Error::answered).unwrap_or_default();
                let reason = Blocked::Rejected(words);
                let refusal = err.refusal(Some(claim.op), &reason);
                let suspected = |record: Record, ours: bool| {
                    if !ours {
                        return record;
                    }
                    let record = record.with_unknown_outcome(work.text, now);
                    match refusal.clone() {
                        Some(refusal) => {
                            record.with_suspected_refusal(reason.clone(), refusal, now)
                        }
                        None => record,
                    }
                };
                self.change(record, &claim, suspected).await
            }
            Err(err) if err.may_have_been_done() => {
                tracing::warn!(error = %err, op = ?claim.op, "outcome of a write is unknown");
                let uncertain = |record: Record, ours| match ours {
                    true => record.with_unknown_outcome(work.text, now),
                    false => record,
                };
                let recorded = self.change(record, &claim, uncertain).await?;
                self.record_outcome(partner, err.call_outcome(), case).await;
                Ok(recorded)
            }
            Err(err) => {
                let reaction = self.judged(partner, &err, began, case).await;
                tracing::warn!(error = %err, reaction = ?reaction, op = ?claim.op, "write failed");
                let refusal = refusal(&err, Some(claim.op), &reaction);
                self.not_done(record, &claim, work, (reaction, refusal), now)
                    .await
            }
        }
    }

    /// Records that nothing was written.
    ///
    /// If the process dies right after a refusal is recorded, the alert waits in the table, and the next run of reconcile finds it at
    /// its own time.
    async fn not_done(
        &self,
        record: Record,
        claim: &Claim,
        work: Work<'_>,
        (reaction, refusal): (Reaction, Option<CallRefusal>),
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let undone = |mut record: Record, ours: bool| {
            if !ours {
                return record;
            }
            record.claim = None;
            match (&reaction, &refusal) {
                (Reaction::Block { reason }, Some(refusal)) => {
                    record.with_refusal(reason.clone(), refusal.clone(), work.text, now)
                }
                (Reaction::Block { reason }, None) => {
                    record.with_blocked(reason.clone(), work.text, now)
                }
                (Reaction::Retry { .. } | Reaction::DeadLetter { .. }, _) => record,
            }
        };
        Ok(match self.change(record, claim, undone).await? {
            StepOutcome::On(record) => {
                count(Metric::AlertsBlocked, usize::from(record.blocked.is_some()));
                if refusal.is_some() {
                    self.refused(&partner, now).await?;
                }
                StepOutcome::End(react(reaction))
            }
            other @ (StepOutcome::Reread | StepOutcome::Again | StepOutcome::End(_)) => other,
        })
    }

    /// Has reconcile see soon that ConnectWise refused an alert, so that a person is told and the alert is retried.
    async fn refused(&self, partner: &PartnerId, now: Timestamp) -> Result<(), store::Error> {
        let soon = now.saturating_add(REFUSED_SEEN).unwrap_or(Timestamp::MAX);
        self.connections.reconcile(partner, soon).await
    }

    /// Records a ticket that was made, whoever's claim runs by now.
    async fn created(
        &self,
        record: Record,
        claim: &Claim,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        tracing::info!(ticket.id = ticket.id, "created a ticket");
        count(Metric::TicketsCreated, 1);
        let board = ticket.board.as_ref().map(|board| board.id);
        let open = OpenTicket::new(ticket.id, board, claim, now);
        self.change(record, claim, |record, _| {
            record.with_created(open.clone(), claim)
        })
        .await
    }

    /// Remembers a made ticket as one that later searches must return. Without it they only know less.
    async fn keep_sentinel(
        &self,
        partner: &PartnerId,
        claim: &Claim,
        ticket: &Ticket,
        case: &Case<'_>,
        now: Timestamp,
    ) {
        let sentinel = Sentinel {
            ticket_id: ticket.id,
            ticket_ref: claim.ticket_ref.clone(),
            board_id: ticket.board.as_ref().map(|board| board.id),
        };
        let ticket_index = case.ticket_index.as_ref();
        let next = ticket_index
            .and_then(|ticket_index| ticket_index.with_sentinel(claim.board_id, &sentinel, now));
        if let Some((board, sentinels)) = next {
            self.put_sentinels(partner, claim.epoch, &board, &sentinels)
                .await;
        }
    }

    /// Has searches no longer ask for sentinels that are gone: this search was blind because of them, the next is not.
    async fn drop_sentinels(
        &self,
        partner: &PartnerId,
        board: Option<RecordId>,
        client: &Client,
        case: &Case<'_>,
    ) -> Result<(), TicketError> {
        let Some(ticket_index) = &case.ticket_index else {
            return Ok(());
        };
        let sentinels = ticket_index.sentinels(board);
        let gone = gone(client, sentinels, case.invocation.calls_end()).await?;
        if !gone.is_empty() {
            tracing::warn!(gone = ?gone, "removed sentinel tickets that no longer exist");
            let (board, left) = ticket_index.without_sentinels(board, &gone);
            self.put_sentinels(partner, ticket_index.epoch, &board, &left)
                .await;
        }
        Ok(())
    }

    /// Stores the sentinels of a board. What fails here is tried again with the next ticket or search.
    async fn put_sentinels(
        &self,
        partner: &PartnerId,
        epoch: u32,
        board: &str,
        sentinels: &Sentinels,
    ) {
        let put = self.alerts.put_sentinels(partner, epoch, board, sentinels);
        if let Err(err) = put.await {
            tracing::warn!(error = %err, "failed to store the sentinels of a board");
        }
    }

    /// Looks for the ticket of an uncertain create.
    pub(crate) async fn search(
        &self,
        stored: &Record,
        record: Record,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(StepOutcome::Reread);
        };
        let began = case.invocation.now();
        let looked = self
            .look(&record, &claim.ticket_ref, claim.board_id, case)
            .await;
        let looked = match looked {
            Ok(looked) => looked,
            Err(err) => return self.in_vain(stored, record, &err, began, case).await,
        };
        let now = case.invocation.now();
        tracing::info!(search = ?looked, visits = claim.visits + 1, "searched for the ticket of a create");
        let partner = record.key.partner.clone();
        let held = match looked {
            Search::Found(found) => adopt(record, &claim, &found, now),
            Search::None => record
                .unblock_claimed()
                .with_empty_visit(self.settle, began),
            Search::Blind => {
                let blind = record.with_blind_visit(began);
                if claim.is_blind_too_long(self.settle, now) {
                    let right = rights::TICKETS_INQUIRE.to_owned();
                    let reason = Blocked::MissingRight(right);
                    return self.block(stored, blind, reason, case).await;
                }
                blind
            }
        };
        let is_refused = held.blocked.as_ref().is_some_and(BlockedSince::is_refusal);
        if is_refused && held.claim.is_none() {
            count(Metric::AlertsBlocked, 1);
            self.refused(&partner, now).await?;
        }
        self.on(&held).await
    }

    /// Looks at the ticket of a write whose outcome is unknown. Nothing is written there. If the process dies in here, the claim
    /// still says what is unknown.
    pub(crate) async fn verify(
        &self,
        stored: &Record,
        record: Record,
        ticket_id: RecordId,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let (Some(claim), Some(live)) = (record.claim.clone(), &case.view.connection) else {
            return Ok(StepOutcome::Reread);
        };
        let partner = record.key.partner.clone();
        let began = case.invocation.now();
        let priority = live.settings.priorities.get(&claim.severity).copied();
        let looked = match self.client(&partner, case).await {
            Ok(client) => {
                let deadline = case.invocation.calls_end();
                seen(&client, &claim, ticket_id, priority, deadline).await
            }
            Err(err) => Err(err),
        };
        let seen = match looked {
            Ok(seen) => seen,
            Err(err) => return self.in_vain(stored, record, &err, began, case).await,
        };
        self.record_outcome(&partner, CallOutcome::Works, case)
            .await;
        let now = case.invocation.now();
        let done = observed_effect(&claim, &seen);
        tracing::info!(op = ?claim.op, effect = ?done, visits = claim.visits + 1, "looked for the effect of a write");
        if let Some(done) = &done {
            counted(done);
        }
        let record = apply_observation(record, &claim, &seen, self.settle, began, now);
        self.on(&record).await
    }

    /// Looks once more for a write that was given up.
    pub(crate) async fn recheck(
        &self,
        stored: &Record,
        record: Record,
        recheck: &Recheck,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let began = case.invocation.now();
        let looked = self
            .look(&record, &recheck.ticket_ref, recheck.board_id, case)
            .await;
        let now = case.invocation.now();
        let record = match looked {
            Ok(Search::Found(found)) => apply_recheck(record, recheck, &found, now),
            Ok(Search::None) => apply_recheck(record, recheck, &[], now),
            // Unknown is not none: it is looked for again, and the alert goes on meanwhile.
            Ok(Search::Blind) => record.with_recheck_delayed(recheck, now),
            Err(err) => {
                tracing::warn!(error = %err, "failed to look again for a write that was given up");
                self.judged(&record.key.partner, &err, began, case).await;
                record.with_recheck_delayed(recheck, now)
            }
        };
        tracing::info!(
            duplicates = record.duplicates.len(),
            "looked again for a write that was given up"
        );
        if record == *stored {
            return Ok(StepOutcome::Again);
        }
        self.on(&record).await
    }

    /// Looks for tickets of any life of an alert that the table may have forgotten.
    pub(crate) async fn find_prior_tickets(
        &self,
        stored: &Record,
        record: Record,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let began = case.invocation.now();
        let looked = match self.client(&partner, case).await {
            Ok(client) => lives(&client, &record, case.invocation.calls_end()).await,
            Err(err) => Err(err),
        };
        let found = match looked {
            Ok(found) => found,
            Err(err) => return self.in_vain(stored, record, &err, began, case).await,
        };
        self.record_outcome(&partner, CallOutcome::Works, case)
            .await;
        let epoch = case.view.connection.as_ref().map(|live| live.epoch);
        let now = case.invocation.now();
        let company = case.view.mapping.as_ref();
        let company = company.and_then(|mapping| mapping.company);
        let with_prior = adopt_prior_tickets(
            record.clone(),
            &found,
            company,
            epoch.unwrap_or_default(),
            now,
        );
        tracing::info!(
            found = found.len(),
            known = with_prior == record,
            "searched for earlier tickets of an alert"
        );
        if with_prior == record {
            // This alert is known now, whatever else is not.
            case.view.ticket_index = Some(TicketIndexState::Complete);
            return Ok(StepOutcome::Again);
        }
        self.on(&with_prior).await
    }

    /// Looks whether ConnectWise has any ticket of ours, before the first one is made there.
    pub(crate) async fn detect_existing_tickets(
        &self,
        stored: &Record,
        record: Record,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let began = case.invocation.now();
        let looked = match self.client(&partner, case).await {
            Ok(client) => any(&client, case.invocation.calls_end()).await,
            Err(err) => Err(err),
        };
        let any = match looked {
            Ok(any) => any,
            Err(err) => return self.in_vain(stored, record, &err, began, case).await,
        };
        self.record_outcome(&partner, CallOutcome::Works, case)
            .await;
        let Some(live) = &case.view.connection else {
            return Ok(StepOutcome::Reread);
        };
        let ticket_index = TicketIndex::new(live.epoch, !any);
        let ticket_index = match self
            .alerts
            .begin_ticket_index(&partner, &ticket_index)
            .await?
        {
            true => Some(ticket_index),
            // Another worker was faster, and may have made a ticket since.
            false => self.alerts.ticket_index(&partner).await?,
        };
        if any {
            tracing::warn!(partner = %partner, "ConnectWise has tickets that the table does not know; importing them");
            let now = case.invocation.now();
            self.connections.reconcile(&partner, now).await?;
        }
        case.set_ticket_index(ticket_index);
        Ok(StepOutcome::Again)
    }

    /// Looks at a ticket that ConnectWise listed otherwise than it is recorded, and records what a person did with it. Nothing is
    /// written there. What cannot be seen now stays as it is: the next list shows it again.
    pub(crate) async fn look_at(
        &self,
        record: Record,
        open: &OpenTicket,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let began = case.invocation.now();
        let looked = match self.client(&partner, case).await {
            Ok(client) => client
                .ticket(open.ticket_id, case.invocation.calls_end())
                .await
                .map_err(TicketError::Look),
            Err(err) => Err(err),
        };
        let now = case.invocation.now();
        let (ended, board_id) = match looked {
            Ok(ticket) => {
                self.record_outcome(&partner, CallOutcome::Works, case)
                    .await;
                let found = found(&ticket);
                let ended = found.ended(&record.ticket_ref(), open.company_id);
                (ended, found.board_id)
            }
            Err(TicketError::Look(Error::NotFound { .. })) => {
                self.record_outcome(&partner, CallOutcome::Works, case)
                    .await;
                let deleted = TicketEnd::from(ClosedBy::Deleted);
                (Some(deleted), open.board_id)
            }
            Err(err) => {
                tracing::warn!(error = %err, "failed to look at a ticket");
                self.judged(&partner, &err, began, case).await;
                case.has_obeyed();
                return Ok(StepOutcome::Again);
            }
        };
        tracing::info!(ticket.id = open.ticket_id, ended = ?ended, "looked at a ticket");
        let seen = match ended {
            Some(ended) => record
                .clone()
                .with_closed(open.ticket_id, open.epoch, ended, now),
            None => record.clone().with_board(board_id),
        };
        if seen == record {
            case.has_obeyed();
            return Ok(StepOutcome::Again);
        }
        self.on(&seen).await
    }

    /// Unknown is not none: what could not be looked up is looked up again.
    async fn in_vain(
        &self,
        stored: &Record,
        record: Record,
        err: &TicketError,
        began: Timestamp,
        case: &Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let partner = &record.key.partner;
        let reaction = self.judged(partner, err, began, case).await;
        tracing::warn!(error = %err, reaction = ?reaction, "failed to search ConnectWise");
        let refusal = refusal(err, None, &reaction);
        match (reaction, refusal) {
            (Reaction::Block { reason }, Some(refusal)) => {
                let now = case.invocation.now();
                let refused = record
                    .clone()
                    .with_refusal(reason.clone(), refusal, None, now);
                self.refused(&record.key.partner, now).await?;
                self.block(stored, refused, reason, case).await
            }
            (Reaction::Block { reason }, None) => self.block(stored, record, reason, case).await,
            (Reaction::Retry { after }, _) => self.end(stored, record, Outcome::Later(after)).await,
            (Reaction::DeadLetter { .. }, _) => {
                self.end(stored, record, Outcome::Later(None)).await
            }
        }
    }

    async fn on(&self, record: &Record) -> Result<StepOutcome, store::Error> {
        Ok(match self.alerts.write(record).await? {
            store::Written::Yes(record) => StepOutcome::On(record),
            store::Written::Conflict => StepOutcome::Reread,
        })
    }

    async fn look(
        &self,
        record: &Record,
        ticket_ref: &TicketRef,
        board: Option<RecordId>,
        case: &Case<'_>,
    ) -> Result<Search, TicketError> {
        let partner = &record.key.partner;
        let client = self.client(partner, case).await?;
        let sentinels = case
            .ticket_index
            .as_ref()
            .map(|ticket_index| ticket_index.sentinels(board));
        let sentinels = sentinels.unwrap_or_default();
        let looked = search(&client, ticket_ref, sentinels, case.invocation.calls_end()).await?;
        if looked == Search::Blind {
            self.drop_sentinels(partner, board, &client, case).await?;
        }
        self.record_outcome(partner, CallOutcome::Works, case).await;
        Ok(looked)
    }

    async fn client(&self, partner: &PartnerId, case: &Case<'_>) -> Result<Client, TicketError> {
        let site = case.site.as_ref().ok_or(connections::NoClient::NotSetUp)?;
        Ok(self.connections.client(partner, site).await?)
    }

    async fn attempt(
        &self,
        record: &Record,
        claim: &Claim,
        work: Work<'_>,
        case: &Case<'_>,
    ) -> Result<Made, TicketError> {
        let client = self.client(&record.key.partner, case).await?;
        let calls = Calls {
            client,
            record,
            claim,
            work,
        };
        calls.make().await
    }

    /// What a failed step, which began at that time, asks for. A refusal counts against the connection only where a plain read is
    /// refused too: otherwise it is this alert's alone, and changes nothing for any other.
    async fn judged(
        &self,
        partner: &PartnerId,
        err: &TicketError,
        began: Timestamp,
        case: &Case<'_>,
    ) -> Reaction {
        let refused = err.call().and_then(|call| Some((call, call.suspects()?)));
        let (outcome, reaction) = match refused {
            None => (err.call_outcome(), err.reaction()),
            Some((call, suspicion)) => {
                let refused = Refused { suspicion, began };
                match self.confirmed(partner, refused, case).await {
                    Ok(Confirmed::CallAlone) => (
                        CallOutcome::Works,
                        block(Blocked::Rejected(call.answered())),
                    ),
                    Ok(Confirmed::Connection(trouble)) => {
                        (trouble.call_outcome(), trouble.reaction())
                    }
                    Ok(Confirmed::Later(wait)) => {
                        let after = Duration::try_from(wait).ok();
                        (CallOutcome::Nothing, Reaction::Retry { after })
                    }
                    Err(err) => (err.call_outcome(), err.reaction()),
                }
            }
        };
        with_pause(reaction, self.record_outcome(partner, outcome, case).await)
    }

    /// Whether a write failed alone: a plain read with the same keys is answered well.
    async fn is_alone(
        &self,
        partner: &PartnerId,
        err: &TicketError,
        began: Timestamp,
        case: &Case<'_>,
    ) -> bool {
        let suspicion = err.call().and_then(Error::suspects);
        let suspicion = suspicion.unwrap_or(Suspicion::Route);
        let refused = Refused { suspicion, began };
        let confirmed = self.confirmed(partner, refused, case).await;
        matches!(confirmed, Ok(Confirmed::CallAlone))
    }

    async fn confirmed(
        &self,
        partner: &PartnerId,
        refused: Refused,
        case: &Case<'_>,
    ) -> Result<Confirmed, TicketError> {
        let client = self.client(partner, case).await?;
        let (now, end) = (case.invocation.now(), case.invocation.calls_end());
        let confirmed = self
            .connections
            .confirm(partner, &client, refused, now, end);
        Ok(confirmed.await)
    }

    /// Tells all workers what a call showed of the connection. If they cannot be told now, the next call shows it again.
    async fn record_outcome(
        &self,
        partner: &PartnerId,
        outcome: CallOutcome,
        case: &Case<'_>,
    ) -> AfterCall {
        let breaker = &case.view.breaker;
        let now = case.invocation.now();
        let after_call = self
            .connections
            .record_outcome(partner, outcome, breaker, now)
            .await;
        after_call.unwrap_or_else(|err| {
            tracing::warn!(error = %err, "failed to write the breaker");
            AfterCall::Continue
        })
    }
}

/// What ConnectWise refused for the sake of one alert, if a failure asks for it to be blocked for that.
fn refusal(err: &TicketError, op: Option<Op>, reaction: &Reaction) -> Option<CallRefusal> {
    match reaction {
        Reaction::Block { reason } => err.refusal(op, reason),
        Reaction::Retry { .. } | Reaction::DeadLetter { .. } => None,
    }
}

/// Whether the keys were refused for a note that does not hold up what it explains.
fn is_unneeded_note(step: &TicketWrite, err: &TicketError) -> bool {
    let suspicion = err.call().and_then(Error::suspects);
    matches!(step, TicketWrite::Note { note, .. } if is_optional(note))
        && suspicion == Some(Suspicion::Keys)
}

/// Whether a create was answered so before, was searched for and not found, and is answered so again: whatever answers seems not
/// to make this ticket.
fn is_answered_so_again(record: &Record, err: &TicketError) -> bool {
    let is_answer = matches!(err, TicketError::Write(err) if err.is_unclear_answer());
    let claim = record.claim.as_ref();
    is_answer && claim.is_some_and(|claim| record.was_given_up_before(claim))
}

fn block(reason: Blocked) -> Reaction {
    Reaction::Block { reason }
}

/// What a failure asks for, with what it means for the whole connection. What would wait too long in the queue waits in the table.
fn with_pause(reaction: Reaction, after_call: AfterCall) -> Reaction {
    let after = match (after_call, reaction) {
        (AfterCall::Stop(reason), _) => return block(reason),
        (AfterCall::Wait(time), Reaction::Retry { after }) => {
            Some(after.unwrap_or_default().max(time))
        }
        (AfterCall::Continue, Reaction::Retry { after }) => after,
        (AfterCall::Continue | AfterCall::Wait(_), reaction) => return reaction,
    };
    let wait = after.and_then(|after| SignedDuration::try_from(after).ok());
    match wait.is_some_and(exceeds_queue_wait) {
        true => block(Blocked::Throttled),
        false => Reaction::Retry { after },
    }
}
