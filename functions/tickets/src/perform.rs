//! Claimed steps and searches: what comes of each is recorded before the message may go.

use connectwise::{Error, Ticket};
use domain::Reaction;
use domain::adopt::{Found, adopt};
use domain::decide::Step;
use domain::record::{Claim, Open, Record};
use jiff::Timestamp;

use crate::calls::{Calls, Done, Failed, Work, find};
use crate::outcome::{Outcome, Stepped, react};
use crate::{App, Invocation};

impl App {
    /// Makes the claimed write and records what came of it. `record` is as written, with our claim.
    pub(crate) async fn perform(
        &self,
        record: Record,
        work: Work<'_>,
    ) -> Result<Stepped, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(Stepped::Reread);
        };
        let partner = &record.key.partner;
        let mut done = self.attempt(&record, &claim, work).await;
        let refused = matches!(&done, Err(fault) if fault.call() == Some(&Error::KeysRefused));
        // Keys may have been rotated: they are read afresh once.
        if refused && self.connections.keys_refused(partner) {
            done = self.attempt(&record, &claim, work).await;
        }
        let now = work.invocation.now();
        match done {
            Ok(Done::Created(ticket)) => self.created(record, &claim, &ticket, now).await,
            Ok(done) => {
                tracing::info!(done = ?done, op = ?claim.op, "done");
                let done = |record, ours| match ours {
                    true => after(record, work.step, &done, now),
                    false => record,
                };
                self.change(record, &claim, done).await
            }
            Err(fault) if fault.may_have_been_done() => {
                tracing::warn!(fault = %fault, op = ?claim.op, "uncertain");
                let uncertain = |record: Record, ours| match ours {
                    true => record.with_uncertain(work.text, now),
                    false => record,
                };
                self.change(record, &claim, uncertain).await
            }
            Err(fault) => self.not_done(record, &claim, work, &fault, now).await,
        }
    }

    /// Records that nothing was written. A claim that was taken over comes back: its own write may still have been made.
    async fn not_done(
        &self,
        record: Record,
        claim: &Claim,
        work: Work<'_>,
        fault: &Failed,
        now: Timestamp,
    ) -> Result<Stepped, store::Error> {
        let reaction = fault.reaction();
        tracing::warn!(fault = %fault, reaction = ?reaction, op = ?claim.op, "not done");
        let undone = |mut record: Record, ours: bool| {
            if !ours {
                return record;
            }
            record.claim = work.takeover.cloned();
            match &reaction {
                Reaction::Block { reason } => record.with_blocked(reason.clone(), work.text, now),
                Reaction::Retry { .. } | Reaction::DeadLetter { .. } => record,
            }
        };
        Ok(match self.change(record, claim, undone).await? {
            Stepped::On(_) => Stepped::End(react(reaction)),
            other @ (Stepped::Reread | Stepped::End(_)) => other,
        })
    }

    /// Records a ticket that was made, whoever's claim runs by now.
    async fn created(
        &self,
        record: Record,
        claim: &Claim,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<Stepped, store::Error> {
        tracing::info!(ticket.id = ticket.id, "ticket made");
        let board = ticket.board.as_ref().map(|board| board.id);
        let open = Open::new(ticket.id, board, claim, now);
        let made = |record: Record, ours: bool| {
            let (record, other) = record.with_made(open.clone(), ours);
            if let Some(other) = other {
                let made = open.ticket_id;
                tracing::error!(ticket.id = made, ticket.other = other, "two tickets");
            }
            record
        };
        self.change(record, claim, made).await
    }

    /// Looks for the ticket of an uncertain create.
    pub(crate) async fn search(
        &self,
        before: &Record,
        record: Record,
        invocation: &Invocation,
    ) -> Result<Stepped, store::Error> {
        let Some(claim) = record.claim.clone() else {
            return Ok(Stepped::Reread);
        };
        let began = invocation.now();
        let found = self.find(&record, &claim, invocation).await;
        let now = invocation.now();
        match found {
            Ok(found) => {
                tracing::info!(found = found.len(), visits = claim.visits + 1, "searched");
                let held = if found.is_empty() {
                    record.with_empty_visit(self.settle, began)
                } else {
                    adopt(record, &claim, &found, now)
                };
                Ok(match self.alerts.write(&held).await? {
                    store::Written::Yes(record) => Stepped::On(record),
                    store::Written::Conflict => Stepped::Reread,
                })
            }
            // Unknown is not none: the claim stays, and the search is made again.
            Err(fault) => {
                tracing::warn!(fault = %fault, "search failed");
                let after = match fault.reaction() {
                    Reaction::Retry { after } => after,
                    Reaction::Block { .. } | Reaction::DeadLetter { .. } => None,
                };
                self.end(before, record, Outcome::Later(after)).await
            }
        }
    }

    async fn find(
        &self,
        record: &Record,
        claim: &Claim,
        invocation: &Invocation,
    ) -> Result<Vec<Found>, Failed> {
        let client = self.connections.client(&record.key.partner).await?;
        find(&client, claim, invocation.calls_end()).await
    }

    async fn attempt(
        &self,
        record: &Record,
        claim: &Claim,
        work: Work<'_>,
    ) -> Result<Done, Failed> {
        let client = self.connections.client(&record.key.partner).await?;
        let calls = Calls {
            client,
            record,
            claim,
            work,
        };
        calls.make().await
    }
}

/// The record after a step that is done and was ours.
fn after(record: Record, step: &Step, done: &Done, now: Timestamp) -> Record {
    let Some(open) = record.open().cloned() else {
        return record.without_claim();
    };
    let open = match (done, step) {
        (Done::Ended(by), _) => {
            return record.with_closed(open.ticket_id, open.epoch, *by, now);
        }
        (Done::Noted, Step::NoteRepeats { repeats, .. }) => Open {
            last_note_at: Some(now),
            noted_repeats: *repeats,
            ..open
        },
        (Done::Noted, Step::NoteGone { .. }) => Open {
            last_note_at: Some(now),
            noted_gone: true,
            ..open
        },
        (Done::Patched, Step::Patch { severity, .. }) => Open {
            severity: *severity,
            ..open
        },
        (Done::Noted | Done::Patched | Done::Dropped | Done::Created(_), _) => {
            return record.without_claim();
        }
    };
    record.with_open(open)
}
