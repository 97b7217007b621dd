//! Writes of alert records. Each is one conditional write, so a worker that loses a race reads the
//! record again.

use aws::metrics::{Metric, count};
use connections::Connections;
use domain::alert::blocked::CallRefusal;
use domain::alert::record::{Claim, Record};
use domain::ticketing::claimed_write::{ClaimedOutcome, apply_outcome};
use domain::time::later;
use domain::{Blocked, PartnerId, Reaction};
use jiff::{SignedDuration, Timestamp};
use store::{Alerts, RecordWrite};

use crate::case::AlertCase;
use crate::outcome::{MessageOutcome, StepOutcome, outcome_of};

/// More attempts than any alert needs. It bounds the damage of a bug.
const MAX_WRITES: usize = 16;
/// Reconcile runs this long after ConnectWise refused an alert, so that alerts that are refused
/// together are counted together.
const REFUSAL_DELAY: SignedDuration = SignedDuration::from_secs(20);

/// Writes alert records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordWriter<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
}

impl RecordWriter<'_> {
    /// Writes the record, and goes on with it.
    pub(crate) async fn save(&self, record: &Record) -> Result<StepOutcome, store::Error> {
        Ok(match self.alerts.write(record).await? {
            RecordWrite::Stored(record) => StepOutcome::Written(record),
            RecordWrite::Conflict => StepOutcome::Reread,
        })
    }

    /// Writes the record if it changed, and ends the message.
    pub(crate) async fn end(
        &self,
        stored: &Record,
        record: Record,
        outcome: MessageOutcome,
    ) -> Result<StepOutcome, store::Error> {
        if *stored == record {
            return Ok(StepOutcome::End(outcome));
        }
        self.rewrite(&record, outcome).await
    }

    /// Writes the record, changed or not, and ends the message. A write sets the times in the
    /// indexes anew.
    pub(crate) async fn rewrite(
        &self,
        record: &Record,
        outcome: MessageOutcome,
    ) -> Result<StepOutcome, store::Error> {
        Ok(match self.alerts.write(record).await? {
            RecordWrite::Stored(_) => StepOutcome::End(outcome),
            RecordWrite::Conflict => StepOutcome::Reread,
        })
    }

    /// Blocks the alert for this reason, and ends the message.
    pub(crate) async fn block(
        &self,
        stored: &Record,
        record: Record,
        reason: Blocked,
        case: &AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        tracing::warn!(reason = %reason, "alert blocked");
        count(Metric::AlertsBlocked, usize::from(stored.blocked.is_none()));
        self.list_tenant(&record, case).await?;
        let blocked = case.request.block(record, reason, case.invocation.now());
        self.end(stored, blocked, MessageOutcome::Done).await
    }

    /// Lists the tenant of an event if it is unknown, so that a person can map it. The alert may be
    /// resolved already.
    pub(crate) async fn list_tenant(
        &self,
        record: &Record,
        case: &AlertCase<'_>,
    ) -> Result<(), store::Error> {
        let event = case.request.event();
        if case.view.mapping.is_some() {
            return Ok(());
        }
        let name = record.text(event);
        let name = name.and_then(|text| text.tenant_name.as_deref());
        let (key, tenants) = (&record.key, &self.connections.table.tenants);
        let listed = tenants.list_new(&key.partner, &key.tenant, &key.source, name);
        if !listed.await? {
            tracing::error!("tenant not listed: its source has too many unmapped tenants");
            count(Metric::TenantsNotListed, 1);
        }
        Ok(())
    }

    /// Changes a record. If another worker wrote the record meanwhile, the change applies to what it
    /// is now.
    pub(crate) async fn change(
        &self,
        record: Record,
        change: impl Fn(Record) -> Record,
    ) -> Result<StepOutcome, store::Error> {
        let mut current = record;
        for _ in 0..MAX_WRITES {
            let changed = change(current.clone());
            if changed == current {
                return Ok(StepOutcome::Written(Box::new(current)));
            }
            match self.alerts.write(&changed).await? {
                RecordWrite::Stored(record) => return Ok(StepOutcome::Written(record)),
                RecordWrite::Conflict => match self.alerts.get(&current.key).await? {
                    Some(record) => current = record,
                    None => return Ok(StepOutcome::Reread),
                },
            }
        }
        Ok(StepOutcome::End(MessageOutcome::Later(None)))
    }

    /// Records that a claimed write did not happen.
    ///
    /// If the process dies right after a refusal is recorded, the alert is blocked in the table and
    /// the next scheduled run of reconcile finds it.
    pub(crate) async fn release_claim(
        &self,
        record: Record,
        claim: &Claim,
        failure: WriteFailure<'_>,
        now: Timestamp,
    ) -> Result<StepOutcome, store::Error> {
        let partner = record.key.partner.clone();
        let WriteFailure {
            reaction,
            refusal,
            text,
        } = failure;
        let is_refused = refusal.is_some();
        let outcome = ClaimedOutcome::NotMade {
            reaction: reaction.clone(),
            refusal,
        };
        let released = |record| apply_outcome(record, claim, &outcome, text, now);
        Ok(match self.change(record, released).await? {
            StepOutcome::Written(record) => {
                count(Metric::AlertsBlocked, usize::from(record.blocked.is_some()));
                if is_refused {
                    self.schedule_reconcile(&partner, now).await?;
                }
                StepOutcome::End(outcome_of(reaction))
            }
            other @ (StepOutcome::Made(_)
            | StepOutcome::Reread
            | StepOutcome::Again
            | StepOutcome::End(_)) => other,
        })
    }

    /// Schedules reconcile soon after a refusal. It notifies a person and retries the alert.
    pub(crate) async fn schedule_reconcile(
        &self,
        partner: &PartnerId,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let soon = later(now, REFUSAL_DELAY);
        self.connections.schedule.reconcile(partner, soon).await
    }
}

/// Why a claimed write did not happen.
pub(crate) struct WriteFailure<'a> {
    pub(crate) reaction: Reaction,
    /// What ConnectWise refused for this alert alone.
    pub(crate) refusal: Option<CallRefusal>,
    /// The text of the ticket or note that was not written.
    pub(crate) text: Option<&'a domain::alert::event::Payload>,
}
