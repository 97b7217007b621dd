//! Whether the rights that calls were refused for want of are there by now. A right is found missing by the call that is refused, here it
//! is found there again.

use std::collections::BTreeSet;

use connectwise::MySecurity;
use domain::rights::{RightStatus, right_status};
use jiff::{SignedDuration, Timestamp};
use store::{Leased, Progress};

use crate::App;
use crate::partner::{Case, HealthError};
use crate::probe::Probed;

/// Where the API member may not see its own rights, they are taken for there again so often, and the next call shows.
const TRIED_EVERY: SignedDuration = SignedDuration::from_mins(15);

impl App {
    /// Forgets those of the missing rights that are there by now, and tells whether there were any. If the process dies right after, what
    /// waited for one is looked at when the partner's own time comes.
    pub(crate) async fn update_missing_rights(
        &self,
        case: &Case<'_>,
        leased: &Leased,
        probed: &Probed,
    ) -> Result<bool, HealthError> {
        let (breaker, now) = (case.breaker, case.invocation.now());
        if breaker.missing_rights.is_empty() {
            return Ok(false);
        }
        let listed = probed.rights.as_deref();
        let missing = listed.and_then(|listed| still_missing(&breaker.missing_rights, listed));
        let missing = match missing {
            Some(missing) => missing,
            None if tried_lately(&leased.progress, now) => return Ok(false),
            None => {
                let progress = Progress {
                    rights_tried_at: Some(now),
                    ..leased.progress.clone()
                };
                // Before they are tried: never more often, even if the process dies in between.
                if !self.runs.due.keep(leased, &progress).await? {
                    return Err(HealthError::Lost);
                }
                BTreeSet::new()
            }
        };
        if missing == breaker.missing_rights {
            return Ok(false);
        }
        let table = &self.connections.table;
        let seen = table.rights_seen(case.partner, breaker, &missing).await?;
        if seen {
            tracing::info!(missing = ?missing, before = ?breaker.missing_rights, "missing rights changed");
        }
        Ok(seen)
    }
}

fn tried_lately(progress: &Progress, now: Timestamp) -> bool {
    let tried = progress.rights_tried_at;
    tried.is_some_and(|at| now.duration_since(at) < TRIED_EVERY)
}

/// Those of the rights that the API member has not; none where the list does not name one of them.
fn still_missing(missing: &BTreeSet<String>, listed: &[MySecurity]) -> Option<BTreeSet<String>> {
    let listed: Vec<_> = listed.iter().map(MySecurity::listed).collect();
    let mut still = BTreeSet::new();
    for right in missing {
        match right_status(right, &listed) {
            RightStatus::Granted => {}
            RightStatus::Missing => {
                still.insert(right.clone());
            }
            RightStatus::NotKnown => return None,
        }
    }
    Some(still)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, add: &str) -> MySecurity {
        let row = serde_json::json!({ "moduleFunctionName": name, "addLevel": add, "inquireLevel": "All" });
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn a_right_is_there_when_it_reaches_all_and_unknown_when_it_is_not_listed() {
        let rights = |rights: &[&str]| rights.iter().map(|right| (*right).to_owned()).collect();
        let missing: BTreeSet<String> = rights(&["service_tickets.add", "service_tickets.inquire"]);
        for (add, still) in [
            ("None", Some(rights(&["service_tickets.add"]))),
            ("My", Some(rights(&["service_tickets.add"]))),
            ("All", Some(rights(&[]))),
        ] {
            let listed = [
                listed("Table Setup", "None"),
                listed("Service Tickets", add),
            ];
            assert_eq!(still_missing(&missing, &listed), still, "{add}");
        }
        assert_eq!(still_missing(&missing, &[listed("", "All")]), None);
    }
}
