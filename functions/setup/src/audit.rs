//! Who did what, for the history that a partner sees.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use domain::PartnerId;
use store::{Actor, AuditEntry};

use crate::{Setup, random};

impl Setup {
    /// Notes what was done, after it was. It stands whether the note does or not: where the table fails, or the process dies between, the
    /// log alone has it, so it never fails what was asked for. `detail` holds names and values, never a secret and no address.
    pub(crate) async fn done(
        &self,
        partner: &PartnerId,
        who: Actor,
        what: &str,
        detail: &[(&str, String)],
        invocation: &Invocation,
    ) {
        tracing::info!(%partner, who = ?who, what, "done");
        let entry = AuditEntry {
            at: invocation.now(),
            who,
            what: what.to_owned(),
            detail: detail
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<BTreeMap<_, _>>(),
        };
        let Ok(n) = random::number() else {
            return;
        };
        if let Err(err) = self.access().audit.add(partner, &entry, n).await {
            tracing::error!(%partner, what, error = %err, "failed to write a history entry");
        }
    }
}
