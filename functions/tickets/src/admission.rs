//! Decides whether a new alert gets a ticket of its own, or shares that of a storm.

use std::time::Duration;

use connections::Connections;
use domain::alert::record::Record;
use domain::alert::storm::Admission;

use crate::case::AlertCase;
use crate::outcome::{MessageOutcome, StepOutcome};
use crate::records::RecordWriter;

/// Workers that count alerts of one tenant at the same time. After as many conflicts, the message is
/// received again.
const MAX_ATTEMPTS: usize = 10;

/// Counts new alerts among those of their tenants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admissions<'a> {
    pub(crate) connections: &'a Connections,
    pub(crate) records: RecordWriter<'a>,
}

impl Admissions<'_> {
    /// Counts the alert, unless it was counted before, and sets what it gets. If the process dies
    /// in between, the alert is decided alike when its message is received again.
    pub(crate) async fn admit(
        &self,
        record: &Record,
        case: &mut AlertCase<'_>,
    ) -> Result<StepOutcome, store::Error> {
        let (partner, tenant) = (&record.key.partner, &record.key.tenant);
        let connection = case.view.connection.as_ref();
        let rule = connection.and_then(|connection| connection.settings.storm);
        let storms = &self.connections.table.storms;
        for _ in 0..MAX_ATTEMPTS {
            let stored = storms.get(partner, tenant).await?;
            let now = case.invocation.now();
            let (admission, changed) = stored.value.admit(rule, &record.key, record.storm(), now);
            if let Some(changed) = changed {
                if let Admission::Storm(storm) = &admission {
                    tracing::info!(%storm, "alert is part of a storm");
                    // Reconcile lists the alerts in the storm's ticket. It is scheduled before
                    // the storm is stored, and runs after it.
                    self.records.schedule_reconcile(partner, now).await?;
                }
                let saved = storms
                    .save(partner, tenant, &changed, stored.version)
                    .await?;
                if !saved.is_saved() {
                    continue;
                }
            }
            case.view.admission = Some(admission);
            return Ok(StepOutcome::Again);
        }
        let soon = MessageOutcome::Later(Some(Duration::from_secs(2)));
        Ok(StepOutcome::End(soon))
    }
}
