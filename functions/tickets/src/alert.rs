//! One alert, one message: read, fold, decide, apply, and decide again until there is nothing to do.

use std::time::Duration;

use aws::metrics::{Metric, count};
use connections::{Site, View};
use domain::command::{Command, CommandAction};
use domain::decide::{Decision, TicketWrite, can_look_up, decide};
use domain::event::{Event, EventOrder};
use domain::fold::fold;
use domain::record::{Claim, OpenTicket, Record};
use domain::settings::ConnectionView;
use domain::ticket::unreachable_ticket_text;
use domain::ticket_index::TicketIndex;
use domain::{AlertKey, Blocked};
use jiff::SignedDuration;
use store::Written;

use crate::calls::Work;
use crate::outcome::{Outcome, StepOutcome, react};
use crate::{App, Invocation};

/// More steps than any alert needs; a bound on what a bug can do.
const MAX_STEPS: usize = 16;

/// What a message asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Take an event in.
    Event(Box<Event>),
    /// Decide again: what held the alert up may be gone.
    Reconsider,
    /// A person lets it go on.
    Release,
    /// Do what reconcile found to be done.
    Command(Box<Command>),
}

/// One message about one alert, and what is known of its surroundings.
pub(crate) struct Case<'a> {
    pub(crate) request: &'a Request,
    pub(crate) invocation: &'a Invocation,
    pub(crate) view: ConnectionView,
    pub(crate) site: Option<Site>,
    /// Of the connection's present epoch.
    pub(crate) ticket_index: Option<TicketIndex>,
}

impl Request {
    pub(crate) fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Reconsider | Self::Release | Self::Command(_) => None,
        }
    }

    pub(crate) fn order(&self) -> Option<EventOrder> {
        self.event().map(Event::order)
    }
}

impl<'a> Case<'a> {
    /// A message and the view of its partner; what is known of the connection's tickets is set apart.
    fn new(request: &'a Request, invocation: &'a Invocation, seen: View) -> Self {
        Self {
            request,
            invocation,
            view: match request {
                Request::Release => seen.view.released(),
                Request::Event(_) | Request::Reconsider | Request::Command(_) => seen.view,
            },
            site: seen.site,
            ticket_index: None,
        }
    }
}

impl Case<'_> {
    /// The record with what the message says taken in.
    fn folded(&self, stored: &Record, settle: SignedDuration) -> Record {
        let mut record = match self.request {
            Request::Event(event) => fold(stored.clone(), event),
            Request::Reconsider => stored.clone(),
            Request::Command(command) => command.apply(stored.clone(), self.invocation.now()),
            Request::Release => stored.clone().released(),
        };
        if let Some(connection) = &self.view.connection {
            record = record
                .in_epoch(connection.epoch, settle, self.invocation.now())
                .renew(&connection.settings);
        }
        record
    }

    /// What a command asks for is in the record now: it is done once.
    pub(crate) fn has_obeyed(&mut self) {
        if matches!(self.request, Request::Command(_)) {
            self.request = &Request::Reconsider;
        }
    }

    /// The ticket that is to be looked at, if it still is, and may be.
    fn to_look_at<'a>(&self, record: &'a Record) -> Option<&'a OpenTicket> {
        let Request::Command(command) = self.request else {
            return None;
        };
        let epoch = self.view.connection.as_ref().map(|live| live.epoch);
        let here = |open: &&OpenTicket| Some(open.epoch) == epoch;
        let open = record.open().filter(here)?;
        // Whoever holds the claim looks at the ticket itself.
        let looks = command.action == CommandAction::Look
            && command.applies_to(record)
            && record.claim.is_none();
        let may = can_look_up(&self.view, self.invocation.now()) && self.invocation.has_time();
        (looks && may).then_some(open)
    }

    /// Makes what is known of the connection's tickets count from here on.
    pub(crate) fn set_ticket_index(&mut self, ticket_index: Option<TicketIndex>) {
        let epoch = self.view.connection.as_ref().map(|live| live.epoch);
        self.ticket_index = ticket_index.filter(|ticket_index| Some(ticket_index.epoch) == epoch);
        self.view.ticket_index = self
            .ticket_index
            .as_ref()
            .map(|ticket_index| ticket_index.state);
    }
}

impl App {
    /// Takes a message about an alert as far as it goes. If the process dies anywhere in here, the message comes back and goes on
    /// from what the table says.
    pub(crate) async fn process(
        &self,
        key: &AlertKey,
        request: &Request,
        invocation: &Invocation,
    ) -> Outcome {
        match self.steps(key, request, invocation).await {
            Ok(outcome) => outcome,
            Err(err) => {
                tracing::error!(error = %err, "DynamoDB call failed");
                react(err.reaction())
            }
        }
    }

    async fn steps(
        &self,
        key: &AlertKey,
        request: &Request,
        invocation: &Invocation,
    ) -> Result<Outcome, store::Error> {
        let (mut stored, mut case) = self.read(key, request, invocation).await?;
        for _ in 0..MAX_STEPS {
            let record = case.folded(&stored, self.settle);
            let stepped = match case.to_look_at(&record).cloned() {
                Some(open) => self.look_at(record, &open, &mut case).await?,
                None => {
                    let decision = decide(&record, &case.view, self.settle, invocation.now());
                    self.step(&stored, record, decision, &mut case).await?
                }
            };
            match stepped {
                StepOutcome::On(record) => {
                    case.has_obeyed();
                    stored = *record;
                }
                StepOutcome::Again => {}
                // The connection too: it may point elsewhere since the record changed.
                StepOutcome::Reread => {
                    (stored, case) = self.read(key, case.request, invocation).await?;
                }
                StepOutcome::End(outcome) => return Ok(outcome),
            }
        }
        tracing::error!(steps = MAX_STEPS, "step limit reached for alert");
        Ok(Outcome::Later(None))
    }

    /// The record and what its partner set up, read concurrently.
    async fn read<'a>(
        &self,
        key: &AlertKey,
        request: &'a Request,
        invocation: &'a Invocation,
    ) -> Result<(Record, Case<'a>), store::Error> {
        let (known, seen) = tokio::join!(
            self.alerts.known(key),
            self.connections.view(key, invocation.now())
        );
        let (known, seen) = (known?, seen?);
        let mut case = Case::new(request, invocation, seen);
        case.set_ticket_index(known.ticket_index);
        let untouched = || Record::new(key.clone());
        Ok((known.record.unwrap_or_else(untouched), case))
    }

    async fn step(
        &self,
        stored: &Record,
        record: Record,
        decision: Decision,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        match decision {
            Decision::Nothing(idle) => {
                tracing::info!(idle = ?idle, "nothing to do");
                let rest = record.with_nothing_to_do(case.request.event());
                let rest = rest.shrink(case.invocation.now());
                self.end(stored, rest, Outcome::Done).await
            }
            Decision::Wait { until } => {
                let wait = until.duration_since(case.invocation.now());
                let wait = Duration::try_from(wait).unwrap_or_default();
                tracing::info!(
                    wait_s = wait.as_secs(),
                    "alert waits for a ConnectWise write to settle"
                );
                let later = Outcome::Later(Some(wait + Duration::from_secs(1)));
                // A text that is needed later stays with the message, which comes back.
                self.end(stored, record.unblock_claimed(), later).await
            }
            Decision::Block(reason) => self.block(stored, record, reason, case).await,
            // What follows calls ConnectWise.
            Decision::Search
            | Decision::Verify(_)
            | Decision::Recheck(_)
            | Decision::FindPriorTickets
            | Decision::DetectExistingTickets
            | Decision::Write(_)
                if !case.invocation.has_time() =>
            {
                Ok(StepOutcome::End(Outcome::Later(Some(Duration::from_secs(
                    1,
                )))))
            }
            Decision::Search => self.search(stored, record, case).await,
            Decision::Verify(ticket_id) => self.verify(stored, record, ticket_id, case).await,
            Decision::Recheck(recheck) => self.recheck(stored, record, &recheck, case).await,
            Decision::FindPriorTickets => self.find_prior_tickets(stored, record, case).await,
            Decision::DetectExistingTickets => {
                self.detect_existing_tickets(stored, record, case).await
            }
            Decision::Write(step) => self.claim_and_write(record, step, case).await,
        }
    }

    /// Writes the record where it changed, and ends the message's run.
    pub(crate) async fn end(
        &self,
        stored: &Record,
        record: Record,
        outcome: Outcome,
    ) -> Result<StepOutcome, store::Error> {
        if *stored == record {
            return Ok(StepOutcome::End(outcome));
        }
        Ok(match self.alerts.write(&record).await? {
            Written::Yes(_) => StepOutcome::End(outcome),
            Written::Conflict => StepOutcome::Reread,
        })
    }

    pub(crate) async fn block(
        &self,
        stored: &Record,
        record: Record,
        reason: Blocked,
        case: &Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        tracing::warn!(reason = %reason, "alert blocked");
        count(Metric::AlertsBlocked, usize::from(stored.blocked.is_none()));
        let key = &record.key;
        let text = record.text(case.request.event()).cloned();
        if case.view.mapping.is_none() {
            // Seen for the first time: a person finds it in the list of tenants to map.
            let name = text.as_ref().and_then(|text| text.tenant_name.as_deref());
            let listed = self
                .connections
                .table
                .tenant_seen(&key.partner, &key.tenant, &key.source, name)
                .await?;
            if !listed {
                tracing::error!("tenant not listed: its source has too many unmapped tenants");
                count(Metric::TenantsNotListed, 1);
            }
        }
        // A text is kept for the ticket that is still to be made; an open ticket's close needs none.
        let text = text.filter(|_| record.desired.active);
        let blocked = record.with_blocked(reason, text.as_ref(), case.invocation.now());
        self.end(stored, blocked, Outcome::Done).await
    }

    /// Folding and claiming are one write: the loser of a race reads again. Then the one call to ConnectWise.
    async fn claim_and_write(
        &self,
        record: Record,
        step: TicketWrite,
        case: &mut Case<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let text = record.text(case.request.event()).cloned();
        let text = text.or_else(|| unreachable_ticket_text(&record));
        if matches!(step, TicketWrite::Create(_)) && text.is_none() {
            // The message that raised it is still in the queue and has the text.
            tracing::warn!("no ticket created: no message has the alert's text yet");
            return Ok(StepOutcome::End(Outcome::Later(None)));
        }
        let connection = case.view.connection.clone();
        let claim = connection.as_ref().and_then(|connection| {
            let id = case.invocation.next_claim()?;
            step.claim(
                &record,
                id,
                connection.epoch,
                case.invocation.now(),
                case.invocation.holds_until(),
            )
        });
        let (Some(claim), Some(connection)) = (claim, connection) else {
            let reason = "the record does not fit the step that it asks for".to_owned();
            return Ok(StepOutcome::End(Outcome::DeadLetter(reason)));
        };
        match self.alerts.write(&record.with_claim(claim)).await? {
            Written::Conflict => Ok(StepOutcome::Reread),
            Written::Yes(record) => {
                let work = Work {
                    step: &step,
                    text: text.as_ref(),
                    settings: &connection.settings,
                    invocation: case.invocation,
                };
                self.perform(*record, work, case).await
            }
        }
    }

    /// Takes a message in and leaves its alert in the table for later: it came back too often, for whatever reason. If the process
    /// dies before the write, the message comes back; after it, the message is acknowledged or does the same again.
    pub(crate) async fn defer(
        &self,
        key: &AlertKey,
        request: &Request,
        invocation: &Invocation,
    ) -> Outcome {
        match self.deferred(key, request, invocation).await {
            Ok(outcome) => outcome,
            Err(err) => {
                tracing::error!(error = %err, "failed to defer an alert");
                react(err.reaction())
            }
        }
    }

    async fn deferred(
        &self,
        key: &AlertKey,
        request: &Request,
        invocation: &Invocation,
    ) -> Result<Outcome, store::Error> {
        let seen = self.connections.view(key, invocation.now()).await?;
        let case = Case::new(request, invocation, seen);
        for _ in 0..MAX_STEPS {
            let stored = self.alerts.get(key).await?;
            let stored = stored.unwrap_or_else(|| Record::new(key.clone()));
            let record = case.folded(&stored, self.settle);
            let reason = Blocked::Deferred;
            match self.block(&stored, record, reason, &case).await? {
                StepOutcome::End(outcome) => return Ok(outcome),
                StepOutcome::Reread | StepOutcome::Again | StepOutcome::On(_) => {}
            }
        }
        Ok(Outcome::Later(None))
    }

    /// Changes a record that this worker holds the claim of. Where the record moved meanwhile the change is made to what it is
    /// now, as long as the claim is still ours.
    pub(crate) async fn change(
        &self,
        record: Record,
        claim: &Claim,
        change: impl Fn(Record, bool) -> Record,
    ) -> Result<StepOutcome, store::Error> {
        let mut current = record;
        for _ in 0..MAX_STEPS {
            let ours = current
                .claim
                .as_ref()
                .is_some_and(|held| held.id == claim.id);
            let changed = change(current.clone(), ours);
            if changed == current {
                return Ok(StepOutcome::On(Box::new(current)));
            }
            match self.alerts.write(&changed).await? {
                Written::Yes(record) => return Ok(StepOutcome::On(record)),
                Written::Conflict => match self.alerts.get(&current.key).await? {
                    Some(record) => current = record,
                    None => return Ok(StepOutcome::Reread),
                },
            }
        }
        Ok(StepOutcome::End(Outcome::Later(None)))
    }
}
