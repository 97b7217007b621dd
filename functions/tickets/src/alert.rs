//! One alert, one message: read, fold, decide, apply, and decide again until there is nothing to do.

use std::time::Duration;

use domain::decide::{Decision, Step, decide};
use domain::event::Event;
use domain::fold::fold;
use domain::record::{Claim, Record};
use domain::settings::ConnectionView;
use domain::{AlertKey, Blocked};
use store::Written;

use crate::calls::Work;
use crate::outcome::{Outcome, Stepped, react};
use crate::{App, Invocation};

/// More steps than any alert needs; a bound on what a bug can do.
const MAX_STEPS: usize = 12;

impl App {
    /// Takes a message about an alert as far as it goes. If the process dies anywhere in here, the message comes back and goes on
    /// from what the table says.
    pub(crate) async fn process(
        &self,
        key: &AlertKey,
        event: Option<&Event>,
        invocation: &Invocation,
    ) -> Outcome {
        match self.steps(key, event, invocation).await {
            Ok(outcome) => outcome,
            Err(fault) => {
                tracing::error!(fault = %fault, "the table failed");
                react(fault.reaction())
            }
        }
    }

    async fn steps(
        &self,
        key: &AlertKey,
        event: Option<&Event>,
        invocation: &Invocation,
    ) -> Result<Outcome, store::Error> {
        let (record, view) = tokio::join!(
            self.alerts.get(key),
            self.connections.view(&key.partner, &key.tenant)
        );
        let (mut known, view) = (record?, view?);
        for _ in 0..MAX_STEPS {
            if !invocation.has_time() {
                return Ok(Outcome::Later(Some(Duration::from_secs(1))));
            }
            let before = known.take().unwrap_or_else(|| Record::new(key.clone()));
            let record = match event {
                Some(event) => fold(before.clone(), event),
                None => before.clone(),
            };
            let stepped = match decide(&record, &view, self.settle, invocation.now()) {
                Decision::Nothing(idle) => {
                    tracing::info!(idle = ?idle, "nothing to do");
                    self.end(&before, record.at_rest(), Outcome::Done).await?
                }
                Decision::Wait { until } => {
                    let wait = Duration::try_from(until.duration_since(invocation.now()))
                        .unwrap_or_default();
                    tracing::info!(wait_s = wait.as_secs(), "waiting for the claim");
                    self.end(
                        &before,
                        record,
                        Outcome::Later(Some(wait + Duration::from_secs(1))),
                    )
                    .await?
                }
                Decision::Block(reason) => {
                    self.block(&before, record, reason, event, &view, invocation)
                        .await?
                }
                Decision::Search => self.search(&before, record, invocation).await?,
                Decision::Write(step) => {
                    self.claim_and_write(record, step, event, &view, invocation)
                        .await?
                }
            };
            known = match stepped {
                Stepped::On(record) => Some(*record),
                Stepped::Reread => self.alerts.get(key).await?,
                Stepped::End(outcome) => return Ok(outcome),
            };
        }
        tracing::error!(steps = MAX_STEPS, "no end in sight");
        Ok(Outcome::Later(None))
    }

    /// Writes the record where it changed, and ends the message's run.
    pub(crate) async fn end(
        &self,
        before: &Record,
        record: Record,
        outcome: Outcome,
    ) -> Result<Stepped, store::Error> {
        if *before == record {
            return Ok(Stepped::End(outcome));
        }
        Ok(match self.alerts.write(&record).await? {
            Written::Yes(_) => Stepped::End(outcome),
            Written::Conflict => Stepped::Reread,
        })
    }

    async fn block(
        &self,
        before: &Record,
        record: Record,
        reason: Blocked,
        event: Option<&Event>,
        view: &ConnectionView,
        invocation: &Invocation,
    ) -> Result<Stepped, store::Error> {
        tracing::warn!(reason = %reason, "blocked");
        let key = &record.key;
        let text = record.text(event).cloned();
        if view.mapping.is_none() {
            // Seen for the first time: a person finds it in the list of tenants to map.
            let name = text.as_ref().and_then(|text| text.tenant_name.as_deref());
            self.connections
                .table
                .tenant_seen(&key.partner, &key.tenant, name)
                .await?;
        }
        // A text is kept for the ticket that is still to be made; an open ticket's close needs none.
        let text = text.filter(|_| record.wanted.standing);
        let blocked = record.with_blocked(reason, text.as_ref(), invocation.now());
        self.end(before, blocked, Outcome::Done).await
    }

    /// Folding and claiming are one write: the loser of a race reads again. Then the one call to ConnectWise.
    async fn claim_and_write(
        &self,
        record: Record,
        step: Step,
        event: Option<&Event>,
        view: &ConnectionView,
        invocation: &Invocation,
    ) -> Result<Stepped, store::Error> {
        let text = record.text(event).cloned();
        if matches!(step, Step::Create(_)) && text.is_none() {
            // The message that raised it is still in the queue and has the text.
            tracing::info!("no text to make a ticket of");
            return Ok(Stepped::End(Outcome::Done));
        }
        let connection = view.connection.as_ref();
        let claim = claim(&record, &step, view, invocation);
        let (Some(claim), Some(connection)) = (claim, connection) else {
            let reason = "the record does not fit the step that it asks for".to_owned();
            return Ok(Stepped::End(Outcome::DeadLetter(reason)));
        };
        let previous = record.claim.clone();
        let previous = previous.filter(|previous| previous.op == claim.op);
        match self.alerts.write(&record.with_claim(claim)).await? {
            Written::Conflict => Ok(Stepped::Reread),
            Written::Yes(record) => {
                let work = Work {
                    step: &step,
                    text: text.as_ref(),
                    takeover: previous.as_ref(),
                    settings: &connection.settings,
                    invocation,
                };
                self.perform(*record, work).await
            }
        }
    }

    /// Changes a record that this worker holds the claim of. Where the record moved meanwhile the change is made to what it is
    /// now, as long as the claim is still ours.
    pub(crate) async fn change(
        &self,
        record: Record,
        claim: &Claim,
        change: impl Fn(Record, bool) -> Record,
    ) -> Result<Stepped, store::Error> {
        let mut current = record;
        for _ in 0..MAX_STEPS {
            let ours = current
                .claim
                .as_ref()
                .is_some_and(|held| held.id == claim.id);
            let changed = change(current.clone(), ours);
            if changed == current {
                return Ok(Stepped::On(Box::new(current)));
            }
            match self.alerts.write(&changed).await? {
                Written::Yes(record) => return Ok(Stepped::On(record)),
                Written::Conflict => match self.alerts.get(&current.key).await? {
                    Some(record) => current = record,
                    None => return Ok(Stepped::Reread),
                },
            }
        }
        Ok(Stepped::End(Outcome::Later(None)))
    }
}

/// The claim for a step: a takeover goes on with the mark and the count of the claim before it.
fn claim(
    record: &Record,
    step: &Step,
    view: &ConnectionView,
    invocation: &Invocation,
) -> Option<Claim> {
    let id = invocation.next_claim()?;
    let before = record
        .claim
        .as_ref()
        .filter(|before| before.op == step.op());
    let severity = record.wanted.about.as_ref()?.severity;
    let (company_id, epoch) = match (step, record.open()) {
        (Step::Create(create), _) => (create.company, view.connection.as_ref()?.epoch),
        (_, Some(open)) => (open.company_id, open.epoch),
        (_, None) => return None,
    };
    let reason = match step {
        Step::Create(_) => "raised",
        Step::NoteRepeats { .. } => "repeated",
        Step::Patch { .. } => "worse",
        Step::NoteGone { .. } | Step::Close { .. } => "gone",
    };
    Some(Claim {
        marker: before.map_or_else(|| id.clone(), |before| before.marker.clone()),
        id,
        op: step.op(),
        reason: reason.to_owned(),
        token: record.token(),
        company_id,
        epoch,
        severity,
        began_at: invocation.now(),
        until: invocation.claim_until(),
        uncertain_at: None,
        attempts: before.map_or(1, |before| before.attempts.saturating_add(1)),
        visits: 0,
        visited_at: None,
        empty_visits: 0,
    })
}
