//! Writes the history that a partner sees: who did what.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use domain::PartnerId;
use store::{Actor, AuditEntry};

use crate::context::Setup;
use crate::random;

/// Records a completed action. A failed write is logged and never fails the action. If the process
/// dies before the write, only the log has the action. `detail` holds names and values, never a
/// secret. Only it has mail addresses: the log does not.
pub(crate) async fn record(
    setup: &Setup,
    partner: &PartnerId,
    (who, what): (Actor, &str),
    detail: &[(&str, String)],
    invocation: &Invocation,
) {
    tracing::info!(%partner, who = ?who, what, "action completed");
    let caller = invocation.caller();
    let entry = AuditEntry {
        at: invocation.now(),
        who,
        session: caller.session.clone(),
        identity: caller.identity.clone(),
        address: caller.address.clone(),
        what: what.to_owned(),
        detail: detail
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
    };
    let Ok(n) = random::number() else {
        return;
    };
    if let Err(err) = setup.access().audit.add(partner, &entry, n).await {
        tracing::error!(%partner, what, error = %err, "failed to write a history entry");
    }
}

/// The value of a detail that was not set.
pub(crate) const NONE: &str = "none";

/// A value of a detail that may have changed: what it is now, and what it was.
pub(crate) fn changed(before: &str, after: &str) -> String {
    match before == after {
        true => after.to_owned(),
        false => format!("{after} (before: {before})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_value_says_what_it_was() {
        assert_eq!(changed("Acme", "Acme"), "Acme");
        assert_eq!(changed("none", "Acme"), "Acme (before: none)");
    }
}
