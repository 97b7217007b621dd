//! What can happen in a state.

use std::sync::Arc;

use domain::alert::command::{Command, CommandAction};
use domain::alert::record::Record;
use domain::closing::census::Census;
use domain::closing::proposal::ProposedAction;
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::worker_step::{MAX_STEPS, WorkerStep, next_step};
use stateright::Property;

use crate::state::{
    Change, Disturbances, Message, NextCall, PendingWrite, State, Worker, at, event, key, seconds,
};
use crate::worker::{Answer, context};
use crate::{INVOCATION, LISTED, RETENTION, SETTLE, properties};

/// A configuration of the model.
#[derive(Debug, Clone)]
pub(crate) struct AlertModel {
    pub(crate) workers: usize,
    /// The events of the source: `true` raises the alert.
    pub(crate) events: Vec<bool>,
    pub(crate) disturbances: Disturbances,
    /// Whether a ticket is reopened when its alert is raised again.
    pub(crate) reopens: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The source sends its next event.
    Send,
    /// This event is delivered again, long after it was processed.
    SendAgain(usize),
    /// A free worker receives this message.
    Receive(usize),
    /// This worker makes its next call.
    Call(usize, Answer),
    /// This worker dies before its next call.
    Die(usize),
    /// This pending write takes effect.
    TakeEffect(usize),
    /// Time passes until something is due.
    Pass,
    /// Reconcile asks to decide again, since the record is due.
    Reconsider,
    /// Reconcile sends a command, since ConnectWise's list differs from the record.
    Compare,
    /// Reconcile retries a refused write.
    Retry,
    /// A technician closes a ticket, reopens or deletes it.
    Close(usize),
    Reopen(usize),
    Delete(usize),
}

impl stateright::Model for AlertModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.workers, self.disturbances)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        let (left, has_free) = (state.left, state.workers.iter().any(Option::is_none));
        if state.sent.len() < self.events.len() {
            actions.push(Action::Send);
        }
        if left.doubles > 0 {
            actions.extend((0..state.sent.len()).map(Action::SendAgain));
        }
        if has_free {
            actions.extend((0..state.queue.len()).map(Action::Receive));
        }
        for (index, worker) in state.workers.iter().enumerate() {
            let Some(worker) = worker else { continue };
            let answers = Answer::possible(&worker.next, left);
            actions.extend(answers.map(|answer| Action::Call(index, answer)));
            if left.deaths > 0 {
                actions.push(Action::Die(index));
            }
        }
        actions.extend((0..state.pending.len()).map(Action::TakeEffect));
        actions.extend([
            Action::Pass,
            Action::Reconsider,
            Action::Compare,
            Action::Retry,
        ]);
        if left.touches > 0 {
            for ticket in 1..=state.tickets.len() {
                actions.extend([
                    Action::Close(ticket),
                    Action::Reopen(ticket),
                    Action::Delete(ticket),
                ]);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Send => self.send(&mut state)?,
            Action::SendAgain(event) => send_again(&mut state, event)?,
            Action::Receive(message) => self.receive(&mut state, message)?,
            Action::Call(worker, answer) => self.call(&mut state, worker, answer)?,
            Action::Die(worker) => {
                state.left.deaths -= 1;
                *state.workers.get_mut(worker)? = None;
            }
            Action::TakeEffect(write) => take_effect(&mut state, write)?,
            Action::Pass => self.pass(&mut state)?,
            Action::Reconsider => self.reconsider(&mut state)?,
            Action::Compare => enqueue(&mut state, compared(last, last.now)?)?,
            Action::Retry => enqueue(&mut state, retry(last)?)?,
            Action::Close(ticket) => {
                let now = state.now;
                let there = touch(&mut state, ticket)?;
                there.closed.is_none().then_some(())?;
                (there.closed, there.ended) = (Some(now), Some(now));
            }
            Action::Reopen(ticket) => {
                let there = touch(&mut state, ticket)?;
                there.closed.take()?;
                there.ended = None;
                // From now on a person uses it.
                there.too_late = true;
            }
            Action::Delete(ticket) => {
                let now = state.now;
                let there = touch(&mut state, ticket)?;
                there.closed.is_none().then_some(())?;
                (there.deleted, there.ended) = (true, Some(now));
            }
        }
        // Free workers are alike.
        state.workers.sort_by_key(Option::is_none);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl AlertModel {
    fn send(&self, state: &mut State) -> Option<()> {
        let number = state.sent.len();
        let is_raise = *self.events.get(number)?;
        pass_to(state, state.now + 1)?;
        let event = event(number, state.now, is_raise);
        if !state.is_active() {
            state.began = state.now;
        }
        state.sent.push(Arc::new(event.clone()));
        let request = AlertRequest::Event(Box::new(event));
        enqueue(state, request)
    }

    fn receive(&self, state: &mut State, message: usize) -> Option<()> {
        let message = state.queue.get(message)?.request.clone();
        if state.busy().any(|worker| worker.message == message) {
            state.left.doubles = state.left.doubles.checked_sub(1)?;
        }
        let ends = state.now + INVOCATION;
        let worker = Worker {
            request: message.clone(),
            message,
            ends,
            steps: 0,
            next: NextCall::Read,
        };
        // A message that only waits is received when it can do more.
        let step = next_step(&worker.request, &state.record(), &context(self, state));
        let waits = matches!(step, WorkerStep::AwaitText)
            || matches!(&step, WorkerStep::Wait { record, .. } if *record == *state.record());
        if waits {
            return None;
        }
        *state.workers.iter_mut().find(|worker| worker.is_none())? = Some(worker);
        Some(())
    }

    fn call(&self, state: &mut State, index: usize, answer: Answer) -> Option<()> {
        let mut worker = state.workers.get(index)?.clone()?;
        worker.steps += 1;
        // A step is at most three calls.
        if worker.steps > 3 * MAX_STEPS {
            state.violation = Some("a message does not end");
        }
        let left = worker.call(self, state, answer)?;
        *state.workers.get_mut(index)? = left;
        Some(())
    }

    /// Time passes until the next moment at which something may be different.
    fn pass(&self, state: &mut State) -> Option<()> {
        let now = state.now;
        let mut times: Vec<i64> = state
            .pending
            .iter()
            .flat_map(|write| [write.from, write.to])
            .collect();
        if let Some(record) = &state.stored {
            let request = AlertRequest::Reconsider;
            if let WorkerStep::Wait { until, .. } =
                next_step(&request, record, &context(self, state))
            {
                times.push(seconds(until));
            }
            if let Some(claim) = &record.claim {
                times.push(seconds(claim.settled_at(SETTLE)));
            }
            times.extend(next_check(record));
            if compared(state, now).is_none() && differs(state) {
                times.push(now + LISTED);
            }
        }
        let next = times.into_iter().filter(|at| *at > now).min()?;
        let is_ready = |message: &Message| {
            let step = next_step(&message.request, &state.record(), &context(self, state));
            !matches!(step, WorkerStep::Wait { .. } | WorkerStep::AwaitText)
        };
        let is_due = state
            .stored
            .as_deref()
            .and_then(next_check)
            .is_some_and(|at| at <= now);
        if state.queue.iter().any(is_ready) || is_due || state.busy().next().is_some() {
            state.left.delays = state.left.delays.checked_sub(1)?;
        }
        pass_to(state, next)
    }

    fn reconsider(&self, state: &mut State) -> Option<()> {
        let due = next_check(state.stored.as_ref()?)?;
        (due <= state.now).then_some(())?;
        enqueue(state, AlertRequest::Reconsider)
    }
}

/// What reconcile asks for after it compared the record with ConnectWise's open tickets.
fn compared(state: &State, now: i64) -> Option<AlertRequest> {
    let record = state.stored.as_ref()?;
    let mut census = Census::default();
    let actual = record.actual.as_ref();
    census.add(&key(), &record.desired, actual, record.occurrence);
    let shown: Vec<_> = (1..=state.tickets.len())
        .filter_map(|ticket| state.found(ticket))
        .collect();
    let open: Vec<_> = shown
        .iter()
        .filter(|found| !found.closed)
        .cloned()
        .collect();
    let tickets = census.tickets(1);
    let compared = tickets.compare(0, None, &open, at(now));
    let ids = shown.iter().map(|found| found.ticket_id).collect();
    let boards = tickets.boards(&compared.missing).into_iter().collect();
    let mut proposals = compared.proposals;
    proposals.extend(tickets.explain_missing(&compared.missing, &ids, &boards));
    proposals.into_iter().find_map(|proposal| {
        let (action, ticket) = match proposal.action {
            ProposedAction::Look(ticket) => (CommandAction::Look, ticket),
            ProposedAction::LookForDuplicates(ticket) => (CommandAction::LookForDuplicates, ticket),
            ProposedAction::Resolve { .. } => return None,
        };
        command(record, action, Some(ticket))
    })
}

fn command(record: &Record, action: CommandAction, ticket_id: Option<u64>) -> Option<AlertRequest> {
    let command = Command {
        key: key(),
        occurrence: record.occurrence,
        ticket_id,
        action,
    };
    let applies = command.applies_to(record);
    applies.then(|| AlertRequest::Command(Box::new(command)))
}

/// Whether reconcile finds something to ask for, now or when ConnectWise lists young tickets too.
pub(crate) fn differs(state: &State) -> bool {
    compared(state, state.now + LISTED).is_some()
}

/// What reconcile asks for if ConnectWise refused a write.
pub(crate) fn retry(state: &State) -> Option<AlertRequest> {
    let record = state.stored.as_ref()?;
    let refused_at = record.blocked.as_ref()?.since;
    command(record, CommandAction::Retry { refused_at }, None)
}

/// When reconcile looks at the record, apart from its reduction to a tombstone.
pub(crate) fn next_check(record: &Record) -> Option<i64> {
    let due = record.next_check_at(RETENTION)?;
    (Some(due) != record.shrinks_at(RETENTION)).then(|| seconds(due))
}

fn send_again(state: &mut State, event: usize) -> Option<()> {
    let request = AlertRequest::Event(Box::new((**state.sent.get(event)?).clone()));
    state.left.doubles -= 1;
    enqueue(state, request)
}

/// Sends a message, unless the same one waits.
fn enqueue(state: &mut State, request: AlertRequest) -> Option<()> {
    let is_same = |message: &Message| *message.request == request;
    if state.queue.iter().any(is_same) {
        return None;
    }
    let request = Arc::new(request);
    state.queue.push(Message { request });
    Some(())
}

/// Time passes, but not beyond the end of an invocation or of a pending write.
fn pass_to(state: &mut State, second: i64) -> Option<()> {
    let ends = state.busy().map(|worker| worker.ends);
    let ends = ends.chain(state.pending.iter().map(|write| write.to));
    if ends.min().is_some_and(|end| second > end) {
        return None;
    }
    state.now = second;
    Some(())
}

fn touch(state: &mut State, ticket: usize) -> Option<&mut crate::state::Ticket> {
    state.left.touches = state.left.touches.checked_sub(1)?;
    let there = state.tickets.get_mut(ticket.checked_sub(1)?)?;
    there.touched = true;
    (!there.deleted).then_some(there)
}

fn take_effect(state: &mut State, write: usize) -> Option<()> {
    (state.pending.get(write)?.from <= state.now).then_some(())?;
    let PendingWrite {
        change, too_late, ..
    } = state.pending.remove(write);
    change.take_effect(state, too_late);
    Some(())
}

impl Change {
    pub(crate) fn take_effect(self, state: &mut State, too_late: bool) {
        let now = state.now;
        match self {
            Self::Create(mut ticket) => {
                (ticket.entered, ticket.too_late) = (now, too_late);
                state.tickets.push(*ticket);
            }
            Self::Note { ticket, mut note } => {
                note.too_late = too_late;
                state.tickets[ticket - 1].notes.push(note);
            }
            Self::Status { ticket, is_open } => {
                let ticket = &mut state.tickets[ticket - 1];
                // A late reopening cannot be foreseen.
                ticket.too_late |= too_late && is_open && ticket.closed.is_some();
                ticket.closed = match is_open {
                    true => None,
                    false => ticket.closed.or(Some(now)),
                };
            }
        }
    }
}
