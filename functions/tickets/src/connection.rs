//! The partner's ConnectWise, as one message uses it: its client, and what each call says about the
//! connection.

use std::time::Duration;

use connections::{AfterCall, ClientError, Connections, RefusalScope, RefusedCall};
use connectwise::{Client, Error, Failure, Suspicion};
use domain::connection::breaker::{CallOutcome, exceeds_queue_wait};
use domain::{Blocked, PartnerId, Reaction};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::case::AlertCase;
use crate::ticket_error::TicketError;

/// A partner's connection during one message.
#[derive(Clone)]
pub(crate) struct PartnerConnection<'a> {
    connections: &'a Connections,
    case: &'a AlertCase<'a>,
    partner: PartnerId,
    /// When the step began whose calls use the connection.
    began: Timestamp,
}

impl<'a> PartnerConnection<'a> {
    /// The connection for a step that begins now.
    pub(crate) fn new(
        connections: &'a Connections,
        partner: &PartnerId,
        case: &'a AlertCase<'_>,
    ) -> Self {
        Self {
            connections,
            case,
            partner: partner.clone(),
            began: case.invocation.now(),
        }
    }

    /// When the step began.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// When calls of this invocation must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        self.case.invocation.calls_end()
    }

    async fn client(&self) -> Result<Client, TicketError> {
        let site = self.case.site.as_ref().ok_or(ClientError::NotSetUp)?;
        Ok(self.connections.clients.get(&self.partner, site).await?)
    }

    /// Makes calls to ConnectWise. Keys that are refused may have been rotated, so they are read
    /// again once. A refused call has written nothing.
    pub(crate) async fn call<T, Calls>(
        &self,
        calls: impl Fn(Client) -> Calls,
    ) -> Result<T, TicketError>
    where
        Calls: Future<Output = Result<T, TicketError>>,
    {
        let first = calls(self.client().await?).await;
        let refused = matches!(&first, Err(err) if err.call() == Some(&Error::KeysRefused));
        if refused && self.connections.clients.invalidate_keys(&self.partner) {
            return calls(self.client().await?).await;
        }
        first
    }

    /// Reads from ConnectWise. Success closes the breaker's count of failures.
    pub(crate) async fn read<T, Calls>(
        &self,
        calls: impl Fn(Client, Instant) -> Calls,
    ) -> Result<T, TicketError>
    where
        Calls: Future<Output = Result<T, TicketError>>,
    {
        let answer = self.call(|client| calls(client, self.deadline())).await?;
        self.record_outcome(CallOutcome::Works).await;
        Ok(answer)
    }

    /// What a failure of the step asks for. A refusal counts against the connection only if a plain
    /// read is refused too. Otherwise it concerns this alert alone.
    pub(crate) async fn judge(&self, err: &TicketError) -> Reaction {
        let refused = err
            .call()
            .and_then(|call| Some((call, call.classify().suspicion?)));
        let failure = match refused {
            None => err.classify(),
            Some((call, suspicion)) => match self.confirm(suspicion).await {
                Ok(RefusalScope::CallAlone) => {
                    let reason = Blocked::Rejected(call.answer_summary());
                    Failure::not_done(Reaction::Block { reason }, CallOutcome::Works)
                }
                Ok(RefusalScope::Connection(err)) => err.classify(),
                Ok(RefusalScope::Later(wait)) => {
                    let after = Duration::try_from(wait).ok();
                    Failure::not_done(Reaction::Retry { after }, CallOutcome::Nothing)
                }
                Err(err) => err.classify(),
            },
        };
        with_pause(failure.reaction, self.record_outcome(failure.outcome).await)
    }

    /// Whether only this call failed: a plain read with the same keys succeeds.
    pub(crate) async fn is_alone(&self, err: &TicketError) -> bool {
        let suspicion = err.call().and_then(|call| call.classify().suspicion);
        let confirmed = self.confirm(suspicion.unwrap_or(Suspicion::Route)).await;
        matches!(confirmed, Ok(RefusalScope::CallAlone))
    }

    async fn confirm(&self, suspicion: Suspicion) -> Result<RefusalScope, TicketError> {
        let refused = RefusedCall {
            suspicion,
            began: self.began,
        };
        let client = self.client().await?;
        let (now, end) = (self.case.invocation.now(), self.deadline());
        let confirmed = self
            .connections
            .clients
            .confirm(&self.partner, &client, refused, now, end);
        Ok(confirmed.await)
    }

    /// Writes to the breaker what a call says about the connection. A failure here is logged: the
    /// next call says it again.
    pub(crate) async fn record_outcome(&self, outcome: CallOutcome) -> AfterCall {
        let breaker = &self.case.view.breaker;
        let now = self.case.invocation.now();
        let after_call = self
            .connections
            .record_outcome(&self.partner, outcome, breaker, now)
            .await;
        after_call.unwrap_or_else(|err| {
            tracing::warn!(error = %err, "failed to write the breaker");
            AfterCall::Continue
        })
    }
}

/// Combines what a failure asks for with what it means for the connection. An alert whose wait is
/// too long for the queue is blocked in the table.
fn with_pause(reaction: Reaction, after_call: AfterCall) -> Reaction {
    let after = match (after_call, reaction) {
        (AfterCall::Stop(reason), _) => return Reaction::Block { reason },
        (AfterCall::Wait(time), Reaction::Retry { after }) => {
            Some(after.unwrap_or_default().max(time))
        }
        (AfterCall::Continue, Reaction::Retry { after }) => after,
        (AfterCall::Continue | AfterCall::Wait(_), reaction) => return reaction,
    };
    let wait = after.and_then(|after| SignedDuration::try_from(after).ok());
    if wait.is_some_and(exceeds_queue_wait) {
        let reason = Blocked::Throttled;
        return Reaction::Block { reason };
    }
    Reaction::Retry { after }
}
