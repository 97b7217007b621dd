//! Lookups: reads that show whether a write took effect, or which tickets an alert has already.
//! Nothing is written to ConnectWise here. A failed lookup is never taken for an empty one.

use aws::metrics::{Metric, count};
use connections::{Connections, found_ticket};
use connectwise::Error;
use domain::alert::blocked::BlockedSince;
use domain::alert::record::{Claim, OpenTicket, Recheck, Record};
use domain::setup::rights;
use domain::ticketing::lookup::{Search, apply_inspection, apply_recheck_search, apply_search};
use domain::ticketing::prior_tickets::adopt_prior_tickets;
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use domain::ticketing::write_effect::{apply_observation, observed_effect};
use domain::{Blocked, PartnerId, Reaction, RecordId, TicketRef};
use jiff::SignedDuration;
use store::Alerts;

use crate::case::AlertCase;
use crate::connection::PartnerConnection;
use crate::outcome::{MessageOutcome, StepOutcome, count_effect};
use crate::records::RecordWriter;
use crate::searches::{find_tickets, find_tickets_of_alert, has_any_ticket, observe_ticket};
use crate::sentinels::SentinelStore;
use crate::ticket_error::TicketError;
use crate::ticket_writes::refusal;

/// Looks up tickets in ConnectWise and records what they show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lookups<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
    pub(crate) records: RecordWriter<'a>,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub(crate) settle: SignedDuration,
}

impl Lookups<'_> {
    /// Searches for the ticket of a create whose outcome is unknown.
    pub(crate) async fn search(
        &self,
        stored: &Record,
        record: Record,
        claim: &Claim,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let connection = self.connection(&record, case);
        let found = self
            .find(
                &record,
                &claim.ticket_ref,
                claim.board_id,
                &connection,
                case,
            )
            .await;
        let found = match found {
            Ok(found) => found,
            Err(err) => return self.fail(stored, record, &err, &connection, case).await,
        };
        let (began, now) = (connection.began(), case.invocation.now());
        tracing::info!(search = ?found, visits = claim.visits + 1, "searched for the ticket of a create");
        let partner = record.key.partner.clone();
        let record = apply_search(record, claim, &found, self.settle, began, now);
        if found == Search::Blind && claim.is_blind_too_long(self.settle, now) {
            let reason = Blocked::MissingRight(rights::TICKETS_INQUIRE.to_owned());
            return self.records.block(stored, record, reason, case).await;
        }
        let blocked = record.blocked.as_ref();
        if blocked.is_some_and(BlockedSince::is_refusal) && record.claim.is_none() {
            count(Metric::AlertsBlocked, 1);
            self.records.schedule_reconcile(&partner, now).await?;
        }
        self.records.save(&record).await
    }

    /// Reads the ticket of a write whose outcome is unknown. If the process dies here, the claim
    /// still says what is unknown.
    pub(crate) async fn verify(
        &self,
        stored: &Record,
        record: Record,
        claim: &Claim,
        ticket_id: RecordId,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let Some(live) = &case.view.connection else {
            return Ok(StepOutcome::Reread);
        };
        let connection = self.connection(&record, case);
        let observed = connection
            .read(|client, deadline| async move {
                observe_ticket(&client, claim, ticket_id, &live.settings, deadline).await
            })
            .await;
        let observed = match observed {
            Ok(observed) => observed,
            Err(err) => return self.fail(stored, record, &err, &connection, case).await,
        };
        let (began, now) = (connection.began(), case.invocation.now());
        let effect = observed_effect(claim, &observed);
        tracing::info!(op = ?claim.op, effect = ?effect, visits = claim.visits + 1, "looked for the effect of a write");
        if let Some(effect) = &effect {
            count_effect(effect);
        }
        let record = apply_observation(record, claim, &observed, self.settle, began, now);
        self.records.save(&record).await
    }

    /// Searches once more for the ticket of a create that was given up.
    pub(crate) async fn recheck(
        &self,
        stored: &Record,
        record: Record,
        recheck: &Recheck,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let connection = self.connection(&record, case);
        let found = self
            .find(
                &record,
                &recheck.ticket_ref,
                recheck.board_id,
                &connection,
                case,
            )
            .await;
        let now = case.invocation.now();
        if let Err(err) = &found {
            tracing::warn!(error = %err, "failed to look again for a write that was given up");
            connection.judge(err).await;
        }
        let record = apply_recheck_search(record, recheck, found.as_ref().ok(), now);
        tracing::info!(
            duplicates = record.duplicates.len(),
            "looked again for a write that was given up"
        );
        if record == *stored {
            return Ok(StepOutcome::Again);
        }
        self.records.save(&record).await
    }

    /// Searches for tickets of all occurrences of an alert that the table may not know.
    pub(crate) async fn find_prior_tickets(
        &self,
        stored: &Record,
        record: Record,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let connection = self.connection(&record, case);
        let settings = case.settings();
        let found = connection
            .read(|client, deadline| {
                let record = &record;
                async move { find_tickets_of_alert(&client, record, settings, deadline).await }
            })
            .await;
        let found = match found {
            Ok(found) => found,
            Err(err) => return self.fail(stored, record, &err, &connection, case).await,
        };
        let epoch = case.view.connection.as_ref().map(|live| live.epoch);
        let mapping = case.view.mapping.as_ref();
        let with_prior = adopt_prior_tickets(
            record.clone(),
            &found,
            mapping.and_then(|mapping| mapping.company),
            epoch.unwrap_or_default(),
            case.invocation.now(),
        );
        tracing::info!(
            found = found.len(),
            known = with_prior == record,
            "searched for earlier tickets of an alert"
        );
        if with_prior == record {
            // The table knows this alert's tickets, even if it does not know those of others.
            case.view.ticket_index = Some(TicketIndexState::Complete);
            return Ok(StepOutcome::Again);
        }
        self.records.save(&with_prior).await
    }

    /// Asks whether ConnectWise has tickets of Ticketbridge before the first one is created there.
    /// If so, their import is scheduled.
    pub(crate) async fn detect_existing_tickets(
        &self,
        stored: &Record,
        record: Record,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let connection = self.connection(&record, case);
        let has_any = |client, deadline| async move { has_any_ticket(&client, deadline).await };
        let has_tickets = match connection.read(has_any).await {
            Ok(has_tickets) => has_tickets,
            Err(err) => return self.fail(stored, record, &err, &connection, case).await,
        };
        let Some(live) = &case.view.connection else {
            return Ok(StepOutcome::Reread);
        };
        let index = self.begin_index(&partner, live.epoch, has_tickets).await?;
        if has_tickets {
            tracing::warn!(partner = %partner, "ConnectWise has tickets that the table does not know; importing them");
            let now = case.invocation.now();
            self.connections.schedule.reconcile(&partner, now).await?;
        }
        case.set_ticket_index(index);
        Ok(StepOutcome::Again)
    }

    async fn begin_index(
        &self,
        partner: &PartnerId,
        epoch: u32,
        has_tickets: bool,
    ) -> Result<Option<TicketIndex>, store::Error> {
        let index = TicketIndex::new(epoch, !has_tickets);
        if self.alerts.ticket_index.begin(partner, &index).await? {
            return Ok(Some(index));
        }
        // Another worker began it, and may have created a ticket since.
        self.alerts.ticket_index.get(partner).await
    }

    /// Reads a ticket that ConnectWise's list showed otherwise than the record, and records what a
    /// technician did with it. If it cannot be read now, the next list shows it again.
    pub(crate) async fn inspect(
        &self,
        record: Record,
        open: &OpenTicket,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let connection = self.connection(&record, case);
        let ticket = connection
            .read(|client, deadline| async move {
                match client.ticket(open.ticket_id, deadline).await {
                    Ok(ticket) => Ok(Some(ticket)),
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(err) => Err(TicketError::Read(err)),
                }
            })
            .await;
        let ticket = match ticket {
            Ok(ticket) => ticket.map(|ticket| found_ticket(&ticket, case.settings())),
            Err(err) => {
                tracing::warn!(error = %err, "failed to read a ticket");
                connection.judge(&err).await;
                case.complete_command();
                return Ok(StepOutcome::Again);
            }
        };
        let now = case.invocation.now();
        let seen = apply_inspection(record.clone(), open, ticket.as_ref(), now);
        tracing::info!(
            ticket.id = open.ticket_id,
            ended = seen.open().is_none(),
            "read a ticket"
        );
        if seen == record {
            case.complete_command();
            return Ok(StepOutcome::Again);
        }
        self.records.save(&seen).await
    }

    fn connection<'a>(&'a self, record: &Record, case: &'a AlertCase<'_>) -> PartnerConnection<'a> {
        PartnerConnection::new(self.connections, &record.key.partner, case)
    }

    /// Searches for the tickets that carry this reference. If the search is blind, sentinels that
    /// no longer exist are dropped: the next search is not blind because of them.
    async fn find(
        &self,
        record: &Record,
        ticket_ref: &TicketRef,
        board: Option<RecordId>,
        connection: &PartnerConnection<'_>,
        case: &AlertCase<'_>,
    ) -> Result<Search, TicketError> {
        let index = case.ticket_index.as_ref();
        let sentinels = index
            .map(|index| index.sentinels(board))
            .unwrap_or_default();
        let store = SentinelStore {
            alerts: self.alerts,
        };
        let search = |client, deadline| async move {
            let settings = case.settings();
            let search = find_tickets(&client, ticket_ref, sentinels, settings, deadline).await?;
            if search == Search::Blind {
                store
                    .drop_missing(&record.key.partner, board, &client, case, deadline)
                    .await?;
            }
            Ok(search)
        };
        connection.read(search).await
    }

    /// Ends a step whose lookup failed. The lookup is made again later.
    async fn fail(
        &self,
        stored: &Record,
        record: Record,
        err: &TicketError,
        connection: &PartnerConnection<'_>,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let reaction = connection.judge(err).await;
        tracing::warn!(error = %err, reaction = ?reaction, "failed to search ConnectWise");
        let refusal = refusal(err, None, &reaction);
        let after = match (reaction, refusal) {
            (Reaction::Block { reason }, Some(refusal)) => {
                let now = case.invocation.now();
                self.records
                    .schedule_reconcile(&record.key.partner, now)
                    .await?;
                let refused = record.with_refusal(reason.clone(), refusal, None, now);
                return self.records.block(stored, refused, reason, case).await;
            }
            (Reaction::Block { reason }, None) => {
                return self.records.block(stored, record, reason, case).await;
            }
            (Reaction::Retry { after }, _) => after,
            (Reaction::DeadLetter { .. }, _) => None,
        };
        let later = MessageOutcome::Later(after);
        self.records.end(stored, record, later).await
    }
}
